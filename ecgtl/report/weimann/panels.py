"""Figures of Weimann 2021's pages: scores beside the paper's by panel, and validation scores by epoch (Figure 3)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ecgtl.analysis.names import METHODS
from ecgtl.report import figures
from ecgtl.report.weimann import shared, table1

PRETRAINED = ("beat", "rhythm", "heart_rate", "future")
PAPER_SHAPE: dict[str, Any] = {"label": "paper (mean ± SD), same marker", "color": figures.PAPER_COLOUR}


def panels(frame: pd.DataFrame, xlabel: str) -> plt.Figure:
    """Macro F1 by column of ``comparisons``, each pretraining beside random weights: the paper's and ours.

    Boosted trees on RR intervals are a line.
    """
    figure, grid = plt.subplots(2, 2, figsize=(figures.WIDTH, 6.2), sharex=True, sharey=True)
    words, cells = list(dict.fromkeys(frame["words"])), shared.cells_of(frame)
    trivial = frame[frame["method"].eq("rr_boosting") & frame["n"].gt(0)]
    for axes, method in zip(grid.flat, PRETRAINED, strict=True):
        for name, shift in (("random", -0.14), (method, 0.06)):
            _series(axes, frame[frame["method"] == name].reset_index(drop=True), cells, shift)
        if len(trivial):
            axes.plot(trivial["words"].map(words.index), trivial["ours"], color=figures.COLOURS["rr_boosting"],
                      linestyle="-.", linewidth=1, label=f"ours: {METHODS['rr_boosting']}")
        pending_unless(axes, frame.loc[frame["method"] == method, "n"].any())
        axes.set(title=METHODS[method], xticks=range(len(words)), xticklabels=words, xlim=(-0.5, len(words) - 0.5))
    return figures.labelled(figure, grid, xlabel, "macro F1, test part")


def _series(axes: plt.Axes, rows: pd.DataFrame, cells: dict, shift: float) -> None:
    """One method over the columns: the paper's dashed, ours with interval and single runs right of it."""
    if rows["paper"].notna().any():
        axes.errorbar(rows.index + shift, rows["paper"], rows["paper_sd"], linestyle="--",
                      marker=figures.MARKERS[rows["method"].iloc[0]], capsize=3, **PAPER_SHAPE)
    ours = rows[rows["n"].gt(0)]
    if len(ours):
        figures.series(axes, ours.index + shift + 0.08, ours, cells, our_label(ours), 0.06, capsize=3)


def our_label(rows: pd.DataFrame) -> str:
    return f"ours: {shared.short(rows['method'].iloc[0]).lower()} (95 % interval)"


def pending_unless(axes: plt.Axes, known: bool) -> None:
    if not known:
        figures.pending(axes, 0.04, va="bottom", fontsize=8)


def settings(frame: pd.DataFrame) -> plt.Figure:
    """Table 1: macro F1 of every setting, one panel a task, beside random weights as a line."""
    by_task, base = table1.tasks(), frame[frame["method"] == "random"].iloc[0]
    figure, grid = plt.subplots(len(by_task), 1, figsize=(figures.WIDTH, 7.4), sharex=True,
                                height_ratios=[len(names) + 0.6 for names in by_task.values()])
    for axes, (task, names) in zip(grid, by_task.items(), strict=True):
        _bands(axes, base)
        rows = frame.set_index("method").loc[names].reset_index()
        _dots(axes, rows, [task] * len(rows),
              [table1.setting(name).replace(", offset", ",\noffset") for name in names])
        axes.set_title(METHODS[task])
    grid[-1].set_xlabel("macro F1, test part of CinC 2017")
    figures.legend_below(figure, grid)
    return figure


def _bands(axes: plt.Axes, base: pd.Series) -> None:
    """Random weights: mean and SD of the paper, mean and interval of ours."""
    mean, sd = base["paper"], base["paper_sd"]
    ours = "ours: random weights (mean, 95 % interval)"
    for middle, low, high, colour, dash, label in (
            (mean, mean - sd, mean + sd, figures.PAPER_COLOUR, "--", "paper: random weights (mean, SD)"),
            (base["ours"], base["low"], base["high"], figures.COLOURS["random"], "-", ours)):
        if np.isfinite(middle):
            axes.axvline(middle, color=colour, linestyle=dash, linewidth=1, label=label)
        if np.isfinite(high):
            axes.axvspan(low, high, color=colour, alpha=0.12, linewidth=0)


def _dots(axes: plt.Axes, rows: pd.DataFrame, kinds: Iterable[str], words: list[str]) -> None:
    """A line of the panel a row: the paper's mean and SD above, ours with interval and single runs below."""
    cells = shared.cells_of(rows)
    for y, (kind, row) in enumerate(zip(kinds, rows.itertuples(), strict=True)):
        shape: dict[str, Any] = {"marker": figures.MARKERS[kind], "linestyle": "none", "capsize": 3}
        if np.isfinite(row.paper):
            axes.errorbar([row.paper], [y - 0.17], xerr=[row.paper_sd], **shape, **PAPER_SHAPE)
        if row.n:
            bars = np.nan_to_num([[row.ours - row.low], [row.high - row.ours]])
            runs = cells[row.method, row.size].values
            axes.errorbar([row.ours], [y + 0.17], xerr=bars, color=figures.COLOURS[kind],
                          label="ours (mean, 95 % interval, single runs)", **shape)
            axes.plot(runs, np.full(len(runs), y + 0.33), ".", color=figures.COLOURS[kind], alpha=0.6, markersize=4)
        else:
            figures.pending_row(axes, y + 0.17)
    figures.name_rows(axes, words, 0.45)


def score_panels(frame: pd.DataFrame, quoted: dict[str, float]) -> plt.Figure:
    """Table 5: one panel a score, a row an initialisation; ``quoted``: related work by score, as a line."""
    figure, grid = plt.subplots(2, 2, figsize=(figures.WIDTH, 6.4), sharey=True)
    shown = frame[frame["method"] != "majority"].groupby("score", sort=False)
    for axes, (score, rows) in zip(grid.flat, shown, strict=True):
        _dots(axes, rows, rows["method"], [*map(shared.short, rows["method"])])
        if score in quoted:
            axes.axvline(quoted[score], color="#777777", linestyle=":", label="related work, quoted by the paper")
        axes.set(title=shared.SCORES[score], xlabel="score, test part")
        axes.tick_params(axis="x", labelsize=8)
    figures.legend_below(figure, grid.flat)
    return figure
