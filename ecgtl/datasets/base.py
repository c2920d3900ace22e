"""Recordings: what every loader returns, whatever database it reads."""

import contextlib
import hashlib
import json
import os
import stat
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields, replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np

from ecgtl.datasets import cache
from ecgtl.datasets.leads import column, columns
from ecgtl.datasets.wfdb_files import Header, file_size, read_header, read_stored
from ecgtl.errors import EcgtlError, RecordError, note

UNLABELLED = -1
RATES = (10.0, 5e4)  # Hz; slower shows no heartbeat, faster is no recorder's
SCALES = (1e-12, 1e12)  # stored units per mV, and the largest baseline: within them float32 holds every signal


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
    whatever files they came from; ``notes`` what was read by a rule that a user must know of, one line each, said whenever
    the recordings are loaded.
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
        """Column of ``lead`` (index or name, upper and lower case alike) in recording ``i``."""
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
    def table(self) -> np.ndarray:
        """The labels as a 0/1 table (R, classes), uint8, also of one label a recording; none is an empty row."""
        if self.multi_label:
            return np.asarray(self.labels, np.uint8)
        return (self.labels[:, None] == np.arange(len(self.classes))).astype(np.uint8)

    def counts(self) -> dict[str, int]:
        """Recordings per class, in the order of ``classes``; ``unlabelled`` at the end where there are any."""
        if self.multi_label:
            return dict(zip(self.classes, self.labels.sum(axis=0).tolist(), strict=True))
        found = Counter(self.labels.tolist())
        counts = {name: found[k] for k, name in enumerate(self.classes)}
        return counts | ({"unlabelled": found[UNLABELLED]} if found[UNLABELLED] else {})

    def select(self, indices: Sequence[int]) -> "Recordings":
        """The recordings at ``indices``, in that order (annotations stay with their recordings).

        ``indices`` are integers, negative ones counted from the end, or one bool a recording.
        """
        indices = np.arange(len(self))[np.asarray(indices) if len(indices) else np.zeros(0, np.int64)]
        parts = [np.arange(self.offsets[i], self.offsets[i + 1]) for i in indices]
        columns = {name: getattr(self, name)[indices] for name in
                   ("ids", "sampling_rate", "leads", "gain", "baseline", "labels", "subjects")}
        flat = np.concatenate(parts) if parts else np.zeros(0, np.int64)
        kept = set(columns["ids"].tolist())
        chosen = replace(self, samples=self.samples[flat], offsets=_bounds([len(p) for p in parts]),
                         folds=None if self.folds is None else self.folds[indices],
                         annotations=self.annotations and _annotations([self.annotations.of(i) for i in indices]),
                         duplicates=tuple(pair for pair in self.duplicates if kept.issuperset(pair)), digest="", **columns)
        return replace(chosen, digest=_digest(chosen))


@dataclass
class Reading:
    """One recording as a loader finds it, before quality checks.

    ``stored`` (samples, leads) integer or float array as stored; ``label`` a class name, a list of class names, or
    None; ``marks`` (samples, symbols, aux) of its annotations.
    """

    id: str
    stored: np.ndarray
    sampling_rate: float
    leads: Sequence[str]
    gain: Sequence[float]
    baseline: Sequence[float]
    label: str | Sequence[str] | None = None
    subject: str | None = None
    fold: int | None = None
    marks: tuple[np.ndarray, Sequence[str], Sequence[str]] | None = None


def check_option(name: str, value: str, allowed: Sequence[str]) -> None:
    """Raise EcgtlError unless the option ``name`` has one of the ``allowed`` values."""
    if value not in allowed:
        raise EcgtlError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")


def check_policy(on_bad: str) -> None:
    """``on_bad`` says what a flat, missing or unlabelled recording causes: ``error`` (default) or ``skip``."""
    check_option("on_bad", on_bad, ("error", "skip"))


