"""What a git repository says of the release that is checked out in it: version, reason, files.

Knows git's command line; nothing that it prints is run or trusted to be short.
"""

from __future__ import annotations

from dataclasses import dataclass

from watcher.cli.exits import UsageError
from watcher.cli.process import read

_LONGEST_VERSION, _LONGEST_REASON = 200, 2000


@dataclass(frozen=True, slots=True)
class Checkout:
    """The release as the repository knows it; `files` are those that changed since the previous one."""

    version: str
    reason: str
    files: tuple[str, ...]


def look(directory: str, previous: str | None) -> Checkout:
    """Ask the repository at `directory`; `previous` is the version before, if it is one that git knows.

    Raises UsageError: no repository, no commit, or no git.
    """
    version = _ask(directory, "describe", "--always", "--tags", "--dirty").strip()
    reason = _ask(directory, "log", "-1", "--format=%s", "HEAD").strip()
    return Checkout(version[:_LONGEST_VERSION], reason[:_LONGEST_REASON], _files(directory, previous))


def _files(directory: str, previous: str | None) -> tuple[str, ...]:
    """What changed since `previous`; where git knows no such version, what the last commit changed."""
    base = next((one for one in (previous, "HEAD^") if one is not None and _is_commit(directory, one)), None)
    if base is None:
        names = _ask(directory, "ls-tree", "-r", "-z", "--name-only", "HEAD")
    else:
        names = _ask(directory, "diff", "-z", "--name-only", "--no-renames", "--end-of-options", base, "HEAD")
    return tuple(name for name in names.split("\0") if name)


def _is_commit(directory: str, name: str) -> bool:
    code, _, _ = read(
        ["git", "-C", directory, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
    )
    return code == 0


def _ask(directory: str, *arguments: str) -> str:
    code, output, errors = read(["git", "-C", directory, *arguments])
    if code != 0:
        why = errors.splitlines()[-1] if errors else f"git {arguments[0]} exited {code}"
        hint = "--git wants a directory inside a git repository with at least one commit"
        raise UsageError(f"--git {directory}: {why}", hint=hint)
    return output.decode("utf-8", "replace")
