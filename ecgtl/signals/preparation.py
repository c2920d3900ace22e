"""Recordings as the arrays that a network takes: scaled, filtered, of one length; and what cannot be."""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ecgtl.datasets import cache
from ecgtl.datasets.leads import missing, resolve
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError
from ecgtl.signals import filters

FLAT = 1e-6  # mV; a window with a smaller standard deviation is constant
STANDARDS = ("dataset", "window", "range")


@dataclass(frozen=True)
class Input:
    """How inputs are made: which end of a recording is kept, by what it is scaled, the high-pass filter in Hz, and
    whether every k-th sample is taken as it is; in a protocol which ``variant`` takes it so.
    """

    keep: str
    standardise: str
    highpass: float | None
    decimate: Mapping[str, bool] | bool = field(default_factory=dict)


BY_DATASET = Input("end", "dataset", None)


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
            rules: Input = BY_DATASET) -> np.ndarray:
    """All recordings as one array (records, leads, n_samples), float32, memory-mapped from the cache.

    Standardised by ``"dataset"``: each lead is standardised with its mean and SD over the whole data set, then
    resampled to ``sampling_rate`` Hz, then cut or zero-padded (``fit_length``): the order of Weimann 2021,
    "Finetuning". ``"window"``: resampled, freed of baseline wander below ``highpass`` Hz, cut, and each window
    z-scored (Jang 2021, section II.2); a recording shorter than the window, or flat or incomplete within it, is an
    EcgtlError. ``"range"``: the same, but each window is scaled to [-1, 1] by its lowest and highest value; with
    ``decimate`` every k-th sample is taken without a filter instead of resampling (public code of Nguyen 2023).

    ``leads`` are indices or names; several are found by name in every recording (``datasets.leads.resolve``). Raises
    EcgtlError for a recording that lacks one, and for one whose input would not be finite: nothing is cached then.
    """
    if n_samples < 1:
        raise EcgtlError(f"an input needs at least one sample, not {n_samples}")
    leads = resolve(recordings, leads)
    parts = {"digest": recordings.digest, "rate": float(sampling_rate), "n": int(n_samples), "leads": list(leads),
             "keep": rules.keep, "standardise_by": rules.standardise, "highpass": rules.highpass,
             "version": 4 if rules.standardise == "dataset" else 5}
    parts |= {"decimate": True} if rules.decimate else {}

    def build(folder: Path) -> None:
        one = preparer(recordings, sampling_rate, n_samples, leads, rules, None)
        _save(folder / "input.npy", one, (len(recordings), len(leads), n_samples))

    folder = cache.entry(f"{recordings.name}-input", parts, build)
    return np.load(folder / "input.npy", mmap_mode="r", allow_pickle=False)


def preparer(recordings: Recordings, sampling_rate: float, n_samples: int, leads: tuple[int | str, ...],
             rules: Input, statistics: Sequence[tuple[float, float]] | None) -> Callable[[int, int], np.ndarray]:
    """What ``prepare`` makes of one recording and one of ``leads``, by their numbers: (n_samples,), float32.

    With ``statistics``, mean and SD of each lead in mV, those of the data that a network was trained on take the place
    of the recordings' own.
    """
    by_recordings = rules.standardise == "dataset"
    pairs = (statistics or [mean_and_sd(recordings, lead) for lead in leads]) if by_recordings else ()

    def by_dataset(x: np.ndarray, rate_in: float, row: int) -> np.ndarray:
        x = filters.resample(filters.standardise(x, *pairs[row]), rate_in, sampling_rate)
        return filters.fit_length(x, n_samples, rules.keep)

    def by_window(x: np.ndarray, rate_in: float, _) -> np.ndarray:
        defect = window_defect(x, rate_in, sampling_rate, n_samples, rules.keep)
        if not defect:
            x = (filters.every_kth if rules.decimate else filters.resample)(x, rate_in, sampling_rate)
            x = x if rules.highpass is None else filters.remove_baseline_wander(x, sampling_rate, rules.highpass)
            x = filters.fit_length(x, n_samples, rules.keep)
            # The filter leaves rounding noise of a ramp, which must not be blown up
            defect = "is flat in its window" if x.std() < FLAT else ""
        if defect:
            raise EcgtlError(f"it {defect} of {n_samples / sampling_rate:g} s; leave it out")
        return filters.scale_to_range(x) if rules.standardise == "range" else filters.standardise(x, x.mean(), x.std())

    work = by_dataset if by_recordings else by_window

    def finite(i: int, row: int) -> np.ndarray:
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
    share = filters.ratio(rate_in, rate)
    if math.ceil(len(x) * share) < n_samples:
        return "is shorter than its window"
    inside = filters.fit_length(x, math.ceil(n_samples / share), keep)
    if not np.isfinite(inside).all():
        return "has missing samples (NaN) in its window"
    return "is flat in its window" if inside.min() == inside.max() else ""


def window_defects(recordings: Recordings, leads: Sequence[int | str], rate: float, n_samples: int,
                   rules: Input) -> list[str]:
    """Why each recording cannot be an input by the ``rules`` of a protocol, (R,); empty where it can.

    It lacks one of ``leads``; or, where each window is scaled by itself, the ``window_defect`` of the first that has
    one.
    """
    defects = missing(recordings, leads)
    if rules.standardise == "dataset":
        return defects
    for i, rate_in in enumerate(recordings.sampling_rate):
        found = (window_defect(recordings.lead(i, lead), rate_in, rate, n_samples, rules.keep) for lead in leads)
        defects[i] = defects[i] or next(filter(None, found), "")
    return defects


def _save(file: Path, one: Callable[[int, int], np.ndarray], shape: tuple[int, int, int]) -> None:
    """Write what ``one`` makes of all recordings as ``np.save`` would; the disk works while threads make what comes
    next.
    """
    def block(begin: int) -> np.ndarray:
        out = np.empty((min(filters.RECORDS, shape[0] - begin), *shape[1:]), np.float32)
        for i, row in np.ndindex(out.shape[:2]):
            out[i, row] = one(begin + i, row)
        return out

    # SciPy's filter releases the interpreter lock
    with open(file, "wb") as to, ThreadPoolExecutor(cache.THREADS) as pool:
        np.lib.format.write_array_header_1_0(to, {"descr": "<f4", "fortran_order": False, "shape": shape})
        for k, made in enumerate(pool.map(block, range(0, shape[0], filters.RECORDS))):
            if k:
                to.flush()
                os.fsync(to.fileno())
            to.write(made.data)
