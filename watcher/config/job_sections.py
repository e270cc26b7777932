"""The keys of the configuration's file: which there are, what each may say, and what it is when left out.

What must hold between them is in `consistency.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Annotated, Any

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from watcher.config import leaves, unit_leaves
from watcher.config.findings import from_wrong
from watcher.config.leaves import WrongError
from watcher.config.nodes import Node, ScalarNode
from watcher.config.rule_sections import RuleSection
from watcher.config.section import TEXT, Name, NameKey, Pattern, Section, SeverityWord, Text, goes_with, leaf, one_of
from watcher.core.duration import HOUR, MINUTE, Usec
from watcher.core.new_errors import PENDING_KEPT
from watcher.core.policy import ROLLBACKS_PER_HOUR, Blame, Mode, SharedCause
from watcher.core.severity import Severity

_DURATION = {
    "type": "string",
    "pattern": "^([0-9]+y)?([0-9]+w)?([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?([0-9]+ms)?$",
    "minLength": 1,
}
_ARGV = {"type": "array", "items": TEXT, "minItems": 1}


LOOKBACK = Usec(14 * 24 * HOUR)


def _ratio(node: Node) -> float:
    return leaves.number(node, above=0, below=1, or_equal=True)


def _confidence(node: Node) -> float:
    return leaves.number(node, above=0, below=1)


def _factor(node: Node) -> float:
    return leaves.number(node, above=1)


Flag = Annotated[bool, leaf(leaves.flag), WithJsonSchema({"type": "boolean"})]
Count = Annotated[int, leaf(leaves.count), WithJsonSchema({"type": "integer", "minimum": 1})]
MatchCount = Annotated[
    int,
    leaf(leaves.count_up_to(leaves.MOST_MATCHES)),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": leaves.MOST_MATCHES}),
]
ErrorCount = Annotated[
    int,
    leaf(leaves.count_up_to(PENDING_KEPT)),
    WithJsonSchema({"type": "integer", "minimum": 1, "maximum": PENDING_KEPT}),
]
Span = Annotated[Usec, leaf(leaves.span), WithJsonSchema(_DURATION)]
PositiveSpan = Annotated[Usec, leaf(leaves.positive_span), WithJsonSchema(_DURATION)]
WindowSpan = Annotated[Usec, leaf(leaves.window), WithJsonSchema(_DURATION)]
RollbackSpan = Annotated[Usec, leaf(leaves.rollback_timeout), WithJsonSchema(_DURATION)]
Address = Annotated[
    tuple[str, int] | None,
    leaf(leaves.address),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": "^.+:[0-9]{1,5}$"}, {"type": "null"}]}),
]
Argv = Annotated[tuple[str, ...], leaf(leaves.argv), WithJsonSchema(_ARGV)]
User = Annotated[str, leaf(leaves.user), WithJsonSchema(TEXT)]
FilePath = Annotated[str, leaf(leaves.line), WithJsonSchema({"type": "string"})]
Unit = Annotated[str, leaf(unit_leaves.unit), WithJsonSchema({"type": "string", "minLength": 1})]
SharedCauseWord = Annotated[SharedCause, leaf(leaves.choice(SharedCause)), WithJsonSchema({"enum": list(SharedCause)})]
BlameWord = Annotated[Blame, leaf(leaves.choice(Blame)), WithJsonSchema({"enum": list(Blame)})]
ModeWord = Annotated[Mode, leaf(leaves.choice(Mode)), WithJsonSchema({"enum": list(Mode)})]
VersionWord = Annotated[int, leaf(leaves.version), WithJsonSchema({"const": 1})]
Ratio = Annotated[float, leaf(_ratio), WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "maximum": 1})]
Confidence = Annotated[
    float,
    leaf(_confidence),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1}),
]
Factor = Annotated[float, leaf(_factor), WithJsonSchema({"type": "number", "exclusiveMinimum": 1})]


class MatchesSection(Section):
    """So many matches of a severity and worse, or of one rule."""

    severity: SeverityWord | None = Field(default=None, description="of this severity and worse")
    rule: Name | None = Field(default=None, description="of this rule")
    count: MatchCount = Field(default=1, description="how many fail the release")
    within: PositiveSpan | None = Field(default=None, description="in a span this long; left out: in the whole window")

    @classmethod
    def complaints(cls, given: AbstractSet[str]) -> Iterator[WrongError]:
        """What is wrong with these keys standing together."""
        yield from one_of(given, "severity", "rule")


class FailedRunsSection(Section):
    """So many failed runs, or such a share of them."""

    count: Count | None = Field(default=None, description="how many fail the release")
    consecutive: Flag | None = Field(default=None, description="with count: one after the other")
    ratio: Ratio | None = Field(default=None, description="failed runs of all runs")
    min_runs: Count | None = Field(default=None, description="with ratio: judged from so many runs on; left out: 5")

    @classmethod
    def complaints(cls, given: AbstractSet[str]) -> Iterator[WrongError]:
        """What is wrong with these keys standing together."""
        yield from one_of(given, "count", "ratio")
        yield from goes_with(given, "consecutive", "count")
        yield from goes_with(given, "min_runs", "ratio")


class AboveBaselineSection(Section):
    """More matches than the same job had before the release."""

    severity: SeverityWord = Field(default=Severity.ERROR, description="of this severity and worse")
    factor: Factor = Field(default=3.0, description="how many times the old rate")
    confidence: Confidence = Field(default=0.999, description="how sure it must be")
    lookback: PositiveSpan = Field(
        default=LOOKBACK,
        json_schema_extra={"default": "14d"},
        description="how far back the old rate is read",
    )


class NewErrorsSection(Section):
    """Kinds of errors that the job did not have before the release."""

    count: ErrorCount = Field(default=1, description="how many fail the release")


class FailWhenSection(Section):
    """One threshold."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    matches: MatchesSection | None = None
    failed_runs: FailedRunsSection | None = None
    above_baseline: AboveBaselineSection | None = None
    new_errors: NewErrorsSection | None = None

    @classmethod
    def complaints(cls, given: AbstractSet[str]) -> Iterator[WrongError]:
        """What is wrong with these keys standing together."""
        yield from one_of(given, "matches", "failed_runs", "above_baseline", "new_errors")


