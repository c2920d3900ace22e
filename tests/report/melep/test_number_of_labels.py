"""MELEP, or the number of labels? Rivals of the score, and answers that no network is needed for."""

import re

import numpy as np
import pytest
from melep_folds import fill, planned, write
from pages import row_of
from scipy import stats
from stored_runs import store_fold

from ecgtl.analysis import agreement
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import f1
from ecgtl.measurements import rr_folds
from ecgtl.report.melep import number_of_labels, transfer_folds
from ecgtl.report.melep.transfer_folds import CSN, PTBXL


def test_rivals_are_plain_and_given_the_number_of_labels():
    rng = np.random.default_rng(0)
    for run in planned(PTBXL, "reduced", "cpsc2018", "resnet1d101"):
        n = 2 + run.config.fold % 4
        own = rng.normal(0, 0.02)
        write(
            run,
            0.05 * n + rng.normal(0, 0.01),
            0.9 - 0.05 * n - own,
            [f"l{k}" for k in rng.permutation(9)[:n]],
            others=5 + own,
        )
    folds = transfer_folds.load(PTBXL)
    rows = number_of_labels.rival_rows(folds)
    table = number_of_labels.rival_table(rows)
    data = folds.rows
    melep = row_of(table, Checkpoint="ResNet1d101, CPSC 2018", Measure="MELEP, weights of the text")
    expected = stats.pearsonr(data["melep_published"], data["weighted_f1_best_test"]).statistic
    assert melep["Correlation with F1 [95 % interval]"].startswith(f1(expected)) and expected < -0.8
    residuals = [
        data[name] - np.polyval(np.polyfit(data["n_labels"].astype(float), data[name], 1), data["n_labels"])
        for name in ("melep_published", "weighted_f1_best_test")
    ]
    left = f1(np.corrcoef(*residuals)[0, 1])
    assert melep["Given the number of labels [95 % interval]"].startswith(left)
    alone = row_of(table, Checkpoint="ResNet1d101, CPSC 2018", Measure="Number of labels")
    assert alone["Given the number of labels [95 % interval]"] == "–"
    said = number_of_labels.rival_verdict(rows).data
    assert ("MELEP, weights of the text: the number of labels alone correlates more strongly for 1 of 1" in said)
    assert "LEEP: the number of labels alone" in said and "for 1 of 1 checkpoints; given" in said
    leep, melep_line = (
        next(line for line in said.split("<li>") if line.startswith(words)) for words in ("LEEP", "MELEP, w")
    )
    assert leep.endswith("easy transfer for 1 of 1.</li>") and melep_line.endswith("easy transfer for 0 of 1.</li>")
    assert re.search(r"Prevalence [^<]* the interval excludes 0 for [01] of 1\.", said), "it promises no side"
    numbers = number_of_labels.rival_numbers(rows).set_index(["source", "network", "measure"])
    assert numbers.loc[("cpsc2018", "resnet1d101", "melep_published"), "plain"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("measure", "low", "high", "expected"),
    [
        ("melep_published", -0.5, -0.1, True),
        ("melep_published", 0.1, 0.5, False),
        ("leep", 0.1, 0.5, True),
        ("leep", -0.5, -0.1, False),
        ("prevalence", 0.1, 0.5, True),
        ("prevalence", -0.5, -0.1, True),
        ("prevalence", -0.1, 0.5, False),
        ("melep_published", None, None, False),
    ],
)
def test_a_measure_adds_only_on_the_side_that_it_promises(measure, low, high, expected):
    assert number_of_labels.adds(measure, Interval(0.0, low, high, 40, 20)) is expected


def test_the_scatter_has_a_colour_and_a_marker_for_each_number_of_labels():
    fill(CSN, "paper", 40, [("ptbxl", "resnet1d101")], n_names=10)
    folds = transfer_folds.load(CSN)
    figure = number_of_labels.label_scatter(folds)
    styles = {
        line.get_label(): (line.get_color(), line.get_marker())
        for axes in figure.axes
        for line in axes.get_lines()
    }
    assert set(styles) == {f"{n} labels" for n in range(2, 11)}
    assert (len({colour for colour, _ in styles.values()}) == len({marker for _, marker in styles.values()}) == 9)
    assert sum(len(line.get_xdata()) for line in figure.axes[0].get_lines()) == 40


def learn(place, gain, n=10):
    """Folds whose answer of every label has an F1 of 1/2, 2/3, 4/5 in turn; the network has ``gain(fold)`` more.

    MELEP is a tenth of the answer's F1, so that it knows of labels alone.
    """
    tables_by_answer = {1 / 2: [[1], [0], [0]], 2 / 3: [[1], [0]], 4 / 5: [[1], [1], [0]]}
    for run in planned(PTBXL, "reduced", *place)[:n]:
        answer, y_test = list(tables_by_answer.items())[(run.config.fold + 1) % 3]
        store_fold(run, answer / 10, answer + gain(run.config.fold), label_set=f"l{run.config.fold}+l99",
                   y_test=np.repeat(y_test, 2, axis=1), validated=answer - 0.1)


