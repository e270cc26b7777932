from __future__ import annotations

import json
import os
import pwd
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest

from tests.events import JOB, RELEASE, batch, configured, observed, policy, release, request, settings, span
from tests.parts.front import MemoryFront
from tests.parts.verbs import COMMAND, Served, served, surroundings
from watcher.cli.client import unreachable
from watcher.core.policy import Mode
from watcher.core.release import Phase, RollbackState
from watcher.paths import SOCKET


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Served]:
    with served(MemoryFront(state=configured(policy(command=("/bin/true",)))), tmp_path) as daemon:
        yield daemon


def serving_backup(tmp_path: Path, stack: ExitStack, *command: str) -> Served:
    job = policy()
    front = MemoryFront(state=configured(replace(job, release=replace(job.release, backup=command))))
    return stack.enter_context(served(front, tmp_path))


# ------------------------------------------------------------------------------------------------------------- start


def test_start_prints_the_id_alone(daemon: Served) -> None:
    """A script takes the id from stdout."""
    said = daemon.watcher("release", "start", JOB, "--version", "2.0", "--reason", "faster", "--file", "a.py", "b.py")
    assert (0, f"{RELEASE}\n", "") == (said.code, said.out, said.err)
    request = daemon.front.records[RELEASE].request
    assert ("2.0", "faster", ("a.py", "b.py")) == (request.version, request.reason, request.files)


@pytest.mark.parametrize(
    ("mode", "told"), [(Mode.ROLLBACK, 1), (Mode.ASK, 1), (Mode.OBSERVE, 0)], ids=["rollback", "ask", "observe"]
)
def test_start_warns_of_a_rollback_command_that_is_not_there(tmp_path: Path, mode: Mode, told: int) -> None:
    """Registered all the same; whoever deploys hears of it before the rollback is needed."""
    program = tmp_path / "roll-back"
    with served(MemoryFront(state=configured(policy(mode=mode, command=(str(program),)))), tmp_path) as daemon:
        said = daemon.watcher("release", "start", JOB, "--version", "2.0")
        program.write_text("#!/bin/sh\n")
        closed = daemon.watcher("release", "start", JOB, "--version", "3.0")
        program.chmod(0o755)
        fine = daemon.watcher("release", "start", JOB, "--version", "4.0")
    assert (0, f"{RELEASE}\n", told) == (said.code, said.out, said.err.count(f"there is no {program}; ls -l {program}"))
    assert told == closed.err.count(f"{program} can't be executed; chmod a+x {program}")
    assert "" == fine.err


def test_start_in_json_prints_the_release(daemon: Served) -> None:
    """The contract's object."""
    said = daemon.watcher("-o", "json", "release", "start", JOB, "--version", "2.0", "--mode", "ask", "--window", "1h")
    assert (1, RELEASE, "ask", "1h") == tuple(said.json[key] for key in ("schema", "id", "mode", "window"))


def test_start_again_with_the_same_id_is_the_same_release(daemon: Served) -> None:
    """Exit 0 for the same content, an error for another."""
    words = ("release", "start", JOB, "--id", "mine")
    said = [daemon.watcher(*words, "--version", version) for version in ("2.0", "2.0", "3.0")]
    assert [0, 0, 64] == [one.code for one in said]
    assert "with this id and other content" in said[2].err


def test_backup_runs_first_and_stands_in_the_record(tmp_path: Path) -> None:
    """Its exit code and the tail of its output go with the registration."""
    with ExitStack() as stack:
        daemon = serving_backup(tmp_path, stack, "/bin/echo", "saved")
        assert 0 == daemon.watcher("release", "start", JOB, "--version", "2.0").code
        backup = daemon.front.records[RELEASE].request.backup
    assert backup is not None
    assert (("/bin/echo", "saved"), 0, "saved\n") == (backup.command, backup.exit_code, backup.output)


@pytest.mark.parametrize("verb", ["start", "exec"])
def test_failing_backup_registers_nothing(tmp_path: Path, verb: str) -> None:
    """Exit 1, with what it printed, made safe."""
    with ExitStack() as stack:
        daemon = serving_backup(tmp_path, stack, "/bin/sh", "-c", "printf 'no \\033[2J space'; exit 3")
        rest = ("--", "true") if verb == "exec" else ()
        said = daemon.watcher("release", verb, JOB, "--version", "2.0", *rest)
        assert {} == daemon.front.records
    assert 1 == said.code
    assert "no \\x1b[2J space" in said.err


