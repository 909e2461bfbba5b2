# SPDX-License-Identifier: Apache-2.0
"""Model files: ``llm_convert`` (the twin of the command), what is in a file, what can be written."""

from __future__ import annotations

import ctypes
import json
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NoReturn

from . import _native as native
from .errors import CancelledError, NotFoundError, UnsupportedError, UsageError
from .interruptible import call_interruptibly


class _Progress:
    """The C callback: tells the caller's function, and ends the conversion when asked to."""

    def __init__(self, on_progress: Callable[[float, str], Any] | None) -> None:
        self.is_cancelled = False
        self.error: BaseException | None = None
        self._on_progress = on_progress

    def cancel(self) -> None:
        self.is_cancelled = True

    def report(self, _user: Any, done: float, tensor: bytes | None) -> int:
        try:
            if self._on_progress is not None:
                name = (tensor or b"").decode("utf-8", "replace")
                self.is_cancelled = bool(self._on_progress(done, name)) or self.is_cancelled
        except BaseException as error:  # raised again by llm_convert
            self.error = error
        return 1 if self.is_cancelled or self.error is not None else 0


def _make_directory(path: str) -> bool:
    """True if it was made here."""
    try:
        os.mkdir(path)
    except FileExistsError:
        return False
    except FileNotFoundError:
        raise NotFoundError(f"{path}: its parent directory does not exist") from None
    return True


def llm_convert(
    model: str | os.PathLike[str],
    outfile: str | os.PathLike[str],
    model_family: str | None = None,
    outtype: str = "int4",
    model_format: str = "pth",
    tmp_path: str | os.PathLike[str] | None = None,
    tokenizer_path: str | os.PathLike[str] | None = None,
    *,
    threads: int = 0,
    keep: Sequence[str] = (),
    on_progress: Callable[[float, str], Any] | None = None,
) -> str:
    """Converts a checkpoint to one quantized GGUF file and returns that file's path.

    ``model``: a Hugging Face or PyTorch directory, or a file. ``outfile``: the *directory* for the
    result (the name is historical), made if absent. ``model_family``: what the model must be; None
    or ``auto``: what it says. ``outtype``: any of :func:`convert_types`. ``model_format``: ``pth``
    (a checkpoint of safetensors or PyTorch files, as found), ``auto``, ``safetensors`` or ``gguf``.
    ``tmp_path`` is accepted and not needed. ``tokenizer_path``: where the tokenizer is, if not
    beside the model. ``keep``: modules whose matrices keep the type that they have, by whole parts
    of tensors' names ("lm_head", "q_proj", "blk.0.attn_q"). ``on_progress(done, tensor)`` with done
    from 0 to 1 ends the conversion by returning something true.
    """
    if model_format == "gptq":
        raise UnsupportedError(
            "model_format='gptq': packed GPTQ checkpoints are not read; convert the original "
            "checkpoint (model_format='pth') with outtype='asym_int4' or 'q4_k_m'"
        )
    progress = _Progress(on_progress)
    options = native.lib.xl_convert_options_default()
    options.family = native.text_argument(model_family)
    options.format = native.text_argument("auto" if model_format == "pth" else model_format)
    options.type = native.text_argument(outtype)
    options.out_dir = native.path_argument(outfile)
    if tokenizer_path is not None:
        options.tokenizer = native.path_argument(tokenizer_path)
    options.threads = native.integer("threads", threads)
    if not isinstance(keep, Iterable):
        raise UsageError(f"keep is a list of names, not {type(keep).__name__}")
    names = [native.text_argument(name) for name in ([keep] if isinstance(keep, str) else keep)]
    options.keep, options.n_keep = (ctypes.c_char_p * len(names))(*names), len(names)
    options.on_progress = native.OnProgress(progress.report)
    path, error, source = ctypes.c_void_p(), native.Error(), native.path_argument(model)
    made = _make_directory(os.fsdecode(outfile))

    def call() -> int:
        return int(
            native.lib.xl_convert(
                source, ctypes.byref(options), ctypes.byref(path), ctypes.byref(error)
            )
        )

    status = -1
    try:
        status = call_interruptibly(call, progress.cancel, lambda: None)
        native.check(status, error)
    except CancelledError:
        problem, progress.error = progress.error, None
        try:
            if problem is not None:
                raise problem from None
        finally:
            del problem
        raise
    finally:
        if made and status != native.STATUS_OK:
            try:
                os.rmdir(outfile)
            except OSError:
                pass  # somebody else put a file there
    return os.fsdecode(native.take_string(path))


def inspect(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What is in a model file or directory: format, family, parameters, metadata, tensors."""
    text, error = ctypes.c_void_p(), native.Error()
    status = native.lib.xl_inspect(
        native.path_argument(path), ctypes.byref(text), ctypes.byref(error)
    )
    native.check(status, error)
    found: dict[str, Any] = json.loads(native.take_string(text))
    return found


def machine() -> dict[str, Any]:
    """This machine: CPU, kernel levels with the reason why one is missing, threads, memory."""
    text, error = ctypes.c_void_p(), native.Error()
    native.check(native.lib.xl_machine_describe(ctypes.byref(text), ctypes.byref(error)), error)
    found: dict[str, Any] = json.loads(native.take_string(text))
    return found


def convert_types() -> list[str]:
    """Types that :func:`llm_convert` writes."""
    return native.names(native.lib.xl_convert_types())


def families() -> list[str]:
    """Families of models that can be run."""
    return native.names(native.lib.xl_families())


def optimize_model(model: Any = None, *args: Any, **kwargs: Any) -> NoReturn:
    """Not offered: the engine runs files, not torch modules. Says what to use."""
    raise UnsupportedError(
        "optimize_model() rewrites a loaded torch module, and this engine runs none; load the "
        "checkpoint itself with xinglin.transformers.AutoModelForCausalLM.from_pretrained("
        "path, load_in_low_bit='sym_int4'), or convert it once with xinglin.llm_convert()"
    )
