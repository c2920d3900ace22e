"""Filters against closed forms (sines, the Butterworth response), SciPy and NumPy."""

import dataclasses

import numpy as np
import pytest
from scipy import signal

from ecgtl import datasets
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.errors import EcgtlError
from ecgtl.signals import filters, preparation


def sine(frequency, rate, seconds, amplitude=1.0, phase=0.0):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate + phase)


def amplitude_and_phase(x, frequency, rate):
    """Least-squares fit of one sine to the middle half of ``x``, where no edge is felt."""
    n = np.arange(len(x) // 4, 3 * len(x) // 4)
    angle = 2 * np.pi * frequency * n / rate
    (a, b), *_ = np.linalg.lstsq(np.stack([np.sin(angle), np.cos(angle)], axis=1), x[n].astype(float), rcond=None)
    return np.hypot(a, b), np.arctan2(b, a)


def handmade(rates=(300.0, 300.0, 250.0), n_leads=2, seed=0):
    """Recordings of unequal lengths and rates, stored as integers with gain and baseline."""
    rng = np.random.default_rng(seed)
    collector = Collector("hand", "1", ("a", "b"))
    for k, rate in enumerate(rates):
        stored = rng.integers(-900, 1000, size=(500 + 300 * k, n_leads)).astype(np.int16)
        leads, gain = [f"L{j}" for j in range(n_leads)], [200.0 + j for j in range(n_leads)]
        collector.add(Reading(f"r{k}", stored, rate, leads, gain, [3] * n_leads, label="ab"[k % 2]), f"r{k}")
    return collector.recordings()


@pytest.mark.parametrize("rate, k", [(500, 1), (250, 2), (100, 5)])
def test_every_kth_sample_is_taken_from_the_first_one(rate, k):
    x = np.arange(22.0).reshape(2, 11)
    taken = filters.every_kth(x, 500, rate)
    assert taken.dtype == np.float32 and taken.tolist() == [[row[i] for i in range(0, 11, k)] for row in x.tolist()]


@pytest.mark.parametrize("rate", [0, -250, 200, 501, 1000])
def test_every_kth_sample_gives_no_other_rate(rate):
    with pytest.raises(EcgtlError, match=f"500 Hz never gives {rate} Hz; use variant=text"):
        filters.every_kth(np.zeros(9), 500, rate)


# --- resample -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate_in, rate_out", [(300, 125), (300, 250), (360, 125), (300, 62.5), (125, 300), (500, 128)])
def test_a_sine_keeps_frequency_amplitude_and_phase(rate_in, rate_out):
    y = filters.resample(sine(7, rate_in, 20, 0.8, 0.6), rate_in, rate_out)
    expected = sine(7, rate_out, 20, 0.8, 0.6)
    assert len(y) == len(expected) and y.dtype == np.float32
    middle = slice(len(y) // 8, -len(y) // 8)
    assert np.abs(y - expected)[middle].max() < 0.005


def test_tones_above_the_new_nyquist_frequency_are_suppressed():
    for frequency in (80, 100, 140):  # of 300 Hz; 125 Hz carry up to 62.5
        x = sine(frequency, 300, 20)
        aliased = x[::2].std()  # what dropping samples would leave
        assert filters.resample(x, 300, 125)[100:-100].std() < 0.01 < aliased


@pytest.mark.parametrize("n", [1, 2, 7, 299, 300, 9000])
def test_length_is_rounded_up(n):
    for rate_in, rate_out, (up, down) in ((300, 125, (5, 12)), (360, 250, (25, 36)), (250, 500, (2, 1))):
        assert len(filters.resample(np.ones(n), rate_in, rate_out)) == -(-n * up // down)


@pytest.mark.parametrize("rate_in, rate_out, up, down", [(300, 125, 5, 12), (250, 500, 2, 1), (360, 125, 25, 72)])
def test_resampling_equals_scipy_on_every_row(rate_in, rate_out, up, down):
    x = np.random.default_rng(0).normal(size=(3, 901)).astype(np.float32)
    y = filters.resample(x, rate_in, rate_out)
    for row, given in zip(y, x, strict=True):
        np.testing.assert_array_equal(row, signal.resample_poly(given, up, down))


def test_equal_rates_change_nothing():
    x = np.random.default_rng(0).normal(size=50).astype(np.float32)
    assert (filters.resample(x, 250, 250.0) == x).all()


@pytest.mark.parametrize("rate_in, rate_out", [(0, 125), (300, 0), (-300, 125), (np.nan, 125), (300, np.inf),
                                               (300, 0.1)])
def test_impossible_rates_are_refused(rate_in, rate_out):
    with pytest.raises(EcgtlError, match="rate"):
        filters.resample(np.ones(10), rate_in, rate_out)


# --- baseline wander ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", [0.1, 0.3, 0.5, 0.8, 2.0, 10.0])
def test_baseline_filter_has_the_butterworth_response_squared_and_no_phase(frequency):
    rate, cutoff, order = 250, 0.5, 3  # the defaults
    y = filters.remove_baseline_wander(sine(frequency, rate, 240, phase=0.4), rate)
    # Digital Butterworth by the bilinear transform, passed forwards and backwards: |H|^2.
    ratio = np.tan(np.pi * cutoff / rate) / np.tan(np.pi * frequency / rate)
    amplitude, phase = amplitude_and_phase(y, frequency, rate)
    assert amplitude == pytest.approx(1 / (1 + ratio ** (2 * order)), abs=2e-4)
    if amplitude > 0.01:
        assert phase == pytest.approx(0.4, abs=2e-3)


def test_drift_goes_and_the_rest_stays():
    beat = sine(5, 250, 60)
    drifting = beat + 3 + sine(0.05, 250, 60, amplitude=2)
    assert np.abs(filters.remove_baseline_wander(drifting, 250) - beat)[2500:-2500].max() < 0.02


def test_baseline_filter_works_along_the_last_axis():
    x = np.random.default_rng(0).normal(size=(2, 3, 700))
    y = filters.remove_baseline_wander(x, 250)
    assert y.dtype == np.float32
    np.testing.assert_allclose(y[1, 2], filters.remove_baseline_wander(x[1, 2], 250), atol=1e-6)


@pytest.mark.parametrize("x, rate, cutoff", [(np.ones(500), 250, 0), (np.ones(500), 250, 125), (np.ones(500), 0, 0.5),
                                             (np.ones(5), 250, 0.5), (np.ones(500), 250, np.nan)])
def test_impossible_baseline_filters_are_refused(x, rate, cutoff):
    with pytest.raises(EcgtlError):
        filters.remove_baseline_wander(x, rate, cutoff)


# --- standardise, cut and pad -------------------------------------------------------------------------------------


def test_standardised_values():
    assert filters.standardise(np.array([1.0, 3.0]), 2.0, 0.5).tolist() == [-2.0, 2.0]
    two = filters.standardise(np.array([[1.0, 2.0], [10.0, 20.0]]), np.array([[1.0], [10.0]]), np.array([[1.0], [5.0]]))
    assert two.tolist() == [[0.0, 1.0], [0.0, 2.0]] and two.dtype == np.float32


@pytest.mark.parametrize("mean", [np.nan, np.inf, np.array([0.0, np.nan])])
def test_a_mean_that_is_not_finite_is_refused(mean):
    with pytest.raises(EcgtlError, match="a mean of"):
        filters.standardise(np.ones(2), mean, 1.0)


@pytest.mark.parametrize("sd", [0.0, -1.0, np.nan, np.inf, np.array([1.0, 0.0])])
def test_a_useless_standard_deviation_is_refused(sd):
    with pytest.raises(EcgtlError, match="standard deviation"):
        filters.standardise(np.ones(2), 0.0, sd)


def test_fit_length_keeps_the_end_and_pads_before_it():
    x = np.array([[1, 2, 3], [4, 5, 6]])
    assert filters.fit_length(x, 2).tolist() == [[2, 3], [5, 6]]
    assert filters.fit_length(x, 5).tolist() == [[0, 0, 1, 2, 3], [0, 0, 4, 5, 6]]
    assert filters.fit_length(x, 3).tolist() == x.tolist()


def test_fit_length_keeps_the_start_and_pads_behind_it():
    x = np.array([1, 2, 3])
    assert filters.fit_length(x, 2, keep="start").tolist() == [1, 2]
    assert filters.fit_length(x, 5, keep="start").tolist() == [1, 2, 3, 0, 0]
    assert filters.fit_length(np.zeros(0), 2).tolist() == [0, 0]


# --- a whole data set ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lead", [0, 1, "l1"])
def test_mean_and_sd_are_those_of_all_samples_together(lead):
    recordings = handmade()
    column = 0 if lead == 0 else 1
    everything = np.concatenate([recordings.signal(i)[column] for i in range(len(recordings))]).astype(np.float64)
    assert preparation.mean_and_sd(recordings, lead) == pytest.approx((everything.mean(), everything.std()), rel=1e-6)


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    """Nothing prepared by another test."""
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path))


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("keep, n_samples, leads", [("end", 64, (0,)), ("start", 500, (1, 0)), ("end", 500, ("L1",))])
def test_prepare_is_its_steps_one_after_the_other(keep, n_samples, leads):
    recordings = handmade()
    x = preparation.prepare(recordings, 125, n_samples, leads, preparation.Input(keep, "dataset", None))
    assert x.shape == (3, len(leads), n_samples) and x.dtype == np.float32
    for row, lead in enumerate(leads):
        column = recordings.lead_index(0, lead)
        signals = [recordings.signal(i)[column].astype(np.float64) for i in range(3)]
        mean, sd = np.concatenate(signals).mean(), np.concatenate(signals).std()
        for i, (up, down) in enumerate([(5, 12), (5, 12), (1, 2)]):
            y = signal.resample_poly((signals[i] - mean) / sd, up, down)
            padded = np.pad(y, (n_samples, 0))[-n_samples:] if keep == "end" else np.pad(y, (0, n_samples))[:n_samples]
            np.testing.assert_allclose(x[i, row], padded, atol=1e-5)


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("n_records", [1, 4, 5])
def test_inputs_made_by_several_threads_are_stored_as_one_array(n_records, tmp_path, monkeypatch):
    monkeypatch.setattr(filters, "RECORDS", 2)
    values = np.random.default_rng(0).normal(size=(n_records, 3, 7)).astype(np.float32)
    preparation._save(tmp_path / "ours.npy", lambda i, row: values[i, row], values.shape)
    np.save(tmp_path / "numpy.npy", values)
    assert (tmp_path / "ours.npy").read_bytes() == (tmp_path / "numpy.npy").read_bytes()


def test_of_several_bad_recordings_the_first_is_named(monkeypatch):
    monkeypatch.setattr(filters, "RECORDS", 1)
    recordings = handmade(rates=(300.0,) * 5)
    gain = recordings.gain.copy()
    gain[2:] = np.nan
    with pytest.raises(EcgtlError, match="recording r2 of hand"):
        preparation.prepare(dataclasses.replace(recordings, gain=gain), 125, 100, (0,),
                            preparation.Input("end", "window", None))


def test_a_second_call_reads_the_cache(monkeypatch):
    recordings = handmade(seed=1)
    first = preparation.prepare(recordings, 125, 300)

    def refuse(*arguments):
        raise AssertionError("prepared again")

    monkeypatch.setattr(preparation, "_save", refuse)
    second = preparation.prepare(recordings, 125.0, 300)
    assert (first == second).all() and not second.flags.writeable
    for other in ({"sampling_rate": 250}, {"n_samples": 301}, {"leads": (1,)},
                  {"rules": preparation.Input("start", "dataset", None)},
                  {"rules": preparation.Input("start", "window", None)},
                  {"rules": preparation.Input("end", "dataset", 0.5)}, {"recordings": handmade(seed=2)}):
        with pytest.raises(AssertionError, match="prepared again"):
            preparation.prepare(**{"recordings": recordings, "sampling_rate": 125, "n_samples": 300} | other)


def test_an_input_without_samples_is_refused():
    with pytest.raises(EcgtlError, match="at least one sample"):
        preparation.prepare(handmade(), 125, 0)


def test_a_lead_that_is_not_there_is_named():
    with pytest.raises(EcgtlError, match="no lead 'V9'; it has L0, L1"):
        preparation.prepare(handmade(), 125, 100, ("V9",))


@pytest.mark.parametrize("standard", preparation.STANDARDS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_an_input_that_is_not_finite_is_named_and_not_cached(standard, value, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path))
    whole = handmade()
    samples = whole.samples.astype(float)
    samples[1000, 0] = value  # in the middle of r1
    broken = dataclasses.replace(whole, samples=samples, digest=f"{value}")
    rules = preparation.Input("end", standard, None if standard == "dataset" else 0.5)
    with pytest.raises(EcgtlError, match="recording r1 of hand"):
        preparation.prepare(broken, 125, 200, rules=rules)
    with pytest.raises(EcgtlError, match="recording r1 of hand"):
        preparation.preparer(broken, 125, 200, (0,), rules, [(0.0, 1.0)])(1, 0)
    assert not list(tmp_path.rglob("*.npy"))
    with pytest.raises(EcgtlError, match="recording r1 of hand is not finite in lead 0"):
        preparation.mean_and_sd(broken)


@pytest.mark.parametrize("given", [(np.nan, 1.0), (np.inf, 1.0), (0.0, np.nan), (0.0, 1e-320), (3e38, 1e-38)])
def test_statistics_that_give_no_finite_input_are_refused(given):
    with pytest.raises(EcgtlError, match="recording r0 of hand"), np.errstate(over="ignore"):
        preparation.preparer(handmade(), 125, 300, (0,), preparation.BY_DATASET, [given])(0, 0)


# --- window by window ---------------------------------------------------------------------------------------------


def one_recording(millivolts, rate):
    """A recording of one lead, stored in microvolts."""
    collector = Collector("hand", "1", ("a",))
    stored = np.round(1000 * np.asarray(millivolts)).astype(np.int16)[:, None]
    collector.add(Reading("r0", stored, float(rate), ["I"], [1000.0], [0.0], label="a"), "r0")
    return collector.recordings()


def by_window(recordings, rate, n_samples, highpass=0.5):
    return preparation.prepare(recordings, rate, n_samples, rules=preparation.Input("start", "window", highpass))


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("rate_in", [250, 300, 500])
def test_a_window_is_the_tone_without_its_drift_and_z_scored(rate_in):
    tone = sine(5, rate_in, 30, amplitude=0.7, phase=0.6)
    drifting = tone + 2 + sine(0.05, rate_in, 30, amplitude=3)
    x = by_window(one_recording(drifting, rate_in), 250, 2048)
    assert x.shape == (1, 1, 2048) and x.dtype == np.float32
    assert x.mean() == pytest.approx(0, abs=1e-5) and x.std() == pytest.approx(1, abs=1e-5)
    amplitude, phase = amplitude_and_phase(x[0, 0], 5, 250)
    assert amplitude == pytest.approx(np.sqrt(2), abs=0.05) and phase == pytest.approx(0.6, abs=0.02)
    assert amplitude_and_phase(by_window(one_recording(drifting, rate_in), 250, 2048, None)[0, 0], 5, 250)[0] < 1


@pytest.mark.usefixtures("own_cache")
def test_windows_are_their_steps_one_after_the_other():
    recordings = handmade(rates=(300.0, 250.0, 500.0))
    x = preparation.prepare(recordings, 125, 150, (0, "L1"), preparation.Input("start", "window", 0.5))
    for i, (up, down) in enumerate([(5, 12), (1, 2), (1, 4)]):
        for lead in (0, 1):
            y = signal.resample_poly(recordings.signal(i)[lead], up, down)
            y = signal.sosfiltfilt(signal.butter(3, 0.5, "highpass", fs=125, output="sos"), y)[:150]
            np.testing.assert_allclose(x[i, lead], (y - y.mean()) / y.std(), atol=1e-3)


@pytest.mark.usefixtures("own_cache")
def test_a_recording_shorter_than_its_window_is_named():
    with pytest.raises(EcgtlError, match="recording r0 of hand, 8.00 s long: it is shorter than its window of 8.192 s"):
        by_window(one_recording(sine(5, 250, 8), 250), 250, 2048)


@pytest.mark.usefixtures("own_cache")
@pytest.mark.parametrize("highpass", [None, 0.5])
@pytest.mark.parametrize("flat", [8.2, 12, 60])
def test_a_recording_that_is_flat_in_its_window_is_named(highpass, flat):
    with pytest.raises(EcgtlError, match="recording r0 of hand, .* is flat in its window of 8.192 s"):
        by_window(one_recording(np.append(np.full(round(250 * flat), 0.25), sine(5, 250, 9)), 250), 250, 2048, highpass)


def test_a_window_has_the_length_of_what_is_resampled():
    x = sine(5, 250, 10)
    assert preparation.window_defect(x, 250, 125, 1250) == ""
    assert preparation.window_defect(x[2:], 250, 125, 1250) == "is shorter than its window"
    flat_before = np.append(np.zeros(1250), x[1250:])  # the last half of the 10 s is the window of 5 s
    assert preparation.window_defect(flat_before, 250, 125, 625) == ""
    assert preparation.window_defect(flat_before, 250, 125, 625, "start") == "is flat in its window"


def test_the_defect_of_any_lead_that_is_read_is_the_recordings():
    collector = Collector("hand", "1", ("a",))
    for name, leads in (("whole", "I II"), ("flat", "I II"), ("lacking", "I V1")):
        samples = np.tile(np.arange(500)[:, np.newaxis] % 50, (1, 2)).astype(np.int16)
        samples[250:, 1] *= name != "flat"
        collector.add(Reading(name, samples, 250.0, leads.split(), [200.0] * 2, [0] * 2, label="a"), name)
    made, each = collector.recordings(), preparation.Input("end", "window", None)
    assert preparation.window_defects(made, ["I"], 250, 250, each) == ["", "", ""]
    both = preparation.window_defects(made, ["I", "II"], 250, 250, each)
    assert both[:2] == ["", "is flat in its window"] and both[2]
    assert preparation.window_defects(made, ["I", "II"], 250, 250, preparation.BY_DATASET) == ["", "", both[2]]


@pytest.mark.usefixtures("own_cache")
def test_a_recording_that_is_incomplete_in_its_window_is_named():
    whole = one_recording(sine(5, 250, 20), 250)
    samples = whole.samples.astype(float)
    samples[2048] = np.nan  # the first sample behind the window
    assert preparation.window_defect(samples[:, 0], 250, 250, 2048, "start") == ""
    samples[2047] = np.nan
    with pytest.raises(EcgtlError,
                       match=r"recording r0 of hand, 20.00 s long: it has missing samples \(NaN\) in its window"):
        by_window(dataclasses.replace(whole, samples=samples), 250, 2048)


@pytest.mark.needs("challenge-2017")
def test_statistics_of_the_real_cinc2017(real_data):
    mean, sd = preparation.mean_and_sd(datasets.load("cinc2017", real_data))
    assert (mean, sd) == pytest.approx((0.0075, 0.2373), abs=5e-5)