class ExpectSection(Section):
    """What must be seen for `passed`."""

    successful_runs: Count | None = Field(default=None, description="so many runs that end well")
    match: Pattern | None = Field(default=None, description="RE2: an entry that it matches")
    severity: SeverityWord | None = Field(default=None, description="with match: of this PRIORITY and worse")

    @classmethod
    def complaints(cls, given: AbstractSet[str]) -> Iterator[WrongError]:
        """What is wrong with these keys standing together."""
        if not given & {"successful_runs", "match"}:
            yield WrongError("needs successful_runs or match, or both")
        yield from goes_with(given, "severity", "match")


class WindowSection(Section):
    """A watch window: until so many runs have ended, at the latest until `max`."""

    runs: Count | None = Field(default=None, description="so many finished runs")
    max: WindowSpan = Field(description="at the latest by then")


class RollbackSection(Section):
    """The command that undoes a release of the job, run at most once for each."""

    command: Argv = Field(description="argv, never a shell string")
    check: Argv | None = Field(default=None, description="run at registration; fails: the release is only observed")
    user: User | None = Field(default=None, description="who runs it; left out: root, or whoever runs a by-hand daemon")
    timeout: RollbackSpan = Field(
        default=Usec(5 * MINUTE),
        json_schema_extra={"default": "5m"},
        description="then it is ended with all that it started; at most 24h",
    )
    verify: PositiveSpan = Field(
        default=Usec(10 * MINUTE),
        json_schema_extra={"default": "10m"},
        description="after it: how long the same rules tell whether it helped",
    )
    idempotent: Flag = Field(default=False, description="true: an interrupted one may be run again")


def _window(value: Any) -> Any:
    """A plain duration is a window with nothing but its `max`."""
    if not isinstance(value, ScalarNode):
        return value
    try:
        return WindowSection.model_construct(max=leaves.window(value))
    except WrongError as error:
        raise from_wrong(error) from error


Window = Annotated[
    WindowSection,
    BeforeValidator(_window),
    WithJsonSchema({"anyOf": [_DURATION, WindowSection.model_json_schema()]}),
]


class ReleaseSection(Section):
    """How a release of the job is judged and what follows."""

    mode: ModeWord = Field(default=Mode.OBSERVE, description="observe | ask | rollback")
    window: Window = Field(
        default=WindowSection.model_construct(runs=None, max=Usec(15 * MINUTE)),
        json_schema_extra={"default": "15m"},
        description="how long a release is judged",
    )
    settle: Span | None = Field(
        default=None,
        description="start-up noise before this is never held against it; left out: 30s, at most a tenth of the window",
    )
    blame: BlameWord = Field(
        default=Blame.NEW,
        description="new: only runs that began since the release was registered are held against it | all: every run",
    )
    expect: ExpectSection | None = None
    fail_when: list[FailWhenSection] = Field(default=[], description="any of them fails the release")
    shared_cause: SharedCauseWord = Field(
        default=SharedCause.HOLD,
        description="other jobs begin to fail as well: hold (leave the rollback to a person) | ignore",
    )
    rollback: RollbackSection | None = None
    backup: Argv = Field(default=(), description="run by `release start`; fails: nothing is registered")
    backup_timeout: PositiveSpan = Field(
        default=HOUR,
        json_schema_extra={"default": "1h"},
        description="then the backup is ended with all that it started, and has failed",
    )


class JobSection(Section):
    """A background job under watch."""

    owner: Text = Field(default="", description="who is asked when it breaks")
    units: list[Unit] = Field(default=[], description="as `journalctl -u` takes them, globs included")
    identifiers: list[Text] = Field(default=[], description="SYSLOG_IDENTIFIER, for cron and others without a unit")
    run_as: User | None = Field(
        default=None,
        description="who starts `watcher job exec` for the job; beside root's, only that user's runs are believed",
    )
    packs: list[Name] = Field(default=[], description="rule packs by name")
    rules: list[RuleSection] = Field(default=[], description="the job's own rules")
    release: ReleaseSection = Field(default=ReleaseSection())


class JournalSection(Section):
    """Which journal is read."""

    directory: FilePath | None = Field(
        default=None,
        description="of journal files, a relative one beside the main file; left out: this machine's journal",
    )
    namespace: Name | None = Field(default=None, description="a journal namespace")


class ListenSection(Section):
    """Where the daemon answers over TCP, read-only."""

    may_be_null = frozenset({"metrics"})
    metrics: Address = Field(
        default=("127.0.0.1", 10310),
        json_schema_extra={"default": "127.0.0.1:10310"},
        description="HOST:PORT; null: nowhere",
    )


class ConfigFile(Section):
    """The configuration of release-watcher."""

    version: VersionWord = Field(description="the version of this format: 1")
    journal: JournalSection = Field(default=JournalSection())
    listen: ListenSection = Field(default=ListenSection())
    rollbacks_per_hour: Count = Field(
        default=ROLLBACKS_PER_HOUR,
        description="so many rollbacks the host starts in an hour by itself; further ones are held for a person",
    )
    jobs: dict[NameKey, JobSection] = Field(default={}, description="each job by its name")