def test_git_tells_version_reason_and_files(daemon: Served, tmp_path: Path) -> None:
    """Options win over what the repository says."""
    repository = tmp_path / "checkout"
    commits = (("one.py", "First"), ("two.py", "Second"))
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    for name, subject in commits:
        (repository / name).write_text(name)
        who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(repository)]
        subprocess.run(["git", *who, "add", "."], check=True)
        subprocess.run(["git", *who, "commit", "-q", "-m", subject], check=True)
    subprocess.run(["git", "-C", str(repository), "tag", "v2"], check=True)
    assert 0 == daemon.watcher("release", "start", JOB, "--git", str(repository), "--owner", "ops").code
    request = daemon.front.records[RELEASE].request
    assert ("v2", "Second", ("two.py",)) == (request.version, request.reason, request.files)


def test_git_without_a_repository_says_so(daemon: Served, tmp_path: Path) -> None:
    """Nothing is registered."""
    said = daemon.watcher("release", "start", JOB, "--git", str(tmp_path))
    assert (64, {}) == (said.code, daemon.front.records)
    assert "not a git repository" in said.err


# -------------------------------------------------------------------------------------------------------------- wait


@pytest.mark.parametrize(
    ("mode", "states", "code"),
    [
        (Mode.ROLLBACK, (RollbackState.RUNNING, RollbackState.SUCCEEDED), 1),
        (Mode.ROLLBACK, (RollbackState.RUNNING, RollbackState.FAILED), 2),
        (Mode.ROLLBACK, (RollbackState.RUNNING, RollbackState.UNKNOWN), 2),
        (Mode.ASK, (), 2),
        (Mode.OBSERVE, (), 2),
    ],
)
def test_wait_ends_when_the_rollback_is_settled(
    tmp_path: Path, mode: Mode, states: tuple[RollbackState, ...], code: int
) -> None:
    """1 means rolled back; everything else of a failure needs a person."""
    with served(MemoryFront(state=configured(policy(mode=mode))), tmp_path) as daemon:
        daemon.do(lambda: daemon.front.take(release()))
        waiting = daemon.start("release", "wait", RELEASE)
        daemon.do(lambda: daemon.front.take(batch(at="10s", errors=5)))
        for state in states:
            daemon.do(lambda state=state: daemon.front.take(observed(state, at="11s")))  # type: ignore[misc]
        out, err = waiting.communicate(timeout=20)
    assert code == waiting.returncode, err
    assert "5 error matches" in out


@pytest.mark.parametrize(("judgement", "code"), [("pass", 0), ("cancel", 4)])
def test_person_ends_the_wait(daemon: Served, judgement: str, code: int) -> None:
    """The verdict's exit code."""
    daemon.watcher("release", "start", JOB, "--version", "2.0")
    waiting = daemon.start("release", "wait", RELEASE, "-o", "json")
    daemon.watcher("release", judgement, RELEASE, "--reason", "seen the graphs")
    out, _ = waiting.communicate(timeout=20)
    assert (code, RELEASE) == (waiting.returncode, json.loads(out)["id"])


def test_superseded_release_is_4(daemon: Served) -> None:
    """A newer release of the job ends the wait for the old one."""
    daemon.watcher("release", "start", JOB, "--version", "2.0")
    daemon.watcher("release", "start", JOB, "--version", "3.0")
    assert 4 == daemon.watcher("release", "wait", RELEASE).code


def test_wait_times_out_with_124(daemon: Served) -> None:
    """The release goes on."""
    daemon.watcher("release", "start", JOB, "--version", "2.0")
    assert 124 == daemon.watcher("release", "wait", RELEASE, "--timeout", "200ms").code
    assert Phase.WATCHING is daemon.front.records[RELEASE].phase


