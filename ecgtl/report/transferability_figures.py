"""Figures of MELEP's experiments: correlations, F1 in levels of distance, the choice of a checkpoint, and
rivals.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtl import agreement, correlations, published
from ecgtl.agreement import EVERY_LABEL, MEASURES, SCORES
from ecgtl.correlations import Interval
from ecgtl.report import figures
from ecgtl.report.checkpoint_choice import mean_regrets, shared, way_words
from ecgtl.report.figures import PAPER_COLOUR
from ecgtl.report.melep import PAPER
from ecgtl.report.transfer import RIVALS
from ecgtl.report.transfer_folds import Folds, checkpoint_name, data_set
from ecgtl.report.transferability import (
    CHOICES,
    CUTS,
    MELEP,
    VARIANTS,
    Pair,
    disrupted,
    levels_of,
)
from ecgtl.report.words import PENDING, f1

WIDTH = 4.8  # inches: words can still be read on a narrow screen
# Okabe and Ito's palette, a marker with each colour
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"),
          ("#000000", "P"), ("#E69F00", "X"), ("#999999", "<"), ("#F0E442", ">"))
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#555555"
F1 = "weighted F1, test part"
CORRELATIONS = (-1, -0.5, 0, 0.5, 1)  # ticks


# Table 2


def correlation_figure(own: Sequence[Pair], others: Sequence[Pair]) -> Figure:
    """Correlation of MELEP with F1: printed with Fisher's interval, ours with both weightings and choices of
    the epoch; rows on substitutes below.
    """
    groups = [group for group in (own, others) if group]
    height = 1.6 + 0.52 * (len(own) + len(others))
    figure, grid = plt.subplots(len(groups), 1, figsize=(WIDTH, height), sharex=True, squeeze=False,
                                height_ratios=[len(group) + 0.5 for group in groups])
    n_printed = published.lookup(f"{PAPER}.table2.folds")
    for axes, group in zip(grid[:, 0], groups, strict=True):
        for y, pair in enumerate(group):
            if pair.paper is not None:
                _interval(axes, correlations.fisher(pair.paper, n_printed), y - 0.32, PAPER_COLOUR, "D",
                          "paper (Fisher's 95 % interval)")
            _our_correlations(axes, pair, y)
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set(yticks=range(len(group)), ylim=(len(group) - 0.4, -0.6), xlim=(-1.05, 1.05),
                 xticks=CORRELATIONS,
                 yticklabels=[f"{pair.name}\n→ {data_set(pair.folds.target)}" for pair in group],
                 title="As in the paper" if group is own else "Other or made data")
        axes.tick_params(axis="y", labelsize=8)
    grid[-1, 0].set_xlabel("correlation with F1 (negative is as hoped)")
    figures.legend_below(figure, grid[:, 0], 1)
    return figure


def _our_correlations(axes: Axes, pair: Pair, y: float) -> None:
    for shift, (measure, score) in zip((-0.14, 0.0, 0.14, 0.28), VARIANTS, strict=True):
        found = pair.ours[measure, score]
        if found.value is not None:
            colour, marker = (BLUE, "o") if measure == MELEP[0] else (VERMILION, "s")
            weights = RIVALS[measure][0].removeprefix("MELEP, ")
            _interval(axes, found, y + shift, colour, marker, f"ours: {weights}, {CHOICES[score]}",
                      filled=score == SCORES[0])
    if not len(pair.rows):
        _say_pending(axes, y + 0.1)


def _interval(axes: Axes, found: Interval, y: float, colour: str, marker: str, label: str,
              filled: bool = True) -> None:
    """A value on a horizontal line with its limits, where it has any."""
    limits = None if found.low is None else [[found.value - found.low], [found.high - found.value]]
    axes.errorbar([found.value], [y], xerr=limits, color=colour, marker=marker, markersize=4, linewidth=1.1,
                  capsize=2, linestyle="none", markerfacecolor=colour if filled else "white", label=label)


def _say_pending(axes: Axes, y: float) -> None:
    axes.annotate(PENDING, (0.99, y), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=7,
                  color=GREY)


# Figures 3 to 5


def level_figure(folds: Folds, rows: pd.DataFrame) -> Figure:
    """Mean F1 in four levels of MELEP, a row of panels a checkpoint: cut at quartiles, and in equal widths.

    ``rows`` are ``transferability.level_rows``. Under each level stand its limits and the number of its
    folds.
    """
    places = folds.checkpoints
    heights = [2.15 if len(folds.of(*place)) else 0.75 for place in places]
    figure, grid = plt.subplots(len(places), len(CUTS), figsize=(WIDTH, 0.8 + sum(heights)), sharey="row",
                                height_ratios=heights, squeeze=False)
    for panels, place in zip(grid, places, strict=True):
        for axes, how in zip(panels, CUTS, strict=True):
            axes.set_title(f"{CUTS[how]}, n = {len(folds.of(*place))}", fontsize=9)
            _levels(axes, levels_of(rows, *place, how))
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
        limits = None if row.ci_low is None else [[row.mean - row.ci_low], [row.ci_high - row.mean]]
        rises = row.level in against
        axes.errorbar([row.level], [row.mean], yerr=limits, capsize=3, markersize=5, linestyle="none",
                      color=VERMILION if rises else BLUE, marker="s" if rises else "o",
                      label="above the level before it" if rises else "mean F1 (95 % interval)")
    axes.set_xticklabels([f"{row.level}\n{f1(row.low)}–\n{f1(row.high)}\nn = {row.n}"
                          for row in levels.itertuples()])


# Figure 6


def selection_figure(folds: Folds, score: str = SCORES[0]) -> Figure:
    """MELEP against F1 of every checkpoint on the paper's one task, with a fitted line."""
    figure, axes = plt.subplots(figsize=(WIDTH, 3.6))
    rows = folds.rows
    _pending_unless(axes, len(rows))
    _points(axes, rows, MELEP[0], score)
    if len(rows) > 2:
        slope, start = np.polyfit(rows[MELEP[0]].astype(float), rows[score].astype(float), 1)
        ends = np.array([rows[MELEP[0]].min(), rows[MELEP[0]].max()])
        axes.plot(ends, start + slope * ends, color=GREY, linewidth=1, linestyle="--", label="fitted line")
    figures.legend_below(figure, [axes])
    axes.set(xlabel=f"{RIVALS[MELEP[0]][0]} (nats)", ylabel=F1)
    return figure


