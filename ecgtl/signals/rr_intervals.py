"""Beats and what the intervals between them say, without a network."""

import contextlib
import io
import math
from pathlib import Path

import numpy as np

from ecgtl import processes
from ecgtl.datasets import cache
from ecgtl.datasets.recordings import Recordings
from ecgtl.signals import filters

FEATURES = ("beats", "mean_rr", "sd_rr", "rmssd", "pnn50", "cv_rr", "min_rr", "max_rr", "median_rr", "iqr_rr",
            "lag1_rr", "seconds")
CHUNK = 64  # recordings handed to a worker at a time
# Hz; XQRS looks for peaks some samples wide: of MIT-BIH's beats it misses 7 % at 500 Hz, 22 % at 1,000 Hz, all at 2,000
FASTEST = 500


def rr_features(recordings: Recordings, lead: int | str = 0) -> np.ndarray:
    """RR-interval features of every recording, (recordings, len(FEATURES)), float64, NaN where beats are too few.

    Beats are those of ``detect_beats``; computed once and cached. Intervals in seconds.
    """
    version = 1 + bool((recordings.sampling_rate > FASTEST).any())
    parts = {"digest": recordings.digest, "lead": lead, "features": FEATURES, "detector": "wfdb xqrs",
             "version": version}

    def build(folder: Path) -> None:
        lengths = np.diff(recordings.offsets).tolist()
        found = zip(beats_of(recordings, lead, CHUNK), recordings.sampling_rate.tolist(), lengths, strict=True)
        np.save(folder / "features.npy", np.array([interval_features(*one) for one in found]))

    folder = cache.entry(f"{recordings.name}-rr", parts, build)
    return np.load(folder / "features.npy", allow_pickle=False)


def beats_of(recordings: Recordings, lead: int | str = 0, together: int = 1) -> list[np.ndarray]:
    """Beats of every recording (``detect_beats``), by worker processes that are handed so many ``together``."""
    starts = range(0, len(recordings), together)
    jobs = ([(recordings.lead(i, lead), float(recordings.sampling_rate[i]))
             for i in range(k, min(k + together, len(recordings)))] for k in starts)
    workers = 1 if len(starts) < 4 else None  # starting processes costs more than a few recordings do
    return [beats for some in processes.spread(_detected, jobs, workers) for beats in some]


def _detected(job: list[tuple[np.ndarray, float]]) -> list[np.ndarray]:
    return [detect_beats(x, rate) for x, rate in job]


def detect_beats(x: np.ndarray, rate: float) -> np.ndarray:
    """Sample numbers of the QRS complexes in ``x`` (samples,) at ``rate`` Hz, by wfdb's XQRS; none where it finds
    nothing. A rate above ``FASTEST`` is divided by a whole number for it.
    """
    from wfdb.processing import XQRS

    step = math.ceil(rate / FASTEST)
    x = filters.resample(x - np.mean(x), rate, rate / step) if step > 1 else x
    detector = XQRS(sig=np.asarray(x, np.float64), fs=rate / step)
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(divide="ignore", invalid="ignore"):
        try:
            detector.detect(verbose=False)
        except (ValueError, IndexError):  # a signal too short, or of too low a rate, for the detector's filters
            return np.zeros(0, np.int64)
    return np.asarray(detector.qrs_inds, np.int64) * step


def interval_features(beats: np.ndarray, rate: float, n_samples: int) -> np.ndarray:
    """The features named in ``FEATURES`` from beat positions (samples) in a recording of ``n_samples``."""
    rr = np.diff(beats) / rate
    if len(rr) < 3:
        return np.array([len(beats), *[np.nan] * (len(FEATURES) - 2), n_samples / rate])
    steps = np.diff(rr)
    centred = rr - rr.mean()
    # Of equal intervals rounding alone would be correlated
    lag1 = np.dot(centred[1:], centred[:-1]) / np.dot(centred, centred) if rr.max() > rr.min() else 0.0
    q1, q3 = np.percentile(rr, [25, 75])
    return np.array([len(beats), rr.mean(), rr.std(), np.sqrt(np.mean(steps**2)), np.mean(np.abs(steps) > 0.05),
                     rr.std() / rr.mean(), rr.min(), rr.max(), np.median(rr), q3 - q1, lag1, n_samples / rate])
