#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Perplexity and most likely tokens on real models, against libllama (llama_oracle).

Three questions, each on wiki.test.raw with contexts of 512:

  arithmetic   The same weights as floats, ours against libllama: perplexity within 0.3 % and the
               same most likely token at 99 % of positions or more.
  originals    The quantized file as it was published: perplexity within 0.3 % of libllama. Both
               engines round activations to 8 bits here, so positions whose best two tokens are
               nearly tied fall either way (two builds of libllama for different CPUs disagree at
               4 to 5 % of them); ours must agree with exact arithmetic as often as libllama does.
  types        Every type that llm-convert writes, from the float file: libllama opens it and scores
               what we score, within 0.3 %; our q4_0 is no worse than llama.cpp's own. Where
               libllama's own rounding of activations is what differs (K formats: one scale for 256
               values, ours has one for 32), its exact reading of our file decides: it must agree
               with us within 0.3 %, and libllama's quick reading must be the one farther off.

Fewer than 40 chunks cannot resolve 0.3 % between two roundings of activations, so the limit widens
with 1/sqrt(chunks) there; the float comparison keeps 0.3 % always.

    check_perplexity.py [--chunks N] [--type-chunks N] [--report] [--bin DIR] [--only PATTERN]
"""

import argparse
import fnmatch
import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
WORK = ROOT / "build" / "accuracy"
os.environ.setdefault("XINGLIN_CACHE", "off")  # the user's cache is not ours
CACHE = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
INPUTS = Path(os.environ.get("XINGLIN_INPUTS") or f"{CACHE}/xinglin/inputs")
SHARED = Path(os.environ.get("XINGLIN_SHARED") or ROOT.parent / "shared")
TEXT = SHARED / "data" / "text" / "wiki.test.raw"

LIMIT = 0.003
TOP1_LIMIT = 0.99
MODELS = {"smollm2": "smollm2-135m-instruct-q4_1.gguf", "gemma3": "gemma-3-270m-q4_k_m.gguf"}
TYPES = ("fp16", "bf16", "sym_int8", "sym_int4", "asym_int4", "q5_0", "q5_1", "q4_k", "q5_k", "q6_k",
         "q4_k_m")
FLOAT_TYPES = ("fp32", "fp16", "bf16")


class Absent(Exception):
    """Something from outside is not here; the text says what."""


class Broken(Exception):
    """A program of ours or the oracle failed; the text is its last line."""


def run(command, allow_absent=False):
    done = subprocess.run([str(part) for part in command], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace")
    if done.returncode == 77 and allow_absent:
        raise Absent(done.stderr.strip().splitlines()[-1])
    if done.returncode != 0:
        said = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise Broken(f"{Path(command[0]).name}: exit status {done.returncode}: {said}")
    return done.stdout


def make_scratch():
    """A folder of this run's own; what killed runs left behind goes."""
    for stale in WORK.glob("run-*"):
        if not Path("/proc", stale.name.removeprefix("run-")).exists():
            shutil.rmtree(stale, ignore_errors=True)
    scratch = WORK / f"run-{os.getpid()}"
    scratch.mkdir()
    return scratch


class Bench:
    """The two engines, and a memory of what was already scored."""

    def __init__(self, options):
        WORK.mkdir(parents=True, exist_ok=True)
        self.chunks = options.chunks
        self.type_chunks = options.type_chunks or max(2, options.chunks // 5)
        self.xinglin = Path(options.bin) / "xinglin"
        self.convert_program = Path(options.bin) / "llm-convert"
        for needed in (self.xinglin, self.convert_program):
            if not needed.exists():
                raise Absent(f"{needed} is not built")
        if not TEXT.is_file():
            raise Absent(f"{TEXT} is absent")
        self.oracle = [run([ROOT / "tests/oracle/build-oracle", WORK], True).strip(),
                       "--backends", INPUTS / "libllama", "--threads",
                       len(os.sched_getaffinity(0))]
        self.library = json.loads(run(self.oracle + ["info"]))["cpu_library"]
        self.memory_path = WORK / "scores.json"
        self.memory = {}
        if self.memory_path.is_file():
            self.memory = json.loads(self.memory_path.read_text())
        self.scratch = make_scratch()

    def model(self, name):
        path = INPUTS / "models" / MODELS[name]
        if not path.is_file():
            raise Absent(f"{path} is absent: run scripts/fetch-inputs test")
        return path

    def convert(self, source, kind):
        return Path(run([self.convert_program, "-t", kind, "-o", self.scratch, source]).strip())

    def quantize(self, source, kind):
        """llama.cpp's own quantizer."""
        target = self.scratch / f"{source.stem}-llama-{kind}.gguf"
        run(self.oracle + ["quantize", source, target, kind])
        return target

    def ours(self, path, chunks, *flags):
        top1 = self.scratch / "ours.top1"
        said = run([self.xinglin, "eval", "-m", path, "-f", TEXT, "--chunks", chunks, "--json",
                    "--top1-out", top1, *flags])
        return json.loads(said)["perplexity"], top1.read_text().split()

    def theirs_exactly(self, path, chunks):
        """libllama reads the file, turns its weights into floats and computes in floats."""
        exact = self.quantize(path, "f32")
        try:
            return self.theirs(exact, chunks, "--kv-f32", remember=False)
        finally:
            exact.unlink()

    def theirs(self, path, chunks, *flags, remember=True):
        """libllama's scores do not change with our code: published files are scored once."""
        stat = path.stat()
        key = f"{path.name} {stat.st_size} {self.library} {chunks} {' '.join(flags)}"
        if remember and key in self.memory:
            return self.memory[key]["perplexity"], self.memory[key]["top1"].split()
        top1 = self.scratch / "theirs.top1"
        said = run(self.oracle + [*flags, "perplexity", path, TEXT, chunks, top1])
        result = json.loads(said)["perplexity"], top1.read_text().split()
        if remember:
            self.memory[key] = {"perplexity": result[0], "top1": " ".join(result[1])}
            fresh = self.scratch / "scores.json"
            fresh.write_text(json.dumps(self.memory))
            fresh.replace(self.memory_path)
        return result


def agreement(a, b):
    if len(a) != len(b) or not a:
        raise Broken(f"{len(a)} positions scored by one engine, {len(b)} by the other")
    return sum(x == y for x, y in zip(a, b)) / len(a)


class Results:
    def __init__(self):
        self.rows = []
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}

    def say(self, word, text):
        self.counts[word] += 1
        print(f"{word:<4} {text}", flush=True)

    def judge(self, text, *conditions):
        self.say("ok" if all(conditions) else "FAIL", text)


