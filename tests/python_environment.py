# SPDX-License-Identifier: Apache-2.0
"""Virtual environments that tests run in. Standard library only."""
import os
import pathlib
import subprocess
import sys
import venv

ROOT = pathlib.Path(__file__).resolve().parent.parent
PLAYWRIGHT = "playwright==1.65.2"


def skip_all(step, reason):
    print(f"skip {step}: {reason}")
    print(f"{step}: 0 passed, 0 failed, 1 skipped")
    return 77


def install(folder, wanted):
    """True if the environment has what the requirements file wants, as far as it could be reached."""
    python = folder / "bin/python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    stamp = folder / "requirements.installed"
    if stamp.exists() and stamp.read_text() == wanted.read_text():
        return True
    with open(folder.with_suffix(".log"), "w", encoding="utf-8") as output:
        done = subprocess.run([python, "-m", "pip", "install", "-q", "-r", wanted], stdout=output,
                              stderr=subprocess.STDOUT)
    if done.returncode == 0:
        stamp.write_text(wanted.read_text())
    return done.returncode == 0 or subprocess.run([python, "-c", "import pytest"]).returncode == 0


def rerun_with_playwright(step, wish=None):
    """This program again in build/venv-page, which has playwright if it can be had; `wish`: one more
    package that the program can do without."""
    folder = ROOT / "build/venv-page"
    python = folder / "bin/python"
    if os.path.realpath(sys.prefix) == os.path.realpath(folder):
        return skip_all(step, "playwright could not be installed")
    if not python.exists():
        venv.create(folder, with_pip=True)
    pip = [python, "-m", "pip", "install", "-q"]
    if subprocess.run([*pip, PLAYWRIGHT], capture_output=True).returncode != 0:
        return skip_all(step, "playwright could not be installed (no network?)")
    if wish:
        subprocess.run([*pip, "--no-deps", wish], capture_output=True)
    return subprocess.run([python, *sys.argv]).returncode
