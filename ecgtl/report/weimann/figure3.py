"""Weimann 2021, Figure 3: validation F1 by epoch."""

import itertools

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ecgtl import experiments, statistics
from ecgtl.analysis import cells, claims, correlations, sources
from ecgtl.analysis.names import METHODS, PENDING, f1
from ecgtl.report import alt, figures
from ecgtl.report.weimann import shared

CAPTION = ("Macro F1 on the validation set by epoch: random weights, and what each pretraining adds to them, with 95 % "
           "intervals over runs (Welch). Triangles: the epoch at which half of the runs come near their own best.")


def share_of_best() -> float:
    """How soon does a run come this near to its own best validation score?"""
    return claims.claims(shared.PAPER)["W7"]["share"]


def histories(tier: str) -> pd.DataFrame:
    """One row an epoch of every network of Table 2: ``method``, ``size`` (%), ``run``, ``epoch``, ``score`` (validation
    macro F1).
    """
    return pd.DataFrame([(run.method, run.size, run.number, row["epoch"], row["validation_score"])
                         for run, body in cells.runs(cells.current(shared.TABLE2, tier), tier) for row in body.history],
                        columns=["method", "size", "run", "epoch", "score"])


def differences(frame: pd.DataFrame, size: int, method: str) -> pd.DataFrame:
    """A pretraining minus random weights by epoch (the index): ``value``, ``low`` and ``high`` (Welch, over runs).

    ``frame``: ``histories``. As long as half of the runs of either go on; fewer than ``MIN_RUNS`` give no limits.
    """
    first, second = (_by_run(frame, size, name) for name in (method, "random"))
    epochs = first.index.intersection(second.index)
    found = [statistics.welch(statistics.Sample.of(first.loc[epoch].dropna()),
                              statistics.Sample.of(second.loc[epoch].dropna())) for epoch in epochs]
    return pd.DataFrame([(one.value, one.low, one.high) for one in found], epochs, ["value", "low", "high"])


def _by_run(frame: pd.DataFrame, size: int, method: str) -> pd.DataFrame:
    """Scores by epoch and run, as long as half of the runs go on."""
    rows = _rows(frame, size, method).pivot(index="epoch", columns="run", values="score")
    return rows[rows.notna().sum(axis=1) >= rows.shape[1] / 2]


def _rows(frame: pd.DataFrame, size: int | str, method: str) -> pd.DataFrame:
    return frame[(frame["size"] == size) & (frame["method"] == method)]


def started(frame: pd.DataFrame, size: int) -> list[str]:
    """The pretrainings with runs at a share of the data set."""
    return [method for method in shared.PRETRAINED if len(_rows(frame, size, method))]


def waiting(frame: pd.DataFrame, size: int) -> list[str]:
    """Those without, in words."""
    return [METHODS[method] for method in shared.PRETRAINED if method not in started(frame, size)]


def validation_curves(frame: pd.DataFrame, size: int) -> plt.Figure | None:
    """Figure 3 for one share of the data set: random weights, and what each pretraining adds to them by epoch.

    ``frame``: ``histories``. Triangles mark the median epoch at which a run has ``share_of_best`` of its best.
    """
    base, methods = _by_run(frame, size, "random"), started(frame, size)
    if base.empty or not methods:
        return None
    figure, grid = plt.subplots(1 + len(methods), 1, figsize=(figures.WIDTH, 1.7 + 1.25 * len(methods)), sharex=True)
    figures.band(grid[0], base, base.mean(axis=1), figures.INK)
    grid[0].set(title="Random weights: mean and range over runs", ylabel="macro F1")
    _mark(grid[0], _rows(frame, size, "random"), figures.INK)
    over = {method: differences(frame, size, method) for method in methods}
    reach = max(0.01, *(2 * found["value"].abs().max() for found in over.values()))  # lines decide, not a wide band
    for axes, (method, found) in zip(grid[1:], over.items(), strict=True):
        figures.band(axes, found, found["value"], figures.COLOURS["beat"])
        axes.axhline(0, color=figures.INK, linewidth=0.9)
        axes.set(title=f"{METHODS[method]} − random weights", ylabel="difference", ylim=(-reach, reach))
        _mark(axes, _rows(frame, size, method), figures.COLOURS["beat"])
    figures.whole_epochs(grid[-1])
    return figures.legend_below(figure, [grid[0], grid[-1]], 1)


def _mark(axes: plt.Axes, rows: pd.DataFrame, colour: str) -> None:
    """A triangle at the median epoch, on the lower edge, where no line hides it."""
    axes.plot([np.median(_epochs(rows))], [0], "^", color=colour, markersize=7, clip_on=False, zorder=5,
              transform=axes.get_xaxis_transform(),
              label=f"median epoch with {100 * share_of_best():g} % of a run's best")


def curves_said(frame: pd.DataFrame, size: int) -> str:
    """What ``validation_curves`` says: the difference in the last epoch, and how soon runs come near their best."""
    last = {shared.short(method): correlations.Interval(*found.iloc[-1]) for method in started(frame, size)
            if len(found := differences(frame, size, method))}
    soon = {shared.short(method): np.median(_epochs(_rows(frame, size, method)))
            for method in ("random", *started(frame, size)) if len(_rows(frame, size, method))}
    return alt.by_panel({
        f"Validation macro F1 minus that of random weights in the last epoch, {size} %": alt.beside_zero(last),
        f"Median epoch with {100 * share_of_best():g} % of the best": alt.ordered(soon, "{:g}".format)})


def _epochs(rows: pd.DataFrame) -> list[int]:
    return [sources.epochs_to(own.sort_values("epoch")["score"], share_of_best()) for _, own in rows.groupby("run")]


def speed(frame: pd.DataFrame) -> pd.DataFrame:
    """``histories`` by share and method: median epoch at ``share_of_best`` of a run's best, best and first score."""
    entry, rows = experiments.load(shared.TABLE2), []
    for size, method in itertools.product(sorted(entry.columns, reverse=True), entry.inits):
        own, found = _rows(frame, size, method), (PENDING, PENDING, PENDING)
        if epochs := _epochs(own):
            found = (f"{np.median(epochs):g} ({min(epochs)} to {max(epochs)})",
                     f1(own.groupby("run")["score"].max().mean()), f1(own.loc[own["epoch"] == 1, "score"].mean()))
        rows.append((entry.column_words(size), METHODS[method], len(epochs), *found))
    return pd.DataFrame(rows, columns=[
        "Data used", "Initialisation", "n", f"Epochs to {100 * share_of_best():g} % of the best: median (range)",
        "Best validation score, mean", "After the first epoch, mean"])
