"""The daemon's own log: constant messages, facts as fields, one line a transition.

Lines go to standard error as `message key=value …`; text of others (versions, reasons) is shown escaped and short.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from watcher.core.messages import Transition, TransitionKind
from watcher.core.release import Phase, RollbackState
from watcher.core.text import shown
from watcher.core.verdict import say

log = logging.getLogger("watcher")

_FIELD_LIMIT = 400
_LOUD = frozenset({Phase.FAILED, Phase.INCONCLUSIVE, RollbackState.HELD, RollbackState.UNKNOWN})


class _Formatter(logging.Formatter):
    """`message key=value …`, with the priority prefix of sd-daemon(3) where a journal reads it."""

    _PRIORITIES: Mapping[int, str] = {
        logging.DEBUG: "<7>",
        logging.INFO: "<6>",
        logging.WARNING: "<4>",
        logging.ERROR: "<3>",
    }

    def __init__(self, *, prefixed: bool) -> None:
        super().__init__()
        self._prefixed = prefixed

    def format(self, record: logging.LogRecord) -> str:
        facts: Mapping[str, object] = getattr(record, "facts", {})
        words = [record.getMessage(), *(f"{key}={_value(value)}" for key, value in facts.items())]
        text = " ".join(words)
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return self._PRIORITIES.get(record.levelno, "<6>") + text if self._prefixed else text


def start_logging(*, verbose: bool, in_journal: bool) -> None:
    """Send the daemon's log to standard error; `in_journal` says that a journal reads it from there."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter(prefixed=in_journal))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(logging.DEBUG if verbose else logging.INFO)


def say_transition(transition: Transition) -> None:
    """One line for one transition."""
    demoted = transition.kind is TransitionKind.PHASE and transition.before == "" and bool(transition.reasons)
    failed = transition.kind is TransitionKind.ROLLBACK and transition.after == RollbackState.FAILED
    loud = transition.after in _LOUD or failed or demoted
    facts: dict[str, object] = {
        "release": transition.release,
        "job": transition.job,
        "before": transition.before,
        "author": transition.author,
        "reason": "; ".join(say(reason) for reason in transition.reasons),
        "text": transition.text,
    }
    kept = {key: value for key, value in facts.items() if value not in (None, "")}
    log.log(
        logging.WARNING if loud else logging.INFO,
        "%s %s",
        _subject(transition),
        transition.after,
        extra={"facts": kept},
    )


def _subject(transition: Transition) -> str:
    match transition.kind:
        case TransitionKind.PHASE:
            return "release is"
        case TransitionKind.ROLLBACK:
            return "rollback is"
        case TransitionKind.WINDOW:
            return "window is now"
        case TransitionKind.PAUSE:
            return "automatic rollbacks are"


def _value(value: object) -> str:
    text = shown(str(value), limit=_FIELD_LIMIT)
    return f'"{text}"' if " " in text or not text else text
