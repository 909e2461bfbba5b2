# SPDX-License-Identifier: Apache-2.0
"""The engine's tokenizer with the methods that users of transformers know."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .. import _native as native
from ..engine import Engine, render_template
from ..errors import NotFoundError, UnsupportedError, UsageError
from .outputs import Output

_SPECIAL = ("bos", "eos", "unk", "sep", "pad", "cls", "mask")
_PASS_SILENTLY = frozenset(
    "add_prefix_space clean_up_tokenization_spaces is_split_into_words legacy padding_side "
    "pad_to_multiple_of "
    "return_attention_mask return_offsets_mapping return_token_type_ids stride truncation_side "
    "spaces_between_special_tokens use_fast verbose".split()
)
_CLOSE_MARKS = (".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re")  # a space before them goes
VERY_LARGE = 10**30  # what transformers says where no length is known
TOKENIZER_FILES = (
    "tokenizer.json tokenizer_config.json tokenizer.model special_tokens_map.json "
    "added_tokens.json vocab.txt vocab.json merges.txt qwen.tiktoken chat_template.jinja "
    "chat_template.json generation_config.json"
).split()


class BatchEncoding(Output):
    """``input_ids`` and ``attention_mask``; goes into ``generate(**encoding)``."""


def _read_json(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _token_text(value: Any) -> str | None:
    """A token in tokenizer_config.json is its text or {"content": its text}."""
    if isinstance(value, dict):
        value = value.get("content")
    return value if isinstance(value, str) else None


class Tokenizer:
    """Made by :class:`AutoTokenizer`. Works without torch and transformers."""

    is_fast = True
    model_input_names = ["input_ids", "attention_mask"]

    def __init__(self, engine: Engine, name_or_path: str, padding_side: str = "right") -> None:
        self._engine = engine
        self.name_or_path = name_or_path
        text, error = ctypes.c_void_p(), native.Error()
        with engine._handle.use() as pointer:
            status = native.lib.xl_tokenizer_describe(
                pointer, ctypes.byref(text), ctypes.byref(error)
            )
        native.check(status, error)
        self._facts: dict[str, Any] = json.loads(native.take_string(text))
        folder = Path(name_or_path)
        folder = folder if folder.is_dir() else folder.parent
        self._files = folder if Path(name_or_path).is_dir() else None
        config = _read_json(folder / "tokenizer_config.json") if self._files else {}
        self.init_kwargs = config
        self.padding_side: str = config.get("padding_side", padding_side)
        self.truncation_side: str = config.get("truncation_side", "right")
        length = config.get("model_max_length")
        self.model_max_length: int = int(length) if isinstance(length, (int, float)) else VERY_LARGE
        self.chat_template: str | None = self._facts["chat_template"]
        self._control = frozenset(self._facts["control"])
        self._ids: dict[str, int | None] = {}
        self._find_special(config)

    def _find_special(self, config: Mapping[str, Any]) -> None:
        map_file = _read_json(self._files / "special_tokens_map.json") if self._files else {}
        for name in _SPECIAL:
            text = _token_text(config.get(f"{name}_token")) or _token_text(
                map_file.get(f"{name}_token")
            )
            found = self._find(text) if text is not None else None
            if found is None and (self._files is None or name in ("bos", "eos")):
                found = self._facts.get(name)
            self._ids[name] = found
        if self._files is not None and "bos_token" in config and config["bos_token"] is None:
            self._ids["bos"] = None
        if self._ids["cls"] is None and self._facts["model"] == "bert":
            self._ids["cls"] = self._find("[CLS]")

    def __getattr__(self, name: str) -> Any:
        """bos_token, bos_token_id and the like."""
        if not name.startswith("_"):
            base = name.removesuffix("_id").removesuffix("_token")
            if base in _SPECIAL and name == base + "_token_id":
                return self._ids[base]
            if base in _SPECIAL and name == base + "_token":
                token = self._ids[base]
                return None if token is None else self.convert_ids_to_tokens(token)
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        base = name.removesuffix("_id").removesuffix("_token")
        if base in _SPECIAL and name == base + "_token_id":
            self._ids[base] = None if value is None else int(value)
        elif base in _SPECIAL and name == base + "_token":
            token = None if value is None else self._find(str(value))
            if value is not None and token is None:
                raise UsageError(f"{value!r} is no token of this vocabulary, which cannot grow")
            self._ids[base] = token
        else:
            super().__setattr__(name, value)

    # -- single tokens ---------------------------------------------------------------------------
    @property
    def vocab_size(self) -> int:
        return int(self._facts["tokens"])

    def __len__(self) -> int:
        return self.vocab_size

    def __repr__(self) -> str:
        return f"<xinglin Tokenizer {self.name_or_path!r}, {self.vocab_size} tokens>"

    @property
    def all_special_ids(self) -> list[int]:
        return sorted(self._control | {i for i in self._ids.values() if i is not None})

    @property
    def all_special_tokens(self) -> list[str]:
        return [self._spelling(token) for token in self.all_special_ids]

    @property
    def special_tokens_map(self) -> dict[str, str]:
        named = {f"{name}_token": getattr(self, f"{name}_token") for name in _SPECIAL}
        return {name: text for name, text in named.items() if text is not None}

    def _find(self, text: str) -> int | None:
        data = text.encode("utf-8", "replace")
        with self._engine._handle.use() as pointer:
            token = native.lib.xl_token_find(pointer, data, len(data))
        return token if token >= 0 else None

    def _raw(self, token: int) -> str:
        text, n, error = ctypes.c_void_p(), ctypes.c_size_t(), native.Error()
        with self._engine._handle.use() as pointer:
            status = native.lib.xl_token_text(
                pointer, token, ctypes.byref(text), ctypes.byref(n), ctypes.byref(error)
            )
        native.check(status, error)
        return native.take_bytes(text, n.value).decode("utf-8", "replace")

    def _spelling(self, token: int) -> str:
        """WordPiece marks continued words in a checkpoint, and begun ones in GGUF."""
        text = self._raw(token)
        if self._facts["model"] != "bert" or token in self._control:
            return text
        if text.startswith("\u2581"):
            return text[1:]
        is_named = text.startswith("[") and text.endswith("]")
        return text if is_named else "##" + text

    def convert_ids_to_tokens(self, ids: Any, skip_special_tokens: bool = False) -> Any:
        """A token's spelling in the vocabulary, or a list of them."""
        if hasattr(ids, "tolist"):
            ids = ids.tolist()
        if isinstance(ids, int):
            return self._spelling(ids)
        special = self._control if skip_special_tokens else frozenset()
        return [self._spelling(token) for token in ids if token not in special]

    def convert_tokens_to_ids(self, tokens: Any) -> Any:
        """The id of a spelling (the unknown token's if there is none), or a list of them."""
        if not isinstance(tokens, str):
            return [self.convert_tokens_to_ids(token) for token in tokens]
        spelling = tokens
        if self._facts["model"] == "bert":
            spelling = tokens[2:] if tokens.startswith("##") else "\u2581" + tokens
        found = self._find(spelling)
        if found is None:
            found = self._find(tokens)
        return self._ids["unk"] if found is None else found

    def get_vocab(self) -> dict[str, int]:
        return {self._spelling(token): token for token in range(self.vocab_size)}

    vocab = property(get_vocab)

    # -- text to ids -----------------------------------------------------------------------------
    def tokenize(self, text: str, add_special_tokens: bool = False, **_: Any) -> list[str]:
        ids = self.encode(text, add_special_tokens=add_special_tokens)
        return [self._spelling(token) for token in ids]

    def encode(
        self,
        text: str,
        text_pair: None = None,
        add_special_tokens: bool = True,
        padding: Any = False,
        truncation: Any = None,
        max_length: int | None = None,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> Any:
        """The ids of one text; a list unless ``return_tensors`` says otherwise."""
        if not isinstance(text, str):
            raise UsageError("encode() takes one text; call the tokenizer for a list of texts")
        found = self(
            text,
            text_pair,
            add_special_tokens=add_special_tokens,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            return_tensors=return_tensors,
            **kwargs,
        )
        return found["input_ids"]

    def __call__(
        self,
        text: str | Sequence[str],
        text_pair: None = None,
        *,
        add_special_tokens: bool = True,
        padding: bool | str | None = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        return_tensors: str | None = None,
        split_special_tokens: bool = False,
        **kwargs: Any,
    ) -> BatchEncoding:
        """Ids and mask of a text or of several. ``padding``: True or "longest", "max_length".
        ``truncation``: True cuts to ``max_length``. ``return_tensors``: None, "np" or "pt"."""
        for name, value in kwargs.items():
            if name not in _PASS_SILENTLY:
                raise UsageError(f"the tokenizer has no argument {name!r}")
            if name in ("is_split_into_words", "return_offsets_mapping", "stride") and value:
                raise UnsupportedError(f"{name} is not supported; tokenize plain texts")
        if text_pair is not None:
            raise UnsupportedError("pairs of texts are not supported; join them in one text")
        is_one = isinstance(text, str)
        texts = [text] if isinstance(text, str) else list(text)
        rows = [self._encode_one(one, add_special_tokens, split_special_tokens) for one in texts]
        if truncation not in (None, False, "do_not_truncate"):
            most = max_length if max_length is not None else self.model_max_length
            rows = [self._cut(row, most, add_special_tokens) for row in rows]
        masks = [[1] * len(row) for row in rows]
        if padding not in (None, False, "do_not_pad"):
            side = kwargs.get("padding_side") or self.padding_side
            rows, masks = self._pad_rows(
                rows, masks, padding, max_length, side, kwargs.get("pad_to_multiple_of")
            )
        return self._result(rows, masks, is_one, return_tensors)

    def _encode_one(self, text: str, add_special: bool, split_special: bool) -> list[int]:
        return self._engine.tokenize(
            text, add_special=add_special, parse_special=not split_special
        )

    def _cut(self, row: list[int], most: int, add_special: bool) -> list[int]:
        """At most so many ids. What add_special put at the ends stays."""
        if len(row) <= most:
            return row
        frame = self._engine.tokenize("") if add_special else []
        after = 0
        if frame and row[: len(frame)] != frame:  # something is put behind a text, too
            while after < len(frame) and frame[-1 - after] == row[-1 - after]:
                after += 1
        before = len(frame) - after
        kept = max(most - before - after, 0)
        body = row[before : len(row) - after]
        body = body[len(body) - kept :] if self.truncation_side == "left" else body[:kept]
        return row[:before] + body + row[len(row) - after :]

    def _pad_rows(
        self,
        rows: list[list[int]],
        masks: list[list[int]],
        how: Any,
        max_length: int | None,
        side: str,
        multiple: int | None,
    ) -> tuple[list[list[int]], list[list[int]]]:
        pad = self._ids["pad"]
        if pad is None:
            raise UsageError(
                "this tokenizer has no padding token; set tokenizer.pad_token = tokenizer.eos_token"
            )
        width = max((len(row) for row in rows), default=0)
        if how == "max_length":
            width = max_length if max_length is not None else self.model_max_length
            if width >= VERY_LARGE:
                raise UsageError("padding='max_length' needs max_length")
        if multiple:
            width = -(-width // multiple) * multiple
        padded, marked = [], []
        for row, mask in zip(rows, masks):
            n = max(width - len(row), 0)
            is_left = side == "left"
            padded.append([pad] * n + row if is_left else row + [pad] * n)
            marked.append([0] * n + mask if is_left else mask + [0] * n)
        return padded, marked

    def pad(
        self,
        encoded: Any,
        padding: bool | str = True,
        max_length: int | None = None,
        return_tensors: str | None = None,
        **kwargs: Any,
    ) -> BatchEncoding:
        """Brings encodings (one of several texts, or a list of single ones) to one length."""
        if not isinstance(encoded, Mapping):
            encoded = {"input_ids": [one["input_ids"] for one in encoded]}
        rows = [list(row) for row in encoded["input_ids"]]
        masks = [[1] * len(row) for row in rows]
        side = kwargs.get("padding_side") or self.padding_side
        rows, masks = self._pad_rows(
            rows, masks, padding, max_length, side, kwargs.get("pad_to_multiple_of")
        )
        return self._result(rows, masks, False, return_tensors)

    def _result(
        self, rows: list[list[int]], masks: list[list[int]], is_one: bool, tensors: Any
    ) -> BatchEncoding:
        tensors = getattr(tensors, "value", tensors)
        if tensors is None:
            if is_one:
                return BatchEncoding(input_ids=rows[0], attention_mask=masks[0])
            return BatchEncoding(input_ids=rows, attention_mask=masks)
        if len({len(row) for row in rows}) > 1:
            raise UsageError(
                "texts of different lengths do not fit into one array; add padding=True "
                "(and truncation=True)"
            )
        if tensors == "pt":
            import torch

            return BatchEncoding(
                input_ids=torch.tensor(rows, dtype=torch.int64),
                attention_mask=torch.tensor(masks, dtype=torch.int64),
            )
        if tensors == "np":
            import numpy

            return BatchEncoding(
                input_ids=numpy.array(rows, dtype=numpy.int64),
                attention_mask=numpy.array(masks, dtype=numpy.int64),
            )
        raise UsageError(f"return_tensors is None, 'np' or 'pt', not {tensors!r}")

    # -- ids to text -----------------------------------------------------------------------------
    def decode(
        self,
        token_ids: Any,
        skip_special_tokens: bool = False,
        clean_up_tokenization_spaces: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """The text of ids; of a batch, a list of texts."""
        for name in kwargs:
            if name not in _PASS_SILENTLY:
                raise UsageError(f"decode() has no argument {name!r}")
        ids = token_ids.tolist() if hasattr(token_ids, "tolist") else token_ids
        if isinstance(ids, int):
            ids = [ids]
        ids = [one.tolist() if hasattr(one, "tolist") else one for one in ids]
        if ids and not isinstance(ids[0], int):
            return [self.decode(row, skip_special_tokens) for row in ids]
        ids = [token for token in ids if token < self.vocab_size]  # rows of a model without a text
        if skip_special_tokens:
            ids = [token for token in ids if token not in self._control]
        elif self._facts["model"] == "bert":
            return self._decode_words(ids)
        return self._engine.detokenize(ids, with_special=not skip_special_tokens)

    def _decode_words(self, ids: list[int]) -> str:
        """WordPiece with its special tokens: words between spaces, but marks stand by a word."""
        text = ""
        for token in ids:
            piece = self._spelling(token)
            if piece.startswith("##") and text:
                text += piece[2:]
            elif text and not piece.startswith(_CLOSE_MARKS):
                text += " " + piece
            else:
                text += piece
        return text

    def batch_decode(self, sequences: Iterable[Any], *args: Any, **kwargs: Any) -> list[str]:
        """A text for each row."""
        return [self.decode(row, *args, **kwargs) for row in sequences]

    def convert_tokens_to_string(self, tokens: Sequence[str]) -> str:
        return str(self.decode(self.convert_tokens_to_ids(tokens)))

    # -- chat ------------------------------------------------------------------------------------
    def _template_context(self) -> dict[str, Any]:
        names = ("bos", "eos", "unk", "pad")
        context = {f"{name}_token": getattr(self, f"{name}_token") or "" for name in names}
        return context

    def apply_chat_template(
        self,
        conversation: Sequence[Any],
        tools: Sequence[Any] | None = None,
        documents: Sequence[Any] | None = None,
        chat_template: str | None = None,
        add_generation_prompt: bool = False,
        continue_final_message: bool = False,
        tokenize: bool = True,
        padding: bool | str = False,
        truncation: bool | str | None = None,
        max_length: int | None = None,
        return_tensors: str | None = None,
        return_dict: bool | None = None,
        **template_kwargs: Any,
    ) -> Any:
        """Messages as the model's template writes them: a text, or its ids (``tokenize``), or with
        ``return_dict`` what a call of the tokenizer gives. Other arguments reach the template."""
        template = chat_template or self.chat_template
        if not template:
            raise NotFoundError(
                f"{self.name_or_path} has no chat template; give one as chat_template="
            )
        if continue_final_message:
            raise UnsupportedError(
                "continue_final_message is not supported; append the text that has begun to the "
                "text that apply_chat_template(..., tokenize=False) gives"
            )
        is_batch = bool(conversation) and not isinstance(conversation[0], Mapping)
        talks = list(conversation) if is_batch else [conversation]
        context = {**self._template_context(), **template_kwargs}
        context["add_generation_prompt"] = add_generation_prompt
        if tools is not None:
            context["tools"] = [self._tool(tool) for tool in tools]
        if documents is not None:
            context["documents"] = list(documents)
        texts = [
            render_template(template, {**context, "messages": [dict(m) for m in talk]})
            for talk in talks
        ]
        if not tokenize:
            return texts if is_batch else texts[0]
        encoded = self(
            texts if is_batch or return_tensors else texts[0],
            add_special_tokens=False,
            padding=padding,
            truncation=truncation,
            max_length=max_length,
            return_tensors=return_tensors,
        )
        return encoded if return_dict else encoded["input_ids"]

    @staticmethod
    def _tool(tool: Any) -> Any:
        if callable(tool):
            raise UnsupportedError(
                "tools are JSON schemas here ({'type': 'function', 'function': {...}}); "
                "transformers.utils.get_json_schema() makes one from a Python function"
            )
        return tool

    # -- files -----------------------------------------------------------------------------------
    def save_pretrained(self, save_directory: str | os.PathLike[str], **_: Any) -> tuple[str, ...]:
        """Copies the tokenizer's files. That of a GGUF file has none: keep the GGUF file."""
        if self._files is None:
            raise UnsupportedError(
                f"the tokenizer of {self.name_or_path} is inside the GGUF file; copy that file, "
                "AutoTokenizer.from_pretrained() reads it"
            )
        target = Path(save_directory)
        target.mkdir(parents=True, exist_ok=True)
        saved = []
        for name in TOKENIZER_FILES:
            source = self._files / name
            if source.is_file() and name != "generation_config.json":
                if not (target / name).exists() or not source.samefile(target / name):
                    shutil.copyfile(source, target / name)
                saved.append(str(target / name))
        return tuple(saved)