def test_gains_over_every_label_are_told_by_checkpoint_and_choice():
    place = ("cpsc2018", "resnet1d101")
    learn(place, lambda fold: 0.05 if fold < 7 else -0.05 if fold < 9 else 0)  # the last one answers as the answer does
    folds = transfer_folds.load(PTBXL)
    rows = number_of_labels.gains(folds)
    own = rows[(rows["source"] == place[0]) & (rows["arch"] == place[1])
               & (rows["over"] == agreement.EVERY_LABEL)].set_index("score")
    best, validated = (own.loc[score] for score in agreement.SCORES)
    answers = [[1 / 2, 2 / 3, 4 / 5][(fold + 1) % 3] for fold in range(10)]
    assert best["answer"] == validated["answer"] == pytest.approx(np.mean(answers))
    assert (best["gain"].value, best["better"], best["n"]) == (pytest.approx(0.025), 7, 10)
    assert (validated["gain"].value, validated["better"]) == (pytest.approx(-0.1), 0)
    shown = number_of_labels.gain_table(rows, agreement.EVERY_LABEL)
    table = row_of(shown, Checkpoint="ResNet1d101, CPSC 2018", Epoch="best on validation")
    assert table["Difference [95 % interval]"] == "−.100 [−.100, −.100]"
    assert (table["Network better in"], table["AUC, network"]) == ("0 of 10", ".000")
    waiting = row_of(shown, Checkpoint="Bi-LSTM, CinC 2017", Epoch="best on test")
    assert waiting["F1, network"] == waiting["Difference [95 % interval]"] == "PENDING"
    said = number_of_labels.verdict(rows, number_of_labels.rival_rows(folds)).data
    assert ("Against all-positive baseline, epoch best on validation: of 1 checkpoints the interval lies above 0 "
            "for 0, below it for 1") in said
    assert "networks are better in 7 of 10 folds" in said


def test_a_measure_of_labels_alone_correlates_with_the_answer_and_not_with_what_is_beyond():
    place = ("cpsc2018", "bilstm")
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 0.02, 20)
    learn(place, lambda fold: noise[fold], n=20)
    folds = transfer_folds.load(PTBXL)
    rivals = number_of_labels.rival_rows(folds)
    (found,) = agreement.of(rivals[rivals["measure"] == "melep_published"], *place).itertuples()
    assert found.answer.value == pytest.approx(1) and found.plain.value > 0.9
    own = folds.of(*place)
    above = own["weighted_f1_best_test"] - own["weighted_f1_every_label"]
    assert found.between.value == pytest.approx(stats.pearsonr(own["melep_published"], above).statistic)
    shown = row_of(number_of_labels.control_table(rivals), Checkpoint="Bi-LSTM, CPSC 2018",
                   Measure="MELEP, weights of the text")
    assert shown["With F1 of the all-positive baseline"].startswith("1.000 [1.000")
    numbers = number_of_labels.numbers(number_of_labels.gains(folds), rivals)
    stored = numbers[(numbers["network"] == "bilstm") & (numbers["source"] == "cpsc2018")
                     & (numbers["statistic"] == "correlation with the difference")
                     & (numbers["measure"] == "melep_published")]
    assert stored["value"].tolist() == [pytest.approx(found.between.value)] and stored["folds"].tolist() == [20]
    said = number_of_labels.verdict(number_of_labels.gains(folds), rivals).data
    assert "MELEP, weights of the text correlates with the F1 of the all-positive baseline" in said
    assert "between +1.000 and +1.000" in said


def test_boosting_on_rr_intervals_is_set_beside_the_folds_that_it_has(monkeypatch):
    place = ("cpsc2018", "resnet1d101")
    learn(place, lambda fold: 0.0)
    folds = transfer_folds.load(PTBXL)
    rows = number_of_labels.gains(folds)
    own = rows[(rows["over"] == agreement.RR) & (rows["score"] == agreement.SCORES[0])]
    assert own["n"].tolist() == [0] * 4
    assert (number_of_labels.gain_table(rows, agreement.RR)["F1, network"] == "PENDING").all()
    measured = {fold: score - 0.02 for fold, score in zip(folds.rows["fold"], folds.rows["weighted_f1_best_test"],
                                                          strict=True)}
    del measured[3]
    monkeypatch.setattr(rr_folds, "load", lambda experiment, tier: measured)
    rows = number_of_labels.gains(folds)
    (own,
     ) = rows[(rows["over"] == agreement.RR) & (rows["score"] == agreement.SCORES[0]) & (rows["n"] > 0)].itertuples()
    assert (own.source, own.arch, own.n, own.better) == (*place, 9, 9) and own.gain.value == pytest.approx(0.02)
    shown = row_of(number_of_labels.gain_table(rows, agreement.RR), Checkpoint="ResNet1d101, CPSC 2018",
                   Epoch="best on test")
    assert shown["Difference [95 % interval]"] == "+.020 [+.020, +.020]"


def test_the_gain_is_drawn_fold_by_fold_with_its_mean():
    learn(("cpsc2018", "resnet1d101"), lambda fold: 0.05)
    figure = number_of_labels.gain_figure(transfer_folds.load(PTBXL))
    points, mean, zero = figure.axes[0].get_lines()
    assert np.round(points.get_ydata(), 6).tolist() == [0.05] * 10
    assert mean.get_ydata() == pytest.approx([0.05, 0.05]) and list(zero.get_ydata()) == [0, 0]
    assert len(set(points.get_xdata())) == 10 and np.abs(points.get_xdata() - 2).max() < 0.5, "side by side"
    assert not any(axes.axison for axes in figure.axes[1:]), "one checkpoint has folds"
