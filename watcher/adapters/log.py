"""The daemon's own log: constant messages, facts as fields, one entry a transition.

Where a journal listens an entry has its facts as WATCHER_* fields, so that `journalctl WATCHER_RELEASE_ID=…` is the
trail of a release; elsewhere it is a line `message key=value …`. Text of others (versions, reasons) is shown escaped
and short in both.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping

from watcher.adapters.message_ids import message_id
from watcher.core.messages import Transition, TransitionKind
from watcher.core.reason_words import say
from watcher.core.release import Phase, RollbackState
from watcher.core.text import shown
from watcher.core.verifying import HELPED
from watcher.dispatch.voice import Voice

log = logging.getLogger("watcher")

IDENTIFIER = "release-watcher"
_FIELD_LIMIT = 400
_LOUD = frozenset({Phase.FAILED, Phase.INCONCLUSIVE, RollbackState.HELD, RollbackState.UNKNOWN})
_VERDICTS = frozenset({Phase.PASSED, Phase.FAILED, Phase.INCONCLUSIVE})
_NAMES: Mapping[str, str] = {"release": "RELEASE_ID"}
"""Facts whose field has another name than WATCHER_ and their own; the contract's words."""
_PRIORITIES: Mapping[int, int] = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3}


class _Formatter(logging.Formatter):
    """`message key=value …`."""

    def format(self, record: logging.LogRecord) -> str:
        words = [record.getMessage(), *(f"{key}={_value(value)}" for key, value in _facts(record).items())]
        text = " ".join(words)
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


class _JournalHandler(logging.Handler):
    """Each record as one entry with fields; falls back to lines on standard error, which the journal reads as well."""

    def __init__(self, voice: Voice) -> None:
        super().__init__()
        self._voice = voice

    def emit(self, record: logging.LogRecord) -> None:
        told: dict[str, object] = {**_facts(record), **getattr(record, "fields", {})}
        fields = {_field(key): shown(str(value), limit=_FIELD_LIMIT) for key, value in told.items()}
        marked = getattr(record, "message_id", None)
        if marked is not None:
            fields["MESSAGE_ID"] = marked
        self._voice.say(_PRIORITIES.get(record.levelno, 6), self.format(record), fields)


def start_logging(*, verbose: bool) -> None:
    """Send the daemon's log to the journal, if standard error leads there, else to standard error."""
    voice = Voice(identifier=IDENTIFIER)
    handler = _JournalHandler(voice) if voice.in_journal else logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Formatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    log.setLevel(logging.DEBUG if verbose else logging.INFO)


def say_transition(transition: Transition) -> None:
    """One entry for one transition."""
    demoted = transition.kind is TransitionKind.PHASE and transition.before == "" and bool(transition.reasons)
    failed = transition.kind is TransitionKind.ROLLBACK and transition.after == RollbackState.FAILED
    in_vain = transition.kind is TransitionKind.VERIFICATION and transition.after == HELPED[False]
    loud = transition.after in _LOUD or failed or demoted or in_vain
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
        extra={"facts": kept, "fields": _state_fields(transition), "message_id": message_id(transition)},
    )


def _state_fields(transition: Transition) -> dict[str, str]:
    """What a program asks for, beside the facts: the words are in the message already."""
    fields = {"KIND": str(transition.kind), "STATE": str(transition.after)}
    if transition.kind is TransitionKind.PHASE and transition.after in _VERDICTS:
        fields["VERDICT"] = str(transition.after)
    return fields


def _subject(transition: Transition) -> str:
    match transition.kind:
        case TransitionKind.PHASE:
            return "release is"
        case TransitionKind.ROLLBACK:
            return "rollback is"
        case TransitionKind.OPINION:
            return "about the verdict a person has"
        case TransitionKind.VERIFICATION:
            return "whether the rollback helped is" if transition.after == HELPED[None] else "the rollback"
        case TransitionKind.WINDOW:
            return "window is now"
        case TransitionKind.PAUSE:
            return "automatic rollbacks are"


def _facts(record: logging.LogRecord) -> Mapping[str, object]:
    facts: Mapping[str, object] = getattr(record, "facts", {})
    return facts


def _field(key: str) -> str:
    """The name of a fact's field: capitals, digits and underscores, as journald takes it."""
    name = _NAMES.get(key, key).upper()
    return "WATCHER_" + "".join(char if char.isascii() and char.isalnum() else "_" for char in name)


def _value(value: object) -> str:
    text = shown(str(value), limit=_FIELD_LIMIT)
    return f'"{text}"' if " " in text or not text else text