def form_at_hand(form: str | None, root: Path, folders: Mapping[str, str], name: str) -> str:
    """``form`` of the data set ``name``, or the first of the forms whose folder below ``root`` is there.

    Raises EcgtlError for a form that is none of ``folders``, and when no folder is there.
    """
    if form is not None:
        check_option("form", form, list(folders))
        return form
    for known, folder in folders.items():
        if (root / folder).is_dir():
            return known
    raise EcgtlError(f"{root} holds neither {'/ nor '.join(folders.values())}/; 'python -m ecgtl data fetch {name}' gets it or "
                     "says how; or set ECGTL_DATA to the folder that holds one")


def nothing_at_hand(base: Path, what: str, name: str) -> EcgtlError:
    """That the folder ``base`` of the data set ``name`` holds no ``what``."""
    return EcgtlError(f"{base} holds no {what}; run 'python -m ecgtl data fetch {name}', or set ECGTL_DATA to the folder that "
                      "holds the data sets")


class Collector:
    """Gathers readings into the arrays of a Recordings folder; applies the policy for bad recordings.

    ``on_bad="error"`` stops at the first flat, missing or unlabelled recording; ``"skip"`` leaves it out, counts it
    and names it in ``Recordings.skipped``.
    """

    def __init__(self, name: str, version: str, classes: Sequence[str], multi_label: bool = False,
                 on_bad: str = "error", synthetic: bool = False):
        check_policy(on_bad)
        self.name, self.version, self.classes = name, version, tuple(classes)
        self.multi_label, self.on_bad, self.synthetic = multi_label, on_bad, synthetic
        self.readings: list[Reading] = []
        self.skipped: dict[str, list[str]] = defaultdict(list)
        self.first_skipped = ""  # what was wrong with the first recording left out, and the remedy
        self.notes: list[str] = []
        self.remarks: dict[str, tuple[str, list[str]]] = {}

    def note(self, line: str) -> None:
        """Keep ``line`` with the recordings, once: it is said whenever they are loaded, from the cache too."""
        if line not in self.notes:
            self.notes.append(line)

    def remark(self, record: str, what: str, example: str = "") -> None:
        """Keep what a user must know of ``record``; one line counts all recordings, with the ``example`` of the first."""
        _, records = self.remarks.setdefault(what, (example, []))
        if record not in records[-1:]:
            records.append(record)

    def lines(self) -> tuple[str, ...]:
        """All notes and remarks, one line each."""
        return (*self.notes, *(f"recordings of {self.name}, {counted(records)}: {what}{example}" for what, (example, records) in
                               self.remarks.items()))

    def skip(self, record: str, reason: str, where: str, remedy: str = "remove it") -> None:
        """Leave ``record`` out for ``reason``, or raise EcgtlError with the ``remedy`` when the policy says so."""
        self._leave_out(record, reason, f"{where}: {reason}; {remedy}")

    def _leave_out(self, record: str, reason: str, what: str) -> None:
        if self.on_bad == "error":
            raise EcgtlError(f"{what}, or pass on_bad=skip to leave such ones out and count them") from None
        self.first_skipped = self.first_skipped or what
        self.skipped[reason].append(record)

    def match(self, table: Path, rows: Sequence[str], signals: Mapping[str, Path], remedy: str) -> None:
        """Rows of a release's ``table`` without a signal, and signals (record -> file) without a row meet the policy."""
        absent = [record for record in rows if record not in signals]
        for record in absent:
            where = f"{table} names {len(absent)} recordings without a file (the first is {record})"
            self.skip(record, "signal absent", where, remedy)
        named = set(rows)
        for record, path in signals.items():
            if record not in named:
                self.skip(record, "no diagnosis", f"{path} has no row in {table.name}", "remove the file or add its row")

    @contextlib.contextmanager
    def leaving_out(self, record: str, reason: str = "") -> Iterator[None]:
        """What is wrong with ``record`` inside meets the policy, counted by ``reason`` (by default its own)."""
        try:
            yield
        except RecordError as damage:
            self._leave_out(record, reason or damage.reason, str(damage))

    def reading(self, path: Path, leads: Sequence[str] | None = None, record: str = "", strict: bool = True,
                **given) -> tuple[Reading, Header]:
        """The ``record`` of a release whose header stands at ``path``, with some leads; ``given`` are fields of Reading.

        Raises RecordError when it is damaged, or lacks one of ``leads``. ``strict``: see ``wfdb_files.parse_header``.
        """
        header = read_header(path, strict)
        return self.read(record or path.stem, path, header, columns(header.leads, leads, str(path)), **given), header

    def read(self, record: str, path: Path, header: Header, kept: Sequence[int], **given) -> Reading:
        """The leads ``kept`` of ``record``, whose ``header`` stands at ``path``; what the standard decided is remarked."""
        for what in dict.fromkeys(what for assumed in header.of(kept, "assumed") for what in assumed):
            self.remark(record, what)
        stored = read_stored(path, header, kept, partial(self.remark, record))
        return Reading(record, stored, header.sampling_rate * header.per_frame[kept[0]], header.of(kept, "leads"),
                       header.of(kept, "gain"), header.of(kept, "baseline"), **given)

    def add(self, reading: Reading, where: str) -> bool:
        """Take ``reading`` (from the file ``where``) unless its signal is flat, has missing samples or cannot be scaled.

        Returns whether it was taken.
        """
        with self.leaving_out(reading.id):
            check_scale(where, reading.sampling_rate, reading.gain, reading.baseline)
            reason = _defect(reading)
            if not reason:
                self.readings.append(reading)
                return True
            self.skip(reading.id, reason, where)
        return False

    def write(self, folder: Path) -> None:
        """Write everything gathered into ``folder`` for ``load_folder``."""
        gathered = self.gathered()
        # The signals go to the disk while their checksum is made: either takes long, and neither needs the other
        with ThreadPoolExecutor(1) as pool:
            saving = pool.submit(np.save, folder / "samples.npy", gathered.samples)
            gathered = replace(gathered, digest=_digest(gathered))
            saving.result()
        _store_rest(gathered, folder)

    def recordings(self) -> Recordings:
        """Everything gathered, in memory; EcgtlError when nothing is, or when the numbers of leads differ."""
        gathered = self.gathered()
        return replace(gathered, digest=_digest(gathered))

    def nothing(self, where: str) -> EcgtlError:
        """That ``where`` holds nothing that can be used, and why."""
        reasons = "; ".join(f"{reason}: {counted(ids)}" for reason, ids in self.skipped.items())
        return EcgtlError(f"{where} holds no usable recording ({reasons or 'it is empty'}). {self.first_skipped}".rstrip(". "))

    def gathered(self, samples: np.ndarray | None = None) -> Recordings:
        """The readings without a digest, in memory unless ``samples`` are those of all."""
        if not self.readings:
            raise self.nothing(self.name)
        _check_leads(self.name, self.readings)
        subjects, duplicates = _subjects(self.readings)
        return Recordings(
            name=self.name, version=self.version, ids=np.array([r.id for r in self.readings]),
            samples=np.concatenate([r.stored for r in self.readings]) if samples is None else samples,
            offsets=_bounds([len(r.stored) for r in self.readings]),
            sampling_rate=np.array([r.sampling_rate for r in self.readings], float),
            leads=np.array([list(r.leads) for r in self.readings]), gain=np.array([r.gain for r in self.readings], float),
            baseline=np.array([r.baseline for r in self.readings], float),
            classes=self.classes, labels=self._labels(), subjects=subjects,
            folds=None if self.readings[0].fold is None else np.array([r.fold for r in self.readings], np.int64),
            annotations=_annotations([r.marks for r in self.readings]), skipped=dict(self.skipped),
            duplicates=duplicates, synthetic=self.synthetic, notes=self.lines())

    def _labels(self) -> np.ndarray:
        index = {name: k for k, name in enumerate(self.classes)}
        if not self.multi_label:
            return np.array([UNLABELLED if r.label is None else index[r.label] for r in self.readings], np.int64)
        table = np.zeros((len(self.readings), len(self.classes)), np.uint8)
        for row, reading in zip(table, self.readings, strict=True):
            row[[index[name] for name in reading.label or ()]] = 1
        return table


