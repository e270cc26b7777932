"""The manual pages watcher(1) and watcher.yaml(5): roff from the command line's grammar and the configuration's schema.

Knows the few macros of man(7) that both GNU troff and mandoc take. `tools/docs.py` writes what this makes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from textwrap import wrap
from typing import Any

from watcher import __version__
from watcher.cli.grammar import Argument, Option, Verb, grammar_of
from watcher.cli.main import parser
from watcher.config.schema import schema_of_config
from watcher.paths import CONFIG, SOCKET, STATE

ROOT = Path(__file__).parent.parent
DATE = "2026-11-24"
"""Of the pages' last change in kind: they must not differ from day to day."""
_COMMAND = """
A release goes out, and a background job may start to fail. The daemon, `watcher run`, follows the journal of each
configured job. A release script registers a release; in the watch window after it the daemon judges what the job logs,
and runs the configured rollback command at most once if the job broke. Where it can't know, it says inconclusive. The
other verbs speak to the daemon or need none.
"""
_CONFIGURATION = """
YAML, read strictly: a repeated or unknown key, a tag, an anchor or an alias is an error, and words such as no or 0777
stay what they are written as. Drop-ins are read in the order of their names and may add jobs. `watcher check` tells
every error with its place; `watcher reload` puts a change in use.
"""
_WIDTH = 64
"""Of a line of running text before its escapes: with them it stays below 80."""
_FILES = {
    str(CONFIG): "the configuration; see watcher.yaml(5)",
    str(CONFIG.parent / "conf.d/*.yaml"): "its drop-ins",
    str(CONFIG.parent / "rules.d/*.yaml"): "the site's own rule packs; the same file name replaces a shipped one",
    str(CONFIG.parent / "disarm"): "while this file exists no rollback is started, with or without a daemon",
    str(STATE): "the state: the database, the final notes, the queue of rollbacks",
    str(SOCKET): "the control socket, for members of the group release-watcher-deploy",
}


def watcher_1() -> str:
    """The page of the command."""
    grammar = grammar_of(parser())
    common = {(option.flags, option.value) for option in grammar.options}
    parts = [
        _head("WATCHER", 1),
        _section("NAME"),
        "watcher \\- judges a release by its job's journal and rolls it back if it broke",
        _section("SYNOPSIS"),
        "\\fBwatcher\\fR [\\fIOPTION\\fR ...] \\fIVERB\\fR [\\fIARGUMENT\\fR ...]",
        _section("DESCRIPTION"),
        _text(_COMMAND),
        *_prose(grammar.description, heading=_section("EXAMPLES")),
        _section("OPTIONS"),
        "These are known to every verb, and may stand before or after it.",
        *map(_option, grammar.options),
        _section("VERBS"),
        *(line for verb in grammar.walk() if verb is not grammar for line in _verb(verb, common)),
        _section("EXIT STATUS"),
        *(_item(_plain(f"{code}"), _text(words)) for code, words in _exit_codes()),
        _section("ENVIRONMENT"),
        _item("\\fBNO_COLOR\\fR", "Set to anything: no colours."),
        _section("FILES"),
        *(_item(f"\\fI{_plain(path)}\\fR", _text(words)) for path, words in _FILES.items()),
        _section("SEE ALSO"),
        ".BR watcher.yaml (5),\n.BR journalctl (1),\n.BR systemd.service (5)",
    ]
    return "\n".join(parts) + "\n"


def watcher_yaml_5() -> str:
    """The page of the configuration."""
    schema = schema_of_config()
    example = (ROOT / "deploy/examples/watcher.yaml").read_text(encoding="utf-8")
    parts = [
        _head("WATCHER.YAML", 5),
        _section("NAME"),
        "watcher.yaml \\- configuration of release\\-watcher",
        _section("SYNOPSIS"),
        f"\\fI{_plain(str(CONFIG))}\\fR\n.br\n\\fI{_plain(str(CONFIG.parent / 'conf.d/*.yaml'))}\\fR",
        _section("DESCRIPTION"),
        _text(_CONFIGURATION),
        ".PP",
        _text("Durations are written as in 90s, 15m or 1h30m. A bare number is no duration. Patterns are RE2."),
        _section("KEYS"),
        *(_key(path, key, schema) for path, key in _keys(schema, schema, "")),
        _section("EXAMPLE"),
        ".nf",
        *(_verbatim(line) for line in example.splitlines()),
        ".fi",
        _section("SEE ALSO"),
        ".BR watcher (1)",
    ]
    return "\n".join(parts) + "\n"


def _head(title: str, section: int) -> str:
    return f'.\\" Made by `make docs`.\n.TH {title} {section} {DATE} "release\\-watcher {__version__}"'


def _section(title: str) -> str:
    return f'.SH "{title}"' if " " in title else f".SH {title}"


