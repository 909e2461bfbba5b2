#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs every test program of the tree and adds up what they count.

A step is a command. Its closing line `NAME: N passed, N failed, N skipped` is believed if the exit
status agrees; a step without one counts as one test, by its exit status (77 = skipped). Output goes
to build/test-logs/STEP.log; of a failing step the FAIL lines, what is indented below them, and the end
are shown. A time limit is for what hangs: several times what a slow machine needs. Standard library only. Usage: run_tests.py [--list] [PATTERN ...]
"""
import fnmatch
import json
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(ROOT, "build", "test-logs")
CLOSING = re.compile(r"^(?:[\w.\-]+:\s*)?(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")
VENV_PYTHON = os.path.join(ROOT, "build", "venv", "bin", "python")


class Step:
    def __init__(self, name, command, timeout_s=1200, environment=None):
        self.name, self.command, self.timeout_s = name, command, timeout_s
        self.environment = environment or {}


def ctest_steps(preset):
    """The tests that CMake registered for a preset, one step each."""
    build = os.path.join(ROOT, "build", preset)
    out = subprocess.run(["ctest", "--test-dir", build, "--show-only=json-v1"], text=True,
                         capture_output=True)
    if out.returncode != 0:
        return [Step(f"{preset}.configure", ["ctest", "--test-dir", build, "-N"])]
    steps = []
    for test in json.loads(out.stdout)["tests"]:
        if test["name"] == "tidy":
            continue  # once, not once a preset
        environment = {}
        for item in test.get("properties", []):
            if item["name"] == "ENVIRONMENT":
                environment = dict(pair.split("=", 1) for pair in item["value"])
        steps.append(Step(f"{preset}.{test['name']}", test["command"], 1800, environment))
    return steps


def oracle_python():
    return VENV_PYTHON if os.path.exists(VENV_PYTHON) else sys.executable


def all_steps():
    python = oracle_python()
    steps = [Step("tidy", [sys.executable, "tests/tidy/check_tidy.py"])]
    steps += ctest_steps("release")
    steps += ctest_steps("asan")
    programs = "build/release/bin"
    for name, timeout_s, *command in [
        ("episode", 300, "scripts/check_episode.py"),
        ("commands", 1800, "tests/commands/test_commands.py"),
        ("package", 900, "tests/package/check_package.py"),
        ("python", 2700, "tests/python/run_python_tests.py"),
        ("manual", 600, "tests/package/check_manual.py"),
        ("deb", 1200, "tests/package/check_deb.py"),
        ("page", 900, "tests/server/test_page.py"),
        ("clinic", 2700, "tests/clinic/run_clinic_tests.py"),
        ("clinic-pages", 1800, "tests/clinic/test_pages.py"),
        ("clinic-eval", 1800, "tests/clinic/test_clinic_eval.py", f"{programs}/xinglin"),
        ("clinic-orders", 1800, "tests/clinic/test_injected_drafts.py", f"{programs}/xinglin"),
        ("server", 2700, "tests/server/run_server_tests.py"),
        ("emulator", 2700, "tests/emulator/test_emulator.py"),
        ("tokenizers", 1800, "tests/oracle/check_tokenizers.py", f"{programs}/tokenize_tool"),
        ("templates", 1800, "tests/oracle/check_templates.py", f"{programs}/template_tool"),
        ("schemas", 1200, "tests/oracle/check_schemas.py", f"{programs}/grammar_tool"),
        ("embeddings", 1800, "tests/oracle/check_embeddings.py"),
        ("perplexity", 2700, "tests/oracle/check_perplexity.py"),
    ]:
        steps.append(Step(name, [python, *command], timeout_s))
    steps.append(Step("quantizers", ["tests/oracle/check-quantizers"], 1200))
    return steps


def run(step):
    """Returns (passed, failed, skipped, note)."""
    path = os.path.join(LOGS, step.name + ".log")
    environment = {**os.environ, "XINGLIN_CACHE": "off", **step.environment, "ASAN_OPTIONS": "allocator_may_return_null=1",
                   "UBSAN_OPTIONS": "print_stacktrace=1"}
    with open(path, "w", encoding="utf-8") as log:
        try:
            status = subprocess.run(step.command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT,
                                    stdin=subprocess.DEVNULL, timeout=step.timeout_s,
                                    env=environment).returncode
        except subprocess.TimeoutExpired:
            return 0, 1, 0, f"no end after {step.timeout_s} s"
        except OSError as problem:
            return 0, 1, 0, str(problem)
    counts = None
    with open(path, encoding="utf-8", errors="replace") as log:
        lines = log.read().splitlines()
    for line in lines:
        match = CLOSING.match(line.strip())
        if match:
            counts = tuple(int(n or 0) for n in match.groups())
    if counts is None:
        if status == 0:
            return 1, 0, 0, ""
        last = lines[-1] if lines else "skipped"
        return (0, 0, 1, last) if status == 77 else (0, 1, 0, f"exit status {status}")
    passed, failed, skipped = counts
    if status not in (0, 77) and failed == 0:
        return passed, 1, skipped, f"exit status {status}"
    return passed, failed, skipped, ""


def show_failure(step):
    with open(os.path.join(LOGS, step.name + ".log"), encoding="utf-8", errors="replace") as log:
        lines = log.read().splitlines()
    shown, is_below = [], False
    for line in lines:
        is_marked = line.startswith("FAIL") or "ERROR:" in line
        is_below = is_marked or (is_below and line.startswith(" "))
        if is_below:
            shown.append(line)
    for line in (shown[:80] + ["…"] + lines[-15:]):
        print("      " + line)


def show_skips(step):
    with open(os.path.join(LOGS, step.name + ".log"), encoding="utf-8", errors="replace") as log:
        for line in log.read().splitlines():
            if line.startswith("skip"):
                print("      " + line)


def main():
    patterns = [a for a in sys.argv[1:] if not a.startswith("-")]
    os.makedirs(LOGS, exist_ok=True)
    steps = [s for s in all_steps()
             if not patterns or any(fnmatch.fnmatch(s.name, f"*{p}*") for p in patterns)]
    if "--list" in sys.argv:
        print("\n".join(s.name for s in steps))
        return 0
    total = [0, 0, 0]
    failures = []
    for step in steps:
        start = time.monotonic()
        passed, failed, skipped, note = run(step)
        seconds = time.monotonic() - start
        for i, n in enumerate((passed, failed, skipped)):
            total[i] += n
        word = "FAIL" if failed else "skip" if passed == 0 and skipped else "ok  "
        counts = f"{passed:5d} passed {failed:3d} failed {skipped:3d} skipped"
        print(f"{word} {step.name:34s} {counts} {seconds:7.1f} s  {note}".rstrip(), flush=True)
        if failed:
            failures.append(step.name)
            show_failure(step)
        if skipped:
            show_skips(step)
    if failures:
        print("Failed: " + ", ".join(failures) + "; logs in build/test-logs")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] else 0


if __name__ == "__main__":
    sys.exit(main())
