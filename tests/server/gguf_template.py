# SPDX-License-Identifier: Apache-2.0
"""A copy of a GGUF file with another chat template."""
import struct

SIZES = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
STRING, ARRAY = 8, 9


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def number(self, form):
        value = struct.unpack_from(form, self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def text(self):
        size = self.number("<Q")
        self.at += size
        return bytes(self.data[self.at - size:self.at])

    def skip(self, kind):
        if kind == STRING:
            self.text()
        elif kind == ARRAY:
            inner, count = self.number("<I"), self.number("<Q")
            for _ in range(count if inner in (STRING, ARRAY) else 0):
                self.skip(inner)
            self.at += 0 if inner in (STRING, ARRAY) else SIZES[inner] * count
        else:
            self.at += SIZES[kind]


def set_template(source, target, template):
    """Metadata is written anew, tensors are copied behind it, aligned as before (32)."""
    data = memoryview(source.read_bytes())
    reader = Reader(data)
    magic, n_tensors, n_pairs = bytes(data[:8]), *struct.unpack_from("<QQ", data, 8)
    reader.at = 24
    pairs = b""
    for _ in range(n_pairs):
        begin, key = reader.at, reader.text()
        reader.skip(reader.number("<I"))
        if key == b"general.alignment":
            raise ValueError("an alignment of its own")
        if key != b"tokenizer.chat_template":
            pairs += bytes(data[begin:reader.at])
    tensors = reader.at
    for _ in range(n_tensors):
        reader.text()
        n_dimensions = reader.number("<I")
        reader.at += 8 * n_dimensions + 4 + 8
    infos, payload = bytes(data[tensors:reader.at]), data[(reader.at + 31) // 32 * 32:]
    key, text = b"tokenizer.chat_template", template.encode()
    pairs += struct.pack("<Q", len(key)) + key + struct.pack("<IQ", STRING, len(text)) + text
    kept = n_pairs + 1 - (b"tokenizer.chat_template" in bytes(data[:tensors]))
    head = magic + struct.pack("<QQ", n_tensors, kept) + pairs + infos
    with open(target, "wb") as out:
        out.write(head + bytes(-len(head) % 32))
        out.write(payload)
