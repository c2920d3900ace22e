"""Jang's Figure 5: learning curves and their stability."""

import pytest
from pages import row_of, titles
from stored_runs import run_of, store_trials, write_trial

from ecgtl.analysis import names
from ecgtl.report.jang import figure5, shared

pytestmark = pytest.mark.usefixtures("own_results")


def curves():
    return shared.curves(shared.PTBXL, "reduced")


def test_learning_curves_draw_every_trial_and_the_median_and_of_the_image_arm_the_median_alone():
    for method in ("random", "image"):
        store_trials(method, 25, [0.5, 0.6, 0.9])
    figure = figure5.learning_curves(curves(), shared.PTBXL)
    (quarter,) = figure.axes
    drawn = [line.get_ydata().tolist() for line in quarter.get_lines()]
    assert len(drawn) == 5 and drawn.count([0.1, 0.6, 0.3, 0.4]) == 3  # two medians and the trial that is the median
    assert "25 %" in titles(figure)[0]


def test_stability_by_hand():
    write_trial(run_of(shared.PTBXL, "cae", 25, 0))  # .1 .5 .3 .4
    row = row_of(figure5.stability(curves(), shared.PTBXL), Initialisation=names.METHODS["cae"], Data_used="25 %")
    assert row.tolist()[2:] == [1, ".500", "2", ".400", ".100", ".200"]
