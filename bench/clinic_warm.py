#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""How soon the first word of a draft comes: from pressing the button to the first token of the first
field that the model writes.

cold            a fresh process that knows nothing of the chart
warm            the chart was read in the background before (in memory)
warm from disk  read in the background by another process, which has ended; a fresh one finds it in
                --prefix-dir

Two ways to show the chart to the model: the documents of each day (what the bundled templates say)
and the whole chart as one prefix ("context": "chart"; needs a context that holds it).

    clinic_warm.py -m MODEL [--program build/release/bin/xinglin] [--rounds N] [--form documents|chart]
                   [EPISODE_FOLDER]

Loading the weights is not counted: a server has done it. Needs a quiet machine.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FORMS = (("documents of the day", "documents", 4096), ("whole chart", "chart", 12288))


def draft(options, folder, *flags):
    """Milliseconds to the first token and to the end, and the texts."""
    command = [options.program, "clinic", "draft", "--json", "-m", options.model,
               "--clinic-templates", folder, *flags, options.episode]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True)
    made = json.loads(done.stdout)
    assert made["state"] == "done", made.get("error")
    return made["first_token_ms"], made["total_ms"], [field["text"] for field in made["fields"]]


def write_template(folder, context):
    """The bundled discharge record with another context for its model's fields."""
    template = json.loads((ROOT / "clinic/templates/discharge-record.json").read_text())
    for field in template["fields"]:
        if field["from"] == "model":
            field["context"] = context
    (folder / "discharge-record.json").write_text(json.dumps(template, ensure_ascii=False))


def measure(options, context, tokens):
    """Rows of (state, first tokens in ms, totals in ms)."""
    rows = {"cold": [], "warm": [], "warm from disk": []}
    texts = set()
    for _ in range(options.rounds):
        with tempfile.TemporaryDirectory() as scratch:
            folder, prefixes = Path(scratch) / "templates", Path(scratch) / "prefixes"
            folder.mkdir()
            prefixes.mkdir(mode=0o700)
            write_template(folder, context)
            key = Path(scratch) / "key"
            subprocess.run([options.program, "serve", "--new-prefix-key", str(key)], check=True)
            disk = ["--prefix-dir", prefixes, "--prefix-key", key]
            size = ["-c", tokens]
            for name, flags in (("cold", []), ("warm", ["--warm", *disk]), ("warm from disk", disk)):
                first, total, text = draft(options, folder, *size, *flags)
                rows[name].append((first, total))
                texts.add(json.dumps(text))
    if len(texts) != 1:
        raise SystemExit("clinic_warm: the drafts differ: warm and cold must give the same text")
    return rows


def chart_characters(folder):
    episode = json.loads((Path(folder) / "episode.json").read_text())
    return sum(len(section["text"]) for document in episode["docs"]
               for section in document["sections"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-m", "--model", required=True)
    parser.add_argument("--program", default=str(ROOT / "build/release/bin/xinglin"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--form", choices=[form for _, form, _ in FORMS], help="one of the two ways")
    parser.add_argument("episode", nargs="?", default=ROOT / "examples/episodes/02-stemi-pci")
    options = parser.parse_args()
    print(f"{Path(options.model).name}, {Path(options.episode).name}: "
          f"{chart_characters(options.episode)} characters, medians of {options.rounds}\n")
    print("| the model sees | chart is | first token | sooner | whole draft |")
    print("|---|---|---|---|---|")
    for words, context, tokens in FORMS:
        if options.form not in (None, context):
            continue
        rows = measure(options, context, tokens)
        cold = statistics.median(first for first, _ in rows["cold"])
        for name, times in rows.items():
            first = statistics.median(first for first, _ in times)
            total = statistics.median(total for _, total in times)
            print(f"| {words} | {name} | {first / 1000:.3f} s | {cold / max(first, 1):.1f} × | "
                  f"{total / 1000:.1f} s |")


if __name__ == "__main__":
    main()
