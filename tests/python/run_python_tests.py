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

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from python_environment import install, skip_all  # noqa: E402

HERE = ROOT / "tests/python"
VENV = ROOT / "build/venv-python"
PYTHON = VENV / "bin/python"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))


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


def main():
    if not install(VENV, HERE / "requirements.txt"):
        return skip_all("python", "pytest could not be installed (no network?)")
    found = environment()
    if not os.path.exists(found["XINGLIN_LIBRARY"]):
        return skip_all("python", f"{found['XINGLIN_LIBRARY']} is not there; build it first")
    selection = ["-k", sys.argv[1]] if len(sys.argv) > 1 else []
    return subprocess.run([PYTHON, ROOT / "tests/pytest_lines.py", "python", *selection, HERE],
                          env=found, cwd=HERE).returncode


if __name__ == "__main__":
    sys.exit(main())
