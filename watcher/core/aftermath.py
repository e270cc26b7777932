"""What became of a release and its rollback, in words, and what a person has to do next.

Words and decisions that were taken elsewhere; nothing is decided here. `ID` commands are safe to paste: an id is one
plain word.
"""

from __future__ import annotations

from watcher.core.policy import Mode
from watcher.core.reason import ReasonCode
from watcher.core.reason_words import say
from watcher.core.release import Phase, Release, RollbackState

_TITLES = {
    RollbackState.NONE: "",
    RollbackState.HELD: ", rollback HELD",
    RollbackState.QUEUED: ", rollback queued",
    RollbackState.RUNNING: ", rolling back",
    RollbackState.SUCCEEDED: ", rolled back",
    RollbackState.FAILED: ", rollback FAILED",
    RollbackState.UNKNOWN: ", rollback UNKNOWN",
}


def outcome(release: Release) -> str:
    """The release in a few words: `FAILED, rolled back`."""
    title = _TITLES[release.rollback.state]
    if release.rollback.helped is False:
        title += ", which did NOT help"
    if release.phase is Phase.FAILED and not title:
        title = ", not rolled back"
    return f"{release.phase.upper()}{title}"


def rollback_in_words(release: Release) -> str:
    """Where the rollback stands and why, without instants. It may hold a person's words: hostile text."""
    rollback = release.rollback
    match rollback.state:
        case RollbackState.NONE:
            return _why_none(release)
        case RollbackState.HELD:
            return f"held: {_reason(release)}"
        case RollbackState.QUEUED:
            return f"handed over, not started yet ({_reason(release)})"
        case RollbackState.RUNNING:
            return "running"
        case RollbackState.SUCCEEDED:
            return "the command ran and succeeded"
        case RollbackState.FAILED:
            return rollback.detail if rollback.never_ran else f"the command FAILED{_detail(release)}"
        case RollbackState.UNKNOWN:
            return f"UNKNOWN: it was begun, and how it ended was not seen{_detail(release)}"


def helped_in_words(release: Release) -> str:
    """Whether the rollback helped, and why that is said. "" where there was no rollback to look after."""
    if release.rollback.state is not RollbackState.SUCCEEDED:
        return ""
    verification = release.verification
    if verification is None:
        return "whether the rollback helped was not measured"
    if verification.ended_at is None:
        return "whether it helped is not known yet: the job is being watched"
    why = "; ".join(map(say, verification.reasons))
    if release.rollback.helped is None:
        return f"nothing can be said about whether the rollback helped ({why})"
    if release.rollback.helped:
        return f"the rollback helped ({why})"
    return f"the rollback did NOT help ({why}): it may not have been the release"


def ladder_in_words(release: Release) -> str:
    """What mode rollback would have done where a lesser mode stood, and what a person thought; "" where neither is.

    It may hold a person's words: hostile text.
    """
    proposal, opinion = release.proposal, release.opinion
    parts = []
    if proposal is not None and release.mode is not Mode.ROLLBACK:
        done = "run the rollback at once" if proposal.state is RollbackState.QUEUED else "left the rollback to a person"
        parts.append(f"In mode rollback the daemon would have {done}: {say(proposal.reason)}.")
    if opinion is not None:
        view = {True: "agreed with the verdict", False: "did not agree with the verdict", None: "decided"}
        parts.append(f"{opinion.author} {view[opinion.agrees]} ({opinion.judgement}): {opinion.reason}.")
    return " ".join(parts)


def question(release: Release) -> str:
    """Whether the verdict was right, asked in Markdown with two answers to paste; "" where nobody has to be asked."""
    if release.mode is Mode.ROLLBACK or release.opinion is not None or not release.is_judged_by_us:
        return ""
    answers = {Phase.FAILED: ("fail", "pass"), Phase.PASSED: ("pass", "fail")}.get(release.phase)
    if answers is None:
        return ""
    yes, no = (_verb(release, one) for one in answers)
    return f"Was the verdict right? {yes} says yes, {no} says no; `watcher status` counts both."


def next_step(release: Release) -> str:
    """What a person has to do now, as Markdown with commands to paste; "" when there is nothing to do."""
    by_hand = "A rollback runs at most once for a release: what is left is done by hand"
    match release.rollback.state:
        case RollbackState.HELD:
            return (
                f"decide about the rollback: {_verb(release, 'rollback')} runs it, {_verb(release, 'cancel')} drops it."
            )
        case RollbackState.QUEUED | RollbackState.RUNNING:
            return f"`watcher release wait {release.id}` waits for the rollback; this note is then written anew."
        case RollbackState.FAILED if release.rollback.never_ran:
            return (
                "nothing was started, so nothing is rolled back: roll back by hand, and mend the command for the next."
            )
        case RollbackState.FAILED:
            return f"the job may be half rolled back; look at the output below. {by_hand}."
        case RollbackState.UNKNOWN:
            return f"look whether the rollback took effect; the output below is what is known of it. {by_hand}."
        case RollbackState.SUCCEEDED:
            return _after_rollback(release)
        case RollbackState.NONE:
            return _without_rollback(release)


def _after_rollback(release: Release) -> str:
    if release.is_verifying:
        return "nothing yet: the job is watched, to see whether the rollback helped; this note is then written anew."
    if release.rollback.helped is None:
        return f"look whether the job works again: {helped_in_words(release)}."
    return "" if release.rollback.helped else f"{helped_in_words(release)}. A person must look."


def _without_rollback(release: Release) -> str:
    reason = release.rollback.reason
    if release.phase not in (Phase.FAILED, Phase.INCONCLUSIVE):
        return ""
    if reason is not None and reason.code in (ReasonCode.NEWER_RELEASE, ReasonCode.PERSON):
        return ""  # somebody has decided already
    if release.policy.release.rollback is None:
        way = "the job has no rollback command, so a rollback is done by hand."
    else:
        way = f"{_verb(release, 'rollback')} runs the rollback command."
    if release.phase is Phase.INCONCLUSIVE:
        return f"nobody can tell from the journal whether the release is good: a person must look. If it is not, {way}"
    return f"nothing was rolled back: a person must decide. If it has to be, {way}"


def _why_none(release: Release) -> str:
    if release.phase is Phase.FAILED and release.policy.release.rollback is None:
        return "not run: the job has no rollback command"
    if release.rollback.reason is not None:
        return f"not run: {_reason(release)}"
    match release.phase:
        case Phase.PASSED:
            return "not needed"
        case Phase.INCONCLUSIVE:
            return "not run: what is inconclusive is never rolled back by itself"
        case Phase.PREPARING | Phase.WATCHING:
            return "none so far"
        case _:
            return "not run"


def _reason(release: Release) -> str:
    return "no reason recorded" if release.rollback.reason is None else say(release.rollback.reason)


def _detail(release: Release) -> str:
    return f": {release.rollback.detail}" if release.rollback.detail else ""


def _verb(release: Release, verb: str) -> str:
    return f"`watcher release {verb} {release.id} --reason TEXT`"
