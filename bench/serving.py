#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Many users at once: `xinglin serve` beside llama-server and OpenVINO GenAI's continuous batching.

All engines have the model loaded and are stopped while it is not their turn. A visit: all streams
begin at the same moment, each with a prompt of random tokens that nobody has seen, and generate with
temperature 0.8 and the best 40. Then what a known beginning saves: the time to the first token of a
long prompt cold, again with another end, and from disk after a restart. See bench/README.md."""

import argparse
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import machine
from engines import inputs_dir, peers_dir, say
from stream_load import body_of, run_streams

ROOT = Path(__file__).resolve().parent.parent
VOCABULARY = 30000  # ids below are ordinary tokens of every model here
VISITS = ROOT / "build" / "bench" / "serving.jsonl"


def pinned(cpus):
    return lambda: os.sched_setaffinity(0, cpus)


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def prompts_of(seed, n, length):
    chooser = random.Random(seed)
    return [[chooser.randrange(300, VOCABULARY) for _ in range(length)] for _ in range(n)]


class HttpEngine:
    """A server process; `ready` is the path that answers 200 when it takes requests."""

    def __init__(self, name, command, ready, cpus):
        self.name, self.port = name, free_port()
        command = [str(part).replace("PORT", str(self.port)) for part in command]
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.errors,
                                        stderr=self.errors, preexec_fn=pinned(cpus))
        for _ in range(1200):
            if self.process.poll() is not None or self.is_ready(ready):
                break
            time.sleep(0.1)
        if self.process.poll() is not None:
            self.errors.seek(0)
            raise RuntimeError(f"{name}: {self.errors.read().decode(errors='replace')[-300:]}")

    def is_ready(self, path):
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as one:
                one.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                            .encode())
                return b" 200 " in one.recv(100)
        except OSError:
            return False

    def visit(self, prompts, n_tokens):
        """(seconds in all, tokens, [first token s], [between tokens s])."""
        streams = run_streams(self.port, [body_of(ids, n_tokens, i) for i, ids in enumerate(prompts)])
        return digest(min(s.start for s in streams), [s.times for s in streams],
                      sum(s.n_tokens for s in streams))


class OpenvinoEngine:
    def __init__(self, python, model, threads, cpus):
        self.name = "openvino-genai"
        worker = Path(__file__).parent / "peers" / "batch_openvino.py"
        self.process = subprocess.Popen([python, worker, model, str(threads)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, preexec_fn=pinned(cpus))
        self.about = json.loads(self.process.stdout.readline())

    def visit(self, prompts, n_tokens):
        self.process.stdin.write(json.dumps({"prompts": prompts, "generate": n_tokens}) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return digest(answer["start"], answer["times"], sum(map(len, answer["times"])))


def digest(start, times, n_tokens):
    end = max(moments[-1] for moments in times)
    gaps = [b - a for moments in times for a, b in zip(moments, moments[1:])]
    return {"seconds": end - start, "tokens": n_tokens, "events": sum(map(len, times)),
            "first": [moments[0] - start for moments in times], "gaps": gaps}


def quantile(values, part):
    ordered = sorted(values)
    return ordered[min(int(part * len(ordered)), len(ordered) - 1)]


def own_command(settings, *flags):
    return [settings.program, "serve", "-m", settings.model, "--port", "PORT", "--threads",
            settings.threads, "--parallel", settings.streams, "--access-log", "",
            "--kv-memory-mib", 2048, *flags]


def start_engines(settings):
    length = settings.prompt + settings.generate
    yield "xinglin", lambda: HttpEngine("xinglin", own_command(settings, "--context", 4096), "/ready",
                                        settings.cpus)
    server = Path(os.environ.get("LLAMA_SERVER", peers_dir() / "llama-server" / "llama-server"))
    command = [server, "-m", settings.model, "--port", "PORT", "-np", settings.streams, "-c",
               settings.streams * (length + 64), "-t", settings.threads, "--no-webui"]
    if not server.is_file():
        say(f"skipped llama-server: {server} is not there (scripts/llama-server)")
    else:
        yield "llama-server", lambda: HttpEngine("llama-server", command, "/health", settings.cpus)
    python = peers_dir() / "openvino" / "venv" / "bin" / "python3"
    if not python.is_file():
        say("skipped openvino-genai: not installed (scripts/peers)")
    else:
        yield "openvino-genai", lambda: OpenvinoEngine(python, settings.model, settings.threads,
                                                       settings.cpus)


def measure_streams(settings, log):
    running = [start() for name, start in start_engines(settings) if name in settings.engines]
    for engine in running:
        engine.visit(prompts_of(7, 1, 16), 4)
        engine.process.send_signal(signal.SIGSTOP)
    try:
        for number in range(settings.rounds):
            for engine in running:
                settings.gate.acquire()
                engine.process.send_signal(signal.SIGCONT)
                bandwidth = settings.bandwidth()
                watch = machine.Watch(settings.cpus, engine.process.pid)
                seen = engine.visit(prompts_of(time.time_ns(), settings.streams, settings.prompt),
                                    settings.generate)
                disturbed = watch.disturbance()
                engine.process.send_signal(signal.SIGSTOP)
                settings.gate.release()
                log({"kind": "streams", "engine": engine.name, "disturbed": disturbed,
                     "bandwidth": bandwidth, **seen})
                say(f"round {number + 1} {engine.name}: {seen['tokens'] / seen['seconds']:.1f} "
                    f"tokens/s, first {quantile(seen['first'], .5):.2f} s, {disturbed or 'quiet'}")
    finally:
        for engine in running:
            engine.process.kill()
            engine.process.wait()


def first_token_s(engine, ids, **more):
    [stream] = run_streams(engine.port, [{**body_of(ids, 1, 1), **more}])
    return stream.times[0] - stream.start


def measure_beginnings(settings, log):
    """The same 2048 tokens with an end of their own: cold, in memory, from disk."""
    with tempfile.TemporaryDirectory(dir=settings.scratch) as folder:
        key = Path(folder) / "key"
        subprocess.run([settings.program, "serve", "--new-prefix-key", key], check=True)
        flags = ["--prefix-dir", Path(folder) / "kept", "--prefix-key", key, "--context", 4096]
        (Path(folder) / "kept").mkdir(mode=0o700)
        for _ in range(settings.rounds):
            settings.gate.acquire()
            seed = time.time_ns()
            [shared] = prompts_of(seed, 1, settings.shared)
            ends = prompts_of(seed + 1, 3, 16)
            engine = HttpEngine("xinglin", own_command(settings, *flags), "/ready", settings.cpus)
            first_token_s(engine, prompts_of(7, 1, 16)[0])
            cold = first_token_s(engine, shared + ends[0])
            memory = first_token_s(engine, shared + ends[1])
            first_token_s(engine, shared + ends[1], save_prefix=True)
            engine.process.send_signal(signal.SIGTERM)
            engine.process.wait()
            engine = HttpEngine("xinglin", own_command(settings, *flags), "/ready", settings.cpus)
            first_token_s(engine, prompts_of(8, 1, 16)[0])
            disk = first_token_s(engine, shared + ends[2])
            engine.process.kill()
            engine.process.wait()
            settings.gate.release()
            log({"kind": "beginnings", "cold": cold, "memory": memory, "disk": disk})
            say(f"beginning of {settings.shared}: cold {cold:.2f} s, memory {memory * 1e3:.0f} ms, "
                f"disk {disk * 1e3:.0f} ms")


def stream_table(visits):
    names = list(dict.fromkeys(v["engine"] for v in visits))
    rates = {}
    lines = ["| engine | tokens/s | range | first token p50 | p99 | between tokens p50 | p99 | "
             "visits (disturbed) |", "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"]
    for name in names:
        mine = [v for v in visits if v["engine"] == name]
        rate = [v["tokens"] / v["seconds"] for v in mine]
        rates[name] = statistics.median(rate)

        def middle(field, part):
            return statistics.median(quantile(v[field], part) for v in mine)

        lines.append(f"| {name} | {rates[name]:.1f} | {min(rate):.1f}–{max(rate):.1f} | "
                     f"{middle('first', .5):.2f} s | {middle('first', .99):.2f} s | "
                     f"{middle('gaps', .5) * 1e3:.0f} ms | {middle('gaps', .99) * 1e3:.0f} ms | "
                     f"{len(mine)} ({sum(bool(v['disturbed']) for v in mine)}) |")
    lines += [""] + [f"- xinglin / {name}: {rates['xinglin'] / rates[name]:.2f} ×" for name in names
                     if name != "xinglin" and "xinglin" in rates]
    return "\n".join(lines)


def report(settings):
    visits = [json.loads(line) for line in VISITS.read_text().splitlines()]
    streams = [v for v in visits if v["kind"] == "streams"]
    quiet = [v for v in streams if not v["disturbed"]]
    if {v["engine"] for v in quiet} == {v["engine"] for v in streams}:
        streams = quiet
    beginnings = [v for v in visits if v["kind"] == "beginnings"]
    text = [f"# Serving on {machine.cpu_name()}, {settings.threads} threads", "",
            f"Model: {Path(settings.model).stem}. Made by bench/serving.py; bench/README.md says how.",
            ""]
    if streams:
        text += [f"## {settings.streams} streams of {settings.prompt} + {settings.generate} tokens", "",
                 stream_table(streams), ""]
    if beginnings:
        cold, memory, disk = (statistics.median(v[k] for v in beginnings)
                              for k in ("cold", "memory", "disk"))
        text += [f"## First token of a prompt with {settings.shared} known tokens", "",
                 "| | first token | times sooner |", "| --- | ---: | ---: |",
                 f"| cold | {cold:.2f} s | 1 |",
                 f"| in memory | {memory * 1e3:.0f} ms | {cold / memory:.0f} |",
                 f"| from disk, after a restart | {disk * 1e3:.0f} ms | {cold / disk:.0f} |", "",
                 f"Medians of {len(beginnings)}."]
    target = ROOT / "bench" / "results" / machine.folder_name() / "serving.md"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text("\n".join(text).rstrip() + "\n")
    print("\n".join(text))


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    gguf = inputs_dir() / "bench" / "gguf" / "synthetic-8b-8l-sym_int4.gguf"
    parser.add_argument("--model", default=str(gguf))
    parser.add_argument("--program", default=str(ROOT / "build" / "release" / "bin" / "xinglin"))
    parser.add_argument("--engines", default="xinglin,llama-server,openvino-genai")
    parser.add_argument("--parts", default="streams,beginnings")
    parser.add_argument("--streams", type=int, default=16)
    parser.add_argument("--prompt", type=int, default=128)
    parser.add_argument("--generate", type=int, default=64)
    parser.add_argument("--shared", type=int, default=2048)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--fresh", action="store_true", help="forget earlier visits")
    parser.add_argument("--report-only", action="store_true")
    settings = parser.parse_args()
    settings.engines = settings.engines.split(",")
    settings.threads = settings.threads or len(os.sched_getaffinity(0))
    settings.cpus = machine.pick_cpus(settings.threads)
    settings.scratch = ROOT / "build" / "bench"
    return settings


def main():
    settings = parse_arguments()
    settings.gate = machine.Gate()
    worker = str(ROOT / "build" / "release" / "bin" / "bench_worker")
    settings.bandwidth = lambda: machine.measure_roof(worker, settings.cpus, "--read")["read"]
    VISITS.parent.mkdir(parents=True, exist_ok=True)
    if settings.fresh:
        VISITS.unlink(missing_ok=True)

    def log(visit):
        with open(VISITS, "a", encoding="utf-8") as out:
            out.write(json.dumps(visit) + "\n")

    if not settings.report_only:
        if "streams" in settings.parts:
            measure_streams(settings, log)
        if "beginnings" in settings.parts:
            measure_beginnings(settings, log)
    report(settings)


if __name__ == "__main__":
    sys.exit(main())
