#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Texts to vectors by all-MiniLM-L6-v2: Xinglin beside sentence-transformers (or, where that is not
installed, transformers with its batching: sorted by length, 32 texts padded to the longest, mean,
length 1). From text to vectors, tokenizing included, on the same CPUs.

    embeddings.py [--model DIR] [--types float32,bf16,sym_int8] [--texts N] [--rounds N]

Each engine is a process with the model loaded, stopped while it is not its turn; every round visits
each once; medians are reported. Texts are made up: half Chinese, half English sentences of 3 to
about 200 words, most of them short. The cosine distance to the peer's vectors is shown beside the speed."""
import argparse
import json
import math
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))) / "xinglin"
PEER = CACHE / "peers" / "transformers" / "venv" / "bin" / "python"
PEER_PACKAGES = CACHE / "peers" / "sentence-transformers" / "site"
BATCH = 32
TOKENS_MAX = 256
WORDS = {
    "en": "the patient was admitted with fever cough and chest pain blood pressure normal coronary aspirin daily "
          "discharge diagnosis history of smoking for years heart failure treated by antibiotics".split(),
    "zh": "患者 男性 因 反复 咳嗽 咳痰 十年 加重 三天 入院 血压 正常 糖尿病 高血压 头孢 心电图 示 窦性心律 复查 血常规".split(),
}


