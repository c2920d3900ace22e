"""Trivial baselines: intervals by hand, beats against a known rhythm, boosting on features that tell classes apart."""

import itertools

import numpy as np
import pytest
from sklearn.metrics import f1_score

from ecgtl import datasets, metrics
from ecgtl.config import FinetuneConfig
from ecgtl.datasets import arrays
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.errors import EcgtlError
from ecgtl.jobs import finetune
from ecgtl.models import baselines
from ecgtl.report.jobs import finetune as jobs_finetune
from ecgtl.signals import rr_intervals


def features(beats, rate=100, n_samples=1000):
    return dict(zip(rr_intervals.FEATURES, rr_intervals.interval_features(np.asarray(beats), rate, n_samples),
                    strict=True))


def spikes(intervals, rate=250):
    """A trace with one narrow QRS complex after each interval (s), and its sample numbers."""
    beats = np.round(np.cumsum(intervals) * rate).astype(int)
    time = np.arange(beats[-1] + rate)
    x = sum(np.exp(-0.5 * ((time - beat) / (0.012 * rate)) ** 2) for beat in beats)
    return x + np.random.default_rng(0).normal(0, 0.01, len(time)), beats


# --- majority -----------------------------------------------------------------------------------------------------


def test_majority_gives_the_shares_of_the_training_part():
    p = baselines.majority(np.array([2, 0, 2, 2]), n_classes=4, n_test=3)
    assert p.tolist() == [[0.25, 0, 0.75, 0]] * 3


def test_no_constant_answer_has_a_higher_f1_than_every_label():
    rng = np.random.default_rng(0)
    y = (rng.random((60, 4)) < [0.05, 0.3, 0.6, 0.95]).astype(np.uint8)
    answer = baselines.all_positive(*y.shape)
    assert answer.shape == y.shape and answer.all()
    highest = metrics.weighted_f1(y, answer)
    assert highest == pytest.approx(f1_score(y, answer, average="weighted"))
    others = [metrics.weighted_f1(y, np.tile(given, (60, 1))) for given in itertools.product((0, 1), repeat=4)][:-1]
    assert len(others) == 15 and max(others) < highest


# --- intervals ----------------------------------------------------------------------------------------------------


def test_features_of_intervals_by_hand():
    found = features([0, 100, 180, 300, 400])  # intervals of 1.0, 0.8, 1.2 and 1.0 s
    assert found["beats"] == 5 and found["seconds"] == 10
    assert found["mean_rr"] == pytest.approx(1.0) and found["median_rr"] == pytest.approx(1.0)
    assert (found["min_rr"], found["max_rr"]) == (0.8, 1.2)
    assert found["sd_rr"] == pytest.approx(np.sqrt(0.08 / 4)) == pytest.approx(found["cv_rr"])
    assert found["rmssd"] == pytest.approx(np.sqrt((0.04 + 0.16 + 0.04) / 3)) and found["pnn50"] == 1.0
    assert found["iqr_rr"] == pytest.approx(1.05 - 0.95)
    assert found["lag1_rr"] == pytest.approx((0 * -0.2 + -0.2 * 0.2 + 0.2 * 0) / 0.08)


def test_a_steady_rhythm_varies_in_nothing():
    found = features(np.arange(0, 1000, 80))
    for name in ("sd_rr", "rmssd", "pnn50", "cv_rr", "iqr_rr", "lag1_rr"):
        assert found[name] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("beats", [[], [5], [5, 90], [5, 90, 180]])
def test_too_few_beats_leave_gaps_and_no_error(beats):
    found = features(beats)
    assert found.pop("beats") == len(beats) and found.pop("seconds") == 10 and np.isnan(list(found.values())).all()


def test_detected_beats_are_the_beats():
    x, beats = spikes(np.random.default_rng(1).uniform(0.6, 1.1, 40))
    found = rr_intervals.detect_beats(x, 250)
    distance = np.abs(found[:, None] - beats[None])
    assert (distance.min(axis=1) <= 10).all()  # every detected beat is one, within 40 ms
    assert (distance.min(axis=0) <= 10).mean() >= 0.9  # the detector learns on the first few


@pytest.mark.parametrize("rate", [250, 512.844, 800, 1000, 1024, 2000, 8000])
def test_beats_are_found_at_any_rate(rate):
    t = np.arange(round(30 * rate)) / rate
    x = 5 + np.exp(-((t % 0.8 - 0.4) / 0.02) ** 2) + np.random.default_rng(0).normal(0, 0.02, len(t))
    found = rr_intervals.detect_beats(x, rate)
    np.testing.assert_allclose(np.diff(found / rate), 0.8, atol=0.03)
    assert 36 <= len(found) <= 38 and np.abs(found / rate % 0.8 - 0.4).max() < 0.03


# --- features of a data set, and boosting on them ------------------------------------------------------------------


