"""Classification of frames: the objective of every pretraining in Weimann 2021, "Training".

Beat, rhythm and heart-rate classification take the classes of ``frame_labels``; future prediction (``future``) is
the choice among candidates. All minimise the categorical cross-entropy, so one loop trains them.
"""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ecgtl import metrics
from ecgtl.datasets.recordings import UNLABELLED
from ecgtl.errors import EcgtlError
from ecgtl.signals import frame_labels
from ecgtl.signals.frames import OPEN, Frames
from ecgtl.signals.window_index import groups
from ecgtl.training import distributed, loop
from ecgtl.training.future import Contrasts

Batch = tuple[np.ndarray, np.ndarray]  # inputs and the class of each

DRAWN = 4096  # frames that are drawn and labelled at a time
NAMED = 5  # subjects that are named in a message; of more their databases are
_UNLABELLED = "frame without a label, drawn anew"


class LabelledFrames:
    """Random ``frames`` with their classes by a task of ``frame_labels``; ``per_subject`` of them a subject and
    epoch on average.

    Frames that the task gives no label are drawn anew and counted in ``skipped``. Raises EcgtlError when the
    sources have not the annotations that the task needs, and when no frame of the subjects has a label.
    """

    def __init__(self, frames: Frames, task: str, per_subject: float):
        self.frames, self.task, self.classes = frames, task, frame_labels.TASKS[task].classes
        self._n, self.left_out = round(per_subject * len(frames.subjects)), 0
        self._tracks = lru_cache(maxsize=OPEN)(
            lambda number: frame_labels.cached_tracks(task, frames.sources[number], frames.rate))
        for number in np.unique(frames.source):
            self._tracks(int(number))
        self._known(*frames.draw(np.random.default_rng(0), DRAWN))  # now rather than after the training

    def __len__(self) -> int:
        return self._n

    @property
    def skipped(self) -> dict[str, int]:
        """Recordings left out, and frames drawn so far that had no label."""
        return self.frames.skipped | ({_UNLABELLED: self.left_out} if self.left_out else {})

    def labels_of(self, row: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Class of each frame (n,), or ``UNLABELLED``."""
        found = np.full(len(row), UNLABELLED)
        for number, at in groups(self.frames.source[row]):
            begin = start[at]
            found[at] = frame_labels.TASKS[self.task].rule(self._tracks(number), self.frames.record[row[at]], begin,
                                                     begin + self.frames.n_samples)
        return found

    def batches(self, batch_size: int, seed: int, epoch: int = 0, share: slice = slice(None)) -> Iterator[Batch]:
        """An epoch's frames (batch_size, 1, samples) float32 and classes (batch_size,); the last batch may be
        smaller.

        They are drawn anew for each ``seed`` and ``epoch``. Of each batch ``share`` is read and given.
        """
        for row, start, label in self._drawn(batch_size, seed, epoch):
            yield self.frames.take(row[share], start[share]), label[share]

    def counts(self, seed: int, epoch: int = 0) -> dict[str, int]:
        """Frames of each class in an epoch; no signal is read."""
        found = Counter(np.concatenate([label for _, _, label in self._drawn(DRAWN, seed, epoch)]).tolist())
        return {name: found[k] for k, name in enumerate(self.classes)}

    def _drawn(self, batch_size: int, seed: int, epoch: int) -> Iterator[np.ndarray]:
        """Rows, starts and classes (3, batch_size) int64 of an epoch's frames, batch by batch."""
        rng, left, waiting = np.random.default_rng([seed, epoch]), len(self), np.zeros((3, 0), np.int64)
        while left:
            size = min(batch_size, left)
            while waiting.shape[1] < size:
                row, start = self.frames.draw(rng, DRAWN)
                label, known = self._known(row, start)
                self.left_out += int((~known).sum())
                waiting = np.concatenate([waiting, np.stack([row[known], start[known], label[known]])], axis=1)
            yield waiting[:, :size]
            waiting, left = waiting[:, size:], left - size

    def _known(self, row: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Class of each frame, and whether it has one; EcgtlError when none has."""
        label = self.labels_of(row, start)
        known = label != UNLABELLED
        if not known.any():
            names = self.frames.subjects if len(self.frames.subjects) <= NAMED else self.frames.statistics
            raise EcgtlError(f"none of {len(row)} frames drawn from {', '.join(names)} has a {self.task} label; give "
                             "other sources, another frame length or another seed")
        return label, known


Examples = LabelledFrames | Contrasts  # batches of inputs with the class of each; classes have names, or none


def fit(model: nn.Module, train: Examples, validation: Examples, config: loop.TrainConfig, device: torch.device,
        state_file: Path | None = None, report: loop.Report = None) -> loop.TrainResult:
    """Train ``model`` to classify ``train``; the epoch that is best by ``config.select_on`` is kept.

    The history holds ``train_loss`` and ``train_accuracy`` (running values), ``validation_loss``,
    ``validation_accuracy`` and, where the classes have names, ``validation_score``, the macro F1. The
    validation frames are the same in every epoch. Raises EcgtlError when a loss stops being finite.
    """
    autocast = loop.mixed(config.precision, device)

    def follow(row: dict, _) -> dict:
        found = scores(model, validation, autocast, device, config.seed)
        loop.finite(found["loss"], "validation", row["epoch"], config)
        columns = {"loss": "validation_loss", "accuracy": "validation_accuracy", "macro_f1": "validation_score"}
        return row | {column: found[name] for name, column in columns.items() if name in found}

    def batches(seed: int, epoch: int) -> loop.Batches:
        before = train.left_out
        yield from _ahead(train.batches(config.batch_size, seed, epoch, distributed.share()), device)
        if isinstance(train, Contrasts):  # each process has looked at its share alone
            train.left_out = before + int(distributed.total(train.left_out - before))

    return loop.run_epochs(model, batches, loop.classified, follow, config, device, state_file, report,
                           (train, validation))


def _ahead(batches: Iterator[Batch], device: torch.device) -> loop.Batches:
    """``batches`` as tensors on ``device``; the next one is drawn while the network is busy with this one."""
    with ThreadPoolExecutor(1) as pool:
        drawing = pool.submit(next, batches, None)
        while (batch := drawing.result()) is not None:
            drawing = pool.submit(next, batches, None)
            yield torch.from_numpy(batch[0]).to(device), torch.from_numpy(batch[1]).to(device)


@torch.no_grad()
def scores(model: nn.Module, examples: Examples, autocast, device: torch.device, seed: int) -> dict:
    """Scores over one epoch of ``examples`` drawn with ``seed``, in evaluation mode.

    ``loss``, ``accuracy``, ``n``; where the classes have names also ``macro_f1`` and ``f1_per_class`` over
    the classes that occur among the labels or the answers, ``counts`` of the labels, and ``majority``, the
    accuracy of one answer for all.
    """
    model.eval()
    total, labels, said = 0.0, [], []
    for x, y in _ahead(examples.batches(loop.EVALUATION_BATCH, seed), device):
        with autocast:
            logits = model(x)
        total += nn.functional.cross_entropy(logits.float(), y, reduction="sum").item()
        labels.append(y.cpu().numpy())
        said.append(logits.argmax(dim=1).cpu().numpy())
    truth, answers = np.concatenate(labels), np.concatenate(said)
    found = {"loss": total / len(truth), "accuracy": metrics.accuracy(truth, answers), "n": len(truth)}
    classes = examples.classes
    if not classes:
        return found
    f1 = metrics.f1_per_class(truth, answers, len(classes))
    counts = np.bincount(truth, minlength=len(classes)).tolist()
    occurring = np.union1d(truth, answers)
    return found | {"macro_f1": float(np.mean(np.array(f1)[occurring])),
                    "f1_per_class": {classes[k]: f1[k] for k in occurring},
                    "counts": dict(zip(classes, counts, strict=True)), "majority": max(counts) / len(truth)}
