"""Scenario files, read: the job, its rules and its release as the daemon would have them, and the entries.

Every mistake is found at once, those of the rules and packs too, each with its place. Must not know how it is played.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from watcher.config.document import read_document
from watcher.config.findings import validated
from watcher.config.load import SITE_PACKS, examine, examine_root
from watcher.config.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode
from watcher.config.packs import Pack, Shelf, load_packs, read_pack
from watcher.config.problem import Place, Problem, has_errors, in_order, quoted
from watcher.config.scenario_sections import OutcomeSection, ScenarioFile
from watcher.config.story import Step, told
from watcher.config.suggest import did_you_mean
from watcher.core.duration import Usec
from watcher.core.names import JobName
from watcher.core.policy import JobPolicy
from watcher.core.rule import WatchedJob

_NAME, _UNIT = "scenario", "scenario.service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What shall come of the story; None is not looked at. `places` are those of the keys that are given."""

    matches: Mapping[str, int] | None
    verdict: str | None
    failed_at: Usec | None
    reasons: tuple[str, ...] | None
    places: Mapping[str, Place]

    @property
    def judges(self) -> bool:
        """Whether a release is to be judged."""
        return self.verdict is not None or self.failed_at is not None or self.reasons is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """A story that can be played. `released` is when its release goes out, None if there is none."""

    file: str
    name: str
    job: WatchedJob
    policy: JobPolicy
    released: Usec | None
    steps: tuple[Step, ...]
    expected: Expected


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioRead:
    """What came of reading a file; `scenario` is None when one of the problems is an error."""

    scenario: Scenario | None
    problems: tuple[Problem, ...]


def read_scenario(path: Path, config: Path) -> ScenarioRead:
    """The scenario at `path`. `config` is the configuration for files that name none, and its site's packs."""
    document = read_document(path)
    if document.root is None:
        return ScenarioRead(scenario=None, problems=document.problems)
    model, found = validated(ScenarioFile, document.root)
    named = _job(document.root, path, config)
    unknown = _unknown_rules(document.root, named.rules) if named.rules else ()
    problems = in_order((*document.problems, *found, *named.problems, *unknown), [str(path)])
    if model is None or named.job is None or named.policy is None or has_errors(problems):
        return ScenarioRead(scenario=None, problems=problems)
    steps, wrong = told(model.entries, document.root.at("entries"), named.job)
    problems = in_order((*problems, *wrong), [str(path)])
    if has_errors(problems):
        return ScenarioRead(scenario=None, problems=problems)
    expected = _expected(model.expect, document.root.at("expect"))
    scenario = Scenario(
        file=str(path),
        name=model.scenario,
        job=named.job,
        policy=named.policy,
        released=(model.released or Usec(0)) if expected.judges or model.released is not None else None,
        steps=steps,
        expected=expected,
    )
    return ScenarioRead(scenario=scenario, problems=problems)


# ------------------------------------------------------------------------------------------------ the job


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """The job of a scenario, None when it can't be built, and the names of all rules that it would have."""

    job: WatchedJob | None = None
    policy: JobPolicy | None = None
    rules: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()


def _job(root: MappingNode, path: Path, config: Path) -> _Job:
    named = root.at("job")
    if isinstance(named, ScalarNode):
        return _configured_job(root, named, path, config)
    shelf, packs, problems = _shelf(root, path, config)
    place = root.place
    entries = {"units": _entry("units", SequenceNode(place=place, items=(_text(_UNIT, place),)))}
    if packs is not None:
        entries["packs"] = _entry("packs", packs)
    entries |= {key: root.entries[key] for key in ("rules", "release") if root.at(key) is not None}
    return _build(_NAME, MappingNode(place=place, entries=entries), shelf, path, problems)


