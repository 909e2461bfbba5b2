# SPDX-License-Identifier: Apache-2.0
"""Every token's last hidden state, which pooling would have made one vector of."""

from __future__ import annotations

import ctypes

from .. import _native as native
from ..engine import Engine


def hidden_states(engine: Engine, ids: list[int]) -> memoryview[float]:
    """Floats of shape (tokens, n_embd), behind the model's final norm."""
    array, n = native.token_array(ids)
    n_embd = engine.info.n_embd
    pointers = (ctypes.c_void_p * 1)(ctypes.addressof(array))
    lengths = (ctypes.c_size_t * 1)(n)
    rows, error = (ctypes.c_float * (n * n_embd))(), native.Error()
    with engine._handle.use() as pointer:
        status = native.lib.xl_embed(
            pointer, pointers, lengths, 1, native.POOLING_NONE, False, rows, ctypes.byref(error)
        )
    native.check(status, error)
    return memoryview(rows).cast("B").cast("f", (n, n_embd))
