#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Golden bytes for the block formats: random blocks and the floats they mean.

The oracle is the numpy package `gguf` (pip install gguf). Writes blocks.bin beside this script:
per type, little-endian: u32 type id, u32 number of elements, u32 bytes of blocks, the blocks, the
elements as float32.
"""
import pathlib
import struct

import gguf
import numpy as np

Type = gguf.GGMLQuantizationType
# Offsets of the half-float fields in a block: they get finite values of all sizes, because random
# bits would give NaN now and then.
HALVES = {
    Type.F16: [0], Type.BF16: [0], Type.Q4_0: [0], Type.Q4_1: [0, 2], Type.Q5_0: [0],
    Type.Q5_1: [0, 2], Type.Q8_0: [0], Type.Q2_K: [80, 82], Type.Q3_K: [108], Type.Q4_K: [0, 2],
    Type.Q5_K: [0, 2], Type.Q6_K: [208], Type.IQ4_NL: [0], Type.IQ4_XS: [0],
}


def make(kind: Type, rng: np.random.Generator) -> bytes:
    elements, size = gguf.GGML_QUANT_SIZES[kind]
    n_blocks = {1: 64, 32: 4, 256: 2}[elements]
    blocks = rng.integers(0, 256, (n_blocks, size), dtype=np.uint8)
    for row in blocks:
        for offset in HALVES[kind]:
            value = np.float16(rng.choice([-1, 1]) * 2.0 ** rng.uniform(-20, 6))
            row[offset:offset + 2] = np.frombuffer(value.tobytes(), np.uint8)
    floats = gguf.quants.dequantize(blocks.reshape(1, -1), kind).astype("<f4").reshape(-1)
    assert np.isfinite(floats).all() and floats.size == n_blocks * elements
    header = struct.pack("<III", int(kind), floats.size, blocks.size)
    return header + blocks.tobytes() + floats.tobytes()


def main() -> None:
    rng = np.random.default_rng(20240117)
    path = pathlib.Path(__file__).with_name("blocks.bin")
    path.write_bytes(b"".join(make(kind, rng) for kind in HALVES))
    print(f"{path}: {path.stat().st_size} bytes, {len(HALVES)} types")


if __name__ == "__main__":
    main()
