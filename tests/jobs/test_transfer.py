"""Folds of the transferability experiment: nothing of the test set in any measure, scores that follow from
the stored predictions, and sweeps that do what is missing.
"""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from messages import one_line
from sklearn import metrics as oracle

from ecgtl import datasets, models, results, transferability
from ecgtl.analysis import coverage
from ecgtl.config import TIERS, FinetuneConfig, TransferConfig, protocol, starts
from ecgtl.datasets.arrays import from_array
from ecgtl.errors import EcgtlError
from ecgtl.experiments import runners, sources, transfers
from ecgtl.jobs import inputs, transfer
from ecgtl.models import checkpoint
from ecgtl.signals import filters, preparation
from ecgtl.training import loop

pytestmark = pytest.mark.usefixtures("own_results")
NAME = "melep2023-ptbxl"
LABELS = ("NORM", "MI", "STTC", "CD", "HYP")
COMMITTED = Path(__file__).parents[2] / "results"
FACTS = {"width": 2, "in_channels": 1, "sampling_rate": 100.0, "seconds": 1.0, "classes": ["a", "b", "c"],
         "multi_label": True,
         "variant": "text", "leads": ["I"], "protocol": "melep2023", "evidence": "synthetic",
         "synthetic": True}
QUICK = {"records": 60, "epochs": 2, "batch_size": 16, "validation": 0.2}


def rows_of(arrays, name):
    """Rows of the target in the part ``name`` of a stored fold."""
    return np.flatnonzero(arrays["part"] == 1 + ("train", "validation", "test").index(name))


@pytest.fixture(scope="module")
def recordings():
    """A hundred made recordings of 1.2 s at 500 Hz; each label is a wave of its own."""
    rng = np.random.default_rng(0)
    table = (rng.random((100, 5)) < 0.4).astype(np.uint8)
    time = np.arange(600) / 500
    waves = np.stack([np.sin(2 * np.pi * (3 + 4 * k) * time) for k in range(5)])
    found = from_array(table @ waves + rng.normal(0, 0.3, (100, 600)), 500, ["I"])
    subjects = np.array([f"p{i // 2}" for i in range(100)])
    return dataclasses.replace(found, name="ptbxl", classes=LABELS, labels=table, subjects=subjects,
                               synthetic=True)


@pytest.fixture
def target(recordings, monkeypatch):
    monkeypatch.setattr(datasets, "load", lambda name, *given, **options: recordings)
    return recordings


def store(arch="bilstm", source="cinc2017", seed=0, **facts):
    """A source checkpoint where a run looks for it; unless a norm has seen data, the signal would grow."""
    torch.manual_seed(seed)
    model = models.build(arch, 1, 3, width=2, **({"length": 100} if arch == "bilstm" else {}))
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        model.train()(torch.randn(32, 1, 100, generator=torch.Generator().manual_seed(seed)))
    path = starts.weights_path(source, arch, "demo")
    checkpoint.save(path, model.state_dict(), {"arch": arch} | FACTS | facts)
    return path


def config(**parameters):
    return TransferConfig.of(**{"arch": "bilstm", "source": "cinc2017"} | QUICK | parameters).resolved()


@pytest.fixture
def finished(target):
    store()
    return transfer.run(config(), NAME)


# --- one fold -----------------------------------------------------------------------------------------------


def test_a_result_is_complete_and_survives_being_stored(finished, target):
    stored = results.load(results.save(finished))
    assert stored.key.startswith("cinc2017-bilstm-ptbxl-demo-fold000-") and stored.experiment == NAME
    assert TransferConfig.of(**stored.config) == config()
    assert stored.evidence == {"upstream": "synthetic", "target": "synthetic", "leads": "synthetic"}
    assert [row["epoch"] for row in stored.history] == [1, 2]
    assert stored.data["records"] == 100 and stored.data["digest"] == target.digest
    assert stored.data["start"]["labels"] == 3 and len(stored.data["start"]["sha256"]) == 64
    assert stored.provenance["seed"] == 0 and stored.provenance["epoch_seconds"] > 0
    parts = [rows_of(stored.arrays, name) for name in ("train", "validation", "test")]
    assert sum(map(len, parts)) == len(set(np.concatenate(parts).tolist())) == 60
    columns = [LABELS.index(name) for name in stored.data["classes"]]
    assert np.array_equal(stored.arrays["y_test"], target.labels[np.ix_(parts[2], columns)])
    for name, rows in zip(("train", "validation", "test"), parts, strict=True):
        counted = target.labels[np.ix_(rows, columns)].sum(axis=0)
        assert list(stored.data["positives"][name].values()) == counted.tolist()


