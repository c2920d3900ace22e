"""MELEP's pages on folds: they follow the stored folds and the paper's numbers, and say PENDING where none is."""

import functools

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from pages import cell, run_page
from scipy import stats
from stored_runs import store_fold, store_random

from ecgtl import published
from ecgtl.analysis import agreement, correlations
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import NBSP, f1
from ecgtl.experiments import transfers
from ecgtl.measurements import rr_folds
from ecgtl.report import figures, tables
from ecgtl.report.melep import f1_levels, figure6, number_of_labels, table2, transfer_folds
from ecgtl.report.melep.transfer_folds import CSN, PTBXL, SELECTION
from ecgtl.report.tables import Lines

matplotlib.use("Agg")
PAGES = ("table2", "figure3", "figure4", "figure5", "figure6", "number-of-labels")
MEASURES = ("melep_published", "melep_normalised")
LABELS = ("NORM", "MI", "STTC", "CD", "HYP")
UPSTREAM = {"cinc2017": "substitute", "cpsc2018": "subset", "georgia": "full", "ptbxl": "full"}
OWN = {"cinc2017": 4, "cpsc2018": 9, "georgia": 10, "ptbxl": 5}


def write(run, melep, score, names=LABELS[:3], validated=None, others=0.5, redrawn=0, upstream=None):
    """A stored fold of ``run`` with a MELEP and a weighted F1, and the evidence of its tier."""
    words = {"demo": ("synthetic", "synthetic"), "paper": ("full", None)}
    target, made = words.get(run.config.tier, ("subset", None))
    store_fold(run, melep, score, label_set="+".join(names), target=target,
               upstream=made or upstream or UPSTREAM[run.config.source], redrawn=redrawn,
               validated=score - 0.02 if validated is None else validated, own_labels=OWN[run.config.source],
               melep_normalised=2 * melep, leep=-others, nce=-others / 2)


def fill(experiment, tier, folds=1000, places=None, seed=0, n_names=5):
    """Plausible folds: few labels are easy, and MELEP predicts F1 beyond that."""
    for run in transfers.enumerate_runs(experiment, tier):
        place = (run.config.source, run.config.arch)
        if run.config.fold >= folds or places is not None and place not in places:
            continue
        task = np.random.default_rng([seed, run.config.fold])  # the same for all checkpoints
        own = np.random.default_rng([seed, run.config.fold, *map(ord, "".join(place))])
        n = int(task.integers(2, n_names + 1))
        names = [f"l{k}" for k in sorted(task.choice(n_names, n, replace=False))]
        ease, bias = task.normal(), {"cinc2017": 0.02, "bilstm": -0.05}
        melep = 0.05 + 0.03 * n - 0.01 * ease + own.normal(0, 0.01)
        score = 0.8 - 0.04 * n + 0.02 * ease + sum(bias.get(word, 0) for word in place) + own.normal(0, 0.02)
        write(
            run,
            melep,
            score,
            names,
            validated=score - abs(own.normal(0, 0.03)),
            others=0.3 + melep / 2 + own.normal(0, 0.02),
            redrawn=int(task.integers(0, 2)),
        )


def planned(experiment, tier, source, arch):
    return [
        run
        for run in transfers.enumerate_runs(experiment, tier)
        if (run.config.source, run.config.arch) == (source, arch)
    ]


@pytest.fixture(autouse=True)
def stored(tmp_path, monkeypatch):
    """An empty results folder, no download left behind, few resamples; figures are closed afterwards."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    monkeypatch.setattr(tables, "write_csv", lambda table, file: table.to_csv())
    few = functools.partial(correlations.bootstrap, resamples=60)
    for module in (agreement, correlations):
        monkeypatch.setattr(module, "bootstrap", few)
    figures.use_style()
    yield tmp_path
    plt.close("all")
    matplotlib.rcdefaults()


@pytest.fixture(scope="module", params=["some", "whole"])
def runs(request, tmp_path_factory):
    """A results folder with a part of the folds of tier reduced, and one with folds of the paper's tasks."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_RESULTS", str(folder))
        if request.param == "some":
            fill(PTBXL, "reduced", 9, [("cpsc2018", "resnet1d101"), ("cinc2017", "resnet1d101")])
            fill(PTBXL, "reduced", 6, [("cpsc2018", "bilstm")])
        else:
            for experiment, folds in ((CSN, 12), (PTBXL, 12), (SELECTION, 1)):
                fill(experiment, "paper", folds, n_names=10)
    return folder


