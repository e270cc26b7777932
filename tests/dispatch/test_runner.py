"""The runner as a process of its own, with real commands."""

from __future__ import annotations

import fcntl
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
from pathlib import Path
from time import monotonic

import pytest

from tests.dispatch.scene import (
    ID,
    appends,
    is_alive,
    lines,
    outcome_of,
    result_of,
    run_runner,
    runner_argv,
    shell,
    until,
    write_claim,
)
from watcher.dispatch import runner

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")


def test_command_that_succeeds(tmp_path: Path) -> None:
    """The result says so, with times and output, which is in the log as well."""
    write_claim(tmp_path, shell("echo rolled back; echo to 1.9 >&2"))
    assert (0, "") == (run_runner(tmp_path).returncode, run_runner(tmp_path).stderr)
    assert ("succeeded", 0, "") == outcome_of(tmp_path)
    result = result_of(tmp_path)
    assert "rolled back\nto 1.9\n" == result["output"] == (tmp_path / f"{ID}.log").read_text()
    assert 0 < result["started_at"] <= result["finished_at"]


@pytest.mark.parametrize(
    ("command", "exit_code", "number", "detail"),
    [
        (shell("exit 3"), 3, None, "exited with status 3"),
        (shell("kill -9 $$"), None, 9, "was ended by signal 9"),
        (
            ("/nonexistent/rollback", "--now"),
            None,
            None,
            "was not started: /nonexistent/rollback: No such file or directory",
        ),
        (
            ("no-such-command-anywhere",),
            None,
            None,
            "was not started: no-such-command-anywhere: No such file or directory",
        ),
        (("/etc/passwd",), None, None, "was not started: /etc/passwd: Permission denied"),
        (("/etc",), None, None, "was not started: /etc: Permission denied"),
    ],
)
def test_command_that_fails(
    tmp_path: Path, command: tuple[str, ...], exit_code: int | None, number: int | None, detail: str
) -> None:
    """The result is failed, its detail says in words how or why, and so is the unit, however often it is started."""
    write_claim(tmp_path, command)
    assert [2, 2] == [run_runner(tmp_path).returncode for _ in range(2)]
    assert ("failed", exit_code, detail) == outcome_of(tmp_path)
    assert number == result_of(tmp_path)["signal"]


def test_command_that_is_no_program(tmp_path: Path) -> None:
    """An executable file without an interpreter line is not fed to a shell."""
    (tmp_path / "script").write_text("echo ran\n")
    (tmp_path / "script").chmod(0o755)
    write_claim(tmp_path, [str(tmp_path / "script")])
    run_runner(tmp_path)
    assert ("failed", None, f"was not started: {tmp_path}/script: Exec format error") == outcome_of(tmp_path)


def test_bare_name_is_looked_up(tmp_path: Path) -> None:
    """A command without a slash is found along PATH."""
    write_claim(tmp_path, ["echo", "$HOME", "; reboot"])
    run_runner(tmp_path)
    assert "$HOME ; reboot\n" == result_of(tmp_path)["output"]


def test_facts_on_standard_input(tmp_path: Path) -> None:
    """The command reads what is rolled back as one JSON object."""
    write_claim(tmp_path, ["cat"])
    run_runner(tmp_path)
    expected = {
        "schema": 1,
        "id": ID,
        "job": "import",
        "version": "2.0",
        "previous": "1.9",
        "reason_code": "matches",
    }
    assert expected == json.loads(result_of(tmp_path)["output"])


@pytest.mark.parametrize("script", ["exit 0", "exec <&-; exit 0"])
def test_command_that_reads_nothing(tmp_path: Path, script: str) -> None:
    """Facts that nobody reads disturb nobody."""
    write_claim(tmp_path, shell(script), version="v" * 3800)
    run_runner(tmp_path)
    assert ("succeeded", 0, "") == outcome_of(tmp_path)


