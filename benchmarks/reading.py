"""Speed of reading and matching, as a ratio to a C loop that only reads three fields.

    python -m benchmarks.reading [--messages DIR] [--entries N] [--rounds N] [--cases CASE…]

Each case is measured in turns with the C loop, after a round to warm the cache; the table shows the median ratio of
the rounds. Every entry belongs to a job. Absolute rates depend on the machine, and little else; ratios hardly do.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from systemd._reader import _Reader

from benchmarks.corpus import ENTRIES, UNITS, cache_directory, corpus, unit
from benchmarks.quality import rules_of
from watcher.config.packs import shipped_packs
from watcher.core.duration import HOUR, Usec
from watcher.core.names import JobName, RuleName
from watcher.core.policy import JobPolicy, Mode, ReleasePolicy
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity
from watcher.journal.extent import read_extent
from watcher.journal.scan import Scanner
from watcher.journal.source import Source
from watcher.replay import Replay

CHUNK = 4096


def rules(count: int) -> tuple[Rule, ...]:
    """So many rules that hardly ever match, each with its own words."""
    patterns = [rf"(?i)failure number {number} of [a-z]+|error code {number}\b" for number in range(count)]
    return tuple(
        Rule(name=RuleName(f"rule-{number}"), severity=Severity.ERROR, match=pattern)
        for number, pattern in enumerate(patterns)
    )


def unit_patterns(count: int) -> tuple[str, ...]:
    """So many patterns, half of them globs; all units of the corpus are among them."""
    others = [
        f"other-{number}@*.service" if number % 2 else f"other-{number}.service" for number in range(count - UNITS)
    ]
    return (*others, *map(unit, range(UNITS)))


def one_job(*, rule_count: int, unit_count: int = 50) -> tuple[WatchedJob, ...]:
    """All units in one job."""
    job = WatchedJob(name=JobName("all"), units=unit_patterns(unit_count), identifiers=(), rules=rules(rule_count))
    return (job,)


def job_each(*, rule_count: int) -> tuple[WatchedJob, ...]:
    """A job for each unit, all with the same rules."""
    shared = rules(rule_count)
    return tuple(
        WatchedJob(name=JobName(f"job-{number}"), units=(unit(number),), identifiers=(), rules=shared)
        for number in range(UNITS)
    )


def packs_job(*without: str) -> tuple[WatchedJob, ...]:
    """All units in one job with every shipped pack but these."""
    rules = tuple(rules_of(sorted(shipped_packs().keys() - set(without))))
    return (WatchedJob(name=JobName("all"), units=unit_patterns(50), identifiers=(), rules=rules),)


CASES: dict[str, tuple[WatchedJob, ...]] = {
    "10 rules": one_job(rule_count=10),
    "100 rules": one_job(rule_count=100),
    "1000 rules": one_job(rule_count=1000),
    "100 rules, 50 unit patterns": one_job(rule_count=100, unit_count=50),
    "100 rules, 1000 unit patterns": one_job(rule_count=100, unit_count=1000),
    "100 rules, 20 jobs": job_each(rule_count=100),
    "all packs but priority": packs_job("priority"),
    "all packs": packs_job(),
    "replay, 10 rules": one_job(rule_count=10),
    "replay, 100 rules": one_job(rule_count=100),
    "replay, 1000 rules": one_job(rule_count=1000),
    "replay, all packs but priority": packs_job("priority"),
}

KEPT = (
    ("1000 rules", "10 rules", "1000 rules against 10"),
    ("all packs but priority", "10 rules", "all packs but priority against 10 rules"),
    ("all packs", "10 rules", "all packs against 10 rules"),
    ("replay, all packs but priority", "replay, 10 rules", "all packs but priority against 10 rules, in replay"),
    ("100 rules, 1000 unit patterns", "100 rules, 50 unit patterns", "1000 unit patterns against 50"),
)
"""Pairs of cases, and how they are called."""


def seconds_to_scan(journal: Path, jobs: Sequence[WatchedJob], entries: int) -> float:
    """How long the scanner takes for the whole journal, as the reader process drives it."""
    scanner = Scanner(jobs)
    with _Reader(0, str(journal)) as reader:
        began = time.perf_counter()
        seen = owned = 0
        while scanner.scan(reader, entries=CHUNK, matches=500):
            tally = scanner.drain()
            seen += tally.entries
            owned += sum(job.entries for job in tally.tallies)
        took = time.perf_counter() - began
    assert entries == seen == owned
    return took


def seconds_to_replay(journal: Path, jobs: Sequence[WatchedJob], entries: int) -> float:
    """How long `watcher replay` takes for one job: batches, the order check and every decision included."""
    (job,) = jobs
    release = ReleasePolicy(mode=Mode.OBSERVE, window=HOUR, settle=Usec(0), thresholds=())
    severities = {rule.name: rule.severity for rule in job.rules}
    policy = JobPolicy(name=job.name, owner="", rules=severities, rules_hash="", release=release, journalctl=())
    began = time.perf_counter()
    replay = Replay(policy=policy)
    replay.begin(Usec(0))
    for reading in read_extent(Source(directory=str(journal)), jobs, since=Usec(0)):
        replay.read(reading.taken_in(reading.read_until))
    took = time.perf_counter() - began
    assert entries == replay.result().entries
    return took


def seconds_in_c(loop: Path, journal: Path, entries: int) -> float:
    """How long the C loop takes."""
    done = subprocess.run([str(loop), str(journal)], capture_output=True, text=True, check=True)
    seen, took, _ = done.stdout.split()
    assert entries == int(seen)
    return float(took)


def built_loop() -> Path:
    """The C loop, compiled into the cache directory."""
    source, loop = Path(__file__).with_name("cloop.c"), cache_directory() / "cloop"
    loop.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["cc", "-O2", "-Wall", "-o", str(loop), str(source), "-lsystemd"], check=True)
    return loop


def measure(
    journal: Path, loop: Path, entries: int, rounds: int, cases: Mapping[str, tuple[WatchedJob, ...]]
) -> dict[str, tuple[float, float]]:
    """For each case the median ratio to the C loop, and the entries a second."""
    seconds_in_c(loop, journal, entries)
    ratios: dict[str, list[float]] = {name: [] for name in cases}
    rates: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(rounds):
        for name, jobs in cases.items():
            before = seconds_in_c(loop, journal, entries)
            measured = seconds_to_replay if name.startswith("replay") else seconds_to_scan
            took = measured(journal, jobs, entries)
            after = seconds_in_c(loop, journal, entries)
            ratios[name].append((before + after) / 2 / took)
            rates[name].append(entries / took)
    return {name: (statistics.median(ratios[name]), statistics.median(rates[name])) for name in cases}


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("--messages", type=Path, help="directory of Loghub's CSV files")
    parser.add_argument("--entries", type=int, default=ENTRIES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=tuple(CASES), metavar="CASE")
    options = parser.parse_args()
    cases = {name: CASES[name] for name in options.cases}
    journal = corpus(messages=options.messages, entries=options.entries)
    results = measure(journal, built_loop(), options.entries, options.rounds, cases)
    print(f"{'case':34}{'of the C loop':>14}{'entries/s':>12}")
    for name, (ratio, rate) in results.items():
        print(f"{name:34}{ratio:14.2f}{rate:12,.0f}")
    print()
    for name, of, said in KEPT:
        if name in results and of in results:
            print(f"{said}: {results[name][0] / results[of][0]:.0%} of the speed")


if __name__ == "__main__":
    main()
