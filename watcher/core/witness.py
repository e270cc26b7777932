"""What was known of other jobs when something was put by until the baseline is there.

It is judged later, as of its own instant, and by then the other jobs have gone on: what is known of them now says
nothing about then. Bounded by what is put by; as long as the answer stays the same it is kept once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from watcher.core.draft import Draft
from watcher.core.names import JobName
from watcher.core.reason import Reason
from watcher.core.release import Release
from watcher.core.shared_cause import as_of, shared_cause
from watcher.core.trial import Place, Witnessed
from watcher.core.trouble import Trouble


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What was known then: the shared cause, None where there was none."""

    cause: Reason | None


def witnessed(draft: Draft, troubles: Mapping[JobName, Trouble], release: Release, place: Place) -> Release:
    """The release that remembers the shared cause, or that there is none, as it is known when `place` is put by."""
    cause = shared_cause(draft, troubles, release, place.at)
    cause = None if cause is None else replace(cause, span=None)
    known = release.trial.witnessed
    last = next((one for one in reversed(known) if one.threshold == place.threshold), None)
    if last is not None and last.cause == cause:
        return release
    new = Witnessed(threshold=place.threshold, place=place.place, cause=cause)
    return replace(release, trial=replace(release.trial, witnessed=(*known, new)))


def recalled(release: Release, place: Place) -> Recalled | None:
    """What was known when `place` was put by; None if an older program put it by and kept nothing."""
    known = (
        one
        for one in reversed(release.trial.witnessed)
        if one.threshold == place.threshold and one.place <= place.place
    )
    then = next(known, None)
    if then is None:
        return None
    return Recalled(cause=None if then.cause is None else as_of(then.cause, release, place.at))
