"""Unlabelled windows of equal length out of any databases, for pretraining.

Windows do not overlap; they are cut at a common sampling rate, filtered and z-scored (Jang 2021, section
II.2). What a source holds is known from its lengths alone, signals are read when they are asked for, and
memory stays the same however large the sources are.
"""

import json
import zlib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

import numpy as np

from ecgtl import filters
from ecgtl.datasets import cache
from ecgtl.datasets.base import Recordings, check_option
from ecgtl.datasets.leads import columns_of, say_names
from ecgtl.errors import EcgtlError

Source = Recordings | Callable[[], Recordings]

MARGIN = 4.0  # seconds on either side that a window is filtered with, so that its ends are right
FLAT = 0.001  # mV; a window with a smaller standard deviation shows no heart
OPEN = 16  # sources given as functions that are kept open at a time
CHUNK = 1024  # windows read at a time
BLOCKS, POOL = 1 << 20, 4096  # an epoch's order is drawn over at most so many blocks, and mixed among so many
_STEPS = "resample-highpass-zscore, 2"  # raise the number when the processing changes
_SHORT, _EXCLUDED = "recording shorter than a window", "recording excluded"
_NAN, _CONSTANT = "window with missing samples (NaN)", "flat window"


def unlabelled(sources: Sequence[Source], seconds: float = 8.192, rate: float = 250.0,
               per_subject: int | None = None, seed: int = 0,
               exclude: Mapping[str, Collection[str]] | Collection[str] | None = None,
               lead: int | str = 0, highpass: float | None = 0.5) -> "Windows":
    """All windows of ``seconds`` at ``rate`` Hz in ``sources``, one lead each, without overlap.

    A source is a Recordings or, for those too many to hold, a function that returns one
    (``functools.partial`` of a loader's ``read``); sources of one name are one database. ``per_subject``
    draws so many windows a subject at most, with ``seed``. ``exclude`` names recordings, for all databases or
    by database (``{"cinc2017": ids}``): neither they nor any other recording of their subjects appears, so a
    test set of a later experiment can be kept out. Recordings shorter than a window are counted. ``highpass``
    is the cutoff in Hz below which baseline wander is removed; None leaves it in. No signal is read yet.

    Raises EcgtlError when nothing remains, for a recording given twice, for a lead or an excluded recording
    that no source has, and for sizes not above 0.
    """
    n_samples = round(seconds * rate) if np.isfinite([seconds, rate]).all() else 0
    if n_samples < 2 or rate <= 0 or (per_subject is not None and per_subject < 1):
        raise EcgtlError(f"windows of {seconds} s at {rate} Hz, {per_subject} a subject, hold nothing; give sizes above 0")
    index, skipped = _index(list(sources), n_samples, rate, exclude, lead)
    windows = Windows(index, n_samples, float(rate), lead, skipped, highpass)
    return windows if per_subject is None else windows._drawn(per_subject, seed)


