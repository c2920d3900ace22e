"""Frozen networks."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

BATCH = 128  # inputs that are encoded at a time


@torch.no_grad()
def renormalise(model: nn.Module, x: np.ndarray, device: torch.device) -> None:
    """Estimate the means and variances of batch normalisation again, over the inputs ``x``; no weight changes.

    Those that a network with random weights begins with (0 and 1) fit nothing.
    """
    norms = [layer for layer in model.to(device).eval().modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # the mean over all batches
        norm.train()
    for part in _batches(x) if norms else ():
        model.features(part.to(device))  # type: ignore[operator]
    model.eval()


def _batches(x: np.ndarray) -> Iterator[torch.Tensor]:
    return (torch.from_numpy(np.array(x[k:k + BATCH])) for k in range(0, len(x), BATCH))