def test_environment_is_an_allow_list(tmp_path: Path) -> None:
    """The command gets its facts and seven names of ours, nothing else that the daemon has."""
    write_claim(tmp_path, ["/usr/bin/env", "-0"], version="2 ü\n$(x)", previous=None)
    secrets = {"NOTIFY_SOCKET": "/run/n", "LISTEN_FDS": "1", "WATCHDOG_USEC": "1", "PGPASSWORD": "x", "LD_PRELOAD": ""}
    kept = {"HOME": "/h", "LANG": "C.UTF-8", "LC_ALL": "C", "TZ": "UTC", "USER": "u", "LOGNAME": "l"}
    run_runner(tmp_path, env=secrets | kept)
    expected = kept | {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "WATCHER_RELEASE_ID": ID,
        "WATCHER_JOB": "import",
        "WATCHER_VERSION": "2 ü\n$(x)",
        "WATCHER_PREVIOUS": "",
        "WATCHER_REASON_CODE": "matches",
    }
    output: str = result_of(tmp_path)["output"]
    assert expected == dict(pair.split("=", 1) for pair in output.split("\0") if pair)


def test_no_descriptor_is_passed_on(tmp_path: Path) -> None:
    """The command has 0, 1 and 2, whatever the runner was started with; `ls` itself opens 3."""
    write_claim(tmp_path, ["/bin/ls", "/proc/self/fd"])
    left, right = socket.socketpair()
    with left, right:
        run_runner(tmp_path, pass_fds=(left.fileno(), right.fileno()))
    assert ["0", "1", "2", "3"] == result_of(tmp_path)["output"].split()


