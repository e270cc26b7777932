"""Messages of one kind have one fingerprint, whatever numbers, names and addresses stand in them."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.fingerprint import MASKED, fingerprint, mask


@pytest.mark.parametrize(
    ("template", "messages"),
    [
        (
            "connection to <ip>:<num> refused",
            ("connection to 10.0.0.7:5432 refused", "connection to 192.168.10.200:80 refused"),
        ),
        ("peer <ip> is gone", ("peer fe80::1%eth0 is gone", "peer 2001:db8:0:0:1:0:0:1 is gone", "peer ::1 is gone")),
        ("client /<ip>:<num> closed", ("client /10.10.34.11:45307 closed",)),
        ("link <mac> up", ("link 52:54:00:12:34:56 up", "link 52-54-00-12-34-56 up")),
        (
            "request <id> failed",
            ("request 54fadb41-2c4e-40cd-baed-9335e4c35a9e failed", "request a9993e364706816a failed"),
        ),
        ("event plugged:<id> late", ("event plugged:4d2c9e10-1111-2222-3333-a1b2c3d4e5f6 late",)),
        ("mail to <email> bounced", ("mail to a.b@example.com bounced", "mail to root@mail.example.org bounced")),
        ("GET <url> gave <num>", ("GET https://example.com/a?b=1;c=2 gave 502", "GET http://example.org:80/ gave 404")),
        (
            "can't open <path>: No such file",
            ("can't open /var/lib/x/7.csv: No such file", "can't open ../x: No such file"),
        ),
        ("<path>:<num>: bad row", ("/srv/import/a.py:17: bad row", "lib/import/b.py:3: bad row")),
        (r"lost <path>", (r"lost C:\temp\x.txt", "lost D:/x")),
        ('no column "<text>" here', ('no column "id number 7" here', 'no column "x" here')),
        ("KeyError: '<text>'", ("KeyError: 'alice'", "KeyError: 'bob'")),
        ("<time> job <num> died", ("2026-11-24 22:47:28,123 job 7 died", "2025-01-01T00:00:00.5Z job 12 died")),
        ("since <time> <num>", ("since Sat Jun 11 03:28:22 2005", "since Mon Feb 2 13:28:22 2009")),
        ("took <span>", ("took 12ms", "took 0.25s", "took 1h30m")),
        ("used <num>MB of <num>%", ("used 12MB of 30%", "used 1.5MB of 99.9%")),
        ("at <hex>", ("at 0x7ffe12ab", "at 0x0")),
        ("worker-<num> rows <num>", ("worker-3 rows 1, 2, 3", "worker-12 rows 4, 5")),
        ("attempt_<num>_m_<num>", ("attempt_1445144423722_m_000000", "attempt_7_m_1")),
        ("import@<num>.service: Failed", ("import@7.service: Failed",)),
        ("host <host> unknown", ("host n219076184117.example.com unknown", "host 220-135-151-1.example.net unknown")),
    ],
)
def test_messages_of_one_kind(template: str, messages: tuple[str, ...]) -> None:
    """What differs is masked, and says of what kind it was."""
    assert [template] * len(messages) == [mask(message) for message in messages]
    assert 1 == len({fingerprint(message) for message in messages})


@pytest.mark.parametrize(
    "message",
    [
        "don't do what you can't",
        "java.lang.NullPointerException in com.example.app.Main",
        "read/write of a device failed: Input/output error",
        "import@nightly.service: Failed with result",
    ],
)
def test_words_are_kept(message: str) -> None:
    """Names of errors, classes and units tell kinds apart."""
    assert message == mask(message)


def test_several_lines() -> None:
    """A traceback in one entry is told by its first and its last line: the last one names the error."""
    text = "Traceback (most recent call last):\n  File \"/x/y.py\", line 7, in main\n    go()\nKeyError: 'alice'\n"
    assert "Traceback (most recent call last): … KeyError: '<text>'" == mask(text)


def test_nothing_to_mask() -> None:
    """An empty message is a kind of its own."""
    assert "" == mask(" \n ")
    assert fingerprint("") != fingerprint("x")


def test_the_key_of_a_known_text() -> None:
    """Keys are stored with baselines: they must stay what they are."""
    assert "90e5748208c52bdb" == fingerprint("connection to 10.0.0.7:5432 refused").key


@given(st.text())
def test_any_text_has_a_kind(text: str) -> None:
    """No text makes it raise, and masking twice as the same text is the same."""
    assert fingerprint(text) == fingerprint(text)


@given(st.text(alphabet="abc 0123456789", max_size=60), st.integers(0, 10**12), st.integers(0, 10**12))
def test_a_number_never_tells(before: str, one: int, other: int) -> None:
    """A number as a word of its own never makes another kind."""
    assert mask(f"{before} {one} end") == mask(f"{before} {other} end")


@pytest.mark.parametrize("piece", ["'a", '"', "a/:", "1.", "<num>, ", "a,", ":/", "00:", "://", "x" * 7 + "1-"])
def test_an_evil_text_takes_no_time(piece: str) -> None:
    """A long text of one repeated piece costs a bounded time: only its first part is looked at, in linear time."""
    began = time.perf_counter()
    mask(piece * (MASKED * 20 // len(piece)))
    assert time.perf_counter() - began < 0.1
