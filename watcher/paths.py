"""Where a daemon keeps its things: one directory, the contract's names in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

CONFIG = Path("/etc/release-watcher/watcher.yaml")
STATE = Path("/var/lib/release-watcher")
SOCKET = Path("/run/release-watcher/control.sock")


@dataclass(frozen=True, slots=True)
class Paths:
    """The files of one daemon. `rollbacks` are root's claims and results, None where the daemon has its own."""

    config: Path
    state: Path
    socket: Path
    rollbacks: Path | None = None

    @classmethod
    def choose(
        cls, *, config: Path | None, state: Path | None, socket: Path | None, rollbacks: Path | None = None
    ) -> Paths:
        """What the options say; run by hand (`--state-dir`), the socket lies in the state directory."""
        if socket is None:
            socket = SOCKET if state is None else state / "control.sock"
        return cls(config=config or CONFIG, state=state or STATE, socket=socket, rollbacks=rollbacks)

    @property
    def notes(self) -> Path:
        """The final notes."""
        return self.state / "notes"
