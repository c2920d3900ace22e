"""Networks by name. Models know nothing of data sets or papers."""

import inspect

import torch
from torch import nn

from ecgtl.errors import EcgtlError
from ecgtl.models.resnet import STAGES, ResNet

# name -> (class, fixed arguments)
MODELS = {name: (ResNet, {"name": name}) for name in STAGES}


def build(name: str, in_channels: int, n_outputs: int, **options) -> nn.Module:
    """The network ``name`` for inputs (batch, in_channels, samples) and outputs (batch, n_outputs).

    ``width`` is the number of channels of the stem (ResNets: 64 at full size). Raises EcgtlError for an unknown name
    or option.
    """
    if name not in MODELS:
        raise EcgtlError(f"unknown arch {name!r}; allowed: {', '.join(MODELS)}")
    kind, fixed = MODELS[name]
    allowed = [p for p in inspect.signature(kind).parameters if p not in ("in_channels", "n_outputs", *fixed)]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise EcgtlError(f"{name} has no option {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return kind(in_channels, n_outputs, **fixed, **options).to(memory_format=torch.channels_last)


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
