"""Jang 2021, Figure 3: how the learning curve index comes about."""

import inspect
import itertools
import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ecgtl import metrics, paths
from ecgtl.analysis.names import PENDING, f1
from ecgtl.errors import EcgtlError
from ecgtl.report import alt, figures
from ecgtl.report.jang import shared
from ecgtl.report.words import percent

Curve = Sequence[float] | np.ndarray
EXAMPLES: dict[str, Curve] = paths.facts("report/jang/examples")
EXAMPLE_STYLES = {"steady": ("#0072B2", "-", "o"), "low": ("#009E73", "--", "s"),
                  "swinging": ("#D55E00", "-.", "^"), "dropping": ("#000000", ":", "D")}


def index_parts(scores: Curve) -> dict[str, float]:
    """What the index of test F1 by epoch is made of.

    ``rises`` and ``falls`` (numbers), ``rise`` and ``fall`` (mean sizes), ``best``, the ``index`` itself as
    ``metrics.learning_curve_index`` gives it, and ``sums``, the other reading: the sum of rises over the sum
    of falls, times the best score, infinite without a fall. Source: Jang 2021, section II.4(3).
    """
    rises, falls = _rises_and_falls(scores)
    best = float(np.max(scores))
    return {"rises": len(rises), "rise": float(rises.mean()) if len(rises) else 0.0,
            "falls": len(falls), "fall": float(falls.mean()) if len(falls) else 0.0, "best": best,
            "index": metrics.learning_curve_index(scores),
            "sums": float(rises.sum() / falls.sum() * best) if len(falls) else math.inf}


def _rises_and_falls(scores: Curve) -> tuple[np.ndarray, np.ndarray]:
    steps = np.diff(np.asarray(scores, float))
    return steps[steps > 0], -steps[steps < 0]


def index_anatomy(frame: pd.DataFrame, experiment: str) -> pd.DataFrame:
    """Means over trials of what the index is made of, by size and arm; ``frame`` is that of ``curves``."""
    words = {"rises": "Rises", "rise": "Mean rise", "falls": "Falls", "fall": "Mean fall", "best": "Best F1",
             "index": "Index", "sums": "With sums"}
    rows = []
    for size, method in itertools.product(shared.sizes(experiment), ("random", "cae")):
        found = pd.DataFrame(map(index_parts, shared.trials_of(frame, method, size)), columns=[*words])
        texts = [(f"{value:.1f}" if name in ("rises", "falls") else f1(value)) if len(found) else PENDING
                 for name, value in found.mean().items()]
        rows.append((percent(size), shared.ARMS[method], len(found), *texts))
    return pd.DataFrame(rows, columns=["Data used", "Arm", "n", *words.values()])


def examples_figure() -> plt.Figure:
    """The rises and falls of one made-up curve (A), and four curves with their index (B)."""
    figure, (upper, lower) = plt.subplots(2, 1, figsize=(figures.WIDTH, 5.6), sharex=True, sharey=True)
    _draw_steps(upper, "dropping")
    for name, scores in EXAMPLES.items():
        colour, dash, marker = EXAMPLE_STYLES[name]
        lower.plot(range(1, len(scores) + 1), scores, dash, color=colour, marker=marker, markersize=4,
                   label=f"{name}: {f1(metrics.learning_curve_index(scores))}")
    lower.set(title="B. Four curves and their index", xlabel="epoch", ylim=(0, 0.9))
    for axes in (upper, lower):
        axes.set_ylabel("F1, test set")
    return figures.legend_below(figure, (upper, lower), 2)


def examples_said() -> str:
    """What ``examples_figure`` says: the index of every curve."""
    return alt.by_panel({"Learning curve index": alt.ordered(
        {name: metrics.learning_curve_index(scores) for name, scores in EXAMPLES.items()})})


def _draw_steps(axes: plt.Axes, name: str) -> None:
    """Every rise and fall of a made-up curve with its size."""
    for epoch, (before, after) in enumerate(itertools.pairwise(EXAMPLES[name]), start=1):
        label, colour, dash, below = ("rise", "#0072B2", "-", -12) if after > before else ("fall", "#D55E00", "--", 8)
        axes.plot([epoch, epoch + 1], [before, after], dash, color=colour, linewidth=2.4, label=label)
        axes.plot([epoch, epoch + 1], [before, after], "o", color="#000000", markersize=4)
        axes.annotate(f1(after - before, True), (epoch + 0.5, (before + after) / 2), xytext=(5, below),
                      textcoords="offset points")
    parts = {part: f1(value) for part, value in index_parts(EXAMPLES[name]).items()}
    axes.set_title(f"A. “{name}”: " + "mean rise {rise}, fall {fall}, best {best}".format_map(parts))


def examples_table() -> pd.DataFrame:
    """The index of the made-up curves, step by step, and what sums in place of means would give."""
    rows = []
    for name, scores in EXAMPLES.items():
        parts = index_parts(scores)
        rises, falls = (", ".join(f"{step:.2f}"[1:] for step in steps) for steps in _rises_and_falls(scores))
        rows.append({"Curve": name, "Rises": rises, "Mean rise": f1(parts["rise"]), "Falls": falls,
                     "Mean fall": f1(parts["fall"]), "Ratio": f1(parts["rise"] / parts["fall"]),
                     "Best F1": f1(parts["best"]), "Index": f1(parts["index"]), "With sums": f1(parts["sums"])})
    return pd.DataFrame(rows)


def limits_table() -> pd.DataFrame:
    """What the index gives for a curve without falls, without rises, without either, or of a single epoch."""
    steady = np.array(EXAMPLES["steady"])
    made = {"never falls (the steady curve, its falls made flat)": np.maximum.accumulate(steady),
            "never rises (the steady curve, sorted downwards)": np.sort(steady)[::-1],
            "does not move": np.full_like(steady, steady.max()), "has one epoch": steady[:1]}
    return pd.DataFrame({"A curve that …": made.keys(), "Index": map(_index_or_error, made.values())})


def _index_or_error(scores: Curve) -> str:
    try:
        return f"{metrics.learning_curve_index(scores):,.0f}"
    except EcgtlError as error:
        return f"error: {error}"


def epsilon() -> str:
    """The number that keeps the index finite, as it is set here."""
    return f"{inspect.signature(metrics.learning_curve_index).parameters['eps'].default:g}"


def trials_below_best() -> pd.DataFrame:
    """How many printed trials have an index below the best F1 of their number, and below all of the cell.

    Their mean rise is smaller than their mean fall. With sums they would have to end below their first epoch.
    """
    rows = []
    for method, size, found in shared.printed_cells("table3"):
        index, best = np.array(found["trials"]), shared.printed_trials("table2", method, size).to_numpy()
        rows.append((shared.heading(method, size), len(index), (index < best).sum(), (index < best.min()).sum()))
    return pd.DataFrame(rows, columns=["Cell", "Trials", "Index below the trial's best F1",
                                       "Index below every best F1 of the cell"])
