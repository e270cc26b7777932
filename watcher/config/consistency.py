"""What must hold between the keys of a job, once each key by itself has been looked at.

Works on nodes, so that a mistake in one key hides nothing about the others; a value that is wrong by itself is passed
over here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from watcher.config.build import build_threshold, build_thresholds, uid_of
from watcher.config.findings import validated
from watcher.config.job_sections import FailWhenSection, ReleaseSection
from watcher.config.leaves import WrongError, span
from watcher.config.nodes import MappingNode, Node, ScalarNode, SequenceNode
from watcher.config.packs import Shelf
from watcher.config.problem import Place, Problem, Weight, quoted, render_path
from watcher.config.ruleset import RuleEntry, duplicates, repeated
from watcher.config.suggest import did_you_mean
from watcher.config.trust import counted, is_open, open_rules
from watcher.core.duration import Usec, format_duration
from watcher.core.policy import MatchThreshold, Mode
from watcher.core.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class JobKeys:
    """A job as it stands in the file, with all rules that it has; `rules_known` is False when a pack is missing."""

    name: str
    place: Place
    node: MappingNode
    rules: tuple[RuleEntry, ...]
    rules_known: bool

    def path(self, *steps: str | int) -> str:
        """A key of this job as people write it."""
        return render_path(("jobs", self.name, *steps))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Condition:
    index: int
    node: MappingNode
    threshold: MatchThreshold


def check_job(job: JobKeys, shelf: Shelf) -> Iterator[Problem]:
    """Everything that is wrong between the keys of a job."""
    yield from _check_packs(job, shelf)
    yield from repeated(job.rules)
    yield from duplicates(job.rules)
    if not any(_has_items(job.node.at(key), or_broken=True) for key in ("units", "identifiers")):
        yield _wrong(job.place, job.path(), "needs units or identifiers", "without them no entry belongs to the job")
    yield from _check_run_as(job)
    release = job.node.at("release")
    if isinstance(release, MappingNode):
        yield from _check_mode(job, release)
        yield from _check_past(job, release)
        yield from _check_spans(job, release)
        yield from _check_thresholds(job, release)


def _check_run_as(job: JobKeys) -> Iterator[Problem]:
    node = job.node.at("run_as")
    if not isinstance(node, ScalarNode) or node.is_null:
        return
    path = job.path("run_as")
    if not _has_items(job.node.at("identifiers"), or_broken=True):
        yield _wrong(
            node.place,
            path,
            "needs identifiers",
            "`watcher job exec NAME` writes entries with the identifier NAME: write identifiers: [NAME]",
        )
    elif uid_of(node.text) is None:
        message = f"there is no user {quoted(node.text)} here, so only root's `watcher job exec` is believed"
        yield Problem(place=node.place, path=path, message=message, weight=Weight.WARNING)


def _check_packs(job: JobKeys, shelf: Shelf) -> Iterator[Problem]:
    seen: set[str] = set()
    for index, item in enumerate(_items(job.node.at("packs"))):
        if not isinstance(item, ScalarNode) or item.is_null:
            continue
        path = job.path("packs", index)
        if item.text in seen:
            yield _wrong(item.place, path, f"{quoted(item.text)} is named twice")
        elif item.text not in shelf.names and shelf.is_complete:
            yield _wrong(
                item.place,
                path,
                f"there is no pack {quoted(item.text)}",
                did_you_mean(item.text, shelf.names, things="packs"),
            )
        seen.add(item.text)


def _check_mode(job: JobKeys, release: MappingNode) -> Iterator[Problem]:
    mode = release.at("mode")
    if not isinstance(mode, ScalarNode) or mode.text not in (Mode.ASK, Mode.ROLLBACK):
        return
    path = job.path("release", "mode")
    if release.at("rollback") is None:
        yield _wrong(
            mode.place, path, f"mode {mode.text} needs rollback.command", "without one only mode observe is possible"
        )
    if not _has_items(release.at("fail_when"), or_broken=True):
        yield _wrong(mode.place, path, f"mode {mode.text} needs fail_when", "without a condition no release ever fails")
    if mode.text == Mode.ROLLBACK:
        yield from _check_senders(job, release)


def _check_senders(job: JobKeys, release: MappingNode) -> Iterator[Problem]:
    """Anybody can send entries with a job's identifier, so they must not be enough to start a rollback."""
    if not _has_items(job.node.at("identifiers")):
        return
    has_units = _has_items(job.node.at("units"))
    for condition in _conditions(release):
        names = [rule.name for rule in open_rules(_rules(job), condition.threshold)]
        if not names:
            continue
        listed = ", ".join(map(quoted, names[:3])) + (", …" if len(names) > 3 else "")  # noqa: PLR2004 - enough to see
        hint = 'add a trusted field to the rule, as in where: {_UID: "0"}, or name the job\'s units, or use mode ask'
        yield Problem(
            place=condition.node.place,
            path=job.path("release", "fail_when", condition.index),
            message=f"anybody can send what this counts by identifier: {listed}, without a trusted field in where",
            hint=hint,
            weight=Weight.WARNING if has_units else Weight.ERROR,
        )