@dataclass(frozen=True)
class _Index:
    """The usable recordings, one row each: where they are, and how many windows they hold.

    ``source`` and ``record`` (R,) number the source and the recording in it; ``windows`` (R,) how many it
    holds; ``database`` and ``subject`` (R,) number the names in ``databases`` and ``subjects``.
    """

    opened: Callable[[int], Recordings]
    digests: tuple[str, ...]
    source: np.ndarray
    record: np.ndarray
    windows: np.ndarray
    database: np.ndarray
    subject: np.ndarray
    databases: np.ndarray
    subjects: np.ndarray

    def rows(self, chosen: np.ndarray) -> "_Index":
        """The recordings that ``chosen`` (R,) bool marks."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in _COLUMNS})

    def checksum(self) -> str:
        """SHA-256 of everything that says which windows there are."""
        whole = sha256("\n".join(self.digests).encode())
        for name in ("source", "record", "windows"):
            whole.update(np.ascontiguousarray(getattr(self, name)).data)
        return whole.hexdigest()


_COLUMNS = ("source", "record", "windows", "database", "subject")


def _index(sources: list[Source], n_samples: int, rate: float, exclude, lead: int | str) -> tuple[_Index, dict[str, int]]:
    opened = _opener(sources)
    digests, tables = [], []
    for number in range(len(sources)):
        recordings = opened(number)
        shown = recordings.leads[np.arange(len(recordings)), columns_of(recordings, lead)]
        digests.append(recordings.digest)
        n = len(recordings)
        tables.append({"source": np.full(n, number, np.int32), "record": np.arange(n, dtype=np.int32),
                       "windows": _counts(recordings, n_samples, rate), "name": np.full(n, recordings.name),
                       "id": recordings.ids, "subject": recordings.subjects, "shown": shown})
    if not tables:
        raise EcgtlError("there is no source of windows; give at least one Recordings")
    table = {name: np.concatenate([part[name] for part in tables]) for name in tables[0]}
    databases, database = np.unique(table["name"], return_inverse=True)
    for number, name in enumerate(databases):
        say_names(name, lead, table["shown"][database == number])
    subjects, subject = np.unique(_joined(table["name"], table["subject"]), return_inverse=True)
    index = _Index(opened, tuple(digests), table["source"], table["record"], table["windows"],
                   database.astype(np.int32), subject.astype(np.int32), databases, subjects)
    _check_once(_joined(table["name"], table["id"]))
    excluded = np.isin(subject, subject[_named(table["name"], table["id"], exclude)])
    short = ~excluded & (table["windows"] == 0)
    if (excluded | short).all():
        raise EcgtlError(f"no recording of {', '.join(databases)} holds a window of "
                         f"{n_samples / rate:g} s ({short.sum()} are shorter, {excluded.sum()} excluded); "
                         "give longer recordings, or shorter windows")
    counts = {_EXCLUDED: int(excluded.sum()), _SHORT: int(short.sum())}
    return index.rows(~excluded & ~short), {reason: count for reason, count in counts.items() if count}


def _opener(sources: list[Source]) -> Callable[[int], Recordings]:
    """Source by number; those that are functions are called when needed, and only a few are kept."""
    called = lru_cache(maxsize=OPEN)(lambda number: sources[number]())
    return lambda number: sources[number] if isinstance(sources[number], Recordings) else called(number)


def ratios(recordings: Recordings, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Numerator and denominator (R,) of ``rate`` over each recording's."""
    up, down = np.array([filters.ratio(float(own), rate).as_integer_ratio() for own in recordings.sampling_rate], np.int64).T
    return up, down


def _counts(recordings: Recordings, n_samples: int, rate: float) -> np.ndarray:
    """Windows in each recording, shape (R,)."""
    up, down = ratios(recordings, rate)
    return np.diff(recordings.offsets) * up // down // n_samples


