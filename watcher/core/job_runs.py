"""The records that `watcher job exec` writes about the runs of a job that has no unit of its own.

They are ordinary journal entries, and anybody can send such; who is believed is the reader's to decide
(`journal/records.py`).
"""

from __future__ import annotations

from typing import Final

RUN_BEGAN: Final = "09df2dc2b22c4569b691f66088bb7b66"
RUN_SUCCEEDED: Final = "c1a531b6a505474f999667569e36614e"
RUN_FAILED: Final = "f141a426986243cd97ccd7ad9d37e1d1"
"""MESSAGE_ID of the three records."""

JOB_FIELD: Final = "WATCHER_JOB"
RUN_FIELD: Final = "WATCHER_RUN"
RESULT_FIELD: Final = "WATCHER_RESULT"
STATUS_FIELD: Final = "WATCHER_STATUS"
"""Which job, which run (a fresh id), `exit-code` or `signal`, and the exit code or the signal's number."""
