#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Load time and resident memory of models: without a cache of packed weights, when the cache is
written, and when it is there.

For each of the three it runs `llm-cli` in a process of its own on a one-token prompt and prints the
seconds that opening took, those to the first token from the start of the process's work, and the
peak of resident memory beside what it should be: packed weights and keys and values, plus at most
150 MB. The model file is read once before, so that the disk is not what is measured.
Usage: load_time.py [--runs N] MODEL ...
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("XINGLIN_BIN", ROOT / "build/release/bin")) / "llm-cli"
ALLOWANCE_MB = 150


def read_once(model):
    path = Path(model)
    for file in [path] if path.is_file() else sorted(path.iterdir()):
        if file.is_file():
            with open(file, "rb") as stream:
                while stream.read(1 << 24):
                    pass


def run(model, cache):
    command = os.environ.get("XINGLIN_BENCH_GATE", "").split()
    command += [PROGRAM, "-m", model, "-p", "a", "-n", "1", "--json"]
    done = subprocess.run(command, env={**os.environ, "XINGLIN_CACHE": cache}, text=True,
                          capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{model}: {done.stderr.strip()}")
    return json.loads(done.stdout)


def row(model, how, results):
    def median(key):
        return statistics.median(result[key] for result in results)

    load_s, first_s = median("load_ms") / 1e3, median("first_token_ms") / 1e3
    own_mb = (results[0]["weight_bytes"] + results[0]["kv_bytes"]) / 2**20
    peak_mb = max(result["peak_memory_mb"] for result in results)
    print(f"{how:8} {load_s:8.3f} s {load_s + first_s:8.3f} s {peak_mb:9.1f} MB {own_mb:9.1f} MB"
          f"{'' if peak_mb <= own_mb + ALLOWANCE_MB else '  too much'}   {results[-1]['weights_from']}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    options = parser.parse_args()
    for model in options.models:
        read_once(model)
        print(f"{model}\n{'':8} {'load':>10} {'1st token':>10} {'peak':>12} {'weights+KV':>12}")
        with tempfile.TemporaryDirectory(prefix="xinglin-load-") as cache:
            row(model, "no cache", [run(model, "off") for _ in range(options.runs)])
            row(model, "written", [run(model, cache)])
            row(model, "cached", [run(model, cache) for _ in range(options.runs)])


if __name__ == "__main__":
    main()
