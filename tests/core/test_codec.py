"""Dataclasses as JSON-able data: what comes back is what went in, and what is wrong is named with its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.codec import RecordError, decoder, encoder


class Colour(StrEnum):
    """A closed choice."""

    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Dot:
    """One member of a union."""

    at: tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class Line:
    """The other one."""

    dots: tuple[Dot, ...]
    colour: Colour = Colour.RED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """All that the codec knows in one value."""

    shapes: tuple[Dot | Line, ...]
    names: dict[str, Dot]
    title: str | None = None


@given(st.from_type(Sheet))
def test_what_comes_back_is_what_went_in(sheet: Sheet) -> None:
    """Also through a JSON text."""
    encode = encoder(Sheet)
    assert encode is not None
    assert sheet == decoder(Sheet)(json.loads(json.dumps(encode(sheet))), "sheet")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"shapes": [], "names": {}, "colour": "red"}, r"^sheet\.colour: unknown"),
        ({"shapes": []}, r"^sheet\.names: missing"),
        ({"shapes": [{"is_a": "Circle"}], "names": {}}, r"^sheet\.shapes\[0\]\.is_a: 'Circle' is none of Dot, Line"),
        ({"shapes": [{"at": [1]}], "names": {}}, r"^sheet\.shapes\[0\]\.at: 1 values where 2 belong"),
        ({"shapes": [{"is_a": "Line", "dots": [], "colour": "green"}], "names": {}}, r"colour: 'green' is none of"),
        ({"shapes": [], "names": {"a": {"at": [True, 1]}}}, r"^sheet\.names\.a\.at\[0\]: True is not of type int"),
    ],
)
def test_wrong_data_is_named_with_its_place(data: object, message: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(RecordError, match=message):
        decoder(Sheet)(data, "sheet")


def test_a_missing_field_takes_its_default_and_a_bare_union_is_its_first() -> None:
    """So dataclasses and unions may grow."""
    old = {"shapes": [{"at": [1, 2]}], "names": {}}
    assert Sheet(shapes=(Dot((1, 2)),), names={}) == decoder(Sheet)(old, "sheet")
