"""Past releases under today's configuration: judged as live, false alarms counted, other limits tried."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.events import JOB, START, error, instant, match, policy, span, tallies
from tests.journal.written import T0, Line, write
from watcher.backtest import Backtest, PastRelease
from watcher.config.load import load_settings
from watcher.core.duration import HOUR, MINUTE, SECOND, Usec
from watcher.core.found import Found
from watcher.core.piece import Piece
from watcher.core.policy import JobPolicy, NewErrors
from watcher.core.reason_words import say
from watcher.core.release import Verdict
from watcher.journal.pieces import read_pieces
from watcher.journal.source import Source


def piece(*found: Found, until: str = "1d", every: str = "1m") -> Piece:
    """A day of the job, with an entry in each minute and these finds."""
    steps = range(0, span(until), span(every))
    return Piece(
        since=START,
        until=instant(until),
        entries=len(steps),
        tallies=_each(steps),
        found=found,
    )


def _each(steps: range) -> tuple[Any, ...]:
    return tuple(tally for step in steps for tally in tallies([(JOB, Usec(START + step))]))


JUDGED = policy(limit=3, within="2m", window="15m")


def test_a_release_is_judged_by_what_it_would_have_seen() -> None:
    """Verdict, reason and instant are those that the daemon would have given then."""
    backtest = Backtest(policy=JUDGED, piece=piece(*(match(f"6h1m{second}s") for second in (1, 2, 3))))
    bad = backtest.judge(PastRelease(at=instant("6h"), version="2")).judged
    good = backtest.judge(PastRelease(at=instant("8h"), version="3")).judged
    assert (Verdict.FAILED, instant("6h1m3s")) == (bad.verdict, bad.ended_at)
    assert ["3 error matches in 2s, limit 3 in 2m"] == [say(reason) for reason in bad.reasons]
    assert Verdict.PASSED is good.verdict


def test_a_window_that_reaches_past_the_range() -> None:
    """It stays without a verdict."""
    judged = Backtest(policy=JUDGED, piece=piece()).judge(PastRelease(at=instant("23h50m"), version="2")).judged
    assert judged.verdict is None


def test_quiet_time_is_cut_into_windows() -> None:
    """One right after the other, none of them touching a release's own."""
    backtest = Backtest(policy=JUDGED, piece=piece(until="2h"))
    starts = list(backtest.quiet_starts(START, [PastRelease(at=instant("40m"), version="2")]))
    assert [instant(text) for text in ("0s", "15m", "55m", "1h10m", "1h25m", "1h40m")] == starts


def test_false_alarms() -> None:
    """A quiet window that would have been failed is one; the rate has an exact upper limit."""
    storm = [match(f"3h1m{second}s") for second in (1, 2, 3)]
    quiet = Backtest(policy=JUDGED, piece=piece(*storm)).quiet(START, [])
    assert (96, 1, 0) == (quiet.windows, quiet.failed, quiet.inconclusive)
    assert 1 / 96 < quiet.at_most < 0.06


def test_the_past_of_each_release_is_its_own() -> None:
    """What is new is new against what lay before that very release."""
    new = policy(thresholds=(NewErrors(count=1, lookback=span("12h")),), window="15m")
    seen = [error("6h", "a"), error("12h1m", "a"), error("20h1m", "b")]
    backtest = Backtest(policy=new, piece=piece(*seen))
    verdicts = [backtest.judge(PastRelease(at=instant(at), version="2")).judged.verdict for at in ("12h", "20h")]
    assert [Verdict.PASSED, Verdict.FAILED] == verdicts


def test_other_limits() -> None:
    """A lower limit finds more and alarms more; which releases were bad is as the file says."""
    storm = [match(f"{hour}h1m{second}s") for hour in (3, 6) for second in (1, 2, 3, 4)]
    backtest = Backtest(policy=JUDGED, piece=piece(*storm))
    releases = [
        PastRelease(at=instant("6h"), version="2", was_bad=True),
        PastRelease(at=instant("9h"), version="3", was_bad=False),
    ]
    swept = {one.threshold.label: one for one in backtest.sweep(START, releases)}
    low, high = swept["2 error matches in 2m"], swept["5 error matches in 2m"]
    assert ((1, 1, 1), (0, 0, 1)) == ((low.quiet.failed, low.found, low.bad), (high.quiet.failed, high.found, high.bad))


