"""One training loop for every network: resident data, bf16 where it pays, best epoch in memory, resumable.

All randomness of epoch e comes from (seed, e), so a run that was killed and resumed from its last state file ends with
the same numbers as one that was not (on a CPU, with the same number of threads).
"""

import hashlib
import io
import math
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ecgtl.datasets.cache import write_atomic
from ecgtl.errors import EcgtlError, note

STATE_SECONDS = 30.0  # a state file is written at most this often: after a kill that much work is lost at most
EVALUATION_BATCH = 256


@dataclass(frozen=True)
class Recipe:
    """How a network is trained; the values come from ``ecgtl.config``.

    ``stop_on`` is the history column that must improve within ``patience`` epochs; ``select_on`` is the one whose best
    epoch is reported as ``validated``. Losses fall, everything else rises.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    patience: int
    stop_on: str
    select_on: str
    precision: str
    seed: int


@dataclass(frozen=True)
class Part:
    """Inputs (n, channels, samples) float32 and targets: class indices (n,) int64 or 0/1 tables (n, classes)."""

    x: np.ndarray
    y: np.ndarray


@dataclass
class Fit:
    """What training leaves: a history and, for each way of choosing the epoch, its number and test probabilities.

    ``chosen`` maps ``validated``, ``best_test`` and ``last`` to (epoch from 1, probabilities (n_test, outputs));
    ``weights`` is the state of the ``validated`` epoch, ``train`` its probabilities of the training part where somebody
    asked for them.
    """

    history: list[dict[str, float]] = field(default_factory=list)
    chosen: dict[str, tuple[int, np.ndarray]] = field(default_factory=dict)
    weights: dict[str, torch.Tensor] = field(default_factory=dict)
    train: np.ndarray | None = None


def pick_device(name: str) -> torch.device:
    """``auto`` is the GPU where there is one. Raises EcgtlError for ``cuda`` without a GPU."""
    if name == "cuda" and not torch.cuda.is_available():
        raise EcgtlError("device is 'cuda' but PyTorch sees no GPU here; use device=cpu or auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """``auto`` is bfloat16 where the hardware multiplies in it (emulated it would be slower), else float32."""
    if name == "auto":
        native = torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_avx512_bf16_supported()
        name = "bfloat16" if native else "float32"
    return getattr(torch, name)


def fit(model: nn.Module, train: Part, validation: Part, test: Part, recipe: Recipe,
        score: Callable[[np.ndarray, np.ndarray], float], device: torch.device, state_file: Path | None = None,
        report: Callable[[dict], None] | None = None) -> Fit:
    """Train ``model`` and follow it on the validation and test parts after every epoch.

    ``score(y, probabilities)`` is the validation and test score of the history. The test part never influences
    training, stopping or ``validated``; ``best_test`` is kept because two of the papers report it. ``state_file`` makes
    the run resumable; it is removed at the end. Raises EcgtlError when the loss stops being finite.
    """
    model.to(device)
    parts = [_Resident(part, device) for part in (train, validation, test)]
    optimizer, autocast = adam(model, recipe), mixed(recipe.precision, device)
    return run_epochs(model, optimizer, recipe, lambda epoch: _train_epoch(model, parts[0], optimizer, autocast, recipe, epoch),
                      lambda row, outcome: _follow(model, parts[1], parts[2], autocast, score, outcome, recipe, row),
                      device, state_file, report)


def adam(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam in one fused kernel, at the recipe's learning rate."""
    return torch.optim.Adam(model.parameters(), lr=recipe.learning_rate, fused=True)


def mixed(precision: str, device: torch.device) -> torch.autocast:
    """The context in which a network computes: bfloat16 where ``pick_precision`` says so."""
    return torch.autocast(device.type, torch.bfloat16, pick_precision(precision, device) == torch.bfloat16)


def run_epochs(model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe, train: Callable[[int], dict],
               follow: Callable[[dict, Fit], dict], device: torch.device, state_file: Path | None = None,
               report: Callable[[dict], None] | None = None) -> Fit:
    """The loop of every training: epoch by epoch until the recipe ends or is exhausted, resumable.

    ``train(epoch)`` makes one pass and returns its columns of the history; ``follow(row, outcome)`` evaluates and returns the
    other columns. The weights of the best epoch by ``recipe.select_on`` are kept.
    """
    outcome, saved = Fit(), time.monotonic()
    if state_file is not None and state_file.is_file():
        _resume(state_file, model, optimizer, device, outcome)
    for epoch in range(len(outcome.history) + 1, recipe.epochs + 1):
        if outcome.history and len(outcome.history) - best_epoch(outcome.history, recipe.stop_on) >= recipe.patience:
            break
        began = time.perf_counter()
        row = {"epoch": epoch, **train(epoch)}
        row |= follow(row, outcome)
        row["seconds"] = time.perf_counter() - began
        outcome.history.append(row)
        if best_epoch(outcome.history, recipe.select_on) == epoch:
            outcome.weights = weights_of(model)
        if report is not None:
            report(row)
        if state_file is not None and time.monotonic() - saved > STATE_SECONDS:
            _save_state(state_file, model, optimizer, outcome)
            saved = time.monotonic()
    if state_file is not None:
        state_file.unlink(missing_ok=True)
    return outcome


