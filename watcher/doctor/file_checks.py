"""Files and directories: whose they are, and whether somebody else could have changed what will be run."""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

from watcher.config.folder import DROP_INS
from watcher.config.load import SITE_PACKS
from watcher.core.policy import JobPolicy, RollbackPlan
from watcher.dispatch.plan import distrust
from watcher.doctor.finding import Finding, Weight, fine
from watcher.doctor.program import unusable
from watcher.doctor.scene import USER, Scene

CONFIG, QUEUE, COMMANDS, SWITCH = "configuration files", "rollback queue", "rollback commands", "off switch"
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
_RUN_BY = "its commands are run by root"


def check_config_files(scene: Scene) -> Iterator[Finding]:
    """Whether only root, or whoever runs the daemon by hand, can change the configuration."""
    main = scene.paths.config
    if not main.exists():
        return  # said with the configuration's problems
    found = list(
        _distrusted(main) if scene.is_service else _changeable(scene, [main, *_inside(main.parent / DROP_INS)])
    )
    found += _changeable(scene, _inside(main.parent / SITE_PACKS))
    yield from found
    if not found:
        yield fine(CONFIG, "nobody else can change them")


def _inside(folder: Path) -> list[Path]:
    """The folder and the configuration in it; nothing if it is not there."""
    return [folder, *sorted(folder.glob("*.yaml"))] if folder.is_dir() else []


def _changeable(scene: Scene, files: Iterable[Path]) -> Iterator[Finding]:
    for path in files:
        yield from _not_ours(CONFIG, path, _owners(scene))


def _distrusted(main: Path) -> Iterator[Finding]:
    """What keeps root's dispatcher from taking commands from the configuration, in its own judgement."""
    for reason in distrust(str(main)):
        what, _, way = reason.partition("; ")
        place = what.partition(": ")[0]
        hint = f"{way.removesuffix(' it')} {place}" if way.endswith(" it") else way
        yield Finding(check=CONFIG, weight=Weight.ERROR, what=f"{what}: no rollback is started from it", hint=hint)


def check_queue(scene: Scene) -> Iterator[Finding]:
    """Whether the daemon can hand a rollback over, and nobody else can."""
    if not scene.has_rollback:
        return
    daemon = _number(scene.service.get("User") or USER) if scene.is_service else os.geteuid()
    expected = [(scene.queue, daemon), (scene.claims, 0 if scene.is_service else os.geteuid())]
    found = [one for path, owner in expected for one in _directory(path, owner, is_service=scene.is_service)]
    yield from found
    if not found:
        yield fine(QUEUE, "queue and claims are there, and whose they should be")


def check_commands(scene: Scene) -> Iterator[Finding]:
    """Whether each job's commands are there, can be executed, and can't be changed by others."""
    settings = scene.settings
    if settings is None:
        return
    count, found = 0, []
    for policy in settings.policies.values():
        plan = policy.release.rollback
        if plan is not None:
            count += 1
            found += [*_command(policy, plan.command, scene), *_user(policy, plan, scene)]
            found += _present(policy, plan.check) if plan.check else []
        if policy.release.backup:
            found += _present(policy, policy.release.backup)
    yield from found
    if count and not found:
        yield fine(COMMANDS, f"{count} of {count} are there, and safe from others")


def check_switch(scene: Scene) -> Iterator[Finding]:
    """Whether automatic rollbacks are turned off by the file."""
    if os.path.lexists(scene.switch):
        what = f"{scene.switch} exists: no rollback is started"
        yield Finding(check=SWITCH, weight=Weight.WARNING, what=what, hint=f"rm {scene.switch}")


def _owners(scene: Scene) -> Collection[int]:
    return {0} if scene.is_service else {0, os.geteuid()}


def _number(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None  # said among the groups


def _name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"user {number}"


def _not_ours(check: str, path: Path, owners: Collection[int], *, job: str | None = None) -> Iterator[Finding]:
    """Whether somebody outside `owners` can change the file, or exchange it in one of the directories above it."""
    real = Path(os.path.realpath(path))
    for place in (real, *real.parents):
        status = place.stat()
        is_sticky = place != real and bool(status.st_mode & stat.S_ISVTX)
        what, hint = "", ""
        if status.st_uid not in owners:
            what, hint = f"{place}: belongs to {_name(status.st_uid)}, who can change it", f"chown root {place}"
        elif status.st_mode & _OTHERS_WRITE and not is_sticky:
            who = "everybody" if status.st_mode & stat.S_IWOTH else "its group"
            what, hint = f"{place}: {who} may write it, and {_RUN_BY}", f"chmod go-w {place}"
        if what:
            yield Finding(check=check, weight=Weight.ERROR, what=what, hint=hint, job=job)


def _directory(path: Path, owner: int | None, *, is_service: bool) -> Iterator[Finding]:
    def error(what: str, hint: str) -> Finding:
        return Finding(check=QUEUE, weight=Weight.ERROR, what=f"{path}: {what}", hint=hint)

    make = "systemd-tmpfiles --create" if is_service else "the daemon makes it when it starts"
    try:
        status = path.lstat()
    except FileNotFoundError:
        hint = "systemctl restart release-watcher" if is_service else make
        yield Finding(check=QUEUE, weight=Weight.NOTE, what=f"{path}: is not there yet", hint=hint)
        return
    except PermissionError:
        yield Finding(check=QUEUE, weight=Weight.NOTE, what=f"{path}: can't be looked at", hint="run it as root")
        return
    if not stat.S_ISDIR(status.st_mode):
        yield error("is no directory", f"rm {path} && {make}")
    elif owner is not None and status.st_uid != owner:
        yield error(f"belongs to {_name(status.st_uid)}, not to {_name(owner)}", f"chown {_name(owner)} {path}")
    elif status.st_mode & _OTHERS_WRITE:
        yield error("others may write there", f"chmod go-w {path}")


def _present(policy: JobPolicy, command: Sequence[str]) -> Iterator[Finding]:
    found = unusable(command)
    if found is not None:
        yield Finding(check=COMMANDS, weight=Weight.ERROR, what=found.what, hint=found.hint, job=policy.name)


def _command(policy: JobPolicy, command: Sequence[str], scene: Scene) -> Iterator[Finding]:
    found = list(_present(policy, command))
    yield from found
    if not found:
        yield from _not_ours(COMMANDS, Path(command[0]), _owners(scene), job=policy.name)


def _user(policy: JobPolicy, plan: RollbackPlan, scene: Scene) -> Iterator[Finding]:
    if plan.user is not None and _number(plan.user) is None:
        what, hint = f"the rollback runs as {plan.user}, and there is no such user", f"adduser --system {plan.user}"
        yield Finding(check=COMMANDS, weight=Weight.ERROR, what=what, hint=hint, job=policy.name)
    elif plan.user is not None and not scene.is_service and _number(plan.user) != os.geteuid():
        what = f"a daemon that was started by hand can't run it as {plan.user}"
        hint = "leave rollback.user out, or install the service"
        yield Finding(check=COMMANDS, weight=Weight.WARNING, what=what, hint=hint, job=policy.name)
