# SPDX-License-Identifier: Apache-2.0
"""The arguments of ``generate``: which are supported, which are harmless, and what to use instead
of those that are neither."""

from __future__ import annotations

import math
import operator
import random
import sys
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UnsupportedError, UsageError

NEW_TOKENS_DEFAULT = 20  # as in transformers

# Of no effect here: hints of storage, of other devices, of beams, and remarks of saved files.
_IGNORED = frozenset(
    "use_cache early_stopping length_penalty cache_implementation cache_config compile_config "
    "disable_compile synced_gpus renormalize_logits remove_invalid_values transformers_version "
    "_from_model_config bos_token_id decoder_start_token_id token_type_ids num_assistant_tokens "
    "num_assistant_tokens_schedule assistant_confidence_threshold assistant_lookbehind "
    "target_lookbehind max_matching_ngram_size trust_remote_code return_legacy_cache "
    "prefill_chunk_size is_assistant low_memory output_past".split()
)

# Allowed only with these values; otherwise the text says what to use.
_NEUTRAL: dict[str, tuple[tuple[Any, ...], str]] = {
    "num_beams": ((1,), "beam search is not offered; sample with num_return_sequences"),
    "num_beam_groups": ((1,), "beam search is not offered; sample with num_return_sequences"),
    "diversity_penalty": ((0,), "beam search is not offered; sample with num_return_sequences"),
    "constraints": ((), "use generate(grammar=model.engine.grammar_from_gbnf(...))"),
    "force_words_ids": ((), "use generate(grammar=model.engine.grammar_from_gbnf(...))"),
    "logits_processor": (
        ([],),
        "use sequence_bias, suppress_tokens, bad_words_ids or the penalties; for anything else "
        "choose from model(input_ids).logits yourself",
    ),
    "logits_warper": (([],), "use temperature, top_k, top_p and min_p"),
    "prefix_allowed_tokens_fn": ((), "use generate(grammar=model.engine.grammar_from_gbnf(...))"),
    "penalty_alpha": ((0,), "contrastive search is not offered; use repetition_penalty"),
    "dola_layers": ((), "use repetition_penalty"),
    "typical_p": ((1,), "use top_p or min_p"),
    "epsilon_cutoff": ((0,), "use min_p"),
    "eta_cutoff": ((0,), "use min_p"),
    "top_h": ((), "use top_p or min_p"),
    "no_repeat_ngram_size": ((0,), "use repetition_penalty or frequency_penalty"),
    "encoder_no_repeat_ngram_size": ((0,), "use repetition_penalty"),
    "encoder_repetition_penalty": ((1,), "use repetition_penalty"),
    "exponential_decay_length_penalty": ((), "use max_new_tokens"),
    "begin_suppress_tokens": (([],), "use suppress_tokens"),
    "forced_bos_token_id": ((), "append the token to input_ids"),
    "forced_eos_token_id": ((), "append the token to the result"),
    "guidance_scale": ((1,), "guidance is not offered"),
    "negative_prompt_ids": ((), "guidance is not offered"),
    "negative_prompt_attention_mask": ((), "guidance is not offered"),
    "watermarking_config": ((), "watermarks are not offered"),
    "token_healing": ((False,), "end the prompt at a whole word"),
    "assistant_model": ((), "drafts come from the text itself: prompt_lookup_num_tokens"),
    "assistant_tokenizer": ((), "drafts come from the text itself: prompt_lookup_num_tokens"),
    "assistant_early_exit": ((), "drafts come from the text itself: prompt_lookup_num_tokens"),
    "custom_generate": ((), "it would execute code of the checkpoint"),
    "output_scores": ((False,), "model(input_ids).logits gives the logits of every position"),
    "output_logits": ((False,), "model(input_ids).logits gives the logits of every position"),
    "output_attentions": ((False,), "attention weights are never formed"),
    "output_hidden_states": ((False,), "use xinglin.transformers.AutoModel"),
    "inputs_embeds": ((), "pass input_ids"),
    "encoder_outputs": ((), "encoder-decoder models are not run"),
    "decoder_input_ids": ((), "encoder-decoder models are not run"),
    "past_key_values": ((), "prefixes are remembered without being asked; for control use "
                        "xinglin.Engine.session()"),
    "position_ids": ((), "positions follow from attention_mask"),
    "pixel_values": ((), "only text models are run"),
    "images": ((), "only text models are run"),
}

SUPPORTED = frozenset(
    "max_new_tokens max_length min_new_tokens min_length do_sample temperature top_k top_p min_p "
    "repetition_penalty presence_penalty frequency_penalty eos_token_id pad_token_id "
    "num_return_sequences stop_strings tokenizer stopping_criteria streamer max_time "
    "bad_words_ids suppress_tokens sequence_bias prompt_lookup_num_tokens lookahead seed "
    "return_dict_in_generate grammar grammar_begin".split()
)
KNOWN = SUPPORTED | _IGNORED | frozenset(_NEUTRAL)