def ignore_some() -> None:
    """As a shell does for what it starts in the background, and more."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGWINCH, signal.SIGUSR1, signal.SIGRTMAX):
        signal.signal(number, signal.SIG_IGN)


def test_command_stands_by_itself(tmp_path: Path) -> None:
    """It leads its own session and group, in /, with the usual umask and no signal ignored or blocked."""
    script = 'echo $$; cut -d " " -f 5,6 /proc/$$/stat; pwd; umask; '
    script += 'grep -E "^Sig(Ign|Blk)" /proc/$$/status | cut -f 2'
    write_claim(tmp_path, shell(script))
    run_runner(tmp_path, cwd=tmp_path, preexec_fn=ignore_some)
    pid, group_and_session, cwd, umask, blocked, ignored, _ = result_of(tmp_path)["output"].split("\n")
    assert (f"{pid} {pid}", "/", "0022") == (group_and_session, cwd, umask)
    # the C library keeps 32 and 33 to itself, and its posix_spawn leaves them ignored: nobody can change that
    assert (0, 0) == (int(blocked, 16), int(ignored, 16) & ~(1 << 31 | 1 << 32))


def test_flood_of_output(tmp_path: Path) -> None:
    """50 MB are drained; the file keeps the first 256 KiB and says that it was cut, the result the last 4."""
    write_claim(tmp_path, shell("head -c 52428800 /dev/zero | tr '\\0' x; echo; echo the end"))
    run_runner(tmp_path)
    assert ("succeeded", 0, "") == outcome_of(tmp_path)
    log = (tmp_path / f"{ID}.log").read_bytes()
    assert (256 * 1024, b"x", b"kept here]\n") == (log.index(b"\n[release-watcher:"), log[:1], log[-11:])
    output = result_of(tmp_path)["output"]
    assert (4096, "xx\nthe end\n") == (len(output), output[-11:])


def test_output_that_is_no_text(tmp_path: Path) -> None:
    """Bytes are kept as they are in the log and shown as replacement characters in the result."""
    write_claim(tmp_path, shell(r"printf 'a\377\000b'"))
    run_runner(tmp_path)
    assert (b"a\xff\0b", "a\ufffd\0b") == ((tmp_path / f"{ID}.log").read_bytes(), result_of(tmp_path)["output"])


def test_output_closed_early(tmp_path: Path) -> None:
    """The end of the command decides, not the end of its output."""
    write_claim(tmp_path, shell("echo bye; exec >&- 2>&-; sleep 0.3; exit 4"))
    run_runner(tmp_path)
    assert ("failed", 4, "exited with status 4") == outcome_of(tmp_path)


def test_grandchild_holds_the_output(tmp_path: Path) -> None:
    """What a command leaves running neither delays the result nor is it killed."""
    write_claim(tmp_path, shell("sleep 60 & echo $!"))
    began = monotonic()
    run_runner(tmp_path)
    left_behind = int(result_of(tmp_path)["output"])
    assert ("succeeded", 0, "") == outcome_of(tmp_path)
    assert is_alive(left_behind)
    os.kill(left_behind, signal.SIGKILL)
    assert monotonic() - began < 10


def test_child_goes_on_flooding(tmp_path: Path) -> None:
    """The result does not wait for it; once the runner is gone it writes to nobody, as everything that outlives it."""
    write_claim(tmp_path, shell(f"yes flood & echo $! > {tmp_path}/pid; exit 3"))
    began = monotonic()
    run_runner(tmp_path)
    assert ("failed", 3, "exited with status 3") == outcome_of(tmp_path)
    assert monotonic() - began < 10
    assert (tmp_path / f"{ID}.log").stat().st_size <= 256 * 1024 + 100
    until(lambda: not is_alive(int((tmp_path / "pid").read_text())))


def test_forks_that_flood_and_hang(tmp_path: Path) -> None:
    """Fifty deaf children that write without end, under a command that hangs: all are gone at the time limit."""
    child = f"(trap '' TERM; echo $(exec sh -c 'echo $PPID') >> {tmp_path}/pids; while :; do echo flood; done) &"
    write_claim(
        tmp_path,
        shell(f"for n in $(seq 50); do {child} done; while :; do sleep 60; done"),
        timeout="5m",
        timeout_usec=1_000_000,
        kill_after_usec=300_000,
    )
    run_runner(tmp_path)
    state, _, detail = outcome_of(tmp_path)
    assert ("failed", "timed out after 5m") == (state, detail)
    children = [int(line) for line in (tmp_path / "pids").read_text().split()]
    assert children
    until(lambda: not any(map(is_alive, children)))
    assert (tmp_path / f"{ID}.log").stat().st_size <= 256 * 1024 + 100
    assert 4096 == len(result_of(tmp_path)["output"])


def test_child_in_a_session_of_its_own_holds_the_output(tmp_path: Path) -> None:
    """What has left the group is beyond the time limit (PID 1 ends it with the cgroup), but delays nothing."""
    script = (
        f"setsid sh -c 'echo $$ > {tmp_path}/pid; exec sleep 60' & while [ ! -s {tmp_path}/pid ]; do sleep 0.02; done"
    )
    write_claim(tmp_path, shell(f"{script}; sleep 60"), timeout_usec=500_000, kill_after_usec=300_000)
    began = monotonic()
    run_runner(tmp_path)
    left_behind = int((tmp_path / "pid").read_text())
    assert ("failed", "timed out after 1m") == (outcome_of(tmp_path)[0], outcome_of(tmp_path)[2])
    assert is_alive(left_behind)
    os.kill(left_behind, signal.SIGKILL)
    assert monotonic() - began < 10


@pytest.mark.parametrize(
    "script",
    [
        "trap '' TERM; sleep 60 & echo $!; wait; sleep 60",
        "(trap '' TERM; echo $(exec sh -c 'echo $PPID'); sleep 60; sleep 60) & wait",
    ],
    ids=["deaf command", "deaf child of a polite command"],
)
def test_time_limit_ends_all(tmp_path: Path, script: str) -> None:
    """At its time limit the command is ended with everything that it started, deaf to SIGTERM or not."""
    write_claim(tmp_path, shell(script), timeout="5m", timeout_usec=300_000, kill_after_usec=300_000)
    run_runner(tmp_path)
    state, _, detail = outcome_of(tmp_path)
    assert ("failed", "timed out after 5m") == (state, detail)
    until(lambda: not is_alive(int(result_of(tmp_path)["output"].split()[0])))


def test_time_limit_leaves_time_to_clean_up(tmp_path: Path) -> None:
    """A child that tidies up after SIGTERM is not killed before its grace is over, though its parent has ended."""
    script = "(trap 'sleep 0.2; echo cleaned up; exit' TERM; echo ready; while :; do sleep 0.02; done) & wait"
    write_claim(tmp_path, shell(script), timeout_usec=400_000, kill_after_usec=5_000_000)
    began = monotonic()
    run_runner(tmp_path)
    output = result_of(tmp_path)["output"].replace("Terminated\n", "")  # the shell says so of its sleep
    assert "ready\ncleaned up\n" == output
    assert monotonic() - began < 4


def test_exit_zero_at_the_time_limit(tmp_path: Path) -> None:
    """A command that ends well because it was told to end has not done its work."""
    write_claim(tmp_path, shell("trap 'exit 0' TERM; while :; do sleep 0.02; done"), timeout_usec=300_000)
    assert 2 == run_runner(tmp_path).returncode
    assert ("failed", 0, "timed out after 1m") == outcome_of(tmp_path)


def test_runner_is_told_to_end(tmp_path: Path) -> None:
    """SIGTERM goes to the command, and the runner stays until that has ended."""
    write_claim(tmp_path, shell("trap 'sleep 0.2; echo asked; exit 7' TERM; echo ready; while :; do sleep 0.02; done"))
    with subprocess.Popen(runner_argv(tmp_path)) as running:
        until(lambda: (tmp_path / f"{ID}.log").exists() and (tmp_path / f"{ID}.log").read_text() == "ready\n")
        running.terminate()
        assert 2 == running.wait(10)
    assert ("failed", 7, "exited with status 7") == outcome_of(tmp_path)
    output = result_of(tmp_path)["output"].replace("Terminated\n", "")  # the shell says so of its sleep
    assert "ready\nasked\n" == output


def test_second_runner_does_nothing(tmp_path: Path) -> None:
    """Once ID.started is there the command is never started again, and its unit does not look well."""
    write_claim(tmp_path, appends(tmp_path / "ran"))
    (tmp_path / f"{ID}.started").touch()
    ended = run_runner(tmp_path)
    assert 1 == ended.returncode
    assert "its command was interrupted" in ended.stderr
    assert (0, False) == (lines(tmp_path / "ran"), (tmp_path / f"{ID}.result").exists())


def test_twenty_runners_at_once(tmp_path: Path) -> None:
    """One of them runs the command."""
    write_claim(tmp_path, appends(tmp_path / "ran", then="sleep 0.2"))
    running = [subprocess.Popen(runner_argv(tmp_path)) for _ in range(20)]
    assert [0] * 20 == [one.wait(20) for one in running]
    assert (1, "succeeded") == (lines(tmp_path / "ran"), outcome_of(tmp_path)[0])


def test_interrupted_idempotent_command(tmp_path: Path) -> None:
    """It is run once more, and not a third time."""
    write_claim(tmp_path, appends(tmp_path / "ran"), idempotent=True)
    (tmp_path / f"{ID}.started").touch()
    run_runner(tmp_path)
    assert (1, "succeeded") == (lines(tmp_path / "ran"), outcome_of(tmp_path)[0])
    assert (tmp_path / f"{ID}.started.2").exists()
    (tmp_path / f"{ID}.result").unlink()
    run_runner(tmp_path)
    assert 1 == lines(tmp_path / "ran")


def test_running_idempotent_command(tmp_path: Path) -> None:
    """While its runner lives, another one keeps away."""
    write_claim(tmp_path, appends(tmp_path / "ran"), idempotent=True)
    with (tmp_path / f"{ID}.started").open("w") as started:
        fcntl.flock(started, fcntl.LOCK_EX)
        assert 0 == run_runner(tmp_path).returncode
    assert 0 == lines(tmp_path / "ran")


def test_started_is_locked_and_complete(tmp_path: Path) -> None:
    """As long as the runner lives, ID.started is locked, and it says when and in which boot that was."""
    write_claim(tmp_path, shell(f"flock -n {tmp_path}/{ID}.started true || echo locked; cat {tmp_path}/{ID}.started"))
    run_runner(tmp_path)
    verdict, marker = result_of(tmp_path)["output"].split("\n", 1)
    assert "locked" == verdict
    assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() == json.loads(marker)["boot_id"]
    assert result_of(tmp_path)["started_at"] == json.loads(marker)["started_at"]


def test_unknown_user(tmp_path: Path) -> None:
    """A user that does not exist is a failed rollback with that reason."""
    write_claim(tmp_path, appends(tmp_path / "ran"), user="no-such-user")
    run_runner(tmp_path)
    assert ("failed", None, 'was not started: user "no-such-user" does not exist') == outcome_of(tmp_path)
    assert 0 == lines(tmp_path / "ran")


def test_own_user(tmp_path: Path) -> None:
    """Naming the user that the runner has anyway needs no right."""
    write_claim(tmp_path, ["id", "-u"], user=pwd.getpwuid(os.geteuid()).pw_name)
    run_runner(tmp_path)
    assert f"{os.geteuid()}\n" == result_of(tmp_path)["output"]


@ROOT_ONLY
def test_other_user(tmp_path: Path) -> None:
    """Root becomes the job's user wholly: ids, groups, home and names."""
    nobody = pwd.getpwnam("nobody")
    write_claim(
        tmp_path, shell("grep -E '^(Uid|Gid|Groups)' /proc/$$/status; echo $HOME $USER $LOGNAME"), user="nobody"
    )
    run_runner(tmp_path)
    uid, gid, groups, names = result_of(tmp_path)["output"].splitlines()
    assert [["Uid:", *[str(nobody.pw_uid)] * 4], ["Gid:", *[str(nobody.pw_gid)] * 4]] == [uid.split(), gid.split()]
    assert [str(nobody.pw_gid)] == groups.split()[1:]
    assert [nobody.pw_dir, "nobody", "nobody"] == names.split()


