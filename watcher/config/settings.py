"""The finished configuration, frozen: what the rest of the program sees. Knows nothing of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from watcher.config.problem import Problem
from watcher.core.names import JobName
from watcher.core.policy import JobPolicy
from watcher.core.rule import WatchedJob


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """A configuration that was checked whole, with its packs.

    `journal_directory` None is this machine's journal, `metrics_address` None no TCP listener. `jobs` is for the
    reader, `policies` for the core: the same jobs in the same order. `hash` changes whenever anything above it does.
    `warnings` are what a person should know though the configuration can be used.
    """

    journal_directory: Path | None
    journal_namespace: str | None
    metrics_address: tuple[str, int] | None
    jobs: tuple[WatchedJob, ...]
    policies: Mapping[JobName, JobPolicy]
    rollbacks_per_hour: int
    hash: str
    warnings: tuple[Problem, ...] = ()
