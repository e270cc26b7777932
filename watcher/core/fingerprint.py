"""What kind of message a line is: its text with everything masked that differs from one time to the next.

`connection to 10.0.0.7:5432 refused after 3 tries` and the same of another host are one kind:
`connection to <ip>:<num> refused after <num> tries`. A hand-written scanner in linear time, as log text is hostile.
The idea is that of log parsers with a fixed set of masks (Drain: He et al., ICWS 2017), without its tree: a kind must
be the same in any process that sees one line of it, whatever came before.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from string import ascii_lowercase, digits, hexdigits

MASKED = 1024
"""Characters of a message that are looked at."""
_KNOWN = 1024
_BREAKS = frozenset(" \t\r\n\v\f=;()[]{}<>|&\"'`")
"""Characters that no atom holds: an atom is a number, an address, a path, a word."""
_URL_ENDS = frozenset(" \t\r\n\v\f()[]{}<>|\"'`")
_QUOTES = "\"'`"
_QUOTED = 300
_HEX = frozenset(hexdigits)
_DIGITS = frozenset(digits)
_HOST = frozenset(ascii_lowercase + digits + ".-")
_PATH_PARTS = 2
_SHORT_ID, _MIXED = 8, 3
_UUID, _UUID_LENGTH, _MAC, _IPV4 = (8, 4, 4, 4, 12), 36, 6, 4
_IPV6_GROUPS, _OCTET, _PAIR, _QUARTET = 8, 3, 2, 4
_TIMES = frozenset({"ns", "us", "µs", "ms", "s", "sec", "secs", "m", "min", "mins", "h", "hr", "hrs", "d"})
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_CALENDAR = frozenset((*_DAYS, *_MONTHS))
_UNITS = frozenset(
    ["service", "socket", "timer", "mount", "automount", "swap", "target", "path", "scope", "slice", "device"]
)
_DATES = frozenset({"0000-00-00", "0000/00/00", "00/00/0000", "00.00.0000", "00/00/00", "00-00-00"})
_CLOCKS = frozenset({"00:00:00", "00:00", "0:00:00", "0:00"})
_ZEROES = str.maketrans(digits, "0" * len(digits))


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """One kind of message. `key` tells kinds apart: 16 hexadecimal digits. `template` is for people: hostile text."""

    key: str
    template: str


def fingerprint(message: str) -> Fingerprint:
    """The kind of the message. Equal texts give equal kinds in every process."""
    return _fingerprint(*_ends(message))


def mask(message: str) -> str:
    """The template of the message: of several lines the first and the last one, where runtimes name the error."""
    return _masked(*_ends(message))


@lru_cache(maxsize=_KNOWN)
def _fingerprint(first: str, last: str) -> Fingerprint:
    template = _masked(first, last)
    return Fingerprint(blake2b(template.encode(errors="replace"), digest_size=8).hexdigest(), template)


def _masked(first: str, last: str) -> str:
    return f"{_line(first)} … {_line(last)}" if last else _line(first)


def _ends(message: str) -> tuple[str, str]:
    """The first and (if there is more than one) the last line, cut to size: so much is looked at and remembered."""
    first, *rest = [line for line in message.strip().splitlines() if line.strip()] or [""]
    return first[:MASKED], rest[-1][:MASKED] if rest else ""


def _line(text: str) -> str:
    pieces: list[str] = []
    place, size = 0, len(text)
    while place < size:
        char = text[place]
        if char in _QUOTES and (end := _closing(text, place)) is not None:
            pieces.append(f"{char}<text>{char}")
            place = end + 1
        elif char in _BREAKS:
            if not char.isspace():
                pieces.append(char)
            elif pieces and pieces[-1] != " ":
                pieces.append(" ")
            place += 1
        else:
            end = place + 1
            while end < size and text[end] not in _BREAKS:
                end += 1
            if "://" in text[place:end]:
                while end < size and text[end] not in _URL_ENDS:
                    end += 1
            pieces.append(_atom(text[place:end]))
            place = end
    return "".join(_folded(pieces)).strip()


def _closing(text: str, place: int) -> int | None:
    """Where the quotation that begins at `place` ends; an apostrophe inside of a word is none."""
    quote, limit = text[place], min(len(text), place + _QUOTED)
    if place and text[place - 1].isalnum():
        return None
    end = text.find(quote, place + 1, limit)
    while end > place and end + 1 < len(text) and text[end + 1].isalnum():
        end = text.find(quote, end + 1, limit)
    return end if end > place + 1 else None


def _folded(pieces: list[str]) -> list[str]:
    """A list of things of one kind is one thing of it, whatever its length: `<num>, <num>` is `<num>`."""
    folded: list[str] = []
    for piece in pieces:
        before = folded[-2] if len(folded) > 1 and folded[-1] == " " else ""
        if piece.startswith("<") and before.rstrip(",") == piece.rstrip(",") and len(piece) > 1:
            folded[-2:] = [piece]
        elif before == "<day>" and piece in ("<time>", "<num>"):
            folded[-2:] = ["<time>"]
        else:
            folded.append("<time>" if piece == "<day>" and before == "<time>" else piece)
    return ["<time>" if piece == "<day>" else piece for piece in folded]


def _atom(atom: str) -> str:
    core = atom.rstrip(".,:!?")
    tail = atom[len(core) :]
    if not core:
        return atom
    return _whole(core) + tail


def _whole(core: str) -> str:
    if core in _CALENDAR:
        return "<day>"
    if "://" in core:
        return "<url>"
    if not _DIGITS.isdisjoint(core):
        if _is_time(core):
            return "<time>"
        named = _address(core)
        if named is not None:
            return named
    if "@" in core and _is_email(core):
        return "<email>"
    if "," in core:
        return ",".join(map(_whole, core.split(","))) if ",," not in core else _runs(core)
    if "/" in core or "\\" in core:
        return _path(core)
    if _is_host(core):
        return "<host>"
    return _runs(core)


def _is_time(core: str) -> bool:
    shape = core.translate(_ZEROES)
    if shape in _DATES:
        return True
    date, letter, clock = shape.partition("T")
    if not letter:
        day, _, rest = shape.partition("/")
        month, _, year = rest.partition("/")
        if month in _CALENDAR and day == "00":
            return year.startswith("0000")
        date, clock = "", shape
    elif date not in _DATES:
        return False
    clock = clock.removesuffix("Z").partition("+")[0]
    whole = clock.replace(",", ".").partition(".")
    return whole[0] in _CLOCKS and not whole[2].strip("0")


def _address(core: str) -> str | None:
    """An id or an address as it stands for itself, perhaps with a port; None if it is none."""
    if _is_uuid(core):
        return "<id>"
    for separator in ":-":
        pairs = core.split(separator)
        if len(pairs) == _MAC and all(len(pair) == _PAIR and _HEX.issuperset(pair) for pair in pairs):
            return "<mac>"
    bare = core.lstrip("/")
    lead = "/" if len(bare) < len(core) else ""
    host, colon, port = bare.partition(":")
    if _is_ipv4(host.partition("/")[0]) and (not colon or _DIGITS.issuperset(port)):
        return f"{lead}<ip>{':<num>' if port else ''}"
    groups = bare.partition("%")[0].split(":")
    is_short = "::" in bare or len(groups) == _IPV6_GROUPS
    if is_short and len(groups) > _PAIR and all(len(one) <= _QUARTET and _HEX.issuperset(one) for one in groups):
        return f"{lead}<ip>"
    return None


def _is_uuid(text: str) -> bool:
    return (
        len(text) == _UUID_LENGTH
        and tuple(map(len, text.split("-"))) == _UUID
        and _HEX.issuperset(text.replace("-", ""))
    )


def _is_ipv4(text: str) -> bool:
    parts = text.split(".")
    return len(parts) == _IPV4 and all(0 < len(part) <= _OCTET and _DIGITS.issuperset(part) for part in parts)


def _is_email(core: str) -> bool:
    local, _, domain = core.partition("@")
    last = domain.rpartition(".")[2]
    return bool(local and last.isalpha()) and "." in domain and "/" not in core and last not in _UNITS


def _path(core: str) -> str:
    """A path, or several as in PATH, with the line number behind it; `read/write` and `3/5` are none."""
    if core[1:3] in (":\\", ":/") and core[0].isalpha():
        return "<path>"
    return ":".join("<path>" if _is_path(part) else _runs(part) for part in core.split(":"))


def _is_path(part: str) -> bool:
    is_rooted = part.startswith(("/", "./", "../", "~/", "\\\\")) and any(map(str.isalnum, part))
    return is_rooted or part.count("/") >= _PATH_PARTS


def _is_host(core: str) -> bool:
    """A generated host name; `com.example.Main` and `example.org` are none: they are the same the next time."""
    first, _, rest = core.partition(".")
    last = rest.rpartition(".")[2]
    return not _DIGITS.isdisjoint(first) and not first.isdigit() and last.isalpha() and _HOST.issuperset(core)


def _runs(core: str) -> str:
    """The atom with its numbers and ids masked where letters and digits stand together."""
    if _DIGITS.isdisjoint(core):
        return core
    pieces: list[str] = []
    place, size = 0, len(core)
    while place < size:
        end = place + 1
        if core[place].isalnum():
            while end < size and core[end].isalnum():
                end += 1
        if end - place == _UUID[0] and _is_uuid(core[place : place + _UUID_LENGTH]):
            end = place + _UUID_LENGTH
            pieces.append("<id>")
        else:
            pieces.append(_run(core[place:end]))
        place = end
    return _decimals(pieces)


def _run(run: str) -> str:
    if _DIGITS.isdisjoint(run):
        return run
    if _DIGITS.issuperset(run):
        return "<num>"
    if run[:2] in ("0x", "0X") and _HEX.issuperset(run[2:]):
        return "<hex>"
    parts = _parts(run)
    if len(run) >= _SHORT_ID and (_HEX.issuperset(run) or len(parts) > _MIXED):
        return "<id>"
    numbers, words = parts[::2], parts[1::2]
    if run[0] in _DIGITS and len(parts) % 2 == 0 and numbers and _TIMES.issuperset(words):
        return "<span>"
    return "".join("<num>" if part[0] in _DIGITS else part for part in parts)


def _parts(run: str) -> list[str]:
    parts = [run[0]]
    for char in run[1:]:
        if (char in _DIGITS) == (parts[-1][-1] in _DIGITS):
            parts[-1] += char
        else:
            parts.append(char)
    return parts


def _decimals(pieces: list[str]) -> str:
    """`1.25`, `-3`, `+3` and `1.2.3` are one number; `0.25s` is one span."""
    if len(pieces) > 1 and pieces[0] in "+-" and pieces[1] in ("<num>", "<span>"):
        pieces = pieces[1:]
    joined: list[str] = []
    for piece in pieces:
        if piece.startswith(("<num>", "<span>")) and joined[-2:] == ["<num>", "."]:
            joined[-2:] = [piece]
        else:
            joined.append(piece)
    return "".join(joined)
