"""Linear probes: what is drawn, what a checkpoint and its random twin are given, and what a result says."""

import numpy as np
import pytest
from messages import one_line
from sklearn.metrics import f1_score

from ecgtl import datasets, experiments, results
from ecgtl.analysis import rescoring
from ecgtl.config import FrozenConfig, ProbeConfig, starts
from ecgtl.datasets import splits
from ecgtl.errors import EcgtlError
from ecgtl.jobs import finetune, frozen, inputs, pretrain, probe
from ecgtl.models import checkpoint
from ecgtl.training import linear

pytestmark = pytest.mark.usefixtures("own_results")
TARGETS = ("probe-cinc2017", "probe-ptbxl", "probe-cpsc2018")


@pytest.fixture(scope="module")
def twin(session_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return datasets.load("cinc2017", twin=True)


@pytest.fixture(scope="module")
def finished(session_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return probe.run(ProbeConfig.of(encoder="cae"), "a command")


def config(encoder, **others):
    """The probe of one share, as an experiment asks for it."""
    (only,) = ProbeConfig.of(encoder=encoder, shares="100 %", **others).probes.values()
    return only.resolved()


def test_one_result_has_every_share_with_its_labels_and_a_score_that_follows_from_its_predictions(finished, twin):
    assert finished.experiment == "probe" and finished.provenance["command"] == "a command"
    y, train = finished.arrays["y_test"], {}
    for share in ("10 labels", "10 %", "100 %"):
        p, own = finished.arrays[f"prob_{share}"].astype(np.float32), finished.scores[share]
        assert own["macro_f1"] == pytest.approx(f1_score(y, p.argmax(axis=1), average="macro"))
        assert own["low"] < own["macro_f1"] < own["high"]
        train[share] = finished.arrays[f"train_{share}"]
        counts = np.bincount(twin.labels[train[share]], minlength=4)
        assert finished.data["split"][share]["train"] == dict(zip(twin.classes, counts.tolist(), strict=True))
        assert not set(train[share].tolist()) & set(finished.arrays["test"].tolist())
    assert finished.scores["macro_f1"] == finished.scores["100 %"]["macro_f1"]
    assert set(finished.data["split"]["10 labels"]["train"].values()) == {10}
    assert len(train["10 %"]) == pytest.approx(len(train["100 %"]) / 10, abs=4)
    assert set(train["10 labels"].tolist()) | set(train["10 %"].tolist()) <= set(train["100 %"].tolist())
    assert finished.evidence["target"] == "synthetic" and finished.history == []


def test_it_is_saved_and_verified_like_other_results(finished):
    stored = results.load(results.save(finished))
    again = rescoring.recomputed(stored)
    assert again["100 %.macro_f1"] == pytest.approx(stored.scores["100 %"]["macro_f1"])
    assert again["10 labels.low"] == pytest.approx(stored.scores["10 labels"]["low"])


def test_the_test_set_is_that_of_fine_tuning_whatever_the_encoder_and_the_seed(twin):
    own = splits.stratified(twin, 0.05, 0.20, 3, 0).test.tolist()
    for encoder in ("cae", "random:resnet18", "rr_intervals"):
        for seed in (0, 3):
            assert inputs.prepare(config(encoder, seed=seed).plan()).split.test.tolist() == own


def test_recordings_too_short_for_a_network_leave_its_parts_and_move_nobody_else(twin):
    whole = splits.stratified(twin, 0.05, 0.20, 0, 0)
    prepared = inputs.prepare(config("random:bilstm", on_bad="skip").plan())
    kept = prepared.recordings.ids
    assert len(kept) < len(twin)
    for part in inputs.PARTS:
        expected = [name for name in twin.ids[getattr(whole, part)] if name in set(kept.tolist())]
        assert kept[getattr(prepared.split, part)].tolist() == expected


@pytest.mark.parametrize("seed", range(3))
def test_labels_a_class_are_drawn_by_class_nested_and_anew_for_each_seed(twin, seed):
    train = splits.stratified(twin, 0.05, 0.20, 0, 0).train
    five, ten = (splits.few(train, twin, n, seed) for n in (5, 10))
    assert np.bincount(twin.labels[ten]).tolist() == [10] * 4 and np.bincount(twin.labels[five]).tolist() == [5] * 4
    assert set(five.tolist()) < set(ten.tolist()) <= set(train.tolist())
    assert splits.few(train, twin, 10, seed + 1).tolist() != ten.tolist()


def test_only_random_weights_have_their_normalisation_estimated_again_on_training_inputs(monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path))
    seen = []
    monkeypatch.setattr(linear, "renormalise", lambda model, x, device: seen.append(len(x)))
    random, trained = (inputs.prepare(config(encoder).plan()) for encoder in ("random:cae", "cae"))
    frozen.features(trained)
    assert seen == []
    frozen.features(random)
    assert seen == [len(random.whole_split.train)]


def test_features_are_computed_once_for_a_checkpoint_and_anew_for_each_random_seed(monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path))
    made = []

    def features(model, x, device):
        made.append(float(next(model.parameters()).detach().sum()))
        return np.full((len(x), 2), len(made), float)

    monkeypatch.setattr(linear, "features", features)
    for seed in (0, 1, 0):
        frozen.features(inputs.prepare(config("cae", seed=seed).plan()))
    assert len(made) == 1
    for seed in (0, 1, 0):
        frozen.features(inputs.prepare(config("random:cae", seed=seed).plan()))
    assert len(made) == 3 and made[1] != made[2]


