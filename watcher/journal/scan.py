"""The one way to read journal entries: takes them from a reader, counts them by job and matches the jobs' rules.

Knows what becomes of an entry; must not know positions, polling, repair or processes.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from watcher.core.coverage import Gap, GapReason
from watcher.core.duration import Usec
from watcher.core.fingerprint import fingerprint
from watcher.core.found import ErrorSeen, Found, Match
from watcher.core.rule import Rule, WatchedJob
from watcher.core.severity import Severity, worst_of
from watcher.journal.counting import CountedJob, Tally
from watcher.journal.elsewhere import UNKNOWN, Elsewhere
from watcher.journal.entry import Entry, JournalReader
from watcher.journal.invocations import BeginLost, Invocations, at_host
from watcher.journal.joins import Join, Joins, Reach, Stream, reach_of
from watcher.journal.judged import Judge, Judged, is_severe
from watcher.journal.matcher import LONGEST_TEXT, Matcher
from watcher.journal.patterns import PatternError, readable
from watcher.journal.places import Place, Places
from watcher.journal.records import found_run
from watcher.journal.runs import CountedRuns
from watcher.journal.said import said_in
from watcher.journal.source import HEARTBEAT

__all__ = ["JournalReader", "PatternError", "Scanner", "Tally"]

_log = logging.getLogger(__name__)


class Scanner:
    """Counts and matches entries for a set of jobs, in a tally that the caller drains or discards."""

    _last_at: int

    def __init__(
        self,
        jobs: Sequence[WatchedJob],
        *,
        heartbeat: str | None = None,
        elsewhere: Elsewhere = UNKNOWN,
        by_host: bool = False,
    ) -> None:
        """`heartbeat` is what stands in the entry of our own that is waited for; once it was seen, `heard` is True.

        `elsewhere` is what was found out in advance about entries of these jobs in other units. `by_host`: the entries
        may be those of several hosts, whose units and processes are called the same and are not; it costs one more
        field of each entry of which something is kept.
        Raises PatternError for a pattern, a unit or a glob that can't be used.
        """
        self.heard = False
        self._heartbeat = None if heartbeat is None else heartbeat.encode()
        matchers = {rules: Matcher(rules) for rules in {job.all_rules for job in jobs}}  # same packs, one automaton
        self._jobs = tuple(CountedJob(job, matchers[job.all_rules]) for job in jobs)
        self._places = Places(jobs, self._jobs, listens=heartbeat is not None)
        self._judge = Judge(self._places, by_host=by_host).judge
        self._elsewhere = elsewhere
        self._joins = Joins({reach for job in self._jobs for reach in job.reaches.values()})
        self._runs = CountedRuns()
        self._invocations = Invocations()
        self._begin()

    def carry(self) -> dict[str, Any]:
        """What must survive a restart: open joins, counted runs, invocations. JSON-able, bounded (under 300 KiB)."""
        return {"joins": self._joins.dump(), "runs": self._runs.dump(), "invocations": self._invocations.dump()}

    def resume(self, carry: dict[str, Any]) -> None:
        """Goes on with what `carry` gave, in a new tally; what is unknown or malformed in it is left out."""
        reaches = {(job.name, rule): reach for job in self._jobs for rule, reach in job.reaches.items()}
        self._joins.load(carry.get("joins"), lambda job, rule: reaches.get((job, rule)))
        self._runs.load(carry.get("runs"))
        self._invocations.load(carry.get("invocations"))
        self._begin()

    def scan(self, reader: JournalReader, *, entries: int, matches: int) -> int:
        """Takes up to `entries` further entries into the tally, but none after its `matches`-th matched entry.

        An entry that matches for several jobs is one matched entry. Returns how many entries were read; 0 is the end,
        unless the tally was full before. OSError of the library passes, with the tally as it was after the last whole
        entry; the reader stands on the one that failed. An entry on which our own code fails is counted and passed,
        as a gap: to stop there would mean to stop there for ever.
        """
        step, get, realtime = reader._next, reader._get, reader._get_realtime
        places, learn, joined = self._places.known, self._places.learn, self._joins.units
        several, twice, elsewhere = len(self._jobs) > 1, self._places.owned_twice, self._places.owned_elsewhere
        settled, instants = self._elsewhere.before, self._elsewhere.instants
        read, last_at = 0, self._last_at
        try:
            while read < entries and self._matched < matches and step():
                # Each _get costs a tenth of the C loop's time for an entry, the dict and all the rest less than that.
                try:
                    unit = get("_SYSTEMD_UNIT")
                except KeyError:
                    unit = None
                place = places.get(unit) or learn(unit)
                at = realtime()
                job = place.job
                if job is not None and unit not in joined and not (several and twice(get)):
                    try:
                        text = get("MESSAGE")
                    except KeyError:
                        text = None
                    if text is not None:
                        if len(text) > LONGEST_TEXT:
                            text = text[:LONGEST_TEXT]
                        answer = job.search(text if text.isascii() else readable(text))
                        # Only the guard was found, or nothing that such a PRIORITY lets fire. Without the second test
                        # a rule like "any text of priority 3" would send every entry the long way.
                        if (
                            answer is not None
                            and (len(answer) == 1 or job.ruled_out(answer, get))
                            and not (job.kinds and is_severe(get))
                        ):
                            last_at = at
                            if job.first_at <= at < job.closes_at:
                                job.entries += 1
                                job.last_at = at
                            else:
                                job.count(at)
                            read += 1
                            continue
                elif place.ours or (place.foreign and ((at < settled and at not in instants) or not elsewhere(get))):
                    last_at = at
                    read += 1
                    continue
                self._consider(Entry(reader, unit), place, Usec(at))  # with care, and the price of it
                last_at = at
                read += 1
        finally:
            self._entries += read
            self._last_at = last_at
        return read

    @property
    def cursors(self) -> Iterator[str]:
        """The entries of the tally so far that something comes of."""
        return (found.cursor for found in self._found)

    def drain(self) -> Tally:
        """The tally so far; a new one begins."""
        tally = Tally(
            entries=self._entries,
            tallies=tuple(tally for job in self._jobs for tally in job.tallies()),
            found=tuple(self._found),
            gaps=tuple(self._gaps),
            last_at=Usec(self._last_at) if self._entries else None,
        )
        self._begin()
        return tally

    def discard(self) -> None:
        """Throws the tally away and puts the carry back as it was when it began, so that it can be read again."""
        if self._before is not None:
            self._joins, self._runs, self._invocations = self._before
        self._begin()

    def set_clock(self, step: int) -> None:
        """The wall clock was set by so many microseconds before what comes next; the tally must be empty."""
        self._joins.set_clock(step)
        self._runs.set_clock(step)
        self._invocations.set_clock(step)

    def _begin(self) -> None:
        for job in self._jobs:
            job.forget()
        self._entries = 0
        self._matched = 0
        self._last_at = 0
        self._found: list[Found] = []
        self._gaps: list[Gap] = []
        self._before: tuple[Joins, CountedRuns, Invocations] | None = None

    def _consider(self, entry: Entry, place: Place, at: Usec) -> None:
        if place.ours:
            return
        if place.heard:
            self.heard = self.heard or entry.field(HEARTBEAT) == self._heartbeat
            return
        try:
            judged = self._judge(entry, place, at, joins=entry.unit in self._joins.units)
            self._apply(judged, at)
        except OSError:
            raise
        except Exception:  # noqa: BLE001 - logged and told as a gap; to die of it here would mean to die of it for ever
            _log.exception("an entry can't be matched and is passed")
            self._gaps.append(Gap(reason=GapReason.POISON, since=at, until=at, entries=1))

    def _apply(self, judged: Judged, at: Usec) -> None:
        self._gaps += judged.gaps
        matches = len(self._found)
        for runners, record in judged.records:
            self._keep_carry()
            for change in self._invocations.take(record):
                if isinstance(change, BeginLost):
                    self._gaps += (_lost(change.since, at, job) for job in runners)
                else:
                    self._found += (found_run(job.name, record, change, judged.cursor) for job in runners)
        for job, fired in judged.verdicts:
            job.count(at)
            if judged.stream is not None:
                self._keep_carry()
                stream = Stream(job.name, *judged.stream)
                was_ended, joining = self._joins.is_ended(stream), self._joins.rule(stream)
                if self._joins.takes(stream, judged.text, at, broken=judged.broken) and not job.is_worse(
                    fired, joining
                ):
                    if job.kinds and not was_ended and self._joins.is_ended(stream):
                        self._note_kind(job, judged, at, matched=True)
                    continue
            rules = self._first_of_run(job, fired, judged, at)
            if rules:
                self._note(job, rules, judged, at)
            if job.kinds and (rules or not fired):
                self._note_error(job, rules, judged, at)
        self._matched += len(self._found) > matches

    def _first_of_run(self, job: CountedJob, fired: tuple[Rule, ...], judged: Judged, at: Usec) -> tuple[Rule, ...]:
        """`fired` without the rules that count once a run, if this run has been counted."""
        if all(rule.once is None for rule in fired):
            return fired
        self._keep_carry()
        unit, invocation = judged.run
        if self._runs.count(job.name, at_host(judged.host, unit), invocation, at):
            return fired
        return tuple(rule for rule in fired if rule.once is None)

    def _note(self, job: CountedJob, rules: tuple[Rule, ...], judged: Judged, at: Usec) -> None:
        worst = worst_of([rule.severity for rule in rules])
        names = tuple(rule.name for rule in rules if rule is not job.expected)
        invocation, began = self._invocation(job, judged)
        self._found.append(
            Match(
                job=job.name,
                rules=names,
                severity=worst,
                at=at,
                cursor=judged.cursor,
                invocation=invocation,
                began=began,
                is_expected=len(names) < len(rules),
            ),
        )
        joining = next(((rule.name, reach) for rule in rules if (reach := reach_of(rule)) is not None), None)
        if joining is None and judged.broken:
            joining = next(rule.name for rule in rules if rule.severity is worst), Reach()
        if joining is not None and judged.stream is not None:
            join = Join(rule=joining[0], reach=joining[1], at=at, line=joining[1] == Reach())
            self._joins.open(Stream(job.name, *judged.stream), join, judged.text)

    def _note_error(self, job: CountedJob, rules: tuple[Rule, ...], judged: Judged, at: Usec) -> None:
        """The kind of an error, by rule or by priority; that of a stack trace is told by its end, which is to come."""
        if not (judged.severe or any(rule.severity.at_least(Severity.ERROR) for rule in rules)):
            return
        goes_on = any(rule.until is not None for rule in rules) and judged.stream is not None
        if not goes_on or self._joins.is_ended(Stream(job.name, *(judged.stream or (None, None, None)))):
            self._note_kind(job, judged, at, matched=bool(rules))

    def _note_kind(self, job: CountedJob, judged: Judged, at: Usec, *, matched: bool) -> None:
        kind = fingerprint(said_in(judged.text).text).key
        invocation, began = self._invocation(job, judged)
        seen = ErrorSeen(
            job=job.name,
            at=at,
            cursor=judged.cursor,
            kind=kind,
            matched=matched,
            invocation=invocation,
            began=began,
        )
        self._found.append(seen)

    def _invocation(self, job: CountedJob, judged: Judged) -> tuple[str, Usec | None]:
        """The invocation of the job's unit that the entry is about, and when it began."""
        (unit, invocation), host = judged.run, judged.host
        if job not in judged.runners:
            return "", None
        if not invocation and judged.dump:
            invocation = self._invocations.last(at_host(host, unit))
        return invocation, self._invocations.began(at_host(host, unit), invocation)

    def _keep_carry(self) -> None:
        """Before the first change of the carry in a tally: it is what `discard` goes back to."""
        if self._before is None:
            self._before = self._joins.copy(), self._runs.copy(), self._invocations.copy()


def _lost(since: Usec, at: Usec, job: CountedJob) -> Gap:
    """The record of a run's begin is missing, and nobody knows what else is."""
    return Gap(reason=GapReason.MISSING, since=min(since, at), until=at, job=job.name)
