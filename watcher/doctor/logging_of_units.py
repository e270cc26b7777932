"""Whether what a unit prints reaches the journal that is read, judged by the unit's properties. Pure.

`release start` asks this too, so it stays light. Source: systemd.exec(5), and what `systemctl show` prints for it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from watcher.doctor.finding import Finding, Weight

CHECK = "units"
PROPERTIES = (
    "Id",
    "LoadState",
    "LogNamespace",
    "LogLevelMax",
    "LogFilterPatterns",
    "StandardOutput",
    "StandardError",
    "LogRateLimitIntervalUSec",
    "LogRateLimitBurst",
)
_NOT_SET = ("", "0", "-1")
_INFORMATIONAL = 6
_FILE = "written to a file"
_ELSEWHERE = {"null": "thrown away", "file": _FILE, "append": _FILE, "truncate": _FILE}
_INSTANCE = "watcher-check"
_WILD = frozenset("*?[")
_SMALL_BURST = 1000
RAISED = "LogRateLimitBurst=1000000"
"""What lifts the limit of a unit. 0 does not: to PID 1 it is "not set", and journald's own limit applies
(https://github.com/systemd/systemd/issues/22034; so seen with systemd 252 and 257)."""


def representative(unit: str) -> str:
    """A unit that systemctl can be asked about in place of a glob over the instances of one template."""
    stem, at, rest = unit.partition("@")
    if not at or not _WILD.isdisjoint(stem) or _WILD.isdisjoint(rest) or "." not in rest:
        return unit
    kind = rest.rpartition(".")[2]
    return unit if not _WILD.isdisjoint(kind) else f"{stem}@{_INSTANCE}.{kind}"


def shown_name(unit: str) -> str:
    """The name that a person knows: of the instance that stands for all of its template, the template."""
    return unit.replace(f"@{_INSTANCE}.", "@.")


def losses(unit: Mapping[str, str], *, job: str, namespace: str | None) -> Iterator[Finding]:
    """What of the unit's entries is not in the journal `namespace` (None: the machine's), one finding a reason.

    A property that this systemd does not tell is taken as not set.
    """
    name = shown_name(unit.get("Id", "?"))
    edit = f"systemctl edit {name}"

    def warning(what: str, hint: str) -> Finding:
        return Finding(check=CHECK, weight=Weight.WARNING, what=f"{name}: {what}", hint=hint, job=job)

    other = unit.get("LogNamespace", "")
    if other != (namespace or ""):
        where = f"the journal namespace {other}" if other else "the machine's journal"
        key = f"set journal.namespace: {other}" if other else "leave journal.namespace out"
        yield warning(f"logs into {where}, which is not the one that is read", f"{key}, or `{edit}` and LogNamespace=")
    level = unit.get("LogLevelMax", "")
    if level.isdecimal() and int(level) < _INFORMATIONAL:
        what = f"LogLevelMax={level} drops entries of a higher priority number; plain output has 6"
        yield warning(what, f"`{edit}` and LogLevelMax=debug")
    if unit.get("LogFilterPatterns", ""):
        yield warning("LogFilterPatterns= keeps entries out of the journal", f"`{edit}` and LogFilterPatterns=")
    for stream in ("StandardOutput", "StandardError"):
        kind = unit.get(stream, "").partition(":")[0]
        if kind in _ELSEWHERE:
            what = f"{stream}={kind}: what it prints there is {_ELSEWHERE[kind]}, not logged"
            yield warning(what, f"`{edit}` and {stream}=journal")
    burst = unit.get("LogRateLimitBurst", "")
    interval = unit.get("LogRateLimitIntervalUSec", "")
    span = "30s" if interval in _NOT_SET else interval
    if burst not in _NOT_SET and burst.isdecimal() and int(burst) < _SMALL_BURST:
        what = f"more than {burst} entries in {span} are dropped; a window in which that happens can't pass"
        yield warning(what, f"`{edit}` and {RAISED}")
