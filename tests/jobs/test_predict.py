"""Predictions for one's own recordings: the network's own, whatever the rate, lead and length."""

import numpy as np
import pandas as pd
import pytest
import torch
import wfdb

from ecgtl import datasets, models
from ecgtl.__main__ import main
from ecgtl.config import FinetuneConfig
from ecgtl.datasets import folder, synthetic, wfdb_files
from ecgtl.errors import EcgtlError
from ecgtl.jobs import finetune, predict
from ecgtl.models import checkpoint
from ecgtl.signals import preparation
from ecgtl.training import loop

SMALL = {"dataset": "folder", "tier": "demo", "epochs": 2, "width": 4, "seconds": 8.192, "batch_size": 8,
         "precision": "float32"}


def trained(place, name, **parameters):
    path = place / f"{name}.safetensors"
    finetune.run(FinetuneConfig.of(save_weights=str(path), **SMALL | parameters))
    return path


@pytest.fixture(scope="module")
def weights(session_cache, tmp_path_factory):
    """Fine-tuned on the folder's twin: lead II by Weimann's rules, all leads, and by Jang's rules."""
    place = tmp_path_factory.mktemp("weights")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        return {"one": trained(place, "one", lead="II"), "all": trained(place, "all", lead="all"),
                "window": trained(place, "window", lead="II", protocol="jang2021", sampling_rate=250, batch_size=16)}


def twin():
    return synthetic.twin_root("folder")


def ask(path, root, **options):
    said = []
    return predict.predict(path, root, report=said.append, **{"on_bad": "skip"} | options), "\n".join(said)


def test_probabilities_are_those_of_the_network_on_inputs_made_as_in_training(weights):
    table, said = ask(weights["one"], twin())
    recordings = datasets.load("folder", twin=True, lead="II")
    state, facts = checkpoint.load(weights["one"])
    network = models.build("resnet18", 1, 3, width=4)
    network.load_state_dict(state)
    x = preparation.prepare(recordings, facts.sampling_rate, 512)
    expected = loop.predict(network, x, torch.device("cpu"), precision="float32")  # on any processor
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
    with pytest.raises(EcgtlError, match="is shorter than the 8.192 s"):
        ask(weights["window"], tmp_path)


def test_flat_recordings_and_those_without_the_lead_are_counted(weights, tmp_path):
    rng = np.random.default_rng(3)
    wfdb.wrsamp("flat", 250, ["mV"], ["II"], np.ones((2500, 1)), fmt=["16"], adc_gain=[1000.0], baseline=[0],
                write_dir=str(tmp_path))
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
    ({"arch": "googlenet"}, "a linear layer on image features"), ({"classes": None},
                                                                  "has no classes: it is not of a fine-tuned")])
def test_checkpoints_that_predict_nothing_are_refused(weights, tmp_path, facts, said, capsys):
    state, known = checkpoint.load(weights["one"])
    path = tmp_path / "other.safetensors"
    checkpoint.save(path, state, {k: v for k, v in ({**known.stored, **facts}).items() if v is not None})
    assert main(["predict", str(twin()), "--checkpoint", str(path), "--out", str(tmp_path / "p.csv")]) == 2
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1
    assert not (tmp_path / "p.csv").exists()


# --- what of a recording is used ------------------------------------------------------------------------------------


def beats(n, seed=0):
    t = np.arange(n) / 250
    return (np.exp(-(((t * 1.1) % 1 - 0.5) / 0.02) ** 2) + 0.05 * np.random.default_rng(seed).normal(size=n))[:, None]


@pytest.mark.parametrize("kind", ["one", "window"])
def test_missing_samples_outside_the_window_cost_nothing(weights, tmp_path, kind):
    """The window alone, as a recording of its own, gives the same; a filter of a window sees what is beside it."""
    x = beats(10000)
    far = x.copy()
    far[4000 if kind == "one" else 6000] = np.nan  # the window is the last or the first 8.192 s
    cut = x[4004:] if kind == "one" else x[:6000]
    for name, signal in (("cut", cut), ("far", far)):
        wfdb.wrsamp(name, 250, ["mV"], ["II"], signal, fmt=["16"], adc_gain=[1000.0], baseline=[0],
                    write_dir=str(tmp_path))
    table, said = ask(weights[kind], tmp_path)
    assert table["record"].tolist() == ["cut", "far"] and "left out" not in said
    p = table.filter(like="probability_").to_numpy()
    np.testing.assert_allclose(p[0], p[1], atol=1e-5)


