"""MELEP 2023, Figure 1: ResNet1d101."""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Sequence

from IPython.display import HTML
from matplotlib.figure import Figure

from ecgtl.report import flowchart, network_blocks, words
from ecgtl.report.melep.network_diagrams import network, shape


def grouped(blocks: Sequence[network_blocks.Block]) -> list[network_blocks.Block]:
    """``blocks`` with each run of equal ones as a single block that names the run and sums its parameters."""
    found = []
    for _, group in itertools.groupby(blocks, key=lambda b: (b.layers, b.shape, b.parameters)):
        run = list(group)
        last = f"–{run[-1].name.rpartition('.')[2]} ({len(run)}×)" if len(run) > 1 else ""
        found.append(dataclasses.replace(run[0], name=run[0].name + last, parameters=network_blocks.parameters(run)))
    return found


def resnet_figure(tier: str) -> Figure:
    """ResNet1d101 from top to bottom, equal units as one bar."""
    return flowchart.hourglass(grouped(network("resnet1d101", tier)), f"ResNet1d101, tier {tier}", shape(tier))


def unit_figure(tier: str) -> Figure:
    """A residual unit that shortens its input, the first of the second stage, with both of its paths."""
    before, unit = next((before, unit) for before, unit in itertools.pairwise(network("resnet1d101", tier))
                        if unit.name.startswith("units.") and any(layer.stride > 1 for layer in unit.layers))
    layers = [str(layer) for layer in unit.layers]
    shortcut, path = layers[:2], layers[2:]  # the projection and its norm compute first
    path = [f"{layer}, ReLU" if k % 2 and k < len(path) - 1 else layer for k, layer in enumerate(path)]
    rows = [[flowchart.Box("in", f"from {before.name}", (before.size,), "signal")],
            [flowchart.Box("path", "path", tuple(path)), flowchart.Box("shortcut", "shortcut", tuple(shortcut))],
            [flowchart.Box("out", "sum, then ReLU", (unit.size,), "signal")]]
    arrows = [("in", "path"), ("in", "shortcut"), ("path", "out"), ("shortcut", "out")]
    return flowchart.flow(rows, arrows, {"signal": "channels × length", "plain": f"layers of {unit.name}"})


def depth(tier: str) -> HTML:
    """Where the 101 of the name comes from, counted in the network."""
    blocks = network("resnet1d101", tier)
    units = network_blocks.part(blocks, "units.")
    n = Counter(layer.kind for block in blocks for layer in block.layers)
    per_unit = [sum(layer.kind == "convolution" for layer in unit.layers) for unit in units]
    starts = [k for k, found in enumerate(per_unit) if found == max(per_unit)]
    stages = " + ".join(str(b - a) for a, b in itertools.pairwise([*starts, len(units)]))
    return HTML(words.paragraph(
        f"{len(units)} units ({stages}) have {min(per_unit)} convolutions each on their path, and {len(starts)} of "
        f"them one on the shortcut; with the stem's that makes {n['convolution'] - len(starts)} in a row. ResNet-101 "
        f"has its name from these and a single linear layer; here are {n['linear']}."))
