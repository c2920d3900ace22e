"""ONNX files: what another runtime makes of them is what the classifier says."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from ecgtl import datasets
from ecgtl.__main__ import main
from ecgtl.config.classifier import shipped
from ecgtl.jobs import export
from ecgtl.jobs.classifier import RHYTHM, Classifier
from ecgtl.models.trees import Trees

onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is absent")


def network(seed=0, leads=1):
    """A classifier of both, with random weights: two narrow networks, trees, and a regression on them."""
    import torch
    from sklearn.ensemble import HistGradientBoostingClassifier

    from ecgtl import models
    from ecgtl.models.checkpoint import CheckpointFacts

    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    y, features = rng.integers(0, 3, 300), rng.normal(size=(300, len(RHYTHM)))
    features[rng.random(features.shape) < 0.1] = np.nan
    features[:, 0] += y
    trees = Trees.of(HistGradientBoostingClassifier(max_iter=20, random_state=0).fit(features, y))
    facts = CheckpointFacts("resnet18", 8, leads, 125.0, 10.0, protocol="weimann2021", leads=("I", "II")[:leads],
                            classes=("a", "b", "c"), mean=(0.0,) * leads, sd=(1.0,) * leads, kind="stack", members=2,
                            temperature=1.7, stack=tuple(rng.normal(size=21)), shortest=5.0, longest=20.0)
    return Classifier(facts, [models.build("resnet18", leads, 3, width=8).eval() for _ in range(2)], trees, "cpu")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The files of all shipped classifiers, made by the command."""
    place = tmp_path_factory.mktemp("onnx")
    for name in shipped():
        assert main(["export", name, "--onnx", str(place / f"{name}.onnx")]) == 0
    return {name: place / f"{name}.onnx" for name in shipped()}


def asked(session, x, features):
    given = {"x": x, "rhythm": features}
    return session.run(None, {one.name: given[one.name] for one in session.get_inputs()})[0]


@pytest.mark.parametrize("leads", [1, 2])
def test_a_classifier_of_both_is_the_same_network(leads, monkeypatch, tmp_path):
    own = network(leads=leads)
    monkeypatch.setattr(export.Classifier, "load", lambda *_: own)
    monkeypatch.setattr(export, "file_of", lambda _: None)
    session = onnxruntime.InferenceSession(str(export.export("x", str(tmp_path / "m.onnx"))))
    rng = np.random.default_rng(1)
    x, features = rng.normal(size=(7, leads, 1250)).astype(np.float32), rng.normal(size=(7, len(RHYTHM)))
    features[0] = np.nan
    np.testing.assert_allclose(asked(session, x, features), own.probabilities(x, features), atol=1e-4)


@pytest.mark.skipif("ECGTL_DATA" not in os.environ, reason="no real recordings")
@pytest.mark.parametrize("name", sorted(shipped()))
def test_shipped_classifiers_answer_real_recordings_alike(written, name, monkeypatch):
    own, session = Classifier.load(shipped()[name], "cpu"), onnxruntime.InferenceSession(str(written[name]))
    recordings = datasets.load("ptbxl", view="rhythm_single", leads=["I"]).select(range(12))
    seen = []
    monkeypatch.setattr(own, "probabilities", lambda x, features: seen.append((x, features)))
    own.of_recordings(recordings)
    np.testing.assert_allclose(asked(session, *seen[0]), Classifier.probabilities(own, *seen[0]), atol=1e-4)


def test_the_file_says_how_its_inputs_are_made(written):
    for name, path in written.items():
        said = json.loads(onnxruntime.InferenceSession(str(path)).get_modelmeta().custom_metadata_map["ecgtl"])
        facts = Classifier.load(shipped()[name], "cpu").facts
        assert said["classes"] == list(facts.classes) and said["mean"] == list(facts.mean) and said["unit"] == "mV"
        assert said["sampling_rate"] == facts.sampling_rate and said["keep"] == "end"


def test_bad_words_get_one_line(tmp_path, capsys):
    for words in (["x", "--onnx", str(tmp_path / "m.onnx")], [min(shipped()), "--onnx", str(tmp_path / "m.txt")],
                  [min(shipped()), "--onnx", str(tmp_path / "no" / "m.onnx")]):
        assert main(["export", *words]) == 2
        assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_the_program_of_the_page_predicts_without_pytorch(written, tmp_path):
    """Its lines as they stand in the page on own data, where torch cannot be imported."""
    from ecgtl import paths
    from ecgtl.jobs import predict

    text = (paths.repository() / "book" / "own-data.md").read_text()
    program = text.partition("<!-- onnx -->")[2].partition("```python\n")[2].partition("```")[0]
    assert 5 < len(program.splitlines()) <= 15
    t = np.arange(0, 12, 1 / 300)
    x = np.exp(-(((t * 1.2) % 1 - 0.5) / 0.02) ** 2) + 0.02 * np.random.default_rng(0).normal(size=len(t))
    np.save(tmp_path / "signal.npy", x)
    name = predict.DEFAULT
    (tmp_path / "model.onnx").write_bytes(written[name].read_bytes())
    (tmp_path / "torch.py").write_text("raise ImportError('there is no PyTorch here')\n")
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    expected = predict.load(name)(x, 300).iloc[0]
    for one, p in found.items():
        assert p == pytest.approx(expected[f"probability_{one}"], abs=5e-3)
