# SPDX-License-Identifier: Apache-2.0
"""Lists, NumPy arrays and torch tensors in, the same kind out, without importing either library:
whoever hands over an array has imported its library already."""

from __future__ import annotations

import operator
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import UsageError

Rows = list[list[int]]


def library_of(value: Any) -> str:
    """``torch``, ``numpy`` or ``list``."""
    root = type(value).__module__.partition(".")[0]
    return root if root in ("torch", "numpy") else "list"


@dataclass(frozen=True)
class Kind:
    """What the caller's ids were, so that results can be made alike."""

    library: str  # "torch", "numpy" or "list"
    device: Any = None  # of a torch tensor
    is_flat: bool = False  # one row without the dimension of the batch

    def ids(self, rows: Rows) -> Any:
        """Rows of one length."""
        found: Any = rows[0] if self.is_flat and len(rows) == 1 else rows
        if self.library == "torch":
            torch = sys.modules["torch"]
            return torch.tensor(found, dtype=torch.int64, device=self.device)
        if self.library == "numpy":
            numpy = sys.modules["numpy"]
            return numpy.array(found, dtype=numpy.int64)
        return found

    def floats(self, values: memoryview[float]) -> Any:
        """Any shape; the values are copied only where the kind demands it."""
        if self.library == "torch":
            torch = sys.modules["torch"]
            if not values.nbytes:
                return torch.zeros(values.shape)
            flat = torch.frombuffer(values.cast("B"), dtype=torch.float32)
            return flat.reshape(values.shape).to(self.device)
        if self.library == "numpy":
            return sys.modules["numpy"].asarray(values)
        return values.tolist()


def _integers(values: Any, what: str) -> list[int]:
    try:
        return [operator.index(value) for value in values]
    except TypeError:
        raise UsageError(f"{what} holds integers, one or two dimensions of them") from None


def read_rows(value: Any, what: str = "input_ids") -> tuple[Rows, Kind]:
    """Token ids (or a mask) of any kind as lists of integers."""
    if isinstance(value, Mapping) and what == "input_ids":
        value = value.get("input_ids")
    if value is None or isinstance(value, (str, bytes)):
        said = "nothing was given" if value is None else "text was given; call the tokenizer first"
        raise UsageError(f"{what}: ids in one or two dimensions; {said}")
    library = library_of(value)
    device = value.device if library == "torch" else None
    try:
        plain = value.tolist() if hasattr(value, "tolist") else value
    except RuntimeError as problem:  # of torch: sparse, on no device, being traced
        raise UsageError(f"{what} cannot be read: {problem}") from None
    if isinstance(plain, int):
        raise UsageError(f"{what} has one or two dimensions, not none")
    items = list(plain) if isinstance(plain, Sequence) else None
    if items is None:
        raise UsageError(f"{what} are a list, a NumPy array or a torch tensor, "
                         f"not {type(value).__name__}")
    if items and isinstance(items[0], bool):
        items = [int(item) for item in items]
    if all(not hasattr(item, "__len__") and not hasattr(item, "tolist") for item in items):
        return [_integers(items, what)], Kind(library, device, is_flat=True)
    rows = []
    for item in items:
        if library == "list" and library_of(item) != "list":
            library, device = library_of(item), getattr(item, "device", None)
        rows.append(_integers(item.tolist() if hasattr(item, "tolist") else item, what))
    return rows, Kind(library, device)


def read_mask(mask: Any, rows: Rows) -> Rows:
    """1: a token, 0: padding. None: everything is a token."""
    if mask is None:
        return [[1] * len(row) for row in rows]
    values, _ = read_rows(mask, "attention_mask")
    if [len(value) for value in values] != [len(row) for row in rows]:
        raise UsageError("attention_mask has another shape than input_ids")
    return values


class IdRow(list[int]):
    """Ids for streamers where no array library is loaded: what they ask of a tensor."""

    @property
    def shape(self) -> tuple[int]:
        return (len(self),)

    def tolist(self) -> list[int]:
        return list(self)

    def cpu(self) -> IdRow:
        return self


def streamed(ids: list[int], kind: Kind) -> Any:
    """One row of ids as a streamer of any library takes it."""
    for library in (kind.library, "torch", "numpy"):
        if library == "torch" and "torch" in sys.modules:
            return sys.modules["torch"].tensor(ids)
        if library == "numpy" and "numpy" in sys.modules:
            return sys.modules["numpy"].array(ids)
    return IdRow(ids)
