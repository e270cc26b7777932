"""Lines that are data, and conditions on their fields."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.names import RuleName
from watcher.core.rule import Rule, TextCondition
from watcher.core.severity import Severity
from watcher.journal.matcher import LONGEST_TEXT, Matcher
from watcher.journal.patterns import compile_pattern, readable
from watcher.journal.structured import MOST_FIELDS, hint_pattern, read_fields

LEVEL = TextCondition(names=("level", "log.level", "@l"), values=("error", "err"), ranges=((50, 59),))


def fires(text: bytes, *conditions: TextCondition, **more: Any) -> bool:
    """Whether a rule with these conditions fires on the text, as the daemon's matcher decides it."""
    rule = Rule(name=RuleName("a"), severity=Severity.ERROR, fields=conditions, **more)
    return bool(Matcher([rule]).hits(text, lambda _field: None))


@pytest.mark.parametrize(
    "text",
    [
        b'{"level":"error","msg":"no rows"}',
        b'  {"msg": "no rows", "level" : "ERROR"}\n',
        b'@cee: {"level":"Error"}',
        b'{"level":50,"time":1795474801000,"msg":"no rows"}',
        b'{"@l":"Err"}',
        b'{"log.level":"ERROR","message":"no rows"}',
        b'{"log":{"file":1,"level":"error"},"message":"no rows"}',
        b'{"level":"error","blob":"' + b"x" * LONGEST_TEXT + b'"}',
        b'{"level":"error","level":"info"}',
        b'{"level":"error"} and more',
        b"level=error msg=x",
        b'time=2026-11-23T22:00:01Z level=ERROR msg="import \\" level=info"',
        b'time="2026-11-23 22:00" level="error"',
        b"2026/11/23 22:00:01 level=error msg=x",
        b"2026-11-23 22:00:01.123 +0100 level=err",
        b"ts=1 level=52",
    ],
)
def test_the_field_says_so(text: bytes) -> None:
    """In the forms of the common loggers, cut or whole."""
    assert fires(text, LEVEL)


@pytest.mark.parametrize(
    "text",
    [
        b'{"level":"info","msg":"level is error"}',
        b'{"level":"info","detail":"{\\"level\\":\\"error\\"}"}',
        b'{"level":"info","inner":{"level":"error"}}',
        b'{"level":"info","level":"error"}',
        b'{"level":30,"count":50}',
        b'{"level":"60"}',
        b'{"level":500}',
        b'{"level":null,"error":"x"}',
        b'{"level":{"error":1}}',
        b'[{"level":"error"}]',
        b'done: {"level":"error"}',
        b'level=info msg="was level=error once"',
        b"start again with level=error to see more",
        b'level="error rate" n=1',
        b'msg="level=error"',
        b"level = error",
    ],
)
def test_another_field_or_no_data(text: bytes) -> None:
    """The same words elsewhere are no level."""
    assert not fires(text, LEVEL)


def test_all_conditions_have_to_hold() -> None:
    """And `match` and `unless`, where they are there, too."""
    version = TextCondition(names=("version",), values=("1.1",))
    low = TextCondition(names=("level",), ranges=((0, 3),))
    text = b'{"version":"1.1","level":3,"short_message":"no rows"}'
    assert [True, False] == [fires(text, version, low), fires(text.replace(b"3", b"4"), version, low)]
    assert [True, False] == [fires(text, version, match="rows"), fires(text, version, match="^rows")]
    assert not fires(text, version, unless="short")


def test_fields_behind_the_last_one_that_is_looked_at() -> None:
    """A cut object of thousands of fields is read up to a bound; a whole one entirely."""
    many = ",".join(f'"f{number}":0' for number in range(MOST_FIELDS))
    whole = f'{{{many},"level":"error"}}'.encode()
    assert [True, False] == [fires(whole, LEVEL), fires(whole[:-1], LEVEL)]


def test_values_and_names_that_json_may_escape_are_found() -> None:
    """The hint leaves out what a writer may write in several ways; case does not matter outside ASCII either."""
    for value in ("päng", 'say "x"', "a/b", "a\\b", "<tag>"):
        wanted = TextCondition(names=("kind",), values=(value,))
        for text in (json.dumps({"kind": value.upper()}), json.dumps({"kind": value}, ensure_ascii=False)):
            assert fires(text.encode(), wanted), text


@pytest.mark.parametrize(
    "text",
    [
        b'{"level":"error",' + b'"a":' + b"[" * LONGEST_TEXT,
        b'{"level":"error",' + b'{"a":' * LONGEST_TEXT,
        b'{"level":"error","n":' + b"9" * LONGEST_TEXT,
        b'{"level":"error",' + b'"":0,' * LONGEST_TEXT,
        b'{"level":"error"' + b" " * LONGEST_TEXT,
        b'{"level":"error","\\ud800":"\\udfff',
        b'level=error a="' + b'\\"' * LONGEST_TEXT,
        b"level=error " + b"a= " * LONGEST_TEXT,
    ],
    ids=["deep-lists", "deep-objects", "digits", "fields", "blanks", "surrogates", "escapes", "pairs"],
)
def test_hostile_data_is_read_in_bounded_time(text: bytes) -> None:
    """What stands before the trouble counts; a hundred of the worst lines take less than a second."""
    matcher = Matcher([Rule(name=RuleName("a"), severity=Severity.ERROR, fields=(LEVEL,))])
    began = time.process_time()
    assert all(matcher.hits(text, lambda _field: None) for _ in range(100))
    assert time.process_time() - began < 1


_PIECES = st.sampled_from(
    ['{"', '"level"', ":", '"error"', ",", "}", "[", "level=", "error", '"', "\\", " ", "50", "\n"]
)


@given(st.one_of(st.binary(max_size=200), st.lists(_PIECES).map(lambda pieces: "".join(pieces).encode())))
def test_no_bytes_make_it_raise(text: bytes) -> None:
    """Fields come out, or none do."""
    assert isinstance(dict(read_fields(readable(text))), dict)


_WORDS = st.text(alphabet='abcERR0159 ä"\\/', min_size=1, max_size=6)


@given(
    st.dictionaries(_WORDS, st.one_of(_WORDS, st.integers(-5, 2000), st.none(), st.booleans()), max_size=4),
    st.tuples(st.integers(0, 1200), st.one_of(st.none(), st.integers(0, 1200))).filter(
        lambda p: p[1] is None or p[1] >= p[0]
    ),
    st.lists(_WORDS.map(str.lower), max_size=2),
)
def test_the_hint_loses_no_text_that_meets_the_condition(
    made: dict[str, Any], span: tuple[int, int | None], values: list[str]
) -> None:
    """Whatever a JSON writer makes of names and values."""
    condition = TextCondition(names=("level",), values=tuple(values), ranges=(span,))
    for level in (*made.values(), 50, 1100, "9"):
        text = json.dumps({**made, "level": level}).encode()
        rule = Rule(name=RuleName("a"), severity=Severity.ERROR, match=".", fields=(condition,))
        if Matcher([rule]).hits(text, lambda _field: None):
            assert compile_pattern(hint_pattern(condition)).search(text) is not None
