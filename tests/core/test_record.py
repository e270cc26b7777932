"""The stored form of releases, pauses and transitions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass, replace
from timeit import repeat
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.core.codec import RecordError
from watcher.core.duration import MINUTE, Usec
from watcher.core.match_count import MatchCount
from watcher.core.messages import Transition
from watcher.core.names import JobName, ReleaseId, RuleName
from watcher.core.policy import JobPolicy, MatchThreshold, Mode, ReleasePolicy, RollbackPlan
from watcher.core.record import (
    from_record,
    pause_from_record,
    pause_record,
    to_record,
    transition_from_record,
    transition_record,
)
from watcher.core.release import CommandResult, Phase, Release, ReleaseRequest
from watcher.core.severity import Severity
from watcher.core.state import Pause
from watcher.core.trial import Sighting, Trial


def _any(hint: Any) -> st.SearchStrategy[Any]:
    """Any value of the annotation, at every depth also in the fields that have a default, and never a long one."""
    hint = getattr(hint, "__supertype__", hint)
    parts = get_args(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        hints = get_type_hints(hint)
        return st.builds(hint, **{field.name: _any(hints[field.name]) for field in fields(hint)})
    if get_origin(hint) in (Union, UnionType):
        return st.one_of([st.none() if part is NoneType else _any(part) for part in parts])
    if get_origin(hint) is tuple and parts[-1] is Ellipsis:
        return st.lists(_any(parts[0]), max_size=2).map(tuple)
    if get_origin(hint) is tuple:
        return st.tuples(*map(_any, parts))
    if get_origin(hint) is Mapping:
        return st.dictionaries(*map(_any, parts), max_size=2)
    if hint is str:
        return st.text(st.characters(codec=None), max_size=5)  # lone surrogates too
    if hint is float:
        return st.floats(allow_nan=False, allow_infinity=False)
    return st.from_type(hint)  # int, bool and words: what is left


def _release(sightings: int = 0) -> Release:
    """A release as the store keeps it at every commit of a window."""
    limits = (MatchThreshold(count=5, severity=Severity.ERROR, within=MINUTE),)
    policy = JobPolicy(
        name=JobName("import"),
        owner="data-team",
        rules={RuleName(f"rule-{number}"): Severity.ERROR for number in range(20)},
        rules_hash="0" * 64,
        release=ReleasePolicy(
            mode=Mode.ROLLBACK,
            window=Usec(15 * MINUTE),
            settle=Usec(0),
            thresholds=limits,
            rollback=RollbackPlan(command=("/bin/true",), timeout=MINUTE),
        ),
        journalctl=("-u", "import.service"),
    )
    seen = tuple(
        Sighting(rules=(RuleName("rule-1"),), at=Usec(1_700_000_000_000_000 + number), cursor="s=" + "a" * 120)
        for number in range(sightings)
    )
    return Release(
        id=ReleaseId("r1"),
        request=ReleaseRequest(job=JobName("import"), version="2", author="alice"),
        policy=policy,
        mode=Mode.ROLLBACK,
        owner="data-team",
        previous=None,
        registered_at=Usec(1_700_000_000_000_000),
        window=Usec(15 * MINUTE),
        phase=Phase.WATCHING,
        trial=Trial(
            counts=(MatchCount(threshold=limits[0], instants=tuple(one.at for one in seen[:5]), peak=len(seen[:5])),),
            sightings=seen,
        ),
    )


@given(_any(Release))
def test_any_release_comes_back_from_its_json_text(release: Release) -> None:
    """Whatever a release holds, writing and reading its JSON text gives an equal release of equal types."""
    back = from_record(json.loads(json.dumps(to_record(release))))
    assert release == back
    assert repr(release) == repr(back)


@given(_any(Pause), _any(Transition))
def test_any_pause_and_transition_come_back(pause: Pause, transition: Transition) -> None:
    """Pauses and transitions are kept without loss as well."""
    assert pause == pause_from_record(json.loads(json.dumps(pause_record(pause))))
    assert transition == transition_from_record(json.loads(json.dumps(transition_record(transition))))


def test_record_is_plain_json_with_a_version() -> None:
    """The record equals what comes out of its JSON text: lists, not tuples, and a version."""
    record = to_record(_release(sightings=1))
    assert 2 == record["v"]
    assert json.loads(json.dumps(record)) == record
    assert ["rule-1"] == record["trial"]["sightings"][0]["rules"]
    assert "rollback" == record["policy"]["release"]["mode"]


def test_record_shares_nothing_mutable_with_the_release() -> None:
    """Changing a record changes no release."""
    release = _release(sightings=1)
    record = to_record(release)
    record["policy"]["rules"].clear()
    record["request"].clear()
    assert 20 == len(release.policy.rules)
    assert "alice" == release.request.author


@pytest.mark.parametrize("version", [None, 0, True, 3, "1"])
def test_other_version_is_refused(version: object) -> None:
    """A record of a version that this program doesn't write is an error, never a guess."""
    with pytest.raises(RecordError, match=r"^release: record version .* is unknown"):
        from_record({**to_record(_release()), "v": version})


