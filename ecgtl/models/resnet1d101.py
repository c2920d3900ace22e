"""ResNet1d101: the convolutional network of MELEP (Nguyen 2023, section 2.3, Figure 1).

ResNet-101 (He et al. 2016) over time. What text and figure leave open is as in the authors' public code:
kernels of 3, batch norm and activation behind each convolution, a hidden layer of 512 before the output.
"""

import torch
from torch import nn

from ecgtl.models.resnet import ResNet

KERNEL = 3  # of the middle convolution, in every stage


class ResNet1d101(ResNet):
    """Stem 7/2, max-pool 3/2, 3 + 4 + 23 + 3 bottlenecks, global average pool, a hidden and an output layer.

    Input (batch, in_channels, samples); output (batch, n_outputs). ``width`` is the number of channels of the
    stem, and all others follow it: at its full size of 64 the hidden layer makes 512 ``features`` of 2,048. A
    transfer replaces ``output`` alone.
    """

    def __init__(self, in_channels: int, n_outputs: int, width: int = 64):
        super().__init__(in_channels, n_outputs, "resnet1d101", width, (KERNEL,) * 4, preactivation=False)
        pooled, self.n_features = self.n_features, 8 * width
        self.hidden = nn.Sequential(nn.Linear(pooled, self.n_features), nn.ReLU(inplace=True))
        self.output = nn.Linear(self.n_features, n_outputs)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the output layer sees: the activated hidden layer, (batch, n_features)."""
        return self.hidden(super().features(x))
