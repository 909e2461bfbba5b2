#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tests/server with pytest in an environment of its own (build/venv-server): real `xinglin serve`
processes, plain sockets and OpenAI's SDK, in a network that has nothing but loopback. Prints ok, FAIL and skip lines as the other steps do.

Programs are taken from $XINGLIN_BIN or build/release/bin. Usage: run_server_tests.py [PATTERN]
(a pytest -k expression)
"""
import os
import pathlib
import shutil
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = ROOT / "tests/server"
VENV = ROOT / "build/venv-server"
PYTHON = VENV / "bin/python"


def skip_all(reason):
    print(f"skip server: {reason}")
    print("server: 0 passed, 0 failed, 1 skipped")
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


def install_node():
    """The Node SDK, as far as it can be had: its test is skipped without it."""
    folder, source = ROOT / "build/node-server", HERE / "node"
    lock = (source / "package-lock.json").read_text()
    stamp = folder / "installed"
    npm = shutil.which("npm")
    if not npm or (stamp.exists() and stamp.read_text() == lock):
        return
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(source / name, folder)
    done = subprocess.run([npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder,
                          capture_output=True, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        stamp.write_text(lock)


RUNNER = r'''
import sys
import only_loopback
import pytest

why_not = only_loopback.enter()


class Lines:
    counts = {"passed": 0, "failed": 0, "skipped": 0}

    def say(self, kind, word, report, detail=""):
        self.counts[kind] += 1
        path, _, rest = report.nodeid.partition("::")
        name = path.split("/")[-1].removesuffix(".py") + "." * bool(rest) + rest.replace("::", ".")
        print(f"{word:4s} server.{name}{': ' + detail if detail else ''}", flush=True)

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
    print(f"skip server.nothing_leaves_the_machine: {why_not}")
else:
    n, others = only_loopback.attempts()
    c["failed" if n or others else "passed"] += 1
    word = "FAIL" if n or others else "ok  "
    print(f"{word} server.nothing_leaves_the_machine: {n} packets elsewhere, interfaces besides "
          f"loopback: {len(others)}")
print(f"server: {c['passed']} passed, {c['failed']} failed, {c['skipped']} skipped")
sys.exit(1 if c["failed"] or status not in (0, 1, 5) else 0 if c["passed"] else 77)
'''


def main():
    if not install():
        return skip_all("pytest could not be installed (no network?)")
    install_node()
    found = dict(os.environ, PYTHONDONTWRITEBYTECODE="1")
    found.setdefault("XINGLIN_CACHE", "off")
    found.setdefault("XINGLIN_BIN", str(ROOT / "build/release/bin"))
    program = pathlib.Path(found["XINGLIN_BIN"]) / "xinglin"
    if not program.exists():
        return skip_all(f"{program} is not there; build it first")
    if b"serve" not in subprocess.run([program, "--help"], capture_output=True).stdout:
        return skip_all(f"{program} was built without the server")
    selection = ["-k", sys.argv[1]] if len(sys.argv) > 1 else []
    return subprocess.run([PYTHON, "-c", RUNNER, *selection, HERE], env=found, cwd=HERE).returncode


if __name__ == "__main__":
    sys.exit(main())
