"""Hostile text through a real daemon and out of its every output: terminal, note, page, JSON, metrics, journal, files.

Two marks tell whose text is found where: LOG stands in each hostile log line, PERSON in the words that a person gave.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.journal.written import LiveWriter
from tests.parts.daemons import DaemonProcess
from tests.parts.journals import Fields
from tests.parts.pid1 import fails

Done = subprocess.CompletedProcess[str]
LOG, PERSON = "lXq7Rk2Log", "pXq7Rk2Person"
HOSTILE = {
    "workflow": "\n::error::x\n  ::set-output name=a::b ##vso[task.setvariable variable=a]b ###[error]x",
    "markdown": "\n# Passed\n[x](javascript:alert(1)) ![x](http://x/) | a |\n```\n~~~\n<!-- ",
    "shell": "$(reboot) `reboot`; rm -rf / | sh && x > /etc/passwd 'a' \"b\" \\",
    "mail": "a\n~!touch /tmp/owned\n.\r\nBcc: x",
    "terminal": "\x1b[2J\x1b]0;owned\x07\x9b31m\x08\x08\x7f\x00end",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'>&lt;</td>",
    "bidi": "\u202egnp.exe\u2066\u200b\u2028\u0085\ufeff",
    "metrics": 'x"} 1\nfake_total{a="b"} 1\\n\\',
    "format": "{{7*7}} {% x %} {0} %s %n %(x)s ${x} $1",
    "yaml": "'\n- name: x\n  !!python/object/apply:os.system ['x']: &a *a",
}
LINES = tuple(f"boom {LOG} {kind} {text}" for kind, text in HOSTILE.items())
BYTES = f"boom {LOG} bytes ".encode() + b"\xff\xfe\xed\xa0\x80\xc0\x80"
UNIT = "import@$(reboot)\x1b[2J\u202e<b>;.service"
ONE_LINE = f'{PERSON} $(reboot) <script>alert(1)</script> "}} | `x` [x](javascript:x) {{{{7*7}}}} %s \\'
"""The worst that a version or an owner can be: what does not print is refused."""
REASON = f"{PERSON} " + "".join(text.replace("\0", "") for text in HOSTILE.values())
FILE = f"{PERSON}/\x1b[2J\n$(reboot)<b>\u202e.py"


def job(here: Path) -> str:
    """A job whose commands all write down what they, and every process there is, were given."""
    return f"""\
    owner: data-team@example.com
    units: ["import@*.service"]
    packs: [systemd, generic]
    rules:
      - {{name: boom, match: 'boom (.*)', severity: error, capture: {{said: 'boom (.*)'}}}}
    release:
      mode: rollback
      window: 5m
      settle: 0s
      fail_when:
        - matches: {{rule: boom, count: {len(LINES) + 1}}}
      rollback:
        command: [{here}/look, rollback]
        check: [{here}/look, check]
        timeout: 20s
      backup: [{here}/look, backup]
