"""One training loop for every network: resident data, bf16 where it pays, best epoch in memory, resumable.

All randomness of epoch e comes from (seed, e), so a run that was killed and resumed from its last state file ends with
the same numbers as one that was not (on a CPU, with the same number of threads).
"""

import hashlib
import io
import math
import pickle
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from ecgtl import paths, results
from ecgtl.datasets.cache import write_atomic
from ecgtl.errors import EcgtlError, note
from ecgtl.training import distributed

STATE_SECONDS = 30.0  # a state file is written at most this often: after a kill that much work is lost at most
EVALUATION_BATCH = 256
Report = Callable[[dict], None] | None  # is called with the history row of each epoch
Batches = Iterator[tuple[torch.Tensor, torch.Tensor]]  # inputs and targets, on the device


@dataclass(frozen=True)
class TrainConfig:
    """How a network is trained; the values come from ``ecgtl.config``.

    ``stop_on`` is the history column that must improve within ``patience`` epochs; ``select_on`` is the one whose best
    epoch is reported as ``validated``. Losses fall, everything else rises. ``adam`` are options of the optimiser that
    differ from PyTorch's.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    stop_on: str
    select_on: str
    precision: str
    seed: int
    adam: Mapping = field(default_factory=dict)


@dataclass(frozen=True)
class LabelledArray:
    """Inputs (n, channels, samples) float32 and targets: class indices (n,) int64 or 0/1 label matrices (n, classes).
    """

    x: np.ndarray
    y: np.ndarray


@dataclass
class TrainResult:
    """What training leaves: a history and, for each way of choosing the epoch, its number and test probabilities.

    ``chosen`` maps ``validated``, ``best_test`` and ``last`` to (epoch from 1, probabilities (n_test, outputs));
    ``weights`` is the state of the ``validated`` epoch, ``train`` its probabilities of the training set where somebody
    asked for them.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    chosen: dict[str, tuple[int, np.ndarray]] = field(default_factory=dict)
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    train: np.ndarray | None = None


def pick_device(name: str = "auto") -> torch.device:
    """``auto`` is as ``ECGTL_DEVICE`` says, else the GPU where there is one. Raises EcgtlError for what is no device
    here.
    """
    name = paths.device(name)
    if name == "cuda" and not torch.cuda.is_available():
        raise EcgtlError("device is 'cuda' but PyTorch sees no GPU here; use device=cpu or ECGTL_DEVICE=cpu")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """``auto`` is bfloat16 where the hardware multiplies in it (emulated it would be slower), else float32."""
    if name == "auto":
        native = torch.cuda.is_bf16_supported() if device.type == "cuda" else cpu_has_bfloat16()
        name = "bfloat16" if native else "float32"
    return getattr(torch, name)


def cpu_has_bfloat16() -> bool:
    """Whether the processor multiplies in bfloat16 and oneDNN may use it: ``ONEDNN_MAX_CPU_ISA`` can forbid it."""
    return torch.cpu._is_avx512_bf16_supported() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def fit(model: nn.Module, train: LabelledArray, validation: LabelledArray, test: LabelledArray, config: TrainConfig,
        score: Callable[[np.ndarray, np.ndarray], float], device: torch.device, state_file: Path | None = None,
        report: Report = None) -> TrainResult:
    """Train ``model`` to classify and follow it on the validation and test sets after every epoch.

    ``score(y, probabilities)`` is the validation and test score of the history. The test set never influences
    training, stopping or ``validated``; ``best_test`` is kept because two of the papers report it. ``state_file`` makes
    the run resumable, until its result is stored. Raises EcgtlError when the loss stops being finite.
    """
    inputs, targets = _resident(train, device)
    held_out = {"validation": (validation.y, *_resident(validation, device)),
                "test": (test.y, *_resident(test, device))}
    autocast = mixed(config.precision, device)

    def batches(seed: int, _) -> Batches:
        order = torch.randperm(len(inputs), generator=torch.Generator().manual_seed(seed)).to(device)
        for batch in order.split(config.batch_size):
            yield inputs[batch], targets[batch]

    def follow(row: dict, result: TrainResult) -> dict:
        for name, (y, x, wanted) in held_out.items():
            logits = _logits(model, x, autocast, device)
            probabilities = _probabilities(logits, wanted.ndim == 2).cpu().numpy()
            loss = finite(_cross_entropy(logits, wanted).item(), name, row["epoch"], config)
            row = row | {f"{name}_loss": loss, f"{name}_score": score(np.asarray(y), probabilities)}
        result.chosen["last"] = (row["epoch"], probabilities)  # of the test set
        for name, column in (("best_test", "test_score"), ("validated", config.select_on)):
            if best_epoch([*result.history, row], column) == row["epoch"]:
                result.chosen[name] = result.chosen["last"]
        return row

    return run_epochs(model, batches, classified, follow, config, device, state_file, report)


