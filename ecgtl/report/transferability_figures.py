"""Figures of MELEP's experiments: correlations, F1 in levels of distance, the choice of a checkpoint, and
rivals.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtl import agreement, correlations
from ecgtl.agreement import EVERY_LABEL, MEASURES, SCORES
from ecgtl.correlations import Interval
from ecgtl.report import figures
from ecgtl.report.checkpoint_choice import mean_regrets, shared, way_words
from ecgtl.report.figures import PAPER_COLOUR
from ecgtl.report.transfer import RIVALS
from ecgtl.report.transfer_folds import Folds, checkpoint_name
from ecgtl.report.transferability import CHOICES, CUTS, MELEP, Pair, disrupted
from ecgtl.report.words import PENDING, f1

WIDTH = 4.8  # inches: words can still be read on a narrow screen
# Okabe and Ito's palette, a marker with each colour
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"),
          ("#000000", "P"), ("#E69F00", "X"), ("#999999", "<"), ("#F0E442", ">"))
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#555555"
F1 = "weighted F1, test part"
SHIFTS = (-0.14, 0.0, 0.14, 0.28)  # of our correlations from their row, by weighting and choice of the epoch
WEIGHTS = {measure: RIVALS[measure][0].removeprefix("MELEP, ") for measure in MELEP}


# Marks


def _interval(axes: Axes, found: Interval, y: float, colour: str, marker: str, label: str, filled: bool = True) -> None:
    """A value, where there is one, on a horizontal line with its limits, where it has any."""
    if found.value is not None:
        axes.errorbar([found.value], [y], xerr=found.reach, color=colour, marker=marker, markersize=4, linewidth=1.1,
                      capsize=2, linestyle="none", markerfacecolor=colour if filled else "white", label=label)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """The names of what lies on the lines of a panel, the first on top."""
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(max(len(names), 1) - 0.4, -0.6))
    axes.tick_params(axis="y", labelsize=8)


def _pending_unless(axes: Axes, n: int, least: int = 1) -> None:
    """Say in a panel with fewer than ``least`` folds that it waits for more."""
    if n < least:
        axes.text(0.5, 0.5, f"{PENDING}: {f'{n} of {least} folds' if n else 'no fold yet'}",
                  transform=axes.transAxes, ha="center", color=GREY, fontsize=8)


def _points(axes: Axes, rows: pd.DataFrame, measure: str) -> None:
    """F1 against a measure, a colour and a marker for each checkpoint."""
    for (colour, marker), (place, own) in zip(STYLES, agreement.by_checkpoint(rows).items(), strict=False):
        axes.plot(own[measure], own[SCORES[0]], marker, color=colour, markersize=5, alpha=0.8,
                  label=checkpoint_name(*place))
    _pending_unless(axes, len(rows))


def _panels(draw: Callable[[Axes, pd.DataFrame], None], rows: dict[tuple[str, str], pd.DataFrame], height: float,
            x: str, y: str = "", columns: int = 2) -> Figure:
    """A panel a checkpoint for ``draw``, two in a row with one vertical axis, each with its title."""
    n_rows = -(-len(rows) // 2)
    figure, grid = plt.subplots(n_rows, 2, figsize=(WIDTH, 0.8 + height * n_rows), sharey=True, squeeze=False)
    for axes, (place, own) in zip(grid.flat, rows.items(), strict=False):
        axes.set_title(checkpoint_name(*place).replace(", ", ",\n"), fontsize=9)
        draw(axes, own)
    for axes in grid.flat[len(rows):]:
        axes.set_axis_off()
    return figures.labelled(figure, grid, x, y, columns)


# Table 2


def correlation_figure(own: Sequence[Pair], others: Sequence[Pair]) -> Figure:
    """Correlation of MELEP with F1: printed with Fisher's interval, ours with both weightings and choices of
    the epoch; rows on substitutes below.
    """
    groups = {title: group for title, group in (("As in the paper", own), ("Other or made data", others)) if group}
    figure, grid = plt.subplots(len(groups), 1, figsize=(WIDTH, 1.6 + 0.52 * (len(own) + len(others))), sharex=True,
                                squeeze=False, height_ratios=[len(group) + 0.5 for group in groups.values()])
    for axes, (title, group) in zip(grid[:, 0], groups.items(), strict=True):
        for y, pair in enumerate(group):
            _correlations(axes, y, pair)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set(title=title, xlim=(-1.05, 1.05), xticks=(-1, -0.5, 0, 0.5, 1))
        _name_rows(axes, ["\n→ ".join(pair.named.values()) for pair in group])
    grid[-1, 0].set_xlabel("correlation with F1 (negative is as hoped)")
    figures.legend_below(figure, grid[:, 0], 1)
    return figure


def _correlations(axes: Axes, y: float, pair: Pair) -> None:
    if pair.fisher:
        _interval(axes, pair.fisher, y - 0.32, PAPER_COLOUR, "D", "paper (Fisher's 95 % interval)")
    for shift, ((measure, score), found) in zip(SHIFTS, pair.ours.items(), strict=True):
        style = (BLUE, "o") if measure == MELEP[0] else (VERMILION, "s")
        _interval(axes, found, y + shift, *style, f"ours: {WEIGHTS[measure]}, {CHOICES[score]}", score == SCORES[0])
    if not len(pair.rows):
        axes.annotate(PENDING, (0.99, y + 0.1), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=7,
                      color=GREY)


# Figures 3 to 5


def level_figure(folds: Folds, rows: pd.DataFrame) -> Figure:
    """Mean F1 in four levels of MELEP, a row of panels a checkpoint: cut at quartiles, and in equal widths.

    ``rows`` are those of ``transferability.levels``. Under each level stand its limits and the number of its
    folds.
    """
    heights = [2.15 if len(own) else 0.75 for own in folds.by_checkpoint.values()]
    figure, grid = plt.subplots(len(heights), len(CUTS), figsize=(WIDTH, 0.8 + sum(heights)), sharey="row",
                                height_ratios=heights, squeeze=False)
    for panels, (place, own) in zip(grid, folds.by_checkpoint.items(), strict=True):
        for axes, (how, words) in zip(panels, CUTS.items(), strict=True):
            axes.set_title(f"{words}, n = {len(own)}", fontsize=9)
            _levels(axes, agreement.of(rows[rows["how"] == how], *place))
        panels[0].set_ylabel(f"{checkpoint_name(*place).replace(', ', chr(10))}\nmean F1", fontsize=8)
    for axes in grid[-1]:
        axes.set_xlabel("level of MELEP, near to far", fontsize=8)
    figures.legend_below(figure, grid.flat)
    return figure


def _levels(axes: Axes, levels: pd.DataFrame) -> None:
    """Mean and interval by level; a square in another colour where F1 rises with MELEP. PENDING without
    levels.
    """
    axes.set(xticks=range(1, agreement.LEVELS + 1), xlim=(0.5, agreement.LEVELS + 0.5))
    axes.tick_params(labelsize=8)
    if not len(levels):
        _pending_unless(axes, 0)
        axes.set_yticks([])
        return
    filled, against = levels[levels["n"].gt(0)], disrupted(levels)
    axes.plot(filled["level"], filled["mean"].astype(float), color=BLUE, linewidth=0.9)
    for row in filled.itertuples():
        style = {"color": BLUE, "marker": "o", "label": "mean F1 (95 % interval)"}
        if row.level in against:
            style = {"color": VERMILION, "marker": "s", "label": "above the level before it"}
        axes.errorbar([row.level], [row.mean], yerr=Interval(row.mean, row.ci_low, row.ci_high).reach, capsize=3,
                      markersize=5, linestyle="none", **style)
    axes.set_xticklabels([f"{row.level}\n{f1(row.low)}–\n{f1(row.high)}\nn = {row.n}" for row in levels.itertuples()])


# Figure 6


def selection_figure(folds: Folds) -> Figure:
    """MELEP against F1 of every checkpoint on the paper's one task, with a fitted line."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6))
    _points(axes, folds.rows, MELEP[0])
    if len(folds.rows) > 2:
        melep = folds.rows[MELEP[0]].astype(float)
        ends = np.array([melep.min(), melep.max()])
        fitted = np.polyval(np.polyfit(melep, folds.rows[SCORES[0]].astype(float), 1), ends)
        axes.plot(ends, fitted, color=GREY, linewidth=1, linestyle="--", label="fitted line")
    return figures.labelled(figure, np.array([[axes]]), f"{RIVALS[MELEP[0]][0]} (nats)", F1)


