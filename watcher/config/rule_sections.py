"""The keys of a rule pack and of a rule: which there are, and what each may say."""

from __future__ import annotations

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from typing import Annotated, Any

from pydantic import Field, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails

from watcher.config import leaves, rule_leaves
from watcher.config.findings import Keys, from_wrong, node_of
from watcher.config.leaves import WrongError
from watcher.config.section import PATTERN, TEXT, Name, NameKey, Pattern, Section, SeverityWord, Text, leaf
from watcher.core.rule import FieldCondition

_FIELDS = {"type": "object", "additionalProperties": TEXT}
_WHERE = {
    "type": "object",
    "additionalProperties": {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]},
    "propertyNames": {"pattern": "^[A-Z_][A-Z0-9_]{0,63}$"},
}


def _where(value: Any) -> tuple[FieldCondition, ...]:
    """All conditions on journal fields, with every error in them."""
    if not isinstance(value, Keys):
        message = f"must be a mapping of journal fields, not {leaves.describe(node_of(value))}"
        raise from_wrong(WrongError(message, 'as in {PRIORITY: "<=4", _UID: "0"}'))
    conditions: list[FieldCondition] = []
    wrong: list[InitErrorDetails] = []
    for field, inner in value.items():
        try:
            conditions.append(rule_leaves.condition(rule_leaves.field_name(field), node_of(inner)))
        except WrongError as error:
            wrong.append(InitErrorDetails(type=from_wrong(error), loc=(field,), input=field))
    if wrong:
        raise ValidationError.from_exception_data("where", wrong)
    return tuple(conditions)


Capture = Annotated[str, leaf(rule_leaves.capture), WithJsonSchema(PATTERN)]
MessageId = Annotated[
    str, leaf(rule_leaves.message_id), WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f-]{32,36}$"})
]
OnceWord = Annotated[str, leaf(rule_leaves.once), WithJsonSchema({"enum": ["run"]})]
Where = Annotated[tuple[FieldCondition, ...], PlainValidator(_where), WithJsonSchema(_WHERE)]
SampleLine = Annotated[
    rule_leaves.SampleLine, leaf(rule_leaves.sample_line), WithJsonSchema({"anyOf": [TEXT, _FIELDS]})
]


class SamplesSection(Section):
    """Lines that a rule must match, and near misses that it must not."""

    match: list[SampleLine] = Field(default=[], description="must match: lines, or mappings of journal fields")
    no_match: list[SampleLine] = Field(default=[], description="must not match: lines, or mappings of journal fields")


class RuleSection(Section):
    """One rule, in a pack or a job's own."""

    name: Name = Field(description="unique among all rules of a job; a metric label")
    match: Pattern | None = Field(default=None, description="RE2, on MESSAGE")
    unless: Pattern | None = Field(default=None, description="RE2: an entry that it matches does not count")
    message_id: MessageId | None = Field(default=None, description="believed only from PID 1")
    where: Where = Field(default=(), description="journal fields: equal, one of, or a priority bound")
    severity: SeverityWord = Field(description="critical | error | warning | info")
    until: Pattern | None = Field(default=None, description="RE2: joins the stream's following entries up to this one")
    once: OnceWord | None = Field(default=None, description="run: such rules together count a run's failure once")
    capture: dict[NameKey, Capture] = Field(default={}, description="texts kept as evidence, never a metric label")
    tests: SamplesSection = Field(default=SamplesSection(), description="run by `watcher check` and at every load")

    @classmethod
    def complaints(cls, given: AbstractSet[str]) -> Iterator[WrongError]:
        """What is wrong with these keys standing together."""
        if not given & {"match", "message_id"}:
            yield WrongError("needs match or message_id, or both")


class PackHead(Section):
    """What a pack says of itself."""

    name: Name = Field(description="what jobs call it in `packs`")
    description: Text = Field(default="", description="one line")


class PackFile(Section):
    """A file of rules that jobs use by the pack's name."""

    pack: PackHead
    rules: list[RuleSection]
