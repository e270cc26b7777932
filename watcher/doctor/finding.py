"""What a check found: how much it weighs, what it is, and the exact line to run. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Weight(StrEnum):
    """`error`: it can't work so. `warning`: it works, but not as one may believe. `note`: good to know. `ok`."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    OK = "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of the check called `check`; `job` if it is about one; `hint` is what to do, a command if it can be.

    `what` and `hint` may hold names that others chose: they are to be shown escaped.
    """

    check: str
    weight: Weight
    what: str
    hint: str = ""
    job: str | None = None

    def to_json(self) -> dict[str, Any]:
        """The same as an object of plain values."""
        return {"check": self.check, "severity": self.weight, "job": self.job, "what": self.what, "hint": self.hint}


def is_wrong(finding: Finding) -> bool:
    """Whether it must be mended."""
    return finding.weight is Weight.ERROR


def fine(check: str, what: str) -> Finding:
    """Nothing is wrong there."""
    return Finding(check=check, weight=Weight.OK, what=what)


def unknown(check: str, why: str, hint: str = "") -> Finding:
    """It can't be told from here."""
    return Finding(check=check, weight=Weight.NOTE, what=f"can't be checked: {why}", hint=hint)
