"""Weimann's Figure 3: validation curves."""

import numpy as np
import pytest
from pages import row_of
from scipy import stats
from stored_runs import run_of, write_value

from ecgtl.analysis import names
from ecgtl.analysis.names import f1
from ecgtl.report.weimann import figure3, shared


def write_curves(method, size, curves):
    for number, curve in enumerate(curves):
        write_value(run_of(shared.TABLE2, method, size, number), curve=curve)


def test_validation_curves_are_random_weights_and_differences_to_them():
    # 95 % of the best in epochs 3, 2, 4
    curves = [(0.2, 0.5, 0.6, 0.62), (0.3, 0.6, 0.62, 0.61), (0.1, 0.2, 0.3, 0.6)]
    better = [(0.3, 0.6, 0.7, 0.72), (0.4, 0.7, 0.82, 0.81), (0.2, 0.3, 0.4, 0.9)]
    write_curves("random", 75, curves)
    assert figure3.validation_curves(figure3.histories("reduced"), 75) is None, "nothing to compare"
    write_curves("beat", 75, better)
    frame = figure3.histories("reduced")
    base, beat = figure3.validation_curves(frame, 75).axes
    mean, median = base.get_lines()
    assert mean.get_ydata() == pytest.approx(np.mean(curves, axis=0))
    assert mean.get_xdata().tolist() == [1, 2, 3, 4] and median.get_xdata() == [3]
    band = base.collections[0].get_paths()[0].vertices
    assert {(1, 0.1), (1, 0.3), (4, 0.6), (4, 0.62)} <= {tuple(point) for point in np.round(band, 3).tolist()}
    difference, zero, _ = beat.get_lines()
    assert difference.get_ydata() == pytest.approx(np.mean(better, axis=0) - np.mean(curves, axis=0))
    assert list(zero.get_ydata()) == [0, 0]
    band = {tuple(point) for point in np.round(beat.collections[0].get_paths()[0].vertices, 3).tolist()}
    for epoch, (ours, others) in enumerate(zip(zip(*better, strict=True), zip(*curves, strict=True), strict=True), 1):
        limits = stats.ttest_ind(ours, others, equal_var=False).confidence_interval()
        assert {(epoch, round(limits.low, 3)), (epoch, round(limits.high, 3))} <= band
    assert figure3.waiting(frame, 75) == [names.METHODS[name] for name in ("rhythm", "heart_rate", "future")]
    row = row_of(figure3.speed(frame), Initialisation=names.METHODS["random"], Data_used="75 %")
    assert row.tolist()[2:] == [3, "3 (2 to 4)", f1(np.mean([0.62, 0.62, 0.6])), ".200"]
    assert f"Beat {f1(0.2, True)}" in figure3.curves_said(frame, 75)


def test_a_mean_curve_ends_when_most_runs_have_ended():
    for method in ("random", "beat"):
        write_curves(method, 25, [(0.2, 0.5, 0.6, 0.62, 0.61)[:length] for length in (2, 3, 5)])
    mean, _ = figure3.validation_curves(figure3.histories("reduced"), 25).axes[0].get_lines()
    assert mean.get_xdata().tolist() == [1, 2, 3]
