"""`watcher init`: a first configuration of a job, from what its unit did in the last days."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from watcher.cli import exits
from watcher.cli.exits import UsageError
from watcher.cli.output import output_of
from watcher.core.errors import WatcherError
from watcher.core.names import LONGEST, is_safe_name
from watcher.core.text import shown
from watcher.paths import Paths

if TYPE_CHECKING:
    from watcher.config.settings import Settings

_EXAMPLES = """examples:
  watcher init import.service                     print a job for it, with the numbers that it goes by
  watcher init 'import@*.service' --since -30d    all instances of a template, a month back
  watcher init import.service --write             into conf.d, as import.yaml

Reads the unit's entries as the daemon would, tries every rule pack on them, and looks how often it runs and fails.
The mode is observe, and a rollback command is left for you to fill in. An existing file is never changed.
"""
_SHOWN = 120
_STARTERS = (".timer", ".path", ".socket")
_FACTS = ("Id", "LoadState", "Type", "TriggeredBy")


class InitError(WatcherError):
    """There is nothing to make a job from, or no place for it."""

    exit_code = exits.BAD_CONFIG


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb."""
    parser = subparsers.add_parser(
        "init",
        parents=[common],
        help="write a first configuration of a job, from its unit's last days",
        description=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("unit", metavar="UNIT", help="a unit or glob, as `journalctl -u` takes it")
    parser.add_argument("--name", metavar="NAME", help="of the job; default: that of the unit")
    parser.add_argument(
        "--since", metavar="T", default="-7d", help="how far back, as journalctl takes it; default: -7d"
    )
    parser.add_argument("--write", action="store_true", help="into conf.d/NAME.yaml beside the file of --config")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Survey the unit, and print or write the job."""
    from watcher.cli.instants import parse_instant  # noqa: PLC0415 - no other verb may pay for it
    from watcher.cli.sight import warn_if_blind  # noqa: PLC0415 - the same
    from watcher.clock import wall_clock  # noqa: PLC0415 - the same
    from watcher.proposal import Proposal  # noqa: PLC0415 - the same
    from watcher.survey import survey  # noqa: PLC0415 - the same

    config = Paths.choose(config=args.config, state=args.state_dir, socket=args.socket).config
    settings = _settings(config)
    if not args.unit.isprintable():
        raise UsageError(f"{shown(args.unit, limit=_SHOWN)}: is no unit", hint="as `journalctl -u` takes it")
    _check_runs(args.unit)
    name = _job_name(args.name, args.unit)
    if settings is not None and any(job.name == name for job in settings.jobs):
        raise InitError(f"{name}: there is such a job already", hint="give another one with --name")
    now = wall_clock()
    since = parse_instant(args.since, now)
    if since >= now:
        raise UsageError("--since does not lie in the past", hint="as in -7d")
    source = _source(settings)
    warn_if_blind(source, output_of(args))
    found = survey(source, args.unit, _packs(config), since=since, until=now)
    if not found.entries:
        raise InitError(
            f"{shown(args.unit, limit=_SHOWN)}: the journal holds no entry of it since {args.since}",
            hint=f"journalctl -u {shown(args.unit, limit=_SHOWN)} -n 5 shows its last ones; then give --since",
        )
    text = Proposal(job=name, survey=found, kind=_kind(args.unit, settings)).text()
    if not args.write:
        sys.stdout.write(text)
        return exits.OK
    path = _written(config.parent / "conf.d" / f"{name}.yaml", text)
    output_of(args).data({"schema": 1, "file": str(path), "job": name}, [str(path)])
    return exits.OK


def _check_runs(unit: str) -> None:
    """Only services run anything: what starts them, and a template without instances, logs nothing of a job.

    Raises UsageError for the others.
    """
    what = shown(unit, limit=_SHOWN)
    if unit.endswith(_STARTERS):
        raise UsageError(
            f"{what}: only starts the job, and the journal knows the job by its service",
            hint=f"systemctl show --value -p Triggers {what} names it",
        )
    if unit.endswith("@.service"):
        instances = shown(unit.replace("@.", "@*."), limit=_SHOWN)
        raise UsageError(f"{what}: is a template, and only its instances run", hint=f"watcher init '{instances}'")


def _settings(config: Path) -> Settings | None:
    """The configuration that the job will be added to, None if there is none yet. Raises ConfigError."""
    from watcher.config.load import load_settings  # noqa: PLC0415 - slow to load

    return load_settings(config) if config.exists() else None


def _source(settings: Settings | None) -> Any:
    from watcher.journal.source import Source  # noqa: PLC0415 - goes with reading

    if settings is None:
        return Source()
    directory = None if settings.journal_directory is None else str(settings.journal_directory)
    return Source(directory=directory, namespace=settings.journal_namespace)


def _packs(config: Path) -> dict[str, list[Any]]:
    """The rules of every pack that can be used, by its name: shipped ones, and the site's own."""
    from watcher.config.load import SITE_PACKS  # noqa: PLC0415 - slow to load
    from watcher.config.packs import load_packs, shipped_packs  # noqa: PLC0415 - the same

    shelf = load_packs(config.parent / SITE_PACKS, shipped_packs())
    return {
        name: [entry.rule for entry in pack.entries if entry.rule is not None]
        for name, pack in shelf.packs.items()
        if pack.is_whole
    }


def _job_name(given: str | None, unit: str) -> str:
    """The name that was given, or the unit's without suffix, instance and glob."""
    if given is not None:
        if not is_safe_name(given):
            raise UsageError(f"{shown(given, limit=_SHOWN)}: is no name for a job", hint="letters, digits, . _ and -")
        return given
    stem = unit.partition("@")[0].removesuffix(".service")
    name = "".join(char if is_safe_name(f"a{char}") else "-" for char in stem).strip("-._")[:LONGEST]
    if not is_safe_name(name):
        raise UsageError(f"{shown(unit, limit=_SHOWN)}: makes no name for a job", hint="give one with --name")
    return name


def _kind(unit: str, settings: Settings | None) -> str:
    """How systemd runs the unit, in words; "" where it can't be asked, or where the journal is another machine's."""
    from watcher.adapters import systemd  # noqa: PLC0415 - starts a process: slow to load
    from watcher.doctor.logging_of_units import representative, shown_name  # noqa: PLC0415 - the same
    from watcher.journal.units import unit_name  # noqa: PLC0415 - the same

    if not systemd.is_booted() or (settings is not None and settings.journal_directory is not None):
        return ""
    try:
        units = systemd.properties([representative(unit_name(unit))], _FACTS)
    except systemd.SystemdError:
        return ""  # the journal alone tells enough
    for facts in units:
        if facts.get("LoadState") == "loaded":
            by = f", started by {facts['TriggeredBy']}" if facts.get("TriggeredBy") else ""
            return f"systemd runs {shown_name(facts['Id'])} as Type={facts.get('Type', '?')}{by}."
    return ""


def _written(path: Path, text: str) -> Path:
    try:
        path.parent.mkdir(mode=0o755, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except FileExistsError as error:
        raise InitError(f"{path}: exists", hint="give another --name, or leave --write out and look at both") from error
    except OSError as error:
        raise InitError(f"{path}: {error.strerror}", hint="run it as the user that owns the configuration") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path
