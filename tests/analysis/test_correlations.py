"""Correlations against NumPy, SciPy and cases by hand; intervals against simulation; nothing is ever NaN."""

import numpy as np
import pytest
from messages import one_line
from scipy import stats

from ecgtl.analysis import correlations
from ecgtl.analysis.correlations import (
    averaged,
    bootstrap,
    correlated,
    difference,
    fisher,
    independent_difference,
    partial,
    pearson,
)
from ecgtl.errors import EcgtlError


def rows(n=40, seed=0):
    """A score, an F1 that follows it and the number of labels, and that number."""
    rng = np.random.default_rng(seed)
    n_labels = rng.integers(2, 6, n).astype(float)
    score = 0.1 * n_labels + rng.normal(0, 0.1, n)
    return score, 0.9 - 0.08 * n_labels - 0.2 * score + rng.normal(0, 0.05, n), n_labels


def by_residuals(x, y, given):
    """The partial correlation by its definition, with NumPy alone."""
    design = np.column_stack([np.ones(len(x)), given])
    a, b = (row - design @ np.linalg.lstsq(design, row, rcond=None)[0] for row in (x, y))
    return np.corrcoef(a, b)[0, 1]


@pytest.mark.parametrize("seed", range(3))
def test_pearson_is_scipys(seed):
    x, y, n = rows(seed=seed)
    for a, b in ((x, y), (x, n), (n, y), (-x, y)):
        assert pearson(a, b) == pytest.approx(stats.pearsonr(a, b).statistic, abs=1e-12)
    assert pearson(x, y) == pearson(y, x) and pearson(x, x) == 1 and pearson(x, -x) == -1


def test_cases_by_hand():
    assert pearson([1, 2, 3], [1, 3, 2]) == pytest.approx(0.5)  # deviations -1 0 1 and -1 1 0
    assert pearson([1, 1, 2], [0, 0, 5]) == pytest.approx(1)  # ties are points like others
    assert pearson([0, 0, 1, 1], [0, 1, 0, 1]) == pytest.approx(0, abs=1e-12)
    # r_xy = 0.5, r_xz = r_yz = 0: nothing to take away
    assert partial([1, 2, 3, 1, 2, 3], [1, 3, 2, 1, 3, 2], [0, 0, 0, 1, 1, 1]) == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(3))
def test_partial_is_the_correlation_of_residuals_and_the_textbook_formula(seed):
    x, y, n = rows(seed=seed)
    assert partial(x, y, n) == pytest.approx(by_residuals(x, y, n), abs=1e-12)
    xy, xn, yn = (stats.pearsonr(a, b).statistic for a, b in ((x, y), (x, n), (y, n)))
    assert partial(x, y, n) == pytest.approx((xy - xn * yn) / np.sqrt((1 - xn**2) * (1 - yn**2)), abs=1e-12)
    both = np.column_stack([n, np.sin(np.arange(40))])
    assert partial(x, y, both) == pytest.approx(by_residuals(x, y, both), abs=1e-12)


def test_partial_given_nothing_that_varies_is_pearson():
    x, y, _ = rows()
    assert partial(x, y, np.full(40, 5.0)) == pytest.approx(pearson(x, y), abs=1e-12)


def test_a_confound_is_taken_away():
    """Both follow the number of labels and nothing else: a strong correlation, and none given that number."""
    rng = np.random.default_rng(0)
    n = np.repeat(np.arange(2, 11), 200).astype(float)
    x, y = 0.1 * n + rng.normal(0, 0.05, len(n)), 1 - 0.05 * n + rng.normal(0, 0.05, len(n))
    assert pearson(x, y) < -0.8 and abs(partial(x, y, n)) < 0.06


def test_units_do_not_matter():
    x, y, n = rows()
    for scale, shift in ((1e-200, 0), (1e200, 0), (1e-6, 1e-3), (-1, 5)):
        assert pearson(scale * x + shift, y) == pytest.approx(np.sign(scale) * pearson(x, y), abs=1e-9)
        assert partial(scale * x + shift, y, n) == pytest.approx(np.sign(scale) * partial(x, y, n), abs=1e-9)
        assert partial(x, y, scale * n + shift) == pytest.approx(partial(x, y, n), abs=1e-9)


@pytest.mark.parametrize("x, y",
                         [([1, 1, 1], [1, 2, 3]), ([1, 2, 3], [0, 0, 0]),
                          ([0.1 + 0.2] * 2 + [0.3], [1, 2, 3]),
                                  ([1, 2], [1, 2]), ([1], [1])])
def test_what_is_not_defined_is_none(x, y):
    assert pearson(x, y) is None and pearson(y, x) is None


def test_partial_is_none_where_a_row_is_determined():
    x, y, n = rows()
    assert partial(n * 2 + 1, y, n) is None and partial(x, 3 - n, n) is None
    assert partial(np.ones(40), y, n) is None
    assert partial(x[:3], y[:3], n[:3]) is None and partial(x[:4], y[:4], n[:4]) is not None
    assert partial(n + 1e-13 * x, y, n) is None, "rounding is not a rest"


