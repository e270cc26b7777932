"""The whole daemon and the runner of its rollback on a disk whose power is cut, at each call that changes it.

A story of one release (`story.py`) is told until the k-th such call, at which nobody is left and the state directory
holds what was on the disk; then it is told on to the next daemon. WATCHER_TEST_CUTS says at how many of the calls,
spread over the whole story (5; `make faults` takes `all`), or at which ones (`,17` or `17,40`).
"""

from __future__ import annotations

import errno
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.faults.disk import GO, KILL, Disk, build
from tests.faults.story import Story, at_once
from watcher.cli.exits import TRY_AGAIN

TRIED = os.environ.get("WATCHER_TEST_CUTS", "5")
CHANGES = ("sync", "synced", "create", "rename", "link", "unlink", "mkdir")
"""What a power cut can come between; writes that are not synced are lost whenever it comes."""
FALLIBLE = ("write", "sync", "create", "rename", "link", "unlink", "mkdir", "fork", "spawn")


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library between the processes and libc."""
    return build(tmp_path_factory.mktemp("s"))


class Kth:
    """Lets the k-th call of these kinds go wrong, of those to the file if one is named; no other one."""

    def __init__(self, calls: Iterable[str], at_call: int, answer: bytes, *, file: str = "") -> None:
        self.seen, self._calls, self._at_call, self._answer = 0, frozenset(calls), at_call, answer
        self.what = ""
        self._file = file

    def __call__(self, call: str, file: str) -> bytes:
        """The answer to one call."""
        if call not in self._calls or self._file not in file:
            return GO
        self.seen += 1
        if self.seen != self._at_call:
            return GO
        self.what = f"{call} {file}"
        return bytes([errno.EAGAIN]) if call in ("fork", "spawn") else self._answer


def spread(total: int) -> list[int]:
    """So many of the calls 1 to `total` as are to be tried, evenly; always the first and the last."""
    if "," in TRIED:
        return [int(one) for one in TRIED.split(",") if one]
    if TRIED == "all" or int(TRIED) >= total:
        return list(range(1, total + 1))
    return sorted({1 + round(one * (total - 1) / max(int(TRIED) - 1, 1)) for one in range(int(TRIED))})


@pytest.fixture(scope="module")
def calls(library: Path, tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """How many calls of each kind there are in a story in which nothing goes wrong."""
    count: Counter[str] = Counter()

    def counted(call: str, _file: str) -> bytes:
        count[call] += 1
        return GO

    with Story(tmp_path_factory.mktemp("0")) as story:
        story.state.mkdir()
        with Disk(library, story.state, counted) as disk:
            story.under(disk)
            assert 0 == story.play(), story.log
        assert (1, "succeeded") == story.assert_all_well()
    return count


def test_control_socket_that_stays_behind(library: Path, tmp_path: Path) -> None:
    """That it can't be removed is no reason to end as if something were broken; the next daemon clears up."""
    with Story(tmp_path) as story:
        story.state.mkdir()
        stays = Kth(["unlink"], 1, bytes([errno.EROFS]), file="control.sock")
        with Disk(library, story.state, stays) as disk:
            story.under(disk)
            assert (0, "unlink control.sock") == (story.play(), stays.what)
        assert (story.state / "control.sock").is_socket()
        assert "socket stays behind" in story.log
        story.on_a_sound_disk()
        story.play_on()


@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT, errno.EIO], ids=errno.errorcode.get)
def test_lock_that_finds_no_room(library: Path, tmp_path: Path, trouble: int) -> None:
    """The very first file of all: no mistake of a person, so the daemon is to be started again."""
    with Story(tmp_path) as story:
        story.state.mkdir()
        no_room = Kth(["create"], 1, bytes([trouble]), file="lock")
        with Disk(library, story.state, no_room) as disk:
            story.under(disk)
            assert (TRY_AGAIN, "create lock") == (story.play(), no_room.what)
        assert os.strerror(trouble) in story.log
        story.on_a_sound_disk()
        assert 0 == story.play(), story.log
        assert (1, "succeeded") == story.assert_all_well()


def _assert_nothing(wrong: dict[int, object]) -> None:
    found = [f"call {at_call}: {what}" for at_call, what in wrong.items() if what]
    assert not found, "\n".join(found)


@pytest.mark.timeout(300 if TRIED != "all" else 3600)
@pytest.mark.parametrize("names_stay", [False, True], ids=["names are lost", "names stay"])
def test_power_cut_at_each_change(library: Path, tmp_path: Path, calls: Counter[str], *, names_stay: bool) -> None:
    """Every invariant holds at the end: one start at most, and what was answered or decided is there."""

    def cut_at(at_call: int) -> str:
        directory = tmp_path / str(at_call)
        directory.mkdir()
        with Story(directory) as story:
            story.state.mkdir()
            cut = Kth(CHANGES, at_call, KILL)
            with Disk(library, story.state, cut) as disk:
                story.under(disk)
                assert story.play() in (0, -9), story.log
                story.kill()
                disk.cut(names_stay=names_stay)
            began = bool(list(story.claims.glob("*.started"))) and not list(story.claims.glob("*.result"))
            story.on_a_sound_disk()
            assert 0 == story.play(), story.log
            times, state = story.assert_all_well()
        expected = [(1, "succeeded")] if not began else [(0, "unknown"), (1, "unknown")]
        return "" if (times, state) in expected else f"({cut.what}): {times} {state}"

    _assert_nothing(at_once(spread(sum(calls[one] for one in CHANGES)), cut_at))


@pytest.mark.timeout(300 if TRIED != "all" else 3600)
@pytest.mark.parametrize("trouble", [errno.ENOSPC, errno.EDQUOT, errno.EIO], ids=errno.errorcode.get)
def test_each_call_fails_once(library: Path, tmp_path: Path, calls: Counter[str], trouble: int) -> None:
    """The daemon goes on, or ends as one that is to be started again; every invariant holds at the end.

    A runner that could not start the command says so: failed, and nothing was run.
    """

    def fails_at(at_call: int) -> str:
        directory = tmp_path / str(at_call)
        directory.mkdir()
        failure = Kth(FALLIBLE, at_call, bytes([trouble]))
        with Story(directory) as story:
            story.state.mkdir()
            with Disk(library, story.state, failure) as disk:
                story.under(disk)
                try:
                    code = story.play()
                    if code == TRY_AGAIN:
                        code = story.play()
                except AssertionError as error:
                    return f"({failure.what}): {error}"
                assert 0 == code, f"{failure.what}: {code}\n{story.log}"
            story.on_a_sound_disk()
            story.play_on()
            outcome = story.assert_all_well()
        return "" if outcome in ((1, "succeeded"), (0, "failed")) else f"({failure.what}): {outcome}"

    _assert_nothing(at_once(spread(sum(calls[one] for one in FALLIBLE)), fails_at))
