"""How bad an unknown line looks: a first guess for a person who is about to write a rule. Nothing is judged by it."""

from __future__ import annotations

from watcher.core.severity import Severity

_SEARCHED = 1024
_WORDS = (
    (Severity.CRITICAL, ("fatal", "panic", "critical", "emerg", "segfault", "out of memory", "corrupt", "data loss")),
    (
        Severity.ERROR,
        (
            "error", "fail", "exception", "cannot", "can't", "can not", "could not", "couldn't", "unable", "refused",
            "denied", "timed out", "abort", "giving up", "gave up", "invalid", "unexpected", "crash",
            "killed", "lost", "broken", "unreachable", "no such", "not found", "traceback", "jammed", "stuck",
            "rejected",
        ),
    ),
    (
        Severity.WARNING,
        ("warn", "retry", "deprecated", "timeout", " slow", " late", " missing", " skipped", " again", "!!"),
    ),
)  # fmt: skip
_BY_PRIORITY = {
    0: Severity.CRITICAL,
    1: Severity.CRITICAL,
    2: Severity.CRITICAL,
    3: Severity.ERROR,
    4: Severity.WARNING,
}


_BY_LETTER = {
    "f": Severity.CRITICAL,
    "c": Severity.CRITICAL,
    "a": Severity.CRITICAL,
    "e": Severity.ERROR,
    "w": Severity.WARNING,
}


def guessed_severity(text: str, priority: int | None, *, level: str = "") -> Severity:
    """The worst of what the PRIORITY says (None: unknown), which words stand in the text, and a level of one letter."""
    by_letter = _BY_LETTER.get(level.lower(), Severity.INFO)
    lowered = f" {text[:_SEARCHED].lower()}"
    by_words = next((severity for severity, words in _WORDS if any(map(lowered.__contains__, words))), Severity.INFO)
    by_priority = Severity.INFO if priority is None else _BY_PRIORITY.get(priority, Severity.INFO)
    return next(one for one in Severity if one in (by_words, by_priority, by_letter))
