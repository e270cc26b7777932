"""What `watcher check` says of one file: a configuration with all that belongs to it, or a single pack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from watcher.config.document import read_document
from watcher.config.load import examine
from watcher.config.packs import read_pack
from watcher.config.problem import Problem, Weight, has_errors, in_order
from watcher.config.ruleset import duplicates
from watcher.core.text import shown

_LONGEST_NAME = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkup:
    """One file that was looked at; `jobs` is None for a pack. Numbers are 0 when it can't be used."""

    file: str
    jobs: int | None
    rules: int
    problems: tuple[Problem, ...]

    @property
    def is_usable(self) -> bool:
        """Whether no problem is an error."""
        return not has_errors(self.problems)

    def __str__(self) -> str:
        name = shown(self.file, limit=_LONGEST_NAME)
        if not self.is_usable:
            errors = sum(problem.weight is Weight.ERROR for problem in self.problems)
            return f"{name}: {_plural(errors, 'error')}"
        parts = ["ok", *([] if self.jobs is None else [_plural(self.jobs, "job")]), _plural(self.rules, "rule")]
        if self.problems:
            parts.append(_plural(len(self.problems), "warning"))
        return f"{name}: {', '.join(parts)}"

    def to_json(self) -> dict[str, object]:
        """The same as an object of plain values."""
        kind = "pack" if self.jobs is None else "config"
        return {"file": self.file, "kind": kind, "ok": self.is_usable, "jobs": self.jobs, "rules": self.rules}


def check_file(path: Path) -> Checkup:
    """Looks at a configuration, or at a pack: that has `pack` or `rules` at its top."""
    document = read_document(path)
    if document.root is not None and "scenario" in document.root.entries:
        message = "is a scenario, neither a configuration nor a pack"
        problem = Problem(place=document.root.place, message=message, hint=f"watcher rules test {path} plays it")
        return Checkup(file=str(path), jobs=None, rules=0, problems=(problem,))
    if document.root is not None and document.root.entries.keys() & {"pack", "rules"}:
        pack, problems = read_pack(document)
        rules = 0 if pack is None else len(pack.entries)
        alike = () if pack is None else duplicates(pack.entries)
        return Checkup(file=str(path), jobs=None, rules=rules, problems=in_order((*problems, *alike)))
    examined = examine(path)
    jobs = () if examined.settings is None else examined.settings.jobs
    rules = sum(len(job.rules) for job in jobs)
    return Checkup(file=str(path), jobs=len(jobs), rules=rules, problems=examined.problems)


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"
