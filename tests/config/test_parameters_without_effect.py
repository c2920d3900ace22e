"""A parameter that tier, data set, objective or network would not look at is refused, with the remedy."""

import dataclasses
import json
from functools import partial

import pytest
from messages import one_line

from ecgtl import config as ecgtl_config
from ecgtl import experiments, paths
from ecgtl.__main__ import main
from ecgtl.config import FinetuneConfig, FrozenConfig, PretrainConfig, RecordingsConfig, ScoreConfig, TransferConfig
from ecgtl.errors import EcgtlError
from ecgtl.experiments import runners
from ecgtl.jobs import features, rank
from ecgtl.models.checkpoint import CheckpointFacts


def refusal(make, *words, **parameters):
    with pytest.raises(EcgtlError) as error:
        make(**parameters)
    one_line(error, *words)


def asked(config, **parameters):
    """A config as a notebook asks for it: papermill gives every parameter, most of them with their defaults."""
    return config.from_notebook({f.name: f.default for f in dataclasses.fields(config)} | parameters)


# --- tier demo reads a twin ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [FinetuneConfig, RecordingsConfig, ScoreConfig])
@pytest.mark.parametrize("given", [{"root": "/mine"}, {"labels": "mine.csv"}, {"lead": "II"}, {"lead": 1},
                                   {"labels_separator": ";"}])
def test_ones_own_recordings_are_not_read_in_tier_demo(config, given):
    name, value = next(iter(given.items()))
    words = (f"{name} is {value!r}", "no effect", "tier demo", "tier=reduced")
    # code may read a twin's lead
    for make in (config.of, lambda **parameters: asked(config, **parameters))[name == "lead":]:
        refusal(make, *words, dataset="folder", **given)
        refusal(make, *words, dataset="folder", tier="demo", **given)
    assert getattr(config.of(dataset="folder", tier="reduced", **{"root": "/mine"} | given), name) == value


@pytest.mark.parametrize("config", [FinetuneConfig, RecordingsConfig, ScoreConfig, PretrainConfig, TransferConfig])
def test_no_root_is_read_in_tier_demo(config):
    refusal(config.of, "root is '/mine'", "tier=reduced", root="/mine")
    assert config.of(root="/mine", tier="reduced").root == "/mine"


def test_the_demo_of_a_named_data_set_has_the_leads_of_its_twin():
    assert FinetuneConfig.of(dataset="ptbxl", lead="V5").lead == "V5"
    assert FinetuneConfig.of(dataset="folder", lead="all").lead == "all"
    assert asked(RecordingsConfig, dataset="folder").lead == 0
    assert FinetuneConfig.of(dataset="folder", lead="II").lead == "II"


# --- data sets ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("config", [FinetuneConfig, RecordingsConfig, ScoreConfig])
@pytest.mark.parametrize("given", [{"labels": "mine.csv"}, {"labels_separator": ";"}])
def test_a_label_file_belongs_to_a_folder(config, given):
    refusal(config.of, "belongs to dataset=folder", dataset="cpsc2018", tier="reduced", **given)


# --- objectives ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective, given", [
    ("beat", {"features": 30}), ("future", {"windows": 9}), ("rhythm", {"highpass": 0.5}), ("beat", {"negatives": 4}),
    ("heart_rate", {"context": 8}), ("beat", {"offset": 2}), ("beat", {"negatives_from": "patient"}),
    ("reconstruction", {"frame": 512})])
def test_what_an_objective_does_not_look_at(objective, given):
    refusal(PretrainConfig.of, f"{next(iter(given))} does not go with objective={objective}", objective=objective,
            **given)


def test_what_a_task_of_named_labels_and_a_probe_of_rr_intervals_do_not_look_at():
    for name in ("fewest", "most"):
        refusal(partial(asked, TransferConfig), name, "no effect", "label_set", **{name: 3}, label_set="NORM,MI")
    refusal(partial(asked, ecgtl_config.ProbeConfig), "seconds is 3.0", "no effect", "whole recordings", seconds=3.0,
            encoder="rr_intervals")
    assert asked(TransferConfig, most=3).most == asked(ecgtl_config.ProbeConfig, seconds=3.0).seconds == 3


# --- networks -----------------------------------------------------------------------------------------------------

TRAINING = {"init": "beat", "width": 4, "variant": "text", "epochs": 3, "batch_size": 8, "learning_rate": 0.1,
            "patience": 3, "precision": "float32", "seconds": 4.0, "sampling_rate": 100.0}


@pytest.mark.parametrize("name", TRAINING)
@pytest.mark.parametrize("arch", ecgtl_config.BASELINES)
def test_a_baseline_trains_nothing(arch, name):
    refusal(lambda **given: asked(FinetuneConfig, **given), f"{name} is {TRAINING[name]!r}",
            f"arch={arch} does not look at it", arch=arch, **{name: TRAINING[name]})


@pytest.mark.parametrize("arch", ecgtl_config.BASELINES)
def test_a_baseline_has_no_weights(arch):
    refusal(FinetuneConfig.of, "save_weights is 'w.safetensors'", f"arch={arch} has none", arch=arch,
            save_weights="w.safetensors")


@pytest.mark.parametrize("given", [
    {"arch": "bilstm", "variant": "code", "protocol": "weimann2021"}, {"init": "image", "width": 8},
    {"init": "image", "variant": "code"}])
def test_a_network_without_that_detail(given):
    refusal(lambda **parameters: asked(FinetuneConfig, **parameters), "does not look at it", **given)


@pytest.mark.parametrize("given", [
    {"arch": "bilstm", "variant": "code", "protocol": "melep2023"},
    {"arch": "resnet34", "variant": "code", "width": 8, "patience": 3},
    {"init": "cae", "variant": "text", "width": 8}, {"arch": "majority", "seed": 3, "fraction": 0.5, "on_bad": "skip"},
    # its windows must be whole
    {"arch": "rr_boosting", "protocol": "jang2021", "seconds": 4.0, "sampling_rate": 100.0}])
def test_what_is_looked_at_passes(given):
    config = asked(FinetuneConfig, **given)
    assert {name: getattr(config, name) for name in given} == given


def test_the_runs_of_every_table_can_be_planned_and_made_of_what_is_stored():
    names = [name for runner in runners.RUNNERS for name in runner.names()]
    planned = [run for name in names for tier in ecgtl_config.TIERS
               for run in runners.of(name).enumerate_runs(name, tier)]
    assert len(planned) > 1000
    for run in {type(run): run for run in planned}.values():
        assert type(run.config).of(**dataclasses.asdict(run.config)) == run.config
    for path in sorted(paths.results().glob("*/*.json"))[::7]:
        stored = json.loads(path.read_text())
        if "init" in stored.get("config", {}):
            kind = FrozenConfig if "frozen" in stored["config"] else FinetuneConfig
            assert kind.of(**stored["config"]).resolved().seed == stored["config"]["seed"]
    assert {run.config.labels_separator for run in experiments.enumerate_runs("weimann2021-table2", "reduced")} == {""}


# --- papermill and the command line -------------------------------------------------------------------------------


CONFIGS = (FinetuneConfig, PretrainConfig, RecordingsConfig, ScoreConfig)
TEXTS = [(config, f.name) for config in CONFIGS for f in dataclasses.fields(config) if f.type in (str, str | None)]


@pytest.mark.parametrize("config, name", TEXTS)
@pytest.mark.parametrize("value", [2020, 1.5, True])
def test_papermill_reads_digits_as_a_number_unless_it_is_told_not_to(config, name, value):
    refusal(config.of, f"{name} is {value!r}", f"-r {name} {value}", **{name: value})


def test_other_types_get_no_such_advice():
    with pytest.raises(EcgtlError) as error:
        FinetuneConfig.of(seed="1")
    assert "-r seed" not in str(error.value)


@pytest.mark.parametrize("words, said", [
    (["rank", "c.safetensors", "--target", "/mine", "--root", "/data"], "--root is '/data'"),
    (["rank", "c.safetensors", "--target", "/mine", "--tier", "demo"], "tier demo reads a synthetic twin"),
    (["rank", "c.safetensors", "--target", "ptbxl", "--labels", "l.csv"], "belongs to --target folder"),
    (["rank", "c.safetensors", "--target", "ptbxl", "--labels-separator", ";"], "belongs to --target folder"),
    (["features", "/mine", "--checkpoint", "c.safetensors", "--tier", "paper"],
     "tier is 'paper', which would have no effect")])
def test_options_without_effect(words, said, capsys):
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_a_lead_for_checkpoints_that_find_theirs_by_name(monkeypatch):
    known = {"two": rank.Candidate("two", None, CheckpointFacts("resnet18", 4, 2, 100, 2, leads=("I", "II"))),
             "one": rank.Candidate("one", None, CheckpointFacts("resnet18", 4, 1, 100, 2))}
    monkeypatch.setattr(rank, "candidate", lambda name, tier: known[name])
    refusal(lambda: rank.rank(ScoreConfig.of(lead="V5"), ["two"]), "lead is 'V5'", "found by their names")
    monkeypatch.setattr(rank.inputs, "read", lambda config: None)
    monkeypatch.setattr(rank, "_leads", lambda config, reading, one, recordings: ())
    monkeypatch.setattr(rank, "target_of", lambda config, recordings,
                        candidates: (_ for _ in ()).throw(EcgtlError("reached")))
    refusal(lambda: rank.rank(ScoreConfig.of(lead="V5"), ["two", "one"]), "reached")


def test_a_tier_belongs_to_the_word_of_a_checkpoint():
    refusal(lambda: features.load("mine.safetensors", "demo"), "tier is 'demo'", "leave it away")
