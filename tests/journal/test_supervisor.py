from __future__ import annotations

import asyncio
import errno
import signal
import subprocess
import sys
import time
from asyncio.subprocess import Process
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.journal.supervised import daemon, eventually
from tests.journal.written import JOB, STEP, T0, Line, LiveWriter, lines, write
from watcher.core.names import JobName
from watcher.journal import supervisor
from watcher.journal.source import Source
from watcher.journal.wire import Announced, Plan, encode_message


async def test_entries_reach_the_daemon(tmp_path: Path) -> None:
    """From the first start on every entry comes in a batch, in order, each with the daemon's own instant."""
    async with daemon(tmp_path) as story:
        assert "starting" in (story.supervisor.trouble or "")
        await story.ready()
        write(tmp_path, "system", lines(3000))
        await eventually(lambda: story.entries >= 3000)
        assert (3000, 300, []) == (story.entries, len(story.matches), story.restarts)
        assert sorted(match.at for match in story.matches) == [match.at for match in story.matches]


async def test_missing_directory_is_not_ready(tmp_path: Path) -> None:
    """Not ready, with the reason, until the journal can really be read."""
    async with daemon(tmp_path / "late") as story:
        await eventually(lambda: "late: No such file or directory" in (story.supervisor.trouble or ""))
        (tmp_path / "late").mkdir()
        await eventually(lambda: story.supervisor.trouble is None)


async def test_journal_that_shows_nothing_is_not_ready(tmp_path: Path) -> None:
    """The machine's journal without a single entry is one that we may not read; a namespace that nobody has as well."""
    source = Source(namespace="release-watcher-nobody")
    async with daemon(tmp_path, Plan(source=source, jobs=(JOB,))) as story:
        await eventually(lambda: "no entry can be seen" in (story.supervisor.trouble or ""))


async def test_stop_leaves_nothing(tmp_path: Path) -> None:
    """Stopped within two seconds, twice if need be, without a zombie."""
    async with daemon(tmp_path) as story:
        await story.ready()
        pid, begin = story.supervisor.pid, time.monotonic()
        await story.supervisor.stop()
        await story.supervisor.stop()
        await asyncio.wait_for(story.task, 2)
        assert time.monotonic() - begin < 2
        assert pid is not None
        assert not Path(f"/proc/{pid}").exists()
        assert story.supervisor.pid is None


async def test_stop_while_it_waits_to_start_again(tmp_path: Path) -> None:
    """The pause between two processes doesn't hold up the end."""
    async with daemon(tmp_path) as story:
        for _ in range(4):
            await story.ready()
            await story.kill(signal.SIGKILL)
        await story.supervisor.stop()
        await asyncio.wait_for(story.task, 2)


async def test_stop_before_the_first_batch(tmp_path: Path) -> None:
    """Also right after the start."""
    async with daemon(tmp_path) as story:
        await asyncio.wait_for(story.supervisor.stop(), 2)
        await asyncio.wait_for(story.task, 2)
        assert story.supervisor.pid is None


async def test_cancelled(tmp_path: Path) -> None:
    """A cancelled supervisor takes its process with it."""
    async with daemon(tmp_path) as story:
        await story.ready()
        pid = story.supervisor.pid
        story.task.cancel()
        with suppress(asyncio.CancelledError):
            await story.task
        assert not Path(f"/proc/{pid}").exists()


@pytest.mark.parametrize("turns", range(6))
async def test_cancelled_as_a_line_arrives(tmp_path: Path, turns: int) -> None:
    """However close the two are: it ends, as the daemon can't end before it."""
    write(tmp_path, "system", lines(10))
    async with daemon(tmp_path) as one:
        await one.ready()
        process = one.supervisor._process
        assert process is not None
        assert process.stdout is not None
        process.send_signal(signal.SIGSTOP)  # so that no line comes but this one
        turns_before = -1
        while turns_before != one.supervisor.turns:
            turns_before = one.supervisor.turns
            await asyncio.sleep(0.05)
        process.stdout.feed_data(encode_message(Announced(None)))
        for _ in range(turns):
            await asyncio.sleep(0)
        one.task.cancel()
        done, _ = await asyncio.wait({one.task}, timeout=5)
        assert {one.task} == done


async def test_other_jobs(tmp_path: Path) -> None:
    """After a replacement the entries are those of the new jobs, from the committed position on; it is said why."""
    async with daemon(tmp_path) as story:
        await story.ready()
        write(tmp_path, "system", lines(100))
        await eventually(lambda: story.entries == 100)
        other = replace(JOB, name=JobName("other"))
        await story.supervisor.replace(Plan(source=Source(directory=str(tmp_path)), jobs=(other,)))
        write(tmp_path, "system", lines(100, start=lines(101)[-1].at))
        await eventually(lambda: story.counts == {"import": 100, "other": 100})
        assert ["config"] == story.restarts


async def test_nothing_is_handed_on_while_it_is_held(tmp_path: Path) -> None:
    """What was under way is committed when `hold` returns, nothing after that; then it goes on where that ended."""
    async with daemon(tmp_path) as story:
        await story.ready()
        story.delay = 0.1
        write(tmp_path, "system", lines(100))
        await story.supervisor.hold()
        batches = story.batches
        await eventually(lambda: story.supervisor.pid is None)
        write(tmp_path, "more", lines(100, start=lines(101)[-1].at))
        assert batches == story.batches
        await story.supervisor.replace(Plan(source=Source(directory=str(tmp_path)), jobs=(JOB,)))
        await eventually(lambda: story.entries == 200)
        assert ["config"] == story.restarts


