"""The convolutional autoencoder of Jang 2021 and the classifier that starts from its encoder.

Two variants: ``code`` follows the authors' public code, ``text`` the paper (II.3). Two things that the
code builds but never uses are left out: a second head beside the features, and the shortcuts of the decoder.
Its initial weights are not published; PyTorch's own are used, since with He's (as in ``resnet.py``) the first
error is several times as large and learning slower.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import nn

from ecgtl.errors import EcgtlError
from ecgtl.models.convolution import conv

N_SAMPLES = 2048  # 8.192 s at 250 Hz
N_FEATURES = 60
MULTIPLES = (1, 1, 2, 3, 4, 4, 5, 5, 5)  # channels of the nine blocks, in multiples of the width
HALVED = (False, True, True, True, True, True, True, True, False)  # blocks that halve the length: 2048 -> 16
N_POSITIONS = N_SAMPLES >> sum(HALVED)
Activation = Callable[[], nn.Module]  # works in place: its input is never used again


class EncoderBlock(nn.Module):
    """Twice BN, activation, convolution; where ``halve``, both this and the shortcut are max-pooled by 2."""

    def __init__(self, n_in: int, n_out: int, kernel: int, halve: bool, activation: Activation, dropout: float):
        super().__init__()
        self.convs = nn.Sequential(nn.BatchNorm2d(n_in), activation(), conv(n_in, n_out, kernel),
                                   nn.BatchNorm2d(n_out), activation(), conv(n_out, n_out, kernel))
        self.pool = nn.MaxPool2d((1, 2)) if halve else nn.Identity()
        self.project = conv(n_in, n_out, 1) if n_in != n_out else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.pool(self.convs(x)) + self.project(self.pool(x)))


class UpsampleBlock(nn.Sequential):
    """Twice convolution, BN, activation; where ``double``, upsampled linearly before the second."""

    def __init__(self, n_in: int, n_out: int, kernel: int, double: bool, activation: Activation, dropout: float):
        upsample = [nn.Upsample(scale_factor=(1, 2), mode="bilinear")] if double else []
        padding_mode = "reflect" if double else "zeros"
        super().__init__(
            conv(n_in, n_in, kernel, bias=False), nn.BatchNorm2d(n_in), activation(), *upsample,
            conv(n_in, n_out, kernel, bias=False, padding_mode=padding_mode), nn.BatchNorm2d(n_out),
            activation(), nn.Dropout(dropout))


class TransposedBlock(nn.Module):
    """The encoder's block mirrored: transposed convolutions, stride 2 where the length doubles, a shortcut.

    The paper says that its decoder has the encoder's structure with transposed convolutions and no more
    than that; the shortcut is upsampled linearly where the encoder's is max-pooled.
    """

    def __init__(self, n_in: int, n_out: int, kernel: int, double: bool, activation: Activation, dropout: float):
        super().__init__()
        stride = 2 if double else 1
        same: dict = {"padding": (0, kernel // 2)}
        self.convs = nn.Sequential(
            nn.BatchNorm2d(n_in), activation(), nn.ConvTranspose2d(n_in, n_in, (1, kernel), **same),
            nn.BatchNorm2d(n_in), activation(),
            nn.ConvTranspose2d(n_in, n_out, (1, kernel), (1, stride), output_padding=(0, stride - 1), **same))
        self.upsample = nn.Upsample(scale_factor=(1, 2), mode="bilinear") if double else nn.Identity()
        self.project = nn.ConvTranspose2d(n_in, n_out, 1) if n_in != n_out else nn.Identity()
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.dropout(self.convs(x) + self.upsample(self.project(x)))


@dataclass(frozen=True)
class Variant:
    """What the code and the text of the paper differ in; ``kernels`` of the nine blocks."""

    kernels: tuple[int, ...]
    activation: Activation
    dropout_encoder: float
    dropout_decoder: float
    decoder: type[nn.Module]


VARIANTS = {"code": Variant((19,) * 6 + (9,) * 3, partial(nn.LeakyReLU, 0.01, inplace=True), 0.3, 0.2, UpsampleBlock),
            "text": Variant((19,) * 9, partial(nn.ReLU, inplace=True), 0.0, 0.0, TransposedBlock)}


class Encoder(nn.Module):
    """(batch, in_channels, 2048) to (batch, n_outputs): stem, nine residual blocks, two linear layers.

    ``variant`` is a key of ``VARIANTS``. Raises EcgtlError for another one, and for windows of another shape.
    """

    def __init__(self, in_channels: int, n_outputs: int, width: int, variant: str):
        super().__init__()
        if variant not in VARIANTS:
            raise EcgtlError(f"unknown variant {variant!r}; allowed: {', '.join(VARIANTS)}")
        chosen, channels = VARIANTS[variant], [width, *(width * m for m in MULTIPLES)]
        self.in_channels = in_channels
        self.stem = nn.Sequential(conv(in_channels, width, chosen.kernels[0]), nn.BatchNorm2d(width))
        self.blocks = nn.Sequential(*(
            EncoderBlock(*sizes, kernel, halve, chosen.activation, chosen.dropout_encoder)
            for sizes, kernel, halve in zip(pairwise(channels), chosen.kernels, HALVED, strict=True)))
        n_flat = channels[-1] * N_POSITIONS
        self.bottleneck = nn.Sequential(nn.Linear(n_flat, n_flat // 2), chosen.activation(),
                                        nn.Linear(n_flat // 2, n_outputs))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if x.ndim != 3 or tuple(x.shape[1:]) != (self.in_channels, N_SAMPLES):
            raise EcgtlError(f"the autoencoder takes windows of shape (batch, {self.in_channels}, {N_SAMPLES}) (8.192 "
                             f"s at 250 Hz), not {tuple(x.shape)}; cut and resample them to that")
        x = x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
        return self.bottleneck(self.blocks(self.stem(x)).flatten(1))


class Decoder(nn.Module):
    """(batch, n_features) to (batch, out_channels, 2048): a linear layer, the encoder's blocks backwards."""

    def __init__(self, n_features: int, out_channels: int, width: int, variant: str):
        super().__init__()
        chosen, channels = VARIANTS[variant], [width, *(width * m for m in MULTIPLES)][::-1]
        self.shape = (channels[0], 1, N_POSITIONS)
        self.expand = nn.Linear(n_features, channels[0] * N_POSITIONS)
        self.blocks = nn.Sequential(*(
            chosen.decoder(*sizes, kernel, double, chosen.activation, chosen.dropout_decoder)
            for sizes, kernel, double in zip(pairwise(channels), chosen.kernels[::-1], HALVED[::-1], strict=True)))
        self.last = conv(width, out_channels, 1)

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        x = self.expand(z).unflatten(1, self.shape).contiguous(memory_format=torch.channels_last)
        return self.last(self.blocks(x)).squeeze(2)