def predict(model: nn.Module, x: np.ndarray, device: torch.device, multi_label: bool = False,
            precision: str = "auto") -> np.ndarray:
    """Class probabilities (n, outputs), float32, for inputs (n, channels, samples), in evaluation mode.

    Raises EcgtlError when one is not finite: no class and no score follow from it.
    """
    logits = _logits(model.to(device), torch.from_numpy(np.ascontiguousarray(x)), mixed(precision, device), device)
    found = _probabilities(logits, multi_label).cpu().numpy()
    if not np.isfinite(found).all():
        raise EcgtlError("the network's probabilities are not finite; check its checkpoint, or train with a lower learning rate")
    return found


class _Resident:
    """A part whose inputs and targets lie on the training device as a whole."""

    def __init__(self, part: Part, device: torch.device):
        self.y = np.asarray(part.y)
        self.multi_label = self.y.ndim == 2
        self.inputs = torch.from_numpy(np.ascontiguousarray(part.x)).to(device)
        self.targets = torch.from_numpy(self.y).to(device, torch.float32 if self.multi_label else torch.int64)
        self.loss = nn.BCEWithLogitsLoss() if self.multi_label else nn.CrossEntropyLoss()


def _train_epoch(model: nn.Module, part: _Resident, optimizer, autocast, recipe: Recipe, epoch: int) -> dict:
    """One pass in a fresh order; loss and accuracy are running values of the pass, as Keras reports them."""
    model.train()
    seed = seed_epoch(recipe, epoch)
    order = torch.randperm(len(part.y), generator=torch.Generator().manual_seed(seed)).to(part.inputs.device)
    total, hits = torch.zeros((), device=order.device), torch.zeros((), device=order.device)
    for batch in order.split(recipe.batch_size):
        with autocast:
            logits = model(part.inputs[batch])
        logits, targets = logits.float(), part.targets[batch]
        loss = part.loss(logits, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach() * len(batch)
        hits += _hits(logits.detach(), targets, part.multi_label)
    return {"train_loss": finite(total.item() / len(order), "training", epoch, recipe),
            "train_accuracy": hits.item() / len(order)}


def seed_epoch(recipe: Recipe, epoch: int) -> int:
    """The seed of an epoch, drawn from the recipe's; PyTorch's own generator (dropout) is set to it."""
    seed = int(np.random.SeedSequence([recipe.seed, epoch]).generate_state(1)[0])
    torch.manual_seed(seed)
    return seed


def finite(loss: float, part: str, epoch: int, recipe: Recipe) -> float:
    """``loss`` of a part, or EcgtlError when it is not a number."""
    if not math.isfinite(loss):
        raise EcgtlError(f"the {part} loss is not finite in epoch {epoch}; lower learning_rate "
                         f"(now {recipe.learning_rate:g}) or use precision=float32")
    return loss


def _hits(logits: torch.Tensor, targets: torch.Tensor, multi_label: bool) -> torch.Tensor:
    if multi_label:
        return ((logits > 0) == (targets > 0.5)).float().mean(dim=1).sum()
    return (logits.argmax(dim=1) == targets).sum()


def _follow(model, validation: _Resident, test: _Resident, autocast, score, outcome: Fit, recipe: Recipe, row: dict) -> dict:
    """Evaluate after an epoch and keep what is best so far."""
    seen = {}
    for name, part in (("validation", validation), ("test", test)):
        logits = _logits(model, part.inputs, autocast, part.inputs.device)
        probabilities = _probabilities(logits, part.multi_label).cpu().numpy()
        loss = finite(part.loss(logits, part.targets).item(), name, row["epoch"], recipe)
        seen |= {f"{name}_loss": loss, f"{name}_score": score(part.y, probabilities)}
    epoch, history = row["epoch"], [*outcome.history, row | seen]
    outcome.chosen["last"] = (epoch, probabilities)  # of the test part
    for name, column in (("best_test", "test_score"), ("validated", recipe.select_on)):
        if best_epoch(history, column) == epoch:
            outcome.chosen[name] = outcome.chosen["last"]
    return seen


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


def _save_state(path: Path, model: nn.Module, optimizer, outcome: Fit) -> None:
    buffer = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "history": outcome.history,
                "weights": outcome.weights,
                "chosen": {name: [epoch, torch.from_numpy(p)] for name, (epoch, p) in outcome.chosen.items()}}, buffer)
    write_atomic(path, hashlib.sha256(buffer.getvalue()).digest() + buffer.getvalue())


def _resume(path: Path, model: nn.Module, optimizer, device: torch.device, outcome: Fit) -> None:
    """Go on from a state file, whose first 32 bytes are the SHA-256 of the others. One that is damaged is left, which is said."""
    content, start = path.read_bytes(), weights_of(model)
    try:
        if hashlib.sha256(memoryview(content)[32:]).digest() != content[:32]:
            raise ValueError("checksum")
        state = torch.load(io.BytesIO(memoryview(content)[32:]), map_location=device, weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (pickle.UnpicklingError, RuntimeError, KeyError, TypeError, ValueError, EOFError):
        model.load_state_dict(start)
        note(f"state file {path} is damaged, or of another version: that run starts again from its first epoch")
        return
    outcome.history = state["history"]
    outcome.chosen = {name: (epoch, p.cpu().numpy()) for name, (epoch, p) in state["chosen"].items()}
    outcome.weights = {name: t.cpu() for name, t in state["weights"].items()}