def row_of(table, **where):
    """The one row of a readable table that has these words, with ordinary spaces."""
    table = table.map(lambda text: text.replace(NBSP, " ") if isinstance(text, str) else text)
    for column, words in where.items():
        table = table[table[column.replace("_", " ")] == words]
    assert len(table) == 1
    return table.iloc[0]


# --- which folds are shown ------------------------------------------------------------------------------------


def test_the_best_tier_with_folds_is_shown_and_else_the_one_to_wait_for():
    assert transfer_folds.load(PTBXL).tier == "reduced" and transfer_folds.load(CSN).tier == "paper"
    assert transfer_folds.load(CSN, "demo").planned == [] and transfer_folds.load(CSN, "demo").by_checkpoint
    for tier in ("demo", "reduced", "paper"):
        write(planned(PTBXL, tier, "cpsc2018", "bilstm")[0], 0.1, 0.5)
        assert transfer_folds.load(PTBXL).tier == tier
    assert transfer_folds.load(PTBXL, "reduced").tier == "reduced"
    assert not len(transfer_folds.load(PTBXL, arch="resnet1d101").rows)


def test_what_is_pending_names_the_reason_and_the_command(monkeypatch):
    monkeypatch.setattr(
        transfers.Transfer, "obstacle", lambda run: "no file" if run.config.source == "georgia" else ""
    )
    for run in planned(PTBXL, "reduced", "cpsc2018", "bilstm"):
        write(run, 0.1, 0.5)
    found = transfer_folds.pending([transfer_folds.load(PTBXL)]).map(str)
    here = row_of(found, Command="<code>python -m ecgtl run melep2023-ptbxl --tier reduced</code>")
    assert (here["Why"], here["Folds missing"]) == ("not run yet", "100")
    assert here["Checkpoints"] == "ResNet1d101, CPSC 2018; ResNet1d101, CinC 2017; Bi-LSTM, CinC 2017"
    paper = row_of(found, Command="<code>python -m ecgtl run melep2023-ptbxl --tier paper</code>")
    assert (paper["Why"], paper["Folds missing"]) == ("no file (and likewise 1 more)", "200")
    assert paper["Checkpoints"] == "ResNet1d101, Georgia; Bi-LSTM, Georgia"


def test_a_state_counts_and_carries_badges():
    assert ">pending<" in transfer_folds.state(transfer_folds.load(PTBXL)).data
    fill(PTBXL, "reduced", 2, [("cpsc2018", "bilstm"), ("cinc2017", "bilstm")])
    said = transfer_folds.state(transfer_folds.load(PTBXL)).data
    assert (
        "4 of 120 folds; the rest by <code>python -m ecgtl run melep2023-ptbxl --tier reduced</code>" in said
    )
    assert "tier: reduced" in said and "upstream: subset/substitute" in said and "target: subset" in said


def test_how_it_was_made_names_the_checkpoints():
    assert "PENDING: python -m ecgtl run" in transfer_folds.made(transfer_folds.load(PTBXL))["Value"].iloc[0]
    fill(PTBXL, "reduced", 2, [("cpsc2018", "bilstm")])
    facts = transfer_folds.made(transfer_folds.load(PTBXL)).set_index("What")["Value"]
    assert (facts["Runs"], facts["Seeds"]) == ("2", "the number of the fold")
    assert facts["Checkpoints"].startswith("x.safetensors, 9 labels, ")


# --- Table 2 --------------------------------------------------------------------------------------------------


def two_blocks():
    return table2.pairs([transfer_folds.load(CSN), transfer_folds.load(PTBXL)])


def test_the_ten_printed_rows_stand_even_without_folds():
    own, others = two_blocks()
    printed = published.lookup("melep2023.table2.rows").values()
    assert [(p.arch, p.source, p.folds.target, p.paper) for p in own] == [
        (row["model"], row["source"], row["target"], row["correlation"])
        for row in sorted(printed, key=lambda row: row["target"])
    ]
    assert {(p.source, p.paper) for p in others} == {("cinc2017", None)}
    table = table2.correlation_table(own)
    assert len(table) == 10 and [name for _, name in table][1:] == [transfer_folds.WEIGHTS[name] for name in MEASURES]
    for pair, row in zip(own, table.itertuples(index=False, name=None), strict=True):
        assert row == (pair.named_in_short, *[Lines(f1(pair.paper), "PENDING")] * 2)
    assert "PENDING" in table2.signs(own).data


