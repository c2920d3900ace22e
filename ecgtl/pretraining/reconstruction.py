"""Reconstruction: an autoencoder learns to give back its input (Jang 2021, section II.3.1)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ecgtl import training
from ecgtl.datasets.windows import Windows
from ecgtl.models.cae import summed_squared_error
from ecgtl.training import Fit, Recipe

EVALUATION_BATCH = 256


def fit(model: nn.Module, train: Windows, validation: Windows, recipe: Recipe, device: torch.device,
        state_file: Path | None = None, report: Callable[[dict], None] | None = None) -> Fit:
    """Train ``model`` to reconstruct windows (1, samples); the epoch that is best by ``recipe.select_on`` is kept.

    The loss is the summed squared error of a window, averaged over the batch: the paper's "MSE". The history holds
    ``train_loss`` (running, with dropout) and ``validation_loss``.
    """
    model.to(device)
    optimizer, autocast = training.adam(model, recipe), training.mixed(recipe.precision, device)
    return training.run_epochs(
        model, optimizer, recipe,
        lambda epoch: {"train_loss": _train_epoch(model, train, optimizer, autocast, recipe, epoch, device)},
        lambda row, _: {"validation_loss": errors(model, validation, autocast, device)["summed"]}, device, state_file, report)


def _train_epoch(model: nn.Module, windows: Windows, optimizer, autocast, recipe: Recipe, epoch: int,
                 device: torch.device) -> float:
    model.train()
    seed = training.seed_epoch(recipe, epoch)
    total, n = torch.zeros((), dtype=torch.float64, device=device), 0
    for batch in windows.batches(recipe.batch_size, seed, epoch):
        x = torch.from_numpy(batch).to(device)
        with autocast:
            reconstruction = model(x)
        loss = summed_squared_error(x, reconstruction).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total, n = total + loss.detach().double() * len(x), n + len(x)  # on the device: nobody waits for it
    return training.finite(total.item() / n, "training", epoch, recipe)


@torch.no_grad()
def errors(model: nn.Module, windows: Windows, autocast, device: torch.device) -> dict[str, float]:
    """Reconstruction errors over ``windows``, in evaluation mode.

    ``summed``: squared error summed over a window's samples, averaged over windows (the paper's "MSE");
    ``per_sample``: the same divided by the number of samples; ``r2``: 1 - error / variance, over all samples.
    """
    model.eval()
    squared, variance, n = 0.0, 0.0, 0
    for batch in windows.batches(EVALUATION_BATCH):
        x = torch.from_numpy(batch).to(device)
        with autocast:
            reconstruction = model(x)
        squared += summed_squared_error(x, reconstruction).double().sum().item()
        variance += float(np.square(batch - batch.mean(axis=-1, keepdims=True), dtype=np.float64).sum())
        n += len(batch)
    return {"summed": squared / n, "per_sample": squared / n / windows.n_samples, "r2": 1 - squared / variance}
