"""What every section of the configuration has in common: strict keys, and leaves that read nodes.

Sections are pydantic models: they check one mapping at a time and give `watcher schema`. Values come in as nodes
(`findings.plain`), so a leaf's error can point into the file. The models end at this package's border.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from watcher.config import leaves, rule_leaves
from watcher.config.findings import Findings, Keys, from_wrong, node_of
from watcher.config.leaves import WrongError
from watcher.config.nodes import ScalarNode
from watcher.core.severity import Severity

TEXT: dict[str, Any] = {"type": ["string", "number", "boolean"]}
"""JSON Schema of any text: a number or truth value counts as it is written."""
NAME = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"}
PATTERN = {"type": "string", "minLength": 1, "format": "regex"}


def leaf(read: Callable[[Any], Any]) -> PlainValidator:
    """Makes a reader of nodes a validator of pydantic."""

    def validate(value: Any) -> Any:
        try:
            return read(node_of(value))
        except WrongError as error:
            raise from_wrong(error) from error

    return PlainValidator(validate)


Text = Annotated[str, leaf(leaves.line), WithJsonSchema(TEXT)]
Name = Annotated[str, leaf(leaves.name), WithJsonSchema(NAME)]
NameKey = Annotated[str, leaf(leaves.named), WithJsonSchema(NAME)]
Pattern = Annotated[str, leaf(rule_leaves.pattern), WithJsonSchema(PATTERN)]
SeverityWord = Annotated[Severity, leaf(leaves.choice(Severity)), WithJsonSchema({"enum": list(Severity)})]


class Section(BaseModel):
    """A mapping with fixed keys. An unknown key is an error; a key that is there but null counts as left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    may_be_null: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _keep_what_is_given(cls, data: Any, info: ValidationInfo) -> Any:
        if not isinstance(data, Keys):
            return data
        known = cls.model_fields.keys() - cls.may_be_null
        given = {key: value for key, value in data.items() if not (key in known and _is_null(value))}
        if not isinstance(info.context, Findings):
            raise TypeError("sections are validated by findings.validated")
        info.context.visit(data, cls, cls.complaints(given.keys()))
        return given

    @classmethod
    def complaints(cls, given: AbstractSet[str]) -> Iterator[WrongError]:  # noqa: ARG003 - for sections that have some
        """What is wrong with these keys standing together, whatever their values."""
        yield from ()


def one_of(given: AbstractSet[str], *keys: str) -> Iterator[WrongError]:
    """A complaint unless exactly one of the keys is given."""
    together = [key for key in keys if key in given]
    if not together:
        yield WrongError(f"needs one of: {', '.join(keys)}")
    elif len(together) > 1:
        yield WrongError(f"has {' and '.join(together)} together", f"give exactly one of: {', '.join(keys)}")


def goes_with(given: AbstractSet[str], key: str, other: str) -> Iterator[WrongError]:
    """A complaint if `key` is given without `other`."""
    if key in given and other not in given:
        yield WrongError(f"{key} goes with {other}, which is not there")


def _is_null(value: Any) -> bool:
    return isinstance(value, ScalarNode) and value.is_null
