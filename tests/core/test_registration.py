"""How a release comes into the record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.events import (
    JOB,
    NEXT,
    OTHER_JOB,
    PERSON,
    RELEASE,
    START,
    batch,
    configured,
    deployed,
    instant,
    person,
    policy,
    release,
    request,
    settings,
    span,
    watching,
)
from tests.playbook import Story, expect, play
from watcher.core import counters
from watcher.core.messages import Accepted, Judgement, RefusalCode, Refused, WriteNote
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import Mode
from watcher.core.release import CommandResult, Phase, RollbackState, Verdict
from watcher.core.trial import new_trial

THIRD = ReleaseId("import-3")
NAMED = replace(request(), id=ReleaseId("v2"))
ONE_JOB = configured(policy())


def _refusal(story: Story) -> Refused:
    assert isinstance(story.answer, Refused)
    assert story.state is story.begin
    assert not story.decisions[-1].is_durable
    return story.answer


def test_a_registration_opens_the_window_at_once() -> None:
    """From the instant of the registration on, for the configured time, by the policy of that moment."""
    story = play(ONE_JOB, release(at="5s"))
    record = story.last.record
    assert Accepted(record) == story.answer
    assert (instant("5s"), instant("15m5s")) == (record.started_at, record.ends_at)
    assert (Phase.WATCHING, Mode.ROLLBACK, policy()) == (record.phase, record.mode, record.policy)
    assert new_trial(policy().release.thresholds).counts == record.trial.counts
    expect(story, "5s import-1 phase watching")


def test_the_author_stands_in_the_transition() -> None:
    """Who registered it, and what for."""
    story = play(ONE_JOB, release(replace(request(), reason="fixes the import")))
    assert [(PERSON, "fixes the import")] == [(one.author, one.text) for one in story.transitions]


def test_an_unknown_job_is_refused_with_the_names_that_exist() -> None:
    """The hint names the configured jobs."""
    refused = _refusal(play(configured(policy(), policy(job=OTHER_JOB)), release(request(JobName("imprt")))))
    assert (RefusalCode.UNKNOWN_JOB, "imprt: no such job in the configuration") == (refused.code, refused.message)
    assert "configured jobs: export, import" == refused.hint


def test_an_unsafe_id_is_refused() -> None:
    """An id is a file name and an instance name: `../etc` is none."""
    refused = _refusal(play(ONE_JOB, release(replace(request(), id=ReleaseId("../etc")))))
    assert (RefusalCode.BAD_REQUEST, "'../etc' is no release id") == (refused.code, refused.message)


@pytest.mark.parametrize(("window", "settle"), [("31s", "30s"), ("30s", "3s"), ("10s", "1s")])
def test_a_window_of_its_own_that_settle_would_fill_settles_in_a_tenth(window: str, settle: str) -> None:
    """Else nothing could ever be held against such a release."""
    story = play(configured(policy(settle="30s")), release(replace(request(), window=span(window))))
    assert span(settle) == story.last.record.policy.release.settle


def test_a_window_too_short_to_see_anything_is_refused() -> None:
    """Less than a second is a mistake."""
    story = play(configured(policy(settle="30s")), release(replace(request(), window=span("999ms"))))
    assert RefusalCode.BAD_REQUEST is _refusal(story).code


@pytest.mark.parametrize("mode", [Mode.ASK, Mode.ROLLBACK])
def test_a_mode_that_needs_a_command_is_refused_without_one(mode: Mode) -> None:
    """Nobody is promised a rollback that can't be run."""
    begin = configured(policy(command=(), mode=Mode.OBSERVE))
    refused = _refusal(play(begin, release(replace(request(), mode=mode))))
    assert f"mode {mode}: job import has no rollback command" == refused.message


@pytest.mark.parametrize("mode", [Mode.ASK, Mode.ROLLBACK])
def test_entries_that_anybody_can_send_roll_nothing_back_by_themselves(mode: Mode) -> None:
    """A job of untrusted entries may ask and observe, whatever the request says."""
    begin = configured(policy(trusted=False, limit=1, mode=mode))
    refused = _refusal(play(begin, release(replace(request(), mode=Mode.ROLLBACK))))
    assert "mode rollback: entries of job import can be sent by any local user" == refused.message
    asked = play(begin, release(replace(request(), mode=Mode.ASK)), batch(errors=1, at="1s"))
    assert RollbackState.HELD is asked.last.rollback


def test_the_request_overrides_the_configuration() -> None:
    """Mode, window and owner for this release; the policy in the record stays as configured."""
    asked = replace(request(), mode=Mode.OBSERVE, window=span("1h"), owner="ops", previous="1.9")
    record = play(ONE_JOB, release(asked)).last.record
    assert (Mode.OBSERVE, span("1h"), instant("1h")) == (record.mode, record.window, record.ends_at)
    assert ("ops", "1.9", Mode.ROLLBACK) == (record.owner, record.previous, record.policy.release.mode)


