"""Training the autoencoder: our loop against the same network as ``nn.Conv1d`` in float32 and a DataLoader.

Windows are noise, from a memory map in our way and resident in the plain one: what they show costs no time.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from benchmarks.plain import in_1d
from benchmarks.timing import Row, own_cache, take_turns
from ecgtl import models
from ecgtl.config import VARIANTS, PretrainConfig
from ecgtl.datasets.arrays import from_array
from ecgtl.signals.windows import Windows, unlabelled
from ecgtl.training import loop, reconstruction

WINDOWS = 512
CPU = torch.device("cpu")


class PlainCAE(nn.Module):
    """A ``models.cae.CAE`` rebuilt from the usual 1-D modules, with copies of its weights."""

    def __init__(self, network: nn.Module):
        super().__init__()
        encoder, decoder = network.encoder, network.decoder
        self.stem, self.down, self.bottleneck = map(in_1d, (encoder.stem, encoder.blocks, encoder.bottleneck))
        self.expand, self.up, self.last = map(in_1d, (decoder.expand, decoder.blocks, decoder.last))
        self.shape = (decoder.shape[0], decoder.shape[-1])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.bottleneck(self.down(self.stem(x)).flatten(1))
        return self.last(self.up(self.expand(features).unflatten(1, self.shape)))


def plain_epoch(network: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer) -> float:
    """One pass over ``loader``, as tutorials write it; the running loss, as our loop gives it too."""
    network.train()
    total = 0.0
    for (x,) in loader:
        optimizer.zero_grad()
        loss = ((network(x) - x) ** 2).sum(dim=(1, 2)).mean()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    return total / len(loader.dataset)


def rows(repeats: int, n_windows: int = WINDOWS) -> list[Row]:
    """Windows a second of both variants in the size of tier ``reduced``."""
    with own_cache():
        return [_row(variant, repeats, n_windows) for variant in VARIANTS]


def _row(variant: str, repeats: int, n_windows: int) -> Row:
    config = PretrainConfig.of(tier="reduced", variant=variant).resolved()
    ours, plain = ways(config, n_windows)
    seconds = take_turns({"ours": ours, "plain": plain}, repeats)
    return Row(f"autoencoder ({variant}, width {config.width}), against Conv1d float32 and DataLoader",
               "windows/s", n_windows / seconds["ours"], n_windows / seconds["plain"], at_least=2.0)


def ways(config: PretrainConfig, n_windows: int) -> tuple[Callable[[], float], Callable[[], float]]:
    """An epoch over ``n_windows`` in our way and in the plain, from the same weights; each returns a loss."""
    torch.manual_seed(config.seed)
    network = models.build(config.arch, 1, config.features, width=config.width, variant=config.variant)
    plain = PlainCAE(network)
    train, validation = noise(config, n_windows, seed=0), noise(config, 1, seed=1)
    x = torch.from_numpy(train.take(range(n_windows)))
    with torch.no_grad():  # the same network, or the comparison means nothing
        torch.testing.assert_close(plain.eval()(x[:2]), network.eval()(x[:2]), rtol=1e-3, atol=1e-4)
    recipe = loop.TrainConfig(1, config.batch_size, config.learning_rate, config.patience, "validation_loss",
                             "validation_loss", config.precision, config.seed)
    loader = DataLoader(TensorDataset(x), config.batch_size, shuffle=True)
    optimizer = torch.optim.Adam(plain.parameters(), lr=config.learning_rate)

    def ours() -> float:  # also evaluates one window: that much it gives away
        return reconstruction.fit(network, train, validation, recipe, CPU).history[0]["train_loss"]

    return ours, lambda: plain_epoch(plain, loader, optimizer)


def noise(config: PretrainConfig, n_windows: int, seed: int) -> Windows:
    """So many windows of noise, from a memory map as pretraining reads them."""
    n_samples = round(config.seconds * config.sampling_rate)
    x = np.random.default_rng(seed).normal(size=(1, n_windows * n_samples))
    source = from_array(x, config.sampling_rate)
    return unlabelled([source], config.seconds, config.sampling_rate).materialise()
