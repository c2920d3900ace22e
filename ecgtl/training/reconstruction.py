"""Reconstruction: an autoencoder learns to give back its input (Jang 2021, section II.3.1)."""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from ecgtl.models.cae import summed_squared_error
from ecgtl.signals.windows import Windows
from ecgtl.training import distributed, loop


def fit(model: nn.Module, train: Windows, validation: Windows, config: loop.TrainConfig, device: torch.device,
        state_file: Path | None = None, report: loop.Report = None) -> loop.TrainResult:
    """Train ``model`` to reconstruct windows (1, samples); the epoch that is best by ``config.select_on`` is kept.

    The loss is the summed squared error of a window, averaged over the batch: the paper's "MSE". The history holds
    ``train_loss`` (running, with dropout) and ``validation_loss``.
    """
    autocast = loop.mixed(config.precision, device)

    def batches(seed: int, epoch: int) -> loop.Batches:
        for batch in train.batches(config.batch_size, seed, epoch, distributed.share()):
            x = torch.from_numpy(batch).to(device)
            yield x, x

    def follow(row: dict, _) -> dict:
        return row | {"validation_loss": errors(model, validation, autocast, device)["summed"]}

    return loop.run_epochs(model, batches, _reconstructed, follow, config, device, state_file, report)


def _reconstructed(reconstruction: torch.Tensor, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    loss = summed_squared_error(x, reconstruction).mean()
    return loss, {"loss": loss.detach().double() * len(x)}


@torch.no_grad()
def errors(model: nn.Module, windows: Windows, autocast, device: torch.device) -> dict[str, float]:
    """Reconstruction errors over ``windows``, in evaluation mode.

    ``summed``: squared error summed over a window's samples, averaged over windows (the paper's "MSE");
    ``per_sample``: the same divided by the number of samples; ``r2``: 1 - error / variance, over all samples.
    """
    model.eval()
    squared, variance, n = 0.0, 0.0, 0
    for batch in windows.batches(loop.EVALUATION_BATCH):
        x = torch.from_numpy(batch).to(device)
        with autocast:
            reconstruction = model(x)
        squared += summed_squared_error(x, reconstruction).double().sum().item()
        variance += float(np.square(batch - batch.mean(axis=-1, keepdims=True), dtype=np.float64).sum())
        n += len(batch)
    return {"summed": squared / n, "per_sample": squared / n / windows.n_samples, "r2": 1 - squared / variance}
