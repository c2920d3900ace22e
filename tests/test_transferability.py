"""MELEP and its rivals against examples by hand, exact fractions, loops, scikit-learn and their limits."""

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from messages import one_line
from sklearn.metrics import mutual_info_score

from ecgtl import models
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint
from ecgtl.transferability import (
    LIKELY,
    WEIGHTINGS,
    label_weights,
    leep,
    measures,
    melep,
    melep_per_label,
    n_labels,
    nce,
    pair_losses,
    prevalence,
    source_probabilities,
)

ROOT = Path(__file__).parents[1]
SCORES = (melep, melep_per_label, pair_losses, leep, nce, measures)
# Four recordings, one label on either side
PROBABILITY, PRESENT = np.array([[0.9], [0.8], [0.3], [0.2]]), np.array([[1], [1], [0], [0]])


def tables(n=60, n_target=4, n_source=5, seed=0):
    rng = np.random.default_rng(seed)
    target = (rng.random((n, n_target)) < rng.uniform(0.2, 0.6, n_target)).astype(int)
    return rng.random((n, n_source)), target


def entropy(labels):
    """Of a 0/1 row, in nats."""
    p = np.bincount(labels, minlength=2) / len(labels)
    return -sum(q * math.log(q) for q in p if q)


# --- examples by hand --------------------------------------------------------------------------------------


def test_one_pair_by_hand():
    # Marginal of the source label 2.2 / 4; joint with the target label 1.7 / 4 (present), 0.5 / 4 (absent).
    with_it, without_it = 1.7 / 2.2, 0.3 / 1.8
    likelihood = [with_it * 0.9 + without_it * 0.1, with_it * 0.8 + without_it * 0.2,
                  (1 - with_it) * 0.3 + (1 - without_it) * 0.7, (1 - with_it) * 0.2 + (1 - without_it) * 0.8]
    by_hand = -sum(map(math.log, likelihood)) / 4
    assert pair_losses(PROBABILITY, PRESENT) == pytest.approx(by_hand, abs=1e-14)
    # As many positives as negatives: the weight is 1 either way.
    for weighting in WEIGHTINGS:
        assert melep(PROBABILITY, PRESENT, weighting) == pytest.approx(by_hand, abs=1e-14)
    assert leep(PROBABILITY, PRESENT) == pytest.approx(-by_hand, abs=1e-14)


def test_hard_source_labels_by_hand():
    # The source label is found in recordings 0, 1 and 2, the target label is in 0 and 1: in 2 of 3 where
    # it is found, else in none. -H = 3 / 4 x (2 / 3 log 2 / 3 + 1 / 3 log 1 / 3).
    found = np.array([[1.0], [1.0], [1.0], [0.0]])
    by_hand = 0.75 * (2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3))
    assert nce(found, PRESENT) == pytest.approx(by_hand, abs=1e-14)
    assert leep(found, PRESENT) == pytest.approx(by_hand, abs=1e-14)


def test_weights_by_hand():
    target = np.array([[1, 1, 0], [1, 0, 0], [1, 0, 0], [0, 0, 1]])  # 3, 1 and 1 positives of 4
    np.testing.assert_allclose(label_weights(target), [3 / 3, 1 / 9, 1 / 9], rtol=1e-15)
    np.testing.assert_allclose(label_weights(target, "normalised"), [0.6, 0.2, 0.2], rtol=1e-15)
    assert (n_labels(target), prevalence(target)) == (3, pytest.approx(5 / 12))


def exact_likelihoods(probability, target):
    """Likelihood of each true label as exact fractions, by (target label, source label, recording)."""
    theta = [[Fraction(value) for value in row] for row in probability.tolist()]
    n, found = len(target), {}
    for y in range(target.shape[1]):
        for z in range(probability.shape[1]):
            values = [(1 - theta[i][z], theta[i][z]) for i in range(n)]
            joint = {(t, s): sum(values[i][s] for i in range(n) if target[i, y] == t)
                     for t in (0, 1) for s in (0, 1)}
            for i in range(n):
                found[y, z, i] = sum(joint[target[i, y], s] / (joint[0, s] + joint[1, s]) * values[i][s]
                                     for s in (0, 1))
    return found


def test_losses_equal_exact_fractions():
    probability, target = tables(n=12, n_target=2, n_source=3)
    found = exact_likelihoods(probability, target)
    expected = [[-sum(math.log(found[y, z, i]) for i in range(12)) / 12 for z in range(3)] for y in range(2)]
    np.testing.assert_allclose(pair_losses(probability, target), expected, rtol=0, atol=1e-14)


# --- the equations written out, and other people's functions ------------------------------------------------