def _verb(verb: Verb, common: set[tuple[tuple[str, ...], str]]) -> Iterator[str]:
    own = [option for option in verb.options if (option.flags, option.value) not in common]
    yield f".SS {_plain(' '.join(verb.path))}"
    usage = " ".join([*verb.path, *map(_shown_argument, verb.arguments), *(["VERB"] if verb.verbs else [])])
    yield f"\\fB{_plain(usage)}\\fR" + (" [\\fIOPTION\\fR ...]" if own else "")
    yield ".PP"
    yield _text(f"{verb.help[:1].upper()}{verb.help[1:]}.")
    yield from _prose(verb.description, heading=".PP")
    yield from map(_option, own)
    for argument in verb.arguments:
        if argument.help:
            yield _item(f"\\fI{_plain(argument.name)}\\fR", _text(argument.help))


def _shown_argument(argument: Argument) -> str:
    return f"[{argument.name} ...]" if argument.many else argument.name


def _option(option: Option) -> str:
    value = f" \\fI{_plain(option.value)}\\fR" if option.value else ""
    flags = ", ".join(f"\\fB{_plain(flag)}\\fR{value}" for flag in option.flags)
    words = f"{option.help}{' (required)' if option.required else ''}"
    return _item(flags, _text(words or "no more is to be said"))


def _prose(description: str, *, heading: str) -> Iterator[str]:
    """A verb's description: a block that begins with `examples:` stays as it is, the rest are paragraphs."""
    for block in description.strip("\n").split("\n\n"):
        lines = block.splitlines()
        if any(line.startswith("  ") for line in lines):
            example = [line for line in lines if line.startswith("  ")]
            yield from (heading, ".nf", *(_verbatim(line) for line in example), ".fi")
            lines = [line for line in lines if not line.startswith("  ") and line != "examples:"]
        if lines:
            yield ".PP"
            yield _text(" ".join(lines))


def _exit_codes() -> Iterator[tuple[str, str]]:
    """From the README's table: code, of a verdict, of every verb."""
    table = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Exit codes")[2].partition("\n## ")[0]
    for line in table.splitlines():
        cells = [cell.strip().replace("`", "") for cell in line.strip("|").split("|")]
        if cells[0].isdecimal():
            code, verdict, every = cells
            yield code, "; ".join([*([f"of a verdict: {verdict}"] if verdict else []), *([every] if every else [])])


def _keys(schema: dict[str, Any], node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key below `node` with its dotted path and its schema, each before those below it."""
    for name, key in node.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, key
        for below, suffix in _below(schema, key):
            yield from _keys(schema, below, f"{here}{suffix}")


def _below(schema: dict[str, Any], key: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """The mappings that may stand at a key, with what follows it in a path."""
    if "$ref" in key:
        yield schema["$defs"][key["$ref"].rpartition("/")[2]], ""
    for choice in key.get("anyOf", ()):
        yield from _below(schema, choice)
    if isinstance(key.get("items"), dict):
        for below, suffix in _below(schema, key["items"]):
            yield below, f"[]{suffix}"
    named = [key.get("additionalProperties"), *key.get("patternProperties", {}).values()]
    for one in named:
        if isinstance(one, dict):
            for below, suffix in _below(schema, one):
                yield below, f".NAME{suffix}"


def _key(path: str, key: dict[str, Any], schema: dict[str, Any]) -> str:
    words = key.get("description") or next((one.get("description", "") for one, _ in _below(schema, key)), "")
    both = ". ".join(one.rstrip(".") for one in (words, _facts(key, words)) if one)
    return _item(f"\\fB{_plain(path)}\\fR", _text(f"{both}." if both else "A mapping."))


def _facts(key: dict[str, Any], words: str) -> str:
    """The default, and closed choices that `words` does not tell already."""
    choices = next((one["enum"] for one in (key, *key.get("anyOf", ())) if "enum" in one), ())
    facts = [f"One of {', '.join(map(str, choices))}"] if any(one not in words for one in choices) else []
    default = key.get("default")
    if default not in (None, [], {}, ""):
        facts.append(f"Default: {str(default).lower() if isinstance(default, bool) else default}")
    return ". ".join(facts)


def _item(term: str, words: str) -> str:
    return f".TP\n{term}\n{words}"


def _text(words: str) -> str:
    """Running text; each of its lines is safe, and of a width that an editor shows."""
    return "\n".join(_guarded(_plain(line)) for line in wrap(words, width=_WIDTH, break_on_hyphens=False))


def _verbatim(line: str) -> str:
    return _guarded(_plain(line)) if line.strip() else ".sp"


def _guarded(line: str) -> str:
    return f"\\&{line}" if line[:1] in (".", "'") or line.startswith("\\(aq") else line


def _plain(text: str) -> str:
    """Text as roff prints it letter by letter."""
    special = {"\\": "\\e", "-": "\\-", "'": "\\(aq", "`": "\\(ga", "^": "\\(ha", "~": "\\(ti"}
    return "".join(special.get(char) or (char if char.isascii() else f"\\[u{ord(char):04X}]") for char in text)
