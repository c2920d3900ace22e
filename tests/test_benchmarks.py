"""The benchmarks compare like with like, and report what they were asked to."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "benchmarks", *arguments], cwd=ROOT, capture_output=True, text=True,
                          **options)


def test_scores_are_timed_and_written(tmp_path):
    done = run("scores", "--repeats", "1", "--json", str(tmp_path / "b.json"))
    assert done.returncode == 0, done.stderr
    body = json.loads((tmp_path / "b.json").read_text())
    assert len(body["rows"]) == 2 and all(row["ratio"] > 1 for row in body["rows"]) and body["machine"]["threads"] > 0
    assert "scikit-learn" in done.stdout and "double loop" in done.stdout


@pytest.mark.parametrize("arguments", [["writing"], ["scores", "--repeats", "0"]])
def test_wrong_words_are_refused(arguments):
    done = run(*arguments)
    assert done.returncode == 2 and ("allowed: training, reading, scores" in done.stderr or "at least 1" in done.stderr)


def test_ratios_and_targets(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.timing import Row, table, take_turns

    fast = Row("a", "s", ours=2.0, plain=10.0, at_least=5.0)
    slow = Row("b", "records/s", ours=30.0, plain=20.0, at_least=2.0)
    assert (fast.ratio, fast.met, slow.ratio, slow.met) == (5.0, True, 1.5, False)
    assert (Row("c", "GiB", 1.0, at_most=2.0).met, Row("d", "s", 1.0, 2.0).met) == (True, None)
    assert "MISSED" in table([fast, slow]).splitlines()[2] and "met" in table([fast, slow]).splitlines()[1]
    turns = []
    take_turns({"x": lambda: turns.append("x"), "y": lambda: turns.append("y")}, repeats=2)
    assert turns == ["x", "y"] * 3


@pytest.mark.parametrize("preactivation", [True, False])
def test_the_plain_network_is_the_same_network(monkeypatch, preactivation):
    monkeypatch.syspath_prepend(str(ROOT))
    import torch
    from benchmarks.training import PlainResNet

    from ecgtl import models

    torch.manual_seed(0)
    network = models.build("resnet34", 2, 3, width=4, preactivation=preactivation)
    plain, x = PlainResNet(network), torch.randn(3, 2, 200)
    for training in (True, False):
        torch.testing.assert_close(plain.train(training)(x), network.train(training)(x), rtol=1e-3, atol=1e-4)
    kinds = {type(module).__name__ for module in plain.modules()}
    assert {"Conv1d", "BatchNorm1d", "MaxPool1d"} <= kinds and not {"Conv2d", "BatchNorm2d", "MaxPool2d"} & kinds
