"""Did you mean: the known word that is nearest to an unknown one. Knows words only."""

from __future__ import annotations

from collections.abc import Collection

from watcher.config.problem import quoted

_ALIKE = 0.6
_LISTED = 12
_LONGEST = 200


def did_you_mean(word: str, known: Collection[str], *, things: str) -> str:
    """A hint: the nearest of `known`, or all of them when none is near; `things` names them ("keys here")."""
    near = nearest(word, known)
    if near or not known:
        return near or f"there are no {things}"
    listed = ", ".join(sorted(known)[:_LISTED])
    return f"{things}: {listed}{', …' if len(known) > _LISTED else ''}"


def nearest(word: str, known: Collection[str]) -> str:
    """A hint that names the nearest of `known`, "" when none is near."""
    import difflib  # noqa: PLC0415 - only who makes a mistake waits for it

    found = difflib.get_close_matches(word[:_LONGEST], known, n=1, cutoff=_ALIKE)
    return f"did you mean {quoted(found[0])}?" if found else ""
