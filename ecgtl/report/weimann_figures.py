"""Figures of Weimann 2021's pages: scores beside the paper's by panel, and validation scores by epoch (its
Figure 3).
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ecgtl import claims, experiments
from ecgtl.claim_rules import epochs_to
from ecgtl.report import figures, tables, weimann
from ecgtl.report.figures import COLOURS, MARKERS, PAPER_COLOUR
from ecgtl.report.tables import METHODS
from ecgtl.report.words import PENDING, f1

WIDTH = 5.6  # inches: words can still be read on a narrow screen
PRETRAINED = ("beat", "rhythm", "heart_rate", "future")
# how soon does a run come this near to its own best validation score?
SHARE_OF_BEST = claims.claims(weimann.PAPER)["W7"]["share"]
PAPER_LABEL, PAPER_SHAPE = "paper (mean ± SD), same marker", {"color": PAPER_COLOUR, "capsize": 3}


# Scores by column, one panel a pretraining


def panels(frame: pd.DataFrame, values: dict[tuple, tuple[float, ...]], xlabel: str) -> Figure:
    """Macro F1 by column of a table (``tables.comparison``), each pretraining beside random weights: the
    paper's and ours.

    ``values`` maps (method, size) to the scores of single runs. Boosted trees on RR intervals are a line.
    """
    figure, grid = plt.subplots(2, 2, figsize=(WIDTH, 6.2), sharex=True, sharey=True)
    words = list(dict.fromkeys(frame["words"]))
    for axes, method in zip(grid.flat, PRETRAINED, strict=True):
        for name, shift in (("random", -0.14), (method, 0.06)):
            rows = frame[frame["method"] == name].reset_index(drop=True)
            _series(axes, rows, values, shift)
        _trivial(axes, frame)
        if not frame.loc[frame["method"] == method, "n"].any():
            _say_pending(axes)
        axes.set(title=METHODS[method], xticks=range(len(words)), xticklabels=words,
                 xlim=(-0.5, len(words) - 0.5))
    return figures.labelled(figure, grid, xlabel, "macro F1, test part")


def _series(axes: Axes, rows: pd.DataFrame, values: dict, shift: float) -> None:
    """One method over the columns: the paper's dashed, ours with interval and single runs right of it."""
    method = rows["method"].iloc[0]
    x = np.arange(len(rows)) + shift
    if rows["paper"].notna().any():
        axes.errorbar(x, rows["paper"], yerr=rows["paper_sd"], linestyle="--", marker=MARKERS[method],
                      label=PAPER_LABEL,
                      **PAPER_SHAPE)
    ours = rows[rows["n"].gt(0)]
    if len(ours):
        at = ours.index + shift + 0.08
        axes.errorbar(at, ours["ours"], yerr=_below_above(ours), color=COLOURS[method],
                      marker=MARKERS[method], capsize=3,
                      label=f"ours: {weimann.short(method).lower()} (95 % interval)")
        for place, row in zip(at, ours.itertuples(), strict=True):
            scores = values[row.method, row.size]
            axes.plot(np.full(len(scores), place + 0.06), scores, ".", color=COLOURS[method], alpha=0.6,
                      markersize=4)


def _trivial(axes: Axes, frame: pd.DataFrame) -> None:
    rows = frame[(frame["method"] == "rr_boosting") & frame["n"].gt(0)]
    if len(rows):
        x = [list(dict.fromkeys(frame["words"])).index(words) for words in rows["words"]]
        axes.plot(x, rows["ours"], color=COLOURS["rr_boosting"], linestyle="-.", linewidth=1,
                  label=f"ours: {METHODS['rr_boosting']}")


def _below_above(rows: pd.DataFrame) -> list[pd.Series]:
    """Lengths of error bars below and above the mean; 0 where too few runs give no interval."""
    return [(rows["ours"] - rows["low"]).fillna(0), (rows["high"] - rows["ours"]).fillna(0)]


# F1 by class


def class_panels(rows: pd.DataFrame) -> Figure:
    """F1 of each class by share of the data set and method (``weimann.class_rows``); on the right the
    paper's, at its largest.
    """
    figure, grid = plt.subplots(2, 2, figsize=(WIDTH, 6.2), sharex=True)
    sizes, methods = sorted(rows["size"].unique()), rows["method"].unique()
    for axes, name in zip(grid.flat, weimann.CLASSES, strict=True):
        for shift, method in enumerate(methods):
            own = rows[(rows["class"] == name) & (rows["method"] == method)].sort_values("size")
            _class_series(axes, own, sizes, method, 0.13 * (shift - (len(methods) - 1) / 2))
        axes.set(title=weimann.SCORES[f"f1_per_class.{name}"], xticks=range(len(sizes) + 1),
                 xlim=(-0.5, len(sizes) + 0.5))
        axes.set_xticklabels([*(f"{size} %" for size in sizes), "paper"])
        if not rows["n"].any():
            _say_pending(axes)
    return figures.labelled(figure, grid, "share of the data set", "F1, test part")


