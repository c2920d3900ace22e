"""One house style for every figure: colour-blind safe, units on axes, uncertainty drawn, ECG on its own paper."""

import base64
import hashlib
import io
import math
import re
import string
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt
from matplotlib.artist import Artist
from matplotlib.patches import Rectangle
from matplotlib.ticker import MultipleLocator
from PIL import Image

from ecgtl import paths
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import PENDING
from ecgtl.datasets.recordings import Recordings
from ecgtl.signals.windows import Windows

# Okabe and Ito's palette: distinguishable with every common colour vision and in grey print
COLOURS = {"random": "#000000", "beat": "#0072B2", "rhythm": "#D55E00", "heart_rate": "#009E73", "future": "#CC79A7",
           "cae": "#0072B2", "image": "#009E73", "random_matched": "#56B4E9", "majority": "#999999",
           "rr_boosting": "#D55E00"}
PAPER_COLOUR = "#B87A00"  # the palette's orange, darker: it has to stand out from either ground
SETS = {"train": ("#000000", "-"), "validation": ("#0072B2", "--"), "test": ("#D55E00", ":")}
MARKERS = {"random": "o", "random_matched": "p", "beat": "s", "rhythm": "^", "heart_rate": "D", "future": "v",
           "cae": "s", "image": "^", "majority": "_", "rr_boosting": "x"}
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"), ("#000000", "P"),
          ("#B87A00", "X"), ("#999999", "<"), ("#7F7F00", ">"))  # a marker with each colour, where lines are many
SECOND_MM, MILLIVOLT_MM = 25, 10  # ECG paper: 25 mm/s and 10 mm/mV
MM = 1 / 25.4  # inches
LINE_SECONDS = 3.2  # of a strip: as much as a narrow figure has room for at full size
INK, GREY = "#111111", "#555555"
WIDTH = 4.0  # inches: text of 8 points, the smallest, has 9 pixels or more from a screen of 360 on
CSS_WIDTH = 560  # pixels of a figure where the page has room for it
PALETTE = 128  # colours of a PNG: a few inks and what is between them and the paper
_UNQUOTED = "".join(sorted(set(string.printable) - set('"#%&<>')))  # in the address of an image within a page


def use_style() -> None:
    """Set matplotlib to the house style; the first cell of every notebook calls it."""
    plt.rcdefaults()
    plt.style.use(paths.PACKAGE / "report" / "ecgtl.mplstyle")


def shown(figure: plt.Figure | None, caption: str, alt: str, pending: Iterable[str] = ()) -> HTML:
    """A figure for a page, with a visible ``caption`` and in words what it says (``alt``); it is closed.

    SVG, or PNG with two pixels a pixel of the page where that is smaller, on no ground of its own; the same figure
    gives the same bytes. ``pending`` names what it has no runs for; without a ``figure`` one line says PENDING.
    """
    missing = "; ".join(pending) or ("no run yet" if figure is None else "")
    said = Markup(" ").join([caption, *[f"{PENDING}: {missing}."] * bool(missing)])
    if figure is None:
        return HTML(Markup('<p class="ecgtl-pending">{}</p>').format(said))
    image = min(_svg(figure), _png(figure), key=len)
    plt.close(figure)
    # A ground for other readers of notebooks; the book's style sheet takes it away
    return HTML(Markup('<figure class="ecgtl-figure"><img alt="{}" src="{}" style="width:{}px;max-width:100%;'
                       'background:#fff"><figcaption>{}</figcaption></figure>').format(
                           " ".join(alt.split()), Markup(image), CSS_WIDTH, said))


def svg(figure: plt.Figure) -> str:
    """The figure as an SVG element; the same figure gives the same text."""
    written = io.StringIO()
    figure.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    drawn = written.getvalue()
    drawn = re.sub(r"<!--.*?-->", "", drawn[drawn.index("<svg"):])  # each text as a comment
    return re.sub(r"([1-9]\d*\.\d\d)\d+", r"\1", drawn)  # hundredths of a point