def _configured_job(root: MappingNode, named: ScalarNode, path: Path, config: Path) -> _Job:
    given = root.at("config")
    if isinstance(given, ScalarNode):
        config = path.parent / given.text
    examined = examine(config)
    keys = next((job for job in examined.jobs if job.name == named.text), None)
    if has_errors(examined.problems):
        return _Job(problems=examined.problems)
    if keys is None:
        hint = did_you_mean(named.text, [job.name for job in examined.jobs], things=f"jobs in {config}")
        message = f"there is no job {quoted(named.text)} in {config}"
        return _Job(problems=(Problem(place=named.place, path="job", message=message, hint=hint),))
    entries = dict(keys.node.entries)
    if root.at("release") is not None:
        entries["release"] = root.entries["release"]
    return _build(keys.name, replace(keys.node, entries=entries), examined.shelf, config, [])


def _build(name: str, node: MappingNode, shelf: Shelf, path: Path, problems: list[Problem]) -> _Job:
    """The job as a configuration with nothing else in it would have it."""
    jobs = MappingNode(place=node.place, entries={name: _entry(name, node)})
    entries = {"version": _entry("version", _text("1", node.place)), "jobs": _entry("jobs", jobs)}
    examined = examine_root(MappingNode(place=node.place, entries=entries), shelf, path)
    prefix = f"jobs.{name}."
    found = (*problems, *(replace(one, path=one.path.removeprefix(prefix)) for one in examined.problems))
    rules = tuple(entry.name for job in examined.jobs for entry in job.rules)
    if examined.settings is None:
        return _Job(rules=rules, problems=found)
    return _Job(
        job=examined.settings.jobs[0],
        policy=examined.settings.policies[JobName(name)],
        rules=rules,
        problems=found,
    )


def _shelf(root: MappingNode, path: Path, config: Path) -> tuple[Shelf, SequenceNode | None, list[Problem]]:
    """The packs that a scenario names, and its list of them with each file's pack by its name."""
    node = root.at("packs")
    if not isinstance(node, SequenceNode):
        return load_packs(config.parent / SITE_PACKS, ()), None, []
    texts = [item for item in node.items if isinstance(item, ScalarNode)]
    shelf = load_packs(config.parent / SITE_PACKS, {item.text for item in texts})
    packs: dict[str, Pack] = dict(shelf.packs)
    items: list[Node] = []
    problems: list[Problem] = []
    for item in texts:
        if "/" not in item.text:
            items.append(item)
            continue
        pack, found = read_pack(read_document(path.parent / item.text))
        problems += found
        if pack is not None:
            packs[pack.name] = pack
            items.append(replace(item, text=pack.name))
    names = shelf.names | packs.keys()
    return replace(shelf, packs=packs, names=names), replace(node, items=tuple(items)), problems


def _entry(key: str, value: Node) -> Entry:
    return Entry(key=key, place=value.place, value=value)


def _text(text: str, place: Place) -> ScalarNode:
    return ScalarNode(place=place, text=text)


# ------------------------------------------------------------------------------------------------ what is expected


def _expected(section: OutcomeSection, node: Node | None) -> Expected:
    entries = node.entries if isinstance(node, MappingNode) else {}
    return Expected(
        matches=section.matches,
        verdict=section.verdict,
        failed_at=section.failed_at,
        reasons=None if section.reasons is None else tuple(section.reasons),
        places={key: entry.value.place for key, entry in entries.items()},
    )


def _unknown_rules(root: MappingNode, known: tuple[str, ...]) -> Iterator[Problem]:
    """A problem for each expected rule that the job doesn't have."""
    for name, place, path in _expected_names(root):
        if name not in known:
            hint = did_you_mean(name, known, things="rules")
            yield Problem(place=place, path=path, message=f"there is no rule {quoted(name)}", hint=hint)


def _expected_names(root: MappingNode) -> Iterator[tuple[str, Place, str]]:
    entries = root.at("entries")
    for index, entry in enumerate(entries.items if isinstance(entries, SequenceNode) else ()):
        names = entry.at("expect") if isinstance(entry, MappingNode) else None
        for name in names.items if isinstance(names, SequenceNode) else ():
            if isinstance(name, ScalarNode):
                yield name.text, name.place, f"entries[{index}].expect"
    outcome = root.at("expect")
    matches = outcome.at("matches") if isinstance(outcome, MappingNode) else None
    for key, one in (matches.entries if isinstance(matches, MappingNode) else {}).items():
        yield key, one.place, "expect.matches"
