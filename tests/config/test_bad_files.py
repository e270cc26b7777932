"""One bad file for each mistake, and the exact text that a person is shown.

`python tests/config/test_bad_files.py` writes the expectations anew; read the difference like code.
"""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import pytest

from watcher.config.checkup import check_file

BAD = Path(__file__).parent / "bad"
FILES = sorted([*BAD.glob("*.yaml"), *BAD.glob("*/watcher.yaml")])


def name_of(file: Path) -> str:
    return file.stem if file.parent == BAD else file.parent.name


def shown(file: Path) -> str:
    """What `watcher check` shows of the file, with places as seen from the directory of bad files."""
    checkup = check_file(file)
    assert not checkup.is_usable
    text = "".join(f"{problem}\n" for problem in checkup.problems)
    return text.replace(f"{BAD}/", "").replace(str(resources.files("watcher.packs")), "PACKS")


@pytest.mark.parametrize("file", FILES, ids=name_of)
def test_bad_file(file: Path) -> None:
    """Every mistake is told at once, each with its place, its key, what is wrong and what to do."""
    assert (BAD / f"{name_of(file)}.expected").read_text(encoding="utf-8") == shown(file)


def test_every_expectation_belongs_to_a_file() -> None:
    """An expectation without its bad file tests nothing."""
    assert {name_of(file) for file in FILES} == {file.stem for file in BAD.glob("*.expected")}


if __name__ == "__main__":
    for bad in FILES:
        (BAD / f"{name_of(bad)}.expected").write_text(shown(bad), encoding="utf-8")
