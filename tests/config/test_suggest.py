"""Did you mean."""

from __future__ import annotations

from watcher.config.suggest import did_you_mean, nearest


def test_a_near_word_is_named() -> None:
    """One letter is missing."""
    assert 'did you mean "window"?' == did_you_mean("windw", ["window", "settle"], things="keys here")


def test_all_words_are_listed_when_none_is_near() -> None:
    """In the order of the alphabet."""
    assert "keys here: settle, window" == did_you_mean("colour", ["window", "settle"], things="keys here")


def test_a_long_list_is_cut() -> None:
    """A hint is one line."""
    assert did_you_mean("xyz", [f"rule-{n:02}" for n in range(20)], things="rules").endswith("rule-11, …")


def test_nothing_to_choose_from() -> None:
    """An empty list is said in words."""
    assert "there are no rules" == did_you_mean("x", [], things="rules")
    assert "" == nearest("x", [])
