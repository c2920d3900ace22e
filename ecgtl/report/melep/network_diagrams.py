"""The networks of MELEP 2023, traced and drawn: ResNet1d101 (Figure 1) and the Bi-LSTM (Figure 2)."""

import dataclasses
import functools
import itertools
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from matplotlib.figure import Figure

from ecgtl import models
from ecgtl.config import TIERS, FinetuneConfig, protocol
from ecgtl.measurements.melep_datasets import PAPER, pub
from ecgtl.report import badges, flowchart, network_blocks, study
from ecgtl.report.words import paragraph

# Number of labels that each use of a network has, by its place among the paper's scalars
OUTPUTS = {"pretrained on PTB-XL": "ptbxl_superclasses", "pretrained on CPSC2018": "cpsc2018_labels",
           "pretrained on Georgia": "georgia_labels_used", "fine-tuned on CSN": "csn_labels_per_fold",
           "fine-tuned on PTB-XL": "ptbxl_labels_per_fold"}


def drawn_tier(wanted: str = "best") -> str:
    """The tier whose network is drawn: the paper's size, unless another is asked for."""
    return "paper" if wanted == "best" else wanted


def shape(tier: str) -> tuple[int, int]:
    """Leads and samples that a tier's networks take."""
    leads = pub("scalars.leads.value") if protocol(PAPER).lead[tier] == "all" else 1
    return leads, FinetuneConfig.of(protocol=PAPER, tier=tier).resolved().n_samples


def options(name: str, tier: str) -> dict:
    """Options of ``models.build`` for the network ``name`` in ``tier``."""
    config = FinetuneConfig.of(protocol=PAPER, arch=name, tier=tier).resolved()
    return {"width": config.width} | ({"length": config.n_samples} if name == "bilstm" else {})


@functools.cache
def network(name: str, tier: str, n_labels: int | None = None) -> tuple[network_blocks.Block, ...]:
    """Blocks of ``resnet1d101`` or ``bilstm`` in ``tier``, in the order in which they compute.

    ``n_labels`` outputs, by default the labels of CPSC2018. Shapes are channels by length, of the recurrent
    layer too, which itself gives steps by channels.
    """
    n_labels = n_labels or pub("scalars.cpsc2018_labels.value")
    # PyTorch unrolls a recurrent layer on the meta device, step by step: to compute it is faster
    with torch.device("cpu" if name == "bilstm" else "meta"):
        blocks = network_blocks.trace(models.build(name, shape(tier)[0], n_labels, **options(name, tier)), shape(tier))
    return tuple(dataclasses.replace(block, shape=block.shape[::-1]) if block.name == "lstm" else block
                 for block in blocks)


def size(sizes: Sequence[int]) -> str:
    return " × ".join(f"{n:,}" for n in sizes)


def in_short_of(arch: str, tier: str) -> str:
    """How large the network is, and how much of it a transfer replaces."""
    blocks = network(arch, tier)
    whole, output = sum(block.parameters for block in blocks), blocks[-1].parameters
    return (f"Drawn here with {whole:,} parameters in tier {tier}, of which a transfer replaces {output:,}, "
            f"{100 * output / whole:.1f} %; the paper prints neither number.")


def outputs(name: str, tier: str) -> pd.DataFrame:
    """Parameters by the number of labels, for a page: of the output layer and of the whole network."""
    rows = []
    for use, place in OUTPUTS.items():
        for n in np.atleast_1d(pub(f"scalars.{place}.value")).tolist():
            blocks = network(name, tier, n)
            last, whole = blocks[-1].parameters, network_blocks.parameters(blocks)
            rows.append({"Use": use, "Labels": n, "Output layer": f"{last:,}", "Whole network": f"{whole:,}",
                         "Share": f"{100 * last / whole:.2g} %"})
    return pd.DataFrame(rows)


def sizes(name: str) -> pd.DataFrame:
    """The network in every tier, for a page: input, width, parameters with CPSC2018's labels."""
    return pd.DataFrame([{"Tier": badges.badge(f"tier:{tier}"), "Input": size(shape(tier)),
                          "Width": options(name, tier)["width"], "Features": f"{np.prod(blocks[-2].shape):,}",
                          "Parameters": f"{network_blocks.parameters(blocks):,}"}
                         for tier in TIERS for blocks in [network(name, tier)]])


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
    return HTML(paragraph(
        f"{len(units)} units ({stages}) have {min(per_unit)} convolutions each on their path, and {len(starts)} of "
        f"them one on the shortcut; with the stem's that makes {n['convolution'] - len(starts)} in a row. ResNet-101 "
        f"has its name from these and a single linear layer; here are {n['linear']}."))


def bilstm_figure(tier: str) -> Figure:
    """The Bi-LSTM: both directions, their outputs together, and the one layer that a transfer replaces."""
    lstm, output = network("bilstm", tier)
    return study.chart(PAPER, "bilstm", options("bilstm", tier) | {
        "input": size(shape(tier)), "half": f"{lstm.parameters // 2:,}", "steps": lstm.size,
        "flat": f"{np.prod(lstm.shape):,}", "parameters": f"{output.parameters:,}", "labels": str(output.shape[0])})
