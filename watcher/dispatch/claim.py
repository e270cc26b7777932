"""What is written down of a rollback in the claims directory, and under which names.

    ID.claim      facts and command; who made it may start the runner; made once, never taken back
    ID.started    the command was about to be started; locked for as long as its runner lives
    ID.started.2  the same of the only repetition, which an idempotent command gets
    ID.result     how it ended
    ID.log        what the command printed, cut at 256 KiB

Knows these files and their checks, nothing of releases, and runs nothing. Plain classes and few imports: dataclasses
and typing would cost the start of a rollback 10 ms.
"""

from __future__ import annotations

import os

from watcher.dispatch import files, jsontext

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from typing import Any

SCHEMA = 1
LARGEST_FACTS = 4096
LARGEST_FILE = 256 * 1024
KILL_AFTER_USEC = 5_000_000
STARTED = ("started", "started.2")


class ClaimError(Exception):
    """What a file of a rollback holds, or would hold, can't be used; the text begins with its name or the key."""


class Facts:
    """What is rolled back: all that the queue file holds, and all that the command is told.

    `previous` is None if it isn't known; `reason_code` is one word of ours.
    """

    __slots__ = ("id", "job", "previous", "reason_code", "version")

    def __init__(self, *, id: str, job: str, version: str, previous: str | None, reason_code: str) -> None:  # noqa: A002 - the file's own word
        """Raises ClaimError: a text that no environment can hold, an id that is no file name, more than 4 KiB."""
        self.id, self.job, self.version, self.previous, self.reason_code = id, job, version, previous, reason_code
        for key in self.__slots__:
            _check_text(key, getattr(self, key) or "")
        if not is_file_name(id):
            raise ClaimError(f'id: "{id[:80]}" is no file name')
        if len(jsontext.render(self.as_object())) > LARGEST_FACTS:
            raise ClaimError(f"facts of {id}: larger than {LARGEST_FACTS} bytes")

    def as_object(self) -> dict[str, Any]:
        """The queue file, which is also the command's standard input."""
        return {
            "schema": SCHEMA,
            "id": self.id,
            "job": self.job,
            "version": self.version,
            "previous": self.previous,
            "reason_code": self.reason_code,
        }

    def same_release(self, other: Facts) -> bool:
        """Whether both speak of one release; why it is rolled back may have changed since (a person asked again)."""
        mine, theirs = (
            (self.id, self.job, self.version, self.previous),
            (other.id, other.job, other.version, other.previous),
        )
        return mine == theirs


class Claim:
    """The right to run one command once. `timeout` is `timeout_usec` in words, for the result.

    `config_hash` is that of the files from which root took the command, None if it is the release's own (by hand).
    """

    __slots__ = (
        "claimed_at",
        "command",
        "config_hash",
        "facts",
        "idempotent",
        "kill_after_usec",
        "timeout",
        "timeout_usec",
        "user",
    )

    def __init__(
        self,
        facts: Facts,
        *,
        command: tuple[str, ...],
        timeout_usec: int,
        timeout: str,
        user: str | None,
        idempotent: bool,
        claimed_at: int,
        kill_after_usec: int = KILL_AFTER_USEC,
        config_hash: str | None = None,
    ) -> None:
        """Raises ClaimError: no command, or one that can't be executed as it is written."""
        if not command or not command[0]:
            raise ClaimError(f"command of {facts.id}: is empty")
        for argument in command:
            _check_text("command", argument)
        self.facts, self.command, self.timeout_usec, self.timeout = facts, command, timeout_usec, timeout
        self.user, self.idempotent, self.claimed_at = user, idempotent, claimed_at
        self.kill_after_usec, self.config_hash = kill_after_usec, config_hash

    def as_object(self) -> dict[str, Any]:
        """The claim file."""
        return self.facts.as_object() | {
            "command": list(self.command),
            "timeout": self.timeout,
            "timeout_usec": self.timeout_usec,
            "kill_after_usec": self.kill_after_usec,
            "user": self.user,
            "idempotent": self.idempotent,
            "claimed_at": self.claimed_at,
            "config_hash": self.config_hash,
        }


def is_file_name(text: str) -> bool:
    """Whether the text can't lead out of a directory; what ids look like is checked where they are given."""
    return 0 < len(text) <= 64 and "/" not in text and not text.startswith(".")  # noqa: PLR2004 - the contract's length


def read_claim(at: int, release_id: str) -> Claim:
    """The claim of this release in the claims directory.

    Raises FileNotFoundError: there is none. Raises ClaimError: something is there, and nothing can be run by it.
    Raises OSError: it can't be read now.
    """
    name = f"{release_id}.claim"
    found = read_object(at, name)
    try:
        facts = Facts(
            id=take(found, "id", str),
            job=take(found, "job", str),
            version=take(found, "version", str),
            previous=take(found, "previous", str, type(None)),
            reason_code=take(found, "reason_code", str),
        )
        claim = Claim(
            facts,
            command=tuple(take(found, "command", list)),
            timeout_usec=take(found, "timeout_usec", int),
            timeout=take(found, "timeout", str),
            user=take(found, "user", str, type(None)),
            idempotent=take(found, "idempotent", bool),
            claimed_at=take(found, "claimed_at", int),
            kill_after_usec=take(found, "kill_after_usec", int),
            config_hash=take(found, "config_hash", str, type(None)),  # older claims have none
        )
    except ClaimError as error:
        raise ClaimError(f"{name}: {error}") from error
    if facts.id != release_id:
        raise ClaimError(f'{name}: holds the claim of "{facts.id}"')
    return claim


def stake(at: int, claim: Claim) -> bool:
    """Claim the release, once for ever; False if it is claimed already, by whomever.

    Complete from the instant it can be seen, so a crash leaves no claim or a whole one, never half of one that would
    neither run nor let another run. Its name is not made durable here: without ID.started nothing has run, and
    that one's sync covers the directory with both names before the command starts.
    Raises OSError.
    """
    try:
        fd = files.create(at, f"{claim.facts.id}.claim", jsontext.render(claim.as_object()), durable=True)
    except FileExistsError:
        return False
    os.close(fd)
    return True


def boot_id() -> str:
    """Of this boot of the machine. Raises OSError."""
    fd = os.open("/proc/sys/kernel/random/boot_id", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 64).decode("ascii").strip()
    finally:
        os.close(fd)


def read_object(at: int, name: str) -> dict[str, Any]:
    """A JSON object that we wrote, or that somebody else put there.

    Raises FileNotFoundError: nothing is there. Raises ClaimError: it is nothing of ours, and won't be the next time.
    Raises OSError: it can't be read now.
    """
    try:
        found = jsontext.parse_object(files.read(at, name, limit=LARGEST_FILE))
    except files.NotPlainError as error:
        raise ClaimError(f"{name}: {error.strerror}") from error
    except ValueError as error:
        raise ClaimError(f"{name}: is damaged") from error
    if found.get("schema") != SCHEMA:
        raise ClaimError(f"{name}: is of another schema")
    return found


def take(found: dict[str, Any], key: str, *kinds: type) -> Any:
    """The value under the key, which is of exactly one of the kinds (True is no int). Raises ClaimError."""
    value = found.get(key)
    if type(value) not in kinds:
        raise ClaimError(f"{key}: is missing or of another kind")
    return value


def _check_text(key: str, text: object) -> None:
    if not isinstance(text, str):
        raise ClaimError(f"{key}: is no text")
    if "\0" in text:
        raise ClaimError(f"{key}: holds a NUL")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ClaimError(f"{key}: is no Unicode text") from error
