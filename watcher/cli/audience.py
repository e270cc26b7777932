"""Whether anybody counts a run that `watcher job exec` tells, by the configuration that this user can read.

Reads the files as YAML, without the models: a cron job must not pay for those. What can't be read or known is no
reason to complain, as the users of cron need no access to the configuration.
"""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

from watcher.config.document import read_document
from watcher.config.folder import DROP_INS, read_in_order
from watcher.config.merge import merge
from watcher.config.nodes import MappingNode, Node, ScalarNode, SequenceNode
from watcher.config.suggest import did_you_mean

_ROOT = 0


def unheard(job: str, *, identifier: str, config: Path, cgroups: Path = Path("/proc/self/cgroup")) -> str | None:
    """Why no daemon with this configuration counts our runs of `job`, and the way out; None if one may do so."""
    root = _tree(config)
    jobs = None if root is None else root.at("jobs")
    if not isinstance(jobs, MappingNode):
        return None
    section = jobs.at(job)
    if section is None:
        hint = did_you_mean(job, list(jobs.entries), things="jobs there")
        return f"{config} has no job {job} ({hint})"
    if not isinstance(section, MappingNode):
        return None
    why = _disbelieved(job, section.at("run_as")) or _unselected(job, section, identifier, cgroups)
    return None if why is None else f"{config}: {why}"


def _disbelieved(job: str, node: Node | None) -> str | None:
    """Root's runs are believed, and those of the job's own user."""
    uid = os.getuid()
    if uid == _ROOT:
        return None
    who = _name_of(uid)
    if not isinstance(node, ScalarNode) or node.is_null:
        return f"job {job} has no `run_as`, so that only root's runs are believed (set `run_as: {who}`)"
    if _uid_of(node.text) == uid:
        return None
    return f"job {job} is run as {node.text}, and runs of {who} are not believed (run it so, or mend `run_as`)"


def _unselected(job: str, section: MappingNode, identifier: str, cgroups: Path) -> str | None:
    """An entry is the job's by its identifier, or because it comes from within one of the job's units."""
    identifiers, units = (list(_texts(section.at(key))) for key in ("identifiers", "units"))
    if identifier in identifiers:
        return None
    here = _unit(cgroups)
    if units and (here is None or _belongs(here, units)):
        return None
    place = "it has none" if not identifiers else f"it has {', '.join(identifiers)}"
    return f"{identifier} is no identifier of job {job} ({place}; set `identifiers: [{identifier}]`, or --identifier)"


def _tree(config: Path) -> MappingNode | None:
    """The main file with its drop-ins; None if it can't be had whole."""
    folder = config.parent / DROP_INS
    try:
        names = read_in_order(path.name for path in folder.iterdir()) if folder.is_dir() else ()
    except OSError:
        return None
    documents = [read_document(path) for path in (config, *(folder / name for name in names))]
    roots = [document.root for document in documents if document.root is not None]
    if len(roots) < len(documents) or any(document.problems for document in documents):
        return None
    return merge(roots[0], roots[1:])[0]


def _texts(node: Node | None) -> Iterator[str]:
    for item in node.items if isinstance(node, SequenceNode) else ():
        if isinstance(item, ScalarNode):
            yield item.text


def _belongs(unit: str, units: list[str]) -> bool:
    from watcher.journal.patterns import PatternError  # noqa: PLC0415 - loads re2, for jobs in units only
    from watcher.journal.units import JobUnits  # noqa: PLC0415 - the same

    try:
        return bool(JobUnits([units]).owners(unit.encode()))
    except PatternError:
        return True  # `watcher check` says what is wrong with it


def _unit(cgroups: Path) -> str | None:
    """The system unit that journald will name for us: the first part of our cgroup that is no slice."""
    try:
        lines = cgroups.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    path = next((line.removeprefix("0::") for line in lines if line.startswith("0::")), "")
    return next((part for part in path.split("/") if part and not part.endswith(".slice")), None)


def _uid_of(user: str) -> int | None:
    try:
        return int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except KeyError:
        return None  # `watcher check` says so


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