def relative(a, b):
    return a / b - 1


def limit_for(chunks, is_float):
    return LIMIT if is_float or chunks >= 40 else LIMIT * (40 / chunks) ** 0.5


def check_model(bench, results, name):
    """The float form and the published file of one model. Returns our float conversion."""
    original = bench.model(name)
    exact = bench.quantize(original, "f32")
    float_file = bench.convert(original, "fp32")

    chunks = bench.chunks

    our_float, our_float_top1 = bench.ours(float_file, chunks, "--kv-type", "f32")
    their_float, their_float_top1 = bench.theirs(exact, chunks, "--kv-f32")
    same = agreement(our_float_top1, their_float_top1)
    difference = relative(our_float, their_float)
    results.rows.append((name, "fp32", float_file.stat().st_size, our_float, their_float, same,
                         chunks))
    results.judge(f"{name} as floats: perplexity {our_float:.4f}, libllama {their_float:.4f} "
                  f"({difference:+.3%}), same top token {same:.2%}",
                  abs(difference) <= LIMIT, same >= TOP1_LIMIT)

    ours, our_top1 = bench.ours(original, chunks)
    theirs, their_top1 = bench.theirs(original, chunks)
    difference, same = relative(ours, theirs), agreement(our_top1, their_top1)
    our_exact = agreement(our_top1, their_float_top1)
    their_exact = agreement(their_top1, their_float_top1)
    kind = re.search(r"q\d\w*$", original.stem).group() + " (published)"
    results.rows.append((name, kind, original.stat().st_size, ours, theirs, same, chunks))
    results.judge(f"{name} as published: perplexity {ours:.4f}, libllama {theirs:.4f} "
                  f"({difference:+.3%})", abs(difference) <= limit_for(chunks, False))
    results.judge(f"{name} as published: same top token as exact arithmetic {our_exact:.2%}, "
                  f"libllama {their_exact:.2%}; as each other {same:.2%}",
                  our_exact >= their_exact - 0.01)
    exact.unlink()
    return float_file


def check_type(bench, results, name, float_file, kind):
    """One type that we write. Returns (libllama's perplexity, size) of our file."""
    path, chunks = bench.convert(float_file, kind), bench.type_chunks
    try:
        ours, our_top1 = bench.ours(path, chunks)
        theirs, their_top1 = bench.theirs(path, chunks, remember=False)
        difference, same = relative(ours, theirs), agreement(our_top1, their_top1)
        results.rows.append((name, kind, path.stat().st_size, ours, theirs, same, chunks))
        text = (f"{name} {kind}: libllama opens it; perplexity {ours:.4f}, libllama {theirs:.4f} "
                f"({difference:+.3%}), same top token {same:.2%}")
        limit = limit_for(chunks, kind in FLOAT_TYPES)
        right = abs(difference) <= limit
        if not right:
            exact, _ = bench.theirs_exactly(path, chunks)
            right = abs(relative(ours, exact)) <= limit and abs(ours - exact) < abs(theirs - exact)
            text += f"; libllama with exact activations {exact:.4f} ({relative(ours, exact):+.3%})"
        results.judge(text, right)
        return theirs, path.stat().st_size
    finally:
        path.unlink()


