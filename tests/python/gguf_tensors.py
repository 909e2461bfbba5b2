# SPDX-License-Identifier: Apache-2.0
"""The tensors of a GGUF file as bytes, read without the library: for tests of what it wrote."""

import pathlib
import struct

_SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}  # of metadata types
_BLOCKS = {  # id: name, elements, bytes of a block
    0: ("f32", 1, 4),
    1: ("f16", 1, 2),
    2: ("q4_0", 32, 18),
    3: ("q4_1", 32, 20),
    6: ("q5_0", 32, 22),
    7: ("q5_1", 32, 24),
    8: ("q8_0", 32, 34),
    14: ("q6_k", 256, 210),
    30: ("bf16", 1, 2),
}


class _Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        (value,) = struct.unpack_from("<" + form, self.data, self.at)
        self.at += struct.calcsize(form)
        return value

    def text(self):
        size = self.number("Q")
        self.at += size
        return self.data[self.at - size : self.at].decode()

    def skip_value(self, kind):
        if kind == 8:
            self.text()
        elif kind == 9:
            inner, n = self.number("I"), self.number("Q")
            for _ in range(n):
                self.skip_value(inner)
        else:
            self.at += _SIZES[kind]


def read_tensors(path):
    """{name: (type's name, shape with rows first, bytes)}"""
    reader = _Reader(pathlib.Path(path).read_bytes())
    assert reader.data[:4] == b"GGUF"
    reader.at = 8
    n_tensors, n_values = reader.number("Q"), reader.number("Q")
    for _ in range(n_values):
        reader.text()
        reader.skip_value(reader.number("I"))
    entries = []
    for _ in range(n_tensors):
        name = reader.text()
        dims = [reader.number("Q") for _ in range(reader.number("I"))]
        entries.append((name, reader.number("I"), dims, reader.number("Q")))
    start = -(-reader.at // 32) * 32
    found = {}
    for name, kind, dims, offset in entries:
        type_name, elements, block_bytes = _BLOCKS[kind]
        size = block_bytes
        for dim in dims:
            size *= dim
        at = start + offset
        found[name] = (type_name, dims[::-1], reader.data[at : at + size // elements])
    return found


def values_of(type_name, shape, data):
    """What blocks of q4_0, q4_1 and q8_0 say, by their definition, as a float32 NumPy array."""
    import numpy

    n_bytes = {"q4_0": 18, "q4_1": 20, "q8_0": 34}[type_name]
    blocks = numpy.frombuffer(data, numpy.uint8).reshape(-1, n_bytes)
    scale = blocks[:, :2].copy().view(numpy.float16).astype(numpy.float32)
    if type_name == "q8_0":
        values = scale * blocks[:, 2:].copy().view(numpy.int8).astype(numpy.float32)
    else:
        nibbles = blocks[:, -16:]
        codes = numpy.concatenate([nibbles & 15, nibbles >> 4], axis=1).astype(numpy.float32)
        if type_name == "q4_0":
            values = scale * (codes - numpy.float32(8))
        else:
            values = scale * codes + blocks[:, 2:4].copy().view(numpy.float16).astype(numpy.float32)
    return values.reshape(shape)
