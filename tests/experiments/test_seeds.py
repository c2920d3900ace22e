"""Pretraining by seed: which there are, how long an epoch is, what fine-tuning starts from, and what is refused."""

import dataclasses
import re
import shutil
import subprocess

import numpy as np
import pytest
from messages import one_line

from ecgtl import experiments, paths, results
from ecgtl.config import BASELINES, FinetuneConfig, PretrainConfig, starts
from ecgtl.datasets import qtdb, synthetic
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, runners
from ecgtl.jobs import evidence, finetune, inputs, pretrain
from ecgtl.models import checkpoint

pytestmark = pytest.mark.usefixtures("own_results")
PRETRAININGS, TABLE = "weimann2021-seeds", "weimann2021-table2-seeds"
QUICK = {"width": 8, "epochs": 1, "per_epoch": 32, "precision": "float32", "sources": "mitdb,qtdb", "tier": "demo"}


# --- the plan ---


@pytest.mark.parametrize("tier, seeds, frames, futures", [("demo", 2, 640, 160), ("reduced", 10, 36864, 6912)])
def test_one_pretraining_a_task_and_seed(tier, seeds, frames, futures):
    runs = pretrainings.enumerate_runs(PRETRAININGS, tier)
    assert [(run.config.seed, run.config.objective) for run in runs] == [
        (seed, task) for seed in range(seeds) for task in ("beat", "future", "heart_rate", "rhythm")]
    for run in runs:
        assert run.config.sources == ("mitdb" if run.config.objective == "rhythm" else "mitdb,qtdb")
        assert run.config.per_epoch == (futures if run.config.objective == "future" else frames)
        assert run.config.per_subject is None and run.config == run.config.resolved()
        assert run.name == f"{run.config.objective}-seed{run.config.seed}" and run.key == f"{run.name}-{tier}"
    assert len({run.path for run in runs}) == len({run.weights for run in runs}) == len(runs)


def test_an_epoch_is_as_long_as_those_of_the_earlier_protocol():
    earlier = {path.name.split("-")[0]: results.load(path)
               for path in (paths.repository() / "results/pretrain").glob("*resnet18*.json")}
    for run in pretrainings.enumerate_runs(PRETRAININGS, "reduced"):
        assert run.config.per_epoch == earlier[run.config.objective].data["frames"]["train"]


def test_the_autoencoder_has_the_same_sources():
    run, = pretrainings.enumerate_runs("jang2021-seeds", "reduced")
    assert (run.name, run.config.sources, run.config.arch) == ("cae-seed0", "mitdb,qtdb", "cae")
    assert run.config.epochs == 100 and run.config.patience == 5
    fine_tuned = [r for r in experiments.enumerate_runs("jang2021-table2-ptbxl-seeds", "reduced") if r.method == "cae"]
    assert len(fine_tuned) == 30 and {r.config.init for r in fine_tuned} == {run.name}
    assert starts.weights_path("cae-seed0", fine_tuned[0].config.arch, "reduced") == run.weights


@pytest.mark.parametrize("tier", ["demo", "reduced", "paper"])
def test_fine_tuning_run_k_starts_from_pretraining_seed_k(tier):
    made = {(run.name, run.config.arch): run for run in pretrainings.enumerate_runs(PRETRAININGS, tier)}
    for run in experiments.enumerate_runs(TABLE, tier):
        if run.method in ("random", *BASELINES):
            continue
        source = made[run.config.init, run.config.arch]
        assert (source.config.objective, source.config.seed) == (run.method, run.number)
        assert run.config.seed == run.number
        assert starts.weights_path(run.config.init, run.config.arch, tier) == source.weights
        assert (source.config.width, source.config.sampling_rate) == (run.config.width, run.config.sampling_rate)


def test_keys_of_the_two_protocols_differ():
    new = experiments.enumerate_runs(TABLE, "reduced")
    old = experiments.enumerate_runs("weimann2021-table2", "reduced")
    pretrained = [run for run in new if run.method not in ("random", *BASELINES)]
    assert not {run.key for run in pretrained} & {run.key for run in old}
    assert not {run.path for run in pretrained} & {run.path for run in old}
    assert "cinc2017-reduced-beat-seed3-25-run3" in {run.key for run in pretrained}


