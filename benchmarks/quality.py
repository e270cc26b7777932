"""How well rule packs do on recorded logs whose entries say themselves whether they are errors.

    python -m benchmarks.quality FILE.csv… [--packs NAME,FILE.yaml…] [--text line|content] [--line TEMPLATE]

A log is a CSV with the column Content, and Level (a word) or Label (`-` or `Normal` is healthy, anything else is not),
as Loghub has them (https://github.com/logpai/loghub). Failing entries are those of level error and worse, healthy ones
those of level notice and milder; warnings are neither. An entry is found, or hit, if a rule of severity error or worse
fires on it, as the daemon's own matcher decides it; `where` and message ids have no fields to look at here.

What is matched: the CSV holds the level apart from the message, but the program wrote both into one line, and that
is what a journal would hold. `--text line` (the default) puts it together again: by the layouts that Loghub's own
parser took the lines apart with, or by TEMPLATE (`{Date} {Time} {Level} {Content}`), or as all columns up to Content
with blanks between. `--text content` leaves the level out: what is found then is found by the message's words alone.

Prints Markdown: a row for each log, the rules that fired, and the missed and the wrongly hit lines grouped by kind.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from watcher.config.document import read_document
from watcher.config.packs import read_pack, shipped_packs
from watcher.config.problem import has_errors
from watcher.core.fingerprint import fingerprint
from watcher.core.rule import Rule
from watcher.core.severity import Severity
from watcher.core.text import code, shown, table
from watcher.journal.matcher import Matcher

Row = Mapping[str, str]

FAILING = frozenset(
    {"error", "err", "fatal", "critical", "crit", "severe", "alert", "emerg", "emergency", "panic", "failure"}
)
HEALTHY = frozenset({"notice", "info", "debug", "trace", "fine", "finer", "finest", "config", "verbose"})
NORMAL = frozenset({"-", "normal", "0"})
LAYOUTS = (
    "{Date} {Time} {Level} [{Process}] {Component}: {Content}",
    "{Date} {Time} - {Level} [{Node}:{Component}@{Id}] - {Content}",
    "{Date} {Time} {Pid} {Level} {Component} [{ADDR}] {Content}",
)
"""Of Hadoop, ZooKeeper and OpenStack: the `log_format` of logparser's benchmarks (https://github.com/logpai/logparser)."""
_NO_PART_OF_THE_LINE = frozenset({"LineId", "Logrecord", "Label", "EventId", "EventTemplate"})
_SHOWN = 140


class Health(StrEnum):
    """What an entry says of itself."""

    FAILING = "failing"
    BETWEEN = "between"
    HEALTHY = "healthy"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Result:
    """What came of one log: entries by health, those on which an error rule fired, and which."""

    entries: Counter[Health] = field(default_factory=Counter)
    hits: Counter[Health] = field(default_factory=Counter)
    rules: dict[str, Counter[Health]] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    wrong: list[tuple[str, str]] = field(default_factory=list)
    unjudged: list[tuple[str, str]] = field(default_factory=list)

    def share(self, health: Health) -> float | None:
        """Which part of such entries an error rule fired on; None if there are none."""
        return self.hits[health] / self.entries[health] if self.entries[health] else None


def health_of(row: Row) -> Health:
    """By the label where there is one, or else by the level."""
    label, level = row.get("Label"), (row.get("Level") or "").strip().lower()
    if label is not None:
        return Health.HEALTHY if label.strip().lower() in NORMAL else Health.FAILING
    if level in FAILING:
        return Health.FAILING
    if level in HEALTHY:
        return Health.HEALTHY
    return Health.BETWEEN if level in ("warn", "warning") else Health.UNKNOWN


def layout_of(columns: Sequence[str]) -> str:
    """How the line looked from which a log with these columns was made."""
    for layout in LAYOUTS:
        if all(f"{{{name}}}" in layout for name in _parts(columns)) and layout.count("{") == len(_parts(columns)):
            return layout
    if "Level" not in columns or "Month" in columns:  # syslog: journald keeps what stands before the message apart
        return "{Content}"
    return " ".join(f"{{{name}}}" for name in _parts(columns))


def _parts(columns: Sequence[str]) -> list[str]:
    return [name for name in columns[: list(columns).index("Content") + 1] if name not in _NO_PART_OF_THE_LINE]


