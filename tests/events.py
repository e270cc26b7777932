"""The words that stories are told in: a job's configuration, and the events that may happen to it.

Instants are texts counted from `START` (`"42s"`, `"-1s"`), or an exact `Usec`. Plain functions, each with the least
that a story has to say; the story itself is `tests/playbook.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TypedDict, Unpack

from watcher.core.baseline import Baseline, ErrorMinutes, OldRuns
from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import MINUTE, SECOND, Usec, parse_duration
from watcher.core.engine import decide
from watcher.core.found import ErrorSeen, Found, JobTally, Match, RunBegan, RunEnded, RunOutcome
from watcher.core.messages import (
    BaselineRead,
    BatchRead,
    Judgement,
    PauseRequested,
    PersonDecided,
    QueueReviewed,
    ReleaseDeployed,
    ReleaseRequested,
    ResumeRequested,
    RollbackObserved,
    SettingsLoaded,
)
from watcher.core.names import JobName, ReleaseId, RuleName
from watcher.core.policy import (
    NOTHING_EXPECTED,
    ROLLBACKS_PER_HOUR,
    Blame,
    Expectation,
    JobPolicy,
    MatchThreshold,
    Mode,
    ReleasePolicy,
    RollbackPlan,
    SharedCause,
    Threshold,
)
from watcher.core.release import Release, ReleaseRequest, RollbackState
from watcher.core.severity import Severity
from watcher.core.state import State
from watcher.core.thresholds import standing

START = Usec(1_800_000_000 * SECOND)
JOB, OTHER_JOB = JobName("import"), JobName("export")
RELEASE, NEXT = ReleaseId("import-1"), ReleaseId("import-2")
PANIC, ERROR, ODD, HELLO = RuleName("panic"), RuleName("boom"), RuleName("odd"), RuleName("hello")
RULES = {PANIC: Severity.CRITICAL, ERROR: Severity.ERROR, ODD: Severity.WARNING, HELLO: Severity.INFO}
PERSON = "deploy"

Instant = str | Usec


def instant(when: Instant) -> Usec:
    """The instant that a text counted from `START` names."""
    if not isinstance(when, str):
        return when
    return Usec(START - parse_duration(when[1:])) if when.startswith("-") else Usec(START + parse_duration(when))


def span(text: str) -> Usec:
    """The span that a text names."""
    return parse_duration(text)


# ------------------------------------------------------------------------------------------------------- settings


class Terms(TypedDict, total=False):
    """What a story may say of a job's configuration; the rest is as `policy` has it."""

    job: JobName
    limit: int
    within: str | None
    severity: Severity
    thresholds: tuple[Threshold, ...]
    mode: Mode
    window: str
    settle: str
    command: tuple[str, ...]
    unjudged: tuple[str, ...]
    trusted: bool
    shared_cause: SharedCause
    verify: str | None
    owner: str
    rules_hash: str
    window_runs: int
    blame: Blame
    expect: Expectation
    has_runs: bool


def policy(**terms: Unpack[Terms]) -> JobPolicy:
    """A job whose release fails by five errors in two minutes and is then rolled back; `command=()` is none."""
    within = terms.get("within", "2m")
    threshold = MatchThreshold(
        count=terms.get("limit", 5),
        within=None if within is None else span(within),
        severity=terms.get("severity", Severity.ERROR),
    )
    command = terms.get("command", ("/usr/local/bin/rollback-import",))
    return JobPolicy(
        name=terms.get("job", JOB),
        owner=terms.get("owner", "data-team@example.com"),
        rules=RULES,
        rules_hash=terms.get("rules_hash", "rules-1"),
        release=ReleasePolicy(
            mode=terms.get("mode", Mode.ROLLBACK),
            window=span(terms.get("window", "15m")),
            settle=span(terms.get("settle", "0s")),
            thresholds=terms.get("thresholds", (threshold,)),
            rollback=_plan(command, terms.get("verify")) if command else None,
            unjudged=terms.get("unjudged", ()),
            trusted=terms.get("trusted", True),
            shared_cause=terms.get("shared_cause", SharedCause.HOLD),
            window_runs=terms.get("window_runs"),
            blame=terms.get("blame", Blame.NEW),
            expect=terms.get("expect", NOTHING_EXPECTED),
            has_runs=terms.get("has_runs", False),
        ),
        journalctl=("-u", "import.service"),
    )


