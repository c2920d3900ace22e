"""Training: our loop against the same network as ``nn.Conv1d`` in float32, fed by a DataLoader."""

import time

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.plain import in_1d
from benchmarks.timing import Row, take_turns
from ecgtl import models
from ecgtl.training import loop

RECORDS, BATCH, WIDTH, CLASSES = 1024, 64, 16, 4
CPU = torch.device("cpu")
BF16 = loop.cpu_has_bfloat16()
AT_LEAST = 2.0 if BF16 else 1.25  # times the plain loop
SHARE = 0.65  # of the float32 matrix product's speed, where we train in float32


class PlainResNet(nn.Module):
    """A ``models.resnet.ResNet`` rebuilt from the usual 1-D modules, with copies of its weights."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.stem, self.units, self.last = (in_1d(part) for part in (network.stem, network.units, network.last))
        self.output = nn.Linear(network.output.in_features, network.output.out_features)
        self.output.load_state_dict(network.output.state_dict())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.last(self.units(self.stem(x))).mean(dim=2))


def plain_epoch(network: nn.Module, loader: DataLoader, optimizer: torch.optim.Optimizer) -> tuple[float, float]:
    """One pass over ``loader``, as tutorials write it: running loss and accuracy, as our loop gives them too."""
    network.train()
    loss_of = nn.CrossEntropyLoss()
    total, hits = 0.0, 0
    for x, y in loader:
        optimizer.zero_grad()
        logits = network(x)
        loss = loss_of(logits, y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(y)
        hits += (logits.argmax(dim=1) == y).sum().item()
    return total / len(loader.dataset), hits / len(loader.dataset)


def rows(repeats: int) -> list[Row]:
    """Records a second of ResNet-18 at quarter width, at two lengths, against a DataLoader without and with workers."""
    return [row for n_samples in (4096, 2048) for row in _rows(n_samples, repeats)]


def _rows(n_samples: int, repeats: int) -> list[Row]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(RECORDS, 1, n_samples)).astype(np.float32)
    y = rng.integers(CLASSES, size=RECORDS)
    network = models.build("resnet18", 1, CLASSES, width=WIDTH)
    data, one = loop.LabelledArray(x, y), loop.LabelledArray(x[:1], y[:1])
    recipe = loop.TrainConfig(epochs=1, batch_size=BATCH, learning_rate=0.001, patience=50, stop_on="train_accuracy",
                             select_on="validation_score", precision="auto", seed=0)
    # Ours also evaluates one validation and one test recording: that much it gives away.
    ways = {"ours": lambda: loop.fit(network, data, one, one, recipe, lambda y, p: 0.0, CPU)}
    for workers in (0, 2):
        ways[workers] = _plain_way(network, x, y, workers)
    seconds = take_turns(ways, repeats)
    found = [Row(f"training, {n_samples} samples, against Conv1d float32 and DataLoader, {workers} workers",
                 "records/s", RECORDS / seconds["ours"], RECORDS / seconds[workers], at_least=AT_LEAST)
             for workers in (0, 2)]
    speed = gigaflops(network, n_samples) * RECORDS / seconds["ours"]
    return found if BF16 else [*found, Row(f"training, {n_samples} samples, against a float32 matrix product",
                                           "GFLOP/s", speed, matrix_product(), at_least=SHARE)]


def gigaflops(network: nn.Module, n_samples: int) -> float:
    """Multiplications and additions of one recording's training step, in 1e9: forward once, backward twice as much.

    Backward is not counted itself: PyTorch's counter leaves out products that are added in place,
    as weight gradients are.
    """
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(2, 1, n_samples))
    return 3 * counter.get_total_flops() / 2 / 1e9


def matrix_product(size: int = 1024, repeats: int = 20) -> float:
    """The speed of a square float32 matrix product, in GFLOP/s: what the processor can do."""
    a, b, seconds = torch.randn(size, size), torch.randn(size, size), []
    for _ in range(repeats):
        began = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - began)
    return 2 * size**3 / 1e9 / min(seconds)


def _plain_way(network: nn.Module, x: np.ndarray, y: np.ndarray, workers: int):
    plain = PlainResNet(network)
    with torch.no_grad():  # the same network, or the comparison means nothing
        few = torch.from_numpy(x[:4])
        torch.testing.assert_close(plain.eval()(few), network.eval()(few), rtol=1e-3, atol=1e-4)
    loader = DataLoader(TensorDataset(torch.from_numpy(x), torch.from_numpy(y)), BATCH, shuffle=True,
                        num_workers=workers, persistent_workers=workers > 0)
    optimizer = torch.optim.Adam(plain.parameters(), lr=0.001)
    return lambda: plain_epoch(plain, loader, optimizer)