"""


LOOK = """\
#!/bin/sh
cat >"{here}/$1.stdin"
cat /proc/[0-9]*/cmdline >"{here}/$1.arguments" 2>/dev/null
cat /proc/[0-9]*/environ >"{here}/$1.environments" 2>/dev/null
env >"{here}/$1.env"
printf '%s' '{printed}'
"""
PRINTED = "printed \\033[2J <script> \\342\\200\\256"


@dataclass
class Stage:
    """A daemon that has rolled a release back on hostile lines, and everything that was said about it."""

    daemon: DaemonProcess
    release: str
    here: Path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """The story: hostile words at registration, hostile lines, the rollback, the note."""
    here = tmp_path_factory.mktemp("hostile")
    look = here / "look"
    look.write_text(LOOK.format(here=here, printed=PRINTED).replace("'%s' ", ""))
    look.chmod(0o755)
    daemon = DaemonProcess(here, job(here))
    with LiveWriter(daemon.journal / "live.journal") as journal, daemon:
        words = ("--previous", ONE_LINE, "--owner", ONE_LINE, "--reason", REASON, "--rollback-note", REASON)
        done = daemon.cli("release", "start", "import", "--version", ONE_LINE, *words, "--file", FILE)
        assert 0 == done.returncode, done.stderr
        release = done.stdout.strip()
        journal.write(*hostile_entries())
        ended = daemon.cli("release", "wait", release, "--timeout", "30s")
        assert 1 == ended.returncode, ended.stdout + ended.stderr
        daemon.wait_for((daemon.state / "notes" / f"{release}.md").exists, "the note")
        yield Stage(daemon, release, here)


def hostile_entries() -> list[Fields]:
    """Every hostile line, one that is no text, and a run of a unit with a hostile name that fails."""
    sender: Fields = {"_SYSTEMD_UNIT": UNIT, "_PID": 7, "_UID": 0, "PRIORITY": 3, "_TRANSPORT": "stdout"}
    named: Fields = {**sender, "SYSLOG_IDENTIFIER": f"{LOG}\x1b[2J\n<b>", "_HOSTNAME": f"{LOG}\u202e<b>"}
    texts: tuple[str | bytes, ...] = (*LINES, BYTES)
    return [*fails(1, unit=UNIT), *({**named, "MESSAGE": text} for text in texts)]


def is_safe(line: str) -> bool:
    """Whether there is nothing in it that a terminal obeys, that hides or reorders, or that CI takes for a command."""
    is_command = line.lstrip().startswith("::") or "##vso[" in line or "##[" in line
    return line.isprintable() and not is_command


def verbs(stage: Stage) -> dict[str, Sequence[str | Path]]:
    """Every verb that shows something of a release, a journal or a rule."""
    journal = ("-D", str(stage.daemon.journal))
    return {
        "status": ("status",),
        "list": ("release", "list"),
        "show": ("release", "show", stage.release),
        "wait": ("release", "wait", stage.release),
        "note": ("release", "note", stage.release),
        "replay": ("replay", "--job", "import", "--since", "-1d"),
        "replay judged": ("replay", "--job", "import", "--since", "-1d", "--release-at", "-1h"),
        "replay past": ("replay", "--job", "import", "--since", "-1d", "--releases", "store"),
        "match": ("rules", "match", "--job", "import", "--since", "-1d", "--samples", "20"),
        "unmatched": ("rules", "match", "--pack", "kernel", "--unmatched", "-u", "import@*.service", *journal),
        "explain": ("rules", "explain", "import/boom"),
        "rules": ("rules", "list", "--job", "import"),
        "check": ("check",),
        "doctor": ("doctor",),
        "init": ("init", "import@*.service", "--name", "other"),
        "releases": ("completion", "--names", "releases"),
        "no such release": ("release", "show", "a\x1b[2J\u202e<b>\n::error::x"),
        "no such job": ("release", "start", "a\x1b[2J\u202e<b>\n::error::x", "--version", "1"),
        "no such verb": ("a\x1b[2J\u202e\n::error::x",),
        "no such rule": ("rules", "explain", "a\x1b[2J\u202e\n::error::x"),
        "no such file": ("check", "a\x1b[2J\u202e\n::error::x.yaml"),
        "no such pack": ("rules", "match", "--pack", "./a\x1b[2J\u202e\n::error::x.yaml"),
        "no such unit": ("init", "a\x1b[2J\u202e\n::error::x.service"),
        "no such scenario": ("rules", "test", "a\x1b[2J\u202e\n::error::x.yaml"),
        "no such state": ("status", "--socket", "/nowhere/a\x1b[2J\u202e\n::error::x"),
        "version of lines": ("release", "start", "import", "--version", "a\x1b[2J\u202e\n::error::x"),
        "wrong time": ("replay", "--job", "import", "--since", "a\x1b[2J\u202e\n::error::x"),
        "wrong duration": ("pause", "--reason", "x", "--for", "a\x1b[2J\u202e\n::error::x"),
    }


def said(stage: Stage, which: Mapping[str, Sequence[str | Path]], *more: str) -> dict[str, Done]:
    """What the verbs print, several at a time."""
    with ThreadPoolExecutor(4) as pool:
        done = pool.map(lambda words: stage.daemon.cli(*words, *more), which.values())
        return dict(zip(which, done, strict=True))


def test_terminal(stage: Stage) -> None:
    """What any verb prints for people is printable, line by line, on standard output and standard error."""
    shown, wrong = {}, []
    for name, done in said(stage, verbs(stage)).items():
        shown[name] = done.stdout + done.stderr
        if done.returncode == 70 or "Traceback (most recent call last):\n  File" in done.stderr:
            wrong.append(f"{name}: {done.stderr}")
        wrong += [f"{name}: {line!r}" for line in shown[name].split("\n") if not is_safe(line)]
    assert [] == wrong
    for name in ("match", "unmatched", "note"):
        assert LOG in shown[name], name
    for name in ("show", "note"):
        assert PERSON in shown[name], name


def test_json(stage: Stage) -> None:
    """What a verb prints for programs is JSON in ASCII."""
    wrong = []
    errors = ("no such", "wrong", "version of")  # which are text in both forms
    which = {name: words for name, words in verbs(stage).items() if not name.startswith(errors)}
    for name, done in said(stage, which, "-o", "json").items():
        if not done.stdout.isascii() or any(not line.isprintable() for line in done.stdout.split("\n")):
            wrong.append(f"{name}: {done.stdout!r}")
        if done.stdout and name not in ("init", "releases"):  # configuration, and names for a shell
            json.loads(done.stdout)
        wrong += [f"{name}: {line!r}" for line in done.stderr.split("\n") if not is_safe(line)]
    assert [] == wrong
    shown = stage.daemon.show(stage.release)
    assert (ONE_LINE, ONE_LINE, REASON, [FILE]) == tuple(shown[key] for key in ("version", "owner", "reason", "files"))


def test_a_pack_that_is_proposed_for_hostile_lines(stage: Stage) -> None:
    """Configuration that is made of log lines is YAML without anything but rules in it, and passes its own tests."""
    pack = stage.here / "rules.yaml"
    source = ("-u", "import@*.service", "-D", str(stage.daemon.journal))
    done = stage.daemon.cli("rules", "match", "--pack", "kernel", "--unmatched", "--as-pack", "ours", *source)
    assert 0 == done.returncode, done.stderr
    assert all(line.isprintable() for line in done.stdout.split("\n"))
    assert {"pack", "rules"} == yaml.safe_load(done.stdout).keys()
    pack.write_text(done.stdout, encoding="utf-8")
    checked = stage.daemon.cli("check", str(pack))
    assert 0 == checked.returncode, checked.stdout + checked.stderr


def test_a_scenario_with_hostile_lines(stage: Stage) -> None:
    """A scenario's hostile lines come out as safe text and as JUnit that a parser takes."""
    scenario, junit = stage.here / "hostile.yaml", stage.here / "junit.xml"
    lines = [line.replace("\0", "") for line in LINES]
    entries = [{"at": f"{number}s", "message": line, "expect": []} for number, line in enumerate(lines)]
    rules = [{"name": "boom", "match": "boom", "severity": "error"}]
    told = {"scenario": f"{LOG} <b> ]]> --> &", "rules": rules, "entries": entries}
    scenario.write_text(json.dumps(told), encoding="utf-8")
    done = stage.daemon.cli("rules", "test", "--junit", str(junit), str(scenario))
    assert 1 == done.returncode, done.stderr
    assert all(is_safe(line) for line in (done.stdout + done.stderr).split("\n"))
    assert LOG in done.stdout + done.stderr
    assert {"testsuites", "testsuite", "testcase", "failure"} >= {one.tag for one in ET.parse(junit).iter()}  # noqa: S314 - ours


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note both."""
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        """Note it."""
        self.text += data


def test_status_page(stage: Stage) -> None:
    """Hostile words are words on the page: no element, attribute or address comes of them."""
    status, text = stage.daemon.get("/")
    page = Page(text)
    assert (200, True) == (status, PERSON in page.text)
    assert page.tags.isdisjoint({"script", "img", "b", "iframe", "a"} - {"a"})
    assert [] == [pair for pair in page.attributes if pair[0].startswith("on") or "javascript:" in pair[1]]
    assert all(line.isprintable() for line in text.replace("\t", " ").split("\n"))


def test_metrics(stage: Stage) -> None:
    """Valid, with no label but from the configuration and of the release: nothing of a log line, no series made up."""
    status, text = stage.daemon.get("/metrics")
    assert (200, False) == (status, LOG in text)
    families = {family.name: family.samples for family in text_string_to_metric_families(text)}
    assert "fake_total" not in families
    assert [ONE_LINE] == [sample.labels["version"] for sample in families["watcher_release_info"]]
    labels = {value for samples in families.values() for sample in samples for value in sample.labels.values()}
    assert [ONE_LINE] == [value for value in labels if PERSON in value]


def test_http_json(stage: Stage) -> None:
    """The API gives the words back as they came, in JSON."""
    for path in ("/api/v1/status", "/api/v1/releases", f"/api/v1/releases/{stage.release}"):
        status, text = stage.daemon.get(path)
        assert 200 == status
        assert all(line.isprintable() for line in text.split("\n")), path
        assert json.loads(text)


def test_own_log(stage: Stage) -> None:
    """The daemon's own lines are printable, name the release, and hold nothing of a log line."""
    lines = stage.daemon.log.splitlines()
    assert [] == [line for line in lines if not is_safe(line)]
    assert any(stage.release in line for line in lines)
    assert LOG not in stage.daemon.log