def _joined(names: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.char.add(np.char.add(names.astype(str), "/"), values.astype(str))


def _check_once(names: np.ndarray) -> None:
    found, counts = np.unique(names, return_counts=True)
    if (counts > 1).any():
        raise EcgtlError(f"recording {found[counts > 1][0]} is given twice; give each source once")


def _named(names: np.ndarray, ids: np.ndarray, exclude) -> np.ndarray:
    """Which recordings ``exclude`` names, shape (R,) bool."""
    if isinstance(exclude, str):
        raise EcgtlError(f"exclude is {exclude!r}; give a list of recordings, or one a database")
    given = exclude if isinstance(exclude, Mapping) else {None: () if exclude is None else exclude}
    chosen = np.zeros(len(ids), bool)
    for database, records in given.items():
        here = np.ones(len(ids), bool) if database is None else names == database
        wanted = sorted({str(record) for record in records})
        absent = np.setdiff1d(wanted, ids[here].astype(str)) if wanted else []
        if len(absent):
            raise EcgtlError(f"exclude names {absent[0]} ({len(absent)} in all), which no source "
                             f"{'has' if database is None else f'called {database} has'}; correct the name")
        chosen |= here & np.isin(ids, wanted)
    return chosen


def origins(opened: Callable[[int], Recordings], source: np.ndarray, record: np.ndarray,
            seconds: np.ndarray) -> list[tuple[str, str, float]]:
    """Database, recording and start in seconds of each window or frame; arrays (n,)."""
    recordings = map(opened, source.tolist())
    return [(one.name, str(one.ids[i]), float(start)) for one, i, start in zip(recordings, record, seconds, strict=True)]


class Windows:
    """Windows of one length at one rate, read from their recordings, or from a memory map once
    ``materialise``d.

    ``skipped`` counts what was left out, by reason: recordings when the index was made, windows as they are
    read.
    """

    def __init__(self, index: _Index, n_samples: int, rate: float, lead: int | str,
                 skipped: Mapping[str, int], highpass: float | None, numbers: np.ndarray | None = None,
                 store: np.ndarray | None = None):
        self.n_samples, self.rate, self.lead, self.highpass = n_samples, rate, lead, highpass
        # ``store`` has the windows (n, samples) of these ``numbers`` (n,) once they are on the disk; None stands for all numbers
        self._index, self._store, self._numbers, self._left_out = index, store, numbers, dict(skipped)
        self._ends = np.cumsum(index.windows)
        self._unusable: dict[int, str] = {}

    def __len__(self) -> int:
        return int(self._ends[-1]) if self._numbers is None else len(self._numbers)

    @property
    def skipped(self) -> dict[str, int]:
        """Recordings and windows left out so far, by reason."""
        return self._left_out | dict(Counter(self._unusable.values()))

    @property
    def subjects(self) -> np.ndarray:
        """Names of the subjects, ``database/subject``, sorted."""
        rows = slice(None) if self._numbers is None else np.unique(self._located(self._numbers)[0])
        return self._index.subjects[np.unique(self._index.subject[rows])]

    def origin(self, indices: Sequence[int]) -> list[tuple[str, str, float]]:
        """Database, recording and start in seconds of each window at ``indices``."""
        rows, places = self._located(self._at(indices))
        index = self._index
        return origins(index.opened, index.source[rows], index.record[rows], places * self.n_samples / self.rate)

    def take(self, indices: Sequence[int]) -> np.ndarray:
        """The windows at ``indices``, shape (n, 1, samples), float32, each with mean 0 and standard deviation
        1.

        Windows that are flat or have missing samples are left out, so n may be smaller than the number of
        indices; ``skipped`` counts them, each once. Materialised windows are all usable. Raises IndexError
        beyond the last.
        """
        if self._store is not None:
            return self._store[self._checked(indices)].astype(np.float32)[:, np.newaxis]
        return self.usable(indices)[1]

    def usable(self, indices: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Those of ``indices`` that ``take`` does not leave out, and their windows; read anew where they are materialised."""
        indices = self._checked(indices)
        numbers = self._at(indices)
        windows, reasons = self._read(numbers)
        bad = np.flatnonzero(reasons != "")
        self._unusable.update(zip(numbers[bad].tolist(), reasons[bad].tolist(), strict=True))
        return indices[reasons == ""], windows[reasons == ""][:, np.newaxis]

    def batches(self, batch_size: int, seed: int | None = None, epoch: int = 0) -> Iterator[np.ndarray]:
        """All windows once, as arrays (batch_size, 1, samples), float32; the last one may be smaller.

        The order is drawn anew for each ``seed`` and ``epoch``; without ``seed`` it is that of the
        recordings. A batch holds fewer windows where some are unusable.
        """
        if batch_size < 1:
            raise EcgtlError(f"batch_size is {batch_size}; give at least 1")
        waiting = np.zeros(0, np.int64)
        for piece in self._order(None if seed is None else np.random.default_rng([seed, epoch])):
            waiting = np.concatenate([waiting, piece])
            whole = len(waiting) // batch_size * batch_size
            for start in range(0, whole, batch_size):
                yield self.take(np.sort(waiting[start:start + batch_size]))  # neighbours on the disk together
            waiting = waiting[whole:]
        if len(waiting):
            yield self.take(np.sort(waiting))

    def split(self, validation: float = 0.1, test: float = 0.1,
              seed: int = 0) -> tuple["Windows", "Windows | None", "Windows | None"]:
        """Training, validation and test windows, by shares of each database's subjects, drawn with ``seed``.

        No subject is in two parts. A database with few subjects may be in the training part alone; a share of
        0 gives None. Raises EcgtlError when a part would be empty, and for materialised windows (split first,
        then materialise each part).
        """
        if self._store is not None:
            raise EcgtlError("these windows are materialised; split them first, then materialise each part")
        if not (0 <= validation < 1 and 0 <= test < 1 and validation + test < 1):
            raise EcgtlError(f"shares of {validation} and {test} leave nothing to train on; give less than 1 together")
        part = self._parts(validation, test, seed)[self._index.subject]
        parts = [self._of_rows(part == k) for k in range(3)]
        for name, windows, share in zip(("training", "validation", "test"), parts, (1, validation, test), strict=True):
            if share and windows is None:
                raise EcgtlError(f"the {name} part would be empty: {len(self.subjects)} subjects are too few "
                                 f"for shares of {validation} and {test}; give more sources, or other shares")
        return tuple(parts)

    def sample(self, n: int, seed: int = 0) -> "Windows":
        """``n`` of these windows, drawn with ``seed``; all of them where there are no more."""
        if self._store is not None:
            raise EcgtlError("these windows are materialised; draw from them first, then materialise the draw")
        chosen = np.sort(np.random.default_rng(seed).permutation(len(self))[:n])
        return Windows(self._index, self.n_samples, self.rate, self.lead, self._left_out, self.highpass, self._at(chosen))

    def materialise(self, dtype: str = "float16") -> "Windows":
        """The same windows from a memory map in the cache, written chunk by chunk when it is not there yet.

        ``dtype`` float16 (2 bytes a sample; z-scores keep three digits) or float32. Unusable windows are not
        in it; ``skipped`` of the result counts them. Raises EcgtlError when no window is usable or the disk
        is full.
        """
        check_option("dtype", dtype, ("float16", "float32"))
        if self._store is not None:
            raise EcgtlError("these windows are materialised already")
        numbers = b"" if self._numbers is None else np.ascontiguousarray(self._numbers).data
        parts = {"index": self._index.checksum(), "numbers": sha256(numbers).hexdigest(),
                 "samples": self.n_samples, "rate": self.rate, "lead": self.lead, "dtype": dtype,
                 "margin": MARGIN, "flat": FLAT, "highpass": self.highpass, "steps": _STEPS}
        folder = cache.entry("windows", parts, lambda folder: self._write(folder, dtype))
        skipped = json.loads((folder / "skipped.json").read_text())
        numbers = np.memmap(folder / "numbers.bin", np.int64, "r")
        windows = np.memmap(folder / "windows.bin", dtype, "r", shape=(len(numbers), self.n_samples))
        skipped |= self._left_out
        return Windows(self._index, self.n_samples, self.rate, self.lead, skipped, self.highpass, numbers, windows)

    def _write(self, folder: Path, dtype: str) -> None:
        skipped, written = Counter(), 0
        with open(folder / "windows.bin", "wb") as windows, open(folder / "numbers.bin", "wb") as numbers:
            for start in range(0, len(self), CHUNK):
                chunk = self._at(np.arange(start, min(start + CHUNK, len(self))))
                values, reasons = self._read(chunk)
                usable = reasons == ""
                values[usable].astype(dtype).tofile(windows)
                chunk[usable].tofile(numbers)
                skipped.update(reasons[~usable].tolist())
                written += int(usable.sum())
        if not written:
            raise EcgtlError(f"none of the {len(self)} windows is usable: {dict(skipped)}; give other recordings")
        (folder / "skipped.json").write_text(json.dumps(skipped))

    def _checked(self, indices: Sequence[int]) -> np.ndarray:
        indices = np.asarray(indices, np.int64).reshape(-1)
        if len(indices) and not (0 <= indices.min() and indices.max() < len(self)):
            raise IndexError(f"there are {len(self)} windows, numbered from 0")
        return indices

    def _at(self, indices: Sequence[int]) -> np.ndarray:
        """Numbers of the windows at ``indices`` among all windows of the index."""
        indices = self._checked(indices)
        return indices if self._numbers is None else np.asarray(self._numbers[indices])

    def _located(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Row of the index and place in the recording, for windows by number."""
        rows = np.searchsorted(self._ends, numbers, side="right")
        return rows, numbers - (self._ends[rows] - self._index.windows[rows])

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
        index, starts = self._index, self._ends - self._index.windows
        numbers = []
        for subject, rows in _groups(index.subject):
            windows = np.concatenate([np.arange(starts[row], self._ends[row]) for row in rows])
            rng = np.random.default_rng([seed, zlib.crc32(index.subjects[subject].encode())])
            numbers.append(rng.permutation(windows)[:per_subject])
        return Windows(index, self.n_samples, self.rate, self.lead, self._left_out, self.highpass,
                       np.sort(np.concatenate(numbers)))

    def _parts(self, validation: float, test: float, seed: int) -> np.ndarray:
        """0, 1 or 2 for each subject: training, validation or test."""
        part = np.zeros(len(self._index.subjects), np.int8)
        for database, rows in _groups(self._index.database):
            name = self._index.databases[database]
            rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
            subjects = rng.permutation(np.unique(self._index.subject[rows]))
            n_validation, n_test = round(validation * len(subjects)), round(test * len(subjects))
            part[subjects[:n_validation]] = 1
            part[subjects[n_validation:n_validation + n_test]] = 2
        return part

    def _of_rows(self, chosen: np.ndarray) -> "Windows | None":
        """The windows of the recordings that ``chosen`` (R,) marks, or None when there is none."""
        numbers = self._numbers
        if numbers is not None:  # the chosen recordings count anew from 0
            rows, places = self._located(numbers)
            kept = chosen[rows]
            starts = np.cumsum(np.where(chosen, self._index.windows, 0)) - self._index.windows
            numbers = starts[rows[kept]] + places[kept]
        if not (chosen.any() if numbers is None else len(numbers)):
            return None
        return Windows(self._index.rows(chosen), self.n_samples, self.rate, self.lead, self._left_out, self.highpass, numbers)

    def _read(self, numbers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Windows by number, processed, and why they are unusable; equal stretches are filtered together."""
        windows = np.zeros((len(numbers), self.n_samples), np.float32)
        reasons = np.full(len(numbers), "", dtype=f"<U{max(len(_NAN), len(_CONSTANT))}")
        alike: dict[tuple, list[tuple[int, np.ndarray]]] = {}
        for position, (row, place) in enumerate(zip(*self._located(numbers), strict=True)):
            samples, rate_in, skip, offset = self._stretch(row, place)
            alike.setdefault((rate_in, len(samples), skip, offset), []).append((position, samples))
        for (rate_in, _, skip, offset), members in alike.items():
            positions, stretches = zip(*members, strict=True)
            positions = list(positions)
            windows[positions], reasons[positions] = self._processed(np.stack(stretches), rate_in, skip, offset)
        return windows, reasons

    def _stretch(self, row: int, place: int) -> tuple[np.ndarray, float, int, Fraction]:
        """The samples that a window needs, in mV; their rate, and where it begins in them once resampled (``filters.stretch``)."""
        recordings = self._index.opened(int(self._index.source[row]))
        i = int(self._index.record[row])
        rate_in = float(recordings.sampling_rate[i])
        length = int(recordings.offsets[i + 1] - recordings.offsets[i])
        first = int(place) * self.n_samples
        start, stop, skip, offset = filters.stretch(rate_in, self.rate, first, self.n_samples, length, MARGIN)
        millivolts = recordings.part(i, recordings.lead_index(i, self.lead), start, stop)
        return millivolts.astype(np.float32), rate_in, skip, offset

    def _processed(self, stretches: np.ndarray, rate_in: float, skip: int, offset: Fraction) -> tuple[np.ndarray, np.ndarray]:
        """Stretches (n, samples) resampled, filtered, cut and z-scored; and why they are unusable."""
        reasons = np.full(len(stretches), "", dtype=f"<U{max(len(_NAN), len(_CONSTANT))}")
        missing = ~np.isfinite(stretches).all(axis=1)
        stretches = np.where(missing[:, np.newaxis], np.float32(0), stretches)
        # The level goes first: at the ends of a stretch the resampling filter would take it for a step.
        level = stretches.mean(axis=1, keepdims=True)
        x = filters.resample(stretches - level, rate_in, self.rate, offset)
        x = x if self.highpass is None else filters.remove_baseline_wander(x, self.rate, self.highpass)
        x = x[:, skip:skip + self.n_samples]
        sd = x.std(axis=1, keepdims=True)
        flat = (sd[:, 0] < FLAT) | self._constant(stretches, rate_in, skip)
        reasons[flat], reasons[missing] = _CONSTANT, _NAN
        return (x - x.mean(axis=1, keepdims=True)) / np.where(sd > 0, sd, 1), reasons

    def _constant(self, stretches: np.ndarray, rate_in: float, skip: int) -> np.ndarray:
        """Whether the window itself is constant as stored: the filter lets its neighbours leak into it."""
        step = rate_in / self.rate
        inside = stretches[:, int(np.ceil(skip * step)):int((skip + self.n_samples) * step)]
        return inside.min(axis=1) == inside.max(axis=1)


def _groups(keys: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each key with the positions that have it, in ascending order."""
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, starts[1:]), strict=True)
