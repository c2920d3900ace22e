"""Jang's Table 2: both scores, the choice of the epoch, steps of training, and other autoencoders."""

import dataclasses

import numpy as np
import pytest
from oracles import mean_of
from pages import cell, plain, row_of
from scipy import stats
from stored_runs import PROVENANCE, by_epoch, run_of, store_trials, write_trial

from ecgtl import metrics, published, results
from ecgtl.analysis import names
from ecgtl.analysis.names import f1
from ecgtl.experiments import pretrainings
from ecgtl.report.jang import shared, table2, table3
from ecgtl.report.tables import Lines
from ecgtl.results import Result

pytestmark = pytest.mark.usefixtures("own_results")


def trials():
    return shared.trials(shared.PTBXL, "reduced")


def printed(table):
    found = published.lookup(f"jang2021.{table}.rows.50.cae")
    return f"{f1(found['mean'])} ± {f1(found['sd'])}"


def test_a_substitute_stands_beside_the_print_without_a_difference():
    bests = [0.6, 0.7, 0.8]
    store_trials("cae", 50, bests)
    heading = "Share of the training set", "50 % (300 here)"
    table = table2.compared(table2.comparison(shared.PTBXL, "reduced"))
    assert cell(table, names.METHODS["cae"], *heading) == Lines(printed("table2"), mean_of(bests))
    table = table3.compared(shared.PTBXL, "reduced")
    mean = np.mean([metrics.learning_curve_index((0.1, best, 0.3, 0.4)) for best in bests])
    shown = cell(table, names.METHODS["cae"], *heading)
    assert (shown.paper, shown.here.split(" ")[0], shown.gap) == (printed("table3"), f1(mean), "")
    # The arms that the paper's Table 3 has
    assert table["Initialisation", ""].tolist() == [names.METHODS[name] for name in ("random", "cae")]


def test_weighted_and_macro_f1_stand_side_by_side():
    store_trials("cae", 50, [0.6, 0.7, 0.8], macro=0.25)
    row = row_of(table2.both_scores(shared.PTBXL, "reduced"),
                 **{"Initialisation, data used": f"{names.METHODS['cae']}, 50 %"})
    assert row["Weighted F1"] == mean_of([0.6, 0.7, 0.8]) and row["Macro F1"].startswith(".250")


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_trials_have_no_interval_and_no_test(n):
    for method in ("random", "cae"):
        store_trials(method, 25, [0.5, 0.6][:n])
    row = row_of(table2.choices(trials(), shared.PTBXL), Initialisation=names.METHODS["cae"], Data_used="25 %")
    assert "[" not in "".join(row.astype(str)) and row["n"] == n
    row = row_of(shared.differences(trials(), shared.PTBXL), Difference="25 %, autoencoder − random")
    assert row["Here Welch"] == row["Here paired"] == "+.000"


def test_the_published_choice_flatters_by_the_paired_difference():
    for number, (best, validated) in enumerate([(0.6, 0.55), (0.7, 0.68), (0.8, 0.71)]):
        write_trial(run_of(shared.PTBXL, "image", 100, number), (0.1, best, 0.3), validated)
    row = row_of(table2.choices(trials(), shared.PTBXL), Initialisation=names.METHODS["image"], Data_used="100 %")
    expected = stats.ttest_rel([0.6, 0.7, 0.8], [0.55, 0.68, 0.71])
    low, high = expected.confidence_interval(0.95)
    assert row["Best on test − best on validation, paired"] == (
        f"{f1(0.16 / 3, True)} [{f1(low, True)}, {f1(high, True)}], p = {f1(expected.pvalue)}")
    assert row["Best on test (as published)"].startswith(".700") and row["Last epoch"].startswith(".300")


@pytest.mark.parametrize(("half", "few", "matched", "said"), [
    (0.80, 0.50, 0.51, "a matter of data, not of steps"), (0.80, 0.50, 0.79, "a matter of steps, not of data"),
    (0.80, 0.79, 0.80, "none here"), (0.80, 0.65, 0.70, "is undecided"),
    (0.80, 0.50, None, "stays with matched steps is not tested"), (0.80, None, 0.70, "is not tested")])
def test_the_control_decides_by_rule_between_data_and_steps(half, few, matched, said):
    for method, size, mean in (("random", 50, half), ("random", 25, few), ("random_matched", 25, matched)):
        if mean is not None:
            store_trials(method, size, [mean - 0.01, mean, mean + 0.01])
    assert said in table2.steps_verdict(trials(), "reduced").data


def test_steps_are_counted_for_us_and_for_the_paper():
    store_trials("random", 25, [0.5, 0.6, 0.7])
    table = plain(table2.steps_table(trials(), "reduced")).set_index("Random weights")
    assert table.loc["25 % random", "Steps"] == "12" and table.loc["50 % random", "Steps"] == names.PENDING
    # 10,646 recordings, four fifths to train on, a quarter of those: 2,130 in 17 batches of 128, 150 times
    assert table2.paper_steps(25, "reduced") == 17 * 150


def test_step_curves_end_at_the_reported_scores():
    store_trials("random", 25, [0.5, 0.6, 0.7])
    (line,) = table2.step_curves(shared.curves(shared.PTBXL, "reduced")).axes[0].get_lines()
    assert line.get_xdata().tolist() == [3, 6, 9, 12]
    assert line.get_ydata().tolist() == [0.1, 0.6, 0.6, 0.6]


def write_pretraining(run, error):
    results.save(Result(run.experiment, run.key, dataclasses.asdict(run.config),
                        {"upstream": "substitute", "target": "none", "leads": "substitute"},
                        {"mse_sum": error, "mse_sample": error / 2048, "r2": 1 - error / 2048, "epoch": 2},
                        by_epoch("validation_loss", [900, error]),
                        {"windows": {"train": 20000, "validation": 1000, "test": 1200}}, {"none": np.zeros(0)},
                        PROVENANCE))


def test_sensitivity_names_the_command_without_runs_and_sorts_them_by_width():
    command = f"python -m ecgtl run {table2.SENSITIVITY} --tier reduced"
    assert command in table2.sensitivity_table(table2.sensitivity()).data
    for run in reversed(pretrainings.enumerate_runs(table2.SENSITIVITY, "reduced")):
        write_pretraining(run, 512.0 if run.config.width == 16 else 640.0)
    bodies = table2.sensitivity()
    found = [(body.config["width"], bool(body.config["highpass"])) for body in bodies]
    assert found == sorted(found, key=lambda row: (row[0], not row[1])) and {4, 8, 16} <= {width for width, _ in found}
    said = table2.sensitivity_table(bodies).data
    assert all(words in said for words in ("20,000", "512.0", "0.250", ".750", "high-pass, 0.5 Hz", "none"))
    lines = table2.sensitivity_curves(bodies).axes[0].get_lines()
    assert [line.get_ydata().tolist() for line in lines] == [[900.0, body.scores["mse_sum"]] for body in bodies]


def test_a_stale_pretraining_is_left_out():
    run = pretrainings.enumerate_runs(table2.SENSITIVITY, "reduced")[0]
    write_pretraining(dataclasses.replace(run, config=dataclasses.replace(run.config, epochs=99)), 500.0)
    assert table2.sensitivity() == []
