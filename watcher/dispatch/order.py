"""The queue: one file for each rollback that was decided, named ID.json. Whoever reads it must not trust it.

Knows names and checks of these files; nothing of claims or of commands. `.json`, as the path unit passes over names
that look like backups, and a release may well be called `import-2.new`.
"""

from __future__ import annotations

import os
import stat

from watcher.core.names import is_safe_name
from watcher.dispatch import files, jsontext
from watcher.dispatch.claim import LARGEST_FACTS, SCHEMA, ClaimError, Facts, take

SUFFIX = ".json"
LONGEST_AGE_USEC = 3_600_000_000
"""An order that lay longer is nobody's wish any more: a daemon that lives renews it, or takes it back."""


class OrderError(Exception):
    """A queue file that is no order of ours; the text says why, without what stood in it."""


def order_name(release_id: str) -> str:
    """The name of a release's queue file."""
    return release_id + SUFFIX


def id_in(name: str) -> str | None:
    """The release that a queue file of this name is about; None for any other name."""
    release_id = name.removesuffix(SUFFIX)
    return release_id if name.endswith(SUFFIX) and is_safe_name(release_id) else None


def read_order(queue: int, name: str, *, owner: int | None, now: int) -> Facts:
    """What the queue file asks for; `now` is in microseconds since 1970.

    Raises OrderError: it is refused, or was taken back. Raises OSError.
    """
    release_id = id_in(name)
    if release_id is None:
        raise OrderError("its name is no release's")
    try:
        contents = _read(queue, name, owner, now)
        facts = _facts(jsontext.parse_object(contents))
    except FileNotFoundError as error:
        raise OrderError("it was taken back") from error
    except files.NotPlainError as error:
        raise OrderError(error.strerror or "is no regular file") from error
    except (ClaimError, ValueError) as error:
        raise OrderError(f"its contents are no order: {error}") from error
    if facts.id != release_id:
        raise OrderError("it names another release than its file")
    return facts


def _read(queue: int, name: str, owner: int | None, now: int) -> bytes:
    fd = files.open_plain(queue, name)
    try:
        found = os.fstat(fd)
        if found.st_uid != owner:
            raise OrderError(f"it belongs to user {found.st_uid}, not to the daemon's")
        if found.st_nlink != 1 or not stat.S_ISREG(found.st_mode):
            raise OrderError("it has a second name")
        if now - found.st_mtime_ns // 1000 > LONGEST_AGE_USEC:
            raise OrderError("it has waited for more than an hour, and was not renewed")
        contents = os.read(fd, LARGEST_FACTS + 1)
    finally:
        os.close(fd)
    if len(contents) > LARGEST_FACTS:
        raise OrderError(f"it is larger than {LARGEST_FACTS} bytes")
    return contents


def _facts(found: dict[str, object]) -> Facts:
    if found.get("schema") != SCHEMA:
        raise ClaimError("schema: is another one")
    facts = Facts(
        id=take(found, "id", str),
        job=take(found, "job", str),
        version=take(found, "version", str),
        previous=take(found, "previous", str, type(None)),
        reason_code=take(found, "reason_code", str),
    )
    if not is_safe_name(facts.job) or not is_safe_name(facts.reason_code or "none"):
        raise ClaimError("job, reason_code: not a name")
    if not (facts.version + (facts.previous or "")).isprintable():
        raise ClaimError("version, previous: not one line of printable text")
    return facts
