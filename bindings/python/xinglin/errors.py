# SPDX-License-Identifier: Apache-2.0
"""One exception class for each xl_status; the message is the engine's own."""

from __future__ import annotations


class XinglinError(Exception):
    """Anything that the engine refused or failed to do."""


class UsageError(XinglinError, ValueError):
    """The call makes no sense."""


class BadInputError(XinglinError, ValueError):
    """A file or text is damaged or not what it claims to be."""


class UnsupportedError(XinglinError, NotImplementedError):
    """Well-formed, but of a kind that is not handled."""


class NotFoundError(XinglinError, FileNotFoundError):
    """No such file or name."""


class OutOfMemoryError(XinglinError, MemoryError):
    """Out of memory, or over a memory budget."""


class NoSpaceError(XinglinError, OSError):
    """The disk is full."""


class ContextFullError(XinglinError):
    """More tokens than the context holds."""


class CancelledError(XinglinError):
    """Stopped on request."""


class VerificationError(XinglinError):
    """A check of results failed."""


class ClosedError(XinglinError, ValueError):
    """The model or session was closed."""


class ForkedError(XinglinError, RuntimeError):
    """The process was forked after the engine started its threads."""


_BY_STATUS = {
    2: UsageError,
    3: BadInputError,
    4: UnsupportedError,
    5: NotFoundError,
    6: OutOfMemoryError,
    7: NoSpaceError,
    8: ContextFullError,
    9: CancelledError,
    10: VerificationError,
}


def error_class(status: int) -> type[XinglinError]:
    """The class of an xl_status that is not XL_OK."""
    return _BY_STATUS.get(status, XinglinError)
