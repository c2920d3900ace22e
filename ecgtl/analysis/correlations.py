"""How a score goes with what it should predict: correlation, partial correlation, intervals over label sets.

Values are plain arrays of one number a fold. A correlation that is not defined is None, never NaN: with fewer
than ``MIN_POINTS`` folds, or where a row is constant. Values that are not finite, or rows that do not match,
are an EcgtlError.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from ecgtl.errors import EcgtlError
from ecgtl.statistics import LEVEL

MIN_POINTS = 3  # any two points lie on a line
MIN_GROUPS = 5  # fewer label sets than this say nothing about others
MIN_DEFINED = 0.9  # share of the resamples in which the statistic must be defined
RESAMPLES = 2000
Row = Sequence[float] | np.ndarray
ROUNDING = 1e-10  # a spread of so little of a row's largest value is none
RANK, DETERMINED = 1e-10, 1e-12  # what is left of so little of a variance is rounding: of regressors, of a row


@dataclass(frozen=True)
class Interval:
    """A statistic of ``n`` folds in ``groups`` groups, with its percentile limits; None where they cannot be had."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    n: int = 0
    groups: int = 0

    @classmethod
    def of(cls, found: Any) -> "Interval":
        """Value and limits of whatever has them; empty where there is nothing."""
        return cls(found.value, found.low, found.high) if found else cls()

    @property
    def side(self) -> int:
        """1 where the interval lies above 0, -1 where it lies below, 0 where it includes 0 or there is none."""
        return 0 if self.low is None or self.high is None else int(self.low > 0) - int(self.high < 0)

    @property
    def reach(self) -> list[list[float]] | None:
        """How far the limits are from the value, as Matplotlib's ``errorbar`` takes it; None without limits."""
        if self.value is None or self.low is None or self.high is None or np.isnan(self.low):
            return None
        return [[self.value - self.low], [self.high - self.value]]


def pearson(x: Row, y: Row) -> float | None:
    """Pearson's correlation of two rows (n,), in [-1, 1]; None when it is not defined."""
    return _once(correlated, *_rows(x, y))


def partial(x: Row, y: Row, given: Row) -> float | None:
    """Correlation of ``x`` and ``y`` (n,) among folds that agree in ``given``: (n,), or (n, k) for several."""
    return _once(correlated, *_rows(x, y, *np.atleast_2d(np.asarray(given, float).T)))


