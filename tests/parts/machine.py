"""A whole Debian with systemd as PID 1, booted in a container of its own: the machine on which the package is tried.

`Layers` are directories that nobody writes to; each `Machine` lays an overlay over them, so that it boots as new in
about a second and what a test does to it is gone with it. Needs root and systemd-nspawn, nothing of the host's PID 1.
"""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from prometheus_client.parser import text_string_to_metric_families

REPOSITORY = Path(__file__).parent.parent.parent
PATIENCE = 30.0
COMMAND_PATIENCE = 90.0
CONTROL = "/run/release-watcher/control.sock"
METRICS = ("127.0.0.1", 10310)

_REBOOT = 133  # what systemd-nspawn --keep-unit ends with when the machine wants to boot again
_CLONE_NEWNET = 0x40000000
_Result = TypeVar("_Result")


class Machine:
    """One booted Debian; everything in it is reached by entering its namespaces."""

    def __init__(self, layers: Sequence[Path], *, name: str, durable: bool = False) -> None:
        """`layers` from the bottom up; `name` must be unique among the machines of this checkout.

        `durable`: what is synced inside is synced on the host's disk, as a benchmark wants it. Otherwise nothing is, as
        no machine outlives its test, and each shutdown would wait for all that the host has to write.
        """
        self.name = name
        self._cgroup = f"{name}-{os.getpid()}"
        self._layers = layers
        self._durable = durable
        self._stack = ExitStack()
        self._home = REPOSITORY / ".cache" / "machines" / name
        self.root = self._home / "root"
        self.upper = self._home / "upper"
        self.leader = 0
        self._booted = threading.Event()
        self._nspawn: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self._mount()
            self._boot()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    # ------------------------------------------------------------------------------------------------------- lifecycle

    def _mount(self) -> None:
        if self._home.exists():  # left over by a run that was killed, which may have happened more than once
            while os.path.ismount(self.root):
                subprocess.run(["umount", "--lazy", self.root], check=True)
            shutil.rmtree(self._home)
        for directory in (self.root, self.upper, self._home / "work"):
            directory.mkdir(parents=True)
        self._stack.callback(shutil.rmtree, self._home, ignore_errors=True)
        below = ":".join(str(layer) for layer in reversed(self._layers))
        options = f"lowerdir={below},upperdir={self.upper},workdir={self._home / 'work'}"
        if not self._durable:
            options += ",volatile"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self.root], check=True)
        self._stack.callback(lambda: subprocess.run(["umount", "--lazy", self.root], check=False))

    def _boot(self) -> None:
        """Start the container and wait until its PID 1 says that it is up."""
        heard = self._stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC))
        heard.bind(str(self._home / "notify"))
        listener = threading.Thread(target=self._listen, args=(heard,))
        listener.start()
        self._stack.callback(listener.join)
        # An empty datagram ends the listener.
        self._stack.callback(lambda: heard.sendto(b"", str(self._home / "notify")))
        self._console = self._stack.enter_context((self._home / "console").open("ab"))
        self._stack.callback(self._kill)
        self._start_container()

    def _start_container(self) -> None:
        self._booted.clear()
        argv = [
            *("systemd-nspawn", "--quiet", "--directory", str(self.root), "--machine", self.name, "--boot"),
            *("--register=no", "--keep-unit", "--private-network", "--link-journal=no", "--notify-ready=yes"),
            *("--resolv-conf=off", "--timezone=off", "--console=pipe"),
        ]
        environment = {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "NOTIFY_SOCKET": str(self._home / "notify"),
            "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",
        }
        self._nspawn = subprocess.Popen(
            _in_own_cgroup(self._cgroup, ["setpriv", "--pdeathsig", "KILL", *argv]),
            stdin=subprocess.DEVNULL,
            stdout=self._console,
            stderr=self._console,
            env=environment,
        )
        if not self._booted.wait(PATIENCE):
            raise AssertionError(f"{self.name} did not boot:\n{self.console()}")

    def _listen(self, heard: socket.socket) -> None:
        """Take in all that systemd-nspawn tells, for as long as it runs: it stops dead when nobody reads."""
        while words := heard.recv(4096).decode().splitlines():
            for word in words:
                if word.startswith("X_NSPAWN_LEADER_PID="):
                    self.leader = int(word.partition("=")[2])
            if "READY=1" in words:
                self._booted.set()

    def _stop_container(self, *, expected: int) -> None:
        """Wait for the end of a shutdown that was asked for."""
        assert self._nspawn is not None
        assert expected == self._nspawn.wait(timeout=PATIENCE), self.console()
        self.leader = 0

    def _kill(self) -> None:
        if self.leader:
            with suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGKILL)
        if self._nspawn is not None:
            try:
                self._nspawn.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                self._nspawn.kill()
                self._nspawn.wait()
        _remove_cgroup(self._cgroup)

    def power_off(self) -> None:
        """Shut down in order: services stop, everything is on the disk."""
        os.kill(self.leader, signal.SIGRTMIN + 4)
        self._stop_container(expected=0)

    def reboot(self) -> None:
        """An orderly reboot: a new boot id, the same disk; returns when it is up again."""
        self.run("systemctl", "--no-block", "reboot")
        self._stop_container(expected=_REBOOT)
        self._start_container()

    def console(self) -> str:
        """What was printed on the machine's console."""
        return (self._home / "console").read_text(encoding="utf-8", errors="replace")

    # -------------------------------------------------------------------------------------------------------- commands

    def start(self, *argv: str, stdin: int | None = subprocess.DEVNULL) -> subprocess.Popen[str]:
        """A command inside, as root, outside of every unit; the caller waits for it."""
        enter = ["nsenter", "-t", str(self.leader), "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w"]
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
        environment |= {"DEBIAN_FRONTEND": "noninteractive", "SYSTEMD_PAGER": "", "SYSTEMD_COLORS": "0"}
        return subprocess.Popen(
            [*enter, *argv],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )

    def run(self, *argv: str, check: bool = True, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside, as root, `text` on its standard input; with `check` it must end with 0."""
        with self.start(*argv, stdin=subprocess.PIPE) as process:
            try:
                out, err = process.communicate(text, timeout=COMMAND_PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                raise AssertionError(f"{' '.join(argv)} did not end\n{self.story()}") from None
        if check and process.returncode != 0:
            raise AssertionError(f"{' '.join(argv)} ended with {process.returncode}\n{out}{err}")
        return subprocess.CompletedProcess(argv, process.returncode, out, err)

    def run_as(self, user: str, *argv: str, check: bool = True, text: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command as somebody else, in a unit of its own, as a person's or a script's commands run."""
        wrapped = ["systemd-run", "--quiet", "--wait", "--pipe", "--collect", f"--uid={user}", "--", *argv]
        return self.run(*wrapped, check=check, text=text)

    def out(self, *argv: str) -> str:
        """What a command inside prints, without the last newline."""
        return self.run(*argv).stdout.rstrip("\n")

    def watcher(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """The installed command line, as root."""
        return self.run("watcher", *words, check=check)

    # ----------------------------------------------------------------------------------------------------------- files

    def path(self, inside: str) -> Path:
        """Where a file of the running machine is seen from here, tmpfs mounts such as /run included."""
        return Path(f"/proc/{self.leader}/root{inside}")

    def write(self, inside: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file inside, as root, its directories with it."""
        path = self.path(inside)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)

    def unit(self, name: str, text: str) -> None:
        """Install a unit file and make it known."""
        self.write(f"/etc/systemd/system/{name}", text)
        self.run("systemctl", "daemon-reload")

    # --------------------------------------------------------------------------------------------------------- waiting

    def until(self, what: str, look: Callable[[], _Result], *, patience: float = PATIENCE) -> _Result:
        """Look again and again until the answer is true; it is returned. `what` is said when that never happens."""
        deadline = time.monotonic() + patience
        while True:
            answer = look()
            if answer:
                return answer
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {patience:.0f} s: {what}\n{self.story()}")
            time.sleep(0.02)

    def story(self) -> str:
        """The last lines of the machine's journal, for the report of a failure."""
        return self.run("journalctl", "--no-pager", "-n", "60", "-o", "short-precise", check=False).stdout

    def state_of(self, unit: str) -> str:
        """`active`, `failed`, `inactive`, … of a unit."""
        return self.show(unit, "ActiveState")

    def show(self, unit: str, key: str) -> str:
        """One property of a unit."""
        return self.out("systemctl", "show", "--value", "-p", key, unit)

    # ----------------------------------------------------------------------------------------------------------- speak

    def http(self, path: str, *, method: str = "GET", body: Mapping[str, Any] | None = None) -> tuple[int, str]:
        """Ask the control socket, as root; status and body of the answer."""
        with socket.socket(socket.AF_UNIX) as line:
            line.settimeout(PATIENCE)
            # The kernel's limit of 107 bytes for the name is kept by way of the directory's descriptor.
            line.connect(str(self.path(CONTROL)))
            return _ask(line, path, method, body)

    def tcp(self, path: str) -> tuple[int, str]:
        """Ask the metrics address from inside the machine's own network; status and body of the answer."""
        with self._in_network(lambda: socket.create_connection(METRICS, timeout=PATIENCE)) as line:
            return _ask(line, path, "GET", None)

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its name and labels, as it is written there."""
        status, text = self.tcp("/metrics")
        assert status == 200, text
        return {
            _sample_name(sample.name, sample.labels): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def metric(self, name: str, **labels: str) -> float:
        """One sample; it must be there."""
        return self.metrics()[_sample_name(name, labels)]

    def release(self, release: str) -> dict[str, Any]:
        """A release as `release show -o json` gives it."""
        status, text = self.http(f"/api/v1/releases/{release}")
        assert status == 200, text
        answer: dict[str, Any] = json.loads(text)
        return answer

    def journal(self, *options: str) -> list[dict[str, Any]]:
        """Entries as journalctl shows them."""
        lines = self.run("journalctl", "--no-pager", "-o", "json", "--all", *options).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def _in_network(self, act: Callable[[], _Result]) -> _Result:
        """Act in a thread that has joined the machine's network; a socket made there belongs to it."""

        def enter() -> _Result:
            with Path(f"/proc/{self.leader}/ns/net").open("rb") as namespace:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace.fileno(), _CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), "setns")
            return act()

        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(enter).result()


def _sample_name(name: str, labels: Mapping[str, str]) -> str:
    inner = ",".join(f"{key}={value}" for key, value in sorted(labels.items()))
    return f"{name}{{{inner}}}" if inner else name


def _ask(line: socket.socket, path: str, method: str, body: Mapping[str, Any] | None) -> tuple[int, str]:
    connection = http.client.HTTPConnection("localhost")
    connection.sock = line
    payload = None if body is None else json.dumps(body)
    headers = {"Connection": "close"} | ({} if payload is None else {"Content-Type": "application/json"})
    connection.request(method, path, payload, headers)
    with connection.getresponse() as answer:
        return answer.status, answer.read().decode()


# ------------------------------------------------------------------------------------------------------------- cgroups

_HIERARCHIES = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup/systemd"), Path("/sys/fs/cgroup"))


def _own_cgroups(name: str) -> list[Path]:
    """A directory of its own in each hierarchy where systemd-nspawn would else put every machine into the same one."""
    return [top / f"release-watcher-{name}" for top in _HIERARCHIES if (top / "cgroup.procs").exists()]


def _in_own_cgroup(name: str, argv: Sequence[str]) -> list[str]:
    if Path("/run/systemd/system").exists():
        return ["systemd-run", "--scope", "--quiet", "-p", "Delegate=yes", *argv]
    moves = []
    for directory in _own_cgroups(name):
        directory.mkdir(exist_ok=True)
        moves.append(f"echo $$ > {directory}/cgroup.procs")
    return ["sh", "-c", "; ".join([*moves, 'exec "$@"']), "sh", *argv]


def _remove_cgroup(name: str) -> None:
    for directory in _own_cgroups(name):
        for inner, _, _ in os.walk(directory, topdown=False):
            with suppress(OSError):
                Path(inner).rmdir()
