"""The job from end to end on a few recordings of the synthetic twin: what a result says, and that it says so truly."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from sklearn import metrics as oracle

from ecgtl import datasets, metrics, models, results
from ecgtl.config import BASELINES, FinetuneConfig, PretrainConfig, starts
from ecgtl.errors import EcgtlError
from ecgtl.jobs import evidence, finetune, inputs, pretrain
from ecgtl.models import checkpoint
from ecgtl.signals import preparation
from ecgtl.training import loop

SMALL = {"epochs": 2, "width": 4, "seconds": 8.192, "batch_size": 16}
WORDS = {"full", "subset", "substitute", "synthetic", "none"}


@pytest.fixture(scope="module")
def twin(session_cache):
    """Ninety recordings of the twin of CinC 2017, every class among them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        whole = datasets.load("cinc2017", twin=True)
        first = [np.flatnonzero(whole.labels == k)[:n] for k, n in enumerate((40, 15, 20, 15))]
        return whole.select(np.concatenate(first))


@pytest.fixture(autouse=True)
def _few(twin, monkeypatch, tmp_path):
    """The job reads the few recordings, and its results land in a folder of the test."""
    def load(name, root=None, twin_asked=False, **options):
        assert name == "cinc2017" and twin_asked and root is None, "tier demo must read the twin"
        return twin

    monkeypatch.setattr(datasets, "load", load)
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))


def config(**parameters):
    return FinetuneConfig.of(**SMALL | parameters)


def without_times(result):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in result.history]


