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


def paired(a, b, level: float = LEVEL) -> Difference:
    """``a`` minus ``b`` of runs that belong together (same draw, same seed): Student's t on their differences.

    ``a`` and ``b`` (n,) are scores of the same runs in the same order; narrower than ``welch`` where both move with the
    draw. All but the value are NaN for fewer than ``MIN_RUNS`` pairs, and where all differences are equal.
    """
    gaps = np.asarray(a, float) - np.asarray(b, float)
    sample = Sample.of(gaps)
    error = sample.sd / np.sqrt(sample.n)
    if sample.n < MIN_RUNS or not error > 0:
        nan = float("nan")
        return Difference(sample.mean, nan, nan, nan, nan)
    t = stats.t(sample.n - 1)
    half = t.ppf((1 + level) / 2) * error
    return Difference(sample.mean, float(sample.mean - half), float(sample.mean + half),
                      float(2 * t.sf(abs(sample.mean) / error)), float((t.ppf((1 + level) / 2) + t.ppf(0.8)) * error))


def verdict_beats(a: Sample, b: Sample, margin: float = 0.0) -> str:
    """Whether ``a`` beats ``b`` by ``margin``: supported, not supported, undecided or not tested, by the project's rule.

    Supported when Welch's 95 % interval of the difference lies above the margin, not supported when it lies below,
    undecided when it holds it, not tested with fewer than three runs on a side.
    """
    if min(a.n, b.n) < MIN_RUNS:
        return "not tested"
    difference = welch(a, b)
    if difference.low > margin:
        return "supported"
    return "not supported" if difference.high < margin else "undecided"


def verdict_near(a: Sample, b: Sample, margin: float) -> str:
    """Whether ``a`` is *not* better than ``b`` by ``margin``: the reverse of ``verdict_beats``."""
    reverse = {"supported": "not supported", "not supported": "supported"}
    found = verdict_beats(a, b, margin)
    return reverse.get(found, found)


def verdict_no_difference(a: Sample, b: Sample, margin: float = 0.0) -> str:
    """Whether Welch's test finds no difference (p at least 0.05): Jang 2021's own reading of a large p.

    That few runs find nothing shows little; the smallest detectable difference has to stand beside such a verdict.
    ``margin`` is not used.
    """
    if min(a.n, b.n) < MIN_RUNS:
        return "not tested"
    return "supported" if welch(a, b).p >= 1 - LEVEL else "not supported"
