"""The pretraining job on synthetic twins: honest parts, true scores, and a checkpoint that fine-tuning can start
from."""

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ecgtl import datasets, models, results
from ecgtl.config import FinetuneConfig, PretrainConfig, starts
from ecgtl.datasets import splits
from ecgtl.errors import EcgtlError
from ecgtl.jobs import evidence, inputs, pretrain
from ecgtl.models import checkpoint
from ecgtl.training import loop, reconstruction

pytestmark = pytest.mark.usefixtures("own_results")
SMALL = {"sources": "cinc2017,mitdb", "epochs": 2, "width": 2, "per_subject": 1, "batch_size": 32,
         "learning_rate": 0.003, "precision": "float32"}
CPU = torch.device("cpu")


def config(**parameters):
    return PretrainConfig.of(**SMALL | parameters)


def without_times(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


@pytest.fixture(scope="module")
def finished(session_cache):
    """One pretraining of two epochs and the rows that it reported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        rows = []
        return pretrain.run(config(), report=rows.append, command="made by hand"), rows


@pytest.fixture(scope="module")
def sources(session_cache):
    """The twins of both sources."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return pretrain.read(config().resolved())


def parts_of(sources, **parameters):
    """Training, validation and test windows, made again from their definition."""
    asked = config(**parameters).resolved()
    return pretrain.whole_of(asked, sources).split(asked.validation, asked.test, asked.seed)


# --- one run ------------------------------------------------------------------------------------------------------


def test_the_error_falls(finished):
    pretrained, rows = finished
    assert pretrained.result.history == rows and [row["epoch"] for row in rows] == [1, 2]
    assert set(rows[0]) == {"epoch", "train_loss", "validation_loss", "seconds"}
    # that of validation need not, in two epochs: of four seeds, two rose
    assert rows[1]["train_loss"] < rows[0]["train_loss"]


def test_a_result_says_what_was_done(finished, sources):
    result = finished[0].result
    assert result.config == dataclasses.asdict(config().resolved()) and result.key == "cae-cae-demo-width2-text-seed0"
    assert result.evidence == {"upstream": "synthetic", "target": "none", "leads": "synthetic"}
    parts = parts_of(sources)
    assert result.data["windows"] == dict(zip(("train", "validation", "test"), map(len, parts), strict=True))
    assert result.data["subjects"] == dict(zip(("train", "validation", "test"), (len(p.subjects) for p in parts),
                                               strict=True))
    assert {name: entry["digest"] for name, entry in result.data["sources"].items()} == {s.name: s.digest
                                                                                         for s in sources}
    assert result.provenance["command"] == "made by hand" and result.provenance["seed"] == 0


def test_scores_are_those_of_the_kept_weights_on_the_test_windows(finished, sources):
    pretrained = finished[0]
    model = models.build("cae", 1, 60, width=2, variant="text")
    model.load_state_dict(pretrained.weights)
    model.eval()
    test = parts_of(sources)[2].materialise()
    x = test.take(np.arange(len(test)))
    with torch.no_grad():
        y = model(torch.from_numpy(x)).numpy()
    x, y = x[:, 0].astype(np.float64), y[:, 0].astype(np.float64)
    summed = ((x - y) ** 2).sum(axis=1).mean()
    scores = pretrained.result.scores
    assert scores["mse_sum"] == pytest.approx(summed, rel=1e-4)
    assert scores["mse_sample"] == pytest.approx(summed / 2048, rel=1e-4)
    assert scores["r2"] == pytest.approx(1 - ((x - y) ** 2).sum() / ((x - x.mean(axis=1, keepdims=True)) ** 2).sum(),
                                         abs=1e-4)
    chosen = pretrained.result.history[scores["epoch"] - 1]
    assert scores["validation"]["summed"] == pytest.approx(chosen["validation_loss"], rel=1e-5)


def test_a_run_is_a_function_of_its_config(finished):
    again = pretrain.run(config())
    assert without_times(again.result.history) == without_times(finished[0].result.history)
    assert all(torch.equal(again.weights[name], t) for name, t in finished[0].weights.items())


def test_a_killed_run_goes_on_from_its_state(finished, monkeypatch, session_cache):
    monkeypatch.setattr(loop, "STATE_SECONDS", 0.0)
    before = set((session_cache / "unfinished").glob("*.pt"))

    def kill(row):
        if row["epoch"] == 2:  # the state of epoch 1 is written after its report
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain.run(config(), report=kill)
    assert len(set((session_cache / "unfinished").glob("*.pt")) - before) == 1
    seen = []
    again = pretrain.run(config(), report=lambda row: seen.append(row["epoch"]))
    assert seen == [2] and again.result.scores == finished[0].result.scores
    assert without_times(again.result.history) == without_times(finished[0].result.history)
    assert all(torch.equal(again.weights[name], t) for name, t in finished[0].weights.items())
    results.forget_states()
    assert set((session_cache / "unfinished").glob("*.pt")) == before


def test_a_run_killed_before_its_first_state_starts_anew(finished):
    def kill(row):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain.run(config(), report=kill)
    seen = []
    pretrain.run(config(), report=lambda row: seen.append(without_times([row])[0]))
    assert seen == without_times(finished[0].result.history)


# --- who is in which part -----------------------------------------------------------------------------------------


def test_no_tested_recording_nor_its_subject_is_ever_seen(sources):
    labelled = sources[0]
    tested = splits.stratified(labelled, 0.05, 0.2, seed=5).test
    for protocol in ("weimann2021", "jang2021"):
        split = inputs.Prepared(FinetuneConfig.of(protocol=protocol, seed=3, fraction=0.5).plan(), labelled).split
        assert np.array_equal(split.test, tested)
    assert pretrain.held_out(sources) == {"cinc2017": labelled.ids[tested].tolist()}
    subject_of = dict(zip(labelled.ids.tolist(), labelled.subjects.tolist(), strict=True))
    forbidden = set(labelled.subjects[tested].tolist())
    for part in parts_of(sources, per_subject=4):
        origins = part.origin(np.arange(len(part)))
        seen = {record for name, record, _ in origins if name == "cinc2017"}
        assert seen and not seen & set(labelled.ids[tested].tolist())
        assert not {subject_of[record] for record in seen} & forbidden


def test_no_subject_is_in_two_parts(sources):
    parts = [set(part.subjects.tolist()) for part in parts_of(sources)]
    assert all(parts) and sum(map(len, parts)) == len(set.union(*parts))
    assert len(parts[1]) == pytest.approx(0.05 * sum(map(len, parts)), abs=1)


def test_a_source_without_labels_holds_nothing_back(sources):
    assert pretrain.held_out(sources[1:]) == {}


# --- the best epoch -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("errors, best, epochs", [((5.0, 3.0, 4.0), 2, 3), ((5.0, 6.0, 7.0), 1, 3),
                                                  ((5.0, 3.0, 3.0), 2, 3), ((5.0, 6.0, 7.0, 1.0), 1, 3)])