# --- one run ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(twin):
    """One run of two epochs, used by several tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load", lambda *given, **options: twin)
        rows = []
        return finetune.run(config(), report=rows.append), rows


def test_a_result_is_complete(finished, twin):
    result, rows = finished
    assert result.config == dataclasses.asdict(config().resolved())
    assert result.history == rows and [row["epoch"] for row in rows] == [1, 2]
    assert set(rows[0]) == {"epoch", "train_loss", "train_accuracy", "validation_loss", "validation_score", "test_loss",
                            "test_score", "seconds"}
    assert result.data["digest"] == twin.digest and result.data["records"] == len(twin) == 90
    assert result.data["classes"] == ["normal", "af", "other", "noise"] and result.data["counts"] == twin.counts()
    assert set(result.arrays) == {"train", "validation", "test", "y_test", "prob_validated", "prob_best_test",
                                  "prob_last"}
    made = result.provenance
    assert made["seed"] == 0 and made["device"] == "cpu" and made["wall_seconds"] > 0 and made["command"]
    assert made["versions"]["torch"] == torch.__version__ and {"commit", "dirty", "threads", "finished"} <= set(made)


def test_the_evidence_says_that_the_data_were_made(finished):
    assert finished[0].evidence == {"upstream": "none", "target": "synthetic", "leads": "synthetic"}
    assert finished[0].synthetic


def test_scores_are_scikit_learns_of_the_stored_predictions(finished):
    result = finished[0]
    y, classes = result.arrays["y_test"], range(4)
    for choice in ("validated", "best_test", "last"):
        predicted, scores = result.arrays[f"prob_{choice}"].argmax(axis=1), result.scores[choice]
        every = {"labels": classes, "zero_division": 0}
        per_class = oracle.f1_score(y, predicted, average=None, **every)
        assert scores["macro_f1"] == pytest.approx(per_class.mean())
        assert scores["weighted_f1"] == pytest.approx(oracle.f1_score(y, predicted, average="weighted", **every))
        assert scores["accuracy"] == pytest.approx(oracle.accuracy_score(y, predicted))
        assert scores["challenge_f1"] == pytest.approx(per_class[:3].mean())
        assert scores["f1_per_class"] == pytest.approx(dict(zip(result.data["classes"], per_class, strict=True)))
    assert result.scores["macro_f1"] == result.scores["validated"]["macro_f1"]
    assert result.scores["last"]["epoch"] == 2


def test_the_split_is_whole_and_the_stored_labels_are_the_data_sets(finished, twin):
    arrays, counts = finished[0].arrays, finished[0].data["split"]
    everything = np.concatenate([arrays[part] for part in ("train", "validation", "test")])
    assert sorted(everything.tolist()) == list(range(90))
    assert (arrays["y_test"] == twin.labels[arrays["test"]]).all()
    for part, by_class in counts.items():
        assert list(by_class.values()) == np.bincount(twin.labels[arrays[part]], minlength=4).tolist()


def test_probabilities_are_those_of_the_validated_network(tmp_path, twin):
    path = tmp_path / "w.safetensors"
    result = finetune.run(config(save_weights=str(path), precision="float32"))
    weights, facts = checkpoint.load(path)
    network = models.build("resnet18", 1, 4, width=4)
    network.load_state_dict(weights)
    x = preparation.prepare(twin, 62.5, 512)[result.arrays["test"]]
    p = loop.predict(network, x, torch.device("cpu"), precision="float32")
    np.testing.assert_allclose(result.arrays["prob_validated"], p, atol=1e-3)
    assert facts.synthetic and facts.classes == tuple(result.data["classes"])
    assert ([facts.mean[0], facts.sd[0]], facts.leads) == (list(preparation.mean_and_sd(twin)), ("ECG",))
    assert (facts.sampling_rate, facts.seconds, facts.arch, facts.width) == (62.5, 8.192, "resnet18", 4)


def test_a_run_is_a_function_of_its_config(finished):
    again = finetune.run(config())
    assert without_times(again) == without_times(finished[0]) and again.scores == finished[0].scores
    assert all((again.arrays[name] == values).all() for name, values in finished[0].arrays.items())
    other = finetune.run(config(seed=1))
    assert (other.arrays["test"] == again.arrays["test"]).all()
    assert not np.array_equal(other.arrays["train"], again.arrays["train"])
    assert without_times(other) != without_times(again)


def test_a_fraction_shortens_the_training_part_alone(finished):
    quarter, whole = finetune.run(config(fraction=0.25, epochs=1)).arrays, finished[0].arrays
    assert set(quarter["train"]) < set(whole["train"])
    assert len(quarter["train"]) == pytest.approx(len(whole["train"]) / 4, abs=2)
    assert (quarter["validation"] == whole["validation"]).all() and (quarter["test"] == whole["test"]).all()


def test_a_result_survives_being_stored(finished):
    result = finished[0]
    again = results.load(results.save(result))
    assert (again.key, again.config, again.evidence) == (result.key, result.config, result.evidence)
    assert again.scores["macro_f1"] == pytest.approx(result.scores["macro_f1"])
    assert all((again.arrays[name] == values).all() for name, values in result.arrays.items())


def test_a_protocol_of_several_labels_is_refused_before_the_training():
    with pytest.raises(EcgtlError, match="cinc2017 has one label a recording, the protocol across takes several; use"):
        finetune.run(config(protocol="across"), report=lambda row: 1 / 0)


def test_a_killed_run_goes_on_from_its_state(monkeypatch, finished, session_cache, tmp_path):
    monkeypatch.setattr(loop, "STATE_SECONDS", 0.0)
    before = set(session_cache.glob("unfinished/*"))

    def kill(row):
        row["seconds"] = 1e6
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        finetune.run(config(), report=kill)
    assert [path.suffix for path in set(session_cache.glob("unfinished/*")) - before] == [".pt"]
    seen = []
    result = finetune.run(config(), report=lambda row: seen.append(row["epoch"]))
    assert seen == [2] and without_times(result) == without_times(finished[0]) and result.scores == finished[0].scores
    assert 0 < result.provenance["wall_seconds"] - 1e6 < 600 and result.history[0]["seconds"] == 1e6
    (tmp_path / "closed").touch()
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "closed"))  # or the disk has filled: nothing is lost
    with pytest.raises(EcgtlError):
        results.save(result)
    again = finetune.run(config())
    assert again.history[0]["seconds"] == 1e6 and again.scores == result.scores
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    results.save(again)
    assert set(session_cache.glob("unfinished/*")) == before


def test_a_run_does_not_go_on_with_what_other_instructions_have_rounded(monkeypatch):
    cpu, gpu = torch.device("cpu"), torch.device("cuda")
    here, there = (finetune.training_state({"seed": 1}, device) for device in (cpu, gpu))
    monkeypatch.setattr(results, "instructions", lambda: "others")
    assert finetune.training_state({"seed": 1}, cpu) not in (here, there, finetune.training_state({"seed": 2}, cpu))
    assert here != there


# --- baselines ----------------------------------------------------------------------------------------------------


def test_the_majority_baseline_names_the_largest_class(twin):
    result = finetune.run(config(arch="majority"))
    assert set(result.arrays["prob_validated"].argmax(axis=1)) == {0}
    share = (twin.labels[result.arrays["test"]] == 0).mean()
    assert result.scores["accuracy"] == pytest.approx(share)
    assert result.scores["macro_f1"] == pytest.approx(2 * share / (1 + share) / 4)
    assert result.history == [] and "last" not in result.scores


def test_baselines_share_the_split_of_the_network(finished):
    found = finetune.baseline_results(config())
    assert set(found) == set(BASELINES)
    for arch, result in found.items():
        assert result.config["arch"] == arch and results.load(results.save(result)).scores["macro_f1"] > 0
        assert all((result.arrays[part] == finished[0].arrays[part]).all() for part in ("train", "validation", "test"))
    assert found["rr_boosting"].scores["macro_f1"] > found["majority"].scores["macro_f1"] + 0.1


# --- starting weights ---------------------------------------------------------------------------------------------


@pytest.fixture
def start(tmp_path):
    """A checkpoint that a run on the twin left behind."""
    path = tmp_path / "elsewhere" / "first.safetensors"
    finetune.run(config(epochs=1, seed=2**32 - 1, save_weights=str(path)))
    return path


def test_a_run_goes_on_from_a_checkpoint(start, finished):
    result = finetune.run(config(init=str(start), learning_rate=1e-9, epochs=1))
    random = finetune.run(config(learning_rate=1e-9, epochs=1))
    assert without_times(result) != without_times(random)
    assert result.evidence["upstream"] == "synthetic" and random.evidence["upstream"] == "none"
    assert result.config["init"] == "first.safetensors" and str(start.parent) not in json.dumps(dataclasses.asdict(
        result), default=str)
    assert result.key.startswith("cinc2017-demo-first-1-seed0-") and result.key != random.key


def test_the_output_layer_starts_afresh(start, monkeypatch):
    seen = {}

    def fit(model, *arguments, **options):
        seen.update({name: t.clone() for name, t in model.state_dict().items()})
        raise EcgtlError("looked")

    monkeypatch.setattr(loop, "fit", fit)
    with pytest.raises(EcgtlError, match="looked"):
        finetune.run(config(init=str(start)))
    weights = checkpoint.load(start)[0]
    assert torch.equal(seen["units.3.convs.0.weight"], weights["units.3.convs.0.weight"])
    assert not torch.equal(seen["output.weight"], weights["output.weight"])


def test_checkpoints_of_one_name_in_two_folders_have_two_keys(start, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "first.safetensors").write_bytes(start.read_bytes())
    keys = {finetune.default_key(config(init=str(path)).resolved())
            for path in (start, tmp_path / "other" / "first.safetensors")}
    assert len(keys) == 2


@pytest.mark.parametrize("details", [{"frame": 1024}, {"frame": 512, "variant": "code"}])
def test_details_name_the_checkpoint_of_another_configuration(details):
    """``init`` finds by word and details what pretraining wrote for them."""
    written = pretrain.weights_file(PretrainConfig.of(objective="beat", **details).resolved())
    word = "-".join(["beat", *(value if name == "variant" else f"{name}{value}" for name, value in details.items())])
    assert starts.weights_path(word, "resnet18", "demo") == written
    assert written != starts.weights_path("beat", "resnet18", "demo")


def test_the_variant_of_a_residual_network():
    result = finetune.run(config(variant="code", epochs=1))
    assert result.config["variant"] == "code" and result.key != finetune.default_key(config(epochs=1).resolved())
    resolved = config(variant="code").resolved()
    model = inputs.Prepared(resolved.plan(), inputs.read(resolved.plan())).network()
    assert not any(unit.preactivation for unit in model.units)


@pytest.mark.parametrize("parameters, said", [
    ({"init": "beat"}, "init=beat has no checkpoint for arch=resnet18, tier=demo yet; make it with 'papermill "
     "notebooks/pretrain.ipynb out.ipynb -p objective beat -p arch resnet18 -p tier demo', use init=random"),
    ({"init": "future-frame512-context8-negatives4-offset2", "arch": "resnet34"},
     "init=future-frame512-context8-negatives4-"
     "offset2 has no checkpoint for arch=resnet34, tier=demo yet; make it with 'papermill notebooks/pretrain.ipynb "
     "out.ipynb "
     "-p objective future -p frame 512 -p context 8 -p negatives 4 -p offset 2 -p arch resnet34 -p tier demo'"),
    ({"init": "cae", "seconds": None, "tier": "paper"},
     "init=cae has no checkpoint for arch=cae_classifier, tier=paper yet; "
     "make it with 'papermill notebooks/pretrain.ipynb out.ipynb -p tier paper', use init=random"),
    ({"init": "image"}, "GoogLeNet's ImageNet weights are not at .*python -m ecgtl weights googlenet"),
    ({"init": "none/such.safetensors"}, "none/such.safetensors does not exist")])
def test_absent_weights_are_an_error_before_anything_is_read(parameters, said, monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    monkeypatch.setattr(datasets, "load", lambda *given, **options: pytest.fail("read the data first"))
    with pytest.raises(EcgtlError, match=said):
        finetune.run(config(**parameters))


def test_a_checkpoint_of_another_width_is_refused(start):
    with pytest.raises(EcgtlError, match="has width=4, the run asks for 8"):
        finetune.run(config(init=str(start), width=8))


# --- keys and data ------------------------------------------------------------------------------------------------


def test_keys_tell_runs_apart():
    plain = FinetuneConfig.of().resolved()
    assert finetune.default_key(plain) == "cinc2017-demo-random-1-seed0"
    assert finetune.default_key(FinetuneConfig.of(arch="majority", fraction=0.25, seed=3).resolved()) == (
        "cinc2017-demo-majority-0.25-seed3")
    others = [FinetuneConfig.of(**p).resolved() for p in ({}, {"epochs": 1}, {"width": 4}, {"arch": "resnet34"},
                                                          {"tier": "reduced"}, {"seed": 1}, {"fraction": 0.5})]
    assert len({finetune.default_key(c) for c in others}) == len(others)


def test_other_tiers_read_the_recordings_and_never_the_twin(monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "load", lambda *given, **options: asked.append((given, options)))
    inputs.read(FinetuneConfig.of(tier="reduced", on_bad="skip").plan())
    inputs.read(FinetuneConfig.of(tier="paper", root="mine").plan())
    inputs.read(FinetuneConfig.of(dataset="folder", tier="reduced", root="mine", lead="II", labels="l.csv").plan())
    inputs.read(FinetuneConfig.of(dataset="cinc2017", tier="demo").plan())
    inputs.read(FinetuneConfig.of(dataset="shaoxing", tier="reduced").plan())
    # what the protocol asks for
    assert asked.pop() == (("shaoxing", None, False), {"on_bad": "error", "leads": ["II"]})
    assert asked == [(("cinc2017", None, False), {"on_bad": "skip"}),
                     (("cinc2017", "mine", False), {"on_bad": "error"}),
                     (("folder", "mine", False), {"on_bad": "error", "lead": "II", "labels": "l.csv",
                                                  "labels_separator": "", "rate": 0.0, "unit": ""}),
                     (("cinc2017", None, True), {"on_bad": "error"})]


def test_evidence_of_real_recordings(twin):
    real = dataclasses.replace(twin, synthetic=False)
    reduced = config(tier="reduced").resolved()
    found = evidence.evidence_of(inputs.Prepared(reduced.plan(), real))
    assert found == {"upstream": "none", "target": "subset", "leads": "full"}
    whole = dataclasses.replace(real, ids=np.arange(8528).astype(str))
    assert evidence.evidence_of(inputs.Prepared(reduced.plan(), whole))["target"] == "full"
    few = dataclasses.replace(real, ids=np.arange(8520).astype(str))
    for reason, target in (("no rhythm statement", "full"), ("signal absent", "subset"), ("damaged record", "subset")):
        left_out = dataclasses.replace(few, skipped={reason: [str(i) for i in range(8)]})
        assert evidence.evidence_of(inputs.Prepared(reduced.plan(), left_out))["target"] == target
    on_all = config(tier="reduced", dataset="ptbxl", lead="all").resolved()
    assert evidence.evidence_of(inputs.Prepared(on_all.plan(), real))["leads"] == "subset"
    assert set(evidence.evidence_of(inputs.Prepared(config().plan(), twin)).values()) <= WORDS


def test_data_that_are_not_the_papers_are_substitutes_outside_the_demo(twin):
    real = dataclasses.replace(twin, synthetic=False, ids=np.arange(8528).astype(str))
    by_jang = config(protocol="jang2021", tier="reduced").resolved()
    assert evidence.evidence_of(inputs.Prepared(by_jang.plan(), real)) == {
        "upstream": "none", "target": "substitute", "leads": "substitute"}
    own = dataclasses.replace(by_jang, dataset="shaoxing")
    assert evidence.evidence_of(inputs.Prepared(own.plan(), real))["target"] == "subset"
    made = evidence.evidence_of(inputs.Prepared(config(protocol="jang2021").plan(), twin))
    assert made == {"upstream": "none", "target": "synthetic", "leads": "synthetic"}


def test_a_data_set_that_is_not_there_says_how_to_get_it(monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    with pytest.raises(EcgtlError, match="data fetch cinc2017"):
        finetune.run(config(tier="reduced"))
    assert list(tmp_path.iterdir()) == []


def test_the_folder_twin_runs_too(monkeypatch, session_cache):
    monkeypatch.undo()
    monkeypatch.setenv("ECGTL_CACHE", str(session_cache))
    result = finetune.run(config(dataset="folder", epochs=1, seconds=4.096))
    assert result.evidence["target"] == "synthetic"
    assert result.data["records"] == len(datasets.load("folder", twin=True))


# --- the protocol of Jang 2021 ------------------------------------------------------------------------------------

JANG = {"protocol": "jang2021", "epochs": 3, "width": 2, "seconds": None, "batch_size": 32}


@pytest.fixture(scope="module")
def by_jang(twin):
    """One run of three epochs from random weights under the second paper's rules."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load", lambda *given, **options: twin)
        return finetune.run(config(**JANG))


