"""Unlabelled windows of equal length out of any databases, for pretraining.

Windows do not overlap; they are cut at a common sampling rate, filtered and z-scored (Jang 2021, section
II.2). What a source holds is known from its lengths alone, signals are read when they are asked for, and
memory stays the same however large the sources are.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from hashlib import sha256
from pathlib import Path

import numpy as np

from ecgtl.datasets import cache
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError
from ecgtl.signals import filters
from ecgtl.signals.window_index import LEAD, Excluded, Index, Indices, groups, index_of, rng_of

MARGIN = 4.0  # seconds on either side that a window is filtered with, so that its ends are right
FLAT = 0.001  # mV; a window with a smaller standard deviation shows no heart
CHUNK = 1024  # windows read at a time
BLOCKS, POOL = 1 << 20, 4096  # an epoch's order is drawn over at most so many blocks, and mixed among so many
_STEPS = "resample-highpass-zscore, 2"  # raise the number when the processing changes
_NAN, _CONSTANT = "window with missing samples (NaN)", "flat window"


def unlabelled(sources: Sequence[Recordings], seconds: float = 8.192, rate: float = 250.0,
               per_subject: int | None = None, seed: int = 0, exclude: Excluded = None,
               highpass: float | None = 0.5) -> "Windows":
    """All windows of ``seconds`` at ``rate`` Hz in the first leads of ``sources``, without overlap.

    Sources of one name are one database. ``per_subject`` draws so many windows a subject at most, with ``seed``.
    ``exclude`` names recordings by database (``{"cinc2017": ids}``): neither they nor any other recording of their
    subjects appears, so a test set of a later experiment can be kept out. Recordings shorter than a window are counted.
    ``highpass`` is the cutoff in Hz below which baseline wander is removed; None leaves it in. No signal is read yet.

    Raises EcgtlError when nothing remains, for a recording given twice, and for sizes not above 0.
    """
    n_samples = round(seconds * rate)
    if n_samples < 2:
        raise EcgtlError(f"windows of {seconds} s at {rate} Hz are empty; give sizes above 0")
    index, left_out = index_of(sources, n_samples, rate, exclude)
    windows = Windows(index, n_samples, float(rate), highpass, left_out)
    return windows if per_subject is None else windows._drawn(per_subject, seed)


@dataclass(frozen=True, eq=False)
class Windows:
    """Windows of one length at one rate, read from their recordings, or from a memory map once
    ``materialise``d.

    ``index`` says which recordings take part; ``left_out`` counts those that do not, by reason; ``numbers`` (n,) are
    the windows among all of the index, None for all; ``store`` has them (n, samples) once they are on the disk.
    """

    index: Index
    n_samples: int
    rate: float
    highpass: float | None
    left_out: Mapping[str, int]
    numbers: np.ndarray | None = None
    store: np.ndarray | None = None
    _unusable: dict[int, str] = field(default_factory=dict, init=False)

    def __len__(self) -> int:
        return int(self.index.ends[-1]) if self.numbers is None else len(self.numbers)

    @property
    def skipped(self) -> dict[str, int]:
        """Recordings left out when the index was made, and windows as they were read so far, by reason."""
        return dict(self.left_out) | dict(Counter(self._unusable.values()))

    @property
    def subjects(self) -> np.ndarray:
        """Names of the subjects, ``database/subject``, sorted."""
        rows = slice(None) if self.numbers is None else np.unique(self._located(self.numbers)[0])
        return self.index.subjects[np.unique(self.index.subject[rows])]

    def origin(self, indices: Indices) -> list[tuple[str, str, float]]:
        """Database, recording and start in seconds of each window at ``indices``."""
        rows, places = self._located(self._at(indices))
        return self.index.origins(rows, places * self.n_samples / self.rate)

    def take(self, indices: Indices) -> np.ndarray:
        """The windows at ``indices``, shape (n, 1, samples), float32, each with mean 0 and standard deviation
        1.

        Windows that are flat or have missing samples are left out, so n may be smaller than the number of
        indices; ``skipped`` counts them, each once. Materialised windows are all usable. Raises IndexError
        beyond the last.
        """
        if self.store is not None:
            return self.store[np.asarray(indices)].astype(np.float32)[:, np.newaxis]
        return self.usable(indices)[1]

    def usable(self, indices: Indices) -> tuple[np.ndarray, np.ndarray]:
        """Those of ``indices`` that ``take`` does not leave out, and their windows.

        Read anew where they are materialised.
        """
        indices, numbers = np.asarray(indices), self._at(indices)
        windows, reasons = self._read(numbers)
        bad = np.flatnonzero(reasons != "")
        self._unusable.update(zip(numbers[bad].tolist(), reasons[bad].tolist(), strict=True))
        return indices[reasons == ""], windows[reasons == ""][:, np.newaxis]

    def batches(self, batch_size: int, seed: int | None = None, epoch: int = 0,
                share: slice = slice(None)) -> Iterator[np.ndarray]:
        """All windows once, as arrays (batch_size, 1, samples), float32; the last one may be smaller.

        The order is drawn anew for each ``seed`` and ``epoch``; without ``seed`` it is that of the
        recordings. A batch holds fewer windows where some are unusable. Of each batch ``share`` is read and given.
        """
        waiting = np.zeros(0, np.int64)
        for piece in self._order(None if seed is None else np.random.default_rng([seed, epoch])):
            waiting = np.concatenate([waiting, piece])
            while len(waiting) >= batch_size:
                yield self.take(np.sort(waiting[:batch_size])[share])  # neighbours on the disk together
                waiting = waiting[batch_size:]
        if len(waiting):
            yield self.take(np.sort(waiting)[share])

    def split(self, validation: float = 0.1, test: float = 0.1, seed: int = 0) -> list["Windows"]:
        """Training, validation and test windows, by shares of each database's subjects, drawn with ``seed``.

        No subject is in two parts. A database with few subjects may be in the training set alone. Raises EcgtlError
        when a part would be empty.
        """
        return [self._of_rows(part) for part in self.index.parts(validation, test, seed)]

    def sample(self, n: int, seed: int = 0) -> "Windows":
        """``n`` of these windows, drawn with ``seed``; all of them where there are no more."""
        drawn = np.random.default_rng(seed).permutation(len(self))[:n]
        return replace(self, store=None, numbers=self._at(np.sort(drawn)))

    def materialise(self) -> "Windows":
        """The same windows from a memory map in the cache, written chunk by chunk when it is not there yet.

        They are float16: z-scores keep three digits. Unusable windows are not in it; ``skipped`` of the result counts
        them. Raises EcgtlError when no window is usable or the disk is full.
        """
        chosen = b"" if self.numbers is None else np.ascontiguousarray(self.numbers).data
        parts = {"index": self.index.checksum(), "numbers": sha256(chosen).hexdigest(),
                 "samples": self.n_samples, "rate": self.rate, "lead": LEAD, "dtype": "float16",
                 "margin": MARGIN, "flat": FLAT, "highpass": self.highpass, "steps": _STEPS}
        folder = cache.entry("windows", parts, self._write)
        skipped = json.loads((folder / "skipped.json").read_text()) | dict(self.left_out)
        numbers = np.memmap(folder / "numbers.bin", np.int64, "r")
        windows = np.memmap(folder / "windows.bin", "float16", "r", shape=(len(numbers), self.n_samples))
        return replace(self, left_out=skipped, numbers=numbers, store=windows)

    def _write(self, folder: Path) -> None:
        skipped: Counter[str] = Counter()
        with open(folder / "windows.bin", "wb") as windows, open(folder / "numbers.bin", "wb") as numbers:
            for start in range(0, len(self), CHUNK):
                chunk = self._at(np.arange(start, min(start + CHUNK, len(self))))
                values, reasons = self._read(chunk)
                usable = reasons == ""
                values[usable].astype("float16").tofile(windows)
                chunk[usable].tofile(numbers)
                skipped.update(reasons[~usable].tolist())
        if skipped.total() == len(self):
            raise EcgtlError(f"none of the {len(self)} windows is usable: {dict(skipped)}; give other recordings")
        (folder / "skipped.json").write_text(json.dumps(skipped))

    def _at(self, indices: Indices) -> np.ndarray:
        """Numbers of the windows at ``indices`` among all windows of the index."""
        indices = np.asarray(indices, np.int64)
        if len(indices) and (indices.min() < 0 or indices.max() >= len(self)):
            raise IndexError(f"there are {len(self)} windows, numbered from 0")
        return indices if self.numbers is None else np.asarray(self.numbers[indices])

    def _located(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row of the index and place in the recording, for windows by number."""
        rows = np.searchsorted(self.index.ends, numbers, side="right")
        return rows, numbers - (self.index.ends[rows] - self.index.windows[rows])

    def _order(self, rng: np.random.Generator | None) -> Iterator[np.ndarray]:
        """Every index once, in pieces; with ``rng`` in random order.

        Up to a million windows the order is a permutation of all. Beyond, blocks of neighbours are permuted,
        and then the windows of some thousand blocks, so that the order takes the same memory for any number.
        """
        block = -(-len(self) // BLOCKS)
        n_blocks = -(-len(self) // block)
        blocks = np.arange(n_blocks) if rng is None else rng.permutation(n_blocks)
        for start in range(0, n_blocks, POOL):
            pool = (blocks[start:start + POOL, np.newaxis] * block + np.arange(block)).ravel()
            pool = pool[pool < len(self)]
            yield pool if rng is None else rng.permutation(pool)

    def _drawn(self, per_subject: int, seed: int) -> "Windows":
        """At most ``per_subject`` windows of each subject; a subject's draw does not depend on the others."""
        index, numbers = self.index, []
        for subject, rows in groups(index.subject):
            windows = np.concatenate([np.arange(index.ends[row] - index.windows[row], index.ends[row]) for row in rows])
            numbers.append(rng_of(seed, index.subjects[subject]).permutation(windows)[:per_subject])
        return replace(self, numbers=np.sort(np.concatenate(numbers)))

    def _of_rows(self, chosen: np.ndarray) -> "Windows":
        """The windows of the recordings that ``chosen`` (R,) marks."""
        if self.numbers is None:
            return replace(self, index=self.index.rows(chosen))
        rows, places = self._located(self.numbers)
        kept = chosen[rows]
        starts = np.cumsum(np.where(chosen, self.index.windows, 0)) - self.index.windows
        numbers = starts[rows[kept]] + places[kept]  # the chosen recordings count anew from 0
        return replace(self, index=self.index.rows(chosen), numbers=numbers, store=None)

    def _read(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Windows by number, processed, and why they are unusable; equal stretches are filtered together."""
        windows = np.zeros((len(numbers), self.n_samples), np.float32)
        reasons = np.full(len(numbers), "", object)
        alike: dict[tuple, list[tuple[int, np.ndarray]]] = {}
        for position, (row, place) in enumerate(zip(*self._located(numbers), strict=True)):
            samples, rate_in, skip, offset = self._stretch(row, place)
            alike.setdefault((rate_in, len(samples), skip, offset), []).append((position, samples))
        for (rate_in, _, skip, offset), members in alike.items():
            at = [position for position, _ in members]
            windows[at], reasons[at] = self._processed(np.stack([x for _, x in members]), rate_in, skip, offset)
        return windows, reasons

    def _stretch(self, row: int, place: int) -> tuple[np.ndarray, float, int, Fraction]:
        """The samples that a window needs, in mV.

        Their rate, and where it begins in them once resampled (``filters.stretch``).
        """
        recordings = self.index.sources[self.index.source[row]]
        i = int(self.index.record[row])
        rate_in = float(recordings.sampling_rate[i])
        length = int(recordings.offsets[i + 1] - recordings.offsets[i])
        first = int(place) * self.n_samples
        start, stop, skip, offset = filters.stretch(rate_in, self.rate, first, self.n_samples, length, MARGIN)
        return recordings.part(i, LEAD, start, stop).astype(np.float32), rate_in, skip, offset

    def _processed(self, stretches: np.ndarray, rate_in: float, skip: int,
                   offset: Fraction) -> tuple[np.ndarray, np.ndarray]:
        """Stretches (n, samples) resampled, filtered, cut and z-scored; and why they are unusable."""
        missing = ~np.isfinite(stretches).all(axis=1)
        stretches = np.where(missing[:, np.newaxis], np.float32(0), stretches)
        # The level goes first: at the ends of a stretch the resampling filter would take it for a step.
        level = stretches.mean(axis=1, keepdims=True)
        x = filters.resample(stretches - level, rate_in, self.rate, offset)
        x = x if self.highpass is None else filters.remove_baseline_wander(x, self.rate, self.highpass)
        x = x[:, skip:skip + self.n_samples]
        sd = x.std(axis=1, keepdims=True)
        # Whether the window itself is constant as stored: the filter lets its neighbours leak into it
        step = rate_in / self.rate
        inside = stretches[:, int(np.ceil(skip * step)):int((skip + self.n_samples) * step)]
        flat = (sd[:, 0] < FLAT) | (inside.min(axis=1) == inside.max(axis=1))
        reasons = np.select([missing, flat], [_NAN, _CONSTANT], "")
        return (x - x.mean(axis=1, keepdims=True)) / np.where(sd > 0, sd, 1), reasons