def test_the_weights_of_the_best_validation_epoch_are_kept(sources, monkeypatch, errors, best, epochs):
    """With made-up validation errors; the last case stops before its lowest, for want of patience."""
    _, validation, _ = parts_of(sources)
    seen = []

    def made_up(model, windows, autocast, device):
        assert windows is validation
        seen.append(loop.weights_of(model))
        return {"summed": errors[len(seen) - 1]}

    monkeypatch.setattr(reconstruction, "errors", made_up)
    recipe = loop.TrainConfig(len(errors), 64, 0.003, 2, "validation_loss", "validation_loss", "float32", 0)
    torch.manual_seed(0)
    fit = reconstruction.fit(models.build("cae", 1, 60, width=1, variant="text"), validation, validation, recipe, CPU)
    assert len(fit.history) == len(seen) == epochs
    assert all(torch.equal(fit.weights[name], t) for name, t in seen[best - 1].items())
    other = seen[best % epochs]
    assert not all(torch.equal(fit.weights[name], t) for name, t in other.items())


# --- the checkpoint -----------------------------------------------------------------------------------------------


def test_the_weights_are_written_with_their_checksum(finished):
    weights, stored = pretrain.save(finished[0])
    assert weights == starts.weights_path("cae", "cae_classifier", "demo")
    assert weights.name == "cae-cae-demo.safetensors"
    again = results.load(stored)
    assert again.data["weights"] == {"file": weights.name, "sha256": checkpoint.checksum(weights)}
    assert again.scores["mse_sum"] == pytest.approx(finished[0].result.scores["mse_sum"])
    tensors, facts = checkpoint.load(weights)
    assert all(torch.equal(tensors[name], t) for name, t in finished[0].weights.items())
    assert (facts.arch, facts.width, facts.variant, facts.synthetic) == ("cae", 2, "text", True)
    assert facts.sources == ("cinc2017", "mitdb") and facts.objective == "reconstruction" and facts.licence


def test_a_result_never_names_weights_that_were_not_written(finished, monkeypatch, tmp_path):
    def full_disk(*given):
        raise OSError("no space left on device")

    monkeypatch.setattr(checkpoint, "write_atomic", full_disk)
    with pytest.raises(OSError, match="no space"):
        pretrain.save(finished[0])
    assert not list(tmp_path.rglob("*.json"))


@pytest.fixture
def saved(finished):
    """The checkpoint where ``init=cae`` looks for it."""
    return pretrain.save(finished[0])[0]


def fine_tuning(**parameters):
    return FinetuneConfig.of(**{"init": "cae", "width": 2} | parameters).resolved()


def test_fine_tuning_starts_from_the_encoder_and_a_random_output_layer(saved, finished, sources):
    asked = fine_tuning()
    assert asked.plan().start == saved
    network = inputs.Prepared(asked.plan(), sources[0]).network().state_dict()
    torch.manual_seed(asked.seed)
    untrained = models.build("cae_classifier", 1, 4, width=2, variant="text").state_dict()
    assert {name for name in network if name.startswith("encoder.")} == {
        name for name in finished[0].weights if name.startswith("encoder.")}
    for name, tensor in network.items():
        expected = untrained[name] if name.startswith("output.") else finished[0].weights[name]
        assert torch.equal(tensor, expected), name
    assert not torch.equal(network["encoder.stem.0.weight"], untrained["encoder.stem.0.weight"])
    assert evidence.evidence_of(inputs.Prepared(asked.plan(), datasets.load("cinc2017",
                                                                            twin=True)))["upstream"] == "synthetic"