@pytest.fixture
def autoencoder():
    """What a pretraining leaves behind, without one: random weights of the autoencoder, marked as synthetic data."""
    torch.manual_seed(3)
    weights = models.build("cae", 1, 60, width=2, variant="text").state_dict()
    path = starts.weights_path("cae", "cae_classifier", "demo")
    checkpoint.save(path, weights, {"arch": "cae", "width": 2, "variant": "text", "in_channels": 1,
                                    "sampling_rate": 250.0, "seconds": 8.192, "synthetic": True})
    return weights


def test_the_best_epoch_on_the_test_part_is_reported_as_published(by_jang):
    scores, curve = by_jang.scores, [row["test_score"] for row in by_jang.history]
    assert scores["weighted_f1"] == scores["best_test"]["weighted_f1"]
    assert scores["macro_f1"] == scores["best_test"]["macro_f1"]
    assert scores["best_test"]["epoch"] == 1 + int(np.argmax(curve))
    assert scores["best_test"]["weighted_f1"] == pytest.approx(max(curve), abs=1e-6)  # the curve is of the weighted F1
    assert {"validated", "last"} <= set(scores)


def test_the_learning_curve_index_is_that_of_the_history(by_jang):
    curve = [row["test_score"] for row in by_jang.history]
    assert by_jang.scores["learning_curve_index"] == metrics.learning_curve_index(curve)
    rises, falls = ([s * d for d in np.diff(curve) if s * d > 0] for s in (1, -1))
    expected = (np.mean(rises) if rises else 0) / ((np.mean(falls) if falls else 0) + 1e-7) * max(curve)
    assert by_jang.scores["learning_curve_index"] == pytest.approx(expected, rel=0.01)
    assert "learning_curve_index" not in finetune.run(config(arch="majority")).scores


