"""The daemon at a glance, for `watcher status`, `GET /api/v1/status` and the status page.

Knows which facts are for everybody; a job's units, which commands are run and what they print are for the control
socket alone.
"""

from __future__ import annotations

from typing import Any

from watcher.adapters.front import Front
from watcher.adapters.standing import standings
from watcher.core import counters
from watcher.core.duration import SECOND, Usec, format_duration
from watcher.core.explain import explanation
from watcher.core.found import COUNTED_OUTCOMES
from watcher.core.policy import JobPolicy
from watcher.core.release import Release, RollbackState
from watcher.core.shown import SCHEMA, shown_instant, shown_release
from watcher.core.state import OPEN_PHASES, Pause, State


def overview(front: Front, *, for_deployers: bool) -> dict[str, Any]:
    """The daemon, the journal, the jobs, and the windows that are open."""
    state, now, facts, trouble = front.state, front.now(), front.facts(), front.trouble()
    read_until = state.read_until
    return {
        "schema": SCHEMA,
        "version": facts.version,
        "now": shown_instant(now),
        "ready": trouble is None,
        "trouble": trouble,
        "config": {
            "hash": facts.config_hash,
            "last_reload_successful": facts.reload_successful,
            "reloaded_at": shown_instant(facts.reloaded_at),
        },
        "journal": {
            "source": facts.journal,
            "read_until": shown_instant(read_until),
            "last_entry_at": shown_instant(state.last_entry_at),
            "lag_seconds": None if read_until is None else max(now - read_until, 0) / SECOND,
            "gaps": {series[1]: count for series, count in state.counters.items() if series[0] == counters.GAPS},
        },
        "disarmed": facts.disarmed,
        "pauses": [shown_pause(pause) for pause in state.pauses if pause.until is None or now < pause.until],
        "jobs": {
            job: _shown_job(state, policy, is_held=facts.holds(state, job, now), for_deployers=for_deployers)
            for job, policy in sorted(state.policies.items())
        },
        "verifying": [
            _shown(one, for_deployers=for_deployers)
            for one in state.verifying()
            if one.rollback.state is RollbackState.SUCCEEDED
        ],
        "open": [
            with_standing(one, now, for_deployers=for_deployers)
            for one in state.releases.values()
            if one.phase in OPEN_PHASES
        ],
    }


def with_standing(release: Release, now: Usec, *, for_deployers: bool) -> dict[str, Any]:
    """The release as the contract shows it; while it is open, its thresholds also with how they stand `now`."""
    shown = {**_shown(release, for_deployers=for_deployers), "explanation": explanation(release)}
    if release.phase not in OPEN_PHASES:
        return shown
    for threshold, standing in zip(shown["thresholds"], standings(release, now), strict=True):
        threshold["now"] = standing.count
    left = None if release.ends_at is None else max(release.ends_at - now, 0) / SECOND
    return {**shown, "seconds_left": left}


def _shown(release: Release, *, for_deployers: bool) -> dict[str, Any]:
    """The release; for others than deployers without its commands and what they printed, which may hold secrets."""
    shown = shown_release(release)
    if not for_deployers:
        for errand in ("backup", "check", "rollback"):
            if shown[errand] is not None:
                shown[errand] |= {"command": None, "output": ""}
    return shown


def shown_pause(pause: Pause) -> dict[str, Any]:
    """A pause for JSON; `job` null is all of them."""
    return {
        "job": pause.job,
        "reason": pause.reason,
        "author": pause.author,
        "since": shown_instant(pause.since),
        "until": shown_instant(pause.until),
    }


def _shown_job(state: State, policy: JobPolicy, *, is_held: bool, for_deployers: bool) -> dict[str, Any]:
    last = state.last.get(policy.name)
    release = None if last is None else state.releases.get(last)
    shown: dict[str, Any] = {
        "owner": policy.owner,
        "mode": policy.release.mode,
        "window": format_duration(policy.release.window),
        "paused": is_held,
        "entries": state.counters.get((counters.ENTRIES, policy.name), 0),
        "matches": {
            rule: state.counters.get((counters.MATCHES, policy.name, rule, severity), 0)
            for rule, severity in policy.rules.items()
        },
        "runs": {one: state.counters.get((counters.RUNS, policy.name, one), 0) for one in COUNTED_OUTCOMES},
        "opinions": {
            agreement: state.counters.get((counters.OPINIONS, policy.name, agreement), 0)
            for agreement in counters.AGREEMENTS
        },
        "last_release": last,
        "phase": None if release is None else release.phase,
        "rollback": None if release is None else release.rollback.state,
    }
    return {**shown, **_errands(policy)} if for_deployers else shown


def _errands(policy: JobPolicy) -> dict[str, Any]:
    """What a release script looks at or runs when it registers; the check as the user of the rollback command."""
    release, options = policy.release, policy.journalctl
    plan = release.rollback
    return {
        "units": [value for option, value in zip(options[::2], options[1::2], strict=True) if option == "-u"],
        "backup": list(release.backup),
        "backup_seconds": release.backup_timeout / SECOND,
        "command": [] if plan is None else list(plan.command),
        "check": [] if plan is None else list(plan.check),
        "check_user": None if plan is None else plan.user,
        "check_seconds": None if plan is None else plan.timeout / SECOND,
    }
