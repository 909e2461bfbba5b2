# SPDX-License-Identifier: Apache-2.0
"""The machine under the engines: which CPUs, what it can do now, and who else is using it."""

import json
import os
import re
import select
import subprocess
import time

TICKS = os.sysconf("SC_CLK_TCK")
STEAL_MAX = 0.02      # part of the slice that the host took away
NEIGHBOUR_MAX = 0.05  # part of the CPUs that other processes used


def cpu_name():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return os.uname().machine


def folder_name():
    """What bench/results calls this machine: its CPU and how many of them."""
    return re.sub(r"[^A-Za-z0-9]+", "-", cpu_name()).strip("-") + f"-{os.cpu_count()}"


def available_bytes():
    with open("/proc/meminfo", encoding="ascii") as info:
        for line in info:
            if line.startswith("MemAvailable"):
                return int(line.split()[1]) * 1024
    return 0


def pick_cpus(n_threads):
    """The CPUs that every engine is pinned to: the first ones we may use."""
    return sorted(os.sched_getaffinity(0))[:n_threads]


class Watch:
    """What happened on our CPUs between start and now, other than the process we watch."""

    def __init__(self, cpus, pid):
        self.cpus = {f"cpu{cpu}" for cpu in cpus}
        self.pid = pid
        self.before = self.read()

    def read(self):
        busy = steal = total = 0
        with open("/proc/stat", encoding="ascii") as stat:
            for line in stat:
                words = line.split()
                if words[0] in self.cpus:
                    ticks = [int(word) for word in words[1:9]]
                    busy += ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]
                    steal += ticks[7]
                    total += sum(ticks)
        with open(f"/proc/{self.pid}/stat", encoding="ascii", errors="replace") as stat:
            words = stat.read().rsplit(")", 1)[1].split()
        return busy, steal, total, int(words[11]) + int(words[12])

    def disturbance(self):
        """None if the slice counts, else what disturbed it."""
        busy, steal, total, own = (now - then for now, then in zip(self.read(), self.before))
        # Counters have a resolution of one tick a CPU: less than that is no evidence.
        slack = 2 * len(self.cpus)
        if steal > STEAL_MAX * total + 1:
            return f"steal {steal / max(total, 1):.0%}"
        if busy - own > NEIGHBOUR_MAX * total + slack:
            return f"neighbours {(busy - own) / max(total, 1):.0%}"
        return None


class Gate:
    """Exclusive use of a machine that others use too. $XINGLIN_BENCH_GATE is a command that waits
    for its turn and then runs the command given to it, which keeps the turn until it ends."""

    HOLD_S = 60

    def __init__(self):
        self.command = os.environ.get("XINGLIN_BENCH_GATE", "").split()
        self.holder = None
        self.since = 0.0

    def acquire(self):
        if not self.command or self.holder:
            return
        self.holder = subprocess.Popen([*self.command, "sh", "-c", "echo held; read -r _"],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.holder.stdout.readline()
        self.since = time.monotonic()

    def is_lost(self):
        return self.holder is not None and self.holder.poll() is not None

    def release(self):
        if not self.holder:
            return
        try:
            self.holder.stdin.write("\n")
            self.holder.stdin.close()
        except OSError:
            pass  # it ended by itself
        self.holder.wait()
        self.holder = None

    def breathe(self):
        """Lets others in if we have been long enough."""
        if self.is_lost() or time.monotonic() - self.since > self.HOLD_S:
            self.release()


def measure_roof(worker_program, cpus, what="--roof"):
    """{"read": bytes/s, "avx2_int8": op/s, …}: the best slices seen now; "--read": just that."""
    text = subprocess.run([worker_program, what, str(len(cpus))], capture_output=True, text=True,
                          check=True, preexec_fn=lambda: os.sched_setaffinity(0, cpus)).stdout
    return {name: figure["best"] for name, figure in json.loads(text).items()}


def wait_readable(stream, timeout_s):
    return bool(select.select([stream], [], [], timeout_s)[0])
