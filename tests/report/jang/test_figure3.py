"""Jang's Figure 3: the learning curve index by hand, its two readings, and its parts in our runs."""

import numpy as np
import pytest
from pages import plain, row_of
from stored_runs import run_of, write_trial

from ecgtl import metrics
from ecgtl.analysis.names import f1
from ecgtl.report.jang import figure3, shared

pytestmark = pytest.mark.usefixtures("own_results")
# By hand: sum and number of rises, of falls, best score
BY_HAND = {"steady": (0.42, 7, 0.02, 2, 0.80), "low": (0.42, 7, 0.02, 2, 0.45), "swinging": (1.00, 5, 0.60, 4, 0.80),
           "dropping": (0.70, 7, 0.40, 2, 0.80)}


@pytest.mark.parametrize("name", figure3.EXAMPLES)
def test_the_worked_examples_are_right_by_hand(name):
    up, n_up, down, n_down, best = BY_HAND[name]
    parts = figure3.index_parts(figure3.EXAMPLES[name])
    assert (parts["rises"], parts["falls"], parts["best"]) == (n_up, n_down, best)
    assert (parts["rise"], parts["fall"]) == pytest.approx((up / n_up, down / n_down))
    assert parts["index"] == pytest.approx(up / n_up / (down / n_down) * best, rel=1e-4)
    assert parts["sums"] == pytest.approx(up / down * best)
    row = row_of(figure3.examples_table(), Curve=name)
    assert row["Index"] == f1(parts["index"]) and len(row["Rises"].split(", ")) == n_up


def test_the_examples_show_what_the_page_says_of_them():
    index = {name: metrics.learning_curve_index(scores) for name, scores in figure3.EXAMPLES.items()}
    assert index["steady"] > index["low"] > index["swinging"] > 1 > index["dropping"]
    assert np.allclose(np.diff(figure3.EXAMPLES["steady"]), np.diff(figure3.EXAMPLES["low"]))
    steady, swinging, dropping = (figure3.EXAMPLES[name] for name in ("steady", "swinging", "dropping"))
    assert (steady[0], steady[-1]) == (swinging[0], swinging[-1]) and dropping[-1] > dropping[0]


def test_the_two_readings_differ_by_the_numbers_of_falls_and_rises():
    rng = np.random.default_rng(0)
    for _ in range(20):
        parts = figure3.index_parts(rng.uniform(0.2, 0.8, 60))
        assert parts["index"] == pytest.approx(parts["sums"] * parts["falls"] / parts["rises"], rel=1e-4)


def test_limits_are_huge_zero_and_refused():
    never_falls, never_rises, flat, short = figure3.limits_table()["Index"]
    assert float(never_falls.replace(",", "")) > 0.01 / float(figure3.epsilon())
    assert never_rises == flat == "0" and "at least two epochs" in short
    assert figure3.index_parts([0.1, 0.2])["sums"] == np.inf


def test_printed_indices_rule_the_sums_out_in_one_cell():
    found = plain(figure3.trials_below_best()).set_index("Cell").drop(columns="Trials")
    assert found.loc["25 % random"].tolist() == [4, 4]
    assert (found.drop("25 % random") == 0).all(axis=None)


def test_the_anatomy_is_a_mean_over_trials():
    write_trial(run_of(shared.PTBXL, "random", 25, 0), (0.1, 0.5, 0.3, 0.4))  # rises .4, .1; fall .2
    write_trial(run_of(shared.PTBXL, "random", 25, 1), (0.1, 0.5, 0.1, 0.5))  # rises .4, .4; fall .4
    table = figure3.index_anatomy(shared.curves(shared.PTBXL, "reduced"), shared.PTBXL)
    row = row_of(table, Arm="random", Data_used="25 %")
    assert (row["Rises"], row["Falls"], row["Mean rise"], row["Mean fall"], row["Best F1"], row["n"]) == (
        "2.0", "1.0", ".325", ".300", ".500", 2)