@dataclass
class Plan:
    """One call of ``generate``, understood and checked."""

    options: dict[str, Any] = field(default_factory=dict)  # of xinglin.Session.generate
    max_new_tokens: int | None = None
    max_length: int | None = None
    min_new_tokens: int = 0
    min_length: int = 0
    bias: dict[int, float] = field(default_factory=dict)
    ends: frozenset[int] | None = None  # None: the model's own
    pad: int | None = None
    n_sequences: int = 1
    seed: int = 0
    stops: list[str] = field(default_factory=list)
    criteria: list[Callable[..., Any]] = field(default_factory=list)
    streamer: Any = None
    max_time: float | None = None
    is_dict: bool = False

    def new_tokens(self, prompt_width: int) -> tuple[int, int]:
        """How many may and how many must follow a prompt that is so wide, padding included."""
        if self.max_new_tokens is not None:
            most = self.max_new_tokens
        elif self.max_length is not None:
            most = self.max_length - prompt_width
            if most <= 0:
                raise UsageError(
                    f"the input has {prompt_width} tokens and max_length is {self.max_length}; "
                    "set max_new_tokens instead"
                )
        else:
            most = NEW_TOKENS_DEFAULT
        least = self.min_new_tokens or max(self.min_length - prompt_width, 0)
        return most, min(least, most)


