"""Weimann 2021, Figure 3: validation F1 by epoch."""

import itertools

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ecgtl import experiments
from ecgtl.analysis import cells, claims, sources
from ecgtl.analysis.names import METHODS, PENDING, f1
from ecgtl.report import figures
from ecgtl.report.weimann import shared


def share_of_best() -> float:
    """How soon does a run come this near to its own best validation score?"""
    return claims.claims(shared.PAPER)["W7"]["share"]


def histories(tier: str) -> pd.DataFrame:
    """One row an epoch of every network of Table 2: ``method``, ``size`` (%), ``run``, ``epoch``, ``score`` (validation
    macro F1).
    """
    found = cells.runs(cells.current(shared.TABLE2, tier), tier)
    rows = [(run.method, run.size, run.number, row["epoch"], row["validation_score"])
            for run, body in found for row in body.history]
    return pd.DataFrame(rows, columns=["method", "size", "run", "epoch", "score"])


def validation_curves(frame: pd.DataFrame, size: int) -> plt.Figure:
    """Figure 3 for one share of the data set: each pretraining against random weights, mean over runs and their range.

    ``frame``: ``histories``. A vertical line marks the median epoch at which a run has ``share_of_best`` of its best.
    """
    figure, grid = plt.subplots(2, 2, figsize=(figures.WIDTH, 5.8), sharex=True, sharey=True)
    own = frame[frame["size"] == size]
    for axes, method in zip(grid.flat, shared.PRETRAINED, strict=True):
        for name in ("random", method):
            _band(axes, own[own["method"] == name], name)
        shared.pending_unless(axes, (own["method"] == method).any())
        axes.set_title(METHODS[method])
    return figures.labelled(figure, grid, "epoch", "macro F1, validation part", 3)


def _band(axes: plt.Axes, rows: pd.DataFrame, method: str) -> None:
    """Mean and range over runs by epoch, as long as half of the runs go on."""
    if rows.empty:
        return
    by_run, colour = rows.pivot(index="epoch", columns="run", values="score"), figures.COLOURS[method]
    by_run = by_run[by_run.notna().sum(axis=1) >= by_run.shape[1] / 2]
    figures.band(axes, by_run, by_run.mean(axis=1), colour, alpha=0.15, label=shared.short(method).lower())
    axes.axvline(np.median(_epochs(rows)), color=colour, linestyle=":" if method == "random" else "--", linewidth=1.2,
                 label=f"{100 * share_of_best():g} % of the best (vertical)" if method == "random" else None)


def _epochs(rows: pd.DataFrame) -> list[int]:
    return [sources.epochs_to(own.sort_values("epoch")["score"], share_of_best()) for _, own in rows.groupby("run")]


def speed(frame: pd.DataFrame) -> pd.DataFrame:
    """``histories`` by share and method: median epoch at ``share_of_best`` of a run's best, best and first score."""
    entry, rows = experiments.load(shared.TABLE2), []
    for size, method in itertools.product(sorted(entry.columns, reverse=True), entry.inits):
        own = frame[(frame["method"] == method) & (frame["size"] == size)]
        epochs, found = _epochs(own), (PENDING, PENDING, PENDING)
        if epochs:
            found = (f"{np.median(epochs):g} ({min(epochs)} to {max(epochs)})",
                     f1(own.groupby("run")["score"].max().mean()), f1(own.loc[own["epoch"] == 1, "score"].mean()))
        rows.append((entry.column_words(size), METHODS[method], len(epochs), *found))
    return pd.DataFrame(rows, columns=[
        "Data used", "Initialisation", "n", f"Epochs to {100 * share_of_best():g} % of the best: median (range)",
        "Best validation score, mean", "After the first epoch, mean"])
