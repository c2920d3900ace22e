"""Linear probes: features of frozen networks, batch normalisation estimated again, and the regression on top."""

import numpy as np
import pytest
import torch
from messages import one_line
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.preprocessing import StandardScaler

from ecgtl import models
from ecgtl.errors import EcgtlError
from ecgtl.training import linear

CPU = torch.device("cpu")


def inputs(n=40, samples=256, seed=0):
    rng = np.random.default_rng(seed)
    return (3 + 2 * rng.normal(size=(n, 1, samples))).astype(np.float32)


def blobs(n, n_classes=3, n_features=6, seed=0, distance=2.0):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % n_classes
    x = rng.normal(size=(n, n_features))
    x[np.arange(n), y] += distance
    return x, y


@pytest.mark.parametrize("arch", ["resnet18", "resnet50", "resnet1d101"])
def test_features_are_what_the_output_layer_sees(arch):
    torch.manual_seed(0)
    model, x = models.build(arch, 1, 3, width=8), inputs(5)
    found = linear.features(model, x, CPU)
    with torch.no_grad():
        logits = model.eval()(torch.from_numpy(x))
        again = model.output(torch.from_numpy(found))
    assert found.shape == (5, model.n_features) and torch.allclose(logits, again, atol=1e-5)


def test_features_of_a_bi_lstm_are_its_outputs_mean_over_time():
    torch.manual_seed(0)
    model, x = models.build("bilstm", 1, 3, width=4, length=64), inputs(7, 64)
    with torch.no_grad():
        states = model.lstm(torch.from_numpy(x).transpose(1, 2))[0]
    assert np.allclose(linear.features(model, x, CPU), states.mean(dim=1).numpy(), atol=1e-6)


def test_estimated_again_every_normalisation_has_the_mean_and_variance_of_its_inputs():
    torch.manual_seed(0)
    model, x = models.build("resnet18", 1, 3, width=8).double(), inputs(linear.BATCH).astype(float)
    before = {name: value.clone() for name, value in model.named_parameters()}
    linear.renormalise(model, x, CPU)
    seen = {}
    for name, layer in model.named_modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.register_forward_pre_hook(lambda layer, given, name=name: seen.update({name: (layer, given[0])}))
    with torch.no_grad():
        model.eval().features(torch.from_numpy(x))
    assert len(seen) > 8
    for layer, given in seen.values():
        # Layers before it divide by n in training, by n - 1 afterwards, where n is at least 1,024 here
        assert torch.allclose(layer.running_mean, given.mean(dim=(0, 2, 3)), atol=0.01)
        assert torch.allclose(layer.running_var, given.var(dim=(0, 2, 3)), rtol=0.01)
    assert all(torch.equal(value, before[name]) for name, value in model.named_parameters()), "no weight changes"
    assert not model.training


def test_what_lies_in_several_batches_counts_alike():
    torch.manual_seed(0)
    one, x = models.build("resnet18", 1, 3, width=8), inputs(3 * linear.BATCH)
    stem = next(layer for layer in one.modules() if isinstance(layer, torch.nn.BatchNorm2d))
    given = []
    stem.register_forward_pre_hook(lambda _, values: given.append(values[0]))
    linear.renormalise(one, x, CPU)
    assert torch.allclose(stem.running_mean, torch.cat(given).mean(dim=(0, 2, 3)), atol=1e-5)


def test_it_finds_what_a_plain_regression_finds_and_weighs_rare_classes_alike():
    x, y = blobs(900)
    rare = np.flatnonzero((y != 2) | (np.arange(len(y)) % 10 == 2))
    x, y = x[rare], y[rare]
    test_x, test_y = blobs(600, seed=1)
    p = linear.regress(x, y, np.arange(len(y)), test_x, 3, 0)
    scale = StandardScaler().fit(x)
    plain = LogisticRegression(class_weight="balanced").fit(scale.transform(x), y)
    score = f1_score(test_y, plain.predict(scale.transform(test_x)), average="macro")
    assert f1_score(test_y, p.argmax(axis=1), average="macro") == pytest.approx(score, abs=0.03)
    assert np.allclose(p.sum(axis=1), 1)


def test_noise_features_need_strong_regularisation_and_get_it():
    x, y = blobs(60, 2, 3, distance=2.5)
    rng = np.random.default_rng(2)
    test_x, test_y = blobs(400, 2, 3, seed=3, distance=2.5)
    wide, test_wide = (np.hstack([a, rng.normal(size=(len(a), 300))]) for a in (x, test_x))
    p = linear.regress(wide, y, np.arange(60), test_wide, 2, 0)
    scale = StandardScaler().fit(wide)
    weak = LogisticRegression(C=1e6, max_iter=2000).fit(scale.transform(wide), y)
    assert roc_auc_score(test_y, p[:, 1]) > roc_auc_score(test_y, weak.predict_proba(scale.transform(test_wide))[:, 1])


def test_a_class_that_is_not_trained_on_has_no_probability_and_keeps_its_column():
    x, y = blobs(60, 2)
    p = linear.regress(x, y + 1, np.arange(60), x, 4, 0)
    assert p.shape == (60, 4) and (p[:, [0, 3]] == 0).all() and (p[:, 1:3].argmax(axis=1) == y).mean() > 0.7


def test_several_labels_are_one_regression_each():
    x, y = blobs(120, 3)
    table = np.stack([y == 0, y > 0], axis=1).astype(int)
    p = linear.regress(x, table, np.arange(120), x, 2, 0)
    assert p.shape == (120, 2) and all(roc_auc_score(table[:, k], p[:, k]) > 0.85 for k in range(2))


def test_missing_features_are_filled_and_say_that_they_were_missing():
    rng = np.random.default_rng(0)
    y = np.arange(80) % 2
    x = rng.normal(size=(80, 3))
    x[y == 1, 0] = np.nan
    assert (linear.regress(x, y, np.arange(80), x, 2, 0).argmax(axis=1) == y).all()


def test_recordings_of_a_subject_are_never_on_both_sides_of_a_fold():
    """Features that tell subjects apart, with labels by chance: a choice over recordings would not notice."""
    rng = np.random.default_rng(0)
    subjects = np.repeat(np.arange(20), 10)
    y = rng.integers(2, size=20)[subjects]
    x = np.eye(20)[subjects] + 0.01 * rng.normal(size=(200, 20))
    search = linear._fitted(x, y, subjects, 0, "f1_macro")
    best = search.cv_results_["mean_test_score"].max()
    assert best < 0.8, "subjects that were not seen are guessed"


def test_a_single_class_or_a_class_of_one_subject_is_one_line():
    x, y = blobs(20, 2)
    for labels, subjects in ((np.zeros(20, int), np.arange(20)), (y, np.where(y, 100, np.arange(20)))):
        with pytest.raises(EcgtlError, match="nothing can be chosen") as error:
            linear.regress(x, labels, subjects, x, 2, 0)
        one_line(error)
