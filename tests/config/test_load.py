"""From files to settings: the contract's example, drop-ins, packs, defaults, and whatever else may stand in a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example_settings
from hypothesis import strategies as st

from watcher.config.load import load_settings
from watcher.config.problem import ConfigError, Problem
from watcher.core.duration import HOUR, MINUTE, SECOND, Usec
from watcher.core.names import JobName, RuleName
from watcher.core.policy import (
    AboveBaseline,
    Expectation,
    FailedRatio,
    FailedRuns,
    MatchThreshold,
    Mode,
    NewErrors,
    ReleasePolicy,
    RollbackPlan,
)
from watcher.core.rule import FieldCondition, Rule, TextCondition
from watcher.core.severity import Severity

CONTRACT = Path(__file__).parent / "contract.yaml"
EXAMPLE = Path(__file__).parents[2] / "deploy/examples/watcher.yaml"
IMPORT = JobName("import")
PLAIN = "version: 1\njobs:\n  import: {units: [import.service]}\n"

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a configuration with files beside it and returns the path of its main file."""

    def written(text: str, **beside: str) -> Path:
        for name, inner in beside.items():
            directory, _, stem = name.partition("__")
            file = tmp_path / f"{directory}.d" / f"{stem}.yaml"
            file.parent.mkdir(exist_ok=True)
            file.write_text(inner, encoding="utf-8")
        main = tmp_path / "watcher.yaml"
        main.write_text(text, encoding="utf-8")
        return main

    return written


def test_contract_release() -> None:
    """Every key of the contract's example is taken; what this version can't judge is named."""
    expected = ReleasePolicy(
        mode=Mode.ROLLBACK,
        window=Usec(15 * MINUTE),
        settle=Usec(30 * SECOND),
        thresholds=(
            MatchThreshold(severity=Severity.ERROR, count=5, within=Usec(2 * MINUTE)),
            MatchThreshold(rule=RuleName("half-imported"), count=1),
            FailedRuns(count=2, consecutive=True),
            FailedRatio(ratio=0.2, min_runs=5),
            AboveBaseline(severity=Severity.ERROR, factor=3.0, confidence=0.999, lookback=Usec(14 * 24 * HOUR)),
            NewErrors(count=3, lookback=Usec(14 * 24 * HOUR)),
        ),
        rollback=RollbackPlan(
            command=("/usr/local/bin/rollback-import",),
            timeout=Usec(5 * MINUTE),
            user="deploy",
            idempotent=False,
            check=("/usr/local/bin/rollback-import", "--check"),
            verify=Usec(10 * MINUTE),
        ),
        unjudged=(),
        expected="1 successful run",
        trusted=True,
        backup=("/usr/local/bin/backup-import",),
        expect=Expectation(successful_runs=1),
        has_runs=True,
    )
    assert expected == load_settings(CONTRACT).policies[IMPORT].release


def test_contract_job() -> None:
    """Units, rules of packs and of the job, and how to see its entries."""
    settings = load_settings(CONTRACT)
    watched, policy = settings.jobs[0], settings.policies[IMPORT]
    assert ("import@*.service", "import-cleanup.service") == watched.units
    assert "data-team@example.com" == policy.owner
    assert ("-u", "import@*.service", "-u", "import-cleanup.service") == policy.journalctl
    own = Rule(
        name=RuleName("half-imported"),
        severity=Severity.ERROR,
        match=r"imported (\d+) of (\d+) rows, giving up",
    )
    assert own == watched.rules[-1]
    assert {"systemd", "python", ""} == {rule.pack for rule in watched.rules}
    assert {rule.name: rule.severity for rule in watched.rules} == policy.rules


def test_contract_listens_and_reads_the_machine() -> None:
    """The example's `null` is this machine's journal."""
    settings = load_settings(CONTRACT)
    expected = (None, None, ("127.0.0.1", 10310))
    assert expected == (settings.journal_directory, settings.journal_namespace, settings.metrics_address)


