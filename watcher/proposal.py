"""A first configuration of a job, made from a survey of its unit: text with the numbers that it goes by. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from watcher.core.duration import HOUR, MINUTE, Usec, format_duration
from watcher.core.names import RuleName
from watcher.core.shown import shown_instant
from watcher.survey import Survey, most_within

WITHIN = Usec(2 * MINUTE)
_WINDOW = Usec(15 * MINUTE)
_LONGEST = Usec(36 * HOUR)
_RUNS = 3
_FEWEST = 5
_RULES = 4
_ALWAYS = "systemd"


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What to write: the job's name, its survey, how systemd runs the unit in words ("" if that is not known)."""

    job: str
    survey: Survey
    kind: str = ""

    @property
    def packs(self) -> list[str]:
        """The packs that fit: PID 1's records, and each that matched something."""
        return [_ALWAYS, *(name for name in sorted(self.survey.matches) if name != _ALWAYS)]

    @property
    def window(self) -> Usec:
        """A quarter of an hour, or as long as three runs take to come round, in whole minutes."""
        rhythm = self.survey.rhythm
        if rhythm is None:
            return _WINDOW
        return Usec(min(max(_WINDOW, -(-_RUNS * rhythm // MINUTE) * MINUTE), _LONGEST))

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
        yield f"      window: {format_duration(self.window)}{self._why_window()}"
        yield "      fail_when:"
        yield from self._errors()
        yield from self._criticals()
        if survey.rhythm is not None:
            yield "        # or by runs, however much they log:"
            yield f"        # - failed_runs: {{count: {_RUNS - 1}, consecutive: true}}"
        yield "      # rollback:                       # needed for ask and rollback"
        yield f"      #   command: [/usr/local/bin/rollback-{self.job}]"
        yield "      #   timeout: 5m"

    def _why_window(self) -> str:
        rhythm = self.survey.rhythm
        if rhythm is None:
            return ""
        return f"  # {_RUNS} runs or more: there is one about every {_rough(rhythm)}"

    def _errors(self) -> Iterator[str]:
        errors, days = self.survey.errors, self.survey.errors_by_day()
        most = most_within(errors, WITHIN)
        count = max(_FEWEST, 2 * most + 1)
        span = format_duration(WITHIN)
        yield f"        # Entries of error and worse: {len(errors)}, {len(errors) / self.survey.days:.1f} a day."
        yield f"        # By day: {_shortened(days)}; at most {most} within {span}, so {count} are unusual."
        yield f"        - matches: {{severity: error, count: {count}, within: {span}}}"

    def _criticals(self) -> Iterator[str]:
        criticals = self.survey.criticals
        most = most_within(criticals, self.window)
        count = 2 * most + 1
        yield f"        # Critical entries, failed runs among them: {len(criticals)}, at most {most} in such a window."
        yield f"        - matches: {{severity: critical, count: {count}}}"


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
