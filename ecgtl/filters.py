"""From recordings to arrays: resample, remove baseline wander, standardise, cut and pad.

All functions take and return float32 arrays whose last axis is time; they know nothing of labels or models.
"""

import math
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from scipy import signal, special

from ecgtl.datasets import cache
from ecgtl.datasets.base import Recordings, check_option
from ecgtl.datasets.leads import missing, resolve
from ecgtl.errors import EcgtlError

FLAT = 1e-6  # mV; a window with a smaller standard deviation is constant
STANDARDS = ("dataset", "window", "range")
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
    check_option("keep", keep, ("end", "start"))
    length = x.shape[-1]
    if length >= n_samples:
        return x[..., length - n_samples if keep == "end" else 0:][..., :n_samples].astype(np.float32)
    padding = (n_samples - length, 0) if keep == "end" else (0, n_samples - length)
    return np.pad(x.astype(np.float32), [(0, 0)] * (x.ndim - 1) + [padding])


def mean_and_sd(recordings: Recordings, lead: int | str = 0) -> tuple[float, float]:
    """Mean and standard deviation in mV over all samples of one lead of the whole data set.

    Source: Weimann 2021, "Finetuning": statistics of the entire data set. Raises EcgtlError for samples that are not
    finite.
    """
    n, total, squares = 0, 0.0, 0.0
    for i in range(len(recordings)):
        x = recordings.lead(i, lead).astype(np.float64)
        # Not np.dot: the threads of BLAS would spin from one recording to the next, which takes several times longer
        n, total, squares = n + len(x), total + x.sum(), squares + np.einsum("i,i", x, x)
        if not math.isfinite(squares):
            raise EcgtlError(f"recording {recordings.ids[i]} of {recordings.name} is not finite in lead {lead}; leave "
                             "it out")
    mean = total / n
    return float(mean), float(np.sqrt(max(squares / n - mean**2, 0.0)))


def prepare(recordings: Recordings, sampling_rate: float, n_samples: int, leads: tuple[int | str, ...] = (0,),
            keep: str = "end", standardise_by: str = "dataset", highpass: float | None = None,
            statistics: Sequence[tuple[float, float]] | None = None, decimate: bool = False) -> np.ndarray:
    """All recordings as one array (records, leads, n_samples), float32, memory-mapped from the cache.

    ``standardise_by="dataset"``: each lead is standardised with its mean and SD over the whole data set, then resampled
    to ``sampling_rate`` Hz, then cut or zero-padded (``fit_length``): the order of Weimann 2021, "Finetuning". With
    ``statistics``, mean and SD of each lead in mV, those of the data that a network was trained on take their place.
    ``"window"``: resampled, freed of baseline wander below ``highpass`` Hz, cut, and each window z-scored (Jang 2021,
    section II.2); a recording shorter than the window, or flat or incomplete within it, is an EcgtlError.
    ``"range"``: the same, but each window is scaled to [-1, 1] by its lowest and highest value; with ``decimate`` every
    k-th sample is taken without a filter instead of resampling (public code of Nguyen 2023).

    ``leads`` are indices or names; several are found by name in every recording (``datasets.leads.resolve``). Raises
    EcgtlError for a recording that lacks one, and for one whose input would not be finite: nothing is cached then.
    """
    if n_samples < 1:
        raise EcgtlError(f"an input needs at least one sample, not {n_samples}")
    check_option("standardise_by", standardise_by, STANDARDS)
    leads = resolve(recordings, leads)
    parts = {"digest": recordings.digest, "rate": float(sampling_rate), "n": int(n_samples), "leads": list(leads),
             "keep": keep, "standardise_by": standardise_by, "highpass": highpass,
             "version": 4 if standardise_by == "dataset" else 5}
    parts |= {"statistics": [list(map(float, pair)) for pair in statistics]} if statistics is not None else {}
    parts |= {"decimate": True} if decimate else {}

    def build(folder: Path) -> None:
        one = preparer(recordings, sampling_rate, n_samples, leads, keep, standardise_by, highpass, statistics,
                       decimate)
        _save(folder / "input.npy", one, (len(recordings), len(leads), n_samples))

    folder = cache.entry(f"{recordings.name}-input", parts, build)
    return np.load(folder / "input.npy", mmap_mode="r", allow_pickle=False)


