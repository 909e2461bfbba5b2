#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What wrong thread counts and bad neighbours cost: does anything collapse?

Four situations, each beside the run that is right for it, in turn for some rounds:
  too many threads      four per core                          right: one per core
  quota of one core     as many threads as the machine has     right: one thread under the quota
  quota, automatic      no count given under the quota         right: one thread under the quota
  busy neighbour        another process keeps one core busy    right: the better of one thread a core
                                                               and one thread less beside it
A quota needs a cgroup to make (root); without one those rows are left out. Medians are reported and
the part of the right run's speed that was kept.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

GROUP_ROOTS = [Path("/sys/fs/cgroup/cpu"), Path("/sys/fs/cgroup")]


class Quota:
    """A cgroup (v1 or v2) that may use one CPU's time."""

    def __init__(self):
        self.group = None
        for root in GROUP_ROOTS:
            group = root / f"xinglin-collapse-{os.getpid()}"
            try:
                group.mkdir()
            except OSError:
                continue
            if (group / "cpu.cfs_quota_us").exists():
                (group / "cpu.cfs_period_us").write_text("100000")
                (group / "cpu.cfs_quota_us").write_text("100000")
            elif (group / "cpu.max").exists():
                (group / "cpu.max").write_text("100000 100000")
            else:
                group.rmdir()
                continue
            self.group = group
            return

    def enter(self):
        (self.group / "cgroup.procs").write_text(str(os.getpid()))

    def remove(self):
        if self.group:
            self.group.rmdir()


def measure(options, threads, quota=None):
    """(prefill, decode) in tokens per second."""
    command = [options.program, "bench", "-m", options.model, "-p", str(options.prompt), "-n",
               str(options.generate), "-r", "1", "-t", str(threads), "--format", "json"]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE,
                          preexec_fn=quota.enter if quota else None).stdout
    rows = json.loads(text)["rows"]
    return tuple(next(r["tokens_per_s"] for r in rows if r["phase"] == phase)
                 for phase in ("prefill", "decode"))


class Neighbour:
    """A process that does nothing but count."""

    def __enter__(self):
        self.process = subprocess.Popen([sys.executable, "-c", "while True: pass"])

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def situations(options, quota):
    """name -> (run, [right runs])."""
    cores = options.threads
    table = {"too many threads": (lambda: measure(options, 4 * cores),
                                  [lambda: measure(options, cores)])}
    if quota.group:
        alone = [lambda: measure(options, 1, quota)]
        table["quota of one core"] = (lambda: measure(options, cores, quota), alone)
        table["quota, automatic"] = (lambda: measure(options, 0, quota), alone)

    def beside(threads):
        with Neighbour():
            return measure(options, threads)

    table["busy neighbour"] = (lambda: beside(cores),
                               [lambda: beside(cores), lambda: beside(max(cores - 1, 1))])
    return table


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("model")
    parser.add_argument("--program", default="build/release/bin/xinglin")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="cores of this machine")
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", help="one situation")
    options = parser.parse_args()
    quota = Quota()
    seen = {}
    try:
        for _ in range(options.rounds):
            for name, (run, right) in situations(options, quota).items():
                if options.only in (None, name):
                    seen.setdefault(name, []).append((run(), [r() for r in right]))
    finally:
        quota.remove()
    print(f"{'situation':20} {'phase':8} {'tokens/s':>10} {'right run':>10} {'kept':>6}")
    for name, rounds in seen.items():
        for phase, label in enumerate(("prefill", "decode")):
            speed = statistics.median(run[phase] for run, _ in rounds)
            right = max(statistics.median(others[i][phase] for _, others in rounds)
                        for i in range(len(rounds[0][1])))
            print(f"{name:20} {label:8} {speed:10.1f} {right:10.1f} {speed / right:6.0%}")


if __name__ == "__main__":
    main()
