"""Figures 3 to 5 of MELEP: mean F1 by level of the score."""

import numpy as np
import pandas as pd
import pytest
from melep_folds import fill, planned, write
from pages import row_of

from ecgtl.analysis import agreement
from ecgtl.report.melep import f1_levels, transfer_folds
from ecgtl.report.melep.transfer_folds import CSN, PTBXL


def steps(experiment, tier, source, arch, by_level, per_level=5):
    """Folds in four groups of MELEP, each with the F1 of its level."""
    for run in planned(experiment, tier, source, arch)[: 4 * per_level]:
        level = run.config.fold // per_level
        write(run, 0.1 * (level + 1) + 0.001 * run.config.fold, by_level[level], [f"l{run.config.fold}", "l99"])


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
    assert {line.get_color() for line in first.get_lines() if line.get_marker() == "s"} == {transfer_folds.VERMILION}
    assert first.get_xticklabels()[0].get_text().endswith(f"({1 if tier == 'demo' else 5})")
    assert len(figure.axes) == len(f1_levels.CUTS) and len(folds.waiting) == len(folds.by_checkpoint) - 1
    assert "from .800 (near) to .500 (far), levels that lie above the one before: 3 (+.100)" in f1_levels.levels_said(
        rows)