def mixed(precision: str, device: torch.device) -> torch.autocast:
    """The context in which a network computes: bfloat16 where ``pick_precision`` says so."""
    return torch.autocast(device.type, torch.bfloat16, pick_precision(precision, device) == torch.bfloat16)


def classified(logits: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Cross-entropy of a batch, what it adds to an epoch's ``loss``, and how many it has right."""
    logits, known = logits.float(), logits.detach()
    loss = _cross_entropy(logits, targets)
    hits = (known > 0).eq(targets > 0.5).float().mean(dim=1) if targets.ndim == 2 else known.argmax(dim=1) == targets
    return loss, {"loss": loss.detach() * len(targets), "accuracy": hits.sum()}


def run_epochs(model: nn.Module, batches: Callable[[int, int], Batches],
               learn: Callable[[torch.Tensor, torch.Tensor], tuple[torch.Tensor, dict]],
               follow: Callable[[dict, TrainResult], dict], config: TrainConfig, device: torch.device,
               state_file: Path | None = None, report: Report = None, counted: Sequence[Any] = ()) -> TrainResult:
    """The loop of every training: epoch by epoch until ``config`` ends or is exhausted, resumable.

    ``batches(seed, epoch)`` gives an epoch's inputs and targets on ``device``; ``learn(output, targets)`` the loss of a
    batch, and what it adds to the sums of which the history has the means, as ``train_`` columns; ``follow(row,
    result)`` evaluates and returns the row of the history with its columns. The weights of the best epoch by
    ``config.select_on`` are kept. Of several processes (``distributed``) each gives its share of the batches. A state
    keeps the ``left_out`` of the examples that are ``counted``.
    """
    optimizer = torch.optim.Adam(model.to(device).parameters(), lr=config.learning_rate, fused=True, **config.adam)
    result, saved = TrainResult(), time.monotonic()
    state = distributed.from_first(lambda: state_file.read_bytes() if state_file and state_file.is_file() else None)
    if state is not None:
        _resume(state_file, state, model, optimizer, device, result, counted)
    if state_file is not None:
        results.STATES[state_file] = sum(row["seconds"] for row in result.history)
    network = distributed.shared(model, device)
    if distributed.rank():
        state_file = report = None
    for epoch in range(len(result.history) + 1, config.epochs + 1):
        if result.history and len(result.history) - best_epoch(result.history, config.stop_on) >= config.patience:
            break
        began = time.perf_counter()
        means = _train_epoch(network, batches, learn, optimizer, config, device, epoch)
        row = distributed.from_first(partial(follow, {"epoch": epoch, **means}, result))
        row["seconds"] = time.perf_counter() - began
        result.history.append(row)
        if best_epoch(result.history, config.select_on) == epoch:
            result.weights = weights_of(model)
        if report is not None:
            report(row)
        if state_file is not None and time.monotonic() - saved > STATE_SECONDS:
            _save_state(state_file, model, optimizer, result, counted)
            saved = time.monotonic()
    return result


def _train_epoch(model: nn.Module, batches, learn, optimizer: torch.optim.Optimizer, config: TrainConfig,
                 device: torch.device, epoch: int) -> dict:
    """One pass in a fresh order; loss and accuracy are running values of the pass, as Keras reports them."""
    model.train()
    seed = int(np.random.SeedSequence([config.seed, epoch]).generate_state(1)[0])
    torch.manual_seed(seed + distributed.rank())  # PyTorch's own generator: dropout
    sums: dict[str, torch.Tensor] = {}
    autocast, n = mixed(config.precision, device), 0
    for x, targets in batches(seed, epoch):
        together = int(distributed.total(len(x)))
        if not together:
            continue
        with autocast:
            output = model(x)
        loss, added = learn(output, targets)
        if not len(x):  # the others' shares are not empty; the mean of nothing is no number
            loss, added = loss.nan_to_num(), {name: value.nan_to_num() for name, value in added.items()}
        optimizer.zero_grad(set_to_none=True)
        (loss * (len(x) * distributed.size() / together)).backward()  # times 1 for a process that is alone
        optimizer.step()
        sums = {name: sums.get(name, 0) + value for name, value in added.items()}  # on the device: nobody waits for it
        n += together
    means = {f"train_{name}": distributed.total(total.item()) / n for name, total in sums.items()}
    finite(means["train_loss"], "training", epoch, config)
    return means


def predict(model: nn.Module, x: np.ndarray, device: torch.device, multi_label: bool = False,
            precision: str = "auto") -> np.ndarray:
    """Class probabilities (n, outputs), float32, for inputs (n, channels, samples), in evaluation mode.

    Raises EcgtlError when one is not finite: no class and no score follow from it.
    """
    logits = _logits(model.to(device), torch.from_numpy(np.ascontiguousarray(x)), mixed(precision, device), device)
    probabilities = _probabilities(logits, multi_label).cpu().numpy()
    if not np.isfinite(probabilities).all():
        raise EcgtlError("the network's probabilities are not finite; check its checkpoint, or train with a lower "
                         "learning rate")
    return probabilities


def _resident(data: LabelledArray, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and targets as a whole on the training device."""
    y = np.asarray(data.y)
    targets = torch.from_numpy(y).to(device, torch.float32 if y.ndim == 2 else torch.int64)
    return torch.from_numpy(np.ascontiguousarray(data.x)).to(device), targets


def _cross_entropy(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    loss = functional.binary_cross_entropy_with_logits if targets.ndim == 2 else functional.cross_entropy
    return loss(logits, targets)


def finite(loss: float, name: str, epoch: int, config: TrainConfig) -> float:
    """``loss`` of a set, or EcgtlError when it is not a number."""
    if not math.isfinite(loss):
        raise EcgtlError(f"the {name} loss is not finite in epoch {epoch}; lower learning_rate "
                         f"(now {config.learning_rate:g}) or use precision=float32")
    return loss


def weights_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """A copy of the network's state on the CPU."""
    return {name: t.detach().to("cpu", copy=True) for name, t in model.state_dict().items()}


def best_epoch(history: list[dict[str, float]], column: str) -> int:
    """The first epoch (from 1) with the best value of ``column``: lowest for a loss, highest for anything else."""
    values = np.array([row[column] for row in history])
    return 1 + int(np.argmin(values) if column.endswith("loss") else np.argmax(values))


@torch.no_grad()
def _logits(model: nn.Module, inputs: torch.Tensor, autocast, device: torch.device) -> torch.Tensor:
    model.eval()
    with autocast:
        return torch.cat([model(batch.to(device)).float() for batch in inputs.split(EVALUATION_BATCH)])


def _probabilities(logits: torch.Tensor, multi_label: bool) -> torch.Tensor:
    return torch.sigmoid(logits) if multi_label else torch.softmax(logits, dim=1)


def _save_state(path: Path, model: nn.Module, optimizer, result: TrainResult, counted: Sequence[Any]) -> None:
    buffer = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "history": result.history,
                "weights": result.weights, "left_out": [one.left_out for one in counted],
                "chosen": {name: [epoch, torch.from_numpy(p)] for name, (epoch, p) in result.chosen.items()}}, buffer)
    write_atomic(path, hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())


def _resume(path: Path | None, content: bytes, model: nn.Module, optimizer, device: torch.device,
            result: TrainResult, counted: Sequence[Any]) -> None:
    """Go on from the ``content`` of a state file, whose first 32 bytes are the SHA-256 of the others. A damaged one is
    left, which is said.
    """
    start = weights_of(model)
    try:
        if hashlib.sha256(memoryview(content)[32:]).digest() != content[:32]:
            raise ValueError("checksum")
        state = torch.load(io.BytesIO(memoryview(content)[32:]), map_location=device, weights_only=True)
        counts = list(zip(counted, state.get("left_out", ()), strict=True))
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError, EOFError):
        model.load_state_dict(start)
        note(f"state file {path} is damaged, or of another version: that run starts again from its first epoch")
        return
    result.history = state["history"]
    result.chosen = {name: (epoch, p.cpu().numpy()) for name, (epoch, p) in state["chosen"].items()}
    result.weights = {name: t.cpu() for name, t in state["weights"].items()}
    for one, left_out in counts:
        one.left_out = left_out
