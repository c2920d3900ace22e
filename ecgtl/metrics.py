"""Scores of predictions: NumPy arrays in, Python floats out.

Single-label functions take class indices (n,) or names; multi-label ones take 0/1 tables (n, classes) and
probabilities. A class without positives that is predicted scores 0 everywhere. One that is not predicted either
scores 0 in the F1 of all kinds, as with scikit-learn's ``zero_division=0``, and is left out of the means of
F-beta and G-beta, as in the code of Challenge 2020 and with ``zero_division=np.nan``. AUC leaves out classes
without positives or without negatives, where scikit-learn gives NaN or an error.
"""

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from ecgtl.errors import EcgtlError

THRESHOLDS = np.linspace(0, 1, 100)
THRESHOLD = 0.5  # from this probability on a label counts as given, where no other threshold has been chosen


def confusion_matrix(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts (n_classes, n_classes): rows are true classes, columns predicted ones; indices in, int64 out.

    Raises EcgtlError for rows of unequal length, empty ones, and anything but integers in 0 .. n_classes - 1.
    """
    y_true, y_pred = _row_pair(y_true, y_pred)
    for row in (y_true, y_pred):
        if row.dtype.kind not in "iu" or row.min() < 0 or row.max() >= n_classes:
            given = f"{row.min()} to {row.max()}" if row.dtype.kind in "iuf" else repr(row.tolist()[0])
            raise EcgtlError(f"class indices must be integers from 0 to {n_classes - 1}, not {given}")
    # Indices may come as uint8, in which the product would wrap around.
    flat = np.bincount(y_true.astype(np.int64) * n_classes + y_pred, minlength=n_classes**2)
    return flat.reshape(n_classes, n_classes)


def f1_from_confusion(confusion: np.ndarray) -> np.ndarray:
    """F1 of each class from a confusion matrix (classes, classes), float64 (classes,)."""
    return _share(2.0 * np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1))


def f1_per_class(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int | None = None) -> list[float]:
    """F1 of each class 0 .. n_classes - 1 (by default every class that occurs in either row)."""
    return f1_from_confusion(confusion_matrix(*_as_indices(y_true, y_pred, n_classes))).tolist()


def macro_f1(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int | None = None) -> float:
    """Unweighted mean of the classes' F1 (Weimann 2021, Tables 1-4)."""
    return float(np.mean(f1_per_class(y_true, y_pred, n_classes)))


def f1_per_label(y_true: np.ndarray, y_pred: np.ndarray) -> list[float]:
    """F1 of each label of 0/1 tables (n, labels)."""
    y_true, y_pred = _table_pair(y_true, y_pred, binary=True)
    return _share(2 * (y_true * y_pred).sum(axis=0), y_true.sum(axis=0) + y_pred.sum(axis=0)).tolist()


def weighted_f1(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean of the F1 of classes (or labels), weighted by true occurrences (Jang 2021, section II.4; Nguyen 2023).

    Takes class indices (n,) or 0/1 tables (n, labels).
    """
    if np.ndim(y_true) == 2:
        scores = np.array(f1_per_label(y_true, y_pred))
        support = np.asarray(y_true, float).sum(axis=0)
    else:
        confusion = confusion_matrix(*_as_indices(y_true, y_pred, None))
        scores, support = f1_from_confusion(confusion), confusion.sum(axis=1)
    if not support.sum():
        raise EcgtlError("weighted F1 needs at least one positive label")
    return float((scores * support).sum() / support.sum())


def accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Share of equal entries of two rows of labels."""
    y_true, y_pred = _row_pair(y_true, y_pred)
    return float(np.mean(y_true == y_pred))


def learning_curve_index(scores: Sequence[float] | np.ndarray, eps: float = 1e-7) -> float:
    """LCI of a row of test F1 by epoch: mean size of rises / (mean size of falls + eps) x best F1.

    Means are conditional: over the rises alone and over the falls alone (0 where there are none).
    Source: Jang 2021, section II.4(3). Raises EcgtlError for fewer than two epochs and for NaN.
    """
    curve = np.asarray(scores, float)
    if curve.ndim != 1 or len(curve) < 2:
        raise EcgtlError(f"a learning curve needs at least two epochs, not {curve.shape}")
    if not np.isfinite(curve).all():
        raise EcgtlError("a learning curve needs a finite score in every epoch")
    steps = np.diff(curve)
    rise, fall = (part.mean() if len(part) else 0.0 for part in (steps[steps > 0], -steps[steps < 0]))
    return float(rise / (fall + eps) * curve.max())


def macro_auc(y_true: np.ndarray, y_prob: np.ndarray) -> float:
    """Area under the ROC curve, averaged over the classes that have both outcomes.

    ``y_true`` 0/1 (n, classes), ``y_prob`` (n, classes). Rank statistic with ties shared. Raises EcgtlError when no
    class has both outcomes. Source: Weimann 2021, Table 5 (after Strodthoff 2020).
    """
    y_true, y_prob = _table_pair(y_true, y_prob)
    positives = y_true.sum(axis=0)
    usable = (positives > 0) & (positives < len(y_true))
    if not usable.any():
        raise EcgtlError("AUC needs a class with positives and negatives; none has both here")
    y_true, p = y_true[:, usable], positives[usable]
    ranks = rankdata(y_prob[:, usable], axis=0)
    area = ((ranks * y_true).sum(axis=0) - p * (p + 1) / 2) / (p * (len(y_true) - p))
    return float(area.mean())


def f_max(y_true: np.ndarray, y_prob: np.ndarray, thresholds: np.ndarray = THRESHOLDS) -> float:
    """Best sample-centric F1 over thresholds: precision averaged over samples that have a prediction, recall over all.

    ``y_true`` 0/1 (n, classes), ``y_prob`` (n, classes). A sample without a true label has recall 0.
    Source: Weimann 2021, Table 5 (after Strodthoff 2020).
    """
    y_true, y_prob = _table_pair(y_true, y_prob)
    order = np.argsort(-y_prob, axis=1)
    y_true, y_prob = (np.take_along_axis(table, order, axis=1) for table in (y_true, y_prob))
    # As the threshold falls, a sample's classes are predicted one by one; each moves its precision by a step
    precisions = y_true.cumsum(axis=1) / np.arange(1, y_true.shape[1] + 1)
    steps = np.diff(precisions, axis=1, prepend=0)
    recalls = y_true / np.maximum(y_true.sum(axis=1, keepdims=True), 1)
    reached = np.searchsorted(np.sort(thresholds), y_prob, side="right")

    def falling(weight: np.ndarray, levels: np.ndarray) -> np.ndarray:
        """Sum of ``weight`` over what is predicted at each threshold, the highest one first."""
        return np.bincount(levels.ravel(), weight.ravel(), len(thresholds) + 1)[:0:-1].cumsum()

    n_predicted = falling(np.ones(len(y_true)), reached[:, 0])
    precision = falling(steps, reached) / np.maximum(n_predicted, 1)
    recall = falling(recalls, reached) / len(y_true)
    return float(_share(2 * precision * recall, precision + recall).max())


def f_beta(y_true: np.ndarray, y_pred: np.ndarray, beta: float = 2) -> float:
    """Class-averaged F-beta of 0/1 tables (n, classes); each sample weighs 1 / its number of true labels.

    Source: PhysioNet/CinC Challenge 2020; Weimann 2021, Table 5.
    """
    tp, fp, fn = _weighted_counts(y_true, y_pred)
    return _class_mean((1 + beta**2) * tp, (1 + beta**2) * tp + fp + beta**2 * fn)


def g_beta(y_true: np.ndarray, y_pred: np.ndarray, beta: float = 2) -> float:
    """Class-averaged Jaccard generalisation TP / (TP + FP + beta FN), weighted as ``f_beta``; same source."""
    tp, fp, fn = _weighted_counts(y_true, y_pred)
    return _class_mean(tp, tp + fp + beta * fn)


def best_threshold(metric: Callable[[np.ndarray, np.ndarray], float], y_true: np.ndarray, y_prob: np.ndarray,
                   thresholds: np.ndarray = THRESHOLDS) -> float:
    """The threshold with the best ``metric(y_true, y_prob >= threshold)``, the lowest one of equals.

    Meant for the training part: chosen on the test part it would flatter. Source: Weimann 2021, Table 5.
    """
    scores = [metric(y_true, (y_prob >= threshold).astype(int)) for threshold in thresholds]
    return float(thresholds[int(np.argmax(scores))])


def best_thresholds(metric: Callable[[np.ndarray, np.ndarray], float], y_true: np.ndarray, y_prob: np.ndarray,
                    thresholds: np.ndarray = THRESHOLDS) -> list[float]:
    """One threshold a class, from the common one of ``best_threshold``: class by class, the best one.

    In F-beta and G-beta a class's term does not depend on what is predicted of the others, so that one pass over
    the classes finds the best of all. Beyond the paper, which has one threshold a metric.
    """
    y_prob = np.asarray(y_prob)
    chosen = np.full(y_prob.shape[1], best_threshold(metric, y_true, y_prob, thresholds))
    for k in range(len(chosen)):
        trials = np.tile(chosen, (len(thresholds), 1))
        trials[:, k] = thresholds
        scores = [metric(y_true, (y_prob >= trial).astype(int)) for trial in trials]
        chosen[k] = thresholds[int(np.argmax(scores))]
    return chosen.tolist()


def _as_indices(y_true, y_pred, n_classes: int | None) -> tuple[np.ndarray, np.ndarray, int]:
    """Both rows as class indices; names and gaps are numbered in sorted order unless ``n_classes`` is given."""
    y_true, y_pred = _row_pair(y_true, y_pred)
    if n_classes is not None:
        return y_true, y_pred, n_classes
    found, both = np.unique(np.concatenate([y_true, y_pred]), return_inverse=True)
    return both[: len(y_true)], both[len(y_true):], len(found)


def _row_pair(y_true, y_pred) -> tuple[np.ndarray, np.ndarray]:
    # Asked before NumPy makes texts of a list, and so a label of what is missing
    missing = any(np.any(pd.isna(row if hasattr(row, "__array__") else list(row))) for row in (y_true, y_pred))
    y_true, y_pred = np.asarray(y_true), np.asarray(y_pred)
    if y_true.shape != y_pred.shape or y_true.ndim != 1 or not len(y_true):
        raise EcgtlError("true and predicted labels must be two equally long rows, "
                         f"not {y_true.shape} and {y_pred.shape}")
    if missing:
        raise EcgtlError("a label is missing (None or NaN); leave out what has none")
    return y_true, y_pred


def _table_pair(y_true, y_other, binary: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Both tables as float64; the second one holds scores, or with ``binary`` predictions that are 0 or 1."""
    y_true, y_other = np.asarray(y_true, np.float64), np.asarray(y_other, np.float64)
    if y_true.shape != y_other.shape or y_true.ndim != 2 or not y_true.size:
        raise EcgtlError(f"labels and scores must be two tables (n, classes), not {y_true.shape} and {y_other.shape}")
    if not (np.isfinite(y_other).all() and np.isin(y_true, (0, 1)).all()):
        raise EcgtlError("labels must be 0 or 1, and scores finite")
    if binary and not np.isin(y_other, (0, 1)).all():
        raise EcgtlError("predictions must be 0 or 1; apply a threshold to probabilities first")
    return y_true, y_other


def _weighted_counts(y_true, y_pred) -> tuple[np.ndarray, ...]:
    """True positives, false positives and false negatives of each class (classes,)."""
    y_true, y_pred = _table_pair(y_true, y_pred, binary=True)
    weight = 1 / np.maximum(y_true.sum(axis=1, keepdims=True), 1)
    return tuple((weight * cells).sum(axis=0)
                 for cells in (y_true * y_pred, (1 - y_true) * y_pred, y_true * (1 - y_pred)))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part`` (float64) of ``whole``; 0 where that is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _class_mean(above: np.ndarray, below: np.ndarray) -> float:
    """Mean over classes of above / below; classes with neither truth nor prediction are left out.

    The challenge's own code averages over defined classes (``nanmean``); 0 where none is defined.
    """
    defined = below > 0
    return float((above[defined] / below[defined]).mean()) if defined.any() else 0.0
