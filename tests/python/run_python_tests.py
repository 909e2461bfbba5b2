#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tests/python with pytest in an environment of its own (build/venv-python) and prints ok, FAIL
and skip lines as the other steps do.

The package is taken from bindings/python, its library from $XINGLIN_LIBRARY or build/release. torch and
transformers, which are large, may also come from the environment that the benchmarks made.
Usage: run_python_tests.py [PATTERN]   (a pytest -k expression)
"""
import os
import pathlib
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests/python"
VENV = ROOT / "build/venv-python"
PYTHON = VENV / "bin/python"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))


def skip_all(reason):
    print(f"skip python: {reason}")
    print("python: 0 passed, 0 failed, 1 skipped")
    return 77


def install():
    """True if the environment has what requirements.txt wants, as far as it could be reached."""
    if not PYTHON.exists():
        venv.create(VENV, with_pip=True)
    wanted = HERE / "requirements.txt"
    stamp = VENV / "requirements.installed"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return True
    log = ROOT / "build/venv-python.log"
    with open(log, "w", encoding="utf-8") as output:
        done = subprocess.run([PYTHON, "-m", "pip", "install", "-q", "-r", wanted], stdout=output,
                              stderr=subprocess.STDOUT)
    if done.returncode == 0:
        stamp.write_text(wanted.read_text())
    return done.returncode == 0 or subprocess.run([PYTHON, "-c", "import pytest"]).returncode == 0


def environment():
    found = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    found.setdefault("XINGLIN_CACHE", "off")
    found.setdefault("XINGLIN_LIBRARY", str(ROOT / "build/release/src/libxinglin.so"))
    paths = [ROOT / "bindings/python"]
    lacks_torch = subprocess.run([PYTHON, "-c", "import torch"], capture_output=True).returncode
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    peers = CACHE / "xinglin/peers/transformers/venv/lib" / version / "site-packages"
    if lacks_torch and (peers / "torch").is_dir():
        paths.append(peers)
    found["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    return found


RUNNER = r'''
import sys
import pytest


class Lines:
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def say(self, kind, word, report, detail=""):
        self.counts[kind] += 1
        path, _, rest = report.nodeid.partition("::")
        name = path.split("/")[-1].removesuffix(".py") + "." * bool(rest) + rest.replace("::", ".")
        print(f"{word:4s} python.{name}{': ' + detail if detail else ''}", flush=True)

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.say("failed", "FAIL", report)
            print(report.longreprtext, flush=True)
        elif report.skipped:
            reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else "expected failure"
            self.say("skipped", "skip", report, reason.removeprefix("Skipped: "))
        elif report.when == "call":
            self.say("passed", "ok", report)

    def pytest_collectreport(self, report):
        if report.failed:
            self.say("failed", "FAIL", report)
            print(report.longreprtext, flush=True)
        elif report.skipped:
            self.say("skipped", "skip", report, str(report.longrepr[2]).removeprefix("Skipped: "))


lines = Lines()
status = pytest.main(["-p", "no:terminal", "-p", "no:cacheprovider", *sys.argv[1:]], [lines])
c = lines.counts
print(f"python: {c['passed']} passed, {c['failed']} failed, {c['skipped']} skipped")
sys.exit(1 if c["failed"] or status not in (0, 1, 5) else 0 if c["passed"] else 77)
'''


def main():
    if not install():
        return skip_all("pytest could not be installed (no network?)")
    found = environment()
    if not os.path.exists(found["XINGLIN_LIBRARY"]):
        return skip_all(f"{found['XINGLIN_LIBRARY']} is not there; build it first")
    selection = ["-k", sys.argv[1]] if len(sys.argv) > 1 else []
    return subprocess.run([PYTHON, "-c", RUNNER, *selection, HERE], env=found, cwd=HERE).returncode


if __name__ == "__main__":
    sys.exit(main())
