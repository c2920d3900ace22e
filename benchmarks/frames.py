"""Frames at random places of long recordings: from our memory map against ``wfdb.rdrecord(sampfrom, sampto)``.

The records are noise in a made folder, one lead at 250 Hz in 16 bits, as Icentia11k's are. The files may lie in
the operating system's cache, for both ways alike. Memory is measured on a made database of 20 GB that is sparse
on the disk.
"""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.timing import Row, own_cache, take_turns
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.datasets.folder import read
from ecgtl.datasets.recordings import Annotations, Recordings
from ecgtl.signals.frames import Frames, sampled
from ecgtl.training.classification import LabelledFrames

RATE, N_SAMPLES, GAIN = 250, 2048, 200.0
RECORDS, LENGTH, FRAMES, BATCH = 8, 1_000_000, 512, 256
WANTED = 50_000  # frames a second
HUGE_RECORDS, HUGE_LENGTH = 100, 100_000_000  # 20 GB


def write_records(root: Path, n_records: int, length: int) -> None:
    """Records of noise."""
    import wfdb

    rng = np.random.default_rng(0)
    root.mkdir()
    for k in range(n_records):
        stored = rng.integers(-1000, 1000, (length, 1))
        wfdb.wrsamp(f"r{k:02d}", fs=RATE, units=["mV"], sig_name=["I"], d_signal=stored, fmt=["16"], adc_gain=[GAIN],
                    baseline=[0], write_dir=str(root))


def by_wfdb(root: Path, frames: Frames, row: np.ndarray, start: np.ndarray) -> np.ndarray:
    """The plain way: one ``rdrecord`` a frame, standardised, shape (n, samples)."""
    import wfdb

    out = []
    for _, record, seconds in frames.origin(row, start):
        first = round(seconds * RATE)
        out.append(wfdb.rdrecord(str(root / record), sampfrom=first, sampto=first + N_SAMPLES).p_signal[:, 0])
    mean, sd = next(iter(frames.statistics.values()))
    return (np.stack(out) - mean) / sd


def taken(frames: Frames, row: np.ndarray, start: np.ndarray) -> None:
    """Our way: batch by batch from the memory map."""
    for first in range(0, len(row), BATCH):
        frames.take(row[first:first + BATCH], start[first:first + BATCH])


def with_beats(recordings: Recordings) -> Recordings:
    """The same recordings with a beat every 200 samples, one in ten premature."""
    marks = [np.arange(0, n, 200) for n in np.diff(recordings.offsets)]
    symbols = [np.where(np.arange(len(m)) % 10, "N", "V") for m in marks]
    sample = np.concatenate(marks)
    beats = Annotations(sample, np.concatenate(symbols), np.full(len(sample), ""), np.cumsum([0, *map(len, marks)]))
    return replace(recordings, annotations=beats, digest=f"{recordings.digest}-beats")


def rows(repeats: int, n_records: int = RECORDS, length: int = LENGTH) -> list[Row]:
    """Frames a second, drawn alone and with their labels; seconds for what is wanted in one; memory."""
    with own_cache() as folder:
        root = folder / "records"
        write_records(root, n_records, length)
        recordings = with_beats(read(root))
        frames = sampled([recordings], N_SAMPLES / RATE, RATE)
        row, start = frames.draw(np.random.default_rng(0), WANTED)
        few = row[:FRAMES], start[:FRAMES]
        if not np.allclose(frames.take(*few)[:, 0], by_wfdb(root, frames, *few), atol=1e-4):
            raise SystemExit("frames: the two ways give different frames")
        labelled = LabelledFrames(frames, "beat", WANTED // len(frames.subjects))
        seconds = take_turns({"ours": lambda: taken(frames, row, start),
                              "labelled": lambda: sum(len(y) for _, y in labelled.batches(BATCH, seed=0)),
                              "wfdb": lambda: by_wfdb(root, frames, *few)}, repeats)
        memory = anonymous_memory(folder)
    what = f"frames of {N_SAMPLES} samples"
    ours, plain = len(row) / seconds["ours"], FRAMES / seconds["wfdb"]
    return [Row(f"{what}, against wfdb.rdrecord for each", "frames/s", ours, plain, at_least=20.0),
            Row(f"{what}, drawn and labelled, against the same", "frames/s", len(labelled) / seconds["labelled"],
                plain),
            Row(f"{WANTED} {what} by one thread", "s", seconds["ours"], at_most=1.0),
            Row("anonymous memory of an epoch on a database of 20 GB", "MiB", memory / 2**20, at_most=100.0)]


def anonymous_memory(folder: Path) -> int:
    """Bytes that drawing 2,048 frames out of a sparse database adds to what no file stands behind (Linux)."""
    recordings = _huge(folder)
    before = _held()
    frames = sampled([recordings], N_SAMPLES / RATE, RATE, statistics={recordings.name: (0.0, 1.0)})
    most = 0
    for seed in range(8):
        frames.take(*frames.draw(np.random.default_rng(seed), BATCH))
        most = max(most, _held())
    return max(most - before, 0)


def _huge(folder: Path) -> Recordings:
    collector = Collector("huge", "1", classes=())
    for k in range(HUGE_RECORDS):
        noise = np.random.default_rng(k).integers(-1000, 1000, (10, 1)).astype(np.int16)
        collector.add(Reading(f"r{k}", noise, RATE, ["I"], [GAIN], [0.0]), "made")
    file = folder / "huge.npy"
    np.lib.format.open_memmap(file, "w+", np.int16, (HUGE_RECORDS * HUGE_LENGTH, 1)).flush()
    return replace(collector.recordings(), samples=np.load(file, mmap_mode="r"),
                   offsets=np.arange(HUGE_RECORDS + 1) * HUGE_LENGTH, digest="huge")


def _held() -> int:
    return int(re.search(r"RssAnon:\s+(\d+)", Path("/proc/self/status").read_text())[1]) * 1024
