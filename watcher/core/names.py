"""Names and ids: what they may look like, so that each is safe as a file name and as a metric label."""

from __future__ import annotations

from string import ascii_letters, digits
from typing import NewType

JobName = NewType("JobName", str)
RuleName = NewType("RuleName", str)
ReleaseId = NewType("ReleaseId", str)

_FIRST = frozenset(ascii_letters + digits)
_REST = _FIRST | frozenset("._-")
LONGEST = 64


def is_safe_name(text: str) -> bool:
    """Whether `text` is `[A-Za-z0-9][A-Za-z0-9._-]{0,63}`: jobs, rules, packs and release ids are.

    Such a name is a plain file name, an instance name of a systemd unit and one word in a shell.
    """
    return 0 < len(text) <= LONGEST and text[0] in _FIRST and _REST.issuperset(text)
