"""What the checks look at: the files of one installation, its configuration, and what its daemon said. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from watcher.config.settings import Settings
from watcher.core.errors import WatcherError
from watcher.paths import STATE, Paths

SERVICE = "release-watcher.service"
USER = "release-watcher"
DEPLOYERS = "release-watcher-deploy"
JOURNAL_GROUPS = ("systemd-journal", "adm")
_CLAIMS = Path("/var/lib/release-watcher-rollback")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """One installation. `settings` is None if the configuration is broken; `service` is empty without such a unit.

    `daemon` is the answer of /api/v1/status, or why there is none; None: it was not asked.
    """

    paths: Paths
    settings: Settings | None
    booted: bool
    service: Mapping[str, str]
    daemon: Mapping[str, Any] | WatcherError | None = None
    mistake: str = ""
    """The first error of a broken configuration, as `FILE:LINE:COL: path: what is wrong`."""

    @property
    def is_service(self) -> bool:
        """Whether this is what systemd runs, not a daemon with a state directory of its own."""
        return bool(self.service) and self.paths.state == STATE

    @property
    def claims(self) -> Path:
        """Where claims of rollbacks lie."""
        return _CLAIMS if self.is_service else self.paths.state / "rollback"

    @property
    def queue(self) -> Path:
        """Where rollbacks wait."""
        return self.paths.state / "rollback-queue"

    @property
    def switch(self) -> Path:
        """The file that turns automatic rollbacks off."""
        return (self.paths.config.parent if self.is_service else self.paths.state) / "disarm"

    @property
    def reads_machine(self) -> bool:
        """Whether the journal is this machine's own."""
        return self.settings is not None and self.settings.journal_directory is None

    @property
    def journalctl(self) -> tuple[str, ...]:
        """What makes journalctl read the journal that the daemon reads, where that is this machine's."""
        namespace = None if self.settings is None else self.settings.journal_namespace
        return () if namespace is None else (f"--namespace={namespace}",)

    @property
    def has_rollback(self) -> bool:
        """Whether some job may be rolled back."""
        policies = () if self.settings is None else self.settings.policies.values()
        return any(policy.release.rollback is not None for policy in policies)
