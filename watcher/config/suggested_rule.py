"""A rule for lines that no rule knows: from samples of one kind to YAML that `watcher check` takes as it is.

The pattern is the kind's template with its masks opened, the strictest form that finds every sample.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from watcher.config.document import parse_document
from watcher.config.leaves import WrongError
from watcher.config.packs import read_pack
from watcher.config.problem import has_errors
from watcher.config.rule_leaves import compiled
from watcher.core.severity import Severity

_MASKS = {"num", "ip", "text", "path", "time", "id", "hex", "url", "email", "host", "mac", "span", "day"}
_SPACED = {"text", "time"}
"""Masks that stand for several words."""
_MOST_PIECES, _MOST_CHARACTERS = 40, 160
_LETTERS_NEEDED = 3
_NAME_WORDS, _LONGEST_NAME, _LONGEST_SAMPLE = 4, 40, 300
_SPECIAL = frozenset("\\.+*?()|[]{}^$")
_BEYOND_BMP = 0xFFFF


@dataclass(frozen=True, slots=True, kw_only=True)
class SuggestedRule:
    """A rule that finds its samples; `yaml` is one item of a list of rules, without indentation.

    `match` is None where fields say it all.
    """

    name: str
    match: str | None
    severity: Severity
    yaml: str


def suggest_rule(
    template: str,
    samples: Sequence[str],
    severity: Severity,
    *,
    taken: Collection[str],
    others: Sequence[str] = (),
    fields: Sequence[tuple[str, str]] = (),
) -> SuggestedRule | None:
    """A rule for the samples, None when they have too little in common; `taken` are names that it can't have.

    With `fields`, names and values, the samples are data, and `template` is that of their message alone, "" if they
    have none. `others` are lines that it need not match; the nearest one that it doesn't stands in its tests as a
    near miss.
    """
    match = _pattern(template, samples, inside=bool(fields)) if template or not fields else None
    if match is None and (template or not fields):
        return None
    name = _name(template or " ".join(value for _, value in fields), taken)
    head = _head(name, match, severity, fields)
    whole = head + _tests(samples[0], _near_miss(match, fields, samples[0], others))
    yaml = next((one for one in (whole, head) if _loads(one)), None)  # a file can't carry every sample
    if yaml is None:
        return None
    return SuggestedRule(name=name, match=match, severity=severity, yaml=yaml)


def _loads(yaml: str) -> bool:
    pack, problems = read_pack(parse_document(f"pack: {{name: x}}\nrules:\n{_indented(yaml)}".encode(), file="x"))
    return pack is not None and not has_errors(problems)


def _near_miss(match: str | None, fields: Sequence[tuple[str, str]], sample: str, others: Sequence[str]) -> str | None:
    """The line with the most words in common that is not matched."""
    words = set(_words(sample))
    missed = [one for one in others if _lacks(one, match, fields)]
    return max(missed, key=lambda one: len(words & set(_words(one))), default=None)


def _words(line: str) -> list[str]:
    """Of JSON, too, which loggers write without blanks."""
    return line.replace(",", " ").split()


def _lacks(line: str, match: str | None, fields: Sequence[tuple[str, str]]) -> bool:
    """Whether the line surely doesn't hold what is asked for."""
    if match is not None:
        return compiled(match).search(line.encode("utf-8", "replace")) is None
    return any(value.lower() not in line.lower() for _, value in fields)


def as_pack(name: str, description: str, rules: Sequence[SuggestedRule]) -> str:
    """A whole pack of them."""
    head = f"pack: {{name: {name}, description: {yaml_text(description)}}}\nrules:\n"
    return head + "\n".join(_indented(rule.yaml) for rule in rules)


def _head(name: str, match: str | None, severity: Severity, fields: Sequence[tuple[str, str]]) -> str:
    asked = ", ".join(f"{_word(field)}: {_word(value)}" for field, value in fields)
    lines = [f"  fields: {{{asked}}}\n"] if fields else []
    lines += [] if match is None else [f"  match: {yaml_text(match)}\n"]
    return f"- name: {name}\n{''.join(lines)}  severity: {severity}\n"


def _tests(sample: str, near: str | None) -> str:
    missed = "" if near is None else f"    no_match: [{yaml_text(near[:_LONGEST_SAMPLE])}]\n"
    return f"  tests:\n    match: [{yaml_text(sample[:_LONGEST_SAMPLE])}]\n{missed}"


