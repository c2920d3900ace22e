"""The networks of MELEP 2023, traced, for Figures 1 and 2."""

import dataclasses
import functools
from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from ecgtl import models
from ecgtl.config import TIERS, FinetuneConfig, protocol
from ecgtl.measurements.melep_datasets import PAPER, pub
from ecgtl.report import badges, network_blocks

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
