"""`watcher rules …` as a person runs it: the real command, its output and exit codes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from tests.parts.journals import START, exported, write_journal
from tests.parts.verbs import COMMAND, Said, surroundings

CONFIG = """version: 1
jobs:
  import:
    units: [import.service]
    packs: [ours, systemd]
    rules:
      - {name: gives-up, match: giving up, unless: 'dry', severity: error, tests: {match: [giving up], no_match: [a]}}
    release:
      mode: rollback
      fail_when:
        - matches: {severity: error, count: 2}
      rollback: {command: [/bin/true]}
  watch:
    identifiers: [watch]
    packs: [ours]
"""
OURS = """pack: {name: ours, description: what ours says}
rules:
  - {name: lost, match: 'rows lost', severity: error, where: {PRIORITY: "<=4", _COMM: a, _UID: "0"}}
  - {name: odd, match: "a\\u202eb", severity: info}
  - {name: slow, match: 'took \\d+ s', severity: warning, capture: {span: '(\\d+) s'}}
"""
SCENARIO = """scenario: {name}
job: import
entries:
  - {{at: 1m, message: giving up, repeat: {count}}}
expect: {{verdict: failed}}
"""


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "rules.d").mkdir()
    (tmp_path / "watcher.yaml").write_text(CONFIG)
    (tmp_path / "rules.d/ours.yaml").write_text(OURS)
    return tmp_path


def watcher(*words: str, at: Path, given: bytes = b"", config: bool = True) -> Said:
    """The command, run in the site's directory."""
    options = ("--config", "watcher.yaml") if config else ()
    done = subprocess.run(
        [*COMMAND, *words, *options], cwd=at, input=given, capture_output=True, env=surroundings(), check=False
    )
    return Said(done.returncode, done.stdout.decode(), done.stderr.decode())


# -------------------------------------------------------------------------------------------------------------- list


def test_list_shows_what_the_jobs_use(site: Path) -> None:
    """Packs with their users, then the jobs' own rules; hostile words escaped."""
    said = watcher("rules", "list", at=site)
    assert (0, "") == (said.code, said.err)
    assert "ours: what ours says (used by import, watch)" in said.out
    assert "  info     odd   a\\u202eb\n" in said.out
    assert "  warning  slow  took \\d+ s\n" in said.out
    assert "job import: rules of its own\n  error  gives-up  giving up\n" in said.out
    assert "systemd: " in said.out
    assert "python: " not in said.out


def test_list_of_one_job_one_pack_and_everything(site: Path) -> None:
    """The options choose."""
    of_job = watcher("rules", "list", "--job", "watch", "-o", "json", at=site).json
    assert [("ours", ["lost", "odd", "slow"])] == [
        (pack["name"], [rule["name"] for rule in of_job["rules"]]) for pack in of_job["packs"]
    ]
    of_pack = watcher("rules", "list", "--pack", "python", "--pack", "./rules.d/ours.yaml", "-o", "json", at=site).json
    assert ["python", "ours"] == [pack["name"] for pack in of_pack["packs"]]
    every = watcher("rules", "list", "--all", "-o", "json", at=site).json
    assert {"ours", "systemd", "python", "generic", "kernel"} <= {pack["name"] for pack in every["packs"]}
    assert (1, True) == (every["schema"], any(rule["name"] == "gives-up" for rule in every["rules"]))


def test_list_without_a_configuration_shows_the_shipped_packs(tmp_path: Path) -> None:
    """A new user sees what there is."""
    said = watcher("rules", "list", "-o", "json", at=tmp_path, config=False)
    assert {"systemd", "python", "generic", "kernel"} <= {pack["name"] for pack in said.json["packs"]}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pack", "pythn"), 'did you mean "python"?; a file is written ./FILE'),
        (("--job", "imprt"), 'did you mean "import"?'),
    ],
)
def test_a_name_that_there_is_not(site: Path, words: tuple[str, ...], message: str) -> None:
    """The nearest one is named; exit 64."""
    said = watcher("rules", "list", *words, at=site)
    assert (64, "") == (said.code, said.out)
    assert f"  hint: {message}\n" in said.err