@pytest.mark.parametrize("other, said", [({"width": 4}, "has width=2, the run asks for 4"),
                                         ({"variant": "code"}, "has variant=text, the run asks for code"),
                                         ({"arch": "resnet18"}, "has arch=cae, the run asks for resnet18")])
def test_checkpoints_of_another_network_are_refused_in_one_line(saved, sources, other, said):
    with pytest.raises(EcgtlError, match=said) as caught:
        inputs.Prepared(fine_tuning(**other, init=str(saved), protocol="jang2021").plan(), sources[0]).network()
    assert "\n" not in str(caught.value)


# --- what cannot be done ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("arch, objective, stages", [("resnet50", "future", 3), ("resnet50", "beat", 4),
                                                     ("resnet18", "future", 4)])
def test_future_prediction_pretrains_three_stages_of_a_resnet50(arch, objective, stages):
    """Weimann 2021, Table 4, footnote."""
    given = PretrainConfig.of(objective=objective, arch=arch, width=8).resolved()
    assert pretrain.stages(given) == stages
    network = pretrain.network(given)
    encoder = network.encoder if objective == "future" else network
    assert len(encoder.units) == sum(models.STAGES[arch][:stages])


@pytest.mark.parametrize("arch, half", [("resnet18", False), ("resnet34", True)])
def test_large_networks_are_stored_in_half_precision(arch, half, session_cache):
    made = pretrain.run(PretrainConfig.of(objective="heart_rate", sources="mitdb", arch=arch, epochs=1, width=4,
                                          per_subject=4))
    path, _ = pretrain.save(made)
    stored = {t.dtype for t in load_file(path).values() if t.is_floating_point() and t.ndim > 1}
    assert stored == {torch.float16 if half else torch.float32}


def test_a_source_that_is_given_twice_is_named():
    with pytest.raises(EcgtlError, match="is given twice"):
        pretrain.run(config(sources="mitdb,mitdb"))


def test_windows_of_another_length_are_refused():
    with pytest.raises(EcgtlError, match="the autoencoder takes windows of shape"):
        pretrain.run(config(seconds=4.096, epochs=1))


def test_other_tiers_read_recordings(monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "load", lambda *given, on_bad: asked.append((*given, on_bad)))
    pretrain.read(config(tier="reduced", root="mine", on_bad="skip").resolved())
    pretrain.read(config().resolved())
    assert asked == [("cinc2017", "mine", False, "skip"), ("mitdb", "mine", False, "skip"),
                     ("cinc2017", None, True, "error"), ("mitdb", None, True, "error")]


@pytest.mark.parametrize("tier, init, licence, sources", [("demo", "cae", "CC BY 4.0", ["icu_monitor"]),
                                                          ("reduced", "cae-seed0", "ODC-BY 1.0", ["mitdb", "qtdb"])])
def test_an_autoencoder_comes_with_the_package(tier, init, licence, sources, monkeypatch, tmp_path):
    """In a fresh clone ``init`` has a checkpoint; one's own is taken first."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    path = starts.stored_weights(init, "cae_classifier", tier)
    assert path.parent == starts.SHIPPED
    state, facts = checkpoint.load(path)
    config = PretrainConfig.of(tier=tier).resolved()
    pretrain.network(config).load_state_dict(state)
    wanted = {"synthetic": tier == "demo", "licence": licence, "sources": sources, "sampling_rate": 250}
    assert {name: facts.stored[name] for name in wanted} == wanted
    assert FinetuneConfig.of(dataset="shaoxing", init=init, tier=tier).plan().start == path
    if tier == "demo":
        own = starts.weights_path("cae", "cae", tier)
        checkpoint.save(own, state, facts.stored)
        assert starts.stored_weights("cae", "cae_classifier", tier) == own


@pytest.mark.parametrize("own", [{"sources": "icu_monitor"}, {"epochs": 3}, {"seed": 1}, {"width": 4}, {"windows": 50}])
def test_a_run_of_ones_own_never_replaces_what_came_with_the_package(own):
    usual = PretrainConfig.of(tier="reduced").resolved()
    assert pretrain.weights_file(usual) == starts.SHIPPED / "cae-cae-reduced.safetensors"
    assert pretrain.key_of(usual) == "cae-cae-reduced-width8-text-seed0"
    other = PretrainConfig.of(tier="reduced", **own).resolved()
    assert pretrain.weights_file(other) != pretrain.weights_file(usual)
    assert pretrain.key_of(other) != pretrain.key_of(usual)
    elsewhere = PretrainConfig.of(tier="reduced", root="/elsewhere", device="cpu").resolved()
    assert pretrain.weights_file(elsewhere) == pretrain.weights_file(usual)