def fold_figure(folds: Folds) -> Figure:
    """MELEP against F1 of every candidate on the folds that all of them share, in both weightings."""
    figure, grid = plt.subplots(1, len(MELEP), figsize=(WIDTH, 3.7), sharey=True, squeeze=False)
    for axes, measure in zip(grid.flat, MELEP, strict=True):
        _points(axes, shared(folds.rows), measure)
        axes.set_title(WEIGHTS[measure], fontsize=9)
    return figures.labelled(figure, grid, "MELEP (nats)", F1)


def regret_figure(lost: pd.DataFrame) -> Figure:
    """F1 lost by each way of choosing (``checkpoint_choice.regrets``): single folds, mean and interval."""
    found = mean_regrets(lost)
    figure, axes = plt.subplots(figsize=(WIDTH, 1.3 + 0.42 * max(len(found), 3)))
    for y, (way, one) in enumerate(found.items()):
        axes.plot(lost.loc[lost["way"] == way, "regret"], np.full(one.n, y + 0.2), ".", color=GREY, markersize=4,
                  alpha=0.5, label="one fold")
        _interval(axes, one, y - 0.1, BLUE, "o", "mean (95 % interval)")
    _pending_unless(axes, len(found))
    _name_rows(axes, [way_words(way) for way in found])
    return figures.labelled(figure, np.array([[axes]]), "F1 lost against the best candidate")


