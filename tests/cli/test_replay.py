"""What `watcher replay` asks for; what it makes of real journals is in tests/test_end_to_end.py."""

from __future__ import annotations

from watcher.cli.replay import readable_until
from watcher.core.duration import Usec


def test_what_is_not_written_yet_is_not_judged() -> None:
    """A window that ends later than now would pass on entries that nobody has seen."""
    assert 100 == readable_until(Usec(200), Usec(100), directory=None)
    assert 50 == readable_until(Usec(50), Usec(100), directory=None)


def test_files_of_another_clock() -> None:
    """Recorded files may be of a machine that is ahead: what was asked for is read."""
    assert 200 == readable_until(Usec(200), Usec(100), directory="/srv/journals")
