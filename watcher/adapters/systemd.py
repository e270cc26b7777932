"""What systemd and journald know of this machine, asked through `systemctl` and `journalctl`; nothing is ever changed.

For doctor, init and completion alone: the daemon never starts these. Knows their output; judges nothing.
"""

from __future__ import annotations

import grp
import json
import os
import pwd
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from watcher.core.errors import WatcherError

SECONDS = 30.0
_BOOTED = Path("/run/systemd/system")
_TAIL = 500


class SystemdError(WatcherError):
    """It can't be asked here, or gave no answer; `hint` says why that may be."""


def is_booted() -> bool:
    """Whether systemd is this machine's PID 1, as sd_booted(3) tells."""
    return _BOOTED.is_dir()


def loaded_services() -> list[str]:
    """The names of the services that are in memory, sorted."""
    answer = _asked("systemctl", "list-units", "--all", "--plain", "--no-legend", "--type=service")
    return sorted(line.split()[0] for line in answer.splitlines() if line.strip())


def properties(units: Sequence[str], names: Sequence[str]) -> list[dict[str, str]]:
    """Of each unit, or each unit in memory that a glob takes, those properties; each has its `Id` as well.

    A unit that is not there has LoadState=not-found. A property that this systemd does not know is left out.
    """
    wanted = ",".join(dict.fromkeys(["Id", *names]))
    answer = _asked("systemctl", "show", "--property", wanted, "--", *units)
    blocks = (block.splitlines() for block in answer.split("\n\n"))
    return [dict(line.split("=", 1) for line in block if "=" in line) for block in blocks if block]


def journald_settings() -> dict[str, str]:
    """The settings of journald's main configuration and its drop-ins, the last of each; unset ones are left out."""
    settings = {}
    for line in _asked("systemd-analyze", "cat-config", "systemd/journald.conf").splitlines():
        name, found, value = line.strip().partition("=")
        if found and not name.startswith(("#", ";")):
            settings[name.strip()] = value.strip()
    return settings


def journal_entries(*options: str, user: str | None = None, groups: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """The entries that `journalctl` shows with these options, as its JSON has them; none if there are none.

    With `user`, which root alone may give, those that this user sees, with `groups` besides its own.
    """
    answer = _asked(
        "journalctl", "--quiet", "--no-pager", "--output=json", *options, accepted=(0, 1), user=user, groups=groups
    )
    for line in answer.splitlines():
        found = json.loads(line)
        if isinstance(found, dict):
            yield found


def _asked(
    program: str,
    *arguments: str,
    accepted: Sequence[int] = (0,),
    user: str | None = None,
    groups: Sequence[str] = (),
) -> str:
    """What the program prints. Raises SystemdError."""
    name = f"{program} {arguments[0]}"
    try:
        done: subprocess.CompletedProcess[bytes] = subprocess.run(
            [program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
            check=False,
            env={**os.environ, "LC_ALL": "C", "SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": ""},
            **_as_user(user, groups),
        )
    except OSError as error:
        raise SystemdError(f"{program}: {error.strerror}", hint="there is no systemd here") from error
    except subprocess.TimeoutExpired as error:
        raise SystemdError(f"{name}: no answer within {SECONDS:.0f} s", hint=f"try `{name}` by hand") from error
    if done.returncode not in accepted:
        said = done.stderr.decode(errors="replace").strip()[-_TAIL:]
        raise SystemdError(f"{name}: {said or f'exit code {done.returncode}'}", hint="is systemd running here?")
    return done.stdout.decode(errors="replace")


def _as_user(user: str | None, groups: Sequence[str]) -> dict[str, Any]:
    """The options that make a child run as that user, with all its groups. Raises SystemdError: no such user."""
    if user is None:
        return {}
    try:
        found = pwd.getpwnam(user)
        numbers = {*os.getgrouplist(user, found.pw_gid), *(grp.getgrnam(name).gr_gid for name in groups)}
    except KeyError as error:
        raise SystemdError(f"user {user}: {error.args[0]}", hint="systemd-sysusers") from error
    return {"user": found.pw_uid, "group": found.pw_gid, "extra_groups": sorted(numbers)}
