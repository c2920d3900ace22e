"""The training of a shipped classifier: what the validation set decides, and that its file does what was trained."""

import numpy as np
import pytest
import torch

from ecgtl.config import ClassifierConfig
from ecgtl.config.classifier import FILE, shipped
from ecgtl.datasets import load
from ecgtl.errors import EcgtlError
from ecgtl.jobs import classifier, ensemble, predict
from ecgtl.jobs.inputs import prepare
from ecgtl.models import checkpoint
from ecgtl.training import loop


def answers(y, right, rng, classes=3):
    """Probabilities (n, classes) that are right for a share of recordings, and surer where they are."""
    told = np.where(rng.random(len(y)) < right, y, (y + rng.integers(1, classes, len(y))) % classes)
    p = rng.dirichlet(np.ones(classes), len(y)) * 0.5
    p[np.arange(len(y)), told] += 0.3 + 0.2 * (told == y)
    return p / p.sum(axis=1, keepdims=True)


def validation(network, trees, stack, n=400, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, n)
    arrays = {f"prob_{kind}_validation": answers(y, right, rng) for kind, right in
              (("network", network), ("trees", trees), ("stack", stack))}
    return arrays | {"y_validation": y}


@pytest.mark.parametrize(("rights", "kind"), [((0.9, 0.7, 0.8), "network"), ((0.8, 0.7, 0.95), "stack"),
                                              ((0.72, 0.7, 0.71), "trees"), ((0.6, 0.9, 0.7), "trees")])
def test_trees_are_shipped_unless_the_best_is_above_them_beyond_its_interval(rights, kind):
    decided = ensemble.decisions(validation(*rights))
    assert decided["kind"] == kind
    assert (decided["gain"]["low"] > 0) == (kind != "trees")


def test_the_temperature_has_the_lowest_log_loss():
    arrays = validation(0.9, 0.6, 0.7)
    y, p = arrays["y_validation"], arrays["prob_network_validation"]

    def loss(temperature):
        found = p ** (1 / temperature) / (p ** (1 / temperature)).sum(axis=1, keepdims=True)
        return -np.log(found[np.arange(len(y)), y]).mean()

    found = ensemble.decisions(arrays)["temperature"]
    assert all(loss(found) <= loss(other) + 1e-9 for other in np.linspace(0.1, 4, 60))
    np.testing.assert_allclose(-np.log(classifier.calibrated(p, found)[np.arange(len(y)), y]).mean(), loss(found))


def test_abstaining_halves_the_error_and_no_lower_limit_does():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 3, 500)
    p = answers(y, 0.8, rng)
    limit, wrong = ensemble.abstain_below(y, p), p.argmax(axis=1) != y
    kept = p.max(axis=1) >= limit
    assert 0 < kept.sum() < len(y) and wrong[kept].mean() <= wrong.mean() / 2
    lower = p.max(axis=1) >= limit - 0.005
    assert lower.sum() > kept.sum() and wrong[lower].mean() > wrong.mean() / 2
    assert ensemble.abstain_below(y, np.eye(3)[y]) == pytest.approx(1.0)  # never wrong: nothing is left out
    assert (np.eye(3)[y].max(axis=1) >= ensemble.abstain_below(y, np.eye(3)[y])).all()


def test_the_regression_on_both_is_that_of_the_library():
    from sklearn.linear_model import LogisticRegression

    arrays = validation(0.9, 0.7, 0.7)
    network, trees, y = (arrays[name] for name in ("prob_network_validation", "prob_trees_validation", "y_validation"))
    seen = np.log(np.hstack([network, trees]))
    expected = LogisticRegression(max_iter=1000).fit(seen, y).predict_proba(seen)
    np.testing.assert_allclose(classifier.stacked(network, trees, ensemble._regression(arrays)), expected, atol=1e-6)


def test_lead_dropout_keeps_the_first_lead_and_only_in_training():
    seen = []

    class Listens(torch.nn.Module):
        def forward(self, x):
            seen.append(x)
            return x

    torch.manual_seed(0)
    model, x = ensemble.LeadDropout(Listens()), torch.ones(64, 12, 5)
    model.train()(x)
    kept = (seen[0] == 1).all(dim=2).float()
    assert (kept[:, 0] == 1).all() and ((seen[0] == 0) | (seen[0] == 1)).all()
    assert kept[:, 1:].sum(dim=1).unique().numel() > 6  # now few leads, now many
    model.eval()(x)
    assert (seen[1] == 1).all()


