"""The journal: whether it is kept, and whether the one who reads it sees in it what root sees."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Iterator

from watcher.adapters import systemd
from watcher.core.rule import WatchedJob
from watcher.doctor.finding import Finding, Weight, fine, unknown
from watcher.doctor.scene import DEPLOYERS, JOURNAL_GROUPS, SERVICE, USER, Scene
from watcher.journal.opening import open_journal
from watcher.journal.source import Source

STORAGE, ACCESS, GROUPS = "journal storage", "journal access", "groups"
_KEEP = "mkdir -p /var/log/journal && systemd-tmpfiles --create --prefix /var/log/journal && journalctl --flush"
_LEVELS = ("emerg", "alert", "crit", "err", "warning", "notice", "info", "debug")
_TOO_FEW = _LEVELS[:6]


def check_storage(scene: Scene) -> Iterator[Finding]:
    """Whether journald keeps entries, and over a reboot. Raises SystemdError."""
    if not scene.reads_machine:
        return
    settings = systemd.journald_settings()
    storage = settings.get("Storage", "auto")
    edit = "in /etc/systemd/journald.conf set Storage=persistent, then `systemctl restart systemd-journald`"
    level = settings.get("MaxLevelStore", "debug")
    if level in _TOO_FEW or (level.isdecimal() and int(level) < len(_TOO_FEW)):
        what = f"journald stores nothing above MaxLevelStore={level}; plain output of a job has info"
        hint = "in /etc/systemd/journald.conf set MaxLevelStore=debug, then `systemctl restart systemd-journald`"
        yield Finding(check=STORAGE, weight=Weight.ERROR, what=what, hint=hint)
    if storage == "none":
        what = "journald stores nothing (Storage=none): there is nothing to judge"
        yield Finding(check=STORAGE, weight=Weight.ERROR, what=what, hint=edit)
    elif storage == "volatile":
        what = "the journal is lost at a reboot (Storage=volatile), and a window over a reboot can't pass"
        yield Finding(check=STORAGE, weight=Weight.WARNING, what=what, hint=edit)
    elif storage == "auto" and not os.path.isdir("/var/log/journal"):  # noqa: PTH112 - one question
        what = "the journal is lost at a reboot (there is no /var/log/journal), and a window over a reboot can't pass"
        yield Finding(check=STORAGE, weight=Weight.WARNING, what=what, hint=_KEEP)
    else:
        yield fine(STORAGE, "kept over a reboot")


def check_groups(scene: Scene) -> Iterator[Finding]:
    """Whether the service's user is there and may read the journal."""
    if not scene.is_service:
        return
    user = scene.service.get("User") or "root"
    try:
        found = pwd.getpwnam(user)
    except KeyError:
        what = f"{SERVICE} runs as {user}, and there is no such user"
        yield Finding(check=GROUPS, weight=Weight.ERROR, what=what, hint="systemd-sysusers")
        return
    added = scene.service.get("SupplementaryGroups", "").split()
    names = {*added, *(_group_name(number) for number in os.getgrouplist(user, found.pw_gid))}
    if found.pw_uid != 0 and names.isdisjoint(JOURNAL_GROUPS):
        what = f"user {user} is in none of the groups {', '.join(JOURNAL_GROUPS)}: to it, the journal looks empty"
        hint = f"usermod -a -G {JOURNAL_GROUPS[0]} {user} && systemctl restart {SERVICE}"
        yield Finding(check=GROUPS, weight=Weight.ERROR, what=what, hint=hint)
    else:
        yield fine(GROUPS, f"user {user} may read the journal")
    yield from _deployers()


def _deployers() -> Iterator[Finding]:
    try:
        members = grp.getgrnam(DEPLOYERS).gr_mem
    except KeyError:
        what = f"there is no group {DEPLOYERS}: only root can register a release"
        yield Finding(check=GROUPS, weight=Weight.WARNING, what=what, hint="systemd-sysusers")
        return
    if not members:
        what = f"nobody is in the group {DEPLOYERS}: only root can register a release"
        yield Finding(check=GROUPS, weight=Weight.NOTE, what=what, hint=f"usermod -a -G {DEPLOYERS} USER")


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def check_access(scene: Scene) -> Iterator[Finding]:
    """Whether entries can really be read, by the user who will. Raises SystemdError and JournalError."""
    settings = scene.settings
    if settings is None:
        return
    if settings.journal_directory is not None:
        yield from _directory(Source(directory=str(settings.journal_directory)))
        return
    where = list(scene.journalctl)
    reader = scene.service.get("User") or None if scene.is_service and os.geteuid() == 0 else None
    if reader is not None and not _exists(reader):
        return  # said among the groups
    who = reader or _myself()
    groups = tuple(scene.service.get("SupplementaryGroups", "").split())
    if not any(systemd.journal_entries(*where, "--lines=1", user=reader, groups=groups)):
        service_user = scene.service.get("User") or "root"
        if scene.is_service and who != service_user:
            yield unknown(
                ACCESS, f"user {who} sees nothing of it, and need not; whether {service_user} does", "run it as root"
            )
            return
        what = f"user {who} sees no entry of the journal at all"
        add = f"usermod -a -G {JOURNAL_GROUPS[0]} {who}"
        hint = add if who != "root" else "systemctl status systemd-journald"
        yield Finding(check=ACCESS, weight=Weight.ERROR, what=what, hint=hint)
        return
    found = [one for job in settings.jobs for one in _job_access(job, where, reader, groups)]
    yield from found
    if not any(one.weight is Weight.ERROR for one in found):
        yield fine(ACCESS, f"user {who} reads it")
    if scene.is_service and reader is None:
        yield unknown(ACCESS, f"whether {scene.service.get('User') or USER} sees the same", "run it as root")


def _directory(source: Source) -> Iterator[Finding]:
    reader = open_journal(source)
    try:
        reader.seek_head()
        if reader._next():
            yield fine(ACCESS, f"{source} can be read")
        else:
            hint = f"journalctl --directory={source.directory} -n 1"
            yield Finding(check=ACCESS, weight=Weight.WARNING, what=f"{source} holds no entry", hint=hint)
    finally:
        reader.close()


def _job_access(job: WatchedJob, where: list[str], reader: str | None, groups: tuple[str, ...]) -> Iterator[Finding]:
    """What root sees last of a job, its reader must see as well."""
    for options in ([f"--unit={unit}" for unit in job.units], [f"--identifier={one}" for one in job.identifiers]):
        if not options:
            continue
        asked = [*where, *options, "--lines=1"]
        mine = [entry["__CURSOR"] for entry in systemd.journal_entries(*asked)]
        if not mine:
            what = "the journal holds no entry of it yet"
            hint = f"journalctl {' '.join(options)} -n 5"
            yield Finding(check=ACCESS, weight=Weight.NOTE, what=what, hint=hint, job=job.name)
        elif reader is not None and not any(systemd.journal_entries(*asked, user=reader, groups=groups)):
            what = f"user {reader} does not see its entries, and root does"
            hint = f"usermod -a -G {JOURNAL_GROUPS[0]} {reader} && systemctl restart {SERVICE}"
            yield Finding(check=ACCESS, weight=Weight.ERROR, what=what, hint=hint, job=job.name)


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


def _myself() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name
