"""After a rollback: did it help? The same rules, limits and expectations, held against the time after it.

`helped` is true where the release would have passed in that time, false where it would have failed, and null where
nothing can be said: the job was silent, there is a hole, or a newer release came in between. Nothing is ever run by it.
"""

from __future__ import annotations

from dataclasses import replace

from watcher.core import counters
from watcher.core.baseline import Baseline
from watcher.core.draft import Draft
from watcher.core.duration import Usec
from watcher.core.guards import current
from watcher.core.messages import Transition, TransitionKind, WriteNote
from watcher.core.policy import Blame
from watcher.core.reason import Reason
from watcher.core.release import Release, Verdict, Verification
from watcher.core.trial import Trial, new_trial
from watcher.core.verdict import verdict_at_end
from watcher.core.weighing import weigh_baseline

HELPED = {True: "helped", False: "did-not-help", None: "unknown"}
"""How it ended, in one word, for the log and the metric."""


def prepared(draft: Draft, release: Release) -> Release:
    """The rollback of the release is handed over: from now on what begins is of the version that comes back.

    The command itself may restart the job, so that its invocation has begun before the clock starts. Of a job that is
    configured no more nothing is read.
    """
    policy = release.policy.release
    if policy.rollback is None or policy.rollback.verify is None or release.job not in draft.before.policies:
        return replace(release, verification=None)
    trial = new_trial(
        policy.thresholds,
        since=draft.at,
        blames_all=policy.blame is Blame.ALL,
        must_run=policy.must_run,
    )
    return replace(release, verification=Verification(trial=_by_its_rules(draft, release, trial)))


def begin(draft: Draft, release: Release) -> Release:
    """The rollback of the release has succeeded: watch the job from now on, for as long as its plan says.

    From when the daemon knew, as a window begins when it is registered: what came before was read without being judged.
    """
    plan, verification = release.policy.release.rollback, release.verification
    if plan is None or plan.verify is None or verification is None:
        return release
    begun = replace(release, verification=None)
    if not _overtaken(draft, release) and release.job in draft.before.policies:
        settle = release.policy.release.settle
        fits = settle if settle < plan.verify else Usec(plan.verify // 10)
        trial = verification.trial.started(draft.at, length=plan.verify, settle=fits)
        trial = _by_its_rules(draft, release, trial)
        begun = replace(release, verification=Verification(trial=_with_baseline(trial, release, plan.verify)))
    draft.put(begun)
    return begun


def _by_its_rules(draft: Draft, release: Release, trial: Trial) -> Trial:
    """The trial, which knows of itself if the job is read by other rules than the release was judged by."""
    if trial.rules_changed_at is not None:
        return trial
    return replace(trial, rules_changed_at=draft.rules_changed_at(release))


def _with_baseline(trial: Trial, release: Release, length: Usec) -> Trial:
    """The past is that before the release. If it was not read when the release ended, nobody reads it any more."""
    baseline = release.trial.baseline
    if baseline is None and trial.lookback is not None and trial.start is not None:
        unread = "the release failed before it was read"
        baseline = Baseline(since=trial.start, until=trial.start, problem=unread)
    return trial if baseline is None else weigh_baseline(trial, baseline, window=length).trial


def fails(draft: Draft, release: Release, *, at: Usec, reasons: tuple[Reason, ...]) -> None:
    """A threshold was crossed again at the instant `at`."""
    _end(draft, release, at=at, helped=False, reasons=reasons)


def close(draft: Draft, release: Release, verification: Verification, at: Usec) -> None:
    """Everything up to the end at the instant `at` was read: judged as a window is."""
    length = Usec(at - (verification.trial.start or at))
    verdict, reasons = verdict_at_end(replace(release, trial=verification.trial, window=length))
    _end(draft, release, at=at, helped=True if verdict is Verdict.PASSED else None, reasons=reasons)


def give_up(draft: Draft, release: Release, reason: Reason) -> None:
    """Something else happens to the job: what is seen from now on tells nothing about the rollback."""
    if release.is_verifying and release.verification is not None:
        if release.verification.trial.start is None:
            draft.put(replace(release, verification=None))
            return
        _end(draft, release, at=draft.at, helped=None, reasons=(reason,))


def _end(draft: Draft, release: Release, *, at: Usec, helped: bool | None, reasons: tuple[Reason, ...]) -> None:
    if release.verification is None:
        return
    ended = replace(
        release,
        verification=replace(release.verification, ended_at=at, reasons=reasons),
        rollback=replace(release.rollback, helped=helped),
    )
    draft.put(ended)
    draft.command(WriteNote(release.id))
    draft.count(counters.VERIFICATIONS, release.job, HELPED[helped])
    draft.tell(
        Transition(
            at=at,
            kind=TransitionKind.VERIFICATION,
            before="",
            after=HELPED[helped],
            release=release.id,
            job=release.job,
            reasons=reasons,
        ),
    )


def _overtaken(draft: Draft, release: Release) -> bool:
    """Whether another release of the job is out; one that the rollback itself registered is no other one."""
    newest = current(draft, release.job)
    other = None if newest is None else draft.release(newest)
    return newest != release.id and (other is None or other.request.inside_rollback != release.id)
