"""What holds for every story: cut, saved, with holes, with more errors, in any order."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.events import (
    JOB,
    NEXT,
    OTHER_JOB,
    START,
    batch,
    configured,
    observed,
    pause,
    person,
    policy,
    release,
    request,
    resume,
    reviewed,
)
from tests.events import settings as load
from tests.playbook import Story, run, transcript
from tests.simulation.disk import Disk as StoredState
from tests.simulation.disk import Luck
from tests.strategies import (
    LONGEST,
    Chapter,
    Entry,
    Item,
    holes,
    instant_of,
    journals,
    policies,
    read,
    seconds,
    stories,
)
from watcher.core.coverage import Gap, GapReason
from watcher.core.draft import is_busy
from watcher.core.duration import SECOND, Usec
from watcher.core.engine import decide
from watcher.core.messages import (
    Command,
    Event,
    Judgement,
    QueueReviewed,
    QueueRollback,
    SettingsLoaded,
    TransitionKind,
)
from watcher.core.names import ReleaseId
from watcher.core.policy import JobPolicy, Mode, SharedCause
from watcher.core.reason import ReasonCode
from watcher.core.record import (
    from_record,
    pause_from_record,
    pause_record,
    to_record,
    trouble_from_record,
    trouble_record,
)
from watcher.core.release import Phase, Release, RollbackState, Verdict
from watcher.core.state import OPEN_PHASES, Series, State

quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
Told = tuple[JobPolicy, tuple[Chapter, ...]]
END = Usec(START + (LONGEST + 30) * SECOND)


def _begin(terms: JobPolicy) -> State:
    return run(configured(terms, policy(job=OTHER_JOB)), release()).state


def _ends(story: Story) -> dict[ReleaseId, object]:
    """What must not depend on how the journal was read: the whole judgement and the way of the rollback."""
    records = dict(story.begin.releases)
    for decision in story.decisions:
        records |= {one.id: one for one in decision.changed}
    return {
        one.id: (
            (one.phase, one.verdict, one.reasons, one.ended_at, one.rollback, one.proposal),
            (one.trial.matches, one.trial.counts),
            one.verification,
        )
        for one in records.values()
    }


def _queued(story: Story) -> Counter[Command]:
    return Counter(one for step in story.commands for one in step if isinstance(one, QueueRollback))


# --------------------------------------------------------------------------------------------- cut, saved, in order


@quick
@given(stories(), st.data())
def test_how_the_journal_was_cut_changes_nothing(told: Told, data: st.DataObject) -> None:
    """Any split of the batches and any empty batch: same verdicts, reasons, instants, rollbacks and counters."""
    terms, chapters = told
    whole = run(_begin(terms), *read(chapters))
    cut = run(_begin(terms), *read(chapters, cuts=lambda size: data.draw(st.lists(st.integers(0, size), max_size=6))))
    assert _ends(whole) == _ends(cut), transcript(cut)
    assert whole.state.counters == cut.state.counters
    assert _queued(whole) == _queued(cut)
    assert whole.state.position == cut.state.position


@quick
@given(stories())
def test_entry_by_entry_is_the_same_as_at_once(told: Told) -> None:
    """The extreme of the cuts: each entry in a batch of its own."""
    terms, chapters = told
    whole = run(_begin(terms), *read(chapters))
    single = run(_begin(terms), *read(chapters, cuts=lambda size: range(size + 1)))
    assert (_ends(whole), whole.state.counters) == (_ends(single), single.state.counters)


@quick
@given(policies(), journals(), st.integers(0, 100_000))
def test_when_the_journal_was_read_changes_no_verdict(terms: JobPolicy, items: tuple[Item, ...], late: int) -> None:
    """Live or a day late: same verdict, reasons and instant; only the rollback is left to a person."""
    live = run(_begin(terms), *_reading(items)).last
    later = [replace(event, at=Usec(event.at + late * SECOND)) for event in _reading(items)]
    backlog = run(_begin(terms), *later).last
    assert (live.phase, live.reasons, live.ended_at) == (backlog.phase, backlog.reasons, backlog.ended_at)


class Disk:
    """A plain store: it keeps what each decision says has changed, as JSON, and nothing else."""

    def __init__(self, begin: State) -> None:
        self.releases = {key: json.dumps(to_record(one)) for key, one in begin.releases.items()}
        self.counters: dict[Series, int] = dict(begin.counters)
        self.pauses: list[str] = []
        self.position: str | None = begin.position
        self.rollbacks = begin.rollbacks
        self.troubles = {key: json.dumps(trouble_record(one)) for key, one in begin.troubles.items()}

    def commit(self, story: Story) -> None:
        """Keep the decisions of a story."""
        for decision in story.decisions:
            self.releases |= {one.id: json.dumps(to_record(one)) for one in decision.changed}
            self.counters |= decision.counted
            if decision.pauses is not None:
                self.pauses = [json.dumps(pause_record(one)) for one in decision.pauses]
            self.position = decision.position or self.position
            self.rollbacks = self.rollbacks if decision.rollbacks is None else decision.rollbacks
            for job, trouble in decision.troubles.items():
                self.troubles.pop(job, None)
                if trouble is not None:
                    self.troubles[job] = json.dumps(trouble_record(trouble))

    def load(self) -> State:
        """The state as a new daemon finds it, before it has read its configuration."""
        known = [from_record(json.loads(text)) for text in self.releases.values()]
        last = {one.job: one.id for one in known}
        return State(
            releases={one.id: one for one in known if is_busy(one) or last[one.job] == one.id},
            last=last,
            pauses=tuple(pause_from_record(json.loads(text)) for text in self.pauses),
            counters=self.counters,
            position=self.position,
            rollbacks=self.rollbacks,
            troubles={key: trouble_from_record(json.loads(text)) for key, text in self.troubles.items()},
        )


@quick
@given(stories(), st.data())
def test_save_and_load_at_any_step_gives_the_same_future(told: Told, data: st.DataObject) -> None:
    """What was stored is enough: after a restart the same events give the same decisions."""
    terms, chapters = told
    events = read(chapters)
    step = data.draw(st.integers(0, len(events)))
    before = run(_begin(terms), *events[:step])
    disk = Disk(before.begin)
    disk.commit(before)
    started = load(*before.state.policies.values(), at=before.steps[-1][0].at if before.steps else START)
    loaded = decide(disk.load(), started)
    assert () == loaded.changed
    goes_on, restarted = run(before.state, *events[step:]), run(loaded.state, *events[step:])
    for kept, again in zip(goes_on.decisions, restarted.decisions, strict=True):
        assert replace(kept, state=State()) == replace(again, state=State())
    for name in ("releases", "last", "pauses", "counters", "position", "policies", "rollbacks", "troubles"):
        assert getattr(goes_on.state, name) == getattr(restarted.state, name)


def _mirrored(items: tuple[Item, ...]) -> tuple[Item, ...]:
    return tuple(replace(one, rules=one.rules[::-1]) if isinstance(one, Entry) else one for one in items)


@quick
@given(policies(), journals())
def test_the_order_of_rules_and_thresholds_does_not_matter(terms: JobPolicy, items: tuple[Item, ...]) -> None:
    """Neither that of the rules on an entry nor that of the limits; only the reasons change their places."""
    turned = replace(terms, release=replace(terms.release, thresholds=terms.release.thresholds[::-1]))
    one = run(_begin(terms), *_reading(items)).last
    other = run(_begin(turned), *_reading(_mirrored(items))).last
    assert (one.phase, one.verdict, one.ended_at, one.rollback) == (
        other.phase,
        other.verdict,
        other.ended_at,
        other.rollback,
    )
    assert sorted(one.reasons) == sorted(other.reasons)


def _reading(items: tuple[Item, ...]) -> list[Event]:
    return read([Chapter(items=items, read_until=END, taken=END)])


# --------------------------------------------------------------------------------------------- holes and more errors


@quick
@given(stories(with_holes=False), holes(), st.data())
def test_a_hole_never_starts_a_rollback_nor_saves_from_one(told: Told, hole: Gap, data: st.DataObject) -> None:
    """A story with one more hole has the same commands, whatever else happens in it."""
    terms, chapters = told
    place = data.draw(st.integers(0, len(chapters) - 1))
    holed = replace(chapters[place], items=(*chapters[place].items, hole))
    one = run(_begin(terms), *read(chapters))
    other = run(_begin(terms), *read((*chapters[:place], holed, *chapters[place + 1 :])))
    assert one.commands == other.commands


@quick
@given(policies(), journals(), holes())
def test_a_hole_never_yields_passed(terms: JobPolicy, items: tuple[Item, ...], hole: Gap) -> None:
    """A hole that touches the window: failed by what was seen, or inconclusive."""
    assume(hole.touches(JOB, START, Usec(START + terms.release.window)))
    story = run(_begin(terms), *_reading((hole, *items)))
    assert story.last.verdict in (Verdict.FAILED, Verdict.INCONCLUSIVE)


@quick
@given(policies(), journals(set_back=False), seconds(), st.data())
def test_more_errors_never_turn_failed_into_passed(
    terms: JobPolicy, items: tuple[Item, ...], at: Usec, data: st.DataObject
) -> None:
    """One more match fails a failing release as early or earlier."""
    one = run(_begin(terms), *_reading(items)).last
    more = Entry(job=JOB, at=at, rules=(data.draw(st.sampled_from(list(terms.rules))),))
    place = sum(1 for item in items if instant_of(item) <= at)
    other = run(_begin(terms), *_reading((*items[:place], more, *items[place:]))).last
    if one.phase is Phase.FAILED:
        assert Phase.FAILED is other.phase
        assert one.record.ended_at is not None
        assert other.record.ended_at is not None
        assert other.record.ended_at <= one.record.ended_at


# ------------------------------------------------------------------------------------- several jobs on one host


def _both(terms: JobPolicy, other: JobPolicy, *, budget: int) -> State:
    """Two jobs with a release each since `START`, and few rollbacks to be had."""
    begin = configured(terms, replace(other, name=OTHER_JOB), budget=budget)
    return run(begin, release(), release(request(OTHER_JOB), fresh_id=NEXT)).state


@quick
@given(policies(), policies(), journals(), st.integers(1, 2), st.integers(0, 1_000))
def test_how_the_journal_was_cut_changes_nothing_for_several_jobs(
    terms: JobPolicy, other: JobPolicy, items: tuple[Item, ...], budget: int, length: int
) -> None:
    """Who gets the last rollback of the hour, and who shares whose trouble, goes by the order of the entries alone."""
    begin = _both(terms, replace(other, release=replace(other.release, window=Usec(length * SECOND))), budget=budget)
    chapter = Chapter(items=items, read_until=END, taken=END)
    whole = run(begin, *read([chapter]))
    single = run(begin, *read([chapter], cuts=lambda size: range(size + 1)))
    assert _ends(whole) == _ends(single), transcript(single)
    assert whole.state.troubles == single.state.troubles
    assert _queued(whole) == _queued(single)


@quick
@given(stories())
def test_a_shared_cause_only_ever_holds(told: Told) -> None:
    """With `ignore` the same releases fail at the same instants, and no rollback is missing that `hold` had."""
    terms, chapters = told
    ignoring = replace(terms, release=replace(terms.release, shared_cause=SharedCause.IGNORE))
    held, ignored = run(_begin(terms), *read(chapters)), run(_begin(ignoring), *read(chapters))
    assert _fates(held) == _fates(ignored)
    assert _automatic(held) <= _automatic(ignored)


def _fates(story: Story) -> dict[ReleaseId, object]:
    return {one.id: (one.phase, one.ended_at, one.reasons[:1]) for one in _records(story)}


def _automatic(story: Story) -> set[ReleaseId | None]:
    """The releases whose rollback was handed over without a person's word."""
    moved = [one for one in story.transitions if (one.kind, one.after) == (TransitionKind.ROLLBACK, "queued")]
    return {one.release for one in moved if one.author == ""}


