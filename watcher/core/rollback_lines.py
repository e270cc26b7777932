"""The rollback of a release in the words of the final note: what ran, how it ended, and whether it helped."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.core.aftermath import helped_in_words, rollback_in_words
from watcher.core.duration import format_duration
from watcher.core.evidence import OUTPUT_LINE, WORDS, instant, span
from watcher.core.holes import gap_cells
from watcher.core.reason_words import say
from watcher.core.release import Release, RollbackState
from watcher.core.shell import command_line
from watcher.core.text import block, code, last_lines, prose, table

_OUTPUT_LINES = 100


def rollback_lines(release: Release) -> Iterator[str]:
    """Where it stands, its facts, its verification and the end of its output, as paragraphs of Markdown."""
    rollback = release.rollback
    yield f"State: **{rollback.state}**: {prose(rollback_in_words(release), limit=WORDS)}"
    rows = list(_rollback_facts(release))
    if rows:
        yield table(rows)
    yield from _verification(release)
    if rollback.output:
        yield "The end of its output:"
        yield block(last_lines(rollback.output, limit=OUTPUT_LINE, lines=_OUTPUT_LINES))


def _verification(release: Release) -> Iterator[str]:
    """What was seen of the job after its rollback, by the rules of the release."""
    verification = release.verification
    if verification is None or verification.trial.start is None or verification.trial.end is None:
        return
    trial = verification.trial
    yield f"After it: {prose(helped_in_words(release), limit=WORDS)}."
    rows = [("watched from", instant(verification.trial.start)), ("until", instant(verification.trial.end))]
    if verification.ended_at is not None:
        rows.append(("ended", instant(verification.ended_at)))
    rows += [(f"matches of {code(rule, limit=100)}", str(count)) for rule, count in trial.matches]
    rows += [("not seen", ": ".join(gap_cells(gap)[:2])) for gap in trial.gaps]
    yield table(rows)


def _rollback_facts(release: Release) -> Iterator[tuple[str, str]]:
    rollback, plan = release.rollback, release.policy.release.rollback
    if plan is not None:
        yield "command", code(command_line(plan.command), limit=WORDS)
        yield (
            "user",
            "none given: root; of a daemon run by hand, its own" if plan.user is None else code(plan.user, limit=100),
        )
        yield "time limit", format_duration(plan.timeout)
    if rollback.reason is not None and rollback.state is not RollbackState.NONE:
        yield "because", prose(say(rollback.reason), limit=WORDS)
    if rollback.exit_code is not None:
        yield "exit code", str(rollback.exit_code)
    named = (("queued", rollback.queued_at), ("started", rollback.started_at), ("finished", rollback.finished_at))
    yield from ((name, instant(at)) for name, at in named if at is not None)
    if rollback.started_at is not None and rollback.finished_at is not None:
        yield "took", span(rollback.started_at, rollback.finished_at)
    if rollback.state is RollbackState.SUCCEEDED:
        yield "helped", {True: "yes", False: "NO", None: "not known"}[rollback.helped]
