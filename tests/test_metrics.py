"""Scores against scikit-learn, plain double loops of the definitions, and cases small enough to do by hand."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as oracle

from ecgtl import metrics
from ecgtl.errors import EcgtlError

SEEDS = range(8)


def rows(seed, n=60, n_classes=4):
    """True and predicted class indices; in odd seeds the last class is absent from both."""
    rng = np.random.default_rng(seed)
    highest = n_classes - seed % 2
    return rng.integers(highest, size=n), rng.integers(highest, size=n)


def tables(seed, n=40, n_classes=5):
    """0/1 labels and scores (n, n_classes): some samples without a label, some scores equal."""
    rng = np.random.default_rng(seed)
    y_true = (rng.random((n, n_classes)) < rng.uniform(0.1, 0.6, n_classes)).astype(int)
    y_true[0] = 0
    return y_true, rng.random((n, n_classes)).round(2)


def f_max_by_loops(y_true, y_prob):
    best = 0.0
    for threshold in np.linspace(0, 1, 100):
        precisions, recalls = [], []
        for labels, scores in zip(y_true, y_prob, strict=True):
            predicted = [k for k, s in enumerate(scores) if s >= threshold]
            right = sum(labels[k] for k in predicted)
            if predicted:
                precisions.append(right / len(predicted))
            recalls.append(right / sum(labels) if sum(labels) else 0.0)
        precision = sum(precisions) / len(precisions) if precisions else 0.0
        recall = sum(recalls) / len(recalls)
        if precision + recall > 0:
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


def f_max_by_scikit_learn(y_true, y_prob):
    """The definition in scikit-learn's terms: samples without a prediction are left out of the mean precision."""
    best = 0.0
    for threshold in np.linspace(0, 1, 100):
        y_pred = (y_prob >= threshold).astype(int)
        if not y_pred.any():
            continue
        precision = oracle.precision_score(y_true, y_pred, average="samples", zero_division=np.nan)
        recall = oracle.recall_score(y_true, y_pred, average="samples", zero_division=0)
        best = max(best, 2 * precision * recall / (precision + recall)) if precision + recall else best
    return best


def beta_scores_by_scikit_learn(y_true, y_pred, beta):
    """F-beta and G-beta class by class from weighted samples; NaN is the class that is neither true nor predicted."""
    weight, f, g = 1 / np.maximum(y_true.sum(axis=1), 1), [], []
    for labels, predicted in zip(y_true.T, y_pred.T, strict=True):
        f.append(oracle.fbeta_score(labels, predicted, beta=beta, sample_weight=weight, zero_division=np.nan))
        _, fp, fn, tp = oracle.confusion_matrix(labels, predicted, labels=[0, 1], sample_weight=weight).ravel()
        g.append(tp / (tp + fp + beta * fn) if tp + fp + fn else np.nan)
    return np.nanmean(f), np.nanmean(g)


def beta_scores_by_loops(y_true, y_pred, beta):
    """F-beta and G-beta: each sample weighs 1 / its number of true labels; mean over classes that are defined."""
    f, g = [], []
    for k in range(y_true.shape[1]):
        tp = fp = fn = 0.0
        for labels, predicted in zip(y_true, y_pred, strict=True):
            weight = 1 / max(sum(labels), 1)
            if labels[k] and predicted[k]:
                tp += weight
            elif predicted[k]:
                fp += weight
            elif labels[k]:
                fn += weight
        if tp + fp + fn > 0:
            f.append((1 + beta**2) * tp / ((1 + beta**2) * tp + fp + beta**2 * fn))
            g.append(tp / (tp + fp + beta * fn))
    return sum(f) / len(f), sum(g) / len(g)


# --- one label a recording ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_single_label_scores_equal_scikit_learn(seed):
    y_true, y_pred = rows(seed)

    def f1(average, **options):
        return pytest.approx(oracle.f1_score(y_true, y_pred, average=average, zero_division=0, **options))

    expected = oracle.confusion_matrix(y_true, y_pred, labels=range(4))
    assert (metrics.confusion_matrix(y_true, y_pred, 4) == expected).all()
    assert metrics.f1_per_class(y_true, y_pred, 4) == f1(None, labels=range(4))
    assert metrics.macro_f1(y_true, y_pred, 4) == f1("macro", labels=range(4))
    assert metrics.macro_f1(y_true, y_pred) == f1("macro")
    assert metrics.weighted_f1(y_true, y_pred) == f1("weighted")
    assert metrics.accuracy(y_true, y_pred) == pytest.approx(oracle.accuracy_score(y_true, y_pred))