def test_contract_warns_of_what_is_not_judged() -> None:
    """Each key that this version doesn't use is told with its place, and keeps nothing from working."""
    keys = [warning.path.removeprefix("jobs.import.release.") for warning in load_settings(CONTRACT).warnings]
    unjudged = load_settings(CONTRACT).policies[IMPORT].release.unjudged
    assert [*unjudged] == keys


def test_shipped_example_has_no_warning() -> None:
    """What people copy is all in use."""
    assert () == load_settings(EXAMPLE).warnings


def test_defaults(write: Write) -> None:
    """A job with nothing but its unit is observed."""
    settings = load_settings(write(PLAIN))
    expected = ReleasePolicy(
        mode=Mode.OBSERVE, window=Usec(15 * MINUTE), settle=Usec(30 * SECOND), thresholds=(), has_runs=True
    )
    assert expected == settings.policies[IMPORT].release
    assert ("127.0.0.1", 10310) == settings.metrics_address
    assert () == settings.jobs[0].rules
    assert () == settings.warnings


def test_a_key_without_a_value_has_its_default(write: Write) -> None:
    """As in the example, null is the default; but no address is none."""
    text = "version: 1\njournal:\nlisten: {metrics: null}\njobs:\n  import: {units: [a], owner: , release: }\n"
    settings = load_settings(write(text))
    assert (None, "") == (settings.metrics_address, settings.policies[IMPORT].owner)


@pytest.mark.parametrize(
    ("written", "expected"),
    [("127.0.0.1:0", ("127.0.0.1", 0)), ("'[::1]:9000'", ("::1", 9000)), ("localhost:80", ("localhost", 80))],
)
def test_addresses(write: Write, written: str, expected: tuple[str, int]) -> None:
    """IPv6 in brackets; port 0 is the kernel's choice."""
    assert expected == load_settings(write(f"{PLAIN}listen: {{metrics: {written}}}\n")).metrics_address


def test_a_relative_directory_lies_beside_the_main_file(write: Write) -> None:
    """Wherever the command is started."""
    main = write(f"{PLAIN}journal: {{directory: entries}}\n")
    assert main.parent / "entries" == load_settings(main).journal_directory


def test_a_window_in_runs_ends_at_its_max(write: Write) -> None:
    """At the latest; the runs are judged."""
    main = write(PLAIN.replace("]}", "], release: {window: {runs: 3, max: 36h}}}"))
    release = load_settings(main).policies[IMPORT].release
    assert (36 * HOUR, 3, ()) == (release.window, release.window_runs, release.unjudged)


def test_expectations_in_words(write: Write) -> None:
    """The note says them as people do."""
    expect = "{successful_runs: 2, match: 'done$', severity: info}"
    main = write(PLAIN.replace("]}", f"], release: {{expect: {expect}}}}}"))
    expected = "2 successful runs and an entry of severity info and worse that matches done$"
    assert expected == load_settings(main).policies[IMPORT].release.expected


def test_whole_rule(write: Write) -> None:
    """Every key of a rule arrives at the reader."""
    rule = r"""
      - name: crash
        match: '(?m)^Traceback'
        unless: DEBUG
        message_id: D9B373ED-55a6-4feb-8242-e02dbe79a49c
        fields: {level|log.level: [ERROR, "50..59", ">=70"], v: "<=3", ok: false}
        where: {PRIORITY: "<=4", _COMM: [python3, gunicorn], _UID: 998, SYSLOG_FACILITY: "3"}
        severity: critical
        until: 'Error'
        once: run
        capture: {exception: '^(\w+)'}
"""
    main = write(f"version: 1\njobs:\n  import:\n    units: [a]\n    rules:{rule}")
    expected = Rule(
        name=RuleName("crash"),
        severity=Severity.CRITICAL,
        match="(?m)^Traceback",
        unless="DEBUG",
        message_id="d9b373ed55a64feb8242e02dbe79a49c",
        fields=(
            TextCondition(names=("level", "log.level"), values=("error",), ranges=((50, 59), (70, None))),
            TextCondition(names=("v",), ranges=((0, 3),)),
            TextCondition(names=("ok",), values=("false",)),
        ),
        where=(
            FieldCondition(field="PRIORITY", at_most=4),
            FieldCondition(field="_COMM", values=("python3", "gunicorn")),
            FieldCondition(field="_UID", values=("998",)),
            FieldCondition(field="SYSLOG_FACILITY", values=("3",)),
        ),
        until="Error",
        once="run",
        capture=(("exception", r"^(\w+)"),),
    )
    assert (expected,) == load_settings(main).jobs[0].rules


