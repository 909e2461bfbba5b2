# SPDX-License-Identifier: Apache-2.0
"""Reads the expected texts of llama.cpp's tests/test-chat-template.cpp out of its C++ source."""
import re

STRING = re.compile(r'"((?:[^"\\\n]|\\.)*)"', re.S)
SIMPLE = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "'": "'", "\\": "\\", "0": "\0"}


class Case:
    def __init__(self, name, template, expected, with_jinja, context):
        self.name, self.template, self.expected = name, template, expected
        self.with_jinja, self.context = with_jinja, context


def unescape(literal):
    return re.sub(r"\\(.)", lambda match: SIMPLE[match.group(1)], literal, flags=re.S)


def strings(text):
    return [unescape(match.group(1)) for match in STRING.finditer(text)]


def messages(text):
    """Pairs {"role", "content"} of a C++ initializer."""
    found = strings(text)
    return [{"role": role, "content": content} for role, content in zip(found[::2], found[1::2])]


def field(case, name):
    """The text after the comment that names a field, up to the next such comment."""
    match = re.search(r"/\* \." + name + r"=? ?=?\s*\*/(.*?)(?=/\* \.|\Z)", case, re.S)
    return match.group(1) if match else ""


def without_comments(text):
    return "\n".join(line for line in text.split("\n") if not line.strip().startswith("//"))


def read(source):
    source = without_comments(source)
    start = source.index("conversation {")
    conversation = messages(source[start:source.index("};", start)])
    table = source[source.index("test_cases {"):]
    table = table[:table.index("\n    };")]
    cases = []
    for part in re.split(r"(?=/\* \.name=)", table)[1:]:
        name = strings(field(part, "name"))[0]
        template = "".join(strings(field(part, "template_str")))
        expected = "".join(strings(field(part, "expected_output")))
        with_jinja = "".join(strings(field(part, "expected_output_jinja")))
        supported = "false" not in field(part, "supported_with_jinja")
        bos = (strings(field(part, "bos_token")) or [""])[0]
        eos = (strings(field(part, "eos_token")) or [""])[0]
        context = {"messages": conversation + messages(field(part, "extra_conversation")),
                   "bos_token": bos, "eos_token": eos, "add_generation_prompt": True}
        cases.append(Case(name, template, with_jinja or expected, supported, context))
    return cases
