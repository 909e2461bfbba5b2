#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs tests/clinic over HTTP: real `xinglin serve --clinic` processes. The environment is that of
tests/server. Usage: run_clinic_tests.py [PATTERN] (a pytest -k expression)
"""
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "server"))

import pytest_step  # noqa: E402 (found by the line above)

if __name__ == "__main__":
    sys.exit(pytest_step.run("clinic", HERE, sys.argv[1] if len(sys.argv) > 1 else None))