def test_a_broken_pack_is_told_with_its_places(site: Path) -> None:
    """As `watcher check` would; exit 78."""
    (site / "rules.d/ours.yaml").write_text(OURS.replace("rows lost", "rows (lost"))
    said = watcher("rules", "list", at=site)
    assert (78, "") == (said.code, said.out)
    assert "rules.d/ours.yaml:3:31: rules[0].match: RE2: missing )" in said.err


# ----------------------------------------------------------------------------------------------------------- explain


def test_explain_tells_everything(site: Path) -> None:
    """Source, patterns, whom it believes, what it may do, its tests."""
    said = watcher("rules", "explain", "gives-up", at=site)
    expected = [
        "gives-up: error, a job's own rule",
        "  stands in   watcher.yaml:7:16",
        "  match       'giving up'",
        "  unless      'dry'",
        "  believes    MESSAGE: what the sender wrote",
        "  job import  may roll back: by 2 error matches",
        "  must match  ok  giving up",
        "  must not    ok  a",
    ]
    assert (0, expected) == (said.code, said.out.splitlines())


def test_explain_says_whom_a_field_is_believed_from(site: Path) -> None:
    """What journald says itself can't be forged, but for what a program's starter chooses."""
    rule = watcher("rules", "explain", "ours/lost", "-o", "json", at=site).json["rules"][0]
    assert [
        "MESSAGE: what the sender wrote",
        "PRIORITY: what the sender wrote",
        "_COMM: from journald, but whoever starts a program can choose it",
        "_UID: from journald, can't be forged",
    ] == rule["believes"]
    assert [("import", True), ("watch", False)] == [(one["job"], one["may_roll_back"]) for one in rule["jobs"]]
    assert "no threshold of the job counts it" == rule["jobs"][1]["why"]
    failed = watcher("rules", "explain", "unit-failed", "-o", "json", at=site).json["rules"][0]
    assert "MESSAGE_ID, from PID 1 alone" == failed["believes"][0]


def test_explain_of_a_rule_that_there_is_not(site: Path) -> None:
    """Did you mean; exit 64."""
    said = watcher("rules", "explain", "give-up", at=site)
    assert 64 == said.code
    assert 'watcher: there is no rule "give-up"\n  hint: did you mean "gives-up"?\n' == said.err


# -------------------------------------------------------------------------------------------------------------- test


def test_scenarios_are_played(site: Path) -> None:
    """A line for each file on stdout, what differs with its place on stderr, exit 1; JUnit for CI."""
    (site / "good.yaml").write_text(SCENARIO.format(name="two", count=2))
    (site / "bad.yaml").write_text(SCENARIO.format(name="one < two", count=1))
    said = watcher("rules", "test", "good.yaml", "bad.yaml", "--junit", "out.xml", at=site)
    assert 1 == said.code
    assert (
        'good.yaml: ok, 2 entries, gives-up 2, verdict failed ("two")\nbad.yaml: not as expected, 1 error\n' == said.out
    )
    assert said.err.startswith("bad.yaml:5:19: expect.verdict: the verdict is inconclusive, expected failed\n  hint: ")
    suite = ET.parse(site / "out.xml").getroot()[0]  # noqa: S314 - our own
    assert ("2", "1", "0") == tuple(suite.attrib[key] for key in ("tests", "failures", "errors"))
    assert ["two", "one < two"] == [case.attrib["name"] for case in suite]
    assert "bad.yaml:5:19" in (suite[1][0].text or "")


def test_a_scenario_that_cant_be_used(site: Path) -> None:
    """Exit 78, and the others are played all the same."""
    (site / "good.yaml").write_text(SCENARIO.format(name="two", count=2))
    said = watcher("rules", "test", "none.yaml", "good.yaml", "-o", "json", at=site)
    assert (78, "") == (said.code, said.err)
    assert (1, False) == (said.json["schema"], said.json["ok"])
    assert [False, True] == [one["ok"] for one in said.json["scenarios"]]
    assert "can't be read: No such file or directory" == said.json["scenarios"][0]["problems"][0]["message"]
    good = said.json["scenarios"][1]
    assert ("failed", "1m", {"gives-up": 2}) == (good["verdict"], good["failed_at"], good["matches"])


