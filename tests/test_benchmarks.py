"""The benchmarks compare like with like, and report what they were asked to."""

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(monkeypatch, *arguments):
    """``python -m benchmarks``, in this process."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.__main__ import main

    monkeypatch.setattr(sys, "argv", ["python -m benchmarks", *arguments])
    main()


def test_scores_are_timed_and_written(tmp_path, monkeypatch, capsys):
    run(monkeypatch, "scores", "--repeats", "1", "--threads", "1", "--json", str(tmp_path / "b.json"))
    body, said = json.loads((tmp_path / "b.json").read_text()), capsys.readouterr().out
    assert len(body["rows"]) == 8 and all(row["ratio"] > 1 for row in body["rows"]) and body["machine"]["threads"] == 1
    assert "scikit-learn" in said and "double loop" in said


@pytest.mark.parametrize("arguments, said", [
    (["writing"], "allowed: training, reading, scores, autoencoder, images, windows"),
    (["scores", "--repeats", "0"], "at least 1"), (["scores", "--threads", "0"], "at least 1")])
def test_wrong_words_are_refused(monkeypatch, capsys, arguments, said):
    with pytest.raises(SystemExit) as error:
        run(monkeypatch, *arguments)
    assert error.value.code == 2 and said in capsys.readouterr().err


def test_ratios_and_targets(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks.timing import Row, table, take_turns

    fast = Row("a", "s", ours=2.0, plain=10.0, at_least=5.0)
    slow = Row("b", "records/s", ours=30.0, plain=20.0, at_least=2.0)
    assert (fast.ratio, fast.met, slow.ratio, slow.met) == (5.0, True, 1.5, False)
    assert (Row("c", "GiB", 1.0, at_most=2.0).met, Row("d", "s", 1.0, 2.0).met) == (True, None)
    assert Row("e", "windows/s", 30.0, 20.0).ratio == 1.5
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


@pytest.mark.parametrize("layout", ["NATIVE", "PRODUCTS"])
def test_a_training_step_is_three_forward_passes_however_it_is_computed(monkeypatch, layout):
    monkeypatch.syspath_prepend(str(ROOT))
    from torch import nn

    from benchmarks.training import gigaflops
    from ecgtl.models import convolution

    monkeypatch.setattr(convolution, "layout", lambda: getattr(convolution, layout))
    network = nn.Sequential(convolution.conv(2, 4, 3, bias=False), nn.Flatten(), nn.Linear(400, 5))
    network.forward = lambda x, forward=network.forward: forward(x.expand(-1, 2, -1).unsqueeze(2))
    assert gigaflops(network, 100) * 1e9 == pytest.approx(3 * 2 * (100 * 4 * 2 * 3 + 400 * 5))


@pytest.fixture
def parts(monkeypatch):
    """The modules of the benchmarks, which stand beside the package."""
    monkeypatch.syspath_prepend(str(ROOT))
    from benchmarks import autoencoder, images, windows

    return {"autoencoder": autoencoder, "images": images, "windows": windows}


@pytest.mark.parametrize("variant", ["text", "code"])
def test_the_plain_autoencoder_is_the_same_network(parts, variant):
    import torch

    from ecgtl import models

    torch.manual_seed(0)
    network = models.build("cae", 1, 60, width=2, variant=variant)
    plain, x = parts["autoencoder"].PlainCAE(network), torch.randn(3, 1, 2048)
    torch.testing.assert_close(plain.eval()(x), network.eval()(x), rtol=1e-3, atol=1e-4)
    assert models.count_parameters(plain) == models.count_parameters(network)
    kinds = {type(module).__name__ for module in plain.modules()}
    assert {"Conv1d", "BatchNorm1d", "MaxPool1d"} <= kinds
    assert not {name for name in kinds if name.endswith("2d")}
    kept = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    for parameter in plain.parameters():
        parameter.data.zero_()  # a copy: nothing that the plain loop learns reaches our network
    assert all(torch.equal(tensor, kept[name]) for name, tensor in network.state_dict().items())


def test_an_epoch_of_the_autoencoder_has_one_loss_by_both_ways(parts):
    from ecgtl.config import PretrainConfig

    config = PretrainConfig.of(tier="demo", precision="float32", batch_size=8).resolved()
    ours, plain = parts["autoencoder"].ways(config, 8)
    with parts["autoencoder"].own_cache():
        first = ours()  # one step: the loss is that of the weights that both began with
    assert first == pytest.approx(plain(), rel=1e-3) and first > 0
    assert plain() != pytest.approx(first, rel=1e-3)  # it learns


def test_the_autoencoder_is_timed(parts):
    rows = parts["autoencoder"].rows(1, n_windows=2)
    assert [row.at_least for row in rows] == [2.0, 2.0]
    assert all(row.ours > 0 and row.plain > 0 for row in rows)


def test_image_features_are_extrapolated_and_computed_once(parts, monkeypatch, tmp_path, capsys):
    import torch
    from safetensors.torch import save_file

    from ecgtl.models import googlenet

    images = parts["images"]
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    assert images.rows(1) == []
    assert "images: GoogLeNet's ImageNet weights are not at" in capsys.readouterr().out
    torch.manual_seed(0)
    googlenet.default_weights().parent.mkdir()
    save_file(googlenet.GoogLeNet().state_dict(), googlenet.default_weights())
    loaded, load = [], googlenet.load_imagenet
    monkeypatch.setattr(googlenet, "load_imagenet", lambda path: loaded.append(path) or load(path))
    monkeypatch.setattr(images, "RECORDS", 4)
    first, second = images.rows(2, sample=2)
    assert len(loaded) == 2  # once in each repeat: the second call of a repeat reads the cache
    assert first.ours == pytest.approx(2 * second.plain) and "extrapolated from 2" in first.what
    whole, again = images.rows(1, sample=2, full=True)
    assert whole.ours == again.plain and "extrapolated" not in whole.what


def test_windows_are_the_same_by_both_ways(parts, tmp_path):
    import numpy as np

    windows = parts["windows"]
    windows.write_records(tmp_path / "records", 2, 3)
    mapped, plain = windows.mapped(tmp_path / "records"), windows.plain(tmp_path / "records")
    assert len(mapped) == len(plain) == 6
    np.testing.assert_allclose(mapped.take(range(6))[:, 0], plain, atol=0.01)
    rows = windows.rows(1, n_records=1, n_windows=2)
    assert [row.at_least for row in rows] == [20.0, None, None] and all(row.ratio > 0 for row in rows)
