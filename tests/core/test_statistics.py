"""The evidence against a release is exact, honest about what is not known, and may be looked at at any time."""

from __future__ import annotations

from math import exp, inf, log

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from watcher.core.statistics import (
    LEAST_FAILURES,
    Share,
    burst_size,
    can_exceed,
    log_evidence,
    log_mixture,
    log_tail,
    needed,
    upper_limit,
)

shares = st.integers(1, 3000).flatmap(lambda seen: st.builds(Share, st.integers(0, seen), st.just(seen)))


@given(shares, st.floats(1e-6, 0.999))
def test_the_tail_is_that_of_scipy(share: Share, chance: float) -> None:
    """The exact binomial tail agrees with an independent one wherever that one is not rounded to nothing."""
    expected = stats.binom.logcdf(share.failed, share.seen, chance)
    if expected > -600:
        assert log_tail(share.failed, share.seen, chance) == pytest.approx(expected, rel=1e-7, abs=1e-9)


@given(shares, st.sampled_from([0.9, 0.999, 0.99975]))
def test_the_limit_is_that_of_scipy(share: Share, confidence: float) -> None:
    """The upper limit is Clopper's and Pearson's, by the quantile of the beta distribution."""
    if share.failed == share.seen:
        assert 1 == upper_limit(share, confidence=confidence)
        return
    expected = stats.beta.ppf(confidence, share.failed + 1, share.seen - share.failed)
    assert upper_limit(share, confidence=confidence) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("since", [Share(1, 1), Share(3, 10), Share(9, 10), Share(5, 60), Share(40, 60)])
@pytest.mark.parametrize("at_most", [0.01, 0.2, 0.6, 0.95])
def test_the_mixture_is_the_integral(since: Share, at_most: float) -> None:
    """The closed form equals the mixture of likelihood ratios, integrated by numbers."""

    def ratio(share: float) -> float:
        clean = since.seen - since.failed
        return (share / at_most) ** since.failed * ((1 - share) / (1 - at_most)) ** clean / share / -log(at_most)

    expected, _ = integrate.quad(ratio, at_most, 1.0, points=[max(since.failed / since.seen, at_most)])
    assert log_mixture(since, at_most=at_most) == pytest.approx(log(expected), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(("old", "seen", "window"), [(0.05, 60, 40), (0.2, 60, 40), (0.01, 300, 60)])
@pytest.mark.parametrize(("factor", "confidence"), [(2.0, 0.95), (3.0, 0.99)])
def test_a_release_at_the_border_hardly_ever_fails(
    old: float, seen: int, window: int, factor: float, confidence: float
) -> None:
    """Looked at after every trial, with what was before by chance as well, the error is within its bound, exactly."""
    total = sum(
        stats.binom.pmf(failed, seen, old)
        * chance_to_cross(Share(failed, seen), factor * old, window, factor=factor, confidence=confidence)
        for failed in range(seen + 1)
        if stats.binom.pmf(failed, seen, old) > 1e-9
    )
    assert 0 < total <= 1 - confidence


def chance_to_cross(before: Share, share: float, window: int, *, factor: float, confidence: float) -> float:
    """The exact chance that the evidence is ever enough within so many trials: all ways that have not crossed yet."""
    alive, crossed, limit = {0: 1.0}, 0.0, boundary(before, window, factor=factor, confidence=confidence)
    for number in range(1, window + 1):
        after: dict[int, float] = {}
        for failed, chance in alive.items():
            after[failed] = after.get(failed, 0.0) + chance * (1 - share)
            after[failed + 1] = after.get(failed + 1, 0.0) + chance * share
        crossed += sum(chance for failed, chance in after.items() if failed >= limit[number])
        alive = {failed: chance for failed, chance in after.items() if failed < limit[number]}
    return crossed


def boundary(before: Share, window: int, *, factor: float, confidence: float) -> list[float]:
    """For each number of trials the least failures that are enough."""
    limit, failed = [inf], LEAST_FAILURES
    for number in range(1, window + 1):
        while failed <= number and log_evidence(
            before, Share(failed, number), factor=factor, confidence=confidence
        ) < needed(confidence):
            failed += 1
        limit.append(failed)
    return limit


@given(shares, st.integers(3, 80), st.data())
def test_one_more_failure_is_no_less_evidence(before: Share, seen: int, data: st.DataObject) -> None:
    """Among as many trials, more failures never are less evidence."""
    failed = data.draw(st.integers(0, seen - 1))
    less, more = (log_evidence(before, Share(one, seen), factor=3, confidence=0.999) for one in (failed, failed + 1))
    assert more >= less


def test_a_broken_job_that_never_failed_before() -> None:
    """Five failed runs of five are enough after sixty that went well."""
    before = Share(0, 60)
    assert log_evidence(before, Share(4, 4), factor=3, confidence=0.999) < needed(0.999)
    assert log_evidence(before, Share(5, 5), factor=3, confidence=0.999) >= needed(0.999)


def test_a_job_that_failed_often_before() -> None:
    """Three times a fifth can't be told from every run with what sixty runs say."""
    assert not can_exceed(Share(12, 60), factor=3, confidence=0.999)
    assert -inf == log_evidence(Share(12, 60), Share(60, 60), factor=3, confidence=0.999)


@pytest.mark.parametrize("before", [Share(0, 0), Share(0, 5), Share(5, 5)])
def test_too_little_is_known(before: Share) -> None:
    """Where nothing or little was seen before, nothing since can be too much."""
    assert not can_exceed(before, factor=3, confidence=0.999)


def test_two_failures_are_no_evidence() -> None:
    """There is a least number of failures, however clean the past was."""
    assert 3 == LEAST_FAILURES
    assert -inf == log_evidence(Share(0, 10**6), Share(2, 2), factor=3, confidence=0.999)
    assert log_evidence(Share(0, 10**6), Share(3, 3), factor=3, confidence=0.999) >= needed(0.999)


def test_the_limit_of_the_evidence() -> None:
    """To be 99.9 % sure the evidence must be a thousand to one."""
    assert exp(needed(0.999)) == pytest.approx(1000)


def test_single_minutes_are_no_bursts() -> None:
    """Minutes that stand alone count one each; of pairs each tells as much as a third of two."""
    assert 1 == burst_size(10, 10)
    assert 1 == burst_size(0, 0)
    assert 3 == burst_size(20, 10)


def test_bursts_count_for_less() -> None:
    """What is thinned is rounded against the release's failure: up before, down since."""
    assert Share(4, 36) == Share(10, 98).thinned(2.75, up=True)
    assert Share(3, 35) == Share(10, 97).thinned(2.75, up=False)
    assert Share(10, 98) == Share(10, 98).thinned(1, up=True)
