"""Strict YAML: a tree of nodes that know where they stand, and every problem found on the way.

Knows the file format, nothing of what the keys mean. Standard library and the YAML reader only: whatever reads the
configuration as root uses it too. Refused are duplicate keys, tags, anchors, aliases, keys that are no plain text, a
second document, and files that are too large, too deep or too full: 332 bytes of aliases are a billion nodes, and
20,000 brackets end a recursive reader.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from watcher.config.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, Style
from watcher.config.problem import Place, Problem, quoted, render_path

if TYPE_CHECKING:
    from pathlib import Path  # root's dispatcher, for whose start a rollback waits, has no use for it: 4 ms

LARGEST = 1 << 20
"""Bytes of one file."""
DEEPEST = 32
"""Lists and mappings inside each other."""
FULLEST = 50_000
"""Values of one file."""
MOST_PROBLEMS = 100
"""Mistakes in the format of one file: a file with more is no configuration."""

_BOM = "\ufeff"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What stands in one file. `root` is None when nothing of it can be used."""

    file: str
    root: MappingNode | None
    problems: tuple[Problem, ...]


def read_document(path: Path) -> Document:
    """The file at `path`; one that can't be read is a document with a problem."""
    try:
        with path.open("rb") as stream:
            raw = stream.read(LARGEST + 1)
    except OSError as error:
        problem = Problem(
            place=Place(str(path)),
            message=f"can't be read: {error.strerror or error}",
            hint=advice_on(error),
        )
        return Document(file=str(path), root=None, problems=(problem,))
    return parse_document(raw, file=str(path))


def parse_document(raw: bytes, *, file: str) -> Document:
    """The document that `raw` holds; `file` is its name in problems."""
    if len(raw) > LARGEST:
        problem = Problem(
            place=Place(file), message=f"is larger than {LARGEST >> 20} MiB", hint="split it into conf.d/*.yaml"
        )
        return Document(file=file, root=None, problems=(problem,))
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        place = _place_after(raw[: error.start].decode("utf-8"), file)
        problem = Problem(
            place=place, message=f"byte 0x{raw[error.start]:02x} is not UTF-8", hint="save the file as UTF-8"
        )
        return Document(file=file, root=None, problems=(problem,))
    return _Builder(file).build(text.removeprefix(_BOM))


def advice_on(error: OSError) -> str:
    """The way out for a file or a directory that can't be read."""
    if isinstance(error, FileNotFoundError):
        return "name another file, or write this one"
    if isinstance(error, PermissionError):
        return "run as a user that may read it"
    if isinstance(error, IsADirectoryError):
        return "name a file in it"
    return ""


def _place_after(text: str, file: str) -> Place:
    return Place(file, text.count("\n") + 1, len(text) - (text.rfind("\n") + 1) + 1)


class _StopError(Exception):
    """The rest of the file can't be read; the problem is already noted."""


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end hasn't come yet; `key` waits for its value."""

    place: Place
    items: list[Node] | None = None
    entries: dict[str, Entry] | None = None
    key: tuple[str, Place] | None = None


