"""One object for every mistake: as text, as JSON, in order."""

from __future__ import annotations

from watcher.config.problem import ConfigError, Place, Problem, Weight, has_errors, in_order, quoted, render_path

ERROR = Problem(
    place=Place("w.yaml", 14, 7),
    path="jobs.import.release.windw",
    message="unknown key",
    hint='did you mean "window"?',
)
WARNING = Problem(place=Place("a.yaml", 1, 1), message="is not read", weight=Weight.WARNING)


def test_text_of_an_error() -> None:
    """The form that editors and people know, the advice on a line of its own."""
    assert 'w.yaml:14:7: jobs.import.release.windw: unknown key\n  hint: did you mean "window"?' == str(ERROR)


def test_text_of_a_warning() -> None:
    """A warning says so; without path and hint both are left out."""
    assert "a.yaml:1:1: warning: is not read" == str(WARNING)


def test_hostile_text_in_a_problem() -> None:
    """What a message repeats of the file, or of what a library says of it, moves no cursor."""
    hostile = Problem(place=Place("w.yaml", 1, 1), message="RE2: missing ): (\x1b]0;x", hint="not \u202ethis\n")
    assert "w.yaml:1:1: RE2: missing ): (\\x1b]0;x\n  hint: not \\u202ethis\\n" == str(hostile)


def test_json_of_a_problem() -> None:
    """The same facts as plain values."""
    expected = {
        "file": "w.yaml",
        "line": 14,
        "column": 7,
        "path": "jobs.import.release.windw",
        "message": "unknown key",
        "hint": 'did you mean "window"?',
        "severity": "error",
    }
    assert expected == ERROR.to_json()


def test_an_error_carries_every_problem() -> None:
    """Text and JSON of the exception hold all of them."""
    error = ConfigError([ERROR, WARNING])
    assert f"{ERROR}\n{WARNING}" == str(error)
    assert "the configuration can't be used: 1 error" == error.message
    assert [ERROR.to_json(), WARNING.to_json()] == error.to_json()


def test_only_errors_keep_a_configuration_from_being_used() -> None:
    """Warnings alone don't."""
    assert has_errors([WARNING, ERROR])
    assert not has_errors([WARNING])


def test_order_is_that_of_the_files_and_of_their_lines() -> None:
    """Named files first, each from its top to its end, nothing twice."""
    late = Problem(place=Place("w.yaml", 20, 1), message="late")
    assert (ERROR, late, WARNING) == in_order([WARNING, late, ERROR, late], ["w.yaml"])
    assert (WARNING, ERROR, late) == in_order([WARNING, late, ERROR])


def test_paths_are_written_as_people_write_them() -> None:
    """Dots between keys, brackets around numbers, quotes around what would be read wrongly."""
    assert "jobs.import.fail_when[1].matches" == render_path(["jobs", "import", "fail_when", 1, "matches"])
    assert 'jobs."a.b"."".c' == render_path(["jobs", "a.b", "", "c"])


def test_quoted_text_is_short_and_harmless() -> None:
    """No terminal obeys what a file holds."""
    assert '"a\\x1b[31m\\n\\u202e"' == quoted("a\x1b[31m\n\u202e")
    assert f'"{"x" * 79}…"' == quoted("x" * 1000)
