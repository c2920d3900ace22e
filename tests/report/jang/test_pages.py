"""Jang 2021's pages: they follow the results and the paper's printed trials, and say PENDING where nothing has been
run."""

import dataclasses
import functools
import re

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt
from pages import cell, run_page, seen, unmarked
from scipy import stats

from ecgtl import experiments, metrics, published, results
from ecgtl.analysis import cells, names
from ecgtl.analysis.names import f1
from ecgtl.experiments import pretrainings
from ecgtl.report import tables
from ecgtl.report.jang import figure3, figure5, shared, table2, table3
from ecgtl.report.tables import Lines
from ecgtl.report.words import p_value
from ecgtl.results import Result

matplotlib.use("Agg")
PAGES = ("table2", "table3", "figure3", "figure5")
COUNTS = {"SR": 250, "AFIB": 50}  # 300 recordings to train on: three batches of 128 an epoch
PROVENANCE = {"commit": "0" * 40, "dirty": False, "versions": {"torch": "x"}, "device": "cpu", "machine": "m",
              "threads": 1, "seed": 0, "wall_seconds": 36.0, "finished": "2026-01-01T00:00:00Z", "command": "c"}


@pytest.fixture(autouse=True)
def stored(tmp_path, monkeypatch):
    """An empty results folder; figures are closed afterwards."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    yield tmp_path
    plt.close("all")


def write(run, curve=(0.1, 0.5, 0.3, 0.4), validated=0.35, macro=0.2):
    """A stored result of ``run`` whose test score goes through ``curve``, as if it had been run."""
    def scored(value):
        return {"macro_f1": macro, "weighted_f1": float(value), "accuracy": 0.5,
                "f1_per_class": dict.fromkeys(COUNTS, macro)}

    entry = experiments.load(run.experiment)
    trivial = run.method in entry.baselines
    scores = scored(max(curve)) | {"validated": scored(validated)}
    if not trivial:
        scores |= {"best_test": scored(max(curve)), "last": scored(curve[-1]),
                   "learning_curve_index": metrics.learning_curve_index(curve)}
    history = [] if trivial else [{"epoch": k, "test_score": float(y)} for k, y in enumerate(curve, start=1)]
    data = {"name": entry.dataset, "version": "1", "records": 1006, "classes": list(COUNTS),
            "digest": entry.data.digest, "split": {"train": COUNTS}}
    results.save(Result(run.experiment, run.key, dataclasses.asdict(run.config),
                        {"upstream": "none", "target": "substitute", "leads": "substitute"}, scores, history, data,
                        {"y_test": np.zeros(1, np.uint8)}, PROVENANCE))


def run_of(method, size, number, experiment=shared.PTBXL):
    return next(run for run in experiments.enumerate_runs(experiment, "reduced")
                if (run.method, run.size, run.number) == (method, size, number))


def store(method, size, bests, **options):
    """Trials of one cell whose best test scores are ``bests``; None leaves one out."""
    for number, best in enumerate(bests):
        if best is not None:
            write(run_of(method, size, number), (0.1, best, 0.3, 0.4), **options)


def trials():
    return shared.trials(shared.PTBXL, "reduced")


def curves():
    return shared.curves(shared.PTBXL, "reduced")


def plain(table):
    """A table as it is seen, with ordinary spaces; of grouped columns the headings are joined."""
    heads = [name if isinstance(name, str) else " ".join(filter(None, name)) for name in table.columns]
    return table.set_axis(map(unmarked, heads), axis=1).map(lambda text: seen(text) if isinstance(text, str) else text)


def row_of(table, **where):
    """The one row of a readable table that has these words."""
    table = plain(table)
    for column, words in where.items():
        table = table[table[column] == words]
    return table.squeeze()


# --- what has been run
# --------------------------------------------------------------------------------------------------


def test_without_runs_everything_says_pending():
    frame, lines = trials(), curves()
    assert cells.shown_tier(shared.PTBXL, pending=True) == "reduced"
    assert cells.shown_tier(shared.PTBXL, "paper", pending=True) == "paper"
    said = shared.state(shared.PTBXL, "reduced").data
    assert "pending" in said and "0 of 80 runs" in said and f"python -m ecgtl run {shared.PTBXL} --tier reduced" in said
    for table in (table2.both_scores(shared.PTBXL, "reduced"), table2.choices(frame, shared.PTBXL),
                  shared.differences(frame, shared.PTBXL),
                  table2.steps_table(frame, "reduced"), figure3.index_anatomy(lines, shared.PTBXL),
                  figure5.stability(lines, shared.PTBXL)):
        assert table.apply(lambda row: (row == names.PENDING).any(), axis=1).all()
    assert (shared.our_trials(frame, shared.PTBXL, "reduced").iloc[-1, 1:] == names.PENDING).all()
    for figure in (table2.step_curves(lines), figure5.learning_curves(lines, shared.PTBXL),
                   table2.sensitivity_curves([])):
        assert figure is None
    assert table3.waiting(table3.index_rows({shared.PTBXL: frame})) == ["Here, PTB-XL, lead II", "Here, CinC 2017"]


def test_state_counts_the_runs_and_drops_the_command_when_all_are_there():
    for run in experiments.enumerate_runs(shared.CINC2017, "reduced"):
        write(run)
    said = shared.state(shared.CINC2017, "reduced").data
    assert "45 of 45 runs." in said and "python -m" not in said and "substitute" in said


def test_sizes_are_given_in_recordings_too():
    store("random", 25, [0.5, 0.6, 0.7])
    said = shared.state(shared.PTBXL, "reduced").data
    shown = plain(table2.compared(table2.comparison(shared.PTBXL, "reduced")))
    assert "drawn for training: 25\N{NO-BREAK SPACE}% are 300; in the paper 8,517, 4,258, 2,129." in said
    assert [shared.paper_recordings(size) for size in (100, 50)] == pytest.approx([0.8 * 10646, 0.4 * 10646])
    assert list(shown)[1:] == [f"Share of the training set {size}" for size in ("100 %", "50 %", "25 % (300 here)")]


def test_trials_count_from_one_and_know_their_steps():
    store("random", 25, [0.5, 0.6])
    frame = trials()
    assert frame["trial"].tolist() == [1, 2]
    assert frame["steps"].tolist() == [12, 12]  # four epochs of three batches
    assert frame[shared.BEST].tolist() == [0.5, 0.6] and frame["last.weighted_f1"].tolist() == [0.4, 0.4]
    assert curves()["step"].tolist() == [3, 6, 9, 12] * 2


def test_a_trivial_classifier_scores_the_same_under_every_choice_and_has_no_index():
    write(run_of("majority", 25, 0), validated=0.3)
    frame = trials()
    assert frame[[f"{choice}.weighted_f1" for choice in shared.CHOICES]].to_numpy().tolist() == [[0.3] * 3]
    assert frame[shared.INDEX].isna().all() and curves().empty


# --- trial by trial
# -----------------------------------------------------------------------------------------------------


def test_the_papers_trials_are_the_printed_ones():
    table = plain(shared.paper_trials("table2"))
    assert len(table) == published.lookup("jang2021.table2.runs") + 2
    assert table.loc[6, "25 % autoencoder"] == ".815"
    assert table["25 % random"].iloc[-2] == ".543 ± .009"
    assert plain(shared.paper_trials("table3"))["100 % random"].iloc[-1] == "= 0.45"


def test_our_trials_stand_in_their_rows_with_gaps_between():
    store("cae", 50, [0.6, None, 0.7, 0.8])
    column = plain(shared.our_trials(trials(), shared.PTBXL, "reduced"))["50 % autoencoder"].tolist()
    assert column == [".600", "–", ".700", ".800", "–", ".700 ± .100"]


def test_trials_stand_in_groups_of_a_size():
    ours = shared.our_trials(trials(), shared.PTBXL, "reduced")
    for table in (shared.paper_trials("table2"), ours):
        text = tables.html_text(table, "trials")
        assert re.findall('<th scope="colgroup" colspan="(.)">(.*?)</th>', text) == [
            ("3", f"{size}\N{NO-BREAK SPACE}%") for size in (100, 50, 25)]
        assert re.findall('<th scope="col">(.*?)</th>', text) == ["random", "image", "autoencoder"] * 3


def test_a_substitute_stands_beside_the_print_without_a_difference():
    bests = [0.6, 0.7, 0.8]
    store("cae", 50, bests)
    low, high = stats.t.interval(0.95, 2, loc=0.7, scale=stats.sem(bests))
    heading = "Share of the training set", "50 % (300 here)"
    table = table2.compared(table2.comparison(shared.PTBXL, "reduced"))
    assert cell(table, names.METHODS["cae"], *heading) == Lines(printed("table2"), f".700 [{f1(low)}, {f1(high)}] n 3")
    table = table3.compared(shared.PTBXL, "reduced")
    mean = np.mean([metrics.learning_curve_index((0.1, best, 0.3, 0.4)) for best in bests])
    shown = cell(table, names.METHODS["cae"], *heading)
    assert (shown.paper, shown.here.split(" ")[0], shown.gap) == (printed("table3"), f1(mean), "")
    # The arms that the paper's Table 3 has
    assert table["Initialisation", ""].tolist() == [names.METHODS[name] for name in ("random", "cae")]


def printed(table):
    found = published.lookup(f"jang2021.{table}.rows.50.cae")
    return f"{f1(found['mean'])} ± {f1(found['sd'])}"


def test_weighted_and_macro_f1_stand_side_by_side():
    store("cae", 50, [0.6, 0.7, 0.8], macro=0.25)
    row = row_of(table2.both_scores(shared.PTBXL, "reduced"),
                 **{"Initialisation, data used": f"{names.METHODS['cae']}, 50 %"})
    low, high = stats.t.interval(0.95, 2, loc=0.7, scale=0.1 / np.sqrt(3))
    assert row["Weighted F1"] == f".700 [{f1(low)}, {f1(high)}] n 3"
    assert row["Macro F1"].startswith(".250")


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_trials_have_no_interval_and_no_test(n):
    for method in ("random", "cae"):
        store(method, 25, [0.5, 0.6][:n])
    row = row_of(table2.choices(trials(), shared.PTBXL), Initialisation=names.METHODS["cae"], **{"Data used": "25 %"})
    assert "[" not in "".join(row.astype(str)) and row["n"] == n
    row = row_of(shared.differences(trials(), shared.PTBXL), Difference="25 %, autoencoder − random")
    assert row["Here Welch"] == row["Here paired"] == "+.000"


# --- which epoch, which arm
# ---------------------------------------------------------------------------------------------


def test_the_published_choice_flatters_by_the_paired_difference():
    for number, (best, validated) in enumerate([(0.6, 0.55), (0.7, 0.68), (0.8, 0.71)]):
        write(run_of("image", 100, number), (0.1, best, 0.3), validated)
    row = row_of(table2.choices(trials(), shared.PTBXL), Initialisation=names.METHODS["image"],
                 **{"Data used": "100 %"})
    expected = stats.ttest_rel([0.6, 0.7, 0.8], [0.55, 0.68, 0.71])
    low, high = expected.confidence_interval(0.95)
    said = row["Best on test − best on validation, paired"]
    assert said == (f"{f1(0.16 / 3, True)} [{f1(low, True)}, {f1(high, True)}], "
                    f"p = {f1(expected.pvalue)}")
    assert row["Best on test (as published)"].startswith(".700") and row["Last epoch"].startswith(".300")


def test_differences_between_arms_follow_scipy():
    ours, theirs = [0.70, 0.74, 0.79, 0.72], [0.66, 0.71, 0.78, 0.68]
    store("cae", 50, ours)
    store("random", 50, theirs)
    row = row_of(shared.differences(trials(), shared.PTBXL), Difference="50 %, autoencoder − random")
    welch, paired = stats.ttest_ind(ours, theirs, equal_var=False), stats.ttest_rel(ours, theirs)
    assert row["Here Welch"].endswith(f"p = {f1(welch.pvalue)}") and row["Here Welch"].startswith("+.030 [−")
    assert row["Here paired"].endswith(f"p = {f1(paired.pvalue)}") and row["Here paired"].startswith("+.030 [+")


def test_only_trials_of_both_arms_are_paired():
    store("cae", 50, [0.70, 0.74, 0.79, 0.90])
    store("random", 50, [0.60, 0.65, 0.68])
    row = row_of(shared.differences(trials(), shared.PTBXL), Difference="50 %, autoencoder − random")
    assert row["Here n"] == "4, 3"
    assert row["Here paired"].startswith("+.100") and row["Here Welch"].startswith("+.139")


@pytest.mark.parametrize(("table", "column", "pairs"), [("table2", shared.BEST, (("cae", "random"), ("cae", "image"))),
                                                        ("table3", shared.INDEX, (("cae", "random"),))])
def test_welch_on_the_printed_trials_gives_the_printed_p_values(table, column, pairs):
    found = plain(shared.differences(trials(), shared.PTBXL, table, column, pairs))
    assert len(found) == 3 * len(pairs)
    for row in found.to_dict("records"):
        printed = published.lookup(f"jang2021.{table}.rows.{row['Difference'].split()[0]}.p_value")
        relation, p = re.search(r"p ([<=]) (\.\d+)$", row["Paper its trials, Welch"]).groups()
        if printed["relation"] == "=":
            assert relation == "=" and round(float(p), 2) == printed["value"]
        else:
            assert float(p) < printed["value"]


@pytest.mark.parametrize(("p", "text"), [(0.4456, "= .446"), (0.0004, "< .001"), (0.001, "= .001"), (1.0, "= 1.000")])
def test_p_values_are_printed_with_three_decimals(p, text):
    assert seen(p_value(p)) == text


# --- data or steps
# ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("half", "few", "matched", "said"), [
    (0.80, 0.50, 0.51, "a matter of data, not of steps"), (0.80, 0.50, 0.79, "a matter of steps, not of data"),
    (0.80, 0.79, 0.80, "none here"), (0.80, 0.65, 0.70, "is undecided"),
    (0.80, 0.50, None, "stays with matched steps is not tested"), (0.80, None, 0.70, "is not tested"),
])
def test_the_control_decides_by_rule_between_data_and_steps(half, few, matched, said):
    for method, size, mean in (("random", 50, half), ("random", 25, few), ("random_matched", 25, matched)):
        if mean is not None:
            store(method, size, [mean - 0.01, mean, mean + 0.01])
    assert said in table2.steps_verdict(trials(), "reduced").data


def test_steps_are_counted_for_us_and_for_the_paper():
    store("random", 25, [0.5, 0.6, 0.7])
    table = plain(table2.steps_table(trials(), "reduced")).set_index("Random weights")
    assert table.loc["25 % random", "Steps"] == "12" and table.loc["50 % random", "Steps"] == names.PENDING
    # 10,646 recordings, four fifths to train on, a quarter of those: 2,130 in 17 batches of 128, 150 times
    assert table2.paper_steps(25, "reduced") == 17 * 150


def test_step_curves_end_at_the_reported_scores():
    store("random", 25, [0.5, 0.6, 0.7])
    line, = table2.step_curves(curves()).axes[0].get_lines()
    assert line.get_xdata().tolist() == [3, 6, 9, 12]
    assert line.get_ydata().tolist() == [0.1, 0.6, 0.6, 0.6]


# --- sensitivity
# --------------------------------------------------------------------------------------------------------


def write_pretraining(run, error):
    results.save(Result(run.experiment, run.key, dataclasses.asdict(run.config),
                        {"upstream": "substitute", "target": "none", "leads": "substitute"},
                        {"mse_sum": error, "mse_sample": error / 2048, "r2": 1 - error / 2048, "epoch": 2},
                        [{"epoch": 1, "validation_loss": 900.0}, {"epoch": 2, "validation_loss": error}],
                        {"windows": {"train": 20000, "validation": 1000, "test": 1200}},
                        {"none": np.zeros(0, np.uint8)}, PROVENANCE))


def test_sensitivity_names_the_command_without_runs_and_sorts_them_by_width():
    assert (f"python -m ecgtl run {table2.SENSITIVITY} --tier "
            "reduced") in table2.sensitivity_table(table2.sensitivity()).data
    for run in reversed(pretrainings.enumerate_runs(table2.SENSITIVITY, "reduced")):
        write_pretraining(run, 512.0 if run.config.width == 16 else 640.0)
    bodies = table2.sensitivity()
    found = [(body.config["width"], bool(body.config["highpass"])) for body in bodies]
    assert found == sorted(found, key=lambda row: (row[0], not row[1])) and {4, 8, 16} <= {width for width, _ in found}
    said = table2.sensitivity_table(bodies).data
    for words in ("20,000", "512.0", "0.250", ".750", "high-pass, 0.5 Hz", "none"):
        assert words in said
    lines = table2.sensitivity_curves(bodies).axes[0].get_lines()
    assert [line.get_ydata().tolist() for line in lines] == [[900.0, body.scores["mse_sum"]] for body in bodies]


def test_a_stale_pretraining_is_left_out():
    run = pretrainings.enumerate_runs(table2.SENSITIVITY, "reduced")[0]
    write_pretraining(dataclasses.replace(run, config=dataclasses.replace(run.config, epochs=99)), 500.0)
    assert table2.sensitivity() == []


# --- Table 3 and the index
# ----------------------------------------------------------------------------------------------


def test_printed_standard_deviations_divide_by_n_in_table_3_and_mostly_by_n_minus_1_in_table_2():
    assert set(table3.printed_spreads("table3")["Fits the print"]) == {"n"}
    found = plain(table3.printed_spreads("table2")).set_index("Cell")["Fits the print"]
    assert set(found.index[found == "n − 1"]) == {"50 % autoencoder", "25 % random", "25 % image"}
    assert set(found.index[found == "n"]) == {"100 % image"} and (found == "n and n − 1").sum() == 5
    assert "3 fit n − 1" in table3.spreads("table2").data and "6 fit n" in table3.spreads("table3").data


def test_every_index_is_in_the_rows_and_drawn_in_its_panel():
    store("cae", 25, [0.5, 0.6, 0.7])
    rows = table3.index_rows({shared.PTBXL: trials(), shared.CINC2017: shared.trials(shared.CINC2017, "reduced")})
    assert rows["source"].value_counts().to_dict() == {"paper": 60, shared.PTBXL: 3}
    expected = [metrics.learning_curve_index((0.1, best, 0.3, 0.4)) for best in (0.5, 0.6, 0.7)]
    assert rows.loc[rows["source"] == shared.PTBXL, shared.INDEX].tolist() == pytest.approx(expected)
    figure = table3.index_dots(rows)
    _, ours = figure.axes
    assert any(np.allclose(line.get_ydata(), expected) for line in ours.get_lines() if len(line.get_ydata()) == 3)
    assert table3.waiting(rows) == ["Here, CinC 2017"] and f1(np.mean(expected)) in table3.index_said(rows)


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
    write(run_of("random", 25, 0), (0.1, 0.5, 0.3, 0.4))  # rises .4, .1; fall .2
    write(run_of("random", 25, 1), (0.1, 0.5, 0.1, 0.5))  # rises .4, .4; fall .4
    row = row_of(figure3.index_anatomy(curves(), shared.PTBXL), Arm="random", **{"Data used": "25 %"})
    assert (row["Rises"], row["Falls"], row["Mean rise"], row["Mean fall"], row["Best F1"], row["n"]) == (
        "2.0", "1.0", ".325", ".300", ".500", 2)


# --- Figure 5
# -----------------------------------------------------------------------------------------------------------


def test_learning_curves_draw_every_trial_and_the_median_and_of_the_image_arm_the_median_alone():
    for method in ("random", "image"):
        store(method, 25, [0.5, 0.6, 0.9])
    figure = figure5.learning_curves(curves(), shared.PTBXL)
    (quarter,) = figure.axes
    drawn = [line.get_ydata().tolist() for line in quarter.get_lines()]
    assert len(drawn) == 5 and drawn.count([0.1, 0.6, 0.3, 0.4]) == 3  # two medians and the trial that is the median
    assert "25 %" in quarter.get_title()


def test_stability_by_hand():
    write(run_of("cae", 25, 0))  # .1 .5 .3 .4
    row = row_of(figure5.stability(curves(), shared.PTBXL), Initialisation=names.METHODS["cae"],
                 **{"Data used": "25 %"})
    assert row.tolist()[2:] == [1, ".500", "2", ".400", ".100", ".200"]


# --- the pages
# ----------------------------------------------------------------------------------------------------------


page = functools.partial(run_page, "jang")


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("name", PAGES)
def test_pages_work_with_any_number_of_trials(name, n, monkeypatch):
    monkeypatch.setattr(tables, "write_csv", lambda table, file: table.to_csv())
    for run in experiments.enumerate_runs(shared.PTBXL, "reduced"):
        if run.number < n:
            write(run, (0.1, 0.5 + 0.01 * run.number, 0.3, 0.4))
    said = page(name)
    box, said = said.split("</div>", 1)  # In short stands first
    assert "ecgtl-in-short" in box and "ecgtl-in-short" not in said and "<table" in said
    assert (names.PENDING in box) == (n < 3 or name == "figure5")  # which is of CinC 2017 too
    # CinC 2017 and the sensitivity have no run; Figure 3 draws none
    assert (names.PENDING in said) == (name != "figure3")
    if name == "table2":
        assert f"{len(cells.runs(shared.PTBXL, 'reduced'))} of 80 runs" in said and table2.SENSITIVITY in said
