"""The main file and its drop-ins as one tree. Knows which sections may come in pieces, nothing of values.

A job stands whole in one file. A value that two files give is an error, as nobody should need to know which one wins.
"""

from __future__ import annotations

from collections.abc import Iterable

from watcher.config.leaves import WrongError, version
from watcher.config.nodes import Entry, MappingNode, ScalarNode
from watcher.config.problem import Problem, render_path

_IN_PIECES = frozenset({(), ("jobs",), ("journal",), ("listen",)})
Path = tuple[str, ...]


def merge(main: MappingNode, drop_ins: Iterable[MappingNode]) -> tuple[MappingNode, tuple[Problem, ...]]:
    """All files as one tree, each node still in its own file's place.

    `version` tells of the file that it stands in, so every file may say it.
    """
    merged = main
    problems: list[Problem] = []
    for root in drop_ins:
        problems += _version(root)
        rest = {key: entry for key, entry in root.entries.items() if key != "version"}
        merged = _join(merged, MappingNode(place=root.place, entries=rest), (), problems)
    return merged, tuple(problems)


def _version(root: MappingNode) -> Iterable[Problem]:
    node = root.at("version")
    if node is None:
        return
    try:
        version(node)
    except WrongError as error:
        yield Problem(place=node.place, path="version", message=error.message, hint=error.hint)


def _join(first: MappingNode, second: MappingNode, path: Path, problems: list[Problem]) -> MappingNode:
    entries = dict(first.entries)
    for key, entry in second.entries.items():
        if key not in entries or _is_empty(entries[key]):
            entries[key] = entry
        elif not _is_empty(entry):
            entries[key] = _join_entry(entries[key], entry, (*path, key), problems)
    return MappingNode(place=first.place, entries=entries)


def _join_entry(first: Entry, second: Entry, path: Path, problems: list[Problem]) -> Entry:
    if path in _IN_PIECES and isinstance(first.value, MappingNode) and isinstance(second.value, MappingNode):
        return Entry(key=first.key, place=first.place, value=_join(first.value, second.value, path, problems))
    hint = f"the first one stands at {first.place}"
    problems.append(Problem(place=second.place, path=render_path(path), message="is given in two files", hint=hint))
    return first


def _is_empty(entry: Entry) -> bool:
    return isinstance(entry.value, ScalarNode) and entry.value.is_null
