"""Figure 6 of MELEP: which checkpoint the score picks, what a wrong choice costs, and where random networks stand."""

import pytest
from melep_folds import fill, planned, write
from pages import row_of
from stored_runs import store_random

from ecgtl.analysis import agreement
from ecgtl.experiments import transfers
from ecgtl.report.melep import figure6, transfer_folds
from ecgtl.report.melep.transfer_folds import PTBXL, SELECTION

PLACES = [("cpsc2018", "resnet1d101"), ("cinc2017", "resnet1d101"), ("cpsc2018", "bilstm")]


def choose(table, tier="reduced"):
    """Folds from rows of (MELEP, F1) a candidate of ``PLACES``, None where a fold is missing."""
    for fold, candidates in enumerate(table):
        for place, found in zip(PLACES, candidates, strict=True):
            if found is not None:
                write(planned(PTBXL, tier, *place)[fold], *found, [f"l{fold}", "l9"], others=found[0])


def test_ways_of_choosing_are_compared_on_the_folds_that_all_candidates_share():
    choose([[(0.1, 0.9), (0.2, 0.7), (0.3, 0.8)], [(0.3, 0.5), (0.1, 0.4), (0.2, 0.6)], [(0.1, 0.2), (0.2, 0.3), None]])
    rows = transfer_folds.load(PTBXL).rows
    assert len(rows) == 8 and sorted(figure6.shared(rows)["fold"].unique()) == [0, 1]
    lost = figure6.regrets(rows)
    by_way = {way: own["regret"].tolist() for way, own in lost.groupby("way", sort=False)}
    assert by_way["melep_published"] == pytest.approx([0.0, 0.2]) == by_way["leep"]
    assert by_way["blind"] == pytest.approx([0.1, 0.1])
    assert by_way["ResNet1d101, CPSC 2018"] == pytest.approx([0.0, 0.1])
    assert by_way["ResNet1d101, CinC 2017"] == pytest.approx([0.2, 0.2])
    assert by_way["Bi-LSTM, CPSC 2018"] == pytest.approx([0.1, 0.0])
    table = figure6.regret_table(lost)
    assert row_of(table, Choice_by="MELEP, weights of the text")[
        ["Mean F1 lost [95 % interval]", "Picks the best", "Largest loss", "Folds"]
    ].tolist() == [".100", "1 of 2", ".200", 2]
    assert row_of(table, Choice_by="Blind: mean over the candidates")["Picks the best"] == "–"


def test_the_mean_regret_is_that_of_the_agreement_module():
    fill(PTBXL, "reduced", 15)
    rows = figure6.shared(transfer_folds.load(PTBXL).rows)
    means = figure6.mean_regrets(figure6.regrets(rows))
    for measure in agreement.CHOOSING:
        assert means[measure] == agreement.mean_regret(rows, measure)


def test_one_checkpoint_leaves_nothing_to_choose():
    fill(PTBXL, "reduced", 3, PLACES[:1])
    folds = transfer_folds.load(PTBXL)
    assert figure6.regrets(folds.rows).empty
    assert figure6.regret_table(figure6.regrets(folds.rows))["Choice by"].tolist() == ["PENDING"]
    assert figure6.pick_table(folds)["Checkpoint"].tolist() == ["PENDING"]
    assert "PENDING" in figure6.number_of_own_labels(folds).data


def test_picks_are_counted_and_set_beside_the_number_of_own_labels():
    choose([[(0.1, 0.9), (0.2, 0.7), (0.3, 0.8)], [(0.3, 0.5), (0.1, 0.4), (0.2, 0.6)]])
    folds = transfer_folds.load(PTBXL)
    table = figure6.pick_table(folds)
    first = row_of(table, Checkpoint="ResNet1d101, CPSC 2018")
    assert (first["Labels of its own"], first["Best in"], first["Picked by MELEP, weights of the text"]) == (
        9,
        "1 of 2",
        1,
    )
    second = row_of(table, Checkpoint="ResNet1d101, CinC 2017")
    assert (second["Labels of its own"], second["Best in"], second["Picked by LEEP"]) == (4, "0 of 2", 1)
    said = figure6.number_of_own_labels(folds).data
    assert "from 4 to 9" in said
    assert ("MELEP, weights of the text picks one of 4 labels in 1 of 2 folds; one of them is the best in 0." in said)


def test_each_network_chooses_among_its_sources():
    choose([[(0.1, 0.9), (0.2, 0.7), (0.3, 0.8)], [(0.3, 0.5), (0.1, 0.4), (0.2, 0.6)]])
    table = figure6.within_networks(transfer_folds.load(PTBXL))
    assert row_of(table, Network="ResNet1d101", Choice_by="LEEP")["Mean F1 lost [95 % interval]"] == ".050"
    assert row_of(table, Network="Bi-LSTM")["Choice by"] == "PENDING"


def test_the_papers_task_is_told_beside_ours():
    empty = figure6.selected_table(transfer_folds.load(SELECTION)).set_index("What")
    assert empty.loc["Lowest MELEP", "Paper"] == empty.loc["Highest F1", "Paper"] == "ResNet1d101, CPSC 2018"
    assert (empty["Ours"] == "PENDING").all()
    values = {("cpsc2018", "resnet1d101"): (0.1, 0.9), ("georgia", "resnet1d101"): (0.5, 0.8)}
    for run in transfers.enumerate_runs(SELECTION, "paper"):
        melep, score = values.get(
            (run.config.source, run.config.arch), (0.2 + 0.001 * len(run.key), 0.7 - 0.001 * len(run.key))
        )
        write(run, melep, score)
    folds = transfer_folds.load(SELECTION)
    found = figure6.selected_table(folds).set_index("What")["Ours"]
    assert found["Lowest MELEP"] == found["Highest F1"] == "ResNet1d101, CPSC 2018"
    assert found["Breaks the order"] == "ResNet1d101, Georgia: better than 4 of lower MELEP"
    (axes,) = figure6.selection_figure(folds).axes
    assert [[0.1, 0.9]] in [line.get_xydata().tolist() for line in axes.get_lines()] and len(axes.get_lines()) == 7


def test_random_networks_stand_beside_the_highest_of_the_trained_ones():
    assert figure6.random_table(transfer_folds.load(PTBXL)).to_dict("list") == {"Random networks": ["PENDING"]}
    assert "PENDING" in figure6.random_made(transfer_folds.load(PTBXL)).data
    fill(PTBXL, "reduced", folds=15)
    rows = transfer_folds.load(PTBXL).rows
    highest = rows[rows["arch"] == "bilstm"].groupby("fold")["melep_published"].max()
    found = {fold: {("cpsc2018", "bilstm"): [value + 0.02] * 4 + [value - 0.01]} for fold, value in highest.items()}
    store_random(PTBXL, found | {30: {("cpsc2018", "bilstm"): [1.0] * 5}})
    folds = transfer_folds.load(PTBXL)
    shown = figure6.random_table(folds)
    assert shown["Random networks with the labels of"].tolist() == ["Bi-LSTM, CPSC 2018"] * 2
    first = shown.iloc[0]
    assert first["Random − highest [95 %]"] == "+0.0140 [+0.0140, +0.0140]" and first["Folds"] == 15
    assert (first["Ranked last"], first["Highest trained, mean"]) == ("80 %", f"{highest.mean():.4f}")
    assert first["Random, mean"] == f"{highest.mean() + 0.014:.4f}"
    assert "random networks" in figure6.random_made(folds).data
