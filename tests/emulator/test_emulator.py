#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""AVX-512 and AMX on a machine that may have neither: static programs on an emulated CPU.

Needs ../shared/amx-emulator (or $XINGLIN_SHARED): every kernel check of the AVX-512 and AMX levels,
of AVX-512 without BF16 and of AVX2 on the CPUs that have just these; how many tile instructions the
AMX products execute; which level is chosen on each CPU and why not a higher one; and stories260K's
text from the whole program. Without the emulator everything is reported as skipped. Builds
build/static (or uses $XINGLIN_STATIC_BIN). Standard library only.
Usage: test_emulator.py [--list | --seed N | NAME ...]
"""
import concurrent.futures
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
SHARED = pathlib.Path(os.environ.get("XINGLIN_SHARED", ROOT / "../shared"))
EMULATOR = SHARED / "amx-emulator/run-under-sapphire-rapids"
STORIES = SHARED / "data/stories260K"
BIN = pathlib.Path(os.environ.get("XINGLIN_STATIC_BIN", ROOT / "build/static/bin"))
TARGETS = ["kernels", "tile_counts", "xinglin_program"]
LIMIT_S = 900
SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="xinglin-emulator-"))
CLOSING = re.compile(r"^\w+: (\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
PROMPT = ("Once upon a time, there was a little girl named Lily. She had a big, red ball. "
          "One day, her mom said, \"Lily, let's go to the park and play with")

# CPU: the level chosen there, and what the next one misses
CPUS = {
    "corei7_haswell_4770": ("avx2", "AVX-512"),
    "broadwell_ult": ("avx2", "AVX-512"),
    "corei7_skylake_x": ("avx2", "VNNI"),
    "arrow_lake": ("avx2", "AVX-512"),
    "corei7_icelake_u": ("avx512", "AMX"),
    "tigerlake": ("avx512", "AMX"),
    "sapphire_rapids": ("amx", None),
}
LEVELS = ["scalar", "avx2", "avx512", "amx"]


class Skip(Exception):
    pass


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def quietly(*command):
    """Runs a command; returns (exit status, last line of what it wrote)."""
    result = subprocess.run([str(c) for c in command], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    lines = [line for line in result.stdout.splitlines() if line.strip()]
    return result.returncode, lines[-1] if lines else ""


def prepare():
    """Why nothing can run here, or None. A build that fails is a failure, not a reason."""
    if not EMULATOR.exists():
        return f"no {EMULATOR.parent}"
    status, last = quietly(EMULATOR, "-i")
    if status != 0:
        return f"the emulator could not be installed: {last}"
    if "XINGLIN_STATIC_BIN" in os.environ:
        return None
    status, last = quietly("cmake", "--preset", "static")
    if status != 0:
        return f"no static build here: {last}"
    status, last = quietly("cmake", "--build", "--preset", "static", "--target", *TARGETS)
    expect(status == 0, f"build/static: {last}")
    return None


def emulate(program, *arguments, cpu="sapphire_rapids", files=(), environment=None):
    command = [EMULATOR, "-t", LIMIT_S, "-c", cpu]
    for path in files:
        command += ["-f", path]
    for name, value in (environment or {}).items():
        command += ["-e", f"{name}={value}"]
    command += [BIN / program, *arguments]
    return subprocess.run([str(c) for c in command], capture_output=True)


def checked(result):
    """The sums of a program that counts its own checks."""
    text = result.stdout.decode(errors="replace")
    closing = CLOSING.findall(text)
    failed = [line for line in text.splitlines() if line.startswith("FAIL")]
    expect(result.returncode == 0 and closing and not failed,
           f"exit status {result.returncode}: {failed or text[-300:] + result.stderr.decode()}")
    passed, n_failed, skipped = map(int, closing[-1])
    expect(passed > 0 and n_failed == 0 and skipped == 0, closing)
    return passed


def run_kernels(isa, pattern, trials, cpu="sapphire_rapids"):
    return checked(emulate("kernels", "--isa", isa, "--function", pattern, "--trials", trials,
                           "--seed", run_kernels.seed, cpu=cpu))


def test_avx512_products():
    return run_kernels("avx512", "matmul.*", 40)


def test_avx512_other():
    return run_kernels("avx512", "[!ma]*", 40) + run_kernels("avx512", "a[!t]*", 40)


def test_avx512_attention():
    return run_kernels("avx512", "attend*", 24)


def test_avx512_without_bf16():
    return (run_kernels("avx512", "matmul.*", 8, "tigerlake") +
            run_kernels("avx512", "attend*", 8, "tigerlake") +
            run_kernels("avx512", "*bf16", 8, "tigerlake"))


def test_amx_products():
    return run_kernels("amx", "matmul.*", 40)


def test_avx2_haswell():
    return run_kernels("avx2", "[!a]*", 12, "corei7_haswell_4770") + \
        run_kernels("avx2", "a*", 8, "corei7_haswell_4770")


def test_tile_counts():
    result = emulate("tile_counts")
    for line in result.stdout.decode().splitlines():
        if re.search(r"(q4_0|q6_k|bf16) +(1|16|32|48|128|256) tokens", line):
            print("    " + line)
    return checked(result)


def test_chosen_levels():
    """By itself: the highest that the CPU has; the next one's reason names what is missing."""
    for cpu, (level, missing) in CPUS.items():
        result = emulate("xinglin", "inspect", "--cpu", "--json", cpu=cpu)
        expect(result.returncode == 0, f"{cpu}: {result.stderr.decode()}")
        machine = json.loads(result.stdout)
        reasons = {entry["name"]: entry.get("reason") for entry in machine["levels"]}
        expect(machine["best"] == level, f"{cpu}: {machine['best']}")
        for name in LEVELS:
            is_there = LEVELS.index(name) <= LEVELS.index(level)
            expect((reasons[name] is None) == is_there, f"{cpu}: {name}: {reasons[name]}")
        if missing:
            following = LEVELS[LEVELS.index(level) + 1]
            expect(missing in reasons[following], f"{cpu}: {following}: {reasons[following]}")
    return len(CPUS)