def loop(probability, target, weighting, source_weights=None):
    """MELEP pair by pair and recording by recording, as the equations stand in the paper."""
    n, n_target, n_source = len(target), target.shape[1], probability.shape[1]
    u = [1.0] * n_source if source_weights is None else list(source_weights)
    score, total = 0.0, 0.0
    for y in range(n_target):
        loss = 0.0
        for z in range(n_source):
            joint = [[0.0, 0.0], [0.0, 0.0]]
            for i in range(n):
                joint[target[i, y]][0] += (1 - probability[i, z]) / n
                joint[target[i, y]][1] += probability[i, z] / n
            phi = 0.0
            for i in range(n):
                given = [joint[target[i, y]][s] / (joint[0][s] + joint[1][s]) for s in (0, 1)]
                phi -= math.log(given[0] * (1 - probability[i, z]) + given[1] * probability[i, z]) / n
            loss += u[z] * phi / sum(u)
        positives = int(target[:, y].sum())
        weight = positives / (n - positives) if weighting == "published" else positives
        score, total = score + weight * loss, total + weight
    return score / (n_target if weighting == "published" else total)


@pytest.mark.parametrize("weighting", WEIGHTINGS)
@pytest.mark.parametrize("n, n_target, n_source", [(700, 10, 20), (37, 3, 1), (5, 1, 4)])
def test_melep_equals_a_plain_loop(n, n_target, n_source, weighting):
    probability, target = tables(n, n_target, n_source, seed=n)
    expected = loop(probability, target, weighting)
    assert melep(probability, target, weighting) == pytest.approx(expected, abs=1e-10)
    assert expected > 0


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_weighted_by_the_source_labels(weighting):
    probability, target = tables()
    weights = np.array([0.0, 3.0, 1.0, 0.5, 2.0])
    expected = loop(probability, target, weighting, weights)
    assert melep(probability, target, weighting, weights) == pytest.approx(expected, abs=1e-10)
    assert melep(probability, target, weighting, 10 * weights) == pytest.approx(expected, rel=1e-12)
    equal = melep(probability, target, weighting, np.ones(5))
    assert equal == pytest.approx(melep(probability, target, weighting), rel=1e-12)
    only = melep(probability, target, weighting, [0, 1, 0, 0, 0])
    assert only == pytest.approx(melep(probability[:, [1]], target, weighting), rel=1e-12)


def test_the_score_is_the_weighted_sum_of_its_labels():
    probability, target = tables()
    per_label = melep_per_label(probability, target)
    alone = [melep_per_label(probability, target[:, [y]])[0] for y in range(4)]
    np.testing.assert_allclose(per_label, alone, rtol=1e-12)
    np.testing.assert_allclose(per_label, pair_losses(probability, target).mean(axis=1), rtol=1e-12)
    for weighting in WEIGHTINGS:
        expected = np.dot(label_weights(target, weighting), per_label)
        assert melep(probability, target, weighting) == pytest.approx(expected, rel=1e-12)
    assert per_label.dtype == np.float64


def test_nce_equals_scikit_learn():
    """H(target | source) = H(target) - mutual information."""
    probability, target = tables(n=200)
    expected = [mutual_info_score(target[:, y], probability[:, z] >= LIKELY) - entropy(target[:, y])
                for y in range(4) for z in range(5)]
    assert nce(probability, target) == pytest.approx(np.mean(expected), abs=1e-12)


def test_all_measures_stand_under_their_names():
    probability, target = tables()
    expected = {"melep_published": melep(probability, target), "leep": leep(probability, target),
                "melep_normalised": melep(probability, target, "normalised"), "nce": nce(probability, target),
                "n_labels": 4, "prevalence": prevalence(target)}
    assert measures(probability, target) == expected


# --- what holds for every table -----------------------------------------------------------------------------


def test_losses_lie_between_0_and_the_entropy_of_the_label():
    probability, target = tables()
    bound = np.array([entropy(row) for row in target.T])[:, None]
    losses = pair_losses(probability, target)
    assert (losses > 0).all() and (losses < bound).all()


def test_a_source_label_that_never_varies_leaves_the_entropy():
    _, target = tables()
    for value in (0.0, 0.3, 1.0):
        losses = pair_losses(np.full((60, 2), value), target)
        np.testing.assert_allclose(losses, [[entropy(row)] * 2 for row in target.T], rtol=1e-12)


def test_a_source_that_knows_the_target_has_no_loss():
    _, target = tables()
    for source in (target, 1 - target):  # knowing the opposite is as good
        np.testing.assert_array_equal(np.diag(pair_losses(source, target)), 0)
        assert melep(source[:, [0]], target[:, [0]]) == leep(source[:, [0]], target[:, [0]]) == 0
        assert nce(source[:, [0]], target[:, [0]]) == 0


