"""Scores: ours against scikit-learn, and those of several labels against plain double loops."""

import numpy as np
from sklearn.metrics import f1_score

from benchmarks.timing import Row, take_turns
from ecgtl import metrics
from ecgtl.analysis import correlations
from ecgtl.jobs import scoring

AT_LEAST = 50  # times faster than the loops
AT_LEAST_OF_DRAWS = 2
TOLERANCE = 1e-12


def macro_auc_by_loops(y_true: np.ndarray, y_prob: np.ndarray) -> float:
    """``metrics.macro_auc`` written out: how often a positive outranks a negative, ties counting half."""
    found = []
    for labels, scores in zip(y_true.T.tolist(), y_prob.T.tolist(), strict=True):
        positives = [score for label, score in zip(labels, scores, strict=True) if label]
        negatives = [score for label, score in zip(labels, scores, strict=True) if not label]
        won = sum((high > low) + 0.5 * (high == low) for high in positives for low in negatives)
        if positives and negatives:
            found.append(won / (len(positives) * len(negatives)))
    return float(np.mean(found))


def f_max_by_loops(y_true: np.ndarray, y_prob: np.ndarray) -> float:
    """``metrics.f_max`` written out threshold by threshold and sample by sample."""
    best, rows = 0.0, list(zip(y_true.tolist(), y_prob.tolist(), strict=True))
    for threshold in metrics.THRESHOLDS.tolist():
        precisions, recall = [], 0.0
        for labels, scores in rows:
            predicted = [label for label, score in zip(labels, scores, strict=True) if score >= threshold]
            if predicted:
                precisions.append(sum(predicted) / len(predicted))
            recall += sum(predicted) / max(sum(labels), 1) / len(rows)
        precision = sum(precisions) / max(len(precisions), 1)
        if precision + recall:
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def f_beta_by_loops(y_true: np.ndarray, y_pred: np.ndarray, beta: float = 2) -> float:
    """``metrics.f_beta`` written out sample by sample."""
    return float(np.mean([(1 + beta**2) * tp / ((1 + beta**2) * tp + fp + beta**2 * fn)
                          for tp, fp, fn in _counts_by_loops(y_true, y_pred) if tp + fp + fn]))


def g_beta_by_loops(y_true: np.ndarray, y_pred: np.ndarray, beta: float = 2) -> float:
    """``metrics.g_beta`` written out sample by sample."""
    return float(np.mean([tp / (tp + fp + beta * fn)
                          for tp, fp, fn in _counts_by_loops(y_true, y_pred) if tp + fp + fn]))


def _counts_by_loops(y_true: np.ndarray, y_pred: np.ndarray) -> list[tuple[float, float, float]]:
    found = []
    for k in range(y_true.shape[1]):
        tp = fp = fn = 0.0
        for labels, predicted in zip(y_true, y_pred, strict=True):
            weight = 1 / max(labels.sum(), 1)
            tp += weight * (labels[k] and predicted[k])
            fp += weight * (predicted[k] and not labels[k])
            fn += weight * (labels[k] and not predicted[k])
        found.append((tp, fp, fn))
    return found


def draw_by_draw(name: str, y: np.ndarray, p: np.ndarray) -> np.ndarray:
    """``scoring.on_draws`` written out: each draw scored by itself."""
    drawn = np.random.default_rng(0).integers(len(y), size=(scoring.DRAWS, len(y)))
    return np.array([scoring.value_of(name, y[rows], p[rows]) for rows in drawn])


def limits_draw_by_draw(groups: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The limits of ``correlations.bootstrap`` of a correlation, one draw of the groups after the other."""
    rng, members = np.random.default_rng(0), [np.flatnonzero(groups == k) for k in range(groups.max() + 1)]
    folds = (np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
             for _ in range(correlations.RESAMPLES))
    return np.quantile([np.corrcoef(x[own], y[own])[0, 1] for own in folds], [0.025, 0.975])


def rows(repeats: int) -> list[Row]:
    """Seconds of macro F1 on a test set of CinC 2017's size, and of the scores of Table 5 on one of PTB-XL's.

    One of the labels occurs nowhere. Both ways have to agree to 1e-12 before they are timed. Then of the same on test
    recordings drawn again, against one draw after the other.
    """
    rng = np.random.default_rng(0)
    y, p = rng.integers(4, size=(2, 1705))
    np.testing.assert_allclose(metrics.macro_f1(y, p), f1_score(y, p, average="macro"))
    f1 = take_turns({"ours": lambda: metrics.macro_f1(y, p, 4),
                     "plain": lambda: f1_score(y, p, average="macro")}, 50 * repeats)
    table = (rng.random((2198, 12)) < 0.2).astype(int)
    table[:, 11] = 0
    scores = np.round(rng.random((2198, 12)), 3)
    predicted = (scores < 0.2).astype(int)
    found = [Row("macro F1 of 1705 labels, against scikit-learn", "s", f1["ours"], f1["plain"])]
    for name, ours, plain, other in (("macro AUC", metrics.macro_auc, macro_auc_by_loops, scores),
                                     ("Fmax", metrics.f_max, f_max_by_loops, scores),
                                     ("F-beta", metrics.f_beta, f_beta_by_loops, predicted),
                                     ("G-beta", metrics.g_beta, g_beta_by_loops, predicted)):
        np.testing.assert_allclose(ours(table, other), plain(table, other), rtol=0, atol=TOLERANCE)
        seconds = take_turns({"ours": lambda way=ours, x=other: way(table, x),
                              "plain": lambda way=plain, x=other: way(table, x)}, repeats)
        what = f"{name} of 2198 x 12 labels, against a double loop"
        found.append(Row(what, "s", seconds["ours"], seconds["plain"], at_least=AT_LEAST))
    answers = np.round(rng.random((1705, 4)), 3)
    for name, true, p in (("macro_f1", y, answers), ("macro_auc", table, scores)):
        np.testing.assert_allclose(scoring.on_draws(name, true, p), draw_by_draw(name, true, p), rtol=0, atol=TOLERANCE)
        seconds = take_turns({"ours": lambda given=(name, true, p): scoring.on_draws(*given),
                              "plain": lambda given=(name, true, p): draw_by_draw(*given)}, repeats)
        what = f"{name} on {scoring.DRAWS} draws of {len(true)} recordings, against each draw by itself"
        found.append(Row(what, "s", seconds["ours"], seconds["plain"], at_least=AT_LEAST_OF_DRAWS))
    groups, (a, b) = np.arange(100) % 60, rng.normal(size=(2, 100))
    ours = correlations.bootstrap(correlations.correlated, groups, a, b)
    np.testing.assert_allclose((ours.low, ours.high), limits_draw_by_draw(groups, a, b), rtol=0, atol=TOLERANCE)
    seconds = take_turns({"ours": lambda: correlations.bootstrap(correlations.correlated, groups, a, b),
                          "plain": lambda: limits_draw_by_draw(groups, a, b)}, repeats)
    what = "limits of a correlation of 100 folds in 60 label sets, against each draw by itself"
    return [*found, Row(what, "s", seconds["ours"], seconds["plain"], at_least=AT_LEAST_OF_DRAWS)]
