"""Frames of equal length at random positions of long recordings, for pretraining.

Source: Weimann 2021, "Pretraining". A frame's patient is drawn first, each as likely as any other, then its
place, uniformly over that patient's recordings. Frames are standardised with the mean and standard deviation
of their whole database. Signals that are stored at the frames' rate are read where they lie, in the file of
the recordings; others are resampled once, into the cache, as 16-bit integers. So memory stays the same
however large the sources are, and drawing costs little more than copying.

Which recordings take part, what is left out and who is in which part is decided as for ``windows``.
"""

import mmap
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from ecgtl.datasets import cache
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError
from ecgtl.signals import filters
from ecgtl.signals.window_index import LEAD, SHORT, Excluded, Index, groups, index_of
from ecgtl.signals.windows import FLAT, MARGIN

OPEN = 512  # sources whose signals are kept open at a time
CHUNK = 1 << 20  # samples of a recording in memory at a time
TOGETHER = 32  # frames that are standardised together: they stay in the processor's cache meanwhile
_RANGE = 2.0  # stored integers reach so many times as far as the recording does: resampling overshoots
_MOMENTS, _RESAMPLED = 1, 2  # raise one when what is stored changes


def sampled(sources: Sequence[Recordings], seconds: float = 8.192, rate: float = 250.0, span: int = 1,
            exclude: Excluded = None, statistics: Mapping[str, tuple[float, float]] | None = None) -> "Frames":
    """Frames of ``seconds`` at ``rate`` Hz out of the first leads of ``sources``, at any position.

    ``sources`` and ``exclude`` are those of ``windows.unlabelled``. ``span`` frames in a row must
    fit into a recording; shorter ones are counted. ``statistics`` gives the mean and standard deviation in mV
    of a database that is too large to be read through; of the others they are computed once, over all samples
    of the lead.

    Raises EcgtlError as ``windows.unlabelled`` does, and for a database without any variation.
    """
    n_samples = round(seconds * rate)
    if n_samples < 2:
        raise EcgtlError(f"frames of {seconds} s at {rate} Hz hold nothing; give sizes above 0")
    index, left_out = index_of(sources, span * n_samples, rate, exclude)
    short = f"recording shorter than {f'{span} frames' if span > 1 else 'a frame'}"
    skipped = {short if reason == SHORT else reason: n for reason, n in left_out.items()}
    index = index.rows(np.argsort(index.subject, kind="stable"))
    return Frames(index, n_samples, span, rate, _statistics(index, statistics or {}), skipped)


