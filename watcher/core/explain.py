"""A verdict explained so that a person can check it by hand: inputs, limits, arithmetic, coverage, what came closest.

Sentences of plain text, made of the record alone; nothing is decided here. Names of rules and texts of the
configuration are in them as they are: whoever shows them escapes.
"""

from __future__ import annotations

from collections.abc import Iterator

from watcher.core.duration import format_duration
from watcher.core.found import Match
from watcher.core.release import Release, Verdict
from watcher.core.shown import shown_instant
from watcher.core.standing import Standing
from watcher.core.thresholds import standing
from watcher.core.trial import Trial

MOST_RULES = 10


def explanation(release: Release) -> list[str]:
    """How the verdict came about, or how it stands while the window is open; empty before the clock has started."""
    if release.started_at is None:
        return []
    return [
        *_window(release),
        *_matches(release.trial),
        *_runs(release.trial),
        *_limits(release),
        *_expected(release),
        *_coverage(release),
        *_closest(release),
    ]


def _window(release: Release) -> Iterator[str]:
    trial, wanted = release.trial, release.trial.runs_wanted
    runs = "" if wanted is None else f", or the end of {wanted} runs before that ({trial.runs.finished} ended)"
    yield (
        f"Counted: entries from {shown_instant(trial.start)} on, before {shown_instant(trial.end)}{runs}, each by its"
        f" own instant. Before {shown_instant(trial.settles_at)} nothing is held against the release."
    )
    if trial.blames_all:
        yield "Every invocation counts (blame: all)."
    elif trial.since is not None:
        yield f"Only invocations that began at {shown_instant(trial.since)} or later count (blame: new)."


def _matches(trial: Trial) -> Iterator[str]:
    held = sum(count for _, count in trial.matches)
    named = ", ".join(f"{count} x {rule}" for rule, count in trial.matches[:MOST_RULES])
    yield f"Matches held against it: {held}{f' ({named})' if named else ''}; before it had settled: {trial.settling}."
    old = sum(count for _, count in trial.old_matches)
    unclear = sum(isinstance(one, Match) for one in trial.unclear)
    if old or unclear:
        yield (
            f"Matches of older invocations, not held against it: {old}, and {unclear} of invocations whose"
            " begin was not seen."
        )


def _runs(trial: Trial) -> Iterator[str]:
    runs = trial.runs
    if runs.any_seen:
        yield (
            f"Runs of the release: {runs.begun} began, {runs.succeeded} succeeded, {runs.failed} failed"
            f" ({runs.settling} of these before it had settled), {runs.stopped} were stopped;"
            f" {runs.finished} count towards limits."
        )
    if runs.old_succeeded or runs.old_failed or runs.old_stopped:
        yield (
            f"Runs that began before, not held against it: {runs.old_succeeded} succeeded, {runs.old_failed} failed,"
            f" {runs.old_stopped} were stopped."
        )


def _limits(release: Release) -> Iterator[str]:
    for count in release.trial.counts:
        most = standing(count)
        detail = f" ({most.detail})" if most.detail else ""
        yield (
            f"{most.label}: at most {number(most.count)} of {number(most.limit)}, that is {_percent(most)}"
            f"{detail}: {'crossed' if most.ratio >= 1 else 'not crossed'}."
        )


def _expected(release: Release) -> Iterator[str]:
    expect, trial = release.policy.release.expect, release.trial
    if expect.successful_runs:
        met = trial.runs.succeeded >= expect.successful_runs
        yield (
            f"Expected: {expect.successful_runs} successful runs; seen: {trial.runs.succeeded}:"
            f" {'met' if met else 'not met'}."
        )
    if expect.line:
        met = bool(trial.expected)
        yield f"Expected line: seen {trial.expected} times: {'met' if met else 'not met'}."


def _coverage(release: Release) -> Iterator[str]:
    if not release.trial.gaps:
        yield "Coverage: no hole was found."
    for gap in release.trial.gaps:
        size = "an unknown number of" if gap.entries is None else str(gap.entries)
        yield (
            f"Coverage: {gap.reason}, {size} entries, from {shown_instant(gap.since)} to {shown_instant(gap.until)}:"
            " keeps it from passing."
        )


def _closest(release: Release) -> Iterator[str]:
    standings = [standing(count) for count in release.trial.counts]
    if not standings or release.verdict is Verdict.FAILED:
        return
    closest = max(standings, key=lambda one: one.ratio)
    if closest.ratio > 0:
        span = "" if closest.within is None else f" within {format_duration(closest.within)}"
        yield (
            f"Closest to failing the release: {closest.label}, {number(closest.count)} of {number(closest.limit)}{span}"
            f" ({_percent(closest)})."
        )


def number(value: float) -> str:
    """A count or a share for people: `3`, `0.333`."""
    return str(int(value)) if value == int(value) else f"{value:.3g}"


def _percent(one: Standing) -> str:
    return f"{int(one.ratio * 100)} % of the limit"
