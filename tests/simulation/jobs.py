"""The jobs of a run and how their releases are judged, drawn from the whole of what a configuration can say."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from tests.events import ERROR, JOB, ODD, OTHER_JOB, PANIC, policy
from watcher.core.duration import HOUR, Usec
from watcher.core.names import JobName
from watcher.core.policy import (
    AboveBaseline,
    Blame,
    Expectation,
    FailedRatio,
    FailedRuns,
    JobPolicy,
    MatchThreshold,
    Mode,
    NewErrors,
    SharedCause,
    Threshold,
)
from watcher.core.severity import Severity

THIRD_JOB = JobName("mailer")
JOBS = (JOB, OTHER_JOB, THIRD_JOB)
_DAY = Usec(24 * HOUR)
_MODES = (Mode.ROLLBACK, Mode.ROLLBACK, Mode.ROLLBACK, Mode.ASK, Mode.OBSERVE)
_ABOVE = AboveBaseline(severity=Severity.ERROR, factor=1.0, confidence=0.9, lookback=_DAY)


def draw_policy(world: Random, job: JobName, unit: int, *, rules_hash: str = "rules-1") -> JobPolicy:
    """A job; its times are so many `unit` seconds, so that limits and ends are often hit exactly."""
    window = world.choice((12, 30, 60))
    verify = world.choice((None, 10, 30))
    drawn = policy(
        job=job,
        rules_hash=rules_hash,
        thresholds=tuple(_threshold(world, unit) for _ in range(world.randint(1, 3))),
        mode=world.choice(_MODES),
        window=f"{window * unit}s",
        settle=f"{world.choice((0, 0, 5)) * unit}s",
        verify=None if verify is None else f"{verify * unit}s",
        blame=world.choice((Blame.NEW, Blame.NEW, Blame.ALL)),
        expect=Expectation(successful_runs=world.choice((0, 0, 0, 0, 1, 2)), line=world.random() < 0.1),
        has_runs=world.random() < 0.6,
        shared_cause=world.choice((SharedCause.HOLD, SharedCause.HOLD, SharedCause.IGNORE)),
        command=() if world.random() < 0.1 else ("/usr/local/bin/roll-back",),
    )
    runs = world.choice((None, None, None, None, 1, 2, 3))
    return replace(drawn, release=replace(drawn.release, window_runs=runs))


def changed(world: Random, policies: dict[JobName, JobPolicy], unit: int, number: int) -> dict[JobName, JobPolicy]:
    """The next configuration: a job with other rules, with another policy, one that is gone or is back again."""
    job = world.choice(JOBS)
    after = dict(policies)
    if job in after and world.random() < 0.3 and len(after) > 1:
        del after[job]
        return after
    rules_hash = world.choice((f"rules-{number + 2}", "rules-1"))
    if job in after and world.random() < 0.5:
        after[job] = replace(after[job], rules_hash=rules_hash)
    else:
        after[job] = draw_policy(world, job, unit, rules_hash=rules_hash)
    return after


def _threshold(world: Random, unit: int) -> Threshold:
    match world.randrange(9):
        case 0:
            return FailedRuns(count=world.randint(1, 3), consecutive=world.random() < 0.5)
        case 1:
            return FailedRatio(ratio=0.5, min_runs=world.randint(1, 3))
        case 2:
            return NewErrors(count=world.randint(1, 3), lookback=_DAY)
        case 3:
            return _ABOVE
        case number:
            within = world.choice((None, 5, 20))
            span = None if within is None else Usec(within * unit * 1_000_000)
            if number % 2:
                return MatchThreshold(count=world.randint(1, 4), within=span, rule=world.choice((ERROR, ODD, PANIC)))
            return MatchThreshold(count=world.randint(1, 4), within=span, severity=world.choice(list(Severity)))
