"""A first configuration of a job, made from a survey of its unit: text with the numbers that it goes by. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from watcher.core.duration import HOUR, MINUTE, Usec, format_duration
from watcher.core.names import RuleName
from watcher.core.shown import shown_instant
from watcher.survey import ALWAYS, Survey, most_within

WITHIN = Usec(2 * MINUTE)
_WINDOW = Usec(15 * MINUTE)
_LONGEST = Usec(7 * 24 * HOUR)
_RUNS = 3
_FEWEST = 5
_RULES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What to write: the job's name, its survey, how systemd runs the unit in words ("" if that is not known)."""

    job: str
    survey: Survey
    kind: str = ""

    @property
    def packs(self) -> list[str]:
        """PID 1's records, and the packs that fit."""
        return [ALWAYS, *(name for name in self.survey.fits if name != ALWAYS)]

    @property
    def window(self) -> Usec:
        """A quarter of an hour, or twice as long as three runs take to come round, in whole minutes."""
        rhythm = self.survey.rhythm
        if rhythm is None:
            return _WINDOW
        return Usec(min(max(_WINDOW, -(-2 * _RUNS * rhythm // MINUTE) * MINUTE), _LONGEST))

    def text(self) -> str:
        """The configuration, as a file of its own or a drop-in."""
        return "\n".join([*self._head(), *self._job(), *self._release(), ""])

    def _head(self) -> Iterator[str]:
        survey = self.survey
        yield "# Made by `watcher init` from the journal; look at it, then `watcher check` and `watcher reload`."
        yield f"# {shown_instant(survey.since)} to {shown_instant(survey.until)}: {survey.entries} entries."
        yield "version: 1"

    def _job(self) -> Iterator[str]:
        survey = self.survey
        yield "jobs:"
        yield f"  {self.job}:"
        yield "    # owner: team@example.com          # who is asked when it breaks; stands in every note"
        yield f"    units: [{json.dumps(survey.unit, ensure_ascii=False)}]"
        if self.kind:
            yield f"    # {self.kind}"
        yield f"    # {_runs_in_words(survey)}"
        yield "    # What the packs matched (`watcher rules match` shows the lines):"
        for name in self.packs:
            yield f"    #   {name}: {_counts(survey.matches.get(name, {}))}"
        yield f"    packs: [{', '.join(self.packs)}]"

    def _release(self) -> Iterator[str]:
        survey = self.survey
        yield "    release:"
        yield "      mode: observe                    # judge and record only; ask or rollback, once you trust it"
        yield from self._by_runs() if survey.rhythm is not None else self._by_time()
        yield from self._errors()
        yield "      # rollback:                       # needed for ask and rollback"
        yield f"      #   command: [/usr/local/bin/rollback-{self.job}]"
        yield "      #   timeout: 5m"

    def _by_runs(self) -> Iterator[str]:
        survey, count = self.survey, self.survey.row + 1
        yield f"      window: {{runs: {_RUNS}, max: {format_duration(self.window)}}}"
        yield "      expect: {successful_runs: 1}     # a release without one that ends well does not pass"
        yield "      fail_when:"
        yield f"        # Runs that failed: {survey.failed}, at most {survey.row} one after the other."
        yield f"        - failed_runs: {{count: {count}, consecutive: true}}"

    def _by_time(self) -> Iterator[str]:
        criticals = self.survey.criticals
        most = most_within(criticals, self.window)
        yield f"      window: {format_duration(self.window)}"
        yield "      fail_when:"
        yield f"        # Critical entries, crashes among them: {len(criticals)}, at most {most} in such a window."
        yield f"        - matches: {{severity: critical, count: {2 * most + 1}}}"

    def _errors(self) -> Iterator[str]:
        errors, days = self.survey.errors, self.survey.errors_by_day()
        most = most_within(errors, WITHIN)
        count = max(_FEWEST, 2 * most + 1)
        span = format_duration(WITHIN)
        yield f"        # Entries of error and worse: {len(errors)}, {len(errors) / self.survey.days:.1f} a day."
        yield f"        # By day: {_shortened(days)}; at most {most} within {span}, so {count} are unusual."
        yield f"        - matches: {{severity: error, count: {count}, within: {span}}}"
        yield "        # or against what the job's own past makes probable:"
        yield "        # - above_baseline: {severity: error, factor: 3}"


def _runs_in_words(survey: Survey) -> str:
    runs = f"Started: {len(survey.started)}, ended well: {survey.ended}, failed: {survey.failed}"
    if survey.rhythm is not None:
        return f"{runs}. It runs about every {_rough(survey.rhythm)}."
    return f"{runs}. A service that runs on, or a job that runs seldom."


def _rough(span: Usec) -> str:
    """A span in whole seconds, or minutes if it is long."""
    unit = MINUTE if span >= 10 * MINUTE else MINUTE // 60
    return format_duration(Usec(max(round(span / unit), 1) * unit))


def _counts(counts: Mapping[RuleName, int]) -> str:
    if not counts:
        return "nothing"
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    rest = sum(count for _, count in most[_RULES:])
    told = ", ".join(f"{rule} {count}" for rule, count in most[:_RULES])
    return f"{told}, others {rest}" if rest else told


def _shortened(counts: list[int]) -> str:
    last = counts[-14:]
    return ("… " if len(counts) > len(last) else "") + " ".join(map(str, last))
