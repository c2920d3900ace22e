"""Scores of stored probabilities: of one label a recording, and of several."""

from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np

from ecgtl import metrics
from ecgtl.metrics.classes import share_of
from ecgtl.statistics import LEVEL
from ecgtl.training.loop import TrainResult

DRAWS = 500
THRESHOLDED = {"f_beta": metrics.f_beta, "g_beta": metrics.g_beta}
CINC_OFFICIAL = ("normal", "af", "other")  # the classes that the challenge's own score averages
ONE_LABEL, SEVERAL_LABELS = ("macro_f1", "weighted_f1", "accuracy"), ("macro_auc", "f_max", "weighted_f1")


def labels_of(probabilities: np.ndarray) -> np.ndarray:
    """0/1 table of the labels that probabilities (n, labels) give."""
    return (probabilities >= metrics.THRESHOLD).astype(int)


def value_of(name: str, y_true: np.ndarray, probabilities: np.ndarray) -> float:
    """A score of (n, classes) probabilities against class indices (n,), out of ``ONE_LABEL``, or a 0/1 table, out of
    ``SEVERAL_LABELS``.
    """
    if name in ("macro_auc", "f_max"):
        return getattr(metrics, name)(y_true, probabilities)
    if y_true.ndim == 2:
        return metrics.weighted_f1(y_true, labels_of(probabilities))
    n_classes = (probabilities.shape[1],) if name == "macro_f1" else ()
    return getattr(metrics, name)(y_true, probabilities.argmax(axis=1), *n_classes)


@lru_cache(4)
def _draws(n: int) -> np.ndarray:
    """How often each of n recordings is drawn, (``DRAWS``, n): the same for equal n."""
    rows = np.random.default_rng(0).integers(n, size=(DRAWS, n))
    return np.stack([np.bincount(drawn, minlength=n) for drawn in rows], axis=1).astype(np.int32).T


def on_draws(name: str, y: np.ndarray, probabilities: np.ndarray, threshold: float = metrics.THRESHOLD,
             counts: np.ndarray | None = None) -> np.ndarray:
    """A score, as ``value_of``, on test recordings (n) drawn again with replacement, (draws,).

    NaN where a draw lacks what the score needs. ``f1_per_class`` gives (draws, classes); one of ``THRESHOLDED`` asks a
    ``threshold``. ``counts`` (draws, n) say how often a draw has each recording. All but the scores that look for
    thresholds are those of the sums over recordings, of all draws at once.
    """
    counts = _draws(len(y)) if counts is None else counts
    if name == "macro_auc":
        areas = np.ma.masked_invalid([_areas(*columns, counts) for columns in zip(y.T, probabilities.T, strict=True)])
        return areas.mean(axis=0).filled(np.nan)
    given: np.ndarray = (probabilities >= threshold).astype(int)
    if name in ("f_max", *THRESHOLDED):
        score: Callable = THRESHOLDED.get(name, metrics.f_max)
        seen = given if name in THRESHOLDED else probabilities
        return np.array([score(y[rows], seen[rows]) for rows in (np.arange(len(y)).repeat(some) for some in counts)])
    if y.ndim == 1:
        classes = np.eye(probabilities.shape[1])
        y, given = classes[y], classes[probabilities.argmax(axis=1)]
    both, true, answered = (counts.astype(float) @ table for table in (y * given, y, given))
    f1 = share_of(2 * both, true + answered)
    with np.errstate(invalid="ignore"):
        return {"f1_per_class": f1, "macro_f1": f1.mean(axis=1), "accuracy": both.sum(axis=1) / counts.sum(axis=1),
                "weighted_f1": (f1 * true).sum(axis=1) / true.sum(axis=1)}[name]