def test_a_correlation_is_that_of_its_folds_by_weighting_and_choice():
    fill(PTBXL, "reduced", 12, [("cpsc2018", "bilstm")])
    own, _ = two_blocks()
    pair = next(p for p in own if p.named["Checkpoint"] == "Bi-LSTM, CPSC 2018" and p.folds.target == "ptbxl")
    rows = transfers.table(PTBXL, "reduced")
    for choice in ("best_test", "validated"):
        expected = stats.pearsonr(rows["melep_published"], rows[f"weighted_f1_{choice}"]).statistic
        assert pair.ours["melep_published", f"weighted_f1_{choice}"].value == pytest.approx(expected)
    name = "Bi-LSTM, CPSC 2018 → PTB-XL"
    for measure in MEASURES:
        value = stats.pearsonr(rows[measure], rows["weighted_f1_best_test"]).statistic
        ours = pair.ours[measure, "weighted_f1_best_test"]
        shown = cell(table2.correlation_table(own), name, "Weights of MELEP", transfer_folds.WEIGHTS[measure])
        assert (shown.paper, shown.here) == ("−.551", f"{f1(value)} [{f1(ours.low)}, {f1(ours.high)}] n 12")
        assert shown.gap.startswith(f"{f1(value + 0.551, True)} [")
        chosen = f1(stats.pearsonr(rows[measure], rows["weighted_f1_validated"]).statistic)
        validated = table2.validated_table(own).set_index("Model, source → target").loc[
            name, transfer_folds.WEIGHTS[measure]]
        assert validated.startswith(f"{chosen} [")
    behind = row_of(table2.fold_table(own), Checkpoint="Bi-LSTM, CPSC 2018", Target="PTB-XL")
    assert behind["Folds"] == "12 of 20" and behind["Label sets"] == rows["label_set"].nunique()
    assert behind["Draws made again"] == rows["redrawn"].sum() and "target: subset" in behind["Data"]


@pytest.mark.parametrize(
    ("tier", "source", "upstream", "compared"),
    [
        ("reduced", "cpsc2018", None, True),
        ("reduced", "cpsc2018", "substitute", False),
        ("reduced", "cinc2017", None, False),
        ("demo", "cpsc2018", None, False),
    ],
)
def test_substitutes_and_twins_are_never_held_against_a_printed_row(tier, source, upstream, compared):
    for run in planned(PTBXL, tier, source, "resnet1d101"):
        write(run, 0.1 + 0.01 * run.config.fold, 0.9 - 0.02 * run.config.fold, upstream=upstream)
    own, others = two_blocks()
    printed = [p for p in own if len(p.rows)]
    assert (len(printed) == 1) == compared
    beside = [p for p in others if len(p.rows)]
    assert (len(beside) == 0) == compared and all(p.paper is None for p in beside)
    said = table2.signs(own).data
    assert ("1 of 1 rows have the printed sign" in said) == compared
    for pair in beside:
        column = "Weights of MELEP", transfer_folds.WEIGHTS[MEASURES[0]]
        shown = cell(table2.correlation_table(others), pair.named_in_short, *column)
        assert shown.here.startswith("−1.000") and (shown.paper, shown.gap) == ("", "")
    for pair in own:
        shown = pair.lines(MEASURES[0])
        assert (shown.here != "PENDING") == (pair in printed) and not shown.gap  # one label set: no interval
    if not compared:
        assert beside[0].ours["melep_published", "weighted_f1_best_test"].value == pytest.approx(-1)
    if tier == "demo":
        behind = row_of(table2.fold_table(own), Checkpoint="ResNet1d101, CPSC 2018", Target="PTB-XL")
        assert behind["Folds"] == "none on the paper's data"


def test_the_sign_is_counted_from_the_folds():
    for arch, slope in (("resnet1d101", -1), ("bilstm", 1)):
        for run in planned(PTBXL, "reduced", "cpsc2018", arch)[:10]:
            write(
                run,
                0.1 + 0.01 * run.config.fold,
                0.5 + slope * 0.01 * run.config.fold,
                [f"l{run.config.fold}", "l10"],
                validated=0.5 - 0.01 * run.config.fold,
            )
    said = table2.signs(two_blocks()[0]).data
    assert "weights of the text, best on test: 1 of 2 rows have the printed sign" in said
    assert (
        "weights of the text, best on validation: 2 of 2 rows have the printed sign; the interval excludes 0 in 2"
        in said
    )


