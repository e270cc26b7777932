"""Commands as a person can paste them into a shell. Nothing here is ever run."""

from __future__ import annotations

from collections.abc import Iterable
from string import ascii_letters, digits

_PLAIN = frozenset(ascii_letters + digits + "@%+=:,./-_")


def command_line(words: Iterable[str]) -> str:
    """The words as one line for sh; one that holds what does not print needs bash, zsh or a POSIX 2024 shell."""
    return " ".join(map(quote, words))


def quote(word: str) -> str:
    """One word that the shell takes as it is."""
    if word and _PLAIN.issuperset(word):
        return word
    if word.isprintable():
        return "'" + word.replace("'", "'\"'\"'") + "'"
    # three digits each: a shorter escape would swallow a digit that follows
    escaped = (chr(byte) if _is_plain(byte) else f"\\{byte:03o}" for byte in word.encode(errors="backslashreplace"))
    return f"$'{''.join(escaped)}'"


def _is_plain(byte: int) -> bool:
    return " " <= chr(byte) <= "~" and chr(byte) not in "'\\"
