"""Spectrogram images of tones and chirps against closed forms and a plain Fourier sum; the cache."""

import numpy as np
import pytest
import torch

from ecgtl.errors import EcgtlError
from ecgtl.models import googlenet
from ecgtl.signals import spectrograms
from ecgtl.signals.spectrograms import image_features, images

RATE = 250.0
TIME = np.arange(2048) / RATE


def tone(frequency, rate=RATE, seconds=8.192):
    t = np.arange(round(seconds * rate)) / rate
    return np.sin(2 * np.pi * frequency * t + 0.3)[None].astype(np.float32)


def noise(n=3, seed=0, samples=2048):
    return np.random.default_rng(seed).normal(size=(n, samples)).astype(np.float32)


def row_of(frequency):
    """Row whose centre lies nearest ``frequency``: 0 to 50 Hz from the bottom to the top of 224 rows."""
    return 223.5 - frequency / 50 * 224


# --- images -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [250.0, 500.0, 128.0])
@pytest.mark.parametrize("frequency", [4.0, 10.0, 25.0, 44.0])
def test_a_tone_is_a_line_at_its_height(frequency, rate):
    picture = images(tone(frequency, rate), rate)[0, 0]
    rows = picture.argmax(axis=0)
    assert np.abs(rows - row_of(frequency)).max() < 3  # 50 Hz are 224 rows, so within 0.7 Hz
    assert picture.max() > 250
    away = np.abs(np.arange(224) - row_of(frequency)) > 224 * 6 / 50
    assert picture[away].max() < 0.5 * picture.max()  # beyond the window's main lobe and the nearest others


def test_a_rising_chirp_climbs_from_left_to_right():
    x = np.sin(2 * np.pi * (5 * TIME + 0.5 * (40 - 5) / 8.192 * TIME**2))[None]
    rows = images(x, RATE)[0, 0].argmax(axis=0)
    instants = 0.256 + (np.arange(224) + 0.5) / 224 * (8.192 - 0.512)
    expected = row_of(5 + 35 * instants / 8.192)
    assert np.abs(rows - expected)[4:-4].max() < 5


def test_beats_are_upright_stripes_where_they_fall():
    x = np.zeros((1, 2048))
    at = np.array([500, 900, 1300])
    for k in at:
        x[0, k - 3:k + 4] = np.hanning(7)
    loudness = images(x, RATE)[0, 0].mean(axis=0)
    columns = ((at / RATE - 0.256) / (8.192 - 0.512) * 224).astype(int)
    assert (loudness[columns] > 200).all() and loudness[[20, 75, 125, 200]].max() < 1


def test_images_are_grey_bgr_from_black_to_white():
    pictures = images(noise(), RATE)
    assert pictures.shape == (3, 3, 224, 224) and pictures.dtype == np.float32
    np.testing.assert_array_equal(pictures[:, 0], pictures[:, 1])
    np.testing.assert_array_equal(pictures[:, 0], pictures[:, 2])
    assert pictures.min() >= 0 and pictures.max() <= 255
    assert (pictures.max(axis=(1, 2, 3)) > 235).all() and (pictures.min(axis=(1, 2, 3)) < 60).all()


def test_brightness_is_power_in_decibels_scaled_in_each_record():
    x = np.concatenate([noise(1), noise(1, 1)])
    loud = x * np.array([[1e25], [1e-25]], np.float32)
    np.testing.assert_allclose(images(loud, RATE), images(x, RATE), atol=0.05)
    np.testing.assert_allclose(images(x[1:], RATE), images(x, RATE)[1:], atol=1e-4)
    # 40 dB below a tone is half of the 80 dB that are shown
    picture = images(tone(10) + 0.01 * tone(40), RATE)[0, 0]
    assert picture[round(row_of(40)) - 1:round(row_of(40)) + 2].max(axis=0) == pytest.approx(127.5, abs=3)


