"""Releases, pauses, troubles, transitions as JSON objects and back, without loss: the form in which they are stored.

The form follows the dataclasses' annotations: a field is a key, a tuple a list, a mapping an object, a word or a
number itself. A value of a union of dataclasses carries the name of its class as `is_a`; without one it is of the
first, so a union may grow at its end.

The rule for changes: a key that is missing takes the field's default, so a field that has one may be added to a
stored dataclass without more. A key that is unknown is an error: a newer program wrote it. Whoever moves, renames or
removes a field, or renames a class of a union, raises `VERSION` and makes the older form into that of today, as
`core/record_v1.py` does. Knows nothing of SQLite, of JSON texts, nor of what people are shown (`core/shown.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from watcher.core.baseline import Baseline
from watcher.core.errors import WatcherError
from watcher.core.messages import Transition
from watcher.core.record_v1 import release_of_today
from watcher.core.release import Release
from watcher.core.state import Pause
from watcher.core.trouble import Trouble

VERSION = 2

_Encoder = Callable[[Any], Any] | None
"""None where the value is its own JSON form: most are, and a commit should not pay for them."""
_Decoder = Callable[[Any, str], Any]
_Older = Callable[[Mapping[str, Any]], dict[str, Any]]
_KIND = "is_a"
"""The key under which a value of a union carries its class's name; no stored dataclass has a field called so."""


class RecordError(WatcherError):
    """A stored record is not of this version's form; the message names the place in it."""


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
    encode = _encoder(kind)
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
        raise RecordError(
            f"{name}: record version {version!r} is unknown to this program, which writes {VERSION}",
            hint="it was written by another version of release-watcher: install that one again",
        )
    values = {key: value for key, value in record.items() if key != "v"}
    if version != VERSION:
        try:
            values = older(values)
        except (KeyError, TypeError, ValueError) as error:
            raise RecordError(f"{name}: not a record of version {version}: {error!r:.80}") from error
    return _decoder(kind)(values, name)


# --------------------------------------------------------------------------------------------------------- writing


@cache
def _encoder(hint: Any) -> _Encoder:
    """What makes the JSON form of a value of that type."""
    hint = _plain(hint)
    if is_dataclass(hint):
        return _dataclass_encoder(hint)
    if get_origin(hint) in (Union, UnionType):
        return _union_encoder(hint)
    if get_origin(hint) is tuple:
        return _tuple_encoder(get_args(hint))
    if _is_mapping(hint):
        return _mapping_encoder(*get_args(hint))
    return None  # text, number, truth, or a word of a closed choice, which is a text


def _dataclass_encoder(kind: Any) -> _Encoder:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    values = attrgetter(*names)  # one call in C for all fields
    converted = [(name, encode) for name in names if (encode := _encoder(hints[name])) is not None]

    def encode_dataclass(value: Any) -> dict[str, Any]:
        record = dict(zip(names, values(value), strict=True))
        for name, encode in converted:
            record[name] = encode(record[name])
        return record

    return encode_dataclass


def _union_encoder(hint: Any) -> _Encoder:
    kinds = _kinds(hint)
    if len(kinds) == 1:
        return _optional_encoder(_encoder(kinds[0]))
    encoders = {kind: _encoder(kind) for kind in kinds}

    def encode_union(value: Any) -> dict[str, Any] | None:
        encode = encoders.get(type(value))
        return None if encode is None else {_KIND: type(value).__name__, **encode(value)}

    return encode_union


def _optional_encoder(encode: _Encoder) -> _Encoder:
    return None if encode is None else lambda value: None if value is None else encode(value)


def _tuple_encoder(kinds: tuple[Any, ...]) -> _Encoder:
    encoders = [_encoder(kind) for kind in kinds if kind is not Ellipsis]
    if not any(encoders):
        return list
    if kinds[-1] is Ellipsis:
        each = encoders[0]
        return None if each is None else lambda values: [each(value) for value in values]
    return lambda values: [
        value if encode is None else encode(value) for encode, value in zip(encoders, values, strict=True)
    ]


def _mapping_encoder(_key: Any, kind: Any) -> _Encoder:
    encode = _encoder(kind)
    return dict if encode is None else lambda values: {key: encode(value) for key, value in values.items()}


