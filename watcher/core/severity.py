"""How bad a match is: four words, ordered."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum


class Severity(StrEnum):
    """Severity of a rule, worst first."""

    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"

    def at_least(self, limit: Severity) -> bool:
        """Whether this is as bad as `limit` or worse."""
        return _RANK[self] <= _RANK[limit]


def worst_of(severities: Sequence[Severity]) -> Severity:
    """The worst of at least one."""
    return severities[0] if len(severities) == 1 else min(severities, key=_RANK.__getitem__)


_RANK = {severity: rank for rank, severity in enumerate(Severity)}