@pytest.mark.parametrize("x, y, said", [
    ([1, 2, np.nan], [1, 2, 3], "finite"), ([1, 2, np.inf], [1, 2, 3], "finite"),
    ([1, 2, 3], [1, 2], "(2,), (3,)"),
    ([], [], "(0,)"), ([[1, 2, 3]], [[1, 2, 3]], "(1, 3)"), (["a", "b"], [1, 2], "rows of numbers"),
    ([1, None, 3], [1, 2, 3], "finite")])
def test_rows_that_are_none_are_refused(x, y, said):
    with pytest.raises(EcgtlError) as error:
        pearson(x, y)
    one_line(error, said)


def test_partial_refuses_a_given_of_another_length():
    with pytest.raises(EcgtlError) as error:
        partial([1, 2, 3, 4], [4, 3, 2, 1], [1, 2, 3])
    one_line(error, "one length")


# --- intervals ----------------------------------------------------------------------------------------------


def test_whole_groups_are_drawn():
    """Each group's folds come together, as often as the group is drawn."""
    seen = []

    def keep(counts, x):
        assert np.array_equal(x, np.arange(8))
        seen.append(counts)
        return np.zeros(len(counts))

    groups = ["a", "b", "b", "c", "c", "c", "d", "e"]
    bootstrap(keep, groups, np.arange(8.0), resamples=200)
    once, drawn = seen
    assert np.array_equal(once, np.ones((1, 8))) and len(np.unique(drawn, axis=0)) > 50 and len(drawn) == 200
    for counts in drawn:
        sets = [set(counts[members]) for members in ([0], [1, 2], [3, 4, 5], [6], [7])]
        assert all(len(one) == 1 for one in sets) and sum(one.pop() for one in sets) == 5


def test_an_interval_is_that_of_a_bootstrap_by_hand():
    x, y, _ = rows()
    names = [f"set{i % 13}" for i in range(40)]
    found = bootstrap(correlated, names, x, y, resamples=400, seed=3)
    _, owner = np.unique(names, return_inverse=True)
    rng, values = np.random.default_rng(3), []
    for _ in range(400):
        folds = np.concatenate([np.flatnonzero(owner == k) for k in rng.integers(13, size=13)])
        values.append(stats.pearsonr(x[folds], y[folds]).statistic)
    assert (found.low, found.high) == pytest.approx(np.quantile(values, [0.025, 0.975]), abs=1e-12)
    assert found.value == pearson(x, y) and (found.n, found.groups) == (40, 13)