def test_order_of_recordings_and_labels_does_not_matter():
    probability, target = tables()
    rows, columns = np.random.default_rng(1).permutation(60), [3, 1, 0, 2]
    for weighting in WEIGHTINGS:
        expected = melep(probability, target, weighting)
        assert melep(probability[rows], target[rows], weighting) == pytest.approx(expected, rel=1e-12)
        turned = melep(probability[:, ::-1], target[:, columns], weighting)
        assert turned == pytest.approx(expected, rel=1e-12)


def test_a_better_source_scores_better_by_all_measures():
    _, target = tables(n=300)
    noise = np.random.default_rng(2).normal(size=target.shape)
    good, poor = (1 / (1 + np.exp(-(sharpness * (target - 0.5) + noise))) for sharpness in (4, 1))
    assert melep(good, target) < melep(poor, target)
    assert leep(good, target) > leep(poor, target) and nce(good, target) > nce(poor, target)


@pytest.mark.parametrize("kind", [np.float16, np.float32, bool, "list"])
def test_any_number_type_is_worked_on_in_float64(kind):
    probability, target = (PROBABILITY > 0.25, PRESENT) if kind is bool else (PROBABILITY, PRESENT)
    given = [table.tolist() if kind == "list" else table.astype(kind) for table in (probability, target)]
    assert melep(*given) == melep(*(np.asarray(table, np.float64) for table in given))


# --- limits -------------------------------------------------------------------------------------------------


def test_saturated_probabilities_give_no_nan():
    """A sigmoid in float32 ends at exactly 0 and 1, where 0 / 0 would stand in equation 3."""
    _, target = tables()
    saturated = np.stack([np.zeros(60), np.ones(60), target[:, 0], np.full(60, 5e-324)], axis=1)
    with np.errstate(all="raise", under="ignore"):
        losses = pair_losses(saturated, target)
        found = measures(saturated, target)
    expected = [[entropy(row)] * 2 for row in target.T]
    np.testing.assert_allclose(losses[:, [0, 1]], expected, rtol=1e-12)
    np.testing.assert_allclose(losses[:, 3], losses[:, 0], rtol=1e-12)
    assert losses[0, 2] == 0 and np.isfinite(list(found.values())).all()


def test_a_label_without_positives_has_weight_and_loss_0():
    probability, target = tables()
    more = np.column_stack([target, np.zeros(60, int)])
    assert melep_per_label(probability, more)[4] == 0 and label_weights(more)[4] == 0
    published, normalised = (melep(probability, target, weighting) for weighting in WEIGHTINGS)
    assert melep(probability, more) == pytest.approx(published * 4 / 5, rel=1e-12)  # Y counts the label
    assert melep(probability, more, "normalised") == pytest.approx(normalised, rel=1e-12)
    assert leep(probability, more) == pytest.approx(leep(probability, target) * 4 / 5, rel=1e-12)
    assert nce(probability, more) == pytest.approx(nce(probability, target) * 4 / 5, rel=1e-12)


def test_a_label_with_positives_only_has_loss_0_and_no_published_weight():
    probability, target = tables()
    more = np.column_stack([np.ones(60, int), target])
    assert melep_per_label(probability, more)[0] == 0
    share = target.sum() / more.sum()
    expected = share * melep(probability, target, "normalised")
    assert melep(probability, more, "normalised") == pytest.approx(expected, rel=1e-12)
    assert nce(probability, more) == pytest.approx(nce(probability, target) * 4 / 5, rel=1e-12)
    for score in (melep, measures):
        with pytest.raises(EcgtlError) as error:
            score(probability, more)
        one_line(error, "target label 0", "positives only", "weighting='normalised'")


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_a_target_without_any_positive_is_refused(weighting):
    with pytest.raises(EcgtlError) as error:
        melep(PROBABILITY, np.zeros((4, 2)), weighting)
    one_line(error, "no recording of the target has any of its labels", "choose other")


def test_one_recording_and_one_source_label():
    assert pair_losses([[0.7]], [[1, 0]]).tolist() == [[0], [0]]
    assert melep([[0.7]], [[1, 0]], "normalised") == 0
    probability, target = tables(n_source=1)
    assert melep_per_label(probability, target).shape == (4,)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("source, target, said", [
    ([[0.5], [1.1]], [[1], [0]], "from 0 to 1"),
    ([[0.5], [-0.1]], [[1], [0]], "from 0 to 1"),
    ([[0.5], [np.nan]], [[1], [0]], "without NaN"),
    ([[0.5], [np.inf]], [[1], [0]], "from 0 to 1"),
    ([[0.5]] * 3, [[1], [0]], "3 rows and target 2"),
    ([0.5, 0.5], [[1], [0]], "source_prob must be a table (n, Z)"),
    (np.zeros((2, 0)), [[1], [0]], "at least one source label"),
    ([["a"], ["b"]], [[1], [0]], "source_prob must be an array of numbers"),
    ([[0.5], [0.5]], [1, 0], "target must be a table (n, Y)"),
    (np.zeros((0, 2)), np.zeros((0, 2)), "at least one recording"),
    ([[0.5], [0.5]], np.zeros((2, 0)), "and one label"),
    ([[0.5], [0.5]], [[1], [np.nan]], "no NaN"),
    ([[0.5], [0.5]], [[2], [0]], "0 and 1 only"),
    ([[0.5], [0.5]], [[1], [0, 1]], "target must be an array of numbers"),
])
def test_wrong_tables_are_refused(score, source, target, said):
    with pytest.raises(EcgtlError) as error:
        score(source, target)
    one_line(error, said)


