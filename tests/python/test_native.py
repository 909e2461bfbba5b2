# SPDX-License-Identifier: Apache-2.0
"""The ctypes mirror of xinglin.h is what the C compiler makes of the header."""

import ctypes
import importlib.util
import re
import subprocess
import sys

import pytest

from xinglin import _native as native

UNUSED = {  # functions that Python has no use for
    "xl_status_name",
    "xl_status_exit_code",
    "xl_prefix_key_create",
}


@pytest.fixture(scope="module")
def header(root):
    text = (root / "include/xinglin/xinglin.h").read_text(encoding="utf-8")
    return re.sub(r"//[^\n]*", "", text)


def ask_compiler(root, compiler, tmp_path, lines):
    source = tmp_path / "layout.c"
    body = "\n".join(lines)
    source.write_text(
        "#include <stddef.h>\n#include <stdio.h>\n#include <xinglin/xinglin.h>\n"
        f"int main(void) {{\n{body}\nreturn 0;\n}}\n"
    )
    program = tmp_path / "layout"
    subprocess.run([compiler, f"-I{root / 'include'}", "-o", program, source], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=True)
    return dict(line.split("=") for line in done.stdout.split())


def print_line(key, expression):
    return f'printf("{key}=%lld\\n", (long long)({expression}));'


def test_layouts(root, compiler, tmp_path):
    lines = []
    for name, structure in native.STRUCTURES.items():
        lines.append(print_line(name, f"sizeof({name})"))
        for field, *_ in structure._fields_:
            lines.append(print_line(f"{name}.{field}", f"offsetof({name}, {field})"))
            lines.append(print_line(f"{name}.{field}.size", f"sizeof((({name} *)0)->{field})"))
    said = ask_compiler(root, compiler, tmp_path, lines)
    for name, structure in native.STRUCTURES.items():
        assert ctypes.sizeof(structure) == int(said[name]), name
        for field, *_ in structure._fields_:
            mine = getattr(structure, field)
            assert mine.offset == int(said[f"{name}.{field}"]), f"{name}.{field}"
            assert mine.size == int(said[f"{name}.{field}.size"]), f"{name}.{field}"


def test_every_structure_and_field(header):
    found = {}
    for body, name in re.findall(r"typedef struct \w+ \{(.*?)\} (\w+);", header, re.S):
        fields = []
        for statement in body.split(";"):
            function = re.search(r"\(\*(\w+)\)", statement)
            if function:
                fields.append(function.group(1))
                continue
            plain = re.sub(r"\[\w+\]", "", statement).strip()
            if plain:
                first, *rest = plain.split(",")
                names = [first.split()[-1], *rest]
                fields += [part.strip().lstrip("*") for part in names]
        found[name] = fields
    assert found.keys() == native.STRUCTURES.keys()
    for name, fields in found.items():
        assert fields == [field for field, *_ in native.STRUCTURES[name]._fields_], name


def test_every_function(header):
    declared = re.findall(r"XL_API\s+[\w\s]+?[\s*]*(?:const \*)?(xl_\w+)\(([^;]*?)\);", header, re.S)
    names = {name for name, _ in declared}
    assert names - UNUSED == set(native._FUNCTIONS)
    for name, parameters in declared:
        if name in UNUSED:
            continue
        n = 0 if parameters.strip() in ("void", "") else parameters.count(",") + 1
        assert len(native._FUNCTIONS[name][1]) == n, name


def test_enumerations(root, compiler, tmp_path):
    values = {"XL_OK": native.STATUS_OK, "XL_CANCELLED": native.STATUS_CANCELLED}
    for number, name in enumerate(native.FINISH_NAMES):
        values[f"XL_FINISH_{name.upper()}"] = number
    for name, number in native.KV_TYPES.items():
        values[f"XL_KV_{'I8' if name == 'int8' else name.upper()}"] = number
    for name, number in native.POOLINGS.items():
        values[f"XL_POOLING_{name.upper()}"] = number
    from xinglin import errors

    for number, kind in errors._BY_STATUS.items():
        name = {
            "UsageError": "USAGE",
            "BadInputError": "BAD_INPUT",
            "UnsupportedError": "UNSUPPORTED",
            "NotFoundError": "NOT_FOUND",
            "OutOfMemoryError": "NO_MEMORY",
            "NoSpaceError": "NO_SPACE",
            "ContextFullError": "CONTEXT_FULL",
            "CancelledError": "CANCELLED",
            "VerificationError": "VERIFY",
        }[kind.__name__]
        values[f"XL_{name}"] = number
    said = ask_compiler(root, compiler, tmp_path, [print_line(name, name) for name in values])
    assert {name: int(number) for name, number in said.items()} == values


def test_types(root):
    """mypy has nothing to say, strictly; of parts whose library is not there nothing is asked."""
    pytest.importorskip("mypy")
    package = root / "bindings/python/xinglin"
    parts = [*sorted(package.glob("*.py")), package / "transformers"]
    for part, library in (("langchain", "langchain_core"), ("qat", "torch")):
        if importlib.util.find_spec(library) is not None:
            parts.append(package / part)
    done = subprocess.run(  # what it learns of large libraries is kept for the next time
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", root / "build/mypy", *parts],
        capture_output=True,
        text=True,
        cwd=root,
    )
    assert done.returncode == 0, done.stdout + done.stderr