def make_texts(n_texts, seed):
    generator = random.Random(seed)
    texts = []
    for i in range(n_texts):
        words = WORDS["zh" if i % 2 else "en"]
        n = min(max(int(generator.lognormvariate(3.0, 0.7)), 3), 200)
        texts.append(("" if i % 2 else " ").join(generator.choices(words, k=n // (3 if i % 2 else 1) or 1)))
    return texts


class Own:
    """Xinglin's Python package; `path` is a folder or a converted file."""

    def __init__(self, path):
        sys.path.insert(0, str(ROOT / "bindings" / "python"))
        from xinglin import Engine
        self.engine = Engine(path)
        self.name = f"xinglin {self.engine.info.weight_type} ({self.engine.info.isa})"

    def count(self, texts):
        return sum(len(self.engine.tokenize(text)) for text in texts)

    def embed(self, texts):
        return self.engine.embed(texts, normalize=True)


class Sentences:
    def __init__(self, path):
        sys.path.append(str(PEER_PACKAGES))
        import sentence_transformers
        import torch
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        self.model = sentence_transformers.SentenceTransformer(path, device="cpu")
        self.name = f"sentence-transformers {sentence_transformers.__version__}"

    def embed(self, texts):
        return self.model.encode(texts, batch_size=BATCH, show_progress_bar=False)


class Transformers:
    def __init__(self, path):
        import torch
        import transformers
        self.torch = torch
        torch.set_num_threads(len(os.sched_getaffinity(0)))
        transformers.logging.set_verbosity_error()
        self.tokenizer = transformers.AutoTokenizer.from_pretrained(path)
        self.model = transformers.AutoModel.from_pretrained(path).eval()
        self.name = f"transformers {transformers.__version__}, torch {torch.__version__}, batches of {BATCH}"

    def embed(self, texts):
        order = sorted(range(len(texts)), key=lambda i: -len(texts[i]))
        vectors = [None] * len(texts)
        with self.torch.inference_mode():
            for begin in range(0, len(order), BATCH):
                part = order[begin:begin + BATCH]
                inputs = self.tokenizer([texts[i] for i in part], padding=True, truncation=True,
                                        max_length=TOKENS_MAX, return_tensors="pt")
                states = self.model(**inputs).last_hidden_state
                mask = inputs["attention_mask"].unsqueeze(-1).float()
                mean = (states * mask).sum(1) / mask.sum(1)
                mean = self.torch.nn.functional.normalize(mean, dim=1)
                for i, vector in zip(part, mean):
                    vectors[i] = vector
        return self.torch.stack(vectors).numpy()


def serve(kind, path):
    """Answers "texts", then any number of "go" with seconds, then "vectors"."""
    engine = {"own": Own, "sentence-transformers": Sentences, "transformers": Transformers}[kind](path)
    texts = json.loads(sys.stdin.readline())
    answer = {"name": engine.name, "tokens": engine.count(texts) if kind == "own" else 0}
    print(json.dumps(answer), flush=True)
    for line in sys.stdin:
        if line == "vectors\n":
            print(json.dumps(engine.embed(texts).tolist()), flush=True)
            continue
        start = time.perf_counter()
        engine.embed(texts)
        print(time.perf_counter() - start, flush=True)


class Worker:
    def __init__(self, python, kind, path, texts):
        self.process = subprocess.Popen([python, __file__, "--serve", kind, path], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.seconds = []
        self.answer = json.loads(self.ask(json.dumps(texts)) or "null")
        if self.answer:
            self.stop()

    def ask(self, line):
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            return ""
        return self.process.stdout.readline()

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)

    def visit(self, line="go"):
        self.process.send_signal(signal.SIGCONT)
        answer = self.ask(line)
        self.stop()
        return json.loads(answer)

    def close(self):
        self.process.kill()
        self.process.wait()


def convert(path, name, folder):
    if name == "float32":
        return path
    program = ROOT / "build" / "release" / "bin" / "llm-convert"
    program = os.environ.get("XINGLIN_CONVERT", program)
    subprocess.run([program, path, "-o", folder, "-t", name], check=True, stdout=subprocess.DEVNULL)
    return str(next(pathlib.Path(folder).glob(f"*{name}.gguf")))


def farthest(rows, others):
    worst = 0.0
    for a, b in zip(rows, others):
        dot = sum(x * y for x, y in zip(a, b))
        worst = max(worst, 1 - dot / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b)))
    return worst


def report(workers, vectors, n_texts):
    peer = statistics.median(workers[0].seconds)
    n_tokens = max(worker.answer["tokens"] for worker in workers)
    print(f"{n_texts} texts, {n_tokens} tokens (mean {n_tokens / n_texts:.1f}), "
          f"{len(os.sched_getaffinity(0))} CPUs, medians of {len(workers[0].seconds)} rounds\n")
    print("| engine | texts/s | tokens/s | times the peer | largest cosine distance |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for worker, rows in zip(workers, vectors):
        seconds = statistics.median(worker.seconds)
        print(f"| {worker.answer['name']} | {n_texts / seconds:.0f} | {n_tokens / seconds:.0f} | "
              f"{peer / seconds:.2f} | {farthest(rows, vectors[0]):.1e} |")


def main():
    if sys.argv[1:2] == ["--serve"]:
        return serve(*sys.argv[2:4])
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    inputs = os.environ.get("XINGLIN_INPUTS", str(CACHE / "inputs"))
    parser.add_argument("--model", default=f"{inputs}/models/all-minilm-l6-v2")
    parser.add_argument("--types", default="float32,bf16,sym_int8")
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    os.environ.setdefault("XINGLIN_LIBRARY", str(ROOT / "build" / "release" / "src" / "libxinglin.so"))
    python = str(PEER) if PEER.exists() else sys.executable
    texts = make_texts(arguments.texts, 1)
    workers = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("sentence-transformers", "transformers"):
            worker = Worker(python, kind, arguments.model, texts)
            if worker.answer:
                workers.append(worker)
                break
            worker.close()
        if not workers:
            sys.exit("neither sentence-transformers nor transformers runs here; see bench/README.md for peers")
        for name in arguments.types.split(","):
            workers.append(Worker(sys.executable, "own", convert(arguments.model, name, folder), texts))
        for worker in workers:
            worker.visit()  # warm
        for _ in range(arguments.rounds):
            for worker in workers:
                worker.seconds.append(worker.visit())
        vectors = [worker.visit("vectors") for worker in workers]
        for worker in workers:
            worker.close()
    report(workers, vectors, len(texts))


if __name__ == "__main__":
    main()