def test_the_last_window_without_missing_samples_is_used_and_that_is_said(weights, tmp_path, capsys):
    x = beats(5000)
    late, nowhere = x.copy(), x.copy()
    late[4900], nowhere[::1000] = np.nan, np.nan
    for name, signal in (("cut", x[:4900]), ("late", late), ("nowhere", nowhere)):
        wfdb.wrsamp(name, 250, ["mV"], ["II"], signal, fmt=["16"], adc_gain=[1000.0], baseline=[0],
                    write_dir=str(tmp_path))
    table, said = ask(weights["one"], tmp_path)
    assert table["record"].tolist() == ["cut", "late"] and "left out, missing samples (NaN): 1 (nowhere)" in said
    p = table.filter(like="probability_").to_numpy()
    np.testing.assert_allclose(p[0], p[1], atol=1e-6)
    assert "1 (late): missing samples in its last 8.192 s" in capsys.readouterr().err


@pytest.mark.parametrize("kind", ["one", "window"])
def test_of_a_long_recording_no_more_is_read_than_its_window_needs(weights, tmp_path, monkeypatch, kind):
    wfdb.wrsamp("a", 360, ["mV"], ["II"], beats(50001), fmt=["16"], adc_gain=[1000.0], baseline=[0],
                write_dir=str(tmp_path))
    whole, _ = ask(weights[kind], tmp_path)
    read = []
    part = wfdb_files.read_part
    monkeypatch.setattr(predict, "BLOCK", 1)
    monkeypatch.setattr(folder, "read_part", lambda *given: read.append(given[-1] - given[-2]) or part(*given))
    np.testing.assert_allclose(ask(weights[kind], tmp_path)[0].filter(like="prob"), whole.filter(like="prob"),
                               atol=1e-6)
    assert read[-1] < 20 * 360


def test_one_flat_window_or_bad_record_costs_no_other(weights, tmp_path):
    for name, signal in (("good", beats(3000)), ("flat", np.where(np.arange(3000) < 2100, 0.5, beats(3000)[:, 0])[:,
                                                                                                                  None]),
                         ("short", beats(3000)), ("rate", beats(3000)), ("gain", beats(3000))):
        wfdb.wrsamp(name, 250, ["mV"], ["II"], signal, fmt=["16"], adc_gain=[1000.0], baseline=[0],
                    write_dir=str(tmp_path))
    (tmp_path / "short.dat").write_bytes((tmp_path / "short.dat").read_bytes()[:99])
    for name, old, new in (("rate", " 250 ", " 1e-9 "), ("gain", "1000.0(0)", "1e-300(0)")):
        path = tmp_path / f"{name}.hea"
        path.write_text(path.read_text().replace(old, new))
    table, said = ask(weights["window"], tmp_path)
    assert table["record"].tolist() == ["good"]
    for reason, name in (("flat in its window", "flat"), ("truncated signal file", "short"),
                         ("gain out of range", "gain"), ("sampling rate out of range", "rate")):
        assert f"left out, {reason}: 1 ({name})" in said


def test_the_lead_is_hinted_at_only_where_it_is_the_cause(weights, tmp_path):
    wfdb.wrsamp("a", 250, ["mV"], ["V1"], beats(3000), write_dir=str(tmp_path))
    with pytest.raises(EcgtlError, match="it has V1.*trained on lead II; choose another with --lead"):
        ask(weights["one"], tmp_path)
    wfdb.wrsamp("b", 250, ["mV"], ["II"], beats(3000), write_dir=str(tmp_path))
    (tmp_path / "b.dat").unlink()
    with pytest.raises(EcgtlError) as error:
        ask(weights["one"], tmp_path)
    assert "trained on" not in str(error.value) and "no lead II: 1 (a); missing file: 1 (b)" in str(error.value)


# --- what a shipped classifier does besides --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def classifiers(weights, tmp_path_factory):
    """The same networks, twice each, as shipped classifiers: windows of 8.192 s, one answer up to 16 s."""
    place, found = tmp_path_factory.mktemp("classifiers"), {}
    for name in ("one", "all"):
        state, facts = checkpoint.load(weights[name])
        found[name] = place / f"{name}.safetensors"
        twice = {f"{k}.{key}": t.clone() for k in range(2) for key, t in state.items()}
        checkpoint.save(found[name], twice, facts.stored | {
            "kind": "network", "members": 2, "shortest": 4.0, "longest": 16.0, "temperature": 2.0, "stack": [],
            "abstain_below": 0.5})
    return found


