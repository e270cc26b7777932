"""Frozen dataclasses as JSON-able data and back, without loss, by their annotations alone.

A field is a key, a tuple a list, a mapping an object, a word or a number itself. A value of a union of dataclasses
carries the name of its class as `is_a`; without one it is of the first, so a union may grow at its end. What a
dataclass gains travels by itself, so nothing can be forgotten on the way. Knows neither versions nor what is stored.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter, ne
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from watcher.core.errors import WatcherError

Encoder = Callable[[Any], Any] | None
"""None where the value is its own JSON form: most are, and a commit should not pay for them."""
Decoder = Callable[[Any, str], Any]
_KIND = "is_a"
"""The key under which a value of a union carries its class's name; no dataclass has a field called so."""


class RecordError(WatcherError):
    """Data is not of the form that its type asks for; the message names the place in it."""


class NewerRecordError(RecordError):
    """Data holds a key, a word or a kind that this program does not know: a later one may well have written it."""


# --------------------------------------------------------------------------------------------------------- writing


@cache
def encoder(hint: Any) -> Encoder:
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


def _dataclass_encoder(kind: Any) -> Encoder:
    hints = get_type_hints(kind)
    names = [field.name for field in fields(kind)]
    # one call in C for all fields; of a single one it would give the bare value
    values = attrgetter(*names) if len(names) > 1 else lambda value: [getattr(value, name) for name in names]
    converted = [(name, encode) for name in names if (encode := encoder(hints[name])) is not None]

    def encode_dataclass(value: Any) -> dict[str, Any]:
        record = dict(zip(names, values(value), strict=True))
        for name, encode in converted:
            record[name] = encode(record[name])
        return record

    return encode_dataclass


def _union_encoder(hint: Any) -> Encoder:
    kinds = _kinds(hint)
    if len(kinds) == 1:
        return _optional_encoder(encoder(kinds[0]))
    encoders = {kind: encoder(kind) for kind in kinds}

    def encode_union(value: Any) -> dict[str, Any] | None:
        encode = encoders.get(type(value))
        return None if encode is None else {_KIND: type(value).__name__, **encode(value)}

    return encode_union


def _optional_encoder(encode: Encoder) -> Encoder:
    return None if encode is None else lambda value: None if value is None else encode(value)


def _tuple_encoder(kinds: tuple[Any, ...]) -> Encoder:
    encoders = [encoder(kind) for kind in kinds if kind is not Ellipsis]
    if not any(encoders):
        return list
    if kinds[-1] is Ellipsis:
        each = encoders[0]
        return None if each is None else lambda values: [each(value) for value in values]
    return lambda values: [
        value if encode is None else encode(value) for encode, value in zip(encoders, values, strict=True)
    ]


def _mapping_encoder(_key: Any, kind: Any) -> Encoder:
    encode = encoder(kind)
    return dict if encode is None else lambda values: {key: encode(value) for key, value in values.items()}


# --------------------------------------------------------------------------------------------------------- reading


@cache
def decoder(hint: Any) -> Decoder:
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


def _union_decoder(hint: Any) -> Decoder:
    kinds, optional = _kinds(hint), NoneType in get_args(hint)
    decoders = {kind.__name__: decoder(kind) for kind in kinds}
    first = kinds[0].__name__

    def decode_union(value: Any, place: str) -> Any:
        if value is None and optional:
            return None
        if len(kinds) == 1:
            return decoders[first](value, place)
        record = dict(_of_type(value, dict, place))
        name = record.pop(_KIND, first)
        if not isinstance(name, str) or name not in decoders:
            raise _unknown_word(f"{place}.{_KIND}", name, decoders.keys())
        return decoders[name](record, place)

    return decode_union


def _dataclass_decoder(kind: Any) -> Decoder:
    hints = get_type_hints(kind)
    decoders = {field.name: decoder(hints[field.name]) for field in fields(kind)}
    needed = {field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING}

    def decode_dataclass(value: Any, place: str) -> Any:
        record = _of_type(value, dict, place)
        missing, unknown = needed - record.keys(), record.keys() - decoders.keys()
        if missing:
            raise RecordError(f"{place}.{min(missing)}: missing")
        if unknown:  # whoever knows more fields writes all of ours as well
            newer = decoders.keys() <= record.keys()
            raise (NewerRecordError if newer else RecordError)(f"{place}.{_key(min(unknown))}: unknown")
        return kind(**{name: decoders[name](one, f"{place}.{name}") for name, one in record.items()})

    return decode_dataclass


def _tuple_decoder(kinds: tuple[Any, ...]) -> Decoder:
    decoders = [decoder(kind) for kind in kinds if kind is not Ellipsis]

    def decode_tuple(value: Any, place: str) -> tuple[Any, ...]:
        items = _of_type(value, list, place)
        each = decoders * len(items) if kinds[-1] is Ellipsis else decoders
        if len(items) != len(each):
            raise RecordError(f"{place}: {len(items)} values where {len(each)} belong")
        return tuple(
            decode(item, f"{place}[{number}]") for number, (decode, item) in enumerate(zip(each, items, strict=True))
        )

    return decode_tuple


def _mapping_decoder(_key: Any, kind: Any) -> Decoder:
    decode = decoder(kind)
    return lambda value, place: {
        key: decode(item, f"{place}.{key}") for key, item in _of_type(value, dict, place).items()
    }


def _word_decoder(kind: type[Enum]) -> Decoder:
    words = {word.value: word for word in kind}

    def decode_word(value: Any, place: str) -> Enum:
        if not isinstance(value, str) or value not in words:
            raise _unknown_word(place, value, words.keys())
        return words[value]

    return decode_word


def _scalar_decoder(kind: type[Any]) -> Decoder:
    return lambda value, place: _of_type(value, kind, place)


def _unknown_word(place: str, value: Any, words: Collection[str]) -> RecordError:
    """One that differs from a known word in a single letter is that word, damaged."""
    is_newer = isinstance(value, str) and not any(_is_near(value, word) for word in words)
    return (NewerRecordError if is_newer else RecordError)(f"{place}: {value!r:.80} is none of {', '.join(words)}")


def _key(name: str) -> str:
    return name if name.isidentifier() else repr(name)[:80]


def _is_near(one: str, other: str) -> bool:
    return len(one) == len(other) and sum(map(ne, one, other)) == 1


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
