# SPDX-License-Identifier: Apache-2.0
"""Torch modules that compute with the weights that the engine would have after a conversion, while
the optimizer changes the full ones underneath (straight-through gradients)."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import byref
from typing import Any

import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from .. import _native as native
from ..errors import UsageError

_ROWS_ALONE = 1 << 16  # so many weights are quantized before another thread is worth its start


def _quantize_part(type_name: bytes, is_output: bool, source: Tensor, target: Tensor) -> None:
    n_rows, n_columns = source.shape
    error = native.Error()
    status = native.lib.xl_quantize_matrix(
        type_name,
        is_output,
        source.data_ptr(),
        n_rows,
        n_columns,
        target.data_ptr(),
        byref(error),
    )
    native.check(status, error)


@torch.no_grad()
def quantized_values(
    weight: Tensor, low_bit: str = "sym_int4", *, is_output: bool = False
) -> Tensor:
    """What ``llm_convert(outtype=low_bit)`` makes of a matrix [rows, columns], as float32 values of
    the same shape on the same device. ``is_output``: the matrix for logits, which the converter
    gives more bits. Types: sym_int4, asym_int4, sym_int5, asym_int5, sym_int8, fp16, bf16, fp32."""
    if weight.dim() != 2:
        raise UsageError(f"a weight matrix has two dimensions, not {weight.dim()}")
    name = native.text_argument(low_bit) or b""
    source = weight.detach().to("cpu", torch.float32).contiguous()
    target = torch.empty_like(source)
    if not source.numel():
        return target.to(weight.device)
    n_parts = max(1, min(len(os.sched_getaffinity(0)), source.numel() // _ROWS_ALONE))
    if n_parts == 1:
        _quantize_part(name, is_output, source, target)
    else:  # rows are independent, and the library lets other threads run
        with ThreadPoolExecutor(n_parts) as pool:
            parts = zip(source.chunk(n_parts), target.chunk(n_parts))
            for done in [pool.submit(_quantize_part, name, is_output, *part) for part in parts]:
                done.result()
    return target.to(weight.device)


class _StraightThrough(torch.autograd.Function):
    """Rounded values forward, their gradient untouched backward."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, values: Tensor) -> Tensor:
        return values.to(weight.dtype, copy=True)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return gradients[0], None


def fake_quantize(
    weight: Tensor, low_bit: str = "sym_int4", *, is_output: bool = False
) -> Tensor:
    """:func:`quantized_values` as an operation that gradients pass unchanged."""
    return _through(weight, quantized_values(weight, low_bit, is_output=is_output))


def _through(weight: Tensor, values: Tensor) -> Tensor:
    result: Tensor = _StraightThrough.apply(weight, values)  # type: ignore[no-untyped-call]
    return result


class _Rounding:
    """The rounded values of one parameter, computed again when it has changed. Versions of tensors
    do not tell: what is written to ``weight.data`` leaves them alone. So values are compared."""

    def __init__(self, low_bit: str, is_output: bool) -> None:
        self.low_bit, self.is_output = low_bit, is_output
        self._seen: Tensor | None = None
        self._values: Tensor | None = None

    def values(self, weight: Tensor) -> Tensor:
        full = weight.detach()
        if self._values is None or self._seen is None or not _is_same(full, self._seen):
            self._values = quantized_values(full, self.low_bit, is_output=self.is_output)
            self._seen = full.clone()
        return self._values

    def __getstate__(self) -> dict[str, Any]:  # for copies and pickles
        return {**self.__dict__, "_seen": None, "_values": None}

    def __str__(self) -> str:
        return f"low_bit={self.low_bit!r}" + (", is_output=True" if self.is_output else "")


def _is_same(a: Tensor, b: Tensor) -> bool:
    return a.device == b.device and a.dtype == b.dtype and torch.equal(a, b)


class FakeQuantLinear(nn.Linear):
    """A linear layer that computes with rounded weights. ``weight`` stays the full one, so state
    dicts, optimizers and tied weights see what they always saw."""

    rounding: _Rounding

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        low_bit: str = "sym_int4",
        is_output: bool = False,
    ) -> None:
        super().__init__(in_features, out_features, bias, device, dtype)
        self.rounding = _Rounding(low_bit, is_output)

    def quantized_weight(self) -> Tensor:
        """The values that a conversion would store, float32."""
        return self.rounding.values(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, _through(self.weight, self.quantized_weight()), self.bias)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {self.rounding}"


