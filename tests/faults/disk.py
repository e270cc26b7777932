"""A disk that fails, fills up or loses power at a call of the test's choice, under a real process.

A small library between the process and libc (`shim.c`) asks here before each write and fsync beneath one directory.
`Disk` answers, and keeps what is on the disk for sure: of each file what it held at its last fsync, under the names
that its directory had at its own last fsync. Nothing else survives a power cut here, which is the
worst that may happen.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

GO, KILL = b"g", b"k"
Answer = Callable[[str, str], bytes]
"""Of the call (`write`, `sync`, `synced`) and the file, what the process is told: GO, KILL or an errno as a byte."""


def build(directory: Path) -> Path:
    """The library, compiled into `directory`."""
    library = directory / "shim.so"
    source = Path(__file__).with_name("shim.c")
    subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
    return library


class Disk:
    """The disk beneath `directory`; a context manager that answers while it is open."""

    def __init__(self, library: Path, directory: Path, answer: Answer) -> None:
        self._directory, self._answer = directory.resolve(), answer
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        path = library.with_name(f"disk-{directory.name}.socket")
        path.unlink(missing_ok=True)
        self._socket.bind(str(path))
        self._socket.listen(64)
        self._thread = threading.Thread(target=self._serve, name="disk", daemon=True)
        self._contents: dict[tuple[int, int], bytes] = {}
        self._names: dict[tuple[int, int], dict[str, tuple[int, int]]] = {}
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

    def _serve(self) -> None:
        while True:
            try:
                one, _ = self._socket.accept()
            except OSError:
                return
            with one:
                call, _, file = one.makefile().readline().rstrip("\n").partition(" ")
                if call == "synced":
                    self._keep(Path(file))
                one.sendall(self._answer(call, file.removeprefix(str(self._directory)).lstrip("/")))

    def _keep(self, path: Path) -> None:
        try:
            if path.is_dir():
                self._names[_key(path)] = {one.name: _key(one) for one in path.iterdir()}
            else:
                self._contents[_key(path)] = path.read_bytes()
        except FileNotFoundError:
            return  # it was removed meanwhile, so nothing of it matters

    def cut(self) -> None:
        """The power was cut: make the directory hold what was on the disk for sure."""
        top = _key(self._directory)
        for one in list(self._directory.iterdir()):
            shutil.rmtree(one) if one.is_dir() else one.unlink()
        self._restore(self._directory, top)

    def _restore(self, path: Path, key: tuple[int, int]) -> None:
        for name, one in self._names.get(key, {}).items():
            if one in self._names or one not in self._contents:
                (path / name).mkdir(mode=0o700) if one in self._names else (path / name).touch(0o600)
                self._restore(path / name, one)
            else:
                (path / name).write_bytes(self._contents[one])
                (path / name).chmod(0o600)


def _key(path: Path) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino
