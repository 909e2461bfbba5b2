#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains tiny tokenizers of many kinds and writes what their own libraries make of awkward texts.

    make_tokenizers.py [DIRECTORY]       (needs the Python packages tokenizers and sentencepiece)

Each kind exercises other parts: normalizers, pre-tokenizers, models, decoders, added tokens. The
result is committed, so that the unit tests need no Python."""
import io
import json
import pathlib
import random
import struct
import sys

import sentencepiece
from tokenizers import (AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "oracle"))
from tokenizer_texts import TEXTS, random_text

SPECIALS = ["<unk>", "<s>", "</s>"]
P, N, D = pre_tokenizers, normalizers, decoders


def corpus():
    generator = random.Random(1)
    lines = [text for text in TEXTS if text.strip()]
    return lines * 3 + [random_text(generator) for _ in range(600)]


def build(model, trainer, normalizer=None, pre=None, decoder=None, post=None, added=()):
    tokenizer = Tokenizer(model)
    if normalizer:
        tokenizer.normalizer = normalizer
    if pre:
        tokenizer.pre_tokenizer = pre
    if decoder:
        tokenizer.decoder = decoder
    tokenizer.train_from_iterator(corpus(), trainer)
    if post:
        tokenizer.post_processor = post(tokenizer)
    tokenizer.add_tokens(list(added))
    return tokenizer


def bpe_trainer(size=700, byte_level=False, **more):
    alphabet = P.ByteLevel.alphabet() if byte_level else []
    more.setdefault("special_tokens", SPECIALS)
    return trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False, limit_alphabet=400,
                               **more)


def template(tokenizer):
    return processors.TemplateProcessing(single="<s> $A </s>", pair="<s> $A </s> $B </s>",
                                         special_tokens=[("<s>", tokenizer.token_to_id("<s>")),
                                                         ("</s>", tokenizer.token_to_id("</s>"))])


def byte_fallback(tokenizer):
    """Adds <0x00> … <0xFF> to a trained model."""
    data = json.loads(tokenizer.to_str())
    vocab = data["model"]["vocab"]
    names = [f"<0x{byte:02X}>" for byte in range(256)]
    if isinstance(vocab, dict):
        for name in names:
            vocab.setdefault(name, len(vocab))
    else:
        vocab.extend([name, -30.0] for name in names)
    data["model"]["byte_fallback"] = True
    return Tokenizer.from_str(json.dumps(data))


def single_precision(tokenizer):
    """Scores as float32, which is what real models have."""
    data = json.loads(tokenizer.to_str())
    if data["model"]["type"] == "Unigram":
        data["model"]["vocab"] = [[text, struct.unpack("f", struct.pack("f", score))[0]]
                                  for text, score in data["model"]["vocab"]]
    return Tokenizer.from_str(json.dumps(data))


def fields(message):
    """(number, value) of a protocol-buffers message."""
    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
    at = 0
    while at < len(message):
        tag = varint()
        size = varint() if tag & 7 in (0, 2) else {1: 8, 5: 4}[tag & 7]
        if tag & 7 == 0:
            yield tag >> 3, size
        else:
            yield tag >> 3, message[at:at + size]
            at += size


def nmt_charsmap():
    """The precompiled table of SentencePiece's nfkc rules, taken from a model that it trains."""
    model = train_sentencepiece(model_type="unigram", normalization_rule_name="nfkc", vocab_size=300)
    normalizer = next(value for number, value in fields(model) if number == 3)
    return next(value for number, value in fields(normalizer) if number == 2)


def train_sentencepiece(**options):
    out = io.BytesIO()
    options.setdefault("vocab_size", 600)
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(line.replace("\n", " ") for line in corpus()), model_writer=out, minloglevel=2,
        hard_vocab_limit=False, character_coverage=0.98, num_threads=1, **options)
    return out.getvalue()


