"""The lines of requirements.lock that the installed program needs, without what only developers need.

Walks from the project's own dependencies in pyproject.toml through what is installed in .venv; prints them.
"""

from __future__ import annotations

import sys
import tomllib
from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).parent.parent


def runtime_lines(project: str, lock: str) -> list[str]:
    """The lines of `lock` that the dependencies of `project` (a pyproject.toml) lead to, in the lock's order."""
    pending = [Requirement(word) for word in tomllib.loads(project)["project"]["dependencies"]]
    needed: set[str] = set()
    while pending:
        requirement = pending.pop()
        name = canonicalize_name(requirement.name)
        if name in needed or not _applies(requirement):
            continue
        needed.add(name)
        pending += [Requirement(word) for word in requires(name) or ()]
    return [line for line in lock.splitlines() if canonicalize_name(line.partition("==")[0]) in needed]


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def main() -> int:
    """Print the lines; returns an exit code."""
    project = (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8")
    lock = (REPOSITORY / "requirements.lock").read_text(encoding="utf-8")
    print("\n".join(runtime_lines(project, lock)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
