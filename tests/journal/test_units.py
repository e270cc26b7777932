"""Names and globs of units: libc and journalctl know what is right."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.parts.journals import write_journal
from watcher.journal.patterns import PatternError, PatternSet
from watcher.journal.units import JobUnits, glob_pattern, is_glob, unit_name

FNM_NOESCAPE = 2
LIBC = ctypes.CDLL(None)


@pytest.fixture(scope="module")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One entry, enough for journalctl to look for units."""
    return write_journal(tmp_path_factory.mktemp("units") / "journal", [{"MESSAGE": "hello"}])


def journalctl_looks_for(journal: Path, unit: str) -> str:
    """The unit that `journalctl -u` looks for, as its debug log says."""
    done = subprocess.run(
        ["journalctl", "--directory", str(journal), "-u", unit],
        capture_output=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "debug"},
    )
    line = next(line for line in done.stderr.decode().splitlines() if "Journal filter: " in line)
    return line.rpartition("_SYSTEMD_UNIT=")[2].partition(" ")[0].rstrip(")").replace(r"\\", "\\")


@pytest.mark.parametrize(
    "text",
    [
        "foo", "foo.service", "foo.timer", "foo.conf", "foo@bar", "foo@bar.service", "@foo", "@foo.service", ".service",
        "a/b", "foo bar", "foo!", "grün", "foo.mount", "/", "/var/lib", "/var//lib/./x/", "/var/../lib", "/dev/sda",
        "/dev", "/sys/x", "/.hidden/a-b", "/a b", "/a@b", r"foo\x2dbar", "a-b", "foo.SERVICE", "user.slice", "x" * 250,
        "system.slice", "foo]", "foo:bar", "a=b", "dev-sda.device", "a.b.c", "/.", "/./dev/x", "/a/.b",
    ],
)  # fmt: skip
def test_a_name_means_what_it_means_to_journalctl(journal: Path, text: str) -> None:
    """Suffixes, paths and odd characters become the unit that journalctl looks for."""
    assert journalctl_looks_for(journal, text) == unit_name(text)


@pytest.mark.parametrize("glob", ["import@*.service", "a?c", "[!a-c]*", "foo.*", "*", "[[:alpha:]]*.service"])
def test_a_glob_stays_as_it_is(glob: str) -> None:
    """No suffix is added to a glob."""
    assert (glob, True) == (unit_name(glob), is_glob(unit_name(glob)))


@pytest.mark.parametrize(("text", "name"), [("foo bar*", r"foo\x20bar*"), ("/a/*", r"a-\x2a.mount"), ("a/b*", "a-b*")])
def test_what_is_no_name_in_a_glob_is_escaped(text: str, name: str) -> None:
    """As systemd's unit_name_mangle does."""
    assert name == unit_name(text)


@pytest.mark.parametrize("text", ["", "a[^b].service", "a[[.x.]]*", "a[[=x=]]*", "a[[:word:]]"])
def test_a_glob_that_nobody_would_understand_is_refused(text: str) -> None:
    """It says what is wrong instead of matching something else."""
    with pytest.raises(PatternError):
        JobUnits([[text]])


NAMES = st.text(alphabet="ab-]z[.:\\", max_size=6)
GLOBS = st.lists(
    st.sampled_from(["*", "?", "[ab]",
                     "[!a]", "[a-z]", "[z-a]", "[]a]", "[!]a]", "[a-]", "[[:alpha:]]", "[![:punct:]b]",
                     "[--a]", "[", "]", "-", "a", "b", ".", "\\", "\\*", "[\\]", "[a", "[!", "[[", "[a-c-z]", "[:a:]"]),
    max_size=5,
).map("".join)  # fmt: skip


@settings(max_examples=1500, deadline=None)
@given(glob=GLOBS, name=NAMES)
def test_globs_match_as_in_libc(glob: str, name: str) -> None:
    """fnmatch(3) with FNM_NOESCAPE is what journalctl uses."""
    expected = LIBC.fnmatch(glob.encode(), name.encode(), FNM_NOESCAPE) == 0
    try:
        pattern = glob_pattern(glob)
    except PatternError:
        return
    assert expected == bool(PatternSet([pattern]).found(name.encode())), pattern


def test_a_unit_may_belong_to_several_jobs() -> None:
    """By name, by glob, or both; each job once."""
    units = JobUnits([["import", "import@*.service"], ["im*"], ["export.service"]])
    names = (b"import.service", b"import@7.service", b"import.timer", b"export.service", b"other.service")
    assert [(0, 1), (0, 1), (1,), (2,), ()] == [units.owners(name) for name in names]


def test_our_own_units_belong_to_nobody() -> None:
    """Whatever the globs say: else a line about a match would match again."""
    units = JobUnits([["*"], ["release-watcher.service"]])
    assert [(), (), (0,)] == [
        units.owners(name) for name in (b"release-watcher.service", b"release-watcher-rollback@a.service", b"a.service")
    ]


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("import@*.service", False),
        ("import", False),
        ("user.slice", True),
        ("*", True),
        ("import*", True),
        ("x*ice", True),
    ],
)
def test_slices_matter_only_if_a_pattern_may_name_one(unit: str, *, expected: bool) -> None:
    """The slice of an entry is a further fetch, so it is made only where it can count."""
    assert expected == JobUnits([[unit]]).own_slices


def test_a_name_of_any_bytes_raises_nothing() -> None:
    """Names come from the journal; they are looked up, never trusted."""
    units = JobUnits([["a*"], ["b.service"]])
    assert [(0,), (), ()] == [units.owners(name) for name in (b"a\xff\x00.service", b"\xff", b"")]