def test_folds_of_other_parameters_do_not_replace_each_other():
    plain, *others = (transfer.own_key(TransferConfig.of(fold=3, **given).resolved()) for given in (
        {}, {"label_set": "NORM,MI"}, {"label_set": "STTC,CD"}, {"epochs": 1}))
    assert plain == "cpsc2018-resnet1d101-ptbxl-demo-fold003" and len({plain, *others}) == 4
    assert transfer.own_key(TransferConfig.of(fold=3, device="cpu").resolved()) == plain


def test_scores_are_scikit_learns_of_the_stored_predictions(finished):
    y, names = finished.arrays["y_test"], finished.data["classes"]
    weights = list(finished.data["positives"]["train"].values())
    for choice in ("best_test", "validated"):
        predicted = (finished.arrays[f"prob_{choice}"] >= 0.5).astype(int)
        scores = finished.scores[choice]
        per_label = oracle.f1_score(y, predicted, average=None, zero_division=0)
        assert scores["f1_per_label"] == pytest.approx(dict(zip(names, per_label, strict=True)))
        weighted = oracle.f1_score(y, predicted, average="weighted", zero_division=0)
        assert scores["weighted_f1"] == pytest.approx(weighted)
        assert scores["train_weighted_f1"] == pytest.approx(np.average(per_label, weights=weights))
    assert finished.scores["weighted_f1"] == finished.scores["best_test"]["weighted_f1"], "as published"


def test_epochs_are_the_best_of_their_parts(target):
    store()
    history = transfer.run(config(epochs=5, fold=2), NAME)
    for choice, column in (("best_test", "test_score"), ("validated", "validation_score")):
        values = [row[column] for row in history.history]
        assert history.scores[choice]["epoch"] == values.index(max(values)) + 1
    assert len(history.history) == 5, "nobody stops early"


def test_measures_are_those_of_the_training_part(finished, target):
    start = starts.stored_weights("cinc2017", "bilstm", "demo")
    rows = np.sort(np.concatenate([rows_of(finished.arrays, part) for part in ("train", "validation")]))
    columns = [LABELS.index(name) for name in finished.data["classes"]]
    x = transfer.target_of(config().plan()).x
    p, names = transferability.source_probabilities(start, x[rows])
    y = target.labels[np.ix_(rows, columns)]
    measured = finished.scores["measures"]
    assert names == ("a", "b", "c")
    assert measured["n_labels"] == len(columns)
    assert measured["prevalence"] == pytest.approx(y.mean())
    for name, value in transferability.measures(p, y).items():
        assert measured[name] == pytest.approx(value, rel=1e-9)
    per_label = transferability.melep_per_label(p, y)
    assert list(measured["melep_per_label"].values()) == pytest.approx(per_label.tolist())
    losses = finished.arrays["pair_losses"]
    assert losses.shape == (len(columns), 3)
    again = transferability.label_weights(y) @ losses.mean(axis=1)
    assert again == pytest.approx(measured["melep_published"], rel=1e-9)


@pytest.mark.parametrize("arch", ["bilstm", "resnet1d101"])
def test_test_recordings_cannot_influence_any_measure(target, arch):
    start = store(arch)
    prepared = transfer.target_of(config(arch=arch).plan())
    fold = transfer.draw(config(arch=arch), prepared)
    expected, losses = transfer.measure(start, prepared, fold)
    x, table = np.array(prepared.x), prepared.table.copy()
    x[fold.test], table[fold.test] = np.nan, 1 - table[fold.test]
    found, others = transfer.measure(start, dataclasses.replace(prepared, x=x, table=table), fold)
    assert found == expected and np.array_equal(losses, others)
    x[fold.train[0]] = -x[fold.train[0]]  # a recording of the training set does count
    assert transfer.measure(start, dataclasses.replace(prepared, x=x), fold)[0] != expected


