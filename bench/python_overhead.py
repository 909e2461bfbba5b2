#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Python costs per decoded token: the engine's own loop without callbacks, Session.generate()
(which collects text and ids by callbacks) and Session.stream(), one after the other, several rounds.

Usage: python_overhead.py MODEL [TOKENS [ROUNDS]]     needs the package (PYTHONPATH=bindings/python,
XINGLIN_LIBRARY=build/release/src/libxinglin.so) and a quiet machine. Prints the medians of decode
seconds per token and the part that is Python's.
"""
import ctypes
import statistics
import sys
import time

from xinglin import Engine
from xinglin import _native as native
from xinglin.generation import generate_options

PROMPT = "The patient was admitted because of"


def decode_options(n_tokens):
    return {"max_tokens": n_tokens, "ignore_end": True, "draft_max": 0}


def c_loop(session, n_tokens):
    """Seconds of decoding by the engine's loop alone, in one call."""
    options = generate_options(decode_options(n_tokens), (), None)
    result = native.GenerateResult(size=ctypes.sizeof(native.GenerateResult))
    with session._handle.use() as pointer:
        native.lib.xl_session_generate(pointer, PROMPT.encode(), ctypes.byref(options),
                                       ctypes.byref(result), None)
    return result.decode_s


def generate(session, n_tokens):
    times = []
    session.generate(PROMPT, on_token=lambda _: times.append(time.perf_counter()),
                     **decode_options(n_tokens))
    return time.perf_counter() - times[0]


def stream(session, n_tokens):
    first, pieces = None, []
    for piece in session.stream(PROMPT, **decode_options(n_tokens)):
        first = first or time.perf_counter()
        pieces.append(piece)
    return time.perf_counter() - first


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    n_tokens = int(sys.argv[2]) if len(sys.argv) > 2 else 128
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 5
    ways = {"c_loop": c_loop, "generate": generate, "stream": stream}
    seconds = {name: [] for name in ways}
    with Engine(sys.argv[1]) as engine, engine.session() as session:
        for _ in range(rounds + 1):
            for name, way in ways.items():
                session.rewind(0)
                seconds[name].append(way(session, n_tokens) / (n_tokens - 1))
    base = statistics.median(seconds["c_loop"][1:])  # the first round warms up
    for name, values in seconds.items():
        median = statistics.median(values[1:])
        print(f"{name:9s} {1e3 * median:8.3f} ms/token  {100 * (median / base - 1):+6.2f} %")


if __name__ == "__main__":
    main()