def put(place, name, signal, leads=("II",), rate=250, units="mV"):
    wfdb.wrsamp(name, rate, [units] * len(leads), list(leads), signal, fmt=["16"] * len(leads),
                adc_gain=[1000.0] * len(leads), baseline=[0] * len(leads), write_dir=str(place))


def test_a_classifier_answers_a_short_recording_once_and_a_long_one_by_windows(weights, classifiers, tmp_path):
    x = beats(250 * 40)
    put(tmp_path, "long", x)
    put(tmp_path, "short", x[:2500])
    table, said = ask(classifiers["one"], tmp_path)
    long = table[table["record"] == "long"]
    assert long["start"].tolist() == pytest.approx([0, 8.192, 16.384, 24.576, 40 - 8.192])
    assert long["seconds_used"].tolist() == pytest.approx([8.192] * 5)
    assert len(table) == 6 and "recordings: 2, lead II, in 6 rows" in said
    short = table[table["record"] == "short"].iloc[0]
    p, _ = ask(weights["one"], tmp_path)
    p = p[p["record"] == "short"].filter(like="probability_").to_numpy()[0]
    root = np.sqrt(p) / np.sqrt(p).sum()  # at a temperature of 2
    np.testing.assert_allclose(short.filter(like="probability_").astype(float), root, atol=1e-5)
    sure = table.filter(like="probability_").max(axis=1) >= 0.5
    assert ((table["predicted"] == "abstain") == ~sure).all()


def test_a_window_that_cannot_be_used_costs_no_other_and_is_counted(classifiers, tmp_path, capsys):
    x = beats(250 * 40)
    x[250 * 10:250 * 16] = np.nan
    x[250 * 17:250 * 24] = x[0]
    put(tmp_path, "long", x)
    table, _ = ask(classifiers["one"], tmp_path)
    assert table["start"].tolist() == pytest.approx([0, 16.384, 24.576, 40 - 8.192])
    assert "missing samples (NaN) (1 of 5 of long)" in capsys.readouterr().err
    put(tmp_path, "long", np.full_like(x, 0.5))
    with pytest.raises(EcgtlError, match="is flat"):
        predict.predict(classifiers["one"], tmp_path, report=lambda _: None)


def test_an_offset_that_the_network_has_not_seen_is_said(weights, classifiers, tmp_path, capsys):
    """Electrodes and integers without a baseline have one, and the network subtracts the training data's mean alone."""
    put(tmp_path, "a", beats(3000))
    for model in (classifiers["one"], weights["one"], weights["window"]):
        ask(model, tmp_path)
    assert "offset" not in capsys.readouterr().err
    put(tmp_path, "b", beats(3000) - 5)
    for model, times in ((classifiers["one"], 1), (weights["one"], 1), (weights["window"], 0)):  # which z-scores
        ask(model, tmp_path)
        assert capsys.readouterr().err.count("1 (b): an offset of more than 2 SD of the training data") == times


def test_one_file_is_read_by_any_of_its_names(classifiers, tmp_path):
    put(tmp_path, "a", beats(3000))
    put(tmp_path, "b", beats(3000, seed=1))
    np.save(tmp_path / "c.npy", beats(3000, seed=2)[:, 0])
    whole, _ = ask(classifiers["one"], tmp_path, rate=250, unit="mV")
    assert whole["record"].tolist() == ["a", "b", "c"]
    for name, record in (("a", "a"), ("a.hea", "a"), ("a.dat", "a"), ("c.npy", "c")):
        found, _ = ask(classifiers["one"], tmp_path / name, **({"rate": 250, "unit": "mV"} if record == "c" else {}))
        pd.testing.assert_frame_equal(found, whole[whole["record"] == record].reset_index(drop=True))
    for name in ("d", "labels.txt"):
        with pytest.raises(EcgtlError, match="does not exist"):
            ask(classifiers["one"], tmp_path / name)


def test_the_only_lead_without_a_name_is_taken_and_that_is_said(classifiers, tmp_path, capsys):
    put(tmp_path, "a", beats(3000), ["ECG"])
    assert len(ask(classifiers["one"], tmp_path)[0]) == 1
    assert "no name, is taken for lead II" in capsys.readouterr().err
    put(tmp_path, "a", beats(3000), ["MLII"])
    with pytest.raises(EcgtlError, match="no lead II.*--lead"):
        ask(classifiers["one"], tmp_path)
    assert ask(classifiers["one"], tmp_path, lead="MLII")[0]["leads"].tolist() == ["MLII"]
    put(tmp_path, "a", np.hstack([beats(3000)] * 2), ["ECG1", "ECG2"])
    with pytest.raises(EcgtlError, match="no lead"):
        ask(classifiers["one"], tmp_path)