def test_wanted_level_is_missing():
    result = emulate("llm-cli", "-m", stories(), "-p", "x", cpu="corei7_haswell_4770",
                     files=[stories()], environment={"XINGLIN_ISA": "avx512"})
    text = result.stderr.decode()
    expect(result.returncode != 0 and text.count("\n") == 1 and "avx512" in text, text)


def stories():
    """stories260K as GGUF, made once before the tests run."""
    path = SCRATCH / "stories/stories260K.gguf"
    if not path.exists():
        raise Skip("stories260K is not there")
    return path


def quantized_stories():
    return SCRATCH / "quantized/stories260K-q8_0.gguf"


def make_stories():
    if not STORIES.is_dir():
        return
    subprocess.run([sys.executable, ROOT / "tests/golden/stories260k.py", STORIES,
                    SCRATCH / "stories"], check=True, capture_output=True)
    subprocess.run([BIN / "llm-convert", "-t", "q8_0", "-o", quantized_stories().parent, stories()],
                   check=True, capture_output=True)


def generate(isa, model, *arguments, cpu="sapphire_rapids"):
    result = emulate("llm-cli", "-m", model, "--ignore-eos", *arguments, cpu=cpu, files=[model],
                     environment={"XINGLIN_ISA": isa, "XINGLIN_CACHE": "off"})
    expect(result.returncode == 0, result.stderr.decode())
    return result.stdout.strip()


def tell_story(isa, cpu="sapphire_rapids"):
    text = generate(isa, stories(), "-p", "", "-n", 200, cpu=cpu)
    wanted = (STORIES / "expected-greedy-200.txt").read_bytes().strip()
    expect(text == wanted, f"{isa} wrote {text[:100]!r}")


def test_story_avx512():
    tell_story("avx512")


def test_story_avx512_without_bf16():
    tell_story("avx512", "tigerlake")


def test_story_amx():
    tell_story("amx")


def test_story_avx2_haswell():
    tell_story("avx2", "corei7_haswell_4770")


def test_story_quantized():
    """8-bit weights and a prompt that fills tiles: AMX and AVX-512 give the same bytes."""
    stories()
    told = [generate(isa, quantized_stories(), "-p", PROMPT, "-n", 60, "-t", n_threads)
            for isa, n_threads in (("avx512", 1), ("amx", 1), ("amx", 3))]
    expect(len(set(told)) == 1 and len(told[0]) > 100, [text[:100] for text in told])


def run_test(name, test):
    """Returns (word, passed, text)."""
    start = time.monotonic()
    try:
        passed = test() or 1
        return "ok", passed, f" ({passed} checks, {time.monotonic() - start:.0f} s)"
    except Skip as reason:
        return "skip", 0, f" ({reason})"
    except (AssertionError, subprocess.SubprocessError, OSError, ValueError, KeyError) as problem:
        return "FAIL", 0, f": {type(problem).__name__} {problem}"


def run_all(tests):
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    # a run occupies one core
    with concurrent.futures.ThreadPoolExecutor(max(1, min(4, os.cpu_count() or 1))) as pool:
        running = {name: pool.submit(run_test, name, test) for name, test in tests.items()}
        for name, future in running.items():
            word, passed, note = future.result()
            counts[word] += passed if word == "ok" else 1
            print(f"{word:4s} emulator.{name}{note}", flush=True)
    return counts


def main():
    arguments = sys.argv[1:]
    tests = {name[5:]: f for name, f in globals().items() if name.startswith("test_")}
    if "--list" in arguments:
        print("\n".join(tests))
        return 0
    run_kernels.seed = random.randrange(1 << 32)
    if "--seed" in arguments:
        at = arguments.index("--seed")
        run_kernels.seed = int(arguments[at + 1])
        del arguments[at:at + 2]
    tests = {name: test for name, test in tests.items() if not arguments or name in arguments}
    try:
        reason = prepare()
        if reason:
            print(f"skip emulator ({reason})\nemulator: 0 passed, 0 failed, {len(tests)} skipped")
            return 77
        print(f"emulator: seed {run_kernels.seed}")
        make_stories()
        counts = run_all(tests)
    except (AssertionError, subprocess.SubprocessError) as problem:
        print(f"FAIL emulator: {problem}")
        counts = {"ok": 0, "FAIL": 1, "skip": 0}
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    print(f"emulator: {counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
