#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Embeddings of all-MiniLM-L6-v2 against transformers, pooled as sentence-transformers does it.

    check_embeddings.py [--library FILE] [--inputs DIR] [--texts N] [--seed S]

Texts of 1 to 256 tokens, English, Chinese and both, cut as the model's own files say; the mean of the
last states, of length 1. Every text must agree within a cosine distance of 1e-3 (float32 and bf16
weights), a batch must be the same bytes as its texts one by one. Needs torch and transformers: where
this Python lacks them, the one that bench/ keeps for its peers is tried."""
import argparse
import os
import pathlib
import random
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache"))) / "xinglin"
PEER = CACHE / "peers" / "transformers" / "venv" / "bin" / "python"
LENGTHS = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 90, 140, 250]
TOKENS_MAX = 256
DISTANCE_MAX = 1e-3
SEP = 102
WORDS = ("the patient was admitted with fever cough and chest pain blood pressure normal coronary "
         "aspirin 100 mg daily discharge diagnosis café naïve résumé Ångström WBC 12.5×10⁹/L 38.5℃ , . ; ( ) "
         "患者 男 六十五岁 因 反复 咳嗽 咳痰 十年 加重 三天 入院 血压 正常 糖尿病 高血压 头孢 心电图 示 窦性心律 。 ， CT MRI").split()


class Tally:
    def __init__(self):
        self.counts = {"ok": 0, "FAIL": 0, "skip": 0}

    def report(self, verdict, name, detail=""):
        self.counts[verdict] += 1
        print(f"{verdict:4} embeddings.{name} {detail}".rstrip(), flush=True)

    def close(self):
        print("embeddings: {ok} passed, {FAIL} failed, {skip} skipped".format(**self.counts))
        return 1 if self.counts["FAIL"] else 0 if self.counts["ok"] else 77


def make_texts(n_texts, seed):
    generator = random.Random(seed)
    texts = []
    for i in range(n_texts):
        joint = "" if i % 3 == 0 else " "
        words = generator.choices(WORDS, k=generator.choice(LENGTHS))
        texts.append(joint.join(words))
    return texts


def reference_vectors(folder, all_ids):
    import torch
    import transformers
    model = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32).eval()
    vectors = []
    with torch.inference_mode():
        for ids in all_ids:
            mean = model(torch.tensor([ids])).last_hidden_state[0].double().mean(0)
            vectors.append((mean / mean.norm()).tolist())
    return vectors


def cut(ids):
    return ids if len(ids) <= TOKENS_MAX else ids[:TOKENS_MAX - 1] + [SEP]


def distance(a, b):
    return 1 - sum(x * y for x, y in zip(a, b))


def check_tokens(tally, engine, folder, texts):
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    expected = [tokenizer(text, truncation=True, max_length=TOKENS_MAX)["input_ids"] for text in texts]
    wrong = [text for text, ids in zip(texts, expected) if cut(list(engine.tokenize(text))) != ids]
    lengths = [len(ids) for ids in expected]
    detail = f"{len(texts)} texts of {min(lengths)} to {max(lengths)} tokens {[w[:40] for w in wrong[:3]] or ''}"
    tally.report("FAIL" if wrong else "ok", "tokens", detail)
    return expected


def check_weights(tally, name, engine, all_ids, reference):
    got = engine.embed(all_ids, normalize=True).tolist()
    worst = max(distance(a, b) for a, b in zip(got, reference))
    tally.report("ok" if worst < DISTANCE_MAX else "FAIL", f"{name}.distance",
                 f"largest cosine distance {worst:.2e} of {len(got)} texts")
    alone = [engine.embed([ids], normalize=True).tolist()[0] for ids in all_ids[:60]]
    tally.report("ok" if alone == got[:60] else "FAIL", f"{name}.batch",
                 "one by one: the same bytes" if alone == got[:60] else "one by one: other bytes")


def run(arguments):
    tally = Tally()
    folder = pathlib.Path(arguments.inputs) / "models" / "all-minilm-l6-v2"
    if not (folder / "model.safetensors").is_file():
        tally.report("skip", "minilm", f"({folder} is absent; scripts/fetch-inputs brings it)")
        return tally.close()
    os.environ["XINGLIN_LIBRARY"] = str(arguments.library)
    sys.path.insert(0, str(ROOT / "bindings" / "python"))
    import transformers
    import xinglin
    transformers.logging.set_verbosity_error()
    texts = make_texts(arguments.texts, arguments.seed)
    with xinglin.Engine(str(folder)) as engine:
        all_ids = check_tokens(tally, engine, folder, texts)
        reference = reference_vectors(folder, all_ids)
        check_weights(tally, "float32", engine, all_ids, reference)
        try:
            engine.session()
            tally.report("FAIL", "generating", "is not refused")
        except xinglin.XinglinError as error:
            tally.report("ok" if "cannot generate" in str(error) else "FAIL", "generating", str(error))
    with tempfile.TemporaryDirectory() as scratch:
        program = pathlib.Path(arguments.library).resolve().parent.parent / "bin" / "llm-convert"
        subprocess.run([program, folder, "-o", scratch, "-t", "bf16"], check=True, stdout=subprocess.DEVNULL)
        with xinglin.Engine(str(next(pathlib.Path(scratch).glob("*.gguf")))) as engine:
            check_weights(tally, "bf16", engine, all_ids, reference)
    return tally.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--library", default=ROOT / "build" / "release" / "src" / "libxinglin.so")
    parser.add_argument("--inputs", default=os.environ.get("XINGLIN_INPUTS", CACHE / "inputs"))
    parser.add_argument("--texts", type=int, default=300)
    parser.add_argument("--seed", type=int, default=20260101)
    arguments = parser.parse_args()
    try:
        import torch  # noqa: F401
        import transformers  # noqa: F401
    except ImportError:
        if PEER.exists() and pathlib.Path(sys.executable) != PEER:
            os.execv(PEER, [str(PEER), __file__, *sys.argv[1:]])
        print("skip embeddings (Python packages torch and transformers are absent)")
        print("embeddings: 0 passed, 0 failed, 1 skipped")
        return 77
    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