class CAE(nn.Module):
    """Autoencoder of windows (batch, in_channels, 2048) by ``n_outputs`` features: an ``encoder`` and a ``decoder``.

    ``width`` is the number of channels of the stem (unstated in the paper). ``variant`` is ``code``
    (LeakyReLU, kernels 19 and 9, dropout, linear upsampling) or ``text`` (ReLU, kernel 19, no dropout,
    transposed convolutions). Raises EcgtlError as ``Encoder`` does.
    """

    def __init__(self, in_channels: int, n_outputs: int = N_FEATURES, width: int = 32, variant: str = "code"):
        super().__init__()
        self.n_features = n_outputs
        self.encoder = Encoder(in_channels, n_outputs, width, variant)
        self.decoder = Decoder(n_outputs, in_channels, width, variant)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(x))


class CAEClassifier(nn.Module):
    """The encoder of ``CAE`` to its ``features`` and one linear layer; options as there.

    ``encoder.*`` has the same names and shapes as in ``CAE``, so that pretrained weights fit.
    """

    def __init__(self, in_channels: int, n_outputs: int, width: int = 32, features: int = N_FEATURES,
                 variant: str = "code"):
        super().__init__()
        self.n_features = features
        self.encoder = Encoder(in_channels, features, width, variant)
        self.output = nn.Linear(features, n_outputs)

    def features(self, x: torch.Tensor) -> torch.Tensor:
        """Features (batch, n_features) of windows (batch, in_channels, 2048)."""
        return self.encoder(x)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.encoder(x))


def summed_squared_error(x: torch.Tensor, reconstruction: torch.Tensor) -> torch.Tensor:
    """Squared error of each window (batch,), **summed** over channels and samples: the paper's "MSE".

    Source: Jang 2021, section II.3.1, where the formula has no division by 2,048. Computed in float32 at
    least.
    """
    return (x.float() - reconstruction.float()).square().sum(dim=(1, 2))
