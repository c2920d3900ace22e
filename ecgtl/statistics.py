"""Intervals, differences and verdicts: how sure a number is, stated by rule."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

LEVEL = 0.95
MIN_RUNS = 3  # fewer runs than this are not a test


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


def welch(a: Sample, b: Sample, level: float = LEVEL) -> Difference:
    """``a`` minus ``b`` with Welch's interval and test, from means, SDs and numbers of runs alone.

    So a paper's printed row can be compared with our runs. Source of the test: Jang 2021, section II.4.
    """
    variance_a, variance_b = a.sd**2 / a.n, b.sd**2 / b.n
    error = np.sqrt(variance_a + variance_b)
    value = a.mean - b.mean
    if not (min(a.n, b.n) >= 2 and np.isfinite(error) and error > 0):
        nan = float("nan")
        return Difference(value, nan, nan, nan, nan)
    freedom = error**4 / (variance_a**2 / (a.n - 1) + variance_b**2 / (b.n - 1))
    half = stats.t.ppf((1 + level) / 2, freedom) * error
    p = 2 * stats.t.sf(abs(value) / error, freedom)
    detectable = (stats.t.ppf((1 + level) / 2, freedom) + stats.t.ppf(0.8, freedom)) * error
    return Difference(float(value), float(value - half), float(value + half), float(p), float(detectable))


def verdict_beats(a: Sample, b: Sample) -> str:
    """Whether ``a`` beats ``b``: supported, not supported, undecided or not tested, by the project's rule.

    Supported when Welch's 95 % interval of the difference lies above 0, not supported when it lies below,
    undecided when it holds 0, not tested with fewer than three runs on a side.
    """
    if min(a.n, b.n) < MIN_RUNS:
        return "not tested"
    difference = welch(a, b)
    if difference.low > 0:
        return "supported"
    return "not supported" if difference.high < 0 else "undecided"
