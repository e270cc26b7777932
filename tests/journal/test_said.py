"""What a line says."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.fingerprint import fingerprint
from watcher.journal.said import Said, said_in


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"row 7 lost", Said(text="row 7 lost")),
        (b"a=1 b=2", Said(text="a=1 b=2")),
        (b'{"n": 7}', Said(text='{"n": 7}')),
        (b'{"level":"error","msg":"lost"}', Said(text="lost", message="lost", level=("level", "error"))),
        (b'{"level":50,"msg":"a","err":{"message":"no"}}', Said(text="a: no", message="a", level=("level", "50"))),
        (b'{"log":{"level":"warn"},"message":"late"}', Said(text="late", message="late", level=("log.level", "warn"))),
        (b'time=2026-11-24T10:00:00Z level=error msg="disk full" error="no \\"x\\""', Said(
            text='disk full: no "x"', message="disk full", level=("level", "error"))),
        (b'{"msg":7,"event":"start"}', Said(text="7", message="7")),
        (b'{"msg":"","event":"start"}', Said(text="start", message="start")),
        (b'{"msg":["a"],"error":true}', Said(text='{"msg":["a"],"error":true}')),
        (b'{"LogLevel":"Error","Message":"lost"}', Said(text="lost", message="lost", level=("LogLevel", "Error"))),
        (b'{"@mt":"row {n} lost","@l":"Error"}', Said(
            text="row {n} lost", message="row {n} lost", level=("@l", "Error"))),
        (b'{"host":"web","lvl":"E","at":"2026-11-24","evt":"overheat","on":"gas","by":"hand"}', Said(
            text='{"host":"web","lvl":"E","at":"2026-11-24","evt":"overheat","on":"gas","by":"hand"}',
            level=("lvl", "E"), marks=(("evt", "overheat"), ("on", "gas"), ("lvl", "E")))),
        (b'{"lvl":"E","n":7}', Said(text='{"lvl":"E","n":7}')),
        (b'{"a|b":"lost","c":"two words","d":"r7"}', Said(text='{"a|b":"lost","c":"two words","d":"r7"}')),
        (b"lvl=E evt=overheat", Said(text="lvl=E evt=overheat")),
    ],
)  # fmt: skip
def test_what_a_line_says(line: bytes, said: Said) -> None:
    """The message and the error of a line that is data, or the words in it; any other line as it is."""
    assert said == said_in(line)


def test_data_of_one_logger_is_of_many_kinds() -> None:
    """Different messages differ, the same one with another number or in another order of fields does not."""
    lines = (
        b'{"level":"error","msg":"row 7 lost","at":1}',
        b'{"at":2,"msg":"row 8 lost","level":"error"}',
        b'{"level":"error","msg":"disk full","at":1}',
    )
    keys = [fingerprint(said_in(line).text).key for line in lines]
    assert keys[0] == keys[1] != keys[2]


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: f'{{"msg": "{text}'.encode()))
def test_hostile_lines(line: bytes) -> None:
    """Whatever was logged, something is said, and it is text."""
    assert isinstance(said_in(line).text, str)
