"""Opening a journal; one that can't be opened says why.

Knows libsystemd's open calls; must not know positions or rules.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from systemd._reader import _Reader

from watcher.core.errors import WatcherError
from watcher.journal.source import Source

MakeReader = Callable[..., _Reader]

MACHINE_ID = "_MACHINE_ID"
"""The field by which journald says on each entry whose it is."""

_HINTS = {
    errno.ENOENT: "create it, or correct journal.directory",
    errno.ENOTDIR: "journal.directory names a directory that holds journal files",
    errno.EACCES: "let this user read it: group systemd-journal for the machine's journal",
    errno.EMFILE: "raise LimitNOFILE=; each journal file takes one descriptor",
    errno.ENFILE: "the machine is out of file descriptors",
    errno.ENOSPC: "raise fs.inotify.max_user_watches",
}


class JournalError(WatcherError):
    """The journal can't be read now; it may be later, so try again after a while."""


def open_journal(source: Source, make: MakeReader = _Reader) -> _Reader:
    """A reader that stands nowhere yet and will follow new files.

    Raises JournalError with the reason.
    """
    try:
        if source.directory is not None:
            # libsystemd takes an unreadable directory for an empty one
            os.scandir(source.directory).close()
            reader = make(0, source.directory)
            if source.host is not None:
                # what others match by comes on top of this, alternatives included
                reader.add_match(f"{MACHINE_ID}={source.host}".encode())
                reader.add_conjunction()
        else:
            reader = make() if source.namespace is None else make(namespace=source.namespace)
    except OSError as error:
        raise trouble_with(source, error) from error
    try:
        # before anything else: it sets the inotify watches and drops files deleted since the open
        reader.wait(0)
    except OSError as error:
        if error.errno == errno.EMFILE and _has_descriptor_left():
            # only inotify is used up (fs.inotify.max_user_instances): entries of known files show without being told
            return reader
        reader.close()
        raise trouble_with(source, error) from error
    return reader


def _has_descriptor_left() -> bool:
    """Tells the two apart that inotify_init(2) calls EMFILE: no instance left for this user, or no descriptor."""
    try:
        os.close(os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC))
    except OSError:
        return False
    return True


def trouble_with(source: Source, error: OSError) -> JournalError:
    """What to tell a person about this error."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return JournalError(f"{source}: {reason}", hint=_HINTS.get(error.errno or 0, ""))
