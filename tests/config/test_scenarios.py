"""Scenario files: what is wrong in them, and what stands in them when nothing is."""

from __future__ import annotations

from pathlib import Path

import pytest

from watcher.config.scenarios import Scenario, read_scenario
from watcher.config.story import example_unit
from watcher.core.duration import MINUTE, SECOND
from watcher.core.names import JobName
from watcher.core.rule import WatchedJob

CONFIG = """version: 1
jobs:
  import:
    units: ["import@*.service"]
    rules:
      - {name: gives-up, match: 'giving up', severity: error}
    release:
      fail_when:
        - matches: {severity: error, count: 2}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "watcher.yaml"
    path.write_text(CONFIG)
    return path


def told(path: Path, text: str, config: Path) -> list[str]:
    """Every problem, without the directory in its place."""
    path.write_text(text)
    read = read_scenario(path, config)
    assert read.scenario is None
    return [line.removeprefix(f"{path.parent}/") for problem in read.problems for line in str(problem).splitlines()]


def read(path: Path, text: str, config: Path) -> Scenario:
    path.write_text(text)
    found = read_scenario(path, config)
    assert () == found.problems
    assert found.scenario is not None
    return found.scenario


WRONG = """scenario: wrong
packs: [pythn, ./none.yaml]
rules:
  - {name: lost, match: 'a(?=b)', severity: error}
release:
  windw: 10m
entries:
  - {at: 10, message: a}
  - {at: 1s}
  - {message: b, fields: {priority: 3}, expect: [lots]}
  - {message: c, every: 1s, colour: red}
expect:
  matches: {lost: 1, lots: -1}
  verdict: broken
"""
"""Every mistake that one can make."""


def test_every_mistake_at_once(config: Path) -> None:
    """Keys, times, rules, packs and patterns, each with its place and its key as it stands in the scenario."""
    expected = [
        's.yaml:2:9: packs[0]: there is no pack "pythn"',
        '  hint: did you mean "python"?',
        "s.yaml:4:27: rules[0].match: RE2: invalid perl operator: (?=",
        "  hint: RE2 has no lookahead: use `unless` for what must not be there, and write out what must",
        "s.yaml:6:3: release.windw: unknown key",
        '  hint: did you mean "window"?',
        "s.yaml:8:10: entries[0].at: 10 is a bare number, not a duration",
        '  hint: write its unit, as in "10s" or "10m"',
        "s.yaml:9:5: entries[1]: needs message, fields or run, or several of them",
        's.yaml:10:26: entries[2].fields: "priority" is not the name of a journal field',
        "  hint: capital letters, digits and _, no digit first, at most 64",
        's.yaml:10:50: entries[2].expect: there is no rule "lots"',
        '  hint: did you mean "lost"?',
        "s.yaml:11:5: entries[3]: every goes with repeat, which is not there",
        "s.yaml:11:29: entries[3].colour: unknown key",
        's.yaml:13:22: expect.matches: there is no rule "lots"',
        '  hint: did you mean "lost"?',
        's.yaml:13:28: expect.matches.lots: must be a whole number from 0 on, not "-1"',
        's.yaml:14:12: expect.verdict: "broken" is not one of: passed, failed, inconclusive',
        "none.yaml:1:1: can't be read: No such file or directory",
    ]
    lines = told(config.parent / "s.yaml", WRONG, config)
    assert expected == [line for line in lines if "name another file" not in line and "keys here" not in line]


def test_entries_run_forward(config: Path) -> None:
    """An instant before the entry above is a mistake, not a journey in time."""
    text = "scenario: back\njob: import\nentries:\n  - {at: 2s, message: a}\n  - {at: 1s, message: b}\n"
    expected = ["s.yaml:5:5: entries[1].at: is earlier than the entry before", "  hint: put them in their order"]
    assert expected == told(config.parent / "s.yaml", text, config)


def test_a_job_that_is_not_there(config: Path) -> None:
    """The nearest one is named."""
    text = "scenario: a\njob: imprt\nentries: []\n"
    lines = told(config.parent / "s.yaml", text, config)
    assert lines[0].startswith('s.yaml:2:6: job: there is no job "imprt" in ')
    assert '  hint: did you mean "import"?' == lines[1]


def test_what_belongs_to_a_configuration_that_is_wrong(tmp_path: Path) -> None:
    """Its problems are told as `watcher check` tells them."""
    config = tmp_path / "watcher.yaml"
    config.write_text(CONFIG.replace("units:", "unit:"))
    lines = told(tmp_path / "s.yaml", "scenario: a\njob: import\nentries: []\n", config)
    assert "watcher.yaml:4:5: jobs.import.unit: unknown key" in lines


def test_job_and_rules_exclude_each_other(config: Path) -> None:
    """A job brings its own rules."""
    lines = told(config.parent / "s.yaml", "scenario: a\njob: import\npacks: [python]\nentries: []\n", config)
    assert ["s.yaml:1:1: has job and packs together", "  hint: a job brings its own packs and rules"] == lines
    lines = told(config.parent / "s.yaml", "scenario: a\nentries: []\n", config)
    assert ["s.yaml:1:1: needs job, packs or rules", "  hint: without them there is nothing to try"] == lines


def test_entries_come_from_the_jobs_process(config: Path) -> None:
    """Fields that journald would add are there, of a unit of the job, and may be said otherwise."""
    text = """scenario: fields
job: import
entries:
  - {at: 1s, message: a, repeat: 3, every: 2s}
  - {message: b, fields: {_SYSTEMD_UNIT: import@7.service, PRIORITY: "3"}}
  - {at: 1m, fields: {_PID: "1", MESSAGE_ID: x}}
"""
    scenario = read(config.parent / "s.yaml", text, config)
    assert [1 * SECOND, 3 * SECOND, 5 * SECOND, 5 * SECOND, MINUTE] == [step.at for step in scenario.steps]
    units = [step.fields["_SYSTEMD_UNIT"] for step in scenario.steps]
    assert [*["import@1.service"] * 3, "import@7.service", "init.scope"] == units
    assert ["6", "3"] == [step.fields["PRIORITY"] for step in scenario.steps[2:4]]
    assert ("import@1.service", "0") == (scenario.steps[4].fields["UNIT"], scenario.steps[4].fields["_UID"])


def test_a_release_of_its_own(config: Path) -> None:
    """`release` stands for the job's; without it the job's own judges."""
    head = "scenario: a\njob: import\nentries: []\nexpect: {verdict: passed}\n"
    own = read(config.parent / "s.yaml", head, config)
    assert 15 * MINUTE == own.policy.release.window
    other = read(config.parent / "s.yaml", head + "release: {window: 5m}\n", config)
    assert (5 * MINUTE, 0) == (other.policy.release.window, len(other.policy.release.thresholds))
    assert other.released is not None


def test_without_a_judgement_no_release_goes_out(config: Path) -> None:
    """Counting alone needs none."""
    assert read(config.parent / "s.yaml", "scenario: a\njob: import\nentries: []\n", config).released is None


@pytest.mark.parametrize(
    ("pattern", "unit"),
    [
        ("import.service", "import.service"),
        ("import@*.service", "import@1.service"),
        ("im?ort.service", "im1ort.service"),
        ("im[pq]ort@*.service", "import@1.service"),
        ("[!!]x.service", None),
        ("import*", "import1.service"),
    ],
)
def test_a_unit_for_the_entries(pattern: str, unit: str | None) -> None:
    """A name that the job's first pattern takes; None where none can be made, and then the file has to say one."""
    job = WatchedJob(name=JobName("a"), units=(pattern,), identifiers=(), rules=())
    assert unit == example_unit(job)
