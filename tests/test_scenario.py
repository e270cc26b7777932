"""Playing scenarios: the daemon's own counting and judging, and every difference told."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.config.scenarios import read_scenario
from watcher.core.duration import SECOND, Usec
from watcher.scenario import Played, play

EXAMPLES = Path(__file__).parents[1] / "deploy/examples"
HEAD = """scenario: an importer
rules:
  - {name: gives-up, match: 'giving up', severity: error}
  - {name: trace, match: '^Traceback', until: '^[A-Za-z]+Error', severity: error}
release:
  window: 10m
  settle: 10s
  blame: all
  fail_when:
    - matches: {severity: error, count: 2, within: 1m}
"""


def played(tmp_path: Path, story: str) -> Played:
    path = tmp_path / "s.yaml"
    path.write_text(HEAD + story)
    read = read_scenario(path, tmp_path / "watcher.yaml")
    assert () == read.problems
    assert read.scenario is not None
    return play(read.scenario)


def told(tmp_path: Path, story: str) -> list[str]:
    problems = played(tmp_path, story).problems
    return [line.removeprefix(f"{tmp_path}/") for one in problems for line in str(one).splitlines()]


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("scenarios/*.yaml")), ids=lambda file: file.stem)
def test_the_shipped_scenarios(file: Path) -> None:
    """Each comes out as it says."""
    read = read_scenario(file, EXAMPLES / "watcher.yaml")
    assert read.scenario is not None, read.problems
    assert () == play(read.scenario).problems


def test_a_release_that_fails(tmp_path: Path) -> None:
    """The verdict comes with the entry that crosses the threshold, in the words of every other verb."""
    story = "entries:\n  - {at: 20s, message: giving up, repeat: 2, every: 30s}\nexpect: {verdict: failed}\n"
    found = played(tmp_path, story)
    assert ((), "failed", Usec(50 * SECOND)) == (found.problems, found.verdict, found.failed_at)
    assert ("2 error matches in 30s, limit 2 in 1m",) == found.reasons


def test_a_release_that_passes_at_its_end(tmp_path: Path) -> None:
    """A scenario goes on until the window is over, and noise before `settle` is not held against it."""
    story = "entries:\n  - {at: 1s, message: giving up, repeat: 5}\nexpect: {verdict: passed}\n"
    assert () == played(tmp_path, story).problems


def test_a_release_goes_out_later(tmp_path: Path) -> None:
    """What was logged before it is not held against it."""
    story = (
        "released: 5m\nentries:\n  - {at: 4m, message: giving up, repeat: 9}\n"
        "  - {at: 6m, message: fine}\nexpect: {verdict: passed}\n"
    )
    found = played(tmp_path, story)
    assert ((), {"gives-up": 9}) == (found.problems, found.matches)


def test_everything_that_differs_is_told(tmp_path: Path) -> None:
    """Entries, counts, verdict, instant and reasons, each at its place."""
    story = """entries:
  - {at: 20s, message: giving up, expect: [trace]}
  - {at: 30s, message: "Traceback (most recent call last):", expect: [trace]}
  - {message: "giving up", expect: [gives-up]}
  - {message: "KeyError", expect: []}
  - {message: "giving up", fields: {_SYSTEMD_UNIT: other.service}, expect: [gives-up]}
expect:
  matches: {gives-up: 3}
  verdict: passed
  failed_at: 1m
  reasons: [nothing]