class _Builder:
    """Turns the parser's events into nodes with a stack of its own, so that no depth can end the process."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._problems: list[Problem] = []
        self._stack: list[_Open] = []
        self._root: Node | None = None
        self._documents = 0
        self._values = 0

    def build(self, text: str) -> Document:
        try:
            for event in self._events(text):
                self._take(event)
        except _StopError:
            return Document(file=self._file, root=None, problems=tuple(self._problems))
        root = self._root
        if root is None or (isinstance(root, ScalarNode) and root.is_null):
            root = MappingNode(place=Place(self._file), entries={})
        if not isinstance(root, MappingNode):
            root = None
            self._blame(
                Place(self._file), "is not a mapping of keys to values", "the first line of a config is: version: 1"
            )
        return Document(file=self._file, root=root, problems=tuple(self._problems))

    def _events(self, text: str) -> Iterator[yaml.Event]:
        try:
            loader = yaml.SafeLoader(text)
        except yaml.reader.ReaderError as error:
            raise self._stop(self._reader_place(text, error), *_on_character(error)) from error
        try:
            while loader.check_event():
                yield loader.get_event()  # type: ignore[no-untyped-call]  # the stubs leave it out
        except yaml.reader.ReaderError as error:
            raise self._stop(self._reader_place(text, error), *_on_character(error)) from error
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            place = Place(self._file) if mark is None else _place(mark, self._file)
            raise self._stop(place, *_on_syntax(error)) from error
        except (ValueError, OverflowError) as error:  # the scanner's own chr() and int(), on escapes and directives
            place = Place(self._file, loader.line + 1, loader.column + 1)
            raise self._stop(place, "not YAML: an escape or a version number is out of range") from error
        finally:
            loader.dispose()

    def _reader_place(self, text: str, error: yaml.reader.ReaderError) -> Place:
        return _place_after(text[: error.position], self._file)

    def _take(self, event: yaml.Event) -> None:
        match event:
            case yaml.AliasEvent():
                self._blame(
                    self._place(event),
                    f"{quoted(f'*{event.anchor}')} is an alias, and aliases are not allowed",
                    _WRITE_OUT,
                )
                self._put(ScalarNode(place=self._place(event), text=""))
            case yaml.ScalarEvent():
                self._refuse_properties(event)
                self._put(self._scalar(event))
            case yaml.SequenceStartEvent():
                self._refuse_properties(event)
                self._open(_Open(place=self._place(event), items=[]))
            case yaml.MappingStartEvent():
                self._refuse_properties(event)
                self._open(_Open(place=self._place(event), entries={}))
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                self._close()
            case yaml.DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    raise self._stop(self._place(event), "a second document begins", "one file holds one document")

    def _scalar(self, event: yaml.ScalarEvent) -> ScalarNode:
        place = self._place(event)
        try:
            event.value.encode("utf-8")
        except UnicodeEncodeError:
            self._blame(place, "an escape stands for half a character", "write the character itself")
            return ScalarNode(place=place, text="")
        style = Style(event.style or "")
        return ScalarNode(
            place=place,
            text=event.value,
            style=style,
            one_line=place.line == _place(event.end_mark, self._file).line,
        )

    def _refuse_properties(self, event: yaml.NodeEvent) -> None:
        if event.anchor is not None:
            self._blame(
                self._place(event),
                f"{quoted(f'&{event.anchor}')} is an anchor, and anchors are not allowed",
                _WRITE_OUT,
            )
        tag = getattr(event, "tag", None)
        if tag is not None:
            self._blame(self._place(event), f"{quoted(tag)} is a tag, and tags are not allowed", "leave it out")

    def _open(self, opened: _Open) -> None:
        if len(self._stack) >= DEEPEST:
            raise self._stop(opened.place, f"more than {DEEPEST} lists and mappings inside each other")
        self._stack.append(opened)

    def _close(self) -> None:
        done = self._stack.pop()
        if done.entries is not None:
            self._put(MappingNode(place=done.place, entries=done.entries))
        else:
            self._put(SequenceNode(place=done.place, items=tuple(done.items or ())))

    def _put(self, node: Node) -> None:
        self._values += 1
        if self._values > FULLEST:
            raise self._stop(node.place, f"more than {FULLEST:,} values in one file", "split it into several files")
        if not self._stack:
            self._root = node
            return
        parent = self._stack[-1]
        if parent.items is not None:
            parent.items.append(node)
        elif parent.key is None:
            parent.key = self._key(node)
        else:
            self._enter(parent, *parent.key, node)
            parent.key = None

    def _key(self, node: Node) -> tuple[str, Place]:
        if isinstance(node, ScalarNode):
            return node.text, node.place
        self._blame(node.place, "a key must be a plain text")
        return "", node.place

    def _enter(self, parent: _Open, key: str, place: Place, value: Node) -> None:
        entries = parent.entries if parent.entries is not None else {}
        if key in entries:
            first = entries[key].place
            self._blame(place, f"{quoted(key)} is given twice", f"the first one stands in line {first.line}")
            return
        entries[key] = Entry(key=key, place=place, value=value)

    def _place(self, event: yaml.Event) -> Place:
        return _place(event.start_mark, self._file)

    def _blame(self, place: Place, message: str, hint: str = "") -> None:
        if len(self._problems) >= MOST_PROBLEMS:
            raise self._stop(place, f"more than {MOST_PROBLEMS} mistakes: the rest is not looked at")
        self._note(place, message, hint)

    def _note(self, place: Place, message: str, hint: str) -> None:
        self._problems.append(Problem(place=place, path=self._path(), message=message, hint=hint))

    def _path(self) -> str:
        steps: list[str | int] = []
        for opened in self._stack:
            if opened.items is not None:
                steps.append(len(opened.items))
            elif opened.key is not None:
                steps.append(opened.key[0])
        return render_path(steps)

    def _stop(self, place: Place, message: str, hint: str = "") -> _StopError:
        self._note(place, message, hint)
        return _StopError()


def _place(mark: Any, file: str) -> Place:
    """The place of a mark of the parser, which counts from 0."""
    return Place(file, mark.line + 1, mark.column + 1)


_WRITE_OUT = "write the value out where it is used"


def _on_character(error: yaml.reader.ReaderError) -> tuple[str, str]:
    return f"the character U+{int(error.character):04X} is not allowed", "take it out of the file"


def _on_syntax(error: yaml.MarkedYAMLError) -> tuple[str, str]:
    what = " ".join((error.problem or error.context or "it can't be read").split())
    if "'\\t'" in what:
        return f"not YAML: {what}", "indent with spaces, not with tabs"
    if "unknown escape character" in what:
        return f"not YAML: {what}", "write patterns in single quotes: there a backslash is only a backslash"
    return f"not YAML: {what}", ""
