"""How near a trial is, or came, to one of its thresholds: a number and its limit, for people and metrics."""

from __future__ import annotations

from dataclasses import dataclass

from watcher.core.duration import Usec


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """`count` against the `limit` that fails the release, within a span of `within` if that is set.

    `label` names the threshold; `ratio` is 1 from where it is crossed; `detail` is the arithmetic in words where count
    and limit do not say it all.
    """

    label: str
    count: float
    limit: float
    ratio: float
    within: Usec | None = None
    detail: str = ""
