"""Claims, releases and commands for the tests of rollbacks: real files, real processes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from time import monotonic, sleep, time_ns
from typing import Any

from watcher.core.duration import MINUTE, Usec
from watcher.core.names import JobName, ReleaseId
from watcher.core.policy import JobPolicy, Mode, ReleasePolicy, RollbackPlan
from watcher.core.reason import Reason, ReasonCode
from watcher.core.release import Phase, Release, ReleaseRequest, Rollback, RollbackState
from watcher.core.trial import new_trial
from watcher.dispatch import runner

ID = ReleaseId("import-1")
PATIENCE = 20.0


def shell(script: str) -> tuple[str, ...]:
    """A command that runs the script."""
    return ("/bin/sh", "-c", script)


def appends(path: Path, *, then: str = "") -> tuple[str, ...]:
    """A command that leaves one line in the file each time that it is run."""
    return shell(f"echo ran >> {path}; {then}")


def lines(path: Path) -> int:
    """How often such a command was run."""
    return len(path.read_text().splitlines()) if path.exists() else 0


def write_claim(directory: Path, command: Sequence[str], release_id: str = ID, **changes: object) -> None:
    """A claim as it stands on the disk."""
    claim: dict[str, object] = {
        "schema": 1,
        "id": release_id,
        "job": "import",
        "version": "2.0",
        "previous": "1.9",
        "reason_code": "matches",
        "command": list(command),
        "timeout": "1m",
        "timeout_usec": 60_000_000,
        "kill_after_usec": 300_000,
        "user": None,
        "idempotent": False,
        "claimed_at": 1,
    }
    (directory / f"{release_id}.claim").write_text(json.dumps(claim | changes))


def runner_argv(directory: Path, release_id: str = ID) -> list[str]:
    """The runner as the daemon and the dispatcher start it."""
    return [sys.executable, "-I", "-S", runner.__file__, str(directory), release_id]


def run_runner(directory: Path, release_id: str = ID, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the claim to its end."""
    argv = runner_argv(directory, release_id)
    return subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE, check=False, **options)


def result_of(directory: Path, release_id: str = ID) -> dict[str, Any]:
    """What stands in ID.result."""
    found: dict[str, Any] = json.loads((directory / f"{release_id}.result").read_text())
    return found


def outcome_of(directory: Path, release_id: str = ID) -> tuple[str, int | None, str]:
    """State, exit code and detail of ID.result."""
    result = result_of(directory, release_id)
    return result["state"], result["exit_code"], result["detail"]


def until(true: Callable[[], object]) -> None:
    """Wait for what another process is about to do; fails when it doesn't."""
    deadline = monotonic() + PATIENCE
    while not true():
        assert monotonic() < deadline, "waited in vain"
        sleep(0.005)


def is_alive(pid: int) -> bool:
    """Whether the process runs; a zombie does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def now() -> Usec:
    """The clock of these tests is the real one: the runner asks it as well."""
    return Usec(time_ns() // 1000)


def failed_release(
    command: tuple[str, ...],
    release_id: str = ID,
    *,
    version: str = "2.0",
    idempotent: bool = False,
    planned: bool = True,
) -> Release:
    """A release whose rollback was decided and made durable."""
    plan = RollbackPlan(command=command, timeout=MINUTE, idempotent=idempotent)
    policy = JobPolicy(
        name=JobName("import"),
        owner="data-team",
        rules={},
        rules_hash="",
        journalctl=(),
        release=ReleasePolicy(
            mode=Mode.ROLLBACK,
            window=MINUTE,
            settle=Usec(0),
            thresholds=(),
            rollback=plan if planned else None,
        ),
    )
    return Release(
        id=ReleaseId(release_id),
        request=ReleaseRequest(job=policy.name, version=version, author="deploy"),
        policy=policy,
        mode=Mode.ROLLBACK,
        owner=policy.owner,
        previous="1.9",
        registered_at=now(),
        window=MINUTE,
        phase=Phase.FAILED,
        trial=new_trial(()),
        rollback=Rollback(state=RollbackState.QUEUED, reason=Reason(code=ReasonCode.MATCHES, count=5, limit=5)),
    )


def named(*release_ids: str) -> list[Release]:
    """Releases of these ids whose rollback was decided."""
    return [failed_release(("true",), release_id) for release_id in release_ids]
