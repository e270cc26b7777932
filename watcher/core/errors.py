"""Errors that a person reads: what is wrong and what to do next.

Knows nothing of exit codes or of HTTP; `cli/` and `adapters/control.py` translate.
"""

from __future__ import annotations


class WatcherError(Exception):
    """Base of every error that is shown to a person.

    The message begins with the thing and its value; `hint` is the advice, one sentence or "".
    """

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class DurationError(WatcherError):
    """A text that is no Prometheus duration."""