@pytest.fixture(scope="module")
def trained(session_cache, tmp_path_factory):
    """Of tier demo, with one network, saved; it was killed at the last epoch of its network, and went on."""
    def kill(row):
        row["seconds"] = 1e6
        if row["epoch"] == member.epochs:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        patch.setenv("ECGTL_RESULTS", str(tmp_path_factory.mktemp("results")))
        patch.setattr(loop, "STATE_SECONDS", 0.0)
        member = ClassifierConfig.of(members=1).plan().members[0].config
        with pytest.raises(KeyboardInterrupt):
            ensemble.run(ClassifierConfig.of(members=1), kill)
        made = ensemble.run(ClassifierConfig.of(members=1))
        path, stored = made.save()
        yield made, path, stored


def test_the_time_is_that_of_all_processes(trained):
    assert trained[0].result.provenance["wall_seconds"] > 1e6


def test_the_file_answers_as_the_training_did(trained):
    """Of whatever kind it became: the stored probabilities of the test set come from the shipped file again."""
    made, path, _ = trained
    own, arrays, kind = classifier.Classifier.load(path), made.result.arrays, made.result.data["kind"]
    recordings = prepare(ClassifierConfig.of(members=1).plan().members[0]).recordings
    test = recordings.select(arrays["test"].astype(int))
    expected = classifier.calibrated(arrays[f"prob_{kind}_test"].astype(float), own.facts.temperature)
    np.testing.assert_allclose(own.of_recordings(test), expected, atol=5e-3)
    assert own.facts.leads == ("I",) and own.facts.stored["scores"]["macro_f1"] == made.result.scores["macro_f1"]
    assert path.parts[-4:] == ("demo", "weights", "cinc2017-rhythm", FILE)


def test_scores_follow_from_the_stored_arrays(trained):
    made = trained[0]
    assert ensemble.scores(made.result.arrays, made.result.data) == made.result.scores
    y, p = made.result.arrays["y_test"], made.result.arrays[f"prob_{made.result.data['kind']}_test"]
    assert made.result.scores["accuracy"] == pytest.approx((p.argmax(axis=1) == y).mean())


@pytest.mark.parametrize("damage", [lambda w, f: w.pop(next(iter(w))), lambda w, f: f.update(members=7),
                                    lambda w, f: f.update(kind="network" if f["kind"] == "trees" else "trees"),
                                    lambda w, f: f.update(kind="stack", stack=[0.5])])
def test_a_file_that_is_not_whole_is_refused(trained, tmp_path, damage):
    weights, facts = checkpoint.read(trained[1])
    damage(weights, facts)
    checkpoint.save(tmp_path / "m.safetensors", weights, facts)
    with pytest.raises(EcgtlError):
        classifier.Classifier.load(tmp_path / "m.safetensors")


# --- what is shipped ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(shipped()))
def test_a_shipped_classifier_is_small_free_and_names_what_it_needs(name):
    path = shipped()[name]
    facts = checkpoint.load(path)[1]
    assert path.stat().st_size < 3.5e6 and facts.kind in classifier.KINDS
    assert all(licence in checkpoint.ATTRIBUTION for licence in facts.licence.split(" and "))
    assert 0 < facts.shortest < facts.longest and 0 < facts.abstain_below < 1 and facts.leads[0] == "I"
    loaded = predict.load(name)
    t = np.arange(0, 12, 1 / 250)
    table = loaded(np.exp(-(((t * 1.2) % 1 - 0.5) / 0.02) ** 2), 250)
    assert len(table) == 1 and table.filter(like="probability_").sum(axis=1)[0] == pytest.approx(1, abs=1e-5)


def test_a_twin_is_answered_by_what_is_shipped(tmp_path):
    recordings = load("cinc2017", twin=True)
    table = predict.load(min(shipped()))(recordings.lead(0), float(recordings.sampling_rate[0]))
    assert set(table["predicted"]) <= {*classifier.Classifier.load(shipped()[min(shipped())]).facts.classes,
                                       classifier.ABSTAIN}
