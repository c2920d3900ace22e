"""The pretraining job on frames of the made MIT-BIH database: every objective, from parameters to fine-tuning."""

import dataclasses

import numpy as np
import pytest
import torch

from ecgtl import datasets, models, results
from ecgtl.config import FinetuneConfig, PretrainConfig, starts
from ecgtl.errors import EcgtlError
from ecgtl.jobs import inputs, pretrain
from ecgtl.models import checkpoint
from ecgtl.signals import frame_labels
from ecgtl.signals.frames import sampled
from ecgtl.training import loop

pytestmark = pytest.mark.usefixtures("own_results")
OBJECTIVES = ("beat", "rhythm", "heart_rate", "future")
SMALL = {"width": 2, "epochs": 2, "per_subject": 16, "batch_size": 16, "precision": "float32"}


def config(objective, **parameters):
    return PretrainConfig.of(objective=objective, **SMALL | parameters)


@pytest.fixture(scope="module")
def finished(session_cache):
    """One pretraining of each objective."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return {objective: pretrain.run(config(objective), command="made by hand") for objective in OBJECTIVES}


def without_times(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_result_says_what_was_done(finished, objective):
    result = finished[objective].result
    assert result.config == dataclasses.asdict(config(objective).resolved())
    assert result.evidence == {"upstream": "synthetic", "target": "none", "leads": "synthetic"}
    assert [row["epoch"] for row in result.history] == [1, 2]
    twin = datasets.load("mitdb", twin=True)
    assert result.data["sources"]["mitdb"]["digest"] == twin.digest
    assert sum(result.data["subjects"].values()) == len(set(twin.subjects))
    assert result.data["frames"] == {name: 16 * n for name, n in result.data["subjects"].items()}
    mean, sd = (result.data["standardised_by"]["mitdb"][name] for name in ("mean", "sd"))
    whole = np.concatenate([twin.lead(i) for i in range(len(twin))]).astype(float)
    assert (mean, sd) == pytest.approx((whole.mean(), whole.std()), rel=1e-4)
    if objective in frame_labels.TASKS:
        assert sum(result.data["counts"].values()) == result.data["frames"]["train"]


def test_keys_tell_configurations_apart():
    keys = {pretrain.key_of(config(objective, **own).resolved()) for objective in OBJECTIVES
            for own in ({}, {"frame": 4096}, {"seed": 1}, {"variant": "code"}, {"arch": "resnet34"})}
    keys |= {pretrain.key_of(config("future", **own).resolved()) for own in
             ({"context": 8}, {"negatives": 4}, {"offset": 2}, {"negatives_from": "patient"})}
    assert len(keys) == 24
    assert pretrain.key_of(config("beat").resolved()) == "beat-resnet18-demo-width2-frame2048-seed0"


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_scores_are_those_of_the_kept_weights(finished, objective):
    made = finished[objective]
    best = made.result.history[made.result.scores["epoch"] - 1]
    assert made.result.scores["validation"]["accuracy"] == pytest.approx(best["validation_accuracy"])
    assert best["validation_accuracy"] == max(row["validation_accuracy"] for row in made.result.history)
    asked = config(objective).resolved()
    test = pretrain.parts_of(asked, pretrain.whole_of(asked, pretrain.read(asked)))["test"]
    x, y = (np.concatenate(column) for column in zip(*test.batches(64, asked.seed), strict=True))
    with torch.no_grad():
        answers = made.model.cpu().eval()(torch.from_numpy(x)).argmax(dim=1).numpy()
    assert made.result.scores["accuracy"] == pytest.approx(np.mean(answers == y))
    assert made.result.scores["n"] == len(y) == len(test)


@pytest.mark.parametrize("objective", ["rhythm", "future"])
def test_a_run_is_a_function_of_its_config(finished, objective):
    again = pretrain.run(config(objective))
    assert without_times(again.result.history) == without_times(finished[objective].result.history)
    assert all(torch.equal(again.weights[name], t) for name, t in finished[objective].weights.items())


@pytest.mark.parametrize("objective", ["rhythm", "future"])
def test_a_killed_run_goes_on_from_its_state(finished, monkeypatch, objective):
    """All that it says is as of the run that was not killed, the frames that were left out too; but for the times."""
    monkeypatch.setattr(loop, "STATE_SECONDS", 0.0)

    def kill(row):
        row["seconds"] = 1e6
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pretrain.run(config(objective), report=kill)
    seen, whole = [], finished[objective].result
    again = pretrain.run(config(objective), report=lambda row: seen.append(row["epoch"])).result
    results.forget_states()
    assert seen == [2] and 0 < again.provenance["wall_seconds"] - again.history[0]["seconds"] < 600
    assert without_times(again.history) == without_times(whole.history)
    same = {"history": [], "provenance": {}, "arrays": {}}
    assert dataclasses.asdict(dataclasses.replace(again, **same)) == dataclasses.asdict(
        dataclasses.replace(whole, **same))
    assert objective == "future" or whole.data["skipped"]["frame without a label, drawn anew"] > 1000


@pytest.mark.parametrize("objective", ["beat", "future"])
def test_epochs_that_leave_a_set_empty_are_refused(objective):
    with pytest.raises(EcgtlError, match="per_epoch is 1, of which none falls to a set; give more"):
        pretrain.run(config(objective, per_subject=None, per_epoch=1))


def test_no_subject_is_in_two_parts():
    asked = config("beat").resolved()
    parts = pretrain.parts_of(asked, pretrain.whole_of(asked, pretrain.read(asked)))
    named = [set(part.frames.subjects.tolist()) for part in parts.values()]
    assert all(named) and sum(map(len, named)) == len(set.union(*named)) == 13


def test_recordings_that_are_tested_later_are_never_drawn():
    asked = config("future", sources="cinc2017,mitdb", context=1, negatives=1, offset=0).resolved()
    sources = pretrain.read(asked)
    tested = set(pretrain.held_out(sources)["cinc2017"])
    parts = pretrain.parts_of(asked, pretrain.whole_of(asked, sources))
    everything = sampled(sources, asked.seconds, asked.sampling_rate, span=2)
    seen = set()
    for part in parts.values():
        origins = part.frames.origin(*part.frames.draw(np.random.default_rng(0), 300))
        seen |= {record for name, record, _ in origins if name == "cinc2017"}
    assert seen and not seen & tested
    assert len(everything.subjects) > sum(len(part.frames.subjects) for part in parts.values())


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_fine_tuning_starts_from_the_weights(finished, objective):
    path, stored = pretrain.save(finished[objective])
    assert path == starts.weights_path(objective, "resnet18", "demo")
    tensors, facts = checkpoint.load(path)
    assert (facts.objective, facts.width, facts.synthetic) == (objective, 2, True)
    assert set(tensors) - {"output.weight", "output.bias"} == {
        name for name in models.build("resnet18", 1, 4, width=2).state_dict() if not name.startswith("output.")}
    asked = FinetuneConfig.of(init=objective, width=2).resolved()
    network = inputs.Prepared(asked.plan(), datasets.load("cinc2017", twin=True)).network().state_dict()
    assert all(torch.equal(network[name], t) for name, t in tensors.items() if not name.startswith("output."))
    assert results.load(stored).data["weights"]["file"] == path.name


def test_other_configurations_get_files_of_their_own():
    usual = pretrain.weights_file(config("beat").resolved())
    assert usual.name == "beat-resnet18-demo.safetensors"
    assert pretrain.weights_file(config("beat", frame=512).resolved()).name == "beat-resnet18-demo-frame512.safetensors"
    assert pretrain.weights_file(config("future", context=8, negatives=4, offset=2).resolved()).name == (
        "future-resnet18-demo-frame512-context8-negatives4-offset2.safetensors")


def test_the_code_variant_has_the_codes_blocks_and_adam(monkeypatch):
    made = []
    original = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda *given, **named: made.append(named) or original(*given, **named))
    asked = config("beat", variant="code", epochs=1).resolved()
    assert not pretrain.network(asked).units[0].preactivation
    assert pretrain.network(config("beat").resolved()).units[0].preactivation
    pretrain.run(asked)
    assert made[0]["betas"] == (0.9, 0.98) and made[0]["eps"] == 1e-9
    pretrain.run(config("beat", epochs=1))
    assert "betas" not in made[1] and "eps" not in made[1]
