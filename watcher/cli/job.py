"""`watcher job exec`: runs a job that has no unit of its own (cron), and tells its run to the journal.

The command is what counts: it keeps its streams, its exit code comes back, and it runs also where there is no journal
and no daemon. What may be believed of the entries is the reader's business (`journal/records.py`).
"""

from __future__ import annotations

import argparse
import secrets
import time
from typing import Any

from watcher.cli.exits import UsageError
from watcher.cli.output import LINE, Output, output_of
from watcher.core import job_runs
from watcher.core.names import is_safe_name
from watcher.core.shell import command_line
from watcher.core.text import shown

_EXAMPLES = """examples:
  watcher job exec nightly -- /usr/local/bin/nightly --full        in a crontab, instead of the command itself
  watcher job exec nightly --identifier backup -- make backup      the entries get this SYSLOG_IDENTIFIER

The job needs `identifiers: [nightly]`, and `run_as: USER` unless root runs it: other users' entries are not believed.
A run that nobody counts, by the configuration as far as this user may read it, is warned of on standard error.
The command's output goes where it went before (cron mails it); to the journal as well, with `| systemd-cat -t nightly`.
"""
_INFO, _NOTICE = 6, 5
_ATTEMPTS, _PAUSE = 20, 0.1
"""journald that is being restarted is waited for two seconds when a run has ended."""
_SIGNALLED = 128
_LONGEST = 1000
"""Of a message: the whole entry has to fit into one datagram."""


def add(subparsers: Any, common: argparse.ArgumentParser) -> None:
    """Register the verb with its one verb."""
    parser = subparsers.add_parser("job", help="run a job that has no unit of its own", allow_abbrev=False)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    run = verbs.add_parser(
        "exec",
        parents=[common],
        help="run a command and record its run in the journal",
        description=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    run.add_argument("job", metavar="JOB", help="the job's name in the configuration")
    run.add_argument("--identifier", metavar="I", help="one of the job's identifiers; default: its name")
    run.add_argument("command", nargs="*", metavar="-- CMD", help="the command, with its own options")
    run.set_defaults(run=execute)


def execute(args: argparse.Namespace) -> int:
    """Run the command; its exit code is ours."""
    from watcher.cli.command import SIGNALLED, exit_code_of, run_inherited  # noqa: PLC0415 - help must not pay for it

    if not args.tail:
        raise UsageError(
            "no command to run", hint="write it after --, as in: job exec nightly -- /usr/local/bin/nightly"
        )
    if not is_safe_name(args.job):
        raise UsageError(f"{args.job!r} is no name of a job", hint="letters, digits, dots, dashes and underscores")
    output = output_of(args)
    run = _Run(args.job, args.identifier or args.job, output)
    run.began(command_line(args.tail))
    try:
        code = run_inherited(args.tail)
    except OSError as error:
        output.message(f"{args.tail[0]}: {error.strerror}")
        code = exit_code_of(error)
    run.ended(code, signalled=code > SIGNALLED)
    _warn(args, output)
    return code


def _warn(args: argparse.Namespace, output: Output) -> None:
    """Say so if nobody counts this run. Afterwards, so that the command waits for nothing of ours."""
    from watcher.cli.audience import unheard  # noqa: PLC0415 - the command must not wait for it either

    why = unheard(args.job, identifier=args.identifier or args.job, config=args.config)
    if why is not None:
        output.message(f"WARNING: this run of job {args.job} is not counted: {shown(why, limit=LINE)}")


class _Run:
    """One run, told to the journal at its begin and at its end; what can't be told is said on standard error."""

    def __init__(self, job: str, identifier: str, output: Output) -> None:
        from watcher.dispatch.voice import Voice  # noqa: PLC0415 - help must not pay for it

        self._voice = Voice(identifier=identifier)
        self._output = output
        self._job = job
        self._fields = {job_runs.JOB_FIELD: job, job_runs.RUN_FIELD: secrets.token_hex(16)}

    def began(self, command: str) -> None:
        """The command is about to be started; if nobody hears of it, it runs all the same."""
        fields = {"MESSAGE_ID": job_runs.RUN_BEGAN, **self._fields}
        if not self._voice.send(_INFO, f"run of job {self._job} begins: {command}"[:_LONGEST], fields):
            self._output.message("the journal does not take the begin of this run: it will not be counted")

    def ended(self, code: int, *, signalled: bool) -> None:
        """It has ended. As nothing is lost by it any more, a journal that is away for a moment is waited for."""
        status = str(code - _SIGNALLED if signalled else code)
        result = "" if code == 0 else "signal" if signalled else "exit-code"
        what = job_runs.RUN_FAILED if code else job_runs.RUN_SUCCEEDED
        fields = {"MESSAGE_ID": what, job_runs.RESULT_FIELD: result, job_runs.STATUS_FIELD: status, **self._fields}
        how = f"failed: {result} {status}" if code else "succeeded"
        for _ in range(_ATTEMPTS):
            if self._voice.send(_NOTICE if code else _INFO, f"run of job {self._job} {how}", fields):
                return
            time.sleep(_PAUSE)
        self._output.message("the journal does not take the end of this run: it will not be counted")
