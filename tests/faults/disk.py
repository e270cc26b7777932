"""A disk that fails, fills up or loses power at a call of the test's choice, under real processes.

A small library between the processes and libc (`shim.c`) asks here before each call that changes something beneath one
directory, and before each fork and spawn. `Disk` answers, and keeps what is on the disk for sure: of each file what it
held at its last fsync, under the names that its directory had at its own last fsync. What is not on the disk for sure
may be lost or not: `cut` takes all of it, `cut(names_stay=True)` leaves the names, as a file system does that
wrote them by itself, to files that hold only what was fsynced.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

GO, KILL = b"g", b"k"
Answer = Callable[[str, str], bytes]
"""Of the call (see `CALLS`) and the file, what the process is told: GO, KILL or an errno as a byte."""
CALLS = ("write", "sync", "synced", "create", "rename", "link", "unlink", "mkdir", "fork", "spawn")
_Key = tuple[int, int]
_SECONDS_TO_DIE = 10


def build(directory: Path) -> Path:
    """The library, compiled into `directory`."""
    library = directory / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


class Disk:
    """The disk beneath `directory`; a context manager that answers while it is open.

    Once somebody was told KILL the power is off: whoever asks later dies as well.
    """

    def __init__(self, library: Path, directory: Path, answer: Answer) -> None:
        self._directory, self._answer = directory.resolve(), answer
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = library.with_name(f"disk-{directory.parent.name}-{directory.name}.socket")
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        self._socket.listen(64)
        self._thread = threading.Thread(target=self._serve, name="disk", daemon=True)
        self._contents: dict[_Key, bytes] = {}
        self._names: dict[_Key, dict[str, _Key]] = {}
        self._held: dict[_Key, int] = {}
        self._pids: set[int] = set()
        self.is_off = False
        self.environment = {"LD_PRELOAD": str(library), "WATCHER_SHIM": f"{path} {self._directory}"}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()
        for fd in self._held.values():
            os.close(fd)
        self._held.clear()

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self._socket.accept()
            except OSError:
                return
            with one, suppress(ConnectionError):
                pid = struct.unpack("3i", one.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
                call, _, file = one.makefile().readline().rstrip("\n").partition(" ")
                self._pids.add(pid)
                one.sendall(self._answered(call, file))

    def _answered(self, call: str, file: str) -> bytes:
        if self.is_off:
            return KILL
        if call == "synced":
            self._keep(Path(file))
        answer = self._answer(call, file.removeprefix(str(self._directory)).lstrip("/"))
        if answer == KILL:
            self._power_off()
        return answer

    def _keep(self, path: Path) -> None:
        try:
            if path.is_dir():
                self._names[self._key(path)] = self._listed(path)
            else:
                self._contents[self._key(path)] = path.read_bytes()
        except FileNotFoundError:
            return  # it was removed meanwhile, so nothing of it matters

    def _listed(self, path: Path) -> dict[str, _Key]:
        found = {}
        for one in path.iterdir():
            with suppress(FileNotFoundError):  # gone since the directory was opened
                if stat.S_IFMT(one.lstat().st_mode) in (stat.S_IFREG, stat.S_IFDIR):
                    found[one.name] = self._key(one)
        return found

    def _key(self, path: Path) -> _Key:
        """The file itself, whatever its name. It is held, so that no later file gets its number."""
        fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        found = os.fstat(fd)
        key = found.st_dev, found.st_ino
        if key in self._held:
            os.close(fd)
        else:
            self._held[key] = fd
        return key

    def cut(self, *, names_stay: bool = False) -> None:
        """The power was cut: nobody is left, and the directory holds what was on the disk."""
        self._power_off()
        deadline = time.monotonic() + _SECONDS_TO_DIE
        while any(map(_runs, self._pids)):
            assert time.monotonic() < deadline, "somebody outlives the power"
            time.sleep(0.005)
        if names_stay:
            for directory, _, _ in os.walk(self._directory):
                self._names[self._key(Path(directory))] = self._listed(Path(directory))
        top = self._key(self._directory)
        for one in list(self._directory.iterdir()):
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        self._restore(self._directory, top)

    def _power_off(self) -> None:
        """For everybody who has ever asked; commands, which never ask, are told by their files."""
        if not self.is_off:
            self.is_off = True
            for pid in self._pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)

    def _restore(self, path: Path, key: _Key) -> None:
        for name, one in self._names.get(key, {}).items():
            if stat.S_ISDIR(os.fstat(self._held[one]).st_mode):
                (path / name).mkdir(mode=0o700)
                self._restore(path / name, one)
            else:
                (path / name).write_bytes(self._contents.get(one, b""))
                (path / name).chmod(0o600)


def _runs(pid: int) -> bool:
    try:
        status = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"