# --------------------------------------------------------------------------------------------------------- reading


@cache
def _decoder(hint: Any) -> _Decoder:
    """What makes a value of that type of its JSON form; the second argument is its place, for the error."""
    hint = _plain(hint)
    if is_dataclass(hint):
        return _dataclass_decoder(hint)
    if get_origin(hint) in (Union, UnionType):
        return _union_decoder(hint)
    if get_origin(hint) is tuple:
        return _tuple_decoder(get_args(hint))
    if _is_mapping(hint):
        return _mapping_decoder(*get_args(hint))
    return _word_decoder(hint) if issubclass(hint, Enum) else _scalar_decoder(hint)


def _union_decoder(hint: Any) -> _Decoder:
    kinds, optional = _kinds(hint), NoneType in get_args(hint)
    decoders = {kind.__name__: _decoder(kind) for kind in kinds}
    first = kinds[0].__name__

    def decode_union(value: Any, place: str) -> Any:
        if value is None and optional:
            return None
        if len(kinds) == 1:
            return decoders[first](value, place)
        record = dict(_of_type(value, dict, place))
        name = record.pop(_KIND, first)
        if not isinstance(name, str) or name not in decoders:
            raise RecordError(f"{place}.{_KIND}: {name!r:.80} is none of {', '.join(decoders)}")
        return decoders[name](record, place)

    return decode_union


def _dataclass_decoder(kind: Any) -> _Decoder:
    hints = get_type_hints(kind)
    decoders = {field.name: _decoder(hints[field.name]) for field in fields(kind)}
    needed = {field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING}

    def decode_dataclass(value: Any, place: str) -> Any:
        record = _of_type(value, dict, place)
        wrong = (record.keys() - decoders.keys()) | (needed - record.keys())
        if wrong:
            name = min(wrong)
            raise RecordError(f"{place}.{name}: {'unknown' if name in record else 'missing'}")
        return kind(**{name: decoders[name](one, f"{place}.{name}") for name, one in record.items()})

    return decode_dataclass


def _tuple_decoder(kinds: tuple[Any, ...]) -> _Decoder:
    decoders = [_decoder(kind) for kind in kinds if kind is not Ellipsis]

    def decode_tuple(value: Any, place: str) -> tuple[Any, ...]:
        items = _of_type(value, list, place)
        each = decoders * len(items) if kinds[-1] is Ellipsis else decoders
        if len(items) != len(each):
            raise RecordError(f"{place}: {len(items)} values where {len(each)} belong")
        return tuple(
            decode(item, f"{place}[{number}]") for number, (decode, item) in enumerate(zip(each, items, strict=True))
        )

    return decode_tuple


def _mapping_decoder(_key: Any, kind: Any) -> _Decoder:
    decode = _decoder(kind)
    return lambda value, place: {
        key: decode(item, f"{place}.{key}") for key, item in _of_type(value, dict, place).items()
    }


def _word_decoder(kind: type[Enum]) -> _Decoder:
    words = {word.value: word for word in kind}

    def decode_word(value: Any, place: str) -> Enum:
        if not isinstance(value, str) or value not in words:
            raise RecordError(f"{place}: {value!r} is none of {', '.join(words)}")
        return words[value]

    return decode_word


def _scalar_decoder(kind: type[Any]) -> _Decoder:
    return lambda value, place: _of_type(value, kind, place)


def _of_type(value: Any, kind: type[Any], place: str) -> Any:
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise RecordError(f"{place}: {value!r:.80} is not of type {kind.__name__}")
    return value


# ----------------------------------------------------------------------------------------------------- annotations


def _plain(hint: Any) -> Any:
    """A `NewType` is what it is made of."""
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    return hint


def _kinds(hint: Any) -> tuple[Any, ...]:
    """The types of a union that are not None: one, or several dataclasses."""
    return tuple(_plain(kind) for kind in get_args(hint) if kind is not NoneType)


def _is_mapping(hint: Any) -> bool:
    origin = get_origin(hint)
    return isinstance(origin, type) and issubclass(origin, Mapping)
