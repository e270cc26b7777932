"""What people decide about releases that the daemon has judged: the way from observing to acting by itself.

In modes observe and ask each decision tells whether the daemon would have done the same. How often it would have is
counted, so that a team sees when it may be trusted with more.
"""

from __future__ import annotations

from dataclasses import replace

from watcher.core import counters
from watcher.core.draft import Draft
from watcher.core.messages import Judgement, PersonDecided, Transition, TransitionKind, WriteNote
from watcher.core.release import Opinion, Release, RollbackState, Verdict

WORDS = {True: "agreed", False: "disagreed", None: "undecided"}
"""Of an opinion, for the log and the metric; nobody can agree with a verdict that says nothing."""


def note_opinion(draft: Draft, release: Release, event: PersonDecided) -> Release:
    """Keep the decision with the release, the last one of several; the same once more changes nothing.

    A verdict that a person gave has no opinions: there is nothing of ours to agree with. Counted whenever somebody is
    of another mind than before.
    """
    known = release.opinion
    if not release.is_judged_by_us or (known is not None and known.judgement == event.judgement):
        return release
    agrees = _agrees(release, event.judgement)
    opinion = Opinion(judgement=event.judgement, agrees=agrees, reason=event.reason, author=event.author, at=event.at)
    if agrees is not None and (known is None or known.agrees is not agrees):
        draft.count(counters.OPINIONS, release.job, WORDS[agrees])
    noted = replace(release, opinion=opinion)
    draft.put(noted)
    draft.command(WriteNote(release.id))
    draft.tell(
        Transition(
            at=event.at,
            kind=TransitionKind.OPINION,
            before="",
            after=WORDS[agrees],
            release=release.id,
            job=release.job,
            author=event.author,
            text=event.reason,
        ),
    )
    return noted


def _agrees(release: Release, judgement: Judgement) -> bool | None:
    if release.verdict is Verdict.INCONCLUSIVE:
        return None
    is_failed = release.verdict is Verdict.FAILED
    match judgement:
        case Judgement.PASS:
            return not is_failed
        case Judgement.FAIL | Judgement.ROLLBACK:
            return is_failed
        case Judgement.CANCEL:
            would_run = release.proposal is not None and release.proposal.state is RollbackState.QUEUED
            return False if would_run else None
        case Judgement.EXTEND:
            return None