def _whole(value: Any) -> int:
    """An integer of any library, or a float that is one."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return operator.index(value)


def _ids(value: Any, name: str) -> list[int]:
    if hasattr(value, "tolist"):
        value = value.tolist()
    many = isinstance(value, (list, tuple, set, frozenset))
    try:
        return [_whole(one) for one in value] if many else [_whole(value)]
    except TypeError:
        raise UsageError(f"{name} holds token ids, not {_short(value)}") from None


def _items(values: Mapping[str, Any], name: str) -> list[Any]:
    found = values.get(name)
    if found is None:
        return []
    try:
        return list(found.items() if isinstance(found, Mapping) else found)
    except TypeError:
        raise UsageError(f"{name} is a list, not {_short(found)}") from None


def _refuse(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        if name in SUPPORTED or name in _IGNORED or value is None:
            continue
        if name not in _NEUTRAL:
            raise UsageError(f"generate() has no argument {name!r}; there are "
                             f"{', '.join(sorted(SUPPORTED))}")
        allowed, advice = _NEUTRAL[name]
        if value not in allowed:
            raise UnsupportedError(f"generate({name}={_short(value)}) is not supported: {advice}")


def _short(value: Any) -> str:
    return repr(value) if isinstance(value, (int, float, str)) else type(value).__name__


def _number(values: Mapping[str, Any], name: str, least: int) -> int | None:
    value = values.get(name)
    if value is None:
        return None
    try:
        number = _whole(value)
    except TypeError:
        raise UsageError(f"{name} is a whole number, not {value!r}") from None
    if number < least:
        raise UsageError(f"{name} is at least {least}, not {number}")
    return number


def _float(values: Mapping[str, Any], name: str, default: float = 0.0) -> float:
    """What ranges are allowed the engine says itself."""
    value = values.get(name)
    try:
        return default if value is None else float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{name} is a number, not {_short(value)}") from None


def _biases(values: Mapping[str, Any]) -> dict[int, float]:
    bias: dict[int, float] = {}
    for token in _ids(_items(values, "suppress_tokens"), "suppress_tokens"):
        bias[token] = float("-inf")
    for word in _items(values, "bad_words_ids"):
        banned = _ids(word, "bad_words_ids")
        if len(banned) != 1:
            raise UnsupportedError(
                "bad_words_ids of several tokens are not supported: use stop_strings, or ban "
                "single tokens"
            )
        bias[banned[0]] = float("-inf")
    for pair in _items(values, "sequence_bias"):
        if not isinstance(pair, (list, tuple)) or len(pair) != 2:
            raise UsageError("sequence_bias is {(token,): amount} or [[[token], amount]]")
        tokens = _ids(pair[0], "sequence_bias")
        if len(tokens) != 1:
            raise UnsupportedError("sequence_bias is supported for sequences of one token")
        bias[tokens[0]] = _float({"sequence_bias": pair[1]}, "sequence_bias")
    return bias


def _seed(values: Mapping[str, Any]) -> int:
    """Without one, of whoever was seeded by the caller: torch if it is loaded, else Python."""
    given = _number(values, "seed", 0)
    if given is not None and given >= 1 << 64:
        raise UsageError(f"seed is a number of 64 bits, not {given}")
    if given is not None:
        return given
    torch = sys.modules.get("torch")
    if torch is not None and hasattr(torch, "randint"):
        return int(torch.randint(0, (1 << 63) - 1, (1,)).item())
    return random.getrandbits(63)


def _sampling(values: Mapping[str, Any], explicit: Mapping[str, Any]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if values.get("do_sample"):
        top_k = _number(values, "top_k", -1)
        options["temperature"] = _float(values, "temperature", 1.0)
        options["top_k"] = 50 if top_k is None else top_k  # as in transformers
        options["top_p"] = _float(values, "top_p", 1.0)
        options["min_p"] = _float(values, "min_p")
        for name in ("top_p", "min_p"):
            if not 0 <= options[name] <= 1:
                raise UsageError(f"{name} is from 0 to 1, not {options[name]:g}")
    else:
        idle = [name for name in ("temperature", "top_p", "top_k", "min_p")
                if explicit.get(name) not in (None, 0, 1)]
        if idle and "do_sample" not in explicit:
            warnings.warn(f"{', '.join(idle)} without do_sample=True changes nothing: the most "
                          "likely token is always chosen", stacklevel=4)
    for name in ("repetition_penalty", "presence_penalty", "frequency_penalty"):
        if values.get(name) is not None:
            options[name] = _float(values, name)
    options["penalty_window"] = -1  # the whole text, as in transformers
    lookup = values.get("prompt_lookup_num_tokens")
    lookup = values.get("lookahead") if lookup is None else lookup
    if lookup is not None:
        options["draft_max"] = _number({"prompt_lookup_num_tokens": lookup},
                                       "prompt_lookup_num_tokens", -1)
    for name in ("grammar", "grammar_begin"):
        if values.get(name) is not None:
            options[name] = values[name]
    return options


def _seconds(values: Mapping[str, Any]) -> float | None:
    if values.get("max_time") is None:
        return None
    seconds = _float(values, "max_time")
    if math.isnan(seconds):
        raise UsageError("max_time is a number of seconds, not nan")
    return seconds


def _criteria(given: Any) -> list[Callable[..., Any]]:
    if given is None:
        return []
    found = list(given) if isinstance(given, (list, tuple)) else [given]  # lists of transformers
    for one in found:  # can be called, too
        if not callable(one):
            raise UsageError("stopping_criteria are functions of (input_ids, scores), not "
                             f"{type(one).__name__}")
    return found


def make_plan(defaults: Mapping[str, Any], explicit: Mapping[str, Any]) -> Plan:
    """``defaults``: what the model's files and a generation config say; ``explicit``: arguments."""
    _refuse(explicit)
    given = {name: value for name, value in explicit.items() if value is not None}
    values = {**defaults, **given}
    _refuse({name: value for name, value in values.items() if name in KNOWN})
    if "max_new_tokens" in given:
        values.pop("max_length", None)
    elif "max_length" in given:
        values.pop("max_new_tokens", None)
    plan = Plan(
        options=_sampling(values, given),
        max_new_tokens=_number(values, "max_new_tokens", 0),
        max_length=_number(values, "max_length", 1),
        min_new_tokens=_number(values, "min_new_tokens", 0) or 0,
        min_length=_number(values, "min_length", 0) or 0,
        bias=_biases(values),
        n_sequences=_number(values, "num_return_sequences", 1) or 1,
        seed=_seed(values),
        streamer=values.get("streamer"),
        max_time=_seconds(values),
        is_dict=bool(values.get("return_dict_in_generate")),
    )
    if values.get("eos_token_id") is not None:
        ends = _ids(values["eos_token_id"], "eos_token_id")
        plan.ends = frozenset(token for token in ends if token >= 0)
    if values.get("pad_token_id") is not None:
        plan.pad = next(iter(_ids(values["pad_token_id"], "pad_token_id")), None)
    stops = values.get("stop_strings") or []
    plan.stops = [stops] if isinstance(stops, str) else _items(values, "stop_strings")
    plan.criteria = _criteria(values.get("stopping_criteria"))
    for name in ("put", "end") if plan.streamer is not None else ():
        if not callable(getattr(plan.streamer, name, None)):
            raise UsageError(f"a streamer has {name}(); {type(plan.streamer).__name__} has not")
    if "grammar" in plan.options and (plan.min_new_tokens or plan.min_length):
        raise UsageError("a grammar says itself when a text is complete; leave out min_new_tokens")
    if plan.n_sequences > 1 and not values.get("do_sample"):
        raise UsageError(
            "num_return_sequences > 1 needs do_sample=True: greedy texts are all alike"
        )
    return plan
