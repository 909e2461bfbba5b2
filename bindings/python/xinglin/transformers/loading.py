# SPDX-License-Identifier: Apache-2.0
"""From the arguments of ``from_pretrained`` to an open engine: what each argument means, which type
is wanted, whether the file is of that type already, and else its conversion."""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..convert import convert_types, inspect
from ..engine import Engine
from ..errors import BadInputError, NotFoundError, UnsupportedError, UsageError
from .configuration import read_json
from .conversion_cache import cache_directory, converted
from .generate_arguments import KNOWN as GENERATION_NAMES

MARK = "xinglin.json"  # in a directory that save_low_bit wrote
DEFAULT_LOW_BIT = "sym_int4"

_ALIASES = {
    "gguf_q4k_m": "q4_k_m",
    "gguf_q4k_s": "q4_k",
    "int4": "sym_int4",
    "int8": "sym_int8",
    "float32": "fp32",
    "float16": "fp16",
    "half": "fp16",
    "float": "fp32",
    "bfloat16": "bf16",
    "f32": "fp32",
    "f16": "fp16",
}
_FILE_TYPES = {0: "f32", 1: "f16", 2: "q4_0", 3: "q4_1", 7: "q8_0", 8: "q5_0", 9: "q5_1",
               10: "q2_k", 11: "q3_k", 12: "q3_k", 13: "q3_k", 14: "q4_k", 15: "q4_k", 16: "q5_k",
               17: "q5_k", 18: "q6_k", 32: "bf16"}  # fmt: skip
_SAME = {"sym_int4": "q4_0", "asym_int4": "q4_1", "sym_int5": "q5_0", "asym_int5": "q5_1",
         "sym_int8": "q8_0", "fp32": "f32", "fp16": "f16", "q4_k_m": "q4_k"}
_INSTEAD = {
    "nf4": "asym_int4 or q4_k_m", "nf3": "q4_k_m", "fp4": "q4_k_m", "mixed_fp4": "q4_k_m",
    "fp8": "sym_int8", "fp8_e4m3": "sym_int8", "fp8_e5m2": "sym_int8", "mixed_fp8": "sym_int8",
    "torch_fp8": "sym_int8", "torch_fp8_e4m3": "sym_int8", "torch_fp8_e5m2": "sym_int8",
    "fp6": "q6_k", "fp6_k": "q6_k", "q2_k": "q4_k_m", "woq_int4": "sym_int4",
    "gguf_iq2_xxs": "q4_k_m", "gguf_iq2_xs": "q4_k_m", "gguf_iq1_s": "q4_k_m",
    "gguf_iq1_m": "q4_k_m", "sym_int4_rtn": "sym_int4", "sym_int8_rtn": "sym_int8",
    "asym_int4_rtn": "asym_int4",
}  # fmt: skip
_BITS = {"f32": 32, "f16": 16, "bf16": 16, "q8_0": 8, "q6_k": 6, "q5_0": 5, "q5_1": 5, "q5_k": 5,
         "q4_0": 4, "q4_1": 4, "q4_k": 4, "q3_k": 3, "q2_k": 2}  # fmt: skip

# Accepted and without effect on a CPU engine that reads files, not modules.
_IGNORED = frozenset(
    "optimize_model trust_remote_code low_cpu_mem_usage use_cache cpu_embedding lightweight_bmm "
    "replace_embedding pretraining_tp attn_implementation use_safetensors local_files_only "
    "revision code_revision token use_auth_token force_download resume_download proxies "
    "mirror subfolder_ variant weights_only ignore_mismatched_sizes embedding_qtype "
    "mixed_precision use_fast legacy padding_side tie_word_embeddings low_memory "
    "offload_folder offload_state_dict max_memory use_kernels experts_implementation".split()
)
_REFUSED = {
    "quantization_config": "say load_in_4bit=True or load_in_low_bit=<type>",
    "state_dict": "save the weights to a directory and load that",
    "gguf_file": "pass the path of the GGUF file itself",
    "subfolder": "pass the path of the folder itself",
    "imatrix": "none of the types needs an importance matrix",
    "speculative": "drafts come from the text itself: generate(prompt_lookup_num_tokens=...)",
    "pipeline_parallel_stages": "one process uses all cores",
    "adapter_kwargs": "merge the adapter into the checkpoint first",
    "output_loading_info": "xinglin.inspect(path) describes the file",
}


@dataclass
class Request:
    """What ``from_pretrained`` was asked for."""

    path: Path
    low_bit: str | None = None  # None: as the file is
    is_exact: bool = False  # a type was named, not just "4 bits"
    keep: list[str] = field(default_factory=list)
    tokenizer: str | None = None
    cache_dir: Path | None = None
    engine: dict[str, Any] = field(default_factory=dict)  # of xinglin.Engine
    generation: dict[str, Any] = field(default_factory=dict)


@dataclass
class Loaded:
    """An open engine, the GGUF file or directory it runs, and the source's own directory."""

    engine: Engine
    file: Path
    low_bit: str | None
    source: Path
    directory: Path | None
    temporary: Any = None  # of the file, if nothing may be kept