def test_a_whole_run_measures_the_same_when_signals_and_labels_of_the_test_part_change(target, monkeypatch):
    """From the reading on: nothing on the way mixes recordings, no standardisation and no norm."""
    store()
    first = transfer.run(config(), NAME)
    fold = transfer.draw(config(), transfer.target_of(config().plan()))
    samples, labels = np.array(target.samples), target.labels.copy()
    for i in fold.test:
        samples[target.offsets[i]:target.offsets[i + 1]] *= np.linspace(-40, 90, 600)[:, None]
    labels[fold.test] = 1 - labels[fold.test]
    changed = dataclasses.replace(target, samples=samples, labels=labels, digest="another")
    monkeypatch.setattr(datasets, "load", lambda *given, **options: changed)
    monkeypatch.setattr(transfer, "draw", lambda *given: fold)
    second = transfer.run(config(), NAME)
    assert second.scores["measures"] == first.scores["measures"]
    assert np.array_equal(second.arrays["pair_losses"], first.arrays["pair_losses"])
    for column in ("train_loss", "validation_score"):
        assert [row[column] for row in second.history] == [row[column] for row in first.history]
    assert not np.array_equal(second.arrays["prob_best_test"], first.arrays["prob_best_test"])


def test_the_head_is_replaced_and_the_rest_comes_from_the_checkpoint(target, monkeypatch):
    begun = {}

    def fit(model, *arguments, **options):
        begun.update(loop.weights_of(model))
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "fit", fit)
    for arch in ("resnet1d101", "bilstm"):
        path = store(arch)
        with pytest.raises(KeyboardInterrupt):
            transfer.run(config(arch=arch, fewest=4, most=4), NAME)
        stored = checkpoint.load(path)[0]
        assert begun["output.weight"].shape[0] == 4 != stored["output.weight"].shape[0]
        for name in stored:
            assert name.startswith("output.") or torch.equal(begun[name], stored[name])
        begun.clear()


def test_a_run_is_a_function_of_its_config(target):
    store()
    first, again = (dataclasses.replace(transfer.run(config(fold=1), NAME), provenance=None) for _ in range(2))
    texts = [json.dumps(dataclasses.asdict(result) | {"arrays": None}) for result in (first, again)]
    assert texts[0] == texts[1]
    assert all(np.array_equal(first.arrays[name], again.arrays[name]) for name in first.arrays)


def test_every_checkpoint_gets_the_same_folds(target):
    found = []
    for arch, source in (("bilstm", "cinc2017"), ("resnet1d101", "cinc2017"), ("bilstm", "cpsc2018")):
        store(arch, source)
        mine = config(arch=arch, source=source, fold=5)
        found.append(transfer.draw(mine, transfer.target_of(mine.plan())))
    for fold in found[1:]:
        for name in ("labels", "train", "validation", "test"):
            assert np.array_equal(getattr(fold, name), getattr(found[0], name))


def test_given_labels_make_the_task(target):
    store()
    task = transfer.draw(config(label_set="HYP, NORM", records=40),
                                    transfer.target_of(config().plan()))
    assert [LABELS[k] for k in task.labels] == ["NORM", "HYP"]
    with pytest.raises(EcgtlError) as error:
        transfer.run(config(label_set="HYP,AMI"))
    one_line(error, "label_set names 'AMI'", "allowed: NORM, MI")


def test_short_and_flat_recordings_are_dropped_and_counted(recordings, monkeypatch):
    store()
    samples = np.array(recordings.samples)
    samples[recordings.offsets[3]:recordings.offsets[4]] = 0.5
    kept = np.concatenate([np.arange(200), np.arange(600, len(samples))])  # the first loses 0.8 s
    offsets = np.concatenate([[0], recordings.offsets[1:] - 400])
    changed = dataclasses.replace(recordings, samples=samples[kept], offsets=offsets,
                                  skipped={"signal absent": ["x"]})
    monkeypatch.setattr(datasets, "load", lambda *given, **options: changed)
    result = transfer.run(config(), NAME)
    assert result.data["records"] == 98
    assert result.data["skipped"] == {"signal absent": 1, "is shorter than its window": 1,
                                      "is flat in its window": 1}


