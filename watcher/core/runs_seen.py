"""The runs of a trial: how many began and how they ended, those of the release apart from older ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

from watcher.core.found import RunEnded, RunOutcome


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsSeen:
    """Invocations that began since the release was registered: `begun`, and of those `over`.

    The outcomes are of those that ended in the window, `settling` the failed ones that ended before it had settled.
    `finished` are the ones that thresholds and a window of runs count: succeeded or failed, after it had settled.
    `old_succeeded`, `old_failed`, `old_stopped` began before, and are held against nobody.
    """

    begun: int = 0
    over: int = 0
    succeeded: int = 0
    failed: int = 0
    stopped: int = 0
    settling: int = 0
    finished: int = 0
    old_succeeded: int = 0
    old_failed: int = 0
    old_stopped: int = 0

    @property
    def is_alive(self) -> bool:
        """Whether one of those that began still runs, as far as anybody saw."""
        return self.begun > self.over

    @property
    def any_seen(self) -> bool:
        """Whether anything of a run of the release was seen."""
        return bool(self.begun or self.succeeded or self.failed or self.stopped)

    def began(self) -> RunsSeen:
        """One more began."""
        return replace(self, begun=self.begun + 1)

    def ended(self, run: RunEnded, *, inside: bool, settled: bool, begun: bool) -> RunsSeen:
        """One that counts ended: `inside` the window, after it had `settled`, `begun` is one of those that began."""
        if run.outcome is RunOutcome.SKIPPED:
            # its begin may have been read before the release was registered, where the clock was set back
            return replace(self, begun=max(self.begun - begun, 0))
        seen = replace(self, over=self.over + begun)
        if not inside:
            return seen
        failed, succeeded = run.outcome is RunOutcome.FAILED, run.outcome is RunOutcome.SUCCEEDED
        return replace(
            seen,
            succeeded=self.succeeded + succeeded,
            failed=self.failed + failed,
            stopped=self.stopped + (run.outcome is RunOutcome.STOPPED),
            settling=self.settling + (failed and not settled),
            finished=self.finished + (settled and run.is_counted),
        )

    def old_ended(self, run: RunEnded) -> RunsSeen:
        """One that had begun before the release ended in the window."""
        return replace(
            self,
            old_succeeded=self.old_succeeded + (run.outcome is RunOutcome.SUCCEEDED),
            old_failed=self.old_failed + (run.outcome is RunOutcome.FAILED),
            old_stopped=self.old_stopped + (run.outcome is RunOutcome.STOPPED),
        )


NO_RUNS = RunsSeen()