@pytest.mark.parametrize(
    ("contents", "complaint"),
    [
        ("", "is damaged"),
        ('{"schema": 1, "id": "import-1", "jo', "is damaged"),
        ("[]", "is damaged"),
        ("[" * 100_000, "is damaged"),
        ('{"schema": NaN}', "is damaged"),
        ('{"schema": 2}', "is of another schema"),
        ('{"schema": 1}', "id: is missing or of another kind"),
        ("x" * 300_000, "is larger than 262144 bytes"),
    ],
)
def test_damaged_claim(tmp_path: Path, contents: str, complaint: str) -> None:
    """Nothing is run, and the complaint names the file and what is wrong with it."""
    (tmp_path / f"{ID}.claim").write_text(contents)
    ended = run_runner(tmp_path)
    assert (1, f"release-watcher: rollback {ID}: {ID}.claim: {complaint}\n") == (ended.returncode, ended.stderr)
    assert [f"{ID}.claim"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"id": "other-1"}, 'holds the claim of "other-1"'),
        ({"id": "../x"}, 'id: "../x" is no file name'),
        ({"command": []}, f"command of {ID}: is empty"),
        ({"command": ["a", 1]}, "command: is no text"),
        ({"command": ["a\0b"]}, "command: holds a NUL"),
        ({"version": "\ud800"}, "version: is no Unicode text"),
        ({"version": "x" * 5000}, f"facts of {ID}: larger than 4096 bytes"),
        ({"idempotent": 1}, "idempotent: is missing or of another kind"),
        ({"timeout_usec": True}, "timeout_usec: is missing or of another kind"),
    ],
)
def test_hostile_claim(tmp_path: Path, changes: dict[str, object], complaint: str) -> None:
    """A claim that says what none of ours would say is refused as a whole."""
    write_claim(tmp_path, ["true"])
    claim = json.loads((tmp_path / f"{ID}.claim").read_text())
    (tmp_path / f"{ID}.claim").write_text(json.dumps(claim | changes))
    ended = run_runner(tmp_path)
    assert (1, f"release-watcher: rollback {ID}: {ID}.claim: {complaint}\n") == (ended.returncode, ended.stderr)
    assert not (tmp_path / f"{ID}.started").exists()


