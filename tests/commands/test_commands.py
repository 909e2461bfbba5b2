#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The commands as a user runs them: output, one-line errors, exit status, nothing half-written.

Uses build/release/bin (or $XINGLIN_BIN) and stories260K from ../shared (or $XINGLIN_SHARED); without
it only what needs no model is tested and the rest is reported as skipped. Standard library only.
Usage: test_commands.py [--list | NAME ...]
"""
import json
import os
import pathlib
import pty
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
os.environ.setdefault("XINGLIN_CACHE", "off")  # the user's cache is not ours
BIN = pathlib.Path(os.environ.get("XINGLIN_BIN", ROOT / "build/release/bin"))
SHARED = pathlib.Path(os.environ.get("XINGLIN_SHARED", ROOT / "../shared"))
STORIES = SHARED / "data/stories260K"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
INPUTS = pathlib.Path(os.environ.get("XINGLIN_INPUTS", CACHE / "xinglin/inputs"))
SMOLLM2 = INPUTS / "models/smollm2-135m-instruct-q4_1.gguf"
OK, FAILED, USAGE, BAD_INPUT, NO_SPACE, INTERRUPTED = 0, 1, 2, 3, 4, 130
SCRATCH = pathlib.Path(tempfile.mkdtemp(prefix="xinglin-commands-"))


class Skip(Exception):
    pass


def run(name, *arguments, **options):
    options.setdefault("timeout", 600)
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run([BIN / name, *map(str, arguments)], capture_output=True, **options)


def expect(condition, message):
    if not condition:
        raise AssertionError(message)


def refused(result, status, *words):
    """One clear line on stderr, nothing on stdout, the documented status."""
    text = result.stderr.decode()
    expect(result.returncode == status, f"exit status {result.returncode}, not {status}: {text!r}")
    expect(text.count("\n") == 1 and text.endswith("\n"), f"not one line: {text!r}")
    expect(result.stdout == b"", f"output in spite of the error: {result.stdout[:80]!r}")
    for word in words:
        expect(word in text, f"{word!r} is not in {text!r}")


def stories():
    """stories260K as GGUF, safetensors and .pth, made once."""
    if not STORIES.is_dir():
        raise Skip("stories260K is not there")
    out = SCRATCH / "stories"
    if not out.exists():
        subprocess.run([sys.executable, ROOT / "tests/golden/stories260k.py", STORIES, out],
                       check=True, capture_output=True)
    return out


def gguf():
    return stories() / "stories260K.gguf"


def test_help_and_version():
    for name in ("xinglin", "llm-convert", "llm-cli", "llm-chat"):
        for flag in ("--help", "--version"):
            result = run(name, flag)
            expect(result.returncode == OK and result.stdout and not result.stderr, f"{name} {flag}")
    for command in ("convert", "run", "chat", "inspect", "eval", "bench"):
        result = run("xinglin", command, "--help")
        expect(result.returncode == OK and b"usage:" in result.stdout, f"{command} --help")


def test_cache_of_packed_weights():
    if not SMOLLM2.exists():
        raise Skip("SmolLM2 is not there")
    cache = SCRATCH / "packed"
    environment = {**os.environ, "XINGLIN_CACHE": str(cache)}
    texts = []

    def load(*flags):
        result = run("llm-cli", "-m", SMOLLM2, "-p", "The heart", "-n", "12", "--json", *flags,
                     env=environment)
        expect(result.returncode == OK, result.stderr)
        report = json.loads(result.stdout)
        own_mb = (report["weight_bytes"] + report["kv_bytes"]) / 2**20
        expect(report["peak_memory_mb"] < own_mb + 150, f"{report['peak_memory_mb']} MB")
        texts.append(report["text"])
        return report["weights_from"]

    expect("packed from the checkpoint in" in load("--no-cache"), "--no-cache")
    expect(not cache.exists(), "--no-cache made a cache")
    expect("kept in the cache" in load(), "the first load")
    expect("from the cache" in load(), "the second load")  # mapped or read
    files = list(cache.iterdir())
    expect(len(files) == 1 and files[0].stat().st_mode & 0o777 == 0o600, f"{files}")
    os.truncate(files[0], files[0].stat().st_size - 1)
    expect("kept in the cache" in load(), "a cut file")
    environment["XINGLIN_CACHE"] = "off"
    expect("packed from the checkpoint in" in load(), "off")
    expect(len(set(texts)) == 1, f"{texts}")


def test_wrong_flags():
    refused(run("llm-cli", "--nonsense"), USAGE, "--nonsense")
    refused(run("llm-cli", "--tmep", "1"), USAGE, "--tmep", "did you mean --temp")
    refused(run("llm-cli", "--topk=4"), USAGE, "--topk", "did you mean --top-k")
    refused(run("llm-cli", "-t"), USAGE, "-t")
    refused(run("llm-cli", "-t", "many", "-m", "x", "-p", "y"), USAGE, "many")
    refused(run("llm-cli", "-p", "x"), USAGE, "-m")
    refused(run("llm-cli", "-m", "x"), USAGE, "prompt")
    refused(run("llm-convert"), USAGE)
    refused(run("xinglin", "dance"), USAGE, "dance")
    refused(run("xinglin", "inspect"), USAGE)


def test_missing_files():
    gone = SCRATCH / "no-such-model.gguf"
    for result in (run("llm-cli", "-m", gone, "-p", "x"), run("llm-convert", gone),
                   run("xinglin", "inspect", gone), run("llm-chat", "-m", gone),
                   run("xinglin", "eval", "-m", gone, "-f", __file__)):
        refused(result, BAD_INPUT, str(gone))
    refused(run("llm-cli", "-m", gone, "-f", SCRATCH / "no-prompt"), BAD_INPUT, "no-prompt")


def test_wrong_family_and_type():
    refused(run("llm-cli", "-m", gguf(), "-x", "qwen2", "-p", "x"), USAGE, "llama")
    refused(run("llm-cli", "-m", gguf(), "-x", "nonesuch", "-p", "x"), USAGE, "llama")
    refused(run("llm-convert", "-x", "gemma3", "-o", SCRATCH, gguf()), USAGE, "llama")
    refused(run("llm-convert", "-t", "int3", "-o", SCRATCH, gguf()), USAGE, "int3", "q4_0")
    refused(run("llm-cli", "-m", gguf(), "--isa", "mmx", "-p", "x"), USAGE, "mmx")


def test_truncated_and_foreign_files():
    whole = gguf().read_bytes()
    for size in (0, 3, 20, 1000, len(whole) // 2, len(whole) - 1):
        path = SCRATCH / "cut.gguf"
        path.write_bytes(whole[:size])
        refused(run("llm-cli", "-m", path, "-p", "x"), BAD_INPUT, "cut.gguf")
        out = SCRATCH / "cut-out"
        refused(run("llm-convert", "-o", out, path), BAD_INPUT, "cut.gguf")
        expect(not out.exists(), "a directory was left behind")
    path = SCRATCH / "text.gguf"
    path.write_text("this is no model")
    refused(run("xinglin", "inspect", path), BAD_INPUT, "text.gguf")


def test_stories_from_all_formats():
    expected = (STORIES / "expected-greedy-200.txt")
    if not expected.exists():
        raise Skip("expected-greedy-200.txt is not there")
    wanted = expected.read_bytes()
    models = [gguf(), stories() / "safetensors", stories() / "pth",
              stories() / "pth/pytorch_model.pth"]
    for isa in ("scalar", "avx2"):
        if isa not in available_levels():
            print(f"    {isa} is not available here")
            continue
        for model in models:
            result = run("llm-cli", "-m", model, "--isa", isa, "-p", "", "-n", "200", "--ignore-eos")
            text = result.stdout
            expect(result.returncode == OK, result.stderr.decode())
            expect(text.strip() == wanted.strip(), f"{model} with {isa} wrote {text[:100]!r}")


def available_levels():
    machine = json.loads(run("xinglin", "inspect", "--cpu", "--json").stdout)
    return {level["name"] for level in machine["levels"] if level["available"]}


def test_convert_every_type():
    types = run("llm-convert", "--help").stdout.decode()
    out = SCRATCH / "types"
    for name in ("fp32", "fp16", "bf16", "sym_int8", "int8", "sym_int4", "int4", "asym_int4", "q4_0",
                 "q4_1", "q5_0", "q5_1", "q8_0", "q4_k", "q5_k", "q6_k", "q4_k_m"):
        expect(name in types, f"{name} is not in --help")
        result = run("llm-convert", "-t", name, "-o", out, stories() / "safetensors")
        expect(result.returncode == OK, f"{name}: {result.stderr.decode()}")
        path = pathlib.Path(result.stdout.decode().strip())
        expect(path.exists() and path.parent == out, f"{name}: {path}")
        said = run("llm-cli", "-m", path, "-p", "Once upon a time", "-n", "8")
        expect(said.returncode == OK and said.stdout.strip(), f"{name}: {said.stderr.decode()}")
    expect(not list(out.glob("*.tmp")), "temporary files were left behind")


def test_convert_is_atomic():
    """Killed at any moment: nothing, or the complete file."""
    source = SMOLLM2 if SMOLLM2.exists() else gguf()
    out = SCRATCH / "killed"
    out.mkdir()
    done = run("llm-convert", "-t", "q8_0", "-o", out, source)
    expect(done.returncode == OK, done.stderr.decode())
    result = pathlib.Path(done.stdout.decode().strip())
    size = result.stat().st_size
    start = time.monotonic()
    result.unlink()
    seed = int.from_bytes(os.urandom(4), "little")
    print(f"    seed {seed}")
    chance = random.Random(seed)
    for _ in range(12):
        process = subprocess.Popen([BIN / "llm-convert", "-t", "q8_0", "-o", out, source],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(chance.uniform(0.001, 0.8))
        process.send_signal(signal.SIGKILL)
        process.wait()
        left = sorted(out.iterdir())
        expect(left in ([], [result]), f"left behind: {left}")
        if left:
            expect(result.stat().st_size == size, "an incomplete file has the final name")
            result.unlink()
    expect(time.monotonic() - start < 400, "too slow")


def test_full_disk():
    def small_files_only():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

    out = SCRATCH / "full"
    out.mkdir()
    result = run("llm-convert", "-t", "fp32", "-o", out, stories() / "safetensors",
                 preexec_fn=small_files_only)
    refused(result, NO_SPACE)
    expect(list(out.iterdir()) == [], f"left behind: {list(out.iterdir())}")
    with open("/dev/full", "wb") as full:
        said = subprocess.run([BIN / "llm-cli", "-m", gguf(), "-p", "Once", "-n", "5"], stdout=full,
                              stderr=subprocess.PIPE, timeout=300)
    expect(said.returncode == NO_SPACE, f"stdout full: exit status {said.returncode}")


def test_convert_memory():
    """Peak memory stays under the largest tensor x 3 + 200 MB."""
    if not SMOLLM2.exists():
        raise Skip("smollm2 is not there (scripts/fetch-inputs)")
    program = ("import os,resource,subprocess,sys;"
               "r=subprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL).returncode;"
               "print(r,resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)")
    for name in ("fp32", "q4_0", "q6_k"):
        done = subprocess.run([sys.executable, "-c", program, BIN / "llm-convert", "-t", name, "-o",
                               SCRATCH / "memory", SMOLLM2], capture_output=True, text=True)
        status, peak_kb = map(int, done.stdout.split())
        expect(status == 0, done.stderr)
        largest = 49152 * 576 * 4  # the embedding in float32
        limit = 3 * largest + 200e6
        print(f"    {name}: peak {peak_kb / 1024:.0f} MiB (limit {limit / 2**20:.0f})")
        expect(peak_kb * 1024 <= limit, f"{name}: peak {peak_kb} KiB")


def test_context_overflow():
    long = SCRATCH / "long.txt"
    long.write_text("Once upon a time there was a little dog. " * 200)
    refused(run("llm-cli", "-m", gguf(), "-c", "64", "-f", long), FAILED, "64", "-c")


def test_sampling_is_reproducible():
    flags = ["-m", gguf(), "-p", "Once", "-n", "40", "--temp", "0.9", "--top-k", "50", "--seed", "7"]
    first = run("llm-cli", *flags).stdout
    expect(first and first == run("llm-cli", *flags, "-t", "1").stdout, "differs with one thread")
    expect(first != run("llm-cli", *flags[:-1], "8").stdout, "the seed has no effect")


def test_stop_and_json():
    plain = run("llm-cli", "-m", gguf(), "-p", "Once upon a time", "-n", "60").stdout.decode()
    word = plain.split()[4]
    cut = run("llm-cli", "-m", gguf(), "-p", "Once upon a time", "-n", "60", "--stop", word, "--json")
    answer = json.loads(cut.stdout)
    expect(answer["finish"] == "stop", answer["finish"])
    expect(word not in answer["text"] and plain.startswith(answer["text"]), "cut at another place")
    expect(answer["first_token_ms"] > 0 and answer["prompt_tokens"] > 0, "no timings")


def test_verbose_timings():
    result = run("llm-cli", "-m", gguf(), "-p", "Once", "-n", "20", "-v")
    for word in (b"load", b"tokenize", b"first token", b"next token", b"p50", b"p99", b"memory",
                 b"kernels"):
        expect(word in result.stderr, f"{word} is not among the timings")
    expect(b"first token" not in result.stdout, "timings on stdout")


def test_prompt_from_stdin_and_quotes():
    text = "It's \"a\" dog's $HOME `day`; "
    shell = run("llm-cli", "-m", gguf(), "-p", text, "-n", "10").stdout
    piped = subprocess.run([BIN / "llm-cli", "-m", gguf(), "-f", "-", "-n", "10"],
                           input=text.encode(), capture_output=True).stdout
    expect(shell == piped and shell, "the prompt depends on how it came in")


def test_interrupt():
    process = subprocess.Popen([BIN / "llm-cli", "-m", gguf(), "-p", "Once", "-n", "-1", "-c", "512",
                                "--ignore-eos", "--isa", "scalar"], stdout=subprocess.PIPE)
    process.stdout.read(20)
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=300)[0]
    expect(process.returncode in (INTERRUPTED, OK), f"exit status {process.returncode}")
    if process.returncode == OK:
        print(f"    was done before the signal ({len(rest)} bytes)")


def test_interrupt_twice():
    """A long prompt is not waited for."""
    process = subprocess.Popen([BIN / "llm-cli", "-m", chat_model(), "-p", "word " * 3000],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(1.0)
    process.send_signal(signal.SIGINT)
    time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    began = time.monotonic()
    process.communicate(timeout=300)
    expect(process.returncode in (INTERRUPTED, -signal.SIGINT), f"status {process.returncode}")
    # At once on an idle machine; the prompt alone takes longer than this on a busy one.
    expect(time.monotonic() - began < 5, f"took {time.monotonic() - began:.1f} s")


def test_inspect():
    report = json.loads(run("xinglin", "inspect", gguf(), "--json").stdout)
    expect(report["family"] == "llama" and len(report["tensors"]) > 40, "wrong report")
    text = run("xinglin", "inspect", gguf(), "--tensors").stdout.decode()
    expect("token_embd.weight" in text and "general.architecture" in text, "wrong text")


def test_eval_and_bench():
    sample = SCRATCH / "sample.txt"
    sample.write_text("Once upon a time there was a little girl who had a red ball. " * 60)
    result = json.loads(run("xinglin", "eval", "-m", gguf(), "-f", sample, "-c", "64", "--chunks",
                            "4", "--json").stdout)
    expect(1 < result["perplexity"] < 1000, f"{result}")
    # Measures itself, so the comparison with itself must be exact.
    same = json.loads(run("xinglin", "eval", "-m", gguf(), "-f", sample, "-c", "64", "--chunks", "2",
                          "--reference", gguf(), "--json").stdout)
    expect("0.0" in json.dumps(same) and same["perplexity"] > 1, f"{same}")
    for form in ("table", "csv", "json"):
        bench = run("xinglin", "bench", "-m", gguf(), "--prompt", "16", "--generate", "8",
                    "--repeat", "1", "--format", form, timeout=300)
        expect(bench.returncode == OK and bench.stdout, bench.stderr.decode())


def chat_model():
    if not SMOLLM2.exists():
        raise Skip("smollm2 is not there (scripts/fetch-inputs)")
    return SMOLLM2


def test_chat_from_a_pipe():
    text = "Say hello.\n/stats\n/reset\n/nonsense\nSay hello.\n/exit\n"
    result = subprocess.run([BIN / "llm-chat", "-m", chat_model(), "-n", "12"], input=text.encode(),
                            capture_output=True, timeout=600)
    answers = result.stdout.decode().split("\n\n")
    expect(result.returncode == OK, result.stderr.decode())
    expect("context:" in result.stdout.decode() and "unknown command" in result.stdout.decode(), answers)
    expect(answers[0].strip() and answers[0] in "".join(answers[1:]), "/reset gives another answer")
    refused(run("llm-chat", "-m", gguf()), BAD_INPUT, "template")


def test_chat_in_difficulties():
    with open("/dev/full", "w") as full:
        result = subprocess.run([BIN / "llm-chat", "-m", chat_model(), "-n", "4"], input=b"hi\nhi\n",
                                stdout=full, stderr=subprocess.PIPE, timeout=600)
    expect(result.returncode == NO_SPACE and b"No space left" in result.stderr, f"{result}")
    answers = [subprocess.run([BIN / "llm-chat", "-m", chat_model(), "-n", "6"], input=text,
                              capture_output=True, timeout=600).stdout
               for text in (b"Name a\0colour\n", b"Name a colour\n", b"Name a\n")]
    expect(answers[0] == answers[1] != answers[2], "what follows a NUL byte is lost")


def test_chat_on_a_terminal():
    """libedit on a pseudo terminal; nothing is written to the home directory."""
    home = SCRATCH / "home"
    home.mkdir()
    try:
        pid, fd = pty.fork()
    except OSError as reason:
        raise Skip(f"no pseudo terminal: {reason}") from reason
    if pid == 0:
        os.environ.update(HOME=str(home), TERM="xterm", LANG="C.UTF-8")
        os.execv(BIN / "llm-chat", ["llm-chat", "-m", str(chat_model()), "-n", "8"])
    seen = b""
    for line in (b"Say hello.\n", b"/exit\n"):
        deadline = time.monotonic() + 300
        while not seen.endswith(b"> ") and time.monotonic() < deadline:
            if select.select([fd], [], [], 1)[0]:
                try:
                    seen += os.read(fd, 4096)
                except OSError:
                    break
        expect(b"> " in seen, f"no prompt: {seen!r}")
        os.write(fd, line)
        seen += b"\n"
    status = os.waitpid(pid, 0)[1]
    expect(os.waitstatus_to_exitcode(status) == OK, f"exit status {status}")
    expect(list(home.iterdir()) == [], f"left in the home directory: {list(home.iterdir())}")


def test_convert_never_replaces_its_source():
    def untouched(path, *arguments):
        before = path.read_bytes()
        refused(run("llm-convert", "-t", "q8_0", *arguments), USAGE, "its own source")
        expect(path.read_bytes() == before, "the source was replaced")
    place = SCRATCH / "own"  # the model is found in a directory, whose name the result gets
    place.mkdir()
    source = place / "own-q8_0.gguf"
    shutil.copy(gguf(), source)
    untouched(source, "-o", place, source)
    untouched(source, "-o", place, place)
    model = SCRATCH / "own.gguf"
    shutil.copy(gguf(), model)
    untouched(source, "-o", place, "-k", source, model)
    source.unlink()
    source.mkdir()
    refused(run("llm-convert", "-t", "q8_0", "-o", place, model), USAGE, "own-q8_0.gguf")
    refused(run("llm-convert", "-o", model, model), USAGE, "is no directory")


def test_closed_streams():
    """A file that a command opens must not become its standard output."""
    for descriptor in (0, 1, 2):
        path = SCRATCH / "ids"
        result = subprocess.run([BIN / "xinglin", "eval", "-m", gguf(), "-f", __file__, "-c", "64",
                                 "--chunks", "1", "--top1-out", path], timeout=600,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, preexec_fn=lambda: os.close(descriptor))
        expect(result.returncode == (FAILED if descriptor == 1 else OK), f"{result}")
        expect(all(line.isdigit() for line in path.read_text().split()), path.read_text()[:200])
        path.unlink()


def test_prompts_are_not_repeated():
    name = "\u674e\u67d0\u67d0"
    for arguments in (["-p", "\u60a3\u8005", name], [name, "-p", "x"]):
        result = run("llm-cli", "-m", gguf(), *arguments)
        refused(result, USAGE, "quotes")
        expect(name not in result.stderr.decode(), "the prompt is in the error message")


def test_errors_name_the_file():
    """Also where the part that finds the mistake knows no files."""
    path = SCRATCH / "no-scores.gguf"
    path.write_bytes(gguf().read_bytes().replace(b"tokenizer.ggml.scores", b"tokenizer.ggml.scorez"))
    refused(run("llm-cli", "-m", path, "-p", "x"), BAD_INPUT, str(path), "scores")
    odd = SCRATCH / "odd"
    shutil.copytree(stories() / "safetensors", odd)
    config = json.loads((odd / "config.json").read_text())
    for key, value in (("num_key_value_heads", 3), ("rms_norm_eps", 2), ("hidden_size", "x")):
        (odd / "config.json").write_text(json.dumps(config | {key: value}))
        for name in (["llm-cli", "-p", "x", "-m"], ["llm-convert", "-o", SCRATCH]):
            refused(run(*name, odd), BAD_INPUT, str(odd), "config.json")


SCHEMA = {"type": "object", "additionalProperties": False, "required": ["name", "age", "kind"],
          "properties": {"name": {"type": "string", "maxLength": 12},
                         "age": {"type": "integer", "minimum": 10, "maximum": 99},
                         "kind": {"enum": ["dog", "cat"]}}}


def test_json_schema():
    path = SCRATCH / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    base = ["-m", gguf(), "-p", "Once upon a time", "-n", "200"]
    from_file = run("llm-cli", *base, "--json-schema", path)
    from_text = run("llm-cli", *base, "--json-schema", json.dumps(SCHEMA))
    expect(from_file.returncode == OK and from_file.stdout == from_text.stdout, f"{from_file}")
    for flags in ([], ["--temp", "1.5", "--seed", "3"], ["--draft-max", "0"], ["-t", "1"]):
        result = run("llm-cli", *base, "--json-schema", path, *flags)
        value = json.loads(result.stdout)
        expect(list(value) == ["name", "age", "kind"] and 10 <= value["age"] <= 99 and
               len(value["name"]) <= 12 and value["kind"] in ("dog", "cat"), value)
    answer = json.loads(run("llm-cli", *base, "--json-schema", path, "--json").stdout)
    expect(json.loads(answer["text"]) == json.loads(from_file.stdout), answer)
    expect(answer["finish"] == "end", answer["finish"])


def test_grammar():
    path = SCRATCH / "grammar.gbnf"
    path.write_text('root ::= line{3}\nline ::= "- " [a-z]{1,9} "\\n"\n')
    base = ["-m", gguf(), "-p", "Once upon a time", "-n", "100"]
    lines = run("llm-cli", *base, "--grammar", path).stdout.decode().splitlines()
    expect(len(lines) == 4 and lines[3] == "" and
           all(line[:2] == "- " and line[2:].islower() for line in lines[:3]), lines)
    # What comes before the begin text is free.
    path.write_text('root ::= "(" [a-z]{1,8} ")"')
    plain = run("llm-cli", *base).stdout.decode()
    word = plain.split()[6]
    text = run("llm-cli", *base, "--grammar", path, "--grammar-begin", word).stdout.decode()
    free, bound = text.split(word, 1)
    expect(plain.startswith(free + word), "what is free differs")
    bound = bound.strip()
    expect(bound[0] + bound[-1] == "()" and bound[1:-1].isalpha(), bound)


def test_grammar_refusals():
    base = ["llm-cli", "-m", gguf(), "-p", "a"]
    path = SCRATCH / "bad.gbnf"
    path.write_text('root ::= "a"\nb ::= (')
    refused(run(*base, "--grammar", path), BAD_INPUT, "line 2")
    refused(run(*base, "--grammar", SCRATCH / "none.gbnf"), BAD_INPUT, "none.gbnf")
    refused(run(*base, "--json-schema", '{"properties": {"a": {"if": {}}}}'), BAD_INPUT, '"if"',
            "#/properties/a")
    refused(run(*base, "--json-schema", '{"type": "intger"}'), BAD_INPUT, "type")
    refused(run(*base, "--json-schema", '{"type": '), BAD_INPUT, "line 1")
    refused(run(*base, "--json-schema", "{}", "--grammar", path), USAGE, "exclude")
    refused(run(*base, "--grammar-begin", "x"), USAGE, "--grammar-begin")
    deep = SCRATCH / "deep.json"
    for text in ('{"items":' * 1000000, "[" * 1000000):
        deep.write_text(text[:1 << 20])
        refused(run(*base, "--json-schema", deep), BAD_INPUT, "depth")


def test_chat_with_a_schema():
    result = subprocess.run([BIN / "llm-chat", "-m", chat_model(), "-n", "150", "--json-schema",
                             json.dumps(SCHEMA)], input=b"Invent a pet.\nAnother one.\n",
                            capture_output=True, timeout=600)
    answers = [json.loads(text) for text in result.stdout.decode().split("\n\n") if text.strip()]
    expect(len(answers) == 2 and all(list(a) == ["name", "age", "kind"] for a in answers), f"{result}")


def test_inspect_is_printable():
    """Texts of a file do not steer the terminal."""
    path = SCRATCH / "escape.gguf"
    path.write_bytes(gguf().read_bytes().replace(b"blk.0.attn_q", b"blk\x1b[1mttn_q")
                     .replace(b"stories260K", b"st\x1b[31m260K"))
    for flags in ([], ["--tensors"]):
        result = run("xinglin", "inspect", *flags, path)
        expect(result.returncode == OK and b"\x1b" not in result.stdout, f"{result}")


def main():
    tests = {name[5:]: f for name, f in globals().items() if name.startswith("test_")}
    if "--list" in sys.argv:
        print("\n".join(tests))
        return 0
    counts = {"ok": 0, "FAIL": 0, "skip": 0}
    try:
        for name, test in tests.items():
            if sys.argv[1:] and name not in sys.argv[1:]:
                continue
            word, note = "ok", ""
            try:
                test()
            except Skip as reason:
                word, note = "skip", f" ({reason})"
            except (AssertionError, subprocess.SubprocessError, OSError, ValueError, KeyError,
                    IndexError) as problem:
                word, note = "FAIL", f": {type(problem).__name__} {problem}"
            counts[word] += 1
            print(f"{word:4s} commands.{name}{note}", flush=True)
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    print(f"commands: {counts['ok']} passed, {counts['FAIL']} failed, {counts['skip']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
