"""What keeps an automatic rollback from being run now: the off switch, and the daemon's pauses, as files.

The daemon decides about pauses; this file is how the dispatcher hears of them while the daemon is dead or late.
"""

from __future__ import annotations

import os

from watcher.dispatch import files, jsontext
from watcher.dispatch.claim import LARGEST_FILE, SCHEMA, ClaimError, take

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Iterable

DISARM = "disarm"
"""Beside the configuration; in a by-hand state directory beside the claims."""
PAUSES = "pauses.json"
BY_PERSON = "person"
"""The reason code of a rollback that a person has ordered: a pause holds automatic ones only."""


def write_pauses(state: int, pauses: Iterable[tuple[str | None, int | None]]) -> None:
    """Say which jobs (None: all) are paused, and until when (None: until further notice). Raises OSError."""
    found = [{"job": job, "until": until} for job, until in pauses]
    files.replace(state, PAUSES, jsontext.render({"schema": SCHEMA, "pauses": found}), durable=True)


def is_paused(state: int, job: str, *, reason_code: str, now: int) -> bool:
    """Whether automatic rollbacks of the job are held, at an instant in microseconds since 1970.

    What can't be understood holds them as well. Raises OSError.
    """
    if reason_code == BY_PERSON:
        return False
    try:
        found = jsontext.parse_object(files.read(state, PAUSES, limit=LARGEST_FILE))
        return any(_holds(one, job, now) for one in take(found, "pauses", list))
    except FileNotFoundError:
        return False  # no daemon has ever paused anything
    except (files.NotPlainError, ValueError, ClaimError):
        return True


def is_disarmed(directory: str) -> bool:
    """Whether the off switch lies in the directory; if that can't be told, it is taken to."""
    try:
        os.lstat(f"{directory}/{DISARM}")
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _holds(pause: dict[str, object], job: str, now: int) -> bool:
    if not isinstance(pause, dict):
        raise ClaimError("pauses: is no list of objects")
    until = take(pause, "until", int, type(None))
    return take(pause, "job", str, type(None)) in (None, job) and (until is None or now < until)
