# SPDX-License-Identifier: Apache-2.0
"""The package as a stranger gets it: sdist, wheel, `pip install .` into a fresh environment.

Compiling takes a minute; the build directory is kept between runs (build/wheel).
"""

import json
import os
import pathlib
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
    """Made from a copy of what the sdist holds is the rule; here from the tree, which is faster."""
    out = tmp_path_factory.mktemp("wheel")
    call(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out,
         "-C", f"build-dir={root / 'build/wheel'}", root, env=outside())
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
    """Only a C library is asked of the system beside what auditwheel can put into the wheel."""
    pytest.importorskip("auditwheel")
    said = call(sys.executable, "-m", "auditwheel", "show", wheel)
    assert "manylinux_2_" in said, said


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
