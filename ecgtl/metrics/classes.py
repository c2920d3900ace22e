"""Scores of one class a recording: class indices or names (n,)."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ecgtl.errors import EcgtlError


def confusion_matrix(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int) -> np.ndarray:
    """Counts of true classes (rows) by predicted ones (columns).

    Parameters
    ----------
    y_true, y_pred : integer array, (n,)
        Indices 0 .. n_classes - 1.
    n_classes : int

    Returns
    -------
    int64 array, (n_classes, n_classes)

    Raises
    ------
    EcgtlError
        For rows of unequal length, empty ones, and anything but integers in 0 .. n_classes - 1.

    Examples
    --------
    >>> confusion_matrix([0, 0, 1], [0, 1, 1], 2).tolist()
    [[1, 1], [0, 1]]
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
    """F1 of each class from a confusion matrix.

    Parameters
    ----------
    confusion : array, (classes, classes)

    Returns
    -------
    float64 array, (classes,)

    Examples
    --------
    >>> f1_from_confusion(np.array([[1, 1], [0, 1]])).round(3).tolist()
    [0.667, 0.667]
    """
    return share_of(2.0 * np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1))


def f1_per_class(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int | None = None) -> list[float]:
    """F1 of each class.

    Parameters
    ----------
    y_true, y_pred : array, (n,)
        True and predicted classes, as indices or names.
    n_classes : int, optional
        With it, classes are 0 .. n_classes - 1; without, every class that occurs in either row.

    Returns
    -------
    list of float, (classes,)

    Raises
    ------
    EcgtlError
        As ``confusion_matrix``.

    Examples
    --------
    >>> f1_per_class(["af", "n", "n"], ["af", "n", "af"])
    [0.6666666666666666, 0.6666666666666666]
    """
    return f1_from_confusion(confusion_matrix(*as_indices(y_true, y_pred, n_classes))).tolist()


def macro_f1(y_true: np.ndarray, y_pred: np.ndarray, n_classes: int | None = None) -> float:
    """Unweighted mean of the classes' F1 (Weimann 2021, Tables 1-4).

    Parameters
    ----------
    y_true, y_pred : array, (n,)
        True and predicted classes, as indices or names.
    n_classes : int, optional
        As in ``f1_per_class``.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    EcgtlError
        As ``confusion_matrix``.

    Examples
    --------
    >>> round(macro_f1([0, 1, 1, 2], [0, 1, 2, 2]), 3)
    0.778
    """
    return float(np.mean(f1_per_class(y_true, y_pred, n_classes)))


def accuracy(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Share of equal entries of two rows of labels.

    Parameters
    ----------
    y_true, y_pred : array, (n,)
        True and predicted classes, as indices or names.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    EcgtlError
        For rows of unequal length, empty ones and missing labels.

    Examples
    --------
    >>> accuracy([0, 1, 1, 1], [0, 1, 1, 0])
    0.75
    """
    y_true, y_pred = _row_pair(y_true, y_pred)
    return float(np.mean(y_true == y_pred))


def learning_curve_index(scores: Sequence[float] | np.ndarray, eps: float = 1e-7) -> float:
    """LCI of a row of test F1 by epoch: mean size of rises / (mean size of falls + eps) x best F1.

    Means are conditional: over the rises alone and over the falls alone (0 where there are none). Source: Jang 2021,
    section II.4(3).

    Parameters
    ----------
    scores : array, (epochs,)
    eps : float

    Returns
    -------
    float

    Raises
    ------
    EcgtlError
        For fewer than two epochs and for NaN.

    Examples
    --------
    >>> round(learning_curve_index([0.4, 0.6, 0.5, 0.7]), 3)
    1.4
    """
    curve = np.asarray(scores, float)
    if curve.ndim != 1 or len(curve) < 2:
        raise EcgtlError(f"a learning curve needs at least two epochs, not {curve.shape}")
    if not np.isfinite(curve).all():
        raise EcgtlError("a learning curve needs a finite score in every epoch")
    steps = np.diff(curve)
    rise, fall = (part.mean() if len(part) else 0.0 for part in (steps[steps > 0], -steps[steps < 0]))
    return float(rise / (fall + eps) * curve.max())


def reliability(y_true: np.ndarray, y_prob: np.ndarray, bins: int = 15) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence against accuracy, by bins of equal width of the confidence.

    Parameters
    ----------
    y_true : array of int, shape (n,)
        Class indices.
    y_prob : array of float, shape (n, classes)
        Class probabilities; the confidence is the highest.
    bins : int
        Number of bins between 0 and 1.

    Returns
    -------
    confidence, accuracy, count : arrays, shape (bins,)
        Means in each bin, NaN in an empty one, and how many recordings it has. Source: Guo et al. 2017, section 2.

    Examples
    --------
    >>> confidence, accuracy, count = reliability(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), bins=2)
    >>> round(float(confidence[1]), 2), float(accuracy[1]), count.tolist()
    (0.85, 0.5, [0, 2])
    """
    confidence, right = y_prob.max(axis=1), y_prob.argmax(axis=1) == y_true
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    count = np.bincount(place, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(place, weights=each, minlength=bins) / count for each in (confidence, right)]
    return means[0], means[1], count


def calibration_error(y_true: np.ndarray, y_prob: np.ndarray, bins: int = 15) -> float:
    """Expected calibration error: the mean distance between confidence and accuracy over the recordings.

    Parameters
    ----------
    y_true, y_prob, bins
        As of ``reliability``.

    Returns
    -------
    float
        Between 0 and 1. Source: Guo et al. 2017, section 2, equation 3.

    Examples
    --------
    >>> round(calibration_error(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]), bins=2), 2)
    0.35
    """
    confidence, accuracy, count = reliability(y_true, y_prob, bins)
    return float(np.nansum(np.abs(confidence - accuracy) * count) / len(y_true))


def as_indices(y_true, y_pred, n_classes: int | None) -> tuple[np.ndarray, np.ndarray, int]:
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


def share_of(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """``part`` (float64) of ``whole``; 0 where that is 0."""
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)
