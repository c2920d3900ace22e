"""Predictions for one's own recordings: the network's own, whatever the rate, lead and length."""

import numpy as np
import pandas as pd
import pytest
import torch
import wfdb

from ecgtl import datasets, filters, finetune, models, predict, training
from ecgtl.__main__ import main
from ecgtl.config import FinetuneConfig
from ecgtl.datasets import synthetic
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint

SMALL = {"dataset": "folder", "tier": "demo", "epochs": 2, "width": 4, "seconds": 8.192, "batch_size": 8, "precision": "float32"}


def trained(folder, name, **parameters):
    path = folder / f"{name}.safetensors"
    finetune.run(FinetuneConfig.of(save_weights=str(path), **SMALL | parameters))
    return path


@pytest.fixture(scope="module")
def weights(session_cache, tmp_path_factory):
    """Fine-tuned on the folder's twin: lead II by Weimann's rules, all leads, and by Jang's rules."""
    folder = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return {"one": trained(folder, "one", lead="II"), "all": trained(folder, "all", lead="all"),
                "window": trained(folder, "window", lead="II", protocol="jang2021", sampling_rate=250, batch_size=16)}


def twin():
    return synthetic.twin_root("folder")


def ask(path, root, **options):
    said = []
    return predict.predict(path, root, report=said.append, **options), "\n".join(said)


def test_probabilities_are_those_of_the_network_on_inputs_made_as_in_training(weights):
    table, said = ask(weights["one"], twin())
    recordings = datasets.load("folder", twin=True, lead="II")
    state, facts = checkpoint.load(weights["one"])
    network = models.build("resnet18", 1, 3, width=4)
    network.load_state_dict(state)
    x = filters.prepare(recordings, facts["sampling_rate"], 512)
    expected = training.predict(network, x, torch.device("cpu"))
    np.testing.assert_allclose(table[[f"probability_{name}" for name in recordings.classes]], expected, atol=1e-6)
    assert table["record"].tolist() == recordings.ids.tolist()
    assert table["predicted"].tolist() == [recordings.classes[k] for k in expected.argmax(axis=1)]
    assert "lead II" in said and "250 Hz, resampled to 62.5 Hz" in said and "of which the last 8.192 s are used" in said


def test_labels_of_the_folder_are_not_looked_at(weights, tmp_path):
    x = np.random.default_rng(0).normal(size=(5000, 1))
    wfdb.wrsamp("a", 500, ["mV"], ["II"], x, write_dir=str(tmp_path))
    (tmp_path / "labels.csv").write_text("record,label\nother,sinus\n")
    assert ask(weights["one"], tmp_path)[0]["record"].tolist() == ["a"]


def test_the_mean_and_sd_are_those_of_the_training_data(weights, tmp_path):
    """One recording alone, twice as high: standardised by itself it would look the same."""
    x = np.random.default_rng(0).normal(size=(5000, 1)).cumsum(axis=0) / 30
    for name, factor in (("a", 1.0), ("b", 4.0)):
        wfdb.wrsamp(name, 500, ["mV"], ["II"], factor * x, write_dir=str(tmp_path))
    together, _ = ask(weights["one"], tmp_path)
    (tmp_path / "b.hea").unlink()
    (tmp_path / "b.dat").unlink()
    alone, _ = ask(weights["one"], tmp_path)
    columns = [name for name in alone if name.startswith("probability_")]
    np.testing.assert_allclose(alone[columns].to_numpy()[0], together[columns].to_numpy()[0], atol=1e-6)
    assert not np.allclose(together[columns].to_numpy()[0], together[columns].to_numpy()[1], atol=1e-4)


def test_all_leads_are_found_by_their_names_in_any_order(weights, tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2500, 2)).cumsum(axis=0) / 30
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    wfdb.wrsamp("a", 250, ["mV"] * 2, ["I", "II"], x, fmt=["16"] * 2, adc_gain=[1000.0] * 2, baseline=[0] * 2,
                write_dir=str(tmp_path / "one"))
    wfdb.wrsamp("a", 250, ["mV"] * 2, ["II", "I"], x[:, ::-1], fmt=["16"] * 2, adc_gain=[1000.0] * 2, baseline=[0] * 2,
                write_dir=str(tmp_path / "two"))
    pd.testing.assert_frame_equal(ask(weights["all"], tmp_path / "one")[0], ask(weights["all"], tmp_path / "two")[0])
    with pytest.raises(EcgtlError, match="sees leads I, II; leave --lead away"):
        ask(weights["all"], tmp_path / "one", lead="II")


def test_what_is_too_short_for_a_window_is_counted_and_padded_otherwise(weights, tmp_path):
    rng = np.random.default_rng(2)
    for name, n in (("long", 2500), ("short", 1000)):
        wfdb.wrsamp(name, 250, ["mV"], ["II"], rng.normal(size=(n, 1)), write_dir=str(tmp_path))
    table, said = ask(weights["window"], tmp_path)
    assert table["record"].tolist() == ["long"] and "left out, shorter than 8.192 s: 1" in said
    table, said = ask(weights["one"], tmp_path)
    assert table["record"].tolist() == ["long", "short"] and "zero-padded" in said
    assert table["seconds_used"].tolist() == [8.192, 4.0]
    (tmp_path / "long.hea").unlink()
    with pytest.raises(EcgtlError, match="every recording is shorter than the 8.192 s"):
        ask(weights["window"], tmp_path)


def test_flat_recordings_and_those_without_the_lead_are_counted(weights, tmp_path):
    rng = np.random.default_rng(3)
    wfdb.wrsamp("flat", 250, ["mV"], ["II"], np.ones((2500, 1)), fmt=["16"], adc_gain=[1000.0], baseline=[0], write_dir=str(tmp_path))
    wfdb.wrsamp("other", 250, ["mV"], ["V1"], rng.normal(size=(2500, 1)), write_dir=str(tmp_path))
    wfdb.wrsamp("good", 250, ["mV"], ["ii"], rng.normal(size=(2500, 1)), write_dir=str(tmp_path))
    table, said = ask(weights["one"], tmp_path)
    assert table["record"].tolist() == ["good"]
    assert "no lead II: 1 (other)" in said and "(flat)" in said
    assert ask(weights["one"], tmp_path, lead="V1")[0]["record"].tolist() == ["other"]


def test_the_command_writes_a_csv(weights, tmp_path, capsys):
    out = tmp_path / "p.csv"
    assert main(["predict", str(twin()), "--checkpoint", str(weights["one"]), "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert len(table) == 30 and {"record", "leads", "sampling_rate", "predicted"} <= set(table)
    np.testing.assert_allclose(table.filter(like="probability_").sum(axis=1), 1, atol=1e-4)
    assert "written" in capsys.readouterr().out


@pytest.mark.parametrize(("facts", "said"), [
    ({"arch": "googlenet"}, "a linear layer on image features"), ({"classes": None}, "has no classes: it is not of a fine-tuned")])
def test_checkpoints_that_predict_nothing_are_refused(weights, tmp_path, facts, said, capsys):
    state, known = checkpoint.load(weights["one"])
    path = tmp_path / "other.safetensors"
    checkpoint.save(path, state, {k: v for k, v in (known | facts).items() if v is not None})
    assert main(["predict", str(twin()), "--checkpoint", str(path), "--out", str(tmp_path / "p.csv")]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
    assert not (tmp_path / "p.csv").exists()
