"""All checks, one after the other: what `watcher doctor` and `watcher check --system` tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from watcher.adapters import systemd
from watcher.adapters.systemd import SystemdError
from watcher.config.load import Examined, examine
from watcher.config.problem import Problem
from watcher.config.problem import Weight as ProblemWeight
from watcher.core.errors import WatcherError
from watcher.doctor.file_checks import check_commands, check_config_files, check_queue, check_switch
from watcher.doctor.finding import Finding, Weight, fine, unknown
from watcher.doctor.journal_checks import check_access, check_groups, check_storage
from watcher.doctor.rule_checks import check_rules
from watcher.doctor.scene import SERVICE, Scene
from watcher.doctor.service_checks import check_daemon, check_others, check_service
from watcher.doctor.unit_checks import check_cores, check_drops, check_units
from watcher.journal.opening import JournalError
from watcher.paths import Paths

CONFIG, SYSTEMD = "configuration", "systemd"
_SERVICE_FACTS = ("LoadState", "ActiveState", "ExecMainStatus", "User", "SupplementaryGroups")

Check = Callable[[Scene], Iterator[Finding]]

CHECKS: tuple[tuple[str, Check], ...] = (
    ("configuration files", check_config_files),
    ("journal storage", check_storage),
    ("groups", check_groups),
    ("journal access", check_access),
    ("units", check_units),
    ("units", check_cores),
    ("dropped messages", check_drops),
    ("rules", check_rules),
    ("rollback commands", check_commands),
    ("rollback queue", check_queue),
    ("rollback units", check_service),
    ("off switch", check_switch),
    ("daemon", check_daemon),
    ("daemon", check_others),
)

_READING = (check_drops, check_rules)
"""Checks that take what they do not find in the journal for good news."""


def system_findings(paths: Paths, *, daemon: Mapping[str, Any] | WatcherError | None = None) -> tuple[Finding, ...]:
    """What all checks find; those that need systemd say so where it does not run.

    `daemon` is the answer of /api/v1/status, or why there is none; None leaves the daemon out.
    """
    examined = examine(paths.config)
    found = list(_configuration(examined))
    booted = systemd.is_booted()
    scene = Scene(
        paths=paths,
        settings=examined.settings,
        booted=booted,
        service=_service(booted=booted),
        daemon=daemon,
        mistake=next((one.what for one in found if one.weight is Weight.ERROR), ""),
    )
    if not booted:
        found.append(unknown(SYSTEMD, "systemd does not run here", "units, storage and the rollback path are left out"))
    blind = _is_blind(scene)
    for name, check in CHECKS:
        if blind and check in _READING:
            found.append(unknown(name, "this user sees no entry of the journal", "run it as root"))
        elif booted or check not in (check_storage, check_units, check_cores, check_drops):
            found += _looked(name, check, scene)
    return tuple(found)


def _is_blind(scene: Scene) -> bool:
    """Whether whoever runs this sees nothing of the machine's journal: then nothing in it is known to be well."""
    if not scene.booted or not scene.reads_machine:
        return False
    try:
        return not any(systemd.journal_entries(*scene.journalctl, "--lines=1"))
    except SystemdError:
        return False  # the checks ask again, and tell why it can't be read


def _looked(name: str, check: Check, scene: Scene) -> Iterator[Finding]:
    """The findings; what the check can't ask is one as well."""
    try:
        yield from check(scene)
    except SystemdError as error:
        yield unknown(name, error.message, error.hint)
    except JournalError as error:
        yield Finding(check=name, weight=Weight.ERROR, what=error.message, hint=error.hint)
    except PermissionError as error:
        yield unknown(name, f"{error.filename}: {error.strerror}", "run it as root")


def _service(*, booted: bool) -> dict[str, str]:
    """What systemd knows of the daemon's unit; empty if there is none."""
    if not booted:
        return {}
    try:
        shown = systemd.properties([SERVICE], _SERVICE_FACTS)
    except SystemdError:
        return {}  # the checks that need it ask again, and tell why it can't be had
    return next((unit for unit in shown if unit.get("LoadState") == "loaded"), {})


def _configuration(examined: Examined) -> Iterator[Finding]:
    yield from map(_from_problem, examined.problems)
    if examined.settings is not None:
        count = len(examined.settings.jobs)
        yield fine(CONFIG, f"can be used, {count} job{'' if count == 1 else 's'}")


def _from_problem(problem: Problem) -> Finding:
    weight = Weight.WARNING if problem.weight is ProblemWeight.WARNING else Weight.ERROR
    path = f"{problem.path}: " if problem.path else ""
    return Finding(check=CONFIG, weight=weight, what=f"{problem.place}: {path}{problem.message}", hint=problem.hint)
