"""From nodes to a checked model, and from pydantic's findings to problems in our words at their places.

Knows pydantic and nodes, nothing of what the keys mean.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from watcher.config.leaves import WrongError, describe
from watcher.config.nodes import MappingNode, Node, ScalarNode, SequenceNode, Style
from watcher.config.problem import Place, Problem, render_path
from watcher.config.suggest import did_you_mean

Model = TypeVar("Model", bound=BaseModel)
Steps = tuple[str | int, ...]

_KEY = "[key]"
"""What pydantic appends to the place of a key that is itself wrong."""


class Keys(dict[str, Any]):
    """A mapping as pydantic takes it, that still knows its node and where it stands."""

    def __init__(self, node: MappingNode, path: Steps) -> None:
        super().__init__({key: plain(entry.value, (*path, key)) for key, entry in node.entries.items()})
        self.node = node
        self.path = path


class Items(list[Any]):
    """A list as pydantic takes it, that still knows its node."""

    def __init__(self, node: SequenceNode, path: Steps) -> None:
        super().__init__(plain(item, (*path, index)) for index, item in enumerate(node.items))
        self.node = node


def plain(node: Node, path: Steps) -> Any:
    """The node as pydantic takes it: mappings and lists opened, scalars left as they are."""
    match node:
        case MappingNode():
            return Keys(node, path)
        case SequenceNode():
            return Items(node, path)
        case ScalarNode():
            return node


class Findings:
    """What sections tell while they are validated: which keys they know, and what is wrong with those together."""

    def __init__(self) -> None:
        self.known: dict[Place, tuple[str, ...]] = {}
        self.problems: list[Problem] = []

    def visit(self, keys: Keys, section: type[BaseModel], complaints: Iterable[WrongError]) -> None:
        """Notes that `keys` are validated as this section."""
        self.known[keys.node.place] = tuple(section.model_fields)
        path = render_path(keys.path)
        self.problems += [
            Problem(place=keys.node.place, path=path, message=one.message, hint=one.hint) for one in complaints
        ]


def node_of(value: Any) -> Node:
    """What `plain` was made from."""
    node: Node = value.node if isinstance(value, Keys | Items) else value
    return node


def from_wrong(error: WrongError) -> PydanticCustomError:
    """A leaf's error in the form in which pydantic carries it to the end."""
    facts = {"said": error.message, "hint": error.hint, "offset": error.offset}
    return PydanticCustomError("watcher", "{said}", facts)


def validated(model: type[Model], node: MappingNode, path: Steps = ()) -> tuple[Model | None, tuple[Problem, ...]]:
    """The model that `node` holds, None with every problem in it; `path` is where `node` stands in its file."""
    findings = Findings()
    try:
        done = model.model_validate(plain(node, path), context=findings)
    except ValidationError as error:
        found = [_problem(one, node, path, findings.known) for one in error.errors(include_url=False)]
        return None, (*findings.problems, *found)
    return (None if findings.problems else done), tuple(findings.problems)


def _problem(found: ErrorDetails, root: MappingNode, path: Steps, known: dict[Place, tuple[str, ...]]) -> Problem:
    steps = found["loc"]
    at_key = steps[-1:] == (_KEY,)
    if at_key:
        steps = steps[:-1]
    node, place = _look_up(root, steps, at_key=at_key)
    rendered = render_path((*path, *steps))
    facts = found.get("ctx", {})
    match found["type"]:
        case "watcher":
            offset = facts["offset"]
            place = place if offset is None or node is None else _place_inside(node, offset)
            return Problem(place=place, path=rendered, message=facts["said"], hint=facts["hint"])
        case "missing":
            parent, place = _look_up(root, steps[:-1], at_key=False)
            return Problem(place=place, path=rendered, message="is missing")
        case "extra_forbidden":
            parent, _ = _look_up(root, steps[:-1], at_key=False)
            _, place = _look_up(root, steps, at_key=True)
            keys = known.get(parent.place, ()) if parent is not None else ()
            hint = did_you_mean(str(steps[-1]), keys, things="keys here")
            return Problem(place=place, path=rendered, message="unknown key", hint=hint)
        case "list_type":
            return Problem(
                place=place, path=rendered, message=f"must be a list, not {_described(node)}", hint=_as_list(node)
            )
        case "model_type" | "dict_type" | "model_attributes_type":
            return Problem(place=place, path=rendered, message=f"must be a mapping, not {_described(node)}")
        case _:
            return Problem(place=place, path=rendered, message=found["msg"])


def _look_up(root: Node, steps: Steps, *, at_key: bool) -> tuple[Node | None, Place]:
    """The node that the steps lead to, as far as they do, and its place or that of its key."""
    node, place = root, root.place
    for step in steps:
        if isinstance(node, MappingNode) and isinstance(step, str) and step in node.entries:
            entry = node.entries[step]
            node, place = entry.value, entry.place if at_key else entry.value.place
        elif isinstance(node, SequenceNode) and isinstance(step, int) and step < len(node.items):
            node = node.items[step]
            place = node.place
        else:
            return None, place
    return node, place


def _described(node: Node | None) -> str:
    return "that" if node is None else describe(node)


def _as_list(node: Node | None) -> str:
    if isinstance(node, ScalarNode) and not node.is_null and node.text.isprintable() and node.one_line:
        return f"write [{node.text}]"
    return ""


def _place_inside(node: Node, offset: int) -> Place:
    """Where the character `offset` of a text stands; its beginning when the text is written with escapes or folded."""
    if not isinstance(node, ScalarNode) or not node.one_line or node.style not in (Style.PLAIN, Style.SINGLE):
        return node.place
    written = offset
    if node.style is Style.SINGLE:
        written += 1 + node.text.count("'", 0, offset)
    return Place(node.place.file, node.place.line, node.place.column + written)
