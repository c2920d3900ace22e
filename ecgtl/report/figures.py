"""One house style for every figure: colour-blind safe, units on axes, uncertainty drawn, ECG on its own paper."""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.patches import Rectangle
from matplotlib.ticker import MultipleLocator

from ecgtl import paths
from ecgtl.analysis.cells import Cell
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import PENDING
from ecgtl.datasets.recordings import Recordings
from ecgtl.signals.windows import Windows

# Okabe and Ito's palette: distinguishable with every common colour vision and in grey print
COLOURS = {"random": "#000000", "beat": "#0072B2", "rhythm": "#56B4E9", "heart_rate": "#009E73", "future": "#CC79A7",
           "cae": "#0072B2", "image": "#009E73", "random_matched": "#56B4E9", "majority": "#999999",
           "rr_boosting": "#D55E00"}
PAPER_COLOUR = "#E69F00"
SETS = {"train": ("#000000", "-"), "validation": ("#0072B2", "--"), "test": ("#D55E00", ":")}
MARKERS = {"random": "o", "random_matched": "p", "beat": "s", "rhythm": "^", "heart_rate": "D", "future": "v",
           "cae": "s", "image": "^", "majority": "_", "rr_boosting": "x"}
SECOND_MM, MILLIVOLT_MM = 25, 10  # ECG paper: 25 mm/s and 10 mm/mV
MM = 1 / 25.4  # inches
INK, GREY = "#111111", "#555555"
WIDTH = 5.6  # inches of a figure: its words can still be read on a narrow screen


def use_style() -> None:
    """Set matplotlib to the house style; the first cell of every notebook calls it."""
    plt.rcdefaults()
    plt.style.use(paths.PACKAGE / "report" / "ecgtl.mplstyle")


def by_epoch(axes: plt.Axes, history: list[dict], score: str, words: dict[str, str], **style) -> None:
    """A line a set for ``<set>_<score>`` of a training's ``history``; ``words`` names the sets."""
    table = pd.DataFrame(history)
    for part, label in words.items():
        colour, dash = SETS[part]
        axes.plot(table["epoch"], table[f"{part}_{score}"], dash, color=colour, label=label, **style)
    whole_epochs(axes)


def whole_epochs(axes: plt.Axes) -> None:
    """Epochs on the horizontal axis, without halves between them."""
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)  # type: ignore[call-arg]


def traces(shown: Sequence[tuple[str, list[tuple[np.ndarray, dict]]]], rate: float, height: float, ylabel: str,
           xlabel: str, sharex: bool = True) -> plt.Figure:
    """Signals one below the other, each panel with its title and its lines (samples, matplotlib's style)."""
    figure, panels = plt.subplots(len(shown), 1, figsize=(8.5, height), sharex=sharex, squeeze=False)
    for axes, (title, lines) in zip(panels[:, 0], shown, strict=True):
        for y, style in lines:
            axes.plot(np.arange(len(y)) / rate, y, **style)
        axes.set_title(title, fontsize=9)
        axes.set_ylabel(ylabel)
    panels[-1, 0].set_xlabel(xlabel)
    return figure


def reconstructions(windows: Windows, model: torch.nn.Module, indices: Sequence[int], synthetic: bool) -> plt.Figure:
    """Windows at ``indices`` and what ``model`` (on the CPU) makes of them, a panel each, with their squared errors.

    The panels name recording and sampling rate; windows are z-scored, so the vertical axis has no unit.
    """
    x, shown = windows.take(indices), []
    with torch.no_grad():
        y = model.eval()(torch.from_numpy(x)).numpy()
    for original, made, (name, record, start) in zip(x[:, 0], y[:, 0], windows.origin(indices), strict=True):
        shown.append((f"{name} {record} from {start:.1f} s: {windows.rate:g} Hz, summed squared error "
                      f"{np.square(original - made).sum():.0f}{', synthetic' if synthetic else ''}",
                      [(original, {"color": INK, "linewidth": 0.9, "label": "original"}),
                       (made, {"color": COLOURS["cae"], "linewidth": 1.2, "ls": "--", "label": "reconstruction"})]))
    figure = traces(shown, windows.rate, 1.9 * len(x) + 0.5, "z-score", "time in the window (s)")
    legend_below(figure, figure.axes[:1])
    return figure


def series(axes: plt.Axes, at: pd.Series, rows: pd.DataFrame, cells: dict[tuple, Cell], label: str,
           beside: float = 0, dot: float = 4, **style) -> None:
    """Our means of one method at ``at`` with their 95 % intervals, and the single runs ``beside`` them.

    ``rows`` of ``tables.comparison``; ``cells`` (``tables.cells``) hold the single runs, where these are to be drawn.
    """
    bars = [(rows["ours"] - rows["low"]).fillna(0), (rows["high"] - rows["ours"]).fillna(0)]  # too few runs: none
    method = rows["method"].iloc[0]
    axes.errorbar(at, rows["ours"], bars, color=COLOURS[method], marker=MARKERS[method], label=label, **style)
    for x, size in zip(at, rows["size"], strict=True):
        runs = cells[method, size].values if cells else ()
        axes.plot(np.full(len(runs), x + beside), runs, ".", color=COLOURS[method], alpha=0.6, markersize=dot)


