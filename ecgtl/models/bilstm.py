"""Bi-LSTM: the recurrent network of MELEP (Nguyen 2023, section 2.3 and Figure 2).

Sizes as in the authors' public code. The dropout that it asks for acts between layers, so one layer has none.
"""

import torch
from torch import nn

from ecgtl.errors import EcgtlError


class BiLSTM(nn.Module):
    """One LSTM layer forwards and one backwards in time; a linear layer on all their outputs, flattened.

    Input (batch, in_channels, length); output (batch, n_outputs). ``width`` is the number of hidden units of
    each direction (100 at full size), ``length`` the number of samples that the output layer is made for (10
    s at 100 Hz). Raises EcgtlError for an input of another shape. A transfer replaces ``output`` alone.
    """

    def __init__(self, in_channels: int, n_outputs: int, width: int = 100, length: int = 1000):
        super().__init__()
        self.shape, self.steps = (in_channels, length), length
        self.lstm = nn.LSTM(in_channels, width, batch_first=True, bidirectional=True)
        self.n_features = length * 2 * width
        self.output = nn.Linear(self.n_features, n_outputs)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """What the output layer sees: both directions' outputs, step after step, (batch, n_features)."""
        if tuple(x.shape[1:]) != self.shape:
            raise EcgtlError(f"this Bi-LSTM takes inputs of shape (batch, {self.shape[0]}, {self.shape[1]}), "
                             f"not {tuple(x.shape)}; cut and resample them, or build it with another length")
        return self.lstm(x.transpose(1, 2))[0].flatten(1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.features(x))
