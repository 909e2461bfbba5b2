# SPDX-License-Identifier: Apache-2.0
"""The models of the comparison and the files made of them, below <inputs>/bench."""

import json
import subprocess
from pathlib import Path

import engines

HERE = Path(__file__).resolve().parent


class Model:
    def __init__(self, name, source, stem, folder=None):
        self.name, self.source, self.stem, self.folder = name, source, stem, folder
        self.convert = self.inspect = None  # programs, set by prepare()
        self.shape = {}

    def gguf(self, file_type):
        """The GGUF of a type, converted when it is first asked for."""
        target = engines.inputs_dir() / "bench" / "gguf"
        path = target / f"{self.stem}-{file_type}.gguf"
        if not path.is_file():
            engines.say(f"converting {self.stem} to {file_type}")
            done = subprocess.run([self.convert, "-t", file_type, "-o", str(target),
                                   str(self.source)], capture_output=True, text=True)
            if done.returncode != 0:
                raise engines.Failure(f"llm-convert: {done.stderr.strip()[-200:]}")
            if not path.is_file():
                raise engines.Failure(f"llm-convert wrote {done.stdout.strip()}, not {path}")
        return path

    def prepare(self, bin_dir, python):
        self.convert = str(bin_dir / "llm-convert")
        if self.folder and not (self.folder / "config.json").is_file():
            engines.say(f"writing {self.folder}")
            subprocess.run([python, str(HERE / "synthetic_model.py"), str(self.folder)], check=True)
        if not self.source.exists():
            raise engines.Failure(f"{self.source} is absent (scripts/fetch-inputs test)")
        text = subprocess.run([str(bin_dir / "xinglin"), "inspect", "--json", "--tensors",
                               str(self.gguf("sym_int4"))], capture_output=True, text=True,
                              check=True).stdout
        self.shape = shape_of(json.loads(text))


def shape_of(about):
    """What the limits are computed from: weights that one token meets, and the cache."""
    matrices = {tensor["name"]: tensor["shape"] for tensor in about["tensors"]
                if len(tensor["shape"]) == 2}
    sizes = {name: shape[0] * shape[1] for name, shape in matrices.items()}
    embedding = sizes["token_embd.weight"]
    head = sizes.get("output.weight", embedding)
    layers = sum(sizes.values()) - embedding - sizes.get("output.weight", 0)
    key = sorted(matrices["blk.0.attn_k.weight"])
    query = matrices["blk.0.attn_q.weight"]
    heads_dim = max(query) if max(query) != about["embedding"] else about["embedding"]
    kv_dim = key[0] if key[0] != about["embedding"] else key[1]
    return {"layer_weights": layers, "head_weights": head, "n_layers": about["layers"],
            "heads_dim": heads_dim, "kv_dim": kv_dim}


def all_models():
    inputs = engines.inputs_dir()
    synthetic = inputs / "bench" / "synthetic-8b-8l"
    return {
        "synthetic-8b-8l": Model("synthetic-8b-8l", synthetic, "synthetic-8b-8l", synthetic),
        "qwen2.5-0.5b": Model("qwen2.5-0.5b",
                              inputs / "models" / "qwen2.5-coder-0.5b-instruct-q4.gguf",
                              "qwen2.5-coder-0.5b-instruct-q4"),
        "smollm2-135m": Model("smollm2-135m",
                              inputs / "models" / "smollm2-135m-instruct-q4_1.gguf",
                              "smollm2-135m-instruct"),
    }