def test_limb_leads_are_computed_where_that_is_asked_for(classifiers, tmp_path, capsys):
    """II = I + III (Einthoven): the same answer as of the lead itself."""
    first, third = beats(3000), 0.5 * beats(3000, seed=3)
    (tmp_path / "given").mkdir()
    (tmp_path / "lacks").mkdir()
    put(tmp_path / "given", "a", np.hstack([first, first + third]), ["I", "II"])
    put(tmp_path / "lacks", "a", np.hstack([third, first]), ["III", "Lead I"])
    with pytest.raises(EcgtlError, match="no lead II"):
        ask(classifiers["one"], tmp_path / "lacks")
    expected, _ = ask(classifiers["one"], tmp_path / "given")
    found, _ = ask(classifiers["one"], tmp_path / "lacks", derive=True)
    np.testing.assert_allclose(found.filter(like="prob").astype(float), expected.filter(like="prob").astype(float),
                               atol=2e-3)
    assert "computed from other limb leads" in capsys.readouterr().err


def test_a_classifier_of_several_leads_does_without_all_but_the_first(classifiers, tmp_path):
    x = np.hstack([beats(3000), beats(3000, seed=4)])
    put(tmp_path, "both", x, ["II", "I"])
    put(tmp_path, "alone", x[:, 1:], ["I"])
    table = ask(classifiers["all"], tmp_path)[0].set_index("record")
    assert table["leads"].to_dict() == {"alone": "I", "both": "I II"}
    put(tmp_path, "alone", x[:, :1], ["II"])
    with pytest.raises(EcgtlError, match="no lead 'I'"):
        predict.predict(classifiers["all"], tmp_path / "alone", report=lambda _: None)
    loaded = predict.Predictor(classifiers["all"])
    here = loaded(x[:, ::-1].T, 250, leads=["I", "II"])
    np.testing.assert_allclose(here.filter(like="prob"), table.loc[["both"]].filter(like="prob"), atol=2e-3)


def test_a_signal_in_memory_is_answered_as_a_file_and_refused_where_it_cannot_be(classifiers, tmp_path):
    x = np.round(beats(250 * 40), 3)
    put(tmp_path, "a", x)
    loaded = predict.Predictor(classifiers["one"])
    expected, columns = ask(classifiers["one"], tmp_path)[0], ["start", "seconds_used", "predicted"]
    for found in (loaded(x[:, 0], 250), loaded(1000 * x.T, 250, unit="uV"), loaded(x.T, 250, leads=["lead II"])):
        pd.testing.assert_frame_equal(found[columns], expected[columns])
        np.testing.assert_allclose(found.filter(like="prob"), expected.filter(like="prob"), atol=2e-3)
    for signal, rate, options in ((x[:, 0], 0, {}), (x[:, 0], 250, {"unit": "degrees"}), (x[:100, 0], 250, {}),
                                  (np.full(3000, np.nan), 250, {}), (np.zeros(3000), 250, {}),
                                  (x.T, 250, {"leads": "ab"}), (np.array(["a"]), 250, {}),
                                  (x.T, 250, {"leads": ["V1"]})):
        with pytest.raises(EcgtlError):
            loaded(signal, rate, **options)


def test_the_command_prints_rows_and_says_the_rest_elsewhere(classifiers, tmp_path, capfd):
    put(tmp_path, "a", beats(3000))
    assert main(["predict", str(tmp_path / "a"), "--checkpoint", str(classifiers["one"])]) == 0
    told = capfd.readouterr()
    assert told.out.splitlines()[0].startswith("record,leads") and len(told.out.splitlines()) == 2
    assert "classifier: 2 x resnet18" in told.err
    assert main(["predict", str(tmp_path), "--checkpoint", "a.safetensors", "--model", "b"]) == 2
    assert main(["predict", str(tmp_path), "--model", "b"]) == 2
    assert "shipped are" in capfd.readouterr().err
    (tmp_path / "a.dat").unlink()
    put(tmp_path, "b", beats(3000))
    asked = ["predict", str(tmp_path), "--checkpoint", str(classifiers["one"])]
    assert main(asked) == 2 and main([*asked, "--on-bad", "skip"]) == 0


def test_the_models_are_listed_with_licence_and_scores(capsys):
    assert main(["models"]) == 0
    told = capsys.readouterr().out
    for word in ("licence", "macro F1", "AUC", *predict.shipped()):
        assert word in told