def test_the_random_twin_has_the_inputs_and_the_size_of_its_checkpoint():
    for trained, random in (("cae", "random:cae_classifier"), ("beat-seed0", "random:resnet18"),
                            ("cpsc2018-bilstm", "random:bilstm")):
        one, other = (config(name, tier="reduced") for name in (trained, random))
        same = ("arch", "width", "variant", "sampling_rate", "seconds", "input_protocol")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]


def test_a_share_with_too_few_labels_is_named_and_the_others_are_probed():
    result = probe.run(ProbeConfig.of(encoder="rr_intervals", shares="10 labels,60 labels"))
    assert set(result.data["split"]) == {"10 labels"} and "60 labels" not in result.scores
    assert "60 labels a class are asked for" in result.data["refused"]["60 labels"]
    with pytest.raises(EcgtlError, match="60 labels a class are asked for, the training set of cinc2017 has") as error:
        probe.run(ProbeConfig.of(encoder="rr_intervals", shares="60 labels"))
    one_line(error)


@pytest.mark.parametrize(("given", "words"), [
    ({"shares": "a lot"}, "shares names 'a lot'; give labels of each class or per cent"),
    ({"shares": "200 %"}, "shares names '200 %'"), ({"shares": "0 labels"}, "shares names '0 labels'"),
    ({"encoder": "random:nothing"}, "unknown encoder 'random:nothing'; allowed: rr_intervals, random: and one of"),
    ({"encoder": "random:majority"}, "unknown encoder"), ({"encoder": "nothing"}, "unknown encoder 'nothing'"),
    ({"encoder": "image"}, "unknown encoder 'image'"), ({"encoder": "cpsc2018-nothing"}, "unknown encoder"),
    ({"encoder": "absent.safetensors"}, "absent.safetensors does not exist"),
    ({"root": "here"}, "tier demo reads a synthetic twin")])
def test_what_cannot_be_probed_is_one_line(given, words):
    with pytest.raises(EcgtlError) as error:
        probe.run(ProbeConfig.of(**{"encoder": "rr_intervals"} | given))
    one_line(error, words)


def test_ones_own_checkpoint_is_probed_as_it_was_trained(tmp_path, twin):
    file = tmp_path / "mine.safetensors"
    finetune.run(finetune.FinetuneConfig.of(arch="resnet18", epochs=1, width=4, seconds=8.192, save_weights=str(file)))
    own = config(str(file))
    assert (own.width, own.seconds, own.arch) == (4, 8.192, "resnet18")
    result = probe.run(ProbeConfig.of(encoder=str(file)))
    assert result.config["encoder"] == "mine.safetensors" and str(tmp_path) not in results.save(result).read_text()


# --- the experiment ---------------------------------------------------------------------------------------------


def test_no_checkpoint_is_probed_on_its_own_labels_and_every_one_has_its_random_twin():
    for name in TARGETS:
        entry = experiments.load(name)
        configs = {run.method: run.config for run in experiments.enumerate_runs(name, "reduced")}
        assert all(isinstance(one, FrozenConfig) for one in configs.values())
        assert entry.dataset not in {one.init for one in configs.values()}
        for one in configs.values():
            assert any(other.init == "random" and other.arch == one.arch for other in configs.values())
        starts = {one.init for one in configs.values() if one.arch == "resnet18"}
        assert starts == {"random", "beat", "rhythm", "heart_rate", "future"}


def test_no_test_recording_was_in_any_upstream(real_data):
    """Sources by what checkpoints say of themselves; where a target is among them, its test set was held out."""
    for name in TARGETS:
        entry = experiments.load(name)
        run = experiments.enumerate_runs(name, "reduced")[0]
        recordings = inputs.read(run.config.plan())
        tested = set(recordings.ids[inputs.Prepared(run.config.plan(), recordings).split.test].tolist())
        held_out = set(pretrain.held_out([datasets.load("cinc2017", on_bad="skip")])["cinc2017"])
        for config in {run.method: run.config for run in experiments.enumerate_runs(name, "reduced")}.values():
            file = starts.stored_weights(config.init, config.arch, "reduced") if config.init != "random" else None
            facts = checkpoint.load(file)[1] if file else None
            if facts and entry.dataset in (*facts.sources, facts.dataset):
                assert entry.dataset == "cinc2017" and tested <= held_out and facts.objective == "reconstruction"
