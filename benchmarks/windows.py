"""Windows for pretraining: from our memory map against ``wfdb.rdrecord(sampfrom, sampto)`` for each window.

The records are noise in a made folder, two leads at 500 Hz in format 212. The files may lie in the operating
system's cache, for all ways alike.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy import signal

from benchmarks.timing import Row, own_cache, take_turns
from ecgtl.datasets.folder import read
from ecgtl.signals.windows import MARGIN, Windows, unlabelled

RATE_IN, RATE, N_SAMPLES = 500, 250, 2048  # a window begins at a sample of both rates
RECORDS, WINDOWS, BATCH = 8, 64, 128
LEADS = ("I", "II")


def write_records(root: Path, n_records: int, n_windows: int) -> None:
    """Records of noise with so many windows each."""
    import wfdb

    rng = np.random.default_rng(0)
    root.mkdir()
    for k in range(n_records):
        stored = rng.integers(-1000, 1000, (n_windows * N_SAMPLES * RATE_IN // RATE, len(LEADS)))
        wfdb.wrsamp(f"r{k:02d}", fs=RATE_IN, units=["mV"] * 2, sig_name=list(LEADS), d_signal=stored,
                    fmt=["212"] * 2, adc_gain=[200.0] * 2, baseline=[0] * 2, write_dir=str(root))


def mapped(root: Path) -> Windows:
    """Our way: read, prepare and write the windows once, then map them."""
    return unlabelled([read(root, lead="II")], N_SAMPLES / RATE, RATE).materialise()


def by_wfdb(root: Path, margin: float = 0.0) -> Iterator[tuple[np.ndarray, int]]:
    """Lead II of each window and ``margin`` seconds around, in mV, by one ``rdrecord``; where it begins."""
    import wfdb

    around, length = round(margin * RATE_IN), N_SAMPLES * RATE_IN // RATE
    for header in sorted(root.glob("*.hea")):
        record = str(header.with_suffix(""))
        whole = wfdb.rdheader(record).sig_len
        for first in range(0, whole - length + 1, length):
            start = max(0, first - around)
            found = wfdb.rdrecord(record, sampfrom=start, sampto=min(whole, first + length + around),
                                  channels=[LEADS.index("II")])
            yield found.p_signal[:, 0], first - start


def prepared(x: np.ndarray, skip: int) -> np.ndarray:
    """A window out of ``x``: resampled, freed of baseline wander, cut and z-scored, as our windows are."""
    x = signal.resample_poly(x - x.mean(), RATE, RATE_IN)
    x = signal.sosfiltfilt(signal.butter(3, 0.5, "highpass", fs=RATE, output="sos"), x)
    x = x[skip * RATE // RATE_IN:][:N_SAMPLES]
    return (x - x.mean()) / x.std()


def plain(root: Path) -> np.ndarray:
    """The plain way: every window read and prepared when it is asked for, shape (n, samples)."""
    return np.stack([prepared(x, skip) for x, skip in by_wfdb(root, MARGIN)])


def rows(repeats: int, n_records: int = RECORDS, n_windows: int = WINDOWS) -> list[Row]:
    """Windows a second in one epoch from the memory map, and seconds until the map is there."""
    with own_cache() as folder:
        root = folder / "records"
        write_records(root, n_records, n_windows)
        windows, n = mapped(root), n_records * n_windows
        if not np.allclose(windows.take(range(n))[:, 0], plain(root), atol=0.01):  # float16: three digits
            raise SystemExit("windows: the two ways give different windows")
        seconds = take_turns({"ours": lambda: sum(len(batch) for batch in windows.batches(BATCH, seed=0)),
                              "reading": lambda: sum(len(x) for x, _ in by_wfdb(root)),
                              "whole": lambda: plain(root)}, repeats)
        first = min(_first_time(root) for _ in range(repeats))
    what = f"an epoch of {n} windows from a memory map"
    ours, reading, whole = (n / seconds[name] for name in ("ours", "reading", "whole"))
    return [Row(f"{what}, against wfdb.rdrecord for each", "windows/s", ours, reading, at_least=20.0),
            Row(f"{what}, against rdrecord and preparation", "windows/s", ours, whole),
            Row("making the memory map, against one plain epoch", "s", first, seconds["whole"])]


def _first_time(root: Path) -> float:
    with own_cache():
        began = time.perf_counter()
        mapped(root)
        return time.perf_counter() - began
