"""The JSON Schema (draft 2020-12) of the configuration, of packs and of scenarios, made from the models."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

from watcher.config.job_sections import ConfigFile
from watcher.config.rule_sections import PackFile
from watcher.config.scenario_sections import ScenarioFile

_DRAFT = "https://json-schema.org/draft/2020-12/schema"


class _Written(GenerateJsonSchema):
    """Gives defaults as they would be written, and no titles: they only repeat the keys."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, BaseModel):
            return {}
        return list(dft) if isinstance(dft, tuple) else dft

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002 - pydantic's signature
        return False


def schema_of_config() -> dict[str, Any]:
    """The schema of the configuration and of drop-ins."""
    return _schema(ConfigFile)


def schema_of_pack() -> dict[str, Any]:
    """The schema of a rule pack."""
    return _schema(PackFile)


def schema_of_scenario() -> dict[str, Any]:
    """The schema of a scenario file."""
    return _schema(ScenarioFile)


def _schema(model: type[BaseModel]) -> dict[str, Any]:
    return {"$schema": _DRAFT, **model.model_json_schema(schema_generator=_Written)}