def test_a_result_is_small(target, monkeypatch):
    """Fifty epochs, ten labels, a thousand records, ten source labels: a paper's fold."""
    store()
    rng, names = np.random.default_rng(0), [f"premature_atrial_contraction_{k}" for k in range(10)]
    result = transfer.run(config(), NAME)
    history = [{"epoch": k} | {name: round(float(rng.random()), 5) for name in transfer.KEPT} for k in range(1, 51)]
    for scores in (result.scores["best_test"], result.scores["validated"]):
        scores["f1_per_label"] = dict.fromkeys(names, 0.123456789)
    result.scores["measures"]["melep_per_label"] = dict.fromkeys(names, 0.123456789)
    result.data.update(classes=names, positives={part: dict.fromkeys(names, 123)
                                                 for part in ("train", "validation", "test")})
    arrays = {"part": rng.permutation(np.repeat(np.arange(4, dtype=np.uint8), (1931, 630, 70, 300))),
              "y_test": (rng.random((300, 10)) < 0.2).astype(np.uint8), "pair_losses": rng.random((10, 10)),
              "prob_validated": rng.random((300, 10)).astype("f2"),
              "prob_best_test": rng.random((300, 10)).astype("f2")}
    path = results.save(dataclasses.replace(result, history=history, arrays=arrays))
    assert path.stat().st_size < 10_000 and path.with_suffix(".npz").stat().st_size < 15_000


