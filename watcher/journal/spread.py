"""Where the readers of several hosts stand: their positions as one text, which is stored like that of a single one.

Knows texts only; must not know readers.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from watcher.core.duration import Usec
from watcher.journal.position import Position, PositionError

VERSION = 2
"""Version 1 is the text of a single position."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a host was read: the text of its position. `is_gone`: the directory holds nothing of it at present."""

    host: str
    position: str
    is_gone: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """The places of all hosts, and the instant `began` from which on a host is read that is not among them."""

    began: Usec
    places: tuple[Place, ...]

    def to_text(self) -> str:
        """One line of JSON, for `from_text`."""
        # put together from texts: a position may be long, and this is written with each batch
        places = ",".join(
            f'{{"host":{json.dumps(place.host)},"gone":{json.dumps(place.is_gone)},"position":{place.position}}}'
            for place in self.places
        )
        return f'{{"v":{VERSION},"began":{self.began},"hosts":[{places}]}}'

    @classmethod
    def from_text(cls, text: str) -> Spread:
        """What `to_text` wrote.

        Raises PositionError: not such a text, whatever is wrong with it.
        """
        try:
            data = json.loads(text)
            if data["v"] != VERSION:
                raise PositionError(f"journal position of version {data['v']!r} is none of several hosts")
            places = tuple(
                Place(host="" + place["host"], position=_checked(place["position"]), is_gone=bool(place["gone"]))
                for place in data["hosts"]
            )
            return cls(began=Usec(int(data["began"])), places=places)
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
            raise PositionError(f'"{text[:120]}" is no position of several hosts') from error


def _checked(data: object) -> str:
    text = json.dumps(data, separators=(",", ":"))
    Position.from_text(text)
    return text
