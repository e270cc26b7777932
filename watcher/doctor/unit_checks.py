"""The jobs' units: whether there are such units, and whether what they print reaches the journal that is read."""

from __future__ import annotations

from collections.abc import Iterator

from watcher.adapters import systemd
from watcher.config.suggest import nearest
from watcher.core.rule import WatchedJob
from watcher.doctor.finding import Finding, Weight, fine
from watcher.doctor.logging_of_units import CHECK, PROPERTIES, losses, representative, shown_name
from watcher.doctor.scene import Scene
from watcher.journal.units import JobUnits, is_glob, unit_name

DROPS = "dropped messages"
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
        hint = f"`systemctl edit {unit}` and LogRateLimitIntervalSec=0, or let it print less"
        yield Finding(check=DROPS, weight=Weight.WARNING, what=what, hint=hint, job=job)
    if not dropped:
        yield fine(DROPS, "journald reports none for the jobs' units in the last day")