def load_folder(folder: Path) -> Recordings:
    """The Recordings that ``Collector.write`` put into ``folder``, signals memory-mapped."""
    meta = json.loads((folder / "meta.json").read_text())
    arrays = dict(np.load(folder / "arrays.npz", allow_pickle=False))
    marks = {name[6:]: arrays.pop(name) for name in list(arrays) if name.startswith("marks_")}
    arrays.setdefault("folds", None)
    return Recordings(samples=np.load(folder / "samples.npy", mmap_mode="r", allow_pickle=False),
                      annotations=Annotations(**marks) if marks else None, classes=tuple(meta.pop("classes")),
                      duplicates=tuple(map(tuple, meta.pop("duplicates"))), notes=tuple(meta.pop("notes", ())), **arrays | meta)


_ARRAYS = ("ids", "offsets", "sampling_rate", "leads", "gain", "baseline", "labels", "subjects", "folds")


def _arrays(recordings: Recordings) -> dict[str, np.ndarray]:
    """Everything but the signals, by name; the marks of annotations as ``marks_sample`` and so on."""
    arrays = {name: getattr(recordings, name) for name in _ARRAYS if getattr(recordings, name) is not None}
    if recordings.annotations is not None:
        arrays |= {f"marks_{f.name}": getattr(recordings.annotations, f.name) for f in fields(Annotations)}
    return arrays


