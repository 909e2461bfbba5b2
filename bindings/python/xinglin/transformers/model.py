# SPDX-License-Identifier: Apache-2.0
"""Models as users of transformers know them, on the engine."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from ..engine import Engine, EngineInfo
from ..errors import ContextFullError, UnsupportedError, UsageError
from .arrays import Kind, Rows, read_mask, read_rows, streamed
from .configuration import Config, GenerationConfig, as_mapping, make_config, read_json
from .generate_arguments import Plan, make_plan
from .generating import SessionShelf, generate_row
from .hidden_states import hidden_states
from .loading import Loaded, new_file, save_mark
from .outputs import Output
from .tokenizer import TOKENIZER_FILES

_COPIED = (*TOKENIZER_FILES, "config.json", "modules.json", "config_sentence_transformers.json",
           "sentence_bert_config.json")  # fmt: skip
_PLACE = ("cpu", "auto")


class CpuDevice:
    """What ``model.device`` is where torch is not loaded."""

    type, index = "cpu", None

    def __str__(self) -> str:
        return "cpu"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return str(other) == "cpu"

    def __hash__(self) -> int:
        return hash("cpu")


class PreTrainedModel:
    """A loaded model. Any number of threads may use it; passes take turns. ``engine`` is the
    :class:`xinglin.Engine` beneath."""

    main_input_name = "input_ids"
    is_quantized = property(lambda self: self.low_bit is not None)

    def __init__(self, loaded: Loaded, generation: dict[str, Any]) -> None:
        self.engine: Engine = loaded.engine
        self.name_or_path = str(loaded.source)
        self.low_bit: str | None = loaded.low_bit
        self._loaded = loaded
        self._shelf = SessionShelf(loaded.engine)
        self.config: Config = make_config(loaded.directory, loaded.engine.info, self.name_or_path)
        said = read_json(loaded.directory / "generation_config.json") if loaded.directory else {}
        if said.get("eos_token_id") is None and loaded.directory is not None:
            said["eos_token_id"] = self.config.get("eos_token_id")
        if said.get("pad_token_id") is None:
            said["pad_token_id"] = self.config.get("pad_token_id")
        self.generation_config = GenerationConfig(**{**said, **generation})
        self.training = False

    # -- what a torch module also answers to -------------------------------------------------------
    @property
    def device(self) -> Any:
        torch = sys.modules.get("torch")
        return torch.device("cpu") if torch is not None else CpuDevice()

    @property
    def dtype(self) -> Any:
        """Of what ``forward`` returns."""
        torch = sys.modules.get("torch")
        return torch.float32 if torch is not None else "float32"

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    def eval(self) -> PreTrainedModel:
        return self

    def train(self, mode: bool = True) -> PreTrainedModel:
        if mode:
            raise UnsupportedError(
                "the engine does not train; train with torch (xinglin.qat knows this engine's "
                "grid) and load the checkpoint"
            )
        return self

    def to(self, *args: Any, **kwargs: Any) -> PreTrainedModel:
        """Harmless for the CPU and for dtypes, which loading decides; other devices are refused."""
        for value in (*args, *kwargs.values()):
            name = str(value)
            if name.startswith(("cuda", "xpu", "mps", "npu", "hpu", "meta")):
                raise UnsupportedError(f"to({name!r}): the engine runs on the CPU only")
        return self

    def cpu(self) -> PreTrainedModel:
        return self

    def half(self) -> PreTrainedModel:
        """Loading decides the type (load_in_low_bit=, torch_dtype=); nothing changes here."""
        return self

    float = bfloat16 = tie_weights = half

    def requires_grad_(self, requires_grad: bool = True) -> PreTrainedModel:
        return self.train(requires_grad)

    def cuda(self, *_: Any) -> NoReturn:
        raise UnsupportedError("cuda(): the engine runs on the CPU only")

    xpu = cuda

    def parameters(self, *_: Any, **__: Any) -> NoReturn:
        raise UnsupportedError(
            "the weights are not torch tensors; xinglin.inspect(path) lists what a file holds"
        )

    named_parameters = state_dict = modules = named_modules = parameters

    def close(self) -> None:
        """Frees the model and wipes what its sessions hold; otherwise the collector does."""
        self._shelf.forget()
        self.engine.close()

    def __enter__(self) -> PreTrainedModel:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        info = self.engine.info
        kind = self.low_bit or info.weight_type
        return f"<xinglin {type(self).__name__} {self.name_or_path!r}: {info.family}, {kind}>"

    # -- files -------------------------------------------------------------------------------------
    def save_low_bit(self, save_directory: str | os.PathLike[str], *_: Any, **__: Any) -> None:
        """Writes the quantized model and its tokenizer, for ``load_low_bit``."""
        if self.low_bit is None:
            raise UsageError(
                "the model is not quantized; load it with load_in_4bit=True or "
                "load_in_low_bit=<type> first"
            )
        target = Path(save_directory)
        target.mkdir(parents=True, exist_ok=True)
        name = "model.gguf"
        if not (target / name).exists() or not (target / name).samefile(self._loaded.file):
            _copy(self._loaded.file, target / name)
        for file in _COPIED if self._loaded.directory is not None else ():
            assert self._loaded.directory is not None
            source = self._loaded.directory / file
            if source.is_file() and source.resolve() != (target / file).resolve():
                _copy(source, target / file)
        save_mark(target, name, self.low_bit)

    def save_pretrained(self, *_: Any, **__: Any) -> NoReturn:
        raise UnsupportedError(
            "save_pretrained() writes torch weights, which are not here; save_low_bit(directory) "
            "saves the quantized model, xinglin.llm_convert() makes a GGUF file"
        )

    push_to_hub = save_pretrained

    # -- running -----------------------------------------------------------------------------------
    def _read(self, input_ids: Any, mask: Any) -> tuple[Rows, Rows, Rows, Kind]:
        """Rows as given, their masks, and the rows without padding."""
        rows, kind = read_rows(input_ids)
        masks = read_mask(mask, rows)
        prompts = [[t for t, m in zip(row, own) if m] for row, own in zip(rows, masks)]
        if not prompts or not all(prompts):
            raise UsageError("input_ids has a row without a single token")
        return rows, masks, prompts, kind

    def _scatter(self, values: Sequence[Any], masks: Rows, width: int, size: int) -> Any:
        """Rows of vectors at the places of their tokens; zeros where padding is."""
        out = bytearray(len(masks) * width * size * 4)
        for r, (row, mask) in enumerate(zip(values, masks)):
            data = memoryview(row).cast("B")
            places = [i for i, m in enumerate(mask) if m]
            for j, i in enumerate(places):
                to = ((r * width) + i) * size * 4
                out[to : to + size * 4] = data[j * size * 4 : (j + 1) * size * 4]
        if not out:
            return memoryview(b"").cast("f")
        return memoryview(out).cast("f", (len(masks), width, size))

    def generate(
        self,
        inputs: Any = None,
        generation_config: Any = None,
        stopping_criteria: Any = None,
        streamer: Any = None,
        *,
        input_ids: Any = None,
        attention_mask: Any = None,
        **arguments: Any,
    ) -> Any:
        """The prompt's ids with what follows, one row for each sequence, of the same kind as the
        input; shorter rows end in padding. Arguments are those of transformers; what is not
        supported is refused by name."""
        if inputs is None:
            inputs = input_ids
        elif input_ids is not None:
            raise UsageError("give input_ids once")
        if attention_mask is None and hasattr(inputs, "get") and "attention_mask" in inputs:
            attention_mask = inputs["attention_mask"]
        defaults = {**as_mapping(self.generation_config), **as_mapping(generation_config)}
        explicit = {**arguments, "stopping_criteria": stopping_criteria, "streamer": streamer}
        plan = make_plan(defaults, explicit)
        if attention_mask is None:
            attention_mask = _guess_mask(inputs, plan)
        rows, _, prompts, kind = self._read(inputs, attention_mask)
        if self.engine.info.family == "bert":
            raise UnsupportedError(f"{self.name_or_path} is an embedding model: it has no next "
                                   "token; use encode()")
        if plan.streamer is not None and len(rows) * plan.n_sequences > 1:
            raise UsageError("a streamer follows one text; generate the rows one by one")
        for row, prompt in zip(rows, prompts):
            plan.new_tokens(len(row))
            if len(prompt) > self.engine.info.context:
                raise ContextFullError(
                    f"the prompt has {len(prompt)} tokens, but the context holds "
                    f"{self.engine.info.context}; load the model with context={len(prompt) + 1024}"
                )
        return self._generate_rows(plan, rows, prompts, kind)

    def _generate_rows(self, plan: Plan, rows: Rows, prompts: Rows, kind: Kind) -> Any:
        deadline = time.monotonic() + plan.max_time if plan.max_time is not None else None
        results = []
        try:
            if plan.streamer is not None:
                plan.streamer.put(streamed(rows[0], kind))
            for row, prompt in zip(rows, prompts):
                for i in range(plan.n_sequences):
                    made = generate_row(
                        self._shelf, plan, row, prompt, kind, (plan.seed + i) % (1 << 64), deadline
                    )
                    results.append(row + made)
        finally:  # whoever reads in another thread waits for the end, also after an error
            if plan.streamer is not None:
                plan.streamer.end()
        width = max(len(row) for row in results)
        pad = self._pad_token(plan)
        sequences = kind.ids([row + [pad] * (width - len(row)) for row in results])
        return Output(sequences=sequences) if plan.is_dict else sequences

    def _pad_token(self, plan: Plan) -> int:
        if plan.pad is not None:
            return plan.pad
        return min(plan.ends) if plan.ends else 0

    def encode(
        self,
        texts: str | Sequence[str | Sequence[int]],
        *,
        pooling: str = "auto",
        normalize: bool = True,
        convert_to: str = "list",
    ) -> Any:
        """A vector for each text (or list of ids), or one vector for one text. ``pooling``:
        ``auto`` (what the model was trained for, else the mean), ``mean``, ``cls``, ``last``;
        ``convert_to``: list, numpy or torch."""
        is_one = isinstance(texts, str)
        vectors = self.engine.embed(
            [texts] if isinstance(texts, str) else texts, pooling=pooling, normalize=normalize
        )
        found = _floats(vectors, convert_to)
        return found[0] if is_one else found

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    forward: Callable[..., Any]


def _floats(values: memoryview[float], library: str) -> Any:
    if library not in ("list", "numpy", "torch"):
        raise UsageError(f"convert_to is list, numpy or torch, not {library!r}")
    if library != "list":
        __import__(library)
    return Kind(library, "cpu" if library == "torch" else None).floats(values)


def _guess_mask(inputs: Any, plan: Plan) -> Rows | None:
    """As in transformers: the padding token is padding if it is not also an end token."""
    if plan.pad is None or (plan.ends is not None and plan.pad in plan.ends):
        return None
    rows, _ = read_rows(inputs)
    masks = [[int(token != plan.pad) for token in row] for row in rows]
    return masks if all(any(mask) for mask in masks) else None


def _copy(source: Path, target: Path) -> None:
    with new_file(target) as temporary:
        shutil.copyfile(source, temporary)


def _refuse_forward(arguments: dict[str, Any]) -> None:
    advice = {
        "labels": "compute the loss from .logits",
        "past_key_values": "use xinglin.Engine.session() and its feed()",
        "inputs_embeds": "pass input_ids",
        "position_ids": "positions follow from attention_mask",
        "output_attentions": "attention weights are never formed",
        "output_hidden_states": "use xinglin.transformers.AutoModel",
    }
    harmless = "use_cache return_dict token_type_ids logits_to_keep num_logits_to_keep".split()
    for name, value in arguments.items():
        if value is None or value is False or name in harmless:
            continue
        if name not in advice:
            raise UsageError(f"the model has no argument {name!r}")
        raise UnsupportedError(f"{name} is not supported: {advice[name]}")


class CausalLM(PreTrainedModel):
    """Made by :class:`AutoModelForCausalLM`."""

    def forward(
        self, input_ids: Any = None, attention_mask: Any = None, **arguments: Any
    ) -> Output:
        """``.logits`` of every position, of the input's kind; zeros where padding is."""
        _refuse_forward(arguments)
        rows, masks, prompts, kind = self._read(input_ids, attention_mask)
        width = len(rows[0])
        if any(len(row) != width for row in rows):
            raise UsageError("rows of one forward pass have one length; pad them")
        results = []
        session, _ = self._shelf.take()
        try:
            for prompt in prompts:
                session.rewind(0)
                results.append(session.feed_all(prompt))
        except BaseException:
            session.close()
            raise
        self._shelf.put(session, prompts[-1])
        logits = self._scatter(results, masks, width, self.engine.info.n_vocab)
        found = kind.floats(logits)
        return Output(logits=found[0] if kind.is_flat else found)


class HiddenModel(PreTrainedModel):
    """Made by :class:`AutoModel`: vectors of texts; causal models also generate."""

    def forward(
        self, input_ids: Any = None, attention_mask: Any = None, **arguments: Any
    ) -> Output:
        """``.last_hidden_state`` of every position; zeros where padding is."""
        _refuse_forward(arguments)
        rows, masks, prompts, kind = self._read(input_ids, attention_mask)
        width = len(rows[0])
        if any(len(row) != width for row in rows):
            raise UsageError("rows of one forward pass have one length; pad them")
        states = [hidden_states(self.engine, p) for p in prompts]
        found = kind.floats(self._scatter(states, masks, width, self.engine.info.n_embd))
        return Output(last_hidden_state=found[0] if kind.is_flat else found)
