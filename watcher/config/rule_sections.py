"""The keys of a rule pack and of a rule: which there are, and what each may say."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, TypeVar

from pydantic import Field, PlainValidator, ValidationError, WithJsonSchema
from pydantic_core import InitErrorDetails

from watcher.config import leaves, rule_leaves
from watcher.config.findings import Keys, from_wrong, node_of
from watcher.config.leaves import WrongError
from watcher.config.nodes import Node
from watcher.config.section import PATTERN, TEXT, Name, NameKey, Pattern, Section, SeverityWord, Text, leaf
from watcher.core.rule import FieldCondition, TextCondition

_FIELDS = {"type": "object", "additionalProperties": TEXT}
_WHERE = {
    "type": "object",
    "additionalProperties": {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]},
    "propertyNames": {"pattern": "^[A-Z_][A-Z0-9_]{0,63}$"},
}
_TEXT_FIELDS = {
    "type": "object",
    "minProperties": 1,
    "additionalProperties": {"anyOf": [TEXT, {"type": "array", "items": TEXT, "minItems": 1}]},
    "propertyNames": {"pattern": "^[A-Za-z0-9_.@/$-]{1,64}([|][A-Za-z0-9_.@/$-]{1,64})*$"},
}

_Condition = TypeVar("_Condition", FieldCondition, TextCondition)


def _conditions(
    value: Any, key: str, read: Callable[[str, Node], _Condition], *, what: str, example: str
) -> tuple[_Condition, ...]:
    """All conditions of a mapping, with every error in them."""
    if not isinstance(value, Keys):
        message = f"must be a mapping of {what}, not {leaves.describe(node_of(value))}"
        raise from_wrong(WrongError(message, f"as in {example}"))
    conditions: list[_Condition] = []
    wrong: list[InitErrorDetails] = []
    for name, inner in value.items():
        try:
            conditions.append(read(name, node_of(inner)))
        except WrongError as error:
            wrong.append(InitErrorDetails(type=from_wrong(error), loc=(name,), input=name))
    if wrong:
        raise ValidationError.from_exception_data(key, wrong)
    return tuple(conditions)


def _where(value: Any) -> tuple[FieldCondition, ...]:
    def read(field: str, node: Node) -> FieldCondition:
        return rule_leaves.condition(rule_leaves.field_name(field), node)

    return _conditions(value, "where", read, what="journal fields", example='{PRIORITY: "<=4", _UID: "0"}')


def _fields(value: Any) -> tuple[TextCondition, ...]:
    example = '{"level|severity": [error, "50..59"]}'
    if isinstance(value, Keys) and not value:
        raise from_wrong(WrongError("is empty, and asks nothing", f"as in {example}"))
    return _conditions(value, "fields", rule_leaves.text_condition, what="fields of the text", example=example)


Capture = Annotated[str, leaf(rule_leaves.capture), WithJsonSchema(PATTERN)]
MessageId = Annotated[
    str, leaf(rule_leaves.message_id), WithJsonSchema({"type": "string", "pattern": "^[0-9A-Fa-f-]{32,36}$"})
]
OnceWord = Annotated[str, leaf(rule_leaves.once), WithJsonSchema({"enum": ["run"]})]
TextFields = Annotated[tuple[TextCondition, ...], PlainValidator(_fields), WithJsonSchema(_TEXT_FIELDS)]
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
    fields: TextFields = Field(
        default=(), description="fields of a text that is a JSON object or logfmt: equal, one of, a bound or a range"
    )
    where: Where = Field(default=(), description="journal fields: equal, one of, or a priority bound")
    severity: SeverityWord = Field(description="critical | error | warning | info")
    until: Pattern | None = Field(default=None, description="RE2: joins the stream's following entries up to this one")
    continues: Pattern | None = Field(
        default=None, description="RE2: joins the stream's following entries as long as it matches"
    )
    once: OnceWord | None = Field(default=None, description="run: such rules together count a run's failure once")
    capture: dict[NameKey, Capture] = Field(default={}, description="texts kept as evidence, never a metric label")
    tests: SamplesSection = Field(default=SamplesSection(), description="run by `watcher check` and at every load")

    @classmethod
    def complaints(cls, given: AbstractSet[str]) -> Iterator[WrongError]:
        """What is wrong with these keys standing together."""
        if not given & {"match", "message_id", "fields"}:
            yield WrongError("needs match, fields or message_id, or several of them")
        if {"until", "continues"} <= given:
            yield WrongError(
                "has until and continues together", "until names the last line, continues each further one"
            )


class PackHead(Section):
    """What a pack says of itself."""

    name: Name = Field(description="what jobs call it in `packs`")
    description: Text = Field(default="", description="one line")


class PackFile(Section):
    """A file of rules that jobs use by the pack's name."""

    pack: PackHead
    rules: list[RuleSection]
