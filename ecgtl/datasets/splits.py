"""Which recordings train, validate and test: stratified, never splitting a subject, never splitting duplicates."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from ecgtl.datasets.recordings import UNLABELLED, Recordings
from ecgtl.errors import EcgtlError


@dataclass(frozen=True)
class Split:
    """Indices into a Recordings, each sorted int64: training set, validation set, test set."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def check_fraction(fraction: float) -> None:
    """Raise EcgtlError unless 0 < ``fraction`` <= 1."""
    if not (isinstance(fraction, (int, float)) and not isinstance(fraction, bool) and 0 < fraction <= 1):
        raise EcgtlError(f"fraction is {fraction!r}; it is the share of the training set used: 0 < fraction <= 1")


def stratified(recordings: Recordings, validation: float, test: float, seed: int, test_seed: int = 0) -> Split:
    """Split by class with the shares ``validation`` and ``test`` of all recordings; the rest trains.

    The test set depends on ``test_seed`` alone, so it stays the same while ``seed`` redraws training and validation
    sets (Weimann 2021, "Finetuning"). Recordings of one subject, exact duplicates included, stay on one side.
    Recordings with several labels are divided by ``strata``. Raises EcgtlError when there is one class only, or a class
    with so few subjects that the training or the test set would hold none of it (a small validation set may).
    """
    labels, groups = strata(recordings), _groups(recordings)
    rest, test_groups = _draw(groups, labels, test, test_seed, recordings, parts=3)
    train_groups, validation_groups = _draw(rest, labels, validation / (1 - test), seed, recordings, parts=2)
    split = Split(*(_members(part) for part in (train_groups, validation_groups, test_groups)))
    absent = np.setdiff1d(labels, np.intersect1d(labels[split.train], labels[split.test]))
    if len(absent):
        raise _too_few(recordings, absent[0])
    return split


def by_folds(recordings: Recordings, validation: int, test: int) -> Split:
    """The published folds: one validates, one tests, the rest train (PTB-XL: 9 and 10; Weimann 2021, Table 5).

    Raises EcgtlError when the data set has no folds, a set is empty, or a subject is in two of them.
    """
    if recordings.folds is None:
        raise EcgtlError(f"{recordings.name} has no published folds; use a stratified split")
    part = np.where(recordings.folds == test, 2, np.where(recordings.folds == validation, 1, 0))
    parts = [np.flatnonzero(part == k) for k in range(3)]
    for name, members in zip(("training", "validation", "test"), parts, strict=True):
        if not len(members):
            raise EcgtlError(f"the {name} set of {recordings.name} is empty: folds {validation} and {test} are asked "
                             f"for, there are {sorted(set(recordings.folds.tolist()))}")
    subjects = np.concatenate([np.unique(recordings.subjects[members]) for members in parts])
    found, times = np.unique(subjects, return_counts=True)
    if times.max() > 1:
        raise EcgtlError(f"subject {found[times > 1][0]} of {recordings.name} is in two sets of the published folds; "
                         "use a stratified split")
    return Split(*parts)


def strata(recordings: Recordings) -> np.ndarray:
    """What a split keeps in proportion, (R,): the label; of several labels the rarest; without any, one more number.

    Raises EcgtlError for recordings of a single-label data set that have none.
    """
    if not recordings.multi_label:
        return _labels(recordings)
    table = np.asarray(recordings.labels)
    counts = table.sum(axis=0)
    rarity = np.where(table > 0, counts, counts.sum() + 1)
    return np.where(table.any(axis=1), rarity.argmin(axis=1), table.shape[1])


def bootstrap(recordings: Recordings, validation: float, test: float, fraction: float, seed: int,
              test_seed: int = 0) -> Split:
    """A training set drawn with replacement, and a validation set out of what the draw left.

    The test set is the one of ``stratified``. From the rest, ``fraction`` x n recordings of each class are drawn with
    replacement (Jang 2021, "bootstrapping"); ``train`` may hold an index several times. ``validation`` is a share of
    all recordings, stratified, among those whose subject was not drawn.
    """
    labels, groups = _labels(recordings), _groups(recordings)
    rest, test_groups = _draw(groups, labels, test, test_seed, recordings, parts=3)
    pool, rng = _members(rest), np.random.default_rng([seed, 2])
    classes = [pool[labels[pool] == label] for label in np.unique(labels)]
    train = np.concatenate([_with_replacement(members, fraction, rng) for members in classes])
    left = pool[~np.isin(recordings.subjects[pool], recordings.subjects[train])]
    kept = subset(left, labels, min(1.0, validation * len(recordings) / max(len(left), 1)), seed)
    absent = np.setdiff1d(labels[pool], labels[kept])
    if len(absent):
        raise _too_few(recordings, absent[0])
    return Split(np.sort(train), np.sort(kept), _members(test_groups))


