"""The rules of one job on one text."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.names import RuleName
from watcher.core.rule import FieldCondition, Rule
from watcher.core.severity import Severity
from watcher.journal.matcher import LONGEST_TEXT, Matcher, number_of
from watcher.journal.patterns import LONGEST, PatternError, PatternSet, compile_pattern, readable

TOO_LITTLE = 60_000
"""Bytes: not even the program of 50 patterns fits in."""
HARDLY_ENOUGH = 110_000
"""Bytes: the program fits in, its automaton does not for long."""
STARVING = [f"failure number {number} of .*foo[a-z]{{1,9}}bar" for number in range(50)]


def rule(name: str, match: str | None = None, **more: Any) -> Rule:
    """A rule."""
    return Rule(name=RuleName(name), severity=Severity.ERROR, match=match, **more)


def hits(rules: list[Rule], message: bytes | None, fields: Mapping[str, bytes] | None = None, **more: Any) -> list[str]:
    """The names of the rules that fire."""
    return [hit.name for hit in Matcher(rules, **more).hits(message, dict(fields or {}).get)]


def test_all_rules_that_match_fire_in_their_order() -> None:
    """Whatever the order in which the engine finds them."""
    assert ["a", "c"] == hits([rule("a", "world"), rule("b", "moon"), rule("c", "^hello")], b"hello world")


def test_no_rules_and_no_message() -> None:
    """There is nothing to match, so nothing does."""
    assert [[], [], []] == [hits([], b"x"), hits([rule("a", "x")], None), hits([rule("a", "")], None)]


def test_unless() -> None:
    """A second pattern takes the first one's match back."""
    assert [["a"], []] == [hits([rule("a", "error", unless="DEBUG")], text) for text in (b"error", b"DEBUG error")]


def test_where_one_of() -> None:
    """A field has to be one of the values, and to be there."""
    wanted = rule("a", "x", where=(FieldCondition(field="_COMM", values=("python3", "gunicorn")),))
    assert [["a"], [], []] == [hits([wanted], b"x", comm) for comm in ({"_COMM": b"gunicorn"}, {"_COMM": b"sh"}, {})]


@pytest.mark.parametrize(
    ("value", "expected"),
    [(b"4", True), (b"5", False), (b"04", True), (b"9" * 5000, False), (b"abc", False), (b"", False), (b"-1", False)],
)
def test_where_priority_at_most(value: bytes, *, expected: bool) -> None:
    """The bound holds for numbers only, and PRIORITY may be anything."""
    wanted = rule("a", "x", where=(FieldCondition(field="PRIORITY", at_most=4),))
    assert expected == bool(hits([wanted], b"x", {"PRIORITY": value}))


def test_where_priority_at_least() -> None:
    """The milder side of the bound."""
    wanted = rule("a", "x", where=(FieldCondition(field="PRIORITY", at_least=5),))
    assert [[], ["a"], []] == [hits([wanted], b"x", fields) for fields in ({"PRIORITY": b"4"}, {"PRIORITY": b"5"}, {})]


def test_message_id_and_text_together() -> None:
    """Both have to hold; with dashes or in capitals it is the same id."""
    wanted = [rule("a", "failed", message_id="D9B373ED-55a64feb8242e02dbe79a49c")]
    fields = {"MESSAGE_ID": b"d9b373ed55a64feb8242e02dbe79a49c", "_PID": b"1"}
    assert [["a"], []] == [hits(wanted, text, fields) for text in (b"failed", b"fine")]
    assert [] == hits(wanted, b"failed", {**fields, "_PID": b"2"})


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        (b"error: \xff failed", "error: .* failed", True),
        ("Fehler: ungültig".encode(), "ungültig", True),
        ("Fehler: ungültig".encode("latin-1"), "Fehler: ung.ltig", True),
        ("Fehler: ungültig".encode("latin-1"), "ungültig", False),
        (b"a\x00b error", "b error$", True),
        (b"line one\nerror", "^error", False),
        (b"line one\nerror", "(?m)^error", True),
        (b"x" * LONGEST_TEXT + b"error", "error", False),
        ("ü".encode() * LONGEST_TEXT + b"error", "^ü+error", False),
    ],
)
def test_bytes_that_are_no_text(text: bytes, pattern: str, *, expected: bool) -> None:
    """What is wrong in a text is one odd character, and the rest of it matches."""
    assert expected == bool(hits([rule("a", pattern)], text))