def test_every_score_is_a_python_float():
    y_true, y_pred = rows(0)
    table, prob = tables(0)
    found = [metrics.macro_f1(y_true, y_pred), metrics.weighted_f1(y_true, y_pred), metrics.accuracy(y_true, y_pred),
             metrics.learning_curve_index([0.1, 0.2]), metrics.macro_auc(table, prob), metrics.f_max(table, prob),
             metrics.f_beta(table, table), metrics.g_beta(table, table), *metrics.f1_per_class(y_true, y_pred)]
    assert {type(value) for value in found} == {float}


def test_rows_of_the_confusion_matrix_are_the_truth():
    assert metrics.confusion_matrix([0, 0, 1], [1, 1, 1], 2).tolist() == [[0, 2], [0, 1]]


def test_names_serve_as_labels():
    y_true, y_pred = np.array(["AF", "N", "N", "O"]), np.array(["AF", "AF", "N", "N"])
    for score, average in ((metrics.macro_f1, "macro"), (metrics.weighted_f1, "weighted")):
        expected = oracle.f1_score(y_true, y_pred, average=average, zero_division=0)
        assert score(y_true, y_pred) == pytest.approx(expected)


def test_an_absent_class_counts_as_zero_only_when_it_is_asked_for():
    assert metrics.macro_f1([0, 2], [0, 2]) == 1.0
    assert metrics.macro_f1([0, 2], [0, 2], n_classes=3) == pytest.approx(2 / 3)
    assert metrics.f1_per_class([0, 2], [0, 2], 3) == [1.0, 0.0, 1.0]


def test_indices_stored_in_one_byte_do_not_wrap():
    y_true, y_pred = rows(3, n=400, n_classes=40)
    assert (metrics.confusion_matrix(y_true.astype(np.uint8), y_pred.astype(np.uint8), 40)
            == oracle.confusion_matrix(y_true, y_pred, labels=range(40))).all()


@pytest.mark.parametrize("y_true, y_pred, said", [
    ([0, 1], [0], "equally long"), ([], [], "equally long"), ([[0], [1]], [[0], [1]], "equally long"),
    ([0, 2], [0, 1], "from 0 to 1"), ([0, 1], [0, 2], "from 0 to 1"), ([0, -1], [0, 1], "from 0 to 1"),
    ([0.0, 1.0], [0, 1], "integers"), ([0, np.nan], [0, 1], "NaN"),
    (["a", "b"], ["a", "b"], "integers from 0 to 1, not 'a'")])
def test_wrong_rows_of_labels_are_refused(y_true, y_pred, said):
    with pytest.raises(EcgtlError, match=said):
        metrics.macro_f1(y_true, y_pred, n_classes=2)


@pytest.mark.parametrize("score", [metrics.macro_f1, metrics.weighted_f1, metrics.accuracy, metrics.f1_per_class])
@pytest.mark.parametrize("labels", [["a", None], ["a", np.nan], np.array(["a", None], object), pd.Series(["a", None]),
                                    [0, None], np.array([0.0, np.nan]), pd.array([0, pd.NA]), [pd.NaT, 1]])
def test_a_missing_label_is_no_class_of_its_own(score, labels):
    """NumPy writes ``nan`` and ``None`` for what is missing in a list of names; scikit-learn refuses such rows too."""
    whole = ["a", "b"] if labels[0] == "a" else [0, 1]
    for y_true, y_pred in ((labels, whole), (whole, labels)):
        with pytest.raises(EcgtlError, match="a label is missing"):
            score(y_true, y_pred)



@pytest.mark.parametrize("score", [metrics.accuracy, metrics.weighted_f1, metrics.macro_f1])
def test_rows_that_could_be_broadcast_are_refused(score):
    with pytest.raises(EcgtlError, match="equally long"):
        score([0, 1, 0], [0])


# --- learning curve index -----------------------------------------------------------------------------------------


def test_learning_curve_index_divides_the_mean_rise_by_the_mean_fall():
    # Rises 0.2, 0.1, 0.1 and one fall 0.2, best 0.5; the ratio of sums would give 1.0 instead.
    assert metrics.learning_curve_index([0.1, 0.3, 0.4, 0.5, 0.3]) == pytest.approx((0.4 / 3) / 0.2 * 0.5, rel=1e-5)


