"""`watcher schema`: the JSON Schema of the configuration, for editors."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

_EPILOG = """examples:
  watcher schema > watcher.schema.json
  watcher schema pack > pack.schema.json

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
    parser.add_argument("what", nargs="?", choices=("config", "pack"), default="config", help="default: config")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Prints the schema."""
    from watcher.config.schema import schema_of_config, schema_of_pack  # noqa: PLC0415 - pydantic is slow to load

    schema: dict[str, Any] = schema_of_pack() if args.what == "pack" else schema_of_config()
    sys.stdout.write(json.dumps(schema, indent=2, ensure_ascii=False) + "\n")
    return 0