def test_both_protocols_test_on_the_same_recordings(by_jang, finished, twin):
    assert (by_jang.arrays["test"] == finished[0].arrays["test"]).all()
    drawn, test = by_jang.arrays["train"], by_jang.arrays["test"]
    assert len(set(drawn.tolist())) < len(drawn) == len(twin) - len(test)
    assert not set(by_jang.arrays["train"]) & set(by_jang.arrays["validation"])


def test_a_run_from_an_autoencoder_has_its_evidence_and_the_same_split(autoencoder, by_jang):
    result = finetune.run(config(**JANG | {"init": "cae", "protocol": "auto", "epochs": 1}))
    assert result.evidence == {"upstream": "synthetic", "target": "synthetic", "leads": "synthetic"}
    assert (result.config["protocol"], result.config["arch"]) == ("jang2021", "cae_classifier")
    assert all((result.arrays[part] == by_jang.arrays[part]).all() for part in ("train", "validation", "test"))
    assert result.history[0]["train_loss"] != by_jang.history[0]["train_loss"]


def test_trivial_classifiers_share_the_split_that_init_stands_for(autoencoder, by_jang):
    for result in finetune.baseline_results(config(**JANG | {"init": "cae", "protocol": "auto"})).values():
        assert all((result.arrays[part] == by_jang.arrays[part]).all() for part in ("train", "validation", "test"))


