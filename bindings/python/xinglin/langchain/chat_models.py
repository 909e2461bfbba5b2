# SPDX-License-Identifier: Apache-2.0
"""ChatXinglin: a chat model of LangChain that runs in this process.

What may come out is enforced while tokens are chosen: ``with_structured_output`` and forced tools
compile a JSON Schema to a grammar of the engine. Nothing is parsed hopefully: an answer that is not
what was asked for is an error or stays text.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LangSmithParams, LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel, generate_from_stream
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers import JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.base import OutputParserLike
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableMap, RunnablePassthrough
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_json_schema, convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from ..engine import Engine
from ..errors import UnsupportedError, UsageError
from ..generation import Generation
from ..grammar import Grammar
from .answer import THINK_END, AnswerReader, Marks
from .model_loading import chosen_engine
from .prompt import ChatPrompt
from .timelines import Stopper, Timeline, Timelines, in_thread
from .tool_calls import call_schema, closed, new_id, read_calls

_CALLS_MAX = 16  # in one answer
_FORCED = ("any", "required")
_SAMPLING = (
    "temperature top_k top_p min_p repetition_penalty presence_penalty frequency_penalty "
    "penalty_window max_tokens draft_max logit_bias"
).split()


@dataclass
class _Call:
    """Everything that one answer needs."""

    tokens: list[int]
    options: dict[str, Any]  # of Session.stream
    marks: Marks
    names: set[str]  # of tools
    seed: int


@dataclass
class _Count:
    """What an answer cost; of several generations if it calls several tools."""

    prompt: int
    known: int = 0
    generated: int = 0
    finish: str = ""
    first_token_s: float = 0.0

    def add(self, generation: Generation, known: int) -> None:
        if not self.finish:
            self.known, self.first_token_s = known, generation.first_token_s
        self.generated += len(generation.tokens)
        self.finish = generation.finish


class ChatXinglin(BaseChatModel):
    """``ChatXinglin(model="model.gguf")``; a Hugging Face directory works too, with
    ``load_in_low_bit="sym_int4"`` quantized once and kept. ``engine=`` takes an open
    :class:`xinglin.Engine` instead."""

    model: str = ""
    """A GGUF file, a Hugging Face directory, or what save_low_bit wrote."""
    engine: Engine | None = Field(default=None, exclude=True, repr=False)
    load_in_low_bit: str | None = None
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    """More arguments of ``from_pretrained``: threads, context, kv_type, isa, …"""
    temperature: float | None = None
    """0 or None: always the likeliest token."""
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    repetition_penalty: float | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    penalty_window: int | None = None
    logit_bias: dict[int, float] | None = None
    draft_max: int | None = None
    max_tokens: int = 1024
    """Of one answer; -1: until the model ends it or the context is full."""
    seed: int | None = None
    """None: another one for every call."""
    stop: list[str] | None = None
    timeout: float | None = None
    """Seconds; then TimeoutError."""
    max_retries: int = 0
    """Accepted for the sake of other chat models; what fails here would fail again."""
    streaming: bool = False
    chat_template: str | None = None
    """Jinja; None: the model's own."""
    template_variables: dict[str, Any] = Field(default_factory=dict)
    """What the template may ask for: ``{"enable_thinking": False}``."""
    sessions_kept: int = Field(default=1, ge=0)
    """How many conversations stay in memory between calls, so that the next message of one is read
    from where it is new."""
    sessions_max: int = Field(default=4, ge=1)
    """How many calls may have a session at once; others wait."""

    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid")

    _engine: Engine = PrivateAttr()
    _timelines: Timelines = PrivateAttr()
    _prompt: ChatPrompt | None = PrivateAttr(default=None)
    _grammars: dict[str, Grammar] = PrivateAttr(default_factory=dict)
    _lock: Any = PrivateAttr(default_factory=threading.Lock)

    @model_validator(mode="after")
    def _load(self) -> ChatXinglin:
        self._engine = chosen_engine(
            type(self).__name__, self.model, self.engine, self.model_kwargs, self.load_in_low_bit
        )
        self.model = self.model or self._engine.path
        self._timelines = Timelines(self._engine, self.sessions_kept, self.sessions_max)
        return self

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> ChatXinglin:
        """A copy shares the loaded model and its sessions."""
        return self.__copy__()

    @property
    def _llm_type(self) -> str:
        return "xinglin-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        chosen = {name: getattr(self, name) for name in _SAMPLING}
        return {"model": self.model, **{k: v for k, v in chosen.items() if v is not None}}

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        found = super()._get_ls_params(stop=stop or self.stop, **kwargs)
        found["ls_provider"] = "xinglin"
        return found

    def get_token_ids(self, text: str) -> list[int]:
        """Ids of the model's own tokenizer."""
        return self._engine.tokenize(text, add_special=False)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """Tokens of the whole prompt, as the template writes it."""
        found = [convert_to_openai_tool(tool) for tool in tools or ()]
        return len(self._chat_prompt().tokens(messages, found))

    def forget(self) -> None:
        """Wipes what the sessions between calls hold of earlier conversations."""
        self._timelines.clear()

    # -- from arguments to a call ----------------------------------------------------------------
    def _chat_prompt(self) -> ChatPrompt:
        if self._prompt is None:
            self._prompt = ChatPrompt(self._engine, self.chat_template, self.template_variables)
        return self._prompt

    def _grammar(self, schema: Mapping[str, Any]) -> Grammar:
        """Compiled once for each schema."""
        text = json.dumps(schema, ensure_ascii=False)
        with self._lock:
            found = self._grammars.get(text)
            if found is None:
                found = self._engine.grammar_from_json_schema(text)
                while len(self._grammars) >= 32:
                    self._grammars.pop(next(iter(self._grammars)))
                self._grammars[text] = found
            return found

    def _options(self, stop: list[str] | None, kwargs: dict[str, Any]) -> dict[str, Any]:
        stops = stop if stop is not None else self.stop
        options: dict[str, Any] = {"stop": list(stops or ())}
        for name in _SAMPLING:
            value = kwargs.pop(name, None)
            value = getattr(self, name) if value is None else value
            if value is not None:
                options[name] = value
        return options

    def _prepare(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: dict[str, Any]
    ) -> _Call:
        other = kwargs.pop("model", None)
        if other is not None and other != self.model:
            raise UsageError(
                f"model={other!r}: this object runs {self.model!r}; make another ChatXinglin"
            )
        prompt, options = self._chat_prompt(), self._options(stop, kwargs)
        seed = kwargs.pop("seed", None)
        seed = self.seed if seed is None else seed
        tools, choice = kwargs.pop("tools", None) or [], kwargs.pop("tool_choice", None)
        wanted = kwargs.pop("response_format", None)
        for ignored in ("timeout", "stream", "strict", "parallel_tool_calls"):
            kwargs.pop(ignored, None)
        if kwargs:
            known = ", ".join([*_SAMPLING, "seed", "stop", "timeout", "tools", "tool_choice",
                               "response_format"])  # fmt: skip
            raise UsageError(f"no option {next(iter(kwargs))!r} of a call; there are {known}")
        if choice == "none":
            tools = []
        instruction = ""
        if wanted is not None:
            schema, instruction = _read_format(wanted)
            options["grammar"] = self._grammar(schema)
        tokens = prompt.tokens(messages, tools, instruction)
        spelling = prompt.spelling
        is_thinking = prompt.is_thinking(tokens)
        forced = _forced_tools(tools, choice)
        if forced:
            if wanted is not None:
                raise UsageError("a forced tool and response_format exclude each other")
            options["grammar"] = self._grammar(call_schema(forced, spelling))
            if spelling.begin and not is_thinking:
                tokens += self._engine.tokenize(
                    spelling.begin + "\n", add_special=False, parse_special=True
                )
        elif tools and wanted is None and spelling.begin:
            self._guard_calls(options, tools, prompt)
        if "grammar" in options and is_thinking:
            options["grammar_begin"] = THINK_END
        marks = Marks(
            thinks=prompt.has_thoughts,
            is_thinking=is_thinking,
            has_tools=bool(tools) and wanted is None,
            call_begin=spelling.begin,
            call_end=spelling.end,
            is_call=bool(forced) and not is_thinking,
        )
        names = {tool["function"]["name"] for tool in tools}
        return _Call(tokens, options, marks, names, secrets.randbits(63) if seed is None else seed)

    def _guard_calls(self, options: dict[str, Any], tools: Any, prompt: ChatPrompt) -> None:
        """If the model begins a call, it cannot but write a right one. Where a schema is beyond
        what grammars enforce, the call is only checked when it is read."""
        try:
            options["grammar"] = self._grammar(call_schema(tools, prompt.spelling))
            options["grammar_begin"] = prompt.spelling.begin
        except UnsupportedError:
            pass

    # -- answers ---------------------------------------------------------------------------------
    def _chunks(
        self, messages: list[BaseMessage], stop: list[str] | None, stopper: Stopper,
        kwargs: dict[str, Any],
    ) -> Iterator[ChatGenerationChunk]:  # fmt: skip
        call = self._prepare(messages, stop, kwargs)
        with self._timelines.take(call.tokens, stopper) as timeline:
            count = _Count(prompt=len(call.tokens))
            yield from self._answer(call, timeline, stopper, count)
        usage = UsageMetadata(
            input_tokens=count.prompt,
            output_tokens=count.generated,
            total_tokens=count.prompt + count.generated,
            input_token_details=InputTokenDetails(cache_read=count.known),
        )
        yield _chunk(
            usage_metadata=usage,
            response_metadata={
                "model_name": self.model,
                "model_provider": "xinglin",
                "finish_reason": count.finish,
                "first_token_s": count.first_token_s,
            },
            chunk_position="last",
        )

    def _answer(
        self, call: _Call, timeline: Timeline, stopper: Stopper, count: _Count
    ) -> Iterator[ChatGenerationChunk]:
        reader, n_calls, tokens = AnswerReader(call.marks), 0, list(call.tokens)
        options = {**call.options, "seed": call.seed}
        while True:
            stream = timeline.stream(tokens, stopper, options)
            events = _events(reader, stream)
            for kind, text in events:
                n_calls += yield from _chunks_of(kind, text, call.names, n_calls)
            generation, known = events.result
            count.add(generation, known)
            limit = options.get("max_tokens", -1)
            left = limit - len(generation.tokens) if limit >= 0 else limit
            if not reader.is_in_call or generation.finish not in ("end", "stop"):
                break
            if "grammar_begin" not in options or n_calls >= _CALLS_MAX or left == 0:
                break
            # The grammar has ended a call between marks; the model may go on behind it.
            closing = "\n" + call.marks.call_end
            for kind, text in reader.feed(closing):
                n_calls += yield from _chunks_of(kind, text, call.names, n_calls)
            tokens += _without_end(generation.tokens, self._engine)
            tokens += self._engine.tokenize(closing, add_special=False, parse_special=True)
            options["max_tokens"] = left
        for kind, text in reader.finish():
            n_calls += yield from _chunks_of(kind, text, call.names, n_calls)
        if n_calls and count.finish in ("end", "stop"):
            count.finish = "tool_calls"

    def _stopper(self, kwargs: Mapping[str, Any]) -> Stopper:
        timeout = kwargs.get("timeout")
        if not isinstance(timeout, (int, float, type(None))):
            raise UsageError(f"timeout is a number of seconds, not {timeout!r}")
        return Stopper(self.timeout if timeout is None else timeout)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        stream = self._stream(messages, stop, run_manager if self.streaming else None, **kwargs)
        return generate_from_stream(stream)

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._chunks(messages, stop, self._stopper(kwargs), kwargs):
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        stream = self._astream(messages, stop, run_manager if self.streaming else None, **kwargs)
        return generate_from_stream(iter([chunk async for chunk in stream]))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        """The engine works in a thread of its own; cancelling the task ends it."""
        stopper = self._stopper(kwargs)
        async for chunk in in_thread(
            lambda: self._chunks(messages, stop, stopper, kwargs), stopper
        ):
            if run_manager is not None:
                await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    # -- tools and structured output -------------------------------------------------------------
    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | dict[str, Any] | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """``tool_choice``: None or "auto": the model decides; "any", "required" or True: it must
        call one, exactly one; a name: that one; "none". A call always fits the tool's schema, so
        ``strict`` changes nothing."""
        found = [convert_to_openai_tool(tool) for tool in tools]
        if tool_choice is not None:
            kwargs["tool_choice"] = tool_choice
            _forced_tools(found, tool_choice)  # a name that no tool has is an error here
        return self.bind(tools=found, **kwargs)

    def with_structured_output(
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        method: Literal["json_schema", "function_calling", "json_mode"] = "json_schema",
        include_raw: bool = False,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, Any]:
        """The answer is JSON of this schema, always: a grammar allows nothing else. A pydantic
        class gives its objects, anything else a dict.

        ``method``: ``json_schema`` also describes the schema to the model in the system message;
        ``json_mode`` leaves that to the prompt (and allows any object where no schema is given);
        ``function_calling`` is the same as ``json_schema`` here. ``include_raw``: a dict of
        ``raw``, ``parsed`` and ``parsing_error``.
        """
        if method not in ("json_schema", "function_calling", "json_mode"):
            raise ValueError(
                f"method={method!r}: there are json_schema, function_calling and json_mode"
            )
        if schema is None and method != "json_mode":
            raise ValueError(f"method={method!r} needs a schema; only json_mode does without")
        wanted: dict[str, Any] = {"type": "json_object"}
        shown: dict[str, Any] = {}
        if schema is not None:
            if isinstance(schema, dict) and "title" not in schema and "type" in schema:
                schema = {"title": "answer", **schema}
            shown = convert_to_json_schema(schema)
            wanted = {"type": "json_schema", "is_described": method == "json_mode",
                      "json_schema": {"schema": _plain_schema(schema)}}  # fmt: skip
        model = self.bind(
            response_format=wanted,
            ls_structured_output_format={"kwargs": {"method": method}, "schema": shown},
            **kwargs,
        )
        parser: OutputParserLike[Any] = JsonOutputParser()
        if isinstance(schema, type) and is_basemodel_subclass(schema):
            parser = PydanticOutputParser(pydantic_object=schema)
        if not include_raw:
            return model | parser
        parsed = RunnablePassthrough.assign(
            parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
        )
        failed = RunnablePassthrough.assign(parsed=lambda _: None)
        return RunnableMap(raw=model) | parsed.with_fallbacks(
            [failed], exception_key="parsing_error"
        )


