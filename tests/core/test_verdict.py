"""The verdict at the end of a window."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest

from tests.events import ERROR, ODD, RELEASE, START, gap, policy, seen, span, watching
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Release, Verdict
from watcher.core.verdict import verdict_at_end

HEARD = seen(watching().releases[RELEASE], heard=True)


def test_a_window_with_nothing_against_it_passes() -> None:
    """The reason tells the length of the window and all matches held against the release."""
    release = seen(HEARD, matches=((ERROR, 2), (ODD, 1)))
    reason = Reason(code=ReasonCode.WINDOW_OVER, span=span("15m"), count=3)
    assert (Verdict.PASSED, (reason,)) == verdict_at_end(release)


def test_every_doubt_is_told() -> None:
    """The reasons of an inconclusive end are all of them, not only the first."""
    release = seen(
        replace(HEARD, policy=policy(unjudged=("fail_when[1].failed_runs",))),
        gaps=(gap("1m", "2m"),),
        heard=False,
        rules_changed_at=START,
    )
    verdict, reasons = verdict_at_end(release)
    assert Verdict.INCONCLUSIVE is verdict
    assert [ReasonCode.GAP, ReasonCode.UNJUDGED, ReasonCode.RULES_CHANGED, ReasonCode.SILENT] == [
        one.code for one in reasons
    ]


def _with(*, hole: bool, silent: bool, unjudged: bool, changed: bool) -> Release:
    return seen(
        replace(HEARD, policy=policy(unjudged=("expect",) if unjudged else ())),
        gaps=(gap("1m", "2m"),) if hole else (),
        heard=not silent,
        rules_changed_at=START if changed else None,
    )


@pytest.mark.parametrize(("hole", "silent", "unjudged", "changed"), list(product([False, True], repeat=4)))
def test_it_passes_only_without_any_doubt(*, hole: bool, silent: bool, unjudged: bool, changed: bool) -> None:
    """Passed if and only if everything was seen, judged and alive; the end of a window never fails a release."""
    doubtful = hole or silent or unjudged or changed
    verdict, reasons = verdict_at_end(_with(hole=hole, silent=silent, unjudged=unjudged, changed=changed))
    assert (Verdict.INCONCLUSIVE if doubtful else Verdict.PASSED) is verdict
    assert (hole + silent + unjudged + changed or 1) == len(reasons)
