"""Tasks drawn out of a target: some of its labels, some of its recordings, and which of these do what.

Source: Nguyen, Duong & Do 2023, section 3.1. A fold is a function of the label table, the subjects and its
number; it looks at no signal.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ecgtl.errors import EcgtlError

ATTEMPTS = 1000  # draws of one fold before it is given up
_STREAM = 3  # apart from the random numbers of splits, which have the same seeds


@dataclass(frozen=True)
class Fold:
    """One task. ``labels`` (Y,) are columns of the label table, ``train``, ``validation`` and ``test`` rows
    of it, all sorted int64; ``redrawn`` counts by reason the draws that made no task.
    """

    labels: np.ndarray
    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    redrawn: dict[str, int]

    @property
    def training(self) -> np.ndarray:
        """All that is not tested: what a measure may see, and what ``validation`` is held out of."""
        return np.sort(np.concatenate([self.train, self.validation]))


def draw(table: np.ndarray, subjects: np.ndarray, number: int, n_labels: tuple[int, int] = (2, 10),
         n_records: int = 1000, test: float = 0.3, validation: float = 0.1,
         label_set: Sequence[int] | None = None) -> Fold:
    """Fold ``number`` of the recordings with the 0/1 ``table`` (R, L) and ``subjects`` (R,).

    The number of labels is uniform from ``n_labels[0]`` to ``n_labels[1]``, the set of that size is uniform,
    or it is ``label_set`` (columns). Of the recordings that have any of the labels ``n_records`` are drawn;
    ``test`` of them test, and of the others ``validation`` is held out, as nearly as whole subjects allow. A
    draw that makes no task is made again with as many labels and counted: fewer than ``n_records``
    recordings; a label without positives in ``train`` or ``test``; one that all recordings of ``training``
    have, for which no measure has a weight.

    Raises EcgtlError for labels that the table has not, and after ``ATTEMPTS`` draws.
    """
    _check_labels(table.shape[1], n_labels, label_set)
    redrawn: Counter[str] = Counter()
    rng = np.random.default_rng([number, _STREAM])
    size = int(rng.integers(n_labels[0], n_labels[1] + 1)) if label_set is None else len(label_set)
    for _ in range(ATTEMPTS):
        labels = np.sort(rng.choice(table.shape[1], size, replace=False) if label_set is None else label_set)
        eligible = np.flatnonzero(table[:, labels].any(axis=1))
        if len(eligible) < n_records:
            redrawn[f"fewer than {n_records} recordings"] += 1
            continue
        training, tested = _by_subject(np.sort(rng.choice(eligible, n_records, replace=False)), subjects, test, rng)
        fold = Fold(labels.astype(np.int64), *_by_subject(training, subjects, validation, rng), tested, dict(redrawn))
        defect = _defect(fold, table[:, labels])
        if not defect:
            return fold
        redrawn[defect] += 1
    found = "; ".join(f"{reason}: {count}" for reason, count in redrawn.most_common())
    raise EcgtlError(f"none of {ATTEMPTS} draws of {size} labels and {n_records} recordings makes a task "
                     f"({found}); ask for another number of records, or other labels")


def _by_subject(records: np.ndarray, subjects: np.ndarray, share: float,
                rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """``records`` in two sorted sets, the second with ``share`` of them, as near as whole subjects come."""
    _, owner = np.unique(subjects[records], return_inverse=True)
    order = rng.permutation(owner.max() + 1)
    sizes = np.cumsum(np.bincount(owner)[order])
    n_taken = 1 + int(np.abs(sizes - round(share * len(records))).argmin())
    taken = np.isin(owner, order[:min(n_taken, len(sizes) - 1)])  # somebody has to stay
    return records[~taken], records[taken]


def _defect(fold: Fold, table: np.ndarray) -> str:
    """Why the sets make no task with the labels in ``table``; empty when they do."""
    if not (len(fold.train) and len(fold.validation) and len(fold.test)):
        return "too few subjects"
    for name, rows in (("training", fold.train), ("test", fold.test)):
        if not table[rows].any(axis=0).all():
            return f"a label without positives in the {name} set"
    return "a label that the whole training set has" if table[fold.training].all(axis=0).any() else ""


def _check_labels(n_known: int, n_labels: tuple[int, int], label_set: Sequence[int] | None) -> None:
    fewest, most = n_labels
    if label_set is not None:
        if not len(label_set) == len(set(label_set)) == len(set(label_set) & set(range(n_known))) > 0:
            raise EcgtlError(f"label_set is {list(label_set)}; give columns from 0 to {n_known - 1}, each once")
    elif not 1 <= fewest <= most <= n_known:
        raise EcgtlError(f"a fold of {fewest} to {most} labels cannot be drawn from a target of {n_known}; "
                         f"ask for 1 <= fewest <= most <= {n_known}")
