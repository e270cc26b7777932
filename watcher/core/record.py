"""Releases, pauses, troubles, transitions as JSON objects and back, without loss: the form in which they are stored.

The form is that of `core/codec.py`.

The rule for changes: a key that is missing takes the field's default, so a field that has one may be added to a
stored dataclass without more. A key that is unknown is an error: a newer program wrote it. Whoever moves, renames or
removes a field, or renames a class of a union, raises `VERSION` and makes the older form into that of today, as
`core/record_v1.py` does. Knows nothing of SQLite, of JSON texts, nor of what people are shown (`core/shown.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from watcher.core.baseline import Baseline
from watcher.core.codec import NewerRecordError, RecordError, decoder, encoder
from watcher.core.duration import Usec
from watcher.core.messages import Transition
from watcher.core.record_v1 import release_of_today
from watcher.core.release import Release
from watcher.core.state import Pause
from watcher.core.trouble import Trouble

VERSION = 2
_LATER = (
    "install the later release-watcher again that wrote it; if there was none, the database is damaged: move it away, "
    "and rollbacks are paused until `watcher resume`"
)

_Older = Callable[[Mapping[str, Any]], dict[str, Any]]


def to_record(release: Release) -> dict[str, Any]:
    """The release with its policy as a JSON object. It shares no mutable part with the release."""
    return _written(Release, release)


def from_record(record: Mapping[str, Any]) -> Release:
    """The release that `to_record` was given. Raises RecordError."""
    release: Release = _read(Release, record, older=release_of_today)
    return release


def pause_record(pause: Pause) -> dict[str, Any]:
    """The pause as a JSON object."""
    return _written(Pause, pause)


def pause_from_record(record: Mapping[str, Any]) -> Pause:
    """The pause that `pause_record` was given. Raises RecordError."""
    pause: Pause = _read(Pause, record)
    return pause


def pauses_from_record(records: object) -> tuple[Pause, ...]:
    """The pauses of a list of their records. Raises RecordError."""
    if not isinstance(records, list):
        raise RecordError("pauses: not a list")
    return tuple(map(pause_from_record, records))


def labels_from_record(record: object) -> tuple[str, ...]:
    """The labels of a counter. Raises RecordError."""
    labels: tuple[str, ...] = decoder(tuple[str, ...])(record, "labels")
    return labels


def instants_from_record(record: object) -> tuple[Usec, ...]:
    """When rollbacks were handed over. Raises RecordError."""
    instants: tuple[Usec, ...] = decoder(tuple[Usec, ...])(record, "rollbacks")
    return instants


def trouble_record(trouble: Trouble) -> dict[str, Any]:
    """What went wrong with a job lately, as a JSON object."""
    return _written(Trouble, trouble)


def trouble_from_record(record: Mapping[str, Any]) -> Trouble:
    """The trouble that `trouble_record` was given. Raises RecordError."""
    trouble: Trouble = _read(Trouble, record)
    return trouble


def transition_record(transition: Transition) -> dict[str, Any]:
    """The transition as a JSON object."""
    return _written(Transition, transition)


def transition_from_record(record: Mapping[str, Any]) -> Transition:
    """The transition that `transition_record` was given. Raises RecordError."""
    transition: Transition = _read(Transition, record)
    return transition


def baseline_record(baseline: Baseline) -> dict[str, Any]:
    """The baseline as a JSON object."""
    return _written(Baseline, baseline)


def baseline_from_record(record: Mapping[str, Any]) -> Baseline:
    """The baseline that `baseline_record` was given. Raises RecordError."""
    baseline: Baseline = _read(Baseline, record)
    return baseline


def _written(kind: Any, value: object) -> dict[str, Any]:
    encode = encoder(kind)
    assert encode is not None, kind  # noqa: S101 - a dataclass is never its own JSON form
    record: dict[str, Any] = encode(value)
    record["v"] = VERSION
    return record


def _read(kind: Any, record: Mapping[str, Any], older: _Older = dict) -> Any:
    """`older` makes a record of version 1 into one of today."""
    name = kind.__name__.lower()
    if not isinstance(record, Mapping):
        raise RecordError(f"{name}: not a JSON object")
    version = record.get("v")
    if version not in (1, VERSION) or isinstance(version, bool):
        kind_of = NewerRecordError if type(version) is int and version > VERSION else RecordError
        raise kind_of(
            f"{name}: record version {version!r} is unknown to this program, which writes {VERSION}", hint=_LATER
        )
    values = {key: value for key, value in record.items() if key != "v"}
    if version != VERSION:
        try:
            values = older(values)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"{name}: not a record of version {version}: {error!r:.80}") from error
    try:
        return decoder(kind)(values, name)
    except NewerRecordError as error:
        raise NewerRecordError(error.message, hint=_LATER) from error
