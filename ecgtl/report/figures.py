"""One house style for every figure: colour-blind safe, units on axes, uncertainty drawn, ECG on its own paper."""

import hashlib
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator

from ecgtl.analysis.names import METHODS
from ecgtl.datasets import leads
from ecgtl.datasets.base import Recordings
from ecgtl.datasets.windows import Windows

# Okabe and Ito's palette: distinguishable with every common colour vision and in grey print
COLOURS = {"random": "#000000", "beat": "#0072B2", "rhythm": "#56B4E9", "heart_rate": "#009E73", "future": "#CC79A7",
           "cae": "#0072B2", "image": "#009E73", "random_matched": "#56B4E9", "majority": "#999999", "rr_boosting": "#D55E00"}
PAPER_COLOUR = "#E69F00"
MARKERS = {"random": "o", "random_matched": "p", "beat": "s", "rhythm": "^", "heart_rate": "D", "future": "v", "cae": "s",
           "image": "^", "majority": "_", "rr_boosting": "x"}
SECOND_MM, MILLIVOLT_MM = 25, 10  # ECG paper: 25 mm/s and 10 mm/mV
MM = 1 / 25.4  # inches

STYLE = {"figure.facecolor": "white", "axes.facecolor": "white", "savefig.facecolor": "white", "figure.dpi": 110,
         "font.size": 10, "axes.titlesize": 11, "axes.titlelocation": "left", "axes.spines.top": False,
         "axes.spines.right": False, "axes.grid": True, "axes.axisbelow": True, "grid.color": "#dddddd", "grid.linewidth": 0.6,
         "legend.frameon": False, "lines.linewidth": 1.6, "figure.constrained_layout.use": True}


def use_style() -> None:
    """Set matplotlib to the house style; the first cell of every notebook calls it."""
    plt.rcdefaults()
    plt.rcParams.update(STYLE)


def learning_curves(history: list[dict], chosen: int, reference: float | None = None, score: str = "macro F1") -> Figure:
    """Loss and score of the training, validation and test parts by epoch; ``chosen`` marks the reported epoch.

    ``score`` names the score; ``reference`` is that of the RR-interval baseline, drawn as a line.
    """
    table = pd.DataFrame(history)
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 3.4))
    for column, words, colour, dash in (("train", "training", "#000000", "-"), ("validation", "validation", "#0072B2", "--"),
                                        ("test", "test", "#D55E00", ":")):
        left.plot(table["epoch"], table[f"{column}_loss"], dash, color=colour, label=words)
        if column != "train":
            right.plot(table["epoch"], table[f"{column}_score"], dash, color=colour, label=words, marker="o", markersize=3)
    right.axvline(chosen, color="#777777", linewidth=1, label=f"reported epoch ({chosen})")
    if reference is not None:
        right.axhline(reference, color=COLOURS["rr_boosting"], linewidth=1, linestyle="-.", label="RR intervals alone")
    left.set(title="Loss", xlabel="epoch", ylabel="mean cross-entropy (nats)")
    right.set(title="Score", xlabel="epoch", ylabel=score, ylim=(0, 1))
    for axes in (left, right):
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend(fontsize=8)
    return figure


def reconstruction_curve(history: list[dict], chosen: int) -> Figure:
    """Reconstruction error of the training and validation part by epoch; ``chosen`` marks the epoch that is kept."""
    table = pd.DataFrame(history)
    figure, axes = plt.subplots(figsize=(6.0, 3.4))
    for column, words, colour, dash in (("train", "training (running mean)", "#000000", "-"),
                                        ("validation", "validation", "#0072B2", "--")):
        axes.plot(table["epoch"], table[f"{column}_loss"], dash, color=colour, label=words, marker="o", markersize=3)
    axes.axvline(chosen, color="#777777", linewidth=1, label=f"kept epoch ({chosen})")
    axes.set(title="Reconstruction error", xlabel="epoch", ylabel="squared error, summed over a window\n(z-scores squared)")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.legend(fontsize=8)
    return figure