def test_final_note(stage: Stage) -> None:
    """The note shows the hostile lines as text; no markup, HTML or link comes of them, and it is for its owner only."""
    note = stage.daemon.state / "notes" / f"{stage.release}.md"
    text = note.read_text(encoding="utf-8")
    assert text.count(LOG) >= 3
    assert all(is_safe(line) for line in text.split("\n"))
    for plain in outside_of_code(text):
        assert not plain.lstrip().startswith("# Passed"), plain
        assert not {"<", "["} & set(re.sub(r"\\.", "", plain)), plain
    assert 0o600 == note.stat().st_mode & 0o777 & ~0o040
    record: dict[str, Any] = json.loads(note.with_suffix(".json").read_text(encoding="ascii"))
    assert ONE_LINE == record["version"]


def outside_of_code(text: str) -> Iterator[str]:
    """The lines of a note that stand in no fenced block, without their code spans."""
    fence = ""
    for line in text.split("\n"):
        if fence:
            fence = "" if line.strip() == fence else fence
        elif line.startswith("```"):
            fence = line[: len(line) - len(line.lstrip("`"))]
        else:
            yield re.sub(r"(?<![`\\])(`+)(?!`).+?(?<!`)\1(?!`)", "", line)


@pytest.mark.parametrize("command", ["rollback", "check", "backup"])
def test_commands_are_given_no_log_text(stage: Stage, command: str) -> None:
    """While a command of the job runs, no process on the machine has log text in its arguments or environment."""
    arguments = (stage.here / f"{command}.arguments").read_bytes()
    environments = (stage.here / f"{command}.environments").read_bytes()
    assert b"look" in arguments
    assert b"PATH=" in environments
    assert LOG.encode() not in arguments + environments
    assert LOG.encode() not in (stage.here / f"{command}.stdin").read_bytes()


def test_rollback_is_told_the_facts_only(stage: Stage) -> None:
    """The command's environment holds the contract's names and values, on one line each; standard input the same."""
    lines = (stage.here / "rollback.env").read_text(encoding="utf-8").splitlines()
    given = dict(line.partition("=")[::2] for line in lines)
    told = {name: value for name, value in given.items() if name.startswith("WATCHER_")}
    assert told == {
        "WATCHER_RELEASE_ID": stage.release,
        "WATCHER_JOB": "import",
        "WATCHER_VERSION": ONE_LINE,
        "WATCHER_PREVIOUS": ONE_LINE,
        "WATCHER_REASON_CODE": "matches",
    }
    assert REASON not in "\n".join(lines)
    stdin = json.loads((stage.here / "rollback.stdin").read_text(encoding="ascii"))
    assert {"schema", "id", "job", "version", "previous", "reason_code"} == stdin.keys()


def test_files_have_names_of_ours(stage: Stage) -> None:
    """No file or directory is named by anything that somebody wrote."""
    names = [name for _, directories, files in os.walk(stage.daemon.state) for name in (*directories, *files)]
    assert any(stage.release in name for name in names)
    assert [] == [name for name in names if LOG in name or PERSON in name or not name.isascii()]