# MELEP, or the number of labels?


def rival_figure(rows: pd.DataFrame) -> Figure:
    """Correlation of each measure with F1, plain and given the number of labels
    (``checkpoint_choice.rival_rows``).
    """
    def draw(axes: Axes, own: pd.DataFrame) -> None:
        for y, row in enumerate(own.itertuples()):
            _interval(axes, row.plain, y - 0.15, BLUE, "o", "correlation with F1 (95 % interval)")
            _interval(axes, row.partial, y + 0.2, VERMILION, "s", "given the number of labels", filled=False)
        _name_rows(axes, [RIVALS[measure][0].replace(", ", ",\n") for measure in MEASURES])
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set(xlim=(-1.05, 1.05), xticks=(-1, 0, 1))
        _pending_unless(axes, own["plain"].iloc[0].n, correlations.MIN_POINTS)

    return _panels(draw, agreement.by_checkpoint(rows), 2.5, "correlation", columns=1)


def label_scatter(folds: Folds) -> Figure:
    """F1 against MELEP of every fold, a panel a checkpoint, colour and marker by the number of labels."""
    styles = dict(zip(sorted(set(folds.rows.get("n_labels", ()))), STYLES, strict=False))

    def draw(axes: Axes, own: pd.DataFrame) -> None:
        for n, some in own.groupby("n_labels") if len(own) else ():
            colour, marker = styles[n]
            axes.plot(some[MELEP[0]], some[SCORES[0]], marker, color=colour, markersize=5, alpha=0.85,
                      label=f"{n:.0f} labels")
        _pending_unless(axes, len(own))

    return _panels(draw, folds.by_checkpoint, 2.3, "MELEP (nats)", F1, 4)


def gain_figure(folds: Folds) -> Figure:
    """F1 of every fold minus that of every label, by the number of labels, a panel a checkpoint; the band is the
    95 % interval of the mean.
    """
    return _panels(_gains, folds.by_checkpoint, 2.3, "labels of the task", "F1, network − every label")


def _gains(axes: Axes, own: pd.DataFrame) -> None:
    found = agreement.gain(own)
    if len(own):
        # Folds with as many labels stand side by side, in their order
        beside = own.groupby("n_labels").cumcount() / own.groupby("n_labels")["fold"].transform("size")
        axes.plot(own["n_labels"] + 0.5 * (beside - 0.5), own[SCORES[0]] - own[EVERY_LABEL], "o", color=BLUE,
                  markersize=4, alpha=0.8, label="one fold")
        axes.set_xticks(sorted(own["n_labels"].unique()))
        axes.axhline(found.value, color=VERMILION, linewidth=1.1, label="mean (95 % interval)")
    if found.low is not None:
        axes.axhspan(found.low, found.high, color=VERMILION, alpha=0.2, linewidth=0)
    axes.axhline(0, color=GREY, linewidth=0.8)
    _pending_unless(axes, len(own))
