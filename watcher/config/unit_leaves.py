"""The name of a unit as a value of the file. Knows how the journal names units, nothing of where a value stands."""

from __future__ import annotations

from watcher.config.leaves import WrongError, line
from watcher.config.nodes import Node
from watcher.config.problem import quoted
from watcher.journal.patterns import PatternError
from watcher.journal.units import JobUnits, glob_pattern, is_glob, unit_name


def unit(node: Node) -> str:
    """A unit's name or glob, as `journalctl -u` takes it; release-watcher's own units are not among them."""
    value = line(node)
    try:
        named = unit_name(value)
        if is_glob(named):
            glob_pattern(named)
    except PatternError as error:
        raise WrongError(error.message, error.hint) from error
    if JobUnits([]).is_own(named.encode()):
        raise WrongError(f"{quoted(value)} is a unit of release-watcher, which never watches itself")
    return value