def fold_figure(folds: Folds, score: str = SCORES[0]) -> Figure:
    """MELEP against F1 of every candidate on the folds that all of them share, in both weightings."""
    figure, panels = plt.subplots(1, len(MELEP), figsize=(WIDTH, 3.7), sharey=True)
    rows = shared(folds.rows)
    for axes, measure in zip(panels, MELEP, strict=True):
        _points(axes, rows, measure, score)
        axes.set_title(RIVALS[measure][0].removeprefix("MELEP, "), fontsize=9)
        axes.set_xlabel("MELEP (nats)")
        _pending_unless(axes, len(rows))
    panels[0].set_ylabel(F1)
    figures.legend_below(figure, panels)
    return figure


def _points(axes: Axes, rows: pd.DataFrame, measure: str, score: str) -> None:
    for (colour, marker), place in zip(STYLES, agreement.checkpoints(rows), strict=False):
        own = agreement.of(rows, *place)
        axes.plot(own[measure], own[score], marker, color=colour, markersize=5, alpha=0.8,
                  label=checkpoint_name(*place))


def regret_figure(lost: pd.DataFrame) -> Figure:
    """F1 lost by each way of choosing (``checkpoint_choice.regrets``): single folds, mean and interval."""
    found = mean_regrets(lost)
    figure, axes = plt.subplots(figsize=(WIDTH, 1.3 + 0.42 * max(len(found), 3)))
    for y, (way, one) in enumerate(found.items()):
        axes.plot(lost.loc[lost["way"] == way, "regret"], np.full(one.n, y + 0.2), ".", color=GREY,
                  markersize=4, alpha=0.5, label="one fold")
        _interval(axes, one, y - 0.1, BLUE, "o", "mean (95 % interval)")
    _pending_unless(axes, len(found))
    axes.set(yticks=range(len(found)), yticklabels=[way_words(way) for way in found],
             xlabel="F1 lost against the best candidate")
    axes.set_ylim(max(len(found), 1) - 0.4, -0.6)
    axes.tick_params(axis="y", labelsize=8)
    figures.legend_below(figure, [axes])
    return figure


def _pending_unless(axes: Axes, n: int, least: int = 1) -> None:
    """Say in a panel with fewer than ``least`` folds that it waits for more."""
    if n < least:
        axes.text(0.5, 0.5, f"{PENDING}: {f'{n} of {least} folds' if n else 'no fold yet'}",
                  transform=axes.transAxes, ha="center", color=GREY, fontsize=8)