# --------------------------------------------------------------------------------------------- any story whatever


@quick
@given(stories())
def test_every_story_keeps_the_invariants(told: Told) -> None:
    """Each of the functions below says one thing that no story may break."""
    terms, chapters = told
    story = run(_begin(terms), *read(chapters))
    _no_story_queues_two_rollbacks(story)
    _a_rollback_is_handed_over_only_when_it_is_queued(story)
    _final_phases_stay(story)
    _a_decision_tells_everything_that_it_changed(story)
    _a_verdict_needs_its_reasons(story)


def _no_story_queues_two_rollbacks(story: Story) -> None:
    """`queued` is reached once; again only after a review took it back unclaimed, and never once it ran."""
    ways: dict[ReleaseId | None, list[tuple[str, str]]] = {}
    for one in story.transitions:
        if one.kind is TransitionKind.ROLLBACK:
            ways.setdefault(one.release, []).append((one.before, one.after))
    for way in ways.values():
        queued = [after for _, after in way].count("queued")
        assert queued <= 1 + way.count(("queued", "held"))
        ran = next((number for number, (_, after) in enumerate(way) if after == "running"), len(way))
        assert all(after not in ("none", "held", "queued") for _, after in way[ran:])


def _a_rollback_is_handed_over_only_when_it_is_queued(story: Story) -> None:
    """The command comes with the move to `queued`, or again with a review of what is queued."""
    for event, decision in story.steps:
        moved = {one.release for one in decision.transitions if (one.kind, one.after) == ("rollback", "queued")}
        handed = {one.release for one in decision.commands if isinstance(one, QueueRollback)}
        assert moved <= handed
        assert moved == handed or isinstance(event, QueueReviewed)
        assert all(decision.state.releases[one].rollback.state is RollbackState.QUEUED for one in handed)