def _with_replacement(members: np.ndarray, fraction: float, rng: np.random.Generator) -> np.ndarray:
    """``fraction`` x n of one class's ``members``, drawn again when it leaves none for the validation set.

    A class of five is drawn whole once in 26 times: with Shaoxing's rarest, trials of the paper's ten would fail.
    """
    n = max(1, round(fraction * len(members)))
    while True:
        drawn = rng.choice(members, n)
        if len(members) == 1 or len(np.unique(drawn)) < len(members):
            return drawn


def subset(train: np.ndarray, labels: np.ndarray, fraction: float, seed: int) -> np.ndarray:
    """A stratified share of ``train`` (indices); smaller fractions of one seed are contained in larger ones.

    Every class keeps at least one recording. Source of the sizes: Weimann 2021, Table 2.
    """
    if fraction == 1:
        return train
    order = np.random.default_rng([seed, 1]).permutation(train)
    classes = [order[labels[order] == label] for label in np.unique(labels[train])]
    return np.sort(np.concatenate([members[: max(1, round(fraction * len(members)))] for members in classes]))


def few(train: np.ndarray, recordings: Recordings, of_each: int, seed: int) -> np.ndarray:
    """``of_each`` recordings of each class out of ``train`` (indices); of several labels of each of ``strata``.

    Fewer of one seed are contained in more. Raises EcgtlError for a class that has not so many there.
    """
    labels, order = strata(recordings), np.random.default_rng([seed, 3]).permutation(train)
    found = np.sort(np.concatenate([order[labels[order] == label][:of_each] for label in np.unique(labels[train])]))
    counts = recordings.label_matrix[found].sum(axis=0)
    if (counts < of_each).any():
        name, n = recordings.classes[counts.argmin()], recordings.label_matrix[train].sum(axis=0)[counts.argmin()]
        raise EcgtlError(f"{of_each} labels a class are asked for, the training set of {recordings.name} has {n} of "
                         f"{name!r}; ask for fewer, or give more recordings")
    return found


def _labels(recordings: Recordings) -> np.ndarray:
    if recordings.multi_label:
        raise EcgtlError(f"{recordings.name} has several labels a recording; a stratified split needs one")
    without = recordings.ids[recordings.labels == UNLABELLED]
    if len(without):
        raise EcgtlError(f"{len(without)} recordings of {recordings.name} have no label (the first is {without[0]}); "
                         "add labels, or pass on_bad=skip")
    return recordings.labels


def _groups(recordings: Recordings) -> list[np.ndarray]:
    """Indices of the recordings of each subject, in order of first appearance."""
    numbers, _ = pd.factorize(recordings.subjects)
    return np.split(np.argsort(numbers, kind="stable"), np.cumsum(np.bincount(numbers))[:-1])


def _draw(groups: list[np.ndarray], labels: np.ndarray, share: float, seed: int,
          recordings: Recordings, parts: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Two lists of groups, the second with ``share`` of them; ``parts`` are still to be made of all, each needs one."""
    numbers = labels[[group[0] for group in groups]]
    found, counts = np.unique(numbers, return_counts=True)
    if len(found) < 2 and len(np.unique(labels)) > 1:
        raise EcgtlError(f"{recordings.name} has {len(np.unique(recordings.subjects))} subjects with several classes "
                         "each, and no subject is in two sets; give recordings of more subjects")
    if len(found) < 2:
        raise EcgtlError(f"{recordings.name} has only the class {_name(recordings, found[0])!r}; a classifier needs at "
                         "least two")
    if counts.min() < parts:
        raise _too_few(recordings, found[counts.argmin()])
    size = max(round(share * len(groups)), len(found))
    if len(groups) - size < len(found):
        raise EcgtlError(f"{recordings.name} has {len(groups)} subjects in {len(found)} classes: too few for "
                         "training, validation and test sets; add recordings")
    from sklearn.model_selection import train_test_split  # noqa: PLC0415  (a fifth of a second)

    kept, drawn = train_test_split(np.arange(len(groups)), test_size=size, stratify=numbers, random_state=seed)
    return [groups[k] for k in np.sort(kept)], [groups[k] for k in np.sort(drawn)]


def _too_few(recordings: Recordings, label: int) -> EcgtlError:
    return EcgtlError(f"class {_name(recordings, label)!r} of {recordings.name} has too few subjects for a stratified "
                      "split into training, validation and test sets; merge or remove the class, or add recordings")


def _name(recordings: Recordings, stratum: int) -> str:
    return recordings.classes[stratum] if stratum < len(recordings.classes) else "none of the labels"


def _members(groups: list[np.ndarray]) -> np.ndarray:
    return np.sort(np.concatenate(groups))
