"""Table 2 of MELEP: the correlations of folds beside the printed ones, and which may stand there."""

import numpy as np
import pytest
from melep_folds import fill, planned, write
from pages import cell, row_of
from scipy import stats

from ecgtl import published
from ecgtl.analysis.names import f1
from ecgtl.experiments import transfers
from ecgtl.report.melep import table2, transfer_folds
from ecgtl.report.melep.transfer_folds import CSN, PTBXL
from ecgtl.report.tables import Lines

MEASURES = ("melep_published", "melep_normalised")


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
