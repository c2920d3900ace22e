"""The notebook that scores a checkpoint, and the tables and the figure that it shows."""

import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
import wfdb
from matplotlib import pyplot as plt
from messages import one_line
from scipy import stats

from ecgtl import datasets, models, results, transferability
from ecgtl.analysis import names
from ecgtl.config import ScoreConfig
from ecgtl.datasets.arrays import from_array
from ecgtl.errors import EcgtlError
from ecgtl.jobs import rank
from ecgtl.models import checkpoint
from ecgtl.report.jobs import score_transfer

ROOT = Path(__file__).resolve().parents[3]
LABELS = ("NORM", "MI", "HYP")


def store(path):
    facts = {"arch": "resnet18", "width": 4, "in_channels": 1, "sampling_rate": 100.0, "seconds": 2.0,
             "classes": ["sinus_rhythm", "b"],
             "multi_label": True, "variant": "text", "leads": ["I"], "protocol": "melep2023",
             "synthetic": True}
    torch.manual_seed(0)
    model = models.build("resnet18", 1, 2, width=4)
    with torch.no_grad():
        for _ in range(50):  # a norm has seen data, or the signal would grow layer by layer
            model.train()(torch.randn(32, 1, 200, generator=torch.Generator().manual_seed(0)))
    checkpoint.save(path, model.state_dict(), facts)
    return str(path)


@pytest.fixture
def recordings():
    rng = np.random.default_rng(0)
    table = (rng.random((50, 3)) < 0.4).astype(np.uint8)
    table[:, 2] = 0
    found = from_array(rng.normal(size=(50, 250)) + table[:, :1] * np.sin(np.arange(250)), 100, ["I"])
    return dataclasses.replace(found, name="ptbxl", classes=LABELS, labels=table, synthetic=True,
                               skipped={"signal absent": ["x"]})


@pytest.fixture(params=["published", "normalised"])
def scored(request, recordings, monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "load", lambda *given, **options: recordings)
    config = ScoreConfig.of(checkpoint=store(tmp_path / "c.safetensors"), weighting=request.param,
                            resamples=40)
    return rank.score(config), config


def test_the_target_is_told_with_what_was_left_out(scored):
    facts = score_transfer.target(scored[0])["value"]
    assert facts["recordings"] == 50 and facts["left out"] == "signal absent 1"
    assert facts["checkpoint"] == "resnet18 with 2 labels" and "HYP 0" in facts["labels"]
    assert "synthetic" in score_transfer.badge(scored[0]).data


def test_rows_of_labels_add_up_to_the_score(scored, recordings):
    ranking, config = scored
    rows = score_transfer.label_rows(ranking, config)
    assert rows["weight"] @ rows["loss"] == pytest.approx(ranking.scores[0].value, abs=1e-12)
    assert rows["recordings"].tolist() == recordings.labels.sum(axis=0).tolist()
    for share, entropy in zip(recordings.labels.mean(axis=0), rows["entropy"], strict=True):
        assert entropy == pytest.approx(stats.bernoulli(share).entropy())
    assert "equal" in score_transfer.recomputed(ranking, config)
    assert "50 recordings with 3 labels" in score_transfer.recomputed(ranking, config)
    (score,) = ranking.scores
    broken = dataclasses.replace(ranking, scores=[dataclasses.replace(score, value=score.value + 1e-6)])
    assert "DIFFERENT" in score_transfer.recomputed(broken, config)


def test_the_score_stands_beside_its_rivals(scored):
    ranking, config = scored
    text, (found,) = score_transfer.score(ranking, config).data, ranking.scores
    for name, (words, _) in names.RIVALS.items():
        assert words in text and (f"{found.measures[name]:.4f}" in text or name == "n_labels")
    assert text.count(f"{found.low:.4f} to {found.high:.4f}") == 1
    assert score_transfer.labels(ranking, config).data.count("<tr>") == 4


def test_what_a_label_tells_about_another(recordings):
    """All when they are the same, nothing when it never varies, and nothing about a constant label."""
    table = recordings.labels
    known = np.column_stack([table[:, 0], np.full(50, 0.3)]).astype(float)
    share = score_transfer.explained(transferability.pair_losses(known, table), table)
    assert share.shape == (3, 2)
    assert share[0, 0] == pytest.approx(1)
    assert share[0, 1] == pytest.approx(0, abs=1e-9)
    assert (share[2] == 0).all() and ((share >= 0) & (share <= 1)).all()


def test_the_figure_draws_every_pair(scored):
    figure = score_transfer.told(scored[0])
    axes, (image,) = figure.axes[0], figure.axes[0].images
    assert np.asarray(image.get_array()).shape == (2, 3)
    assert [text.get_text() for text in axes.get_yticklabels()] == ["sinus rhythm", "b"]
    assert axes.get_xlabel() and axes.get_ylabel() and "%" in figure.axes[1].get_ylabel()
    plt.close(figure)


def test_a_checkpoint_that_cannot_be_scored_gives_its_own_reason(recordings, monkeypatch, tmp_path):
    monkeypatch.setattr(datasets, "load", lambda *given, **options: recordings)
    for name, said in ((str(tmp_path / "no.safetensors"), "does not exist"),
                       ("mimic-lstm", "no checkpoint 'mimic-lstm' in tier demo")):
        with pytest.raises(EcgtlError) as error:
            rank.score(ScoreConfig.of(checkpoint=name))
        one_line(error, said)


def test_the_default_checkpoint_comes_with_the_package(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    found = rank.candidate(ScoreConfig().checkpoint, ScoreConfig().tier)
    assert found.path.parent == ROOT / "ecgtl" / "weights"
    assert found.facts.synthetic
    assert found.facts.classes
    assert found.facts.sampling_rate == 100
    assert found.facts.protocol == "melep2023"
    assert found.facts.licence


def test_the_notebook_scores_a_folder_of_ones_own(recordings, tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for i in range(20):
        wfdb.wrsamp(f"r{i:02d}", 100, ["mV"], ["I"], recordings.signal(i).T.astype(float), fmt=["16"],
                    write_dir=str(folder))
    kinds = ["af" if label else "normal" for label in recordings.labels[:20, 0]]
    (folder / "labels.csv").write_text("record,label\n"
                                       + "".join(f"r{i:02d},{kind}\n" for i, kind in enumerate(kinds)))
    given = {"checkpoint": store(tmp_path / "c.safetensors"), "dataset": "folder", "root": str(folder),
             "tier": "reduced", "resamples": 40}
    options = [word for name, value in given.items() for word in ("-p", name, str(value))]
    done = subprocess.run([sys.executable, "-m", "papermill",
                           str(ROOT / "notebooks" / "score_transfer.ipynb"), str(tmp_path / "out.ipynb"),
                           *options], capture_output=True, text=True, timeout=400,
                          env=os.environ | {"ECGTL_RESULTS": str(tmp_path), "PYTHONPATH": str(ROOT)})
    assert done.returncode == 0, done.stderr[-2000:]
    said = "".join(output.text for cell in nbformat.read(tmp_path / "out.ipynb", 4).cells
                   for output in cell.get("outputs", [])
                   if output.output_type == "stream" and output.name == "stdout")
    assert "MELEP of 20 recordings with 2 labels, summed up from 4 pairs: equal" in said
    assert f"normal {kinds.count('normal')}" in said
    assert not list(results.folder("demo").glob("score_transfer/*")), "a score is no result"
