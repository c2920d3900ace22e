"""Jang 2021, Figure 5: learning curves."""

import itertools

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ecgtl.analysis.names import METHODS, PENDING, f1
from ecgtl.report import alt, figures, words
from ecgtl.report.jang.shared import NAMES, cell, sizes, trials_of

ARMS = ("image", "random", "cae")  # in the order in which they are drawn


def learning_curves(frame: pd.DataFrame, experiment: str) -> plt.Figure | None:
    """Test score by epoch, one panel a size; ``frame`` is that of ``curves``. None without any.

    Random weights and the autoencoder: each trial as a thin line, their median as a thick one; of the image
    arm the median alone.
    """
    places = [size for size in sizes(experiment) if (frame["size"] == size).any()]
    if not places:
        return None
    figure, grid = plt.subplots(len(places), 1, figsize=(figures.WIDTH, 1 + 2 * len(places)), sharex=True, sharey=True,
                                squeeze=False)
    for axes, size in zip(grid[:, 0], places, strict=True):
        for method in ARMS:
            by_trial = cell(frame, method, size).pivot(index="epoch", columns="trial", values="score")
            if len(by_trial) and method != "image":
                axes.plot(by_trial.index, by_trial, color=figures.COLOURS[method], linewidth=0.5, alpha=0.35)
            if len(by_trial):
                axes.plot(by_trial.index, by_trial.median(axis=1), ":" if method == "image" else "-",
                          color=figures.COLOURS[method], linewidth=1.8, label=f"{METHODS[method]}, median")
        axes.set(title=f"{NAMES[experiment]}: {size} % of the training set", ylabel="weighted F1, test set",
                 ylim=(0, 1))
    grid[-1, 0].set_xlabel("epoch")
    return figures.legend_below(figure, grid[:, 0], 1)


def curves_said(frame: pd.DataFrame, experiment: str) -> str:
    """What ``learning_curves`` says: the medians of the last epoch, size by size."""
    last = frame.loc[frame.groupby(["method", "size", "trial"])["epoch"].idxmax()]
    return "Median F1 of the last epoch. " + alt.by_panel(
        {f"{size} %": alt.ordered({METHODS[method]: cell(last, method, size)["score"].median() for method in ARMS})
         for size in sizes(experiment)})


def stability(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """How the curves end and how deep they fall, means over trials; ``frame`` is that of ``curves``."""
    rows = []
    for size, method in itertools.product(sizes(experiment), ("random", "cae", "image")):
        found = [(y.max(), y.argmax() + 1, y[-1], y.max() - y[-1], -np.diff(y, prepend=y[0]).min())
                 for y in trials_of(frame, method, size)]
        best, epoch, *others = np.mean(found, axis=0) if found else [np.nan] * 5
        texts = (f1(best), f"{epoch:.0f}", *map(f1, others)) if found else [PENDING] * 5
        rows.append((words.percent(size), METHODS[method], len(found), *texts))
    return pd.DataFrame(rows, columns=["Data used", "Initialisation", "n", "Best F1", "Best epoch", "Last F1",
                                       "Best − last", "Deepest fall in one epoch"])
