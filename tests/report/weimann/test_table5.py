"""Weimann's Table 5: data sets whose recordings have several labels."""

from pages import points, row_of, titles
from stored_runs import run_of, store_values, write_value

from ecgtl.analysis import names
from ecgtl.report import gains
from ecgtl.report.weimann import shared, table5


def labels():
    return shared.comparisons(shared.PTBXL, "reduced", shared.MULTI_LABEL)


def test_labels_without_positives_are_named_and_left_out():
    assert names.PENDING in table5.unscored(shared.PTBXL, "reduced").data
    store_values(shared.PTBXL, "beat", "ptbxl", [0.9, 0.94])
    said = table5.unscored(shared.PTBXL, "reduced").data
    assert "Of 3 labels 1 " in said and "SVTAC" in said
    rows = table5.label_rows(shared.PTBXL, "reduced").set_index("Label")
    assert rows.loc["AFIB", "Test"] == 4 and rows.loc["AFIB", "AUC, beat"] == ".920"
    assert rows.loc["SVTAC", "AUC, beat"] == "–" and rows.loc["SVTAC", "AUC, rhythm"] == names.PENDING


def test_thresholds_are_those_of_the_runs():
    for number, threshold in enumerate((0.2, 0.3, 0.4)):
        write_value(run_of(shared.CPSC2018, "future", "cpsc2018", number), threshold=threshold)
    row = row_of(table5.thresholds(shared.CPSC2018, "reduced"), Initialisation="Future prediction")
    assert row["Threshold for Fβ=2"] == "0.30 (0.20 to 0.40)"
    assert row["Threshold for Gβ=2"] == "0.50 (0.50 to 0.50)"


def test_the_related_work_is_quoted_as_printed():
    rows = table5.quoted_rows()
    assert set(rows["Quoted from"]) == {"Strodthoff et al., arXiv:2004.13701"}
    assert row_of(rows, Data_set="PTB-XL")[["AUC", "Fmax", "Fβ=2"]].tolist() == [".957 ± .015", ".917 ± .008", "–"]


def test_the_printed_rankings_differ_by_score():
    frames = {name: shared.comparisons(name, "reduced", shared.MULTI_LABEL) for name in (shared.PTBXL, shared.CPSC2018)}
    ranked = table5.rankings(frames.items())
    printed = ranked.set_index(["Data set", "Score"])["In print"]
    ptbxl, cpsc = printed["PTB-XL"], printed["CPSC 2018"]
    assert ptbxl["AUC"].startswith("heart rate > beat > rhythm")
    assert ptbxl["Fmax"].startswith("beat > heart rate > rhythm") and ptbxl["Fβ=2"] == "not printed"
    assert cpsc["AUC"].endswith("random weights > heart rate") and cpsc["Fmax"].endswith("random weights = heart rate")
    said = table5.ranking_verdict(ranked).data
    assert "PTB-XL, in print: 2 scores, 2 " in said and "ours" not in said


def test_our_ranking_needs_every_row():
    for value, method in enumerate(("random", "beat", "rhythm", "heart_rate", "future")):
        assert "ours" not in table5.ranking_verdict(table5.rankings([(shared.PTBXL, labels())])).data
        store_values(shared.PTBXL, method, "ptbxl", [0.9 + value / 100])
    ranked = table5.rankings([(shared.PTBXL, labels())])
    assert set(ranked["Ours"]) == {"future prediction > heart rate > rhythm > beat > random weights"}
    assert "PTB-XL, ours: 4 scores, one " in table5.ranking_verdict(ranked).data


def test_the_size_of_the_data_stands_beside_the_papers():
    for name, numbers in ((shared.PTBXL, ("2,872", "21,066")), (shared.CPSC2018, ("1,369", "6,877"))):
        assert all(number in table5.data_used(name).data for number in numbers)


def test_each_score_has_its_panel_of_gains():
    store_values(shared.CPSC2018, "random", "cpsc2018", [0.9, 0.9, 0.9])
    store_values(shared.CPSC2018, "beat", "cpsc2018", [0.9, 0.91, 0.92])
    figure = gains.figure(table5.gains_by_score(shared.CPSC2018, "reduced"), "difference")
    assert titles(figure) == [shared.SCORES[score] for score in shared.MULTI_LABEL]
    assert all([[0.01, 0.17]] in points(axes) for axes in figure.axes)
