# SPDX-License-Identifier: Apache-2.0
"""The C interface (include/xinglin/xinglin.h) through ctypes, and nothing else.

ctypes releases the interpreter lock during every call, so other Python threads run while the engine
computes. The structures below mirror the header; tests/python/test_native.py compares their sizes
and offsets with what the C compiler says.
"""

from __future__ import annotations

import ctypes
import os
from array import array
from collections.abc import Callable
from ctypes import POINTER, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32, c_size_t
from ctypes import c_uint64, c_void_p
from pathlib import Path
from typing import Any, NoReturn

from .errors import UnsupportedError, UsageError, error_class

STATUS_OK, STATUS_CANCELLED = 0, 9
FINISH_NAMES = ("none", "end", "stop", "length", "context", "cancelled")
KV_TYPES = {"auto": 0, "f32": 1, "f16": 2, "bf16": 3, "i8": 4, "int8": 4}
POOLINGS = {"auto": 0, "mean": 1, "cls": 2, "last": 3}
POOLING_NONE = 4

OnText = ctypes.CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t)
OnToken = ctypes.CFUNCTYPE(c_int, c_void_p, c_int32)
OnProgress = ctypes.CFUNCTYPE(c_int, c_void_p, c_double, c_char_p)
OnEvent = ctypes.CFUNCTYPE(None, c_void_p, c_void_p)


class Error(ctypes.Structure):
    """xl_error"""

    _fields_ = [("status", c_int), ("message", c_char * 512)]


class EngineOptions(ctypes.Structure):
    """xl_engine_options"""

    _fields_ = [
        ("size", c_size_t),
        ("family", c_char_p),
        ("isa", c_char_p),
        ("threads", c_int),
        ("context", c_int),
        ("chunk", c_int),
        ("kv_type", c_int),
        ("threads_batch", c_int),
        ("tokenizer_only", c_bool),
    ]


class EngineInfo(ctypes.Structure):
    """xl_engine_info"""

    _fields_ = [
        ("size", c_size_t),
        ("family", c_char_p),
        ("name", c_char_p),
        ("weight_type", c_char_p),
        ("isa", c_char_p),
        ("kv_type", c_char_p),
        ("weight_bytes", c_uint64),
        ("kv_bytes", c_uint64),
        ("n_vocab", c_int),
        ("n_layers", c_int),
        ("n_embd", c_int),
        ("context", c_int),
        ("context_train", c_int),
        ("threads", c_int),
        ("has_chat_template", c_bool),
        ("load_s", c_double),
        ("weights_from", c_char_p),
    ]


class Message(ctypes.Structure):
    """xl_message"""

    _fields_ = [("role", c_char_p), ("content", c_char_p)]


class LogitBias(ctypes.Structure):
    """xl_logit_bias"""

    _fields_ = [("token", c_int32), ("bias", c_float)]


class GenerateOptions(ctypes.Structure):
    """xl_generate_options"""

    _fields_ = [
        ("size", c_size_t),
        ("max_tokens", c_int),
        ("add_special", c_bool),
        ("parse_special", c_bool),
        ("ignore_end", c_bool),
        ("temperature", c_float),
        ("top_k", c_int),
        ("top_p", c_float),
        ("min_p", c_float),
        ("repetition_penalty", c_float),
        ("presence_penalty", c_float),
        ("frequency_penalty", c_float),
        ("penalty_window", c_int),
        ("seed", c_uint64),
        ("biases", POINTER(LogitBias)),
        ("n_biases", c_size_t),
        ("stops", POINTER(c_char_p)),
        ("n_stops", c_size_t),
        ("on_text", OnText),
        ("on_token", OnToken),
        ("user", c_void_p),
        ("draft_max", c_int),
        ("grammar", c_void_p),
        ("grammar_begin", c_char_p),
    ]


class GenerateResult(ctypes.Structure):
    """xl_generate_result"""

    _fields_ = [
        ("size", c_size_t),
        ("finish", c_int),
        ("prompt_tokens", c_int),
        ("generated_tokens", c_int),
        ("tokenize_s", c_double),
        ("first_token_s", c_double),
        ("decode_s", c_double),
        ("next_token_mean_s", c_double),
        ("next_token_p50_s", c_double),
        ("next_token_p99_s", c_double),
        ("drafted_tokens", c_int),
        ("accepted_tokens", c_int),
    ]


