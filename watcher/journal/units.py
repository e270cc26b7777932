"""Which jobs a unit's name belongs to: names and globs as `journalctl -u` takes them (systemd 252 to 257).

Knows how systemd spells units; must not know entries or their fields. Sources: `unit_name_mangle_with_suffix` in
systemd's src/basic/unit-name.c, `add_units` in src/journal/journalctl.c, and fnmatch(3).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_letters, digits
from typing import Final

from watcher.journal.patterns import PatternError, PatternSet

_LONGEST: Final = 255
_TYPES: Final = frozenset(
    {"service", "socket", "target", "device", "mount", "automount", "swap", "timer", "path", "slice", "scope"}
)
_PLAIN: Final = frozenset(ascii_letters + digits + ":-_.\\")
_NAME: Final = _PLAIN | {"@"}
_GLOB: Final = _NAME | frozenset("[]!-*?")
_WILD: Final = frozenset("*?[")
_SLICE: Final = ".slice"
_OWN: Final = "release-watcher*.service"
_CLASSES: Final = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": r"\t ",
    "cntrl": r"\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": r"!-/:-@\[-`{-~",
    "space": r"\t-\r ",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}


class JobUnits:
    """Tells which of some jobs a unit belongs to, by the unit's name alone.

    `own_slices`: some job takes a whole slice, so that an entry's slice matters too.
    """

    def __init__(self, jobs: Sequence[Sequence[str]]) -> None:
        """`jobs` are the unit lists of the jobs. Raises PatternError: an empty name, a bad glob."""
        self._named: dict[bytes, set[int]] = {}
        self._globbed: list[int] = []
        globs: list[str] = []
        for job, units in enumerate(jobs):
            for unit in map(unit_name, units):
                if is_glob(unit):
                    self._globbed.append(job)
                    globs.append(unit)
                else:
                    self._named.setdefault(unit.encode(), set()).add(job)
        self._globs = PatternSet([glob_pattern(glob) for glob in globs])
        self._ourselves = PatternSet([glob_pattern(_OWN)])
        self.own_slices = any(map(_may_name_slice, globs)) or any(
            name.endswith(_SLICE.encode()) for name in self._named
        )

    @property
    def names(self) -> tuple[bytes, ...] | None:
        """All units there can be, None if a glob is among them."""
        return None if self._globbed else tuple(self._named)

    def owners(self, name: bytes) -> tuple[int, ...]:
        """The numbers of the jobs that the unit called `name` belongs to, rising; our own units belong to none."""
        text = name.decode("latin-1").encode()  # a byte is a character, so that no name is invalid UTF-8
        if self._ourselves.found(text):
            return ()
        by_glob = {self._globbed[number] for number in self._globs.found(text)}
        return tuple(sorted(by_glob | self._named.get(name, set())))

    def is_own(self, name: bytes) -> bool:
        """Whether it is a unit of release-watcher itself, whose entries are never anybody's."""
        return bool(self._ourselves.found(name.decode("latin-1").encode()))


def unit_name(text: str) -> str:
    """The unit or glob that `journalctl -u TEXT` looks for.

    `foo` is foo.service, `/var/lib` is var-lib.mount, `/dev/sda` is dev-sda.device; a glob stays without a suffix;
    what can't stand in a name is escaped. Raises PatternError: empty, or a bracket with `^` or `=`, which journalctl
    escapes as well, so that it would mean something else than anybody meant.
    """
    if not text:
        raise PatternError("an empty text is no unit", hint='write a unit as in "import.service"')
    if "[^" in text or "[[=" in text:
        raise PatternError(f'unit "{text}": journalctl takes no "^" or "=" in a glob', hint='"[!…]" is "none of"')
    if _is_unit(text) or (is_glob(text) and _GLOB.issuperset(text)):
        return text
    if text.startswith("/"):
        named = _from_path(text)
        if named is not None:
            return named
    name = "".join("-" if char == "/" else char if char in _GLOB else _escaped(char) for char in text)
    return name if is_glob(name) or _is_unit(name) else f"{name}.service"


