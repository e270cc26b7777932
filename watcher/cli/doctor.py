"""`watcher doctor`: what may keep release-watcher from working on this machine, each with the line to run."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from watcher.cli import exits
from watcher.cli.output import LINE, Output, output_of, words
from watcher.core.errors import WatcherError
from watcher.core.text import shown
from watcher.paths import Paths

if TYPE_CHECKING:
    from watcher.doctor.finding import Finding

_EXAMPLES = """examples:
  watcher doctor                                        as root it sees what each user would see
  watcher doctor --config job.yaml --state-dir ./state  of a daemon that was started by hand
  watcher doctor -o json | jq '.findings[] | select(.severity == "error")'

Looks at the configuration, the journal, the jobs' units, the commands that would be run, the rollback queue, the
units and the daemon. It changes nothing. Where systemd does not run it says what can't be checked.
Exit code: 0 when nothing must be mended (there may be warnings), 78 otherwise.
"""


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "doctor",
        parents=[common],
        help="tell what may keep it from working on this machine",
        description=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Look, and tell."""
    from watcher.doctor.examination import system_findings  # noqa: PLC0415 - no other verb may pay for it
    from watcher.doctor.finding import is_wrong  # noqa: PLC0415 - the same

    paths = Paths.choose(config=args.config, state=args.state_dir, socket=args.socket)
    findings = system_findings(paths, daemon=_daemon(paths))
    output = output_of(args)
    output.data(report(findings), lines_of(findings, output))
    return exits.BAD_CONFIG if any(map(is_wrong, findings)) else exits.OK


def _daemon(paths: Paths) -> Mapping[str, Any] | WatcherError:
    """What the daemon says of itself, or why it does not."""
    from watcher.cli.client import Client  # noqa: PLC0415 - goes with it

    try:
        return Client(paths.socket).read("/api/v1/status").json
    except WatcherError as error:
        return error


def report(findings: Iterable[Finding]) -> dict[str, Any]:
    """The findings for programs."""
    kept = list(findings)
    return {
        "schema": 1,
        "ok": all(one.weight != "error" for one in kept),
        "findings": [one.to_json() for one in kept],
    }


def lines_of(findings: Iterable[Finding], output: Output) -> list[str]:
    """The findings for people, a line each and the line to run beneath it; at the end, how many of which weight."""
    kept = list(findings)
    lines = [line for one in kept for line in _lines(one, output)]
    counts = Counter(str(one.weight) for one in kept)
    told = [f"{counts[weight]} {weight}{'' if counts[weight] == 1 else 's'}" for weight in ("error", "warning", "note")]
    return [*lines, ", ".join(told)]


def _lines(finding: Finding, output: Output) -> list[str]:
    job = f"job {words(finding.job)}: " if finding.job else ""
    first = f"{output.coloured(finding.weight, width=7)}  {finding.check}: {job}{shown(finding.what, limit=LINE)}"
    return [first, f"         hint: {shown(finding.hint, limit=LINE)}"] if finding.hint else [first]