def local_path(name: Any, what: str = "model") -> Path:
    """A path that exists; a name of a hub says how to get the files, since nothing is fetched."""
    try:
        path = Path(os.fspath(name)).expanduser()
    except TypeError:
        raise UsageError(f"the {what} is a path, not {type(name).__name__}") from None
    if "\0" in str(path):
        raise UsageError("a path must not contain NUL characters")
    text = str(name)
    if not text:
        raise UsageError(f"the {what} is a path, not an empty text")
    try:
        if path.exists():
            return path
    except OSError as problem:  # longer than names may be
        raise NotFoundError(f"{text[:80]}…: {problem.strerror}") from None
    if text.count("/") == 1 and not text.startswith((".", "/", "~")):
        folder = text.split("/")[1]
        raise NotFoundError(
            f"{text} is no directory or file here, and nothing is fetched from the network; "
            f"download it once, for example with `hf download {text} --local-dir {folder}` or "
            f"`modelscope download --model {text} --local_dir {folder}`, and pass that directory"
        )
    raise NotFoundError(f"{text}: no such {what} directory or file")


def low_bit_type(name: Any) -> str:
    """The name under which ``llm_convert`` knows a type."""
    if not isinstance(name, str):
        raise UsageError(f"load_in_low_bit is the name of a type, not {name!r}")
    lower = name.lower()
    lower = _ALIASES.get(lower, lower)
    if lower in convert_types() or lower in ("sym_int5", "asym_int5"):
        return lower
    known = ", ".join(convert_types())
    if lower in _INSTEAD:
        raise UnsupportedError(f"load_in_low_bit={name!r} does not run on a CPU; use "
                               f"{_INSTEAD[lower]} (there are {known})")
    raise UsageError(f"load_in_low_bit={name!r}: there are {known}")


def _dtype_name(value: Any) -> str | None:
    """``torch.bfloat16``, "bfloat16", "auto"."""
    if value is None or value == "auto":
        return None
    name = str(value).removeprefix("torch.")
    if name not in ("float32", "float16", "bfloat16", "float", "half"):
        raise UsageError(f"torch_dtype={value!r}: there are float32, float16, bfloat16 and auto")
    return _ALIASES[name]


def _check_device(value: Any) -> None:
    places = list(value.values()) if isinstance(value, Mapping) else [value]
    for place in places:
        if place is not None and str(place) not in ("cpu", "auto", "balanced", "sequential"):
            raise UnsupportedError(f"device_map={value!r}: the engine runs on the CPU only")


def read_request(name: Any, arguments: Mapping[str, Any]) -> Request:
    """Checks every argument, whether or not it has an effect."""
    given = dict(arguments)
    in_4bit, in_8bit = given.pop("load_in_4bit", False), given.pop("load_in_8bit", False)
    low_bit = given.pop("load_in_low_bit", None)
    dtype = _dtype_name(given.pop("dtype", None) or given.pop("torch_dtype", None))
    given.pop("torch_dtype", None)
    _check_device(given.pop("device_map", None))
    _check_device(given.pop("device", None))
    request = Request(local_path(name))
    for option in ("threads", "threads_batch", "context", "chunk", "isa", "kv_type", "family"):
        if given.get(option) is not None:
            request.engine[option] = given[option]
        given.pop(option, None)
    hub = given.pop("model_hub", "huggingface")
    if hub not in ("huggingface", "modelscope"):
        raise UsageError(f"model_hub={hub!r}: there are huggingface and modelscope")
    longest = given.pop("max_position_embeddings", None)
    if longest is not None:
        request.engine.setdefault("context", longest)
    keep = given.pop("modules_to_not_convert", None)
    if keep is not None and not isinstance(keep, (str, list, tuple, set, frozenset)):
        raise UsageError(f"modules_to_not_convert is a list of names, not {keep!r}")
    request.keep = [keep] if isinstance(keep, str) else list(keep or ())
    tokenizer = given.pop("tokenizer_path", None)
    request.tokenizer = None if tokenizer is None else str(local_path(tokenizer, "tokenizer"))
    cache_dir = given.pop("cache_dir", None)
    if cache_dir is not None and not isinstance(cache_dir, (str, os.PathLike)):
        raise UsageError(f"cache_dir is a path, not {cache_dir!r}")
    request.cache_dir = cache_directory() if cache_dir is None else Path(cache_dir).expanduser()
    _sort_out(given, request)
    if low_bit is not None:
        request.low_bit, request.is_exact = low_bit_type(low_bit), True
    elif in_4bit or in_8bit:
        request.low_bit = DEFAULT_LOW_BIT if in_4bit else "sym_int8"
    else:
        request.low_bit = dtype
    return request


