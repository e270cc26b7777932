"""Our JSON against the json package."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.dispatch import jsontext

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)


@given(st.dictionaries(st.text(), JSON))
def test_same_as_the_package(found: dict[str, object]) -> None:
    """What one of the two writes, the other reads."""
    assert found == json.loads(jsontext.render(found))
    assert found == jsontext.parse_object(json.dumps(found, ensure_ascii=False).encode())
    assert found == jsontext.parse_object(jsontext.render(found))


@given(st.binary(max_size=40))
def test_any_bytes(contents: bytes) -> None:
    """Whatever is no JSON object raises ValueError and nothing else."""
    try:
        expected = json.loads(contents.decode())
    except ValueError:
        expected = None
    if isinstance(expected, dict):
        assert expected == jsontext.parse_object(contents)
    else:
        with pytest.raises(ValueError, match="is not"):
            jsontext.parse_object(contents)


@pytest.mark.parametrize(
    "text", ['{"a', "{", "{1}", '{"a": }', '{"a": "\\u12"}', '{"a": NaN}', "{} {}", "", "nul", "[1"]
)
def test_damage_without_the_package(text: str) -> None:
    """In the runner the json package is not loaded, and damage is a ValueError all the same."""
    script = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from watcher.dispatch import jsontext\n"
        "try: jsontext.parse_object(sys.argv[2].encode())\n"
        "except ValueError: print('ValueError', 'json' in sys.modules)"
    )
    root = str(Path(jsontext.__file__).parents[2])
    argv = [sys.executable, "-I", "-S", "-c", script, root, text]
    assert "ValueError" == subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split()[0]


def test_what_has_no_place_in_json() -> None:
    """Neither bytes nor numbers that are none are written."""
    for value in (b"x", float("nan")):
        with pytest.raises(ValueError, match="JSON"):
            jsontext.render({"key": value})
