from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from tests.events import RELEASE, batch, pause, release, request
from tests.parts.front import MemoryFront
from watcher.adapters.pages import status_page


class Tags(HTMLParser):
    """Collects the tags of a page and the addresses in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note it."""
        self.tags.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]


def test_page_shows_how_far_a_window_is() -> None:
    """Time left and each threshold as number of limit."""
    front = MemoryFront()
    front.take(release())
    front.take(batch(at="10s", errors=3))
    front.pass_time(60)
    page = status_page(front)
    assert "14m of 15m" in page
    assert "3 of 5" in page
    assert "5 error matches in 2m" in page


def test_page_of_a_quiet_daemon_has_nothing_open() -> None:
    """Ready, no window, no release."""
    page = status_page(MemoryFront())
    assert "<p>None.</p>" in page
    assert "<p>None yet.</p>" in page
    assert "not ready" not in page


def test_page_says_why_the_daemon_is_not_ready() -> None:
    """The reason stands at the top."""
    assert "not ready: the journal can" in status_page(MemoryFront(reason_not_ready="the journal can't be read"))


def test_page_says_who_paused_and_why() -> None:
    """A pause is nothing to look for."""
    front = MemoryFront()
    front.take(pause(at="0s"))
    page = status_page(front)
    assert "are paused by deploy: big sale" in page


def test_page_says_that_the_off_switch_is_on() -> None:
    """And nothing of it where it is off."""
    front = MemoryFront(is_disarmed=True)
    page = status_page(front)
    assert "the file <code>disarm</code>, is there" in page
    assert '<span class="alarm">paused</span>' in page
    assert "not paused" not in page
    front.is_disarmed = False
    page = status_page(front)
    assert "disarm" not in page
    assert "not paused" in page


def test_failed_release_shows_its_reason_and_rollback() -> None:
    """What ended it, with number and limit."""
    front = MemoryFront()
    front.take(release())
    front.take(batch(at="10s", errors=5))
    page = status_page(front)
    assert "5 error matches in 0ms, limit 5 in 2m" in page
    assert "queued" in page


def test_hostile_words_stay_words() -> None:
    """Markup, bidi marks and terminal escapes in a release are shown, never carried out."""
    front = MemoryFront()
    hostile = replace(request(), version="<script>alert(1)</script>", reason="\u202e\x1b[2J")
    front.take(release(hostile))
    page = status_page(front)
    assert "script" not in Tags(page).tags
    assert "&lt;script&gt;" in page
    assert page.replace("\n", "").isprintable()


def test_page_needs_nothing_from_elsewhere() -> None:
    """No script, image or form, and every link stays on this address."""
    front = MemoryFront()
    front.take(release())
    seen = Tags(status_page(front))
    assert set() == seen.tags & {"script", "img", "iframe", "form", "link", "object"}
    assert all(address.startswith("/") and not address.startswith("//") for address in seen.addresses)
    assert f"/api/v1/releases/{RELEASE}" in seen.addresses
