"""The holes of a window in the words of the final note: what was not seen, why, and how long."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.core.coverage import Gap, GapReason
from watcher.core.evidence import instant, span
from watcher.core.release import Release
from watcher.core.text import code, table

_GAPS = {
    GapReason.MISSING: "entries are missing from the journal",
    GapReason.CURSOR: "the place to go on from was gone",
    GapReason.POISON: "an entry killed the reader twice and was passed",
    GapReason.UNREADABLE: "a place could not be read and was passed",
    GapReason.KERNEL: "the kernel log dropped messages",
    GapReason.DROPPED: "journald dropped messages of the unit (rate limit)",
    GapReason.CLOCK: "the wall clock was set, or the machine slept",
    GapReason.SUSPECT: "the unit reached its rate limit: messages may be lost",
}


def coverage_lines(release: Release) -> Iterator[str]:
    """Whether everything of the window was seen, and each hole if not, as paragraphs of Markdown."""
    if release.started_at is None:
        yield "Nothing was to be read: the window never opened."
        return
    if not release.trial.gaps:
        yield "Complete: no hole was found in what was read of the window."
        return
    yield "NOT complete: what stood in these holes was not seen."
    yield table(
        (gap_cells(gap) for gap in release.trial.gaps), header=("why", "from", "until", "long", "entries", "job")
    )


def gap_cells(gap: Gap) -> tuple[str, ...]:
    """One hole: why, from, until, how long, how many entries, of which job."""
    return (
        f"{gap.reason}: {_GAPS[gap.reason]}",
        instant(gap.since),
        instant(gap.until),
        span(gap.since, gap.until),
        "unknown" if gap.entries is None else str(gap.entries),
        "every job" if gap.job is None else code(gap.job, limit=100),
    )