def test_wait_outlives_a_restart_of_the_daemon(tmp_path: Path) -> None:
    """A daemon that is away for a moment is asked again."""
    front = MemoryFront()
    front.take(release())
    with served(front, tmp_path) as daemon:
        waiting = daemon.start("release", "wait", RELEASE)
        while not front.waiters:
            assert waiting.poll() is None
    with served(front, tmp_path) as daemon:
        daemon.watcher("release", "pass", RELEASE, "--reason", "fine")
        waiting.communicate(timeout=20)
    assert 0 == waiting.returncode


def test_wait_begins_while_the_daemon_is_being_restarted(tmp_path: Path) -> None:
    """One that is away at the very first request is asked again as well."""
    front = MemoryFront()
    front.take(release())
    argv = [*COMMAND, "release", "wait", RELEASE, "--state-dir", str(tmp_path)]
    waiting = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings())
    assert waiting.stderr is not None
    assert "no daemon listens there (No such file or directory); trying again" in waiting.stderr.readline()
    with served(front, tmp_path) as daemon:
        daemon.watcher("release", "pass", RELEASE, "--reason", "fine")
        waiting.communicate(timeout=20)
    assert 0 == waiting.returncode


@pytest.mark.parametrize(("more", "shortest", "longest"), [((), 5.0, 15.0), (("--timeout", "300ms"), 0.3, 4.0)])
def test_wait_for_a_daemon_that_does_not_come(
    tmp_path: Path, more: tuple[str, ...], shortest: float, longest: float
) -> None:
    """69 after a moment, and not later than the wait would have ended."""
    began = time.monotonic()
    argv = [*COMMAND, "release", "wait", RELEASE, *more, "--state-dir", str(tmp_path)]
    said = subprocess.run(argv, capture_output=True, text=True, env=surroundings(), check=False)
    assert (69, "") == (said.returncode, said.stdout)
    assert shortest <= time.monotonic() - began < longest


def test_wait_for_a_daemon_that_hangs(tmp_path: Path) -> None:
    """The time that was given is over then, and that is what the exit code says."""
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "control.sock"))
        listening.listen()
        began = time.monotonic()
        argv = [*COMMAND, "release", "wait", RELEASE, "--timeout", "1s", "--state-dir", str(tmp_path)]
        said = subprocess.run(argv, capture_output=True, text=True, env=surroundings(), check=False)
    assert (124, "") == (said.returncode, said.stdout), said.stderr
    assert "no answer within" in said.stderr
    assert 1 <= time.monotonic() - began < 10


@pytest.mark.parametrize("cut_off", [1, 2])
def test_look_that_is_cut_off_is_taken_again(tmp_path: Path, cut_off: int) -> None:
    """A daemon that ends in the middle of an answer leaves no doubt about what was done: it was a look."""
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(str(tmp_path / "control.sock"))
        listening.listen()
        argv = [*COMMAND, "release", "list", "--state-dir", str(tmp_path)]
        asking = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=surroundings())
        for number in (1, 2):
            connection, _ = listening.accept()
            with closing(connection):
                connection.recv(4096)
                rest = "" if number <= cut_off else '"releases": []}'
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 28\r\n\r\n" + f'{{"schema": 1,{rest}'.encode())
        out, err = asking.communicate(timeout=20)
    assert (0 if cut_off == 1 else 75) == asking.returncode, out + err
    assert "may have been done" not in err


def test_unknown_release_is_no_verdict(daemon: Served) -> None:
    """An error must not look like 1, failed and rolled back."""
    assert 64 == daemon.watcher("release", "wait", "nothing-1").code


# -------------------------------------------------------------------------------------------------------------- exec


def test_failing_command_cancels_and_gives_its_own_code(daemon: Served) -> None:
    """The clock never started."""
    said = daemon.watcher("release", "exec", JOB, "--version", "2.0", "--", "sh", "-c", "exit 7")
    record = daemon.front.records[RELEASE]
    assert (7, Phase.CANCELLED, None) == (said.code, record.phase, record.started_at)


@pytest.mark.parametrize(("command", "code"), [(("/no/such",), 127), (("/etc/passwd",), 126)])
def test_command_that_can_not_start_is_as_in_a_shell(daemon: Served, command: tuple[str, ...], code: int) -> None:
    """127 for one that is not there, 126 for one that is no program."""
    assert code == daemon.watcher("release", "exec", JOB, "--version", "2.0", "--", *command).code
    assert Phase.CANCELLED is daemon.front.records[RELEASE].phase


