"""How bad a match is: four words, ordered."""

from __future__ import annotations

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


_RANK = {severity: rank for rank, severity in enumerate(Severity)}
