# SPDX-License-Identifier: Apache-2.0
"""The names of Hugging Face transformers on the engine; change the import and keep the rest.

    from xinglin.transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(path, load_in_4bit=True)
    tokenizer = AutoTokenizer.from_pretrained(path)
    input_ids = tokenizer.encode("入院记录：", return_tensors="np")
    output = model.generate(input_ids, max_new_tokens=64)
    print(tokenizer.decode(output[0], skip_special_tokens=True))

Tokenizers and streamers of transformers work as well. Neither torch nor transformers nor NumPy is
needed; ids may be lists.
"""

from __future__ import annotations

from .auto import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    AutoModelForMaskedLM,
    AutoModelForMultipleChoice,
    AutoModelForNextSentencePrediction,
    AutoModelForQuestionAnswering,
    AutoModelForSeq2SeqLM,
    AutoModelForSequenceClassification,
    AutoModelForSpeechSeq2Seq,
    AutoModelForTokenClassification,
    AutoTokenizer,
)
from .configuration import Config, GenerationConfig
from .model import CausalLM, HiddenModel, PreTrainedModel
from .outputs import Output
from .streamers import (
    AsyncTextIteratorStreamer,
    BaseStreamer,
    TextIteratorStreamer,
    TextStreamer,
)
from .tokenizer import BatchEncoding, Tokenizer

__all__ = [
    "AsyncTextIteratorStreamer",
    "AutoModel",
    "AutoModelForCausalLM",
    "AutoModelForImageTextToText",
    "AutoModelForMaskedLM",
    "AutoModelForMultipleChoice",
    "AutoModelForNextSentencePrediction",
    "AutoModelForQuestionAnswering",
    "AutoModelForSeq2SeqLM",
    "AutoModelForSequenceClassification",
    "AutoModelForSpeechSeq2Seq",
    "AutoModelForTokenClassification",
    "AutoTokenizer",
    "BaseStreamer",
    "BatchEncoding",
    "CausalLM",
    "Config",
    "GenerationConfig",
    "HiddenModel",
    "Output",
    "PreTrainedModel",
    "TextIteratorStreamer",
    "TextStreamer",
    "Tokenizer",
]
