#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What calls of the clinic's store take with few and with many episodes in it.

Fills a store in a temporary folder (every change is synced to that disk), times each kind of call
in one process (bench/store_calls.c) and writes a table. Medians and the slowest, milliseconds.
More than 5000 episodes have no documents, labs and vitals, so that filling takes seconds.
Usage: clinic_store.py [--episodes N,N] [--rounds N] [--folder DIR] [--out FILE]
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import machine

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = Path(os.environ.get("XINGLIN_BIN", ROOT / "build/release/bin")) / "store_calls"
EPISODE = ROOT / "examples/episodes/01-pneumonia/episode.json"
SHORT_FROM = 5000


def measure(n_episodes, rounds, parent):
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        episode = json.loads(EPISODE.read_text(encoding="utf-8"))
        if n_episodes > SHORT_FROM:
            episode.update(docs=[], labs=[], vitals=[])
        path = Path(folder) / "episode.json"
        path.write_text(json.dumps(episode), encoding="utf-8")
        done = subprocess.run([PROGRAM, path, str(n_episodes), str(rounds), folder + "/store"],
                              text=True, capture_output=True)
        if done.returncode != 0:
            sys.exit(done.stderr.strip() or f"{PROGRAM}: exit status {done.returncode}")
        size_mb = (Path(folder) / "store/clinic.db").stat().st_size / 2**20
    return json.loads(done.stdout), size_mb


def table(results):
    heads = [f"{result['episodes']} {'short ' * (result['episodes'] > SHORT_FROM)}episodes, {size_mb:.0f} MB"
             for result, size_mb in results]
    lines = ["# The clinic's store\n", f"{machine.cpu_name()}, medians (slowest) in milliseconds, made by "
             "bench/clinic_store.py.", "Changes are on the disk when a call returns.\n",
             "| call | " + " | ".join(heads) + " |", "| --- |" + " ---: |" * len(heads)]
    for name in results[0][0]:
        if name != "episodes":
            cells = ["{:.2f} ({:.2f})".format(*result[name]) for result, _ in results]
            lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--episodes", default="200,20000")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--folder", help="where the store is made (temporary files by default)")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    counts = [int(n) for n in options.episodes.split(",")]
    text = table([measure(n, options.rounds, options.folder) for n in counts])
    print(text, end="")
    if options.out:
        options.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