def test_exec_keeps_the_words_of_the_command(daemon: Served) -> None:
    """What stands after `--` is the command's alone; afterwards the verdict is awaited."""
    running = daemon.start("release", "exec", JOB, "--version", "2.0", "--", "echo", "--", "-o", "json", "--id", "x")
    while daemon.front.records.get(RELEASE) is None or daemon.front.records[RELEASE].phase is not Phase.WATCHING:
        assert running.poll() is None
    daemon.watcher("release", "pass", RELEASE, "--reason", "fine")
    out, _ = running.communicate(timeout=20)
    assert 0 == running.returncode
    assert "-- -o json --id x\n" in out


def test_exec_without_a_command_is_usage(daemon: Served) -> None:
    """Nothing is registered."""
    assert (64, {}) == (daemon.watcher("release", "exec", JOB, "--version", "2.0").code, daemon.front.records)


# ------------------------------------------------------------------------------------------------------- other verbs


def test_prepared_release_is_deployed_and_extended(daemon: Served) -> None:
    """The verbs of a release reach their routes."""
    daemon.watcher("release", "start", JOB, "--version", "2.0", "--prepare")
    deployed = daemon.watcher("release", "deployed", RELEASE, "-o", "json")
    extended = daemon.watcher("release", "extend", RELEASE, "--by", "10m", "--reason", "slow", "-o", "json")
    assert ("watching", "25m") == (deployed.json["phase"], extended.json["window"])
    told = daemon.watcher("release", "extend", RELEASE, "--by", "10m", "--reason", "slower").out
    end = daemon.watcher("release", "show", RELEASE, "-o", "json").json["ends_at"]
    assert f"{RELEASE}: watching until {end[:19]}Z, 3" in told


def test_hostile_words_are_shown_escaped(daemon: Served) -> None:
    """A reason can't move the cursor of whoever looks at the release."""
    daemon.watcher("release", "start", JOB, "--version", "2.0", "--reason", "\x1b[2Jgone\u202e")
    said = daemon.watcher("release", "show", RELEASE)
    assert "\\x1b[2Jgone\\u202e" in said.out
    assert said.out.replace("\n", "").isprintable()


def test_list_and_note(daemon: Served) -> None:
    """The list names the release; the note is printed as it stands."""
    daemon.watcher("release", "start", JOB, "--version", "2.0")
    daemon.front.notes[RELEASE] = "# import 2.0\n"
    assert RELEASE in daemon.watcher("release", "list", "--job", JOB).out
    assert "# import 2.0\n" == daemon.watcher("release", "note", RELEASE).out


def test_pause_and_resume(daemon: Served) -> None:
    """Held with a reason, and let go."""
    assert 0 == daemon.watcher("pause", JOB, "--reason", "big sale", "--for", "1h").code
    assert "big sale" in daemon.watcher("status").out
    said = daemon.watcher("resume", JOB)
    assert (0, "nothing is paused any more; a rollback that is held stays held\n") == (said.code, said.out)
    assert () == daemon.front.state.pauses


def test_off_switch_is_told(tmp_path: Path) -> None:
    """At a glance, and to whoever asks for a rollback, which then is not run: not only by a look for mistakes."""
    with served(MemoryFront(state=configured(policy(mode=Mode.ASK)), is_disarmed=True), tmp_path) as daemon:
        daemon.do(lambda: daemon.front.take(release()))
        daemon.do(lambda: daemon.front.take(batch(at="10s", errors=5)))
        assert "paused: every rollback, also a person's: the off switch is on" in daemon.watcher("status").out
        found = daemon.watcher("status", "-o", "json").json
        assert [True, True] == [found["disarmed"], found["jobs"][JOB]["paused"]]
        (one,) = daemon.front.state.releases
        said = daemon.watcher("release", "rollback", one, "--reason", "now")
        assert "watcher: held: every rollback, also a person's: the off switch is on" in said.err
        daemon.front.is_disarmed = False
        assert "off switch" not in daemon.watcher("status").out


