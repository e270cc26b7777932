"""`python -I -m watcher.dispatch.dispatcher CONFIG QUEUE CLAIMS USER`: root's side of the rollback queue.

Empties the queue, whatever lies in it; claims each rollback once for ever, with the command from root's configuration;
and has PID 1 start its unit. Knows nothing of releases: the daemon has decided, and this only makes sure that an order
is well-formed, allowed and new. Started whenever the queue is not empty; where it can't empty it, it fails, and its
unit lets it rest for a second before the next try.
"""

from __future__ import annotations

import os
import pwd
import sys
from time import time_ns  # noqa: TID251 - the top of a process; its instants stand in its files

from watcher.dispatch import claim as claims
from watcher.dispatch import files, hold
from watcher.dispatch.claim import ClaimError, Facts
from watcher.dispatch.evidence import Standing, look
from watcher.dispatch.failpoint import reached
from watcher.dispatch.order import OrderError, id_in, read_order
from watcher.dispatch.plan import PlanError, claim_for, read_configuration
from watcher.dispatch.refusal import DISARMED, PAUSED, REFUSED, Refusal, leave_refusal
from watcher.dispatch.voice import Voice

TYPE_CHECKING = False  # typing's own constant costs the import of typing
if TYPE_CHECKING:
    from collections.abc import Sequence

    from watcher.dispatch.plan import Configuration

UNIT = "release-watcher-rollback@{}.service"
MOST_AT_ONCE = 1000
"""Files that are taken from the queue before the units of those among them are started."""
MOST_SAID = 20
"""Refused files that are named one by one; of more, only the number is said."""
_HALF_AGE_NS = 60_000_000_000
"""A hidden file younger than this may still be written by the daemon."""
_LEFTOVER_AGE_NS = 3600 * 1_000_000_000
"""One among the claims that is older belongs to nobody any more, whatever the clock did meanwhile."""
_INFO, _WARNING, _ERROR = 6, 4, 3