def test_drop_ins_add_jobs_and_sections(write: Write) -> None:
    """Files of conf.d in the order of their names, each with its own version line if it likes."""
    main = write(
        PLAIN,
        conf__20="version: 1\njobs: {export: {units: [export.service]}}\n",
        conf__10="journal: {namespace: batch}\n",
        conf__30="# nothing yet\n",
    )
    settings = load_settings(main)
    assert ["import", "export"] == [str(job.name) for job in settings.jobs]
    assert ["import", "export"] == list(settings.policies)
    assert "batch" == settings.journal_namespace


def test_a_pack_of_the_site_replaces_the_shipped_one(write: Write) -> None:
    """The file's name decides."""
    pack = "pack: {name: python}\nrules: [{name: ours, match: broken, severity: error}]\n"
    main = write(PLAIN.replace("]}", "], packs: [python]}"), rules__python=pack)
    assert ["ours"] == [str(rule.name) for rule in load_settings(main).jobs[0].rules]


def test_a_broken_pack_of_the_site_is_told_though_nobody_uses_it(write: Write) -> None:
    """A pack whose own tests fail does not load."""
    pack = "pack: {name: ours}\nrules: [{name: a, match: a, severity: error, tests: {no_match: [a]}}]\n"
    main = write(PLAIN, rules__ours=pack)
    with pytest.raises(ConfigError) as caught:
        load_settings(main)
    assert [(f"{main.parent}/rules.d/ours.yaml", 2)] == [
        (problem.place.file, problem.place.line) for problem in caught.value.problems
    ]


def test_hashes_change_with_what_has_an_effect_only(write: Write) -> None:
    """A comment changes nothing; a rule changes the job's hash, an owner the whole's alone."""
    first = load_settings(write(PLAIN))
    comment = load_settings(write(f"# a comment\n{PLAIN}"))
    owner = load_settings(write(PLAIN.replace("]}", "], owner: me}")))
    rules = load_settings(write(PLAIN.replace("]}", "], packs: [python]}")))
    assert first.hash == comment.hash
    assert 4 == len({first.hash, owner.hash, rules.hash, load_settings(CONTRACT).hash})
    job = [settings.policies[IMPORT].rules_hash for settings in (first, comment, owner, rules)]
    assert job[0] == job[1] == job[2] != job[3]


def test_a_job_with_units_and_identifiers_is_warned_of_open_rules(write: Write) -> None:
    """Its units make it a job that may roll back, but what comes by identifier is anybody's."""
    rules = "rules: [{name: a, match: a, severity: error}]"
    release = "release: {mode: rollback, fail_when: [{matches: {rule: a}}], rollback: {command: [/bin/true]}}"
    settings = load_settings(write(PLAIN.replace("]}", f"], identifiers: [x], {rules}, {release}}}")))
    assert ["jobs.import.release.fail_when[0]"] == [warning.path for warning in settings.warnings]
    assert settings.policies[IMPORT].release.trusted


