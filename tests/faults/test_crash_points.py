"""The whole daemon killed at each named crash point of its own.

docs/reliability.md lists all points; `tests/test_reliability.py` compares it with the code and with what is killed
here, in `test_rollback_faults.py` and in `tests/dispatch/test_dispatcher.py`.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dispatch.test_dispatcher import Site
from tests.faults.story import LIMIT, Story, at_once
from watcher.dispatch.failpoint import VARIABLE

BEFORE_THE_RELEASE = ["before_batch", "after_batch"]
EMBEDDED = [
    "before_commit",
    "after_commit",
    "half_replaced:2",  # the first is the mark of a first start
    "after_queue_file",
    "half_created",
    "after_claim",
    "after_unqueue",
    "before_takeover",
    "after_takeover",
    "before_note",
    "after_note",
]
DISPATCHED = ["after_commit", "half_replaced:3", "after_queue_file", "before_takeover"]  # the second are the pauses
IN_THE_READER = ["batch_sent"]


class DispatchedStory(Story):
    """The rollback is run by root's dispatcher, which a path unit would start."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        directory.chmod(0o755)
        self.config.chmod(0o644)
        self._site = Site(directory / "site")
        self._site.config, self._site.queue = self.config, self.state / "rollback-queue"
        self.run_options += ["--rollback-dir", str(self._site.claims)]

    @property
    def claims(self) -> Path:
        """Root's."""
        return self._site.claims

    def _is_over(self) -> bool:
        if self._site.queue.exists() and self._site.left:
            self._site.dispatch()
        return super()._is_over()


def killed_at(story: Story, point: str) -> tuple[int, int, tuple[int, str]]:
    """The first daemon's exit code, how much of what breaks the job it had been told, and how the story ended."""
    name, _, nth = point.partition(":")
    story._environment[VARIABLE] = f"{name}:kill:{nth or 1}"
    with story:
        code, told = story.play(), story.said_broken
        del story._environment[VARIABLE]
        if code:
            assert 0 == story.play(), story.log
        else:
            story.play_on()
        return code, told, story.assert_all_well()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("handover", [Story, DispatchedStory], ids=["embedded", "dispatched"])
def test_daemon_killed_at_each_point(tmp_path: Path, handover: type[Story]) -> None:
    """The next daemon brings everything to its end, and the command has been started exactly once."""
    points = DISPATCHED if handover is DispatchedStory else [*BEFORE_THE_RELEASE, *EMBEDDED]

    def outcome(point: str) -> object:
        directory = tmp_path / point.replace(":", "-")
        directory.mkdir()
        return killed_at(handover(directory), point)

    once = (1, "succeeded")
    expected = {point: (-9, 0 if point in BEFORE_THE_RELEASE else LIMIT, once) for point in points}
    assert expected == at_once(points, outcome)


def test_reader_killed_after_each_batch(tmp_path: Path) -> None:
    """Whether its batch was committed or not when it died, each entry is counted once, and none is passed over."""
    story = Story(tmp_path)
    assert (0, LIMIT, (1, "succeeded")) == killed_at(story, IN_THE_READER[0])
    assert story.last_metrics["watcher_journal_reader_restarts_total", "killed"] >= 2