def test_a_killed_fold_goes_on_from_its_state(target, monkeypatch, tmp_path):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(loop, "STATE_SECONDS", 0.0)
    store()
    whole = transfer.run(config(epochs=4), NAME)
    results.forget_states()

    def kill(row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        transfer.run(config(epochs=4), NAME, report=kill)
    seen = []
    resumed = transfer.run(config(epochs=4), NAME, report=lambda row: seen.append(row["epoch"]))
    assert seen == [3, 4]
    assert resumed.scores == whole.scores
    results.save(resumed)
    assert not list((tmp_path / "cache" / "unfinished").glob("*"))


def test_an_absent_checkpoint_says_how_to_make_it(target):
    with pytest.raises(EcgtlError) as error:
        transfer.run(config(source="georgia"))
    one_line(error, "no checkpoint of bilstm trained on georgia in tier demo",
             "python -m ecgtl run melep2023-sources --tier demo")


@pytest.mark.parametrize("parameters, said", [
    ({"arch": "resnet"}, "unknown arch 'resnet'"), ({"source": "mimic"}, "unknown source 'mimic'"),
    ({"target": "x"}, "unknown target"),
    ({"tier": "full"}, "unknown tier"), ({"fewest": 4, "most": 3}, "most is 3"),
    ({"fewest": 0}, "fewest is 0"),
    ({"records": 0}, "records is 0"), ({"test": 1.0}, "test is 1.0"),
    ({"validation": 0.0}, "validation is 0.0"),
    ({"fold": -1}, "fold is -1"), ({"fold": "2"}, "fold is '2' (str)"), ({"epochs": 0}, "epochs is 0"),
    ({"learning_rate": float("inf")}, "learning_rate is inf"), ({"folds": 3}, "did you mean 'fold'")])
def test_wrong_parameters_are_refused(parameters, said):
    with pytest.raises(EcgtlError) as error:
        TransferConfig.of(**parameters)
    one_line(error, said)


# --- inputs -------------------------------------------------------------------------------------------------


def test_each_lead_is_scaled_to_its_own_range(recordings):
    x = preparation.prepare(recordings, 100, 100, (0,), preparation.Input("start", "range", None))
    assert x.shape == (100, 1, 100) and x.dtype == np.float32
    assert (x.min(axis=2) == -1).all() and (x.max(axis=2) == 1).all()
    resampled = filters.resample(recordings.lead(7, 0), 500, 100)[:100]
    np.testing.assert_allclose(x[7, 0], 2 * (resampled - resampled.min()) / np.ptp(resampled) - 1, atol=1e-6)


def test_the_code_takes_every_fifth_sample_without_a_filter(recordings):
    x = preparation.prepare(recordings, 100, 100, (0,), preparation.Input("start", "range", None, True))
    fifth = recordings.lead(7, 0)[:500:5]
    np.testing.assert_allclose(x[7, 0], 2 * (fifth - fifth.min()) / np.ptp(fifth) - 1, atol=1e-6)
    # A wave of 98 Hz folds back to 2 Hz; a filter removes it
    fast = np.sin(2 * np.pi * 98 * np.arange(500) / 500)
    assert np.abs(filters.every_kth(fast, 500, 100)).max() > 0.9
    assert np.abs(filters.resample(fast, 500, 100)[5:-5]).max() < 0.1


def test_variants_choose_between_the_two(recordings):
    for variant, decimated in (("text", False), ("code", True)):
        mine = FinetuneConfig.of(dataset="ptbxl", protocol="melep2023", variant=variant,
                                 seconds=1.0).resolved()
        expected = preparation.prepare(recordings, 100, 100, (0,), preparation.Input("start", "range", None, decimated))
        assert np.array_equal(inputs.Prepared(mine.plan(), recordings).inputs(), expected)


@pytest.mark.parametrize("rate", [257, 99, 500.1])
def test_a_rate_that_is_no_multiple_cannot_be_decimated(rate):
    with pytest.raises(EcgtlError) as error:
        filters.every_kth(np.zeros(500), rate, 100)
    one_line(error, f"{rate:g} Hz", "use variant=text")


@pytest.mark.parametrize("x", [np.ones(5), np.array([1, np.nan, 2])])
def test_nothing_constant_and_no_nan_is_scaled(x):
    with pytest.raises(EcgtlError, match="constant or has NaN"):
        filters.scale_to_range(x)


def test_a_named_lead_is_read_in_place_of_the_protocols(monkeypatch):
    asked = []
    monkeypatch.setattr(datasets, "load",
                        lambda name, root, twin, **options: asked.append(options.get("leads")))
    for lead in (0, "II", "all"):
        inputs.read(FinetuneConfig.of(dataset="ptbxl", protocol="melep2023", lead=lead).plan())
    assert asked == [["I"], ["II"], None]


# --- the plan, and what is missing of it --------------------------------------------------------------------


def test_the_protocol_is_the_papers():
    rules = protocol("melep2023")
    paper = FinetuneConfig.of(protocol="melep2023", dataset="cpsc2018", tier="paper")
    network, lstm = paper.resolved(), dataclasses.replace(paper, arch="bilstm").resolved()
    assert (network.arch, network.width, network.batch_size) == ("resnet1d101", 64, 256)
    assert (lstm.width, lstm.batch_size) == (100, 128)
    for one in (network, lstm):
        assert (one.sampling_rate, one.n_samples, one.epochs, one.learning_rate) == (100, 1000, 50, 0.01)
    split = rules.split
    assert 1 - split.validation - split.test == pytest.approx(0.67)
    assert split.folds == {"validation": 10, "test": 9}
    assert rules.transfers.records["paper"] == 1000 and rules.transfers.test == 0.3
    assert rules.transfers.experiments["melep2023-csn"]["labels"] == [2, 10]


@pytest.mark.parametrize("experiment, tier, n", [
    ("melep2023-csn", "paper", 600), ("melep2023-ptbxl", "paper", 400), ("melep2023-selection", "paper", 6),
    ("melep2023-ptbxl", "reduced", 2 * 40 + 2 * 20), ("melep2023-csn", "reduced", 0)])
def test_the_planned_folds(experiment, tier, n):
    runs = transfers.enumerate_runs(experiment, tier)
    assert len(runs) == len({run.path for run in runs}) == len({run.config for run in runs}) == n
    numbers = [run.config.fold for run in runs]
    assert numbers == sorted(numbers), "a table fills evenly"
    assert all(run.config == run.config.resolved() and run.path.parent.name == experiment for run in runs)


def test_figure_6_has_its_eight_labels():
    from ecgtl.datasets import snomed

    (run, *_) = transfers.enumerate_runs("melep2023-selection", "paper")
    short = ("PAC", "PVC", "TAb", "PR", "TInv", "I-AVB", "AFL", "CRBBB")
    assert tuple(run.config.label_set.split(",")) == tuple(snomed.name_of(snomed.tables()["csn_20"][name])
                                                           for name in short)


def test_unknown_experiments_get_the_list():
    for runner, name in ((transfers, "melep2023-csn"), (sources, "melep2023-sources")):
        with pytest.raises(EcgtlError, match=f"unknown experiment 'table9'; allowed: .*{name}"):
            runner.enumerate_runs("table9", "reduced")


@pytest.fixture
def small(monkeypatch, target):
    """The experiment with two checkpoints and three folds, quick."""
    def of(experiment, tier):
        return [transfers.Transfer(experiment, config(arch=arch, fold=fold, epochs=1)) for fold in range(3)
                for arch in ("bilstm", "resnet1d101")]

    monkeypatch.setattr(transfers, "enumerate_runs", of)
    return of(NAME, "demo")


def test_what_is_missing_is_run_once(small):
    store()
    said = []
    assert len(runners.run_missing(NAME, "demo", report=said.append)) == 3
    assert said[0] == f"{NAME}, tier demo: 6 runs, 3 to do; 3 wait: {small[1].obstacle()}"
    assert [run.state() for run in small] == ["done", "missing"] * 3
    assert "fold000" in said[1] and "MELEP" in said[1] and "weighted F1" in said[1]
    assert runners.run_missing(NAME, "demo", report=said.append) == []
    found = transfers.table(NAME, "demo")
    assert found["fold"].tolist() == [0, 1, 2] and set(found["arch"]) == {"bilstm"}
    body = results.read(small[0].path)
    assert found["melep_published"][0] == body.scores["measures"]["melep_published"]
    assert found["weighted_f1_validated"][0] == body.scores["validated"]["weighted_f1"]
    assert found["label_set"][0].split("+") == body.data["classes"]
    assert found["n_labels"][0] == len(body.data["classes"])
    y_test = results.load(small[0].path).arrays["y_test"]
    assert found["weighted_f1_every_label"][0] == pytest.approx(
        oracle.f1_score(y_test, np.ones_like(y_test), average="weighted"))
    p = results.load(small[0].path).arrays["prob_validated"]
    assert found["macro_auc_validated"][0] == pytest.approx(oracle.roc_auc_score(y_test, p))


def test_what_makes_a_result_stale(small):
    store()
    runners.run_missing(NAME, "demo", (1, 6), lambda line: None)
    run = small[0]
    assert run.state() == "done"
    for changed, expected in (({"epochs": 2}, "stale"), ({"device": "cuda", "root": "x"}, "done")):
        other = dataclasses.replace(run, config=dataclasses.replace(run.config, **changed))
        assert other.state() == expected
    store(seed=1)
    assert run.state() == "stale", "another checkpoint"


def test_other_data_make_a_result_stale(small, monkeypatch):
    store()
    runners.run_missing(NAME, "demo", (1, 6), lambda line: None)
    digest = results.read(small[0].path).data["digest"]
    for given, expected in ((digest, "done"), ("0" * 64, "stale"), ("unknown", "done")):
        monkeypatch.setattr(transfers, "_entries", lambda given=given: {NAME: {"data": {"demo": given}}})
        assert small[0].state() == expected


def test_shards_share_the_work(small):
    store()
    written = [path.stem for k in (1, 2, 3)
               for path in runners.run_missing(NAME, "demo", (k, 3), lambda line: None)]
    assert sorted(written) == [f"cinc2017-bilstm-ptbxl-demo-fold{k:03d}" for k in range(3)]


def test_a_fold_that_fails_does_not_stop_the_others(small, monkeypatch):
    store()

    def run(config, *given, real=transfer.run, **options):
        if config.fold == 1:
            raise EcgtlError("the training loss is not finite in epoch 1; lower learning_rate")
        return real(config, *given, **options)

    monkeypatch.setattr(transfer, "run", run)
    said = []
    with pytest.raises(EcgtlError) as error:
        runners.run_missing(NAME, "demo", report=said.append)
    one_line(error, "1 of 3 runs", "fold001: the training loss is not finite")
    assert [run.state() for run in small[::2]] == ["done", "missing", "done"]
    assert any("failed" in line for line in said)


def test_status_counts_folds_and_sources():
    lines = coverage.status_table().splitlines()
    for experiment in ("melep2023-sources", "melep2023-ptbxl"):
        assert any(line.startswith(f"{experiment:28}reduced") for line in lines)
    (paper,) = [line for line in lines if line.startswith(f"{NAME:28}paper")]
    assert paper.split()[-1] == "400", "they wait for checkpoints"


# --- source checkpoints -------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier, names", [
    ("reduced", {"cpsc2018", "cinc2017"}), ("paper", {"ptbxl", "cpsc2018", "georgia"})])
