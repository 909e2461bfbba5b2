# SPDX-License-Identifier: Apache-2.0
"""The package as a stranger gets it: sdist, wheel, `pip install .` into a fresh environment.

Compiling takes a minute; the build directory is kept between runs (build/wheel-portable).
"""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile
import venv
import zipfile

import pytest

SNIPPET = """
import json, sys
from xinglin import Engine, llm_convert
path = llm_convert(sys.argv[1], sys.argv[2], "llama", "int4", "pth")
with Engine(path) as model:
    ids = model.tokenize("Once upon a time")
    output = model.generate(ids, max_tokens=32)
    print(json.dumps({"text": model.detokenize(ids + output.tokens), "loaded": sorted(
        name for name in ("torch", "transformers", "numpy", "langchain_core") if name in sys.modules)}))
"""

SEED = """
import json, sys
import xinglin
from xinglin.transformers import AutoModelForCausalLM, AutoTokenizer, TextStreamer
path = sys.argv[1]
model = AutoModelForCausalLM.from_pretrained(path, load_in_4bit=True, trust_remote_code=True)
tokenizer = AutoTokenizer.from_pretrained(path, trust_remote_code=True)
input_ids = tokenizer.encode("Once upon a time")
output = model.generate(input_ids, max_new_tokens=32)
text = tokenizer.decode(output, skip_special_tokens=True)
model.save_low_bit(sys.argv[2])
again = AutoModelForCausalLM.load_low_bit(sys.argv[2])
assert again.generate(input_ids, max_new_tokens=32) == output
errors = []
for module in ("xinglin.langchain", "xinglin.qat"):
    try:
        __import__(module)
    except ImportError as error:
        errors.append(str(error))
types = sorted({tensor["type"] for tensor in xinglin.inspect(sys.argv[2])["tensors"]})
print(json.dumps({"text": text, "types": types, "errors": errors}))
"""


def call(*command, **options):
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def outside(**extra):
    """An environment in which nothing of the source tree is found."""
    hidden = ("PYTHONPATH", "XINGLIN_LIBRARY")
    return {**{name: value for name, value in os.environ.items() if name not in hidden}, **extra}


@pytest.fixture(scope="module")
def tools():
    for module in ("scikit_build_core", "build"):
        pytest.importorskip(module)
    for program in ("cmake", "pkg-config", "cc"):
        if not shutil.which(program):
            pytest.skip(f"no {program}")


@pytest.fixture(scope="module")
def sdist(tools, root, tmp_path_factory):
    out = tmp_path_factory.mktemp("sdist")
    call(sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", out, root,
         env=outside())
    return next(out.glob("xinglin-*.tar.gz"))


@pytest.fixture(scope="module")
def wheel(tools, root, tmp_path_factory):
    """As scripts/wheel makes it, from the tree, which is faster than from the sdist."""
    out = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out,
         "-C", f"build-dir={root / 'build/wheel-portable'}", "-C", "cmake.define.XINGLIN_LIBZIP=OFF",
         "-C", "cmake.define.XINGLIN_OLD_GLIBC=ON", root, env=outside())
    return next(out.glob("xinglin-*.whl"))


def test_sdist_has_the_sources_and_nothing_large(sdist):
    with tarfile.open(sdist) as archive:
        names = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    wanted = {"CMakeLists.txt", "LICENSE", "pyproject.toml", "include/xinglin/xinglin.h",
              "src/engine/engine_open.c", "cmake/exports.map", "bindings/python/xinglin/py.typed"}
    assert wanted <= names
    assert not [name for name in names if name.startswith(("tests/", "bench/", "build/", "."))]
    assert sdist.stat().st_size < 2 << 20


def test_sdist_configures(sdist, tmp_path):
    """Whatever CMake reads is in it."""
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")
    source = next(path for path in tmp_path.iterdir() if path.is_dir())
    call("cmake", "-S", source, "-B", tmp_path / "b", "-DXINGLIN_TESTS=OFF", "-DXINGLIN_TOOLS=OFF",
         "-DSKBUILD=ON")
    sources = [path for path in (source / "src").rglob("CMakeLists.txt")]
    assert len(sources) > 8


def test_wheel(wheel):
    assert "-py3-none-" in wheel.name and "x86_64" in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    libraries = [name for name in names if ".so" in name]
    assert libraries == ["xinglin/lib/libxinglin.so"]
    assert {"xinglin/__init__.py", "xinglin/py.typed", "xinglin/_native.py"} <= set(names)
    assert not [name for name in names if "__pycache__" in name or name.endswith(".h")]


def test_every_level_is_inside(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        library = pathlib.Path(archive.extract("xinglin/lib/libxinglin.so", tmp_path))
    data = library.read_bytes()
    for level in (b"scalar", b"avx2", b"avx512", b"amx"):
        assert level in data
    exported = call("nm", "-D", "--defined-only", library)
    assert all(line.split()[-1].startswith("xl_") for line in exported.splitlines())


def test_auditwheel(wheel):
    """A C library of 2018 is asked of the system beside what auditwheel puts into the wheel."""
    pytest.importorskip("auditwheel")
    said = call(sys.executable, "-m", "auditwheel", "show", wheel)
    found = [tuple(map(int, tag)) for tag in re.findall(r"manylinux_(\d+)_(\d+)", said)]
    assert found and min(found) <= (2, 28), said


def test_installed(wheel, stories, tmp_path):
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    call(python, "-m", "pip", "install", "-q", "--no-deps", "--no-index", wheel, env=outside())
    environment = outside(XINGLIN_CACHE="off")
    said = json.loads(call(python, "-c", SNIPPET, stories / "safetensors", tmp_path / "out",
                           cwd=tmp_path, env=environment))
    assert said["text"].startswith("Once upon a time, ") and said["loaded"] == []
    version = call(python, "-m", "pip", "show", "xinglin", env=environment)
    mine = call(python, "-c", "import xinglin; print(xinglin.__version__)", env=environment).strip()
    assert f"Version: {mine}\n" in version


def test_seed_in_a_fresh_environment(wheel, stories, tmp_path):
    """The talk's program with its import changed; nothing but the wheel is installed."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    call(python, "-m", "pip", "install", "-q", "--no-index", wheel, env=outside())
    environment = outside(XDG_CACHE_HOME=str(tmp_path / "cache"))
    said = json.loads(call(python, "-c", SEED, stories / "safetensors", tmp_path / "saved",
                           cwd=tmp_path, env=environment))
    assert said["text"].startswith("Once upon a time, ") and "q4_0" in said["types"]
    assert "xinglin[langchain]" in said["errors"][0] and "needs torch" in said["errors"][1]


def test_without_library(root, tmp_path):
    shutil.copytree(root / "bindings/python/xinglin", tmp_path / "xinglin")
    other = tmp_path / "other.so"
    other.write_text("no library")
    for extra, word in (({}, "not in the package"), ({"XINGLIN_LIBRARY": str(other)}, "other.so")):
        done = subprocess.run([sys.executable, "-c", "import xinglin"], cwd=tmp_path, text=True,
                              capture_output=True, env=outside(**extra))
        last = done.stderr.strip().splitlines()[-1]
        assert done.returncode == 1 and last.startswith("ImportError"), done.stderr
        assert word in last and "pip install ." in last
