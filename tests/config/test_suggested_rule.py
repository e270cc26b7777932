"""Rules made from lines that no rule knows: they load as they are, and find their lines."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watcher.config.document import parse_document
from watcher.config.packs import read_pack
from watcher.config.suggested_rule import SuggestedRule, as_pack, suggest_rule
from watcher.core.fingerprint import fingerprint
from watcher.core.severity import Severity
from watcher.journal.matcher import Matcher


def suggested(*samples: str, taken: tuple[str, ...] = (), others: tuple[str, ...] = ()) -> SuggestedRule | None:
    template = fingerprint(samples[0]).template
    return suggest_rule(template, samples, Severity.ERROR, taken=taken, others=others)


@pytest.mark.parametrize(
    ("samples", "pattern"),
    [
        (["parcel 7 jammed at gate 12", "parcel 8 jammed at gate 1"], r"^parcel \d+ jammed at gate"),
        (["2026-11-24 22:00:01 parcel 7 lost"], r"parcel \d+ lost"),
        (["speed 1.25 m/s is too low"], r"^speed \S+ m/s is too low"),
        (["can't open /var/lib/x/y: (13) denied"], r"^can't open \S+: \(\d+\) denied"),
        (['user "bob [x]" refused', 'user "eve" refused'], r'^user ".+" refused'),
        (["   | pump 1 ERR-"], r"^\s*\| pump \d+ ERR-"),
        (["a  b   c broke"], r"^a\s+b\s+c broke"),
        (["it failed:\n  at line 3\nKeyError: 5"], r"^it failed:"),
    ],
)
def test_the_pattern_opens_the_masks(samples: list[str], pattern: str) -> None:
    """Numbers as numbers where that is enough; what came before or behind a mask's end is left out."""
    rule = suggested(*samples)
    assert rule is not None
    assert rule.match is not None
    assert pattern.replace(r"\s+broke", " broke") == rule.match.replace(r"\s+broke", " broke")


@pytest.mark.parametrize("sample", ["17", "10.0.0.1 -> 10.0.0.2", "", "-- 3 --", "a 1"])
def test_too_little_in_common(sample: str) -> None:
    """No rule is better than one that finds everything."""
    assert suggested(sample) is None


def test_a_name_from_the_words_that_nobody_has() -> None:
    """Short, safe and unique."""
    samples = ("Parcel 7 jämmed at gate nine again and again",)
    first = suggested(*samples)
    second = suggested(*samples, taken=("parcel-mmed-at-gate", "parcel-mmed-at-gate-2"))
    assert first is not None
    assert second is not None
    assert ("parcel-mmed-at-gate", "parcel-mmed-at-gate-3") == (first.name, second.name)


def test_the_nearest_healthy_line_is_a_near_miss() -> None:
    """The one with the most words in common stands in the tests."""
    rule = suggested("parcel 7 jammed", others=("belt is slow", "parcel 7 sorted", "parcel 9 jammed"))
    assert rule is not None
    assert "no_match: ['parcel 7 sorted']" in rule.yaml


@pytest.mark.parametrize(
    ("level", "line", "fields"),
    [
        (("level", "error"), '{"level":"error","msg":"row 7 lost"}', "fields: {level: error}"),
        (("@l", "Error"), '{"@l":"Error","@m":"row 7 lost"}', "fields: {'@l': Error}"),
        (("level", "50"), '{"level":50,"msg":"row 7 lost"}', "fields: {level: '50'}"),
        (("log.level", "null"), '{"log.level":"null","message":"row 7 lost"}', "fields: {log.level: 'null'}"),
    ],
)
def test_a_line_that_is_data_is_asked_for_its_field(level: tuple[str, str], line: str, fields: str) -> None:
    """The message's pattern stands anywhere in the line, and the level is asked as a field."""
    rule = suggest_rule("row <num> lost", [line], Severity.ERROR, taken=(), fields=(level,))
    assert rule is not None
    assert r"row \d+ lost" == rule.match
    assert fields in rule.yaml
    pack, problems = read_pack(parse_document(as_pack("x", "y", [rule]).encode(), file="x"))
    assert () == problems
    assert pack is not None


def test_data_without_a_message_is_asked_for_its_fields() -> None:
    """No pattern, and the nearest line that lacks one of the values as a near miss."""
    lines = ('{"evt":"overheat","lvl":"E","kiln":3}', '{"evt":"overheat","lvl":"E","kiln":4}')
    others = ("belt 3 up", '{"evt":"tick","lvl":"I","kiln":3}', '{"evt":"overheat","lvl":"E","kiln":5}')
    rule = suggest_rule("", lines, Severity.ERROR, taken=(), others=others, fields=(("evt", "overheat"), ("lvl", "E")))
    assert rule is not None
    assert ("overheat", None) == (rule.name, rule.match)
    assert "fields: {evt: overheat, lvl: E}" in rule.yaml
    assert """no_match: ['{"evt":"tick","lvl":"I","kiln":3}']""" in rule.yaml
    pack, problems = read_pack(parse_document(as_pack("x", "y", [rule]).encode(), file="x"))
    assert () == problems
    assert pack is not None


def no_fields(_: str) -> None:
    """A line has none."""


@settings(max_examples=300)
@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=3), st.text(max_size=40))
def test_whatever_was_logged_the_pack_loads(lines: list[str], other: str) -> None:
    """Hostile lines make a pack without an error in it, whose rules find the lines that they were made of."""
    rules: list[SuggestedRule] = []
    for line in lines:
        rule = suggested(line, taken=tuple(one.name for one in rules), others=(other,))
        if rule is not None:
            rules.append(rule)
    text = as_pack("x", "what was found", rules)
    assert text.isascii() or text.replace("\n", "").isprintable()
    pack, problems = read_pack(parse_document(text.encode(), file="x"))
    assert () == problems or not rules
    assert pack is not None
    for entry, rule in zip(pack.entries, rules, strict=True):
        assert entry.rule is not None
        assert rule.match == entry.rule.match
        fired = [bool(Matcher((entry.rule,)).hits(line.encode("utf-8", "replace"), no_fields)) for line in lines]
        assert any(fired)
