# SPDX-License-Identifier: Apache-2.0
"""What every peer's worker has to say and how (bench/README.md lists the commands).

A worker is started as `worker_X.py MODEL CONTEXT THREADS`, prints one JSON line when the model has
answered a one-token prompt, and then obeys one command a line. Engines print to standard output as
they like, so the real one is kept for answers and theirs is sent to standard error.
"""

import json
import os
import sys
import time


def tokens_of(n_vocab, n):
    """The same tokens for every engine: what they mean does not matter."""
    state, tokens = 20260101, []
    for _ in range(n):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        tokens.append((state >> 33) % n_vocab)
    return tokens


def resident_bytes():
    with open("/proc/self/statm", encoding="ascii") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Worker:
    """A loaded model. The first step of a token is over when its successor has been chosen."""

    held = 0  # tokens in the cache

    def __init__(self, model, context, threads):
        raise NotImplementedError

    def describe(self):
        """Engine version and settings that matter, for the report."""
        raise NotImplementedError

    def rewind(self, position):
        raise NotImplementedError

    def feed(self, start, n):
        """Processes tokens start .. start+n-1 and chooses a next token."""
        raise NotImplementedError

    def prefill(self, n):
        self.rewind(0)
        start = time.perf_counter()
        self.feed(0, n)
        seconds = time.perf_counter() - start
        self.held = n
        return {"seconds": seconds}

    def decode(self, depth, n):
        self.rewind(min(self.held, depth))
        if self.held < depth:
            self.feed(self.held, depth - self.held)
        seconds = []
        for i in range(n):
            start = time.perf_counter()
            self.feed(depth + i, 1)
            seconds.append(time.perf_counter() - start)
        self.held = depth + n
        self.rewind(depth)
        return {"seconds": seconds}


def serve(worker_class):
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(reply):
        answers.write(json.dumps(reply) + "\n")
        answers.flush()

    start = time.perf_counter()
    worker = worker_class(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    worker.prefill(1)
    answer({"ready": True, "load_s": time.perf_counter() - start, **worker.describe()})
    for line in sys.stdin:
        words = line.split()
        try:
            if words[:1] == ["prefill"]:
                answer(worker.prefill(int(words[1])))
            elif words[:1] == ["decode"]:
                answer(worker.decode(int(words[1]), int(words[2])))
            elif words == ["resident"]:
                answer({"bytes": resident_bytes()})
            elif words == ["quit"]:
                break
            else:
                answer({"error": f"no such command: {line.strip()[:80]}"})
        except (RuntimeError, ValueError, OSError) as error:
            answer({"error": str(error).strip().splitlines()[0][:200]})
    answers.flush()
    os._exit(0)  # some engines do not survive their own clean-up