# MELEP, or the number of labels?


def rival_figure(rows: pd.DataFrame) -> Figure:
    """Correlation of each measure with F1, plain and given the number of labels
    (``checkpoint_choice.rival_rows``).
    """
    places = list(dict.fromkeys(zip(rows["source"], rows["arch"], strict=True)))
    figure, grid = _panels(places, 2.5)
    for axes, (source, arch) in zip(grid.flat, places, strict=False):
        own = rows[(rows["source"] == source) & (rows["arch"] == arch)]
        for row in own.itertuples():
            y = MEASURES.index(row.measure)
            if row.plain.value is not None:
                _interval(axes, row.plain, y - 0.15, BLUE, "o", "correlation with F1 (95 % interval)")
            if row.partial.value is not None:
                _interval(axes, row.partial, y + 0.2, VERMILION, "s", "given the number of labels",
                          filled=False)
        axes.set(yticks=range(len(MEASURES)), ylim=(len(MEASURES) - 0.4, -0.6), xlim=(-1.05, 1.05),
                 xticks=(-1, 0, 1),
                 yticklabels=[RIVALS[measure][0].replace(", ", ",\n") for measure in MEASURES])
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.tick_params(axis="y", labelsize=8)
        _pending_unless(axes, own["plain"].iloc[0].n, correlations.MIN_POINTS)
    return figures.labelled(figure, grid, "correlation", columns=1)


def label_scatter(folds: Folds, measure: str = MELEP[0], score: str = SCORES[0]) -> Figure:
    """F1 against MELEP of every fold, a panel a checkpoint, colour and marker by the number of labels."""
    places = folds.checkpoints
    figure, grid = _panels(places, 2.3)
    numbers = sorted(folds.rows["n_labels"].unique()) if len(folds.rows) else []
    for axes, place in zip(grid.flat, places, strict=False):
        own = folds.of(*place)
        for (colour, marker), n in zip(STYLES, numbers, strict=False):
            some = own[own["n_labels"] == n] if len(own) else own
            if len(some):
                axes.plot(some[measure], some[score], marker, color=colour, markersize=5, alpha=0.85,
                          label=f"{n:.0f} labels")
        _pending_unless(axes, len(own))
    return figures.labelled(figure, grid, "MELEP (nats)", F1, 4)


def gain_figure(folds: Folds, score: str = SCORES[0]) -> Figure:
    """F1 of every fold minus that of every label, by the number of labels, a panel a checkpoint; the band is the
    95 % interval of the mean.
    """
    places = folds.checkpoints
    figure, grid = _panels(places, 2.3)
    for axes, place in zip(grid.flat, places, strict=False):
        own, found = folds.of(*place), agreement.gain(folds.of(*place), score)
        if len(own):
            # Folds with as many labels stand side by side, in their order
            beside = own.groupby("n_labels").cumcount() / own.groupby("n_labels")["fold"].transform("size")
            axes.plot(own["n_labels"] + 0.5 * (beside - 0.5), own[score] - own[EVERY_LABEL], "o", color=BLUE,
                      markersize=4, alpha=0.8, label="one fold")
            axes.set_xticks(sorted(own["n_labels"].unique()))
            axes.axhline(found.value, color=VERMILION, linewidth=1.1, label="mean (95 % interval)")
        if found.low is not None:
            axes.axhspan(found.low, found.high, color=VERMILION, alpha=0.2, linewidth=0)
        axes.axhline(0, color=GREY, linewidth=0.8)
        _pending_unless(axes, len(own))
    return figures.labelled(figure, grid, "labels of the task", "F1, network − every label")


def _panels(places: Sequence[tuple[str, str]], height: float) -> tuple[Figure, np.ndarray]:
    """A figure with a panel a checkpoint, two in a row with one vertical axis, each with its title."""
    n_rows = -(-len(places) // 2)
    figure, grid = plt.subplots(n_rows, 2, figsize=(WIDTH, 0.8 + height * n_rows), sharey=True, squeeze=False)
    for axes, place in zip(grid.flat, places, strict=False):
        axes.set_title(checkpoint_name(*place).replace(", ", ",\n"), fontsize=9)
    for axes in grid.flat[len(places):]:
        axes.set_axis_off()
    return figure, grid
