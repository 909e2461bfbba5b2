# SPDX-License-Identifier: Apache-2.0
"""Runs a folder of tests with pytest in the environment of the server's tests (build/venv-server), in
a network that has nothing but loopback, and prints ok, FAIL and skip lines as the other steps do."""
import os
import pathlib
import subprocess
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests/server"
VENV = ROOT / "build/venv-server"
PYTHON = VENV / "bin/python"


def skip_all(step, reason):
    print(f"skip {step}: {reason}")
    print(f"{step}: 0 passed, 0 failed, 1 skipped")
    return 77


def install():
    """True if the environment has what requirements.txt wants, as far as it could be reached."""
    if not PYTHON.exists():
        venv.create(VENV, with_pip=True)
    wanted = HERE / "requirements.txt"
    stamp = VENV / "requirements.installed"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return True
    log = ROOT / "build/venv-server.log"
    with open(log, "w", encoding="utf-8") as output:
        done = subprocess.run([PYTHON, "-m", "pip", "install", "-q", "-r", wanted], stdout=output,
                              stderr=subprocess.STDOUT)
    if done.returncode == 0:
        stamp.write_text(wanted.read_text())
    return done.returncode == 0 or subprocess.run([PYTHON, "-c", "import pytest"]).returncode == 0


RUNNER = r'''
import sys
STEP = sys.argv.pop(1)
import only_loopback
import pytest

why_not = only_loopback.enter()


class Lines:
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def say(self, kind, word, report, detail=""):
        self.counts[kind] += 1
        path, _, rest = report.nodeid.partition("::")
        name = path.split("/")[-1].removesuffix(".py") + "." * bool(rest) + rest.replace("::", ".")
        print(f"{word:4s} {STEP}.{name}{': ' + detail if detail else ''}", flush=True)

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
status = pytest.main(["-p", "no:terminal", "-p", "no:cacheprovider", "--assert=plain", *sys.argv[1:]], [lines])
c = lines.counts
if why_not:
    c["skipped"] += 1
    print(f"skip {STEP}.nothing_leaves_the_machine: {why_not}")
else:
    n, others = only_loopback.attempts()
    c["failed" if n or others else "passed"] += 1
    word = "FAIL" if n or others else "ok  "
    print(f"{word} {STEP}.nothing_leaves_the_machine: {n} packets elsewhere, interfaces besides "
          f"loopback: {len(others)}")
print(f"{STEP}: {c['passed']} passed, {c['failed']} failed, {c['skipped']} skipped")
sys.exit(1 if c["failed"] or status not in (0, 1, 5) else 0 if c["passed"] else 77)
'''


def run(step, folder, pattern=None):
    """The exit status of all tests of the folder, or of those that the pattern fits (pytest -k)."""
    if not install():
        return skip_all(step, "pytest could not be installed (no network?)")
    found = dict(os.environ, PYTHONDONTWRITEBYTECODE="1", PYTHONPATH=str(HERE))
    found.setdefault("XINGLIN_CACHE", "off")
    found.setdefault("XINGLIN_BIN", str(ROOT / "build/release/bin"))
    program = pathlib.Path(found["XINGLIN_BIN"]) / "xinglin"
    if not program.exists():
        return skip_all(step, f"{program} is not there; build it first")
    if b"serve" not in subprocess.run([program, "--help"], capture_output=True).stdout:
        return skip_all(step, f"{program} was built without the server")
    selection = ["-k", pattern] if pattern else []
    return subprocess.run([PYTHON, "-c", RUNNER, step, *selection, folder], env=found,
                          cwd=folder).returncode