def reconstructions(windows: Windows, model: torch.nn.Module, indices: Sequence[int], synthetic: bool = False) -> Figure:
    """Windows at ``indices`` and what ``model`` (on the CPU) makes of them, one panel each, with their squared errors.

    The panels name recording and sampling rate; windows are z-scored, so the vertical axis has no unit.
    """
    x = windows.take(indices)
    with torch.no_grad():
        y = model.eval()(torch.from_numpy(x)).numpy()
    seconds = np.arange(windows.n_samples) / windows.rate
    figure, panels = plt.subplots(len(x), 1, figsize=(8.5, 1.9 * len(x) + 0.5), sharex=True, squeeze=False)
    for axes, original, made, (name, record, start) in zip(panels[:, 0], x[:, 0], y[:, 0], windows.origin(indices), strict=True):
        axes.plot(seconds, original, color="#111111", linewidth=0.9, label="original")
        axes.plot(seconds, made, color=COLOURS["cae"], linewidth=1.2, linestyle="--", label="reconstruction")
        axes.set_title(f"{name} {record} from {start:.1f} s: {windows.rate:g} Hz, summed squared error "
                       f"{np.square(original - made).sum():.0f}{', synthetic' if synthetic else ''}", fontsize=9)
        axes.set_ylabel("z-score")
    panels[-1, 0].set_xlabel("time in the window (s)")
    figure.legend(*panels[0, 0].get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=2)
    return figure


def confusion(counts: np.ndarray, classes: list[str]) -> Figure:
    """Confusion matrix (true classes in rows): shares of each true class as shade, counts as figures.

    ``counts`` (classes, classes), or with one more column: the recordings of each class, where they have several labels.
    """
    several = counts.shape[1] > len(classes)
    totals = counts[:, -1:] if several else counts.sum(axis=1, keepdims=True)
    counts = counts[:, :len(classes)]
    shares = counts / np.maximum(totals, 1)
    names = [name.replace("_", " ") for name in classes]
    upright = max(map(len, names)) * len(names) > 40  # names side by side would run into each other
    side = 3.8 + 0.45 * max(0, len(names) - 4)
    figure, axes = plt.subplots(figsize=(side + 0.8, side))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.ndindex(counts.shape):
        axes.text(j, i, f"{counts[i, j]}", ha="center", va="center", color="white" if shares[i, j] > 0.55 else "black")
    axes.set(xticks=range(len(names)), yticks=range(len(names)), yticklabels=names,
             xlabel="predicted class", ylabel="true class", title="Test recordings")
    axes.set_xticklabels(names, rotation=90 if upright else 0)
    axes.grid(False)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    return figure


def size_curve(table: pd.DataFrame, values: dict[tuple[str, int], tuple[float, ...]], score: str = "macro F1",
               whole: str = "data set") -> Figure:
    """A score by the share of ``whole`` that trains: the paper's mean and SD beside our runs and interval.

    ``table`` is ``tables.comparison``; ``values`` maps (method, size) to the scores of single runs.
    """
    figure, axes = plt.subplots(figsize=(7.2, 4.8))
    ours = table[table["n"].gt(0)]
    paper = table[table["paper"].notna() & table["method"].isin(ours["method"])]
    for method, rows in paper.groupby("method", sort=False):
        axes.errorbar(rows["size"] - 0.9, rows["paper"], yerr=rows["paper_sd"], color=PAPER_COLOUR, marker=MARKERS[method],
                      linestyle="--", capsize=4, label=f"paper: {METHODS[method]} (mean ± SD)")
    for shift, (method, rows) in enumerate(ours.groupby("method", sort=False)):
        if method == "majority":
            axes.axhline(rows["ours"].mean(), color=COLOURS[method], linestyle=":", label=METHODS[method])
            continue
        at = rows["size"] + 0.9 * (shift + 1)
        axes.errorbar(at, rows["ours"], yerr=[rows["ours"] - rows["low"], rows["high"] - rows["ours"]], capsize=4,
                      color=COLOURS[method], marker=MARKERS[method], label=f"ours: {METHODS[method]} (95 % interval)")
        for x, size in zip(at, rows["size"], strict=True):
            scores = values[method, size]
            axes.plot(np.full(len(scores), x + 0.6), scores, ".", color=COLOURS[method], alpha=0.6, markersize=5)
    axes.set(xlabel=f"share of the {whole} used for training (%)", ylabel=f"{score} on the test part",
             xticks=sorted(table["size"].unique()))
    figure.legend(*axes.get_legend_handles_labels(), fontsize=8, loc="outside lower center", ncols=2)
    return figure


