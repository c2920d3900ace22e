"""Networks by name. Models know nothing of data sets or papers."""

import inspect
from collections.abc import Callable
from functools import lru_cache

import torch
from torch import nn

from ecgtl.errors import EcgtlError
from ecgtl.models.bilstm import BiLSTM
from ecgtl.models.cae import CAE, CAEClassifier
from ecgtl.models.googlenet import GoogLeNet
from ecgtl.models.resnet import STAGES, ResNet
from ecgtl.models.resnet1d101 import ResNet1d101

# name -> (class, fixed arguments)
MODELS = {name: (ResNet, {"name": name}) for name in STAGES} | {
    "resnet1d101": (ResNet1d101, {}), "bilstm": (BiLSTM, {}),
    "cae": (CAE, {}), "cae_classifier": (CAEClassifier, {}), "googlenet": (GoogLeNet, {})}

PREACTIVATED = ("resnet18", "resnet34", "resnet50")  # with a choice of where the activation stands


def build(name: str, in_channels: int, n_outputs: int, **options) -> nn.Module:
    """The network ``name``, with random weights.

    Parameters
    ----------
    name : str
        One of ``MODELS``.
    in_channels, n_outputs : int
        Of inputs (batch, in_channels, samples) and outputs (batch, n_outputs).
    **options
        ``width`` is the number of channels of the stem (ResNets: 64 at full size), of a Bi-LSTM that of hidden units a
        direction (100); others are the constructor's.

    Returns
    -------
    torch.nn.Module

    Raises
    ------
    EcgtlError
        For an unknown name or option.

    Examples
    --------
    >>> network = build("resnet18", in_channels=1, n_outputs=4, width=8)
    >>> network(torch.zeros(2, 1, 1000)).shape
    torch.Size([2, 4])
    """
    if name not in MODELS:
        raise EcgtlError(f"unknown arch {name!r}; allowed: {', '.join(MODELS)}")
    kind, fixed = MODELS[name]
    allowed = [p for p in inspect.signature(kind).parameters if p not in ("in_channels", "n_outputs", *fixed)]
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise EcgtlError(f"{name} has no option {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return kind(in_channels, n_outputs, **fixed, **options).to(memory_format=torch.channels_last)


def variant_options(name: str, variant: str | None) -> dict:
    """Options of ``build`` for a ``variant``: text or code; None is the autoencoder's own default, and a ResNet's text.

    What it stands for: an autoencoder's layers (Jang 2021), and where the blocks of Weimann 2021's residual networks
    have their activation: in front (text) or behind (public code).
    """
    if name == "cae_classifier":
        return {"variant": variant}
    return {"preactivation": variant != "code"} if name in PREACTIVATED else {}


def count_parameters(model: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@lru_cache
def training_flops(name: str, in_channels: int, n_outputs: int, n_samples: int, **options) -> int:
    """Floating-point operations of one training step on one sample, forward and backward, counted by PyTorch.

    Nothing is computed: the network is laid out on the ``meta`` device.
    """
    return step_flops(lambda: (build(name, in_channels, n_outputs, **options), (in_channels, n_samples)))


def step_flops(network: Callable[[], tuple[nn.Module, tuple[int, ...]]]) -> int:
    """``training_flops`` of a network that ``network()`` makes, with the shape of its input."""
    from torch.utils.flop_counter import FlopCounterMode

    with torch.device("meta"):
        model, shape = network()
        with FlopCounterMode(display=False) as counter:
            model(torch.empty(1, *shape)).sum().backward()
    return counter.get_total_flops()
