"""Which files of a directory belong to a configuration. Knows names only."""

from __future__ import annotations

from collections.abc import Iterable

DROP_INS = "conf.d"
SUFFIX = ".yaml"


def read_in_order(names: Iterable[str]) -> tuple[str, ...]:
    """The names that are read, in the order in which they are; hidden ones and other endings are not."""
    return tuple(sorted(name for name in names if name.endswith(SUFFIX) and not name.startswith(".")))
