"""Reading CinC 2017: our way from a cold and a warm cache against ``wfdb.rdrecord`` record by record.

Each measurement is a process of its own (``python -m benchmarks.reading ours|wfdb FILE``), so that memory is counted
from nothing. The files themselves may lie in the operating system's cache, for both ways alike.
"""

import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.timing import Row
from ecgtl import datasets, paths
from ecgtl.datasets.cinc2017 import FOLDER
from ecgtl.signals import preparation

RATE, N_SAMPLES = 125, 4096


def ours() -> tuple[np.ndarray, dict]:
    """The array that a network takes, and seconds for reading alone and for everything."""
    began = time.perf_counter()
    recordings = datasets.load("cinc2017")
    read = time.perf_counter() - began
    x = preparation.prepare(recordings, RATE, N_SAMPLES)
    return x, {"read": read, "whole": time.perf_counter() - began, "digest": recordings.digest}


def by_wfdb() -> tuple[np.ndarray, dict]:
    """The same array by one ``wfdb.rdrecord`` and one ``resample_poly`` after the other."""
    import wfdb
    from scipy import signal

    training = paths.data() / FOLDER / "training2017"
    records = sorted(str(file.with_suffix("")) for file in training.glob("*.hea"))
    began = time.perf_counter()
    signals = [wfdb.rdrecord(record).p_signal[:, 0] for record in records]
    read = time.perf_counter() - began
    everything = np.concatenate(signals)
    mean, sd = everything.mean(), everything.std()
    x = np.zeros((len(signals), 1, N_SAMPLES), np.float32)
    for row, one in zip(x[:, 0], signals, strict=True):
        resampled = signal.resample_poly((one - mean) / sd, 5, 12)[-N_SAMPLES:]
        row[N_SAMPLES - len(resampled):] = resampled
    return x, {"read": read, "whole": time.perf_counter() - began}


def rows(repeats: int) -> list[Row]:
    """Seconds for all records, cold, warm and by wfdb, and peak memory; empty where the data are not available here."""
    if not (paths.data() / FOLDER / "training2017").is_dir():
        print(f"reading: {FOLDER}/training2017 is not available here (set ECGTL_DATA); left out")
        return []
    runs = {"cold": [], "warm": [], "wfdb": []}
    for _ in range(repeats):
        with tempfile.TemporaryDirectory() as folder:
            for name, way in (("cold", "ours"), ("warm", "ours"), ("wfdb", "wfdb")):
                runs[name].append(_measure(way, Path(folder)))
            _compare(Path(folder))

    def best(name: str, value: str) -> float:
        return min(run[value] for run in runs[name])

    n = runs["cold"][0]["records"]
    return [
        Row(f"reading {n} records alone, cold cache", "s", best("cold", "read"), best("wfdb", "read"),
            at_least=5.0),
        Row(f"reading, standardising, resampling {n} records, cold", "s", best("cold", "whole"),
            best("wfdb", "whole"), at_least=5.0),
        Row("the same, time limit", "s", best("cold", "whole"), at_most=5.0),
        Row("the same, warm cache", "s", best("warm", "whole"), at_most=0.3),
        Row("peak memory of the cold run", "GiB", max(run["memory"] for run in runs["cold"]), at_most=2.0)]


def _measure(way: str, folder: Path) -> dict:
    environment = os.environ | {"ECGTL_CACHE": str(folder / "cache")}
    done = subprocess.run([sys.executable, "-m", "benchmarks.reading", way, str(folder / f"{way}.npy")], text=True,
                          env=environment, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def _compare(folder: Path) -> None:
    """Both ways must have made the same array, or the comparison means nothing."""
    first, second = (np.load(folder / f"{way}.npy", mmap_mode="r") for way in ("ours", "wfdb"))
    if not np.allclose(first, second, atol=1e-3):
        raise SystemExit("reading: the two ways give different arrays")


def _child(way: str, file: str) -> None:
    x, found = {"ours": ours, "wfdb": by_wfdb}[way]()
    found |= {"records": len(x), "memory": _peak_memory() / 2**30}
    np.save(file, x)
    print(json.dumps(found))


def _peak_memory() -> int:
    """Most bytes that this process has held. Linux counts its parent's in ``ru_maxrss``, so it is asked elsewhere."""
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


if __name__ == "__main__":
    _child(*sys.argv[1:])