@pytest.mark.parametrize("name", [name for name in experiments.names() if experiments.load(name).replaces])
def test_an_experiment_that_replaces_another_has_its_cells_and_more_runs(name):
    entry = experiments.load(name)
    earlier = experiments.load(entry.replaces)
    assert all(getattr(earlier, field) == getattr(entry, field) for field in ("data", "dataset", "published", "item",
                                                                              "inits", "columns"))

    def cells(experiment):
        return {(run.method, run.size) for run in experiments.enumerate_runs(experiment, "reduced")}

    assert cells(name) == cells(entry.replaces)
    assert {run.number for run in experiments.enumerate_runs(name, "reduced")} == set(range(10))
    # What starts from no pretraining by seed is the same run, stored where it was
    shared = {run.config: run for run in experiments.enumerate_runs(entry.replaces, "reduced")}
    for run in experiments.enumerate_runs(name, "reduced"):
        same = shared.get(run.config)
        assert (same is None) == (run.home == name) and (same is None or same.path == run.path)
        assert not (same and "-seed" in run.config.init)
    random = [run for run in experiments.enumerate_runs(name, "reduced") if run.method == "random" and run.home != name]
    assert len(random) == 5 * len(entry.columns)


def test_weights_by_seed_are_ignored_by_git_but_the_one_that_is_shipped():
    files = [run.weights for run in pretrainings.enumerate_runs(PRETRAININGS, "reduced")]
    assert files[0].name == "beat-resnet18-reduced-seed0.safetensors" and files[0].parent == starts.SHIPPED
    if (paths.repository() / ".git").exists():
        ignored = [subprocess.run(["git", "check-ignore", "-q", file], cwd=paths.repository()).returncode
                   for file in files[:3]]
        assert ignored == [1, 0, 0]


# --- an epoch ---


def parts(objective, **given):
    config = PretrainConfig.of(objective=objective, **{**QUICK, **given}).resolved()
    return pretrain.parts_of(config, pretrain.whole_of(config, pretrain.read(config)))


@pytest.mark.parametrize("objective", ["beat", "heart_rate", "future"])
def test_frames_of_an_epoch_are_as_many_as_said_and_even_over_subjects(objective):
    found = parts(objective, per_epoch=997)
    n = {name: len(part.frames.subjects) for name, part in found.items()}
    assert {name: len(part) for name, part in found.items()} == {name: round(997 / n["train"] * n[name]) for name in n}
    row, _ = found["train"].frames.draw(np.random.default_rng(0), 20000)
    drawn = np.bincount(found["train"].frames.subject[row], minlength=n["train"])
    assert np.abs(drawn / 20000 - 1 / n["train"]).max() < 0.01
    assert sum(len(y) for _, y in found["train"].batches(64, 0)) == 997


def test_what_nobody_has_marked_serves_future_prediction_alone():
    records = synthetic.plans.table("plans")["qtdb"]["records"]
    unmarked = {f"qtdb/{name}" for name in qtdb.WITHOUT_MARKS.intersection(records)}
    for objective, expected in (("beat", set()), ("heart_rate", set()), ("future", unmarked)):
        found = parts(objective)
        everyone = {str(name) for part in found.values() for name in part.frames.subjects}
        assert everyone & unmarked == expected and len(unmarked) == 4
        assert found["train"].skipped.get("recording excluded", 0) == 4 - len(expected)


@pytest.mark.needs("mitdb", "qtdb")
def test_subjects_of_the_real_upstream(real_data):
    found = {}
    for run in pretrainings.enumerate_runs(PRETRAININGS, "reduced")[:4]:
        config = dataclasses.replace(run.config, root=str(real_data))
        train, validation, test = pretrain.whole_of(config, pretrain.read(config)).split(config.validation, config.test,
                                                                                         config.seed)
        found[config.objective] = tuple(len(part.subjects) for part in (train, validation, test))
    assert found == {"beat": (83, 17, 11), "heart_rate": (83, 17, 11), "future": (100, 20, 14), "rhythm": (35, 7, 5)}


# --- from a pretraining to a run ---


@pytest.fixture(scope="module")
def two_seeds(session_cache, tmp_path_factory):
    """Results folder in which the beat pretraining of two seeds has been run, quickly; and its runs."""
    folder = tmp_path_factory.mktemp("seeds")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        patch.setenv("ECGTL_RESULTS", str(folder))
        runs = [pretrainings.Pretraining(PRETRAININGS, f"beat-seed{seed}", PretrainConfig.of(
            objective="beat", seed=seed, **QUICK).resolved(), True) for seed in (0, 1)]
        patch.setattr(pretrainings, "enumerate_runs", lambda experiment, tier: runs)
        said = []
        assert len(runners.run_missing(PRETRAININGS, "demo", report=said.append)) == 2
        assert re.search(r"\[2/2\] beat-seed1-demo: accuracy 0\.\d{3} \(", said[-1])
    return folder, runs


@pytest.fixture
def at_hand(two_seeds, tmp_path, monkeypatch):
    """A copy of them that the test may change."""
    shutil.copytree(two_seeds[0], tmp_path / "copy")
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "copy"))
    monkeypatch.setattr(pretrainings, "enumerate_runs", lambda experiment, tier: two_seeds[1])
    return two_seeds[1]


