"""Unlabelled windows: which there are, what is in them, who shares a part, and how much memory they take."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from messages import one_line
from scipy import signal

from ecgtl.datasets import cinc2017, icentia11k, mitdb
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.errors import EcgtlError
from ecgtl.signals import windows

N = 2048


def ecg(seconds, rate, seed):
    """Something with spikes, noise and drift, in mV."""
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate)) / rate
    spikes = np.exp(-(((t * 1.1 + rng.random()) % 1 - 0.5) / 0.02) ** 2)
    return 2 + spikes + 0.5 * np.sin(2 * np.pi * 0.07 * t + seed) + 0.05 * rng.normal(size=len(t))


def recordings(name, signals, rate, subjects=None, leads=("II",)):
    """A Recordings of one-lead ``signals`` in mV, or (samples, leads), stored as 1000 units per mV."""
    collector = Collector(name, "1", classes=())
    for k, x in enumerate(signals):
        stored = np.round(1000 * np.reshape(x, (len(x), -1))).astype(np.int16)
        n = stored.shape[1]
        collector.add(Reading(f"{name}{k}", stored, rate, leads[:n], [1000.0] * n, [0.0] * n,
                              subject=subjects and subjects[k]), name)
    return collector.recordings()


@pytest.fixture(scope="module")
def sources():
    """Two databases: 300 Hz with three recordings, 360 Hz with two of one subject."""
    return [recordings("a", [ecg(30, 300, 1), ecg(9, 300, 2), ecg(8.1, 300, 3)], 300.0),
            recordings("b", [ecg(100, 360, 4), ecg(20, 360, 5)], 360.0, subjects=["x", "x"])]


def test_which_windows_there_are(sources):
    found = windows.unlabelled(sources)
    assert len(found) == 3 + 1 + 0 + 12 + 2
    assert found.skipped == {"recording shorter than a window": 1}
    assert found.origin(range(5)) == [("a", "a0", 0.0), ("a", "a0", 8.192), ("a", "a0", 16.384),
                                      ("a", "a1", 0.0), ("b", "b0", 0.0)]
    assert found.origin([-1 + len(found)]) == [("b", "b1", 8.192)]
    assert found.subjects.tolist() == ["a/a0", "a/a1", "b/x"]
    with pytest.raises(IndexError):
        found.take([len(found)])


@pytest.mark.parametrize("extra, n", [(-1, 2), (0, 3), (1, 3)])
@pytest.mark.parametrize("rate, whole", [(250, 6144), (500, 12288), (125, 3072)])
def test_a_window_needs_all_its_samples(extra, n, rate, whole):
    x = ecg(30, rate, 0)[:whole + extra]
    assert len(windows.unlabelled([recordings("a", [x], float(rate))])) == n


@pytest.mark.parametrize("rate", [100, 128, 250, 257, 300, 360, 500, 1000])
def test_a_window_is_cut_from_the_resampled_and_filtered_recording(rate):
    """Oracle: resample and filter the whole recording with SciPy, then cut."""
    x = ecg(60, rate, 7)
    found = windows.unlabelled([recordings("a", [x], float(rate))])
    whole = signal.resample_poly(np.round(1000 * x) / 1000, 250, rate, padtype="mean")
    whole = signal.sosfiltfilt(signal.butter(3, 0.5, "highpass", fs=250, output="sos"), whole)
    expected = np.stack([whole[k * N:(k + 1) * N] for k in range(len(found))])
    expected = (expected - expected.mean(1, keepdims=True)) / expected.std(1, keepdims=True)
    got = found.take(range(len(found)))
    assert (got.shape, got.dtype) == ((len(found), 1, N), np.float32)
    # At the ends of the recording the filter runs in.
    np.testing.assert_allclose(got[1:-1, 0], expected[1:-1], atol=0.02)
    np.testing.assert_allclose(got[0, 0, 500:], expected[0, 500:], atol=0.05)
    np.testing.assert_allclose(got.mean(axis=2), 0, atol=1e-5)
    np.testing.assert_allclose(got.std(axis=2), 1, atol=1e-5)


def test_other_sizes_of_the_first_lead():
    x = np.stack([ecg(40, 250, 1), ecg(40, 250, 2)], axis=1)
    source = recordings("a", [x], 250.0, leads=("I", "II"))
    found = windows.unlabelled([source], seconds=2.0, rate=125.0)
    assert found.take(range(len(found))).shape == (20, 1, 250)
    alone = windows.unlabelled([recordings("a", [x[:, 0]], 250.0)], seconds=2.0, rate=125.0)
    np.testing.assert_array_equal(found.take([3]), alone.take([3]))


def test_no_signal_is_read_for_the_index(sources):
    class Untouchable:
        def __getitem__(self, key):
            raise AssertionError("a signal was read")

    blind = [replace(source, samples=Untouchable()) for source in sources]
    parts = windows.unlabelled(blind, per_subject=4).split(validation=0.3, test=0.3)
    assert sum(map(len, parts)) == 3 + 1 + 4
    with pytest.raises(AssertionError):
        parts[0].take([0])


def damaged(rate=250):
    """Five windows: the second flat, the fourth with a missing sample."""
    source, n = recordings("a", [ecg(5 * 8.192, rate, 3)], float(rate)), N * rate // 250
    samples = source.samples.astype(np.float64)
    samples[n:2 * n] = samples[n]
    samples[3 * n + n // 2] = np.nan
    return replace(source, samples=samples)


@pytest.mark.parametrize("rate", [250, 500])
def test_flat_and_missing_windows_are_left_out_and_counted(rate):
    found = windows.unlabelled([damaged(rate)])
    assert (len(found), found.skipped) == (5, {})
    got = found.take(range(5))
    assert got.shape == (3, 1, N)
    assert np.isfinite(got).all()
    assert found.skipped == {"flat window": 1, "window with missing samples (NaN)": 1}
    assert sum(len(batch) for batch in found.batches(2, seed=0)) == 3
    assert sum(found.skipped.values()) == 2  # each once, however often it is met
    stored = windows.unlabelled([damaged(rate)]).materialise()
    assert stored.skipped == found.skipped
    assert stored.origin(range(3)) == [("a", "a0", 0.0), ("a", "a0", 16.384), ("a", "a0", 32.768)]
    np.testing.assert_allclose(stored.take(range(3)), got, atol=5e-3)


@pytest.mark.parametrize("microvolts, usable", [(0.3, 0), (30, 3)])
def test_a_window_of_noise_below_a_microvolt_is_flat(microvolts, usable):
    source = recordings("a", [ecg(3 * 8.192, 250, 3)], 250.0)
    noise = microvolts * np.random.default_rng(0).normal(size=source.samples.shape)
    found = windows.unlabelled([replace(source, samples=2.0 + noise)])
    assert len(found.take(range(3))) == usable
    assert found.skipped.get("flat window", 0) == 3 - usable


def test_excluded_recordings_never_appear(sources):
    found = windows.unlabelled(sources, exclude={"a": ["a0"]})
    assert {record for _, record, _ in found.origin(range(len(found)))} == {"a1", "b0", "b1"}
    assert found.skipped == {"recording excluded": 1, "recording shorter than a window": 1}
    by_database = windows.unlabelled(sources, exclude={"a": np.array(["a1", "a2"])})
    assert {record for _, record, _ in by_database.origin(range(len(by_database)))} == {"a0", "b0", "b1"}


def test_excluding_a_recording_excludes_its_subject(sources):
    found = windows.unlabelled(sources, exclude={"b": ["b1"]})
    assert {name for name, _, _ in found.origin(range(len(found)))} == {"a"}
    assert found.skipped["recording excluded"] == 2
    copy = recordings("a", [ecg(9, 300, seed) for seed in (2, 6, 2)], 300.0)  # the last is the first again
    assert windows.unlabelled([copy], exclude={"a": ["a2"]}).subjects.tolist() == ["a/a1"]


@pytest.mark.parametrize("options", [{"seconds": 0}, {"rate": -250}, {"seconds": 0.001}])
def test_sizes_not_above_0(sources, options):
    with pytest.raises(EcgtlError) as error:
        windows.unlabelled(sources, **options)
    one_line(error, "above 0")


def test_nothing_remains(sources):
    with pytest.raises(EcgtlError) as error:
        windows.unlabelled(sources, seconds=200)
    one_line(error, "a, b", "5 are shorter")
    with pytest.raises(EcgtlError) as error:
        windows.unlabelled([])
    one_line(error, "no source")


def test_a_recording_given_twice(sources):
    with pytest.raises(EcgtlError) as error:
        windows.unlabelled([sources[0], sources[1], sources[0]])
    one_line(error, "a/a0", "twice")


def test_so_many_windows_a_subject(sources):
    drawn = windows.unlabelled(sources, per_subject=2, seed=1)
    assert [record[0] for record in drawn.origin(range(len(drawn)))] == ["a", "a", "a", "b", "b"]
    again = windows.unlabelled(sources, per_subject=2, seed=1)
    assert again.origin(range(5)) == drawn.origin(range(5))
    assert len({tuple(windows.unlabelled(sources, per_subject=2, seed=seed).origin(range(5)))
                for seed in range(5)}) > 1
    alone = windows.unlabelled(sources[1:], per_subject=2, seed=1)
    assert alone.origin(range(2)) == drawn.origin(range(3, 5))
    np.testing.assert_array_equal(alone.take([1]), drawn.take([4]))


@pytest.fixture(scope="module")
def many():
    """Twenty subjects of two recordings each, and five of another database."""
    subjects = [f"s{k // 2}" for k in range(40)]
    return [recordings("a", [ecg(17 + k / 20, 250, k) for k in range(40)], 250.0, subjects),
            recordings("b", [ecg(17, 250, 50 + k) for k in range(5)], 250.0)]


@pytest.mark.parametrize("per_subject", [None, 3])
def test_no_subject_is_in_two_parts(many, per_subject):
    whole = windows.unlabelled(many, per_subject=per_subject)
    parts = whole.split(validation=0.2, test=0.2, seed=3)
    assert sum(len(part) for part in parts) == len(whole) == (90 if per_subject is None else 70)
    named = [set(part.subjects.tolist()) for part in parts]
    assert not (named[0] & named[1] or named[0] & named[2] or named[1] & named[2])
    assert [sum(name.startswith("a/") for name in part) for part in named] == [12, 4, 4]
    assert [sum(name.startswith("b/") for name in part) for part in named] == [3, 1, 1]
    origins = [origin for part in parts for origin in part.origin(range(len(part)))]
    assert sorted(origins) == sorted(whole.origin(range(len(whole))))


def test_the_split_is_seeded_and_each_database_has_its_own(many):
    def test_part(sources, seed, **options):
        return windows.unlabelled(sources, **options).split(0.2, 0.2, seed)[2].subjects.tolist()

    assert test_part(many, 3) == test_part(many, 3)
    assert len({tuple(test_part(many, seed)) for seed in range(5)}) > 1
    assert test_part(many[:1], 3) == [name for name in test_part(many, 3) if name.startswith("a/")]
    assert test_part(many, 3, per_subject=1) == test_part(many, 3)


def test_sources_of_one_name_are_one_database(many):
    halves = [many[0].select(range(20)), many[0].select(range(20, 40)), many[1]]
    split = [part.subjects.tolist() for part in windows.unlabelled(halves).split(0.2, 0.2, 3)]
    assert split == [part.subjects.tolist() for part in windows.unlabelled(many).split(0.2, 0.2, 3)]


def test_too_few_subjects_for_a_part(sources):
    with pytest.raises(EcgtlError) as error:
        windows.unlabelled(sources[1:]).split()
    one_line(error, "validation set", "1 subjects")


@pytest.mark.parametrize("stored", [False, True])
def test_an_epoch_is_every_window_once(many, stored):
    found = windows.unlabelled(many, per_subject=3)
    found = found.materialise() if stored else found
    whole = found.take(range(len(found)))
    epochs = [np.concatenate(list(found.batches(16, seed=5, epoch=epoch))) for epoch in (0, 1, 0)]
    sizes = [len(batch) for batch in found.batches(16, seed=5)]
    assert sizes == [16] * (len(found) // 16) + [len(found) % 16]
    np.testing.assert_array_equal(epochs[0], epochs[2])
    assert not np.array_equal(epochs[0], epochs[1])
    for epoch in epochs:
        order = np.lexsort(epoch[:, 0, :3].T)
        np.testing.assert_allclose(epoch[order], whole[np.lexsort(whole[:, 0, :3].T)], atol=1e-5)
    np.testing.assert_allclose(np.concatenate(list(found.batches(7))), whole, atol=1e-5)


@pytest.mark.parametrize("blocks, pool", [(10, 3), (10, 100), (1000, 7)])
def test_the_order_of_very_many_windows_needs_no_permutation_of_all(many, monkeypatch, blocks, pool):
    monkeypatch.setattr(windows, "BLOCKS", blocks)
    monkeypatch.setattr(windows, "POOL", pool)
    found = windows.unlabelled(many)
    orders = [np.concatenate(list(found._order(np.random.default_rng(seed)))) for seed in (0, 1)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(90))
    assert orders[0].tolist() != orders[1].tolist()


def test_materialised_windows_are_the_same(sources):
    found = windows.unlabelled(sources)
    stored = found.materialise()
    assert len(stored) == len(found)
    assert stored.origin(range(len(stored))) == found.origin(range(len(found)))
    assert stored.subjects.tolist() == found.subjects.tolist()
    got = stored.take([5, 0, 5])
    assert (got.dtype, got.shape) == (np.float32, (3, 1, N))
    np.testing.assert_allclose(got, found.take([5, 0, 5]), atol=5e-3)


def test_materialised_once(sources, monkeypatch):
    def take():
        return windows.unlabelled(sources, per_subject=3, seed=8).materialise().take([1])

    before = take()
    monkeypatch.setattr(windows.Windows, "_read", None)
    np.testing.assert_array_equal(take(), before)
    for other in ({"per_subject": 3, "seed": 9}, {"per_subject": 3, "rate": 125.0}, {}):
        with pytest.raises(TypeError):  # other windows have to be read
            windows.unlabelled(sources[1:], **other).materialise()


def test_parts_of_materialised_windows_are_theirs(many):
    found, stored = (one.split(0.2, 0.2)[1].sample(5) for one in (windows.unlabelled(many, per_subject=3),
                                                                windows.unlabelled(many, per_subject=3).materialise()))
    assert found.origin(range(5)) == stored.origin(range(5))
    np.testing.assert_array_equal(found.take(range(5)), stored.take(range(5)))


def test_nothing_usable_leaves_nothing_behind(session_cache):
    source = recordings("a", [ecg(20, 250, 0)], 250.0)
    source = replace(source, samples=np.full_like(source.samples, 3), digest="flat")
    before = set(session_cache.glob("*windows*"))
    with pytest.raises(EcgtlError) as error:
        windows.unlabelled([source]).materialise()
    one_line(error, "none of the 2 windows", "flat")
    assert set(session_cache.glob("*windows*")) == before


@pytest.fixture
def huge(tmp_path):
    """A database of 20 GB, sparse on disk: 100 recordings at 250 Hz, flat but for the end of the last one."""
    n, length = 100, 100_000_000
    samples = np.lib.format.open_memmap(tmp_path / "samples.npy", "w+", np.int16, (n * length, 1))
    samples[-N * 2000:, 0] = np.round(1000 * np.tile(ecg(8.192, 250, 0), 2000))
    samples = np.load(tmp_path / "samples.npy", mmap_mode="r")
    small = recordings("huge", [ecg(9, 250, k) for k in range(n)], 250.0)
    return replace(small, samples=samples, offsets=np.arange(n + 1) * length)


def test_memory_does_not_grow_with_the_source(huge):
    tracemalloc.start()
    found = windows.unlabelled([huge])
    assert len(found) == 100 * (100_000_000 // N)
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.reset_peak()
    batches = found.batches(64, seed=0)
    assert sum(len(next(batches)) for _ in range(5)) < 10  # nearly all of it is flat
    last = found.take(np.arange(len(found) - 300, len(found)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(last) == 300
    assert peak < 50e6  # an order of a million blocks at 8 bytes each, and what 300 windows are made of


@pytest.mark.needs("mitdb", "challenge-2017", "icentia11k-continuous-ecg")
def test_the_windows_at_hand(real_data):
    found = windows.unlabelled([mitdb.read(real_data), icentia11k.read(real_data)])
    names = [name for name, _, _ in found.origin(range(0, len(found), 160))]
    assert len(found) == 10560 + 12800
    assert (names.count("mitdb"), names.count("icentia11k")) == (66, 80)
    got = found.take(range(0, len(found), 160))
    assert got.shape == (146, 1, N)
    whole = windows.unlabelled([cinc2017.read(real_data)])
    assert len(whole) == 28767
    assert round(0.8 * len(whole), -3) == 23000


def test_the_filter_can_be_left_out_or_moved():
    t = np.arange(0, 40, 1 / 250)
    drifting = ecg(40, 250, 1) + 3 * np.sin(2 * np.pi * 0.3 * t)
    source = [recordings("a", [drifting], 250.0)]

    def drift(**options):
        """Share of the windows' power at 0.3 Hz and around."""
        x = windows.unlabelled(source, **options).take([1, 2])[:, 0]
        frequency, power = signal.periodogram(x, 250)
        return power[:, frequency < 0.45].sum() / power.sum()

    kept, removed, moved = drift(highpass=None), drift(), drift(highpass=1.0)
    assert kept > 0.8
    assert removed < 0.5 * kept and moved < 0.05 * removed
    cached = [windows.unlabelled(source, highpass=cutoff).materialise().take([0]) for cutoff in (None, 0.5)]
    assert not np.allclose(*cached, atol=0.1)


def test_a_draw_holds_so_many_windows_of_the_same_parts(sources):
    whole = windows.unlabelled(sources)
    drawn = whole.sample(5, seed=1)
    assert len(drawn) == 5 and len(set(drawn.origin(range(5)))) == 5
    assert set(drawn.origin(range(5))) <= set(whole.origin(range(len(whole))))
    again, other = (whole.sample(5, seed=seed) for seed in (1, 2))
    assert drawn.origin(range(5)) == again.origin(range(5)) != other.origin(range(5))
    assert len(whole.sample(10**6)) == len(whole)
    for k, place in enumerate(drawn.origin(range(5))):
        np.testing.assert_array_equal(drawn.take([k]), whole.take([whole.origin(range(len(whole))).index(place)]))
    assert whole.materialise().sample(5, seed=1).origin(range(5)) == drawn.origin(range(5))
