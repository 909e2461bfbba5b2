# SPDX-License-Identifier: Apache-2.0
"""TransformersLLM: prompt in, text out, with the names and arguments of BigDL-LLM.

The prompt goes to the model as it is, without a chat template, and never comes back in the answer.
As with the tokenizers of transformers, text like ``<|im_end|>`` in it is a control token; where
others' text goes into a prompt, ChatXinglin is the safer choice.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Generator, Iterator, Mapping
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models.llms import LLM
from langchain_core.outputs import GenerationChunk
from pydantic import ConfigDict, Field, PrivateAttr

from ..engine import Engine
from ..errors import UsageError
from ..generation import Generation
from .model_loading import low_bit_arguments, shared_engine
from .timelines import Stopper, Timelines, in_thread

DEFAULT_NEW_TOKENS = 256

_ENGINE_NAMES = {  # of generate() in transformers, and as the engine calls them
    "top_k": "top_k",
    "top_p": "top_p",
    "min_p": "min_p",
    "repetition_penalty": "repetition_penalty",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
}
_OF_A_CALL = frozenset([
    *_ENGINE_NAMES, "temperature", "do_sample", "max_length", "max_new_tokens", "seed",
    "stop_strings",
])  # fmt: skip
_ONE = ("num_beams", "num_beam_groups", "num_return_sequences")
_GENERATION = _OF_A_CALL.union(_ONE)


def loading_arguments(model_kwargs: Mapping[str, Any] | None) -> dict[str, Any]:
    """What of ``model_kwargs`` is for loading."""
    return {name: v for name, v in (model_kwargs or {}).items() if name not in _GENERATION}


def generation_arguments(given: Mapping[str, Any], n_prompt: int) -> dict[str, Any]:
    """Options of :meth:`Session.generate` from those of transformers' ``generate``."""
    unknown = [name for name in given if name not in _OF_A_CALL and name not in _ONE]
    if unknown:
        raise UsageError(
            f"no option {unknown[0]!r} of a generation; there are {', '.join(sorted(_OF_A_CALL))}"
        )
    for name in _ONE:
        if given.get(name) not in (None, 1):
            raise UsageError(f"{name}={given[name]!r}: one answer is followed, not several beams")
    options = {
        _ENGINE_NAMES[name]: given[name]
        for name in _ENGINE_NAMES
        if given.get(name) is not None
    }
    temperature = given.get("temperature")
    samples = given.get("do_sample")
    if samples is None:  # a temperature that is asked for is meant
        samples = bool(temperature)
    options["temperature"] = (1.0 if temperature is None else temperature) if samples else 0.0
    seed = given.get("seed")
    options["seed"] = secrets.randbits(63) if seed is None else seed
    options["stop"] = given.get("stop_strings") or []
    if given.get("max_new_tokens") is not None:
        options["max_tokens"] = given["max_new_tokens"]
    elif given.get("max_length") is not None:
        if not isinstance(given["max_length"], int):
            raise UsageError(f"max_length is a number of tokens, not {given['max_length']!r}")
        options["max_tokens"] = given["max_length"] - n_prompt
        if options["max_tokens"] <= 0:
            raise UsageError(
                f"max_length={given['max_length']} counts the prompt, which has {n_prompt} tokens "
                "already; ask for more, or say max_new_tokens"
            )
    else:
        options["max_tokens"] = DEFAULT_NEW_TOKENS
    return options


class TransformersLLM(LLM):
    """``TransformersLLM.from_model_id(model_id=path, model_kwargs={"temperature": 0})``"""

    model_id: str
    """A Hugging Face directory, a GGUF file, or what save_low_bit wrote."""
    model_kwargs: dict[str, Any] | None = None
    """Of loading (threads, context, load_in_low_bit, trust_remote_code, …) and defaults of
    generation (temperature, max_length, max_new_tokens, …)."""
    model: Any = Field(default=None, exclude=True, repr=False)
    """The open :class:`xinglin.Engine`."""
    tokenizer: Any = Field(default=None, exclude=True, repr=False)
    """Accepted; the engine's own is used."""
    streaming: bool = True
    """Whether handlers hear of every piece during ``invoke``, too."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    _timelines: Timelines = PrivateAttr()
    _defaults: dict[str, Any] = PrivateAttr()

    def model_post_init(self, context: Any) -> None:
        self._defaults = {
            name: value for name, value in (self.model_kwargs or {}).items() if name in _GENERATION
        }
        if self.model is None:
            loading = loading_arguments(self.model_kwargs)
            self.model = shared_engine(self.model_id, low_bit_arguments(self.model_id, loading))
        if not isinstance(self.model, Engine):
            raise UsageError(
                f"model is an open xinglin.Engine, not {type(self.model).__name__}; "
                "from_model_id(model_id=path) makes one"
            )
        generation_arguments(self._defaults, 0)  # what is wrong is an error now
        self._timelines = Timelines(self.model, kept=1, most=4)

    @classmethod
    def from_model_id(
        cls,
        model_id: str,
        model_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> TransformersLLM:
        """A checkpoint with float weights is quantized to ``sym_int4`` (once; the file is kept),
        unless ``model_kwargs`` says ``load_in_low_bit=…`` or ``load_in_4bit=False``."""
        return cls(model_id=str(model_id), model_kwargs=model_kwargs, **kwargs)

    @classmethod
    def from_model_id_low_bit(
        cls,
        model_id: str,
        model_kwargs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> TransformersLLM:
        """From what ``save_low_bit`` or ``llm_convert`` wrote, as it is."""
        as_it_is = {**(model_kwargs or {}), "load_in_4bit": False}
        return cls(model_id=str(model_id), model_kwargs=as_it_is, **kwargs)

    @property
    def _llm_type(self) -> str:
        return "xinglin"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model_id": self.model_id, "model_kwargs": self.model_kwargs}

    def get_token_ids(self, text: str) -> list[int]:
        """Ids of the model's own tokenizer."""
        return list(self.model.tokenize(text, add_special=False))

    def _pieces(
        self, prompt: str, stop: list[str] | None, stopper: Stopper, kwargs: Mapping[str, Any]
    ) -> Generator[str, None, Generation]:
        tokens = self.model.tokenize(prompt, parse_special=True)
        options = generation_arguments({**self._defaults, **kwargs}, len(tokens))
        if stop is not None:
            options["stop"] = stop
        with self._timelines.take(tokens, stopper) as timeline:
            generation, _ = yield from timeline.stream(tokens, stopper, options)
        return generation

    def _call(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        found = []
        for piece in self._pieces(prompt, stop, Stopper(), kwargs):
            if run_manager is not None and self.streaming:
                run_manager.on_llm_new_token(piece)
            found.append(piece)
        return "".join(found)

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        for piece in self._pieces(prompt, stop, Stopper(), kwargs):
            chunk = GenerationChunk(text=piece)
            if run_manager is not None:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk

    async def _acall(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        manager = run_manager if self.streaming else None
        chunks = self._astream(prompt, stop, manager, **kwargs)
        return "".join([chunk.text async for chunk in chunks])

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        stopper = Stopper()
        async for piece in in_thread(
            lambda: self._pieces(prompt, stop, stopper, kwargs), stopper
        ):
            chunk = GenerationChunk(text=piece)
            if run_manager is not None:
                await run_manager.on_llm_new_token(piece, chunk=chunk)
            yield chunk
