"""Imports point one way, the core is pure, and a script's verb stays light.

`cli -> daemon -> adapters, journal, config -> core`. The tables below are the whole of what is allowed; an entry that
is more than a layer's own has its reason beside it.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "watcher"

BELOW = {
    "watcher.core": (),
    "watcher.clock": ("watcher.core",),
    "watcher.paths": (),
    "watcher.dispatch": ("watcher.core.names",),
    # What root's dispatcher reads of the configuration, by the same strict reader as the daemon's; no pydantic in it.
    "watcher.dispatch.dispatcher": ("watcher.core.names", "watcher.config.nodes"),
    "watcher.dispatch.plan": (
        "watcher.core.names",
        "watcher.core.duration",
        "watcher.config.document",
        "watcher.config.folder",
        "watcher.config.leaves",
        "watcher.config.merge",
        "watcher.config.nodes",
        "watcher.config.problem",
    ),
    "watcher.journal": ("watcher.core",),
    # The named crash points, in one form for every process: where the daemon and its reader can be made to die.
    "watcher.journal.process": ("watcher.core", "watcher.dispatch.failpoint"),
    "watcher.journal.supervisor": ("watcher.core", "watcher.dispatch.failpoint"),
    "watcher.config": (
        "watcher.core",
        # The rules' own tests run as the reader would run them; neither of these imports libsystemd.
        "watcher.journal.matcher",
        "watcher.journal.invocations",
        "watcher.journal.patterns",
        "watcher.journal.units",
    ),
    "watcher.adapters": ("watcher.core",),
    # The daemon's own side of the claim directory: one knowledge of its files, in the package that root trusts.
    "watcher.adapters.rollback": ("watcher.core", "watcher.dispatch"),
    "watcher.adapters.dispatched": ("watcher.core", "watcher.dispatch"),
    "watcher.adapters.handover": ("watcher.core", "watcher.dispatch"),
    # Looks at all of it from outside: reads configuration and journal, and asks systemd.
    "watcher.doctor": (
        "watcher.core",
        "watcher.config",
        "watcher.journal",
        "watcher.adapters.systemd",
        "watcher.dispatch.plan",  # what root's dispatcher would refuse, by its own judgement
        "watcher.clock",
        "watcher.paths",
    ),
    "watcher.survey": ("watcher.core", "watcher.journal"),
    "watcher.proposal": ("watcher.core", "watcher.survey"),
    "watcher.replay": ("watcher.core",),
    "watcher.backtest": ("watcher.core",),
    # Entries from a file through the daemon's own reading and judging: the parts put together, as in `watcher.daemon`.
    "watcher.matching": ("watcher.core", "watcher.journal"),
    "watcher.scenario": ("watcher.core", "watcher.journal", "watcher.config", "watcher.replay"),
    "watcher.desk": ("watcher.core", "watcher.adapters", "watcher.dispatch.failpoint"),
    "watcher.notebook": ("watcher.core", "watcher.adapters", "watcher.journal", "watcher.dispatch.failpoint"),
    # The native protocol of the journal: one knowledge of it, in the package that root trusts.
    "watcher.adapters.mark": ("watcher.core", "watcher.dispatch.files"),  # a small file, whole or not there
    "watcher.adapters.log": ("watcher.core", "watcher.dispatch.voice"),
    "watcher.heartbeat": ("watcher.adapters", "watcher.dispatch.voice", "watcher.journal.source"),
    "watcher.service": (
        "watcher.core",
        "watcher.adapters",
        "watcher.clock",
        "watcher.heartbeat",
        "watcher.journal.source",
    ),
    "watcher.listeners": ("watcher.core", "watcher.adapters"),
    "watcher.waiting": ("watcher.core",),
    "watcher.configured": (
        "watcher.core",
        "watcher.config",
        "watcher.clock",
        "watcher.adapters",
        "watcher.dispatch.plan",
        "watcher.doctor.program",  # a command that is not there: one judgement of it, a small one
        "watcher.journal.source",
        "watcher.journal.wire",
    ),
    "watcher.rereading": ("watcher.core", "watcher.journal", "watcher.configured"),
    "watcher.rollbacks": ("watcher.core", "watcher.adapters", "watcher.clock", "watcher.dispatch.failpoint"),
    "watcher.lookback": ("watcher.core",),
    "watcher.daemon": (
        "watcher.core",
        "watcher.adapters",
        "watcher.journal",
        "watcher.config",
        "watcher.clock",
        "watcher.paths",
        "watcher.desk",
        "watcher.lookback",
        "watcher.notebook",
        "watcher.rollbacks",
        "watcher.waiting",
        "watcher.configured",
        "watcher.rereading",
        "watcher.listeners",
        "watcher.service",
    ),
    # How its process comes to be and ends.
    "watcher.launch": (
        "watcher.core",
        "watcher.adapters",
        "watcher.config",
        "watcher.clock",
        "watcher.paths",
        "watcher.daemon",
    ),
    "watcher.cli": ("watcher",),
    "watcher.__main__": ("watcher.cli",),
}
"""For each part what of ours it may import besides itself; the longest name that fits a module counts."""

ADAPTERS = (
    {
        "store",
        "database",
        "schema",
        "mark",
        "ballast",
        "damage",
        "traces",
        "place",
    },  # the database, its migrations, and what lies beside it
    {"log", "message_ids"},  # the entries and their ids
    {"lock", "foreign"},  # the state directory: locked if it is free, and one to be used at all
    {"rollback", "dispatched", "handover"},  # two ways to hand a rollback over, and what they share
    # Both sockets show the same pages and errors of the same daemon, which is the Protocol in `front`.
    {
        "front",
        "accounts",
        "gate",
        "listener",
        "problem",
        "bodies",
        "reads",
        "standing",
        "overview",
        "pages",
        "metrics",
        "control",
        "web",
        "server",
    },
)
"""Adapters that are more than one file; files of different adapters do not import each other."""

CORE_MAY_USE = {
    "__future__",
    "collections.abc",
    "dataclasses",
    "datetime",  # shows an instant to people; the clock in it is banned by name
    "enum",
    "functools",
    "hashlib",  # a short key of a text; never of a secret
    "itertools",
    "math",
    "operator",
    "string",
    "types",
    "typing",
    "unicodedata",
}
CORE_MAY_NOT_CALL = {"open", "print", "input", "eval", "exec", "compile", "__import__", "breakpoint"}

HOMES = {
    "systemd": {"watcher.journal"},
    "re2": {"watcher.journal", "watcher.config"},
    "yaml": {"watcher.config"},
    "pydantic": {"watcher.config", "watcher.adapters.bodies"},
    "pydantic_core": {"watcher.config"},
    "aiohttp": {"watcher.adapters"},
    "jinja2": {"watcher.adapters.pages"},
    "prometheus_client": {"watcher.adapters.metrics"},
}
"""Where each package from outside may be imported; a name that is not here is a new dependency (docs/decisions.md)."""

UNTESTED = {"errors", "excerpt", "found", "job_runs", "messages", "policy", "reason", "release", "rule", "standing"}
"""Modules of the core that hold data and no decision, so have no test file of their own. May only shrink."""


@cache
def _sources() -> dict[str, ast.Module]:
    """Every module of the package by its name."""
    return {_name(path): ast.parse(path.read_bytes()) for path in sorted(PACKAGE.rglob("*.py"))}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(module: str) -> Iterator[str]:
    """What a module imports, also inside functions; a submodule by its own name, not by its package's."""
    for node in ast.walk(_sources()[module]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{module}: a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in _sources() else node.module


def _inside(module: str, part: str) -> bool:
    return module == part or module.startswith(f"{part}.")


def _part(module: str) -> str | None:
    return max((part for part in BELOW if _inside(module, part)), key=len, default=None)


def _modules(part: str) -> list[str]:
    return [module for module in _sources() if _inside(module, part)]


def _package(module: str) -> str:
    return ".".join(module.split(".")[:2])


def test_every_module_has_its_place() -> None:
    """A new part of the program is put into the table, with its layer, before it is used."""
    placeless = {module for module in _sources() if _part(module) is None}
    assert placeless <= {"watcher", "watcher.packs"}


@pytest.mark.parametrize("module", [module for module in _sources() if _part(module) is not None])
def test_imports_point_one_way(module: str) -> None:
    """A module imports its own package and what lies below it."""
    part = _part(module)
    assert part is not None
    allowed = (_package(module), *BELOW[part], *(["watcher"] if part == "watcher.daemon" else []))
    ours = {name for name in _imports(module) if _inside(name, "watcher")}
    # The bare package holds the version and nothing else; it counts as itself, not as all that is in it.
    upwards = {name for name in ours if name != "watcher" and not any(_inside(name, one) for one in allowed if one)}
    assert set() == upwards


def test_nothing_imports_in_a_circle() -> None:
    """Each module can be read, and loaded, after those that it imports."""
    graph = {module: {name for name in _imports(module) if name in _sources()} - {module} for module in _sources()}
    try:
        order = list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(error.args[1])}")
    assert len(_sources()) == len(order)


