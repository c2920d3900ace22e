"""The ranking of checkpoints: MELEP of their own probabilities, on recordings that all of them can take."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
import wfdb
from messages import one_line

from ecgtl import datasets, models, transferability
from ecgtl.__main__ import main
from ecgtl.config import ScoreConfig, starts
from ecgtl.datasets.arrays import from_array
from ecgtl.errors import EcgtlError
from ecgtl.jobs import predict, rank
from ecgtl.models import checkpoint
from ecgtl.signals import preparation
from ecgtl.training import loop

pytestmark = pytest.mark.usefixtures("own_results")
LABELS = ("NORM", "MI", "HYP")
FACTS = {"arch": "resnet18", "width": 4, "in_channels": 1, "sampling_rate": 100.0, "seconds": 2.0,
         "classes": ["a", "b"],
         "multi_label": True, "variant": "text", "leads": ["I"], "protocol": "melep2023", "synthetic": True,
         "dataset": "ptbxl", "mean": [0.0], "sd": [1.0]}


@pytest.fixture(scope="module")
def recordings():
    """Sixty recordings of 2.4 s in two leads; a label is a wave in lead I."""
    rng = np.random.default_rng(0)
    table = (rng.random((60, 3)) < 0.4).astype(np.uint8)
    waves = np.stack([np.sin(2 * np.pi * rate * np.arange(600) / 250) for rate in (3, 8, 15)])
    first = table @ waves + rng.normal(0, 0.2, (60, 600))
    found = from_array(np.stack([first, rng.normal(size=(60, 600))], axis=1), 250, ["I", "II"])
    return dataclasses.replace(found, name="ptbxl", classes=LABELS, labels=table, synthetic=True)


@pytest.fixture
def target(recordings, monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda name, *given, **options: recordings)
    return recordings


def store(path, seed=0, teach=None, **facts):
    """A checkpoint at ``path``; ``teach`` (recordings) trains it a little on their first labels."""
    facts = FACTS | facts
    torch.manual_seed(seed)
    options = {"length": 200} if facts["arch"] == "bilstm" else {}
    model = models.build(facts["arch"], facts["in_channels"], len(facts["classes"] or [1]),
                         width=facts["width"], **options)
    if teach is not None:
        x = preparation.prepare(teach, 100, 200, (0,), preparation.Input("start", "range", None))
        part = loop.LabelledArray(x, teach.labels[:, : len(facts["classes"])])
        recipe = loop.TrainConfig(25, 16, 0.005, 99, "validation_score", "test_score", "float32", 0)
        loop.fit(model, part, part, part, recipe, lambda y, p: -float(np.abs(y - p).mean()),
                     torch.device("cpu"))
    else:
        for module in model.modules():  # a norm has seen data, or the signal would grow layer by layer
            if isinstance(module, torch.nn.BatchNorm2d):
                module.momentum = 1.0
        with torch.no_grad():
            model.train()(torch.randn(32, facts["in_channels"], 200,
                                      generator=torch.Generator().manual_seed(seed)))
    checkpoint.save(path, model.state_dict(), facts)
    return str(path)


@pytest.fixture(scope="module")
def taught(tmp_path_factory, recordings):
    return store(tmp_path_factory.mktemp("taught") / "taught.safetensors", teach=recordings,
                 classes=["NORM", "MI"])


def config(**parameters):
    return ScoreConfig.of(**{"resamples": 40} | parameters)


def ask(paths, **parameters):
    said = []
    return rank.rank(config(**parameters), paths, said.append), said


# --- scores -------------------------------------------------------------------------------------------------


def test_a_score_is_melep_of_the_networks_probabilities(target, taught, tmp_path):
    other = store(tmp_path / "other.safetensors", seed=1)
    ranking, said = ask([other, taught])
    assert said == [] and ranking.refused == {}
    x = preparation.prepare(target, 100, 200, (0,), preparation.Input("start", "range", None))
    for score in ranking.scores:
        p, names = transferability.source_probabilities(score.candidate.path, x)
        assert score.value == pytest.approx(transferability.melep(p, target.labels), rel=1e-9)
        assert score.measures == pytest.approx(transferability.measures(p, target.labels))
        assert np.array_equal(score.pair_losses, transferability.pair_losses(p, target.labels))
        assert score.names == names
        assert score.low < score.high and score.seconds > 0
    assert [score.candidate.name for score in ranking.scores] == [taught, other], "it knows the labels"
    assert ranking.scores[0].value < ranking.scores[1].value
    assert sum(score.first for score in ranking.scores) == pytest.approx(1)
    assert ranking.scores[0].first == 1.0


def test_limits_are_percentiles_over_resampled_recordings(target, taught):
    (score,) = ask([taught], resamples=60, seed=3)[0].scores
    p, _ = transferability.source_probabilities(score.candidate.path,
                                                preparation.prepare(target, 100, 200, (0,),
                                                                    preparation.Input("start", "range", None)))
    rng, values = np.random.default_rng([3, 4]), []
    for _ in range(60):
        rows = rng.integers(60, size=60)
        values.append(transferability.melep(p[rows], target.labels[rows]))
    assert (score.low, score.high) == pytest.approx(tuple(np.quantile(values, [0.025, 0.975])), rel=1e-9)
    assert score.first == 1.0


def test_the_interval_shrinks_with_more_recordings(target, taught):
    few, all_of_them = (ask([taught], records=n)[0] for n in (15, None))
    assert len(few.target.table) == 15 and len(all_of_them.target.table) == 60
    assert few.scores[0].high - few.scores[0].low > all_of_them.scores[0].high - all_of_them.scores[0].low


def test_equal_checkpoints_are_first_together(target, taught, tmp_path):
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(Path(taught).read_bytes())
    ranking, _ = ask([taught, str(copy), taught])
    assert len(ranking.scores) == 2 and {score.first for score in ranking.scores} == {1.0}
    assert ranking.scores[0].value == ranking.scores[1].value


@pytest.mark.parametrize("weighting", ["published", "normalised"])
def test_weightings_and_labels_can_be_chosen(target, taught, weighting):
    (score,) = ask([taught], weighting=weighting, label_set="HYP, NORM,HYP")[0].scores  # counts once
    p, _ = transferability.source_probabilities(score.candidate.path,
                                                preparation.prepare(target, 100, 200, (0,),
                                                                    preparation.Input("start", "range", None)))
    assert score.value == pytest.approx(transferability.melep(p, target.labels[:, [2, 0]], weighting),
                                        rel=1e-9)


def test_inputs_are_those_of_the_checkpoints_protocol_lead_and_rate(target, tmp_path):
    """Weimann's: standardised by the target, padded in front; another rate; both leads."""
    path = store(tmp_path / "w.safetensors", protocol="weimann2021", in_channels=2, leads=["I", "II"],
                 sampling_rate=125.0, seconds=4.0,
                 variant=None)
    (score,) = ask([path])[0].scores
    x = preparation.prepare(target, 125, 500, (0, 1))
    p, _ = transferability.source_probabilities(score.candidate.path, x)
    assert score.value == pytest.approx(transferability.melep(p, target.labels), rel=1e-9)


