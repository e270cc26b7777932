"""What may stand in a request to the control socket, read strictly, and the core's events made of it.

Knows the JSON of the contract; knows neither sockets nor what becomes of a request. Nothing unknown, nothing of a wrong
type and nothing too long comes past this file, and every fault of a body is told at once.
"""

from __future__ import annotations

import json
from difflib import get_close_matches
from typing import Annotated, Any, NoReturn, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from watcher.adapters.problem import RequestError
from watcher.core.duration import Usec, parse_duration
from watcher.core.errors import DurationError
from watcher.core.names import JobName, ReleaseId, is_safe_name
from watcher.core.policy import Mode
from watcher.core.release import CommandResult, ReleaseRequest
from watcher.core.text import shown

BODY_LIMIT = 64 * 1024
_SHOWN_PROBLEMS, _SHOWN_KEY = 20, 60


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds characters that do not print")
    return text


def _encodable(text: str) -> str:
    if "\0" in text or any("\ud800" <= char <= "\udfff" for char in text):
        raise ValueError("holds NUL or half a character")
    return text


def _some_words(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


def _name(text: str) -> str:
    if not is_safe_name(text):
        raise ValueError("is not 1 to 64 letters, digits, dots, dashes or underscores, the first a letter or digit")
    return text


def _duration(text: str) -> str:
    try:
        parse_duration(text)
    except DurationError as error:
        raise ValueError(f"is no duration such as 90s, 15m or 1h30m: {error.message}") from error
    return text


def _mode(text: str) -> str:
    if text not in list(Mode):
        raise ValueError(f"is none of {', '.join(Mode)}")
    return text


Line = Annotated[str, Field(max_length=200), AfterValidator(_one_line)]
Filled = Annotated[Line, AfterValidator(_some_words)]
Words = Annotated[str, Field(max_length=2000), AfterValidator(_encodable)]
Reason = Annotated[Words, AfterValidator(_some_words)]
Name = Annotated[str, AfterValidator(_name)]
Duration = Annotated[str, Field(max_length=50), AfterValidator(_duration)]
Path = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_encodable)]
Instant = Annotated[int, Field(ge=0, lt=2**62)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Errand(_Body):
    """What the job's backup or check command did; instants in microseconds, `output` the tail of what it printed."""

    command: list[Annotated[str, Field(max_length=1000), AfterValidator(_encodable)]] = Field(
        min_length=1, max_length=100
    )
    exit_code: Annotated[int, Field(ge=-255, le=255)]
    started_at: Instant
    finished_at: Instant
    output: Annotated[str, Field(max_length=8192), AfterValidator(_encodable)] = ""


class Registration(_Body):
    """The body of `POST /api/v1/releases`; `dry_run` asks what would become of it, and registers nothing."""

    job: Name
    version: Filled
    id: Name | None = None
    previous: Filled | None = None
    owner: Filled | None = None
    reason: Words = ""
    rollback_note: Words = ""
    files: list[Path] = Field(default=[], max_length=1000)
    mode: Annotated[str, AfterValidator(_mode)] | None = None
    window: Duration | None = None
    prepare: bool = False
    backup: Errand | None = None
    check: Errand | None = None
    inside_rollback: Name | None = None
    force: bool = False
    dry_run: bool = False

    def request(self, author: str) -> ReleaseRequest:
        """The same as the core knows it, asked for by `author`."""
        return ReleaseRequest(
            job=JobName(self.job),
            version=self.version,
            author=author,
            id=None if self.id is None else ReleaseId(self.id),
            previous=self.previous,
            owner=self.owner,
            reason=self.reason,
            rollback_note=self.rollback_note,
            files=tuple(self.files),
            mode=None if self.mode is None else Mode(self.mode),
            window=None if self.window is None else parse_duration(self.window),
            prepare=self.prepare,
            backup=None if self.backup is None else _result(self.backup),
            check=None if self.check is None else _result(self.check),
            inside_rollback=None if self.inside_rollback is None else ReleaseId(self.inside_rollback),
            force=self.force,
        )


class Decided(_Body):
    """The body of a person's decision; `by` is for `extend` only."""

    reason: Reason
    by: Duration | None = None


class Held(_Body):
    """The body of `POST /api/v1/pause`; `for` is how long."""

    reason: Reason
    job: Name | None = None
    for_: Duration | None = Field(default=None, alias="for")


class Resumed(_Body):
    """The body of `POST /api/v1/resume`."""

    job: Name | None = None


class Nothing(_Body):
    """The body of a request that needs none: left out, or `{}`."""


B = TypeVar("B", bound=_Body)


def read_body(raw: bytes, model: type[B]) -> B:
    """The body as `model`; an empty one counts as `{}`.

    Raises RequestError with every fault.
    """
    try:
        found = json.loads(raw or b"{}", object_pairs_hook=_once, parse_constant=_no_constant)
    except RecursionError as error:
        raise RequestError("the body is nested too deeply", hint="send one JSON object") from error
    except ValueError as error:  # UnicodeDecodeError and JSONDecodeError are such
        raise RequestError(f"the body is no JSON: {error}", hint="send one JSON object in UTF-8") from error
    if not isinstance(found, dict):
        raise RequestError("the body is no JSON object", hint='send an object, as in {"job": "import"}')
    try:
        return model.model_validate(found)
    except ValidationError as error:
        raise _refusal(error, model) from error


def duration(text: str | None) -> Usec | None:
    """The span of a duration that was checked before."""
    return None if text is None else parse_duration(text)


def _refusal(error: ValidationError, model: type[_Body]) -> RequestError:
    known = [field.alias or name for name, field in model.model_fields.items()]
    hint = f"known members: {', '.join(known)}" if known else "this request takes no members"
    problems = []
    for fault in error.errors(include_url=False, include_input=False)[:_SHOWN_PROBLEMS]:
        where = shown(".".join(str(part) for part in fault["loc"]), limit=_SHOWN_KEY)
        if fault["type"] == "extra_forbidden":
            near = get_close_matches(where, known, n=1)
            hint = f'did you mean "{near[0]}"?' if near else hint
            problems.append(f"{where}: unknown member")
        else:
            problems.append(f"{where}: {fault['msg'].removeprefix('Value error, ')}")
    return RequestError("; ".join(problems), hint=hint, problems=tuple(problems))


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member stands there twice")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON number")


def _result(body: Errand) -> CommandResult:
    return CommandResult(
        command=tuple(body.command),
        exit_code=body.exit_code,
        started_at=Usec(body.started_at),
        finished_at=Usec(body.finished_at),
        output=body.output,
    )
