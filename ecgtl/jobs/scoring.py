"""Scores of stored probabilities: of one label a recording, and of several."""

import contextlib
from collections.abc import Callable, Sequence

import numpy as np

from ecgtl import metrics
from ecgtl.errors import EcgtlError
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


def on_draws(scorer: Callable[[np.ndarray, np.ndarray], float], y: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """A score on test recordings (n) drawn again with replacement, (``DRAWS``,): the same draws for equal n."""
    rows = np.random.default_rng(0).integers(len(y), size=(DRAWS, len(y)))
    return np.array([scorer(y[drawn], probabilities[drawn]) for drawn in rows])


def with_limits(name: str, y: np.ndarray, *probabilities: np.ndarray) -> tuple[float, float, float]:
    """``value_of`` probabilities as a result stores them, and its percentile limits over test recordings drawn again.

    With the probabilities of another classifier, the difference to its score on the same draws.
    """
    def value(y: np.ndarray, p: np.ndarray) -> float:
        with contextlib.suppress(EcgtlError):  # draws without what the score needs do not count
            return value_of(name, y, p[:, 0]) - sum(value_of(name, y, p[:, k]) for k in range(1, p.shape[1]))
        return np.nan

    p = np.stack(probabilities, axis=1).astype(np.float32)
    low, high = np.nanquantile(on_draws(value, y, p), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return value(y, p), float(low), float(high)


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
