"""A release in words for a terminal, from the JSON that the daemon shows of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from watcher.cli.output import LINE, Output, columns, words
from watcher.core.duration import SECOND, Usec, format_duration
from watcher.core.explain import number
from watcher.core.shell import command_line
from watcher.core.text import last_lines, shown

_OPEN = ("preparing", "watching")
_OUTPUT_LINES = 20
_HELPED = {True: "; it helped", False: "; it did NOT help: it may not have been the release"}


def is_open(release: Mapping[str, Any]) -> bool:
    """Whether the release may still get a verdict."""
    return release["phase"] in _OPEN


def headline(release: Mapping[str, Any], output: Output) -> str:
    """One line: how the release stands, and why."""
    line = f"{words(release['id'])}: {output.coloured(release['phase'])}"
    if release["reasons"]:
        line += f": {'; '.join(map(words, release['reasons']))}"
    rollback = release["rollback"]
    if rollback["state"] != "none":
        line += f"; rollback {output.coloured(rollback['state'])}"
        why = rollback["detail"] if rollback["state"] in ("failed", "unknown") else rollback["reason"]
        line += f" ({words(why)})" if why else ""
    return line + _HELPED.get(rollback["helped"], "")


def until(release: Mapping[str, Any]) -> str:
    """When its window is over, for the end of a headline; nothing once it is, or while its clock stands."""
    if not is_open(release) or release["ends_at"] is None:
        return ""
    return f" until {words(release['ends_at'])[:19]}Z, {_span(release['seconds_left'])} left"


def progress(release: Mapping[str, Any], output: Output) -> str:
    """One line while it is open or its rollback runs: the time left, and each threshold as number of limit."""
    if not is_open(release):
        return f"{output.coloured(release['phase'])}, rollback {output.coloured(release['rollback']['state'])}"
    parts = [output.coloured(release["phase"])]
    left = release.get("seconds_left")
    if left is not None:
        parts.append(f"{_span(left)} left")
    parts += [
        f"{words(one['threshold'])}: {number(one.get('now', one['count']))} of {number(one['limit'])}"
        for one in release["thresholds"]
    ]
    if release["baseline_pending"]:
        parts.append("baseline being read")
    if not release["coverage"]["complete"]:
        parts.append(f"{len(release['coverage']['gaps'])} gaps")
    return ", ".join(parts)


def _span(seconds: float) -> str:
    return format_duration(Usec(int(seconds) * SECOND)) if seconds >= 1 else "0s"


def table(releases: Sequence[Mapping[str, Any]], output: Output) -> list[str]:
    """The releases, a line each."""
    rows = [["ID", "JOB", "VERSION", "REGISTERED", "ROLLBACK", "PHASE"]]
    rows += [
        [
            *(words(one[name]) for name in ("id", "job", "version")),
            words(one["registered_at"])[:19] + "Z",
            words(one["rollback"]["state"]),
            output.coloured(one["phase"]),
        ]
        for one in releases
    ]
    return columns(rows)


def details(release: Mapping[str, Any], output: Output) -> list[str]:
    """Everything that a person may want to know of it, a fact a line."""
    names = ("job", "version", "previous", "owner", "author", "reason", "rollback_note", "expected", "mode", "window")
    facts = [(name.replace("_", " "), words(release.get(name))) for name in names]
    facts += [("file", shown(path, limit=LINE)) for path in release["files"]]
    facts += [(name.removesuffix("_at"), words(release[name])) for name in ("registered_at", "started_at")]
    facts += [
        ("ends" if is_open(release) else "window end", words(release["ends_at"])),
        ("ended", words(release["ended_at"])),
    ]
    facts += _baseline(release)
    facts += [("threshold", _threshold(one)) for one in release["thresholds"]]
    facts += [("", words(one["detail"])) for one in release["thresholds"] if one["detail"]]
    facts += [("not judged", words(one)) for one in release["unjudged"]]
    facts += [("matches", f"{count} {words(rule)}") for rule, count in sorted(release["matches"].items())]
    facts += [("runs", _runs(release["runs"]))] if any(release["runs"].values()) else []
    facts += [
        ("gap", f"{words(gap['reason'])}, {words(gap['since'])} to {words(gap['until'])}") for gap in _gaps(release)
    ]
    facts += _ladder(release)
    facts += [("how", words(sentence)) for sentence in release.get("explanation", ())]
    facts += _errand("backup", release["backup"]) + _errand("rollback check", release["check"])
    return [headline(release, output), *(f"  {line}" for line in columns([*facts, *_rollback(release["rollback"])]))]


def _runs(runs: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name.replace('_', ' ')}" for name, count in runs.items())


def _baseline(release: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What is known of the past, in a line; none where no condition asks for it."""
    known = release["baseline"]
    if release["baseline_pending"]:
        return [("baseline", "being read: what needs it waits")]
    if known is None:
        return []
    if known["problem"]:
        return [("baseline", f"could not be read: {words(known['problem'])}")]
    runs = "" if known["runs"] is None else f", {known['runs']['failed']} of {_ended(known['runs'])} runs failed"
    minutes = f"{known['error_minutes'].get('error', {}).get('minutes', 0)} of {known['minutes']} minutes with errors"
    return [("baseline", f"from {words(known['since'])}: {known['entries']} entries, {minutes}{runs}")]


def _ended(runs: Mapping[str, Any]) -> int:
    return int(runs["failed"]) + int(runs["succeeded"])


def _gaps(release: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    found: Sequence[Mapping[str, Any]] = release["coverage"]["gaps"]
    return found


def _threshold(one: Mapping[str, Any]) -> str:
    now = f"{number(one['now'])} now, " if "now" in one else ""
    return f"{words(one['threshold'])}: {now}at most {number(one['count'])} of {number(one['limit'])}"


def _ladder(release: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What mode rollback would have done, and what a person thought of the verdict."""
    proposal, opinion, facts = release["proposal"], release["opinion"], []
    if proposal is not None and release["mode"] != "rollback":
        done = "run the rollback" if proposal["state"] == "queued" else "hold the rollback"
        facts.append(("in mode rollback", f"{done}: {words(proposal['reason'])}"))
    if opinion is not None:
        view = {True: "agreed", False: "disagreed", None: "decided"}[opinion["agrees"]]
        facts.append((view, f"{words(opinion['author'])} ({words(opinion['judgement'])}): {words(opinion['reason'])}"))
    return facts


def _errand(name: str, done: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    if done is None:
        return []
    command = shown(command_line(done["command"]), limit=LINE)
    return [(name, f"{command}: exit code {done['exit_code']}, {words(done['finished_at'])}")]


def _rollback(rollback: Mapping[str, Any]) -> list[tuple[str, str]]:
    facts = [("rollback", words(rollback["state"]))]
    facts += [
        (f"rollback {name.removesuffix('_at')}", words(rollback[name]))
        for name in ("reason", "detail", "exit_code", "started_at", "finished_at", "helped")
        if rollback[name] not in (None, "")
    ]
    after = rollback["verification"]
    if after is not None:
        facts.append(
            ("rollback watched", f"{words(after['started_at'])} to {words(after['ended_at'] or after['ends_at'])}")
        )
        facts += [("after the rollback", words(reason)) for reason in after["reasons"]]
        facts += [("after the rollback", f"{count} {words(rule)}") for rule, count in sorted(after["matches"].items())]
    if rollback["command"]:
        facts.append(("rollback command", shown(command_line(rollback["command"]), limit=LINE)))
    if rollback["output"]:
        facts += [("output", line) for line in last_lines(rollback["output"], limit=LINE, lines=_OUTPUT_LINES)]
    return facts