# ------------------------------------------------------------------------------------------------------------- match

LINES = b"""fine 1
giving up
giving up (dry)
rows lost
took 7 s
belt 3 jammed
belt 4 jammed
odd \x1b[2J thing
"""


def test_match_of_lines(site: Path) -> None:
    """Hits by rule with a sample each, hostile text escaped."""
    said = watcher("rules", "match", "--job", "import", at=site, given=LINES + b"giving up \x1b[2J\n")
    expected = [
        "9 entries: 3 match, 6 match no rule",
        "      2  error     import/gives-up",
        "         giving up",
        "      1  warning   ours/slow",
        "         took 7 s",
    ]
    assert (0, "", expected) == (said.code, said.err, said.out.splitlines())


def test_match_leaves_over_what_can_be_pasted(site: Path) -> None:
    """Kinds that look bad come first, each with a rule; the whole is a pack with `--as-pack`."""
    (site / "app.log").write_bytes(LINES)
    said = watcher("rules", "match", "--job", "import", "--unmatched", "app.log", at=site)
    assert "\n# 2 x belt <num> jammed\n  - name: belt-jammed\n    match: '^belt \\d+ jammed'\n" in said.out
    assert said.out.index("belt <num> jammed") < said.out.index("fine <num>")
    assert "\x1b" not in said.out
    pack = watcher("rules", "match", "--job", "import", "--as-pack", "belts", "app.log", at=site)
    (site / "rules.d/belts.yaml").write_text(pack.out)
    assert "rules.d/belts.yaml: ok, 3 rules\n" == watcher("check", "rules.d/belts.yaml", at=site, config=False).out
    again = watcher("rules", "match", "--pack", "belts", "-o", "json", "app.log", at=site).json
    assert [("belt-jammed", 2), ("giving-up-dry", 1), ("rows-lost", 1)] == [
        (one["name"], one["count"]) for one in again["rules"]
    ]


def test_match_in_json(site: Path) -> None:
    """Everything, with the texts as they are."""
    said = watcher("rules", "match", "--job", "import", "--unmatched", "-o", "json", at=site, given=LINES)
    report = said.json
    keys = ("schema", "entries", "matched", "joined", "counted_before", "unmatched")
    assert (1, 8, 2, 0, 0, 6) == tuple(report[key] for key in keys)
    assert {"complete": True, "gaps": []} == report["coverage"]
    odd = next(kind for kind in report["kinds"] if kind["template"].startswith("odd"))
    assert "odd \x1b[2J thing" == odd["samples"][0]["message"]
    assert ("info", 1, 6) == (odd["looks_like"], odd["count"], odd["priority"])


def test_match_in_the_journal(site: Path) -> None:
    """By the job's units or by units that are named, in a range of time; only entries of theirs are looked at."""
    sender = {"_SYSTEMD_UNIT": "import.service", "_PID": "7", "_UID": "9", "PRIORITY": "6"}
    lines = [{"MESSAGE": line.decode(), **sender} for line in LINES.splitlines()[:6]]
    others = [{"MESSAGE": "giving up", **sender, "_SYSTEMD_UNIT": "other.service"}]
    write_journal(site / "journal", [*lines, *others])
    (site / "watcher.yaml").write_text(CONFIG + "journal: {directory: journal}\n")
    begun = f"@{START // 10**6}"
    of_job = watcher("rules", "match", "--job", "import", "--since", begun, at=site)
    assert of_job.out.startswith("6 entries: 2 match, 4 match no rule\n      1  error     import/gives-up\n")
    assert "         2023-11-14T22:13:20Z  giving up\n" in of_job.out
    named = ("rules", "match", "--pack", "ours", "-o", "json", "--since", begun)
    assert 1 == watcher(*named, "-u", "other.service", at=site).json["entries"]
    assert 7 == watcher(*named, at=site).json["entries"]
    assert 0 == watcher(*named, "--until", f"@{START // 10**6}.000001", "-u", "other.service", at=site).json["entries"]