def _check_past(job: JobKeys, release: MappingNode) -> Iterator[Problem]:
    """Conditions on the past: none twice, and no rollback on what anybody can send."""
    labels: dict[str, int] = {}
    identified = _has_items(job.node.at("identifiers"))
    mode = release.at("mode")
    may_roll_back = isinstance(mode, ScalarNode) and mode.text == Mode.ROLLBACK
    for index, item in enumerate(_items(release.at("fail_when"))):
        section = validated(FailWhenSection, item)[0] if isinstance(item, MappingNode) else None
        for threshold in () if section is None or section.matches is not None else build_thresholds([section]):
            path = job.path("release", "fail_when", index)
            first = labels.setdefault(threshold.label, index)
            if first != index:
                yield _wrong(item.place, path, f"is the same as fail_when[{first}]: {quoted(threshold.label)}")
            if identified and may_roll_back and is_open(_rules(job), threshold):
                yield Problem(
                    place=item.place,
                    path=path,
                    message="anybody can send what this counts by identifier",
                    hint="name the job's units instead of identifiers, or use mode ask",
                    weight=Weight.WARNING if _has_items(job.node.at("units")) else Weight.ERROR,
                )


def _check_spans(job: JobKeys, release: MappingNode) -> Iterator[Problem]:
    defaults = ReleaseSection()
    window, settle = release.at("window"), release.at("settle")
    length = _length(window) if window is not None else defaults.window.max
    noise = _length(settle) if settle is not None else None
    if not length:
        return
    if noise is not None and noise >= length:
        yield _wrong(
            (settle or release).place,
            job.path("release", "settle"),
            f"settle is {format_duration(noise)}, and the window is over after {format_duration(length)}",
            "settle must be shorter than the window; left out it is at most a tenth of it",
        )
    for condition in _conditions(release):
        within = condition.threshold.within
        matches = condition.node.at("matches")
        if within is not None and within > length and isinstance(matches, MappingNode):
            place = matches.entries["within"].value.place
            path = job.path("release", "fail_when", condition.index, "matches", "within")
            message = f"{format_duration(within)} is longer than the window of {format_duration(length)}"
            hint = "all matches of the window count; leave `within` out if that is meant"
            yield Problem(place=place, path=path, message=message, hint=hint, weight=Weight.WARNING)


def _check_thresholds(job: JobKeys, release: MappingNode) -> Iterator[Problem]:
    labels: dict[str, int] = {}
    names = [entry.name for entry in job.rules]
    for condition in _conditions(release):
        threshold, place = condition.threshold, condition.node.place
        path = job.path("release", "fail_when", condition.index)
        first = labels.setdefault(threshold.label, condition.index)
        if first != condition.index:
            yield _wrong(place, path, f"is the same as fail_when[{first}]: {quoted(threshold.label)}")
        if not job.rules_known:
            continue
        if threshold.rule is not None and threshold.rule not in names:
            message = f"the job has no rule {quoted(threshold.rule)}"
            hint = did_you_mean(threshold.rule, names, things="its rules")
            yield _wrong(_rule_place(condition), f"{path}.matches.rule", message, hint)
        elif threshold.rule is None and not counted(_rules(job), threshold) and all(entry.rule for entry in job.rules):
            message = f"no rule of the job is as bad as {threshold.severity}, so this is never crossed"
            yield Problem(place=place, path=path, message=message, weight=Weight.WARNING)


def _rule_place(condition: _Condition) -> Place:
    matches = condition.node.at("matches")
    rule = matches.at("rule") if isinstance(matches, MappingNode) else None
    return condition.node.place if rule is None else rule.place


def _conditions(release: MappingNode) -> Iterator[_Condition]:
    """The conditions on matches that are right by themselves."""
    for index, item in enumerate(_items(release.at("fail_when"))):
        section = validated(FailWhenSection, item)[0] if isinstance(item, MappingNode) else None
        if section is not None and section.matches is not None and isinstance(item, MappingNode):
            yield _Condition(index=index, node=item, threshold=build_threshold(section.matches))


def _rules(job: JobKeys) -> list[Rule]:
    return [entry.rule for entry in job.rules if entry.rule is not None]


def _length(node: Node) -> Usec | None:
    inner = node.at("max") if isinstance(node, MappingNode) else node
    try:
        return None if inner is None else span(inner)
    except WrongError:
        return None


def _items(node: Node | None) -> tuple[Node, ...]:
    return node.items if isinstance(node, SequenceNode) else ()


def _has_items(node: Node | None, *, or_broken: bool = False) -> bool:
    if isinstance(node, SequenceNode):
        return bool(node.items)
    return or_broken and node is not None


def _wrong(place: Place, path: str, message: str, hint: str = "") -> Problem:
    return Problem(place=place, path=path, message=message, hint=hint)
