"""Start the command of a rollback: argv without a shell, in a session of its own, with nothing of ours but its facts.

Knows users, environment and descriptors; nothing of claims as files, nor of how the command ends.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    import signal
    from collections.abc import Mapping
    from pwd import struct_passwd
    from typing import NoReturn

    from watcher.dispatch.claim import Claim, Facts
else:
    import _signal as signal  # the module under signal, which loads enum: 8 of the 20 ms that a start may take

PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "USER", "LOGNAME")
"""The only variables that a command inherits."""
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_UMASK = 0o022
_FIXED = frozenset({9, 19, 32, 33})
"""Signals that nobody may set: KILL, STOP, and the two that the C library keeps for threads (signal(7), nptl(7))."""
_LONGEST_COMPLAINT = 4096


class NotStartedError(Exception):
    """The command could not be started; the text says which and why."""


class Running:
    """A started command: its process, which leads a session and a group, and the pipe with its output."""

    __slots__ = ("output", "pid")

    def __init__(self, pid: int, output: int) -> None:
        self.pid, self.output = pid, output


def start(claim: Claim, stdin: bytes) -> Running:
    """Start the command; once this returns it is the configured program, no copy of ours.

    `stdin` is at most one page, so that it waits whole in the pipe: a command that never reads it is not disturbed.
    Raises NotStartedError: no such program, user or right, or we lack a descriptor or a process. Raises OSError: it may
    have been started, and nobody knows.
    """
    account = _account(claim.user)
    environment = _environment(claim.facts, account)
    try:
        asked, output, complaint = os.pipe(), os.pipe(), os.pipe()
        os.write(asked[1], stdin)
        pid = os.fork()
    except OSError as error:
        raise NotStartedError(f"{claim.command[0]}: could not be started: {error.strerror}") from error
    if pid == 0:
        _become(claim.command, environment, account, (asked[0], output[1], complaint[1]))
    for fd in (*asked, output[1], complaint[1]):
        os.close(fd)
    text = _read_complaint(complaint[0])
    if text:
        os.close(output[0])
        os.waitpid(pid, 0)
        raise NotStartedError(text)
    return Running(pid, output[0])


def _account(user: str | None) -> struct_passwd | None:
    """Whom to become; None: nobody else."""
    if user is None:
        return None
    import pwd  # noqa: PLC0415 - most commands of a by-hand daemon name no user

    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise NotStartedError(f'user "{user}" does not exist') from None
    if os.geteuid() == account.pw_uid:
        return None if os.geteuid() else account
    if os.geteuid() != 0:
        raise NotStartedError(f'user "{user}": only root can run the command as somebody else')
    return account


def _environment(facts: Facts, account: struct_passwd | None) -> dict[bytes, bytes]:
    """In bytes, as UTF-8 whatever the locale: it holds names from the configuration and the release only."""
    kept = {"PATH": _PATH} | {name: os.environ[name] for name in PASSED_ON if os.environ.get(name)}
    if account is not None:
        kept |= {"HOME": account.pw_dir, "USER": account.pw_name, "LOGNAME": account.pw_name}
    told = {
        "WATCHER_RELEASE_ID": facts.id,
        "WATCHER_JOB": facts.job,
        "WATCHER_VERSION": facts.version,
        "WATCHER_PREVIOUS": facts.previous or "",
        "WATCHER_REASON_CODE": facts.reason_code,
    }
    return {name.encode(): os.fsencode(text) for name, text in kept.items()} | {
        name.encode(): text.encode() for name, text in told.items()
    }


def _become(
    command: tuple[str, ...],
    environment: dict[bytes, bytes],
    account: struct_passwd | None,
    pipes: tuple[int, int, int],
) -> NoReturn:
    """In the child: drop everything of ours and turn into the command, or say on the last pipe why that failed."""
    stdin, output, complaint = pipes
    doing = "session"
    try:
        _forget_signals()
        os.setsid()
        os.umask(_UMASK)
        os.dup2(stdin, 0)
        os.dup2(output, 1)
        os.dup2(output, 2)  # all other descriptors are close-on-exec: Python opens them so, the runner closed the rest
        if account is not None:
            doing = f'user "{account.pw_name}"'
            os.initgroups(account.pw_name, account.pw_gid)
            os.setgid(account.pw_gid)
            os.setuid(account.pw_uid)
        doing = command[0]
        _execute([argument.encode() for argument in command], environment)
    except Exception as error:  # noqa: BLE001 - the top of the child, which has no other way to say it
        why = error.strerror if isinstance(error, OSError) else str(error)
        os.write(complaint, f"{doing}: {why}".encode(errors="replace")[:_LONGEST_COMPLAINT])
    finally:
        os._exit(127)


def _execute(command: list[bytes], environment: Mapping[bytes, bytes]) -> NoReturn:
    """`os.execvpe`, but it looks along the command's own PATH and tells "not executable" from "not there"."""
    if b"/" in command[0]:
        os.execve(command[0], command, environment)  # noqa: S606 - that is the point: no shell
    failure: OSError = FileNotFoundError(2, "No such file or directory")
    for directory in environment[b"PATH"].split(b":"):
        try:
            os.execve((directory or b".") + b"/" + command[0], command, environment)  # noqa: S606
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            failure = error
    raise failure


def _forget_signals() -> None:
    """Every signal as a login shell has it: what is ignored stays so over exec, whoever it was that ignored it.

    Python ignores SIGPIPE and SIGXFSZ, the runner listens to others, and a shell ignores some for what it starts in the
    background.
    """
    signal.set_wakeup_fd(-1)
    for number in range(1, signal.NSIG):
        if number not in _FIXED:
            signal.signal(number, signal.SIG_DFL)


def _read_complaint(fd: int) -> str:
    """What the child could not do; empty as soon as it has become the command."""
    try:
        return os.read(fd, _LONGEST_COMPLAINT).decode(errors="replace")
    finally:
        os.close(fd)