def _final_phases_stay(story: Story) -> None:
    """A release that ended keeps phase, verdict, reasons and instant, whatever happens later."""
    ended: dict[ReleaseId, tuple[object, ...]] = {}
    for one in _records(story):
        end = (one.phase, one.verdict, one.reasons, one.ended_at)
        assert end == ended.get(one.id, end)
        if one.phase not in OPEN_PHASES:
            ended[one.id] = end


def _a_decision_tells_everything_that_it_changed(story: Story) -> None:
    """What the store and the log are given is what the new state differs in; counters never fall."""
    before = story.begin
    for event, decision in story.steps:
        after = decision.state
        changed = {key: one for key, one in after.releases.items() if before.releases.get(key) != one}
        assert changed.items() <= {one.id: one for one in decision.changed}.items()
        moved = {key for key, one in changed.items() if key in before.releases and _moved(before.releases[key], one)}
        assert moved <= {one.release for one in decision.transitions}
        assert decision.counted.items() <= after.counters.items()
        risen = {key for key, value in after.counters.items() if before.counters.get(key) != value}
        assert risen <= decision.counted.keys() or isinstance(event, SettingsLoaded)
        assert all(after.counters[key] >= value for key, value in before.counters.items())
        before = after


def _moved(before: Release, after: Release) -> bool:
    return (before.phase, before.rollback.state, before.ends_at) != (after.phase, after.rollback.state, after.ends_at)


