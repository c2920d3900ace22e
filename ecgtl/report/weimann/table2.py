"""Weimann 2021, Table 2: size of the training set."""

import itertools

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ecgtl import experiments
from ecgtl.analysis import cells, names
from ecgtl.config import BASELINES
from ecgtl.report import alt, figures
from ecgtl.report.weimann import shared
from ecgtl.report.words import mean_sd


def class_rows(experiment: str, tier: str) -> pd.DataFrame:
    """``comparisons`` of networks by class; the paper prints them for its largest share, in Table 1."""
    ours = shared.comparisons(experiment, tier, shared.BY_CLASS).drop(columns=["paper", "paper_sd"])
    # A row of Table 2 is the best setting of Table 1, where it starts from the same weights
    best = {"random": "random"} | {name: row["init"] for name, row in experiments.load(shared.TABLE1).rows.items()}
    theirs = shared.comparisons(shared.TABLE1, tier, shared.BY_CLASS)
    theirs = theirs.assign(method=theirs["method"].map(best))[["method", "size", "score", "paper", "paper_sd"]]
    return ours[~ours["method"].isin(BASELINES)].merge(theirs, "left")


def choices(experiment: str, tier: str) -> pd.DataFrame:
    """Macro F1 by three ways of choosing the epoch, and what the forbidden one would add (mean over pairs)."""
    entry, runs, rows = experiments.load(experiment), cells.runs(experiment, tier), []
    for method, size in itertools.product(entry.inits, entry.columns):
        found = {choice: np.array([value for *_, value in cells.scored(runs, experiment, (method, size), None, choice)])
                 for choice in names.CHOICES}
        flattery = found["best_test"] - found["validated"]
        rows.append({"Initialisation": names.METHODS[method], "Data used": entry.column_words(size),
                     **{words.capitalize(): mean_sd(found[choice], 1) for choice, words in names.CHOICES.items()},
                     "Best on test − best on validation": names.f1(flattery.mean(), True) if len(flattery)
                     else names.PENDING, "n": len(flattery)})
    return pd.DataFrame(rows)


def class_panels(rows: pd.DataFrame) -> plt.Figure | None:
    """F1 of each class by share of the data set and method (``class_rows``); on the right the paper's, at its largest.

    None without a run.
    """
    if not rows["n"].any():
        return None
    figure, grid = plt.subplots(4, 1, figsize=(figures.WIDTH, 7.6), sharex=True)
    sizes = sorted(rows["size"].unique())
    for axes, (score, of_class) in zip(grid, rows.groupby("score", sort=False), strict=True):
        for place, (method, own) in enumerate(of_class.groupby("method", sort=False)):
            shift, shape = 0.15 * (place - 2), {"marker": figures.MARKERS[method], "linestyle": "none"}
            ours, printed = own[own["n"].gt(0)], own[own["paper"].notna()]
            bars = [(ours["ours"] - ours["low"]).fillna(0), (ours["high"] - ours["ours"]).fillna(0)]
            if len(ours):
                axes.errorbar(ours["size"].map(sizes.index) + shift, ours["ours"], bars, color=figures.COLOURS[method],
                              label=f"here: {shared.short(method).lower()}", **shape)
            if len(printed):
                axes.errorbar([len(sizes) + shift], printed["paper"], printed["paper_sd"], color=figures.PAPER_COLOUR,
                              label="paper (mean, SD), same marker", **shape)
        axes.set(title=shared.SCORES[score], ylabel="F1, test set", xticks=range(len(sizes) + 1),
                 xticklabels=[*(f"{size} %" for size in sizes), "paper"], xlim=(-0.5, len(sizes) + 0.5))
    grid[-1].set_xlabel("share of the data set")
    return figures.legend_below(figure, grid)


def class_said(rows: pd.DataFrame) -> str:
    """What ``class_panels`` says: our F1 of each class at the largest share, method by method."""
    return f"F1 with {rows['size'].max()} % of the data set. " + alt.by_panel(
        {shared.SCORES[score]: alt.ordered(dict(zip(own["method"].map(shared.short), own["ours"], strict=True)))
         for score, own in rows[rows["size"] == rows["size"].max()].groupby("score", sort=False)})