def test_networks_are_compared_on_the_folds_of_both():
    fill(PTBXL, "reduced", 12, [("cpsc2018", "resnet1d101")])
    fill(PTBXL, "reduced", 8, [("cpsc2018", "bilstm")])
    found = row_of(table2.network_table(two_blocks()[0]), Source="CPSC 2018", Target="PTB-XL")
    rows = transfers.table(PTBXL, "reduced")
    lstm, residual = (rows[(rows["arch"] == arch) & (rows["fold"] < 8)] for arch in ("bilstm", "resnet1d101"))
    gap = np.subtract(
        *(np.corrcoef(own["melep_published"], own["weighted_f1_best_test"])[0, 1] for own in (lstm, residual))
    )
    assert found["Ours, best on test"].startswith(f1(gap, True)) and found["Folds of both"] == 8
    assert found["Paper"] == "−.075"


def test_the_figure_draws_the_printed_and_ours():
    for run in planned(PTBXL, "reduced", "cpsc2018", "resnet1d101"):
        write(run, 0.1 + 0.01 * run.config.fold, 0.9 - 0.02 * run.config.fold, [f"l{run.config.fold}"])
    upper, lower = table2.correlation_figure(*two_blocks()).axes
    drawn = [np.round(line.get_xydata(), 3).tolist() for line in upper.get_lines()]
    assert [[-0.476, 5.68]] in drawn and [[-1.0, 5.86]] in drawn
    assert [text.get_text() for text in upper.texts] == ["PENDING"] * 9 and len(lower.texts) == 2


# --- Figures 3 to 5 -------------------------------------------------------------------------------------------


def steps(experiment, tier, source, arch, by_level, per_level=5):
    """Folds in four groups of MELEP, each with the F1 of its level."""
    for run in planned(experiment, tier, source, arch)[: 4 * per_level]:
        level = run.config.fold // per_level
        write(
            run, 0.1 * (level + 1) + 0.001 * run.config.fold, by_level[level], [f"l{run.config.fold}", "l99"]
        )


def test_levels_are_means_from_near_to_far_and_disrupted_where_f1_rises():
    steps(PTBXL, "reduced", "cpsc2018", "bilstm", (0.8, 0.6, 0.7, 0.5))
    folds, rows = f1_levels.levels("figure5")
    own = agreement.of(rows[rows["how"] == "quartiles"], "cpsc2018", "bilstm")
    assert own["mean"].tolist() == pytest.approx([0.8, 0.6, 0.7, 0.5]) and own["n"].tolist() == [5] * 4
    assert f1_levels.disrupted(own) == {3: pytest.approx(0.1)}
    said = row_of(f1_levels.disruption_table(folds), Checkpoint="Bi-LSTM, CPSC 2018")
    assert (said["Paper"], said["Quartiles"]) == ("level 3", "level 3 (+.100)")
    shown = row_of(f1_levels.level_table(rows, "quartiles"), Level=3)
    assert shown["Mean F1 [95 % interval]"] == ".700 [.700, .700]"
    waiting = row_of(f1_levels.disruption_table(folds), Checkpoint="ResNet1d101, CPSC 2018")
    assert (waiting["Paper"], waiting["Quartiles"]) == ("level 2", "PENDING")


def test_an_empty_level_disrupts_nothing():
    levels = pd.DataFrame({"level": [1, 2, 3, 4], "n": [3, 0, 2, 1], "mean": [0.7, None, 0.6, 0.65]})
    assert f1_levels.disrupted(levels) == {4: pytest.approx(0.05)}


def test_a_substitute_has_no_printed_level():
    folds = transfer_folds.load(PTBXL)
    assert f1_levels.printed_disruption(folds, "cinc2017", "bilstm") is None
    assert f1_levels.printed_disruption(folds, "georgia", "bilstm") == 3
    assert f1_levels.printed_disruption(transfer_folds.load(CSN), "georgia", "bilstm") is None
    fill(PTBXL, "demo", 6)
    made = f1_levels.disruption_table(transfer_folds.load(PTBXL, "demo"))
    assert (made["Paper"] == "–").all()