def _store_rest(recordings: Recordings, folder: Path) -> None:
    """Everything but the signals."""
    np.savez(folder / "arrays.npz", **_arrays(recordings))
    meta = {name: getattr(recordings, name) for name in
            ("name", "version", "classes", "skipped", "duplicates", "synthetic", "digest", "notes")}
    (folder / "meta.json").write_text(json.dumps(meta))


def _digest(recordings: Recordings) -> str:
    """SHA-256 over signals, scales, names, labels and annotations: the identity of the data, not of the files."""
    whole = hashlib.sha256(np.ascontiguousarray(recordings.samples).data)
    for name, values in _arrays(recordings).items():
        text = "\n".join(map(str, values.ravel())) if values.dtype.kind == "U" else None
        whole.update(name.encode() + (text.encode() if text is not None else np.ascontiguousarray(values).data))
    whole.update("\n".join(recordings.classes).encode())
    return whole.hexdigest()


def counted(ids: Sequence[str]) -> str:
    """How many recordings (or windows of them), with the names of the first ones."""
    names = list(dict.fromkeys(ids))
    return f"{len(ids)} ({', '.join(names[:3])}{', ...' if len(names) > 3 else ''})"


def alone(record: str, millivolts: np.ndarray, rate: float, leads: Sequence[str]) -> Recordings:
    """One recording of ``millivolts`` (samples, leads), or what can be indexed as such, at ``rate`` Hz; nothing is checked."""
    ids, n = np.array([record]), len(leads)
    return Recordings("own", "own", ids, millivolts, np.array([0, len(millivolts)]), np.array([rate]), np.array([leads]),
                      np.ones((1, n)), np.zeros((1, n)), classes=(), labels=np.array([UNLABELLED]), subjects=ids)


def check_scale(where: str, rate: float, gain: Sequence[float], baseline: Sequence[float]) -> None:
    """Raise RecordError for a sampling rate that no recorder has, and for a scale that gives no finite signal in mV."""
    if not RATES[0] <= rate <= RATES[1]:
        raise RecordError("sampling rate out of range", f"{where} has a sampling rate of {rate:g} Hz, outside "
                          f"{RATES[0]:g} to {RATES[1]:g} Hz; correct it in the header")
    wrong = [value for value in gain if not SCALES[0] <= abs(value) <= SCALES[1]]
    if wrong or not all(abs(value) <= SCALES[1] for value in baseline):
        raise RecordError("gain out of range", f"{where} has a gain of {wrong[0] if wrong else 1:g} per mV and a baseline of "
                          f"{max(baseline, key=abs):g}, which give no signal; correct them in the header")