def test_learning_curve_index_of_curves_without_falls_or_rises():
    assert metrics.learning_curve_index([0.2, 0.3, 0.5], eps=1e-3) == pytest.approx(0.15 / 1e-3 * 0.5)
    assert metrics.learning_curve_index([0.5, 0.4, 0.1]) == 0.0
    assert metrics.learning_curve_index([0.7, 0.7, 0.7]) == 0.0


def test_epochs_without_change_count_neither_as_rise_nor_as_fall():
    assert metrics.learning_curve_index([0.1, 0.5, 0.5, 0.5, 0.3]) == pytest.approx(0.4 / 0.2 * 0.5, rel=1e-5)


@pytest.mark.parametrize("curve", [[], [0.5], [[0.1, 0.2]], [0.1, np.nan, 0.2], [0.1, np.inf]])
def test_curves_that_are_none_are_refused(curve):
    with pytest.raises(EcgtlError, match="learning curve"):
        metrics.learning_curve_index(curve)


# --- several labels a recording -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_macro_auc_equals_scikit_learn_with_ties(seed):
    y_true, y_prob = tables(seed)
    y_prob = y_prob.round(1)
    assert metrics.macro_auc(y_true, y_prob) == pytest.approx(oracle.roc_auc_score(y_true, y_prob, average="macro"))


def test_macro_auc_leaves_out_classes_with_one_outcome():
    y_true, y_prob = tables(1)
    y_true[:, 0], y_true[:, 1] = 0, 1
    assert metrics.macro_auc(y_true, y_prob) == pytest.approx(oracle.roc_auc_score(y_true[:, 2:], y_prob[:, 2:]))
    with pytest.raises(EcgtlError, match="none has both"):
        metrics.macro_auc(y_true[:, :2], y_prob[:, :2])


def test_macro_auc_by_hand():
    assert metrics.macro_auc([[1], [0], [0]], [[0.9], [0.9], [0.1]]) == 0.75  # a tie counts half
    assert metrics.macro_auc([[1], [0]], [[0.1], [0.9]]) == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_f_max_equals_its_definition(seed):
    y_true, y_prob = tables(seed)
    if seed % 2:
        y_prob[3] = 0.0  # a sample without a prediction at every threshold above 0
    assert metrics.f_max(y_true, y_prob) == pytest.approx(f_max_by_loops(y_true, y_prob), abs=1e-12)
    assert metrics.f_max(y_true, y_prob) == pytest.approx(f_max_by_scikit_learn(y_true, y_prob), abs=1e-12)


def test_the_thresholds_of_f_max_may_be_any_in_any_order():
    y_true, y_prob = tables(2)
    thresholds = [0.7, 0.2, 0.5]
    one_by_one = [metrics.f_max(y_true, y_prob, np.array([t])) for t in thresholds]
    assert metrics.f_max(y_true, y_prob, np.array(thresholds)) == pytest.approx(max(one_by_one), abs=1e-12)
    assert max(one_by_one) > min(one_by_one)
    at_half = (y_prob >= 0.5).astype(int)
    precision = oracle.precision_score(y_true, at_half, average="samples", zero_division=np.nan)
    recall = oracle.recall_score(y_true, at_half, average="samples", zero_division=0)
    assert one_by_one[2] == pytest.approx(2 * precision * recall / (precision + recall), abs=1e-12)


def test_f_max_by_hand():
    assert metrics.f_max([[1, 0], [0, 1]], [[0.9, 0.2], [0.3, 0.8]]) == 1.0
    # Only the first sample is ever predicted alone: precision 1, recall 1/2; everything predicted: 1/2 and 1.
    assert metrics.f_max([[1, 0], [0, 1]], [[0.9, 0.1], [0.1, 0.0]]) == pytest.approx(2 / 3)
    assert metrics.f_max([[0, 0]], [[0.9, 0.1]]) == 0.0


@pytest.mark.parametrize("beta", [0.5, 1, 2])
@pytest.mark.parametrize("seed", SEEDS)
def test_beta_scores_equal_their_definition(seed, beta):
    y_true, y_prob = tables(seed)
    y_pred = (y_prob > 0.6).astype(int)
    for expected in (beta_scores_by_loops, beta_scores_by_scikit_learn):
        f, g = expected(y_true, y_pred, beta)
        assert metrics.f_beta(y_true, y_pred, beta) == pytest.approx(f, abs=1e-12)
        assert metrics.g_beta(y_true, y_pred, beta) == pytest.approx(g, abs=1e-12)