@pytest.mark.parametrize(
    ("name", "tier"), [("figure3", "paper"), ("figure4", "paper"), ("figure5", "demo"), ("figure5", "reduced")]
)
def test_level_figures_draw_whatever_is_there(name, tier):
    empty, rows = f1_levels.levels(name, tier)
    assert f1_levels.level_figure(empty, rows) is None and len(empty.waiting) == len(empty.by_checkpoint)
    source, network = next(iter(empty.by_checkpoint))
    steps(empty.experiment, tier, source, network, (0.8, 0.6, 0.7, 0.5), per_level=1 if tier == "demo" else 5)
    folds, rows = f1_levels.levels(name, tier)
    figure = f1_levels.level_figure(folds, rows)
    first = figure.axes[0]
    assert np.round(first.get_lines()[0].get_ydata(), 3).tolist() == [0.8, 0.6, 0.7, 0.5]
    assert {line.get_color() for line in first.get_lines() if line.get_marker() == "s"} == {
        transfer_folds.VERMILION
    }
    assert first.get_xticklabels()[0].get_text().endswith(f"({1 if tier == 'demo' else 5})")
    assert len(figure.axes) == len(f1_levels.CUTS) and len(folds.waiting) == len(folds.by_checkpoint) - 1
    assert "from .800 (near) to .500 (far), levels that lie above the one before: 3 (+.100)" in f1_levels.levels_said(
        rows)


# --- Figure 6 -------------------------------------------------------------------------------------------------


PLACES = [("cpsc2018", "resnet1d101"), ("cinc2017", "resnet1d101"), ("cpsc2018", "bilstm")]


def choose(table, tier="reduced"):
    """Folds from rows of (MELEP, F1) a candidate of ``PLACES``, None where a fold is missing."""
    for fold, candidates in enumerate(table):
        for place, found in zip(PLACES, candidates, strict=True):
            if found is not None:
                write(planned(PTBXL, tier, *place)[fold], *found, [f"l{fold}", "l9"], others=found[0])


def test_ways_of_choosing_are_compared_on_the_folds_that_all_candidates_share():
    choose(
        [
            [(0.1, 0.9), (0.2, 0.7), (0.3, 0.8)],
            [(0.3, 0.5), (0.1, 0.4), (0.2, 0.6)],
            [(0.1, 0.2), (0.2, 0.3), None],
        ]
    )
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
    assert figure6.regret_table(figure6.regrets(folds.rows))["Choice by"].tolist() == [
        "PENDING"
    ]
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
    assert (
        "MELEP, weights of the text picks one of 4 labels in 1 of 2 folds; one of them is the best in 0."
        in said
    )


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
    assert [[0.1, 0.9]] in [line.get_xydata().tolist() for line in axes.get_lines()] and len(
        axes.get_lines()
    ) == 7


# --- MELEP, or the number of labels? ----------------------------------------------------------------------------


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
    assert (
        "MELEP, weights of the text: the number of labels alone correlates more strongly for 1 of 1" in said
    )
    assert "LEEP: the number of labels alone" in said and "for 1 of 1 checkpoints; given" in said
    leep, melep_line = (
        next(line for line in said.split("<li>") if line.startswith(words)) for words in ("LEEP", "MELEP, w")
    )
    assert leep.endswith("easy transfer for 1 of 1.</li>") and melep_line.endswith(
        "easy transfer for 0 of 1.</li>"
    )
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
    assert (
        len({colour for colour, _ in styles.values()}) == len({marker for _, marker in styles.values()}) == 9
    )
    assert sum(len(line.get_xdata()) for line in figure.axes[0].get_lines()) == 40


# --- networks beside baselines ------------------------------------------------------------------------------


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


# --- the pages --------------------------------------------------------------------------------------------------


page = functools.partial(run_page, "melep")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("tier", ["best", "demo"])
@pytest.mark.parametrize("name", PAGES)
def test_pages_work_without_any_fold(name, tier):
    said = page(name, tier)
    assert said.count("ecgtl-in-short") == 1
    assert "<table" in said and ">pending<" in said and "PENDING" in said and "python -m ecgtl run" in said


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PAGES)
def test_pages_work_with_folds(name, runs, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(runs))
    said = page(name)
    whole = runs.name.startswith("whole")
    assert (f"tier: {'paper' if whole else 'reduced'}" in said) == (
        whole or name not in ("figure3", "figure4")
    )
    if not whole and name not in ("figure3", "figure4"):
        assert "of 120 folds; the rest by" in said