def test_claim_behind_a_link(tmp_path: Path) -> None:
    """A link is not followed, and a FIFO not waited for."""
    write_claim(tmp_path, appends(tmp_path / "ran"), "other")
    (tmp_path / f"{ID}.claim").symlink_to(tmp_path / "other.claim")
    os.mkfifo(tmp_path / "fifo.claim")
    assert "is no regular file" in run_runner(tmp_path).stderr
    assert "is no regular file" in run_runner(tmp_path, "fifo").stderr
    assert 0 == lines(tmp_path / "ran")


@pytest.mark.parametrize("arguments", [[], ["/tmp"], ["/tmp", "../etc/x"], ["/tmp", ".x"], ["/tmp", ""]])
def test_wrong_arguments(arguments: list[str]) -> None:
    """An id that leads out of the directory is no id."""
    argv = [sys.executable, "-I", "-S", runner.__file__, *arguments]
    ended = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (1, "release-watcher: usage: runner.py CLAIMS_DIR ID\n") == (ended.returncode, ended.stderr)


def test_log_that_is_a_link(tmp_path: Path) -> None:
    """The log follows no link, and the rollback does not fail for want of a log."""
    (tmp_path / "victim").write_text("")
    (tmp_path / f"{ID}.log").symlink_to(tmp_path / "victim")
    write_claim(tmp_path, ["echo", "hello"])
    assert "Too many levels of symbolic links" in run_runner(tmp_path).stderr
    assert ("hello\n", "") == (result_of(tmp_path)["output"], (tmp_path / "victim").read_text())