def steady_and_irregular(n=40):
    """Recordings of a steady and of an irregular rhythm with equal mean rates, one after the other."""
    rng = np.random.default_rng(3)
    collector = Collector("rhythms", "1", ("steady", "irregular"))
    for k in range(n):
        x, _ = spikes(np.full(12, 0.8) if k % 2 == 0 else rng.uniform(0.45, 1.15, 12))
        stored = np.round(500 * x[:, None] + k % 7).astype(np.int16)
        label = ("steady", "irregular")[k % 2]
        collector.add(Reading(f"r{k}", stored, 250.0, ["I"], [500.0], [0.0], label=label), f"r{k}")
    return collector.recordings()


def test_rr_intervals_tell_a_steady_rhythm_from_an_irregular_one(monkeypatch):
    data = steady_and_irregular()
    table = rr_intervals.rr_features(data)
    assert table.shape == (40, len(rr_intervals.FEATURES))
    monkeypatch.setattr(rr_intervals, "beats_of", lambda *given: pytest.fail("not from the cache"))
    np.testing.assert_array_equal(rr_intervals.rr_features(data), table)
    sd = table[:, rr_intervals.FEATURES.index("sd_rr")]
    assert np.nanmax(sd[data.labels == 0]) < np.nanmin(sd[data.labels == 1])


def test_boosting_uses_the_training_part_alone():
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 3], 60)  # class 2 never occurs
    table = y[:, None] + rng.normal(0, 0.1, (180, 3))
    table[::9, 1] = np.nan
    order = rng.permutation(180)
    train, test = order[:120], order[120:]
    p = baselines.rr_boosting(table, y[train], train, test, 4, seed=0)
    assert p.shape == (60, 4) and (p[:, 2] == 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert metrics.accuracy(y[test], p.argmax(axis=1)) > 0.95
    assert (p == baselines.rr_boosting(table, y[train], train, test, 4, seed=0)).all()
    table[test[1:]] = 99  # other test recordings change nothing for the first
    assert (baselines.rr_boosting(table, y[train], train, test, 4, seed=0)[0] == p[0]).all()


def test_beats_found_by_worker_processes_equal_those_of_one():
    data = steady_and_irregular(12)
    # workers are started
    one, spread = rr_intervals.beats_of(data, together=12), rr_intervals.beats_of(data, together=3)
    assert list(map(len, one)) == list(map(len, spread)) and (np.concatenate(one) == np.concatenate(spread)).all()


@pytest.mark.needs("challenge-2017")
def test_majority_and_intervals_on_the_real_cinc2017(real_data):
    data = datasets.load("cinc2017", real_data)
    some = data.select(np.concatenate([np.flatnonzero(data.labels == k)[:15] for k in (0, 1)]))
    table = rr_intervals.rr_features(some)
    cv = table[:, rr_intervals.FEATURES.index("cv_rr")]
    assert np.nanmedian(cv[some.labels == 1]) > 1.5 * np.nanmedian(cv[some.labels == 0])  # AF is irregular


# --- signals without beats ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [5.0, 50.0, 250.0])
@pytest.mark.parametrize("n", [1, 2, 5, 40, 300, 5000])
@pytest.mark.parametrize("kind", ["flat", "noise", "impulse"])
def test_signals_without_beats_have_features(kind, n, rate):
    x = {"flat": np.zeros(n), "noise": np.random.default_rng(0).normal(0, 1e-4, n),
         "impulse": np.eye(1, n, n // 2)[0]}[kind]
    beats = rr_intervals.detect_beats(x, rate)
    assert beats.dtype == np.int64
    if len(beats) < 4:
        features = rr_intervals.interval_features(beats, rate, n)
        assert features[0] == len(beats) and np.isnan(features[1:-1]).all() and features[-1] == n / rate


def without_beats(n=40, seconds=2.0, beats=0):
    """Recordings of noise, the last ``beats`` of which have beats."""
    rng = np.random.default_rng(0)
    x = rng.normal(0, 1e-4, (n, round(seconds * 250)))
    for row in x[n - beats:]:
        row[100::200] += 1.0
    return arrays.from_array(x, 250, ["II"], ["ab"[k % 2] for k in range(n)])


def test_no_beats_to_train_on_is_an_error_and_some_are_enough():
    y = np.arange(40) % 2
    features = rr_intervals.rr_features(without_beats())
    with pytest.raises(EcgtlError, match="none of the 30 recordings to train on shows enough beats for RR intervals"):
        baselines.rr_boosting(features, y[:30], np.arange(30), np.arange(30, 40), 2, 0)
    features = rr_intervals.rr_features(without_beats(beats=4, seconds=20.0))
    p = baselines.rr_boosting(features, y[10:], np.arange(10, 40), np.arange(10), 2, 0)
    assert p.shape == (10, 2) and np.isfinite(p).all()


def test_a_baseline_that_is_not_computable_is_named_and_the_rest_stays(monkeypatch, capsys):
    found = without_beats()
    monkeypatch.setattr(datasets, "load", lambda *given, **options: found)
    config = FinetuneConfig.of(dataset="folder", tier="demo", seconds=2.0, width=2, epochs=1, batch_size=8)
    network = finetune.run(config)
    trivial = finetune.baseline_results(config)
    assert list(trivial) == ["majority"]
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and "the baseline rr_boosting is not computable: none of the" in said
    assert "rr_boosting" not in jobs_finetune.scores_table(network, trivial).data
    jobs_finetune.verdict_on_baselines(network, trivial)
