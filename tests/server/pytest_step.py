# SPDX-License-Identifier: Apache-2.0
"""Runs a folder of tests with pytest in the environment of the server's tests (build/venv-server), in
a network that has nothing but loopback, and prints ok, FAIL and skip lines as the other steps do."""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from python_environment import install, skip_all  # noqa: E402

HERE = ROOT / "tests/server"
VENV = ROOT / "build/venv-server"
PYTHON = VENV / "bin/python"

RUNNER = '''
import sys
import only_loopback
import pytest_lines

why_not = only_loopback.enter()


def count_packets(lines):
    name = "nothing_leaves_the_machine"
    if why_not:
        lines.count("skipped", "skip", name, why_not)
        return
    n, others = only_loopback.attempts()
    is_quiet = not n and not others
    lines.count("passed" if is_quiet else "failed", "ok" if is_quiet else "FAIL", name,
                f"{n} packets elsewhere, interfaces besides loopback: {len(others)}")


sys.exit(pytest_lines.run(sys.argv[1], ["--assert=plain", *sys.argv[2:]], count_packets))
'''


def run(step, folder, pattern=None):
    """The exit status of all tests of the folder, or of those that the pattern fits (pytest -k)."""
    if not install(VENV, HERE / "requirements.txt"):
        return skip_all(step, "pytest could not be installed (no network?)")
    found = dict(os.environ, PYTHONDONTWRITEBYTECODE="1",
                 PYTHONPATH=os.pathsep.join([str(HERE), str(ROOT / "tests")]))
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
