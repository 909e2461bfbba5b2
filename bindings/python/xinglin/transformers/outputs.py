# SPDX-License-Identifier: Apache-2.0
"""Results with names, which also answer to ``result["name"]`` and ``result[0]``."""

from __future__ import annotations

from typing import Any


class Output(dict[str, Any]):
    """A dict whose values are attributes too; numbers and slices index its values in order."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r}, only {', '.join(self)}") from None

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, (int, slice)):
            return self.to_tuple()[key]
        return super().__getitem__(key)

    def to_tuple(self) -> tuple[Any, ...]:
        return tuple(self.values())

    def to(self, *_args: Any, **_kwargs: Any) -> Output:
        """Arrays stay where they are: everything is on the CPU."""
        return self