# -- small steps ---------------------------------------------------------------------------------
def _chunk(**fields: Any) -> ChatGenerationChunk:
    fields.setdefault("content", "")
    return ChatGenerationChunk(message=AIMessageChunk(**fields))


class _events:
    """Events of a stream through a reader; ``result`` is what the stream returned."""

    def __init__(self, reader: AnswerReader, stream: Any) -> None:
        self._reader, self._stream = reader, stream
        self.result: tuple[Generation, int]

    def __iter__(self) -> Iterator[tuple[str, str]]:
        self.result = yield from self._run()

    def _run(self) -> Any:
        try:
            while True:
                yield from self._reader.feed(next(self._stream))
        except StopIteration as end:
            return end.value
        finally:
            self._stream.close()


def _chunks_of(
    kind: str, text: str, names: set[str], n_calls: int
) -> Generator[ChatGenerationChunk, None, int]:
    """Chunks of one event; returns how many calls it held."""
    if kind == "thought":
        yield _chunk(additional_kwargs={"reasoning_content": text})
        return 0
    calls = read_calls(text, names) if kind == "call" else None
    if calls is None:
        yield _chunk(content=text)
        return 0
    yield _chunk(
        tool_call_chunks=[
            tool_call_chunk(
                name=name,
                args=json.dumps(arguments, ensure_ascii=False),
                id=new_id(),
                index=n_calls + i,
            )
            for i, (name, arguments) in enumerate(calls)
        ]
    )
    return len(calls)


