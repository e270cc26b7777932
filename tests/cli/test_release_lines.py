"""A release in lines, as far as its past is concerned."""

from __future__ import annotations

from tests.events import RELEASE, baseline, baseline_read, batch, error, span, watching
from watcher.cli.output import Output
from watcher.cli.release_lines import details, progress
from watcher.core.engine import decide
from watcher.core.messages import Event
from watcher.core.policy import NewErrors
from watcher.core.shown import shown_release

PLAIN = Output(is_json=False, has_colour=False)


def lines(*events: Event) -> tuple[str, str]:
    """The progress line, and all details as one text."""
    state = watching(thresholds=(NewErrors(count=3, lookback=span("14d")),), window="1h")
    for event in events:
        state = decide(state, event).state
    shown = shown_release(state.releases[RELEASE])
    return progress(shown, PLAIN), "\n".join(details(shown, PLAIN))


def test_while_the_past_is_read() -> None:
    """The window says so, and what waits for it."""
    line, all_of_it = lines(batch(error("1m", "a"), at="2m"))
    assert "baseline being read" in line
    assert "being read: what needs it waits" in all_of_it
    assert "1 errors wait for the baseline" in all_of_it


def test_when_the_past_is_known() -> None:
    """What it held, in a line."""
    line, all_of_it = lines(baseline_read(baseline(error_minutes=7, runs=(2, 30))))
    assert "baseline being read" not in line
    assert "1000 entries, 7 of 20160 minutes with errors, 2 of 30 runs failed" in all_of_it


def test_when_the_past_can_not_be_read() -> None:
    """Why."""
    _, all_of_it = lines(baseline_read(baseline(problem="no such directory")))
    assert "could not be read: no such directory" in all_of_it
