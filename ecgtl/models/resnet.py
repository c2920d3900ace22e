"""Residual networks for 1-D signals (Weimann 2021, "The model architecture"; He et al. 2016, identity mappings).

Activations and sums work in place on what a norm or a convolution has just made, which nobody needs again. Inputs and
outputs keep the 1-D shapes; in between they are 2-D ones of height 1 (``convolution``).
"""

from collections.abc import Sequence

import torch
from torch import nn

from ecgtl.models import convolution as models_convolution

STAGES = {"resnet18": (2, 2, 2, 2), "resnet34": (3, 4, 6, 3), "resnet50": (3, 4, 6, 3), "resnet1d101": (3, 4, 23, 3)}
BOTTLENECKS = ("resnet50", "resnet1d101")
KERNELS = (7, 5, 5, 3)  # one a stage (Weimann 2021)


def conv(n_in: int, n_out: int, kernel: int, stride: int = 1) -> nn.Conv2d:
    """A 1-D convolution over time without bias, "same" padding."""
    return models_convolution.conv(n_in, n_out, kernel, stride, bias=False)


class BasicUnit(nn.Module):
    """Two convolutions and a shortcut; with ``preactivation`` BN and ReLU come before each convolution (v2)."""

    expansion = 1

    def __init__(self, n_in: int, width: int, kernel: int, stride: int, preactivation: bool, first: bool):
        super().__init__()
        self.preactivation, self.first = preactivation, first
        n_out = width * self.expansion
        convs = self._convs(n_in, width, kernel, stride)
        self.convs, sizes = nn.ModuleList(convs), [c.in_channels if preactivation else c.out_channels for c in convs]
        # The very first v2 unit follows the stem's own BN and ReLU, so it does not activate a second time.
        self.norms = nn.ModuleList(nn.Identity() if preactivation and first and k == 0 else nn.BatchNorm2d(n)
                                   for k, n in enumerate(sizes))
        self.project = conv(n_in, n_out, 1, stride) if stride != 1 or n_in != n_out else None
        self.project_norm = nn.BatchNorm2d(n_out) if self.project is not None and not preactivation else None

    def _convs(self, n_in: int, width: int, kernel: int, stride: int) -> list[nn.Conv2d]:
        return [conv(n_in, width, kernel, stride), conv(width, width, kernel)]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self._forward_v2(x) if self.preactivation else self._forward_v1(x)

    def _forward_v2(self, x: torch.Tensor) -> torch.Tensor:
        y = x if self.first else torch.relu_(self.norms[0](x))
        # A projection sees the activated input, an identity shortcut the raw one (He et al. 2016).
        shortcut = x if self.project is None else self.project(y)
        y = self.convs[0](y)
        for norm, convolution in zip(self.norms[1:], self.convs[1:], strict=True):
            y = convolution(torch.relu_(norm(y)))
        return y.add_(shortcut)

    def _forward_v1(self, x: torch.Tensor) -> torch.Tensor:
        shortcut = x if self.project is None or self.project_norm is None else self.project_norm(self.project(x))
        y = x
        for k, (norm, convolution) in enumerate(zip(self.norms, self.convs, strict=True)):
            y = norm(convolution(y if k == 0 else torch.relu_(y)))
        return torch.relu_(y.add_(shortcut))


class BottleneckUnit(BasicUnit):
    """1x1, kernel, 1x1 convolutions; the stride sits in the middle one."""

    expansion = 4

    def _convs(self, n_in: int, width: int, kernel: int, stride: int) -> list[nn.Conv2d]:
        return [conv(n_in, width, 1), conv(width, width, kernel, stride), conv(width, width * self.expansion, 1)]


class ResNet(nn.Module):
    """Stem 7/2, max-pool 3/2, four stages of residual units, global average pool, linear output.

    Input (batch, in_channels, samples); output (batch, n_outputs). ``features`` gives (batch, n_features). ``stages``
    of less than four leave the last ones out (Weimann 2021, Table 4: future prediction with ResNet-50).
    """

    def __init__(self, in_channels: int, n_outputs: int, name: str = "resnet18", width: int = 64,
                 kernels: Sequence[int] = KERNELS, preactivation: bool = True, stages: int = 4):
        super().__init__()
        unit = BottleneckUnit if name in BOTTLENECKS else BasicUnit
        self.stem = nn.Sequential(conv(in_channels, width, 7, 2), nn.BatchNorm2d(width), nn.ReLU(inplace=True),
                                  nn.MaxPool2d((1, 3), (1, 2), (0, 1)))
        units: list[nn.Module] = []
        n_in = width
        for stage, (depth, kernel) in enumerate(zip(STAGES[name][:stages], kernels[:stages], strict=True)):
            for k in range(depth):
                stride = 2 if stage > 0 and k == 0 else 1
                units.append(unit(n_in, width * 2**stage, kernel, stride, preactivation, first=not units))
                n_in = width * 2**stage * unit.expansion
        self.units = nn.Sequential(*units)
        self.last = nn.Sequential(nn.BatchNorm2d(n_in), nn.ReLU(inplace=True)) if preactivation else nn.Identity()
        self.n_features = n_in
        self.output: nn.Module = nn.Linear(n_in, n_outputs)
        self.apply(_initialise)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Globally pooled features, (batch, n_features)."""
        x = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        return models_convolution.pooled(self.last(self.units(self.stem(x))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.features(x))


def _initialise(module: nn.Module) -> None:
    """He initialisation for convolutions, as the reference networks do; PyTorch's own default elsewhere."""
    if isinstance(module, nn.Conv2d) and not module.weight.is_meta:  # which would take seconds there, for nothing
        nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
