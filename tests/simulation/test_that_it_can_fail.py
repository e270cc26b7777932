"""Every invariant catches a core that was broken on purpose: what can't fail shows nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.simulation.__main__ import main
from tests.simulation.run import Failure, simulate
from tests.simulation.shrinking import shrink
from watcher.core import counters, doubts, ending, engine, match_count, registration, run_count, verdict, verifying
from watcher.core.engine import decide
from watcher.core.messages import BatchRead, Event, QueueRollback, Refused, RollbackObserved, SettingsLoaded
from watcher.core.policy import Mode
from watcher.core.reason import Reason, ReasonCode
from watcher.core.record import to_record
from watcher.core.release import Release, Rollback, RollbackState
from watcher.core.state import Decision, State
from watcher.desk import Desk

PATIENCE = 3_000
"""So many seeds are tried before a defect counts as not found."""

Sabotage = Callable[[pytest.MonkeyPatch], None]


def found(what: str = "") -> Failure | None:
    """The first failure that is told so."""
    for seed in range(PATIENCE):
        came = simulate(seed)
        if isinstance(came, Failure) and what in came.what:
            return came
    return None


def deciding(spoil: Callable[[State, Event, Decision], Decision]) -> Sabotage:
    """Every decision goes through this before it is stored."""

    def broken(state: State, event: Event) -> Decision:
        return spoil(state, event, decide(state, event))

    return lambda patch: patch.setattr("watcher.desk.decide", broken)


def replacing(part: Any, name: str, other: Any) -> Sabotage:
    return lambda patch: patch.setattr(part, name, other)


def orders_again(_: State, event: Event, decision: Decision) -> Decision:
    """What runs is handed over once more."""
    if isinstance(event, RollbackObserved) and event.state is RollbackState.RUNNING and decision.changed:
        return replace(decision, commands=(*decision.commands, QueueRollback(event.release)))
    return decision


def loses_entries(state: State, event: Event, decision: Decision) -> Decision:
    """A batch that holds a match counts no entries."""
    if not isinstance(event, BatchRead) or not event.found:
        return decision
    kept = {key: value for key, value in decision.counted.items() if key[0] != counters.ENTRIES}
    old = {key: value for key, value in state.counters.items() if key[0] == counters.ENTRIES}
    return replace(decision, counted=kept, state=replace(decision.state, counters={**decision.state.counters, **old}))


def stores_no_matches(_: State, __: Event, decision: Decision) -> Decision:
    """They are counted, but only in memory."""
    kept = {key: value for key, value in decision.counted.items() if key[0] != counters.MATCHES}
    return replace(decision, counted=kept)


def stores_no_trouble(_: State, __: Event, decision: Decision) -> Decision:
    """What went wrong with other jobs is known until the next restart."""
    return replace(decision, troubles={})


def stores_no_change(_: State, event: Event, decision: Decision) -> Decision:
    """What a batch changes in a release is adopted only."""
    return replace(decision, changed=()) if isinstance(event, BatchRead) else decision


def ends_again(before: State, event: Event, decision: Decision) -> Decision:
    """What ended gets another end with every batch."""
    if not isinstance(event, BatchRead):
        return decision
    known = {key: one for key, one in decision.state.releases.items() if key in before.releases}
    over = {key: replace(one, ended_at=event.at) for key, one in known.items() if before.releases[key].verdict}
    state = replace(decision.state, releases={**decision.state.releases, **over})
    return replace(decision, state=state, changed=(*decision.changed, *over.values()))


def forgets_verdicts(_: State, event: Event, decision: Decision) -> Decision:
    """With another configuration they are counted anew."""
    if not isinstance(event, SettingsLoaded):
        return decision
    kept = {key: 0 if key[0] == counters.VERDICTS else value for key, value in decision.state.counters.items()}
    return replace(decision, state=replace(decision.state, counters=kept))


def counts_refusals(_: State, __: Event, decision: Decision) -> Decision:
    """Whoever is refused leaves a trace."""
    return replace(decision, counted={("refused",): 1}) if isinstance(decision.answer, Refused) else decision


def asks_nobody(_: State, __: Event, decision: Decision) -> Decision:
    """Mode ask goes on by itself."""
    asking = [one for one in decision.changed if one.mode is Mode.ASK and one.rollback.state is RollbackState.HELD]
    queued = {one.id: replace(one, rollback=replace(one.rollback, state=RollbackState.QUEUED)) for one in asking}
    return replace(
        decision,
        changed=tuple(queued.get(one.id, one) for one in decision.changed),
        state=replace(decision.state, releases={**decision.state.releases, **queued}),
        commands=(*decision.commands, *map(QueueRollback, queued)),
        transitions=tuple(
            replace(one, after="queued") if one.after == "held" and one.release in queued else one
            for one in decision.transitions
        ),
    )


def adopts_first(desk: Desk, event: Event) -> object:
    """The state is taken over before it is stored."""
    decision = decide(desk._knowing(event), event)
    desk.state = decision.state
    if decision.is_durable:
        desk._store.commit(decision)
    desk._perform(decision)
    return decision.answer


def forgets_opinions(release: Release) -> dict[str, Any]:
    """A record without a field."""
    return {**to_record(release), "opinion": None}


def nothing(*_: Any, **__: Any) -> None:
    return None


def none_of(*_: Any, **__: Any) -> tuple[()]:
    return ()


def twice(count: Any, match: Any) -> Any:
    return _with_match(_with_match(count, match), match)


def always_helped(draft: Any, release: Any, verification: Any, at: Any) -> None:
    verifying._end(draft, release, at=at, helped=True, reasons=())


def acts_all_the_same(draft: Any, release: Release, at: Any) -> Any:
    told = tuple(one for one in release.reasons if one.code is not ReasonCode.SHARED_CAUSE)
    return _proposal(draft, replace(release, reasons=told), at)


def always_doubts(*_: Any) -> tuple[Reason, ...]:
    return (Reason(code=ReasonCode.RULES_CHANGED),)


def is_at_work(rollback: Rollback) -> bool:
    """What was taken back is not looked at any more."""
    return rollback.state in (RollbackState.QUEUED, RollbackState.RUNNING)


_proposal = ending._proposal
_with_match = match_count.with_match


@pytest.mark.parametrize(
    ("sabotage", "what"),
    [
        pytest.param(deciding(orders_again), "the command was started again", id="orders twice"),
        pytest.param(replacing(engine, "queue_again", nothing), "never ended", id="never orders again"),
        pytest.param(deciding(loses_entries), "counters differ", id="loses entries"),
        pytest.param(deciding(stores_no_matches), "differ", id="counts in memory only"),
        pytest.param(deciding(stores_no_trouble), "with the machine's faults", id="forgets trouble"),
        pytest.param(deciding(forgets_verdicts), "a counter fell", id="counts anew"),
        pytest.param(replacing(counters, "zeroes", lambda _: {}), "a series is missing", id="no zeroes"),
        pytest.param(deciding(counts_refusals), "refused, and yet something changed", id="a refusal counts"),
        pytest.param(deciding(asks_nobody), "rolled back in mode", id="asks nobody"),
        pytest.param(replacing(engine, "_may_go_on", nothing), "never ended", id="hears of no end"),
        pytest.param(deciding(stores_no_change), "adopted and not stored", id="stores no change"),
        pytest.param(replacing(Desk, "take", adopts_first), "counters differ", id="adopts before it stores"),
        pytest.param(replacing(doubts, "_unseen", none_of), "passed in spite of: ['hole']", id="passes over a hole"),
        pytest.param(replacing(doubts, "_unproved", none_of), "passed in spite of", id="takes silence for health"),
        pytest.param(
            replacing(engine, "_is_first_change", nothing), "passed in spite of: ['rules changed']", id="other rules"
        ),
        pytest.param(replacing(match_count, "with_match", twice), "failed", id="counts a match twice"),
        pytest.param(replacing(run_count, "crossed", nothing), "crossed a limit and ended", id="misses a crossing"),
        pytest.param(replacing(ending, "pause_reason", nothing), "paused and handed over", id="does not hold"),
        pytest.param(replacing(engine, "_hold_queued", nothing), "paused and handed over", id="does not hold later"),
        pytest.param(replacing(ending, "_budget_reason", nothing), "over the budget", id="knows no budget"),
        pytest.param(replacing(ending, "_rules_reason", nothing), "by rules that", id="rolls back by other rules"),
        pytest.param(replacing(ending, "stale_reason", nothing), "by old news", id="rolls back late"),
        pytest.param(
            replacing(ending, "_proposal", acts_all_the_same), "though the cause is shared", id="acts on a shared cause"
        ),
        pytest.param(
            replacing(verdict, "doubts", always_doubts), "is inconclusive without a doubt", id="always doubts"
        ),
        pytest.param(
            replacing(engine, "_may_go_on", is_at_work), "the record and the dispatcher differ", id="sees no late start"
        ),
        pytest.param(deciding(ends_again), "its end is another now", id="ends twice"),
        pytest.param(replacing(registration, "_content", nothing), "other content", id="takes any content"),
        pytest.param(
            lambda patch: patch.setattr("tests.simulation.disk.to_record", forgets_opinions),
            "stored and loaded it is another",
            id="a record loses a field",
        ),
        pytest.param(replacing(verifying, "close", always_helped), "rollback of", id="always helped"),
    ],
)
def test_a_broken_core_is_found(sabotage: Sabotage, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the invariant that is about it."""
    sabotage(monkeypatch)
    assert found(what) is not None


def test_a_failure_is_told_with_its_seed_and_as_little_as_it_takes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whoever looks for the cause gets the fewest steps and faults; the same seed fails again."""
    deciding(orders_again)(monkeypatch)
    failure = found()
    assert failure is not None
    assert failure == simulate(failure.seed)
    small = shrink(failure, simulate)
    assert (failure.seed, True) == (small.seed, small.steps < failure.steps)
    assert len(small.faults) < len(failure.faults)
    assert 1 == main(["--runs", "1", "--seed", str(failure.seed)])
    told = capsys.readouterr().out
    assert f"seed {failure.seed}, step" in told
    assert "rollback queued -> running" in told


def test_a_core_that_raises_is_a_failure_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its traceback."""
    monkeypatch.setattr(ending, "matches_of", raises)
    assert found("ZeroDivisionError") is not None


def raises(*_: Any) -> int:
    return 1 // 0
