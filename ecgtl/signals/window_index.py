"""Which windows or frames there are: the usable recordings of any sources, known from their lengths alone."""

import zlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import sha256

import numpy as np

from ecgtl.datasets.leads import say_names
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError
from ecgtl.signals import filters

Indices = Sequence[int] | np.ndarray
Excluded = Mapping[str, Collection[str]] | None  # recordings by database

LEAD = 0  # that is learnt from: the first of each recording
SHORT, EXCLUDED = "recording shorter than a window", "recording excluded"
_COLUMNS = ("source", "record", "samples", "windows", "database", "subject")


@dataclass(frozen=True)
class Index:
    """The usable recordings, one row each: where they are, and how many windows they hold.

    ``source`` and ``record`` (R,) number the one of ``sources`` and the recording in it; ``samples`` (R,) how many it
    has at the rate of the windows, ``windows`` (R,) how many of these it holds; ``database`` and ``subject`` (R,)
    number the names in ``databases`` and ``subjects``.
    """

    sources: tuple[Recordings, ...]
    source: np.ndarray
    record: np.ndarray
    samples: np.ndarray
    windows: np.ndarray
    database: np.ndarray
    subject: np.ndarray
    databases: np.ndarray
    subjects: np.ndarray

    def rows(self, chosen: np.ndarray | slice) -> "Index":
        """The recordings that ``chosen`` marks, (R,) bool, or numbers in an order."""
        return replace(self, **{name: getattr(self, name)[chosen] for name in _COLUMNS})

    def parts(self, validation: float, test: float, seed: int) -> list[np.ndarray]:
        """Which recordings (R,) bool are in the training, validation and test set; EcgtlError when one is empty."""
        part = np.zeros(len(self.subjects), np.int8)
        for subjects in self._shuffled(seed):
            n_validation, n_test = round(validation * len(subjects)), round(test * len(subjects))
            part[subjects[:n_validation]] = 1
            part[subjects[n_validation:n_validation + n_test]] = 2
        parts = [part[self.subject] == k for k in range(3)]
        for name, chosen in zip(("training", "validation", "test"), parts, strict=True):
            if not chosen.any():
                raise EcgtlError(f"the {name} set would be empty: {len(np.unique(self.subject))} subjects are too few "
                                 f"for shares of {validation} and {test}; give more sources, or other shares")
        return parts

    def few(self, n_subjects: int, seed: int) -> np.ndarray:
        """Which recordings (R,) bool are of ``n_subjects``, drawn with ``seed``: of each database its share.

        Fewer of them are among more. Raises EcgtlError for more than there are.
        """
        drawn = self._shuffled(seed)
        if n_subjects > (n_all := sum(map(len, drawn))):
            raise EcgtlError(f"{n_subjects} subjects are asked for, there are {n_all} to train on; give fewer, or more "
                             "sources")
        places = [(np.arange(len(one)) + 0.5) / len(one) for one in drawn]  # databases by turns, by share
        order = np.argsort(np.concatenate(places), kind="stable")
        return np.isin(self.subject, np.concatenate(drawn)[order][:n_subjects])

    def _shuffled(self, seed: int) -> list[np.ndarray]:
        """Numbers of the subjects of each database in random order, which does not depend on the other databases."""
        return [rng_of(seed, self.databases[database]).permutation(np.unique(self.subject[rows]))
                for database, rows in groups(self.database)]

    @cached_property
    def ends(self) -> np.ndarray:
        """Number of the window behind the last one of each recording, (R,)."""
        return np.cumsum(self.windows)

    def checksum(self) -> str:
        """SHA-256 of everything that says which windows there are."""
        whole = sha256("\n".join(source.digest for source in self.sources).encode())
        for name in ("source", "record", "windows"):
            whole.update(np.ascontiguousarray(getattr(self, name)).data)
        return whole.hexdigest()

    def origins(self, rows: np.ndarray, seconds: np.ndarray) -> list[tuple[str, str, float]]:
        """Database, recording and start in ``seconds`` of each window or frame that lies in one of the ``rows``."""
        places = zip(self.source[rows], self.record[rows], seconds, strict=True)
        return [(self.sources[k].name, str(self.sources[k].ids[i]), float(start)) for k, i, start in places]


def index_of(sources: Sequence[Recordings], n_samples: int, rate: float, exclude: Excluded) -> tuple[Index, dict]:
    """The recordings that hold a window of ``n_samples`` at ``rate`` Hz, and how many of the others there are, by
    reason.
    """
    if not sources:
        raise EcgtlError("there is no source of windows; give at least one Recordings")
    tables = []
    for number, recordings in enumerate(sources):
        n, (up, down) = len(recordings), ratios(recordings, rate)
        long = np.diff(recordings.offsets) * up
        tables.append((np.full(n, number, np.int32), np.arange(n, dtype=np.int32), -(-long // down),
                       long // down // n_samples, np.full(n, recordings.name), recordings.ids, recordings.subjects,
                       recordings.leads[:, LEAD]))
    source, record, samples, windows, names, ids, subjects, shown = map(np.concatenate, zip(*tables, strict=True))
    for name in np.unique(names):
        say_names(name, LEAD, shown[names == name])
    found, counts = np.unique(_joined(names, ids), return_counts=True)
    if (counts > 1).any():
        raise EcgtlError(f"recording {found[counts > 1][0]} is given twice; give each source once")
    databases, database = np.unique(names, return_inverse=True)
    subjects, subject = np.unique(_joined(names, subjects), return_inverse=True)
    named = np.zeros(len(ids), bool)
    for name, records in (exclude or {}).items():
        named |= (names == name) & np.isin(ids, list(records))
    excluded = np.isin(subject, subject[named])
    short = ~excluded & (windows == 0)
    if (excluded | short).all():
        raise EcgtlError(f"no recording of {', '.join(databases)} holds a window of {n_samples / rate:g} s "
                         f"({short.sum()} are shorter, {excluded.sum()} excluded); give longer recordings, or "
                         "shorter windows")
    index = Index(tuple(sources), source, record, samples, windows, database.astype(np.int32), subject.astype(np.int32),
                  databases, subjects)
    skipped = {reason: int(rows.sum()) for reason, rows in ((EXCLUDED, excluded), (SHORT, short)) if rows.any()}
    return index.rows(~excluded & ~short), skipped


def rng_of(seed: int, name: str) -> np.random.Generator:
    """Random numbers of a subject or database, whatever others there are."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def ratios(recordings: Recordings, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Numerator and denominator (R,) of ``rate`` over each recording's."""
    found = [filters.ratio(float(own), rate).as_integer_ratio() for own in recordings.sampling_rate]
    up, down = np.array(found, np.int64).T
    return up, down


def groups(keys: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each key with the positions that have it, in ascending order."""
    order = np.argsort(keys, kind="stable")
    found, starts = np.unique(keys[order], return_index=True)
    yield from zip(found.tolist(), np.split(order, starts)[1:], strict=True)


def _joined(names: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.char.add(np.char.add(names.astype(str), "/"), values.astype(str))
