"""The configuration in use, and how it is exchanged for a new one: whole, or not at all.

Knows files and settings; what the new settings mean for the other parts is the daemon's business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

from watcher.adapters.front import ReloadRefusedError
from watcher.adapters.log import log
from watcher.clock import wall_clock
from watcher.config.load import load_settings
from watcher.config.problem import ConfigError
from watcher.config.settings import Settings
from watcher.dispatch.plan import distrust
from watcher.doctor.program import Unusable, unusable
from watcher.journal.source import Source
from watcher.journal.wire import Plan


class Configured:
    """What was read from the main file at `path`; `for_root`: root's dispatcher reads it as well."""

    def __init__(self, path: Path, settings: Settings, *, for_root: bool) -> None:
        self._path = path
        self._for_root = for_root
        self.settings = settings
        self.adopted_at = wall_clock()
        """The instant at which the settings in use took effect."""
        self.is_current = True
        """Whether the last attempt to read them again succeeded."""

    @property
    def source(self) -> Source:
        """The journal that is read."""
        directory, namespace = self.settings.journal_directory, self.settings.journal_namespace
        return Source(directory=None if directory is None else str(directory), namespace=namespace)

    @property
    def plan(self) -> Plan:
        """What the reader has to do."""
        return Plan(source=self.source, jobs=self.settings.jobs)

    async def read_again(self) -> Settings:
        """What stands in the files now; not in use yet. Raises ReloadRefusedError."""
        try:
            return await asyncio.to_thread(load_settings, self._path)
        except ConfigError as error:
            hint = "mend it, try it with `watcher check`, then reload again"
            raise self.refusal(tuple(map(str, error.problems)), hint) from error

    def refusal(self, problems: tuple[str, ...], hint: str) -> ReloadRefusedError:
        """The new settings can't be used; the old ones stay."""
        self.not_adopted()
        message = f"{self._path}: the new configuration is refused, the old one stays"
        return ReloadRefusedError(message, problems=problems, hint=hint)

    def not_adopted(self) -> None:
        """They could not be taken in."""
        self.is_current = False

    def adopt(self, settings: Settings) -> None:
        """They are in use from now on."""
        self.settings, self.adopted_at, self.is_current = settings, wall_clock(), True

    def warn(self) -> None:
        """Say what a person should know of the settings in use, and which rollbacks would come to nothing."""
        for problem in self.settings.warnings:
            log.warning("%s", problem)
        if self._for_root:
            for reason in distrust(str(self._path.absolute())):
                log.warning("rollbacks will be refused", extra={"facts": {"why": reason}})
            return  # the commands are root's to run: whether they can be is not seen from within our own confinement
        for job, policy in self.settings.policies.items():
            plan = policy.release.rollback
            why = None if plan is None else _trouble(plan.command)
            if why is not None:
                log.warning("rollback would fail", extra={"facts": {"job": job, "why": why.what, "hint": why.hint}})


def _trouble(command: Sequence[str]) -> Unusable | None:
    """Why this process could not start it."""
    try:
        return unusable(command)
    except PermissionError as error:
        return Unusable(f"{command[0]}: {error.strerror}", "the user that runs the daemon must be able to execute it")
