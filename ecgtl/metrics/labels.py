"""Scores of several labels a recording: 0/1 tables (n, classes) and probabilities; ``weighted_f1`` takes either."""

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata

from ecgtl.errors import EcgtlError
from ecgtl.metrics.classes import as_indices, confusion_matrix, f1_from_confusion, share_of

THRESHOLDS = np.linspace(0, 1, 100)
THRESHOLD = 0.5  # from this probability on a label counts as given, where no other threshold has been chosen


def f1_per_label(y_true: np.ndarray, y_pred: np.ndarray) -> list[float]:
    """F1 of each label of several a recording.

    Parameters
    ----------
    y_true, y_pred : array, (n, classes)
        0 or 1.

    Returns
    -------
    list of float, (classes,)

    Raises
    ------
    EcgtlError
        For tables that do not match, and values other than 0 and 1.

    Examples
    --------
    >>> f1_per_label([[1, 0], [1, 1]], [[1, 0], [0, 1]])
    [0.6666666666666666, 1.0]
    """
    y_true, y_pred = _table_pair(y_true, y_pred, binary=True)
    return share_of(2 * (y_true * y_pred).sum(axis=0), y_true.sum(axis=0) + y_pred.sum(axis=0)).tolist()


def weighted_f1(y_true: np.ndarray, y_pred: np.ndarray) -> float:
    """Mean of the F1 of classes (or labels), weighted by true occurrences (Jang 2021, section II.4; Nguyen 2023).

    Parameters
    ----------
    y_true, y_pred : array, (n,) or (n, labels)
        Classes, or 0/1 tables of labels.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    EcgtlError
        Without any positive label, and as ``confusion_matrix``.

    Examples
    --------
    >>> round(weighted_f1([0, 1, 1, 1], [0, 1, 1, 0]), 3)
    0.767
    """
    if np.ndim(y_true) == 2:
        scores = np.array(f1_per_label(y_true, y_pred))
        support = np.asarray(y_true, float).sum(axis=0)
    else:
        confusion = confusion_matrix(*as_indices(y_true, y_pred, None))
        scores, support = f1_from_confusion(confusion), confusion.sum(axis=1)
    if not support.sum():
        raise EcgtlError("weighted F1 needs at least one positive label")
    return float((scores * support).sum() / support.sum())