def preparer(recordings: Recordings, sampling_rate: float, n_samples: int, leads: tuple[int | str, ...], keep: str,
             standardise_by: str, highpass: float | None, statistics: Sequence[tuple[float, float]] | None,
             decimate: bool) -> Callable[[int, int], np.ndarray]:
    """What ``prepare`` makes of one recording and one of ``leads``, by their numbers: (n_samples,), float32."""
    if standardise_by == "dataset" and statistics is None:
        statistics = [mean_and_sd(recordings, lead) for lead in leads]

    def by_dataset(x: np.ndarray, rate_in: float, row: int) -> np.ndarray:
        return fit_length(resample(standardise(x, *statistics[row]), rate_in, sampling_rate), n_samples, keep)

    def by_window(x: np.ndarray, rate_in: float, _) -> np.ndarray:
        defect = window_defect(x, rate_in, sampling_rate, n_samples, keep)
        if not defect:
            x = every_kth(x, rate_in, sampling_rate) if decimate else resample(x, rate_in, sampling_rate)
            x = x if highpass is None else remove_baseline_wander(x, sampling_rate, highpass)
            x = fit_length(x, n_samples, keep)
            # The filter leaves rounding noise of a ramp, which must not be blown up
            defect = "is flat in its window" if x.std() < FLAT else ""
        if defect:
            raise EcgtlError(f"it {defect} of {n_samples / sampling_rate:g} s; leave it out")
        return scale_to_range(x) if standardise_by == "range" else standardise(x, x.mean(), x.std())

    def finite(i: int, row: int) -> np.ndarray:
        work = by_dataset if standardise_by == "dataset" else by_window
        try:
            x = work(recordings.lead(i, leads[row]), recordings.sampling_rate[i], row)
            if not np.isfinite(x).all():
                raise EcgtlError("its input has missing samples (NaN), or is infinite; leave it out")
            return x
        except EcgtlError as error:
            where = f"recording {recordings.ids[i]} of {recordings.name}, {recordings.durations[i]:.2f} s long"
            raise EcgtlError(f"{where}: {error}") from None

    return finite


def window_defect(x: np.ndarray, rate_in: float, rate: float, n_samples: int, keep: str = "end") -> str:
    """Why the window that ``prepare`` cuts out of ``x`` (samples,) cannot be z-scored; empty when it can.

    ``x`` is as recorded, at ``rate_in`` Hz: filtered, a flat window would hold what leaks in from beside it.
    """
    share = ratio(rate_in, rate)
    if math.ceil(len(x) * share) < n_samples:
        return "is shorter than its window"
    inside = fit_length(x, math.ceil(n_samples / share), keep)
    if not np.isfinite(inside).all():
        return "has missing samples (NaN) in its window"
    return "is flat in its window" if inside.min() == inside.max() else ""


def window_defects(recordings: Recordings, leads: Sequence[int | str], rate: float, n_samples: int,
                   rules: dict) -> list[str]:
    """Why each recording cannot be an input by the ``rules`` of a protocol, (R,); empty where it can.

    It lacks one of ``leads``; or, where each window is scaled by itself, the ``window_defect`` of the first that has
    one.
    """
    defects = missing(recordings, leads)
    if rules["standardise"] == "dataset":
        return defects
    for i, rate_in in enumerate(recordings.sampling_rate):
        found = (window_defect(recordings.lead(i, lead), rate_in, rate, n_samples, rules["keep"]) for lead in leads)
        defects[i] = defects[i] or next(filter(None, found), "")
    return defects


def _save(file: Path, one: Callable[[int, int], np.ndarray], shape: tuple[int, int, int]) -> None:
    """Write what ``one`` makes of all recordings as ``np.save`` would; the disk works while threads make what comes
    next.
    """
    def block(begin: int) -> np.ndarray:
        out = np.empty((min(RECORDS, shape[0] - begin), *shape[1:]), np.float32)
        for i, row in np.ndindex(out.shape[:2]):
            out[i, row] = one(begin + i, row)
        return out

    # SciPy's filter releases the interpreter lock
    with open(file, "wb") as to, ThreadPoolExecutor(cache.THREADS) as pool:
        np.lib.format.write_array_header_1_0(to, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for k, made in enumerate(pool.map(block, range(0, shape[0], RECORDS))):
            if k:
                to.flush()
                os.fsync(to.fileno())
            to.write(made)