def _a_verdict_needs_its_reasons(story: Story) -> None:
    """`failed` a crossing or a person, `passed` that nothing stood against it; what was not judged has none."""
    for one in _records(story):
        codes = {reason.code for reason in one.reasons}
        if one.phase is Phase.FAILED:
            assert codes - {ReasonCode.SHARED_CAUSE} in ({ReasonCode.MATCHES}, {ReasonCode.PERSON})
        if one.phase is Phase.PASSED and codes != {ReasonCode.PERSON}:
            assert codes == {ReasonCode.WINDOW_OVER}
            assert one.trial.heard
            assert () == one.trial.gaps
            assert one.trial.rules_changed_at is None
        assert (one.verdict is None) is (one.phase in {*OPEN_PHASES, Phase.CANCELLED, Phase.SUPERSEDED})


def _records(story: Story) -> list[Release]:
    return [one for decision in story.decisions for one in decision.changed]


# ------------------------------------------------------------------------------------------------ a plain model


class Windows(RuleBasedStateMachine):
    """One job, a limit of two errors in the whole window, every way that a person, a runner or a restart may go.

    The model on the left holds a few plain values; the engine on the right has to agree after each step.
    """

    def __init__(self) -> None:
        super().__init__()
        self.phase, self.rollback, self.errors, self.paused = "none", "none", 0, False
        self.number, self.now, self.end = 0, 0, 0
        self.mode = Mode.ROLLBACK
        self.ruleset, self.hole, self.other_rules = 1, False, False
        self.disk = StoredState(lambda: Luck.WELL, lambda _: None)
        self.state = State()
        self._decide(self._settings())

    def _decide(self, event: Event) -> None:
        decision = decide(self.state, event)
        self.disk.commit(decision)
        self.state = decision.state

    def _settings(self) -> SettingsLoaded:
        terms = policy(limit=2, within=None, window="60s", rules_hash=f"rules-{self.ruleset}")
        return load(terms, at=self._at(), budget=1000)

    def _id(self) -> ReleaseId:
        return ReleaseId(f"import-{self.number}")

    def _at(self) -> Usec:
        return Usec(START + self.now * SECOND)

    def _fails(self, *, ordered: bool = False, by_rules: bool = False) -> None:
        self.phase = "failed"
        held = self.paused or (by_rules and self.other_rules)
        if ordered or (self.mode is Mode.ROLLBACK and not held):
            self.rollback = "queued"
        elif self.mode is not Mode.OBSERVE:
            self.rollback = "held"

    @rule(mode=st.sampled_from(Mode))
    def register(self, mode: Mode) -> None:
        """A new release: the model forgets the old one."""
        self.number += 1
        self.mode, self.phase, self.rollback, self.errors, self.end = mode, "watching", "none", 0, self.now + 60
        self.hole = self.other_rules = False
        wanted = replace(request(version=f"2.{self.number}"), mode=mode, id=self._id())
        self._decide(release(wanted, at=self._at()))

    @rule(errors=st.integers(0, 2), wait=st.integers(0, 40))
    def time_passes(self, errors: int, wait: int) -> None:
        """Some errors now, and then nothing but one harmless entry for a while."""
        self._decide(batch(errors=errors, entries=1, at=self._at(), taken=self._at()))
        if self.phase == "watching" and errors:
            self.errors += errors
            if self.errors >= 2:
                self._fails(by_rules=True)
        self.now += wait
        self._decide(batch(at=self._at()))
        if self.phase == "watching" and self.now >= self.end:
            self.phase = "inconclusive" if self.hole or self.other_rules else "passed"

    @rule()
    def the_daemon_restarts(self) -> None:
        """With what is on the disk and nothing else."""
        self.state = self.disk.load()
        self._decide(self._settings())

    @precondition(lambda self: self.phase == "watching" and self.now < self.end)
    @rule()
    def something_is_missing(self) -> None:
        """A hole never fails a release, and keeps it from passing."""
        self._decide(batch(at=self._at(), gaps=(Gap(reason=GapReason.MISSING, since=self._at(), until=self._at()),)))
        self.hole = True

    @rule(changed=st.booleans())
    def the_configuration_is_loaded_again(self, changed: bool) -> None:  # noqa: FBT001 - hypothesis names it
        """With other rules, or with the same ones."""
        self.ruleset += changed
        self._decide(self._settings())
        self.other_rules = self.other_rules or (changed and self.phase == "watching")

    @precondition(lambda self: self.phase == "watching" and self.now < self.end)
    @rule(judgement=st.sampled_from(Judgement))
    def a_person_decides(self, judgement: Judgement) -> None:
        """While the window is open every decision is possible."""
        self._decide(person(judgement, self._id(), at=self._at(), by="30s"))
        match judgement:
            case Judgement.PASS:
                self.phase = "passed"
            case Judgement.CANCEL:
                self.phase = "cancelled"
            case Judgement.EXTEND:
                self.end += 30
            case Judgement.FAIL:
                self._fails()
            case Judgement.ROLLBACK:
                self._fails(ordered=True)

    @precondition(lambda self: self.phase in ("passed", "failed", "inconclusive"))
    @rule()
    def a_person_orders_a_rollback(self) -> None:
        """Also after the end; once it was handed over the order changes nothing."""
        self._decide(person(Judgement.ROLLBACK, self._id(), at=self._at()))
        if self.rollback in ("none", "held"):
            self.rollback = "queued"

    @rule(paused=st.booleans())
    def automatic_rollbacks_are_paused_or_not(self, paused: bool) -> None:  # noqa: FBT001 - hypothesis names it
        """By a person, for all jobs."""
        self._decide(pause(at=self._at()) if paused else resume(at=self._at()))
        self.paused = paused

    @precondition(lambda self: self.number > 0)
    @rule(state=st.sampled_from(["running", "succeeded", "failed", "unknown"]))
    def the_runner_reports(self, state: str) -> None:
        """It counts from `queued` and `running` only."""
        self._decide(observed(RollbackState(state), self._id(), at=self._at()))
        if self.rollback in ("queued", "running"):
            self.rollback = state

    @precondition(lambda self: self.rollback == "queued" and not self.paused)
    @rule()
    def the_queue_is_reviewed(self) -> None:
        """Without a pause, and within the hour, nothing changes."""
        self._decide(reviewed(self._id(), at=self._at()))

    @invariant()
    def both_agree(self) -> None:
        """Phase and rollback of the newest release are the model's."""
        if self.number:
            real = self.state.releases[self._id()]
            assert (self.phase, self.rollback) == (str(real.phase), str(real.rollback.state))


Windows.TestCase.settings = settings(max_examples=200, stateful_step_count=30, deadline=None)
test_the_engine_agrees_with_a_plain_model = Windows.TestCase