def strip(recordings: Recordings, i: int, seconds: float, lead: int | str = 0, start: float = 0.0) -> Figure:
    """``seconds`` of one lead on ECG paper (25 mm/s, 10 mm/mV at full size), sampling rate and lead named."""
    rate = recordings.sampling_rate[i]
    x = recordings.lead(i, lead)[int(start * rate):int((start + seconds) * rate)]
    low, high = _paper_limits(x)
    width, height = seconds * SECOND_MM * MM, (high - low) * MILLIVOLT_MM * MM
    figure, axes = plt.subplots(figsize=(width + 0.7, height + 0.8))
    axes.plot(start + np.arange(len(x)) / rate, x, color="#111111", linewidth=0.8)
    _paper(axes)
    axes.set(xlim=(start, start + seconds), ylim=(low, high), xlabel="time (s)", ylabel="mV", aspect=MILLIVOLT_MM / SECOND_MM)
    label = "" if recordings.multi_label or recordings.labels[i] < 0 else f", {recordings.classes[recordings.labels[i]]}"
    name = recordings.leads[i, recordings.lead_index(i, lead)]
    made = ", synthetic" if recordings.synthetic else ""
    axes.set_title(f"{recordings.name} {recordings.ids[i]}{label}: lead {name}, {rate:g} Hz{made}", fontsize=9)
    return figure


def one_of_each(recordings: Recordings, seconds: float, lead: int | str = 0) -> list[Figure]:
    """A strip of the first recording of each class that is long enough and has ``lead``; of the first three where there are no classes.

    Raises EcgtlError when none has the lead.
    """
    leads.check(recordings, (lead,), "skip")
    long_enough = np.flatnonzero((recordings.durations >= seconds) & (np.array(leads.missing(recordings, (lead,))) == ""))
    if recordings.multi_label or (recordings.labels < 0).all():
        chosen = long_enough[:3]
    else:
        found, first = np.unique(recordings.labels[long_enough], return_index=True)
        chosen = long_enough[first[found >= 0]]
    return [strip(recordings, i, seconds, lead) for i in chosen]


def _paper_limits(x: np.ndarray) -> tuple[float, float]:
    """Whole half-millivolts around nearly all of the signal, so that one artefact does not flatten the rest."""
    low, high = np.percentile(x, [0.2, 99.8])
    low, high = np.floor(2 * low - 0.4) / 2, np.ceil(2 * high + 0.4) / 2
    middle = (low + high) / 2
    return max(low, middle - 2.5), min(high, middle + 2.5)


def _paper(axes: Axes) -> None:
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


def class_counts(recordings: Recordings) -> Figure:
    """Recordings per class, and the distribution of their lengths."""
    counts = recordings.counts()
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.5, 2.8))
    bars = left.barh(list(counts), list(counts.values()), color="#0072B2")
    left.bar_label(bars, padding=3)
    left.set(xlabel="recordings", title="Classes", xmargin=0.15)
    left.invert_yaxis()
    right.hist(recordings.durations, bins=30, color="#0072B2")
    right.set(xlabel="length (s)", ylabel="recordings", title="Lengths", yscale="log")
    return figure


def digest(figure: Figure, digits: int = 3) -> str:
    """Eight hex digits over everything that is plotted in ``figure``, rounded: nbval compares this, not pixels."""
    numbers = []
    for axes in figure.axes:
        numbers += [np.asarray(line.get_xydata(), float) for line in axes.get_lines()]
        numbers += [np.array([[p.get_x(), p.get_width(), p.get_height()]]) for p in axes.patches]
        numbers += [np.asarray(image.get_array(), float) for image in axes.images]
    flat = np.concatenate([n.ravel() for n in numbers]) if numbers else np.zeros(0)
    text = ",".join(f"{v:.{digits}g}" for v in np.where(np.isfinite(flat), flat + 0.0, 0.0))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def labelled(figure: Figure, grid: np.ndarray, x: str, y: str = "", columns: int = 2) -> Figure:
    """The figure with ``x`` below the last row of its panels (rows, columns), ``y`` beside the first column, and one legend."""
    for axes in grid[-1]:
        axes.set_xlabel(x)
    for axes in grid[:, 0]:
        axes.set_ylabel(y)
    legend_below(figure, grid.flat, columns)
    return figure


def legend_below(figure: Figure, panels: Iterable[Axes], columns: int = 2) -> None:
    """One legend below the figure with each label of its panels once."""
    found = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        figure.legend(found.values(), found.keys(), fontsize=8, loc="outside lower center", ncols=columns)