def test_order_of_a_rollback_that_has_succeeded_says_that_nothing_was_run(daemon: Served) -> None:
    """Asked twice is as good as once, exit 0; whoever asked for a second run must not believe that there was one."""
    daemon.do(lambda: daemon.front.take(release()))
    daemon.do(lambda: daemon.front.take(batch(at="10s", errors=5)))
    words = ("release", "rollback", RELEASE, "--reason", "once more")
    daemon.do(lambda: daemon.front.take(observed(RollbackState.RUNNING, at="11s", started="11s")))
    running = daemon.watcher(*words)
    done = observed(RollbackState.SUCCEEDED, at="14s", started="11s", finished="13s")
    daemon.do(lambda: daemon.front.take(done))
    said = daemon.watcher(*words)
    record = daemon.watcher("release", "show", RELEASE, "-o", "json").json["rollback"]
    since, when = record["started_at"], record["finished_at"]
    assert (0, f"watcher: nothing more was run: the rollback has been running since {since}\n") == (
        running.code,
        running.err,
    )
    assert (0, f"watcher: nothing was run: the rollback had succeeded already, at {when}\n") == (said.code, said.err)
    assert "rollback succeeded" in said.out


def test_status_tells_of_a_held_rollback(tmp_path: Path) -> None:
    """A failure that waits for a person is seen at a glance, without asking for the release."""
    with served(MemoryFront(state=configured(policy(mode=Mode.ASK))), tmp_path) as daemon:
        daemon.do(lambda: daemon.front.take(release()))
        daemon.do(lambda: daemon.front.take(batch(at="10s", errors=5)))
        said = daemon.watcher("status")
    assert said.out.splitlines()[-1].endswith("failed, rollback held")


def test_no_daemon_behind_the_socket_of_the_service() -> None:
    """Where a service was installed the way out is its unit; by hand it is another daemon or another place."""
    missing = FileNotFoundError(2, "No such file or directory")
    assert "systemctl start release-watcher.service" in unreachable(SOCKET, missing).hint
    assert "systemctl" not in unreachable(Path("/tmp/state/control.sock"), missing).hint


def test_refused_reload_is_78_with_every_error(daemon: Served) -> None:
    """The configuration's errors come back, the exit code is the configuration's."""
    daemon.front.config_problems = ("watcher.yaml:3:1: jobs.x: unknown key", "watcher.yaml:9:1: version: missing")
    said = daemon.watcher("reload")
    assert 78 == said.code
    assert all(problem in said.err for problem in daemon.front.config_problems)


def test_full_disk_is_75(daemon: Served) -> None:
    """Try again."""
    daemon.front.reason_not_stored = "the disk is full"
    assert 75 == daemon.watcher("release", "start", JOB, "--version", "2.0").code


# ----------------------------------------------------------------------------------------------- errors and start-up


@pytest.mark.parametrize("words", [("bogus",), ("status", "--jsn"), ("release",), ("pause",), ("release", "fail", "x")])
def test_wrong_words_are_64(daemon: Served, words: tuple[str, ...]) -> None:
    """Usage errors have the contract's code and a hint."""
    said = daemon.watcher(*words)
    assert (64, "") == (said.code, said.out)
    assert "  hint: " in said.err


def test_the_bare_command_says_what_it_wants() -> None:
    """Who types `watcher` and nothing else is told how it is used, not how it broke."""
    said = subprocess.run(COMMAND, capture_output=True, text=True, env=surroundings(), check=False)
    assert (64, "") == (said.returncode, said.stdout)
    assert "required: VERB" in said.stderr
    assert "`watcher --help` shows how it is used" in said.stderr


def test_no_daemon_is_69_and_names_the_socket(tmp_path: Path) -> None:
    """The hint says what to start."""
    path = tmp_path / "control.sock"
    said = subprocess.run(
        [*COMMAND, "--socket", str(path), "status"], capture_output=True, text=True, env=surroundings(), check=False
    )
    assert 69 == said.returncode
    assert str(path) in said.stderr
    assert "`watcher run`" in said.stderr


def test_error_in_json_is_an_object_on_stderr(daemon: Served) -> None:
    """Programs read errors, too; stdout stays empty."""
    said = daemon.watcher("release", "show", "nothing-1", "-o", "json")
    assert ("", 64) == (said.out, json.loads(said.err)["error"]["exit_code"])


