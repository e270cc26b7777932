"""ID.refused: why the dispatcher did not run a rollback now. A person may have it run later, so it ends nothing.

Knows that file only. It counts for as long as nothing newer was decided: its instant is compared with the decision's.
"""

from __future__ import annotations

from watcher.dispatch import files, jsontext
from watcher.dispatch.claim import SCHEMA, ClaimError, read_object, take

DISARMED, PAUSED, REFUSED = CODES = ("disarmed", "paused", "refused")
_LONGEST = 400


class Refusal:
    """`code` is one of CODES; `detail` is for people; `at` is in microseconds since 1970."""

    __slots__ = ("at", "code", "detail")

    def __init__(self, *, code: str, detail: str, at: int) -> None:
        self.code, self.detail, self.at = code, detail[:_LONGEST], at


def leave_refusal(claims: int, release_id: str, refusal: Refusal) -> None:
    """Write it down; an older one is replaced. Raises OSError."""
    found = {"schema": SCHEMA, "code": refusal.code, "detail": refusal.detail, "refused_at": refusal.at}
    files.replace(claims, f"{release_id}.refused", jsontext.render(found), durable=False)


def read_refusal(claims: int, release_id: str) -> Refusal | None:
    """The last refusal, None if there was none. Raises ClaimError: it is damaged. Raises OSError."""
    name = f"{release_id}.refused"
    try:
        found = read_object(claims, name)
    except FileNotFoundError:
        return None
    code = take(found, "code", str)
    if code not in CODES:
        raise ClaimError(f"{name}: is of an unknown kind")
    return Refusal(code=code, detail=take(found, "detail", str), at=take(found, "refused_at", int))