def test_a_lead_can_be_chosen(target, tmp_path):
    path = store(tmp_path / "w.safetensors")
    (second,), (by_index,), (first,) = (ask([path], lead=lead)[0].scores for lead in ("ii", 1, 0))
    assert second.value == by_index.value != first.value


def test_a_softmax_checkpoint_is_scored_too(target, tmp_path):
    path = store(tmp_path / "s.safetensors", multi_label=False, classes=["n", "a", "o", "x"])
    (score,) = ask([path])[0].scores
    p, _ = transferability.source_probabilities(score.candidate.path,
                                                preparation.prepare(target, 100, 200, (0,),
                                                                    preparation.Input("start", "range", None)))
    assert p.sum(axis=1) == pytest.approx(np.ones(60), abs=1e-5) and score.pair_losses.shape == (3, 4)


def test_all_are_scored_on_recordings_that_each_can_take(recordings, monkeypatch, taught, tmp_path):
    """One needs 2 s and one 3 s: a recording of 2.4 s would be in one score alone."""
    long = np.concatenate([recordings.samples, np.random.default_rng(1).normal(size=(1000, 2)).astype("f4")])
    ids = np.array([*recordings.ids, "long"])
    more = dataclasses.replace(recordings, samples=long, offsets=np.append(recordings.offsets, len(long)),
                               ids=ids, digest="more",
                               subjects=ids, labels=np.vstack([recordings.labels, [1, 0, 0]]), **{
        name: np.concatenate([getattr(recordings, name), getattr(recordings, name)[:1]]) for name in
        ("sampling_rate", "leads", "gain", "baseline")}, skipped={"constant signal": ["x", "y"]})
    monkeypatch.setattr(datasets, "load", lambda *given, **options: more)
    ranking, _ = ask([taught])
    assert len(ranking.target.table) == 61 and ranking.target.left_out == {"constant signal": 2}
    other = store(tmp_path / "three.safetensors", seconds=3.0)
    with pytest.raises(EcgtlError) as error:
        ask([taught, other])
    one_line(error, "every recording has the label NORM")  # one is left
    ranking, _ = ask([taught, other], weighting="normalised", label_set="NORM,MI")
    assert ranking.target.recordings.ids.tolist() == ["long"]
    assert ranking.target.left_out == {"constant signal": 2, "is shorter than its window of 3 s": 60}