@given(st.binary(max_size=40))
def test_no_bytes_make_matching_raise(text: bytes) -> None:
    """Neither the set nor the single patterns."""
    rules = [rule("a", r"\w+.\W", unless="[é]"), rule("b", "(?i)x$")]
    assert hits(rules, text) == hits(rules, text, max_mem=1)
    assert readable(text).decode() == text.decode(errors="replace")


@pytest.mark.parametrize("max_mem", [TOO_LITTLE, HARDLY_ENOUGH])
def test_no_match_is_lost_when_the_engine_has_no_memory(max_mem: int) -> None:
    """An answer without the guard is none: each pattern is tried by itself."""
    rules = [rule(str(number), pattern) for number, pattern in enumerate(STARVING)]
    texts = [b"failure number %d of %sfooxbar" % (number, b"foofailure number 7 " * number) for number in range(50)]
    expected = [hits(rules, text) for text in texts]
    assert expected == [hits(rules, text, max_mem=max_mem) for text in texts]
    assert all(str(number) in found for number, found in enumerate(expected))


def test_the_starving_engine_really_gives_up() -> None:
    """So that the test above tests something."""
    patterns = PatternSet(STARVING, max_mem=TOO_LITTLE)
    assert (None, [3]) == (
        patterns.search(b"failure number 3 of fooxbar"),
        patterns.found(b"failure number 3 of fooxbar"),
    )


def test_the_guard_tells_nothing_from_no_answer() -> None:
    """With enough memory an answer of length 1 is sure."""
    patterns = PatternSet(["a", "b"])
    assert [[2], [2, 0]] == [patterns.search(b"xyz"), sorted(patterns.search(b"axyz") or [], reverse=True)]


@pytest.mark.parametrize(
    "pattern",
    ["(", "[z-a]", r"\1", "(?=a)", "a**", "((a{100}){100}){100}", "x" * (LONGEST + 1), "\ud800"],
)
def test_a_bad_pattern_is_refused(pattern: str) -> None:
    """Alone and among others, with a message that begins with it."""
    for refused in (lambda: compile_pattern(pattern), lambda: Matcher([rule("a", "x"), rule("b", pattern)])):
        with pytest.raises(PatternError, match=r"^pattern "):
            refused()


@pytest.mark.parametrize("where", ["unless", "capture"])
def test_every_pattern_of_a_rule_is_checked(where: str) -> None:
    """Before anything is read."""
    bad = rule("a", "x", unless="(") if where == "unless" else rule("a", "x", capture=(("what", "("),))
    with pytest.raises(PatternError):
        Matcher([bad])


def test_priority_rules_out_without_a_further_look() -> None:
    """Only if each rule that was found wants a worse priority."""
    worse = rule("a", ".", where=(FieldCondition(field="PRIORITY", at_most=3),))
    matcher = Matcher([worse, rule("b", "error")])
    fine, error = matcher.search(b"fine") or [], matcher.search(b"error") or []
    ruled = [matcher.ruled_out(fine, {"PRIORITY": level}.__getitem__) for level in (b"3", b"4", b"x" * 5000)]
    assert [False, True, True] == ruled
    nothing: dict[str, bytes] = {}
    assert [True, False, False] == [matcher.ruled_out(answer, nothing.__getitem__) for answer in (fine, error, [0])]


@pytest.mark.parametrize(
    ("value", "number"), [(b"12", 12), (b"123", None), (b"", None), (None, None), (b"\xb2", None), (b"+1", None)]
)
def test_numbers_are_decimal_and_short(value: bytes | None, number: int | None) -> None:
    """A field is what somebody sent."""
    assert number == number_of(value, digits=2)


EVIL = ((r"(\w+\s?)*error:", b"a" * 26), (r"^(a+)+$", b"a" * 64), (r"(x+x+)+y", b"x" * 64), (r"(.*a){12}", b"a" * 40))


@pytest.mark.parametrize(("pattern", "piece"), EVIL, ids=[pattern for pattern, _ in EVIL])
def test_evil_text_costs_as_much_as_its_length(pattern: str, piece: bytes) -> None:
    """Four times as much of the text that a pattern fears costs about four times as much, and not its square."""
    matcher = Matcher([rule("evil", pattern)])
    short, long = (piece * LONGEST_TEXT)[: LONGEST_TEXT // 4] + b"!", (piece * LONGEST_TEXT)[: LONGEST_TEXT - 1] + b"!"

    def cost(text: bytes) -> float:
        rounds = []
        for _ in range(20):
            began = time.process_time_ns()
            for _ in range(5):
                matcher.hits(text, lambda _field: None)
            rounds.append(time.process_time_ns() - began)
        return min(rounds)

    assert cost(long) < 9 * cost(short)