def test_the_image_arm_is_one_linear_layer_on_frozen_features(monkeypatch, tmp_path, twin):
    features = np.random.default_rng(0).normal(size=(len(twin), 1024)).astype(np.float32)
    seen = []

    def image_features(x, rate, weights):
        seen.append((x.shape, rate, weights))
        return features

    monkeypatch.setattr(starts.googlenet, "find_weights", lambda: tmp_path / "w")
    monkeypatch.setattr(finetune.cache, "source_checksum", lambda *given: "of the weights")
    monkeypatch.setattr(inputs.spectrograms, "image_features", image_features)
    result = finetune.run(config(**JANG | {"init": "image", "protocol": "auto", "epochs": 2}))
    assert seen == [((90, 2048), 250.0, tmp_path / "w")]
    assert result.config["arch"] == "googlenet" and result.evidence["upstream"] == "full"
    layer = inputs.Prepared(config(init="image", seconds=None).plan(), twin).network()
    assert isinstance(layer, torch.nn.Linear) and (layer.in_features, layer.out_features) == (1024, 4)


# --- several labels a recording -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def several(twin):
    """The few recordings with several labels: their class, and on every third one a second label; ten folds."""
    table = np.eye(4, dtype=np.int64)[twin.labels]
    table[::3, 0] = 1
    return dataclasses.replace(twin, labels=table, folds=np.arange(len(twin)) % 10 + 1)


