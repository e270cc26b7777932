"""What a job has done before a release of it is registered: its backup, and the check of its rollback command.

Both run here, as the user that registers (as root, the check runs as the rollback's own user): the daemon is shut in,
so that what it can do would tell nothing about what a rollback can.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Mapping
from typing import Any

from watcher.cli.command import PASSED_ON, Done, run_captured
from watcher.cli.exits import BackupError
from watcher.cli.output import LINE, Output
from watcher.core.duration import SECOND, Usec
from watcher.core.shell import command_line
from watcher.core.text import last_lines, shown

_OUTPUT_LINES = 20


def run_errands(job: Mapping[str, Any], body: Mapping[str, Any], output: Output) -> dict[str, Any]:
    """The members `backup` and `check` of the registration, each where the job has such a command.

    `job` is what the daemon's status says of it. A check that fails is the daemon's to judge, and told here.
    Raises BackupError: nothing may be registered.
    """
    told = {
        "WATCHER_JOB": str(body["job"]),
        "WATCHER_VERSION": str(body["version"]),
        "WATCHER_PREVIOUS": str(body["previous"] or ""),
    }
    done = {}
    if job.get("backup"):
        done["backup"] = _backup(job, told, output)
    if job.get("check"):
        done["check"] = _check(job, told, output)
    return done


def _backup(job: Mapping[str, Any], told: Mapping[str, str], output: Output) -> dict[str, Any]:
    command, name = job["backup"], command_line(job["backup"])
    output.message(f"backup: {name}")
    done = run_captured(command, timeout=_span(job["backup_seconds"]), environment={**os.environ, **told})
    if done.exit_code != 0:
        raise BackupError(
            f"backup {shown(name, limit=LINE)}: {done.outcome}; nothing was registered",
            hint="mend it and start the release again",
            output=_last(done),
        )
    return _as_member(command, done)


def _check(job: Mapping[str, Any], told: Mapping[str, str], output: Output) -> dict[str, Any]:
    command, name = job["check"], command_line(job["check"])
    output.message(f"check of the rollback: {name}")
    user = job["check_user"] if os.geteuid() == 0 else None
    inherited = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    done = run_captured(
        command,
        timeout=_span(job["check_seconds"]),
        environment={**inherited, **_home_of(user), **told},
        user=user,
    )
    if done.exit_code != 0:
        output.message(f"check of the rollback {name}: {done.outcome}")
        for line in _last(done):
            output.message(f"  {line}")
    return _as_member(command, done)


def _home_of(user: str | None) -> dict[str, str]:
    try:
        account = None if user is None else pwd.getpwnam(user)
    except KeyError:
        return {}  # starting the command will say so
    return {} if account is None else {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}


def _span(seconds: float) -> Usec:
    return Usec(round(seconds * SECOND))


def _last(done: Done) -> tuple[str, ...]:
    return tuple(last_lines(done.output, limit=LINE, lines=_OUTPUT_LINES)) if done.output else ()


def _as_member(command: list[str], done: Done) -> dict[str, Any]:
    return {
        "command": command,
        "exit_code": done.exit_code,
        "started_at": done.started_at,
        "finished_at": done.finished_at,
        "output": done.output,
    }