def is_glob(name: str) -> bool:
    """Whether systemd sees a glob in `name`."""
    return not _WILD.isdisjoint(name)


def glob_pattern(glob: str) -> str:
    r"""`glob` as an RE2 pattern for a whole name in which each byte is one character.

    As fnmatch(3) with FNM_NOESCAPE: `\` is an ordinary character, as names are full of `\x2d`. Raises PatternError:
    a bracket with a collating symbol, an equivalence class or an unknown character class.
    """
    return rf"(?s)\A{''.join(_translated(glob))}\z"


def _translated(glob: str) -> Iterator[str]:
    place = 0
    while place < len(glob):
        char = glob[place]
        place += 1
        if char == "*":
            yield ".*"
        elif char == "?":
            yield "."
        elif char == "[" and (end := _bracket_end(glob, place)) is not None:
            yield _bracket(glob[place:end], glob)
            place = end + 1
        else:
            yield _literal(char)


def _bracket_end(glob: str, place: int) -> int | None:
    """Where the bracket that was opened before `place` closes; None: it does not, so its `[` is a plain one."""
    place += glob[place : place + 1] == "!"
    first = place
    while place < len(glob):
        if glob[place] == "]" and place > first:
            return place
        if glob[place : place + 2] in ("[:", "[.", "[="):
            close = glob.find(f"{glob[place + 1]}]", place + 2)
            if close >= 0:
                place = close + 1
        place += 1
    return None


def _bracket(inside: str, glob: str) -> str:
    negated = inside.startswith("!")
    rest, parts = inside[negated:], []
    while rest:
        if rest[:2] in ("[.", "[="):
            raise PatternError(f'unit "{glob}": "[{rest[:2]}" is not understood', hint="list the characters themselves")
        if rest.startswith("[:") and ":]" in rest:
            name, _, rest = rest[2:].partition(":]")
            if name not in _CLASSES:
                raise PatternError(f'unit "{glob}": there is no character class "{name}"')
            parts.append(_CLASSES[name])
        elif rest[1:2] == "-" and len(rest) > 2:  # noqa: PLR2004 - a range has three characters
            if rest[0] <= rest[2]:
                parts.append(f"{_literal(rest[0])}-{_literal(rest[2])}")
            rest = rest[3:]
        else:
            parts.append(_literal(rest[0]))
            rest = rest[1:]
    if not parts:  # only ranges that run backwards: no character is among them
        return "." if negated else r"[^\x00-\xff]"
    return f"[{'^' if negated else ''}{''.join(parts)}]"


def _literal(char: str) -> str:
    """`char`, never special to RE2; beyond ASCII as the bytes that it has in a unit's name, one character each."""
    if char.isascii() and char.isalnum():
        return char
    return "".join(rf"\x{byte:02x}" for byte in char.encode())


def _is_unit(name: str) -> bool:
    stem, dot, kind = name.rpartition(".")
    spelled = bool(dot and stem) and kind in _TYPES and _NAME.issuperset(stem)
    return spelled and not stem.startswith("@") and len(name) <= _LONGEST


def _from_path(path: str) -> str | None:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        return None
    escaped = "-".join(map(_escaped_part, parts))
    if escaped.startswith("."):
        escaped = _escaped(".") + escaped[1:]
    kind = "device" if len(parts) > 1 and parts[0] in ("dev", "sys") else "mount"
    name = f"{escaped or '-'}.{kind}"
    return name if _is_unit(name) else None


def _escaped_part(part: str) -> str:
    return "".join(char if char in _PLAIN - {"-", "\\"} else _escaped(char) for char in part)


def _escaped(char: str) -> str:
    return "".join(rf"\x{byte:02x}" for byte in char.encode())


def _may_name_slice(glob: str) -> bool:
    """Whether a name that ends in `.slice` can match; sure only if the answer is no."""
    tail = glob[max(glob.rfind(char) for char in "*?[]") + 1 :]
    return tail.endswith(_SLICE) or _SLICE.endswith(tail)