def test_the_planned_sources(tier, names):
    runs = sources.enumerate_runs("melep2023-sources", tier)
    both = {(name, arch) for name in names for arch in ("resnet1d101", "bilstm")}
    assert {(run.config.dataset, run.config.arch) for run in runs} == both
    assert all(run.weights.name == f"{run.config.dataset}-{run.config.arch}-{tier}.safetensors"
               for run in runs)
    assert {run.config.lead for run in runs} == {0 if tier == "reduced" else "all"}
    usual = {"resnet1d101": 256, "bilstm": 128}
    for run in runs:  # a fifth of CPSC 2018 is available here: as many steps with a quarter of the batch
        few = (tier, run.config.dataset) == ("reduced", "cpsc2018")
        assert run.config.batch_size == usual[run.config.arch] // (4 if few else 1)
        assert run.config.learning_rate == (0.001 if tier == "reduced" else 0.01)


@pytest.mark.parametrize("tier", TIERS)
def test_every_fold_has_a_source_that_is_planned(tier):
    planned = {(run.config.dataset, run.config.arch)
               for run in sources.enumerate_runs("melep2023-sources", tier)}
    for experiment in transfers.names():
        assert {(run.config.source, run.config.arch)
                for run in transfers.enumerate_runs(experiment, tier)} <= planned