def _word(text: str) -> str:
    """The text in quotes, unless it is a word that YAML takes for nothing else."""
    is_plain = text.isascii() and text.replace(".", "").isalpha() and text[0].isalpha() and text != "null"
    return text if is_plain else yaml_text(text)


def _indented(yaml: str) -> str:
    return "".join(f"  {line}\n" for line in yaml.splitlines())


# -------------------------------------------------------------------------------------------------- the pattern


def _pattern(template: str, samples: Sequence[str], *, inside: bool) -> str | None:
    pieces = _pieces(template.partition(" … ")[0])
    while pieces and (pieces[0].mask or not pieces[0].text.strip()):
        pieces = pieces[1:]
    indented = any(sample[:1].isspace() for sample in samples)
    anchor = "" if inside or _opens_with_mask(template) else r"^\s*" if indented else "^"
    pieces = _cut(pieces)
    while pieces and (pieces[-1].mask or not pieces[-1].text.strip()):
        pieces = pieces[:-1]
    if pieces:
        pieces[0] = _Piece(pieces[0].text.lstrip())
        pieces[-1] = _Piece(pieces[-1].text.rstrip())
    if sum(char.isalpha() for piece in pieces if not piece.mask for char in piece.text) < _LETTERS_NEEDED:
        return None
    for number, other, blank in ((r"\d+", r"\S+", " "), (r"\S+", r"\S+", " "), (r"\S+", r"\S+", r"\s+"), (".*",) * 3):
        pattern = anchor + "".join(_opened(piece, number, other, blank) for piece in pieces)
        if _finds_all(pattern, samples):
            return pattern
    return None


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    mask: str = ""


def _pieces(template: str) -> list[_Piece]:
    pieces: list[_Piece] = []
    rest = template
    while rest:
        before, opens, after = rest.partition("<")
        mask, closes, behind = after.partition(">")
        if opens and closes and mask in _MASKS:
            pieces += [_Piece(before)] if before else []
            pieces.append(_Piece(f"<{mask}>", mask))
            rest = behind
        else:
            head = before + opens
            pieces.append(_Piece(head))
            rest = after if opens else ""
    return pieces


def _opens_with_mask(template: str) -> bool:
    first = next(iter(_pieces(template.lstrip())), _Piece(""))
    return bool(first.mask)


def _cut(pieces: list[_Piece]) -> list[_Piece]:
    """The first pieces, as many as make a pattern that a person can read; never half of a word."""
    kept: list[_Piece] = []
    room = _MOST_CHARACTERS
    for piece in pieces[:_MOST_PIECES]:
        if len(piece.text) > room:
            head, blank, _ = piece.text[:room].rpartition(" ")
            return [*kept, _Piece(head if blank else piece.text[:room])]
        kept.append(piece)
        room -= len(piece.text)
    return kept


def _opened(piece: _Piece, number: str, other: str, blank: str) -> str:
    if piece.mask in _SPACED:
        return ".+"
    if piece.mask:
        return number if piece.mask == "num" else other
    return "".join(blank if char == " " else f"\\{char}" if char in _SPECIAL else char for char in piece.text)


def _finds_all(pattern: str, samples: Sequence[str]) -> bool:
    try:
        searched = compiled(pattern)
    except WrongError:
        return False
    return all(searched.search(sample.encode("utf-8", "replace")) is not None for sample in samples)


# ------------------------------------------------------------------------------------------------- name and YAML


def _name(template: str, taken: Collection[str]) -> str:
    words = "".join(char if char.isascii() and char.isalpha() else " " for char in _bare(template)).lower().split()
    picked = [word for word in words if len(word) > 1][:_NAME_WORDS] or ["line"]
    name = "-".join(picked)[:_LONGEST_NAME].strip("-")
    return next(one for one in (name, *(f"{name}-{number}" for number in range(2, len(taken) + 3))) if one not in taken)


def _bare(template: str) -> str:
    return "".join(" " if piece.mask else piece.text for piece in _pieces(template))


def yaml_text(text: str) -> str:
    """The text as one YAML scalar on one line, whatever it holds."""
    if text.isprintable():
        return "'" + text.replace("'", "''") + "'"
    return '"' + "".join(map(_escaped, text)) + '"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    return f"\\U{ord(char):08x}" if ord(char) > _BEYOND_BMP else f"\\u{ord(char):04x}"
