"""The keys of a scenario file: a story of entries, and what the daemon shall make of it."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from enum import StrEnum
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema

from watcher.config import leaves, rule_leaves
from watcher.config.findings import Keys, from_wrong, node_of
from watcher.config.job_sections import FilePath, PositiveSpan, ReleaseSection, Span
from watcher.config.leaves import WrongError
from watcher.config.nodes import Node, ScalarNode, Style
from watcher.config.rule_sections import RuleSection
from watcher.config.section import TEXT, Name, NameKey, Section, Text, goes_with, leaf
from watcher.core.release import Verdict

LARGEST_REPEAT = 10_000


class RunWord(StrEnum):
    """What systemd tells of a run of the job's unit."""

    BEGINS = "begins"
    SUCCEEDS = "succeeds"
    FAILS = "fails"


def _fields(value: Any) -> dict[str, str]:
    if not isinstance(value, Keys):
        raise from_wrong(WrongError(f"must be a mapping of journal fields, not {leaves.describe(node_of(value))}"))
    try:
        return {rule_leaves.field_name(name): leaves.text(node_of(inner)) for name, inner in value.items()}
    except WrongError as error:
        raise from_wrong(error) from error


def _times(node: Node) -> int:
    """A whole number of matches, from 0 on."""
    if isinstance(node, ScalarNode) and node.style is Style.PLAIN and node.text == "0":
        return 0
    try:
        return leaves.count_up_to(leaves.MOST_MATCHES)(node)
    except WrongError as error:
        raise WrongError(error.message.replace("from 1 on", "from 0 on")) from error


def _repeat(node: Node) -> int:
    value = leaves.count(node)
    if value > LARGEST_REPEAT:
        raise WrongError(f"must be at most {LARGEST_REPEAT:,}, not {value}")
    return value


_FIELDS = {"type": "object", "additionalProperties": TEXT, "propertyNames": {"pattern": "^[A-Z_][A-Z0-9_]{0,63}$"}}
Fields = Annotated[dict[str, str], PlainValidator(_fields), WithJsonSchema(_FIELDS)]
Message = Annotated[str, leaf(leaves.text), WithJsonSchema(TEXT)]
Times = Annotated[int, leaf(_times), WithJsonSchema({"type": "integer", "minimum": 0})]
Repeat = Annotated[int, leaf(_repeat), WithJsonSchema({"type": "integer", "minimum": 1, "maximum": LARGEST_REPEAT})]
RunChoice = Annotated[RunWord, leaf(leaves.choice(RunWord)), WithJsonSchema({"enum": list(RunWord)})]
VerdictWord = Annotated[Verdict, leaf(leaves.choice(Verdict)), WithJsonSchema({"enum": list(Verdict)})]


class EntrySection(Section):
    """One journal entry, or several that are alike."""

    at: Span | None = Field(default=None, description="since the beginning; left out: when the entry before was")
    message: Message | None = Field(default=None, description="its MESSAGE")
    run: RunChoice | None = Field(
        default=None, description="systemd's record of a run of the job's unit: begins | succeeds | fails"
    )
    fields: Fields = Field(default={}, description="further journal fields; left out: those of the job's own process")
    repeat: Repeat = Field(default=1, description="so many entries like this")
    every: PositiveSpan | None = Field(default=None, description="with repeat: how far apart")
    expect: list[Name] | None = Field(
        default=None, description="the rules that count each of them, exactly; []: none; left out: not looked at"
    )

    @classmethod
    def complaints(cls, given: AbstractSet[str]) -> Iterator[WrongError]:
        """What is wrong with these keys standing together."""
        if not given & {"message", "fields", "run"}:
            yield WrongError("needs message, fields or run, or several of them")
        yield from goes_with(given, "every", "repeat")


class OutcomeSection(Section):
    """What shall come of it."""

    matches: dict[NameKey, Times] | None = Field(
        default=None, description="how often each rule counts, exactly; one that is not named must not"
    )
    verdict: VerdictWord | None = Field(default=None, description="of a release: passed | failed | inconclusive")
    failed_at: Span | None = Field(default=None, description="since the beginning")
    reasons: list[Text] | None = Field(default=None, description="all of them, in the words of `release show`")


class ScenarioFile(Section):
    """A scenario: entries of one job, and what the daemon shall make of them."""

    scenario: Text = Field(description="what it shows, one line")
    config: FilePath | None = Field(default=None, description="with job: seen from this file; left out: --config")
    job: Name | None = Field(default=None, description="a job of the configuration: its units, packs, rules, release")
    packs: list[Text] = Field(default=[], description="without job: packs by name, or files of packs as ./FILE")
    rules: list[RuleSection] = Field(default=[], description="without job: rules, as in a pack")
    release: ReleaseSection | None = Field(default=None, description="as in the configuration; instead of the job's")
    released: Span | None = Field(default=None, description="when a release goes out; left out: at the beginning")
    entries: list[EntrySection] = Field(description="in their order in time")
    expect: OutcomeSection = Field(default=OutcomeSection())

    @classmethod
    def complaints(cls, given: AbstractSet[str]) -> Iterator[WrongError]:
        """What is wrong with these keys standing together."""
        yield from goes_with(given, "config", "job")
        own = [key for key in ("packs", "rules") if key in given]
        if "job" in given and own:
            yield WrongError(f"has job and {' and '.join(own)} together", "a job brings its own packs and rules")
        if not given & {"job", "packs", "rules"}:
            yield WrongError("needs job, packs or rules", "without them there is nothing to try")