"""
    expected = [
        's.yaml:12:5: entries[0].expect: "giving up" at 20s: gives-up, expected trace',
        's.yaml:14:5: entries[2].expect: "giving up" at 30s: no rule, expected gives-up',
        "  hint: gives-up: joined to the error before it by `until`, or the run was counted before",
        's.yaml:16:5: entries[4].expect: "giving up" at 30s: no rule, expected gives-up',
        "  hint: it is no entry of the job: see the job's units and identifiers, and this entry's fields",
        "s.yaml:18:12: expect.matches: gives-up counted once, expected 3 times",
        "s.yaml:18:12: expect.matches: trace counted once, expected 0 times",
        "s.yaml:19:12: expect.verdict: the verdict is failed, expected passed",
        "  hint: 2 error matches in 10s, limit 2 in 1m",
        "s.yaml:20:14: expect.failed_at: it failed at 30s, expected at 1m",
        's.yaml:21:12: expect.reasons: the reasons are "2 error matches in 10s, limit 2 in 1m", expected "nothing"',
    ]
    assert expected == told(tmp_path, story)


def test_repeated_entries_tell_a_difference_once(tmp_path: Path) -> None:
    """Each of them is looked at; at one instant they say the same."""
    story = "entries:\n  - {at: 1s, message: fine, repeat: 3, expect: [trace]}\n"
    assert ['s.yaml:12:5: entries[0].expect: "fine" at 1s: no rule, expected trace'] == told(tmp_path, story)


def test_a_window_without_entries_is_not_known_to_be_good(tmp_path: Path) -> None:
    """As live."""
    found = played(tmp_path, "entries: []\nexpect: {verdict: passed}\n")
    assert "inconclusive" == found.verdict
    assert 1 == len(found.problems)


def test_the_end_of_the_window_belongs_to_nobody(tmp_path: Path) -> None:
    """Entries at its last instant are past it: intervals are half-open."""
    story = (
        "entries:\n  - {at: 1m, message: fine}\n  - {at: 10m, message: giving up, repeat: 2}\n"
        "expect: {verdict: passed, matches: {gives-up: 2}}\n"
    )
    assert () == played(tmp_path, story).problems


def test_what_comes_before_the_release_is_its_past(tmp_path: Path) -> None:
    """Errors that the job had before are no new ones."""
    head = HEAD.partition("release:")[0]
    path = tmp_path / "s.yaml"
    story = (
        "release: {window: 10m, settle: 0s, fail_when: [{new_errors: {count: 1}}]}\nreleased: 2d\nentries:\n"
        "  - {at: 0s, message: 'row 1: giving up', repeat: 47, every: 1h}\n"
        "  - {at: 2d30s, run: begins}\n  - {at: 2d1m, message: 'row 7: giving up'}\n"
    )
    path.write_text(f"{head}{story}expect: {{verdict: passed}}\n")
    read = read_scenario(path, tmp_path / "watcher.yaml")
    assert read.scenario is not None, read.problems
    assert () == play(read.scenario).problems
    path.write_text(f"{head}{story}  - {{at: 2d2m, message: 'disk full, giving up'}}\nexpect: {{verdict: failed}}\n")
    read = read_scenario(path, tmp_path / "watcher.yaml")
    assert read.scenario is not None, read.problems
    assert () == play(read.scenario).problems


@pytest.mark.parametrize(("message", "verdict"), [("row 99 lost", "passed"), ("disk full", "failed")])
def test_errors_in_json_are_new_by_what_they_say(tmp_path: Path, message: str, verdict: str) -> None:
    """Lines of one logger differ in their message alone."""
    path = tmp_path / "s.yaml"
    path.write_text(
        "scenario: json\nrules: [{name: errors, fields: {level: error}, severity: error}]\n"
        "release: {window: 10m, settle: 0s, fail_when: [{new_errors: {count: 1}}]}\nreleased: 2d\nentries:\n"
        """  - {at: 0s, message: '{"level":"error","msg":"row 1 lost"}', repeat: 47, every: 1h}\n"""
        "  - {at: 2d30s, run: begins}\n"
        f"""  - {{at: 2d1m, message: '{{"level":"error","msg":"{message}"}}'}}\nexpect: {{verdict: {verdict}}}\n"""
    )
    read = read_scenario(path, tmp_path / "watcher.yaml")
    assert read.scenario is not None, read.problems
    assert () == play(read.scenario).problems


RUNS = """scenario: runs
packs: [systemd]
release: {window: 1h, settle: 0s, fail_when: [{failed_runs: {count: 2, consecutive: true}}]}
entries:
  - {at: 1m, run: begins, expect: []}
  - {at: 2m, message: working, expect: []}
  - {at: 3m, run: fails, expect: [unit-failed]}
  - {at: 4m, run: begins}
  - {at: 5m, run: LAST}
expect: {verdict: VERDICT}
"""


@pytest.mark.parametrize(("last", "verdict"), [("fails", "failed"), ("succeeds", "passed")])
def test_runs_begin_and_end(tmp_path: Path, last: str, verdict: str) -> None:
    """A run in one word is what systemd writes of it: counted, and held against the release."""
    path = tmp_path / "s.yaml"
    path.write_text(RUNS.replace("LAST", last).replace("VERDICT", verdict))
    read = read_scenario(path, tmp_path / "watcher.yaml")
    assert read.scenario is not None, read.problems
    assert () == play(read.scenario).problems


def test_a_run_needs_a_unit(tmp_path: Path) -> None:
    """A job of identifiers has none that systemd could tell of."""
    (tmp_path / "watcher.yaml").write_text("version: 1\njobs: {import: {identifiers: [import], packs: [python]}}\n")
    path = tmp_path / "s.yaml"
    path.write_text("scenario: a\njob: import\nentries:\n  - {run: begins}\n")
    read = read_scenario(path, tmp_path / "watcher.yaml")
    assert ["the job has no unit whose run this could be"] == [one.message for one in read.problems]
