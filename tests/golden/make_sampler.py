#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden distributions for the sampler: logits, options, and the tokens that may be drawn.

The oracle is the logits processors of Hugging Face transformers (pip install torch transformers);
presence and frequency penalty, which transformers lacks, follow the definition in the OpenAI API
reference: logit -= count * frequency + (count > 0) * presence.
Writes sampler.txt beside this script, per case:
  case NAME temperature top_k top_p min_p repetition presence frequency window
  logits N floats / text N ids / biases N id:bias / kept N id:probability (best first)
"""
import pathlib
import random
import struct

import torch
from transformers import (
    LogitsProcessorList, MinPLogitsWarper, RepetitionPenaltyLogitsProcessor,
    SequenceBiasLogitsProcessor, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper)

VOCABULARY = 96
DEFAULTS = dict(temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, repetition=1.0, presence=0.0,
                frequency=0.0, window=-1, biases={}, text=[])


def float32(x):
    return struct.unpack('<f', struct.pack('<f', x))[0]


def distribution(logits, o):
    text = o['text']
    if o['window'] >= 0:
        text = text[len(text) - min(len(text), o['window']):]
    ids = torch.tensor([text], dtype=torch.long)
    scores = torch.tensor([logits], dtype=torch.float32)
    first = LogitsProcessorList()
    if o['biases']:
        first.append(SequenceBiasLogitsProcessor({(t,): b for t, b in o['biases'].items()}))
    if o['repetition'] != 1 and text:
        first.append(RepetitionPenaltyLogitsProcessor(o['repetition']))
    scores = first(ids, scores)
    for token in set(text):
        scores[0, token] -= text.count(token) * o['frequency'] + o['presence']
    then = LogitsProcessorList([TemperatureLogitsWarper(o['temperature'])])
    if o['top_k']:
        then.append(TopKLogitsWarper(o['top_k']))
    if o['top_p'] < 1:
        then.append(TopPLogitsWarper(o['top_p']))
    if o['min_p']:
        then.append(MinPLogitsWarper(o['min_p']))
    probabilities = torch.softmax(then(ids, scores)[0].double(), -1)
    order = sorted(range(len(logits)), key=lambda i: (-probabilities[i].item(), i))
    return [(i, probabilities[i].item()) for i in order if probabilities[i] > 0]


CASES = {
    'plain': {},
    'warm': dict(temperature=0.6),
    'hot': dict(temperature=2.5),
    'top_k': dict(top_k=7),
    'top_k_one': dict(top_k=1),
    'top_k_all': dict(top_k=VOCABULARY),
    'top_p': dict(top_p=0.9),
    'top_p_low': dict(top_p=0.05),
    'top_p_high': dict(top_p=0.999),
    'min_p': dict(min_p=0.1),
    'min_p_one': dict(min_p=1.0),
    'k_then_p': dict(top_k=12, top_p=0.8),
    'all_filters': dict(temperature=0.8, top_k=40, top_p=0.95, min_p=0.05),
    'all_filters_hot': dict(temperature=1.7, top_k=30, top_p=0.9, min_p=0.02),
    'repetition': dict(repetition=1.3, text=[3, 5, 5, 9, 11]),
    'repetition_below_one': dict(repetition=0.8, text=[3, 5, 5, 9, 11]),
    'presence': dict(presence=0.7, text=[1, 2, 2, 2, 4]),
    'frequency': dict(frequency=0.4, text=[1, 2, 2, 2, 4]),
    'penalties': dict(repetition=1.1, presence=0.2, frequency=0.3, text=[7, 8, 7, 7, 30, 31, 8]),
    'window': dict(repetition=1.5, frequency=0.5, window=3, text=[10, 11, 12, 13, 12, 14]),
    'window_long': dict(repetition=1.5, window=64, text=[10, 11, 12]),
    'bias': dict(biases={4: 3.5, 40: -2.25, 95: 8.0}),
    'forbid': dict(biases={i: float('-inf') for i in range(0, 96, 3)}, top_k=5),
    'everything': dict(temperature=0.7, top_k=20, top_p=0.92, min_p=0.03, repetition=1.2,
                       presence=0.1, frequency=0.2, window=5, biases={2: 2.0, 50: -1.0},
                       text=[2, 60, 61, 62, 2, 63]),
}


def main():
    source = random.Random(20260)
    lines = []
    for name, changes in CASES.items():
        o = {**DEFAULTS, **changes}
        logits = [float32(source.gauss(0, 3)) for _ in range(VOCABULARY)]
        kept = distribution(logits, o)
        numbers = [o[k] for k in ('temperature', 'top_k', 'top_p', 'min_p', 'repetition',
                                  'presence', 'frequency', 'window')]
        lines.append(' '.join(['case', name] + [str(x) for x in numbers]))
        lines.append(' '.join(['logits', str(VOCABULARY)] + [x.hex() for x in logits]))
        lines.append(' '.join(['text', str(len(o['text']))] + [str(t) for t in o['text']]))
        biases = [f'{t}:{b}' for t, b in o['biases'].items()]
        lines.append(' '.join(['biases', str(len(biases))] + biases))
        lines.append(' '.join(['kept', str(len(kept))] + [f'{t}:{p:.9g}' for t, p in kept]))
    pathlib.Path(__file__).with_name('sampler.txt').write_text('\n'.join(lines) + '\n')


if __name__ == '__main__':
    main()
