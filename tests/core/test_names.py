"""Names and ids that are safe everywhere."""

from __future__ import annotations

import pytest

from watcher.core.names import LONGEST, is_safe_name


@pytest.mark.parametrize("name", ["a", "Z9", "import", "import-2026.1_x", "9lives", "a" * LONGEST])
def test_a_plain_word_is_safe(name: str) -> None:
    """Letters and digits, and after the first also dots, dashes and underscores, up to the longest."""
    assert is_safe_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "-rf",
        "_x",
        "a b",
        "a/b",
        "../a",
        "a\n",
        "\x00",
        "a@b",
        "ä",
        "a" * (LONGEST + 1),
        "a\\",
    ],
)
def test_whatever_means_something_to_a_shell_a_path_or_systemd_is_not(name: str) -> None:
    """No separator, no option, no hidden file, no control character, no instance mark, nothing too long."""
    assert not is_safe_name(name)
