"""`watcher replay`: what the daemon would have counted and decided over a piece of the journal."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING, Any

from watcher.cli.output import output_of
from watcher.cli.progress import Progress
from watcher.core.errors import WatcherError
from watcher.paths import Paths

if TYPE_CHECKING:
    from watcher.cli.backtest import Asked
    from watcher.core.duration import Usec
    from watcher.replay import Replayed

_EXAMPLES = """examples:
  watcher replay --job import --since -2d                             count matches
  watcher replay --job import --since yesterday --release-at '2026-11-22 14:00'
                                                                      and judge a release of that instant
  watcher replay --job import --since -90d --releases past.csv --sweep
                                                                      and every past one, and quiet time
Nothing is stored and nothing is acted on; no daemon is needed, but for `--releases store`, which asks it.
"""


class ReplayError(WatcherError):
    """What was asked for can't be replayed."""


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "replay",
        parents=[common],
        help="the daemon's own reading and judging over recorded entries",
        description=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--job", required=True, metavar="JOB", help="a job of the configuration")
    parser.add_argument("--since", required=True, metavar="T", help="the first instant, as journalctl takes it")
    parser.add_argument(
        "--until",
        metavar="T",
        help="the instant after the last one (default: now, and for this machine's journal no later)",
    )
    parser.add_argument("--release-at", metavar="T", help="judge a release that went out at this instant")
    parser.add_argument(
        "--releases",
        metavar="FILE",
        help="judge every past release: a file of lines INSTANT,VERSION[,good|bad]; "
        "`store`: those that the running daemon knows; `restarts`: each run that began",
    )
    parser.add_argument(
        "--sweep", action="store_true", help="with --releases: other limits, their false alarms and what they find"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Replay, and print what came of it."""
    from watcher.cli import backtest  # noqa: PLC0415 - other verbs must not pay for this one
    from watcher.cli.instants import parse_instant  # noqa: PLC0415 - the same
    from watcher.clock import wall_clock  # noqa: PLC0415 - the same

    now = wall_clock()
    release_at = None if args.release_at is None else parse_instant(args.release_at, now)
    is_backtest = args.sweep or args.releases is not None
    if is_backtest and release_at is not None:
        raise ReplayError("--release-at does not go with --releases and --sweep", hint="name it in the file")
    asked = _asked(args, now, release_at)
    if is_backtest:
        return backtest.run(args, asked)
    started = time.perf_counter()
    replayed = _replayed(asked, release_at)
    report = _report(args.job, replayed, time.perf_counter() - started)
    print(json.dumps(report) if args.output == "json" else _in_words(report))  # noqa: T201 - data goes to stdout
    return 0


def _asked(args: argparse.Namespace, now: Usec, release_at: Usec | None) -> Asked:
    """The job and the range that the command line names. Raises ReplayError, ConfigError, and those of instants."""
    from watcher.cli.backtest import Asked  # noqa: PLC0415 - other verbs must not pay for this one
    from watcher.cli.instants import parse_instant  # noqa: PLC0415 - the same
    from watcher.cli.sight import warn_if_blind  # noqa: PLC0415 - the same
    from watcher.config.load import load_settings  # noqa: PLC0415 - the same
    from watcher.journal.source import Source  # noqa: PLC0415 - the same

    since = parse_instant(args.since, now)
    until = now if args.until is None else parse_instant(args.until, now)
    settings = load_settings(Paths.choose(config=args.config, state=args.state_dir, socket=args.socket).config)
    job = next((one for one in settings.jobs if one.name == args.job), None)
    if job is None:
        names = ", ".join(sorted(one.name for one in settings.jobs)) or "none"
        raise ReplayError(f"{args.job}: no such job in the configuration", hint=f"configured jobs: {names}")
    directory = None if settings.journal_directory is None else str(settings.journal_directory)
    source = Source(directory=directory, namespace=settings.journal_namespace)
    warn_if_blind(source, output_of(args))
    until = readable_until(until, now, directory=directory)
    _check_order(since, until, release_at)
    return Asked(policy=settings.policies[job.name], job=job, source=source, since=since, until=until, now=now)


def _replayed(asked: Asked, release_at: Usec | None) -> Replayed:
    """What the daemon would have made of the range. Raises JournalError."""
    from watcher.core.duration import Usec  # noqa: PLC0415 - other verbs must not pay for this one
    from watcher.core.messages import BatchRead  # noqa: PLC0415 - the same
    from watcher.journal.extent import read_extent  # noqa: PLC0415 - the same
    from watcher.journal.past import read_past  # noqa: PLC0415 - the same
    from watcher.replay import Replay  # noqa: PLC0415 - the same

    job, source, since, until = asked.job, asked.source, asked.since, asked.until
    replay = Replay(policy=asked.policy, release_at=release_at)
    replay.begin(since)
    if replay.lookback is not None and release_at is not None:
        before = Usec(max(release_at - replay.lookback, 0))
        replay.take_baseline(read_past(source, job, since=before, until=release_at))
    progress = Progress(since, until)
    for reading in read_extent(source, (job,), since=since, until=until):
        replay.read(reading.taken_in(reading.read_until))
        progress.show(reading.entries, reading.read_until)
    replay.read(BatchRead(at=until, read_until=until))  # there is nothing more: as live, windows close by the clock
    progress.end()
    return replay.result()


def _check_order(since: Usec, until: Usec, release_at: Usec | None) -> None:
    if until <= since:
        raise ReplayError("--until is not after --since", hint="give the earlier instant to --since")
    if release_at is not None and not since <= release_at < until:
        raise ReplayError(
            "--release-at does not lie between --since and --until",
            hint="let the range begin at or before the release, and end after its window",
        )


def readable_until(until: Usec, now: Usec, *, directory: str | None) -> Usec:
    """How far the journal can be judged: what this machine has yet to write is no quiet time, and no window is over.

    Files in a directory may be of a machine whose clock is another one; there `until` is the word.
    """
    return min(until, now) if directory is None else until


def _report(job: str, replayed: Replayed, seconds: float) -> dict[str, Any]:
    """The contract's object."""
    from watcher.core.reason_words import say  # noqa: PLC0415 - the same
    from watcher.core.shown import shown_coverage, shown_instant  # noqa: PLC0415 - other verbs must not pay for it

    release = replayed.release
    verdict: str | None = None
    reasons: list[str] = []
    if release is not None:
        verdict, reasons = release.verdict, [say(reason) for reason in release.reasons]
        if release.ended_at is None and release.ends_at is not None:
            verdict = "inconclusive"
            reasons = [f"the range ends before the window does, at {shown_instant(release.ends_at)}"]
    return {
        "schema": 1,
        "job": job,
        "entries": replayed.entries,
        "matches": replayed.matches,
        "runs": replayed.runs,
        "coverage": shown_coverage(replayed.gaps),
        "verdict": verdict,
        "reasons": reasons,
        "failed_at": shown_instant(release.ended_at) if release is not None and verdict == "failed" else None,
        "elapsed_seconds": round(seconds, 6),
    }


def _in_words(report: dict[str, Any]) -> str:
    lines = [f"job {report['job']}: {report['entries']} entries in {report['elapsed_seconds']:.2f} s"]
    lines += [f"  {count:>8}  {rule}" for rule, count in sorted(report["matches"].items(), key=lambda one: -one[1])]
    lines.append(f"runs: {report['runs']['succeeded']} succeeded, {report['runs']['failed']} failed")
    gaps = report["coverage"]["gaps"]
    lines.append("coverage: complete" if not gaps else f"coverage: {len(gaps)} gaps, the counts are a lower bound")
    if report["verdict"] is not None:
        lines.append(f"verdict: {report['verdict']}" + (f" at {report['failed_at']}" if report["failed_at"] else ""))
        lines += [f"  {reason}" for reason in report["reasons"]]
    return "\n".join(lines)
