"""Frames at random positions: where they lie, what is in them, whom they are drawn from, and how much memory
they take.
"""

import itertools
import re
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from messages import one_line
from scipy import signal

from ecgtl.datasets import mitdb
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.errors import EcgtlError
from ecgtl.signals import frames, windows

N = 512


def ecg(seconds, rate, seed):
    """Something with spikes, noise and drift, in mV."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    spikes = np.exp(-(((t * 1.1 + rng.random()) % 1 - 0.5) / 0.02) ** 2)
    return 0.4 + spikes + 0.5 * np.sin(2 * np.pi * 0.07 * t + seed) + 0.05 * rng.normal(size=len(t))


def recordings(name, signals, rate, subjects=None, leads=("II",), gain=1000.0, baseline=100.0):
    """A Recordings of ``signals`` in mV, (samples,) or (samples, leads), stored as 16-bit integers."""
    collector = Collector(name, "1", classes=())
    for k, x in enumerate(signals):
        stored = np.round(gain * np.reshape(x, (len(x), -1)) + baseline).astype(np.int16)
        n = stored.shape[1]
        collector.add(Reading(f"{name}{k}", stored, rate, leads[:n], [gain] * n, [baseline] * n,
                              subject=subjects and subjects[k]), name)
    return collector.recordings()


def drawn(found, n=200, seed=0, **options):
    return found.draw(np.random.default_rng(seed), n, **options)


# --- what is in a frame -------------------------------------------------------------------------------------


def test_a_frame_is_a_standardised_piece_of_the_recording():
    signals = [ecg(20, 250, 1), ecg(9, 250, 2)]
    found = frames.sampled([recordings("a", signals, 250.0)], N / 250)
    stored = [np.round(1000 * x) / 1000 for x in signals]
    whole = np.concatenate(stored)
    mean, sd = found.statistics["a"]
    assert (mean, sd) == pytest.approx((whole.mean(), whole.std()), rel=1e-6)
    row, start = drawn(found)
    got = found.take(row, start)
    assert (got.shape, got.dtype) == ((200, 1, N), np.float32)
    origin = found.origin(row, start)
    for frame, (_, record, seconds) in zip(got[:, 0], origin, strict=True):
        first = round(seconds * 250)
        expected = (stored[int(record[1:])][first:first + N] - mean) / sd
        np.testing.assert_allclose(frame, expected, atol=2e-6)


@pytest.mark.parametrize("rate", [100, 128, 257, 300, 360, 500, 1000])
def test_other_rates_are_resampled_as_a_whole(rate, monkeypatch):
    """Oracle: resample the whole recording with SciPy, then cut; here it is done in small blocks."""
    monkeypatch.setattr(frames, "CHUNK", 3000)
    x = ecg(40, rate, 7)[:-1]  # so that the last sample at 250 Hz lies beyond it
    found = frames.sampled([recordings(f"a{rate}", [ecg(10, rate, 6), x], float(rate))], N / 250)
    x = np.round(1000 * x) / 1000
    whole = x.mean() + signal.resample_poly(x - x.mean(), 250, rate)
    mean, sd = found.statistics[f"a{rate}"]
    start = np.arange(0, len(whole) - N + 1, 101)
    expected = np.stack([(whole[k:k + N] - mean) / sd for k in start])
    got = found.take(np.ones(len(start), int), start)[:, 0]
    np.testing.assert_allclose(got, expected, atol=0.004)
    assert found.places(np.array([1])).tolist() == [len(whole) - N + 1]


def test_the_statistics_are_those_of_the_whole_database():
    """Two sources of one name are one database; another has its own, also when it is given."""
    first, second = recordings("a", [ecg(20, 250, 1)], 250.0), recordings("b", [3 + ecg(20, 125, 2)], 125.0)
    third = replace(recordings("c", [2 * ecg(30, 250, 3)], 250.0, gain=500.0), name="a")
    found = frames.sampled([first, second, third], 2.0)
    whole = np.concatenate([first.lead(0), third.lead(0)]).astype(float)
    assert found.statistics["a"] == pytest.approx((whole.mean(), whole.std()), rel=1e-5)
    assert found.statistics["b"] == pytest.approx((second.lead(0).mean(), second.lead(0).std()), rel=1e-5)
    given = frames.sampled([first, second], 2.0, statistics={"b": (1.0, 2.0)})
    assert given.statistics["b"] == (1.0, 2.0)
    mean, sd = found.statistics["b"]
    ours, theirs = found.take(np.array([2]), np.array([40])), given.take(np.array([1]), np.array([40]))
    np.testing.assert_allclose(theirs * 2 + 1, ours * sd + mean, atol=1e-5)


@pytest.mark.parametrize("rate", [250.0, 125.0])
def test_the_first_lead_of_several(rate):
    x, y = ecg(20, 250, 1), ecg(20, 250, 2)
    found = frames.sampled([recordings("a", [np.stack([y, x], axis=1)], 250.0, leads=("II", "I"))], 2.0, rate)
    alone = frames.sampled([recordings("b", [y], 250.0)], 2.0, rate)
    got, wanted = (one.take(np.array([0]), np.array([300])) for one in (found, alone))
    np.testing.assert_allclose(got, wanted, atol=2e-3)


def test_stored_integers_hold_a_recording_that_is_far_from_zero():
    """A level of 20 mV and a heart of 0.05 mV: float16 would keep two digits of it."""
    x = 20 + 0.05 * ecg(20, 360, 1)
    found = frames.sampled([recordings("a", [x, -x], 360.0, gain=1600.0)], 2.0, statistics={"a": (0.0, 1.0)})
    got = found.take(np.array([0]), np.array([100]))[0, 0]
    stored = np.round(1600 * x) / 1600
    whole = stored.mean() + signal.resample_poly(stored - stored.mean(), 25, 36)
    np.testing.assert_allclose(got, whole[100:600], atol=2e-5)


@pytest.mark.parametrize("piece", [slice(None), slice(500, None), slice(None, None, 2)])
def test_samples_in_a_file_or_a_piece_of_one(tmp_path, piece):
    """A slice of a memory map still names the whole file: its place in it must not be lost."""
    source = recordings("a", [ecg(40, 250, 1)], 250.0)
    np.save(tmp_path / "samples.npy", source.samples)
    samples = np.load(tmp_path / "samples.npy", mmap_mode="r")[piece]
    source = replace(source, samples=samples, offsets=np.array([0, len(samples)]), digest=f"{piece}")
    found = frames.sampled([source], 2.0)
    mean, sd = found.statistics["a"]
    got = found.take(np.array([0]), np.array([700]))[0, 0] * sd + mean
    np.testing.assert_allclose(got, source.lead(0)[700:1200], atol=1e-5)


def test_a_frame_beyond_its_recording_is_refused():
    found = frames.sampled([recordings("a", [ecg(9, 250, 1), ecg(20, 250, 2)], 250.0)], N / 250)
    last = found.places(np.array([0]))[0] - 1
    assert found.take(np.array([0]), np.array([last])).shape == (1, 1, N)
    for start in (last + 1, -1):
        with pytest.raises(IndexError):
            found.take(np.array([0]), np.array([start]))


# --- whom frames are drawn from -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def uneven():
    """Three subjects: 300 s in one recording; 10 s; 20 and 40 s."""
    seconds = (300, 10, 20, 40)
    signals = [ecg(s, 50, k) for k, s in enumerate(seconds)]
    return recordings("a", signals, 50.0, subjects=["x", "y", "z", "z"])


def test_subjects_are_equally_likely_and_then_places(uneven):
    found = frames.sampled([uneven], 2.0, 50.0)
    assert found.subjects.tolist() == ["a/x", "a/y", "a/z"]
    row, start = drawn(found, 30_000)
    records = np.array([int(record[1:]) for _, record, _ in found.origin(row, start)])
    shares = np.bincount(records) / len(records)
    places = np.array([301 * 50, 0, 19 * 50, 39 * 50]) - 49
    of_z = places[2:] / places[2:].sum() / 3
    np.testing.assert_allclose(shares, [1 / 3, 1 / 3, *of_z], atol=0.012)
    for record, n in enumerate((14_901, 401, 901, 1901)):
        here = start[records == record]
        assert here.min() >= 0 and here.max() == pytest.approx(n - 1, abs=max(3, n // 500))
        np.testing.assert_allclose(np.histogram(here, 5, (0, n))[0] / len(here), 0.2, atol=0.03)


def test_every_place_can_be_drawn(uneven):
    found = frames.sampled([uneven.select([1])], 9.9, 50.0)
    assert set(drawn(found, 300)[1].tolist()) == {0, 1, 2, 3, 4, 5}
    whole = frames.sampled([uneven.select([1])], 10.0, 50.0)
    assert set(drawn(whole)[1].tolist()) == {0}


def test_so_many_frames_in_a_row_fit_into_the_recordings(uneven):
    found = frames.sampled([uneven], 2.0, 50.0, span=8)
    assert found.skipped == {"recording shorter than 8 frames": 1}  # 10 s
    row, start = drawn(found, 2000)
    assert (start + 8 * 100 <= np.array([300, 20, 40])[row] * 50).all()
    assert (drawn(found, 2000, span=1)[1] + 800 > np.array([300, 20, 40])[row] * 50).any()
    assert found.take(row, start + 700).shape == (2000, 1, 100)


def test_frames_of_given_subjects(uneven):
    found = frames.sampled([uneven], 2.0, 50.0)
    who = np.array([2, 0, 1] * 50)
    row, _ = drawn(found, 150, subjects=who)
    assert found.subject[row].tolist() == who.tolist()
    assert set(row[who == 2].tolist()) == {2, 3}


def test_draws_are_seeded(uneven):
    found = frames.sampled([uneven], 2.0, 50.0)
    np.testing.assert_array_equal(drawn(found), drawn(found))
    assert not np.array_equal(drawn(found), drawn(found, seed=1))


# --- parts --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def many():
    """Twenty subjects of two recordings each, and five of another database."""
    subjects = [f"s{k // 2}" for k in range(40)]
    return [recordings("a", [ecg(17 + k / 20, 100, k) for k in range(40)], 100.0, subjects),
            recordings("b", [ecg(17, 100, 50 + k) for k in range(5)], 100.0)]


def test_no_subject_is_in_two_parts(many):
    whole = frames.sampled(many, 2.0, 100.0)
    parts = whole.split(0.2, 0.2, seed=3)
    named = [set(part.subjects.tolist()) for part in parts]
    assert not (named[0] & named[1] or named[0] & named[2] or named[1] & named[2])
    assert set.union(*named) == set(whole.subjects.tolist())
    assert [sum(name.startswith("a/") for name in part) for part in named] == [12, 4, 4]
    # The same subjects as windows of the same seed
    of_windows = windows.unlabelled(many, 2.0, 100.0).split(0.2, 0.2, 3)
    assert [set(part.subjects.tolist()) for part in of_windows] == named
    for part, names in zip(parts, named, strict=True):
        subject = {f"a{k}": f"a/s{k // 2}" for k in range(40)} | {f"b{k}": f"b/b{k}" for k in range(5)}
        origins = part.origin(*drawn(part, 300))
        assert {subject[record] for _, record, _ in origins} == names
        assert part.statistics == whole.statistics


def test_one_patient_cannot_be_divided(many):
    alone = recordings("b", [ecg(17, 100, 0), ecg(30, 100, 1)], 100.0, subjects=["x", "x"])
    with pytest.raises(EcgtlError) as error:
        frames.sampled([alone], 2.0, 100.0).split(0.2, 0.2, seed=0)
    one_line(error, "validation set", "1 subjects")


def test_excluded_recordings_never_appear(many):
    found = frames.sampled(many, 2.0, 100.0, exclude={"a": ["a7"]})
    assert "a/s3" not in found.subjects.tolist()  # neither it nor the other recording of its subject
    assert found.skipped == {"recording excluded": 2}
    assert len(found.subjects) == 24


# --- bad input ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"seconds": 0}, {"rate": -250.0}, {"seconds": 0.001}])
def test_sizes_not_above_0(many, options):
    with pytest.raises(EcgtlError) as error:
        frames.sampled(many, **options)
    one_line(error, "above 0")


def test_recordings_that_are_all_too_short(many):
    with pytest.raises(EcgtlError) as error:
        frames.sampled(many, 2.0, 100.0, span=20)
    one_line(error, "a, b", "40 s", "45 are shorter")


def test_a_database_that_does_not_vary():
    flat = recordings("a", [ecg(20, 250, 0)], 250.0)
    flat = replace(flat, samples=np.full_like(flat.samples, 7), digest="flat")
    with pytest.raises(EcgtlError) as error:
        frames.sampled([flat], 2.0)
    one_line(error, "a does not vary")


def test_missing_samples():
    hole = recordings("a", [ecg(20, 250, 0), ecg(20, 250, 1)], 250.0)
    samples = hole.samples.astype(np.float64)
    samples[6000] = np.nan
    with pytest.raises(EcgtlError) as error:
        frames.sampled([replace(hole, samples=samples, digest="hole")], 2.0)
    one_line(error, "a1", "NaN", "on_bad=skip")


# --- the cache and memory -----------------------------------------------------------------------------------


def test_signals_are_read_and_resampled_once(monkeypatch):
    source = recordings("a", [ecg(20, 360, 0), ecg(30, 360, 1)], 360.0)

    def take():
        found = frames.sampled([source], 2.0, 125.0)
        return found.take(*drawn(found))

    before = take()
    monkeypatch.setattr(frames, "_moments_of", None)
    monkeypatch.setattr(frames, "_resample", None)
    np.testing.assert_array_equal(take(), before)
    found = frames.sampled([source], 2.0, 62.5)
    rows = drawn(found)
    with pytest.raises(TypeError):  # another rate has to be made
        found.take(*rows)


def test_few_sources_are_kept_open(many, monkeypatch):
    monkeypatch.setattr(frames, "OPEN", 2)
    found = frames.sampled([many[0].select([2 * k, 2 * k + 1]) for k in range(20)], 2.0, 50.0)
    whole = frames.sampled(many[:1], 2.0, 50.0)
    row, start = drawn(found)
    assert found.origin(row, start) == whole.origin(row, start)
    np.testing.assert_allclose(found.take(row, start), whole.take(row, start), atol=1e-6)
    assert [len(part.subjects) for part in found.split(0.25, 0.1, seed=0)] == [13, 5, 2]


@pytest.fixture
def huge(tmp_path):
    """A database of 20 GB, sparse on disk: 100 recordings of 100 subjects at 250 Hz, empty but for their
    ends.
    """
    n, length = 100, 100_000_000
    samples = np.lib.format.open_memmap(tmp_path / "samples.npy", "w+", np.int16, (n * length, 1))
    for k in range(n):
        samples[(k + 1) * length - 5000:(k + 1) * length, 0] = np.round(1000 * ecg(20, 250, k))
    samples = np.load(tmp_path / "samples.npy", mmap_mode="r")
    small = recordings("huge", [ecg(9, 250, k) for k in range(n)], 250.0, baseline=0.0)
    return replace(small, samples=samples, offsets=np.arange(n + 1) * length, digest="huge")


def anonymous():
    """Bytes of memory that this process holds and no file stands behind (Linux; 0 elsewhere)."""
    status = Path("/proc/self/status")
    return int(re.search(r"RssAnon:\s+(\d+)", status.read_text())[1]) * 1024 if status.exists() else 0


def test_memory_does_not_grow_with_the_source(huge):
    before = anonymous()
    tracemalloc.start()
    found = frames.sampled([huge], 2048 / 250, statistics={"huge": (0.4, 0.5)})
    train, validation, _ = found.split(0.1, 0.1, seed=0)
    rng = np.random.default_rng(0)
    for part in (train, validation):
        for _ in range(20):
            assert part.take(*part.draw(rng, 64)).shape == (64, 1, 2048)
    row = np.arange(100)
    ends = found.take(row, np.full(100, 100_000_000 - 2048))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert ends.std() > 0.3
    assert peak < 10e6  # the batches themselves, mostly
    assert anonymous() - before < 50e6


def test_statistics_of_a_long_recording_are_taken_piece_by_piece(tmp_path):
    length = 20_000_000
    samples = np.lib.format.open_memmap(tmp_path / "samples.npy", "w+", np.int16, (length, 1))
    samples[:10_000_000] = 100
    source = replace(recordings("long", [ecg(9, 250, 0)], 250.0, baseline=0.0), samples=samples,
                     offsets=np.array([0, length]), digest="long")
    tracemalloc.start()
    found = frames.sampled([source], 2.0, 125.0)
    found.take(*drawn(found, 16))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found.statistics["long"] == pytest.approx((0.05, 0.05))
    assert peak < 100e6  # the whole recording in mV would take 160 MB, and as much again for each step


# --- real recordings ----------------------------------------------------------------------------------------


@pytest.mark.needs("mitdb")
def test_a_real_record_against_wfdb(real_data):
    import wfdb

    found = frames.sampled([mitdb.read(real_data)], 2048 / 360, 360.0)
    assert len(found.subjects) == 47 and len(found.source) == 48
    mean, sd = found.statistics["mitdb"]
    row, start = drawn(found, 20)
    taken = found.take(row, start)[:, 0]
    for frame, (_, record, seconds) in zip(taken, found.origin(row, start), strict=True):
        first = round(seconds * 360)
        path = str(real_data / mitdb.FOLDER / record)
        expected = wfdb.rdrecord(path, sampfrom=first, sampto=first + 2048).p_signal[:, 0]
        np.testing.assert_allclose(frame * sd + mean, expected, atol=1e-5)


# --- fewer subjects, fewer minutes --------------------------------------------------------------------------


def two_databases():
    """Six subjects of 40 s in ``a``, one of them with two recordings of 25 s more, three of 30 s in ``b``."""
    first = [ecg(40, 250, k) for k in range(6)] + [ecg(25, 250, 9), ecg(25, 250, 10)]
    second = [ecg(30, 250, 20 + k) for k in range(3)]
    names = ["p0", "p1", "p2", "p3", "p4", "p5", "p0", "p0"]
    return frames.sampled([recordings("a", first, 250.0, names), recordings("b", second, 250.0)], N / 250)


@pytest.mark.parametrize("seed", range(5))
def test_fewer_subjects_are_among_more_and_keep_the_databases_shares(seed):
    found = two_databases()
    chosen = [set(found.limited(n, None, seed).subjects.tolist()) for n in range(1, 10)]
    assert [len(names) for names in chosen] == [*range(1, 10)]
    assert all(fewer < more for fewer, more in itertools.pairwise(chosen))
    assert {sum(name.startswith("a") for name in names) for names in (chosen[2], chosen[5])} == {2, 4}
    assert found.limited(None, None, seed).subjects.tolist() == found.subjects.tolist()


def test_subjects_are_drawn_anew_for_each_seed():
    assert len({frozenset(two_databases().limited(3, None, seed).subjects.tolist()) for seed in range(20)}) > 10


def test_every_subject_gives_its_first_minutes_over_all_its_recordings():
    found = two_databases().limited(None, 0.5, 0)
    row, start = drawn(found, 4000)
    origin = pd.DataFrame(found.origin(row, start), columns=["database", "record", "second"])
    last = origin.groupby(["database", "record"]).second.max() + N / 250
    assert (last <= 30).all() and (last > 29).all() and len(last) == 9, "p0 gives 30 s of its first recording alone"
    counts = np.bincount(found.subject[row])
    assert np.abs(counts - 4000 / 9).max() < 5 * np.sqrt(4000 / 9)
    longer = frames.sampled([recordings("a", [ecg(20, 250, 1), ecg(20, 250, 2)], 250.0, ["p", "p"])], N / 250)
    row, start = drawn(longer.limited(None, 0.5, 0), 1000)
    names = pd.DataFrame(longer.origin(row, start), columns=["database", "record", "second"])
    assert names.groupby("record").second.max().to_dict() == {"a0": pytest.approx(20 - N / 250, abs=0.2),
                                                              "a1": pytest.approx(10 - N / 250, abs=0.2)}


def test_more_subjects_or_minutes_than_there_are_is_one_line():
    found = two_databases()
    with pytest.raises(EcgtlError, match="10 subjects are asked for, there are 9") as error:
        found.limited(10, None, 0)
    one_line(error)
    for minutes, words in ((0.6, "b/b0 has less"), (0.01, "a frame lasts longer")):
        with pytest.raises(EcgtlError, match=words) as error:
            found.limited(None, minutes, 0)
        one_line(error)
