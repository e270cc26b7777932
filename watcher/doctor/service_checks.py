"""The installed units and the daemon: whether they are there, run, and answer; and that there is only one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from watcher.adapters import systemd
from watcher.core.errors import WatcherError
from watcher.doctor.finding import Finding, Weight, fine, unknown
from watcher.doctor.scene import SERVICE, Scene
from watcher.paths import CONFIG

DAEMON, UNITS = "daemon", "rollback units"
PATH_UNIT = "release-watcher-rollback.path"
DISPATCHER = "release-watcher-rollback.service"
TEMPLATE = "release-watcher-rollback@.service"
_PROC = Path("/proc")
_INSTANCE = TEMPLATE.replace("@", "@watcher-check")


def check_service(scene: Scene) -> Iterator[Finding]:
    """Whether the units through which PID 1 runs rollbacks are ready. Raises SystemdError."""
    if not scene.is_service:
        return
    shown = systemd.properties([PATH_UNIT, DISPATCHER, _INSTANCE], ["LoadState", "ActiveState", "Result", "LoadError"])
    by_name = {unit["Id"]: unit for unit in shown}
    found = [
        Finding(
            check=UNITS,
            weight=Weight.ERROR,
            what=f"{name}: can't be loaded ({unit.get('LoadState', 'unknown')})",
            hint=f"systemctl unmask {name}" if unit.get("LoadState") == "masked" else f"systemctl status {name}",
        )
        for asked, name in ((PATH_UNIT, PATH_UNIT), (DISPATCHER, DISPATCHER), (_INSTANCE, TEMPLATE))
        if (unit := by_name.get(asked, {})).get("LoadState") != "loaded"
    ]
    path = by_name.get(PATH_UNIT, {})
    if path.get("LoadState") == "loaded" and path.get("ActiveState") != "active":
        what = f"{PATH_UNIT}: is not active ({path.get('Result', 'unknown')}), so no rollback is ever started"
        hint = f"systemctl reset-failed {PATH_UNIT} {DISPATCHER}; systemctl enable --now {PATH_UNIT}"
        weight = Weight.ERROR if scene.has_rollback else Weight.WARNING
        found.append(Finding(check=UNITS, weight=weight, what=what, hint=hint))
    yield from found or [fine(UNITS, "the queue is watched, dispatcher and template can be loaded")]


def check_daemon(scene: Scene) -> Iterator[Finding]:
    """Whether the daemon answers, is ready, and uses the configuration as it is."""
    said = scene.daemon
    if said is None:
        return
    if isinstance(said, WatcherError):
        if getattr(said, "exit_code", None) == os.EX_NOPERM:
            yield unknown(DAEMON, said.message, said.hint)
            return
        yield _down(scene, said)
        return
    if not said["ready"]:
        hint = f"journalctl -u {SERVICE} -n 20" if scene.is_service else "see what it prints"
        yield Finding(check=DAEMON, weight=Weight.ERROR, what=f"is not ready: {said['trouble']}", hint=hint)
    else:
        yield fine(DAEMON, f"{scene.paths.socket} answers, and it is ready")
    if not said["config"]["last_reload_successful"]:
        what = "the last reload was refused, and the old configuration is in use"
        yield Finding(check=DAEMON, weight=Weight.WARNING, what=what, hint="watcher check && watcher reload")
    elif scene.settings is not None and said["config"]["hash"] != scene.settings.hash:
        what = "the configuration was changed, and the daemon does not know it yet"
        yield Finding(check=DAEMON, weight=Weight.WARNING, what=what, hint="watcher reload")
    for pause in said["pauses"]:
        job = pause["job"]
        what = f"automatic rollbacks are paused by {pause['author']}: {pause['reason']}"
        hint = f"watcher resume {job or ''}".rstrip()
        yield Finding(check=DAEMON, weight=Weight.NOTE, what=what, hint=hint, job=job)


def _down(scene: Scene, said: WatcherError) -> Finding:
    """It does not answer; why, where that can be known: it refuses a broken configuration, and exits 78."""
    start = f"systemctl start {SERVICE}" if scene.is_service else said.hint
    what = said.message
    if scene.mistake:
        what += f"; with this configuration it can't start: {scene.mistake}"
        start = f"mend it (`watcher check {scene.paths.config}` names every error), then: {start}"
    elif scene.is_service and scene.service.get("ExecMainStatus") == str(os.EX_CONFIG):
        what += "; it ended with 78: what it then found wrong is in its log, and this configuration can be used"
        start = f"journalctl -u {SERVICE} -n 20; {start}"
    return Finding(check=DAEMON, weight=Weight.ERROR, what=what, hint=start)


def check_others(scene: Scene) -> Iterator[Finding]:  # noqa: ARG001 - every check has it
    """Whether several daemons run on this machine, containers left out: each rolls back what its configuration has."""
    own, by_config = _namespace(_PROC / "self"), dict[str, list[str]]()
    for number in map(str, _processes(_PROC)):
        config = _config_of(_PROC / number)
        if config is not None and _namespace(_PROC / number) == own:
            by_config.setdefault(config, []).append(number)
    for config, daemons in by_config.items():
        if len(daemons) > 1:
            what = f"{len(daemons)} daemons run with {config} (processes {', '.join(daemons)}); each of them judges, "
            hint = f"ps -fp {','.join(daemons)}"
            yield Finding(check=DAEMON, weight=Weight.WARNING, what=f"{what}and rolls back", hint=hint)
    if len(by_config) > 1:
        what = f"daemons run with several configurations ({', '.join(by_config)}); a job that stands in more than one "
        hint = f"ps -fp {','.join(number for daemons in by_config.values() for number in daemons)}"
        yield Finding(check=DAEMON, weight=Weight.NOTE, what=f"{what}is judged, and rolled back, by each", hint=hint)


def _processes(proc: Path) -> list[int]:
    return sorted(int(name) for name in os.listdir(proc) if name.isdecimal())  # noqa: PTH208 - names are enough


def _namespace(process: Path) -> str:
    """Its world of process ids, another one in a container; "" if it has ended, or is not ours to look at."""
    try:
        return os.readlink(process / "ns" / "pid")  # noqa: PTH115 - it leads nowhere that a Path could be
    except OSError:
        return ""


def _config_of(process: Path) -> str | None:
    """The configuration of what is `watcher … run …`, by the console script or as a module; None if it is not."""
    try:
        words = [os.fsdecode(word) for word in (process / "cmdline").read_bytes().split(b"\0")[:-1]]
    except OSError:
        return None  # it has ended
    for place, word in enumerate(words[:4]):
        is_module = words[place - 1 : place] == ["-m"] and word == "watcher"
        if is_module or word.rpartition("/")[1:] == ("/", "watcher"):
            return _named(process, words[place + 1 :]) if "run" in words[place + 1 :] else None
    return None


def _named(process: Path, words: list[str]) -> str:
    """What `--config` says, seen from where the process is; if that is not ours to know, it is nobody else's."""
    given = [after for word, after in pairwise(words) if word == "--config"]
    given += [word.removeprefix("--config=") for word in words if word.startswith("--config=")]
    config = Path(given[-1]) if given else CONFIG
    if config.is_absolute():
        return os.path.realpath(config)
    try:
        return os.path.realpath(Path(os.readlink(process / "cwd")) / config)  # noqa: PTH115 - as above
    except OSError:
        return f"{config} of process {process.name}"
