"""Boosting on RR intervals over the tasks of the folds: scores that follow from what is stored, and the same tasks."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from messages import one_line
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import f1_score

from ecgtl import results
from ecgtl.__main__ import main
from ecgtl.config import protocol
from ecgtl.datasets import label_tasks
from ecgtl.errors import EcgtlError
from ecgtl.experiments import transfers
from ecgtl.jobs import inputs, transfer
from ecgtl.measurements import rr_folds
from ecgtl.signals import rr_intervals

pytestmark = pytest.mark.usefixtures("own_results")
NAME = "melep2023-ptbxl"
COMMITTED = Path(__file__).parents[2] / "results"


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The twin of PTB-XL, tier demo."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_RESULTS", str(tmp_path_factory.mktemp("results")))
        return rr_folds.measure(NAME, "demo")


def first():
    return transfers.enumerate_runs(NAME, "demo")[0]


def fold_and_table(number):
    """The task drawn from the label table by itself."""
    config = next(run.config for run in transfers.enumerate_runs(NAME, "demo") if run.config.fold == number)
    recordings = inputs.prepare(config.plan().reading).recordings
    fold = label_tasks.draw(recordings.label_matrix, recordings.subjects, number, (config.fewest, config.most),
                            config.records,
                      config.test, config.validation)
    return fold, recordings


def test_every_planned_fold_is_scored_and_says_what_it_stands_on(measured):
    planned = {run.config.fold for run in transfers.enumerate_runs(NAME, "demo")}
    assert set(map(int, measured.scores["folds"])) == planned
    assert measured.evidence == {"upstream": "none", "target": "synthetic", "leads": "synthetic"}
    assert measured.data["name"] == "ptbxl" and len(measured.data["digest"]) == 64
    assert measured.provenance["command"] == f"{rr_folds.PROGRAM} {NAME} --tier demo"


def test_scores_are_scikit_learns_of_trees_that_saw_the_training_part_alone(measured):
    fold, recordings = fold_and_table(0)
    features = rr_intervals.rr_features(recordings, 0)
    labels = recordings.label_matrix[:, fold.labels]
    expected = []
    for y in labels.T:
        model = HistGradientBoostingClassifier(random_state=0, class_weight="balanced", max_iter=150,
                                               learning_rate=0.06)
        expected.append(model.fit(features[fold.train], y[fold.train]).predict_proba(features[fold.test])[:, 1])
    p = measured.arrays["prob_000"]
    assert p.dtype == np.float16 and p.astype(float) == pytest.approx(np.stack(expected, axis=1), abs=1e-3)
    weighted = f1_score(labels[fold.test], p >= 0.5, average="weighted", zero_division=0)
    assert measured.scores["folds"]["0"]["weighted_f1"] == pytest.approx(weighted)


def test_what_is_stored_is_read_by_fold_and_only_for_the_same_recordings(measured, monkeypatch):
    assert rr_folds.load(NAME, "demo") == {}, "not measured yet"
    results.save(measured)
    found = rr_folds.load(NAME, "demo")
    assert found[0] == pytest.approx(measured.scores["folds"]["0"]["weighted_f1"])
    assert list(found) == list(range(len(found)))
    monkeypatch.setattr(transfers.Transfer, "same_data", lambda run, body: False)
    assert rr_folds.load(NAME, "demo") == {}


def test_a_finished_fold_of_another_task_is_refused(monkeypatch):
    run, (fold, recordings) = first(), fold_and_table(first().config.fold)
    part = transfer.part_of_each(fold, len(recordings))
    stored = dataclasses.make_dataclass("Stored", ["arrays"])
    run.path.parent.mkdir(parents=True)
    run.path.touch()
    monkeypatch.setattr(results, "load", lambda path: stored({"part": part}))
    rr_folds.measure(NAME, "demo")
    monkeypatch.setattr(results, "load", lambda path: stored({"part": np.roll(part, 1)}))
    with pytest.raises(EcgtlError) as error:
        rr_folds.measure(NAME, "demo")
    one_line(error, "another task")


@pytest.mark.parametrize(("arguments", "words"), [([], "the following arguments are required: experiment"),
                                                  (["melep2023-csn"], "has no folds in tier reduced"),
                                                  (["melep"], "allowed: melep2023-csn")])
def test_a_users_mistake_is_one_line_and_ends_with_2(arguments, words, capsys):
    assert main(["measure", "rr-folds", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ecgtl: ") and said.count("\n") == 1 and words in said


def test_the_command_writes_what_it_measures(capsys):
    assert main(["measure", "rr-folds", NAME, "--tier", "demo"]) == 0
    path = results.path_of(results.MEASURED, rr_folds.key_of(NAME, "demo"), "demo")
    assert capsys.readouterr().out == f"written: {path}\n" and rr_folds.load(NAME, "demo")


def test_the_committed_scores_follow_from_the_predictions_and_the_folds(monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(COMMITTED))
    path = results.path_of(results.MEASURED, rr_folds.key_of(NAME, "reduced"), "reduced")
    stored = results.load(path)
    assert stored.data["digest"] == protocol("melep2023").transfers.experiments[NAME]["data"]["reduced"]
    runs = {run.config.fold: run for run in transfers.enumerate_runs(NAME, "reduced") if run.state() == "done"}
    assert runs and set(map(str, runs)) <= set(stored.scores["folds"])
    for number, run in runs.items():
        y, p = results.load(run.path).arrays["y_test"], stored.arrays[f"prob_{number:03d}"]
        scores = stored.scores["folds"][str(number)]
        assert list(scores["f1_per_label"]) == json.loads(run.path.read_text())["data"]["classes"]
        assert scores["weighted_f1"] == pytest.approx(f1_score(y, p >= 0.5, average="weighted", zero_division=0))
