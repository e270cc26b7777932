"""A rule, and a job with its rules, as plain data: built by `config/`, compiled and applied in `journal/`."""

from __future__ import annotations

from dataclasses import dataclass

from watcher.core.names import JobName, RuleName
from watcher.core.severity import Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldCondition:
    """A condition on one journal field: one of `values`, or (PRIORITY only) a number up to or from a bound.

    Exactly one of the three is set. PRIORITY counts downwards in badness: `at_most=4` is "warning and worse".
    """

    field: str
    values: tuple[str, ...] = ()
    at_most: int | None = None
    at_least: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TextCondition:
    """A condition on a field of a MESSAGE that is a JSON object or logfmt.

    It holds if the field of any of `names` is one of `values`, which are in small letters and are compared without
    regard to case, or a whole number in one of `ranges`, both ends included; None is no end. One of the two is set.
    """

    names: tuple[str, ...]
    values: tuple[str, ...] = ()
    ranges: tuple[tuple[int, int | None], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `match`, `unless`, `until`, `continues` and the values of `capture` are RE2 patterns on MESSAGE.

    At least one of `match`, `message_id` and `fields` is set. `once` is "run" for rules that together count a run's
    failure once, however many records PID 1 writes about it. `until` joins the following entries of the same stream
    up to the one that it matches, `continues` those that it matches, so that they can't match again; only one of the
    two is set. `capture` names texts to keep as evidence.
    """

    name: RuleName
    severity: Severity
    pack: str = ""
    match: str | None = None
    unless: str | None = None
    message_id: str | None = None
    fields: tuple[TextCondition, ...] = ()
    where: tuple[FieldCondition, ...] = ()
    until: str | None = None
    continues: str | None = None
    once: str | None = None
    capture: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedJob:
    """What the reader has to know of a job.

    `units` as `journalctl -u` takes them, globs included; `identifiers` are values of SYSLOG_IDENTIFIER. `kinds`: tell
    the kind of each error, too, which costs a look at the priority of each entry. `expected` is the line that a release
    waits for, which counts as no error. `run_as` is the uid whose `watcher job exec` is believed beside root's.
    """

    name: JobName
    units: tuple[str, ...]
    identifiers: tuple[str, ...]
    rules: tuple[Rule, ...]
    kinds: bool = False
    expected: Rule | None = None
    run_as: int | None = None

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """Everything that its entries are matched against; the expected line comes last."""
        return self.rules if self.expected is None else (*self.rules, self.expected)
