"""Any pair of sampling rates is resampled on time: against closed forms, SciPy, and fractions of the rates as they are
written."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from messages import one_line
from scipy import signal

from ecgtl.datasets.arrays import from_array
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.datasets.recordings import Annotations
from ecgtl.errors import EcgtlError
from ecgtl.signals import filters, frame_labels, frames, preparation, windows

DAY = 24 * 3600.0
ODD = [(249.89, 250.0), (499.348, 250.0), (499.348, 100.0), (249.89, 125.0), (250.0001, 250.0), (333.3333, 250.0),
       (256.41, 500.0)]
USUAL = [(360, 250, 25, 36), (300, 125, 5, 12), (500, 100, 1, 5), (500, 250, 1, 2), (257, 250, 250, 257),
         (128, 250, 125, 64),
         (1000, 62.5, 1, 16), (250, 62.5, 1, 4), (125, 300, 12, 5), (360, 125, 25, 72), (999, 1000, 1000, 999)]


def tones(t):
    """Sines of 1 to 40 Hz at times ``t`` (s)."""
    return sum(np.sin(2 * np.pi * f * t + f) for f in (1.0, 5.0, 11.0, 17.0, 25.0, 33.0, 40.0)) / 7


@pytest.mark.parametrize(("rate_in", "rate_out"), ODD)
def test_odd_rates_give_the_signal_at_the_new_times(rate_in, rate_out):
    x = tones(np.arange(round(20 * rate_in)) / rate_in)
    y = filters.resample(np.stack([x, -2 * x]), rate_in, rate_out)
    expected, inside = tones(np.arange(y.shape[1]) / rate_out), slice(round(rate_out), -round(rate_out))
    assert y.dtype == np.float32 and np.abs(y[0] - expected)[inside].max() < 1e-3
    np.testing.assert_allclose(y[1], -2 * y[0], atol=1e-6)


def test_tones_above_the_new_nyquist_frequency_are_suppressed_at_odd_rates():
    x = np.sin(2 * np.pi * 80 * np.arange(5000) / 499.348)
    assert filters.resample(x, 499.348, 100)[100:-100].std() < 1e-3


@pytest.mark.parametrize(("rate_in", "rate_out", "up", "down"), USUAL)
def test_usual_rates_are_scipys_polyphase_to_the_bit(rate_in, rate_out, up, down):
    x = np.random.default_rng(0).normal(size=(2, 1501)).astype(np.float32)
    np.testing.assert_array_equal(filters.resample(x, rate_in, rate_out), signal.resample_poly(x, up, down, axis=-1))
    assert filters.ratio(rate_in, rate_out) == Fraction(up, down)


def test_thirty_minutes_keep_their_length():
    assert len(filters.resample(np.zeros(449802), 249.89, 250.0)) == 450000


def test_no_pair_of_rates_is_a_sample_off_after_a_day():
    rng = np.random.default_rng(0)
    pairs = [(round(rate * off, digits), rate) for rate in (62.5, 100, 125, 128, 250, 360, 500, 1000)
             for digits in (2, 4, 6, 9)
             for off in 1 + rng.choice([-1, 1], 20) * 10 ** rng.uniform(-9, -1, 20)] + rng.uniform(50, 1000,
                                                                                                   (500, 2)).tolist()
    for rate_in, rate_out in pairs:
        exact = Fraction(str(rate_out)) / Fraction(str(rate_in))
        assert abs(filters.ratio(rate_in, rate_out) / exact - 1) * Fraction(DAY * max(rate_in, rate_out)) < 1, (rate_in,
                                                                                                                rate_out)


def test_the_last_minute_of_a_day_is_on_time():
    rate_in, rate_out = 20.0013, 20.0
    n = round(DAY * rate_in)
    y = filters.resample(np.sin(2 * np.pi * np.arange(n) / rate_in), rate_in, rate_out)
    at = np.arange(len(y))[-1200:-100] / rate_out
    assert np.abs(y[-1200:-100] - np.sin(2 * np.pi * at)).max() < 1e-3
    assert len(y) == round(DAY * rate_out)


# --- windows, frames and their labels -----------------------------------------------------------------------------


def long_recording(rate, seconds=700.0):
    return from_array(tones(np.arange(round(seconds * rate)) / rate)[np.newaxis], rate, ["II"])


@pytest.mark.parametrize("rate", [249.89, 360.0, 499.348])
def test_windows_and_frames_are_cut_from_the_whole_recording_on_time(rate):
    found = windows.unlabelled([long_recording(rate)], 10.0, 250.0, highpass=None)
    assert len(found) == 70
    expected = tones((69 * 2500 + np.arange(2400)) / 250)
    z = (expected - expected.mean()) / expected.std()
    x = found.take([69])[0, 0, :2400]
    assert np.abs((x - x.mean()) / x.std() - z).max() < 0.01
    drawn = frames.sampled([long_recording(rate)], 10.0, 250.0)
    assert drawn.places(np.zeros(1, int))[0] in (172501, 172502)
    x = drawn.take(np.zeros(1, int), np.array([172500]))[0, 0, :2400]
    assert np.abs((x - x.mean()) / x.std() - z).max() < 0.01


def test_a_stretch_has_the_values_of_the_whole():
    x = np.random.default_rng(0).normal(size=9000).astype(np.float32)
    for rate_in in (249.89, 360.0, 499.348):
        whole = filters.resample(x, rate_in, 250.0)
        for first, n in ((0, 100), (1234, 500), (len(whole) - 300, 300)):
            start, stop, skip, offset = filters.stretch(rate_in, 250.0, first, n, len(x), 4.0)
            assert stop - start < (8.5 + n / 250) * rate_in
            found = filters.resample(x[start:stop], rate_in, 250.0, offset)[skip:skip + n]
            np.testing.assert_allclose(found, whole[first:first + n], atol=2e-3)


def test_a_mark_late_in_a_recording_falls_into_its_frame():
    rate, seconds = 249.89, 20000.0
    found = Collector("marked", "1", ())
    beats = np.array([round(19000.5 * rate)])
    found.add(Reading("r", np.tile(np.int16([0, 1]), round(seconds * rate / 2))[:, np.newaxis], rate, ["II"], [200.0],
                      [0.0]), "r")
    tracks = frame_labels.tracks_of(found.recordings(), 250.0, Annotations(beats, np.array(["N"]), np.array([""]),
                                                                           np.array([0, 1])))
    row = np.zeros(3, int)
    start = np.round(np.array([18999.9, 19000.4, 19000.6]) * 250).astype(int)
    assert tracks.beat_counts(row, start, start + 50)[:, 0].tolist() == [0, 1, 0]


# --- what no ECG is sampled at ------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [1e-9, 1e-3, 1e9])
def test_absurd_rates_are_refused_in_one_line_that_names_rate_and_recording(rate):
    signals = np.random.default_rng(0).normal(size=(2, 500))
    with pytest.raises(EcgtlError) as error:
        from_array(signals, rate, ["II"])
    one_line(error, f"sampling rate of {rate:g} Hz", "array[0]")
    absurd = dataclasses.replace(from_array(signals, 250.0, ["II"]), sampling_rate=np.full(2, rate))
    for work in (lambda: windows.unlabelled([absurd], 1.0, 250.0), lambda: frames.sampled([absurd], 1.0, 250.0),
                 lambda: filters.resample(np.ones(10), rate, 250.0)):
        with pytest.raises(EcgtlError) as error:
            work()
        one_line(error, f"sampling rate of {rate:g} Hz")
    for standard in preparation.STANDARDS:
        with pytest.raises(EcgtlError) as error:
            preparation.prepare(absurd, 250, 250, rules=preparation.Input("end", standard, None))
        one_line(error, "recording 0 of folder", f"sampling rate of {rate:g} Hz")
