"""Intervals, differences and verdicts: how sure a number is, stated by rule."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from scipy import stats

LEVEL = 0.95
ALPHA = 0.05  # a p below this is called significant
MIN_RUNS = 3  # fewer runs than this are not a test
EXACT = 5_000  # deals that a rank test counts one by one
_REVERSE = {"yes": "opposite", "opposite": "yes", "undecided": "undecided"}


@dataclass(frozen=True)
class Sample:
    """What is known of a score over runs: mean, standard deviation (n - 1) and number of runs."""

    mean: float
    sd: float
    n: int

    @classmethod
    def of(cls, values) -> "Sample":
        """From the values of the runs; the SD of one run is NaN."""
        values = np.asarray(values, float)
        sd = values.std(ddof=1) if len(values) > 1 else float("nan")
        return cls(float(values.mean()), float(sd), len(values))


@dataclass(frozen=True)
class Difference:
    """Difference of two means, its confidence limits, the p-value, and the smallest difference that n could show.

    ``detectable`` is the difference that a two-sided test at 5 % finds with 80 % power, given these SDs and n.
    """

    value: float
    low: float
    high: float
    p: float
    detectable: float


def mean_interval(sample: Sample, level: float = LEVEL) -> tuple[float, float]:
    """Confidence limits of a mean over runs (Student's t); NaN for fewer than ``MIN_RUNS``, which say too little."""
    if sample.n < MIN_RUNS:
        return float("nan"), float("nan")
    half = stats.t.ppf((1 + level) / 2, sample.n - 1) * sample.sd / np.sqrt(sample.n)
    return float(sample.mean - half), float(sample.mean + half)


def share_interval(k: int, n: int) -> tuple[float, float]:
    """Confidence limits of a share, ``k`` of ``n`` (Wilson 1927)."""
    return stats.binomtest(k, n).proportion_ci(LEVEL, method="wilson")


def score_interval(sample: Sample, highest: float = 1.0) -> tuple[float, float]:
    """``mean_interval`` of a score, cut to the range from 0 to ``highest``: no mean AUC is above 1."""
    low, high = mean_interval(sample)
    return max(low, 0.0), min(high, highest)


def welch(a: Sample, b: Sample, level: float = LEVEL) -> Difference:
    """``a`` minus ``b`` with Welch's interval and test, from means, SDs and numbers of runs alone.

    So a paper's printed row can be compared with our runs. Source of the test: Jang 2021, section II.4.
    """
    return contrast((a, b), (1, -1), level)


def contrast(samples: Sequence[Sample], weights: Sequence[float], level: float = LEVEL,
             extra: tuple[float, int] | None = None) -> Difference:
    """Weighted sum of independent means: ``value``, its interval and the test against 0.

    ``extra`` is a variance of the sum that the runs do not show, with the number of units that it was estimated from:
    that over test recordings, say. Degrees of freedom after Satterthwaite (1946), of which Welch's are the case of two
    means. All but the value are NaN where a sample has one run, or none varies.
    """
    value = sum(weight * sample.mean for weight, sample in zip(weights, samples, strict=True))
    parts = [weight**2 * sample.sd**2 / sample.n for weight, sample in zip(weights, samples, strict=True)]
    runs = [sample.n for sample in samples]
    if extra is not None:
        parts, runs = [*parts, extra[0]], [*runs, extra[1]]
    error = np.sqrt(sum(parts))
    if not (min(runs) >= 2 and np.isfinite(error) and error > 0):
        return Difference(float(value), *[float("nan")] * 4)
    t = stats.t(sum(parts) ** 2 / sum(part**2 / (n - 1) for part, n in zip(parts, runs, strict=True)))
    half, power = t.ppf((1 + level) / 2) * error, t.ppf(0.8) * error
    p = 2 * t.sf(abs(value) / error)
    return Difference(float(value), float(value - half), float(value + half), float(p), float(half + power))


def slope(places: Sequence[float], first: Sequence[Sample], second: Sequence[Sample],
          level: float = LEVEL) -> Difference:
    """Change of ``first`` minus ``second`` from the lowest to the highest place, along a line of least squares.

    One sample of each a place. The line is linear in the means, so that the interval is that of a ``contrast``;
    places are not weighted by their variances, which few runs estimate badly.
    """
    weights = least_squares(places) * np.ptp(places)
    return contrast((*first, *second), (*weights, *-weights), level)


def least_squares(places: Sequence[float]) -> np.ndarray:
    """What each value at ``places`` (n,) counts in the slope of the line of least squares through them: (n,)."""
    distance = np.asarray(places, float) - np.mean(places)
    return distance / (distance**2).sum()


@dataclass(frozen=True)
class Ranks:
    """Medians of two rows of values, one-sided p-value of the rank test, and the smallest that so few can give."""

    first: float
    second: float
    p: float
    smallest: float


def fewer(a: Sequence[float], b: Sequence[float]) -> Ranks:
    """Whether the values ``a`` tend to be smaller than ``b``: medians and the Mann-Whitney test.

    The p-value counts all ways of dealing the values to the two rows where these are at most ``EXACT``: it is
    exact, ties or not. Beyond, SciPy's normal approximation with its correction for ties. With 3 values against
    5 the smallest possible p is 1 / 56.
    """
    deals = comb(len(a) + len(b), len(a))
    method = stats.PermutationMethod(n_resamples=np.inf) if deals <= EXACT else "asymptotic"
    p = stats.mannwhitneyu(a, b, alternative="less", method=method).pvalue
    return Ranks(float(np.median(a)), float(np.median(b)), float(p), 1 / deals)


def paired(a, b, level: float = LEVEL) -> Difference:
    """``a`` minus ``b`` of runs that belong together (same draw, same seed): Student's t on their differences.

    ``a`` and ``b`` (n,) are scores of the same runs in the same order; narrower than ``welch`` where both move with the
    draw. All but the value are NaN for fewer than ``MIN_RUNS`` pairs, and where all differences are equal.
    """
    sample = Sample.of(np.asarray(a, float) - np.asarray(b, float))
    if sample.n < MIN_RUNS:
        return Difference(sample.mean, *[float("nan")] * 4)
    return contrast([sample], [1], level)


def verdict_above(difference: Difference, margin: float = 0.0) -> str:
    """Whether a difference lies above ``margin``: *yes* if its interval does, *opposite* if below, else *undecided*."""
    if difference.low > margin:
        return "yes"
    return "opposite" if difference.high < margin else "undecided"


def verdict_below(difference: Difference, margin: float = 0.0) -> str:
    """Whether a difference lies below ``margin``: the reverse of ``verdict_above``."""
    return _REVERSE[verdict_above(difference, margin)]


def verdict_holds(difference: Difference, value: float) -> str:
    """Whether an interval includes a stated ``value``: *yes*, or *no*.

    Undecided when it includes 0 as well: so wide an interval would confirm no gain just as much.
    """
    if not np.isfinite(difference.low):
        return "undecided"
    if not difference.low <= value <= difference.high:
        return "no"
    return "undecided" if difference.low <= 0 <= difference.high else "yes"


def verdict_fewer(a: Sequence[float], b: Sequence[float]) -> str:
    """Whether ``a`` are fewer than ``b``: *no* if the median is no smaller, *yes* if p < 0.05, else *undecided*.

    Not tested with fewer than three values on a side.
    """
    if min(len(a), len(b)) < MIN_RUNS:
        return "not tested"
    found = fewer(a, b)
    if found.first >= found.second:
        return "no"
    return "yes" if found.p < ALPHA else "undecided"