def test_what_is_done_is_not_done_again_and_says_its_seed(at_hand):
    assert [run.state() for run in at_hand] == ["done", "done"]
    assert runners.run_missing(PRETRAININGS, "demo", report=lambda line: None) == []
    for seed, run in enumerate(at_hand):
        facts = checkpoint.load(run.weights)[1]
        assert facts.seed == seed and facts.sources == ("mitdb", "qtdb")
        stored = results.load(run.path)
        assert stored.data["weights"]["file"] == run.weights.name == f"beat-resnet18-demo-seed{seed}.safetensors"
        assert stored.data["frames"]["train"] == 32 and set(stored.data["sources"]) == {"mitdb", "qtdb"}


def test_weights_that_were_lost_are_made_again_and_a_strange_file_is_stale(at_hand):
    first, second = at_hand
    second.weights.unlink()
    assert second.state() == "done"
    assert runners.run_missing(PRETRAININGS, "demo", report=lambda line: None) == [second.path]
    assert second.weights.is_file()
    shutil.copy(first.weights, second.weights)
    assert [run.state() for run in at_hand] == ["done", "stale"]


def config(init="beat-seed1"):
    return FinetuneConfig.of(init=init, tier="demo", seed=1).resolved()


def test_a_run_finds_the_checkpoint_of_its_seed(at_hand):
    assert config().plan().start == at_hand[1].weights
    assert evidence.origin_of(inputs.Prepared(config().plan(), None))["start"]["seed"] == 1
    assert evidence.evidence_of(inputs.Prepared(config().plan(),
                                                inputs.read(config().plan())))["upstream"] == "synthetic"


@pytest.mark.parametrize("seed", [0, None])
def test_a_checkpoint_of_another_seed_is_refused_in_one_line(at_hand, seed):
    tensors, facts = checkpoint.load(at_hand[0].weights)
    checkpoint.save(at_hand[1].weights, tensors, {**facts.stored, "seed": seed})
    before = sorted(results.folder("demo").rglob("*"))
    with pytest.raises(EcgtlError) as error:
        finetune.run(config())
    one_line(error, at_hand[1].weights.name, f"is of seed {seed}", "init=beat-seed1 asks for 1",
             f"run {PRETRAININGS} --tier demo")
    assert sorted(results.folder("demo").rglob("*")) == before
    run = next(run for run in experiments.enumerate_runs(TABLE, "demo") if run.config.init == "beat-seed1")
    assert f"is of seed {seed}" in run.obstacle()


@pytest.mark.parametrize("init, experiment", [("beat-seed0", PRETRAININGS), ("rhythm-seed1", PRETRAININGS),
                                              ("cae-seed0", "jang2021-seeds")])
def test_an_absent_checkpoint_names_the_command_that_makes_it(init, experiment):
    with pytest.raises(EcgtlError) as error:
        _ = config(init).plan().start
    one_line(error, f"init={init} has no checkpoint", f"python -m ecgtl run {experiment} --tier demo")


# --- bad input ---


def upstream(root, records):
    """A QTDB of ``records`` alone, out of the twin."""
    folder = root / qtdb.FOLDER
    folder.mkdir(parents=True)
    for file in (synthetic.twin_root("qtdb") / qtdb.FOLDER).iterdir():
        if file.stem in records:
            shutil.copy(file, folder)
    return root


@pytest.mark.parametrize("records", [("sel803",), ("sel803", "sel30", "sel31"), ("sele0121", "sele0122")])
def test_fewer_than_two_subjects_upstream(tmp_path, records):
    root = upstream(tmp_path / "data", records)
    asked = PretrainConfig.of(**QUICK | {"objective": "beat", "tier": "reduced", "sources": "qtdb", "root": str(root)})
    with pytest.raises(EcgtlError) as error:
        pretrain.run(asked)
    one_line(error, "1 subjects are too few", "give more sources")
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("given, said", [
    ({"objective": "beat", "per_epoch": 100, "per_subject": 5}, "per_epoch is 100 and per_subject 5; give one of them"),
    ({"per_epoch": 100}, "per_epoch does not go with objective=reconstruction"),
    ({"objective": "future", "per_epoch": 0}, "per_epoch is 0; it must be at least 1")])
def test_parameters_that_do_not_go_together(given, said):
    with pytest.raises(EcgtlError) as error:
        PretrainConfig.of(**given).resolved()
    one_line(error, said)


@pytest.mark.parametrize("sources, licence", [
    ("mitdb,qtdb", "ODC-BY 1.0"), ("mitdb", "ODC-BY 1.0"), ("mitdb,icentia11k",
                                                            "CC BY-NC-SA 4.0 (Icentia11k is among the sources)"),
    ("mitdb,ptbxl", "ODC-BY 1.0 and CC BY 4.0"), ("folder", "that of the sources")])
def test_the_licence_of_weights_is_that_of_their_sources(sources, licence):
    assert pretrain._licence(PretrainConfig.of(objective="beat", tier="reduced", sources=sources).resolved()) == licence
