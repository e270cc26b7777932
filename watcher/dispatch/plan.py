"""What root's own configuration says of the rollback of a job: the only source of a command that root runs.

Reads the same files with the same strictness and the same merge as the daemon, each by a path that nobody but root can
have changed. Knows the four keys that it needs; whether the rest makes sense is the daemon's business.
"""

from __future__ import annotations

import os
from hashlib import sha256

from watcher.config.document import LARGEST, parse_document
from watcher.config.folder import DROP_INS, read_in_order
from watcher.config.leaves import WrongError, argv, flag, rollback_timeout, user
from watcher.config.merge import merge
from watcher.config.nodes import MappingNode
from watcher.core.duration import MINUTE, Usec, format_duration
from watcher.dispatch.claim import Claim, ClaimError, Facts
from watcher.dispatch.ground import GroundError, open_ground

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

    from watcher.config.nodes import Node
    from watcher.config.problem import Problem

DEFAULT_TIMEOUT = Usec(5 * MINUTE)


class PlanError(Exception):
    """No command can be taken from the configuration; the text begins with the file or the job."""


def distrust(path: str, *, owners: Collection[int] = (0,)) -> tuple[str, ...]:
    """Why root would not take a command from the configuration whose main file is `path`; empty if it would."""
    reasons: list[str] = []
    for file in _files(path, owners, reasons):
        try:
            os.close(open_ground(file, owners=owners))
        except (GroundError, OSError) as error:
            reasons.append(_why(file, error))
    return tuple(dict.fromkeys(reasons))


class Configuration:
    """The main file and its drop-ins as one tree, and the hash of their bytes, one file after the other in that order.

    `cat watcher.yaml conf.d/*.yaml | sha256sum` gives the same, so that anybody can tell which files they were.
    """

    __slots__ = ("hash", "root")

    def __init__(self, root: MappingNode, hash: str) -> None:  # noqa: A002 - what it is
        self.root, self.hash = root, hash


def read_configuration(path: str, *, owners: Collection[int]) -> Configuration:
    """What root's configuration says. Raises PlanError."""
    reasons: list[str] = []
    files = _files(path, owners, reasons)
    roots: list[MappingNode] = []
    problems: list[Problem] = []
    digest = sha256()
    for file in files if not reasons else ():
        contents = _contents(file, owners)
        digest.update(contents)
        document = parse_document(contents, file=file)
        problems += document.problems
        if document.root is not None:
            roots.append(document.root)
    if not roots or len(roots) < len(files) or problems or reasons:
        raise PlanError(_first(reasons, problems) or f"{path}: can't be used")
    merged, found = merge(roots[0], roots[1:])
    if found:
        raise PlanError(_first([], found))
    return Configuration(merged, digest.hexdigest())


def claim_for(facts: Facts, configuration: Configuration, *, now: int) -> Claim:
    """The claim of this rollback with the command that the configuration has for its job. Raises PlanError."""
    node: Node | None = configuration.root
    for key in ("jobs", facts.job, "release", "rollback"):
        node = node.at(key) if isinstance(node, MappingNode) else None
    if not isinstance(node, MappingNode):
        raise PlanError(f"job {facts.job}: has no rollback command in root's configuration")
    command, timeout, who, idempotent = (node.at(key) for key in ("command", "timeout", "user", "idempotent"))
    if command is None:
        raise PlanError(f"job {facts.job}: has no rollback command in root's configuration")
    try:
        span = DEFAULT_TIMEOUT if timeout is None else rollback_timeout(timeout)
        return Claim(
            facts,
            command=argv(command),
            timeout_usec=span,
            timeout=format_duration(span),
            user=None if who is None else user(who),
            idempotent=False if idempotent is None else flag(idempotent),
            claimed_at=now,
            config_hash=configuration.hash,
        )
    except (WrongError, ClaimError) as error:
        raise PlanError(f"job {facts.job}: its rollback in root's configuration can't be used: {error}") from error


def _files(path: str, owners: Collection[int], reasons: list[str]) -> list[str]:
    """The main file and its drop-ins; the directory of these need not exist."""
    folder = f"{path.rpartition('/')[0]}/{DROP_INS}"
    try:
        at = open_ground(folder, owners=owners, directory=True)
    except FileNotFoundError:
        return [path]
    except (GroundError, OSError) as error:
        reasons.append(_why(folder, error))
        return [path]
    try:
        return [path, *(f"{folder}/{name}" for name in read_in_order(os.listdir(at)))]  # noqa: PTH208 - it is a descriptor
    finally:
        os.close(at)


def _contents(file: str, owners: Collection[int]) -> bytes:
    try:
        fd = open_ground(file, owners=owners)
    except (GroundError, OSError) as error:
        raise PlanError(_why(file, error)) from error
    with open(fd, "rb") as stream:  # noqa: PTH123 - it is a descriptor
        return stream.read(LARGEST + 1)


def _why(file: str, error: GroundError | OSError) -> str:
    return str(error) if isinstance(error, GroundError) else f"{file}: {error.strerror}"


def _first(reasons: list[str], problems: Collection[Problem]) -> str:
    errors = [f"{one.place}: {one.path}{': ' if one.path else ''}{one.message}" for one in problems]
    return next(iter([*reasons, *errors]), "")
