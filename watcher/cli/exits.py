"""The exit codes of every verb, and the errors that only the command line has.

Knows errors of other parts by the names of their classes alone: importing them would load what a client never needs.
"""

from __future__ import annotations

from watcher.core.errors import WatcherError

OK = 0
FAILED = 1
HUMAN, INCONCLUSIVE, REPLACED = 2, 3, 4
USAGE = 64
NO_DAEMON = 69
INTERNAL = 70
TRY_AGAIN = 75
NOT_PERMITTED = 77
BAD_CONFIG = 78
TIMED_OUT = 124
INTERRUPTED = 130

_BY_NAME = {
    "AddressError": TRY_AGAIN,
    "ConfigError": BAD_CONFIG,
    "JournalError": BAD_CONFIG,
    "PatternError": BAD_CONFIG,
    "SocketError": TRY_AGAIN,
    "StateDirectoryError": BAD_CONFIG,
    "StoreRefusedError": BAD_CONFIG,
    "RecordError": BAD_CONFIG,
    "FrontError": TRY_AGAIN,
    "RollbackError": TRY_AGAIN,
    "StateDiskError": TRY_AGAIN,
    "StateLockedError": TRY_AGAIN,
    "StoreError": TRY_AGAIN,
    "StoreLostError": TRY_AGAIN,
    "DurationError": USAGE,
    "InstantError": USAGE,
    "ReplayError": USAGE,
    "CatalogError": USAGE,
    "RecordedError": USAGE,
}


class UsageError(WatcherError):
    """The command line asks for something that there is not."""

    exit_code = USAGE


class BackupError(WatcherError):
    """The job's backup command failed: nothing was registered. `output` is its end, safe to show."""

    exit_code = FAILED

    def __init__(self, message: str, *, hint: str = "", output: tuple[str, ...] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = output


def exit_code(error: WatcherError) -> int:
    """What the process ends with; an error that names no code of its own goes by the name of its class or a base."""
    own = getattr(error, "exit_code", None)
    if isinstance(own, int):
        return own
    return next((_BY_NAME[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _BY_NAME), INTERNAL)