def test_a_directory_alone_means_the_journal_in_it(site: Path) -> None:
    """Standard input is not read, and a directory that there isn't is an error, not nothing found."""
    write_journal(site / "journal", [{"MESSAGE": "giving up", "_SYSTEMD_UNIT": "import.service", "PRIORITY": "6"}])
    there = watcher("rules", "match", "--pack", "ours", "-D", "journal", "-o", "json", at=site, given=LINES)
    assert (0, 0) == (there.code, there.json["entries"])  # that entry is older than a day
    missing = watcher("rules", "match", "-D", "nowhere", at=site, given=LINES)
    assert 78 == missing.code
    assert "journal directory nowhere: No such file or directory" in missing.err


def test_data_without_a_message_is_told_apart_by_its_words(site: Path) -> None:
    """A logger's own fields make the kinds, what its level says is bad comes first, and the pack loads and finds it."""
    lines = [
        {"lvl": "I", "evt": "tick", "kiln": 3},
        {"lvl": "E", "evt": "overheat", "kiln": 3, "temp": 1399},
        {"lvl": "E", "evt": "overheat", "kiln": 4},
        {"lvl": "W", "evt": "draft", "kiln": 4},
    ]
    (site / "app.log").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    said = watcher("rules", "match", "--job", "import", "--unmatched", "app.log", at=site)
    titles = [line for line in said.out.splitlines() if line.startswith("# ")]
    assert ["# 2 x evt overheat, lvl E", "# 1 x evt draft, lvl W", "# 1 x evt tick, lvl I"] == titles
    pack = watcher("rules", "match", "--job", "import", "--as-pack", "kiln", "app.log", at=site)
    (site / "rules.d/kiln.yaml").write_text(pack.out)
    assert "rules.d/kiln.yaml: ok, 2 rules\n" == watcher("check", "rules.d/kiln.yaml", at=site, config=False).out
    again = watcher("rules", "match", "--pack", "kiln", "-o", "json", "app.log", at=site).json
    assert [("overheat", 2), ("draft", 1)] == [(one["name"], one["count"]) for one in again["rules"]]
    assert {None} == {sample["at"] for one in again["rules"] for sample in one["samples"]}


def test_match_of_a_recording(site: Path) -> None:
    """What `journalctl -o export` printed is read with all of its fields."""
    export = b"".join(
        exported({"__REALTIME_TIMESTAMP": 7, "MESSAGE": "x", "UNIT": "import.service", **one})
        for one in (
            {"_PID": "1", "MESSAGE_ID": "d9b373ed55a64feb8242e02dbe79a49c"},
            {"_PID": "2", "MESSAGE_ID": "d9b373ed55a64feb8242e02dbe79a49c", "_SYSTEMD_UNIT": "import.service"},
        )
    )
    report = watcher("rules", "match", "--job", "import", "-o", "json", at=site, given=export).json
    assert (2, [("unit-failed", 1)]) == (report["entries"], [(one["name"], one["count"]) for one in report["rules"]])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("app.log", "--since", "-1d"), "--since is for the journal, and app.log is a file"),
        (("app.log", "-D", "journal"), "--directory is for the journal, and app.log is a file"),
        (("none.log",), "none.log: can't be read: No such file or directory"),
        (("--job", "import", "-u", "a"), "--job brings its own units"),
        (("--as-pack", "../x"), "'../x' is not a name for a pack"),
        (("--as-pack", "x"), "nothing that no rule knows looks like an error"),
        (("--since", "-1h", "--until", "-2h"), "--until is not after --since"),
        (("--samples", "-1"), "'-1' is not a whole number"),
        (("a", "b"), "one file at a time"),
    ],
)
def test_match_asked_wrongly(site: Path, words: tuple[str, ...], message: str) -> None:
    """Exit 64, with the way out."""
    said = watcher("rules", "match", *words, at=site, given=b"fine\n")
    assert 64 == said.code
    assert message in said.err


def test_match_of_pasted_journalctl_output_is_hinted_at(site: Path) -> None:
    """Its prefix hides messages from rules that begin with ^."""
    line = b"Nov 24 22:00:01 host import[7]: row 7 stored\n"
    said = watcher("rules", "match", at=site, given=line * 3)
    assert "use -o cat" in said.err
