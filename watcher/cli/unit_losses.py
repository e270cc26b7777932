"""What of a job's output will be missing in the journal: said at `release start`, where it still can be mended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from watcher.adapters.unit_question import UnitQuestion
from watcher.doctor.logging_of_units import PROPERTIES, losses, representative

_SECONDS = 0.3
_MACHINE, _NAMESPACE = "journal", "journal namespace "


class UnitLosses:
    """Asks systemd about the units when it is made, and tells later; silent where the journal is not this machine's.

    `source` is the journal as the daemon names it.
    """

    def __init__(self, job: str, units: Sequence[str], source: str) -> None:
        self._job = job
        self._namespace = source.removeprefix(_NAMESPACE) if source.startswith(_NAMESPACE) else None
        is_ours = source == _MACHINE or self._namespace is not None
        self._question = UnitQuestion([representative(unit) for unit in units] if is_ours else (), PROPERTIES)

    def warnings(self) -> Iterator[str]:
        """A text each, with the way out."""
        for unit in self._question.answer(seconds=_SECONDS):
            if unit.get("LoadState") == "not-found":
                continue
            for finding in losses(unit, job=self._job, namespace=self._namespace):
                yield f"warning: {finding.what}; {finding.hint}"

    def drop(self) -> None:
        """Not asked any more."""
        self._question.drop()