@pytest.mark.parametrize("arch", ["bilstm", "resnet1d101"])
def test_a_source_is_trained_stored_and_scored(target, monkeypatch, arch):
    """What a source leaves can start a fold; several labels at a threshold of 0.5."""
    table = np.eye(5, dtype=np.uint8)[np.arange(100) % 5]
    table[:, 0] |= np.arange(100) % 10 == 9  # half of the last class have the first label too
    monkeypatch.setattr(datasets, "load",
                        lambda *given, **options: dataclasses.replace(target, labels=table,
                                                                      subjects=target.ids))
    mine = FinetuneConfig.of(dataset="cpsc2018", protocol="melep2023", arch=arch, on_bad="skip", seconds=1.0,
                             width=2, epochs=2).resolved()
    run = sources.Source("melep2023-sources", mine)
    monkeypatch.setattr(sources, "enumerate_runs", lambda experiment, tier: [run])
    said = []
    (path,) = runners.run_missing("melep2023-sources", "demo", report=said.append)
    result = results.load(path)
    assert "weighted F1" in said[-1]
    assert run.state() == "done"
    assert runners.run_missing("melep2023-sources", "demo", report=said.append) == []
    sizes = [len(result.arrays[part]) for part in ("train", "validation", "test")]
    assert sum(sizes) == 100 and abs(sizes[0] - 67) < 5
    predicted = (result.arrays["prob_validated"] >= 0.5).astype(int)
    expected = oracle.f1_score(result.arrays["y_test"], predicted, average="weighted", zero_division=0)
    assert result.scores["weighted_f1"] == pytest.approx(expected)
    best = max(row["validation_score"] for row in result.history)
    assert result.history[result.scores["validated"]["epoch"] - 1]["validation_score"] == best
    facts = checkpoint.load(run.weights)[1]
    assert facts.classes == tuple(LABELS)
    assert facts.evidence == "synthetic"
    assert facts.licence
    assert facts.variant == "text"
    half = sum(t.numel() for t in checkpoint.load(run.weights)[0].values()) * 4
    assert run.weights.stat().st_size < half, "matrices are stored in half precision"
    monkeypatch.setattr(datasets, "load", lambda *given, **options: target)
    start = transfer.run(config(source="cpsc2018", arch=arch)).data["start"]
    assert start == {"file": run.weights.name, "sha256": starts.checksum(run.weights), "labels": 5}
    run.weights.write_bytes(b"another")
    assert run.state() == "stale"
    run.weights.unlink()
    assert run.state() == "done", "its result is there; large weights are not shipped"
    monkeypatch.setattr(datasets, "load", lambda *given, **options: dataclasses.replace(target, labels=table,
                                                                                        subjects=target.ids))
    assert runners.run_missing("melep2023-sources", "demo", report=said.append) == [path], "but can be made again"
    assert starts.checksum(run.weights) == start["sha256"] and not any(sources.SAME_BITS in line for line in said)
    path.write_text(path.read_text().replace(start["sha256"], "0" * 64))
    assert runners.run_missing("melep2023-sources", "demo", report=said.append) == [path]
    assert sources.SAME_BITS in said[-1] and "stale" in said[-1], "it was another checkpoint"


# --- every committed result --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def committed():
    files = [path for name in transfers.names() for path in sorted((COMMITTED / name).glob("*.json"))]
    if not files:
        pytest.skip("no fold is committed yet")
    return [results.load(path) for path in files]


def test_committed_scores_are_those_of_the_committed_predictions(committed):
    for result in committed:
        y, top = result.arrays["y_test"], protocol("melep2023").transfers.report
        for choice in transfer.CHOICES:
            predicted = (result.arrays[f"prob_{choice}"] >= 0.5).astype(int)
            expected = oracle.f1_score(y, predicted, average="weighted", zero_division=0)
            assert result.scores[choice]["weighted_f1"] == pytest.approx(expected, abs=1e-8), result.key
        assert result.scores["weighted_f1"] == result.scores[top]["weighted_f1"], result.key


