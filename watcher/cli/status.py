"""`watcher status`: the daemon at a glance."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from watcher.cli import exits
from watcher.cli.output import Output, columns, output_of, words
from watcher.cli.pause import DISARMED, pause_lines

_EXAMPLES = """examples:
  watcher status                                 jobs, open windows, journal lag, coverage, paused or not
  watcher status -o json | jq -e .ready          for programs
"""


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "status",
        parents=[common],
        help="jobs, open windows, journal lag, paused or not",
        description=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Ask and show."""
    from watcher.cli.reaching import client_of  # noqa: PLC0415 - only the verbs that speak to the daemon need it

    found, output = client_of(args).read("/api/v1/status").json, output_of(args)
    output.data(found, [] if output.is_json else _lines(found, output))
    return exits.OK


def _lines(found: Mapping[str, Any], output: Output) -> list[str]:
    from watcher.cli.release_lines import progress  # noqa: PLC0415 - for people alone

    state = output.coloured("ready") if found["ready"] else f"{output.coloured('not ready')}: {words(found['trouble'])}"
    lines = [f"release-watcher {words(found['version'])}: {state}", _journal(found["journal"])]
    if not found["config"]["last_reload_successful"]:
        lines.append("config: the last reload was refused, the old one is in use; `watcher check` tells why")
    lines += [f"{output.coloured('paused')}: {DISARMED}"] if found["disarmed"] else []
    lines += pause_lines(found["pauses"], output)
    lines += ["", "jobs"] + [f"  {line}" for line in columns(_jobs(found["jobs"], output))]
    if found["open"]:
        lines += ["", "open windows"]
        lines += [f"  {words(one['id'])}  {words(one['version'])}  {progress(one, output)}" for one in found["open"]]
    if found["verifying"]:
        lines += ["", "after a rollback"]
        lines += [f"  {words(one['id'])}  watched until {words(_until(one))}" for one in found["verifying"]]
    return lines


def _until(release: Mapping[str, Any]) -> str:
    until: str = release["rollback"]["verification"]["ends_at"]
    return until


def _journal(journal: Mapping[str, Any]) -> str:
    lag = journal["lag_seconds"]
    read = "nothing read yet" if lag is None else f"read up to {lag:.1f} s ago"
    gaps = ", ".join(f"{count} {words(reason)}" for reason, count in sorted(journal["gaps"].items()))
    return f"journal: {words(journal['source'])}, {read}, gaps: {gaps or 'none'}"


def _agreement(opinions: Mapping[str, int]) -> str:
    """Of how many verdicts that people judged they found so many right."""
    every = sum(opinions.values())
    return f"{opinions['agreed']} of {every}" if every else "-"


def _jobs(jobs: Mapping[str, Any], output: Output) -> list[list[str]]:
    rows = [["JOB", "MODE", "WINDOW", "ENTRIES", "MATCHES", "RUNS", "FAILED", "AGREED", "LAST RELEASE", "PHASE"]]
    for name, job in sorted(jobs.items()):
        runs = job["runs"]
        counts = (
            str(job["entries"]),
            str(sum(job["matches"].values())),
            str(sum(runs.values())),
            str(runs["failed"]),
            _agreement(job["opinions"]),
        )
        phase = output.coloured(job["phase"]) if job["phase"] else "-"
        if job["rollback"] not in (None, "none"):
            phase += f", rollback {output.coloured(job['rollback'])}"
        paused = f" ({output.coloured('paused')})" if job["paused"] else ""
        rows.append(
            [words(name), words(job["mode"]), words(job["window"]), *counts, words(job["last_release"]), phase + paused]
        )
    return rows