class WorkerOptions(ctypes.Structure):
    """xl_worker_options"""

    _fields_ = [
        ("size", c_size_t),
        ("kv_bytes", c_uint64),
        ("running_max", c_int),
        ("waiting_max", c_int),
        ("prefix_dir", c_char_p),
        ("prefix_key", c_char_p),
        ("prefix_disk_bytes", c_uint64),
    ]


class TokenLogprob(ctypes.Structure):
    """xl_token_logprob"""

    _fields_ = [("token", c_int32), ("logprob", c_float)]


class RequestEvent(ctypes.Structure):
    """xl_request_event"""

    _fields_ = [
        ("is_last", c_bool),
        ("token", c_int32),
        ("text", c_void_p),
        ("text_bytes", c_size_t),
        ("logprob", c_float),
        ("logprobs", POINTER(TokenLogprob)),
        ("n_logprobs", c_int),
        ("status", c_int),
        ("error_message", c_char_p),
        ("finish", c_int),
        ("prompt_tokens", c_int),
        ("memory_tokens", c_int),
        ("disk_tokens", c_int),
        ("generated_tokens", c_int),
        ("drafted_tokens", c_int),
        ("accepted_tokens", c_int),
        ("waited_s", c_double),
        ("first_token_s", c_double),
        ("total_s", c_double),
    ]


class RequestOptions(ctypes.Structure):
    """xl_request_options"""

    _fields_ = [
        ("size", c_size_t),
        ("prompt", c_void_p),
        ("n_prompt", c_size_t),
        ("generate", POINTER(GenerateOptions)),
        ("user", c_char_p),
        ("priority", c_int),
        ("n_logprobs", c_int),
        ("no_prefix", c_bool),
        ("save_prefix", c_bool),
        ("on_event", OnEvent),
        ("user_data", c_void_p),
    ]


class WorkerStats(ctypes.Structure):
    """xl_worker_stats"""

    _fields_ = [
        ("size", c_size_t),
        ("running", c_int),
        ("waiting", c_int),
        ("kv_bytes", c_uint64),
        ("kv_used_bytes", c_uint64),
        ("kv_kept_bytes", c_uint64),
        ("requests", c_uint64),
        ("refused", c_uint64),
        ("cancelled", c_uint64),
        ("failed", c_uint64),
        ("prompt_tokens", c_uint64),
        ("memory_tokens", c_uint64),
        ("disk_tokens", c_uint64),
        ("generated_tokens", c_uint64),
        ("drafted_tokens", c_uint64),
        ("accepted_tokens", c_uint64),
        ("steps", c_uint64),
        ("step_tokens", c_uint64),
        ("prefix_files", c_uint64),
        ("prefix_file_bytes", c_uint64),
        ("prefix_ignored", c_uint64),
        ("busy_s", c_double),
    ]


class ConvertOptions(ctypes.Structure):
    """xl_convert_options"""

    _fields_ = [
        ("size", c_size_t),
        ("family", c_char_p),
        ("format", c_char_p),
        ("type", c_char_p),
        ("out_dir", c_char_p),
        ("tokenizer", c_char_p),
        ("threads", c_int),
        ("on_progress", OnProgress),
        ("user", c_void_p),
        ("keep", POINTER(c_char_p)),
        ("n_keep", c_size_t),
    ]


STRUCTURES = {
    "xl_error": Error,
    "xl_engine_options": EngineOptions,
    "xl_engine_info": EngineInfo,
    "xl_message": Message,
    "xl_logit_bias": LogitBias,
    "xl_generate_options": GenerateOptions,
    "xl_generate_result": GenerateResult,
    "xl_worker_options": WorkerOptions,
    "xl_token_logprob": TokenLogprob,
    "xl_request_event": RequestEvent,
    "xl_request_options": RequestOptions,
    "xl_worker_stats": WorkerStats,
    "xl_convert_options": ConvertOptions,
}