def _svg(figure: plt.Figure) -> str:
    drawn = svg(figure)
    return "data:image/svg+xml," + quote(" ".join(drawn.replace('"', "'").split()), safe=_UNQUOTED)


def _png(figure: plt.Figure) -> str:
    written = io.BytesIO()
    figure.savefig(written, format="png", dpi=2 * CSS_WIDTH / figure.get_figwidth())
    few = Image.open(written).convert("RGBA").quantize(PALETTE, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
    few.save(packed := io.BytesIO(), format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()


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
    figure, panels = plt.subplots(len(shown), 1, figsize=(WIDTH, height), sharex=sharex, squeeze=False)
    for axes, (title, lines) in zip(panels[:, 0], shown, strict=True):
        for y, style in lines:
            axes.plot(np.arange(len(y)) / rate, y, **style)
        axes.set_title(title)
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
        shown.append((f"{name} {record} from {start:.1f} s, {windows.rate:g} Hz:\nsummed squared error "
                      f"{np.square(original - made).sum():.0f}{', synthetic' if synthetic else ''}",
                      [(original, {"color": INK, "linewidth": 0.9, "label": "original"}),
                       (made, {"color": COLOURS["cae"], "linewidth": 1.2, "ls": "--", "label": "reconstruction"})]))
    figure = traces(shown, windows.rate, 1.9 * len(x) + 0.5, "z-score", "time in the window (s)")
    legend_below(figure, figure.axes[:1])
    return figure


def strip(recordings: Recordings, i: int, seconds: float, lead: int | str = 0) -> plt.Figure:
    """The first ``seconds`` of one lead on ECG paper (25 mm/s, 10 mm/mV at full size), line by line."""
    rate, n_lines = recordings.sampling_rate[i], math.ceil(seconds / LINE_SECONDS)
    x = recordings.lead(i, lead)[:int(seconds * rate)]
    t = np.arange(len(x)) / rate
    low, high = _paper_limits(x)
    height, width = (high - low) * MILLIVOLT_MM * MM, min(seconds, LINE_SECONDS)
    figure, lines = plt.subplots(n_lines, 1, figsize=(WIDTH, n_lines * (height + 0.25) + 0.45), squeeze=False)
    for axes, start in zip(lines[:, 0], np.arange(n_lines) * LINE_SECONDS, strict=True):
        line = (t >= start) & (t <= start + width)
        axes.plot(t[line], x[line], color=INK, linewidth=0.8)
        axes.set(xlim=(start, start + width), ylim=(low, high), ylabel="mV", aspect=MILLIVOLT_MM / SECOND_MM)
        _paper(axes)
    lines[-1, 0].set_xlabel("time (s)")
    return figure


def strip_words(recordings: Recordings, i: int, lead: int | str = 0) -> str:
    """Recording, class, lead and sampling rate of a ``strip``."""
    one = not recordings.multi_label and recordings.labels[i] >= 0
    label = f", {recordings.classes[recordings.labels[i]]}" if one else ""
    name = recordings.leads[i, recordings.lead_index(i, lead)]
    made = ", synthetic" if recordings.synthetic else ""
    return f"{recordings.name} {recordings.ids[i]}{label}: lead {name}, {recordings.sampling_rate[i]:g} Hz{made}"


def _paper_limits(x: np.ndarray) -> tuple[float, float]:
    """Whole half-millivolts around nearly all of the signal, so that one artefact does not flatten the rest."""
    low, high = np.percentile(x, [0.2, 99.8])
    low, high = np.floor(2 * low - 0.4) / 2, np.ceil(2 * high + 0.4) / 2
    return max(low, (low + high) / 2 - 2.5), min(high, (low + high) / 2 + 2.5)


def _paper(axes: plt.Axes) -> None:
    for axis, major, minor in ((axes.xaxis, 1, 0.04), (axes.yaxis, 0.5, 0.1)):
        axis.set_major_locator(MultipleLocator(major))
        axis.set_minor_locator(MultipleLocator(minor))
    axes.grid(which="minor", color="#f6dada", linewidth=0.4)
    axes.grid(which="major", axis="y", color="#eab0b0", linewidth=0.7)
    # Large squares are 0.2 s wide; labels stand at whole seconds only
    low, high = axes.get_xlim()
    for x in np.arange(np.floor(low * 5) / 5, high + 0.2, 0.2):
        axes.axvline(x, color="#eab0b0", linewidth=0.7, zorder=0)
    axes.tick_params(which="minor", length=0)
    axes.spines[["top", "right"]].set_visible(True)


def digest(figure: plt.Figure | None) -> str:
    """Eight hex digits over everything that is plotted in ``figure``, rounded: nbval compares this, not pixels."""
    if figure is None:
        return "none"
    numbers = []
    for axes in figure.axes:
        numbers += [np.asarray(line.get_xydata(), float) for line in axes.get_lines()]
        bars = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
        numbers += [np.array([bar.get_x(), bar.get_width(), bar.get_height()]) for bar in bars]
        numbers += [np.asarray(image.get_array(), float) for image in axes.images]
    flat = np.concatenate([n.ravel() for n in numbers]) if numbers else np.zeros(0)
    text = ",".join(f"{v:.3g}" for v in np.where(np.isfinite(flat), flat + 0.0, 0.0))
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def shades(shares: np.ndarray, rows: Sequence[str], columns: Sequence[str], texts: np.ndarray, labels: Sequence[str],
           upright: bool, height: float, darkest: float = 1.0, square: bool = False, shrink: float = 1.0) -> plt.Figure:
    """A table of ``shares`` as shades of blue up to ``darkest``, with the ``texts`` of its cells.

    ``upright`` names of columns do not run into each other; ``labels`` of horizontal axis, vertical axis and shades.
    """
    figure, axes = plt.subplots(figsize=(WIDTH, height + 0.3 * len(rows)))
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=darkest, aspect="equal" if square else "auto")
    for i, j in np.ndindex(shares.shape):
        colour = "white" if shares[i, j] > 0.55 * darkest else "black"
        axes.text(j, i, str(texts[i, j]), ha="center", va="center", color=colour)
    axes.set_xticks(range(len(columns)), columns, rotation=90 if upright else 0)
    axes.set(yticks=range(len(rows)), yticklabels=rows, xlabel=labels[0], ylabel=labels[1])
    axes.grid(False)
    figure.colorbar(image, ax=axes, label=labels[2], shrink=shrink)
    return figure


def legend_below(figure: plt.Figure, panels: Iterable[plt.Axes], columns: int = 2) -> plt.Figure:
    """The figure with one legend below it, each label of its panels once."""
    found: dict[str, Artist] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    if found:
        figure.legend([*found.values()], [*found], loc="outside lower center", ncols=columns)
    return figure


def pending_row(axes: plt.Axes, y: float, x: float = 1) -> None:
    """The same of one line of a panel, at its right end."""
    axes.annotate(PENDING, (x, y), xycoords=("axes fraction", "data"), ha="right", va="center", color=GREY)


def name_rows(axes: plt.Axes, names: Sequence[str]) -> None:
    """The names of what lies on the lines of a panel, the first on top."""
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(max(len(names), 1) - 0.4, -0.6))


def dot(axes: plt.Axes, found: Interval, at: float, colour: str, marker: str, upright: bool = False,
        **style: Any) -> None:
    """A value, where there is one, with its limits, where it has any: on the line ``at``, or ``upright`` above it."""
    if found.value is not None:
        x, y, reach = ([at], [found.value], "yerr") if upright else ([found.value], [at], "xerr")
        axes.errorbar(x, y, **{reach: found.reach, "color": colour, "marker": marker, "linestyle": "none"} | style)


def band(axes: plt.Axes, table: pd.DataFrame, middle: pd.Series, colour: str, dash: str = "-", **style: Any) -> None:
    """The ``middle`` of the columns of ``table`` by its index, on a pale band from the lowest to the highest."""
    axes.fill_between(table.index, table.min(axis=1), table.max(axis=1), color=colour, alpha=0.12, linewidth=0)
    axes.plot(table.index, middle, dash, color=colour, **style)