@pytest.mark.parametrize("module", _modules("watcher.adapters"))
def test_adapters_do_not_import_each_other(module: str) -> None:
    """One may be several files, as the table says; what two of them need belongs into the core or the daemon."""
    file = module.rpartition(".")[2]
    own = next((files for files in ADAPTERS if file in files), {file})
    others = {name.rpartition(".")[2] for name in _imports(module) if _inside(name, "watcher.adapters")}
    assert set() == others - own


def test_nothing_but_the_daemon_imports_a_socket() -> None:
    """The two sockets are the ends of their adapter: the shared files do not know them."""
    users = {
        module
        for module in _sources()
        for name in _imports(module)
        if name in ("watcher.adapters.control", "watcher.adapters.web")
    }
    assert users <= {"watcher.listeners"}


@pytest.mark.parametrize("module", _modules("watcher.core"))
def test_the_core_takes_data_modules_only(module: str) -> None:
    """Itself and those of the standard library; no `re`, no clock, no system."""
    foreign = {name for name in _imports(module) if not _inside(name, "watcher.core")}
    assert set() == foreign - CORE_MAY_USE


@pytest.mark.parametrize("module", _modules("watcher.core"))
def test_the_core_does_nothing(module: str) -> None:
    """It neither waits nor opens nor prints; it answers."""
    waits = (ast.AsyncFunctionDef, ast.AsyncFor, ast.AsyncWith, ast.Await)
    for node in ast.walk(_sources()[module]):
        assert not isinstance(node, waits), f"{module}:{node.lineno}: async"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in CORE_MAY_NOT_CALL, f"{module}:{node.lineno}: {node.func.id}()"
        if isinstance(node, ast.Attribute):
            assert node.attr not in ("now", "utcnow", "today"), f"{module}:{node.lineno}: a clock"


