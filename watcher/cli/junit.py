"""Results as JUnit's XML, which every CI reads: one suite, a case for each file.

Form: https://github.com/testmoapp/junitxml. XML 1.0 can't hold control characters, not even escaped, so texts are
written as `core/text.py` shows them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from watcher.core.text import shown, shown_lines

_NAME, _LINE, _LINES = 300, 4000, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One tested file. `is_error`: it could not even be tried; `failures` are empty when all is well."""

    file: str
    name: str
    failures: tuple[str, ...]
    is_error: bool
    seconds: float


def write_junit(path: Path, suite: str, cases: Sequence[Case]) -> None:
    """Write the results.

    Raises OSError: the file can't be written.
    """
    failed = sum(bool(case.failures) and not case.is_error for case in cases)
    counts = {
        "tests": str(len(cases)),
        "failures": str(failed),
        "errors": str(sum(case.is_error for case in cases)),
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }
    root = ET.Element("testsuites", counts)
    inner = ET.SubElement(root, "testsuite", {"name": suite, **counts})
    for case in cases:
        facts = {"name": _safe(case.name), "classname": _safe(case.file), "file": _safe(case.file)}
        element = ET.SubElement(inner, "testcase", {**facts, "time": f"{case.seconds:.3f}"})
        if case.failures or case.is_error:
            kind = "error" if case.is_error else "failure"
            said = ET.SubElement(element, kind, {"message": _safe(case.failures[0] if case.failures else "")})
            said.text = "\n".join(shown_lines("\n".join(case.failures), limit=_LINE, lines=_LINES))
    ET.indent(root)
    path.write_bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True) + b"\n")


def _safe(text: str) -> str:
    return shown(text, limit=_NAME)
