#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Xinglin beside its peers on this machine: the same models, tokens, CPUs and minutes.

Every engine is a worker process with the model loaded, stopped while it is not its turn. A round
visits every engine once at every prompt length: the prompt is processed (prefill), then tokens
one by one after it (decode). Rounds are repeated and medians reported. The machine's own limits
are measured in every round. A visit that the host or a neighbour disturbed is made again.
See bench/README.md; results go to bench/results/<machine>/.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import bench_models
import compare_report
import engines
import machine
from engines import Failure, say

ROOT = Path(__file__).resolve().parent.parent
LONG, LONGEST = 4096, 16384  # fewer rounds from here; only Xinglin from there
SLOW_S, SLOWEST_S = 40, 200  # a prefill that takes this long has fewer rounds, or is skipped
MEMORY_PART = 0.7  # of what is available may be filled with loaded engines


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="int4 at 512 tokens, 3 rounds")
    parser.add_argument("--models", default="synthetic-8b-8l,qwen2.5-0.5b,smollm2-135m")
    parser.add_argument("--types", default="int4,int8,bf16")
    parser.add_argument("--engines", default=",".join(e.name for e in engines.ENGINES))
    parser.add_argument("--lengths", default="512,32,1024,2048,8192,16384")
    parser.add_argument("--generate", type=int, default=32, help="tokens decoded in a visit (32)")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--long-rounds", type=int, default=2, help=f"above {LONG} tokens (2)")
    parser.add_argument("--budget", type=float, default=0, help="minutes, 0: as long as it takes")
    parser.add_argument("--isa", choices=["native", "avx2"], default="native")
    parser.add_argument("--threads", type=int, default=0, help="0: all CPUs we may use")
    parser.add_argument("--bin", type=Path, default=ROOT / "build" / "release" / "bin")
    parser.add_argument("--worker", help="our worker (BIN/bench_worker)")
    parser.add_argument("--results", type=Path,
                        default=ROOT / "bench" / "results" / machine.folder_name())
    parser.add_argument("--fresh", action="store_true", help="forget visits of earlier runs")
    parser.add_argument("--report-only", action="store_true", help="write the tables again")
    settings = parser.parse_args()
    if settings.quick:
        settings.types, settings.lengths, settings.rounds = "int4", "512", 3
    settings.lengths = [int(length) for length in settings.lengths.split(",")]
    settings.threads = settings.threads or len(os.sched_getaffinity(0))
    settings.cpus = machine.pick_cpus(settings.threads)
    settings.worker = settings.worker or str(settings.bin / "bench_worker")
    return settings


