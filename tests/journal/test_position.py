from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.duration import Usec
from watcher.journal.position import (
    Cursor,
    Position,
    PositionError,
    instant_of,
    number_of,
    parse_cursor,
    realtime_of,
    since_cursor,
)

SEQUENCE, BOOT = "7c59b4fed1ad4a53a8b19499b502b5b8", "a" * 32
CURSOR = f"s={SEQUENCE};i=1f;b={BOOT};m=3e8;t=660fa8f5a5e7c;x=dd637356d932b6f1"


def test_cursor_of_the_journal() -> None:
    """Every part of a cursor is read, numbers from hex."""
    expected = Cursor(
        sequence=SEQUENCE,
        number=31,
        boot=BOOT,
        monotonic=1000,
        realtime=Usec(0x660FA8F5A5E7C),
        digest="dd637356d932b6f1",
    )
    assert expected == parse_cursor(CURSOR)
    assert f"b={BOOT};m=3e8;t=660fa8f5a5e7c" == expected.by_instant


def test_cheap_cuts_agree_with_the_parser() -> None:
    """What each entry is asked for equals what the whole parse says."""
    whole = parse_cursor(CURSOR)
    assert (whole.sequence, whole.number) == number_of(CURSOR)
    assert whole.realtime == realtime_of(CURSOR)
    assert f";b={BOOT};m=3e8" == instant_of(CURSOR)


@pytest.mark.parametrize("text", ["", "garbage", "t=5", "s=a;i=zz;b=c;m=1;t=1;x=1", "s=a;i=1;b=c;m=1;t=1"])
def test_text_that_is_no_cursor(text: str) -> None:
    """Anything but a full cursor is refused."""
    with pytest.raises(PositionError):
        parse_cursor(text)


@given(
    consumed=st.integers(0, 1000),
    last=st.none() | st.integers(0, 2**63),
    lasts=st.lists(st.tuples(st.text("0123456789abcdef", min_size=1, max_size=32), st.integers(0, 2**63)), max_size=8),
    carry=st.dictionaries(st.text(max_size=10), st.integers() | st.text(max_size=10) | st.none(), max_size=5),
    cursor=st.sampled_from([CURSOR, "", since_cursor(Usec(5))]),
)
def test_position_survives_its_text(
    *, consumed: int, last: int | None, lasts: list[tuple[str, int]], carry: dict[str, object], cursor: str
) -> None:
    """Writing and reading gives the same position."""
    position = Position(cursor=cursor, consumed=consumed, last=last, lasts=tuple(lasts), carry=carry)
    assert position == Position.from_text(position.to_text())


@pytest.mark.parametrize(
    "change",
    [
        {"cursor": "garbage"},
        {"cursor": 5},
        {"cursor": "t=zz"},
        {"n": None},
        {"lasts": 7},
        {"v": 2},
        {"carry": 3},
        {"n": float("inf")},
    ],
)
def test_damaged_position(change: dict[str, object]) -> None:
    """A position text with a wrong part is refused, whatever the part."""
    data = json.loads(Position(cursor=CURSOR, consumed=1).to_text()) | change
    with pytest.raises(PositionError):
        Position.from_text(json.dumps(data))


@pytest.mark.parametrize("text", ["", "garbage", "[]", "null", "{}", "[" * 100_000])
def test_text_that_is_no_position(text: str) -> None:
    """Empty and garbage texts are refused."""
    with pytest.raises(PositionError):
        Position.from_text(text)


def test_instant_of_a_position() -> None:
    """The instant comes from the entry, from the instant itself, or is 0 for the head."""
    assert 0x660FA8F5A5E7C == Position(cursor=CURSOR).at
    assert 5 == Position(cursor=since_cursor(Usec(5))).at
    assert 0 == Position(cursor="").at
