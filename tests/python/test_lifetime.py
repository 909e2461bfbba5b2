# SPDX-License-Identifier: Apache-2.0
"""Ctrl-C, garbage in any order, exits in the middle and ten thousand generations: in processes of
their own, because what could go wrong is a crash."""

import signal
import subprocess
import sys

import pytest


def start(script, *arguments):
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process, timeout=600):
    out, err = process.communicate(timeout=timeout)
    assert process.returncode == 0, err[-3000:]
    return out


LONG_PROMPT = """
import os, signal, sys, threading, time, xinglin
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in a shell's background jobs
engine = xinglin.Engine(sys.argv[1], context=100000)
session = engine.session()
prompt = [1] + [5 + i * 7 % 500 for i in range(90000)]
how, n_signals = sys.argv[2], int(sys.argv[3])
sent = []
def interrupt():  # Ctrl-C as soon as the call has got anywhere
    while session.position < 8:
        time.sleep(0.001)
    sent.append(time.time())
    for _ in range(n_signals):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.003)
threading.Thread(target=interrupt).start()
try:
    if how == "generate":
        session.generate(prompt, max_tokens=1)
    elif how == "feed":
        session.feed(prompt)
    elif how == "stream":
        list(session.stream(prompt, max_tokens=1))
    else:
        session.generate("Once", max_tokens=-1, ignore_end=True, draft_max=0)
    print("finished")
except KeyboardInterrupt:
    print("interrupted", time.time() - sent[0], session.position)
session.rewind(0)
again = session.generate("Once upon a time", max_tokens=10)
assert again.tokens == engine.generate("Once upon a time", max_tokens=10).tokens
print("usable")
"""


@pytest.mark.parametrize("how", ["generate", "feed", "stream", "decode"])
def test_keyboard_interrupt(model, how):
    words = finish(start(LONG_PROMPT, model, how, 1)).split()
    assert words[0] == "interrupted" and words[3] == "usable", words
    assert int(words[2]) < 90001
    print(f"{how}: interrupted after {float(words[1]):.3f} s")


def test_many_interrupts(model):
    """Wherever the second one arrives, nothing crashes; the process may end by it."""
    process = start(LONG_PROMPT, model, "generate", 5)
    _, err = process.communicate(timeout=600)
    assert process.returncode in (0, 1, -signal.SIGINT), err
    assert "Fatal" not in err and "Segmentation" not in err


GARBAGE = """
import gc, itertools, sys, threading, time, weakref, xinglin
path = sys.argv[1]
gc.disable()
def objects():
    engine = xinglin.Engine(path)
    session = engine.session()
    session.feed([1, 5, 9])
    stream = session.stream("Once", max_tokens=100)
    next(stream)
    return {"engine": engine, "session": session, "stream": stream}
for order in itertools.permutations(["engine", "session", "stream"]):
    found = objects()
    for name in order:
        del found[name]
        gc.collect()
for closed in ("engine", "session", None):
    found = objects()
    if closed:
        found[closed].close()
    found["engine"].circle = found      # collected as one, in any order
    found["session"].circle = found
    alive = weakref.ref(found["engine"])
    del found
    for _ in range(3000):  # a stream's thread holds its session until the generation ends
        gc.collect()
        if alive() is None:
            break
        time.sleep(0.05)
    assert alive() is None
# Closing while others tokenise, embed and generate: exceptions, no crashes.
for _ in range(10):
    engine = xinglin.Engine(path)
    go = threading.Event()
    def work(call):
        go.set()
        try:
            while True:
                call()
        except xinglin.ClosedError:
            pass
    calls = [lambda: engine.tokenize("Once upon a time " * 20), lambda: engine.embed(["a"]),
             lambda: engine.generate("Once", max_tokens=5), lambda: engine.session()]
    threads = [threading.Thread(target=work, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    go.wait()
    engine.close()
    for thread in threads:
        thread.join()
print("collected")
"""


def test_garbage_in_any_order(model):
    assert finish(start(GARBAGE, model)) == "collected\n"


EXIT = """
import sys, threading, xinglin
engine = xinglin.Engine(sys.argv[1], context=100000)
session = engine.session()
started = threading.Event()
def work():
    session.generate([1] + [7] * 90000, max_tokens=1) if sys.argv[2] == "prompt" else \\
        session.generate("Once", max_tokens=-1, ignore_end=True, on_token=lambda _: started.set())
threading.Thread(target=work, daemon=True).start()
if sys.argv[2] != "prompt":
    started.wait()
print("leaving")
"""


@pytest.mark.parametrize("what", ["prompt", "decode"])
def test_exit_in_the_middle(model, what):
    assert finish(start(EXIT, model, what)) == "leaving\n"


LEAK = """
import gc, os, sys, xinglin
def counts():
    with open("/proc/self/status") as status:
        found = dict(line.split(":", 1) for line in status)
    return [int(found["VmRSS"].split()[0]), int(found["Threads"]), len(os.listdir("/proc/self/fd"))]
engine = xinglin.Engine(sys.argv[1], context=64)
held = engine.session()
class Stop(Exception):
    pass
def fail(_):
    raise Stop
for i in range(10000):
    if i % 2000 == 1999 or i == 500:
        gc.collect()
        print(*counts())
    if i % 5 == 0:
        list(held.stream("Once", max_tokens=2)); held.rewind(0)
    elif i % 5 == 1:
        held.generate("Once", max_tokens=2, stop=["x"], logit_bias={7: 1.0}); held.rewind(0)
    elif i % 5 == 2:
        try:
            held.generate("Once", on_text=fail)
        except Stop:
            held.rewind(0)
        for piece in held.stream("Once", max_tokens=9):
            break
        held.rewind(0)
    else:
        engine.generate([1, 5, 9], max_tokens=2)
    if i % 50 == 0:
        engine.embed(["Once upon", "a time"])
        grammar = engine.grammar_from_gbnf('root ::= "a" [b-z]')
        engine.generate("Once", grammar=grammar, max_tokens=4)
        for wrong in ("/nonexistent", sys.argv[0] or "/dev/null"):
            try:
                xinglin.Engine(wrong)
            except xinglin.XinglinError:
                pass
    if i % 500 == 0:
        xinglin.Engine(sys.argv[1], context=64).generate("Once", max_tokens=1)
"""


def test_no_leak_over_ten_thousand_generations(model):
    """Memory, threads and open files; a leaked session would be 80 KiB each."""
    lines = finish(start(LEAK, model), timeout=1500).splitlines()
    sizes, threads, files = zip(*[map(int, line.split()) for line in lines])
    assert sizes[-1] - sizes[0] < 4096, sizes  # KiB
    assert sizes[-1] - sizes[1] < 2048, sizes
    assert threads[-1] <= threads[0] and files[-1] == files[0], lines
