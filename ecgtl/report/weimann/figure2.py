"""Weimann 2021, Figure 2: prediction of the future."""

from dataclasses import dataclass

import pandas as pd
import torch
from matplotlib.figure import Figure

from ecgtl import models
from ecgtl.config import PretrainConfig
from ecgtl.models.contrastive import FuturePredictor
from ecgtl.report import network_blocks, study
from ecgtl.report.weimann.shared import PAPER, pretraining_config


@dataclass(frozen=True)
class Future:
    """What the network for future prediction is, read from the module itself.

    ``shapes`` of what passes between its parts, without the batch axis; ``parameters`` of its parts; ``counted``: what
    the paper says of such a network, as it is here, and the dropout.
    """

    config: PretrainConfig
    shapes: dict[str, tuple[int, ...]]
    parameters: dict[str, int]
    counted: dict[str, str]


def future(tier: str) -> Future:
    """The network of the tier's own configuration, laid out on the ``meta`` device: nothing is computed."""
    config = pretraining_config("future", tier)
    samples, candidates = round(config.seconds * config.sampling_rate), config.negatives + 1
    with torch.device("meta"):
        model = FuturePredictor(models.build(config.arch, 1, 1, **_options(config)), config.context)  # type: ignore[arg-type]
        x = torch.empty(1, config.context + candidates, samples)
    pooling, first = model.pooling, model.pooling.layers.layers[0]
    passed = {call.name: call for call in network_blocks.calls(model, x, {"", "pooling", "pooling.layers"})}
    tensors = {"with token": passed["pooling.layers"].given, "encoded context": passed["pooling"].given,
               "context vector": passed["pooling"].made, "logits": passed[""].made}
    shapes: dict[str, tuple[int, ...]] = {"frames": (config.context, samples), "candidates": (candidates, samples)}
    shapes |= {name: tuple(tensor.shape[1:]) for name, tensor in tensors.items()}
    parameters = {"encoder": models.count_parameters(model.encoder), "token": pooling.token.numel(),
                  "pooling": models.count_parameters(pooling.layers), "all": models.count_parameters(model)}
    counted = {
        "Transformer layers": str(len(pooling.layers.layers)),
        "width of the attention pooling": str(pooling.token.numel()), "heads": str(first.self_attn.num_heads),
        "inner width": f"{first.linear1.out_features:,}", "dropout": f"{first.dropout.p:g}",
        "frames of the context": str(config.context), "negatives": str(config.negatives),
        "offset (frames)": str(config.offset), "samples of a frame": f"{samples:,}",
        "parameters of the encoder": f"{parameters['encoder']:,}",
        "parameters of the pooling": f"{parameters['pooling'] + parameters['token']:,}"}
    return Future(config, shapes, parameters, counted)


def framework(network: Future) -> Figure:
    """Figure 2 as a flow chart: context and candidates through one encoder, attention pooling, dot products,
    cross-entropy.
    """
    size = {name: " × ".join(f"{n:,}" for n in shape) for name, shape in network.shapes.items()}
    encoder = network.config.arch.replace("resnet", "ResNet-")
    return study.chart(PAPER, "framework", size | network.counted | {"encoder": encoder})


def stated(*tiers: str) -> pd.DataFrame:
    """What the paper says of the framework beside what the modules of ``tiers`` have."""
    return study.statements(PAPER, {tier: future(tier).counted for tier in tiers})


def encoder_blocks(tier: str) -> list[network_blocks.Block]:
    """The encoder block by block; its last linear layer is taken away in the framework."""
    config = pretraining_config("future", tier)
    shape = (1, round(config.seconds * config.sampling_rate))
    return network_blocks.network(config.arch, 1, 1, shape, **_options(config))[:-1]


def _options(config: PretrainConfig) -> dict:
    return {"width": config.width, **models.variant_options(config.arch, config.variant)}