_FUNCTIONS: dict[str, tuple[Any, list[Any]]] = {
    "xl_version": (c_char_p, []),
    "xl_free": (None, [c_void_p]),
    "xl_engine_options_default": (EngineOptions, []),
    "xl_engine_open": (c_int, [c_char_p, c_void_p, c_void_p, c_void_p]),
    "xl_engine_close": (None, [c_void_p]),
    "xl_engine_describe": (c_int, [c_void_p, c_void_p]),
    "xl_machine_describe": (c_int, [c_void_p, c_void_p]),
    "xl_tokenize": (
        c_int,
        [c_void_p, c_char_p, c_size_t, c_bool, c_bool, c_void_p, c_void_p, c_void_p],
    ),
    "xl_detokenize": (
        c_int,
        [c_void_p, c_void_p, c_size_t, c_bool, c_void_p, c_void_p, c_void_p],
    ),
    "xl_token_is_end": (c_bool, [c_void_p, c_int32]),
    "xl_token_text": (c_int, [c_void_p, c_int32, c_void_p, c_void_p, c_void_p]),
    "xl_token_find": (c_int32, [c_void_p, c_char_p, c_size_t]),
    "xl_tokenizer_describe": (c_int, [c_void_p, c_void_p, c_void_p]),
    "xl_chat_format": (
        c_int,
        [c_void_p, c_char_p, c_void_p, c_size_t, c_bool, c_void_p, c_void_p, c_void_p],
    ),
    "xl_template_render": (c_int, [c_char_p, c_char_p, c_void_p, c_void_p, c_void_p]),
    "xl_session_open": (c_int, [c_void_p, c_void_p, c_void_p]),
    "xl_session_close": (None, [c_void_p]),
    "xl_session_feed": (c_int, [c_void_p, c_void_p, c_size_t, c_void_p]),
    "xl_session_feed_all": (c_int, [c_void_p, c_void_p, c_size_t, c_void_p, c_void_p]),
    "xl_session_logits": (c_void_p, [c_void_p]),
    "xl_session_position": (c_int, [c_void_p]),
    "xl_session_rewind": (c_int, [c_void_p, c_int, c_void_p]),
    "xl_session_cancel": (None, [c_void_p]),
    "xl_session_snapshot": (c_int, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "xl_session_restore": (c_int, [c_void_p, c_char_p, c_size_t, c_void_p]),
    "xl_generate_options_default": (GenerateOptions, []),
    "xl_session_generate": (c_int, [c_void_p, c_char_p, c_void_p, c_void_p, c_void_p]),
    "xl_session_generate_tokens": (
        c_int,
        [c_void_p, c_void_p, c_size_t, c_void_p, c_void_p, c_void_p],
    ),
    "xl_grammar_from_json_schema": (c_int, [c_void_p, c_char_p, c_size_t, c_void_p, c_void_p]),
    "xl_grammar_from_gbnf": (c_int, [c_void_p, c_char_p, c_size_t, c_void_p, c_void_p]),
    "xl_grammar_close": (None, [c_void_p]),
    "xl_worker_options_default": (WorkerOptions, []),
    "xl_request_options_default": (RequestOptions, []),
    "xl_worker_open": (c_int, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "xl_worker_close": (None, [c_void_p]),
    "xl_worker_describe": (None, [c_void_p, c_void_p]),
    "xl_request_submit": (c_int, [c_void_p, c_void_p, c_void_p, c_void_p]),
    "xl_request_cancel": (None, [c_void_p]),
    "xl_request_release": (None, [c_void_p]),
    "xl_embed": (
        c_int,
        [c_void_p, c_void_p, c_void_p, c_size_t, c_int, c_bool, c_void_p, c_void_p],
    ),
    "xl_convert_options_default": (ConvertOptions, []),
    "xl_convert": (c_int, [c_char_p, c_void_p, c_void_p, c_void_p]),
    "xl_convert_types": (POINTER(c_char_p), []),
    "xl_families": (POINTER(c_char_p), []),
    "xl_quantize_matrix": (
        c_int,
        [c_char_p, c_bool, c_void_p, c_size_t, c_size_t, c_void_p, c_void_p],
    ),
    "xl_inspect": (c_int, [c_char_p, c_void_p, c_void_p]),
}


_LATER = ("xl_grammar_", "xl_worker_", "xl_request_", "xl_token")  # libraries without them still load


def _find() -> str:
    """The bundled library, unless XINGLIN_LIBRARY names another."""
    named = os.environ.get("XINGLIN_LIBRARY")
    if named:
        return named
    bundled = sorted((Path(__file__).parent / "lib").glob("libxinglin.so*"))
    if bundled:
        return str(bundled[0])
    raise ImportError(
        "libxinglin.so is not in the package; install the wheel (pip install .), or set "
        "XINGLIN_LIBRARY to a library that was built (build/release/src/libxinglin.so)"
    )


def _refusal(text: str) -> Callable[..., NoReturn]:
    def refuse(*_arguments: Any) -> NoReturn:
        raise UnsupportedError(text)

    return refuse


def _load() -> ctypes.CDLL:
    path = _find()
    try:
        library = ctypes.CDLL(path)
    except OSError as problem:
        raise ImportError(
            f"the engine's library cannot be loaded: {problem}; install the wheel that was made "
            "for this system, or compile it here (pip install . in the sources)"
        ) from None
    for name, (result, arguments) in _FUNCTIONS.items():
        try:
            function = getattr(library, name)
        except AttributeError:
            problem_text = (
                f"{path} is older than this package: it has no {name}(); build both from the "
                "same sources"
            )
            if not name.startswith(_LATER):
                raise ImportError(problem_text) from None
            setattr(library, name, _refusal(problem_text))
            continue
        function.restype = result
        function.argtypes = arguments
    return library


lib = _load()


def check(status: int, error: Error) -> None:
    """Raises what a failed call says."""
    if status != STATUS_OK:
        raise error_class(status)(error.message.decode("utf-8", "replace"))


def take_bytes(pointer: c_void_p, size: int) -> bytes:
    """Copies and frees memory that the library handed out."""
    try:
        return ctypes.string_at(pointer, size)
    finally:
        lib.xl_free(pointer)


def take_string(pointer: c_void_p) -> bytes:
    """Copies and frees a terminated string."""
    try:
        return ctypes.string_at(pointer)
    finally:
        lib.xl_free(pointer)


def names(pointer: Any) -> list[str]:
    """A static NULL-terminated array of strings."""
    result: list[str] = []
    while pointer[len(result)]:
        result.append(pointer[len(result)].decode())
    return result


def integer(name: str, value: int) -> int:
    """A C int; ctypes alone would cut large ones silently."""
    if not isinstance(value, int) or not -(1 << 31) <= value < 1 << 31:
        raise UsageError(f"{name} is an integer of 32 bits, not {value!r}")
    return value


def text_argument(value: str | None) -> bytes | None:
    """Text for the library; a NUL would cut it short silently."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise UsageError(f"expected text, not {type(value).__name__}")
    data = value.encode("utf-8", "replace")
    if b"\0" in data:
        raise UsageError("text for the engine must not contain NUL characters")
    return data


def path_argument(value: str | os.PathLike[str]) -> bytes:
    """A path in the file system's own encoding."""
    try:
        data = os.fsencode(value)
    except TypeError:
        raise UsageError(f"expected a path, not {type(value).__name__}") from None
    if b"\0" in data:
        raise UsageError("a path must not contain NUL characters")
    return data


def token_array(tokens: Any) -> tuple[ctypes.Array[c_int32], int]:
    """Token ids as the library wants them; ctypes alone would cut large numbers silently."""
    if isinstance(tokens, (bytes, bytearray)):  # array() would take them for an array's memory
        raise UsageError("token ids are integers of 32 bits, not bytes; text is a str")
    try:
        ids = array("i", tokens)
    except (TypeError, OverflowError) as problem:
        raise UsageError(f"token ids are integers of 32 bits: {problem}") from None
    return (c_int32 * len(ids)).from_buffer(ids), len(ids)
