"""The form of a release record before version 2, made into that of today. Only stores of older programs hold it.

In version 1 what was seen in the watch window stood in the release itself, and thresholds were on matches only, with
their counts in lists of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_MOVED = {
    "started_at": "start",
    "ends_at": "end",
    "matches": "matches",
    "settling": "settling",
    "heard": "heard",
    "sightings": "sightings",
    "gaps": "gaps",
    "rules_changed_at": "rules_changed_at",
}


def release_of_today(record: Mapping[str, Any]) -> dict[str, Any]:
    """A release record of version 1 in the form of version 2.

    Raises KeyError and TypeError where the record has not the form of version 1.
    """
    today = {key: value for key, value in record.items() if key not in _MOVED and key not in ("counted", "peak")}
    policy = record["policy"]["release"]
    trial = {new: record[old] for old, new in _MOVED.items()}
    start = record["started_at"]
    trial["settles_at"] = None if start is None else start + policy["settle"]
    trial["counts"] = [
        {"threshold": threshold, "instants": instants, "peak": peak}
        for threshold, instants, peak in zip(policy["thresholds"], record["counted"], record["peak"], strict=True)
    ]
    return {**today, "trial": trial}
