# SPDX-License-Identifier: Apache-2.0
"""Quantized files that ``from_pretrained`` made, kept for the next start.

One file for each source, state of its files and type. A file appears whole or not at all; whoever
comes second while it is being written waits. XINGLIN_CACHE or XDG_CACHE_HOME say where;
XINGLIN_CACHE=off keeps nothing.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from ..convert import llm_convert
from ..errors import NoSpaceError, UsageError

_ELSEWHERE = "from_pretrained(cache_dir=...) or XINGLIN_CACHE name another place"
REVISION = 1  # of what conversion writes; another number ignores older files


def cache_directory() -> Path | None:
    """None: nothing is to be kept."""
    given = os.environ.get("XINGLIN_CACHE", "")
    if given == "off":
        return None
    if given:
        return Path(given) / "python"
    home = os.environ.get("XDG_CACHE_HOME", "")
    return Path(home if home.startswith("/") else Path.home() / ".cache") / "xinglin/python"


def _digest(*parts: object) -> str:
    return hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:12]


def _state(source: Path) -> str:
    """Names, sizes and times of all files that the result may depend on."""
    files = [source] if source.is_file() else sorted(p for p in source.iterdir() if p.is_file())
    facts = []
    for file in files:
        info = file.stat()
        facts.append((file.name, info.st_size, info.st_mtime_ns, info.st_ino))
    return _digest(REVISION, facts)


@contextlib.contextmanager
def _turn(path: Path) -> Iterator[None]:
    """One process or thread at a time; the kernel ends the turn of one that dies."""
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _convert_into(folder: Path, source: Path, outtype: str, keep: Sequence[str], threads: int,
                  tokenizer: str | None) -> Path:
    options = {"keep": list(keep)} if keep else {}
    return Path(
        llm_convert(source, folder, outtype=outtype, model_format="auto", threads=threads,
                    tokenizer_path=tokenizer, **options)  # type: ignore[arg-type]
    )


def converted(
    source: Path,
    outtype: str,
    *,
    keep: Sequence[str] = (),
    threads: int = 0,
    tokenizer: str | None = None,
    directory: Path,
) -> Path:
    """A GGUF file of ``outtype`` made from ``source``, from the cache if it was made before."""
    place = source.resolve()
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", place.stem if place.is_file() else place.name)[:80]
    origin = _digest(place, sorted(keep), tokenizer or "")
    stem = f"{name}-{outtype}-{origin}"
    root = directory
    target = root / f"{stem}-{_state(place)}.gguf"
    if target.exists():
        return target
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(root, os.W_OK):
            raise PermissionError(errno.EACCES, "cannot be written", str(root))
    except OSError as problem:
        raise UsageError(f"{root}: {problem.strerror}; {_ELSEWHERE}") from None
    with _turn(root / f"{stem}.lock"):
        if target.exists():
            return target
        temporary = Path(tempfile.mkdtemp(prefix=".converting-", dir=root))
        try:
            made = _convert_into(temporary, place, outtype, keep, threads, tokenizer)
            os.replace(made, target)
        except NoSpaceError as problem:
            raise NoSpaceError(f"{problem}; {_ELSEWHERE}") from None
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
        for other in root.glob(f"{stem}-*.gguf"):  # of files that have changed since
            if other != target:
                other.unlink(missing_ok=True)
    return target
