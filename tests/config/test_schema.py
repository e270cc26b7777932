"""The JSON Schema: what editors are told agrees with what is taken."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from watcher.config.document import read_document
from watcher.config.findings import validated
from watcher.config.job_sections import ConfigFile
from watcher.config.nodes import MappingNode, Node, ScalarNode, SequenceNode
from watcher.config.packs import shipped_packs
from watcher.config.schema import schema_of_config, schema_of_pack, schema_of_scenario

EXAMPLES = Path(__file__).parents[2] / "deploy/examples"
CONTRACT = Path(__file__).parent / "contract.yaml"


def unknown_keys(node: Node, schema: dict[str, Any], root: dict[str, Any]) -> list[str]:
    """The keys of a document that its schema doesn't know: as much of JSON Schema as an editor's completion needs."""
    schema = resolved(schema, node, root)
    if isinstance(node, SequenceNode):
        return [key for item in node.items for key in unknown_keys(item, schema.get("items", {}), root)]
    if isinstance(node, ScalarNode):
        return []
    known, named = schema.get("properties", {}), schema.get("patternProperties", {})
    other = next(iter(named.values()), schema.get("additionalProperties", {}))
    found = []
    for key, entry in node.entries.items():
        if key in known or other is not False:
            found += unknown_keys(entry.value, known.get(key, other), root)
        else:
            found.append(key)
    return found


def resolved(schema: dict[str, Any], node: Node, root: dict[str, Any]) -> dict[str, Any]:
    wanted = {MappingNode: "object", SequenceNode: "array", ScalarNode: "string"}[type(node)]
    if "$ref" in schema:
        return resolved(root["$defs"][schema["$ref"].rpartition("/")[2]], node, root)
    branches = [resolved(branch, node, root) for branch in schema.get("anyOf", [])]
    return next((branch for branch in branches if branch.get("type") == wanted), schema)


@pytest.mark.parametrize("file", [CONTRACT, EXAMPLES / "watcher.yaml"], ids=lambda file: file.name)
def test_the_schema_knows_every_key_of_a_configuration(file: Path) -> None:
    """An editor marks nothing that is right."""
    node = read_document(file).root
    assert node is not None
    assert [] == unknown_keys(node, schema_of_config(), schema_of_config())


@pytest.mark.parametrize("pack", sorted(shipped_packs()))
def test_the_schema_knows_every_key_of_a_pack(pack: str) -> None:
    """The same for packs."""
    node = read_document(shipped_packs()[pack]).root
    assert node is not None
    assert [] == unknown_keys(node, schema_of_pack(), schema_of_pack())


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("scenarios/*.yaml")), ids=lambda file: file.stem)
def test_the_schema_knows_every_key_of_a_scenario(file: Path) -> None:
    """The same for scenarios, whose first line names the schema."""
    node = read_document(file).root
    assert node is not None
    assert [] == unknown_keys(node, schema_of_scenario(), schema_of_scenario())
    named = file.read_text(encoding="utf-8").splitlines()[0].partition("$schema=")[2]
    assert schema_of_scenario() == json.loads((file.parent / named).read_text(encoding="utf-8"))


def test_the_schema_marks_an_unknown_key() -> None:
    """Sections are closed."""
    node = read_document(Path(__file__).parent / "bad/unknown-key.yaml").root
    assert node is not None
    assert ["windw", "colour", "owenr"] == unknown_keys(node, schema_of_config(), schema_of_config())


def test_defaults_are_written_as_people_write_them() -> None:
    """A default of the schema, put into a file, gives what leaving it out gives."""
    sections = schema_of_config()["$defs"]
    release = sections["ReleaseSection"]["properties"]
    assert ("observe", "15m") == tuple(release[key]["default"] for key in ("mode", "window"))
    assert release["settle"]["default"] is None
    assert "5m" == sections["RollbackSection"]["properties"]["timeout"]["default"]
    assert "14d" == sections["AboveBaselineSection"]["properties"]["lookback"]["default"]
    assert "127.0.0.1:10310" == sections["ListenSection"]["properties"]["metrics"]["default"]


def test_the_written_defaults_are_those_of_the_sections() -> None:
    """Spelled out or left out is the same."""
    listed = read_document(Path(__file__).parent / "defaults.yaml").root
    assert listed is not None
    model, problems = validated(ConfigFile, listed)
    assert () == problems
    assert model is not None
    spelled, left_out = model.jobs["spelled"], model.jobs["left-out"]
    assert left_out.model_dump() == spelled.model_dump()


def test_the_schema_beside_the_example_is_current() -> None:
    """It is what `watcher schema` prints: `watcher schema > deploy/examples/watcher.schema.json`."""
    beside = json.loads((EXAMPLES / "watcher.schema.json").read_text(encoding="utf-8"))
    assert schema_of_config() == beside


def test_the_example_names_its_schema() -> None:
    """The first line is for editors."""
    first = (EXAMPLES / "watcher.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert "# yaml-language-server: $schema=watcher.schema.json" == first
