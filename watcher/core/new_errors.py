"""The threshold `new_errors`: error entries of kinds that the job did not have before the release.

What comes while the baseline is being read is kept and judged afterwards, at its own instants. State is bounded
whatever is logged: some kinds are kept by name, the others only counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from watcher.core.baseline import Baseline
from watcher.core.duration import Usec, format_duration
from watcher.core.found import ErrorSeen, Found
from watcher.core.policy import NewErrors
from watcher.core.reason import Reason, ReasonCode
from watcher.core.standing import Standing

PENDING_KEPT = 500
"""Entries that are kept while the baseline is read, of one kind no more than its limit; that is no higher."""
KINDS_KEPT = 20
"""How many new kinds, and how many known ones, a record holds by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KindSeen:
    """A kind of error in the window: how often, and where its first entry can be read again."""

    kind: str
    count: int
    at: Usec
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NewErrorCount:
    """A threshold with the error entries since the release: `entries` of new kinds, and the kinds themselves.

    `lacking`: why the baseline can't tell what is new, "" where it can. While it is being read, `pending` are the first
    entries of each kind, as many as would cross; `more` counts those beyond, which can't: the kind is known, then.
    `lost` entries found no room in there: they were not judged.
    """

    threshold: NewErrors
    entries: int = 0
    new: tuple[KindSeen, ...] = ()
    known: tuple[KindSeen, ...] = ()
    lacking: str = ""
    pending: tuple[ErrorSeen, ...] = ()
    more: tuple[KindSeen, ...] = ()
    lost: int = 0


def with_found(count: NewErrorCount, found: Found, baseline: Baseline | None) -> NewErrorCount:
    """The count once this was found; without a baseline it waits for it."""
    if not isinstance(found, ErrorSeen) or count.lacking:
        return count
    if baseline is None:
        return _waiting(count, found)
    if baseline.knows(found.kind):
        return replace(count, known=_with_kind(count.known, _seen(found)))
    return replace(count, entries=count.entries + 1, new=_with_kind(count.new, _seen(found)))


def with_baseline(count: NewErrorCount, baseline: Baseline, *, window: Usec) -> tuple[NewErrorCount, int | None]:
    """The count once the baseline is there, and the place in `pending` of what crosses it, if anything does."""
    judged = replace(count, pending=(), more=(), lacking=_lacking(baseline, window))
    if judged.lacking:
        return replace(judged, lost=0), None
    for place, found in enumerate(count.pending):
        judged = with_found(judged, found, baseline)
        if crossed(judged) is not None:
            return judged, place
    for one in count.more:
        judged = replace(judged, known=_with_kind(judged.known, one))
    return judged, None


def crossed(count: NewErrorCount) -> Reason | None:
    """The reason to fail the release, when so many error entries are of new kinds."""
    if count.entries < count.threshold.count:
        return None
    return Reason(code=ReasonCode.NEW_ERRORS, count=count.entries, limit=count.threshold.count, seen=len(count.new))


def standing(count: NewErrorCount) -> Standing:
    """How many error entries are of new kinds."""
    limit = count.threshold.count
    known = "".join(f", {len(count.known)} known x{sum(one.count for one in count.known)}" if count.known else "")
    return Standing(
        label=count.threshold.label,
        count=count.entries,
        limit=limit,
        ratio=count.entries / limit,
        detail=_detail(count, f"{len(count.new)} new{known}"),
    )


def _detail(count: NewErrorCount, seen: str) -> str:
    if count.lacking:
        return f"not applicable: {count.lacking}"
    waiting = len(count.pending) + sum(one.count for one in count.more)
    return f"{waiting} errors wait for the baseline" if waiting else seen


def _waiting(count: NewErrorCount, found: ErrorSeen) -> NewErrorCount:
    is_full = any(one.kind == found.kind for one in count.more)  # the quick look; a storm is of few kinds
    if is_full or sum(one.kind == found.kind for one in count.pending) >= count.threshold.count:
        return replace(count, more=_with_kind(count.more, _seen(found)))
    if len(count.pending) >= PENDING_KEPT:
        return replace(count, lost=count.lost + 1)
    return replace(count, pending=(*count.pending, found))


def _lacking(baseline: Baseline, window: Usec) -> str:
    if baseline.problem:
        return baseline.problem
    if baseline.heard_from is None:
        return "the job logged nothing before the release, so all of its errors would be new"
    if baseline.limited:
        return "the past was too long to be read up to the release, so what began of late would be new"
    if baseline.kinds_cut:
        return f"the job had more than {len(baseline.kinds)} kinds of errors before the release"
    if baseline.whole < window:
        seen, needs = format_duration(baseline.whole), format_duration(window)
        return f"only {seen} before the release were read without a hole, at least {needs} are needed"
    return ""


def _seen(found: ErrorSeen) -> KindSeen:
    return KindSeen(kind=found.kind, count=1, at=found.at, cursor=found.cursor)


def _with_kind(kinds: tuple[KindSeen, ...], seen: KindSeen) -> tuple[KindSeen, ...]:
    for place, one in enumerate(kinds):
        if one.kind == seen.kind:
            return (*kinds[:place], replace(one, count=one.count + seen.count), *kinds[place + 1 :])
    return (*kinds, seen)[:KINDS_KEPT]
