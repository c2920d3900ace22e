"""Spectrogram images of ECG windows, and what an ImageNet network makes of them (Jang 2021, section II.3.3).

The paper says no more than "spectrogram images". Decided here: power by a Hann window of 0.512 s, long
enough for atrial activity of a few hertz and short enough to keep beats apart, every 0.032 s; up to 50 Hz,
where an ECG's energy lies; in decibels over a range of 80; low frequencies at the bottom, the whole window
across, one grey picture in three equal channels.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch
from scipy import signal
from torch.nn import functional

from ecgtl.datasets import cache
from ecgtl.errors import EcgtlError
from ecgtl.models import googlenet

WINDOW = 0.512  # s
HOP = 0.032  # s
MAX_FREQUENCY = 50.0  # Hz, at the top of the picture
PADDED = 4  # windows are zero-padded to so many times their length: rows half a hertz apart at 250 Hz
DYNAMIC_RANGE = 80.0  # dB below the strongest power of the window, which are black
SIZE = googlenet.SIZE


def images(x: np.ndarray, rate: float) -> np.ndarray:
    """Spectrogram images (records, 3, 224, 224), float32 from 0 to 255, of windows ``x`` (records, samples).

    ``rate`` is the sampling rate in Hz. Brightness is the power in dB, scaled to 0-255 within each record;
    row 0 is ``MAX_FREQUENCY``, the last row 0 Hz. ``preparation.prepare`` has refused what is flat or has missing
    samples. Raises EcgtlError for windows without any power or shorter than ``WINDOW``, and for a rate too low for
    ``MAX_FREQUENCY``.
    """
    _check(x, rate)
    level = _decibels(np.asarray(x, np.float32), rate)
    low, high = level.min(axis=(1, 2), keepdims=True), level.max(axis=(1, 2), keepdims=True)
    if (empty := (low == high).ravel()).any():
        raise EcgtlError(f"{empty.sum()} of {len(x)} windows have an empty spectrum, the first is number "
                         f"{int(empty.argmax())} (from 0); leave them out before making spectrograms")
    grey = 255 * (level - low) / (high - low)
    grey = torch.from_numpy(np.ascontiguousarray(grey[:, None, ::-1]))
    grey = functional.interpolate(grey, (SIZE, SIZE), mode="bilinear", antialias=True)
    return np.broadcast_to(grey.numpy(), (len(x), 3, SIZE, SIZE))


def image_features(x: np.ndarray, rate: float, weights_path: str | Path | None = None, batch: int = 16) -> np.ndarray:
    """GoogLeNet's features (records, 1024), float32, of the spectrogram images of ``x`` (records, samples).

    Computed once for the same windows, rate, parameters and weights, then memory-mapped from the cache.
    ``weights_path`` as in ``googlenet.find_weights``; ``batch`` images are held in memory at a time. Raises
    EcgtlError as ``images`` does, and when there are no ImageNet weights.
    """
    _check(x, rate)
    weights = googlenet.find_weights(weights_path)
    parts = {"input": _digest(x), "rate": float(rate), "weights": cache.source_checksum(weights.parent, [weights]),
             "spectrogram": [WINDOW, HOP, MAX_FREQUENCY, PADDED, DYNAMIC_RANGE, SIZE], "steps": "1"}

    @torch.inference_mode()
    def build(folder: Path) -> None:
        network, parts = googlenet.load_imagenet(weights), (x[k:k + batch] for k in range(0, len(x), batch))
        found = [network.features(torch.tensor(images(part, rate))).numpy() for part in parts]
        np.save(folder / "features.npy", np.concatenate(found))

    folder = cache.entry("image-features", parts, build)
    return np.load(folder / "features.npy", mmap_mode="r", allow_pickle=False)


def _decibels(x: np.ndarray, rate: float) -> np.ndarray:
    """Power in dB below each record's strongest, cut at ``DYNAMIC_RANGE``: (records, frequencies, frames)."""
    n = round(WINDOW * rate)
    x = x / np.abs(x).max(axis=1, keepdims=True)  # any unit will do: no power overflows
    overlap = n - max(1, round(HOP * rate))
    frequencies, _, power = signal.spectrogram(x, rate, "hann", n, overlap, PADDED * n, detrend=False)
    power = power[:, frequencies <= MAX_FREQUENCY]
    relative = power / np.maximum(power.max(axis=(1, 2), keepdims=True), np.finfo(np.float32).tiny)
    return 10 * np.log10(np.maximum(relative, 10 ** (-DYNAMIC_RANGE / 10)))


def _check(x: np.ndarray, rate: float) -> None:
    if not rate >= 2 * MAX_FREQUENCY:
        raise EcgtlError(f"spectrograms up to {MAX_FREQUENCY:g} Hz need a sampling rate of at least "
                         f"{2 * MAX_FREQUENCY:g} Hz, not {rate:g}")
    if x.shape[1] < round(WINDOW * rate):
        raise EcgtlError(f"a spectrogram needs at least {WINDOW} s, not {x.shape[1]} samples at {rate:g} Hz")


def _digest(x: np.ndarray) -> str:
    whole = hashlib.sha256(f"{x.shape} {x.dtype}".encode())
    whole.update(np.ascontiguousarray(x).data)
    return whole.hexdigest()