class FakeQuantEmbedding(nn.Embedding):
    """An embedding whose rows are rounded; else as :class:`FakeQuantLinear`. :func:`prepare` makes
    them."""

    rounding: _Rounding

    def quantized_weight(self) -> Tensor:
        """The values that a conversion would store, float32."""
        return self.rounding.values(self.weight)

    def forward(self, input: Tensor) -> Tensor:
        return functional.embedding(
            input,
            _through(self.weight, self.quantized_weight()),
            self.padding_idx,
            self.max_norm,
            self.norm_type,
            self.scale_grad_by_freq,
        )

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, {self.rounding}"


FakeQuant = FakeQuantLinear | FakeQuantEmbedding


def _rounding_class(own: type[nn.Module], base: type[nn.Module]) -> type[nn.Module]:
    """The class `own`, whose super().forward() rounds: Gemma's embedding scales, then embeds."""
    if own.__mro__[1] is nn.Module:  # nn.Linear, nn.Embedding themselves
        return base
    return type(f"FakeQuant{own.__name__}", (own, base), {"__module__": own.__module__})


def _input_and_output(model: nn.Module) -> tuple[Any, Any]:
    """The embedding of tokens and the layer that makes logits, of models that name them."""
    found: list[Any] = []
    for name in ("get_input_embeddings", "get_output_embeddings"):
        try:
            found.append(getattr(model, name, lambda: None)())
        except NotImplementedError:
            found.append(None)
    names = dict(model.named_modules())
    return found[0], found[1] or names.get("lm_head")


def prepare(
    model: nn.Module,
    low_bit: str = "sym_int4",
    *,
    modules_to_not_convert: Sequence[str] | None = None,
    embeddings: bool = True,
) -> nn.Module:
    """Makes the linear layers of ``model``, and unless ``embeddings`` is False its embedding of
    tokens, compute with the weights that ``llm_convert(outtype=low_bit)`` would store. The model is
    changed in place and returned; its parameters and their names stay.

    ``modules_to_not_convert``: modules to leave alone, by whole parts of their names; give the same
    to ``llm_convert(keep=)``, which else rounds them after the training."""
    quantized_values(torch.zeros(1, 32), low_bit)  # refuses unknown types before anything changes
    names = modules_to_not_convert or ()
    spared = {names} if isinstance(names, str) else set(names)
    source, output = _input_and_output(model)
    output_weight = getattr(output, "weight", None)
    n_prepared = 0
    for name, module in model.named_modules():
        if isinstance(module, FakeQuant) or spared & set(name.split(".")):
            continue
        if isinstance(module, nn.Linear):
            base: type[nn.Module] = FakeQuantLinear
        elif embeddings and module is source and isinstance(module, nn.Embedding):
            base = FakeQuantEmbedding
        else:
            continue
        is_output = module is output or module.weight is output_weight
        module.__class__ = _rounding_class(type(module), base)
        module.rounding = _Rounding(low_bit, is_output)
        n_prepared += 1
    if not n_prepared:
        raise UsageError("the model has no linear layers to prepare, or they are prepared already")
    return model


@torch.no_grad()
def convert(model: nn.Module) -> nn.Module:
    """Ends the training: plain layers again, with the rounded weights (float32) in place of the
    full ones. The model is changed in place and returned. Evaluation is faster so."""
    values = rounded_parameters(model)
    for module in list(model.modules()):
        if not isinstance(module, FakeQuant):
            continue
        base = nn.Linear if isinstance(module, FakeQuantLinear) else nn.Embedding
        own = type(module)
        is_plain = own in (FakeQuantLinear, FakeQuantEmbedding)
        module.__class__ = base if is_plain else own.__mro__[1]
        del module.rounding
    for parameter, rounded in values.values():
        parameter.data = rounded.clone()
    return model


def rounded_parameters(model: nn.Module) -> dict[int, tuple[Tensor, Tensor]]:
    """Parameters of prepared layers and their rounded values, by the parameters' identity: tied
    layers have one."""
    return {
        id(module.weight): (module.weight, module.quantized_weight())
        for module in model.modules()
        if isinstance(module, FakeQuant)
    }