class Comparison:
    def __init__(self, settings, log):
        self.settings, self.log = settings, log
        self.gate = machine.Gate()
        self.end = time.monotonic() + settings.budget * 60 if settings.budget else None
        self.rates = {}  # prefill tokens a second of an engine and model, at its last visit

    def is_over(self):
        return self.end is not None and time.monotonic() > self.end

    def record(self, kind, **fields):
        row = {"kind": kind, "isa": self.settings.isa, "time": round(time.time(), 1), **fields}
        self.log.write(json.dumps(row) + "\n")
        self.log.flush()

    def measure_roof(self):
        self.gate.acquire()
        self.record("roof", **machine.measure_roof(self.settings.worker, self.settings.cpus))

    def start(self, engine, model, weight_type, lengths):
        context = max(lengths) + self.settings.generate + 1
        self.gate.acquire()
        running = engines.Running(engine, model, weight_type, context, self.settings)
        self.record("start", model=model.name, type=weight_type, engine=engine.name,
                    shape=model.shape, **running.about)
        self.gate.breathe()
        return running

    def visit(self, running, model, weight_type, length):
        """One prefill and one decode sample; disturbed ones are made again, twice at most."""
        for attempt in range(3):
            self.gate.acquire()
            read = machine.measure_roof(self.settings.worker, self.settings.cpus, "--read")["read"]
            running.go_on()
            watch = machine.Watch(self.settings.cpus, running.pid)
            try:
                prefill = None
                if running.engine.name != "openvino":  # its decode begins with the prefill
                    prefill = running.ask(f"prefill {length}")["seconds"]
                reply = running.ask(f"decode {length} {self.settings.generate}")
                disturbed = watch.disturbance()
                resident = running.ask("resident")["bytes"]
            finally:
                if running.process.poll() is None:
                    running.pause()
            if self.gate.is_lost():
                disturbed = "others were let in"
            kept = not disturbed
            self.record("visit", model=model.name, type=weight_type, engine=running.engine.name,
                        length=length, prefill_s=prefill or reply.get("prefill_seconds"),
                        decode_s=reply["seconds"], read=read, resident_bytes=resident, kept=kept,
                        disturbed=disturbed, attempt=attempt)
            self.rates[(running.engine.name, model.name, weight_type)] = (
                length / (prefill or reply["prefill_seconds"]))
            self.gate.breathe()
            if kept:
                return
            say(f"  {running.engine.name} {length}: {disturbed}, again")

    def skip(self, engine, model, weight_type, reason, length=None):
        say(f"  {engine.name} skipped: {reason}")
        self.record("skip", engine=engine.name, model=model.name, type=weight_type,
                    length=length, reason=str(reason))

    def usable(self, model, weight_type):
        names = self.settings.engines.split(",")
        for engine in engines.ENGINES:
            if engine.name not in names:
                continue
            reason = engine.why_not(self.settings.isa, self.settings)
            try:
                if not reason:
                    engine.model_file(model, weight_type)
                    yield engine
                    continue
            except Failure as failure:
                reason = failure
            self.skip(engine, model, weight_type, reason)

    def try_visits(self, running, model, weight_type, lengths, turn):
        """False if the engine can no longer be used."""
        for length in lengths:
            if self.is_over():
                return True
            if length >= LONGEST and running.engine.peer:
                continue
            rate = self.rates.get((running.engine.name, model.name, weight_type))
            if rate and length / rate > SLOW_S and turn >= self.settings.long_rounds:
                continue
            if rate and length / rate > SLOWEST_S:
                self.skip(running.engine, model, weight_type,
                          f"would take {length / rate:.0f} s", length)
                continue
            try:
                self.visit(running, model, weight_type, length)
            except (Failure, OSError) as failure:
                self.skip(running.engine, model, weight_type, failure, length)
                return running.process.poll() is None
        return True

    def lengths_of(self, turn):
        s = self.settings
        return [n for n in s.lengths if turn < (s.rounds if n <= LONG else s.long_rounds)]

    def fits(self, chosen, model, weight_type):
        """Whether all engines can be loaded at once; some take several times the file."""
        size = model.gguf(engines.TYPES[weight_type]).stat().st_size
        return 1.7 * size * len(chosen) < MEMORY_PART * machine.available_bytes()

    def compare(self, model, weight_type):
        chosen = list(self.usable(model, weight_type))
        say(f"{model.name} {weight_type}: {', '.join(engine.name for engine in chosen)}")
        together = self.fits(chosen, model, weight_type)
        loaded = {}
        try:
            self.warm_start(chosen, model, weight_type)
            for turn in range(max(self.settings.rounds, 1)):
                lengths = self.lengths_of(turn)
                if not lengths or self.is_over():
                    break
                say(f"  round {turn + 1}: {lengths}")
                self.measure_roof()
                if together:
                    self.round_together(chosen, loaded, model, weight_type, lengths, turn)
                else:
                    self.round_apart(chosen, model, weight_type, lengths, turn)
        finally:
            for running in loaded.values():
                running.close()
            self.gate.release()

    def warm_start(self, chosen, model, weight_type):
        """The first start fills the page cache and whatever an engine keeps on disk."""
        for engine in list(chosen):
            try:
                self.start(engine, model, weight_type, self.settings.lengths[:1]).close()
            except Failure as failure:
                self.skip(engine, model, weight_type, failure)
                chosen.remove(engine)

    def round_together(self, chosen, loaded, model, weight_type, lengths, turn):
        for engine in list(chosen):
            if engine.name in loaded:
                continue
            try:
                loaded[engine.name] = self.start(engine, model, weight_type, self.settings.lengths)
                loaded[engine.name].pause()
            except Failure as failure:
                self.skip(engine, model, weight_type, failure)
                chosen.remove(engine)
        for length in lengths:
            for engine in list(chosen):
                if not self.try_visits(loaded[engine.name], model, weight_type, [length], turn):
                    loaded.pop(engine.name).close()
                    chosen.remove(engine)

    def round_apart(self, chosen, model, weight_type, lengths, turn):
        for engine in list(chosen):
            try:
                running = self.start(engine, model, weight_type, self.settings.lengths)
            except Failure as failure:
                self.skip(engine, model, weight_type, failure)
                chosen.remove(engine)
                continue
            if not self.try_visits(running, model, weight_type, lengths, turn):
                chosen.remove(engine)
            running.close()


def run(settings, raw):
    plot_python = engines.peers_dir() / "plot" / "venv" / "bin" / "python3"
    python = str(plot_python) if plot_python.exists() else sys.executable
    models = bench_models.all_models()
    with open(raw, "w" if settings.fresh else "a", encoding="utf-8") as log:
        comparison = Comparison(settings, log)
        for weight_type in settings.types.split(","):
            for name in settings.models.split(","):
                if comparison.is_over():
                    say("the time is used up")
                    return
                try:
                    models[name].prepare(settings.bin, python)
                    comparison.compare(models[name], weight_type)
                except Failure as failure:
                    say(f"{name} {weight_type}: {failure}")


def main():
    settings = parse_arguments()
    suffix = "" if settings.isa == "native" else "-" + settings.isa
    raw = ROOT / "build" / "bench" / f"visits{suffix}.jsonl"
    raw.parent.mkdir(parents=True, exist_ok=True)
    if not settings.report_only:
        run(settings, raw)
    settings.results.mkdir(parents=True, exist_ok=True)
    print(compare_report.write(raw, settings.results, suffix, settings.threads))
    plot_python = engines.peers_dir() / "plot" / "venv" / "bin" / "python3"
    if plot_python.exists():
        return subprocess.run([str(plot_python), str(ROOT / "bench" / "plot.py"),
                               str(settings.results / f"compare{suffix}.csv")]).returncode
    say("no plots: matplotlib is not installed (scripts/peers plot)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