@pytest.mark.parametrize(
    ("asked", "configured_owner", "owner"),
    [("ops", "team", "ops"), (None, "team", "team"), (None, "", PERSON)],
)
def test_somebody_always_owns_a_release(asked: str | None, configured_owner: str, owner: str) -> None:
    """The request's owner, else the job's, else whoever registered it."""
    story = play(configured(policy(owner=configured_owner)), release(replace(request(), owner=asked)))
    assert owner == story.last.record.owner


def test_the_same_request_again_is_the_same_release() -> None:
    """With the same id and content, whoever asks and whatever a second backup did, and also after the end."""
    backup = CommandResult(command=("/bin/true",), exit_code=0, started_at=START, finished_at=START)
    begin = play(ONE_JOB, release(NAMED), person(Judgement.PASS, ReleaseId("v2"), at="1m")).state
    story = play(begin, release(replace(NAMED, author="root", backup=backup), fresh_id=NEXT, at="2m"))
    assert isinstance(story.answer, Accepted)
    assert story.answer.release == story.of(ReleaseId("v2")).record
    assert story.state is story.begin


@pytest.mark.parametrize(
    "other",
    [
        replace(NAMED, version="3.0"),
        replace(NAMED, reason="another"),
        replace(NAMED, mode=Mode.OBSERVE),
        replace(NAMED, job=OTHER_JOB),
        replace(NAMED, prepare=True),
        replace(NAMED, files=("/etc/import.conf",)),
    ],
)
def test_the_same_id_with_other_content_is_a_conflict(other: object) -> None:
    """An id is never used for two releases."""
    begin = play(configured(policy(), policy(job=OTHER_JOB)), release(NAMED)).state
    refused = _refusal(play(begin, release(other, at="1m")))  # type: ignore[arg-type]  # a request
    assert RefusalCode.CONFLICT is refused.code
    assert "v2: a release with this id and other content is registered" == refused.message


def test_a_newer_release_supersedes_the_open_one() -> None:
    """Its window ends without a verdict, and only the newer one is judged from then on."""
    story = play(watching(limit=1), release(request(version="2.1"), fresh_id=NEXT, at="1m"), batch(errors=1, at="2m"))
    expect(
        story,
        "60s import-1 phase watching -> superseded: a newer release of the job was registered: import-2",
        "60s import-2 phase watching",
        "WriteNote import-1",
        "120s import-2 phase watching -> failed: 1 error match in 0ms, limit 1 in 2m",
        "120s import-2 rollback none -> queued: 1 error match in 0ms, limit 1 in 2m",
        "WriteNote import-2",
        "QueueRollback import-2",
    )
    assert (None, "60s") == (story.last.verdict, story.last.ended_at)


def test_a_newer_release_supersedes_a_prepared_one() -> None:
    """Which then can't be deployed any more."""
    story = play(
        ONE_JOB, release(prepare=True), release(request(version="2.1"), fresh_id=NEXT, at="1m"), deployed(at="2m")
    )
    assert Phase.SUPERSEDED is story.last.phase
    # The state has let go of it; the daemon brings it back from the store when somebody asks for it.
    known = play(story.state.with_release(story.last.record), deployed(at="3m"))
    refused = _refusal(known)
    assert (RefusalCode.WRONG_PHASE, "release import-1 is superseded: it can't be deployed any more") == (
        refused.code,
        refused.message,
    )


def test_a_newer_release_drops_a_held_rollback() -> None:
    """Rolling back would now undo something else than what failed; the verdict stays."""
    story = play(watching(limit=1, mode=Mode.ASK), batch(errors=1, at="1s"), release(request(), fresh_id=NEXT, at="1m"))
    assert (Phase.FAILED, RollbackState.NONE) == (story.last.phase, story.last.rollback)
    assert "a newer release of the job was registered: import-2" == story.last.rollback_reason
    assert [WriteNote(RELEASE)] == story.commands[-1]


def test_a_newer_release_does_not_stop_a_rollback_that_was_handed_over() -> None:
    """What may be running is not called back by a registration."""
    newer = release(request(version="2.1"), fresh_id=NEXT, at="1m")
    story = play(watching(limit=1), batch(errors=1, at="1s"), newer)
    assert RollbackState.QUEUED is story.last.rollback
    assert {RELEASE, NEXT} == set(story.state.releases)


def test_a_release_of_another_job_supersedes_nothing() -> None:
    """Each job has its own windows."""
    begin = play(configured(policy(), policy(job=OTHER_JOB)), release()).state
    story = play(begin, release(request(OTHER_JOB), fresh_id=NEXT, at="1m"))
    assert [Phase.WATCHING, Phase.WATCHING] == [one.phase for one in story.state.watching()]


