"""From the files to the settings, or to every problem in them: the one way to load a configuration.

Reads the main file, its drop-ins in `conf.d/` and the site's packs in `rules.d/`, both beside it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from watcher.config.build import build_policy, build_watched, digest
from watcher.config.consistency import JobKeys, check_job
from watcher.config.document import read_document
from watcher.config.findings import validated
from watcher.config.folder import DROP_INS
from watcher.config.job_sections import ConfigFile
from watcher.config.merge import merge
from watcher.config.nodes import Entry, MappingNode, ScalarNode, SequenceNode
from watcher.config.packs import EMPTY_SHELF, Shelf, load_packs, shipped_packs, yaml_files
from watcher.config.problem import ConfigError, Problem, Weight, has_errors, in_order
from watcher.config.ruleset import RuleEntry, read_rules
from watcher.config.settings import Settings

SITE_PACKS = "rules.d"


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What came of reading a configuration: `settings` is None when one of the problems is an error.

    `jobs` and `shelf` are what was read in any case: each job as it stands in its file, and the packs.
    """

    settings: Settings | None
    problems: tuple[Problem, ...]
    jobs: tuple[JobKeys, ...] = ()
    shelf: Shelf = EMPTY_SHELF


def load_settings(path: Path) -> Settings:
    """The configuration whose main file is `path`.

    Raises ConfigError with every problem of all its files.
    """
    examined = examine(path)
    if examined.settings is None:
        raise ConfigError(examined.problems)
    return examined.settings


def examine(path: Path, *, every_pack: bool = False) -> Examined:
    """Reads the configuration whose main file is `path`; never raises for what stands in it.

    `every_pack`: the shelf holds all packs that there are, not only those that some job names.
    """
    files, problems = yaml_files(path.parent / DROP_INS)
    main = read_document(path)
    documents = [main, *map(read_document, files)]
    found = [problem for document in documents for problem in document.problems]
    found += problems
    order = [document.file for document in documents]
    if main.root is None:
        found += load_packs(path.parent / SITE_PACKS, ()).problems
        return Examined(settings=None, problems=in_order(found, order))
    root, problems = merge(main.root, [document.root for document in documents[1:] if document.root is not None])
    found += problems
    shelf = load_packs(path.parent / SITE_PACKS, shipped_packs() if every_pack else packs_wanted(root))
    return examine_root(root, shelf, path, found, order)


def examine_root(
    root: MappingNode, shelf: Shelf, path: Path, found: Iterable[Problem] = (), order: Iterable[str] = ()
) -> Examined:
    """The configuration that stands in `root`, whose relative paths are seen from `path`, with these packs.

    `found` is what is already known to be wrong, `order` the files in the order in which their problems are told.
    """
    model, wrong = validated(ConfigFile, root)
    jobs, inside = _jobs(root, shelf)
    ordered = in_order((*found, *shelf.problems, *wrong, *inside), order)
    settings = None if model is None or has_errors(ordered) else _settings(model, jobs, path, ordered)
    return Examined(settings=settings, problems=ordered, jobs=jobs, shelf=shelf)


def packs_wanted(root: MappingNode) -> set[str]:
    """The packs that some job names."""
    wanted: set[str] = set()
    for _, job in _job_entries(root):
        packs = job.at("packs")
        wanted |= {
            item.text
            for item in (packs.items if isinstance(packs, SequenceNode) else ())
            if isinstance(item, ScalarNode)
        }
    return wanted


def _job_entries(root: MappingNode) -> tuple[tuple[Entry, MappingNode], ...]:
    jobs = root.at("jobs")
    entries = jobs.entries.values() if isinstance(jobs, MappingNode) else ()
    return tuple((entry, entry.value) for entry in entries if isinstance(entry.value, MappingNode))


def _jobs(root: MappingNode, shelf: Shelf) -> tuple[tuple[JobKeys, ...], tuple[Problem, ...]]:
    jobs: list[JobKeys] = []
    problems: list[Problem] = []
    for entry, node in _job_entries(root):
        own, found = read_rules(node.at("rules"), ("jobs", entry.key, "rules"))
        shared, known = _shared_rules(node, shelf)
        job = JobKeys(name=entry.key, place=entry.place, node=node, rules=(*shared, *own), rules_known=known)
        jobs.append(job)
        problems += found
        problems += check_job(job, shelf)
    if not root.at("jobs"):
        place = root.entries["jobs"].place if "jobs" in root.entries else root.place
        problems.append(
            Problem(place=place, path="jobs", message="there is none: nothing is watched", weight=Weight.WARNING)
        )
    return tuple(jobs), tuple(problems)


def _shared_rules(job: MappingNode, shelf: Shelf) -> tuple[tuple[RuleEntry, ...], bool]:
    """The rules of a job's packs, and whether all of its packs are there."""
    node = job.at("packs")
    items = node.items if isinstance(node, SequenceNode) else ()
    named = dict.fromkeys(item.text for item in items if isinstance(item, ScalarNode))
    rules = tuple(entry for name in named if name in shelf.packs for entry in shelf.packs[name].entries)
    return rules, named.keys() <= shelf.packs.keys()


def _settings(model: ConfigFile, jobs: Iterable[JobKeys], path: Path, problems: tuple[Problem, ...]) -> Settings:
    watched = tuple(
        build_watched(job.name, model.jobs[job.name], [entry.rule for entry in job.rules if entry.rule is not None])
        for job in jobs
    )
    policies = {job.name: build_policy(job, model.jobs[job.name]) for job in watched}
    directory = None if model.journal.directory is None else path.parent / model.journal.directory
    settings = Settings(
        journal_directory=directory,
        journal_namespace=model.journal.namespace,
        metrics_address=model.listen.metrics,
        jobs=watched,
        policies=policies,
        rollbacks_per_hour=model.rollbacks_per_hour,
        hash="",
        warnings=problems,
    )
    return replace(settings, hash=digest(_effective(settings)))


def _effective(settings: Settings) -> dict[str, object]:
    """Everything that has an effect, without the places where it is written."""
    facts = asdict(replace(settings, warnings=()))
    return {**facts, "journal_directory": str(settings.journal_directory)}
