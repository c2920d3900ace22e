"""Networks, block by block, read from the models themselves: their layers, what they give, their parameters."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from torch import nn

from ecgtl import models
from ecgtl.errors import EcgtlError
from ecgtl.report import badges

_KINDS = {nn.Conv1d: "convolution", nn.Conv2d: "convolution", nn.Linear: "linear", nn.Upsample: "upsampling",
          nn.ConvTranspose1d: "transposed convolution", nn.ConvTranspose2d: "transposed convolution",
          nn.BatchNorm1d: "batch norm", nn.BatchNorm2d: "batch norm",
          nn.MaxPool1d: "max-pool", nn.MaxPool2d: "max-pool"}


@dataclass(frozen=True)
class Layer:
    """One layer: ``kind`` in words; ``kernel`` and ``stride`` where it has them, else empty and 1."""

    kind: str
    kernel: str = ""
    stride: int = 1

    def __str__(self) -> str:
        size = f"{self.kernel}/{self.stride}" if self.stride > 1 else self.kernel
        return f"{self.kind} {size}".strip()

    @property
    def looks_around(self) -> bool:
        """Whether it is a convolution over more than one sample; those of size 1 only mix the channels."""
        return "convolution" in self.kind and self.kernel != "1"


@dataclass(frozen=True)
class Block:
    """A part of a network: its ``name`` there, its layers in the order of their first use, what it gives.

    ``shape`` is without the batch axis and without the height of 1 that 1-D convolutions are computed with;
    ``parameters`` are the trainable ones.
    """

    name: str
    layers: tuple[Layer, ...]
    shape: tuple[int, ...]
    parameters: int

    @property
    def words(self) -> str:
        """The layers as text, equal ones counted: ``2 × batch norm, 2 × convolution 19``."""
        counts = Counter(map(str, self.layers))
        return ", ".join(f"{n} × {layer}" if n > 1 else layer for layer, n in counts.items())

    @property
    def size(self) -> str:
        """The shape as text: ``24 × 256``."""
        return " × ".join(f"{n:,}" for n in self.shape)


@dataclass(frozen=True)
class Call:
    """One use of a layer: its name in the network, what it was given and what it made."""

    name: str
    module: nn.Module
    given: torch.Tensor
    made: torch.Tensor


def trace(model: nn.Module, shape: Sequence[int]) -> list[Block]:
    """The blocks of ``model`` in the order in which they compute, for an input of ``shape`` (no batch axis).

    Opened are the network itself and whatever holds a sequence of parts that have parts; layers whose names
    begin alike up to a slash (Caffe's) are one block, side by side where none feeds the other. What has no
    parameters is left out. Nothing is computed for a model on the ``meta`` device.
    """
    members = dict(_members(model))
    x = torch.empty(1, *shape, device=next(model.parameters()).device)
    found = calls(model, x, {*members, *members.values()})
    whole = {call.name: call.made for call in found if call.name in set(members.values())}
    used = [call for call in found if call.name in members]
    blocks = [_block(name, [call for call in used if members[call.name] == name], whole.get(name))
              for name in dict.fromkeys(members[call.name] for call in used)]
    return [block for block in blocks if block.parameters]


def network(name: str, in_channels: int, n_outputs: int, shape: Sequence[int], **options) -> list[Block]:
    """The blocks of ``models.build(name, ...)`` for inputs of ``shape``; it is laid out, not computed."""
    with torch.device("meta"):
        return trace(models.build(name, in_channels, n_outputs, **options), shape)


def parameters(blocks: Iterable[Block]) -> int:
    """Trainable parameters of all ``blocks`` together."""
    return sum(block.parameters for block in blocks)


def part(blocks: Sequence[Block], prefix: str) -> list[Block]:
    """The blocks whose names begin with ``prefix``. Raises EcgtlError when there is none."""
    chosen = [block for block in blocks if block.name.startswith(prefix)]
    if not chosen:
        raise EcgtlError(f"no block begins with {prefix!r}; there are {', '.join(b.name for b in blocks)}")
    return chosen


def kernels(blocks: Iterable[Block]) -> list[str]:
    """Kernels of the convolutions in ``blocks`` that look around, each once."""
    layers = [layer for block in blocks for layer in block.layers]
    return list(dict.fromkeys(layer.kernel for layer in layers if layer.looks_around))


def table(blocks: Sequence[Block]) -> pd.DataFrame:
    """One row a block, for a page: name, layers, shape of what it gives, parameters; the sum at the end."""
    rows = [(block.name, block.words, block.size, f"{block.parameters:,}") for block in blocks]
    rows.append(("all", "", "", f"{parameters(blocks):,}"))
    return pd.DataFrame(rows, columns=["Block", "Layers", "Output", "Parameters"])


def listed(networks: dict[str, list[Block]]) -> pd.DataFrame:
    """One row a block of every network, for the CSV."""
    rows = [(name, block.name, block.words, block.size, block.parameters)
            for name, blocks in networks.items() for block in blocks]
    return pd.DataFrame(rows, columns=["network", "block", "layers", "output", "parameters"])


def calls(model: nn.Module, x: torch.Tensor, names: set[str]) -> list[Call]:
    """Every use of the modules in ``names`` while ``x`` passes through ``model``, in evaluation mode."""
    found: list[Call] = []

    def note(name: str, module: nn.Module, given: tuple, made: torch.Tensor | tuple) -> None:
        found.append(Call(name, module, given[0], made[0] if isinstance(made, tuple) else made))

    with torch.no_grad(), ExitStack() as afterwards:
        afterwards.callback(model.train, model.training)
        for name, module in model.named_modules():
            if name in names:
                afterwards.callback(module.register_forward_hook(partial(note, name)).remove)
        model.eval()(x)
    return found


def _members(module: nn.Module, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Each layer's name with the name of its block."""
    for name, child in module.named_children():
        place = prefix + name
        if _holds_blocks(child):
            yield from _members(child, f"{place}.")
        else:
            yield from ((below, place.split("/")[0]) for below, layer in child.named_modules(prefix=place)
                        if not list(layer.children()))


def _holds_blocks(module: nn.Module) -> bool:
    """Whether ``module`` holds, at whatever depth, a plain sequence of parts that have parts themselves."""
    children = list(module.children())
    sequence = type(module) is nn.Sequential and any(list(child.children()) for child in children)
    return sequence or any(_holds_blocks(child) for child in children)


def _block(name: str, calls: list[Call], made: torch.Tensor | None) -> Block:
    modules = list(dict.fromkeys(call.module for call in calls))
    layers = tuple(layer for layer in map(_layer, modules) if layer)
    shape = _shape(made.shape) if made is not None else _side_by_side(calls)
    return Block(name, layers, shape, sum(map(models.count_parameters, modules)))


def _side_by_side(calls: list[Call]) -> tuple[int, ...]:
    """Shape of several layers' joint output: the channels of those whose output none of them takes."""
    taken = {id(call.given) for call in calls}
    ends = [call.made.shape for call in calls if id(call.made) not in taken]
    return _shape((1, sum(shape[1] for shape in ends), *ends[0][2:]))


def _shape(shape: Sequence[int]) -> tuple[int, ...]:
    """Without the batch axis and a height of 1."""
    return (shape[1], shape[3]) if len(shape) == 4 and shape[2] == 1 else tuple(shape[1:])


def _layer(module: Any) -> Layer | None:
    """In words; None for what does nothing when it is used."""
    if isinstance(module, nn.Identity | nn.Dropout):
        return Layer(f"dropout {module.p:g}") if getattr(module, "p", 0) else None
    kind = next((words for known, words in _KINDS.items() if isinstance(module, known)), type(module).__name__)
    if not hasattr(module, "kernel_size"):
        return Layer(kind)
    kernel, stride = _size(module.kernel_size), int(np.max(module.stride))
    return Layer(kind, kernel, 1 if kind == "max-pool" and str(stride) == kernel else stride)


def _size(kernel: int | tuple[int, ...]) -> str:
    """``19`` for a kernel over time, ``3×3`` for one over an image."""
    sizes = [int(n) for n in np.atleast_1d(kernel)]
    return "×".join(map(str, sizes)) if len(sizes) == 2 and sizes[0] > 1 else str(sizes[-1])


def tier_badges(*tiers: str) -> HTML:
    """Badges of the tiers whose networks are drawn: no recordings are behind a drawing."""
    return HTML(badges.paragraph(*(badges.badge(f"tier:{tier}") for tier in tiers)))