def judge(rows: Iterable[Row], layout: str, matcher: Matcher) -> Result:
    """What the rules make of the entries."""
    result = Result()
    for row in rows:
        text, health = layout.format_map(row), health_of(row)
        fired = matcher.hits(text.encode(), lambda _field: None)
        result.entries[health] += 1
        for rule in fired:
            result.rules.setdefault(str(rule.name), Counter())[health] += 1
        bad = [str(rule.name) for rule in fired if rule.severity.at_least(Severity.ERROR)]
        result.hits[health] += bool(bad)
        if health is Health.FAILING and not bad:
            result.missed.append(text)
        if health is Health.HEALTHY and bad:
            result.wrong.append((", ".join(bad), text))
        if health is Health.UNKNOWN and bad:
            result.unjudged.append((", ".join(bad), text))
    return result


def rules_of(packs: Iterable[str]) -> list[Rule]:
    """The rules of shipped packs by name and of files by path. Ends the program where one can't be used."""
    shipped = shipped_packs()
    rules: list[Rule] = []
    for pack in packs:
        found, problems = read_pack(read_document(shipped.get(pack, Path(pack))))
        if found is None or has_errors(problems):
            sys.exit("\n".join(map(str, problems)) or f"{pack}: no pack")
        rules += [entry.rule for entry in found.entries if entry.rule is not None]
    return rules


def groups(lines: Iterable[tuple[str, str]], most: int) -> Iterator[tuple[str, ...]]:
    """(rules, line) pairs by kind of line, the largest kinds first."""
    kinds: dict[tuple[str, str], list[str]] = {}
    for rules, line in lines:
        kinds.setdefault((rules, fingerprint(line).key), []).append(line)
    ordered = sorted(kinds.items(), key=lambda kind: len(kind[1]), reverse=True)
    for (rules, _), every in ordered[:most]:
        yield str(len(every)), rules, code(shown(every[0], limit=_SHOWN), limit=_SHOWN)


def report(results: Mapping[str, Result], most: int) -> Iterator[str]:
    """The Markdown."""
    yield table(
        [_summary(name, result) for name, result in results.items()],
        header=("log", "entries", "error and worse", "found", "info and milder", "hit", "warnings hit"),
    )
    for name, result in results.items():
        if result.rules:
            yield f"Rules on {name}:"
            ordered = sorted(result.rules.items(), key=lambda rule: -rule[1].total())
            rows = [(rule, *(str(counts[health]) for health in Health)) for rule, counts in ordered]
            yield table(rows, header=("rule", *Health))
        if result.missed:
            yield f"Missed on {name}:"
            yield table(groups((("-", line) for line in result.missed), most), header=("lines", "rules", "the first"))
        if result.wrong:
            yield f"Hit on {name} though healthy:"
            yield table(groups(result.wrong, most), header=("lines", "rules", "the first"))
        if result.unjudged:
            yield f"Hit on {name}, where no level says whether rightly:"
            yield table(groups(result.unjudged, most), header=("lines", "rules", "the first"))


def _summary(name: str, result: Result) -> tuple[str, ...]:
    failing, healthy = result.share(Health.FAILING), result.share(Health.HEALTHY)
    return (
        name,
        str(result.entries.total()),
        str(result.entries[Health.FAILING]),
        "-" if failing is None else f"{failing:.1%}",
        str(result.entries[Health.HEALTHY]),
        "-" if healthy is None else f"{healthy:.2%}",
        f"{result.hits[Health.BETWEEN]} of {result.entries[Health.BETWEEN]}",
    )


def main() -> None:
    """Prints the report."""
    parser = argparse.ArgumentParser(
        description=__doc__, allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE.csv")
    parser.add_argument("--packs", help="names of shipped packs and files of others, with commas; all shipped ones")
    parser.add_argument("--text", choices=("line", "content"), default="line")
    parser.add_argument("--line", metavar="TEMPLATE", help="how the line looked, with columns in braces")
    parser.add_argument("--groups", type=int, default=10, metavar="N", help="how many kinds of lines are shown")
    options = parser.parse_args()
    matcher = Matcher(rules_of(options.packs.split(",") if options.packs else sorted(shipped_packs())))
    results: dict[str, Result] = {}
    for path in options.files:
        with path.open(encoding="utf-8", errors="replace", newline="") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            if "Content" not in columns:
                sys.exit(f"{path}: there is no column Content")
            layout = "{Content}" if options.text == "content" else options.line or layout_of(columns)
            results[path.name.partition("_")[0].removesuffix(".csv")] = judge(reader, layout, matcher)
    sys.stdout.write("\n\n".join(report(results, options.groups)) + "\n")


if __name__ == "__main__":
    main()
