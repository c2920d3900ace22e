"""Scores: ours against scikit-learn and against the plain double loop of the Challenge 2020 metric."""

import numpy as np
from sklearn.metrics import f1_score

from benchmarks.timing import Row, take_turns
from ecgtl import metrics


def f_beta_by_loops(y_true: np.ndarray, y_pred: np.ndarray, beta: float = 2) -> float:
    """``metrics.f_beta`` written out sample by sample."""
    found = []
    for k in range(y_true.shape[1]):
        tp = fp = fn = 0.0
        for labels, predicted in zip(y_true, y_pred, strict=True):
            weight = 1 / max(labels.sum(), 1)
            tp += weight * (labels[k] and predicted[k])
            fp += weight * (predicted[k] and not labels[k])
            fn += weight * (labels[k] and not predicted[k])
        if tp + fp + fn:
            found.append((1 + beta**2) * tp / ((1 + beta**2) * tp + fp + beta**2 * fn))
    return float(np.mean(found))


def rows(repeats: int) -> list[Row]:
    """Seconds of macro F1 on a test part of CinC 2017's size and of F-beta on one of PTB-XL's."""
    rng = np.random.default_rng(0)
    y, p = rng.integers(4, size=(2, 1705))
    table, predicted = (rng.random((2, 2198, 12)) < 0.2).astype(int)
    np.testing.assert_allclose(metrics.macro_f1(y, p), f1_score(y, p, average="macro"))
    np.testing.assert_allclose(metrics.f_beta(table, predicted), f_beta_by_loops(table, predicted))
    f1 = take_turns({"ours": lambda: metrics.macro_f1(y, p, 4), "plain": lambda: f1_score(y, p, average="macro")},
                    50 * repeats)
    beta = take_turns({"ours": lambda: metrics.f_beta(table, predicted),
                       "plain": lambda: f_beta_by_loops(table, predicted)}, repeats)
    return [Row("macro F1 of 1705 labels, against scikit-learn", "s", f1["ours"], f1["plain"]),
            Row("F-beta of 2198 x 12 labels, against a double loop", "s", beta["ours"], beta["plain"])]
