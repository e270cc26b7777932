"""Entries from streams: lines as journald would make them, and what journalctl prints, as it stands in the journal."""

from __future__ import annotations

import io
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.parts.journals import START, STEP, write_journal
from watcher.journal.memory import MemoryEntry
from watcher.journal.recorded import Form, RecordedError, read_recorded

ENTRIES: list[dict[str, Any]] = [
    {"MESSAGE": "fine", "_SYSTEMD_UNIT": "import.service"},
    {"MESSAGE": b"not \xff utf-8", "_SYSTEMD_UNIT": "import.service"},
    {"MESSAGE": "two\nlines = x", "PRIORITY": "3"},
    {"MESSAGE": "", "OBJECT_SYSTEMD_UNIT": ["a.service", "b.service"]},
]


def entries(raw: bytes) -> tuple[Form, list[MemoryEntry]]:
    recorded = read_recorded(io.BytesIO(raw), "x.log")
    return recorded.form, list(recorded.entries)


def test_lines_are_what_journald_makes_of_them() -> None:
    """A priority may stand in front; empty lines are none; the last one needs no end."""
    form, found = entries(b"first\r\n\n<3>second <4>\n<9>third\n<7>")
    assert Form.LINES is form
    said = [(one.fields["PRIORITY"][0], one.fields["MESSAGE"][0]) for one in found]
    assert [(b"6", b"first"), (b"3", b"second <4>"), (b"6", b"<9>third"), (b"6", b"<7>")] == said
    assert [0, 1000, 2000, 3000] == [one.at for one in found]


def test_an_endless_line_is_cut() -> None:
    """The rest of it is passed, and the next line is one of its own."""
    _, found = entries(b"x" * (3 << 20) + b"\nnext\n")
    assert [1 << 20, 4] == [len(one.fields["MESSAGE"][0]) for one in found]


@pytest.mark.parametrize("form", ["json", "export"])
def test_what_journalctl_prints(tmp_path: Path, form: str) -> None:
    """The fields and instants of the journal, with several values and bytes that are no UTF-8."""
    write_journal(tmp_path, ENTRIES)
    command = ["journalctl", "--directory", str(tmp_path), "--all", "-o", form]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    kind, found = entries(raw)
    assert form == kind
    assert [START + place * STEP for place in range(len(ENTRIES))] == [one.at for one in found]
    for given, one in zip(ENTRIES, found, strict=True):
        for name, value in given.items():
            values = value if isinstance(value, list) else [value]
            plain = sorted(each.encode() if isinstance(each, str) else each for each in values)
            assert plain == sorted(one.fields[name])
        assert not [name for name in one.fields if name.startswith("__")]


@pytest.mark.parametrize(
    ("raw", "place"),
    [
        (b'{"__REALTIME_TIMESTAMP":"1","MESSAGE":"a"}\n{"MESSAGE":\n', "x.log:2"),
        (b'{"__REALTIME_TIMESTAMP":"1","MESSAGE":"a"}\n{"MESSAGE":"b"}\n', "x.log:2"),
        (b'{"__REALTIME_TIMESTAMP":"x"}\n', "x.log:1"),
        (b'{"__REALTIME_TIMESTAMP":"1","MESSAGE":7}\n', "x.log:1"),
        (b"__REALTIME_TIMESTAMP=1\nMESSAGE\n\x09\0\0\0\0\0\0\0abc\n\n", "x.log:2"),
        (b"__REALTIME_TIMESTAMP=1\nMESSAGE=a\n\nMESSAGE=b\n\n", "x.log:5"),
    ],
)
def test_a_recording_that_is_none(raw: bytes, place: str) -> None:
    """Its line is named, instead of counts that are half right."""
    with pytest.raises(RecordedError, match=place):
        entries(raw)


def test_json_lines_of_a_program_are_lines() -> None:
    """Only what journald stamped is a recording."""
    form, found = entries(b'{"level":"error","msg":"a"}\n')
    assert (Form.LINES, b'{"level":"error","msg":"a"}') == (form, found[0].fields["MESSAGE"][0])