def test_an_interval_over_sets_is_wider_than_one_over_folds_that_repeat_them():
    """Folds of one set are alike: taken one by one they pretend to be more than they are."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=10), rng.normal(size=10)
    many_x, many_y = np.repeat(x, 8), np.repeat(y, 8) + rng.normal(0, 0.01, 80)
    sets = np.repeat(np.arange(10), 8)
    over_sets, over_folds = (bootstrap(correlated, groups, many_x, many_y) for groups in (sets, np.arange(80)))
    assert over_sets.high - over_sets.low > 2 * (over_folds.high - over_folds.low)


def test_intervals_hold_the_true_correlation_about_as_often_as_they_say():
    rng, held, n = np.random.default_rng(0), 0, 120
    for _ in range(n):
        x, y = rng.multivariate_normal([0, 0], [[1, -0.6], [-0.6, 1]], 60).T
        found = bootstrap(correlated, np.arange(60), x, y, resamples=200, seed=int(rng.integers(1000)))
        held += found.low < -0.6 < found.high
    assert 0.86 < held / n <= 1


def test_a_paired_difference_is_narrower_than_that_of_two_intervals():
    rng = np.random.default_rng(0)
    shared, f1 = rng.normal(size=60), rng.normal(size=60)
    f1 = f1 - shared
    one, other = shared + rng.normal(0, 0.1, 60), shared + rng.normal(0, 0.1, 60)
    sets = np.arange(60) % 20
    paired = bootstrap(lambda n, a, b, f: correlated(n, a, f) - correlated(n, b, f), sets, one, other, f1)
    alone = [bootstrap(correlated, sets, a, f1) for a in (one, other)]
    assert paired.value == pytest.approx(pearson(one, f1) - pearson(other, f1))
    assert paired.low < paired.value < paired.high
    assert paired.high - paired.low < 0.5 * max(interval.high - interval.low for interval in alone)
    assert difference(None, 0.5) is None and difference(0.5, None) is None


def test_limits_are_none_where_they_cannot_be_had():
    x, y, _ = rows()
    few = bootstrap(correlated, np.arange(40) % (correlations.MIN_GROUPS - 1), x, y)
    assert few.value is not None and few.low is few.high is None
    constant = bootstrap(correlated, np.arange(40), np.ones(40), y)
    assert constant.value is constant.low is constant.high is None
    # All but one fold have the same score: a third of the resamples lack that one and are constant
    rare = bootstrap(correlated, np.arange(40), np.eye(40)[0], y, resamples=500)
    assert rare.value is not None
    assert rare.low is rare.high is None


@pytest.mark.parametrize("groups, options, said", [
    (["a"] * 39, {}, "each of the 40 folds"), (["a"] * 40, {"resamples": 0}, "resamples is 0"),
    (["a"] * 40, {"level": 1.0}, "level 1.0")])
def test_wrong_groups_and_numbers_are_refused(groups, options, said):
    x, y, _ = rows()
    with pytest.raises(EcgtlError) as error:
        bootstrap(correlated, groups, x, y, **options)
    one_line(error, said)


# --- correlations of which only the value is known ----------------------------------------------------------


def with_correlation(r, n, seed=0):
    """Two rows (n,) whose correlation is exactly ``r``."""
    drawn = np.random.default_rng(seed).normal(size=(n, 2))
    x, rest = np.linalg.qr(drawn - drawn.mean(axis=0))[0].T
    return x, r * x + np.sqrt(1 - r**2) * rest


@pytest.mark.parametrize("r, n", [(-0.639, 100), (0.0, 20), (0.9, 5), (-0.5, 4)])
def test_fishers_limits_are_scipys(r, n):
    found, oracle = fisher(r, n), stats.pearsonr(*with_correlation(r, n)).confidence_interval()
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), abs=1e-9)
    assert (found.value, found.n) == (r, n)
    narrow = fisher(r, n, level=0.5)
    assert found.low < narrow.low < r < narrow.high < found.high


@pytest.mark.parametrize("r, n", [(0.5, 3), (1.0, 50), (-1.0, 50)])
def test_fisher_has_no_limits_for_three_points_or_a_line(r, n):
    assert fisher(r, n).value == r and fisher(r, n).low is fisher(r, n).high is None


@pytest.mark.parametrize("r, n", [(1.2, 50), (np.nan, 50), (0.5, 0)])
def test_a_correlation_that_cannot_be_is_refused(r, n):
    with pytest.raises(EcgtlError) as error:
        fisher(r, n)
    one_line(error, "between -1 and 1")


def test_distances_to_the_limits_of_independent_correlations_add_up_as_sides_of_a_triangle():
    a = correlations.Interval(0.5, 0.2, 0.6, 30, 30)  # 0.3 below and 0.1 above
    b = correlations.Interval(0.1, -0.7, 0.5, 20, 20)  # 0.8 below and 0.4 above
    found = independent_difference(a, b)
    assert (found.value, found.low, found.high) == pytest.approx((0.4, 0.4 - 0.5, 0.4 + np.sqrt(0.65)))
    assert (found.n, found.groups) == (20, 20)


def test_its_limits_hold_the_true_difference_about_as_often_as_they_say():
    rng, held, n = np.random.default_rng(0), 0, 300
    for _ in range(n):
        rows = [rng.multivariate_normal([0, 0], [[1, r], [r, 1]], 50).T for r in (-0.7, -0.3)]
        found = independent_difference(*(fisher(pearson(*pair), 50) for pair in rows))
        held += found.low < -0.4 < found.high
    assert 0.92 < held / n < 0.98


def test_without_limits_their_difference_has_none():
    found = independent_difference(fisher(0.5, 3), fisher(0.2, 100))
    assert (found.value, found.low, found.high, found.n) == (pytest.approx(0.3), None, None, 3)


@pytest.mark.parametrize("given", [0, 1, 2])
def test_a_draw_has_the_statistics_of_the_folds_that_it_repeats(given):
    """Some draws have too few folds that differ, or a number of labels that does not vary."""
    rng = np.random.default_rng(4)
    x, y, n = rows(7)
    fixed = [n, np.arange(7.0) % 3][:given]
    counts = np.stack([np.bincount(rng.integers(7, size=7), minlength=7) for _ in range(200)])
    counts = np.concatenate([counts, 4 * np.eye(7, dtype=int), 2 * np.eye(7, dtype=int) + np.eye(7, k=1, dtype=int)])
    found = correlated(counts, x, y, *fixed)
    for one, value, mean in zip(counts, found, averaged(counts, x), strict=True):
        again = np.arange(7).repeat(one)
        expected = partial(x[again], y[again], np.stack(fixed, axis=1)[again]) if fixed else pearson(x[again], y[again])
        assert value == pytest.approx(expected, abs=1e-9) if expected is not None else np.isnan(value)
        assert mean == pytest.approx(np.mean(x[again]))
        if expected is not None and abs(expected) < 1 - 1e-9:
            assert expected == pytest.approx(by_residuals(*(row[again] for row in (x, y)), np.stack(
                fixed, axis=1)[again] if fixed else np.empty((len(again), 0))), abs=1e-6)
    assert 3 < np.isnan(found).sum() < 150


def test_a_row_that_is_not_finite_is_refused():
    with pytest.raises(EcgtlError):
        bootstrap(averaged, [1, 2], [1, np.nan])


def test_the_side_of_an_interval_and_its_reach():
    above, below, both = (correlations.Interval(0.0, low, high)
                            for low, high in ((0.1, 0.5), (-0.5, -0.1), (-0.25, 0.5)))
    assert (above.side, below.side, both.side, correlations.Interval(0.5).side) == (1, -1, 0, 0)
    assert both.reach == [[0.25], [0.5]] and correlations.Interval(0.5).reach is None