def _defect(reading: Reading) -> str:
    stored = reading.stored
    if len(stored) == 0:
        return "no samples"
    ends = np.array([stored.min(axis=0), stored.max(axis=0)])
    if not np.isfinite(ends).all():  # NaN makes both NaN
        return "missing samples (NaN)"
    low, high = ((ends - np.array(reading.baseline)) / np.array(reading.gain)).astype(np.float32)
    return "constant signal" if (low == high).any() else ""


def _check_leads(name: str, readings: list[Reading]) -> None:
    numbers = Counter(len(r.leads) for r in readings)
    if len(numbers) > 1:
        raise EcgtlError(f"{name} mixes recordings with {' and '.join(map(str, sorted(numbers)))} leads; "
                         "choose one lead by name, or put each kind into its own folder")


def _bounds(lengths: Sequence[int]) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])


def _subjects(readings: list[Reading]) -> tuple[np.ndarray, tuple[tuple[str, str], ...]]:
    """Subject of each recording, and the pairs of exact copies: copies of one signal come from one subject."""
    alike: dict[bytes, list[Reading]] = {}
    same: dict[str, str] = {}  # subject -> the subject that it turned out to be
    duplicates = []

    def name(reading: Reading) -> str:
        subject = reading.subject or reading.id
        while subject in same:
            subject = same[subject]
        return subject

    for reading in readings:
        candidates = alike.setdefault(_fingerprint(reading.stored), [])
        copy_of = next((other for other in candidates if np.array_equal(other.stored, reading.stored)), None)
        if copy_of is None:
            candidates.append(reading)
        else:
            duplicates.append((copy_of.id, reading.id))
            if name(reading) != name(copy_of):
                same[name(reading)] = name(copy_of)
    return np.array([name(reading) for reading in readings]), tuple(duplicates)


def _fingerprint(stored: np.ndarray) -> bytes:
    """Some samples from all over: equal for copies, and hardly ever for anything else."""
    return stored[:: max(1, len(stored) // 64)].tobytes()


def _annotations(marks: list) -> Annotations | None:
    if all(m is None for m in marks):
        return None
    marks = [m or (np.zeros(0, np.int64), [], []) for m in marks]
    return Annotations(np.concatenate([np.asarray(m[0], np.int64) for m in marks]),
                       np.array([s for m in marks for s in m[1]], dtype=str),
                       np.array([a for m in marks for a in m[2]], dtype=str), _bounds([len(m[0]) for m in marks]))


def cached_recordings(collector: Collector, root: Path, files: Sequence[Path | str], options: dict, fill: Callable[[], None],
                      contents: dict[str, bytes] | None = None, write: Callable[[Path], None] | None = None) -> Recordings:
    """Recordings from the cache; when they are not there yet ``fill`` parses ``files`` (below ``root``) into ``collector``.

    ``contents`` receives what the checksum had to read, so that ``fill`` need not read it a second time; ``write(folder)``
    takes the place of ``Collector.write``.
    """
    def build(folder: Path) -> None:
        fill()
        (write or collector.write)(folder)

    for file in files:
        if not stat.S_ISREG(os.lstat(file).st_mode if os.path.lexists(file) else 0):
            file_size(file, root)  # says what is wrong with it; a link within the folder is right
    options = {"on_bad": collector.on_bad, "synthetic": collector.synthetic} | options
    parts = {"dataset": collector.name, "source": cache.source_checksum(root, files, contents), "options": options}
    found = load_folder(cache.entry(collector.name, parts, build))
    for line in found.notes:
        note(line)
    return found