def hugging_face():
    byte_level = lambda **o: P.ByteLevel(**{"add_prefix_space": False, **o})
    added = [AddedToken("<sep>", lstrip=True, rstrip=True, normalized=False), AddedToken("word", single_word=True),
             AddedToken("<MASK>", lstrip=True, normalized=True), AddedToken("Cafe\u0301", normalized=True)]
    space, mark = N.Replace(" ", "▁"), "▁"
    unk = {"unk_token": "<unk>"}
    yield "roberta", build(models.BPE(), bpe_trainer(byte_level=True), pre=byte_level(add_prefix_space=True),
                           decoder=D.ByteLevel(), added=added,
                           post=lambda t: processors.RobertaProcessing(("</s>", 2), ("<s>", 1)))
    yield "digits_bytes", build(models.BPE(), bpe_trainer(byte_level=True), N.Sequence([N.NFKC(), N.Lowercase(), N.Strip()]),
                                P.Sequence([P.Digits(individual_digits=False), P.Punctuation("merged_with_previous"),
                                            byte_level(use_regex=False)]), D.ByteLevel(), template, added)
    yield "falcon_like", build(models.BPE(), bpe_trainer(byte_level=True), None,
                               P.Sequence([P.Punctuation("contiguous"), byte_level(), P.Digits(),
                                           P.Split(Regex("[0-9][0-9][0-9]"), "isolated")]), D.ByteLevel())
    yield "contiguous", build(models.BPE(), bpe_trainer(byte_level=True), N.NFD(),
                              P.Sequence([P.Split(Regex(r"[\p{L}\p{M}]"), "contiguous"), P.Split(" ", "merged_with_next"),
                                          byte_level(use_regex=False)]), D.ByteLevel())
    yield "removed", build(models.BPE(ignore_merges=True), bpe_trainer(byte_level=True), N.NFKD(),
                           P.Sequence([P.Split(Regex(r"\w+|[^\w\s]+"), "removed", invert=True),
                                       byte_level(use_regex=False)]), D.ByteLevel())
    yield "llama_like", byte_fallback(build(models.BPE(fuse_unk=True, **unk), bpe_trainer(),
                                            N.Sequence([N.Prepend(mark), space]), None,
                                            D.Sequence([D.Replace(mark, " "), D.ByteFallback(), D.Fuse(),
                                                        D.Strip(" ", 1, 0)]), template))
    yield "metaspace_first", byte_fallback(build(models.BPE(fuse_unk=True, **unk), bpe_trainer(), None,
                                                 P.Metaspace(prepend_scheme="first", split=False),
                                                 D.Sequence([D.Replace(mark, " "), D.ByteFallback(), D.Fuse(),
                                                             D.Strip(" ", 1, 0)]), template, added))
    yield "characters", build(models.BPE(fuse_unk=True, **unk), bpe_trainer(500), N.StripAccents(), P.Whitespace())
    yield "characters_unk", build(models.BPE(**unk), bpe_trainer(500), None, P.WhitespaceSplit())
    yield "unigram", build(models.Unigram(), trainers.UnigramTrainer(vocab_size=600, special_tokens=SPECIALS,
                                                                     unk_token="<unk>", show_progress=False),
                           N.Sequence([N.Precompiled(nmt_charsmap()), N.Replace(Regex(" {2,}"), " ")]),
                           P.Metaspace(prepend_scheme="always"), D.Metaspace(), template)
    yield "unigram_bytes", byte_fallback(build(models.Unigram(), trainers.UnigramTrainer(
        vocab_size=500, special_tokens=SPECIALS, unk_token="<unk>", show_progress=False),
        N.Nmt(), P.Sequence([P.WhitespaceSplit(), P.Metaspace(prepend_scheme="never")])))
    bert = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    for name, lower in (("bert", True), ("bert_cased", False)):
        yield name, build(models.WordPiece(unk_token="[UNK]"),
                          trainers.WordPieceTrainer(vocab_size=800, special_tokens=bert, show_progress=False),
                          N.BertNormalizer(lowercase=lower), P.BertPreTokenizer(), D.WordPiece(),
                          lambda t: processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2)))


def sentence_pieces():
    symbols = ["<sep>", "mmHg", "▁▁", "\n"]
    yield "sp_bpe", train_sentencepiece(model_type="bpe", byte_fallback=True, normalization_rule_name="identity",
                                        vocab_size=900, user_defined_symbols=symbols, remove_extra_whitespaces=False,
                                        allow_whitespace_only_pieces=True)
    yield "sp_bpe_nfkc", train_sentencepiece(model_type="bpe", normalization_rule_name="nmt_nfkc", split_digits=True)
    yield "sp_unigram", train_sentencepiece(model_type="unigram", normalization_rule_name="nmt_nfkc_cf")
    yield "sp_unigram_bytes", train_sentencepiece(model_type="unigram", byte_fallback=True, add_dummy_prefix=False,
                                                  normalization_rule_name="identity", vocab_size=900,
                                                  remove_extra_whitespaces=False)


def main():
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent / "tokenizers")
    folder.mkdir(exist_ok=True)
    generator = random.Random(2)
    texts = TEXTS + [random_text(generator, ["<sep>", "<MASK>", " word "]) for _ in range(24)]
    vectors = []
    for name, tokenizer in hugging_face():
        tokenizer = single_precision(tokenizer)
        tokenizer.save(str(folder / f"{name}.json"), pretty=False)
        vectors.append({"file": f"{name}.json", "special": True,
                        "ids": [tokenizer.encode(text, add_special_tokens=False).ids for text in texts],
                        "framed": tokenizer.encode("Hello").ids})
    for name, model in sentence_pieces():
        (folder / f"{name}.model").write_bytes(model)
        oracle = sentencepiece.SentencePieceProcessor(model_proto=model)
        vectors.append({"file": f"{name}.model", "special": False, "ids": [oracle.encode(text) for text in texts]})
    lines = ",\n".join(json.dumps(vector, separators=(",", ":")) for vector in vectors)
    text = json.dumps(texts, ensure_ascii=True, separators=(",", ":"))
    (folder / "vectors.txt").write_text('{"texts":%s,\n"tokenizers":[\n%s]}\n' % (text, lines))


if __name__ == "__main__":
    main()