@pytest.mark.parametrize("module", _modules("watcher.dispatch"))
def test_what_root_runs_takes_the_standard_library_only(module: str) -> None:
    """Nothing that somebody installed is loaded with root's rights."""
    foreign = {name for name in _imports(module) if name.partition(".")[0] not in sys.stdlib_module_names}
    allowed = {"watcher.core.names", *BELOW["watcher.dispatch.plan"]}
    assert {name for name in foreign if not _inside(name, "watcher.dispatch")} <= allowed


@pytest.mark.parametrize("module", list(_sources()))
def test_a_package_from_outside_stays_in_its_home(module: str) -> None:
    """The journal's library in the reader, pydantic at the border, templates at the page: one place each."""
    for name in _imports(module):
        package = name.partition(".")[0]
        if package != "watcher" and package not in sys.stdlib_module_names:
            assert package in HOMES, f"{module} imports {package}: a new dependency?"
            assert any(_inside(module, home) for home in HOMES[package]), f"{module} imports {package}"


@pytest.mark.parametrize("module", list(_sources()))
def test_nothing_is_swallowed(module: str) -> None:
    """No bare `except`, and no handler that does nothing at all."""
    for node in ast.walk(_sources()[module]):
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{module}:{node.lineno}: bare except"
            assert not all(map(_is_nothing, node.body)), f"{module}:{node.lineno}: except: pass"


def _is_nothing(statement: ast.stmt) -> bool:
    constant = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return constant or isinstance(statement, ast.Pass)


@pytest.mark.parametrize("module", list(_sources()))
def test_every_file_says_what_it_knows(module: str) -> None:
    """The first docstring is where a reader begins."""
    assert ast.get_docstring(_sources()[module])


def test_every_module_of_the_core_has_its_own_tests() -> None:
    """One test file a module; the exceptions may only shrink."""
    modules = {path.stem for path in (PACKAGE / "core").glob("*.py")} - {"__init__"}
    tested = {path.stem.removeprefix("test_") for path in (ROOT / "tests" / "core").glob("test_*.py")}
    assert UNTESTED == modules - tested


# ---------------------------------------------------------------------------------------------- fresh interpreters

_LOADED = """
import json, sys
sys.argv = ["watcher", *json.loads(sys.argv[1])]
from watcher.cli.main import entry
try:
    code = entry()
except SystemExit as end:
    code = end.code
print(json.dumps([code, sorted(sys.modules)]), file=sys.__stdout__)
"""
HEAVY = {"aiohttp", "pydantic", "re2", "yaml", "systemd", "jinja2", "prometheus_client", "sqlite3", "asyncio"}


@pytest.mark.parametrize("verb", [["release", "start", "import", "--version", "2.0"], ["status"], ["release", "list"]])
def test_a_clients_verb_is_light(verb: list[str], tmp_path: Path) -> None:
    """A deploy script waits for it: parsing and asking a daemon that is not there load none of the heavy packages."""
    arguments = [*verb, "--socket", str(tmp_path / "control.sock")]
    ran = subprocess.run(
        [sys.executable, "-c", _LOADED, json.dumps(arguments)], capture_output=True, text=True, check=False, timeout=30
    )
    assert ran.stdout, ran.stderr
    code, loaded = json.loads(ran.stdout.splitlines()[-1])
    assert 69 == code, ran.stderr
    assert set() == HEAVY & set(loaded)


def test_what_root_runs_loads_little() -> None:
    """In isolated mode and without site packages, the dispatcher's parts load nothing but the standard library."""
    program = f"import sys; sys.path.insert(0, {str(ROOT)!r}); import watcher.dispatch.once; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=True)
    ours = {name for name in ran.stdout.split() if _inside(name, "watcher")}
    assert {name for name in ours if not _inside(name, "watcher.dispatch")} <= {"watcher", "watcher.core.names"}
    assert not any(name.partition(".")[0] in HOMES for name in ran.stdout.split())
