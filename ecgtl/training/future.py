"""Future prediction: which of several frames follows a context, some frames on (Weimann 2021, "Future
prediction").

The contrastive objective learns from unlabelled recordings. The network is
``ecgtl.models.contrastive.FuturePredictor``; it is trained as any classifier (``classification.fit``), for
the answer is the place of the true future among the candidates.
"""

from collections.abc import Iterator

import numpy as np

from ecgtl.errors import EcgtlError
from ecgtl.signals.frames import Frames

_EQUAL = "future equal to a negative"


class Contrasts:
    """Contexts, each with its future and some negatives: ``per_subject`` of them a subject and epoch on average.

    ``context`` consecutive frames; ``offset`` frames lie between them and the future; ``negatives`` other
    frames. ``among="data"`` draws those from any subject ("from the data set", as the paper says),
    ``"patient"`` from the context's own. A negative never overlaps the future. Where one is equal to it all
    the same (a flat line, a repeated stretch), the whole example is left out and counted in ``skipped``.

    ``frames`` must have been made with ``span_of(context, offset)``, so that recordings too short for one are
    left out.
    """

    classes: tuple[str, ...] = ()  # the place of the future has no meaning

    def __init__(self, frames: Frames, context: int, negatives: int, offset: int, per_subject: float,
                 among: str = "data"):
        self.frames, self.context, self.negatives, self.offset = frames, context, negatives, offset
        self.among, self._n, self.left_out = among, round(per_subject * len(frames.subjects)), 0

    def __len__(self) -> int:
        return self._n

    @property
    def skipped(self) -> dict[str, int]:
        """Recordings left out, and examples left out so far."""
        return self.frames.skipped | ({_EQUAL: self.left_out} if self.left_out else {})

    def batches(self, batch_size: int, seed: int, epoch: int = 0,
                share: slice = slice(None)) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """An epoch's examples (batch_size, context + 1 + negatives, samples) float32, and where the futures
        are (batch_size,).

        The context comes first, in order; behind it the candidates, of which the one at the place given is
        the future. Batches are smaller where examples are left out. Raises EcgtlError when all of them are.
        Of each batch ``share`` is read and given, also where nothing is left of it.
        """
        rng, kept = np.random.default_rng([seed, epoch]), 0
        for first in range(0, len(self), batch_size):
            rows, starts, place = (drawn[share] for drawn in self.draw(rng, min(batch_size, len(self) - first)))
            x = self.frames.take(rows.reshape(-1), starts.reshape(-1)).reshape(*rows.shape, self.frames.n_samples)
            true = x[np.arange(len(x)), self.context + place]
            equal = (x[:, self.context:] == true[:, np.newaxis]).all(axis=2).sum(axis=1) > 1
            self.left_out += int(equal.sum())
            if share.step or not equal.all():
                kept += int((~equal).sum())
                yield (x, place) if not equal.any() else (x[~equal], place[~equal])
        if not kept:
            names = ", ".join(self.frames.statistics)
            raise EcgtlError(f"in all {len(self)} examples from {names} the future is "
                             "equal to a negative: the recordings are flat or repeat themselves; give others")

    def draw(self, rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rows and starts (n, context + 1 + negatives) of the frames of ``n`` examples, and the futures'
        places (n,).
        """
        step = self.frames.n_samples
        row, start = self.frames.draw(rng, n)
        future = start + (self.context + self.offset) * step
        other_row, other_start = self._negatives(rng, row, future)
        place = rng.integers(self.negatives + 1, size=n)
        at = np.arange(self.negatives + 1) == place[:, np.newaxis]
        context = start[:, np.newaxis] + np.arange(self.context) * step
        rows = np.repeat(row[:, np.newaxis], self.context, axis=1)
        return (np.hstack([rows, _inserted(row, other_row, at)]),
                np.hstack([context, _inserted(future, other_start, at)]), place)

    def _negatives(self, rng: np.random.Generator, row: np.ndarray,
                   future: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows and starts (n, negatives); those that would overlap the future are drawn again in the same
        recording.
        """
        own = np.repeat(row, self.negatives)
        subjects = self.frames.subject[own] if self.among == "patient" else None
        other, start = self.frames.draw(rng, len(own), subjects, span=1)
        future = np.repeat(future, self.negatives)
        clash = np.flatnonzero((other == own) & (abs(start - future) < self.frames.n_samples))
        start[clash] = self._apart(rng, own[clash], future[clash])
        return other.reshape(-1, self.negatives), start.reshape(-1, self.negatives)

    def _apart(self, rng: np.random.Generator, row: np.ndarray, future: np.ndarray) -> np.ndarray:
        """Starts (n,) of frames that do not overlap the one at ``future``, each as likely as any other.

        There is always one: the context itself lies before the future.
        """
        step = self.frames.n_samples
        before = future - step + 1
        drawn = rng.integers(before + np.maximum(self.frames.places(row) - (future + step), 0))
        return np.where(drawn < before, drawn, drawn - before + future + step)


def span_of(context: int, offset: int) -> int:
    """Frames from the first of the context to the future, both included."""
    return context + offset + 1


def _inserted(one: np.ndarray, others: np.ndarray, at: np.ndarray) -> np.ndarray:
    """``one`` (n,) where ``at`` (n, k + 1) is true, ``others`` (n, k) in order elsewhere."""
    whole = np.empty(at.shape, others.dtype)
    whole[at], whole[~at] = one, others.reshape(-1)
    return whole