# ------------------------------------------------------------------------------------------------ on real journals


def days(directory: Path) -> Source:
    """Three days of a job: an entry a minute, a lost row every fifty; after 48 h, three in a minute."""
    lines = []
    for minute in range(3 * 24 * 60):
        at = T0 + minute * MINUTE
        lines.append(Line(at=at, message=f"row {minute} lost" if minute % 50 == 0 else "imported", priority=6))
        if minute == 48 * 60 + 5:
            lines += [Line(at=at + one * SECOND, message="row 1 lost", priority=6) for one in (1, 2, 3)]
    write(directory, "system", lines)
    return Source(directory=str(directory))


def configured(directory: Path, journal: Path) -> tuple[Path, JobPolicy]:
    config = directory / "watcher.yaml"
    config.write_text(
        f"version: 1\njournal: {{directory: {journal}}}\njobs:\n  import:\n    units: [import.service]\n"
        "    rules:\n      - {name: lost, match: 'row .* lost', severity: error}\n"
        "    release:\n      window: 15m\n      settle: 0s\n      blame: all\n      fail_when:\n"
        "        - matches: {severity: error, count: 3, within: 1m}\n"
    )
    return config, next(iter(load_settings(config).policies.values()))


def test_two_processes_read_what_one_reads(tmp_path: Path) -> None:
    """The parts put together are the whole: nothing is lost or told twice at their seams."""
    source = days(tmp_path / "journal")
    config, _ = configured(tmp_path, tmp_path / "journal")
    (job,) = load_settings(config).jobs
    since, until = T0, Usec(T0 + 72 * HOUR)
    whole = read_pieces(source, job, since=since, until=until, processes=1)
    parts = read_pieces(source, job, since=since, until=until)
    assert (whole.entries, whole.found, whole.gaps) == (parts.entries, parts.found, parts.gaps)
    assert sum(tally.entries for tally in whole.tallies) == sum(tally.entries for tally in parts.tallies)


def test_the_command(tmp_path: Path) -> None:
    """Releases of a file, quiet time and a sweep, as JSON and in words."""
    days(tmp_path / "journal")
    config, _ = configured(tmp_path, tmp_path / "journal")
    at = [f"@{(T0 + hours * HOUR) // SECOND}" for hours in (30, 48)]
    (tmp_path / "past.csv").write_text(f"# when, what, how\n{at[0]},1.0,good\n{at[1]},2.0,bad\n")
    argv = [sys.executable, "-m", "watcher", "replay", "--config", str(config), "--job", "import"]
    argv += ["--since", f"@{(T0 + 24 * HOUR) // SECOND}", "--until", f"@{(T0 + 72 * HOUR) // SECOND}"]
    argv += ["--releases", str(tmp_path / "past.csv"), "--sweep"]
    told = subprocess.run([*argv, "-o", "json"], capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    report = json.loads(told.stdout)
    assert [("1.0", "passed"), ("2.0", "failed")] == [(one["version"], one["verdict"]) for one in report["releases"]]
    assert (190, 0) == (report["quiet"]["windows"], report["quiet"]["failed"])
    assert {1, 0} == {one["found"] for one in report["sweep"]}
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    for text in ("2.0", "failed", "quiet time: 190 windows of 15m, 0 false alarms", "█"):
        assert text in said


@pytest.mark.parametrize("line", ["yesterday", "@1,2.0,maybe", "@1,2.0,bad,more"])
def test_a_file_that_is_no_list_of_releases(tmp_path: Path, line: str) -> None:
    """Its place is named, and nothing is judged."""
    config, _ = configured(tmp_path, tmp_path / "journal")
    (tmp_path / "past.csv").write_text(f"{line}\n")
    argv = [sys.executable, "-m", "watcher", "replay", "--config", str(config), "--job", "import"]
    done = subprocess.run(
        [*argv, "--since", "-1d", "--releases", str(tmp_path / "past.csv")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 64
    assert "past.csv:1: is no release" in done.stderr
