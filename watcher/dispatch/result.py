"""How the command of a rollback ended: ID.result.

Knows that file and its checks only. A plain class with few imports, like claim.py.
"""

from __future__ import annotations

from watcher.dispatch.claim import SCHEMA, ClaimError, read_object, take

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from typing import Any

STATES = ("succeeded", "failed")
NOT_STARTED = "was not started: "
"""How the detail begins where no command was ever started: nothing was rolled back then, not even half."""
COMMAND_FAILED = 2
"""The exit code of a runner whose command failed, was ended at its time limit, or could not be started."""


class Result:
    """`state` is one of STATES; instants are microseconds since 1970; `output` is the tail of it: hostile text."""

    __slots__ = ("detail", "exit_code", "finished_at", "output", "signal", "started_at", "state")

    def __init__(
        self, *, state: str, exit_code: int | None = None, signal: int | None = None, detail: str = ""
    ) -> None:
        self.state, self.exit_code, self.signal, self.detail = state, exit_code, signal, detail
        self.started_at, self.finished_at, self.output = 0, 0, ""

    def as_object(self) -> dict[str, Any]:
        """The result file."""
        return {
            "schema": SCHEMA,
            "state": self.state,
            "exit_code": self.exit_code,
            "signal": self.signal,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "detail": self.detail,
            "output": self.output,
        }


def read_result(at: int, release_id: str) -> Result | None:
    """How the command ended, None if that isn't written yet. Raises ClaimError: it is damaged. Raises OSError."""
    name = f"{release_id}.result"
    try:
        found = read_object(at, name)
    except FileNotFoundError:
        return None
    try:
        result = Result(
            state=take(found, "state", str),
            exit_code=take(found, "exit_code", int, type(None)),
            signal=take(found, "signal", int, type(None)),
            detail=take(found, "detail", str),
        )
        result.started_at = take(found, "started_at", int)
        result.finished_at = take(found, "finished_at", int)
        result.output = take(found, "output", str)
    except ClaimError as error:
        raise ClaimError(f"{name}: {error}") from error
    if result.state not in STATES:
        raise ClaimError(f'{name}: "{result.state[:40]}" is no state')
    return result