def test_a_refused_registration_supersedes_nothing() -> None:
    """The open window goes on."""
    story = play(watching(), release(replace(request(), id=ReleaseId("a/b")), at="1m"))
    assert Phase.WATCHING is story.last.phase
    _refusal(story)


@pytest.mark.parametrize(
    ("judgement", "previous"), [(Judgement.PASS, "2.0"), (Judgement.FAIL, None), (Judgement.CANCEL, None)]
)
def test_the_previous_version_is_the_last_one_that_passed(judgement: Judgement, previous: str | None) -> None:
    """Only a version that is known to be good is taken for one to go back to."""
    story = play(
        watching(mode=Mode.OBSERVE),
        person(judgement, at="1m"),
        release(request(version="2.1"), fresh_id=NEXT, at="2m"),
    )
    assert previous == story.of(NEXT).record.previous


def test_a_release_that_never_went_out_hides_no_good_version() -> None:
    """Cancelled while it was prepared, it has changed nothing; one that was out may be what runs now."""
    good = play(watching(), person(Judgement.PASS, at="1m"))
    second = release(request(version="3.0"), fresh_id=NEXT, at="2m", prepare=True)
    third = release(request(version="4.0"), fresh_id=THIRD, at="4m")
    cancel = person(Judgement.CANCEL, NEXT, at="3m")
    for out, previous in (((), "2.0"), ((deployed(NEXT, at="150s"),), None)):
        cancelled = play(good.state, second, *out, cancel).state.with_release(good.last.record)
        assert previous == play(cancelled, third).of(THIRD).record.previous


def test_a_prepared_release_waits_for_its_clock() -> None:
    """Nothing is held against it before `deployed`; then the window has its full length."""
    story = play(
        configured(policy(limit=1)),
        release(prepare=True),
        batch(errors=3, entries=4, at="1m"),
        batch(at="1h"),
        deployed(at="2h"),
    )
    record = story.last.record
    assert Accepted(record) == story.answer
    assert (Phase.WATCHING, instant("0s")) == (record.phase, record.registered_at)
    assert (instant("2h"), instant("2h15m")) == (record.started_at, record.ends_at)
    assert (7, 3) == (record.entries_before, record.matches_before)
    expect(story, "0s import-1 phase preparing", "7200s import-1 phase preparing -> watching")


@pytest.mark.parametrize("changed", [True, False])
def test_rules_that_were_changed_while_it_was_prepared(*, changed: bool) -> None:
    """Its thresholds and its baseline were made for others: it can't pass, and a restart finds nothing new in that."""
    begin = configured(policy(limit=1))
    now = settings(policy(limit=1, rules_hash="rules-2" if changed else "rules-1"), at="1m")
    story = play(begin, release(prepare=True), now, deployed(at="2m"), replace(now, at=instant("3m")))
    assert (instant("2m") if changed else None) == story.last.record.trial.rules_changed_at
    last = play(story.state, batch(entries=1, at="4m"), batch(at="17m")).last
    assert (Verdict.INCONCLUSIVE if changed else Verdict.PASSED) is last.verdict
    assert changed is (["the job's rules were changed after the release was registered"] == last.reasons)


def test_deployed_again_changes_nothing() -> None:
    """Neither while the window is open nor after its end: a script may repeat itself."""
    begin = play(ONE_JOB, release(prepare=True), deployed(at="1m")).state
    open_still = play(begin, deployed(at="2m"))
    assert open_still.state is begin
    assert Accepted(open_still.last.record) == open_still.answer
    ended = play(begin, person(Judgement.PASS, at="2m"), deployed(at="3m"))
    assert Accepted(ended.last.record) == ended.answer


def test_deployed_of_a_release_that_was_never_prepared_changes_nothing() -> None:
    """It is deployed since its registration."""
    story = play(watching(), deployed(at="1m"))
    assert story.state is story.begin
    assert Accepted(story.last.record) == story.answer


def test_deployed_of_a_cancelled_release_is_refused() -> None:
    """Its clock never started, and never will."""
    begin = play(ONE_JOB, release(prepare=True), person(Judgement.CANCEL, at="1m")).state
    assert RefusalCode.WRONG_PHASE is _refusal(play(begin, deployed(at="2m"))).code


def test_deployed_of_an_unknown_release_is_refused() -> None:
    """With the command that lists the known ones."""
    refused = _refusal(play(ONE_JOB, deployed(at="2m")))
    assert (RefusalCode.UNKNOWN_RELEASE, "import-1: no such release") == (refused.code, refused.message)


def test_a_registration_counts_nothing() -> None:
    """Counters are of the journal and of verdicts."""
    story = play(ONE_JOB, release())
    assert story.state.counters == story.begin.counters
    assert 0 == story.counter(counters.ENTRIES, JOB)
