"""What a piece of the journal held of one job, and how pieces that were read apart are put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from watcher.core.coverage import Gap
from watcher.core.duration import Usec
from watcher.core.found import ErrorSeen, Found, JobTally, Match, RunBegan, RunEnded


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What a piece of the journal, `[since, until)`, held of one job, in the journal's order; `entries` of anybody."""

    since: Usec
    until: Usec
    entries: int = 0
    tallies: tuple[JobTally, ...] = ()
    found: tuple[Found, ...] = ()
    gaps: tuple[Gap, ...] = ()


def joined(pieces: Sequence[Piece]) -> Piece:
    """Pieces that follow each other, as one.

    Each but the first was read from a little earlier on, so that it knows what was under way; what it can't have seen,
    the begin of a longer run, is told it here, and no run ends twice.
    """
    begins: dict[str, Usec] = {}
    ended: set[str] = set()
    found: list[Found] = []
    for one in (one for piece in pieces for one in piece.found):
        if isinstance(one, RunBegan):
            begins[one.invocation] = one.at
        elif isinstance(one, RunEnded):
            if one.invocation in ended:
                continue
            ended.add(one.invocation)
        found.append(_with_begin(one, begins))
    return Piece(
        since=pieces[0].since,
        until=pieces[-1].until,
        entries=sum(piece.entries for piece in pieces),
        tallies=tuple(tally for piece in pieces for tally in piece.tallies),
        found=tuple(found),
        gaps=tuple(gap for piece in pieces for gap in piece.gaps),
    )


def _with_begin(one: Found, begins: dict[str, Usec]) -> Found:
    match one:
        case Match() | ErrorSeen() | RunEnded() if one.began is None and one.invocation in begins:
            return replace(one, began=begins[one.invocation])
        case _:
            return one
