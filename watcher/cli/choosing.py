"""Which rules a verb of `watcher rules` is asked for: the options `--config`, `--job` and `--pack`."""

from __future__ import annotations

import argparse

from watcher.config.catalog import Catalog, read_catalog
from watcher.paths import CONFIG


def catalog_of(args: argparse.Namespace, *, every_pack: bool = False) -> Catalog:
    """The rules that the options ask for. Where the usual configuration isn't there, rules can be looked at without.

    Raises ConfigError and CatalogError.
    """
    optional = args.config == CONFIG
    return read_catalog(args.config, optional=optional, job=args.job, packs=args.packs, every_pack=every_pack)
