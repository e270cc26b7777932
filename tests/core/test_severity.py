"""The order of severities."""

from __future__ import annotations

from itertools import product

import pytest

from watcher.core.severity import Severity

WORST_FIRST = [Severity.CRITICAL, Severity.ERROR, Severity.WARNING, Severity.INFO]


@pytest.mark.parametrize(("one", "limit"), list(product(range(4), range(4))))
def test_as_bad_or_worse(one: int, limit: int) -> None:
    """Worse comes first, and each is as bad as itself."""
    assert (one <= limit) is WORST_FIRST[one].at_least(WORST_FIRST[limit])


def test_the_words_are_the_contracts() -> None:
    """Rules and metric labels use them."""
    assert ["critical", "error", "warning", "info"] == [str(severity) for severity in Severity]