def test_beta_scores_by_hand():
    # Class 0: TP 1/2 + 1, FN 0, FP 0; class 1: TP 0, FN 1/2, FP 1 (from a sample with one true label).
    y_true, y_pred = [[1, 1], [1, 0]], [[1, 0], [1, 1]]
    assert metrics.f_beta(y_true, y_pred) == pytest.approx((1 + 0) / 2)
    assert metrics.g_beta(y_true, y_pred) == pytest.approx((1 + 0) / 2)
    # One class: TP 1, FP 1, FN 1 -> F2 = 5 / (5 + 1 + 4), G2 = 1 / (1 + 1 + 2)
    y_true, y_pred = [[1], [0], [1]], [[1], [1], [0]]
    assert (metrics.f_beta(y_true, y_pred), metrics.g_beta(y_true, y_pred)) == (0.5, 0.25)


def test_f_beta_of_single_labels_is_scikit_learns():
    y_true, y_pred = (np.eye(4, dtype=int)[row] for row in rows(2))
    expected = oracle.fbeta_score(y_true, y_pred, beta=2, average="macro")
    assert metrics.f_beta(y_true, y_pred, 2) == pytest.approx(expected)


@pytest.mark.parametrize("predicted", [0, 1])
def test_a_class_without_positives_counts_once_it_is_predicted(predicted):
    y_true, y_prob = tables(3)
    y_pred = (y_prob > 0.6).astype(int)
    y_true[:, 2], y_pred[:, 2] = 0, 0
    y_pred[5, 2] = predicted
    f, g = beta_scores_by_scikit_learn(y_true, y_pred, 2)
    assert metrics.f_beta(y_true, y_pred) == pytest.approx(f, abs=1e-12)
    assert metrics.g_beta(y_true, y_pred) == pytest.approx(g, abs=1e-12)
    others = [0, 1, 3, 4]
    left_out, _ = beta_scores_by_scikit_learn(y_true[:, others], y_pred[:, others], 2)
    assert (f == pytest.approx(left_out)) == (not predicted)
    by_label = metrics.f1_per_label(y_true, y_pred)
    assert by_label == pytest.approx(oracle.f1_score(y_true, y_pred, average=None, zero_division=0))
    assert by_label[2] == 0


def test_classes_without_truth_and_prediction_are_left_out_of_beta_scores():
    y_true, y_pred = np.array([[1, 0], [0, 0]]), np.array([[1, 0], [0, 0]])
    assert metrics.f_beta(y_true, y_pred) == metrics.g_beta(y_true, y_pred) == 1.0
    assert metrics.f_beta(0 * y_true, y_pred * 0) == 0.0


@pytest.mark.parametrize("seed", SEEDS)
def test_weighted_f1_of_tables_equals_scikit_learn(seed):
    y_true, y_prob = tables(seed)
    y_pred = (y_prob > 0.5).astype(np.uint8)
    expected = oracle.f1_score(y_true, y_pred, average="weighted", zero_division=0)
    assert metrics.weighted_f1(y_true.astype(np.uint8), y_pred) == pytest.approx(expected)


def test_weighted_f1_needs_a_positive_label():
    with pytest.raises(EcgtlError, match="at least one positive"):
        metrics.weighted_f1(np.zeros((3, 2)), np.ones((3, 2)))


@pytest.mark.parametrize("score", [metrics.macro_auc, metrics.f_max, metrics.f_beta, metrics.g_beta])
@pytest.mark.parametrize("y_true, y_other, said", [
    ([[1, 0]], [[1, 0, 0]], "two tables"), ([1, 0], [1, 0], "two tables"),
    (np.zeros((0, 2)), np.zeros((0, 2)), "two tables"),
    ([[1, 0]], [[np.nan, 0]], "finite"), ([[2, 0]], [[1, 0]], "0 or 1"), ([[np.nan, 0]], [[1, 0]], "0 or 1")])
def test_wrong_tables_are_refused(score, y_true, y_other, said):
    with pytest.raises(EcgtlError, match=said):
        score(y_true, y_other)