def test_options_may_stand_before_and_after_the_verb(tmp_path: Path) -> None:
    """The common ones mean the same in both places."""
    with served(MemoryFront(), tmp_path):
        for words in (["--state-dir", str(tmp_path), "status"], ["status", "--state-dir", str(tmp_path)]):
            assert (
                0 == subprocess.run([*COMMAND, *words], capture_output=True, env=surroundings(), check=False).returncode
            )


@pytest.mark.parametrize(
    "words", [("release", "start", JOB, "--version", "2.0"), ("status",), ("pause", "--reason", "x")]
)
def test_client_verb_loads_no_library_of_the_daemon(daemon: Served, words: tuple[str, ...]) -> None:
    """A verb is a whole command in little time: what only the daemon needs stays on the disk."""
    heavy = ("aiohttp", "pydantic", "re2", "yaml", "systemd", "jinja2", "asyncio", "email", "watcher.daemon")
    script = (
        "import sys; from watcher.cli.main import main;"
        f"code = main({[*words, '--state-dir', str(daemon.directory)]!r});"
        f"sys.stderr.write(repr([one for one in {heavy!r} if one in sys.modules])); sys.exit(code)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=surroundings(), check=False
    )
    assert (0, "[]") == (said.returncode, said.stderr)


def test_signal_to_exec_reaches_the_command_and_its_code_comes_back(daemon: Served) -> None:
    """SIGTERM is passed on; the command decides how it ends, the release is cancelled."""
    script = "trap 'exit 9' TERM; echo up; while :; do sleep 0.05; done"
    running = daemon.start("release", "exec", JOB, "--version", "2.0", "--", "sh", "-c", script)
    assert running.stdout is not None
    assert "up\n" == running.stdout.readline()
    running.terminate()
    running.communicate(timeout=20)
    record = daemon.front.records[RELEASE]
    assert (9, Phase.CANCELLED) == (running.returncode, record.phase)
    assert ["exit code 9" in reason.what for reason in record.reasons] == [True]


def test_command_that_a_signal_killed_is_as_in_a_shell(daemon: Served) -> None:
    """128 and the signal's number."""
    said = daemon.watcher("release", "exec", JOB, "--version", "2.0", "--", "sh", "-c", "kill -9 $$")
    assert (137, Phase.CANCELLED) == (said.code, daemon.front.records[RELEASE].phase)


def test_exec_whose_release_was_cancelled_meanwhile_ends_with_4(daemon: Served) -> None:
    """The command ran to its end; nothing is judged."""
    go = daemon.directory / "go"
    script = f"echo up; while [ ! -e {go} ]; do sleep 0.05; done"
    running = daemon.start("release", "exec", JOB, "--version", "2.0", "--", "sh", "-c", script)
    assert running.stdout is not None
    assert "up\n" == running.stdout.readline()
    assert 0 == daemon.watcher("release", "cancel", RELEASE, "--reason", "not tonight").code
    go.touch()
    out, _ = running.communicate(timeout=20)
    assert 4 == running.returncode
    assert "not tonight" in out


# ------------------------------------------------------------------------------------------------------------- check


def serving_check(
    tmp_path: Path, stack: ExitStack, *check: str, timeout: str = "5s", mode: Mode = Mode.ROLLBACK
) -> Served:
    job = policy(mode=mode)
    assert job.release.rollback is not None
    plan = replace(job.release.rollback, check=check, timeout=span(timeout))
    front = MemoryFront(state=configured(replace(job, release=replace(job.release, rollback=plan))))
    return stack.enter_context(served(front, tmp_path))


def test_check_that_passes_leaves_the_mode_alone(tmp_path: Path) -> None:
    """It has the facts of the release in its environment, and stands in the record."""
    with ExitStack() as stack:
        daemon = serving_check(tmp_path, stack, "/bin/sh", "-c", "echo $WATCHER_JOB $WATCHER_VERSION $WATCHER_PREVIOUS")
        said = daemon.watcher("release", "start", JOB, "--version", "2.0", "--previous", "1.9")
        record = daemon.front.records[RELEASE]
    assert (0, f"{RELEASE}\n", Mode.ROLLBACK) == (said.code, said.out, record.mode)
    assert record.request.check is not None
    assert "import 2.0 1.9\n" == record.request.check.output


