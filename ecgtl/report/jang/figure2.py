"""Jang 2021, Figure 2: the networks of the three arms."""

from collections.abc import Iterable
from typing import Any

import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from ecgtl import published
from ecgtl.analysis.names import METHODS
from ecgtl.config import FinetuneConfig, PretrainConfig
from ecgtl.models import googlenet
from ecgtl.report.network_blocks import Block, network, parameters, part
from ecgtl.report.study import chart, statements, statements_met

IMAGE = (3, googlenet.SIZE, googlenet.SIZE)  # shape of a spectrogram image
RHYTHMS = published.lookup("jang2021.scalars.rhythms.value")  # that the paper tells apart


def autoencoder(tier: str) -> list[Block]:
    """Blocks of the autoencoder as it is pretrained in ``tier``."""
    config = PretrainConfig.of(tier=tier).resolved()
    return network(config.arch, 1, config.features, window(tier), width=config.width, variant=config.variant)


def classifier(tier: str) -> list[Block]:
    """Blocks of the classifier as ``tier`` has it: the encoder to its features and one linear layer to the rhythms."""
    config = FinetuneConfig.of(init="cae", tier=tier).resolved()
    return network(config.arch, 1, RHYTHMS, window(tier), width=config.width, variant=config.variant)


def image_network() -> list[Block]:
    """Blocks of GoogLeNet up to its features, which the image arm takes from spectrograms."""
    return [block for block in network("googlenet", 3, 1000, IMAGE) if len(block.shape) > 1]


def window(tier: str) -> tuple[int, int]:
    """Shape of a window in ``tier``: one lead, samples."""
    config: Any = PretrainConfig.of(tier=tier).resolved()
    return 1, round(config.seconds * config.sampling_rate)


def arms(tier: str) -> Figure:
    """The three arms side by side: what goes in, what is taken over, what is trained."""
    own = classifier(tier)
    counts = {"encoder": parameters(part(own, "encoder.")), "googlenet": parameters(image_network()),
              "linear": parameters(part(own, "output")), "image features": googlenet.N_FEATURES,
              "image linear": (googlenet.N_FEATURES + 1) * RHYTHMS, "rhythms": RHYTHMS}
    shapes = {"window": window(tier), "spectrogram": IMAGE, "features": part(own, "encoder.bottleneck")[0].shape}
    return chart("jang2021", "arms", METHODS | {name: f"{n:,}" for name, n in counts.items()}
                 | {name: " × ".join(map(str, shape)) for name, shape in shapes.items()})


def stated() -> pd.DataFrame:
    """What the paper says of its networks beside what those of the tiers ``paper`` and ``reduced`` have."""
    return statements("jang2021", {tier: _counted(tier) for tier in ("paper", "reduced")})


def _counted(tier: str) -> dict[str, str]:
    """The same of a tier's networks, counted in their blocks."""
    blocks = autoencoder(tier)
    body, back = part(blocks, "encoder.blocks."), part(blocks, "decoder.blocks.")
    wide = [[layer for layer in block.layers if layer.looks_around] for block in body]
    up = "transposed convolution" if "transposed" in back[1].words else "linear upsampling, convolution"
    return {"residual blocks of the encoder": str(len(body)), "convolutions a block": each(map(len, wide)),
            "batch norms a block": each(sum(layer.kind == "batch norm" for layer in b.layers) for b in body),
            "kernel": each(layer.kernel for layers in wide for layer in layers),
            "stride": each(layer.stride for layers in wide for layer in layers),
            "activation": each(layer.kind for b in body for layer in b.layers if "ReLU" in layer.kind),
            "decoder": up, "features": part(blocks, "encoder.bottleneck")[0].size,
            "channels of the stem (width)": str(blocks[0].shape[0]),
            "parameters of the autoencoder": f"{parameters(blocks):,}",
            "of them in the encoder": f"{parameters(part(blocks, 'encoder.')):,}",
            f"parameters, classifier of {RHYTHMS} rhythms": f"{parameters(classifier(tier)):,}",
            "parameters of GoogLeNet to its features (frozen)": f"{parameters(image_network()):,}"}


def each(found: Iterable) -> str:
    return ", ".join(dict.fromkeys(map(str, found)))


def stated_verdict(found: pd.DataFrame) -> HTML:
    """How far each tier's network is what the paper says, from ``stated``."""
    unsaid = found.loc[found["Paper"] == "not stated", "What"].iloc[0]
    return statements_met(found, f"The {unsaid} are not stated anywhere, and with them the number of parameters is "
                                 "ours to choose.")