def correlated(counts: np.ndarray, x: np.ndarray, y: np.ndarray, *given: np.ndarray) -> np.ndarray:
    """Pearson's correlation of ``x`` and ``y`` (n,) in draws that have a fold as often as ``counts`` (draws, n) says.

    With rows ``given``, the partial one: that of the residuals when both are regressed on these and a constant. In
    [-1, 1], (draws,); NaN where it is not defined: fewer than ``MIN_POINTS`` folds beyond the number of regressors, or
    a row that is constant or that ``given`` determines.
    """
    rows, n = np.stack([x, y, *given]), counts.sum(axis=1)
    largest, smallest = (pick(np.where(counts[:, None] > 0, rows, np.nan), axis=2) for pick in (np.nanmax, np.nanmin))
    varies = largest - smallest > ROUNDING * np.maximum(np.abs(largest), np.abs(smallest))
    # Centred and scaled, so that what counts as rest does not depend on units
    rows = np.stack([_standard(row) for row in rows])
    means, products = (counts @ table.T / n[:, None] for table in (rows, (rows[:, None] * rows).reshape(-1, len(x))))
    covariance = products.reshape(-1, len(rows), len(rows)) - means[:, :, None] * means[:, None]
    covariance *= varies[:, :, None] & varies[:, None]
    own, across, fixed = covariance[:, :2, :2], covariance[:, :2, 2:], covariance[:, 2:, 2:]
    rest = own - across @ np.linalg.pinv(fixed, RANK, hermitian=True) @ across.swapaxes(1, 2)
    variance, before = (np.diagonal(one, axis1=1, axis2=2) for one in (rest, own))
    defined = (n >= MIN_POINTS + len(given)) & (variance > DETERMINED * before).all(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(defined, np.clip(rest[:, 0, 1] / np.sqrt(variance.prod(axis=1)), -1, 1), np.nan)


def averaged(counts: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Mean of a row (n,) in each draw, as ``correlated``."""
    return counts @ x / counts.sum(axis=1)


def bootstrap(statistic: Callable[..., np.ndarray], groups: Sequence, *rows: Row,
              resamples: int = RESAMPLES, seed: int = 0, level: float = LEVEL) -> Interval:
    """``statistic`` of rows (n,) with percentile limits when whole groups are drawn again with replacement.

    ``statistic(counts, *rows)`` gives one value a draw, as ``correlated`` and ``averaged`` do. ``groups`` (n,) names
    that of each fold: its label set, so that folds of one set count as one draw and not as several. A statistic of the
    rows of two checkpoints on the same folds gives a paired difference. Limits are None with fewer than
    ``MIN_GROUPS`` groups, and where the statistic is undefined in too many resamples.
    """
    table = np.stack(_rows(*rows))
    n = table.shape[1]
    if np.shape(groups) != (n,):
        raise EcgtlError(f"groups must name one for each of the {n} folds; their shape is {np.shape(groups)}")
    if resamples < 1 or not 0 < level < 1:
        raise EcgtlError(f"resamples is {resamples} and level {level}; ask for at least one resample and a "
                         "level between 0 and 1")
    _, owner = np.unique(np.asarray(groups), return_inverse=True)
    value, n_groups, defined = _once(statistic, *table), int(owner.max()) + 1, np.empty(0)
    if value is not None and n_groups >= MIN_GROUPS:
        drawn = np.random.default_rng(seed).integers(n_groups, size=(resamples, n_groups))
        found = statistic(np.stack([np.bincount(sets, minlength=n_groups) for sets in drawn])[:, owner], *table)
        defined = found[~np.isnan(found)]
    if len(defined) < MIN_DEFINED * resamples:
        return Interval(value, n=n, groups=n_groups)
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return Interval(value, float(low), float(high), n, n_groups)


def difference(a: float | None, b: float | None) -> float | None:
    """``a - b``, None where either is."""
    return None if a is None or b is None else a - b


def fisher(r: float, n: int, level: float = LEVEL) -> Interval:
    """Pearson's correlation of ``n`` points with the limits of Fisher's z transformation (Fisher 1921).

    For a correlation of which nothing else is known, as one that a paper prints. It takes the points for
    independent and for normal ones. Limits are None with fewer than four points, and for -1 and 1.
    """
    if not -1 <= r <= 1 or n < 1:
        raise EcgtlError(f"a correlation of {n} points cannot be {r}; it lies between -1 and 1")
    if n <= MIN_POINTS or abs(r) == 1:
        return Interval(r, n=n, groups=n)
    low, high = np.tanh(stats.norm.interval(level, np.arctanh(r), 1 / np.sqrt(n - 3)))
    return Interval(r, float(low), float(high), n, n)


def independent_difference(a: Interval, b: Interval) -> Interval:
    """``a`` minus ``b``, two correlations with their own limits, as if they were independent (Zou 2007).

    Where they come from the same folds and move together, the limits are too wide. None where a limit is.
    """
    value, n, groups = difference(a.value, b.value), min(a.n, b.n), min(a.groups, b.groups)
    if value is None or a.reach is None or b.reach is None:
        return Interval(value, n=n, groups=groups)
    (below, above), (under, over) = np.ravel(a.reach), np.ravel(b.reach)
    return Interval(value, float(value - np.hypot(below, over)), float(value + np.hypot(above, under)), n, groups)


def _once(statistic: Callable[..., np.ndarray], *rows: np.ndarray) -> float | None:
    """``statistic`` of the rows as they are; None where it is not defined."""
    [value] = statistic(np.ones((1, len(rows[0]))), *rows)
    return None if np.isnan(value) else float(value)


def _standard(row: np.ndarray) -> np.ndarray:
    """``row`` without its mean, its largest deviation 1: squares can neither overflow nor vanish."""
    rest = row - row.mean()
    largest = np.abs(rest).max()
    return rest / largest if largest > 0 else rest


def _rows(*rows: Row) -> list[np.ndarray]:
    """The rows as float64, checked for length and finite values."""
    try:
        arrays = [np.asarray(row, np.float64) for row in rows]
    except (TypeError, ValueError):
        raise EcgtlError("correlations need rows of numbers") from None
    shapes = sorted({array.shape for array in arrays})
    if len(shapes) != 1 or len(shapes[0]) != 1 or not shapes[0][0]:
        raise EcgtlError(f"correlations need rows of one length, one number a fold, not {', '.join(map(str, shapes))}")
    if not all(np.isfinite(array).all() for array in arrays):
        raise EcgtlError("correlations need finite numbers; leave out the folds without a value")
    return arrays