def test_check_that_fails_makes_the_release_observed_loudly(tmp_path: Path) -> None:
    """Registered all the same, exit 0; stderr has the warning and what the check said, made safe."""
    with ExitStack() as stack:
        daemon = serving_check(tmp_path, stack, "/bin/sh", "-c", "printf 'no \\033[2J key'; exit 3")
        said = daemon.watcher("release", "start", JOB, "--version", "2.0")
        shown = daemon.watcher("release", "show", RELEASE, "-o", "json").json
    assert (0, f"{RELEASE}\n") == (said.code, said.out)
    assert "WARNING: the rollback's check failed (exit code 3): this release is only observed" in said.err
    assert "no \\x1b[2J key" in said.err
    assert ("observe", 3) == (shown["mode"], shown["check"]["exit_code"])


def test_check_that_hangs_is_ended_with_its_children(tmp_path: Path) -> None:
    """At the rollback's time limit; a check that did not end has not passed."""
    with ExitStack() as stack:
        daemon = serving_check(
            tmp_path, stack, "/bin/sh", "-c", f"sleep 300 & echo $! > {tmp_path}/child; wait", timeout="300ms"
        )
        said = daemon.watcher("release", "start", JOB, "--version", "2.0")
        record = daemon.front.records[RELEASE]
    assert (0, Mode.OBSERVE) == (said.code, record.mode)
    assert "timed out after 300ms" in said.err
    child = Path(f"/proc/{(tmp_path / 'child').read_text().strip()}/status")
    assert not child.exists() or "State:\tZ" in child.read_text()


def test_check_of_a_user_that_does_not_exist_fails(tmp_path: Path) -> None:
    """A rollback could not run as that user either."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    with ExitStack() as stack:
        job = policy()
        assert job.release.rollback is not None
        plan = replace(job.release.rollback, check=("/bin/true",), user="nobody-of-that-name")
        front = MemoryFront(state=configured(replace(job, release=replace(job.release, rollback=plan))))
        daemon = stack.enter_context(served(front, tmp_path))
        said = daemon.watcher("release", "start", JOB, "--version", "2.0")
        assert Mode.OBSERVE is front.records[RELEASE].mode
    assert 'user "nobody-of-that-name" does not exist' in said.err


def test_check_runs_as_the_rollbacks_user_when_root_registers(tmp_path: Path) -> None:
    """With that user's home, and without what else the caller has in its environment."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")
    with ExitStack() as stack:
        job = policy()
        assert job.release.rollback is not None
        check = ("/bin/sh", "-c", "id -un; echo $HOME $PYTHONPATH")
        plan = replace(job.release.rollback, check=check, user="nobody")
        front = MemoryFront(state=configured(replace(job, release=replace(job.release, rollback=plan))))
        daemon = stack.enter_context(served(front, tmp_path))
        assert 0 == daemon.watcher("release", "start", JOB, "--version", "2.0").code
        result = front.records[RELEASE].request.check
    assert result is not None
    assert f"nobody\n{pwd.getpwnam('nobody').pw_dir}\n" == result.output


def _with_errands(tmp_path: Path, stack: ExitStack) -> Served:
    """A job whose backup and check leave a mark each, and whose release 2.0 was rolled back to 1.9."""
    marked = [("/usr/bin/touch", str(tmp_path / name)) for name in ("backed-up", "checked")]
    job = policy(limit=1)
    assert job.release.rollback is not None
    terms = replace(job.release, backup=marked[0], rollback=replace(job.release.rollback, check=marked[1]))
    front = MemoryFront(state=configured(policy(limit=1)))
    daemon = stack.enter_context(served(front, tmp_path))
    for event in (
        release(replace(request(), previous="1.9")),
        batch(errors=1, at="1m"),
        observed(RollbackState.SUCCEEDED, at="2m"),
        settings(replace(job, release=terms), at="2m"),
    ):
        front.take(event)
    return daemon


