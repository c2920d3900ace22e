"""Intervals, tests and verdicts against SciPy, simulation and the papers' own trial rows."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from ecgtl import published, statistics
from ecgtl.statistics import Sample


def draws(mean, n, seed):
    return np.random.default_rng(seed).normal(mean, 0.02, n)


def test_welch_equals_scipy():
    a, b = draws(0.72, 10, 1), draws(0.70, 5, 2)
    ours, theirs = statistics.welch(Sample.of(a), Sample.of(b)), stats.ttest_ind(a, b, equal_var=False)
    limits = theirs.confidence_interval(0.95)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx((limits.low, limits.high), rel=1e-9)


def test_mean_interval_equals_scipy():
    a = draws(0.7, 6, 3)
    expected = stats.t.interval(0.95, 5, loc=a.mean(), scale=stats.sem(a))
    assert statistics.mean_interval(Sample.of(a)) == pytest.approx(expected, rel=1e-9)


def test_interval_holds_the_true_mean_about_95_times_in_100():
    rng = np.random.default_rng(0)
    limits = np.array([statistics.mean_interval(Sample.of(rng.normal(1, 2, 5))) for _ in range(2000)])
    held = np.mean((limits[:, 0] < 1) & (limits[:, 1] > 1))
    assert 0.93 < held < 0.97


def test_detectable_difference_is_found_in_about_80_of_100_repetitions():
    rng, n, sd = np.random.default_rng(1), 8, 1.0
    wanted = statistics.welch(Sample(0, sd, n), Sample(0, sd, n)).detectable
    found = [stats.ttest_ind(rng.normal(wanted, sd, n), rng.normal(0, sd, n), equal_var=False).pvalue < 0.05
             for _ in range(2000)]
    assert 0.76 < np.mean(found) < 0.84


def test_welch_reproduces_the_p_value_that_jang_prints():
    rows = published.lookup("jang2021.table3.rows.100")
    found = statistics.welch(Sample.of(rows["cae"]["trials"]), Sample.of(rows["random"]["trials"]))
    assert round(found.p, 2) == rows["p_value"]["value"]


def test_fewer_than_three_runs_have_no_interval():
    assert np.isnan(statistics.mean_interval(Sample.of([0.7]))).all()
    assert np.isnan(statistics.mean_interval(Sample.of([0.7, 0.8]))).all()
    assert np.isfinite(statistics.mean_interval(Sample.of([0.7, 0.8, 0.75]))).all()
    assert np.isnan(statistics.welch(Sample.of([0.7]), Sample.of([0.6])).low)


@pytest.mark.parametrize("k, n", [(3, 10), (0, 5), (47, 47), (1, 350)])
def test_the_interval_of_a_share_is_wilsons_closed_form(k, n):
    z, p = stats.norm.ppf(0.975), k / n
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    expected = np.array([middle - half, middle + half]) / (1 + z**2 / n)
    assert statistics.share_interval(k, n) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_paired_equals_scipy(level):
    a, b = draws(0.72, 7, 1), draws(0.70, 7, 2)
    ours, theirs = statistics.paired(a, b, level), stats.ttest_rel(a, b)
    limits = theirs.confidence_interval(level)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx((limits.low, limits.high), rel=1e-9)


def test_pairs_that_move_together_are_told_apart_where_welch_is_not_sure():
    draw = np.array([0.60, 0.70, 0.80, 0.75])
    a, b = np.add(draw, [0.010, 0.011, 0.012, 0.009]), draw
    assert statistics.paired(a, b).low > 0
    assert statistics.welch(Sample.of(a), Sample.of(b)).low < 0


def test_two_pairs_and_equal_differences_have_no_interval():
    assert np.isnan(statistics.paired([0.7, 0.8], [0.6, 0.9]).low)
    assert np.isnan(statistics.paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]).p)


@pytest.mark.parametrize(("values", "highest"), [((0.70, 0.80, 0.75), 1.0), ((0.6, 0.99, 0.97), 1.0),
                                                 ((0.01, 0.3, 0.02), 1.0),
                                                ((0.5, 9.0, 1.0), np.inf), ((0.8, 0.9), 1.0)])
def test_the_interval_of_a_score_is_that_of_the_mean_within_the_range_of_the_score(values, highest):
    low, high = statistics.score_interval(Sample.of(values), highest)
    t = stats.t(len(values) - 1, np.mean(values), stats.sem(values)) if len(values) > 2 else None
    expected = np.clip([t.ppf(0.025), t.ppf(0.975)], 0, highest) if t else [np.nan, np.nan]
    np.testing.assert_allclose([low, high], expected, rtol=1e-9)


def verdicts_of(difference, value=0.0):
    return (statistics.verdict_above(difference), statistics.verdict_below(difference),
            statistics.verdict_holds(difference, value))


@pytest.mark.parametrize(("low", "high", "verdicts"), [
    (0.1, 0.3, ("yes", "opposite", "yes")), (-0.3, -0.1, ("opposite", "yes", "no")),
    (-0.1, 0.3, ("undecided", "undecided", "undecided")), (0.3, 0.4, ("yes", "opposite", "no"))])
def test_an_interval_is_read_three_ways(low, high, verdicts):
    assert verdicts_of(statistics.Difference(0.0, low, high, 0.5, 0.1), value=0.2) == verdicts


def test_an_interval_that_cannot_be_had_decides_nothing():
    nothing = statistics.welch(Sample(0.7, 0.0, 3), Sample(0.6, 0.0, 3))
    assert verdicts_of(nothing) == ("undecided",) * 3


def test_a_contrast_holds_the_truth_about_95_times_in_100():
    rng, weights = np.random.default_rng(2), (-1, 0.5, 1, -0.5)
    means, sds, runs = (0.67, 0.71, 0.74, 0.72), (0.01, 0.03, 0.02, 0.005), (3, 5, 10, 4)
    truth, held, found = np.dot(weights, means), 0, None
    for _ in range(1000):
        found = statistics.contrast([Sample.of(rng.normal(*cell)) for cell in zip(means, sds, runs, strict=True)],
                                    weights)
        held += found.low < truth < found.high
    assert 0.93 < held / 1000 < 0.975
    assert found.low < found.value < found.high and found.detectable > (found.high - found.low) / 2


def test_a_slope_is_that_of_the_line_of_least_squares_along_the_whole_range():
    sizes, rng = (10, 25, 75, 80), np.random.default_rng(3)
    first, second = ([Sample.of(rng.normal(mean, 0.02, 4)) for mean in rng.uniform(0.6, 0.8, 4)] for _ in range(2))
    gains = [a.mean - b.mean for a, b in zip(first, second, strict=True)]
    assert statistics.slope(sizes, first, second).value == pytest.approx(np.polyfit(sizes, gains, 1)[0] * 70)


def test_a_slope_through_three_even_places_is_the_difference_of_its_ends():
    gains = [Sample(0.07, 0.014, 10), Sample(0.02, 0.5, 10), Sample(0.05, 0.013, 10)]
    nothing = [Sample(0.0, 0.01, 10)] * 3
    found = statistics.slope((25, 50, 75), gains, nothing)
    expected = statistics.contrast((gains[2], gains[0], nothing[2], nothing[0]), (1, -1, -1, 1))
    assert (found.value, found.low, found.high) == pytest.approx((expected.value, expected.low, expected.high))


def dealt(a, b):
    """Share of all ways to deal the values to the two rows in which the first has a rank sum as low as here."""
    ranks = stats.rankdata([*a, *b])
    sums = np.array([sum(ranks[list(chosen)]) for chosen in combinations(range(len(ranks)), len(a))])
    return np.mean(sums <= sum(ranks[: len(a)]) + 1e-9)


@pytest.mark.parametrize(("a", "b"), [([2, 3, 4], [9, 12, 8, 10, 11]), ([3, 3, 5], [5, 3, 8, 6, 3]),
                                      ([7, 9, 8], [4, 5, 3]), ([1, 4, 2, 8, 5], [3, 7, 6, 10, 9])])
def test_the_rank_test_counts_all_deals_ties_or_not(a, b):
    found = statistics.fewer(a, b)
    assert found.p == pytest.approx(dealt(a, b))
    assert (found.first, found.second) == (np.median(a), np.median(b))
    if len({*a, *b}) == len(a) + len(b):
        assert found.p == pytest.approx(stats.mannwhitneyu(a, b, alternative="less", method="exact").pvalue)


def test_many_runs_are_tested_by_the_normal_approximation():
    rng = np.random.default_rng(5)
    a, b = rng.integers(1, 9, 10), rng.integers(3, 12, 10)
    assert statistics.fewer(a, b).p == stats.mannwhitneyu(a, b, alternative="less", method="asymptotic").pvalue


@pytest.mark.parametrize(("a", "b", "verdict"), [
    ([2, 3, 4], [8, 9, 10, 11, 12], "yes"),  # p = 1/56, the smallest there is
    ([2, 3, 4], [8, 9, 10], "undecided"),          # p = 1/20 is not below 0.05
    ([2, 9, 3], [8, 4, 10, 5, 12], "undecided"), ([5, 5, 5], [5, 5, 5, 9, 9], "no"),
    ([9, 9, 9], [2, 3, 4, 2, 3], "no"), ([2, 3], [8, 9, 10], "not tested"), ([], [], "not tested")])
def test_fewer_epochs_by_rule(a, b, verdict):
    assert statistics.verdict_fewer(a, b) == verdict
    if verdict == "yes":
        assert statistics.fewer(a, b).p == pytest.approx(statistics.fewer(a, b).smallest) == pytest.approx(1 / 56)
