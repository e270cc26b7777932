"""The command line as data: every verb with its options and arguments, read off the parsers themselves.

For whatever repeats them (completion, the manual page, the docs), so that none of it is kept by hand. Knows argparse's
inside; knows no verb.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from watcher.core.policy import Mode


class Kind(StrEnum):
    """What may stand at a place, as far as a shell can offer it."""

    WORDS = "words"
    JOBS = "jobs"
    RELEASES = "releases"
    UNITS = "units"
    PACKS = "packs"
    RULES = "rules"
    FILES = "files"
    FOLDERS = "folders"
    COMMAND = "command"
    ANYTHING = "anything"


_KINDS = {
    "JOB": Kind.JOBS,
    "ID": Kind.RELEASES,
    "UNIT": Kind.UNITS,
    "PACK": Kind.PACKS,
    "RULE": Kind.RULES,
    "FILE": Kind.FILES,
    "PATH": Kind.FILES,
    "DIR": Kind.FOLDERS,
    "-- CMD": Kind.COMMAND,
}
_FRESH = frozenset({"--id"})
"""Options whose ID is a new one."""
_MODES = {"--mode": tuple(map(str, Mode))}
"""Options that take a closed choice which is judged elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """An option: `value` is the name of its value, "" for a switch."""

    flags: tuple[str, ...]
    value: str
    kind: Kind
    words: tuple[str, ...]
    help: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Argument:
    """An argument that has its place; `many`: all further ones are like it."""

    name: str
    kind: Kind
    words: tuple[str, ...]
    help: str
    many: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb, with the verbs below it; `path` begins with the program's name."""

    path: tuple[str, ...]
    help: str
    usage: str
    description: str
    options: tuple[Option, ...]
    arguments: tuple[Argument, ...]
    verbs: tuple[Verb, ...]

    def walk(self) -> Iterator[Verb]:
        """This verb and all below it, each before its own."""
        yield self
        for verb in self.verbs:
            yield from verb.walk()


def grammar_of(parser: argparse.ArgumentParser, *, help_text: str = "", path: tuple[str, ...] = ()) -> Verb:
    """What `parser` takes."""
    path = path or (parser.prog,)
    actions = parser._actions  # noqa: SLF001 - argparse has no other way to ask
    below = next((one for one in actions if isinstance(one, argparse._SubParsersAction)), None)  # noqa: SLF001 - the same
    return Verb(
        path=path,
        help=help_text,
        usage=parser.format_usage().removeprefix("usage: "),
        description=parser.description or "",
        options=tuple(map(_option, (one for one in actions if one.option_strings))),
        arguments=tuple(_argument(one) for one in actions if not one.option_strings and one is not below),
        verbs=() if below is None else tuple(_below(below, path)),
    )


def _below(action: argparse._SubParsersAction[argparse.ArgumentParser], path: tuple[str, ...]) -> Iterator[Verb]:
    for choice in action._choices_actions:  # noqa: SLF001 - the verbs' help stands nowhere else
        name = choice.dest
        yield grammar_of(action.choices[name], help_text=choice.help or "", path=(*path, name))


def _option(action: argparse.Action) -> Option:
    takes_value = action.nargs != 0
    name = _name(action) if takes_value else ""
    fresh = not _FRESH.isdisjoint(action.option_strings)
    words = tuple(map(str, action.choices or ())) or _MODES.get(action.option_strings[-1], ())
    kind = Kind.WORDS if words else _KINDS.get(name, Kind.ANYTHING)
    return Option(
        flags=tuple(action.option_strings),
        value=name,
        kind=kind if takes_value and not fresh else Kind.ANYTHING,
        words=words,
        help=_help(action),
        required=action.required,
    )


def _argument(action: argparse.Action) -> Argument:
    name, words = _name(action), tuple(map(str, action.choices or ()))
    return Argument(
        name=name,
        kind=Kind.WORDS if words else _KINDS.get(name, Kind.ANYTHING),
        words=words,
        help=_help(action),
        many=action.nargs in ("*", "+"),
    )


def _name(action: argparse.Action) -> str:
    if isinstance(action.metavar, str):
        return action.metavar
    return "{" + ",".join(map(str, action.choices)) + "}" if action.choices else action.dest.upper()


def _help(action: argparse.Action) -> str:
    return (action.help or "").replace("%%", "%")
