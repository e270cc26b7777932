"""`watcher schema`: the JSON Schema of the configuration, of packs and of scenarios, for editors."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

_EPILOG = """examples:
  watcher schema > watcher.schema.json
  watcher schema pack > pack.schema.json
  watcher schema scenario > scenario.schema.json

An editor that knows YAML uses it with this first line in the file:
  # yaml-language-server: $schema=watcher.schema.json
"""


def add(subparsers: argparse._SubParsersAction[argparse.ArgumentParser], common: argparse.ArgumentParser) -> None:
    """Registers the verb."""
    parser = subparsers.add_parser(
        "schema",
        help="print the JSON Schema of the configuration",
        description=_EPILOG,
        parents=[common],
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "what", nargs="?", choices=("config", "pack", "scenario"), default="config", help="default: config"
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the schema."""
    from watcher.config import schema as schemas  # noqa: PLC0415 - pydantic is slow to load

    of = {"config": schemas.schema_of_config, "pack": schemas.schema_of_pack, "scenario": schemas.schema_of_scenario}
    schema: dict[str, Any] = of[args.what]()
    sys.stdout.write(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    return 0