def _class_series(axes: Axes, own: pd.DataFrame, sizes: list[int], method: str, shift: float) -> None:
    ours = own[own["n"].gt(0)]
    if len(ours):
        at = np.array([sizes.index(size) for size in ours["size"]]) + shift
        bars = [(ours["mean"] - ours["low"]).fillna(0), (ours["high"] - ours["mean"]).fillna(0)]
        axes.errorbar(at, ours["mean"], yerr=bars, color=COLOURS[method], marker=MARKERS[method],
                      markersize=4, linewidth=1,
                      capsize=2, label=f"ours: {weimann.short(method).lower()} (95 % interval)")
    printed = own[own["paper"].notna()]
    if len(printed):
        axes.errorbar([len(sizes) + shift], printed["paper"], yerr=printed["paper_sd"],
                      marker=MARKERS[method], markersize=4,
                      linestyle="none", label=PAPER_LABEL, color=PAPER_COLOUR, capsize=2)


# Dots by row


def settings(frame: pd.DataFrame, values: dict[tuple, tuple[float, ...]]) -> Figure:
    """Table 1: macro F1 of every setting, one panel a task, beside random weights as a line."""
    by_task = weimann.tasks()
    figure, grid = plt.subplots(len(by_task), 1, figsize=(WIDTH, 7.4), sharex=True,
                                height_ratios=[len(names) + 0.6 for names in by_task.values()])
    base = frame[frame["method"] == "random"].iloc[0]
    for axes, (task, names) in zip(grid, by_task.items(), strict=True):
        _bands(axes, base)
        rows = frame.set_index("method").loc[names].reset_index()
        _dots(axes, rows, {name: values.get((name, size), ())
                           for name, size in zip(rows["method"], rows["size"], strict=True)},
              [task] * len(rows), [weimann.setting(name).replace(", offset", ",\noffset") for name in names])
        axes.set_title(METHODS[task])
    grid[-1].set_xlabel("macro F1, test part of CinC 2017")
    figures.legend_below(figure, grid)
    return figure


def _bands(axes: Axes, base: pd.Series) -> None:
    """Random weights: mean and SD of the paper, mean and interval of ours."""
    kinds = ((base["paper"], base["paper_sd"], base["paper_sd"], PAPER_COLOUR, "--",
              "paper: random weights (mean, SD)"),
             (base["ours"], base["ours"] - base["low"], base["high"] - base["ours"], COLOURS["random"], "-",
              "ours: random weights (mean, 95 % interval)"))
    for mean, below, above, colour, dash, label in kinds:
        if np.isfinite(mean):
            axes.axvline(mean, color=colour, linestyle=dash, linewidth=1, label=label)
        if np.isfinite(mean + below + above):
            axes.axvspan(mean - below, mean + above, color=colour, alpha=0.12, linewidth=0)


def _dots(axes: Axes, rows: pd.DataFrame, values: dict[str, Sequence[float]], kinds: Iterable[str],
          words: list[str]) -> None:
    """A line of the panel a row: the paper's mean and SD above, ours with interval and single runs below."""
    for y, (kind, row) in enumerate(zip(kinds, rows.itertuples(), strict=True)):
        if np.isfinite(row.paper):
            axes.errorbar([row.paper], [y - 0.17], xerr=[row.paper_sd], marker=MARKERS[kind],
                          linestyle="none", label=PAPER_LABEL,
                          **PAPER_SHAPE)
        if row.n:
            below, above = np.nan_to_num([row.ours - row.low, row.high - row.ours])
            axes.errorbar([row.ours], [y + 0.17], xerr=[[below], [above]], color=COLOURS[kind],
                          marker=MARKERS[kind], capsize=3,
                          linestyle="none", label="ours (mean, 95 % interval, single runs)")
            axes.plot(values[row.method], np.full(len(values[row.method]), y + 0.33), ".",
                      color=COLOURS[kind], alpha=0.6, markersize=4)
        else:
            axes.annotate(PENDING, (1, y + 0.17), xycoords=("axes fraction", "data"), ha="right", va="center",
                          fontsize=7,
                          color="#555555")
    axes.set(yticks=range(len(rows)), yticklabels=words, ylim=(len(rows) - 0.45, -0.55))
    axes.tick_params(axis="y", labelsize=8)