def strip(recordings: Recordings, i: int, seconds: float, lead: int | str = 0) -> plt.Figure:
    """The first ``seconds`` of one lead on ECG paper (25 mm/s, 10 mm/mV at full size), sampling rate and lead named."""
    rate = recordings.sampling_rate[i]
    x = recordings.lead(i, lead)[:int(seconds * rate)]
    low, high = _paper_limits(x)
    width, height = seconds * SECOND_MM * MM, (high - low) * MILLIVOLT_MM * MM
    figure, axes = plt.subplots(figsize=(width + 0.7, height + 0.8))
    axes.plot(np.arange(len(x)) / rate, x, color=INK, linewidth=0.8)
    _paper(axes)
    axes.set(xlim=(0, seconds), ylim=(low, high), xlabel="time (s)", ylabel="mV", aspect=MILLIVOLT_MM / SECOND_MM)
    one = not recordings.multi_label and recordings.labels[i] >= 0
    label = f", {recordings.classes[recordings.labels[i]]}" if one else ""
    name = recordings.leads[i, recordings.lead_index(i, lead)]
    made = ", synthetic" if recordings.synthetic else ""
    axes.set_title(f"{recordings.name} {recordings.ids[i]}{label}: lead {name}, {rate:g} Hz{made}", fontsize=9)
    return figure


def _paper_limits(x: np.ndarray) -> tuple[float, float]:
    """Whole half-millivolts around nearly all of the signal, so that one artefact does not flatten the rest."""
    low, high = np.percentile(x, [0.2, 99.8])
    low, high = np.floor(2 * low - 0.4) / 2, np.ceil(2 * high + 0.4) / 2
    middle = (low + high) / 2
    return max(low, middle - 2.5), min(high, middle + 2.5)


def _paper(axes: plt.Axes) -> None:
    axes.xaxis.set_major_locator(MultipleLocator(1))
    axes.xaxis.set_minor_locator(MultipleLocator(0.04))
    axes.yaxis.set_major_locator(MultipleLocator(0.5))
    axes.yaxis.set_minor_locator(MultipleLocator(0.1))
    axes.grid(which="minor", color="#f6dada", linewidth=0.4)
    axes.grid(which="major", axis="y", color="#eab0b0", linewidth=0.7)
    # Large squares are 0.2 s wide; labels stand at whole seconds only
    low, high = axes.get_xlim()
    for x in np.arange(np.floor(low * 5) / 5, high + 0.2, 0.2):
        axes.axvline(x, color="#eab0b0", linewidth=0.7, zorder=0)
    axes.tick_params(which="minor", length=0)
    axes.spines[["top", "right"]].set_visible(True)


def digest(figure: plt.Figure, digits: int = 3) -> str:
    """Eight hex digits over everything that is plotted in ``figure``, rounded: nbval compares this, not pixels."""
    numbers = []
    for axes in figure.axes:
        numbers += [np.asarray(line.get_xydata(), float) for line in axes.get_lines()]
        numbers += [np.array([[p.get_x(), p.get_width(), p.get_height()]]) for p in axes.patches
                    if isinstance(p, Rectangle)]
        numbers += [np.asarray(image.get_array(), float) for image in axes.images]
    flat = np.concatenate([n.ravel() for n in numbers]) if numbers else np.zeros(0)
    text = ",".join(f"{v:.{digits}g}" for v in np.where(np.isfinite(flat), flat + 0.0, 0.0))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def labelled(figure: plt.Figure, grid: np.ndarray, x: str, y: str = "", columns: int = 2) -> plt.Figure:
    """The figure with ``x`` below the last row of its ``grid``, ``y`` beside the first column, and one legend."""
    for axes in grid[-1]:
        axes.set_xlabel(x)
    for axes in grid[:, 0]:
        axes.set_ylabel(y)
    legend_below(figure, grid.flat, columns)
    return figure


def legend_below(figure: plt.Figure, panels: Iterable[plt.Axes], columns: int = 2) -> None:
    """One legend below the figure with each label of its panels once."""
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        figure.legend([*found.values()], [*found], fontsize=8, loc="outside lower center", ncols=columns)


def pending(axes: plt.Axes, y: float = 0.5, text: str = f"{PENDING}: no run yet", **style: Any) -> None:
    """Say in a panel that nothing has been run yet, at the height ``y``."""
    words: dict[str, Any] = {"transform": axes.transAxes, "ha": "center", "va": "center", "color": GREY} | style
    axes.text(0.5, y, text, **words)


def finished(figure: plt.Figure, panels: Iterable[plt.Axes], columns: int = 2) -> plt.Figure:
    """The figure with a legend below; panels without a line say PENDING."""
    for axes in panels:
        if not axes.lines:
            pending(axes)
    legend_below(figure, panels, columns)
    return figure


def pending_row(axes: plt.Axes, y: float, x: float = 1) -> None:
    """The same of one line of a panel, at its right end."""
    axes.annotate(PENDING, (x, y), xycoords=("axes fraction", "data"), ha="right", va="center", fontsize=7, color=GREY)


def name_rows(axes: plt.Axes, names: Sequence[str], margin: float = 0.4) -> None:
    """The names of what lies on the lines of a panel, the first on top."""
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(max(len(names), 1) - margin, margin - 1))
    axes.tick_params(axis="y", labelsize=8)


def dot(axes: plt.Axes, found: Interval, at: float, colour: str, marker: str, upright: bool = False,
        **style: Any) -> None:
    """A value, where there is one, with its limits, where it has any: on the line ``at``, or ``upright`` above it."""
    if found.value is not None:
        x, y, reach = ([at], [found.value], "yerr") if upright else ([found.value], [at], "xerr")
        axes.errorbar(x, y, **{reach: found.reach, "color": colour, "marker": marker, "linestyle": "none"} | style)


def band(axes: plt.Axes, table: pd.DataFrame, middle: pd.Series, colour: str, dash: str = "-", alpha: float = 0.12,
         **style: Any) -> None:
    """The ``middle`` of the columns of ``table`` by its index, on a pale band from the lowest to the highest."""
    axes.fill_between(table.index, table.min(axis=1), table.max(axis=1), color=colour, alpha=alpha, linewidth=0)
    axes.plot(table.index, middle, dash, color=colour, **style)