@pytest.mark.parametrize(
    ("where", "trusted"),
    [
        ("{}", False),
        ("{_COMM: import}", False),
        ("{_TRANSPORT: syslog}", False),
        ("{_TRANSPORT: [kernel, stdout]}", False),
        ("{UNIT_RESULT: timeout}", False),
        ("{_TRANSPORT: kernel}", True),
        ('{_UID: "998"}', True),
    ],
)
def test_a_job_by_identifiers_is_trusted_only_with_a_field_that_nobody_can_choose(
    write: Write, where: str, *, trusted: bool
) -> None:
    """A job of mode ask may have open rules; the core then refuses rollback for a single release too."""
    rules = f"rules: [{{name: a, match: a, severity: error, where: {where}}}]"
    release = "release: {mode: ask, fail_when: [{matches: {severity: error}}], rollback: {command: [/bin/true]}}"
    main = write(f"version: 1\njobs:\n  import: {{identifiers: [x], {rules}, {release}}}\n")
    assert trusted is load_settings(main).policies[IMPORT].release.trusted


def test_identifiers_show_their_entries(write: Write) -> None:
    """As `journalctl -t` takes them."""
    main = write("version: 1\njobs:\n  import: {identifiers: [cron, backup]}\n")
    assert ("-t", "cron", "-t", "backup") == load_settings(main).policies[IMPORT].journalctl


def test_a_missing_file_has_a_hint(tmp_path: Path) -> None:
    """The one problem is the file itself."""
    with pytest.raises(ConfigError) as caught:
        load_settings(tmp_path / "none.yaml")
    problem = caught.value.problems[0]
    assert ("can't be read: No such file or directory", True) == (problem.message, bool(problem.hint))


@pytest.mark.parametrize("unreadable", ["rules.d", "rules.d/kiln.yaml"])
def test_a_pack_that_cant_be_read_is_not_called_missing(write: Write, tmp_path: Path, unreadable: str) -> None:
    """Only what the system says is told: a directory in place of a file, or a file in place of the directory."""
    main = write("version: 1\njobs:\n  kiln: {units: [kiln.service], packs: [kiln]}\n")
    if unreadable == "rules.d":
        (tmp_path / unreadable).write_text("")
    else:
        (tmp_path / unreadable).mkdir(parents=True)
    with pytest.raises(ConfigError) as caught:
        load_settings(main)
    (problem,) = caught.value.problems
    assert problem.place.file.endswith(unreadable)
    assert problem.message.startswith("can't be read: ")


def test_warnings_come_with_errors(write: Write) -> None:
    """A person who mends a file is told everything that is to be said."""
    main = write(PLAIN.replace("]}", "], release: {fail_when: [{matches: {severity: error}}], window: 3}}"))
    with pytest.raises(ConfigError) as caught:
        load_settings(main)
    assert ["warning", "error"] == [str(problem.weight) for problem in caught.value.problems]


def test_settings_are_equal_when_loaded_twice() -> None:
    """Nothing in them depends on the moment."""
    first, second = load_settings(CONTRACT), load_settings(CONTRACT)
    assert first == second
    assert first != replace(second, hash="")


CHUNKS = st.sampled_from([*"{}[]'\"\n(\\0", "", ": ", "- ", "  ", "*a", "&a ", "!t ", "null"])


@example_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
@given(
    cuts=st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 40), CHUNKS), min_size=1, max_size=4),
    source=st.sampled_from([CONTRACT, EXAMPLE]),
)
def test_a_damaged_configuration_raises_nothing_but_config_error(
    tmp_path: Path, cuts: list[tuple[int, int, str]], source: Path
) -> None:
    """Cut it anywhere, put anything in: it loads, or every problem has a file, a line and a message."""
    text = source.read_text(encoding="utf-8")
    for at, length, chunk in cuts:
        text = text[: at % len(text)] + chunk + text[at % len(text) + length :]
    main = tmp_path / "watcher.yaml"
    main.write_text(text, encoding="utf-8")
    try:
        load_settings(main)
        problems: tuple[Problem, ...] | None = None
    except ConfigError as error:
        problems = error.problems
    assert () != problems
    assert [] == [problem for problem in problems or () if str(main) != problem.place.file or not problem.message]
