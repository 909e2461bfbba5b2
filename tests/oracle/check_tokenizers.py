#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Compares our tokenizers with llama.cpp's vectors and with tokenizers, sentencepiece and tiktoken.

    check_tokenizers.py TOKENIZE_TOOL [--inputs DIR] [--shared DIR] [--only NAME] [--random N] [--seed S]

Texts are fixed awkward ones plus N random ones per tokenizer from mixed alphabets. Equal ids are
demanded for every text, and decoding must give the text back where the scheme promises it."""
import argparse
import os
import pathlib
import random
import struct
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from tokenizer_texts import INVALID, TEXTS, random_text

ADD_SPECIAL, PARSE_SPECIAL = 1, 2
FILES = ("qwen3", "llama3_1", "gemma3", "deepseek_v3", "gptoss", "gpt4o")
QWEN_PATTERN = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
                r"|\s*[\r\n]+|\s+(?!\S)|\s+")
GLM_PATTERN = QWEN_PATTERN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")


class Tool:
    def __init__(self, program, path, config=None, pre=None):
        self.process = subprocess.Popen([program, str(path), str(config or "-"), pre or "-"],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __call__(self, text, flags=0):
        self.process.stdin.write(struct.pack("<II", flags, len(text)) + text)
        self.process.stdin.flush()
        status, n_ids = struct.unpack("<II", self.process.stdout.read(8))
        ids = list(struct.unpack(f"<{n_ids}i", self.process.stdout.read(4 * n_ids)))
        size, = struct.unpack("<I", self.process.stdout.read(4))
        decoded = self.process.stdout.read(size)
        if status:
            raise RuntimeError(f"status {status}")
        return ids, decoded

    def close(self):
        self.process.stdin.close()
        return self.process.wait()


class Tally:
    def __init__(self):
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}

    def report(self, verdict, name, detail=""):
        self.counts[verdict] += 1
        print(f"{verdict:4} {name}{' ' + detail if detail else ''}", flush=True)

    def close(self):
        print("tokenizers: {ok} passed, {FAIL} failed, {skip} skipped".format(**self.counts))
        if self.counts["FAIL"]:
            return 1
        return 0 if self.counts["ok"] else 77


def first_difference(text, expected, found):
    at = next((i for i, (a, b) in enumerate(zip(expected, found)) if a != b),
              min(len(expected), len(found)))
    return (f"{text[:80]!r}: at token {at}: expected {expected[at:at + 6]}, "
            f"found {found[at:at + 6]}")


class Check:
    def __init__(self, arguments):
        self.arguments = arguments
        self.tally = Tally()
        self.inputs = pathlib.Path(arguments.inputs)
        self.shared = pathlib.Path(arguments.shared) / "data" / "tokenizers"

    def wanted(self, name):
        return not self.arguments.only or self.arguments.only in name

    def texts(self, specials=()):
        generator = random.Random(self.arguments.seed)
        yield from TEXTS
        for _ in range(self.arguments.random):
            yield random_text(generator, specials)

    def compare(self, name, path, oracle, config=None, pre=None, promised=None, flags=PARSE_SPECIAL,
                specials=(), framed=None, accepts=None):
        """oracle(text) -> ids; promised(text) -> whether decoding must give the text back."""
        if not self.wanted(name):
            return
        if not pathlib.Path(path).exists():
            self.tally.report("skip", name, f"({path} is absent)")
            return
        try:
            tool = Tool(self.arguments.tool, path, config, pre)
            failures, n_texts = [], 0
            for text in self.texts(specials):
                raw = text.encode()
                if accepts and not accepts(text):
                    continue
                n_texts += 1
                ids, decoded = tool(raw, flags)
                expected = list(oracle(text))
                if ids != expected:
                    failures.append(first_difference(text, expected, ids))
                elif promised and promised(text) and decoded != raw:
                    failures.append(f"{text[:80]!r} decodes to {decoded[:80]!r}")
                if framed and n_texts % 16 == 0 and tool(raw, flags | ADD_SPECIAL)[0] != framed(text):
                    failures.append(f"{text[:80]!r} is surrounded by other tokens")
            if promised:
                for raw in INVALID:
                    if tool(raw, flags)[1] != raw:
                        failures.append(f"{raw!r} decodes to {tool(raw, flags)[1]!r}")
            tool.close()
        except (RuntimeError, struct.error, BrokenPipeError) as error:
            self.tally.report("FAIL", name, f"tool: {error}")
            return
        if failures:
            self.tally.report("FAIL", name, f"{len(failures)} of {n_texts}")
            for failure in failures[:self.arguments.show]:
                print("      " + failure)
        else:
            self.tally.report("ok", name, f"{n_texts} texts")

    def vectors(self):
        folder = self.inputs / "llama.cpp" / "models"
        files = sorted(folder.glob("ggml-vocab-*.gguf.inp"))
        if not files:
            self.tally.report("skip", "vectors", f"({folder} has no ggml-vocab-*.inp)")
        for file in files:
            name = "vectors." + file.name[len("ggml-vocab-"):-len(".gguf.inp")]
            if not self.wanted(name):
                continue
            texts = file.read_bytes().split(b"\n__ggml_vocab_test__\n")
            lines = file.with_suffix(".out").read_text().split("\n")
            tool = Tool(self.arguments.tool, file.with_suffix(""))
            wrong = []
            for text, line in zip(texts, lines):
                ids = tool(text)[0]
                if ids != [int(word) for word in line.split()]:
                    wrong.append(repr(text[:60]))
            tool.close()
            verdict = "FAIL" if wrong or len(texts) < 40 else "ok"
            self.tally.report(verdict, name, f"{len(texts)} texts {' '.join(wrong[:3])}")

    def hugging_face(self, name, path, promised=None, config=None, pre=None, marks=True):
        try:
            import tokenizers
        except ImportError:
            self.tally.report("skip", name, "(Python package tokenizers is absent)")
            return
        if not self.wanted(name):
            return
        if not pathlib.Path(path).exists():
            self.tally.report("skip", name, f"({path} is absent)")
            return
        described = pathlib.Path(path).with_name("tokenizer.json") if "vocab" in name else path
        oracle = tokenizers.Tokenizer.from_file(str(described))
        oracle.no_truncation()
        oracle.no_padding()
        specials = [token.content for token in oracle.get_added_tokens_decoder().values()][:300]
        self.compare(name, path, lambda text: oracle.encode(text, add_special_tokens=False).ids,
                     promised=promised, specials=specials, config=config,
                     pre=pre, accepts=None if marks else lambda text: "\u2581" not in text, framed=None if config and "vocab" not in name else lambda text: oracle.encode(text).ids)

    def sentencepiece(self, name, path, config=None):
        try:
            import sentencepiece
        except ImportError:
            self.tally.report("skip", name, "(Python package sentencepiece is absent)")
            return
        if pathlib.Path(path).exists():
            oracle = sentencepiece.SentencePieceProcessor(model_file=str(path)).encode
        else:
            oracle = None
        self.compare(name, path, oracle, config=config, flags=0)

    def tiktoken(self, name, path, pattern, pre, config=None):
        try:
            import tiktoken
            from tiktoken.load import load_tiktoken_bpe
        except ImportError:
            self.tally.report("skip", name, "(Python package tiktoken is absent)")
            return
        oracle = None
        if pathlib.Path(path).exists():
            encoding = tiktoken.Encoding(name, pat_str=pattern, special_tokens={},
                                         mergeable_ranks=load_tiktoken_bpe(str(path)))
            oracle = encoding.encode_ordinary
        from unicodedata import normalize
        if pre == "qwen2" and oracle:  # Qwen's own code normalises before tiktoken
            plain = oracle
            oracle = lambda text: plain(normalize("NFC", text))
        self.compare(name, path, oracle, config=config, pre=pre, flags=0,
                     promised=(lambda text: normalize("NFC", text) == text))

    def run(self):
        from unicodedata import normalize
        self.vectors()
        for name in FILES:
            promised = (lambda text: normalize("NFC", text) == text and "<" not in text and
                        "\u2581" not in text and not text.startswith(" "))
            path = self.inputs / "tokenizers" / name / "tokenizer.json"
            self.hugging_face(f"json.{name}", path, promised)
            # The same through GGUF's fields. SentencePiece takes a written U+2581 for a space.
            self.hugging_face(f"fields.{name}", path, promised, pre="fields", marks=name != "gemma3")
        minilm = self.inputs / "models" / "all-minilm-l6-v2"
        self.hugging_face("json.minilm", minilm / "tokenizer.json", marks=False)
        self.hugging_face("vocab.minilm", minilm / "vocab.txt", marks=False,
                          config=minilm / "tokenizer_config.json")
        self.hugging_face("json.llama2", self.shared / "llama2" / "tokenizer.json")
        self.hugging_face("fields.llama2", self.shared / "llama2" / "tokenizer.json", pre="fields", marks=False)
        for name in ("llama2", "chatglm3", "baichuan2", "internlm2"):
            self.sentencepiece(f"sentencepiece.{name}", self.shared / name / "tokenizer.model")
        glm, qwen = self.shared / "glm4", self.shared / "qwen1"
        self.tiktoken("tiktoken.glm4", glm / "tokenizer.model", GLM_PATTERN, "chatglm-bpe",
                      glm / "tokenizer_config.json")
        self.tiktoken("tiktoken.qwen1", qwen / "qwen.tiktoken", QWEN_PATTERN, "qwen2")
        for path in sorted(pathlib.Path(self.arguments.trained).glob("*.json")):
            # GGUF's spelling of WordPiece cannot tell a written U+2581 from the start of a word.
            self.hugging_face(f"trained.{path.stem}", path, marks=not path.stem.startswith("bert"))
        for path in sorted(pathlib.Path(self.arguments.trained).glob("*.model")):
            self.sentencepiece(f"trained.{path.stem}", path)
        return self.tally.close()


def main():
    cache = os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))
    repository = pathlib.Path(__file__).resolve().parents[2]
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("tool")
    parser.add_argument("--inputs", default=os.environ.get("XINGLIN_INPUTS", f"{cache}/xinglin/inputs"))
    parser.add_argument("--shared", default=os.environ.get("XINGLIN_SHARED", repository.parent / "shared"))
    parser.add_argument("--trained", default=repository / "tests" / "golden" / "tokenizers")
    parser.add_argument("--only", default="")
    parser.add_argument("--random", type=int, default=500)
    parser.add_argument("--seed", type=int, default=20260101)
    parser.add_argument("--show", type=int, default=5)
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}, {arguments.random} random texts for each tokenizer")
    return Check(arguments).run()


if __name__ == "__main__":
    sys.exit(main())
