"""The final note of a release: one Markdown page that is good to read at three in the morning, and its JSON record.

Pure: the same record, history and lines give the same bytes. Log text, output and people's words are hostile; they
come in raw and leave escaped. Knows no file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from watcher.core.aftermath import ladder_in_words, next_step, outcome, question
from watcher.core.background import baseline_lines, kind_lines, leftover_lines
from watcher.core.duration import Usec, format_duration
from watcher.core.evidence import OUTPUT_LINE, WORDS, first_lines, instant, journalctl_commands, shown_excerpts, span
from watcher.core.excerpt import ReadAgain
from watcher.core.explain import explanation, number
from watcher.core.holes import coverage_lines
from watcher.core.messages import Transition, TransitionKind
from watcher.core.reason_words import say
from watcher.core.release import CommandResult, Release
from watcher.core.rollback_lines import rollback_lines
from watcher.core.shell import command_line
from watcher.core.shown import shown_instant, shown_release
from watcher.core.standing import Standing
from watcher.core.text import block, code, last_lines, prose, table
from watcher.core.thresholds import standing

__all__ = ["ReadAgain", "note_record", "render_note"]

_FILES = 50
_NONE = "none given"


def render_note(
    release: Release,
    *,
    transitions: Sequence[Transition],
    excerpts: ReadAgain,
    journalctl_directory: str | None,
    journalctl_namespace: str | None = None,
) -> str:
    """The note as Markdown. Directory and namespace name the journal that was read, None and None the machine's own."""
    commands = journalctl_commands(release, directory=journalctl_directory, namespace=journalctl_namespace)
    sections = (
        ("", _head(release)),
        ("Release", [table(_facts(release))]),
        ("Window", [table(_window(release))]),
        ("Verdict", _verdict(release)),
        ("Baseline", list(baseline_lines(release))),
        ("Kinds of errors", list(kind_lines(release, excerpts))),
        ("Errors that no rule matched", list(leftover_lines(excerpts))),
        ("How it was judged", _explained(release)),
        ("Coverage", coverage_lines(release)),
        ("First matching lines", first_lines(release, excerpts)),
        ("See more", _see_more(commands)),
        ("Rollback", rollback_lines(release)),
        ("Metric before and after", _metric(release)),
        ("History", ["\n".join(_history(transitions)) or "No change was recorded."]),
    )
    paragraphs: list[str] = []
    for title, body in sections:
        if body == []:
            continue  # no condition asks for it
        paragraphs += [f"## {title}"] if title else []
        paragraphs += body
    return "\n\n".join(paragraphs) + "\n"


def note_record(
    release: Release,
    *,
    transitions: Sequence[Transition],
    excerpts: ReadAgain,
    journalctl_directory: str | None,
    journalctl_namespace: str | None = None,
) -> dict[str, Any]:
    """The note for programs: `release show`, with the history, the lines and the commands that show more."""
    return {
        **shown_release(release),
        "explanation": explanation(release),
        "transitions": [_shown_transition(transition) for transition in transitions],
        "excerpts": shown_excerpts(excerpts),
        "commands": journalctl_commands(release, directory=journalctl_directory, namespace=journalctl_namespace),
    }


def _head(release: Release) -> Iterator[str]:
    version = code(release.request.version, limit=100)
    yield f"# {outcome(release)}: {code(release.job, limit=100)} {version}"
    if release.reasons:
        yield "; ".join(_said(release))
    step = next_step(release)
    if step:
        yield f"**Next:** {step}"
    ladder = ladder_in_words(release)
    if ladder:
        yield prose(ladder, limit=WORDS)
    if question(release):
        yield question(release)
    note = release.request.rollback_note
    if step and note:
        yield f"The releaser's note on rolling back: {prose(note, limit=WORDS)}"


def _facts(release: Release) -> Iterator[tuple[str, str]]:
    request, plan = release.request, release.policy.release.rollback
    previous = "unknown" if release.previous is None else code(release.previous, limit=100)
    yield "id", code(release.id, limit=100)
    yield "job", code(release.job, limit=100)
    yield "version", f"{code(request.version, limit=100)} (previous: {previous})"
    yield "owner", prose(release.owner, limit=WORDS) or _NONE
    yield "registered by", prose(request.author, limit=WORDS)
    yield "reason", prose(request.reason, limit=WORDS) or _NONE
    yield "files touched", _files(request.files)
    yield "expected result", prose(release.policy.release.expected, limit=WORDS) or _NONE
    yield "rollback note", prose(request.rollback_note, limit=WORDS) or _NONE
    yield "backup", _errand(release.request.backup, release.policy.release.backup)
    yield "rollback check", _errand(release.request.check, () if plan is None else plan.check)
    yield "mode", f"{release.mode}{_demoted(release)}"


def _files(files: Sequence[str]) -> str:
    named = ", ".join(code(file, limit=200) for file in files[:_FILES])
    return (f"{named} and {len(files) - _FILES} more" if len(files) > _FILES else named) or _NONE


def _demoted(release: Release) -> str:
    return "" if release.demoted is None else f": {prose(say(release.demoted), limit=WORDS)}"