@pytest.fixture(scope="module")
def multi(several):
    """One run of two epochs with several labels."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(datasets, "load", lambda *given, **options: several)
        return finetune.run(config(precision="float32"))


def test_several_labels_are_split_by_the_published_folds(multi, several):
    assert set(several.folds[multi.arrays["test"]]) == {10}
    assert set(several.folds[multi.arrays["validation"]]) == {9}
    assert set(several.folds[multi.arrays["train"]]) == set(range(1, 9))
    np.testing.assert_array_equal(multi.arrays["y_test"], several.labels[multi.arrays["test"]])
    assert multi.data["split"]["test"] == dict(zip(several.classes, multi.arrays["y_test"].sum(axis=0).tolist(),
                                                   strict=True))


def test_scores_of_several_labels_are_scikit_learns_of_the_stored_predictions(multi):
    y, p = multi.arrays["y_test"], multi.arrays["prob_validated"].astype(float)
    assert multi.scores["macro_auc"] == pytest.approx(oracle.roc_auc_score(y, p, average="macro"))
    for k, name in enumerate(multi.data["classes"]):
        assert multi.scores["auc_per_class"][name] == pytest.approx(oracle.roc_auc_score(y[:, k], p[:, k]))
    for name, metric in (("f_beta", metrics.f_beta), ("g_beta", metrics.g_beta)):
        threshold = multi.scores["thresholds"][name]
        assert multi.scores[name] == pytest.approx(metric(y, (multi.arrays["prob_validated"] >= threshold).astype(int)))


def test_thresholds_come_from_the_training_part(several, monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda *given, **options: several)
    asked = []

    def chosen(metric, y, p, *thresholds):
        asked.append((y, p))
        return 0.5

    for module in (metrics, metrics.labels):  # one a class begins with the common one
        monkeypatch.setattr(module, "best_threshold", chosen)
    result = finetune.run(config(epochs=1))
    for y, p in asked:
        np.testing.assert_array_equal(y, several.labels[result.arrays["train"]])
        assert p.shape == y.shape
    assert len(asked) == 4  # two metrics, with one threshold and with one a class


def test_the_epoch_with_the_lowest_validation_loss_is_kept(multi):
    losses = [row["validation_loss"] for row in multi.history]
    assert multi.scores["validated"]["epoch"] == int(np.argmin(losses)) + 1


def test_a_label_without_positives_in_the_test_part_has_no_auc_and_is_left_out_of_the_mean(several, monkeypatch):
    table = several.labels.copy()
    table[several.folds == 10, 3] = 0
    monkeypatch.setattr(datasets, "load", lambda *given, **options: dataclasses.replace(several, labels=table))
    result = finetune.run(config(epochs=1))
    values = result.scores["auc_per_class"]
    assert values["noise"] is None
    assert result.scores["macro_auc"] == pytest.approx(np.mean([v for v in values.values() if v is not None]))
    results.load(results.save(result))


@pytest.mark.parametrize("arch", BASELINES)
def test_trivial_classifiers_take_several_labels(several, monkeypatch, arch):
    monkeypatch.setattr(datasets, "load", lambda *given, **options: several)
    result = finetune.run(config(arch=arch))
    assert set(result.scores) >= {"macro_auc", "f_max", "f_beta", "g_beta"}
    if arch == "majority":
        assert result.scores["macro_auc"] == 0.5


def test_jangs_protocol_refuses_several_labels_in_one_line(several, monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda *given, **options: several)
    with pytest.raises(EcgtlError, match="has several labels a recording, the protocol jang2021 takes one"):
        finetune.run(config(protocol="jang2021", arch="cae_classifier", variant="text", sampling_rate=250))


# --- several leads ------------------------------------------------------------------------------------------------


def test_all_leads_are_seen_and_a_one_lead_checkpoint_starts_them(session_cache, monkeypatch, tmp_path):
    monkeypatch.undo()
    monkeypatch.setenv("ECGTL_CACHE", str(session_cache))
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    path = tmp_path / "one.safetensors"
    finetune.run(config(dataset="folder", epochs=1, save_weights=str(path)))
    two = tmp_path / "two.safetensors"
    result = finetune.run(config(dataset="folder", lead="all", init=str(path), epochs=1, save_weights=str(two)))
    weights, facts = checkpoint.load(two)
    assert (facts.in_channels, facts.leads, len(facts.mean)) == (2, ("I", "II"), 2)
    assert weights["stem.0.weight"].shape[1] == 2
    assert result.config["lead"] == "all"
