"""Completion in real shells: what is offered at a place of the command line, also from a running daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.events import JOB, RELEASE, release
from tests.parts.front import MemoryFront
from tests.parts.verbs import CHECKOUT, served, surroundings
from watcher.cli.grammar import grammar_of
from watcher.cli.main import parser
from watcher.cli.shells import script

GRAMMAR = grammar_of(parser())
ASK = {
    "bash": """
        source "$1"; shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _watcher "$1"
        printf '%s\\n' "${COMPREPLY[@]}"
    """,
    # the functions of zsh's completion system that the script calls, reduced to printing what they are given
    "zsh": """
        compdef() { : }; _message() { : }; _files() { print files }; _normal() { print 'a command' }
        _describe() { print -l -- "${(@P)3}" }
        compadd() { shift; print -l -- "$@" }
        source "$1"; shift
        words=("$@") CURRENT=$#
        _watcher
    """,
    "fish": 'source $argv[1]; complete -C (string join " " -- $argv[2..])',
}
NEEDED = {shell: pytest.mark.skipif(shutil.which(shell) is None, reason=f"{shell} is not installed") for shell in ASK}
SHELLS = [pytest.param(shell, marks=NEEDED[shell]) for shell in ASK]


def offered(shell: str, tmp_path: Path, *words: str) -> list[str]:
    """The words that the shell offers for the last of `words`, which may be begun, without their descriptions."""
    program = tmp_path / "watcher"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m watcher "$@"\n')
    program.chmod(0o755)
    made = tmp_path / "completion"
    made.write_text(script(shell, GRAMMAR))
    arguments = [shell, "-c", ASK[shell], *(["_"] if shell != "fish" else []), str(made), "watcher", *words]
    environment = {**surroundings(), "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": str(tmp_path), "TERM": "dumb"}
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=30, check=False, env=environment)
    assert "" == done.stderr
    found = [line.partition("\t")[0] for line in done.stdout.splitlines() if line]
    if shell == "zsh":  # what is offered is filtered by the shell, not by the script
        found = [line.partition(":")[0] for line in found if line.startswith(words[-1])]
    return sorted(found)


@pytest.mark.parametrize("shell", SHELLS)
def test_verbs(shell: str, tmp_path: Path) -> None:
    """A begun verb is completed, and a verb's own verbs after it, whatever options stand between."""
    assert ["release", "reload", "replay", "resume"] == [
        one for one in offered(shell, tmp_path, "re") if one in ("release", "reload", "replay", "resume")
    ]
    assert ["start"] == offered(shell, tmp_path, "--config", "release", "release", "st")


@pytest.mark.parametrize("shell", SHELLS)
def test_options_and_closed_choices(shell: str, tmp_path: Path) -> None:
    """Only the verb's own options, and the words that such an option takes."""
    assert ["--mode"] == offered(shell, tmp_path, "release", "start", "--mo")
    assert [] == offered(shell, tmp_path, "release", "wait", "--mo")
    assert ["ask", "observe", "rollback"] == offered(shell, tmp_path, "release", "start", "--mode", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_jobs_and_releases_of_the_daemon(shell: str, tmp_path: Path) -> None:
    """Names are asked of the daemon that the line itself names."""
    front = MemoryFront()
    front.take(release())
    with served(front, tmp_path):
        state = ("--state-dir", str(tmp_path))
        assert [JOB] == offered(shell, tmp_path, *state, "pause", JOB[:2])
        assert [RELEASE] == offered(shell, tmp_path, "release", "wait", *state, RELEASE[:2])


@NEEDED["bash"]
def test_jobs_without_a_daemon_come_from_the_configuration(tmp_path: Path) -> None:
    """Replay needs no daemon, so its completion needs none either."""
    example = str(CHECKOUT / "deploy/examples/watcher.yaml")
    here = ("--socket", str(tmp_path / "none"), "--config", example)
    assert ["import"] == offered("bash", tmp_path, *here, "replay", "--job", "")


@pytest.mark.parametrize("shell", SHELLS)
def test_packs_and_rules(shell: str, tmp_path: Path) -> None:
    """Every pack that there is, and every rule: by its name alone where only one has it."""
    here = ("--config", str(CHECKOUT / "deploy/examples/watcher.yaml"))
    assert ["python"] == offered(shell, tmp_path, *here, "rules", "list", "--pack", "pyth")
    assert ["half-imported"] == offered(shell, tmp_path, *here, "rules", "explain", "half-i")


@NEEDED["bash"]
def test_nothing_that_was_typed_is_run(tmp_path: Path) -> None:
    """A word that looks like a substitution is compared, not evaluated."""
    evil = f"$(touch {tmp_path}/evil)"
    assert [] == offered("bash", tmp_path, "release", "start", "--mode", evil)
    assert not (tmp_path / "evil").exists()


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_the_bash_script_is_clean(tmp_path: Path) -> None:
    """Shellcheck has nothing to say but of quotes around help texts."""
    made = tmp_path / "watcher"
    made.write_text(script("bash", GRAMMAR))
    done = subprocess.run(
        ["shellcheck", "-s", "bash", "-e", "SC2016", str(made)], capture_output=True, text=True, check=False
    )
    assert "" == done.stdout


def test_a_shell_must_be_named(tmp_path: Path) -> None:
    """Without one it is a mistake of usage, with the way out."""
    with served(MemoryFront(), tmp_path) as daemon:
        said = daemon.watcher("completion")
    assert 64 == said.code
    assert "hint: `watcher completion bash`" in said.err