def test_a_refused_registration_runs_no_command(tmp_path: Path) -> None:
    """That a version was rolled back is known before its backup and check are run; with --force they are."""
    with ExitStack() as stack:
        daemon = _with_errands(tmp_path, stack)
        said = daemon.watcher("release", "start", JOB, "--version", "2.0")
        ran = [(tmp_path / name).exists() for name in ("backed-up", "checked")]
        forced = daemon.watcher("release", "start", JOB, "--version", "2.0", "--force", "--reason", "mended")
    assert (64, [False, False]) == (said.code, ran)
    assert "was rolled back" in said.err
    assert (0, True, True) == (forced.code, (tmp_path / "backed-up").exists(), (tmp_path / "checked").exists())


def test_what_is_only_observed_is_backed_up_and_not_checked(tmp_path: Path) -> None:
    """The check is of a rollback that will not come; the deployment comes, and so does its backup."""
    with ExitStack() as stack:
        daemon = _with_errands(tmp_path, stack)
        said = daemon.watcher("release", "start", JOB, "--version", "1.9", "--id", "back")
        assert "goes back to this version: this release is only observed" in said.err
        assert (True, False) == ((tmp_path / "backed-up").exists(), (tmp_path / "checked").exists())
        (tmp_path / "backed-up").unlink()
        again = daemon.watcher("release", "start", JOB, "--version", "1.9", "--id", "back")
    assert (0, 0, False) == (said.code, again.code, (tmp_path / "backed-up").exists())


def test_backup_that_hangs_registers_nothing(tmp_path: Path) -> None:
    """It is ended at `backup_timeout`."""
    with ExitStack() as stack:
        job = policy()
        terms = replace(job.release, backup=("/bin/sleep", "300"), backup_timeout=span("200ms"))
        daemon = stack.enter_context(served(MemoryFront(state=configured(replace(job, release=terms))), tmp_path))
        said = daemon.watcher("release", "start", JOB, "--version", "2.0")
        assert {} == daemon.front.records
    assert 1 == said.code
    assert "timed out after 200ms; nothing was registered" in said.err


def test_backup_that_leaves_something_running_is_not_waited_for(tmp_path: Path) -> None:
    """Its own end counts, not that of whoever still holds its output."""
    with ExitStack() as stack:
        daemon = serving_backup(tmp_path, stack, "/bin/sh", "-c", "sleep 20 & echo saved")
        began = time.monotonic()
        assert 0 == daemon.watcher("release", "start", JOB, "--version", "2.0").code
        assert time.monotonic() - began < 10


# ------------------------------------------------------------------------------------------------------------ guards


def test_release_from_within_a_rollback_is_observed(daemon: Served) -> None:
    """The rollback's facts in the environment tell; an id alone does not, scripts keep theirs under that name."""
    daemon.more = {"WATCHER_RELEASE_ID": "import-7"}
    daemon.watcher("release", "start", JOB, "--version", "2.0")
    daemon.more = {"WATCHER_RELEASE_ID": "import-7", "WATCHER_REASON_CODE": "matches"}
    said = daemon.watcher("release", "start", JOB, "--version", "1.9")
    first, second = daemon.front.records.values()
    assert (Mode.ROLLBACK, Mode.OBSERVE) == (first.mode, second.mode)
    assert "WARNING: registered from within the rollback of import-7" in said.err


def test_version_that_was_rolled_back_needs_force_and_a_reason(daemon: Served) -> None:
    """Refused without; with both it is registered as ever."""
    daemon.watcher("release", "start", JOB, "--version", "2.0")
    daemon.do(lambda: daemon.front.take(batch(at="10s", errors=5)))
    words = ("release", "start", JOB, "--version", "2.0")
    assert [64, 64, 0] == [
        daemon.watcher(*words, *more).code for more in ((), ("--force",), ("--force", "--reason", "the disk was full"))
    ]


def test_subject_of_a_commit_is_no_reason_to_insist(daemon: Served, tmp_path: Path) -> None:
    """`--force` wants a person's words, also where --git fills in what is left open."""
    repository = tmp_path / "checkout"
    who = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-C", str(repository)]
    subprocess.run(["git", "init", "-q", str(repository)], check=True)
    subprocess.run(["git", *who, "commit", "-q", "--allow-empty", "-m", "First"], check=True)
    said = daemon.watcher("release", "start", JOB, "--git", str(repository), "--force")
    assert (64, {}) == (said.code, daemon.front.records)
    assert "--force needs a reason" in said.err
