"""Which journal is read.

Pure data, so that the daemon can name a journal without loading libsystemd.
"""

from __future__ import annotations

from dataclasses import dataclass

HEARTBEAT = "WATCHER_HEARTBEAT"
"""The field of our own entry by which a daemon knows that it can really read the journal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A directory of journal files, a namespace of this machine's journal, or (neither) this machine's journal.

    With `host`, a machine id, it is what that host's entries are of a directory that holds several hosts'.
    """

    directory: str | None = None
    namespace: str | None = None
    host: str | None = None

    @property
    def is_machine(self) -> bool:
        """Whether this machine's journald writes it: it numbers all entries with one counter, and never none come."""
        return self.directory is None

    @property
    def is_mixed(self) -> bool:
        """Whether its entries may be those of several hosts."""
        return self.directory is not None and self.host is None

    def __str__(self) -> str:
        """What a person calls it."""
        if self.directory is not None:
            return f"journal directory {self.directory}" + (f", host {self.host}" if self.host is not None else "")
        return "journal" if self.namespace is None else f"journal namespace {self.namespace}"
