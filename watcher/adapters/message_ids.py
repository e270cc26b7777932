"""The MESSAGE_IDs of our own journal entries; `deploy/catalog/release-watcher.catalog` explains each (`journalctl -x`).

Made once by `systemd-id128 new` and never changed: scripts and alerts are written against them.
"""

from __future__ import annotations

from collections.abc import Mapping

from watcher.core import job_runs
from watcher.core.messages import Transition, TransitionKind
from watcher.core.release import Phase, RollbackState
from watcher.core.verifying import HELPED

PHASES: Mapping[str, str] = {
    Phase.PREPARING: "369e71ee8e534fc9b4a8c2636ea46ced",
    Phase.WATCHING: "650ccc6a6f2c4b939ddd396b1cff627f",
    Phase.PASSED: "c06febf0823345e9811697d42978054a",
    Phase.FAILED: "f503dbb51bab469ea78dd55631446d25",
    Phase.INCONCLUSIVE: "04e4fb33d102443692f5a423cd1ada2e",
    Phase.CANCELLED: "ca42a90ddc5f405ebcebe56e54205af3",
    Phase.SUPERSEDED: "6401ce02146941e7b81e4c2634ccfcae",
}
ROLLBACKS: Mapping[str, str] = {
    RollbackState.NONE: "6e2234c7a8fd4c09b18acd3fca123441",
    RollbackState.HELD: "1472824737cd4d429f28cbef75daa8f2",
    RollbackState.QUEUED: "1d62d54f08ed445693aab64e4789004a",
    RollbackState.RUNNING: "8234396b92434dc7b6a718904197ef1d",
    RollbackState.SUCCEEDED: "14e72a54f6bd4282918120a2616a4def",
    RollbackState.FAILED: "5fc7867b513d43b192f963bf2bea227c",
    RollbackState.UNKNOWN: "952d008d546f4332955978e10b31dceb",
}
VERIFICATIONS: Mapping[str, str] = {
    HELPED[True]: "55bb53aa96ed4aa38b9aaead9bcc8e93",
    HELPED[False]: "482b703d034e49beaca29b125025b588",
    HELPED[None]: "cb5b04c99a864c2490b0ff1345dbf908",
}
OPINION = "5bea00018f37481e93f5c92e8cc9cd68"
WINDOW = "00a147e1c59746618e323da2d45fe428"
PAUSED, RESUMED = "0067bcfbe05a4b2790e644855962cec9", "6aa544ccdf354b538fe5f554f93425bf"
HEARTBEAT = "2f0ea0f9d1b44a6cae0f5e6a8a0f7c11"
ALL = frozenset(
    {
        *PHASES.values(),
        *ROLLBACKS.values(),
        *VERIFICATIONS.values(),
        *(job_runs.RUN_BEGAN, job_runs.RUN_SUCCEEDED, job_runs.RUN_FAILED),
        *(OPINION, WINDOW, PAUSED, RESUMED, HEARTBEAT),
    },
)


def message_id(transition: Transition) -> str:
    """Of the entry that tells of this transition."""
    match transition.kind:
        case TransitionKind.PHASE:
            return PHASES[transition.after]
        case TransitionKind.ROLLBACK:
            return ROLLBACKS[transition.after]
        case TransitionKind.VERIFICATION:
            return VERIFICATIONS[transition.after]
        case TransitionKind.OPINION:
            return OPINION
        case TransitionKind.WINDOW:
            return WINDOW
        case TransitionKind.PAUSE:
            return PAUSED if transition.after == "paused" else RESUMED
