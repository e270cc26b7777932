"""The final note, against the golden ones in `tests/golden/notes/`.

After a wanted change of the notes write the golden ones anew, and read the diff like code:
`python tests/core/test_note.py`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import MINUTE, SECOND, Usec
from watcher.core.excerpt import Capture, Excerpt, Line, ReadAgain
from watcher.core.match_count import MatchCount
from watcher.core.messages import Transition, TransitionKind
from watcher.core.names import JobName, ReleaseId, RuleName
from watcher.core.note import note_record, render_note
from watcher.core.policy import JobPolicy, MatchThreshold, Mode, ReleasePolicy, RollbackPlan
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import (
    NOT_RUN,
    CommandResult,
    Phase,
    Release,
    ReleaseRequest,
    Rollback,
    RollbackState,
    Verdict,
    Verification,
)
from watcher.core.severity import Severity
from watcher.core.trial import Sighting, Trial, new_trial

GOLDEN = Path(__file__).parent.parent / "golden" / "notes"
START = Usec(1_795_476_600_123_456)  # 2026-11-23 23:30:00.123456 UTC
JOB, ID = JobName("import"), ReleaseId("import-20261123-2330")
TRACEBACK, HALF = RuleName("traceback"), RuleName("half-imported")
HOSTILE = "\x1b]0;pwned\x07 ``` </pre><script>alert(1)</script>\n# FAKE\n| a | b |\n\u202egnp.exe $(reboot) `id`\ud800"
Told = tuple[Release, tuple[Transition, ...], ReadAgain]


def _at(seconds: float) -> Usec:
    return Usec(START + int(seconds * SECOND))


def _policy() -> JobPolicy:
    return JobPolicy(
        name=JOB,
        owner="data-team@example.com",
        rules={TRACEBACK: Severity.ERROR, HALF: Severity.ERROR},
        rules_hash="abc",
        release=ReleasePolicy(
            mode=Mode.ROLLBACK,
            window=Usec(15 * MINUTE),
            settle=Usec(30 * SECOND),
            thresholds=(
                MatchThreshold(count=5, within=Usec(2 * MINUTE), severity=Severity.ERROR),
                MatchThreshold(count=1, rule=HALF),
            ),
            rollback=RollbackPlan(
                command=("/usr/local/bin/rollback-import", "--to", "the last good"),
                timeout=Usec(5 * MINUTE),
                user="deploy",
            ),
            expected="at least 1 successful run",
            backup=("/usr/local/bin/backup-import",),
        ),
        journalctl=("-u", "import@*.service", "-u", "import-cleanup.service"),
    )


def _watching() -> Release:
    backup = CommandResult(
        command=("/usr/local/bin/backup-import",), exit_code=0, started_at=_at(-65), finished_at=_at(-3), output="saved"
    )
    request = ReleaseRequest(
        job=JOB,
        version="2.4.1",
        author="alice",
        reason="faster parser, see https://tickets.example.com/IMP-7",
        rollback_note="run `import --migrate-down` first",
        files=("src/half_imported.py", "deploy/import@.service"),
        backup=backup,
    )
    return Release(
        id=ID,
        request=request,
        policy=_policy(),
        mode=Mode.ROLLBACK,
        owner="data-team@example.com",
        previous="2.4.0",
        registered_at=START,
        window=Usec(15 * MINUTE),
        phase=Phase.WATCHING,
        trial=replace(
            new_trial(_policy().release.thresholds).started(START, length=Usec(15 * MINUTE), settle=Usec(30 * SECOND)),
            heard=True,
        ),
        entries_before=1200,
        matches_before=7,
    )


def _registered() -> Transition:
    return Transition(
        at=START, kind=TransitionKind.PHASE, before="", after="watching", release=ID, job=JOB, author="alice",
        text="faster parser, see https://tickets.example.com/IMP-7",
    )  # fmt: skip


def _ended(release: Release, author: str = "") -> Transition:
    assert release.ended_at is not None
    return Transition(
        at=release.ended_at, kind=TransitionKind.PHASE, before="watching", after=release.phase, release=ID, job=JOB,
        reasons=release.reasons, author=author,
    )  # fmt: skip


def _moved(seconds: float, before: str, after: str, reason: Reason | None = None) -> Transition:
    return Transition(
        at=_at(seconds), kind=TransitionKind.ROLLBACK, before=before, after=after, release=ID, job=JOB,
        reasons=() if reason is None else (reason,),
    )  # fmt: skip


def _sighting(seconds: float, *rules: RuleName) -> Sighting:
    return Sighting(rules=rules, at=_at(seconds), cursor=f"s=1;i={int(seconds):x};b=2;m=3;t=4;x=5")


def _line(seconds: float, message: str, priority: str = "6", identifier: str = "import") -> Line:
    return Line(
        at=_at(seconds), unit="import@1.service", identifier=identifier, pid="4711", priority=priority, message=message
    )


def _excerpts(sightings: tuple[Sighting, ...]) -> ReadAgain:
    first, second, *_ = sightings
    traceback = 'Traceback (most recent call last):\n  File "import.py", line 7, in <module>\nValueError: row 12'
    return ReadAgain(
        excerpts=(
            Excerpt(
                sighting=first,
                line=_line(first_seconds := 61.5, traceback, priority="3"),
                before=(_line(first_seconds - 2, "reading batch 12"), _line(first_seconds - 1, "12 rows")),
                after=(_line(first_seconds + 1, "Main process exited", identifier="systemd", priority="5"),),
                captures=(Capture(rule=TRACEBACK, name="exception", text="ValueError"),),
            ),
            Excerpt(sighting=second, line=None),
        ),
    )


CROSSED = Reason(
    code=ReasonCode.MATCHES, what="error", count=5, limit=5, span=Usec(42 * SECOND), within=Usec(2 * MINUTE)
)


def _tried(peak: int, **changes: object) -> Trial:
    """The trial of `_watching` with so many matches at once against the first threshold."""
    trial = _watching().trial
    first = trial.counts[0]
    assert isinstance(first, MatchCount)
    counts = (replace(first, peak=peak), trial.counts[1])
    return replace(trial, counts=counts, **changes)  # type: ignore[arg-type]  # fields of Trial, by name


def _failed() -> Release:
    return replace(
        _watching(),
        phase=Phase.FAILED,
        verdict=Verdict.FAILED,
        ended_at=_at(103.5),
        reasons=(CROSSED,),
        trial=_tried(
            5,
            matches=((TRACEBACK, 5),),
            settling=2,
            sightings=(_sighting(61.5, TRACEBACK), _sighting(70, TRACEBACK)),
        ),
        entries_after=1263,
        matches_after=14,
    )


def passed() -> Told:
    """Two matches of five stood at once, and the window ended."""
    over = Reason(code=ReasonCode.WINDOW_OVER, span=Usec(15 * MINUTE), count=2)
    release = replace(
        _watching(),
        phase=Phase.PASSED,
        verdict=Verdict.PASSED,
        ended_at=_at(900),
        reasons=(over,),
        trial=_tried(2, matches=((TRACEBACK, 2),), sightings=(_sighting(61.5, TRACEBACK), _sighting(70, TRACEBACK))),
        entries_after=2400,
        matches_after=9,
    )
    return release, (_registered(), _ended(release)), _excerpts(release.trial.sightings)


def failed_and_rolled_back() -> Told:
    """The fifth match crossed the threshold, and the command succeeded."""
    rollback = Rollback(
        state=RollbackState.SUCCEEDED,
        reason=CROSSED,
        exit_code=0,
        queued_at=_at(103.52),
        started_at=_at(103.54),
        finished_at=_at(106.54),
        output="switching to 2.4.0\n\x1b[32mdone\x1b[0m\n",
    )
    release = replace(_failed(), rollback=rollback)
    history = (
        _registered(),
        _ended(release),
        _moved(103.52, "none", "queued", CROSSED),
        _moved(103.6, "queued", "running", CROSSED),
        _moved(106.6, "running", "succeeded", CROSSED),
    )
    return release, history, _excerpts(release.trial.sightings)


def failed_and_held() -> Told:
    """Automatic rollbacks were paused, and the journal could not be read again."""
    paused = Reason(code=ReasonCode.PAUSED, what="database move tonight")
    release = replace(_failed(), rollback=Rollback(state=RollbackState.HELD, reason=paused))
    history = (_registered(), _ended(release), _moved(103.52, "none", "held", paused))
    return release, history, ReadAgain(problem="the process that reads them was silent for 10 s and was ended")


def inconclusive_by_gap() -> Told:
    """Nothing was seen that speaks against it, but not everything was seen."""
    gaps = (
        Gap(reason=GapReason.MISSING, since=_at(100), until=_at(101.25), entries=12),
        Gap(reason=GapReason.DROPPED, since=_at(200), until=_at(230), job=JOB),
    )
    release = replace(
        _watching(),
        phase=Phase.INCONCLUSIVE,
        verdict=Verdict.INCONCLUSIVE,
        ended_at=_at(900),
        reasons=tuple(Reason(code=ReasonCode.GAP, what=gap.reason, count=gap.entries or 0) for gap in gaps),
        trial=_tried(0, gaps=gaps),
        entries_after=1300,
        matches_after=7,
    )
    return release, (_registered(), _ended(release)), ReadAgain()


def cancelled() -> Told:
    """A person withdrew a release of hardly any data, before its clock was started."""
    person = Reason(code=ReasonCode.PERSON, what="wrong branch")
    bare = replace(_policy(), release=replace(_policy().release, rollback=None, expected="", backup=(), thresholds=()))
    release = replace(
        _watching(),
        request=ReleaseRequest(job=JOB, version="2.4.1", author="bob", prepare=True),
        policy=bare,
        mode=Mode.OBSERVE,
        owner="",
        previous=None,
        phase=Phase.CANCELLED,
        trial=new_trial(()),
        ended_at=_at(12),
        reasons=(person,),
        entries_before=0,
        matches_before=0,
        entries_after=1200,
        matches_after=7,
    )
    return release, (_registered(), _ended(release, author="bob")), ReadAgain()


def hostile() -> Told:
    """Every text that somebody outside can choose is an attack."""
    release, history, _ = failed_and_rolled_back()
    request = replace(
        release.request, version=HOSTILE, author=HOSTILE, reason=HOSTILE, rollback_note=HOSTILE, files=(HOSTILE,)
    )
    rollback = replace(release.rollback, state=RollbackState.FAILED, exit_code=1, detail=HOSTILE, output=HOSTILE)
    release = replace(release, request=request, owner=HOSTILE, previous=HOSTILE, rollback=rollback)
    line = Line(at=START, unit=HOSTILE, identifier=HOSTILE, pid=HOSTILE, priority=HOSTILE, message=HOSTILE)
    excerpt = Excerpt(
        sighting=release.trial.sightings[0],
        line=line,
        before=(line,),
        after=(line,),
        captures=(Capture(rule=TRACEBACK, name="exception", text=HOSTILE),),
    )
    told = tuple(replace(one, text=HOSTILE, author=HOSTILE) for one in history)
    return release, told, ReadAgain(excerpts=(excerpt,))


STORIES = {
    story.__name__.replace("_", "-"): story
    for story in (passed, failed_and_rolled_back, failed_and_held, inconclusive_by_gap, cancelled, hostile)
}


def _render(told: Told) -> str:
    release, transitions, again = told
    return render_note(release, transitions=transitions, excerpts=again, journalctl_directory="/var/log/journal x")


@pytest.mark.parametrize("name", STORIES)
def test_note_is_the_golden_one(name: str) -> None:
    """The note is, byte by byte, the one that somebody has read and found good."""
    assert (GOLDEN / f"{name}.md").read_text(encoding="utf-8") == _render(STORIES[name]())


def test_rollback_without_a_user_says_as_whom_it_runs() -> None:
    """As an installed service that is root: to say less of it would mislead whoever reads the note."""
    release, transitions, again = failed_and_rolled_back()
    plan = release.policy.release.rollback
    assert plan is not None
    judged = replace(release.policy.release, rollback=replace(plan, user=None))
    alone = replace(release, policy=replace(release.policy, release=judged))
    assert "| user       | none given: root; of a daemon run by hand, its own |" in _render((alone, transitions, again))


def test_same_record_gives_same_bytes() -> None:
    """A note that is written again after a crash is the same note."""
    assert _render(failed_and_rolled_back()) == _render(failed_and_rolled_back())
    release, transitions, again = hostile()
    records = [
        note_record(release, transitions=transitions, excerpts=again, journalctl_directory=None) for _ in range(2)
    ]
    assert json.dumps(records[0]) == json.dumps(records[1])


def _outside_fences(note: str) -> list[str]:
    outside, fence = [], ""
    for line in note.split("\n"):
        if fence:
            fence = "" if line == fence else fence
        elif line.startswith("```"):
            fence = line.rstrip("abcdefghijklmnopqrstuvwxyz")
        else:
            outside.append(line)
    assert not fence
    return outside


def test_hostile_text_makes_no_markup_and_no_terminal_codes() -> None:
    """Log text, output and people's words can't fake a heading, a row, a tag or a control of the terminal."""
    note = _render(hostile())
    assert all(line.isprintable() for line in note.split("\n"))
    outside = _outside_fences(note)
    headings = [line for line in outside if line.startswith("#")]
    assert len(headings) == 11
    assert not [line for line in outside if line.startswith(("# FAKE", "| a | b |"))]
    raw_tags = [line for line in outside if "<script" in line.replace("\\<script", "") and "`" not in line]
    assert not raw_tags


def test_fence_is_longer_than_any_in_the_lines() -> None:
    """A line that looks like the end of the block does not end it."""
    note = _render(hostile())
    assert "\n````text\n" in note


def test_record_for_programs_holds_the_whole_story() -> None:
    """The JSON is `release show` with history, lines and commands."""
    release, transitions, again = failed_and_rolled_back()
    record = note_record(release, transitions=transitions, excerpts=again, journalctl_directory=None)
    record = json.loads(json.dumps(record))
    assert record["schema"] == 1
    assert record["verdict"] == "failed"
    assert [one["after"] for one in record["transitions"]] == ["watching", "failed", "queued", "running", "succeeded"]
    assert record["transitions"][1]["reasons"] == ["5 error matches in 42s, limit 5 in 2m"]
    first, second = record["excerpts"]["lines"]
    assert first["line"]["message"].endswith("ValueError: row 12")
    assert first["captures"] == [{"rule": "traceback", "name": "exception", "text": "ValueError"}]
    assert (second["found"], second["line"]) == (False, None)
    (command,) = record["commands"]["window"]
    assert command == (
        "journalctl -u 'import@*.service' -u import-cleanup.service --utc --output=short-precise"
        " '--since=2026-11-23 23:30:00.123456 UTC' '--until=2026-11-23 23:31:43.623456 UTC'"
    )


def test_job_of_units_and_identifiers_has_two_commands() -> None:
    """The program would join `-u` and `-t` by "and", and show nothing."""
    release, transitions, again = passed()
    release = replace(release, policy=replace(release.policy, journalctl=("-u", "import.service", "-t", "import")))
    record = note_record(
        release, transitions=transitions, excerpts=again, journalctl_directory="/j", journalctl_namespace="jobs"
    )
    units, identifiers = record["commands"]["window"]
    assert units.startswith("journalctl -u import.service --directory=/j --namespace=jobs --utc ")
    assert identifiers.startswith("journalctl -t import --directory=/j --namespace=jobs --utc ")


@pytest.mark.parametrize(
    ("state", "title", "step"),
    [
        (RollbackState.NONE, "# FAILED, not rolled back: ", f"`watcher release rollback {ID} --reason TEXT`"),
        (RollbackState.HELD, "# FAILED, rollback HELD: ", f"`watcher release rollback {ID} --reason TEXT`"),
        (RollbackState.QUEUED, "# FAILED, rollback queued: ", f"`watcher release wait {ID}`"),
        (RollbackState.RUNNING, "# FAILED, rolling back: ", f"`watcher release wait {ID}`"),
        (RollbackState.SUCCEEDED, "# FAILED, rolled back: ", "look whether the job works again"),
        (RollbackState.FAILED, "# FAILED, rollback FAILED: ", "may be half rolled back"),
        (RollbackState.UNKNOWN, "# FAILED, rollback UNKNOWN: ", "look whether the rollback took effect"),
    ],
)
def test_title_and_next_step_say_where_the_rollback_stands(state: RollbackState, title: str, step: str) -> None:
    """Each state of a rollback has its words, and says what a person has to do."""
    release = replace(_failed(), rollback=Rollback(state=state, reason=CROSSED))
    note = _render((release, (), ReadAgain()))
    assert note.startswith(title)
    (next_line,) = [line for line in note.split("\n") if line.startswith("**Next:**")]
    assert step in next_line


def test_command_that_was_never_started_leaves_nothing_half_done() -> None:
    """A missing program has rolled nothing back: the note must not send anybody to look for what it did."""
    detail = f"{NOT_RUN}: /x: No such file or directory"
    release = replace(_failed(), rollback=Rollback(state=RollbackState.FAILED, reason=CROSSED, detail=detail))
    note = _render((release, (), ReadAgain()))
    assert f"State: **failed**: {NOT_RUN}: /x: No such file or directory" in note
    assert "nothing was started, so nothing is rolled back" in note
    assert "half rolled back" not in note


def test_failed_without_a_command_says_by_hand() -> None:
    """Where nothing is configured, no verb of ours is offered."""
    policy = replace(_policy(), release=replace(_policy().release, rollback=None))
    note = _render((replace(_failed(), policy=policy), (), ReadAgain()))
    assert "not run: the job has no rollback command" in note
    assert "watcher release rollback" not in note


def test_rollback_that_did_not_help_is_said_first() -> None:
    """A person must look when the same rules still fire after the rollback."""
    release, history, again = failed_and_rolled_back()
    crossed = Reason(code=ReasonCode.MATCHES, what="error", count=5, limit=5, span=SECOND, within=Usec(2 * MINUTE))
    watched = new_trial(release.policy.release.thresholds).started(_at(110), length=Usec(10 * MINUTE), settle=Usec(0))
    after = Verification(trial=replace(watched, matches=((HALF, 5),)), ended_at=_at(140), reasons=(crossed,))
    told = replace(release, verification=after, rollback=replace(release.rollback, helped=False))
    note = _render((told, history, again))
    assert "# FAILED, rolled back, which did NOT help" in note
    why = "the rollback did NOT help (5 error matches in 1s, limit 5 in 2m): it may not have been the release"
    assert f"**Next:** {why}. A person must look." in note
    assert "| helped     | NO |" in note
    assert "| matches of `half-imported` | 5 " in note


def test_threshold_of_another_rollback_reason_is_no_next_step() -> None:
    """Once a newer release has made the rollback moot, nobody is sent to do anything."""
    newer = Reason(code=ReasonCode.NEWER_RELEASE, what="r2")
    note = _render((replace(_failed(), rollback=Rollback(reason=newer)), (), ReadAgain()))
    assert "**Next:**" not in note
    assert "not run: a newer release of the job was registered: r2" in note


if __name__ == "__main__":
    for file_name, story in STORIES.items():
        (GOLDEN / f"{file_name}.md").write_text(_render(story()), encoding="utf-8")