class Frames:
    """Frames of one length at one rate. A frame is a ``row`` of the usable recordings and a ``start`` in
    samples at ``rate``.

    ``source`` and ``record`` (rows,) number the one of ``sources`` of each recording and its place in it, ``subject``
    (rows,) its subject in ``subjects``, the names ``database/subject``, sorted; ``statistics`` is database -> (mean,
    standard deviation) in mV; ``skipped`` counts recordings that were left out, by reason.
    """

    def __init__(self, index: Index, n_samples: int, span: int, rate: float,
                 statistics: dict[str, tuple[float, float]], skipped: dict[str, int]):
        self._index, self.n_samples, self.span, self.rate = index, n_samples, span, float(rate)
        self.statistics, self.skipped = statistics, skipped
        self.sources, self.source, self.record, self._lengths = index.sources, index.source, index.record, index.samples
        numbers, self.subject = np.unique(index.subject, return_inverse=True)
        self.subjects = index.subjects[numbers]
        self._signals = lru_cache(maxsize=OPEN)(lambda number: _signals(self, number))
        self._places = lru_cache(maxsize=4)(self._count_places)

    def split(self, validation: float, test: float, seed: int) -> list["Frames"]:
        """Training, validation and test frames, by shares of the subjects: see ``Windows.split``."""
        return [self._of_rows(part) for part in self._index.parts(validation, test, seed)]

    def _of_rows(self, chosen: np.ndarray | slice) -> "Frames":
        index = self._index.rows(chosen)
        return Frames(index, self.n_samples, self.span, self.rate, self.statistics, self.skipped)

    def limited(self, n_subjects: int | None, minutes: float | None, seed: int) -> "Frames":
        """Frames of ``n_subjects`` of these, drawn with ``seed``, out of the first ``minutes`` of each.

        None: all there are.

        Raises EcgtlError for more of either than there is.
        """
        found = self._of_rows(slice(None) if n_subjects is None else self._index.few(n_subjects, seed))
        if minutes is not None:
            wanted, lengths, subject = round(60 * minutes * self.rate), found._lengths, found.subject
            short = found.subjects[np.bincount(subject, lengths) < wanted]
            if len(short) or wanted < self.span * self.n_samples:
                which = f"{short[0]} has less ({len(short)} in all)" if len(short) else "a frame lasts longer"
                raise EcgtlError(f"minutes is {minutes:g} of each subject, but {which}; give another number")
            before = np.cumsum(lengths) - lengths
            before -= before[np.searchsorted(subject, np.arange(len(found.subjects)))][subject]
            found._lengths = np.clip(wanted - before, 0, lengths)
        return found

    def draw(self, rng: np.random.Generator, n: int, subjects: np.ndarray | None = None,
             span: int | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Rows and starts (n,) int64 of random frames: a subject (or the one given, by number), then a place.

        ``span`` frames fit behind each start (by default those that all recordings hold).
        """
        before, total, ends, starts = self._places(self.span if span is None else span)
        who = rng.integers(len(self.subjects), size=n) if subjects is None else subjects
        place = before[who] + rng.integers(total[who])
        row = np.searchsorted(ends, place, side="right")
        return row, place - (ends[row] - starts[row])

    def places(self, row: np.ndarray) -> np.ndarray:
        """How many starts of one frame each recording has, (n,): its starts are 0 to that less one."""
        return self._lengths[row] - self.n_samples + 1

    def take(self, row: np.ndarray, start: np.ndarray) -> np.ndarray:
        """The frames at ``row`` and ``start`` (n,), standardised, shape (n, 1, samples), float32.

        Raises IndexError for a frame that its recording does not hold.
        """
        row, start = np.asarray(row, np.int64), np.asarray(start, np.int64)
        if len(row) and ((start < 0) | (start >= self.places(row))).any():
            raise IndexError("a frame lies beyond its recording")
        frames = np.empty((len(row), 1, self.n_samples), np.float32)
        for number, at in groups(self.source[row]):
            read = self._signals(number)
            for few in np.split(at, range(TOGETHER, len(at), TOGETHER)):
                frames[few, 0] = read(self.record[row[few]], start[few])
        return frames

    def origin(self, row: np.ndarray, start: np.ndarray) -> list[tuple[str, str, float]]:
        """Database, recording and start in seconds of each frame."""
        return self._index.origins(row, np.asarray(start) / self.rate)

    def _count_places(self, span: int) -> tuple[np.ndarray, ...]:
        """Of each subject the places before it, and its own; of each recording where they end, and its own."""
        starts = np.maximum(self._lengths - span * self.n_samples + 1, 0)
        ends = np.cumsum(starts)
        first = np.searchsorted(self.subject, np.arange(len(self.subjects)))
        return ends[first] - starts[first], np.add.reduceat(starts, first), ends, starts


# --- the mean and standard deviation of a database ----------------------------------------------------------


def _statistics(index: Index, given: Mapping[str, tuple[float, float]]) -> dict[str, tuple[float, float]]:
    """Mean and standard deviation in mV of each database that takes part, over all samples of all its
    recordings.
    """
    found = dict(given)
    moments: dict[str, list[np.ndarray]] = defaultdict(list)
    taking_part = index.databases[np.unique(index.database)]
    for source in index.sources:
        if source.name in taking_part:
            moments[source.name] += [] if source.name in given else [_moments(source)[:, :3]]
    for name in [name for name in moments if name not in given]:
        n, total, squares = np.concatenate(moments[name]).sum(axis=0)
        sd = float(np.sqrt(max(squares / n - (total / n) ** 2, 0.0)))
        if not sd > FLAT:
            raise EcgtlError(f"{name} does not vary, so it cannot be standardised; give other recordings")
        found[name] = (float(total / n), sd)
    return {name: found[name] for name in moments}


def _moments(recordings: Recordings) -> np.ndarray:
    """Of each recording (R, 5), in mV: samples, their sum, sum of squares, lowest and highest; cached."""
    parts = {"digest": recordings.digest, "lead": LEAD, "version": _MOMENTS}

    def build(folder: Path) -> None:
        table = np.array([_moments_of(recordings, i) for i in range(len(recordings))])
        if not np.isfinite(table).all():
            bad = recordings.ids[~np.isfinite(table).all(axis=1)]
            raise EcgtlError(f"{recordings.name} {bad[0]} has missing samples (NaN), {len(bad)} recordings "
                             "in all; read the database with on_bad=skip")
        np.save(folder / "moments.npy", table)

    folder = cache.entry(f"{recordings.name}-moments", parts, build)
    return np.load(folder / "moments.npy", allow_pickle=False)


def _moments_of(recordings: Recordings, i: int) -> np.ndarray:
    n, total, squares, low, high = int(np.diff(recordings.offsets)[i]), 0.0, 0.0, np.inf, -np.inf
    for start in range(0, n, CHUNK):
        x = recordings.part(i, LEAD, start, min(start + CHUNK, n))
        total, squares = total + x.sum(), squares + np.dot(x, x)
        low, high = min(low, x.min()), max(high, x.max())
    return np.array([n, total, squares, low, high])


# --- signals at the frames' rate ----------------------------------------------------------------------------


def _signals(frames: Frames, number: int) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """What reads standardised frames (n, samples), float32, of one source, by the number of the recording and the
    start.
    """
    recordings = frames.sources[number]
    if (recordings.sampling_rate == frames.rate).all():
        samples, begin = _for_random_reads(recordings.samples)[:, LEAD], recordings.offsets[:-1]
        gain, baseline = recordings.gain[:, LEAD], recordings.baseline[:, LEAD]
        scale, level = 1 / gain, -baseline / gain
    else:
        samples, begin, scale, level = _resampled(recordings, frames.rate)
    mean, sd = frames.statistics[recordings.name]
    scale, shift = (scale / sd).astype(np.float32), ((level - mean) / sd).astype(np.float32)
    view = sliding_window_view(samples, frames.n_samples)  # of a memory map

    def read(record: np.ndarray, start: np.ndarray) -> np.ndarray:
        out = np.multiply(view[begin[record] + start], scale[record, np.newaxis], dtype=np.float32, casting="same_kind")
        out += shift[record, np.newaxis]
        return out

    return read


def _resampled(recordings: Recordings, rate: float) -> tuple[np.ndarray, ...]:
    """Signals at ``rate`` Hz as integers from the cache, where recordings begin, and what makes mV of the
    integers.
    """
    parts = {"digest": recordings.digest, "lead": LEAD, "rate": rate, "margin": MARGIN, "range": _RANGE,
             "version": _RESAMPLED}

    def build(folder: Path) -> None:
        moments = _moments(recordings)
        level = moments[:, 1] / moments[:, 0]
        reach = np.maximum(moments[:, 4] - level, level - moments[:, 3])
        scale = np.where(reach > 0, _RANGE * reach / np.iinfo(np.int16).max, 1.0)
        lengths = []
        with open(folder / "samples.bin", "wb") as file:
            for i in range(len(recordings)):
                lengths.append(0)
                for x in _resample(recordings, i, level[i], rate):
                    np.clip(np.rint(x / scale[i]), -32767, 32767).astype(np.int16).tofile(file)
                    lengths[-1] += len(x)
        np.savez(folder / "recordings.npz", begin=np.cumsum([0, *lengths[:-1]]), scale=scale, level=level)

    folder = cache.entry(f"{recordings.name}-frames", parts, build)
    table = np.load(folder / "recordings.npz", allow_pickle=False)
    return _mapped(folder / "samples.bin", np.int16), table["begin"], table["scale"], table["level"]


def _for_random_reads(samples: np.ndarray) -> np.ndarray:
    """``samples`` through a map of our own where they lie in a file as a whole, as they are elsewhere."""
    if isinstance(samples, np.memmap) and isinstance(samples.base, mmap.mmap) and samples.flags.c_contiguous:
        return _mapped(samples.filename, samples.dtype, samples.offset)[:samples.size].reshape(samples.shape)
    return np.asarray(samples)


def _mapped(path: Path, dtype: np.dtype | type, offset: int = 0) -> np.ndarray:
    """The values in a file from ``offset`` bytes on, memory-mapped for reads here and there.

    Otherwise the system reads far ahead of each frame: of files that are not in memory, hundreds of times as
    much.
    """
    with open(path, "rb") as file:
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    whole.madvise(mmap.MADV_RANDOM)
    return np.frombuffer(whole, dtype, offset=offset)


def _resample(recordings: Recordings, i: int, level: float, rate: float) -> Iterator[np.ndarray]:
    """Recording ``i`` less its ``level``, in mV at ``rate`` Hz, block by block.

    A block is resampled with a margin on either side, so the values are those of the whole recording resampled at once.
    """
    length = int(np.diff(recordings.offsets)[i])
    rate_in = float(recordings.sampling_rate[i])
    up, down = filters.ratio(rate_in, rate).as_integer_ratio()
    n_samples, block = -(-length * up // down), CHUNK // up * up or CHUNK
    for first in range(0, n_samples, block):
        n = min(block, n_samples - first)
        start, stop, skip, offset = filters.stretch(rate_in, rate, first, block, length, MARGIN)
        yield filters.resample(recordings.part(i, LEAD, start, stop) - level, rate_in, rate, offset)[skip:skip + n]