# --- what cannot be scored ----------------------------------------------------------------------------------


REFUSED = {
    "autoencoder": ({"classes": None, "objective": "reconstruction"}, "names no labels of its own"),
    "future": ({"classes": [], "objective": "future"}, "(objective future) that names no labels"),
    "image": ({"arch": "googlenet"}, "a linear layer on image features"),
    "elsewhere": ({"protocol": "mine"}, "trained by the protocol mine, which this version does not know"),
    "twelve": ({"in_channels": 3, "leads": ["I", "II", "V1"]}, "no lead 'V1'")}


def refused(folder, name):
    path = folder / f"{name}.safetensors"
    facts = REFUSED[name][0]
    if facts.get("arch") == "googlenet":
        checkpoint.save(path, {"weight": torch.zeros(2, 2)}, FACTS | facts)
        return str(path)
    return store(path, **facts)


@pytest.mark.parametrize("name", REFUSED)
def test_a_checkpoint_that_cannot_be_scored_is_left_out_with_its_reason(target, taught, tmp_path, name):
    path = refused(tmp_path, name)
    ranking, said = ask([path, taught])
    assert [score.candidate.name for score in ranking.scores] == [taught]
    assert said == [f"left out, {path}: {ranking.refused[path]}"] and REFUSED[name][1] in said[0]
    with pytest.raises(EcgtlError) as error:
        ask([path])
    one_line(error, "none of the 1 checkpoints can be scored", REFUSED[name][1])


def test_damaged_and_absent_files_are_left_out_too(target, taught, tmp_path):
    damaged, absent = tmp_path / "damaged.safetensors", tmp_path / "absent.safetensors"
    damaged.write_bytes(Path(taught).read_bytes()[:100])
    ranking, said = ask([str(damaged), str(absent), "mimic-resnet1d101", taught])
    assert len(ranking.scores) == 1 and len(said) == 3
    assert "is damaged" in said[0]
    assert "does not exist" in said[1]
    assert "no checkpoint 'mimic-resnet1d101' in tier demo" in said[2]


def test_the_packages_own_autoencoder_and_pretrainings_are_refused(target):
    shipped = [str(path) for path in sorted(starts.SHIPPED.glob("*-resnet18-*.safetensors"))
               + sorted(starts.SHIPPED.glob("cae-*.safetensors"))]
    said = []
    with pytest.raises(EcgtlError):
        rank.rank(config(), shipped, said.append)
    assert len(said) == len(shipped) > 0 and all("names no labels of its own" in line for line in said)


def test_a_shipped_classifier_is_refused_as_what_it_is(target, taught):
    """It ended the ranking of the others, said to be damaged."""
    said, files = [], [str(path) for path in sorted(starts.SHIPPED.glob("*/*.safetensors"))]
    found = rank.rank(config(), [*files, taught], said.append)
    assert len(found.scores) == 1 and len(said) == len(files) > 0
    assert all("is a shipped classifier" in line for line in said)
    with pytest.raises(EcgtlError, match="is a shipped classifier"):
        starts.starting_weights(files[0], "resnet18", "reduced")


