# SPDX-License-Identifier: Apache-2.0
"""The engines of the comparison: how each is started, on which file, and how to talk to it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import machine

HERE = Path(__file__).resolve().parent
TYPES = {"int4": "sym_int4", "int8": "sym_int8", "bf16": "bf16"}
START_TIMEOUT_S, ANSWER_TIMEOUT_S = 300, 1200
# Peers that can be kept from using more than AVX2 only by their own settings.
AVX2_ENVIRONMENT = {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2",
                    "ATEN_CPU_CAPABILITY": "avx2"}


class Failure(Exception):
    """An engine cannot do what was asked; the text says why in a line."""


def inputs_dir():
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("XINGLIN_INPUTS") or Path(cache) / "xinglin" / "inputs")


def peers_dir():
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("XINGLIN_PEERS") or Path(cache) / "xinglin" / "peers")


class Engine:
    """name: as shown; peer: folder below peers_dir(), None for Xinglin."""

    def __init__(self, name, peer=None, worker=None, types=tuple(TYPES), file_types=None,
                 needs_folder=False, avx2_peer=None, is_ipex=False):
        self.name, self.peer, self.worker, self.types = name, peer, worker, types
        self.file_types = {**TYPES, **(file_types or {})}
        self.needs_folder = needs_folder
        self.avx2_peer = avx2_peer
        self.is_ipex = is_ipex

    def environment_for(self, isa, weight_type):
        if self.is_ipex:
            return {"XINGLIN_IPEX_TYPE": TYPES[weight_type]}
        return {}

    def folder(self, isa):
        """Where it is installed; a build for AVX2 stands in for one for this CPU that failed."""
        native, avx2 = peers_dir() / self.peer, peers_dir() / (self.avx2_peer or self.peer)
        if isa == "avx2" or (not self.is_there(native) and self.is_there(avx2)):
            return avx2
        return native

    @staticmethod
    def is_there(folder):
        return (folder / "installed").is_file()

    def why_not(self, isa, settings):
        """None if it can run, else the reason."""
        if self.peer is None:
            program = Path(settings.worker)
            return None if program.is_file() else f"{program} is not built"
        folder = self.folder(isa)
        if self.is_there(folder):
            return None
        failed = folder / "failed"
        return failed.read_text().strip() if failed.is_file() else "not installed (scripts/peers)"

    def model_file(self, model, weight_type):
        """Its path, or Failure."""
        if weight_type not in self.types:
            raise Failure(f"has no {weight_type}")
        if self.needs_folder:
            if not model.folder:
                raise Failure("reads Hugging Face folders only, and this model is a GGUF")
            return model.folder
        return model.gguf(self.file_types[weight_type])

    def command(self, isa, settings):
        if self.peer is None:
            return [settings.worker]
        python = self.folder(isa) / "venv" / "bin" / "python3"
        return [str(python), str(HERE / "peers" / self.worker)]


class LlamaEngine(Engine):
    """llama.cpp compiled here if that was installed, else the prebuilt libraries that the tests
    use as an oracle: one for each set of instructions, chosen by the CPU or by us."""

    def is_compiled(self, isa):
        peer = self.avx2_peer if isa == "avx2" else self.peer
        return self.is_there(peers_dir() / peer)

    def why_not(self, isa, settings):
        if self.is_compiled(isa):
            return None
        done = subprocess.run([str(HERE / "peers" / "build-llama-worker"),
                               str(HERE.parent / "build" / "bench")], capture_output=True, text=True)
        self.program = done.stdout.strip()
        return None if done.returncode == 0 else done.stderr.strip()[-200:]

    def command(self, isa, settings):
        return super().command(isa, settings) if self.is_compiled(isa) else [self.program]

    def environment_for(self, isa, weight_type):
        library = "libggml-cpu-haswell.so" if isa == "avx2" else ""
        return {"LLAMA_WORKER_BACKENDS": str(inputs_dir() / "libllama" / library)}


ENGINES = [
    Engine("xinglin"),
    LlamaEngine("llama.cpp", "llama.cpp", "worker_llama.py", avx2_peer="llama.cpp-avx2"),
    Engine("ik_llama.cpp", "ik_llama.cpp", "worker_ik.py", avx2_peer="ik_llama.cpp-avx2"),
    Engine("openvino", "openvino", "worker_openvino.py", file_types={"bf16": "f16"}),
    Engine("ipex-llm", "ipex-llm", "worker_torch.py", types=("int4", "int8"), needs_folder=True,
           is_ipex=True),
    Engine("transformers", "transformers", "worker_torch.py", types=("bf16",), needs_folder=True),
]


class Running:
    """One engine with one model loaded. Between visits it is stopped, so that it can neither spin
    nor warm anything while another one is measured."""

    def __init__(self, engine, model, weight_type, context, settings):
        path = engine.model_file(model, weight_type)
        environment = dict(os.environ, OMP_NUM_THREADS=str(settings.threads))
        if settings.isa == "avx2":
            environment |= {"XINGLIN_ISA": "avx2"} if engine.peer is None else AVX2_ENVIRONMENT
        environment |= engine.environment_for(settings.isa, weight_type)
        self.engine, self.errors = engine, tempfile.TemporaryFile()
        cpus = settings.cpus
        self.process = subprocess.Popen(
            [*engine.command(settings.isa, settings), str(path), str(context),
             str(settings.threads)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=self.errors, text=True, env=environment,
            preexec_fn=lambda: os.sched_setaffinity(0, cpus))
        self.about = self.answer(START_TIMEOUT_S)
        if engine.avx2_peer and engine.folder(settings.isa).name == engine.avx2_peer:
            self.about["system"] = self.about.get("system", "") + ", built for AVX2"

    @property
    def pid(self):
        return self.process.pid

    def last_words(self):
        self.errors.seek(0)
        lines = self.errors.read().decode(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "no message"

    def answer(self, timeout_s):
        line = ""
        if machine.wait_readable(self.process.stdout, timeout_s):
            line = self.process.stdout.readline()
        if not line:
            self.process.kill()
            self.process.wait()
            raise Failure(f"gave no answer: {self.last_words()}")
        reply = json.loads(line)
        if "error" in reply:
            raise Failure(reply["error"])
        return reply

    def ask(self, text):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()
        return self.answer(ANSWER_TIMEOUT_S)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        if self.process.poll() is None:
            self.go_on()
            try:
                self.process.stdin.write("quit\n")
                self.process.stdin.close()
                self.process.wait(timeout=20)
            except (OSError, subprocess.TimeoutExpired):
                self.process.kill()
                self.process.wait()
        self.errors.close()


def say(text):
    print(text, file=sys.stderr, flush=True)
