"""The jobs' units: whether there are such units, and whether what they print reaches the journal that is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from watcher.adapters import systemd
from watcher.config.suggest import nearest
from watcher.core.policy import JobPolicy, MatchThreshold
from watcher.core.rule import Rule, WatchedJob
from watcher.doctor.finding import Finding, Weight, fine
from watcher.doctor.logging_of_units import CHECK, PROPERTIES, RAISED, losses, representative, shown_name
from watcher.doctor.scene import Scene
from watcher.journal.units import JobUnits, is_glob, unit_name

DROPS = "dropped messages"
_CORE_PATTERN = Path("/proc/sys/kernel/core_pattern")
_CORE_DUMP, _COREDUMP_REPORT = "core-dump", "fc2e22bc6ee647b6b90729ab34a250b1"
_SUPPRESSED = "a596d6fe7bfa4994828e72309e95d61e"


def check_units(scene: Scene) -> Iterator[Finding]:
    """Each unit of each job. Raises SystemdError."""
    settings = scene.settings
    if settings is None or not scene.reads_machine:
        return
    found = [finding for job in settings.jobs for finding in _of_job(job, settings.journal_namespace)]
    yield from found
    count = sum(len(job.units) for job in settings.jobs)
    if not found and count:
        yield fine(CHECK, f"each of {count} names is known, and what they print reaches the journal")


def _of_job(job: WatchedJob, namespace: str | None) -> Iterator[Finding]:
    for text in job.units:
        asked = representative(unit_name(text))
        shown = systemd.properties([asked], PROPERTIES)
        there = [unit for unit in shown if unit.get("LoadState") != "not-found"]
        if not there:
            yield _missing(text, job, is_pattern=is_glob(asked))
        for unit in there:
            if unit.get("LoadState") == "masked":
                name = unit.get("Id", text)
                what, hint = f"{name}: is masked, so it never runs", f"systemctl unmask {name}"
                yield Finding(check=CHECK, weight=Weight.WARNING, what=what, hint=hint, job=job.name)
            yield from losses(unit, job=job.name, namespace=namespace)


def check_cores(scene: Scene) -> Iterator[Finding]:
    """Whether a crash leaves a core, where a release waits for the record of one. Raises SystemdError.

    Without a core PID 1 calls a crash `signal` and not `core-dump`: core(5), and the limits of Debian.
    """
    settings = scene.settings
    if settings is None or not scene.reads_machine or _is_piped(_CORE_PATTERN):
        return
    for job in settings.jobs:
        waiting = _waits_for_core(job, settings.policies[job.name])
        if not waiting:
            continue
        for text in job.units:
            shown = systemd.properties([representative(unit_name(text))], ["Id", "LoadState", "LimitCORESoft"])
            for unit in shown:
                if unit.get("LoadState") == "loaded" and unit.get("LimitCORESoft") == "0":
                    name = shown_name(unit.get("Id", text))
                    what = f"{name}: a crash leaves no core (LimitCORE=0), so rule {waiting} never fires on it"
                    hint = (
                        f"apt-get install systemd-coredump, `systemctl edit {name}` and LimitCORE=, or rule unit-failed"
                    )
                    yield Finding(check=CHECK, weight=Weight.WARNING, what=what, hint=hint, job=job.name)


def _is_piped(pattern: Path) -> bool:
    """Whether cores go to a program: then no limit keeps one from being made. What can't be read says nothing."""
    try:
        return pattern.read_text(encoding="utf-8", errors="replace").startswith("|")
    except OSError:
        return True


def _waits_for_core(job: WatchedJob, policy: JobPolicy) -> str:
    """A rule that is told of core dumps alone and that a condition of the job names; "" if there is none."""
    named = {one.rule for one in policy.release.thresholds if isinstance(one, MatchThreshold)}
    return next((rule.name for rule in job.rules if rule.name in named and _is_of_cores(rule)), "")


def _is_of_cores(rule: Rule) -> bool:
    only = (one.values == (_CORE_DUMP,) for one in rule.where if one.field == "UNIT_RESULT")
    return rule.message_id == _COREDUMP_REPORT or any(only)


def _missing(text: str, job: WatchedJob, *, is_pattern: bool) -> Finding:
    if is_pattern:
        what = f"{text}: no unit that is in memory has such a name now"
        hint = f"systemctl list-units --all '{text}'"
    else:
        name = shown_name(representative(unit_name(text)))
        what = f"{name}: there is no such unit"
        stem = name.partition(".")[0]
        known = {service.removesuffix(".service") for service in systemd.loaded_services()}
        hint = nearest(stem, known) or f"systemctl list-unit-files '*{stem}*'"
    return Finding(check=CHECK, weight=Weight.WARNING, what=what, hint=hint, job=job.name)


def check_drops(scene: Scene) -> Iterator[Finding]:
    """What journald dropped of the jobs' units in the last day, by its own records. Raises SystemdError.

    Believed only from journald itself: any user may send an entry with that message id.
    """
    settings = scene.settings
    if settings is None or not scene.reads_machine:
        return
    records = systemd.journal_entries(
        *scene.journalctl,
        "--since=-1d",
        f"MESSAGE_ID={_SUPPRESSED}",
        "_TRANSPORT=driver",
        "--output-fields=OBJECT_SYSTEMD_UNIT,N_DROPPED",
    )
    owners = JobUnits([job.units for job in settings.jobs])
    dropped: dict[tuple[str, str], int] = {}
    for record in records:
        unit, number = record.get("OBJECT_SYSTEMD_UNIT"), record.get("N_DROPPED")
        if not isinstance(unit, str) or not isinstance(number, str) or not number.isdecimal():
            continue
        for place in owners.owners(unit.encode()):
            key = (settings.jobs[place].name, unit)
            dropped[key] = dropped.get(key, 0) + int(number)
    for (job, unit), number in sorted(dropped.items()):
        what = f"{unit}: journald dropped {number} messages in the last day; a window in which it does can't pass"
        hint = f"`systemctl edit {unit}` and {RAISED}, or let it print less"
        yield Finding(check=DROPS, weight=Weight.WARNING, what=what, hint=hint, job=job)
    if not dropped:
        yield fine(DROPS, "journald reports none for the jobs' units in the last day")
