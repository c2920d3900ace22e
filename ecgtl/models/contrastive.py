"""The future prediction framework: one encoder for all frames, and attention that pools those of the context.

Source: Weimann 2021, "Future prediction framework" and Figure 2; attention pooling after Trinh et al. 2019,
Transformer layers after Vaswani et al. 2017.
"""

import math

import torch
from torch import nn

from ecgtl.models.resnet import ResNet

LAYERS, HEADS = 3, 8


class AttentionPooling(nn.Module):
    """A row of vectors (batch, length, width) in, one vector (batch, width) out: what a learned token attends
    to.

    Transformer encoder layers without dropout, with inner width ``2 * width``; the input is scaled and gets
    sinusoidal positions, as the layers' source has it. ``width`` must be a multiple of ``HEADS``.
    """

    def __init__(self, width: int, layers: int = LAYERS, heads: int = HEADS):
        super().__init__()
        self.token = nn.Parameter(torch.empty(width))
        nn.init.trunc_normal_(self.token)
        layer = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        for parameter in self.layers.parameters():  # the layers are copies of one; each needs its own start
            if parameter.dim() > 1:
                nn.init.xavier_uniform_(parameter)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, _, width = x.shape
        x = torch.cat([self.token.to(x.dtype).expand(batch, 1, width), x], dim=1)
        return self.layers(x * math.sqrt(width) + positions(x.shape[1], width, x.device).to(x.dtype))[:, 0]


def positions(length: int, width: int, device: torch.device | None = None) -> torch.Tensor:
    """Sinusoidal positions (length, width), float32: sine in even columns, cosine in odd ones (Vaswani 2017,
    3.5).
    """
    rates = torch.exp(-math.log(10000.0) * torch.arange(0, width, 2, device=device) / width)
    angles = torch.arange(length, device=device).unsqueeze(1) * rates
    return torch.stack([angles.sin(), angles.cos()], dim=2).flatten(1)[:, :width]


class FuturePredictor(nn.Module):
    """Which of several frames follows a context: input (batch, context + candidates, samples), output (batch,
    candidates).

    ``encoder`` has ``features`` of ``n_features``; its output layer is taken away. The output is the dot
    product of the pooled context with each candidate's encoding: logits of a classification.
    """

    def __init__(self, encoder: ResNet, context: int):
        super().__init__()
        encoder.output = nn.Identity()
        self.encoder, self.context = encoder, context
        self.pooling = AttentionPooling(encoder.n_features)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        batch, n_frames, n_samples = x.shape
        encoded = self.encoder.features(x.reshape(batch * n_frames, 1, n_samples)).unflatten(0, (batch, n_frames))
        pooled = self.pooling(encoded[:, :self.context])
        # Summed in float32 under autocast too, which would round the products of a matrix product
        return (pooled.float().unsqueeze(1) * encoded[:, self.context:].float()).sum(dim=2)
