"""Intervals, tests and verdicts against SciPy, simulation and the papers' own trial rows."""

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


@pytest.mark.parametrize(("a", "b", "verdict"), [
    (Sample(0.78, 0.01, 10), Sample(0.73, 0.02, 10), "supported"),
    (Sample(0.73, 0.02, 10), Sample(0.78, 0.01, 10), "not supported"),
    (Sample(0.74, 0.02, 3), Sample(0.73, 0.02, 3), "undecided"),
    (Sample(0.78, 0.001, 2), Sample(0.73, 0.001, 10), "not tested"),
])
def test_verdicts_follow_the_rule(a, b, verdict):
    assert statistics.verdict_beats(a, b) == verdict


def test_fewer_than_three_runs_have_no_interval():
    assert np.isnan(statistics.mean_interval(Sample.of([0.7]))).all()
    assert np.isnan(statistics.mean_interval(Sample.of([0.7, 0.8]))).all()
    assert np.isfinite(statistics.mean_interval(Sample.of([0.7, 0.8, 0.75]))).all()
    assert np.isnan(statistics.welch(Sample.of([0.7]), Sample.of([0.6])).low)


def test_paired_equals_scipy():
    a, b = draws(0.72, 7, 1), draws(0.70, 7, 2)
    ours, theirs = statistics.paired(a, b), stats.ttest_rel(a, b)
    limits = theirs.confidence_interval(0.95)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-9)
    assert (ours.low, ours.high) == pytest.approx((limits.low, limits.high), rel=1e-9)


def test_pairs_that_move_together_are_told_apart_where_welch_is_not_sure():
    draw = np.array([0.60, 0.70, 0.80, 0.75])
    a, b = draw + [0.010, 0.011, 0.012, 0.009], draw
    assert statistics.paired(a, b).low > 0
    assert statistics.welch(Sample.of(a), Sample.of(b)).low < 0


def test_two_pairs_and_equal_differences_have_no_interval():
    assert np.isnan(statistics.paired([0.7, 0.8], [0.6, 0.9]).low)
    assert np.isnan(statistics.paired([0.5, 0.6, 0.7], [0.5, 0.6, 0.7]).p)


@pytest.mark.parametrize(("high", "beats", "near"), [
    (0.90, "supported", "not supported"), (0.75, "not supported", "supported"), (0.85, "undecided", "undecided")])
def test_a_margin_moves_the_line(high, beats, near):
    a, b = Sample(high, 0.01, 5), Sample(0.70, 0.01, 5)
    assert statistics.verdict_beats(a, b, 0.15) == beats
    assert statistics.verdict_near(a, b, 0.15) == near
    assert statistics.verdict_beats(a, b) == "supported"


def test_no_difference_is_a_p_of_at_least_five_per_cent():
    a = draws(0.70, 10, 1)
    for shift in (0.0, 0.005, 0.02, 0.05):
        b = draws(0.70, 10, 2) + shift
        expected = "supported" if stats.ttest_ind(a, b, equal_var=False).pvalue >= 0.05 else "not supported"
        assert statistics.verdict_no_difference(Sample.of(a), Sample.of(b)) == expected
    assert statistics.verdict_no_difference(Sample.of(a[:2]), Sample.of(a)) == "not tested"
