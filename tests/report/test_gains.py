"""Gains over random initialisation, drawn and in words."""

import pytest
from oracles import paper_gap, welch
from pages import points, titles
from scipy import stats
from stored_runs import store_values

from ecgtl.analysis import names
from ecgtl.report import gains
from ecgtl.report.weimann import shared
from ecgtl.report.words import estimate

pytestmark = pytest.mark.usefixtures("own_results")


def test_gains_have_the_intervals_of_welch_and_a_line_at_0():
    store_values(shared.TABLE3, "random", 128, [0.70, 0.71, 0.72])
    store_values(shared.TABLE3, "beat", 128, [0.73, 0.74, 0.78])
    found = gains.over_random(shared.TABLE3, "reduced")
    figure = gains.figure(found, "difference")
    assert titles(figure) == [names.METHODS[name] for name in shared.PRETRAINED]
    assert all([[0, 0], [0, 1]] in points(axes) for axes in figure.axes)
    (known,) = (gain for gain in found if gain.ours.value is not None)
    expected = stats.ttest_ind([0.73, 0.74, 0.78], [0.70, 0.71, 0.72], equal_var=False).confidence_interval()
    assert (known.panel, known.row) == (names.METHODS["beat"], "128 Hz")
    assert (known.ours.low, known.ours.high) == pytest.approx((expected.low, expected.high))
    assert paper_gap("table3", ("beat", 128), ("random", 128)) == estimate(
        known.printed.value, known.printed.low, known.printed.high, signed=True).replace(names.NBSP, " ")


def test_the_words_of_gains_follow_the_results():
    said = []
    for lift in (0.0, 0.2):
        ours, base = [0.53 + lift, 0.54 + lift, 0.55 + lift], [0.50, 0.51, 0.52]
        store_values(shared.TABLE3, "random", 128, base)
        store_values(shared.TABLE3, "beat", 128, ours)
        said.append(gains.said(gains.over_random(shared.TABLE3, "reduced")).replace(names.NBSP, " "))
        assert "here: of 1, 1 above 0" in said[-1] and f"Beat classification, 128 Hz {welch(ours, base)}" in said[-1]
    assert said[0] != said[1] and "In print: of 12, 12 above 0" in said[0]


def test_no_run_and_nothing_printed_is_no_figure():
    assert gains.figure(gains.over_random(shared.TABLE2, "demo"), "difference") is None
