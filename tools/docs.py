"""`make docs`: writes what the documentation repeats of the code; with `--check` it says what is out of date instead.

`docs/windows.md` comes from the tables of phases, the schemas from the configuration's models, `docs/commands.md`
from each verb's `--help`, and the manual pages in `deploy/man` from the command line's grammar and the schema. The
sessions in `docs/rules.md` are run, and show what came of it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any

from tools.man import watcher_1, watcher_yaml_5
from tools.played import played
from watcher.cli.grammar import grammar_of
from watcher.cli.main import parser
from watcher.config.schema import schema_of_config, schema_of_pack, schema_of_scenario
from watcher.core.release import Phase, RollbackState
from watcher.core.windows import PHASES, ROLLBACKS

DOCS = Path(__file__).parent.parent / "docs"
MANUAL = "../deploy/man"


def pages() -> dict[str, str]:
    """Every generated page by its file name."""
    return {
        "windows.md": _windows(),
        "watcher.schema.json": _as_text(schema_of_config()),
        "pack.schema.json": _as_text(schema_of_pack()),
        "scenario.schema.json": _as_text(schema_of_scenario()),
        "commands.md": _commands(),
        "rules.md": played(_kept("rules.md")),
        f"{MANUAL}/watcher.1": watcher_1(),
        f"{MANUAL}/watcher.yaml.5": watcher_yaml_5(),
    }


def main(arguments: list[str]) -> int:
    """Write the pages, or with `--check` name those that are out of date; returns an exit code."""
    stale = [name for name, text in pages().items() if _kept(name) != text]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/{name} is out of date: run `make docs`", file=sys.stderr)
        return 1 if stale else 0
    for name, text in pages().items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(text, encoding="utf-8")
    print(f"written: {', '.join(stale) or 'nothing new'}")
    return 0


def _kept(name: str) -> str:
    path = DOCS / name
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _windows() -> str:
    return f"""# Phases and states

Made from the tables in `watcher/core/windows.py` by `make docs`. What stands in no table can't happen.

## Phases of a release

`preparing` waits for `watcher release deployed`; `watching` is the watch window.
The others are final.

{_diagram(PHASES, first="[*]", begins=(Phase.PREPARING, Phase.WATCHING))}
## States of its rollback

`held` waits for a person (mode ask, a pause, a late decision, a shared cause, changed rules, the budget of an hour).
`unknown` is a command that was interrupted: nobody can say what it has done, so a person must look. Nothing leads from
`running` to a second run. Whether a rollback that `succeeded` helped is no state of it: `helped` tells.

{_diagram(ROLLBACKS, first="[*]", begins=(RollbackState.NONE,))}"""


def _diagram(
    table: Mapping[Phase, frozenset[Phase]] | Mapping[RollbackState, frozenset[RollbackState]],
    *,
    first: str,
    begins: tuple[StrEnum, ...],
) -> str:
    lines = [f"    {first} --> {begin}" for begin in begins]
    for before, moves in table.items():
        lines += [f"    {before} --> {after}" for after in sorted(moves)]
    return "\n".join(["```mermaid", "stateDiagram-v2", *lines, "```", ""])


def _as_text(schema: dict[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _commands() -> str:
    parts = ["# The command line\n\nMade from `watcher … --help` by `make docs`.\n"]
    parts += [f"## {' '.join(verb.path)}\n\n```\n{_help(verb.path[1:])}```\n" for verb in grammar_of(parser()).walk()]
    return "\n".join(parts)


def _help(verb: tuple[str, ...]) -> str:
    environment = {**os.environ, "COLUMNS": "110", "NO_COLOR": "1"}
    argv = [sys.executable, "-m", "watcher", *verb, "--help"]
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=environment).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
