"""Rule packs: the shipped ones and the site's own. A site's file replaces the shipped one of the same file name.

Knows files and names of packs, nothing of jobs.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from watcher.config.document import Document, advice_on, read_document
from watcher.config.findings import validated
from watcher.config.folder import SUFFIX, read_in_order
from watcher.config.nodes import MappingNode, Node, ScalarNode
from watcher.config.problem import Place, Problem, Weight, has_errors, quoted
from watcher.config.rule_sections import PackFile
from watcher.config.ruleset import RuleEntry, read_rules, repeated

_SHIPPED = "watcher.packs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """One pack. `is_whole` is False when something in it is wrong: it is not used then."""

    name: str
    description: str
    place: Place
    entries: tuple[RuleEntry, ...]
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The packs that were loaded by name, and the names of all that there are.

    `is_complete` is False when something in the site's directory can't be read: there may be packs of any name.
    """

    packs: Mapping[str, Pack]
    names: frozenset[str]
    problems: tuple[Problem, ...]
    is_complete: bool = True


EMPTY_SHELF = Shelf(packs={}, names=frozenset(), problems=())


def shipped_packs() -> dict[str, Path]:
    """The shipped packs' files by pack name, which is the file's name without its ending."""
    files = resources.files(_SHIPPED).iterdir()
    return {file.name.removesuffix(SUFFIX): Path(str(file)) for file in files if file.name.endswith(SUFFIX)}


def load_packs(site: Path, wanted: Collection[str]) -> Shelf:
    """Every pack in the directory `site`, which need not exist, and those of the shipped ones that are wanted."""
    shipped = shipped_packs()
    files, unread = yaml_files(site)
    problems = unread
    replaced = {file.name.removesuffix(SUFFIX) for file in files}
    documents = [read_document(file) for file in files]
    documents += [read_document(shipped[name]) for name in sorted(shipped.keys() & set(wanted) - replaced)]
    packs: dict[str, Pack] = {}
    for document in documents:
        pack, found = read_pack(document)
        problems = (*problems, *found)
        if pack is None:
            continue
        if pack.name in packs:
            hint = f"the first one stands at {packs[pack.name].place}"
            message = f"{quoted(pack.name)} is the name of two packs"
            problems = (*problems, Problem(place=pack.place, path="pack.name", message=message, hint=hint))
            continue
        packs[pack.name] = pack
    names = frozenset(packs) | (shipped.keys() - replaced)
    is_complete = not has_errors(unread) and all(document.root is not None for document in documents)
    return Shelf(packs=packs, names=names, problems=problems, is_complete=is_complete)


def read_pack(document: Document) -> tuple[Pack | None, tuple[Problem, ...]]:
    """The pack that a document holds, None when not even its name can be read; and what is wrong with it."""
    root = document.root
    if root is None:
        return None, document.problems
    _, found = validated(PackFile, root)
    name, description = _text(root.at("pack"), "name"), _text(root.at("pack"), "description")
    entries, wrong = read_rules(root.at("rules"), ("rules",), pack="" if name is None else name.text)
    problems = (*document.problems, *found, *wrong, *repeated(entries))
    if name is None:
        return None, problems
    pack = Pack(
        name=name.text,
        description="" if description is None else description.text,
        place=name.place,
        entries=entries,
        is_whole=not has_errors(problems),
    )
    return pack, problems


def yaml_files(directory: Path) -> tuple[tuple[Path, ...], tuple[Problem, ...]]:
    """The `*.yaml` of a directory that need not exist, in the order of their names; hidden ones are left out."""
    try:
        names = sorted(child.name for child in directory.iterdir())
    except FileNotFoundError:
        return (), ()
    except OSError as error:
        message = f"can't be read: {error.strerror}"
        return (), (Problem(place=Place(str(directory)), message=message, hint=advice_on(error)),)
    unread = (directory / name for name in names if name.endswith(".yml") and not name.startswith("."))
    return tuple(directory / name for name in read_in_order(names)), tuple(_unread(unread))


def _unread(files: Iterable[Path]) -> Iterable[Problem]:
    for file in files:
        hint = f"call it {file.stem}{SUFFIX}"
        yield Problem(place=Place(str(file)), message="is not read: only *.yaml is", hint=hint, weight=Weight.WARNING)


def _text(head: Node | None, key: str) -> ScalarNode | None:
    value = head.at(key) if isinstance(head, MappingNode) else None
    return value if isinstance(value, ScalarNode) else None
