"""The note's paragraphs on what was before the release, and on the kinds of errors since.

Counts and configuration, and examples that were read again from the journal: those are hostile and leave escaped.
"""

from __future__ import annotations

from collections.abc import Iterator

from watcher.core.baseline import Baseline, OldRuns
from watcher.core.duration import format_duration
from watcher.core.excerpt import Excerpt, ReadAgain
from watcher.core.fingerprint import mask
from watcher.core.new_errors import KindSeen, NewErrorCount
from watcher.core.release import Release
from watcher.core.shown import shown_instant
from watcher.core.text import code, prose, table
from watcher.core.trial import Sighting, Trial

KINDS_SHOWN = 10
_TEMPLATE = 200
_MESSAGE = 200


def to_read(trial: Trial) -> tuple[Sighting, ...]:
    """What of the window is read again for the note: the first matches, then an example of each kind of error."""
    kinds = [seen for new, known in _kinds(trial) for seen in (*new, *known)]
    return (*trial.sightings, *map(example_of, kinds))


def example_of(seen: KindSeen) -> Sighting:
    """Where the first entry of the kind is found."""
    return Sighting(rules=(), at=seen.at, cursor=seen.cursor)


def baseline_lines(release: Release) -> Iterator[str]:
    """Markdown paragraphs on the baseline, none where no condition asks for it."""
    trial = release.trial
    if trial.lookback is None:
        return
    if trial.baseline is None:
        yield "It is being read: what needs it waits for it."
        return
    if trial.baseline.problem:
        yield f"It could not be read: {prose(trial.baseline.problem, limit=1000)}"
        return
    yield table(_facts(trial.baseline))


def kind_lines(release: Release, again: ReadAgain) -> Iterator[str]:
    """Markdown paragraphs on the errors of new and known kinds, none where nothing asks for them."""
    excerpts = {excerpt.sighting: excerpt for excerpt in again.excerpts}
    for count in release.trial.counts:
        if not isinstance(count, NewErrorCount):
            continue
        if count.lacking:
            yield f"What is new can't be told: {prose(count.lacking, limit=1000)}."
            continue
        known = sum(seen.count for seen in count.known)
        yield f"{len(count.new)} new, {len(count.known)} known x{known}."
        rows = [("new", seen) for seen in count.new[:KINDS_SHOWN]] + [
            ("known", seen) for seen in count.known[:KINDS_SHOWN]
        ]
        if rows:
            yield table(
                ((what, str(seen.count), *_example(excerpts.get(example_of(seen)))) for what, seen in rows),
                header=("", "entries", "kind", "example"),
            )


def leftover_lines(again: ReadAgain) -> Iterator[str]:
    """Markdown paragraphs on the bad entries that no rule matched, none where there are none."""
    left = again.leftovers
    if left is None or not (left.entries or left.problem):
        return
    if left.problem:
        yield f"They could not be read: {prose(left.problem, limit=1000)}"
        return
    many = "1 entry" if left.entries == 1 else f"{left.entries} entries"
    more = " (the window held more than is read)" if left.limited else ""
    yield f"{many} of priority 3 or worse{more}. `watcher rules match --unmatched` shows all, so that rules can grow."
    rows = [(one.count, one.message) for one in left.kinds]
    yield table(
        ((str(count), code(mask(text), limit=_TEMPLATE), code(text, limit=_MESSAGE)) for count, text in rows),
        header=("entries", "kind", "first of them"),
    )


def _kinds(trial: Trial) -> Iterator[tuple[tuple[KindSeen, ...], tuple[KindSeen, ...]]]:
    for count in trial.counts:
        if isinstance(count, NewErrorCount):
            yield count.new[:KINDS_SHOWN], count.known[: KINDS_SHOWN // 2]


def _facts(baseline: Baseline) -> Iterator[tuple[str, str]]:
    yield "read", f"{shown_instant(baseline.since)} to {shown_instant(baseline.until)}"
    if baseline.limited:
        yield "limit", "there were more entries than are read: what came after that is not in it"
    if baseline.heard_from is None:
        yield "entries of the job", "none"
        return
    yield "entries of the job", f"{baseline.entries}, the first at {shown_instant(baseline.heard_from)}"
    yield "minutes observed", f"{baseline.minutes}, holes left out; without a hole the last {_long(baseline)}"
    for one in baseline.error_minutes:
        if one.minutes:
            yield f"minutes with {one.severity} or worse", f"{one.minutes}, in {one.bursts} bursts"
    if baseline.runs is not None:
        yield "runs", _runs(baseline.runs)
    if baseline.kinds:
        yield "kinds of errors", f"{len(baseline.kinds)}{' and more' if baseline.kinds_cut else ''}"


def _runs(runs: OldRuns) -> str:
    ended = f"{runs.failed} of {runs.failed + runs.succeeded} failed"
    if runs.median is None or runs.longest is None:
        return ended
    return f"{ended}; they took {format_duration(runs.median)} in the median, {format_duration(runs.longest)} at most"


def _long(baseline: Baseline) -> str:
    return format_duration(baseline.whole)


def _example(excerpt: Excerpt | None) -> tuple[str, str]:
    if excerpt is None or excerpt.line is None:
        return "", "not in the journal any more"
    message = excerpt.line.message
    return code(mask(message), limit=_TEMPLATE), code(message, limit=_MESSAGE)