def seen(release: Release, **changes: object) -> Release:
    """The release with fields of its trial changed."""
    return replace(release, trial=replace(release.trial, **changes))  # type: ignore[arg-type]  # fields, by name


def peaks(release: Release) -> tuple[float, ...]:
    """The most that ever stood against each threshold of the release."""
    return tuple(standing(count).count for count in release.trial.counts)


def _plan(command: tuple[str, ...], verify: str | None) -> RollbackPlan:
    return RollbackPlan(command=command, timeout=MINUTE, verify=None if verify is None else span(verify))


def configured(*policies: JobPolicy, budget: int = ROLLBACKS_PER_HOUR) -> State:
    """The state right after a start with these jobs, long before `START`."""
    return decide(State(), settings(*policies, at="-1d", budget=budget)).state


def watching(**terms: Unpack[Terms]) -> State:
    """The state with the window of `RELEASE` open since `START`."""
    return decide(configured(policy(**terms)), release()).state


# --------------------------------------------------------------------------------------------------------- events


def settings(*policies: JobPolicy, at: Instant = "0s", budget: int = ROLLBACKS_PER_HOUR) -> SettingsLoaded:
    """A configuration of exactly these jobs takes effect; `budget` is how many rollbacks the host may start an hour."""
    return SettingsLoaded(at=instant(at), policies={one.name: one for one in policies}, rollbacks_per_hour=budget)


def request(job: JobName = JOB, *, version: str = "2.0") -> ReleaseRequest:
    """What a release script says when it says little; change it with `dataclasses.replace`."""
    return ReleaseRequest(job=job, version=version, author=PERSON)


def release(
    asked: ReleaseRequest | None = None, *, fresh_id: ReleaseId = RELEASE, at: Instant = "0s", prepare: bool = False
) -> ReleaseRequested:
    """A release is registered; `fresh_id` is what it gets if it brings no id."""
    asked = request() if asked is None else asked
    return ReleaseRequested(at=instant(at), request=replace(asked, prepare=prepare or asked.prepare), fresh_id=fresh_id)


def deployed(which: ReleaseId = RELEASE, *, at: Instant) -> ReleaseDeployed:
    """A prepared release is out."""
    return ReleaseDeployed(at=instant(at), release=which, author=PERSON)


def match(at: Instant, *rules: RuleName, job: JobName = JOB) -> Match:
    """An entry on which these rules fired, of the worst severity among them; without rules, one error."""
    fired = rules or (ERROR,)
    worst = next(severity for severity in Severity if severity in {RULES.get(rule) for rule in fired})
    when = instant(at)
    return Match(job=job, rules=fired, severity=worst, at=when, cursor=f"cursor-{job}-{when}")


def began(at: Instant, number: int = 1, *, job: JobName = JOB) -> RunBegan:
    """An invocation of the job's unit began."""
    return RunBegan(
        job=job, unit="import.service", invocation=f"run-{number}", at=instant(at), cursor=f"cursor-{job}-{instant(at)}"
    )


def run(
    at: Instant,
    number: int = 1,
    *,
    since: Instant | None = "0s",
    failed: bool = False,
    outcome: RunOutcome | None = None,
    job: JobName = JOB,
) -> RunEnded:
    """A run that began at `since` (None: nobody saw it) ended, well unless anything else is said."""
    how = outcome or (RunOutcome.FAILED if failed else RunOutcome.SUCCEEDED)
    return RunEnded(
        job=job,
        unit="import.service",
        invocation=f"run-{number}",
        at=instant(at),
        outcome=how,
        cursor=f"cursor-{job}-{instant(at)}",
        began=None if since is None else instant(since),
        result="exit-code" if how is RunOutcome.FAILED else "",
    )


def of_run(one: Match, number: int = 1, *, since: Instant | None = "0s") -> Match:
    """The match as one of a run that began at `since`; None: nobody saw that."""
    return replace(one, invocation=f"run-{number}", began=None if since is None else instant(since))


def gap(
    since: Instant,
    until: Instant,
    *,
    reason: GapReason = GapReason.MISSING,
    entries: int | None = 3,
    job: JobName | None = None,
) -> Gap:
    """A hole of some entries."""
    return Gap(reason=reason, since=instant(since), until=instant(until), entries=entries, job=job)


