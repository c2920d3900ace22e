"""Pretraining by classification: the right frames with the right labels, honest scores, the best weights, and
resuming.
"""

import numpy as np
import pytest
import torch
from messages import one_line

from ecgtl import datasets, metrics, models
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.datasets.recordings import UNLABELLED
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint
from ecgtl.signals import frame_labels, frames
from ecgtl.training import classification, loop

CPU = torch.device("cpu")
RATE, SECONDS = 50.0, 2.56
N = 128


def made_up(n=12, seconds=60, name="made", kinds="NV"):
    """Recordings in which a premature beat is a broad wave: half of them have some, the others none."""
    collector, rng = Collector(name, "1", classes=()), np.random.default_rng(3)
    t = np.arange(round(seconds * RATE)) / RATE
    for k in range(n):
        at = np.arange(0.5, seconds - 0.5, 0.9)
        symbols = [kinds[1] if k % 2 and rng.random() < 0.4 else kinds[0] for _ in at]
        x = sum((2 if s in "VA" else 1) * np.exp(-(((t - peak) / (0.12 if s in "VA" else 0.03)) ** 2))
                for peak, s in zip(at, symbols, strict=True))
        stored = np.round(1000 * (x + 0.05 * rng.normal(size=len(t)))).astype(np.int16)[:, np.newaxis]
        marks = (np.round(at * RATE).astype(int), symbols, [""] * len(at))
        collector.add(Reading(f"{name}{k}", stored, RATE, ["I"], [1000.0], [0.0], marks=marks), name)
    return collector.recordings()


@pytest.fixture(scope="module")
def source():
    return made_up()


