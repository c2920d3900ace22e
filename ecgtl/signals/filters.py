"""From recordings to arrays: resample, remove baseline wander, standardise, cut and pad.

All functions take and return float32 arrays whose last axis is time; they know nothing of labels or models.
"""

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal, special

from ecgtl.errors import EcgtlError

# Denominator of a ratio of rates, at most: at 1,000 Hz the time is less than half a sample off after 24 h
EXACT = 10**8
MAX_DENOMINATOR = 1000  # up to this one a polyphase filter serves; beyond it would be longer than the signal
FARTHEST = 1000  # factor between two rates, at most
CROSSINGS, BETA, PHASES = 24, 8.0, 4096  # of the windowed sinc: zeros on either side, Kaiser's beta, steps of its table
BLOCK = 4096  # samples interpolated at a time
RECORDS = 256  # prepared at a time


@lru_cache
def ratio(rate_in: float, rate_out: float) -> Fraction:
    """``rate_out / rate_in`` (Hz), exactly as far as 24 hours at any usual rate can tell.

    Raises EcgtlError for rates that are not above 0, or a factor of more than 1,000 apart.
    """
    if not (rate_in > 0 and rate_out > 0 and 1 / FARTHEST <= rate_out / rate_in <= FARTHEST):
        raise EcgtlError(f"a sampling rate of {rate_in:g} Hz cannot become {rate_out:g} Hz: rates must be above 0 and "
                         f"at most a factor of {FARTHEST} apart; correct the sampling rate, or choose another target "
                         "rate")
    return Fraction(rate_out / rate_in).limit_denominator(EXACT)


def resample(x: np.ndarray, rate_in: float, rate_out: float, offset: Fraction = Fraction(0)) -> np.ndarray:
    """``x`` (..., samples) at ``rate_in`` Hz, resampled to ``rate_out`` Hz with an anti-aliasing filter.

    The result has ceil(samples * rate_out / rate_in) samples; its first is at the first of ``x``, or the ``offset``
    that ``stretch`` gives later. Where the ratio of the rates is a fraction of small numbers, the filter is a polyphase
    one, else a windowed sinc at the very times. Raises EcgtlError as ``ratio`` does.
    """
    x, share = np.asarray(x, np.float32), ratio(rate_in, rate_out)
    if share == 1:
        return x
    up, down = share.numerator, share.denominator
    if down > MAX_DENOMINATOR:
        return _interpolated(x, down / up, float(offset), math.ceil((x.shape[-1] - offset) * share))
    return signal.resample_poly(x, up, down, axis=-1, window=_polyphase(max(up, down)))


