"""What the pages of Weimann 2021's tables share: the state of the runs, scores, gains and steps."""

import dataclasses

import pytest
from oracles import mean_of, paper_gap, printed_difference, welch
from pages import cell
from stored_runs import planned, store_pretraining, store_values, write_value

from ecgtl import results
from ecgtl.analysis import cells, names
from ecgtl.analysis.names import f1
from ecgtl.config import BASELINES
from ecgtl.report.tables import Lines
from ecgtl.report.weimann import shared


def test_without_runs_there_is_the_paper_and_the_word_pending():
    assert cells.shown_tier(shared.TABLE3, pending=True) == "reduced"
    assert cells.shown_tier(shared.TABLE3, "paper", pending=True) == "paper"
    said = shared.state(shared.TABLE3, "reduced").data
    assert "pending" in said and "0 of 63 runs" in said
    assert "python -m ecgtl run weimann2021-table3 --tier reduced" in said
    frame = shared.comparisons(shared.TABLE3, "reduced")
    place = "Beat classification", "Sampling rate", "128 Hz"
    assert cell(shared.compared(frame, "Sampling rate"), *place) == Lines(".779 ± .012", names.PENDING)
    assert cell(shared.gains(frame, "Sampling rate"), *place) == Lines(
        paper_gap("table3", ("beat", 128), ("random", 128)), names.PENDING)


def test_state_names_the_evidence_and_drops_the_command_when_all_runs_are_there():
    for run in planned(shared.PTBXL):
        write_value(run)
    said = shared.state(shared.PTBXL, "reduced").data
    assert "PTB-XL: 21 of 21 runs." in said and "python -m" not in said and "target: subset" in said


def test_a_page_says_how_few_subjects_its_pretraining_had():
    store_values(shared.TABLE2, "random", 75, [0.7])
    store_pretraining("beat", {}, subjects={"train": 31}, sources={"mitdb": {}})
    assert "subjects" not in shared.state(shared.TABLE2, "reduced").data  # nothing pretrained is shown
    store_values(shared.TABLE2, "beat", 75, [0.7])
    said = shared.state(shared.TABLE2, "reduced").data
    assert "31 subjects" in said and "(mitdb)" in said and "11,000" in said
    single, later = results.load(next(results.folder("reduced").glob("pretrain/*.json"))), f"{shared.TABLE2}-seeds"
    for name, n in (("beat", 83), ("rhythm", 35)):
        results.save(dataclasses.replace(single, experiment="weimann2021-seeds", key=f"{name}-seed0-reduced",
                                         data={"subjects": {"train": n}, "sources": {"mitdb": {}, "qtdb": {}}}))
        store_values(later, name, 75, [0.7])
    assert "35 to 83 subjects to learn from here (mitdb and qtdb)" in shared.state(later, "reduced").data


def test_a_score_that_the_paper_does_not_print_stands_alone():
    ours = [0.9, 0.92, 0.94]
    store_values(shared.PTBXL, "beat", "ptbxl", ours)
    table = shared.compared(shared.comparisons(shared.PTBXL, "reduced", shared.MULTI_LABEL), "Score")
    assert cell(table, "Beat classification", "Score", "AUC") == Lines(
        ".962 ± .006", mean_of(ours), printed_difference([ours], "table5", ("beat", "ptbxl", "macro_auc")))
    assert cell(table, "Beat classification", "Score", "Fβ=2") == Lines("", mean_of([0.7, 0.72, 0.74]), "")
    assert [(column, any(one.paper for one in table[column])) for column in list(table)[1:]] == [
        (("Score", "AUC"), True), (("Score", "Fmax"), True), (("Score", "Fβ=2"), False), (("Score", "Gβ=2"), False)]
    # Table 2 prints macro F1 alone: its number is not that of a class
    first, second = (cells.comparison(name, "reduced", "f1_per_class.af") for name in (shared.TABLE1, shared.TABLE2))
    assert second["paper"].isna().all() and first.set_index("method")["paper"]["beat_2048"] == 0.777


def test_gains_are_differences_with_welch_beside_the_printed_one():
    ours, base = [0.74, 0.75, 0.77], [0.70, 0.71, 0.75]
    store_values(shared.TABLE2, "beat", 50, ours)
    store_values(shared.TABLE2, "random", 50, base)
    found = cell(shared.gains(shared.comparisons(shared.TABLE2, "reduced"), "Share of the data set"),
                 "Beat classification", "Share of the data set", "50 %")
    assert found == Lines(paper_gap("table2", ("beat", 50), ("random", 50)), welch(ours, base),
                          printed_difference([ours, base], "table2", ("beat", 50), ("random", 50)))


def test_a_cell_has_the_print_ours_and_welchs_difference_and_says_what_that_decides():
    ours = [0.74, 0.75, 0.77]
    store_values(shared.TABLE2, "beat", 25, ours)
    table = shared.compared(shared.comparisons(shared.TABLE2, "reduced"), "Share of the data set")
    assert cell(table, "Beat classification", "Share of the data set", "25 %") == Lines(
        ".739 ± .014", mean_of(ours), printed_difference([ours], "table2", ("beat", 25)))
    lines = table.iloc[table[table.columns[0]].tolist().index("Beat classification"), 1]
    assert "≈" in lines.gap and 'aria-label="the 95 % interval includes 0"' in lines.gap
    assert list(table.columns)[1:] == [("Share of the data set", words) for words in ("25 %", "50 %", "75 %")]


@pytest.mark.parametrize("n", [1, 2])
def test_fewer_than_three_runs_have_no_interval(n):
    for method in ("random", "beat"):
        store_values(shared.TABLE2, method, 25, [0.7, 0.8][:n])
    frame = shared.comparisons(shared.TABLE2, "reduced")
    place = "Beat classification", "Share of the data set", "25 %"
    gained = cell(shared.gains(frame, "Share of the data set"), *place)
    assert (gained.here, gained.gap) == ("+.000", "")
    shown = cell(shared.compared(frame, "Share of the data set"), *place)
    assert (shown.here.split(), shown.gap) == ([f1(0.7 + 0.05 * (n - 1)), "n", str(n)], "")


def test_steps_compare_columns_of_one_row():
    small, large = [0.70, 0.71, 0.75], [0.74, 0.75, 0.77]
    store_values(shared.TABLE4, "random", "resnet18", small)
    store_values(shared.TABLE4, "random", "resnet34", large)
    found = shared.steps(shared.comparisons(shared.TABLE4, "reduced"), "resnet34", "Networks")
    shown = cell(found, names.METHODS["random"], "Networks", "ResNet-18 − ResNet-34")
    assert (shown.paper, shown.here) == (paper_gap("table4", ("random", "resnet18"), ("random", "resnet34")),
                                         welch(small, large))
    assert not set(found["Initialisation", ""]) & {names.METHODS[name] for name in BASELINES}