def test_committed_measures_follow_from_the_committed_pairs(committed):
    for result in committed:
        measured, losses = result.scores["measures"], result.arrays["pair_losses"]
        parts = [result.data["positives"][part] for part in ("train", "validation")]
        positives = np.array([sum(part[name] for part in parts) for name in result.data["classes"]])
        n = sum(len(rows_of(result.arrays, part)) for part in ("train", "validation"))
        weights = {"published": positives / (n - positives) / len(positives),
                   "normalised": positives / positives.sum()}
        for name, own in weights.items():
            again = own @ losses.mean(axis=1)
            assert again == pytest.approx(measured[f"melep_{name}"], rel=1e-7), result.key
        assert measured["leep"] == pytest.approx(-losses.mean(), rel=1e-7), result.key
        assert measured["n_labels"] == len(positives), result.key
        assert measured["prevalence"] == pytest.approx(positives.mean() / n), result.key


def test_committed_folds_are_the_same_for_every_checkpoint(committed):
    seen = {}
    for result in committed:
        parts = result.arrays["part"].tolist()
        assert len(parts) == result.data["records"] and set(parts) == {0, 1, 2, 3}, result.key
        assert sum(part > 0 for part in parts) == result.config["records"], result.key
        place = (result.experiment, result.config["tier"], result.config["fold"])
        task = (parts, result.data["classes"])
        assert seen.setdefault(place, task) == task, result.key


def test_committed_folds_are_planned_and_up_to_date(committed):
    for result in committed:
        runs = transfers.enumerate_runs(result.experiment, result.config["tier"])
        (run,) = [run for run in runs if run.key == result.key]
        assert TransferConfig.of(**result.config) == run.config, result.key
        start = result.data["start"]
        source = results.read(COMMITTED / "melep2023-sources" / Path(start["file"]).with_suffix(".json"))
        assert source.data["weights"] == {name: start[name] for name in ("file", "sha256")}, result.key


@pytest.mark.parametrize("path", sorted(COMMITTED.glob("melep2023-sources/*.json")),
                         ids=lambda path: path.stem)
def test_committed_sources_are_those_that_their_result_speaks_of(path):
    result = results.load(path)
    weights = starts.SHIPPED / result.data["weights"]["file"]
    if not weights.is_file():
        pytest.skip("too large to ship (ecgtl/weights/README.md)")
    assert starts.checksum(weights) == result.data["weights"]["sha256"]
    state, facts = checkpoint.load(weights)
    checkpoint.network(weights, state, facts)
    assert facts.classes == tuple(result.data["classes"]) and not facts.synthetic and facts.licence
    assert facts.evidence == result.evidence["target"]
    assert all(torch.isfinite(tensor).all() for tensor in state.values())


# --- real recordings ----------------------------------------------------------------------------------------


@pytest.mark.needs("ptb-xl")
def test_the_label_sets_of_the_real_target(real_data):
    """Counts as found when the experiment was planned: three pairs hold fewer than 1,000 recordings."""
    from ecgtl.datasets import label_tasks

    options = protocol("melep2023").datasets["ptbxl"]
    found = datasets.load("ptbxl", real_data, **options)
    assert found.leads[0].tolist() == ["I"] and found.classes == LABELS
    few = {(a, b): int(found.label_matrix[:, [found.classes.index(a), found.classes.index(b)]].any(axis=1).sum())
           for a, b in (("MI", "HYP"), ("STTC", "HYP"), ("CD", "HYP"))}
    assert few == {("MI", "HYP"): 895, ("STTC", "HYP"): 848, ("CD", "HYP"): 844}
    drawn = [label_tasks.draw(found.label_matrix, found.subjects, number, (2, 5)) for number in range(40)]
    sets = [{found.classes[k] for k in fold.labels} for fold in drawn]
    assert not any(set(pair) == labels for pair in few for labels in sets)
    assert sum(sum(fold.redrawn.values()) for fold in drawn) > 0
    assert {len(labels) for labels in sets} == {2, 3, 4, 5}
    assert all(abs(len(fold.test) - 300) <= 2 and abs(len(fold.validation) - 70) <= 2 for fold in drawn)
