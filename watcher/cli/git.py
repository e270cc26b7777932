"""What a git checkout says of the release in it: version, reason, files. Reads only."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from watcher.cli import exits
from watcher.cli.command import ask, plain_environment, whole_text
from watcher.core.errors import WatcherError

MOST_FILES, MOST_BYTES = 1000, 24 * 1024
LONGEST_PATH, LONGEST_REASON = 500, 2000
_EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
"""git's name of a tree without files: what a first commit is compared with."""


class GitError(WatcherError):
    """git can't tell."""

    exit_code = exits.USAGE


@dataclass(frozen=True, slots=True)
class Checkout:
    """A git repository whose HEAD is what is released."""

    directory: Path

    @classmethod
    def at(cls, directory: Path) -> Checkout:
        """The checkout in `directory`.

        Raises GitError when there is none, or it has no commit.
        """
        checkout = cls(directory)
        checkout._tell("rev-parse", "--git-dir")
        if checkout._commit("HEAD") is None:
            raise GitError(f"{directory}: the repository has no commit yet", hint="commit first, or give --version")
        return checkout

    def version(self) -> str:
        """The nearest tag, how far it is, the commit, and `-dirty` when files differ from it."""
        return self._tell("describe", "--tags", "--always", "--dirty").strip()

    def subject(self) -> str:
        """The first line of HEAD's message."""
        return self._tell("log", "-1", "--no-show-signature", "--format=%s").strip()[:LONGEST_REASON]

    def changed_files(self, *, since: str | None) -> tuple[tuple[str, ...], int]:
        """The files that changed since a version that names a commit, else since the commit before HEAD.

        As many as a release can name, and the number of those left out.
        """
        before = None if since is None else self._commit(since.removesuffix("-dirty"))
        base = before or self._commit("HEAD^") or _EMPTY_TREE
        told = self._output("diff", "--name-only", "--no-ext-diff", "--no-renames", "-z", base, "HEAD", "--")
        every = [whole_text(name) for name in told.split(b"\0") if name]
        kept: list[str] = []
        room = MOST_BYTES
        for name in every[:MOST_FILES]:
            room -= len(name.encode()) + 4
            if room < 0:
                break
            if len(name) <= LONGEST_PATH:
                kept.append(name)
        return tuple(kept), len(every) - len(kept)

    def _commit(self, name: str) -> str | None:
        code, told, _ = self._git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        return whole_text(told).strip() if code == 0 else None

    def _tell(self, *words: str) -> str:
        return whole_text(self._output(*words))

    def _output(self, *words: str) -> bytes:
        code, told, trouble = self._git(*words)
        if code != 0:
            first = trouble.strip().split("\n")[0].removeprefix("fatal: ")
            hint = "give the directory of the checkout, or --version instead of --git"
            raise GitError(f"{self.directory}: {first or f'git {words[0]} ended with {code}'}", hint=hint)
        return told

    def _git(self, *words: str) -> tuple[int, bytes, str]:
        try:
            return ask(("git", "-C", str(self.directory), *words), plain_environment())
        except OSError as error:
            raise GitError(f"git: {error.strerror}", hint="install git, or give --version instead of --git") from error
