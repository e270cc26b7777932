"""Strict YAML: what values stay, where they stand, and what no file can do to the reader."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.config.document import DEEPEST, FULLEST, LARGEST, MOST_PROBLEMS, parse_document, read_document
from watcher.config.nodes import MappingNode, ScalarNode, SequenceNode
from watcher.config.problem import Place

YAMLISH = st.text(st.sampled_from("ab:-?{}[],&*!|>'\"%#@`~ \n\t\\x0u\x85\u2028é\ud83d"), max_size=60)


def parse(text: str) -> MappingNode:
    document = parse_document(text.encode(), file="w.yaml")
    assert () == document.problems
    assert document.root is not None
    return document.root


def messages(raw: bytes) -> list[str]:
    return [problem.message for problem in parse_document(raw, file="w.yaml").problems]


@pytest.mark.parametrize("word", ["no", "off", "Yes", "0777", "12:30", "0x1f", "1_000", "2026-11-23", ".inf", "="])
def test_words_stay_what_they_are_written_as(word: str) -> None:
    """None of YAML 1.1's guesses is made."""
    node = parse(f"a: {word}").at("a")
    assert isinstance(node, ScalarNode)
    assert (word, None, False) == (node.text, node.boolean, node.is_null)


def test_true_and_false_are_truth_values_when_they_are_plain() -> None:
    """Quoted ones are texts."""
    root = parse("a: true\nb: false\nc: 'true'")
    values = [root.at(key) for key in "abc"]
    assert [True, False, None] == [value.boolean for value in values if isinstance(value, ScalarNode)]


@pytest.mark.parametrize("nothing", ["", "~", "null"])
def test_a_null_value_is_not_there(nothing: str) -> None:
    """The key is known, its value is nothing."""
    root = parse(f"a: {nothing}")
    assert ["a"] == list(root.entries)
    assert root.at("a") is None


def test_a_quoted_null_is_a_text() -> None:
    """Quotes make a text of everything."""
    assert parse("a: 'null'").at("a") is not None


def test_every_part_knows_its_place() -> None:
    """Lines and columns count from 1; a key and its value have a place each."""
    root = parse("a:\n  - é: 'b'\n")
    items = root.at("a")
    assert isinstance(items, SequenceNode)
    inner = items.items[0]
    assert isinstance(inner, MappingNode)
    entry = inner.entries["é"]
    assert (Place("w.yaml", 2, 5), Place("w.yaml", 2, 8)) == (entry.place, entry.value.place)


@pytest.mark.parametrize("raw", [b"", b"# nothing\n", b"---\n", b"null\n", b"\xef\xbb\xbf# a mark of Windows\n"])
def test_an_empty_file_is_an_empty_mapping(raw: bytes) -> None:
    """A drop-in whose lines are all commented out is no mistake."""
    document = parse_document(raw, file="w.yaml")
    assert () == document.problems
    assert document.root is not None
    assert {} == document.root.entries


@pytest.mark.parametrize("open_one", [b"[", b"{", b"- ", b"? ", b"{a: "])
def test_deep_nesting_ends_at_a_limit(open_one: bytes) -> None:
    """20,000 brackets are one mistake, not a crash."""
    assert [f"more than {DEEPEST} lists and mappings inside each other"] == messages(open_one * 20_000)


def test_a_bomb_of_aliases_is_not_expanded() -> None:
    """Each alias is a mistake of its own, and none is followed; past a limit the rest is not looked at."""
    levels = ["a0: &a0 [lol]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30))]
    found = messages("\n".join(levels).encode())
    assert MOST_PROBLEMS + 1 == len(found)
    assert '"&a0" is an anchor, and anchors are not allowed' == found[0]
    assert f"more than {MOST_PROBLEMS} mistakes: the rest is not looked at" == found[-1]


def test_a_large_file_is_not_read() -> None:
    """One byte more than the limit is too much."""
    assert [] == messages(b"a: " + b"x" * (LARGEST - 3))
    assert ["is larger than 1 MiB"] == messages(b"a: " + b"x" * (LARGEST - 2))


def test_a_full_file_ends_at_a_limit() -> None:
    """A small file can hold very many values."""
    assert [f"more than {FULLEST:,} values in one file"] == messages(b"a: [" + b"a," * FULLEST + b"]")


def test_mistakes_before_a_broken_line_are_told_too() -> None:
    """What follows a line that is no YAML can't be read, but what stands before it was."""
    found = messages(b"a: 1\na: 2\nb: [\n")
    assert ['"a" is given twice', "not YAML: expected the node content, but found '<stream end>'"] == found


def test_a_directory_is_no_file(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the system says is passed on."""
    path = tmp_path_factory.mktemp("conf")
    document = read_document(path)
    assert document.root is None
    assert [f"{path}:1:1: can't be read: Is a directory\n  hint: name a file in it"] == [
        str(problem) for problem in document.problems
    ]


def test_reading_needs_little() -> None:
    """Whatever reads the configuration as root loads neither the models nor an engine for patterns."""
    code = (
        "import sys, watcher.config.document as _; print(sorted({'pydantic', 're2', 'systemd'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == result.stdout


@given(st.one_of(st.binary(max_size=80), YAMLISH.map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_no_bytes_make_the_reader_raise(raw: bytes) -> None:
    """Whatever a file holds, there is a document with a root, or with problems that have a place."""
    document = parse_document(raw, file="w.yaml")
    assert document.root is not None or document.problems
    lines = raw.count(b"\n") + raw.count(b"\r") + raw.count(b"\xc2\x85") + raw.count(b"\xe2\x80") + 1
    for problem in document.problems:
        assert 1 <= problem.place.line <= lines
        assert problem.place.column >= 1
        assert str(problem).replace("\n  hint: ", "").isprintable()
