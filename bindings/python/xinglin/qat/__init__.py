# SPDX-License-Identifier: Apache-2.0
"""Quantization-aware training (在线量化) for the engine's own grids. Needs torch.

    from xinglin.qat import prepare, export

    model = transformers.AutoModelForCausalLM.from_pretrained(path)
    prepare(model, "sym_int4")      # linear layers and embeddings compute with rounded weights
    ...                             # train as ever; gradients go straight through the rounding
    export(model, "trained")        # a checkpoint whose weights are the rounded ones
    xinglin.llm_convert("trained", "out", outtype="sym_int4")  # loses nothing further

The rounding is the converter's own, by a call into the library: the same search for scales, the
same half floats. Weights on that grid are converted to the very blocks that training saw.
"""

from __future__ import annotations

try:
    import torch as _torch  # noqa: F401
except ImportError as problem:
    raise ImportError(
        f"{problem}; xinglin.qat needs torch, which the rest of the package does not: "
        'pip install "xinglin[qat]"'
    ) from None

from .checkpoint import export
from .layers import (
    FakeQuantEmbedding,
    FakeQuantLinear,
    convert,
    fake_quantize,
    prepare,
    quantized_values,
)

__all__ = [
    "FakeQuantEmbedding",
    "FakeQuantLinear",
    "convert",
    "export",
    "fake_quantize",
    "prepare",
    "quantized_values",
]