def _sort_out(given: dict[str, Any], request: Request) -> None:
    """What is left: of no effect, defaults of generation, refused or unknown."""
    for name, value in given.items():
        if name in _REFUSED:
            if value:
                raise UnsupportedError(f"from_pretrained({name}=...) is not supported: "
                                       f"{_REFUSED[name]}")
        elif name in GENERATION_NAMES and name not in ("use_cache", "trust_remote_code"):
            request.generation[name] = value
        elif name not in _IGNORED:
            raise UsageError(
                f"from_pretrained() has no argument {name!r}; besides those of transformers there "
                "are load_in_4bit, load_in_low_bit, modules_to_not_convert, threads, context, "
                "kv_type, isa, cache_dir and tokenizer_path"
            )


def weight_type(found: Mapping[str, Any]) -> str:
    """The type of an inspected model: what a GGUF file says, else that of most weights."""
    said = found["metadata"].get("general.file_type") if found["format"] == "gguf" else None
    if isinstance(said, int) and said in _FILE_TYPES:
        return _FILE_TYPES[said]
    totals: dict[str, int] = {}
    for tensor in found["tensors"]:
        if len(tensor["shape"]) > 1 and tensor["name"] != "token_embd.weight":
            totals[tensor["type"]] = totals.get(tensor["type"], 0) + int(tensor["bytes"])
    kind = max(totals, key=lambda name: totals[name], default="unknown")
    return kind.lower()


def _needs_conversion(request: Request, path: Path) -> bool:
    """False if the file is of the wanted type already."""
    if request.low_bit is None:
        return False
    found = inspect(path)
    have = weight_type(found)
    want = _SAME.get(request.low_bit, request.low_bit)
    if have == want and not request.keep:
        return False
    have_bits, want_bits = _BITS.get(have, 0), _BITS.get(want, 16)
    if have_bits in (16, 32):
        return True
    if want_bits >= 16:  # a dtype: what is quantized stays so
        return False
    if have_bits == want_bits and not request.is_exact:
        return False
    if have_bits > want_bits and have_bits >= 8:
        return True
    raise UsageError(
        f"{path} is quantized already ({have}); a second time would only lose precision. Leave "
        f"out load_in_low_bit={request.low_bit!r}, or convert the original checkpoint"
    )


def read_mark(directory: Path) -> dict[str, Any]:
    """What save_low_bit wrote about its directory; empty if it is no such directory."""
    mark = read_json(directory / MARK) if directory.is_dir() else {}
    if not mark:
        return {}
    file = mark.get("file")
    is_ours = mark.get("format") == "xinglin-low-bit" and isinstance(mark.get("type"), str)
    if not is_ours or not isinstance(file, str) or "/" in file:
        raise BadInputError(f"{directory / MARK}: is not what save_low_bit writes")
    return mark


def _in_directory(path: Path) -> tuple[Path, str | None]:
    """The file of a save_low_bit directory, or of one that holds a single GGUF file and no
    checkpoint; else the path itself."""
    if not path.is_dir():
        return path, None
    mark = read_mark(path)
    if mark:
        file = path / str(mark["file"])
        if not file.is_file():
            raise NotFoundError(f"{file}: is missing; the directory was saved as a whole")
        return file, mark.get("type")
    weights = [f for f in path.iterdir() if f.suffix in (".safetensors", ".bin", ".pth", ".pt")]
    files = sorted(path.glob("*.gguf"))
    if weights or not files:
        return path, None
    if len(files) > 1:
        raise UsageError(f"{path} holds {len(files)} GGUF files; pass the one to load")
    return files[0], None


def load(request: Request) -> Loaded:
    """Converts if that is needed, and opens the engine."""
    file, saved_type = _in_directory(request.path)
    directory = request.path if request.path.is_dir() else None
    if not _needs_conversion(request, file):
        if request.keep and request.low_bit is not None:
            raise UsageError("modules_to_not_convert needs the original checkpoint")
        engine = Engine(file, **request.engine)
        kind = saved_type or _quantized_type(file)
        return Loaded(engine, file, kind, request.path, directory)
    assert request.low_bit is not None
    temporary, folder = None, request.cache_dir
    if folder is None:
        temporary = tempfile.TemporaryDirectory(prefix="xinglin-")
        folder = Path(temporary.name)
    made = converted(
        file,
        request.low_bit,
        keep=request.keep,
        tokenizer=request.tokenizer,
        threads=int(request.engine.get("threads", 0)),
        directory=folder,
    )
    engine = Engine(made, **request.engine)
    return Loaded(engine, made, request.low_bit, request.path, directory, temporary)


def _quantized_type(file: Path) -> str | None:
    """None: nothing is quantized."""
    kind = weight_type(inspect(file))
    return None if _BITS.get(kind, 0) >= 16 else kind


def save_mark(directory: Path, file: str, low_bit: str) -> None:
    """Written last: a directory without it was not saved whole."""
    mark = {"format": "xinglin-low-bit", "version": 1, "file": file, "type": low_bit}
    with new_file(directory / MARK) as temporary:
        temporary.write_text(json.dumps(mark, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A file to write, which takes the target's place whole or not at all; several may try."""
    unique = f".{os.getpid()}-{threading.get_ident()}.new"
    temporary = target.with_name(target.name + unique)
    try:
        yield temporary
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