def stretch(rate_in: float, rate_out: float, first: int, n: int, length: int,
            margin: float) -> tuple[int, int, int, Fraction]:
    """What of a recording of ``length`` samples must be resampled to have ``n`` samples from ``first`` at ``rate_out``
    Hz.

    Returns where it starts and stops, ``margin`` s before and behind, how many of the resampled ones come before
    ``first``, and the ``offset`` for ``resample``: so the values are those of the whole recording resampled at once.
    """
    share = ratio(rate_in, rate_out)
    up, down = share.numerator, share.denominator
    # A polyphase filter starts at a sample of the recording that is one at the new rate too
    grid = 1 if down > MAX_DENOMINATOR else down
    reach = math.ceil(margin * rate_in / grid) * grid
    start = max(0, first * down // up // grid * grid - reach)
    before = -(-start * up // down)
    stop = min(length, -(-(first + n) * down // up) + reach)
    return start, stop, first - before, Fraction(before * down, up) - start


def _interpolated(x: np.ndarray, step: float, offset: float, n: int) -> np.ndarray:
    """``n`` values of ``x`` (..., samples), zero beyond its ends, at ``offset + k * step`` samples."""
    taps = _sinc(max(1.0, step))  # nothing above half the lower rate passes
    reach = taps.shape[1] // 2
    around = sliding_window_view(np.pad(x, [(0, 0)] * (x.ndim - 1) + [(reach - 1, reach + 1)]), 2 * reach, axis=-1)
    out = np.empty((*x.shape[:-1], n), np.float32)
    for begin in range(0, n, BLOCK):
        at = offset + np.arange(begin, min(begin + BLOCK, n)) * step
        kernel = taps[np.rint(at % 1 * (len(taps) - 1)).astype(int)]
        for row in np.ndindex(x.shape[:-1]):
            out[row][begin:begin + BLOCK] = np.einsum("ij,ij->i", around[row][at.astype(int)], kernel)
    return out


@lru_cache
def _sinc(width: float) -> np.ndarray:
    """Kaiser's windowed sinc with zeros ``width`` samples apart, at equal steps from one sample to the next (steps + 1,
    taps).
    """
    steps, reach = math.ceil(PHASES / width), math.ceil(CROSSINGS * width)
    distance = (np.linspace(0, 1, steps + 1)[:, np.newaxis] - np.arange(1 - reach, reach + 1)) / width
    window = special.i0(BETA * np.sqrt(np.maximum(0, 1 - (distance / CROSSINGS)**2))) * (np.abs(distance) <= CROSSINGS)
    taps = np.sinc(distance) * window
    return (taps / taps.sum(axis=1, keepdims=True)).astype(np.float32)


@lru_cache
def _polyphase(factor: int) -> np.ndarray:
    """The filter of ``scipy.signal.resample_poly`` for an upsampling or downsampling of ``factor``.

    Designing it takes as long as applying it once.
    """
    return signal.firwin(20 * factor + 1, 1 / factor, window=("kaiser", 5.0)).astype(np.float32)


def remove_baseline_wander(x: np.ndarray, rate: float, cutoff: float = 0.5, order: int = 3) -> np.ndarray:
    """``x`` (..., samples) without its slow drift: zero-phase Butterworth high-pass, ``cutoff`` in Hz.

    Raises EcgtlError unless 0 < cutoff < rate / 2, and for signals shorter than the filter's run-in (a few samples).
    Source: Jang 2021, section II.2 ("Butterworth filtering"; order and cut-off as decided for this project).
    """
    if not 0 < cutoff < rate / 2:
        raise EcgtlError(f"a high-pass filter at {cutoff} Hz needs a sampling rate above {2 * cutoff} Hz, not {rate}")
    sections = signal.butter(order, cutoff, "highpass", fs=rate, output="sos")
    try:
        return signal.sosfiltfilt(sections, x, axis=-1).astype(np.float32)
    except ValueError:
        raise EcgtlError(f"a signal of {np.shape(x)[-1]} samples is too short for a filter of order {order}") from None


def every_kth(x: np.ndarray, rate_in: float, rate_out: float) -> np.ndarray:
    """``x`` (..., samples) at ``rate_in`` Hz, every k-th sample from the first one: ``rate_out`` Hz, without a filter.

    What is faster than half the new rate folds back into it; as in the public code of Nguyen 2023. Raises EcgtlError
    unless ``rate_in`` is a whole multiple of ``rate_out``.
    """
    k = round(rate_in / rate_out) if rate_out > 0 else 0
    if k < 1 or not math.isclose(k * rate_out, rate_in):
        raise EcgtlError(f"every k-th sample of {rate_in:g} Hz never gives {rate_out:g} Hz; use variant=text, "
                         "which resamples")
    return np.asarray(x, np.float32)[..., ::k]


def scale_to_range(x: np.ndarray) -> np.ndarray:
    """``x`` (samples,) scaled so that its lowest value is -1 and its highest 1; EcgtlError for a constant or NaN."""
    low, high = x.min(), x.max()
    if not low < high:
        raise EcgtlError("cannot scale to [-1, 1]: the signal is constant or has NaN")
    return (2 * (x - low) / (high - low) - 1).astype(np.float32)


def standardise(x: np.ndarray, mean: float | np.ndarray, sd: float | np.ndarray) -> np.ndarray:
    """``(x - mean) / sd`` as float32. Raises EcgtlError when a mean is not finite, or a standard deviation 0 or not
    finite.
    """
    if not (np.isfinite(mean).all() and np.isfinite(sd).all() and np.all(np.asarray(sd) > 0)):
        raise EcgtlError(f"cannot standardise by a mean of {mean} and a standard deviation of {sd}: the signal is "
                         "constant or has NaN")
    return ((x - mean) / sd).astype(np.float32, copy=False)


def fit_length(x: np.ndarray, n_samples: int, keep: str = "end") -> np.ndarray:
    """``x`` (..., samples) cut or zero-padded to ``n_samples``.

    ``keep="end"`` keeps the last samples and pads before the signal (Weimann 2021, public code); ``keep="start"``
    keeps the first samples and pads behind it.
    """
    length = x.shape[-1]
    if length >= n_samples:
        return x[..., length - n_samples if keep == "end" else 0:][..., :n_samples].astype(np.float32)
    padding = (n_samples - length, 0) if keep == "end" else (0, n_samples - length)
    return np.pad(x.astype(np.float32), [(0, 0)] * (x.ndim - 1) + [padding])


