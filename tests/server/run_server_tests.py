#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tests/server: real `xinglin serve` processes, plain sockets, OpenAI's SDK and Node's.

Programs are taken from $XINGLIN_BIN or build/release/bin. Usage: run_server_tests.py [PATTERN]
(a pytest -k expression)
"""
import shutil
import subprocess
import sys

import pytest_step


def install_node():
    """The Node SDK, as far as it can be had: its test is skipped without it."""
    folder, source = pytest_step.ROOT / "build/node-server", pytest_step.HERE / "node"
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


def main():
    install_node()
    return pytest_step.run("server", pytest_step.HERE, sys.argv[1] if len(sys.argv) > 1 else None)


if __name__ == "__main__":
    sys.exit(main())