async def test_held_between_two_processes(tmp_path: Path) -> None:
    """No other one is started meanwhile, and it can be stopped."""
    async with daemon(tmp_path) as story:
        await story.kill(signal.SIGKILL)
        await story.supervisor.hold()
        await eventually(lambda: story.supervisor.pid is None)
        await story.supervisor.stop()
        await asyncio.wait_for(story.task, 2)


async def test_window_opens(tmp_path: Path) -> None:
    """Following closely, a match is known within a tenth of a second."""
    with LiveWriter(tmp_path / "live.journal") as writer:
        async with daemon(tmp_path) as story:
            await story.ready()
            story.supervisor.follow_closely(True)
            writer.tell("error 0")
            await eventually(lambda: len(story.matches) == 1)
            begin = time.monotonic()
            writer.tell("error 1")
            await eventually(lambda: len(story.matches) == 2)
            assert time.monotonic() - begin < 0.1


async def test_window_opens_while_the_reader_starts(tmp_path: Path) -> None:
    """It is followed closely all the same: no later word would tell the reader."""
    with LiveWriter(tmp_path / "live.journal") as writer:
        async with daemon(tmp_path) as story:
            await asyncio.sleep(0)
            story.supervisor.follow_closely(True)
            await story.ready()
            for number in range(3):
                begin = time.monotonic()
                writer.tell(f"error {number}")
                await eventually(lambda: len(story.matches) > number)  # noqa: B023 - called at once
                assert time.monotonic() - begin < 0.1


async def test_commit_that_fails(tmp_path: Path) -> None:
    """What could not be committed is read again by a new process, once; nothing is counted that was not."""
    async with daemon(tmp_path) as story:
        await story.ready()
        story.failures = 3
        write(tmp_path, "system", lines(1000))
        await eventually(lambda: story.entries == 1000)
        assert 3 == story.failed
        assert {"store"} == set(story.restarts)
        assert 100 == len({match.cursor for match in story.matches}) == len(story.matches)


async def test_store_that_stays_full(tmp_path: Path) -> None:
    """Work goes on as far as it can, so the watchdog is fed: a full disk is no hang, and an end would mend nothing."""
    write(tmp_path, "system", lines(1))
    async with daemon(tmp_path) as story:
        await story.ready()
        story.full = True
        write(tmp_path, "system", lines(1))
        turns = story.supervisor.turns
        await eventually(lambda: story.supervisor.turns > turns + 4)


async def test_reader_that_can_not_be_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trying is all that can be done, so the watchdog is fed: an end would only take the sockets down."""

    async def fails() -> Process:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    write(tmp_path, "system", lines(1))
    with monkeypatch.context() as full:
        full.setattr(supervisor, "_start", fails)
        async with daemon(tmp_path) as story:
            turns = story.supervisor.turns
            await eventually(lambda: story.supervisor.turns > turns + 2)
            assert "the journal reader can't be started: Resource temporarily unavailable" == story.supervisor.trouble
            full.undo()
            await story.ready()


async def test_slow_daemon(tmp_path: Path) -> None:
    """A daemon that takes its time holds the reader up; nothing piles up and nothing is lost or taken for hung."""
    write(tmp_path, "system", lines(1))
    async with daemon(tmp_path, silence=1.6) as story:
        await story.ready()
        story.delay = 2.0
        write(tmp_path, "system", lines(20_000, start=lines(2)[-1].at, errors=1))
        await eventually(lambda: story.batches >= 2)
        story.delay = 0
        await eventually(lambda: story.entries == 20_000)
        assert ([], 20_000) == (story.restarts, len(story.matches))


ORPHAN = """
import asyncio, sys
from tests.journal.supervised import daemon
from pathlib import Path

async def main():
    async with daemon(Path(sys.argv[1])) as story:
        await story.ready()
        print(story.supervisor.pid, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def test_daemon_that_is_killed(tmp_path: Path) -> None:
    """Kill -9 of the daemon ends the reader as well, at once."""
    command = [sys.executable, "-c", ORPHAN, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        reader = int(process.stdout.readline())
        assert Path(f"/proc/{reader}").exists()
        process.kill()
        process.wait()
        end = time.monotonic() + 2
        while is_running(reader):
            assert time.monotonic() < end
            time.sleep(0.01)


def is_running(pid: int) -> bool:
    """Whether the process is there, and no zombie that nobody fetches."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_ready_when_the_own_entry_came_back(tmp_path: Path) -> None:
    """Entries of others don't make it ready; after the own one, a reader that is started later needs none."""
    plan = Plan(source=Source(directory=str(tmp_path)), jobs=(JOB,), heartbeat="abc")
    async with daemon(tmp_path, plan) as story:
        with LiveWriter(tmp_path / "system.journal") as writer:
            await eventually(lambda: "an entry of our own has not come back" in (story.supervisor.trouble or ""))
            writer.say(*lines(50))
            await eventually(lambda: story.entries >= 50)
            assert story.supervisor.trouble is not None
            own = Line(at=T0 + 60 * STEP, unit="release-watcher.service", heartbeat="abc")
            writer.say(own)
            await eventually(lambda: story.supervisor.trouble is None)
        await story.supervisor.replace(plan)
        await eventually(lambda: bool(story.restarts) and story.supervisor.trouble is None)
