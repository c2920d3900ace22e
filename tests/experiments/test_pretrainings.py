"""Pretrainings of an experiment: which there are, when they are done, and what a run leaves."""

import dataclasses

import pytest

from ecgtl import results
from ecgtl.analysis import coverage
from ecgtl.config import PretrainConfig
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, runners

NAME = "jang2021-sensitivity"


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The experiment on twins, small."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    quick = {"windows": 40, "epochs": 1, "batch_size": 16, "sources": "cinc2017", "per_subject": 1}

    def of(experiment, tier):
        return [pretrainings.Pretraining(experiment, name, PretrainConfig.of(tier="demo", **quick, **own).resolved())
                for name, own in (("width2", {"width": 2}), ("width3", {"width": 3, "highpass": 0}))]

    monkeypatch.setattr(pretrainings, "enumerate_runs", of)
    return of(NAME, "demo")


def test_the_widths_and_the_filter_are_those_that_were_asked_for():
    planned = pretrainings.enumerate_runs(NAME, "reduced")
    assert [(run.config.width, run.config.highpass, run.config.windows) for run in planned] == [
        (4, 0.5, 20000), (8, 0.5, 20000), (8, 0.0, 20000), (16, 0.5, 20000)]
    assert len({run.path for run in planned}) == 4
    assert pretrainings.enumerate_runs(NAME, "demo") == []
    with pytest.raises(EcgtlError, match=f"unknown experiment 'widths'; allowed: .*{NAME}"):
        pretrainings.enumerate_runs("widths", "reduced")


def test_what_is_missing_is_run_once_and_a_changed_config_makes_it_stale(small):
    said = []
    assert len(runners.run_missing(NAME, "demo", report=said.append)) == 2
    assert [run.state() for run in small] == ["done", "done"]
    assert runners.run_missing(NAME, "demo", report=said.append) == []
    assert "0 to do" in said[-1]
    bodies = [results.load(run.path) for run in small]
    assert [body.config["highpass"] for body in bodies] == [0.5, 0]
    assert all(body.data["windows"]["train"] == 40 for body in bodies)
    assert not list(small[0].path.parent.glob("*.safetensors"))
    other = dataclasses.replace(small[0], config=dataclasses.replace(small[0].config, epochs=2))
    assert other.state() == "stale"


def test_shards_share_the_work(small):
    assert [path.stem for path in runners.run_missing(NAME, "demo", (2, 2), lambda line: None)] == ["width3-demo"]
    assert [run.state() for run in small] == ["missing", "done"]


def test_status_counts_them():
    assert f"{NAME:28}reduced" in coverage.status_table()