class Dispatcher:
    """One pass over the queue. `owner` is the user whose orders count; `trusted` are those whose configuration does.

    None for `owner`: there is no such user, so no order counts.
    """

    def __init__(
        self, *, config: str, queue: str, claims_dir: str, owner: int | None, trusted: tuple[int, ...]
    ) -> None:
        """Raises OSError: the queue can't be opened."""
        self._config, self._owner, self._trusted = config, owner, trusted
        self._voice = Voice(identifier="release-watcher-dispatcher")
        self._state = files.open_directory(queue.rpartition("/")[0])
        self._queue = _open_queue(self._state, queue.rpartition("/")[2])
        self._claims_dir, self._opened_claims = claims_dir, -1
        self._configuration: Configuration | PlanError | None = None
        self._refused = self._failed = 0

    @property
    def _claims(self) -> int:
        """Opened only when an order needs it: the queue has to be emptied also where it is missing. Raises OSError."""
        if self._opened_claims < 0:
            self._opened_claims = files.open_directory(self._claims_dir)
        return self._opened_claims

    def run(self) -> bool:
        """Take everything out of the queue; whether all of it could be taken out, and every claimed one be started."""
        well = True
        while names := self._waiting():
            due = [release_id for name in names if (release_id := self._take(name)) is not None]
            well = self._start(due) and well
            if all(files.exists(self._queue, name) for name in names):
                self._say(_ERROR, "queue can't be emptied", detail=f"{len(names)} files stay")
                return False
        if self._refused > MOST_SAID:
            self._say(_WARNING, "more queue files were refused", detail=f"{self._refused} in all")
        self._sweep_claims()
        return well and not self._failed

    def _waiting(self) -> list[str]:
        """The next names in the queue. Hidden ones are the daemon's unfinished files, which it puts in place itself."""
        try:
            files.sweep(self._queue, older_than_ns=time_ns() - _HALF_AGE_NS)
        except OSError as error:  # it may be a directory; hidden, it wakes nobody and hinders nobody
            self._say(_WARNING, "hidden file in the queue can't be removed", detail=str(error))
        with os.scandir(self._queue) as found:
            names = (one.name for one in found if not one.name.startswith("."))
            return [name for name, _ in zip(names, range(MOST_AT_ONCE), strict=False)]

    def _sweep_claims(self) -> None:
        """Last of all, as no rollback shall wait for it: the halves that a crash of ours or of a runner left behind."""
        if self._opened_claims < 0:
            return
        try:
            files.sweep(self._opened_claims, older_than_ns=time_ns() - _LEFTOVER_AGE_NS)
        except OSError as error:
            self._say(_WARNING, "hidden file among the claims can't be removed", detail=str(error))

    def _take(self, name: str) -> str | None:
        """Work off one queue file, which is gone afterwards; the release whose unit has to be started."""
        try:
            return self._decide(read_order(self._queue, name, owner=self._owner, now=_now()))
        except (OrderError, PlanError, ClaimError) as error:
            self._refuse(id_in(name), REFUSED, str(error), name=name)
        except OSError as error:  # a full disk, for one: the daemon queues it again in half a minute
            self._failed += 1
            self._say(_ERROR, "rollback can't be claimed now", release=id_in(name), detail=str(error))
        finally:
            self._clear(name)
        return None

    def _decide(self, facts: Facts) -> str | None:
        evidence = look(self._claims, facts.id)
        if evidence.standing in (Standing.RUNNING, Standing.ENDED):
            return None
        if evidence.standing is Standing.INTERRUPTED and not evidence.repeatable:
            return None
        if evidence.standing is Standing.UNUSABLE:
            raise ClaimError(evidence.detail)
        if hold.is_disarmed(self._config.rpartition("/")[0]):
            self._refuse(facts.id, DISARMED, "the off switch is on: the file `disarm` exists")
            return None
        if hold.is_paused(self._state, facts.job, reason_code=facts.reason_code, now=_now()):
            self._refuse(facts.id, PAUSED, f"automatic rollbacks of job {facts.job} are paused")
            return None
        if evidence.standing is Standing.UNCLAIMED:
            claim = claim_for(facts, self._root_configuration(), now=_now())
            reached("before_claim")
            claims.stake(self._claims, claim)
            reached("after_claim")
        if not claims.read_claim(self._claims, facts.id).facts.same_release(facts):
            raise ClaimError("the claim under this id was made for another release")
        return facts.id

    def _root_configuration(self) -> Configuration:
        """Read once for all of a pass. Raises PlanError."""
        if self._configuration is None:
            try:
                self._configuration = read_configuration(self._config, owners=self._trusted)
            except PlanError as error:
                self._configuration = error
        if isinstance(self._configuration, PlanError):
            raise self._configuration
        return self._configuration

    def _refuse(self, release_id: str | None, code: str, detail: str, *, name: str = "") -> None:
        self._refused += 1
        if release_id is not None and self._refused <= MOST_AT_ONCE:
            try:
                leave_refusal(self._claims, release_id, Refusal(code=code, detail=detail, at=_now()))
            except OSError as error:
                self._say(_ERROR, "refusal can't be written down", release=release_id, detail=str(error))
        if self._refused <= MOST_SAID:
            what = f"rollback is refused ({code})" if release_id else f"queue file {_plain(name)} is refused"
            self._say(_WARNING, what, release=release_id, detail=detail)

    def _clear(self, name: str) -> None:
        """Take the name out of the queue, be it a file, a link or a directory."""
        try:
            files.remove(self._queue, name)
        except (IsADirectoryError, PermissionError):  # of a directory, unlink(2) says the one or the other
            self._clear_directory(name)
        except OSError as error:
            self._say(_ERROR, "queue file can't be removed", detail=f"{_plain(name)}: {error.strerror}")

    def _clear_directory(self, name: str) -> None:
        """An empty one goes; a full one is hidden, where neither we nor the path unit look, for a person to see."""
        try:
            os.rmdir(name, dir_fd=self._queue)
        except OSError:
            hidden = f".refused.{os.urandom(6).hex()}"
            try:
                os.rename(name, hidden, src_dir_fd=self._queue, dst_dir_fd=self._queue)
            except OSError as error:
                self._say(_ERROR, "queue file can't be removed", detail=f"{_plain(name)}: {error.strerror}")
                return
            self._say(_ERROR, "a directory lay in the queue and was put aside", detail=hidden)

    def _start(self, release_ids: Sequence[str]) -> bool:
        """Have PID 1 start the units; one that runs already is left alone, one that has run does nothing."""
        if not release_ids:
            return True
        argv = ["systemctl", "start", "--no-block", "--no-ask-password", *map(UNIT.format, release_ids)]
        reached("before_start")
        pid = os.posix_spawnp(argv[0], argv, os.environ)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        reached("after_start")
        for release_id in release_ids:
            if code == 0:
                self._say(_INFO, "rollback is claimed, its unit is started", release=release_id, detail="")
            else:
                detail = f"systemctl start ended with {code}; it is tried again when the daemon queues it again"
                self._say(_ERROR, "rollback's unit could not be started", release=release_id, detail=detail)
        return code == 0

    def _say(self, priority: int, what: str, *, detail: str, release: str | None = None) -> None:
        fields = {} if release is None else {"WATCHER_RELEASE_ID": release}
        words = [what, *([f"release={release}"] if release else []), *([f'why="{_plain(detail)}"'] if detail else [])]
        self._voice.say(priority, " ".join(words), fields)


def main(arguments: Sequence[str]) -> int:
    """0: the queue is empty, and what was due is started. 1: something of it went wrong, and is said."""
    if len(arguments) != 4:  # noqa: PLR2004 - as the usage says
        return _complain("usage: dispatcher CONFIG QUEUE CLAIMS USER")
    config, queue, claims_dir, user = arguments
    try:
        trusted = (0, os.geteuid())
        dispatcher = Dispatcher(config=config, queue=queue, claims_dir=claims_dir, owner=_uid(user), trusted=trusted)
        return 0 if dispatcher.run() else 1
    except OSError as error:
        return _complain(f"rollback queue {queue}: {error}")


def _open_queue(state: int, name: str) -> int:
    """The queue's directory and no other: it lies where the daemon's user may put a link in its place."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(name, flags, dir_fd=state)
    except OSError:
        if not files.is_link(state, name):
            raise
        files.remove(state, name)  # else the path unit would look through it for ever
        raise


def _uid(user: str) -> int | None:
    try:
        return pwd.getpwnam(user).pw_uid
    except KeyError:
        return None


def _plain(text: str) -> str:
    """Somebody's text in a line of ours."""
    return "".join(char if char.isprintable() and char != '"' else "?" for char in text[:400])


def _now() -> int:
    return time_ns() // 1000


def _complain(text: str) -> int:
    Voice(identifier="release-watcher-dispatcher").say(_ERROR, _plain(text), {})
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
