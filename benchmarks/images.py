"""The image arm: spectrograms and GoogLeNet's features of them, and that they are computed once.

Windows are noise: what they show costs no time. Without ``full`` a sample of them is measured and the time of
all is extrapolated, which counts the loading of the weights too often: an upper bound.
"""

import time

import numpy as np

from benchmarks.timing import Row, own_cache
from ecgtl.config import FinetuneConfig
from ecgtl.errors import EcgtlError
from ecgtl.models import googlenet
from ecgtl.signals import spectrograms

RECORDS, SAMPLE = 2992, 64  # the target is set for as many records; so many are measured
LIMIT = 240.0  # s


def rows(repeats: int, sample: int = SAMPLE, full: bool = False) -> list[Row]:
    """Seconds for all records, and for a second call; empty where there are no ImageNet weights."""
    try:
        googlenet.find_weights()
    except EcgtlError as error:
        print(f"images: {error}; left out")
        return []
    n = RECORDS if full else sample
    config = FinetuneConfig.of(init="image", tier="reduced").resolved()
    x = np.random.default_rng(0).normal(size=(n, config.n_samples)).astype(np.float32)
    measured = [measure(x, config.sampling_rate) for _ in range(repeats)]
    first, second = (min(seconds) for seconds in zip(*measured, strict=True))
    how = "" if full else f", extrapolated from {n}"
    return [Row(f"spectrograms and GoogLeNet features of {RECORDS} records{how}", "s", first * RECORDS / n,
                at_most=LIMIT),
            Row(f"those of {n} records a second time, against the first", "s", second, first)]


def measure(x: np.ndarray, rate: float) -> tuple[float, float]:
    """Seconds of a first and of a second call for the same windows ``x`` (records, samples)."""
    with own_cache():
        began = time.perf_counter()
        first = spectrograms.image_features(x, rate)
        between = time.perf_counter()
        second = spectrograms.image_features(x, rate)
        ended = time.perf_counter()
        if not np.array_equal(first, second):
            raise SystemExit("images: the cache gives other features")
    return between - began, ended - between