def batch(
    *matches: Found,
    at: Instant,
    errors: int = 0,
    entries: int = 0,
    gaps: tuple[Gap, ...] = (),
    read_until: Instant | None = None,
    taken: Instant | None = None,
    position: str | None = None,
    job: JobName = JOB,
) -> BatchRead:
    """The journal was read up to `at`: the given matches, then `errors` errors and `entries` harmless entries at `at`.

    `read_until` is `at` unless it is given; so is `taken`, the instant at which the daemon took the batch in.
    """
    now = instant(at)
    found = (*matches, *(match(at, job=job) for _ in range(errors)))
    return BatchRead(
        at=now if taken is None else instant(taken),
        read_until=now if read_until is None else instant(read_until),
        last_entry_at=now if found or entries else None,
        tallies=tallies([*((one.job, one.at) for one in found), *((job, now) for _ in range(entries))]),
        found=found,
        gaps=gaps,
        position=position,
    )


def tallies(entries: Iterable[tuple[JobName, Usec]]) -> tuple[JobTally, ...]:
    """The tallies of entries in the journal's order."""
    by_job: dict[JobName, list[Usec]] = {}
    for job, at in entries:
        by_job.setdefault(job, []).append(at)
    return tuple(
        JobTally(job=job, entries=len(ats), first_at=min(ats), last_at=max(ats)) for job, ats in by_job.items()
    )


def person(
    judgement: Judgement,
    which: ReleaseId = RELEASE,
    *,
    at: Instant,
    reason: str = "seen the graphs",
    by: str | None = None,
) -> PersonDecided:
    """A person decides about a release."""
    longer = None if by is None else span(by)
    return PersonDecided(at=instant(at), release=which, judgement=judgement, reason=reason, author=PERSON, by=longer)


def pause(job: JobName | None = None, *, at: Instant, until: Instant | None = None) -> PauseRequested:
    """Automatic rollbacks are held, of one job or of all."""
    end = None if until is None else instant(until)
    return PauseRequested(at=instant(at), job=job, reason="big sale", author=PERSON, until=end)


def resume(job: JobName | None = None, *, at: Instant) -> ResumeRequested:
    """Automatic rollbacks may happen again."""
    return ResumeRequested(at=instant(at), job=job, author=PERSON)


def observed(
    state: RollbackState,
    which: ReleaseId = RELEASE,
    *,
    at: Instant,
    exit_code: int | None = None,
    started: Instant | None = None,
    finished: Instant | None = None,
    detail: str = "",
) -> RollbackObserved:
    """The claim directory tells how a rollback stands."""
    return RollbackObserved(
        at=instant(at),
        release=which,
        state=state,
        exit_code=exit_code,
        started_at=None if started is None else instant(started),
        finished_at=None if finished is None else instant(finished),
        detail=detail,
    )


def reviewed(*unclaimed: ReleaseId, at: Instant) -> QueueReviewed:
    """It is time to look at the queued rollbacks that nobody has claimed."""
    return QueueReviewed(at=instant(at), unclaimed=unclaimed or (RELEASE,))


def error(at: Instant, kind: str = "kind-1", *, job: JobName = JOB, matched: bool = True) -> ErrorSeen:
    """An error entry of a kind."""
    when = instant(at)
    return ErrorSeen(job=job, at=when, cursor=f"cursor-{when}", kind=kind, matched=matched)


def baseline(
    *,
    error_minutes: int = 0,
    minutes: int = 14 * 24 * 60,
    bursts: int | None = None,
    kinds: tuple[str, ...] = (),
    runs: tuple[int, int] | None = None,
    whole: str = "14d",
    problem: str = "",
) -> Baseline:
    """What was in the fourteen days before `START`; `runs` are so many failed ones of so many."""
    since = Usec(START - span("14d"))
    many = tuple(
        ErrorMinutes(severity=one, minutes=error_minutes, bursts=error_minutes if bursts is None else bursts)
        for one in Severity
    )
    return Baseline(
        since=since,
        until=START,
        heard_from=since,
        whole_from=Usec(START - span(whole)),
        entries=1000,
        minutes=minutes,
        error_minutes=many,
        runs=None if runs is None else OldRuns(failed=runs[0], succeeded=runs[1] - runs[0]),
        kinds=tuple((kind, 1) for kind in sorted(kinds)),
        problem=problem,
    )


def baseline_read(what: Baseline | None = None, *, at: Instant = "0s", which: ReleaseId = RELEASE) -> BaselineRead:
    """The past has been read."""
    return BaselineRead(at=instant(at), release=which, baseline=baseline() if what is None else what)