def test_result_waits_for_the_disk(tmp_path: Path) -> None:
    """A result that can't be written is tried again, and meanwhile the rollback counts as running."""
    write_claim(tmp_path, ["true"])
    (tmp_path / f"{ID}.result.away").mkdir()
    script = f"mv {tmp_path}/{ID}.result.away {tmp_path}/{ID}.result"  # from now on a directory is in the way
    write_claim(tmp_path, shell(script))
    with subprocess.Popen(runner_argv(tmp_path), stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        assert f"release-watcher: {ID}.result: Is a directory\n" == running.stderr.readline()
        (tmp_path / f"{ID}.result").rmdir()
        assert 0 == running.wait(10)
    assert ("succeeded", 0, "") == outcome_of(tmp_path)


def test_start_loads_little(tmp_path: Path) -> None:
    """The command waits for the runner's imports, so none of the slow modules is among them."""
    write_claim(tmp_path, ["true"])
    argv = runner_argv(tmp_path)
    ended = subprocess.run([*argv[:3], "-X", "importtime", *argv[3:]], capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip() for line in ended.stderr.splitlines()}
    slow = {"collections", "contextlib", "dataclasses", "enum", "json", "logging", "pathlib", "re", "signal", "site"}
    slow |= {"subprocess", "tempfile", "threading", "typing", "watcher.core"}
    assert "watcher.dispatch.once" in loaded
    assert set() == slow & loaded


def test_output_goes_to_the_journal_as_well(tmp_path: Path) -> None:
    """Where PID 1 has connected standard error to the journal, the command's output is there to read."""
    write_claim(tmp_path, shell("echo out; echo err >&2"))
    reader, journal = os.pipe()
    found = os.fstat(journal)
    environment = {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
    subprocess.run(runner_argv(tmp_path), stderr=journal, env=environment, check=True, timeout=20)
    os.close(journal)
    assert b"out\nerr\n" == os.read(reader, 100)
    os.close(reader)
    assert "out\nerr\n" == result_of(tmp_path)["output"]


def test_journal_that_takes_nothing(tmp_path: Path) -> None:
    """A journald that hangs stops neither the command nor its record."""
    write_claim(tmp_path, shell("head -c 300000 /dev/zero | tr '\\0' x"))
    reader, journal = os.pipe()
    found = os.fstat(journal)
    environment = {**os.environ, "JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}
    subprocess.run(runner_argv(tmp_path), stderr=journal, env=environment, check=True, timeout=20)
    assert ("succeeded", 0, "") == outcome_of(tmp_path)
    os.close(reader)
    os.close(journal)
