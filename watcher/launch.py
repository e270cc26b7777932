"""One run of the daemon's process: what it is given, what it is built on, and which failure a person can mend.

Knows how a daemon comes to be and how it ends; nothing of what it does.
"""

from __future__ import annotations

import asyncio
from contextlib import closing

from watcher.adapters.inherited import take_inherited, turn_away
from watcher.adapters.lock import StateLock
from watcher.adapters.mark import this_machine
from watcher.adapters.rollback import CLAIMS
from watcher.adapters.store import Store
from watcher.clock import wall_clock
from watcher.config.load import load_settings
from watcher.core.errors import WatcherError
from watcher.daemon import Daemon
from watcher.paths import Paths


def serve(paths: Paths) -> None:
    """Run a daemon until it is told to stop.

    Raises WatcherError: the configuration, the state directory, a socket or the disk does not let it run.
    """
    inherited = take_inherited()
    try:
        settings = load_settings(paths.config)
        with StateLock(paths.state), closing(_open(paths)) as store:
            asyncio.run(Daemon(paths=paths, settings=settings, store=store, inherited=inherited).run())
    except ExceptionGroup as group:
        raise _cause(group) from group
    except WatcherError as error:
        turn_away(inherited, error)
        raise


def _open(paths: Paths) -> Store:
    traces = (paths.notes, paths.state / CLAIMS, *([] if paths.rollbacks is None else [paths.rollbacks]))
    return Store.open(paths.state, wall_clock(), machine=this_machine(), traces=traces)


def _cause(group: ExceptionGroup[Exception]) -> Exception:
    """What a person can do something about, if that is all that happened; else the whole group, as a defect."""
    told, rest = group.split(WatcherError)
    while isinstance(told, ExceptionGroup) and rest is None:
        first = told.exceptions[0]
        if isinstance(first, WatcherError):
            return first
        told = first if isinstance(first, ExceptionGroup) else None
    return group