def test_wrong_words_and_weights_are_refused():
    with pytest.raises(EcgtlError) as error:
        melep(PROBABILITY, PRESENT, "text")
    one_line(error, "'text'", "published, normalised")
    for weights, said in (([1, 2], "(1,), not (2,)"), ([-1], "at least 0"), ([0], "not all 0"),
                          ([np.nan], "finite"), (["a"], "source_weights must be an array")):
        with pytest.raises(EcgtlError) as error:
            melep(PROBABILITY, PRESENT, source_weights=weights)
        one_line(error, said)


# --- probabilities from a checkpoint ------------------------------------------------------------------------

FACTS = {"width": 4, "in_channels": 2, "sampling_rate": 100.0, "seconds": 0.6, "classes": ["a", "b", "c"]}


def stored(tmp_path, arch="resnet18", name="w", **facts):
    facts = {"arch": arch} | FACTS | facts
    torch.manual_seed(0)
    options = {"length": 60} if arch == "bilstm" else {}
    model = models.build(arch, facts["in_channels"], 3, width=4, **options)
    with torch.no_grad():
        for module in model.modules():  # unless it has seen data, the signal grows layer by layer
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        model.train()(torch.from_numpy(recordings()))
    model.eval()
    path = tmp_path / f"{name}.safetensors"
    checkpoint.save(path, model.state_dict(), facts)
    return path, model


def recordings(n=300):
    return np.random.default_rng(0).normal(size=(n, 2, 60)).astype(np.float32)


@pytest.mark.parametrize("multi_label", [True, False])
@pytest.mark.parametrize("arch", ["resnet18", "resnet1d101", "bilstm"])
def test_probabilities_are_those_of_the_stored_network(tmp_path, arch, multi_label):
    path, model = stored(tmp_path, arch, multi_label=multi_label)
    x = recordings()
    p, names = source_probabilities(path, x)  # 300 recordings are more than one batch
    with torch.no_grad():
        logits = model(torch.from_numpy(x))
    expected = torch.sigmoid(logits) if multi_label else torch.softmax(logits, dim=1)
    assert names == ("a", "b", "c") and p.shape == (300, 3)
    np.testing.assert_allclose(p, expected, atol=1e-5)
    assert (p.std(axis=0) > 0.001).all() and 0 < melep(p, np.arange(300)[:, None] % 2) < math.log(2)


def test_scoring_changes_neither_file_nor_inputs(tmp_path):
    path, _ = stored(tmp_path)
    x, content = recordings(), path.read_bytes()
    first, _ = source_probabilities(path, x)
    second, _ = source_probabilities(path, x)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(x, recordings())
    assert path.read_bytes() == content


@pytest.mark.parametrize("classes", [None, []])
def test_a_checkpoint_without_labels_is_refused(tmp_path, classes):
    path, _ = stored(tmp_path, classes=classes)
    with pytest.raises(EcgtlError) as error:
        source_probabilities(path, recordings())
    one_line(error, path, "names no labels of its own", "classifier")


@pytest.mark.parametrize("shape", [(5, 1, 60), (5, 2, 61), (5, 60), (0, 2, 60)])
def test_inputs_of_another_shape_are_refused(tmp_path, shape):
    path, _ = stored(tmp_path)
    with pytest.raises(EcgtlError) as error:
        source_probabilities(path, np.zeros(shape, np.float32))
    one_line(error, path, "(n, 2, 60)", "0.6 s at 100 Hz", str(shape))


def test_a_checkpoint_that_is_not_what_it_says_is_refused(tmp_path):
    path, _ = stored(tmp_path, classes=["a", "b"])
    with pytest.raises(EcgtlError) as error:
        source_probabilities(path, recordings())
    one_line(error, path, "resnet18 of 2 labels")


# --- the benchmark ------------------------------------------------------------------------------------------


def test_the_benchmark_compares_like_with_like(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import transferability as benchmark

    probability, target = tables()
    by_loops = benchmark.melep_by_loops(probability, target)
    assert by_loops == pytest.approx(melep(probability, target), abs=1e-12)
    (row,) = benchmark.rows(1)
    assert row.ratio > 1 and row.at_most == benchmark.AT_MOST
