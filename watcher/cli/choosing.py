"""Which rules a verb of `watcher rules` is asked for: the options `--config`, `--job` and `--pack`."""

from __future__ import annotations

import argparse
from collections.abc import Iterable

from watcher.config.catalog import Catalog, read_catalog
from watcher.paths import CONFIG


def catalog_of(args: argparse.Namespace, *, every_pack: bool = False) -> Catalog:
    """The rules that the options ask for. Where the usual configuration isn't there, rules can be looked at without.

    Raises ConfigError and CatalogError.
    """
    optional = args.config == CONFIG
    return read_catalog(args.config, optional=optional, job=args.job, packs=args.packs, every_pack=every_pack)


def every_name(args: argparse.Namespace, things: str) -> Iterable[str]:
    """The names of all packs, or of all rules (`things`), that there are. Raises ConfigError."""
    catalog = read_catalog(args.config, optional=args.config == CONFIG, every_pack=True)
    if things == "packs":
        return sorted(pack.name for pack in catalog.packs)
    names = [str(one.rule.name) for one in catalog.rules]
    return sorted(
        {name if names.count(name) == 1 else one.full_name for name, one in zip(names, catalog.rules, strict=True)}
    )
