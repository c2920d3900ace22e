"""Jang's claims follow from stored runs by rule: change a run and the verdict changes."""

import dataclasses

import numpy as np
import pytest

from ecgtl import claims, experiments, results
from ecgtl.config import PretrainConfig
from ecgtl.pretrain import key_of
from ecgtl.report import findings
from ecgtl.results import Result

EXPERIMENT = "jang2021-table2-ptbxl"
PROVENANCE = {"commit": "0" * 40, "dirty": False, "versions": {"torch": "x"}, "device": "cpu", "machine": "m", "threads": 1,
              "seed": 0, "wall_seconds": 1.0, "finished": "2026-01-01T00:00:00Z", "command": "c"}


@pytest.fixture(autouse=True)
def _empty(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))


def write(method, size, values, index=1.0):
    """Runs of one cell with the given best weighted F1 on the test part, and learning curve indices about ``index``."""
    _, entry = experiments.definition(EXPERIMENT)
    runs = [run for run in experiments.enumerate_runs(EXPERIMENT, "reduced") if (run.method, run.size) == (method, size)]
    for run, value in zip(runs, values, strict=False):
        scores = {"weighted_f1": value, "macro_f1": value, "accuracy": value, "f1_per_class": {}}
        own = scores | {"learning_curve_index": index + 0.01 * run.number}
        results.save(Result(EXPERIMENT, run.key, dataclasses.asdict(run.config),
                            {"upstream": "substitute", "target": "substitute", "leads": "substitute"},
                            own | {name: scores for name in ("best_test", "validated", "last")}, [],
                            {"name": "ptbxl", "version": "1", "records": 1, "classes": [], "digest": entry["data"]["digest"]},
                            {"y_test": np.zeros(1, np.uint8)}, PROVENANCE))


def around(mean):
    return [mean - 0.01, mean, mean + 0.01]


@pytest.mark.parametrize(("quarter", "matched", "collapse", "steps"), [
    (0.50, 0.71, "supported", "supported"), (0.50, 0.50, "supported", "not supported"),
    (0.70, 0.71, "not supported", "supported"), (0.58, 0.57, "undecided", "undecided")])
def test_a_collapse_is_a_drop_beyond_the_margin_and_the_control_names_its_cause(quarter, matched, collapse, steps):
    for method, size, mean in (("random", 50, 0.725), ("random", 25, quarter), ("random_matched", 25, matched)):
        write(method, size, around(mean))
    assert claims.judge("jang2021", "J2", "reduced")["ours"] == collapse
    assert claims.judge("jang2021", "steps", "reduced")["ours"] == steps


def test_the_index_is_judged_by_welch_and_a_difference_on_all_data_contradicts():
    for size, ours in ((100, 1.0), (50, 1.5), (25, 1.5)):
        write("cae", size, around(0.7), index=ours)
        write("random", size, around(0.7), index=1.0)
    judged = claims.judge("jang2021", "J4", "reduced")
    assert (judged["paper"], judged["ours"]) == ("supported", "supported")
    write("cae", 100, around(0.7), index=2.0)
    assert claims.judge("jang2021", "J4", "reduced")["ours"] == "not supported"


def test_two_trials_test_nothing():
    write("cae", 25, [0.9, 0.9])
    write("random", 25, [0.5, 0.5, 0.5])
    judged = claims.judge("jang2021", "J1", "reduced")
    assert (judged["paper"], judged["ours"]) == ("supported", "not tested")
    assert "fewer than 3 runs" in findings.finding("jang2021", "J1", "reduced").to_string()


@pytest.mark.parametrize(("upstream", "error", "verdict"), [
    ("substitute", 630.0, "not tested"), ("full", 630.0, "supported"), ("full", 747.0, "not supported"),
    ("full", 500.0, "not supported")])
def test_the_error_is_compared_on_the_papers_own_windows_alone(upstream, error, verdict):
    config = PretrainConfig.of(tier="reduced").resolved()
    results.save(Result("pretrain", key_of(config), dataclasses.asdict(config),
                        {"upstream": upstream, "target": "none", "leads": upstream}, {"mse_sum": error, "r2": 0.6}, [],
                        {"name": "x", "version": "1", "digest": "0"}, {"none": np.zeros(0, np.uint8)}, PROVENANCE))
    judged = claims.judge("jang2021", "J5", "reduced")
    assert (judged["paper"], judged["ours"]) == ("not tested", verdict)
    assert f"{error:.0f}" in judged["note"] and upstream in judged["note"]
    found = next(found for found in claims.all_judged() if found["name"] == "J5")
    assert (found["tier"], found["data"]) == ("reduced", upstream)


def test_without_an_autoencoder_its_error_is_not_tested():
    assert claims.judge("jang2021", "J5", "reduced")["note"] == "no autoencoder has been trained"