def test_a_checkpoint_that_lacks_a_label_name_is_refused(target, tmp_path):
    path = store(tmp_path / "three.safetensors", classes=["a", "b", "c"])
    state, facts = checkpoint.load(path)
    checkpoint.save(path, state, {**facts.stored, "classes": ["a", "b"]})
    with pytest.raises(EcgtlError) as error:
        ask([path])
    one_line(error, "resnet18 of 2 labels")


@pytest.mark.parametrize("change, parameters, said", [
    ({"classes": (), "labels": np.full(60, -1)}, {}, "has no labels"),
    ({"labels": np.zeros((60, 3), int)}, {}, "no recording has any of the labels NORM, MI, HYP"),
    ({"labels": np.ones((60, 3), int)}, {}, "every recording has the label NORM"),
    ({"labels": np.ones((60, 3), int)}, {"weighting": "normalised"}, "give recordings of other classes too"),
    ({"labels": np.zeros(60, int), "classes": ("af",)}, {}, "every recording has the label af"),
    ({}, {"label_set": "NORM,AMI"}, "label_set names 'AMI'"),
    ({"sampling_rate": np.full(60, 1000.0)}, {},
     "no recording of ptbxl can be scored (is shorter than its window of 2 s)"),
])
def test_a_target_that_cannot_be_scored_on_is_refused(recordings, monkeypatch, taught, change, parameters,
                                                      said):
    monkeypatch.setattr(datasets, "load",
                        lambda *given, **options: dataclasses.replace(recordings, digest=said, **change))
    with pytest.raises(EcgtlError) as error:
        ask([taught], **parameters)
    one_line(error, said)


def test_a_label_without_positives_counts_nothing_and_one_that_all_have_is_named(recordings, monkeypatch,
                                                                                 taught):
    table = recordings.labels.copy()
    table[:, 2] = 0
    monkeypatch.setattr(datasets, "load",
                        lambda *given, **options: dataclasses.replace(recordings, labels=table,
                                                                      digest="none"))
    (score,) = ask([taught])[0].scores
    assert np.isfinite([score.value, score.low, score.high]).all() and (score.pair_losses[2] == 0).all()
    table[:, 2] = 1
    with pytest.raises(EcgtlError) as error:
        ask([taught])
    one_line(error, "every recording has the label HYP", "weighting=normalised")
    (score,) = ask([taught], weighting="normalised")[0].scores
    assert np.isfinite(score.value) and "melep_published" not in score.measures


def test_a_label_that_nearly_all_have_gives_limits_all_the_same(recordings, monkeypatch, taught):
    """A third of the resamples hold none of the one recording without it: they are drawn again."""
    table = recordings.labels.copy()
    table[:, 2] = np.arange(60) > 0
    monkeypatch.setattr(datasets, "load",
                        lambda *given, **options: dataclasses.replace(recordings, labels=table,
                                                                      digest="nearly"))
    (score,) = ask([taught], label_set="NORM,HYP")[0].scores
    assert np.isfinite([score.value, score.low, score.high]).all()


@pytest.mark.parametrize("parameters, said", [
    ({"dataset": "mimic"}, "unknown dataset"), ({"weighting": "text"}, "allowed: published, normalised"),
    ({"records": 0}, "records is 0"),
    ({"resamples": 39}, "resamples is 39; it must be at least 40"), ({"seed": -1}, "seed is -1"),
    ({"tier": "x"}, "unknown tier"),
    ({"on_bad": "x"}, "allowed: error, skip"),
    ({"dataset": "folder", "tier": "reduced"}, "needs root"),
    ({"checkpoints": "x"}, "did you mean 'checkpoint'"), ({"records": "10"}, "(str)")])
def test_wrong_parameters_are_refused(parameters, said):
    with pytest.raises(EcgtlError) as error:
        ScoreConfig.of(**parameters)
    one_line(error, said)


# --- the command, on a folder of one's own ------------------------------------------------------------------