def _areas(y: np.ndarray, score: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of one label (n,) with ties shared, (draws,); NaN of a draw without both outcomes."""
    order = np.argsort(score[y == 0])
    with_it, without = counts.T[y == 1], counts.T[np.flatnonzero(y == 0)[order]]
    below = np.pad(without.cumsum(axis=0), ((1, 0), (0, 0)))  # how many of the others lie under the k-th of them
    ends = (np.searchsorted(score[y == 0][order], score[y == 1], side) for side in ("left", "right"))
    won = sum((with_it * below[end]).sum(axis=0) for end in ends) / 2
    with np.errstate(invalid="ignore"):
        return won / (with_it.sum(axis=0) * without.sum(axis=0))


def with_limits(name: str, y: np.ndarray, *probabilities: np.ndarray) -> tuple[float, float, float]:
    """``value_of`` probabilities as a result stores them, and its percentile limits over test recordings drawn again.

    With the probabilities of another classifier, the difference to its score on the same draws.
    """
    counts = np.concatenate([np.ones((1, len(y)), int), _draws(len(y))])
    first, *others = (on_draws(name, y, p.astype(np.float32), counts=counts) for p in probabilities)
    value, *drawn = first - sum(others)
    low, high = np.nanquantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(value), float(low), float(high)


def by_choice(fit: TrainResult, choices: Sequence[str],
              score_of: Callable[[str, np.ndarray], dict]) -> tuple[dict, dict]:
    """Scores by choice of the epoch, and the probabilities of the test set as a result stores them.

    Scores are taken from these, so that anybody gets the same from the file.
    """
    kept = {name: fit.chosen[name][1].astype(np.float16) for name in choices}
    scores = {name: score_of(name, p) | {"epoch": fit.chosen[name][0]} for name, p in kept.items()}
    return scores, {f"prob_{name}": p for name, p in kept.items()}


def score(y_true: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...]) -> dict:
    """Macro and weighted F1, accuracy and F1 per class of (n, classes) probabilities against class indices (n,).

    For CinC 2017 also the challenge's own score: the mean F1 of normal, AF and other.
    """
    scores = {name: value_of(name, y_true, probabilities) for name in ONE_LABEL}
    f1 = dict(zip(classes, metrics.f1_per_class(y_true, probabilities.argmax(axis=1), len(classes)), strict=True))
    if set(CINC_OFFICIAL) < set(classes):
        scores["challenge_f1"] = float(np.mean([f1[name] for name in CINC_OFFICIAL]))
    return scores | {"f1_per_class": f1}


def score_multi_label(y_true: np.ndarray, probabilities: np.ndarray, classes: tuple[str, ...],
                      train: tuple[np.ndarray, np.ndarray] | None = None) -> dict:
    """Macro AUC, Fmax and weighted F1 of (n, classes) probabilities against 0/1 tables; Fβ and Gβ where thresholds can
    be had.

    ``train``: labels and probabilities of the training set, on which one threshold a metric is chosen, the one with the
    best score there; beside it, in ``per_class_thresholds``, the scores with one threshold a class. AUC a class is None
    where the test set lacks positives or negatives (scikit-learn: undefined); the mean leaves those out. Source:
    Weimann 2021, Table 5.
    """
    usable = [0 < y_true[:, k].sum() < len(y_true) for k in range(len(classes))]
    per_class = {name: metrics.macro_auc(y_true[:, [k]], probabilities[:, [k]]) if usable[k] else None
                 for k, name in enumerate(classes)}
    scores = {name: value_of(name, y_true, probabilities) for name in SEVERAL_LABELS} | {"auc_per_class": per_class}
    if train is None:
        return scores
    one = {name: metrics.best_threshold(metric, *train) for name, metric in THRESHOLDED.items()}
    own = {name: metrics.best_thresholds(metric, *train) for name, metric in THRESHOLDED.items()}
    return scores | by_thresholds(y_true, probabilities, one, own)


def by_thresholds(y_true: np.ndarray, probabilities: np.ndarray, one: dict, own: dict) -> dict:
    """Fβ and Gβ with ``one`` threshold a metric, and with its ``own`` for each class, and these thresholds."""
    by_one, by_own = ({name: metric(y_true, (probabilities >= limits[name]).astype(int))
                       for name, metric in THRESHOLDED.items()} for limits in (one, own))
    return by_one | {"thresholds": one, "per_class_thresholds": by_own | {"thresholds": own}}
