"""Rules to look at and to try: of a configuration's jobs, of packs by name, or of files, each with where it stands.

What `watcher rules` works on; the daemon takes its rules from `load.py` alone, which this one asks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from watcher.config.document import read_document
from watcher.config.load import SITE_PACKS, Examined, examine
from watcher.config.packs import Pack, load_packs, read_pack, shipped_packs
from watcher.config.problem import ConfigError, Problem, has_errors, quoted
from watcher.config.ruleset import RuleEntry
from watcher.config.settings import Settings
from watcher.config.suggest import did_you_mean
from watcher.core.errors import WatcherError
from watcher.core.rule import Rule


class CatalogError(WatcherError):
    """There is no such pack, job or rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRule:
    """One rule: its own words (`rule`), its place and node (`entry`), and the jobs that use it.

    `owner` is the pack that it stands in, or the job whose own it is (`rule.pack` is "" then).
    """

    rule: Rule
    entry: RuleEntry
    owner: str
    jobs: tuple[str, ...]

    @property
    def full_name(self) -> str:
        """OWNER/RULE, which names it among all rules that there are."""
        return f"{self.owner}/{self.rule.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalog:
    """The rules that were asked for; `settings` is None without a configuration."""

    packs: tuple[Pack, ...]
    rules: tuple[KnownRule, ...]
    settings: Settings | None
    problems: tuple[Problem, ...] = ()

    def named(self, name: str) -> tuple[KnownRule, ...]:
        """The rules called NAME or OWNER/NAME.

        Raises CatalogError with the nearest name: there is none.
        """
        found = tuple(one for one in self.rules if name in (one.rule.name, one.full_name))
        if not found:
            known = {str(one.rule.name) for one in self.rules} | {one.full_name for one in self.rules}
            raise CatalogError(f"there is no rule {quoted(name)}", hint=_nearest(name, known))
        return found


def read_catalog(
    config: Path,
    *,
    optional: bool = False,
    job: str | None = None,
    packs: Sequence[str] = (),
    every_pack: bool = False,
) -> Catalog:
    """The rules of `job`, or of these packs, or (neither) of all jobs of the configuration; without one, of all packs.

    `every_pack` adds all packs that there are, shipped or the site's. `optional`: the configuration need not be there.
    A pack with a slash in its name, or `.yaml`, is a file. Raises ConfigError, and CatalogError for a name.
    """
    examined = None if optional and not config.exists() else examine(config, every_pack=True)
    if packs:
        return _of_packs(config, examined, packs)
    if examined is None:
        if job is not None:
            message = f"there is no configuration {config}, so no job {quoted(job)}"
            raise CatalogError(message, hint="name it with --config")
        shelf = load_packs(config.parent / SITE_PACKS, shipped_packs())
        return _sound(tuple(shelf.packs.values()), (), None, shelf.problems)
    if examined.settings is None:
        raise ConfigError(examined.problems)
    if job is not None and job not in [one.name for one in examined.jobs]:
        names = [one.name for one in examined.jobs]
        raise CatalogError(f"there is no job {quoted(job)}", hint=did_you_mean(job, names, things="jobs"))
    used = {entry.rule.pack for one in examined.jobs if job in (None, one.name) for entry in one.rules if entry.rule}
    wanted = [pack for name, pack in examined.shelf.packs.items() if name in used or (every_pack and job is None)]
    return _sound(tuple(wanted), _own_rules(examined, job), examined, examined.problems)


def _of_packs(config: Path, examined: Examined | None, packs: Sequence[str]) -> Catalog:
    shelf = load_packs(config.parent / SITE_PACKS, packs) if examined is None else examined.shelf
    found: list[Pack] = []
    problems: list[Problem] = []
    for name in dict.fromkeys(packs):
        if "/" in name or name.endswith(".yaml"):
            pack, wrong = read_pack(read_document(Path(name)))
            problems += wrong
            found += [] if pack is None else [pack]
        elif name in shelf.packs:
            found.append(shelf.packs[name])
            problems += [one for one in shelf.problems if one.place.file == shelf.packs[name].place.file]
        else:
            hint = did_you_mean(name, shelf.names, things="packs")
            raise CatalogError(f"there is no pack {quoted(name)}", hint=f"{hint}; a file is written ./FILE")
    return _sound(tuple(found), (), examined, problems)


def _sound(
    packs: tuple[Pack, ...], own: tuple[KnownRule, ...], examined: Examined | None, problems: Iterable[Problem]
) -> Catalog:
    """The catalog of these packs and rules.

    Raises ConfigError: one of the problems is an error.
    """
    told = tuple(problems)
    if has_errors(told):
        raise ConfigError(told)
    jobs = () if examined is None else examined.jobs
    users = {
        pack.name: tuple(job.name for job in jobs if any(_stands_in(entry, pack) for entry in job.rules))
        for pack in packs
    }
    shared = [
        KnownRule(rule=entry.rule, entry=entry, owner=pack.name, jobs=users[pack.name])
        for pack in packs
        for entry in pack.entries
        if entry.rule is not None
    ]
    settings = None if examined is None else examined.settings
    return Catalog(packs=packs, rules=(*shared, *own), settings=settings, problems=told)


def _stands_in(entry: RuleEntry, pack: Pack) -> bool:
    return entry.rule is not None and entry.rule.pack == pack.name and entry.place.file == pack.place.file


def _own_rules(examined: Examined, job: str | None) -> tuple[KnownRule, ...]:
    return tuple(
        KnownRule(rule=entry.rule, entry=entry, owner=one.name, jobs=(one.name,))
        for one in examined.jobs
        if job in (None, one.name)
        for entry in one.rules
        if entry.rule is not None and not entry.rule.pack
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    return did_you_mean(name, sorted(known), things="rules")