def score_panels(frame: pd.DataFrame, values: dict[str, dict[tuple, tuple[float, ...]]],
                 quoted: dict[str, float]) -> Figure:
    """Table 5: one panel a score, a row an initialisation; ``values`` by score, ``quoted``: related work by
    score, as a line.
    """
    scores = list(dict.fromkeys(frame["score"]))
    figure, grid = plt.subplots(2, 2, figsize=(WIDTH, 6.4), sharey=True)
    for axes, score in zip(grid.flat, scores, strict=True):
        rows = frame[(frame["score"] == score) & (frame["method"] != "majority")]
        own = {name: values.get(score, {}).get((name, size), ())
               for name, size in zip(rows["method"], rows["size"], strict=True)}
        _dots(axes, rows, own, rows["method"], [weimann.short(name) for name in rows["method"]])
        if score in quoted:
            axes.axvline(quoted[score], color="#777777", linestyle=":",
                         label="related work, quoted by the paper")
        axes.set(title=weimann.SCORES[score], xlabel="score, test part")
        axes.tick_params(axis="x", labelsize=8)
    figures.legend_below(figure, grid.flat)
    return figure


# Figure 3: the validation score by epoch


def histories(tier: str) -> pd.DataFrame:
    """One row an epoch of every network of Table 2: ``method``, ``size`` (%), ``run``, ``epoch``, ``score``
    (validation macro F1).
    """
    rows = [(run.method, run.size, run.number, row["epoch"], row["validation_score"])
            for run, body in tables.runs(tables.current(weimann.TABLE2, tier), tier) for row in body["history"]]
    return pd.DataFrame(rows, columns=["method", "size", "run", "epoch", "score"])


def validation_curves(frame: pd.DataFrame, size: int) -> Figure:
    """Figure 3 for one share of the data set: each pretraining against random weights, mean over runs and
    their range.

    ``frame``: ``histories``. A vertical line marks the median epoch at which a run has ``SHARE_OF_BEST`` of
    its best.
    """
    figure, grid = plt.subplots(2, 2, figsize=(WIDTH, 5.8), sharex=True, sharey=True)
    for axes, method in zip(grid.flat, PRETRAINED, strict=True):
        for name in ("random", method):
            _band(axes, frame[(frame["method"] == name) & (frame["size"] == size)], name)
        if frame[(frame["method"] == method) & (frame["size"] == size)].empty:
            _say_pending(axes)
        axes.set_title(METHODS[method])
    return figures.labelled(figure, grid, "epoch", "macro F1, validation part", 3)


def _band(axes: Axes, rows: pd.DataFrame, method: str) -> None:
    """Mean and range over runs by epoch, as long as half of the runs go on."""
    if rows.empty:
        return
    by_run = rows.pivot(index="epoch", columns="run", values="score")
    by_run = by_run[by_run.notna().sum(axis=1) >= by_run.shape[1] / 2]
    colour, dash = COLOURS[method], ":" if method == "random" else "--"
    axes.fill_between(by_run.index, by_run.min(axis=1), by_run.max(axis=1), color=colour, alpha=0.15,
                      linewidth=0)
    axes.plot(by_run.index, by_run.mean(axis=1), color=colour, label=weimann.short(method).lower())
    axes.axvline(np.median(_epochs(rows)), color=colour, linestyle=dash, linewidth=1.2,
                 label=f"{_percent(SHARE_OF_BEST)} of the best (vertical)" if method == "random" else None)


def _epochs(rows: pd.DataFrame) -> list[int]:
    return [epochs_to(own.sort_values("epoch")["score"], SHARE_OF_BEST) for _, own in rows.groupby("run")]


def speed(frame: pd.DataFrame) -> pd.DataFrame:
    """``histories`` by share and method: median epoch at ``SHARE_OF_BEST`` of a run's best, the best score,
    that of epoch 1.
    """
    entry = experiments.load(weimann.TABLE2)
    rows = []
    for size in sorted(entry.columns, reverse=True):
        for method in entry.inits:
            own = frame[(frame["method"] == method) & (frame["size"] == size)]
            row = {"Data used": entry.column_words(size), "Initialisation": METHODS[method],
                   "n": own["run"].nunique()}
            rows.append(row | (_speed(own) if len(own) else dict.fromkeys(_SPEED, PENDING)))
    return pd.DataFrame(rows)


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


_SPEED = (f"Epochs to {_percent(SHARE_OF_BEST)} of the best: median (range)", "Best validation score, mean",
          "After the first epoch, mean")


def _speed(own: pd.DataFrame) -> dict[str, str]:
    epochs, best = _epochs(own), own.groupby("run")["score"].max()
    first = own[own["epoch"] == 1]["score"]
    return dict(zip(_SPEED, (f"{np.median(epochs):g} ({min(epochs)} to {max(epochs)})", f1(best.mean()),
                             f1(first.mean())), strict=True))


# Small things


def _say_pending(axes: Axes) -> None:
    axes.text(0.5, 0.04, f"{PENDING}: no run yet", transform=axes.transAxes, ha="center", va="bottom",
              color="#555555", fontsize=8)