@pytest.mark.parametrize("score", [metrics.f_beta, metrics.g_beta, metrics.weighted_f1])
def test_probabilities_are_refused_where_predictions_are_needed(score):
    with pytest.raises(EcgtlError, match="threshold"):
        score([[1, 0], [0, 1]], [[0.9, 0.2], [0.1, 0.7]])


# --- properties that hold for any table ---------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_scores_lie_between_0_and_1_and_do_not_depend_on_the_order(seed):
    y_true, y_pred = rows(seed)
    table, prob = tables(seed)
    order, columns = np.random.default_rng(seed).permutation(len(table)), [3, 1, 0, 4, 2]
    rename = np.array([2, 0, 3, 1])  # other numbers for the same classes
    for score, a, b in ((metrics.macro_auc, table, prob), (metrics.f_max, table, prob),
                        (metrics.f_beta, table, prob > 0.5), (metrics.g_beta, table, prob > 0.5)):
        assert 0 <= score(a, b) <= 1
        assert score(a[order][:, columns], b[order][:, columns]) == pytest.approx(score(a, b))
        assert score(a, a) == (1 if score is not metrics.f_max else pytest.approx(f_max_by_loops(a, a)))
    assert metrics.macro_f1(rename[y_true], rename[y_pred]) == pytest.approx(metrics.macro_f1(y_true, y_pred))
    assert metrics.macro_f1(y_true, y_true) == metrics.weighted_f1(y_true, y_true) == 1.0
    assert metrics.macro_auc(table, prob**3) == pytest.approx(metrics.macro_auc(table, prob))


def test_the_best_threshold_is_that_of_a_plain_search():
    rng = np.random.default_rng(5)
    y = rng.integers(0, 2, (60, 3))
    p = np.clip(0.35 * y + rng.random((60, 3)) * 0.6, 0, 1)
    for metric in (metrics.f_beta, metrics.g_beta):
        found = metrics.best_threshold(metric, y, p)
        values = {t: metric(y, (p >= t).astype(int)) for t in np.linspace(0, 1, 100)}
        assert values[found] == max(values.values())
        assert found == min(t for t, v in values.items() if v == max(values.values()))
        assert 0 < found < 1


@pytest.mark.parametrize("metric", [metrics.f_beta, metrics.g_beta])
def test_a_threshold_a_class_is_the_best_of_all_combinations(metric):
    rng = np.random.default_rng(6)
    y = rng.integers(0, 2, (40, 3))
    y[:, 2] = 0  # a class that is best never predicted
    p = np.clip([0.3, 0.6, 0.1] * y + rng.random((40, 3)) * [0.5, 0.9, 0.4], 0, 1)
    grid = np.linspace(0, 1, 8)
    found = metrics.best_thresholds(metric, y, p, grid)
    scores = {combination: metric(y, (p >= combination).astype(int)) for combination in product(grid, repeat=3)}
    assert scores[tuple(found)] == pytest.approx(max(scores.values()))
    common = metrics.best_threshold(metric, y, p, grid)
    assert max(scores.values()) > scores[(common,) * 3] and len(set(found)) > 1


def test_reliability_and_calibration_error_by_hand():
    """Two bins by pencil: confidences .9, .8, .6 and .4; right, wrong, right, right."""
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.6, 0.4, 0.0], [0.3, 0.3, 0.4]])
    y = np.array([0, 0, 0, 2])
    confidence, accuracy, count = metrics.reliability(y, p, bins=2)
    np.testing.assert_allclose([confidence[0], accuracy[0]], [0.4, 1.0])
    np.testing.assert_allclose([confidence[1], accuracy[1]], [(0.9 + 0.8 + 0.6) / 3, 2 / 3])
    assert count.tolist() == [1, 3]
    expected = (1 * abs(0.4 - 1) + 3 * abs((0.9 + 0.8 + 0.6) / 3 - 2 / 3)) / 4
    assert metrics.calibration_error(y, p, bins=2) == pytest.approx(expected)
    p = np.random.default_rng(0).dirichlet([0.5] * 3, 600)
    y = np.arange(600) % 3
    at = {bins: metrics.calibration_error(y, p, bins) for bins in (14, 15, 16)}
    assert at[14] != at[15] == metrics.calibration_error(y, p) != at[16]  # 15, as Guo et al. have them
    sure = np.eye(3)[[0, 1, 2]]
    assert metrics.calibration_error(np.array([0, 1, 2]), sure) == 0 and metrics.calibration_error([1, 1, 2], sure) > 0
