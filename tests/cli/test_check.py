"""`watcher check` and `watcher schema`: what they print where, and with which exit code."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest

from watcher.cli import check, schema
from watcher.config.packs import shipped_packs
from watcher.config.schema import schema_of_config, schema_of_pack

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "deploy/examples/watcher.yaml"
BAD = ROOT / "tests/config/bad"


def run(*argv: str | Path) -> int:
    """One of the two verbs with the options that every verb knows."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--config", type=Path, default=Path("/etc/release-watcher/watcher.yaml"))
    common.add_argument("-o", "--output", choices=("text", "json"), default="text")
    parser = argparse.ArgumentParser(allow_abbrev=False)
    subparsers = parser.add_subparsers(required=True)
    check.add(subparsers, common)
    schema.add(subparsers, common)
    args = parser.parse_args([str(arg) for arg in argv])
    code: int = args.run(args)
    return code


def test_a_good_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """One line with what it holds, nothing else."""
    assert 0 == run("check", "--config", EXAMPLE)
    assert (f"{EXAMPLE}: ok, 1 job, 15 rules\n", "") == capsys.readouterr()


def test_warnings_keep_nothing_from_working(capsys: pytest.CaptureFixture[str]) -> None:
    """They are printed with the errors' stream, and counted."""
    contract = ROOT / "tests/config/contract.yaml"
    assert 0 == run("check", contract)
    out, err = capsys.readouterr()
    assert f"{contract}: ok, 1 job, 14 rules\n" == out
    assert 0 == err.count(": warning: jobs.import.release.")


def test_a_bad_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """Problems on stderr with their advice, the count on stdout."""
    bad = BAD / "unknown-key.yaml"
    assert 78 == run("check", bad)
    out, err = capsys.readouterr()
    assert f"{bad}: 3 errors\n" == out
    assert err.startswith(f'{bad}:6:7: jobs.import.release.windw: unknown key\n  hint: did you mean "window"?\n')


def test_packs_are_told_apart_from_configurations(capsys: pytest.CaptureFixture[str]) -> None:
    """A file with `pack:` or `rules:` at its top is a pack; each file has its own line."""
    pack = shipped_packs()["python"]
    assert 78 == run("check", pack, BAD / "pack-without-rules.yaml", EXAMPLE)
    out, _ = capsys.readouterr()
    expected = [
        f"{pack}: ok, 6 rules",
        f"{BAD}/pack-without-rules.yaml: 1 error",
        f"{EXAMPLE}: ok, 1 job, 15 rules",
    ]
    assert expected == out.splitlines()


def test_rules_of_one_pack_that_ask_for_the_same(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """The pack is enough to tell; no job has to use it first."""
    pack = tmp_path / "ours.yaml"
    rules = "".join(f"  - {{name: {name}, match: lost, severity: error}}\n" for name in ("one", "two"))
    pack.write_text(f"pack: {{name: ours}}\nrules:\n{rules}")
    assert 0 == run("check", pack)
    out, err = capsys.readouterr()
    assert f"{pack}: ok, 2 rules, 1 warning\n" == out
    assert 'rules[1].name: "two" asks for the same as "one"' in err


def test_a_missing_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """It is said with what to do."""
    missing = tmp_path / "watcher.yaml"
    assert 78 == run("check", "--config", missing)
    out, err = capsys.readouterr()
    assert f"{missing}: 1 error\n" == out
    assert f"{missing}:1:1: can't be read: No such file or directory\n  hint: " in err


def test_json_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    """One object with the files and every problem, on stdout; nothing on stderr."""
    bad = BAD / "no-version.yaml"
    assert 78 == run("check", "-o", "json", bad, EXAMPLE)
    out, err = capsys.readouterr()
    expected = {
        "schema": 1,
        "files": [
            {"file": str(bad), "kind": "config", "ok": False, "jobs": 0, "rules": 0},
            {"file": str(EXAMPLE), "kind": "config", "ok": True, "jobs": 1, "rules": 15},
        ],
        "problems": [
            {
                "file": str(bad),
                "line": 1,
                "column": 1,
                "path": "version",
                "message": "is missing",
                "hint": "",
                "severity": "error",
            },
        ],
    }
    assert expected == json.loads(out)
    assert "" == err


def test_schemas_are_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Of the configuration, or of a pack."""
    assert 0 == run("schema")
    assert schema_of_config() == json.loads(capsys.readouterr().out)
    assert 0 == run("schema", "pack")
    assert schema_of_pack() == json.loads(capsys.readouterr().out)


def test_a_scenario_is_played_elsewhere(capsys: pytest.CaptureFixture[str]) -> None:
    """It is not taken for a pack because it has rules; the line to run is named."""
    scenario = ROOT / "deploy/examples/scenarios/unit-fails.yaml"
    assert 78 == run("check", scenario)
    out, err = capsys.readouterr()
    assert f"{scenario}: 1 error\n" == out
    assert "is a scenario, neither a configuration nor a pack\n  hint: watcher rules test " in err
