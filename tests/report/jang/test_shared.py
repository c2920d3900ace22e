"""The trials of Jang 2021, printed and ours: what has been run, trial by trial, and differences between arms."""

import re

import pytest
from pages import plain, row_of
from scipy import stats
from stored_runs import planned, run_of, store_trials, write_trial

from ecgtl import published
from ecgtl.analysis import cells, names
from ecgtl.analysis.names import f1
from ecgtl.report import tables
from ecgtl.report.jang import figure3, figure5, shared, table2, table3

pytestmark = pytest.mark.usefixtures("own_results")


def trials():
    return shared.trials(shared.PTBXL, "reduced")


def curves():
    return shared.curves(shared.PTBXL, "reduced")


def test_without_runs_everything_says_pending():
    frame, lines = trials(), curves()
    assert cells.shown_tier(shared.PTBXL, pending=True) == "reduced"
    assert cells.shown_tier(shared.PTBXL, "paper", pending=True) == "paper"
    said = shared.state(shared.PTBXL, "reduced").data
    assert "pending" in said and "0 of 80 runs" in said and f"python -m ecgtl run {shared.PTBXL} --tier reduced" in said
    for table in (table2.both_scores(shared.PTBXL, "reduced"), table2.choices(frame, shared.PTBXL),
                  shared.differences(frame, shared.PTBXL), table2.steps_table(frame, "reduced"),
                  figure3.index_anatomy(lines, shared.PTBXL), figure5.stability(lines, shared.PTBXL)):
        assert table.apply(lambda row: (row == names.PENDING).any(), axis=1).all()
    assert (shared.our_trials(frame, shared.PTBXL, "reduced").iloc[-1, 1:] == names.PENDING).all()
    assert [table2.step_curves(lines), figure5.learning_curves(lines, shared.PTBXL),
            table2.sensitivity_curves([])] == [None] * 3
    assert table3.waiting(table3.index_rows({shared.PTBXL: frame})) == ["Here, PTB-XL, lead II", "Here, CinC 2017"]


def test_state_counts_the_runs_and_drops_the_command_when_all_are_there():
    for run in planned(shared.CINC2017):
        write_trial(run)
    said = shared.state(shared.CINC2017, "reduced").data
    assert "45 of 45 runs." in said and "python -m" not in said and "substitute" in said


def test_sizes_are_given_in_recordings_too():
    store_trials("random", 25, [0.5, 0.6, 0.7])
    said = shared.state(shared.PTBXL, "reduced").data
    shown = plain(table2.compared(table2.comparison(shared.PTBXL, "reduced")))
    assert "25\N{NO-BREAK SPACE}% are 300" in said and "8,517, 4,258, 2,129" in said
    assert [shared.paper_recordings(size) for size in (100, 50)] == pytest.approx([0.8 * 10646, 0.4 * 10646])
    assert list(shown)[1:] == [f"Share of the training set {size}" for size in ("100 %", "50 %", "25 % (300 here)")]


def test_trials_count_from_one_and_know_their_steps():
    store_trials("random", 25, [0.5, 0.6])
    frame = trials()
    assert frame["trial"].tolist() == [1, 2]
    assert frame["steps"].tolist() == [12, 12]  # four epochs of three batches
    assert frame[shared.BEST].tolist() == [0.5, 0.6] and frame["last.weighted_f1"].tolist() == [0.4, 0.4]
    assert curves()["step"].tolist() == [3, 6, 9, 12] * 2


def test_a_trivial_classifier_scores_the_same_under_every_choice_and_has_no_index():
    write_trial(run_of(shared.PTBXL, "majority", 25, 0), validated=0.3)
    frame = trials()
    assert frame[[f"{choice}.weighted_f1" for choice in shared.CHOICES]].to_numpy().tolist() == [[0.3] * 3]
    assert frame[shared.INDEX].isna().all() and curves().empty


def test_the_papers_trials_are_the_printed_ones():
    table = plain(shared.paper_trials("table2"))
    assert len(table) == published.lookup("jang2021.table2.runs") + 2
    assert table.loc[6, "25 % autoencoder"] == ".815"
    assert table["25 % random"].iloc[-2] == ".543 ± .009"
    assert plain(shared.paper_trials("table3"))["100 % random"].iloc[-1] == "= 0.45"


def test_our_trials_stand_in_their_rows_with_gaps_between():
    store_trials("cae", 50, [0.6, None, 0.7, 0.8])
    column = plain(shared.our_trials(trials(), shared.PTBXL, "reduced"))["50 % autoencoder"].tolist()
    assert column == [".600", "–", ".700", ".800", "–", ".700 ± .100"]


def test_trials_stand_in_groups_of_a_size():
    for table in (shared.paper_trials("table2"), shared.our_trials(trials(), shared.PTBXL, "reduced")):
        text = tables.html_text(table, "trials")
        assert re.findall('<th scope="colgroup" colspan="(.)">(.*?)</th>', text) == [
            ("3", f"{size}\N{NO-BREAK SPACE}%") for size in (100, 50, 25)]
        assert re.findall('<th scope="col">(.*?)</th>', text) == ["random", "image", "autoencoder"] * 3


def test_differences_between_arms_follow_scipy():
    ours, theirs = [0.70, 0.74, 0.79, 0.72], [0.66, 0.71, 0.78, 0.68]
    store_trials("cae", 50, ours)
    store_trials("random", 50, theirs)
    row = row_of(shared.differences(trials(), shared.PTBXL), Difference="50 %, autoencoder − random")
    welch, paired = stats.ttest_ind(ours, theirs, equal_var=False), stats.ttest_rel(ours, theirs)
    assert row["Here Welch"].endswith(f"p = {f1(welch.pvalue)}") and row["Here Welch"].startswith("+.030 [−")
    assert row["Here paired"].endswith(f"p = {f1(paired.pvalue)}") and row["Here paired"].startswith("+.030 [+")


def test_only_trials_of_both_arms_are_paired():
    store_trials("cae", 50, [0.70, 0.74, 0.79, 0.90])
    store_trials("random", 50, [0.60, 0.65, 0.68])
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