@pytest.fixture
def own(tmp_path, recordings):
    """A folder of WFDB records at 250 Hz, two leads, two classes; one record is short, one has no label."""
    folder = tmp_path / "own"
    folder.mkdir()
    lines = ["record,label"]
    for i in range(30):
        samples = recordings.signal(i).T.astype(float)
        wfdb.wrsamp(f"r{i:02d}", 250, ["mV", "mV"], ["I", "II"], samples[:250] if i == 3 else samples,
                    fmt=["16", "16"], write_dir=str(folder))
        lines += [] if i == 4 else [f"r{i:02d},{'af' if recordings.labels[i, 0] else 'normal'}"]
    (folder / "labels.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_the_command_prints_a_ranked_table(own, taught, tmp_path, capsys):
    other, bad = store(tmp_path / "other.safetensors", seed=1), refused(tmp_path, "autoencoder")
    assert main(["rank", "--target", str(own), "--resamples", "40", bad, other, taught]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith(f"left out, {bad}: ") and "names no labels" in out[0]
    assert out[1].startswith("target: folder, 28 recordings, 2 labels (af ")
    assert out[2:4] == ["left out, no label: 1 (r04)", "left out, is shorter than its window of 2 s: 1"]
    assert out[5].split() == ["checkpoint", "MELEP", "95", "%", "interval", "first", "labels", "seconds"]
    rows = [line.split() for line in out[6:8]]
    assert [row[0] for row in rows] == ["1", "2"]
    assert {row[1] for row in rows} == {"taught.safetensors", "other.safetensors"}
    assert float(rows[0][2]) <= float(rows[1][2]) and "40 resamples" in out[-1]


def test_checkpoints_of_one_file_name_are_told_apart(own, taught, tmp_path, capsys):
    (tmp_path / "b").mkdir()
    other = store(tmp_path / "b" / "taught.safetensors", seed=1)
    assert main(["rank", "--target", str(own), "--resamples", "40", other, taught]) == 0
    assert {line.split()[1] for line in capsys.readouterr().out.splitlines()[5:7]} == {other, taught}


def test_the_command_ends_with_one_line_when_nothing_can_be_ranked(own, tmp_path, capsys):
    bad = refused(tmp_path, "future")
    assert main(["rank", "--target", str(own), bad]) == 2
    said = capsys.readouterr()
    assert said.err.startswith("ecgtl: none of the 1 checkpoints can be scored") and said.err.count("\n") == 1
    assert main(["rank", bad]) == 2 and "--target" in capsys.readouterr().err
    assert main(["rank", "--target", str(tmp_path / "nowhere"), bad]) == 2


def test_a_folder_without_labels_or_leads_says_so(own, taught, capsys):
    assert main(["rank", "--target", str(own), "--lead", "V9", taught]) == 2
    assert "V9" in capsys.readouterr().err
    (own / "labels.csv").unlink()
    assert main(["rank", "--target", str(own), taught]) == 2
    assert "add labels.csv" in capsys.readouterr().err


def test_a_stored_checkpoint_is_found_by_its_name(target, monkeypatch, capsys):
    path = starts.weights_path("cpsc2018", "resnet1d101", "demo")
    store(path, arch="resnet1d101", width=2)
    assert rank.candidate("cpsc2018-resnet1d101", "demo").path == path
    assert main(["rank", "--target", "ptbxl", "--tier", "demo", "--resamples", "40", "--records", "30",
                 "cpsc2018-resnet1d101"]) == 0
    assert "target: ptbxl, 30 recordings" in capsys.readouterr().out


def test_predict_takes_such_a_checkpoint_too(own, taught):
    """Scaled to each window's own range, without what is too short."""
    said = []
    table = predict.predict(taught, own, "I", report=said.append, on_bad="skip")
    assert len(table) == 29 and any("shorter than 2 s: 1" in line for line in said)
    recordings = datasets.load("folder", own, lead="I", labels="none", on_bad="skip")
    whole = recordings.select(recordings.durations >= 2)
    p, _ = transferability.source_probabilities(taught,
                                                preparation.prepare(whole, 100, 200, (0,),
                                                                    preparation.Input("start", "range", None)))
    np.testing.assert_allclose(table[["probability_NORM", "probability_MI"]], p,
                               atol=0.02)  # bfloat16 where the machine has it