def macro_auc(y_true: np.ndarray, y_prob: np.ndarray) -> float:
    """Area under the ROC curve, averaged over the classes that have both outcomes.

    Rank statistic with ties shared. Source: Weimann 2021, Table 5 (after Strodthoff 2020).

    Parameters
    ----------
    y_true : array, (n, classes)
        0 or 1.
    y_prob : array, (n, classes)
        Scores; larger is more likely.

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    EcgtlError
        When no class has both outcomes, for tables that do not match, and scores that are not finite.

    Examples
    --------
    >>> macro_auc([[1, 0], [0, 1], [1, 1]], [[0.9, 0.2], [0.3, 0.6], [0.2, 0.7]])
    0.75
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

    A sample without a true label has recall 0. Source: Weimann 2021, Table 5 (after Strodthoff 2020).

    Parameters
    ----------
    y_true : array, (n, classes)
        0 or 1.
    y_prob : array, (n, classes)
        Scores; larger is more likely.
    thresholds : array, (t,)

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    EcgtlError
        As ``macro_auc``.

    Examples
    --------
    >>> f_max([[1, 0], [0, 1]], [[0.9, 0.2], [0.3, 0.6]])
    1.0
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
    return float(share_of(2 * precision * recall, precision + recall).max())


def f_beta(y_true: np.ndarray, y_pred: np.ndarray, beta: float = 2) -> float:
    """Class-averaged F-beta; each sample weighs 1 / its number of true labels.

    Source: PhysioNet/CinC Challenge 2020; Weimann 2021, Table 5.

    Parameters
    ----------
    y_true, y_pred : array, (n, classes)
        0 or 1.
    beta : float

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    EcgtlError
        As ``f1_per_label``.

    Examples
    --------
    >>> round(f_beta([[1, 0], [1, 1]], [[1, 0], [0, 1]]), 3)
    0.857
    """
    tp, fp, fn = _weighted_counts(y_true, y_pred)
    return _class_mean((1 + beta**2) * tp, (1 + beta**2) * tp + fp + beta**2 * fn)


def g_beta(y_true: np.ndarray, y_pred: np.ndarray, beta: float = 2) -> float:
    """Class-averaged Jaccard generalisation TP / (TP + FP + beta FN), weighted as ``f_beta``; same source.

    Parameters
    ----------
    y_true, y_pred : array, (n, classes)
        0 or 1.
    beta : float

    Returns
    -------
    float
        In [0, 1].

    Raises
    ------
    EcgtlError
        As ``f1_per_label``.

    Examples
    --------
    >>> g_beta([[1, 0], [1, 1]], [[1, 0], [0, 1]])
    0.75
    """
    tp, fp, fn = _weighted_counts(y_true, y_pred)
    return _class_mean(tp, tp + fp + beta * fn)


def best_threshold(metric: Callable[[np.ndarray, np.ndarray], float], y_true: np.ndarray, y_prob: np.ndarray,
                   thresholds: np.ndarray = THRESHOLDS) -> float:
    """The threshold with the best ``metric(y_true, y_prob >= threshold)``, the lowest one of equals.

    Meant for the training set: chosen on the test set it would flatter. Source: Weimann 2021, Table 5.

    Parameters
    ----------
    metric : callable
    y_true : array, (n, classes)
        0 or 1.
    y_prob : array, (n, classes)
        Scores; larger is more likely.
    thresholds : array, (t,)

    Returns
    -------
    float

    Raises
    ------
    EcgtlError
        As ``metric``.

    Examples
    --------
    >>> round(best_threshold(f_beta, np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.2], [0.3, 0.6]])), 2)
    0.3
    """
    scores = [metric(y_true, (y_prob >= threshold).astype(int)) for threshold in thresholds]
    return float(thresholds[int(np.argmax(scores))])


def best_thresholds(metric: Callable[[np.ndarray, np.ndarray], float], y_true: np.ndarray, y_prob: np.ndarray,
                    thresholds: np.ndarray = THRESHOLDS) -> list[float]:
    """One threshold a class, from the common one of ``best_threshold``: class by class, the best one.

    In F-beta and G-beta a class's term does not depend on what is predicted of the others, so that one pass over the
    classes finds the best of all. Beyond the paper, which has one threshold a metric.

    Parameters
    ----------
    metric : callable
    y_true : array, (n, classes)
        0 or 1.
    y_prob : array, (n, classes)
        Scores; larger is more likely.
    thresholds : array, (t,)

    Returns
    -------
    list of float, (classes,)

    Raises
    ------
    EcgtlError
        As ``metric``.

    Examples
    --------
    >>> y, p = np.array([[1, 0], [0, 1]]), np.array([[0.9, 0.2], [0.3, 0.6]])
    >>> [round(threshold, 2) for threshold in best_thresholds(f_beta, y, p)]
    [0.3, 0.2]
    """
    y_prob = np.asarray(y_prob)
    chosen = np.full(y_prob.shape[1], best_threshold(metric, y_true, y_prob, thresholds))
    for k in range(len(chosen)):
        trials = np.tile(chosen, (len(thresholds), 1))
        trials[:, k] = thresholds
        scores = [metric(y_true, (y_prob >= trial).astype(int)) for trial in trials]
        chosen[k] = thresholds[int(np.argmax(scores))]
    return chosen.tolist()


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


def _class_mean(above: np.ndarray, below: np.ndarray) -> float:
    """Mean over classes of above / below; classes with neither truth nor prediction are left out.

    The challenge's own code averages over defined classes (``nanmean``); 0 where none is defined.
    """
    defined = below > 0
    return float((above[defined] / below[defined]).mean()) if defined.any() else 0.0