def test_something_else_than_an_object_is_refused() -> None:
    """A list is no record."""
    with pytest.raises(RecordError, match=r"^pause: not a JSON object"):
        pause_from_record([])  # type: ignore[arg-type]  # what a damaged store may hold


@pytest.mark.parametrize("key", [field.name for field in fields(Release) if field.default is MISSING])
def test_missing_key_is_refused_by_its_name(key: str) -> None:
    """A key whose field has no default belongs to every record."""
    record = to_record(_release())
    del record[key]
    with pytest.raises(RecordError, match=rf"^release\.{key}: missing"):
        from_record(record)


@pytest.mark.parametrize("key", [field.name for field in fields(Release) if field.default is not MISSING])
def test_missing_key_with_a_default_takes_it(key: str) -> None:
    """So a record that was written before its field was there is read as if nothing had been said."""
    record = to_record(_release())
    del record[key]
    assert _release() == from_record(record)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("policy", "release", "window"), "15m", r"^release\.policy\.release\.window: '15m' is not of type int"),
        (("phase",), "asleep", r"^release\.phase: 'asleep' is none of preparing, watching"),
        (("phase",), ["watching"], r"^release\.phase: \['watching'\] is none of"),
        (("trial", "heard"), 1, r"^release\.trial\.heard: 1 is not of type bool"),
        (("trial", "settling"), True, r"^release\.trial\.settling: True is not of type int"),
        (
            ("trial", "sightings", 0, "rules"),
            "traceback",
            r"^release\.trial\.sightings\[0\]\.rules: 'traceback' is not of type list",
        ),
        (("trial", "matches"), [["traceback"]], r"^release\.trial\.matches\[0\]: 1 values where 2 belong"),
        (("rollback", "colour"), "red", r"^release\.rollback\.colour: unknown"),
        (("policy", "rules"), {"x": "bad"}, r"^release\.policy\.rules\.x: 'bad' is none of critical"),
    ],
)
def test_wrong_value_is_refused_with_its_place(place: tuple[Any, ...], value: object, message: str) -> None:
    """A value of another type, word or shape is an error that names where it stands."""
    record = to_record(_release(sightings=1))
    *way, last = place
    part: Any = record
    for step in way:
        part = part[step]
    part[last] = value
    with pytest.raises(RecordError, match=message):
        from_record(record)


def test_optional_parts_stay_absent() -> None:
    """None comes back as None, and a nested optional part as itself."""
    backup = CommandResult(command=("/bin/backup",), exit_code=0, started_at=Usec(1), finished_at=Usec(2))
    plain = _release()
    saved = replace(plain, request=replace(plain.request, backup=backup))
    assert from_record(to_record(plain)).request.backup is None
    assert backup == from_record(to_record(saved)).request.backup


def test_record_costs_no_more_than_its_json_text_twice() -> None:
    """The commit path pays little for it; when this was written, 22 µs, and the C encoder of JSON 29 µs."""
    release = _release(sightings=10)
    record = to_record(release)
    made = min(repeat(lambda: to_record(release), number=20, repeat=50))
    written = min(repeat(lambda: json.dumps(record), number=20, repeat=50))
    assert made < 2 * written
