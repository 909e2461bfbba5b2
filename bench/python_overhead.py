#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What Python costs per decoded token: the engine's own loop without callbacks, Session.generate()
(which collects text and ids by callbacks) and Session.stream(), one after the other, several rounds.
The engine's clock runs from the first chosen token to the last, callbacks included.

Usage: python_overhead.py MODEL [TOKENS [ROUNDS]]
Needs the package (PYTHONPATH=bindings/python, XINGLIN_LIBRARY=build/release/src/libxinglin.so) and a
quiet machine. Prints decode milliseconds per token and the part that is Python's.
"""
import ctypes
import statistics
import sys
import threading

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


def c_loop_in_a_thread(session, n_tokens):
    """The same from another thread than the main one, which is where generate() makes its call."""
    times = []
    worker = threading.Thread(target=lambda: times.append(c_loop(session, n_tokens)))
    worker.start()
    worker.join()
    return times[0]


def generate(session, n_tokens):
    return session.generate(PROMPT, **decode_options(n_tokens)).decode_s


def stream(session, n_tokens):
    pieces = session.stream(PROMPT, **decode_options(n_tokens))
    try:
        while True:
            next(pieces)
    except StopIteration as end:
        return end.value.decode_s


def main():
    if not 2 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    n_tokens = int(sys.argv[2]) if len(sys.argv) > 2 else 48
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 12
    ways = [
        ("c_loop", c_loop),
        ("thread", c_loop_in_a_thread),
        ("generate", generate),
        ("stream", stream),
    ]
    seconds = {name: [] for name, _ in ways}
    with Engine(sys.argv[1]) as engine, engine.session() as session:
        c_loop(session, n_tokens)  # warms up
        for _ in range(rounds):
            for name, way in ways:
                session.rewind(0)
                seconds[name].append(way(session, n_tokens) / (n_tokens - 1))
            ways.append(ways.pop(0))  # nobody is always the first
    for name, values in seconds.items():
        ratios = [value / base for value, base in zip(values, seconds["c_loop"])]
        print(f"{name:9s} median {1e3 * statistics.median(values):8.3f} ms/token, least "
              f"{1e3 * min(values):8.3f}; over the C loop: median of {rounds} rounds "
              f"{100 * (statistics.median(ratios) - 1):+6.2f} %, least to least "
              f"{100 * (min(values) / min(seconds['c_loop']) - 1):+6.2f} %")


if __name__ == "__main__":
    main()