def _errand(result: CommandResult | None, configured: tuple[str, ...]) -> str:
    """What a command did before the registration, with the last thing that it said."""
    if result is None:
        command = code(command_line(configured), limit=WORDS)
        return f"not run, though configured: {command}" if configured else "none configured"
    took = span(result.started_at, result.finished_at)
    command = code(command_line(result.command), limit=WORDS)
    last = last_lines(result.output, limit=OUTPUT_LINE, lines=1) if result.output.strip() else ()
    said = f"; it said {code(last[-1], limit=OUTPUT_LINE)}" if last else ""
    return f"{command}, {result.outcome}, {instant(result.started_at)}, took {took}{said}"


def _window(release: Release) -> Iterator[tuple[str, str]]:
    yield "registered", instant(release.registered_at)
    if release.started_at is None or release.settles_at is None or release.ends_at is None:
        yield "start", "never: the clock was not started"
        yield "length", format_duration(release.window)
    else:
        settle = release.policy.release.settle
        yield "start", instant(release.started_at)
        yield "settled from", f"{instant(release.settles_at)} (settle {format_duration(settle)})"
        yield "planned end", instant(release.ends_at)
        yield "length", f"{format_duration(release.window)}{_lasted(release, release.started_at)}"
    yield "ended", "not yet" if release.ended_at is None else instant(release.ended_at)


def _lasted(release: Release, start: Usec) -> str:
    return "" if release.ended_at is None else f", lasted {span(start, release.ended_at)}"


def _verdict(release: Release) -> Iterator[str]:
    when = "" if release.ended_at is None else f" at {instant(release.ended_at)}"
    yield f"**{release.verdict or f'no verdict: {release.phase}'}**{when}"
    if release.reasons:
        yield "\n".join(f"- {reason}" for reason in _said(release))
    standings = [standing(count) for count in release.trial.counts]
    if standings:
        yield table(
            ((prose(one.label, limit=200), _most(one), _far(one)) for one in standings),
            header=("threshold", "most at once", "of its limit"),
        )
        told = [one for one in standings if one.detail]
        yield from (f"{prose(one.label, limit=200)}: {prose(one.detail, limit=WORDS)}." for one in told)
    else:
        yield "No threshold is configured."
    yield from _counts(release)


def _explained(release: Release) -> Iterator[str]:
    sentences = explanation(release)
    if not sentences:
        yield "Nothing was judged: the window never opened."
        return
    yield "\n".join(f"- {prose(sentence, limit=WORDS)}" for sentence in sentences)


def _counts(release: Release) -> Iterator[str]:
    if release.trial.matches:
        rows = ((code(rule, limit=100), str(count)) for rule, count in release.trial.matches)
        yield table(rows, header=("rule", "matches held against the release"))
    if release.trial.settling:
        yield f"Seen before the job had settled, and not held against the release: {release.trial.settling}."
    if release.trial.runs.settling:
        yield f"Runs that failed before it had settled, and not held against it: {release.trial.runs.settling}."
    unjudged = release.policy.release.unjudged
    if unjudged:
        yield f"Configured, but not judged by this version: {', '.join(code(key, limit=200) for key in unjudged)}."
    if release.trial.rules_changed_at is not None:
        changed_at = instant(release.trial.rules_changed_at)
        yield f"The job's rules were changed after the release was registered, at {changed_at} or before."


def _most(one: Standing) -> str:
    return f"{number(one.count)} of {number(one.limit)}"


def _far(one: Standing) -> str:
    return "crossed" if one.ratio >= 1 else f"{int(one.ratio * 100)} %"


def _see_more(commands: dict[str, list[str]]) -> Iterator[str]:
    if not commands:
        yield "There is nothing to see: the window never opened."
        return
    yield block(commands["window"], language="sh")
    if "after" in commands:
        yield "And what came after it:"
        yield block(commands["after"], language="sh")


def _metric(release: Release) -> Iterator[str]:
    label = f'{{job_name="{release.job}"}}'
    rows = (
        (f"watcher_journal_entries_total{label}", release.entries_before, release.entries_after),
        (f"sum(watcher_rule_matches_total{label})", release.matches_before, release.matches_after),
    )
    if release.started_at is None:
        yield "The window never opened."
        return
    yield table(
        ((code(name, limit=200), str(before), *_after(before, after)) for name, before, after in rows),
        header=("metric", "at the start", "at the end", "difference"),
    )


def _after(before: int, after: int | None) -> tuple[str, str]:
    return ("not yet", "") if after is None else (str(after), f"{after - before:+d}")


def _history(transitions: Iterable[Transition]) -> Iterator[str]:
    for one in transitions:
        change = f"{one.before} → {one.after}" if one.before else one.after
        what = "" if one.kind is TransitionKind.PHASE else f"{one.kind} "
        why = "; ".join([*(prose(say(reason), limit=WORDS) for reason in one.reasons), prose(one.text, limit=WORDS)])
        who = prose(one.author, limit=100) or "the daemon"
        yield f"- {instant(one.at)}: {what}{prose(change, limit=200)}, by {who}{': ' if why else ''}{why.strip('; ')}"


def _shown_transition(transition: Transition) -> dict[str, Any]:
    return {
        "at": shown_instant(transition.at),
        "kind": transition.kind,
        "before": transition.before,
        "after": transition.after,
        "reasons": [say(reason) for reason in transition.reasons],
        "author": transition.author,
        "text": transition.text,
    }


def _said(release: Release) -> list[str]:
    return [prose(say(reason), limit=WORDS) for reason in release.reasons]
