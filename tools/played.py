"""Pages whose commands are run: what a page shows of a command is what the command printed.

In a page, a fenced block whose first line is ```` ```KIND FILE ```` is that file, and a `console` block is a session:
each line that begins with `$ ` is run by a shell, in a directory that holds the page's files alone, and what it prints
follows. So a reader who does as the page says sees what the page shows.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

_FENCE, _SESSION, _PROMPT = "```", "console", "$ "
_SECONDS = 60


def played(page: str) -> str:
    """The page with each session as it comes out now."""
    with tempfile.TemporaryDirectory() as directory:
        return "\n".join(_lines(page.split("\n"), Path(directory)))


def _lines(lines: list[str], directory: Path) -> Iterator[str]:
    rest = iter(lines)
    for line in rest:
        yield line
        if not line.startswith(_FENCE):
            continue
        block = list(_block(rest))
        kind, _, file = line.removeprefix(_FENCE).partition(" ")
        if kind == _SESSION:
            yield from _session(block, directory)
        else:
            if file:
                (directory / file).parent.mkdir(parents=True, exist_ok=True)
                (directory / file).write_text("".join(f"{one}\n" for one in block), encoding="utf-8")
            yield from block
        yield _FENCE


def _block(rest: Iterator[str]) -> Iterator[str]:
    for line in rest:
        if line == _FENCE:
            return
        yield line
    raise ValueError("a fenced block of the page has no end")


def _session(block: list[str], directory: Path) -> Iterator[str]:
    for line in block:
        if line.startswith(_PROMPT):
            yield line
            yield from _printed(line.removeprefix(_PROMPT), directory)


def _printed(command: str, directory: Path) -> list[str]:
    environment = {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "HOME": str(directory),
        "LANG": "C.UTF-8",
        "NO_COLOR": "1",
        "COLUMNS": "110",
        "TZ": "UTC",
    }
    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=directory,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_SECONDS,
        check=False,
    )
    return done.stdout.splitlines()
