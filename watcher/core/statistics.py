r"""Whether a share of failures is above `factor` times what it was before, from small counts, at any moment.

Before: `failed` of `seen` trials (runs, or minutes). Since: trials one after the other. The claim to refute is
`p1 <= factor * p0`, with both shares unknown. `evidence` is an e-process for it: under the claim it is a
non-negative process that begins at 1 or below and is not expected to rise, so that by Ville's inequality (Ville, Etude
critique de la notion de collectif, 1939) the chance that it *ever* reaches `1 / (1 - confidence)` is at most
`1 - confidence`, however often it is looked at. See Ramdas, Grünwald, Vovk, Shafer, Game-theoretic statistics and safe
anytime-valid inference, Statistical Science 38 (2023). It is made of two parts for each possible `p0`:

* what was before: the exact binomial tail `P(X <= failed)` is a p-value for "it was p0"; the calibrator
  `k * P ** (k - 1)` makes an e-value of it (Vovk and Wang, E-values, Annals of Statistics 49 (2021), 1736-1754);
* what came since: the likelihood ratio of `p` against `q = factor * p0`, mixed over all `p` from `q` to 1 with density
  `1 / (p * log(1 / q))`. Each ratio is a supermartingale for every share up to `q`, so their mixture is, too
  (Robbins, Statistical methods related to the law of the iterated logarithm, 1970).

Their product is an e-process as what came since is judged independently of what was before. A quarter of the error
is spent on "p0 is above its exact upper limit" (Clopper and Pearson, Biometrika 26 (1934)), so only the `p0` below
that are looked at, and the least evidence of them counts. They are looked at in cells: the first part is taken at a
cell's lower end, the second at its upper end, which is less than the product anywhere in it.

What it takes for granted: a trial's chance to fail, whatever came before it, stays at or below one number.
`bursts` says how far off that is for minutes, and `thinned` what is done about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import exp, inf, lgamma, log, log1p

LEAST_FAILURES = 3
"""Fewer failures never are evidence, whatever the numbers say: one bad night is one bad night."""
_CALIBRATOR = 0.3
"""The `k` above: where about as much is asked of the old share's centre as of its upper end."""
_LIMIT_SHARE = 0.25
"""How much of the error is spent on the upper limit of the old share."""
_CELLS = 96
_SMALL = 1e-17


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many trials failed; `0 <= failed <= seen`."""

    failed: int
    seen: int

    def thinned(self, by: float, *, up: bool) -> Share:
        """As many trials as would tell the same if they were independent: a `by`-th of them (>= 1).

        Rounded so that the share gets larger with `up`, and smaller without it.
        """
        if by <= 1:
            return self
        failed, clean = self.failed / by, (self.seen - self.failed) / by
        kept = (-int(-failed // 1), int(clean)) if up else (int(failed), -int(-clean // 1))
        return Share(kept[0], sum(kept))


def log_evidence(before: Share, since: Share, *, factor: float, confidence: float) -> float:
    """The natural logarithm of the evidence that the share is above `factor` times the old one.

    It is `-inf` below LEAST_FAILURES, and where the old share is not known well enough to be exceeded at all
    (`can_exceed`). `factor` is at least 1, `confidence` lies in (0, 1).
    """
    if since.failed < LEAST_FAILURES or not can_exceed(before, factor=factor, confidence=confidence):
        return -inf
    cells = _cells(before.failed, before.seen, factor, confidence)
    return min(old + log_mixture(since, at_most=top) for old, top in cells) + log1p(-_LIMIT_SHARE)


def needed(confidence: float) -> float:
    """What `log_evidence` must reach to be so sure."""
    return -log(1 - confidence)


def can_exceed(before: Share, *, factor: float, confidence: float) -> bool:
    """Whether trials to come can ever show a share `factor` times as high: a higher one than all of them can't be."""
    return factor * upper_limit(before, confidence=1 - _LIMIT_SHARE * (1 - confidence)) < 1


def log_mixture(since: Share, *, at_most: float) -> float:
    """The logarithm of the likelihood of `since` under any share above `at_most` (mixed), against that under `at_most`.

    `at_most` lies in (0, 1); `since.failed` is at least 1.
    """
    failed, clean = since.failed, since.seen - since.failed
    mixed = lgamma(failed) + lgamma(clean + 1) - lgamma(failed + clean + 1)
    below = log_tail(failed - 1, since.seen, at_most)
    return mixed + below - log(-log(at_most)) - failed * log(at_most) - clean * log1p(-at_most)


def log_tail(most: int, trials: int, share: float) -> float:
    """The logarithm of the chance of `most` failures or fewer among `trials`, each with the chance `share`.

    The exact binomial tail, summed from its largest term outwards; `share` lies in (0, 1).
    """
    if most >= trials:
        return 0.0
    if most < 0:
        return -inf
    odds = share / (1 - share)
    if most < trials * share:
        return _log_term(most, trials, share) + log(_summed(most, -1, trials, odds))
    above = exp(_log_term(most + 1, trials, share)) * _summed(most + 1, 1, trials, odds)
    return log1p(-min(above, 1 - _SMALL))


def upper_limit(share: Share, *, confidence: float) -> float:
    """The largest true share with which so few failures, or fewer, still have the chance `1 - confidence`.

    The exact one-sided limit of Clopper and Pearson, found by halving, never too low; 1 where nothing was seen.
    """
    if share.failed >= share.seen:
        return 1.0
    wanted, low, high = log(1 - confidence), share.failed / share.seen, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if log_tail(share.failed, share.seen, middle) > wanted:
            low = middle
        else:
            high = middle
    return high


def burst_size(error_minutes: int, bursts: int) -> float:
    """How many minutes of errors that come in bursts tell as much as one that came by itself; 1 and more.

    `bursts` are runs of error minutes next to each other. For bursts that come by chance, each of a length that ends
    by chance, the variance of the number of minutes is this many times its mean: a design effect (Kish, Survey
    Sampling, 1965).
    """
    return max(2 * error_minutes / bursts - 1, 1.0) if bursts else 1.0


@lru_cache(maxsize=64)
def _cells(failed: int, seen: int, factor: float, confidence: float) -> tuple[tuple[float, float], ...]:
    """For each cell of old shares, the logarithm of the first part at its lower end, and `q` at its upper end."""
    top = upper_limit(Share(failed, seen), confidence=1 - _LIMIT_SHARE * (1 - confidence))
    low = (failed or 0.5) / seen / 3  # below a third of what was seen the second part grows faster than the first falls
    step = (top / low) ** (1 / _CELLS)
    ends = [low * step**number for number in range(_CELLS)] + [top]
    first = (log(_CALIBRATOR), factor * low)  # from 0 up to there: the tail is 1 at most
    return (
        first,
        *(
            (log(_CALIBRATOR) + (_CALIBRATOR - 1) * log_tail(failed, seen, end), factor * upper)
            for end, upper in pairwise(ends)
        ),
    )


def _log_term(count: int, trials: int, share: float) -> float:
    ways = lgamma(trials + 1) - lgamma(count + 1) - lgamma(trials - count + 1)
    return ways + count * log(share) + (trials - count) * log1p(-share)


def _summed(count: int, step: int, trials: int, odds: float) -> float:
    """The binomial terms from `count` on towards 0 or `trials`, as multiples of the first one."""
    total = term = 1.0
    while term > total * _SMALL:
        term *= (trials - count) / (count + 1) * odds if step > 0 else count / ((trials - count + 1) * odds)
        total += term
        count += step
    return total