def _without_end(tokens: list[int], engine: Engine) -> list[int]:
    return tokens[:-1] if tokens and engine.is_end(tokens[-1]) else tokens


def _plain_schema(schema: dict[str, Any] | type) -> dict[str, Any]:
    """The schema as it was written: pydantic's references stay references."""
    if isinstance(schema, type):
        for name in ("model_json_schema", "schema"):
            if is_basemodel_subclass(schema) and hasattr(schema, name):
                found: dict[str, Any] = getattr(schema, name)()
                return found
    if isinstance(schema, Mapping) and "parameters" not in schema and "function" not in schema:
        return dict(schema)
    return convert_to_json_schema(schema)


def _read_format(wanted: Any) -> tuple[dict[str, Any], str]:
    """The schema of a response_format, spelled as OpenAI does, and what to tell the model."""
    kind = wanted.get("type") if isinstance(wanted, Mapping) else None
    if kind == "json_object":
        return {"type": "object"}, ""
    if kind != "json_schema" or not isinstance(wanted.get("json_schema"), Mapping):
        raise UsageError(
            'response_format is {"type": "json_object"} or '
            '{"type": "json_schema", "json_schema": {"schema": …}}'
        )
    schema = closed(wanted["json_schema"].get("schema", {}))
    if wanted.get("is_described"):
        return schema, ""
    text = json.dumps(schema, ensure_ascii=False)
    return schema, f"Answer with a JSON object of this JSON Schema and nothing else:\n{text}"


def _forced_tools(tools: Sequence[Mapping[str, Any]], choice: Any) -> list[Mapping[str, Any]]:
    """Those of which one must be called; none: the model decides."""
    if isinstance(choice, Mapping):
        choice = choice.get("function", {}).get("name", choice.get("name"))
    if choice in (None, False, "auto", "none") or not tools:
        return []
    if choice is True or choice in _FORCED:
        return list(tools)
    found = [tool for tool in tools if tool["function"]["name"] == choice]
    if not found:
        names = ", ".join(tool["function"]["name"] for tool in tools)
        raise UsageError(f"tool_choice={choice!r}: there are {names}")
    return found