def test_one_frame_equals_a_plain_fourier_sum():
    x = noise(1)[0].astype(np.float64)
    first, n = 96, 128  # the thirteenth frame of 0.512 s, each 8 samples behind the one before
    frequencies = np.arange(103) * RATE / 512
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    kernel = np.exp(-2j * np.pi * np.outer(frequencies, np.arange(n)) / RATE)
    frames = np.stack([x[k:k + n] for k in range(0, 2048 - n + 1, 8)]) * window
    power = np.abs(frames @ kernel.T) ** 2
    power[:, 1:] *= 2  # one-sided: each frequency stands for its mirror image too
    level = np.maximum(10 * np.log10(power / power.max()), -80)
    found = spectrograms._decibels(x[None].astype(np.float32), RATE)[0]
    assert found.shape == (103, 241)
    np.testing.assert_allclose(found[:, first // 8], level[first // 8], atol=2e-3)


# --- bad input --------------------------------------------------------------------------------------------


def test_a_window_whose_only_sample_lies_where_no_frame_looks_is_refused():
    x = noise(2)
    x[1] = 0
    x[1, 0] = 1  # a Hann window begins with 0
    with pytest.raises(EcgtlError, match="1 of 2 windows have an empty spectrum, the first is number 1"):
        images(x, RATE)


@pytest.mark.parametrize("x, rate, said", [
    (noise(2, samples=127), RATE, "at least 0.512 s, not 127 samples at 250 Hz"),
    (noise(2), 99.0, "at least 100 Hz, not 99"), (noise(2), np.nan, "at least 100 Hz, not nan")])
def test_other_lengths_and_rates_are_refused(x, rate, said):
    with pytest.raises(EcgtlError, match=said):
        images(x, rate)


def test_without_imagenet_weights_there_are_no_features(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path))
    with pytest.raises(EcgtlError, match="ImageNet weights are not at .*python -m ecgtl weights googlenet"):
        image_features(noise(), RATE)


# --- features and their cache -----------------------------------------------------------------------------


@pytest.fixture
def extractor(tmp_path, monkeypatch):
    """A weights file, a network with random weights in its place, and how many images it was shown."""
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    weights, calls = tmp_path / "weights.safetensors", []
    weights.write_bytes(b"first")
    torch.manual_seed(0)
    network = googlenet.GoogLeNet().eval()

    def features(pictures, plain=network.features):
        calls.append(len(pictures))
        return plain(pictures)

    monkeypatch.setattr(network, "features", features)
    monkeypatch.setattr(googlenet, "load_imagenet", lambda path: network)
    return weights, calls, network


def test_features_are_the_networks_of_the_images(extractor):
    weights, calls, network = extractor
    x = noise(5)
    found = image_features(x, RATE, weights, batch=2)
    assert found.shape == (5, 1024) and found.dtype == np.float32 and calls == [2, 2, 1]
    with torch.no_grad():
        expected = network.features(torch.tensor(images(x, RATE)))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_features_are_computed_once_for_the_same_input(extractor):
    weights, calls, _ = extractor
    x = noise(2)
    first = image_features(x, RATE, weights)
    again = image_features(x.copy(), RATE, weights, batch=1)
    np.testing.assert_array_equal(first, again)
    assert isinstance(again, np.memmap) and len(calls) == 1


@pytest.mark.parametrize("change", ["input", "rate", "parameter", "weights"])
def test_anything_that_matters_makes_new_features(extractor, monkeypatch, change):
    weights, calls, _ = extractor
    x, rate = noise(1), RATE
    image_features(x, rate, weights)
    if change == "input":
        x[0, 5] += 0.01
    elif change == "rate":
        rate = 256.0
    elif change == "parameter":
        monkeypatch.setattr(spectrograms, "DYNAMIC_RANGE", 60.0)
    else:
        weights.write_bytes(b"second")
    image_features(x, rate, weights)
    assert calls == [1, 1]


def test_the_real_weights_are_found_and_used(real_data):
    weights = googlenet.default_weights()
    if not weights.is_file():
        pytest.skip("no ImageNet weights available here")
    x = noise(2)
    with torch.no_grad():
        expected = googlenet.load_imagenet().features(torch.tensor(images(x, RATE)))
    np.testing.assert_allclose(image_features(x, RATE), expected, rtol=1e-4, atol=1e-4)
