"""Recordings: what every loader returns, whatever database it reads."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from ecgtl.datasets.leads import column
from ecgtl.errors import EcgtlError

UNLABELLED = -1
# What there is one of for each recording, but for folds and samples
PER_RECORDING = ("ids", "sampling_rate", "leads", "gain", "baseline", "labels", "subjects")


@dataclass(frozen=True)
class Annotations:
    """Beat and rhythm marks of all recordings, one after the other, as WFDB stores them.

    ``sample`` (marks,) int64 counts from the start of each recording; ``symbol`` and ``aux`` (marks,) are strings;
    the marks of recording i are ``offsets[i]:offsets[i + 1]``.
    """

    sample: np.ndarray
    symbol: np.ndarray
    aux: np.ndarray
    offsets: np.ndarray

    def of(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Samples, symbols and auxiliary texts of recording ``i``."""
        part = slice(self.offsets[i], self.offsets[i + 1])
        return self.sample[part], self.symbol[part], self.aux[part]


@dataclass(frozen=True, eq=False)
class Recordings:
    """A data set: signals of any length with labels and provenance. Datasets know nothing of models.

    Shapes: R recordings, L leads, S samples of all recordings together.

    ``ids`` (R,) names; ``samples`` (S, L) as stored, memory-mapped; ``offsets`` (R + 1,) bounds of each recording;
    ``sampling_rate`` (R,) Hz; ``leads`` (R, L) names; ``gain`` (R, L) stored units per mV; ``baseline`` (R, L) stored
    units; ``classes`` names; ``labels`` (R,) index into ``classes`` or -1 for none, or (R, classes) 0/1 for several
    labels a recording; ``subjects`` (R,) recordings of one subject share a name, so do exact duplicates;
    ``folds`` (R,) published folds or None; ``annotations`` or None; ``skipped`` reason -> ids left out;
    ``duplicates`` pairs of identical signals; ``digest`` SHA-256 of signals, scales, names, labels and annotations,
    whatever files they came from; ``notes`` what was read by a rule that a user must know of, one line each, said
    whenever the recordings are loaded.
    """

    name: str
    version: str
    ids: np.ndarray
    samples: np.ndarray
    offsets: np.ndarray
    sampling_rate: np.ndarray
    leads: np.ndarray
    gain: np.ndarray
    baseline: np.ndarray
    classes: tuple[str, ...]
    labels: np.ndarray
    subjects: np.ndarray
    folds: np.ndarray | None = None
    annotations: Annotations | None = None
    skipped: dict[str, list[str]] = field(default_factory=dict)
    duplicates: tuple[tuple[str, str], ...] = ()
    digest: str = ""
    synthetic: bool = False
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ids)

    def signal(self, i: int) -> np.ndarray:
        """Recording ``i`` in mV, shape (leads, samples), float32."""
        i = range(len(self))[i]  # counts from the end when negative, IndexError beyond it
        stored = self.samples[self.offsets[i]:self.offsets[i + 1]]
        return ((stored - self.baseline[i]) / self.gain[i]).T.astype(np.float32)

    def lead(self, i: int, lead: int | str = 0) -> np.ndarray:
        """One lead of recording ``i`` in mV, shape (samples,), float32; ``lead`` is an index or a name."""
        i = range(len(self))[i]
        return self.part(i, self.lead_index(i, lead)).astype(np.float32)

    def part(self, i: int, column: int, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples ``start`` to ``stop`` of one column of recording ``i`` in mV, float64."""
        begin, end = int(self.offsets[i]), int(self.offsets[i + 1])
        millivolts = np.array(self.samples[begin + start:end if stop is None else begin + stop, column], np.float64)
        millivolts -= self.baseline[i, column]
        millivolts /= self.gain[i, column]
        return millivolts

    def lead_index(self, i: int, lead: int | str) -> int:
        """Column of ``lead`` (index or name, as ``leads.find`` takes it) in recording ``i``."""
        return column(self.leads[i], lead, f"recording {self.ids[i]} of {self.name}")

    @cached_property
    def durations(self) -> np.ndarray:
        """Length of each recording in seconds, shape (R,)."""
        return np.diff(self.offsets) / self.sampling_rate

    @property
    def multi_label(self) -> bool:
        """Whether a recording can carry several labels at once."""
        return self.labels.ndim == 2

    @property
    def label_matrix(self) -> np.ndarray:
        """The labels as a 0/1 table (R, classes), uint8, also of one label a recording; none is an empty row."""
        if self.multi_label:
            return np.asarray(self.labels, np.uint8)
        return (self.labels[:, None] == np.arange(len(self.classes))).astype(np.uint8)

    def counts(self) -> dict[str, int]:
        """Recordings per class, in the order of ``classes``; ``unlabelled`` at the end where there are any."""
        counts = dict(zip(self.classes, self.label_matrix.sum(axis=0).tolist(), strict=True))
        unlabelled = 0 if self.multi_label else int((self.labels == UNLABELLED).sum())
        return counts | ({"unlabelled": unlabelled} if unlabelled else {})

    def select(self, indices: Sequence[int] | np.ndarray) -> "Recordings":
        """The recordings at ``indices``, in that order (annotations stay with their recordings).

        ``indices`` are integers, negative ones counted from the end, or one bool a recording.
        """
        indices = np.arange(len(self))[np.asarray(indices) if len(indices) else np.zeros(0, np.int64)]
        parts = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices]
        columns = {name: getattr(self, name)[indices] for name in PER_RECORDING}
        kept = set(columns["ids"].tolist())
        chosen = replace(self, samples=self.samples[np.concatenate(parts) if parts else np.zeros(0, np.int64)],
                         offsets=bounds([len(part) for part in parts]), digest="",
                         folds=None if self.folds is None else self.folds[indices],
                         annotations=self.annotations and joined_marks([self.annotations.of(i) for i in indices]),
                         duplicates=tuple(pair for pair in self.duplicates if kept.issuperset(pair)), **columns)
        return replace(chosen, digest=digest_of(chosen))


class Shard(Recordings):
    """Recordings in a ``folder`` of the cache; signals and annotations are opened anew whenever they are asked for."""

    def __init__(self, folder: Path):
        vars(self).update(vars(load_folder(folder)), folder=folder)
        del vars(self)["samples"], vars(self)["annotations"]

    samples = property(lambda self: _mapped_samples(self.folder))  # type: ignore[assignment]
    annotations = property(lambda self: load_folder(self.folder).annotations)  # type: ignore[assignment]


def check_option(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise EcgtlError unless the option ``name`` has one of the ``allowed`` values."""
    if value not in allowed:
        raise EcgtlError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")


def form_available(form: str | None, root: Path, folders: Mapping[str, str], name: str) -> str:
    """``form`` of the data set ``name``, or the first of the forms whose folder below ``root`` is there.

    Raises EcgtlError for a form that is none of ``folders``, and when no folder is there.
    """
    if form is not None:
        check_option("form", form, list(folders))
    found = form or next((known for known, folder in folders.items() if (root / folder).is_dir()), None)
    if found is None:
        raise EcgtlError(f"{root} holds neither {'/ nor '.join(folders.values())}/; 'python -m ecgtl data fetch "
                         f"{name}' gets it or says how; or set ECGTL_DATA to the folder that holds one")
    return found


def not_available(base: Path, what: str, name: str) -> EcgtlError:
    """That the folder ``base`` of the data set ``name`` holds no ``what``."""
    return EcgtlError(f"{base} holds no {what}; run 'python -m ecgtl data fetch {name}', or set ECGTL_DATA to the "
                      "folder that holds the data sets")


def load_folder(folder: Path) -> Recordings:
    """The Recordings that ``Collector.write`` put into ``folder``, signals memory-mapped."""
    meta = json.loads((folder / "meta.json").read_text())
    arrays = dict(np.load(folder / "arrays.npz", allow_pickle=False))
    marks = {name[6:]: arrays.pop(name) for name in list(arrays) if name.startswith("marks_")}
    meta |= {"classes": tuple(meta["classes"]), "duplicates": tuple(map(tuple, meta["duplicates"])),
             "notes": tuple(meta.get("notes", ())), "annotations": Annotations(**marks) if marks else None}
    return Recordings(samples=_mapped_samples(folder), **arrays, **meta)


def _mapped_samples(folder: Path) -> np.ndarray:
    return np.load(folder / "samples.npy", mmap_mode="r", allow_pickle=False)


def _arrays(recordings: Recordings) -> dict:
    """Everything but the signals, by name; the marks of annotations as ``marks_sample`` and so on."""
    names = ("ids", "offsets", *PER_RECORDING[1:], "folds")
    arrays = {name: getattr(recordings, name) for name in names if getattr(recordings, name) is not None}
    if recordings.annotations is not None:
        arrays |= {f"marks_{f.name}": getattr(recordings.annotations, f.name) for f in fields(Annotations)}
    return arrays


def store_rest(recordings: Recordings, folder: Path) -> None:
    """Everything but the signals."""
    np.savez(folder / "arrays.npz", **_arrays(recordings))
    meta = {name: getattr(recordings, name) for name in
            ("name", "version", "classes", "skipped", "duplicates", "synthetic", "digest", "notes")}
    (folder / "meta.json").write_text(json.dumps(meta))


def digest_of(recordings: Recordings) -> str:
    """SHA-256 over signals, scales, names, labels and annotations: the identity of the data, not of the files."""
    whole = hashlib.sha256(np.ascontiguousarray(recordings.samples).data)
    for name, values in _arrays(recordings).items():
        text = "\n".join(map(str, values.ravel())) if values.dtype.kind == "U" else None
        whole.update(name.encode() + (text.encode() if text is not None else np.ascontiguousarray(values).data))
    whole.update("\n".join(recordings.classes).encode())
    return whole.hexdigest()


def one_digest(digests: Sequence[str]) -> str:
    """The digest of several Recordings as one, in their order; of one alone its own."""
    return digests[0] if len(digests) == 1 else hashlib.sha256("\n".join(digests).encode()).hexdigest()


def counted(ids: Sequence[str]) -> str:
    """How many recordings (or windows of them), with the names of the first ones."""
    names = list(dict.fromkeys(ids))
    return f"{len(ids)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"


def alone(record: str, millivolts: np.ndarray, rate: float, leads: Sequence[str]) -> Recordings:
    """One recording of ``millivolts`` (samples, leads), or what can be indexed as such, at ``rate`` Hz.

    Nothing is checked.
    """
    ids, ones = np.array([record]), np.ones((1, len(leads)))
    return Recordings("own", "own", ids, millivolts, np.array([0, len(millivolts)]), np.array([rate]),
                      np.array([leads]), ones, 0 * ones, classes=(), labels=np.array([UNLABELLED]), subjects=ids)


def bounds(lengths: Sequence[int] | np.ndarray) -> np.ndarray:
    """Where recordings of these ``lengths`` begin, one after the other, and where the last ends."""
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def joined_marks(marks: Sequence[tuple | None]) -> Annotations | None:
    """The marks (samples, symbols, texts) of all recordings together; None when none has any."""
    if all(m is None for m in marks):
        return None
    given = [m or ((), (), ()) for m in marks]
    sample, symbol, aux = (np.concatenate([np.asarray(column, kind) for column in columns])
                           for columns, kind in zip(zip(*given, strict=True), (np.int64, str, str), strict=True))
    return Annotations(sample, symbol, aux, bounds([len(m[0]) for m in given]))