def check_int4(bench, results, name, float_file, our_q4):
    """Both quantizers' q4_0 of one source, both read by libllama."""
    theirs_file = bench.quantize(float_file, "q4_0")
    theirs, _ = bench.theirs(theirs_file, bench.type_chunks, remember=False)
    size = theirs_file.stat().st_size
    theirs_file.unlink()
    ours, our_size = our_q4
    results.rows.append((name, "q4_0 by llama.cpp", size, None, theirs, None,
                         bench.type_chunks))
    results.judge(f"{name} q4_0: ours {ours:.4f} ({our_size / 1e6:.1f} MB), llama.cpp's own "
                  f"{theirs:.4f} ({size / 1e6:.1f} MB), both in libllama", ours <= theirs)


def attempt(results, text, function, *arguments):
    try:
        return function(*arguments)
    except Absent as reason:
        results.say("skip", f"{text}: {reason}")
    except (Broken, OSError, ValueError, KeyError) as reason:
        results.say("FAIL", f"{text}: {reason}")
    return None


def machine_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return re.sub(r"[^A-Za-z0-9]+", "-", line.split(":", 1)[1].strip()).strip("-")
    return "unknown"


ROW_NAMES = ("model", "type", "file_bytes", "perplexity", "libllama_perplexity", "top1_agreement",
             "chunks")


def write_report(bench, results):
    """bench/results/accuracy-MACHINE.json and .md; rows that this run did not score stay."""
    base = ROOT / "bench" / "results" / f"accuracy-{machine_name()}-{len(os.sched_getaffinity(0))}"
    base.parent.mkdir(parents=True, exist_ok=True)
    rows = {}
    if Path(f"{base}.json").is_file():
        known = json.loads(Path(f"{base}.json").read_text())
        if known["cpu_library"] == bench.library:
            rows = {(row["model"], row["type"]): row for row in known["rows"]}
    rows.update({row[:2]: dict(zip(ROW_NAMES, row)) for row in results.rows})
    rows = [row for name in MODELS for key, row in rows.items() if key[0] == name]
    Path(f"{base}.json").write_text(json.dumps(
        {"cpu_library": bench.library, "date": time.strftime("%Y-%m-%d"), "rows": rows},
        indent=1) + "\n")
    Path(f"{base}.md").write_text("\n".join(
        [f"# Accuracy against libllama, {machine_name()}", "",
         "wiki.test.raw, chunks of 512 tokens, second half of each scored (`make accuracy`). "
         f"libllama used {bench.library}. {time.strftime('%Y-%m-%d')}. \"Same top token\" of "
         "quantized files counts near ties that two roundings of activations decide differently; "
         "fp32 is the comparison of arithmetic.", "",
         "| model | type | file MB | chunks | Xinglin | libllama | difference | same top token |",
         "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |",
         *map(table_line, rows)]) + "\n")
    print(f"Written: {os.path.relpath(base, ROOT)}.md and .json")


def table_line(row):
    ours, theirs, same = row["perplexity"], row["libllama_perplexity"], row["top1_agreement"]
    return (f"| {row['model']} | {row['type']} | {row['file_bytes'] / 1e6:.1f} | {row['chunks']} | "
            f"{'' if ours is None else f'{ours:.4f}'} | {theirs:.4f} | "
            f"{'' if ours is None else f'{relative(ours, theirs):+.3%}'} | "
            f"{'' if same is None else f'{same:.2%}'} |")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--chunks", type=int, default=10, help="chunks of 512 tokens (10)")
    parser.add_argument("--type-chunks", type=int, default=0,
                        help="chunks for each written type (a fifth of --chunks)")
    parser.add_argument("--report", action="store_true", help="write bench/results/accuracy-*.md")
    parser.add_argument("--bin", default=str(ROOT / "build/release/bin"), help="our programs")
    parser.add_argument("--only", default="*", metavar="PATTERN",
                        help="model/type to check, e.g. 'smollm2/*' or '*/q4_k'")
    return parser.parse_args()


def check_all(bench, results, options):
    for name in MODELS:
        def wanted(kind, name=name):
            return fnmatch.fnmatch(f"{name}/{kind}", options.only)
        float_file = None
        if wanted("original"):
            float_file = attempt(results, name, check_model, bench, results, name)
        # The second model's types would repeat the first's code paths; `make accuracy` does both.
        kinds = [kind for kind in TYPES if wanted(kind)]
        if name != "smollm2" and not options.report and options.only == "*":
            kinds = ["sym_int4", "q4_k_m"]
        if kinds and float_file is None:
            float_file = attempt(results, name, lambda: bench.convert(bench.model(name), "fp32"))
        for kind in kinds if float_file else ():
            scored = attempt(results, f"{name} {kind}", check_type, bench, results, name,
                             float_file, kind)
            if kind == "sym_int4" and scored:
                attempt(results, f"{name} q4_0", check_int4, bench, results, name, float_file,
                        scored)
        if float_file:
            float_file.unlink(missing_ok=True)


def main():
    options = parse_arguments()
    results = Results()
    bench = attempt(results, "perplexity", Bench, options)
    if bench:
        try:
            check_all(bench, results, options)
            if options.report and results.rows:
                write_report(bench, results)
        finally:
            shutil.rmtree(bench.scratch)
    counts = results.counts
    print(f"{counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 77 if not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main())