@pytest.fixture(scope="module")
def parts(source, session_cache):
    """Training and validation frames of the beat task."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        train, validation, _ = frames.sampled([source], SECONDS, RATE).split(0.25, 0.1, seed=1)
        return (classification.LabelledFrames(train, "beat", 45),
                classification.LabelledFrames(validation, "beat", 20))


def recipe(**changes):
    values = {"epochs": 3, "batch_size": 32, "learning_rate": 0.003, "patience": 10, "precision": "float32"}
    values |= {"stop_on": "validation_loss", "select_on": "validation_accuracy", "seed": 0}
    return loop.TrainConfig(**values | changes)


def network(seed=0, n_outputs=4):
    torch.manual_seed(seed)
    return models.build("resnet18", 1, n_outputs, width=4)


def without_times(history):
    return [{name: value for name, value in row.items() if name != "seconds"} for row in history]


# --- frames and labels --------------------------------------------------------------------------------------


def test_an_epoch_is_so_many_frames_a_subject(parts):
    train = parts[0]
    assert len(train) == 8 * 45
    batches = list(train.batches(32, seed=0))
    assert [len(y) for _, y in batches] == [32] * 11 + [8]
    assert all(x.shape == (len(y), 1, N) and x.dtype == np.float32 for x, y in batches)
    assert train.classes == ("normal", "pac", "aberration", "pvc")


def test_frames_carry_their_own_labels(parts, source):
    """A premature beat is a broad wave here, so the signal itself tells what the label must be."""
    train = parts[0]
    sd = train.frames.statistics["made"][1]
    for x, y in train.batches(64, seed=0):
        broad = (np.abs(x[:, 0]) > 1.4 / sd).sum(axis=1)
        assert (y[broad > 3] == 3).all()
        assert (broad[y == 3] > 0).mean() > 0.8  # of a wave on the frame's edge there is little to see
        assert set(y.tolist()) <= {0, 3}


def test_labels_of_frames_by_their_place(parts, source):
    train = parts[0]
    row, start = train.frames.draw(np.random.default_rng(0), 200)
    tracks = frame_labels.tracks_of(source, RATE)
    names = source.ids.tolist()
    record = np.array([names.index(name) for _, name, _ in train.frames.origin(row, start)])
    np.testing.assert_array_equal(train.labels_of(row, start), frame_labels.beat(tracks, record, start, start + N))


def test_several_sources_keep_their_own_annotations(source):
    other = made_up(4, name="other", kinds="NA")
    found = frames.sampled([source, other], SECONDS, RATE)
    labelled = classification.LabelledFrames(found, "beat", 100)
    for row, start, label in labelled._drawn(400, seed=0, epoch=0):
        where = np.array([name for name, _, _ in found.origin(row, start)])
        assert set(label[where == "made"].tolist()) == {0, 3}
        assert set(label[where == "other"].tolist()) == {0, 1}


def test_draws_are_seeded_and_new_in_each_epoch(parts):
    def epoch(seed, number):
        return np.concatenate([x for x, _ in parts[0].batches(64, seed, number)])

    np.testing.assert_array_equal(epoch(1, 2), epoch(1, 2))
    assert not np.array_equal(epoch(1, 2), epoch(1, 3))
    assert not np.array_equal(epoch(1, 2), epoch(2, 2))


def test_counts_are_those_of_the_epoch(parts):
    train = parts[0]
    y = np.concatenate([y for _, y in train.batches(50, seed=4, epoch=2)])
    expected = {name: int((y == k).sum()) for k, name in enumerate(train.classes)}
    assert train.counts(seed=4, epoch=2) == expected and expected["pvc"] > 0


def test_frames_without_a_label_are_drawn_anew_and_counted():
    collector = Collector("half", "1", classes=())
    x = np.random.default_rng(0).integers(-900, 900, (6000, 1)).astype(np.int16)
    marks = (np.arange(3000, 6000, 40), ["N"] * 75, [""] * 75)
    collector.add(Reading("half0", x, RATE, ["I"], [1000.0], [0.0], marks=marks), "half")
    found = frames.sampled([collector.recordings()], SECONDS, RATE)
    labelled = classification.LabelledFrames(found, "beat", 3000)
    drawn = np.concatenate(list(labelled._drawn(500, seed=0, epoch=0)), axis=1)
    assert drawn.shape == (3, 3000) and UNLABELLED not in drawn[2]
    assert drawn[1].min() >= 3000 - N  # a frame in the first half has no beat
    # Half of the first 4,096 are too few, so as many more were drawn
    share = labelled.skipped["frame without a label, drawn anew"] / (2 * classification.DRAWN)
    assert share == pytest.approx((3000 - N) / (6000 - N), abs=0.03)


def test_a_source_whose_frames_have_no_label(source):
    """It is said before anything is trained; of a small part the subjects are named."""
    whole = frames.sampled([source], SECONDS, RATE)
    with pytest.raises(EcgtlError) as error:
        classification.LabelledFrames(whole, "rhythm", 10)
    one_line(error, "none of 4096 frames", "from made has", "rhythm", "another seed")
    with pytest.raises(EcgtlError) as error:
        classification.LabelledFrames(whole.split(0.1, 0.1, seed=0)[1], "rhythm", 10)
    one_line(error, "from made/made")


def test_a_source_without_annotations(source):
    bare = Collector("bare", "1", classes=())
    bare.add(Reading("bare0", np.asarray(source.samples[:6000]), RATE, ["I"], [1000.0], [0.0]), "bare")
    found = frames.sampled([source, bare.recordings()], SECONDS, RATE)
    with pytest.raises(EcgtlError) as error:
        classification.LabelledFrames(found, "beat", 10)
    one_line(error, "bare", "no annotations")


# --- scores -------------------------------------------------------------------------------------------------


class Fixed:
    """Examples whose answers are known: the network gives back what the input says."""

    def __init__(self, truth, answers, classes):
        self.truth, self.answers, self.classes = np.array(truth), np.array(answers), classes

    def __len__(self):
        return len(self.truth)

    def batches(self, batch_size, seed, epoch=0):
        for k in range(0, len(self), 3):
            x = np.eye(4, dtype=np.float32)[self.answers[k:k + 3]]
            yield x, self.truth[k:k + 3]


def test_scores_against_scikit_learn():
    from sklearn.metrics import f1_score

    rng = np.random.default_rng(0)
    truth, answers = rng.integers(0, 4, 50), rng.integers(0, 4, 50)
    found = classification.scores(torch.nn.Identity(), Fixed(truth, answers, tuple("abcd")),
                                  loop.mixed("float32", CPU), CPU, 0)
    assert found["accuracy"] == pytest.approx(np.mean(truth == answers))
    assert found["macro_f1"] == pytest.approx(f1_score(truth, answers, average="macro"))
    by_class = f1_score(truth, answers, average=None).tolist()
    assert list(found["f1_per_class"].values()) == pytest.approx(by_class)
    logits = np.eye(4)[answers]
    expected = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(50), truth]
    assert found["loss"] == pytest.approx(expected.mean(), rel=1e-5)
    assert found["counts"] == {name: int((truth == k).sum()) for k, name in enumerate("abcd")}
    assert found["majority"] == pytest.approx(np.bincount(truth).max() / 50)


def test_classes_that_nobody_met_do_not_count():
    """Held-out patients may have no flutter at all; a class of which there is nothing to say is not a score
    of 0.
    """
    found = classification.scores(torch.nn.Identity(), Fixed([0, 0, 1, 1], [0, 0, 1, 3], tuple("abcd")),
                                  loop.mixed("float32", CPU), CPU, 0)
    assert list(found["f1_per_class"]) == ["a", "b", "d"]
    assert found["macro_f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    ours = metrics.macro_f1(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 3]))
    assert found["macro_f1"] == pytest.approx(ours)


# --- training -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(parts):
    return classification.fit(network(), *parts, recipe(), CPU)


def test_beats_are_learnt(trained, parts):
    columns = {"epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy",
               "validation_score", "seconds"}
    assert [set(row) for row in trained.history] == [columns] * 3
    assert trained.history[-1]["train_loss"] < 0.7 * trained.history[0]["train_loss"]
    model = network()
    model.load_state_dict(trained.weights)
    found = classification.scores(model, parts[1], loop.mixed("float32", CPU), CPU, 0)
    assert found["accuracy"] > found["majority"] + 0.1
    best = trained.history[loop.best_epoch(trained.history, "validation_accuracy") - 1]
    assert found["accuracy"] == pytest.approx(best["validation_accuracy"])
    assert found["loss"] == pytest.approx(best["validation_loss"], rel=1e-5)


@pytest.mark.parametrize("select_on, best", [("accuracy", 3), ("loss", 2), ("score", 1)])
def test_the_weights_of_the_best_validation_epoch_are_kept(parts, monkeypatch, select_on, best):
    seen = []
    made_up = {"loss": (3, 1, 2), "accuracy": (.2, .3, .4), "macro_f1": (.5, .4, .5)}

    def pretended(model, examples, autocast, device, seed):
        assert examples is parts[1]
        seen.append(loop.weights_of(model))
        return {name: values[len(seen) - 1] for name, values in made_up.items()}

    monkeypatch.setattr(classification, "scores", pretended)
    fit = classification.fit(network(), *parts, recipe(select_on=f"validation_{select_on}"), CPU)
    assert all(torch.equal(fit.weights[name], t) for name, t in seen[best - 1].items())
    assert not torch.equal(seen[0]["output.weight"], seen[1]["output.weight"])


def test_a_run_is_a_function_of_its_recipe(trained, parts):
    again = classification.fit(network(), *parts, recipe(), CPU)
    assert without_times(again.history) == without_times(trained.history)
    assert all(torch.equal(again.weights[name], t) for name, t in trained.weights.items())


def test_a_killed_run_goes_on_from_its_state(trained, parts, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "STATE_SECONDS", 0.0)

    def kill(row):
        if row["epoch"] == 2:
            raise KeyboardInterrupt

    state = tmp_path / "state.pt"
    with pytest.raises(KeyboardInterrupt):
        classification.fit(network(), *parts, recipe(), CPU, state, kill)
    assert state.is_file()
    seen = []
    again = classification.fit(network(5), *parts, recipe(), CPU, state,
                               lambda row: seen.append(row["epoch"]))
    assert seen == [2, 3]
    assert without_times(again.history) == without_times(trained.history)
    assert all(torch.equal(again.weights[name], t) for name, t in trained.weights.items())


def test_adam_takes_the_options_of_the_config(parts):
    usual, damped = (classification.fit(network(), *parts, recipe(epochs=1, adam=adam), CPU).weights["output.weight"]
                     for adam in ({}, {"eps": 1e6}))
    before = network().state_dict()["output.weight"]
    assert (damped - before).abs().max() < 1e-6 < (usual - before).abs().max()


def test_a_loss_that_is_no_number_stops_the_run(parts):
    with pytest.raises(EcgtlError) as error:
        classification.fit(network(), *parts, recipe(learning_rate=1e30), CPU)
    one_line(error, "not finite", "learning_rate")


def test_what_goes_wrong_while_drawing_is_said(parts, monkeypatch):
    """Batches are drawn by another thread."""
    def broken(*given):
        raise EcgtlError("the disk is gone")

    monkeypatch.setattr(parts[0].frames, "take", broken, raising=False)
    with pytest.raises(EcgtlError, match="the disk is gone"):
        classification.fit(network(), *parts, recipe(epochs=1), CPU)


def test_fine_tuning_can_start_from_the_weights(trained, tmp_path):
    facts = {"arch": "resnet18", "width": 4, "in_channels": 1, "sampling_rate": RATE, "seconds": SECONDS}
    checkpoint.save(tmp_path / "beat.safetensors", trained.weights, facts)
    fresh = network(n_outputs=7, seed=9)
    before = fresh.output.weight.detach().clone()
    checkpoint.transfer(fresh, tmp_path / "beat.safetensors", "resnet18", 4, 1)
    assert torch.equal(fresh.output.weight, before)
    own = fresh.state_dict()
    kept = {name: t for name, t in trained.weights.items() if not name.startswith("output.")}
    assert len(kept) > 50 and all(torch.equal(own[name], t) for name, t in kept.items())


# --- the twin -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", frame_labels.TASKS)
def test_every_task_on_the_twin(task):
    """The made MIT-BIH database has each class that the real one has."""
    twin = datasets.load("mitdb", twin=True)
    train, validation, test = frames.sampled([twin], 512 / 250, 62.5).split(0.15, 0.1, seed=0)
    assert min(len(part.subjects) for part in (train, validation, test)) >= 1
    labelled = classification.LabelledFrames(train, task, 100)
    counts = labelled.counts(seed=0)
    absent = {"rhythm": {"noise"}, "heart_rate": {"noise"}}.get(task, set())
    assert {name for name, n in counts.items() if n == 0} <= absent
    x, y = next(labelled.batches(16, seed=0))
    assert x.shape == (16, 1, 128) and np.isfinite(x).all() and 0.05 < x.std() < 5
    assert len(y) == 16
