"""Flow charts and hourglasses."""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.patches import Patch, Rectangle

from ecgtl.report import figures
from ecgtl.report.network_blocks import Block, kernels, parameters

# Pale grounds of Okabe and Ito's colours, on which black text stands out; the edge has the colour itself
_GREY, _BLUE, _GREEN = ("#f2f2f2", "#777777"), ("#d6eaf8", "#0072B2"), ("#d2efe6", "#009E73")
COLOURS = {"plain": _GREY, "frozen": _GREY, "signal": _BLUE, "trained": _BLUE, "transferred": _GREEN,
           "vector": ("#fbe0c8", "#D55E00")}
_LINE, _CHARACTERS = 0.145, 13.5  # inches a line of text, characters an inch
_GAP, _PAD = 0.34, 0.07  # inches between rows of boxes and within a box
_ROW = 0.27  # inches a bar


def hourglass(blocks: Sequence[Block], title: str, start: Sequence[int]) -> plt.Figure:
    """A network from top to bottom: bars wider for longer signals (log scale), taller for more channels.

    The first bar is the input, of shape ``start``. Text in a bar is its shape, beside it stand the block's
    name, the kernels of its convolutions and its parameters.
    """
    rows = [("input", tuple(start)), *((_facts(block), block.shape) for block in blocks)]
    lengths = np.log2([shape[-1] for _, shape in rows])
    channels = np.array([shape[0] if len(shape) > 1 else 1 for _, shape in rows])
    widths, heights = 0.35 + 0.65 * lengths / lengths.max(), 0.6 + 0.35 * channels / channels.max()
    figure, axes = plt.subplots(figsize=(figures.WIDTH, _ROW * len(rows) + 1.1))
    for y, ((words, shape), width, height) in enumerate(zip(rows, widths, heights, strict=True)):
        _rectangle(axes, -width / 2, y - height / 2, width, height, "signal" if len(shape) > 1 else "vector")
        axes.text(0, y, " × ".join(map(str, shape)), ha="center", va="center")
        axes.text(0.56, y, words, ha="left", va="center")
    axes.text(0.56, -1, "block, kernel k, parameters", ha="left", color="#444444", va="center")
    axes.set(xlim=(-0.52, 1.95), ylim=(len(rows) - 0.4, -1.4), title=title)
    axes.set_axis_off()
    kinds = {"signal": "channels × length" if len(start) == 2 else "channels × height × width"}
    _legend(figure, kinds | ({"vector": "vector"} if any(len(shape) == 1 for _, shape in rows) else {}))
    return figure


def hourglass_said(blocks: Sequence[Block], start: Sequence[int]) -> str:
    """What ``hourglass`` says: shapes at both ends and at the narrowest block, and parameters."""
    narrow, large = min(blocks, key=lambda block: math.prod(block.shape)), max(blocks, key=lambda b: b.parameters)
    shapes = " × ".join(map(str, start))
    return (f"{len(blocks)} blocks from {shapes} to {blocks[-1].size}, the smallest output {narrow.size} "
            f"({narrow.name}); {parameters(blocks):,} parameters, most of them in {large.name} ({large.parameters:,}).")


def _facts(block: Block) -> str:
    used = kernels([block])
    return f"{block.name}{', k ' + ', '.join(used) if used else ''}, {block.parameters:,}"


@dataclass(frozen=True)
class Box:
    """A box of a flow chart: bold ``title``, ``lines`` below (an empty one is a gap), colour by ``kind``."""

    key: str
    title: str
    lines: tuple[str, ...] = ()
    kind: str = "plain"


def flow(rows: Sequence[Sequence[Box]], arrows: Sequence[tuple[str, str]], legend: dict[str, str]) -> plt.Figure:
    """A flow chart of ``rows`` of boxes from top to bottom, with arrows from box to box by their keys.

    Boxes of a row share its width and are as tall as the longest text among them; ``legend`` explains kinds.
    """
    wrapped = [[_wrapped(box, figures.WIDTH / len(row)) for box in row] for row in rows]
    heights = [_LINE * max(len(title) + len(body) for title, body in texts) + 2 * _PAD for texts in wrapped]
    total = sum(heights) + _GAP * (len(rows) - 1)
    figure, axes = plt.subplots(figsize=(figures.WIDTH, total + 0.35))
    axes.set(xlim=(0, figures.WIDTH), ylim=(total + 0.02, -0.02))
    axes.set_axis_off()
    places, y = {}, 0.0
    for row, texts, height in zip(rows, wrapped, heights, strict=True):
        width = figures.WIDTH / len(row)
        for column, (box, (title, body)) in enumerate(zip(row, texts, strict=True)):
            places[box.key] = _rectangle(axes, column * width + _PAD, y, width - 2 * _PAD, height, box.kind)
            for k, line in enumerate([*title, *body]):
                axes.text((column + 0.5) * width, y + _PAD + (k + 0.5) * _LINE, line, ha="center", va="center",
                          weight="bold" if k < len(title) else "normal")
        y += height + _GAP
    for start, end in arrows:
        _arrow(axes, places[start], places[end])
    _legend(figure, legend)
    return figure


def _wrapped(box: Box, width: float) -> tuple[list[str], list[str]]:
    n = int((width - 4 * _PAD) * _CHARACTERS)
    body = [piece for line in box.lines for piece in textwrap.wrap(line, n) or [""]]
    return textwrap.wrap(box.title, n - 1), body


def _rectangle(axes: plt.Axes, x: float, y: float, width: float, height: float, kind: str) -> Rectangle:
    fill, edge = COLOURS[kind]
    found = Rectangle((x, y), width, height, facecolor=fill, edgecolor=edge, linewidth=0.9)
    axes.add_patch(found)
    return found


def _arrow(axes: plt.Axes, start: Rectangle, end: Rectangle) -> None:
    """Sideways within a row; straight down to another one, at the narrower box's middle."""
    if start.get_y() == end.get_y():
        y = start.get_y() + start.get_height() / 2
        ends = (start.get_x() + start.get_width(), y), (end.get_x(), y)
    else:
        narrow = min(start, end, key=Rectangle.get_width)
        x = narrow.get_x() + narrow.get_width() / 2
        ends = (x, start.get_y() + start.get_height()), (x, end.get_y())
    style = {"arrowstyle": "-|>", "color": "#444444", "linewidth": 1.1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", ends[1], ends[0], arrowprops=style)


def _legend(figure: plt.Figure, words: dict[str, str]) -> None:
    handles = [Patch(fc=COLOURS[kind][0], ec=COLOURS[kind][1], label=text) for kind, text in words.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(words), handlelength=1.2, columnspacing=1.0)
