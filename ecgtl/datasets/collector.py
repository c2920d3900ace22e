"""From what a loader reads, one recording at a time, to Recordings.

Quality checks, the policy for bad ones, the cache.
"""

import contextlib
import os
import stat
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from ecgtl.datasets import cache, recordings
from ecgtl.datasets.files import file_size
from ecgtl.datasets.leads import LEADS, columns
from ecgtl.datasets.recordings import UNLABELLED, Recordings, check_option, counted, digest_of, load_folder, store_rest
from ecgtl.datasets.wfdb_files import read_stored
from ecgtl.datasets.wfdb_header import Header, read_header
from ecgtl.errors import EcgtlError, RecordError, note

RATES = (10.0, 5e4)  # Hz; slower shows no heartbeat, faster is no recorder's
SCALES = (1e-12, 1e12)  # stored units per mV, and the largest baseline: within them float32 holds every signal


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
    marks: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None


class Collector:
    """Gathers readings into the arrays of a Recordings folder; applies the policy for bad recordings.

    ``on_bad="error"`` stops at the first flat, missing or unlabelled recording; ``"skip"`` leaves it out, counts it
    and names it in ``Recordings.skipped``.
    """

    def __init__(self, name: str, version: str, classes: Iterable[str] = (), multi_label: bool = False,
                 on_bad: str = "error", synthetic: bool = False):
        check_option("on_bad", on_bad, ("error", "skip"))
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
        """Keep what a user must know of ``record``.

        One line counts all recordings, with the ``example`` of the first.
        """
        _, records = self.remarks.setdefault(what, (example, []))
        if record not in records[-1:]:
            records.append(record)

    def lines(self) -> tuple[str, ...]:
        """All notes and remarks, one line each."""
        return (*self.notes, *(f"recordings of {self.name}, {counted(records)}: {what}{example}"
                               for what, (example, records) in self.remarks.items()))

    def skip(self, record: str, reason: str, where: str, remedy: str = "remove it") -> None:
        """Leave ``record`` out for ``reason``, or raise EcgtlError with the ``remedy`` when the policy says so."""
        self._leave_out(record, reason, f"{where}: {reason}; {remedy}")

    def _leave_out(self, record: str, reason: str, what: str) -> None:
        if self.on_bad == "error":
            raise EcgtlError(f"{what}, or pass on_bad=skip to leave such ones out and count them") from None
        self.first_skipped = self.first_skipped or what
        self.skipped[reason].append(record)

    def match(self, table: Path, rows: Sequence[str], signals: Mapping[str, Path], remedy: str) -> None:
        """Rows of a release's ``table`` without a signal, and signals (record -> file) without a row meet the policy.
        """
        absent = [record for record in rows if record not in signals]
        for record in absent:
            where = f"{table} names {len(absent)} recordings without a file (the first is {record})"
            self.skip(record, "signal absent", where, remedy)
        named = set(rows)
        for record in (record for record in signals if record not in named):
            where = f"{signals[record]} has no row in {table.name}"
            self.skip(record, "no diagnosis", where, "remove the file or add its row")

    @contextlib.contextmanager
    def leaving_out(self, record: str, reason: str = "") -> Iterator[None]:
        """What is wrong with ``record`` inside meets the policy, counted by ``reason`` (by default its own)."""
        try:
            yield
        except RecordError as damage:
            self._leave_out(record, reason or damage.reason, str(damage))

    def reading(self, path: Path, leads: Sequence[str] | None = None, record: str = "", strict: bool = True,
                **given) -> tuple[Reading, Header]:
        """The ``record`` of a release whose header stands at ``path``, with some leads; ``given`` are fields of
        Reading.

        Raises RecordError when it is damaged, or lacks one of ``leads``. ``strict``: see ``parse_header``.
        """
        header = read_header(path, strict)
        return self.read(record or path.stem, header, columns(header.leads, leads, str(path)), **given), header

    def read(self, record: str, header: Header, kept: Sequence[int], **given) -> Reading:
        """The leads ``kept`` of the ``record`` with this ``header``; what the standard decided is remarked."""
        self.remark_assumed(record, header, kept)
        stored = read_stored(header, kept, partial(self.remark, record))
        return Reading(record, stored, header.sampling_rate * header.per_frame[kept[0]], header.of(kept, "leads"),
                       header.of(kept, "gain"), header.of(kept, "baseline"), **given)

    def remark_assumed(self, record: str, header: Header, kept: Sequence[int]) -> None:
        """Remark what a ``header`` leaves out of the leads ``kept``, so that the standard decides."""
        for what in dict.fromkeys(what for assumed in header.of(kept, "assumed") for what in assumed):
            self.remark(record, what)

    def add(self, reading: Reading, where: str) -> bool:
        """Take ``reading`` (from the file ``where``) unless its signal is flat, has missing samples or cannot be
        scaled.

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

    def add_twelve(self, path: Path, signals: np.ndarray, leads: Sequence[str] | None, rate: float, gain: float,
                   label: str | Sequence[str]) -> None:
        """Take some leads of ``signals`` (samples, 12) in the order of ``LEADS``, as the file ``path`` stores them."""
        kept = columns(LEADS, leads, str(path))
        names, n = [LEADS[k] for k in kept], len(kept)
        self.add(Reading(path.stem, signals[:, kept], rate, names, [gain] * n, [0.0] * n, label), str(path))

    def cached(self, root: Path, files: Iterable[Path | str], fill: Callable[[], None] = lambda: None,
               contents: dict[str, bytes] | None = None, write: Callable[[Path], None] | None = None,
               **options) -> Recordings:
        """Recordings from the cache; when they are not there yet ``fill`` parses ``files`` (below ``root``) into this.

        ``options`` are what ``fill`` depends on beside the files. ``contents`` receives what the checksum had to read,
        so that ``fill`` need not read it a second time; ``write(folder)`` takes the place of ``fill`` and of
        ``self.write``.
        """
        def build(folder: Path) -> None:
            fill()
            (write or self.write)(folder)

        for file in files:
            if not stat.S_ISREG(os.lstat(file).st_mode if os.path.lexists(file) else 0):
                file_size(file, root)  # says what is wrong with it; a link within the folder is right
        options = {"on_bad": self.on_bad, "synthetic": self.synthetic} | options
        parts = {"dataset": self.name, "source": cache.source_checksum(root, files, contents), "options": options}
        found = load_folder(cache.entry(self.name, parts, build))
        for line in found.notes:
            note(line)
        return found

    def write(self, folder: Path) -> None:
        """Write everything gathered into ``folder`` for ``load_folder``."""
        gathered = self.gathered()
        # The signals go to the disk while their checksum is made: either takes long, and neither needs the other
        with ThreadPoolExecutor(1) as pool:
            saving = pool.submit(np.save, folder / "samples.npy", gathered.samples)
            gathered = replace(gathered, digest=digest_of(gathered))
            saving.result()
        store_rest(gathered, folder)

    def recordings(self) -> Recordings:
        """Everything gathered, in memory; EcgtlError when nothing is, or when the numbers of leads differ."""
        gathered = self.gathered()
        return replace(gathered, digest=digest_of(gathered))

    def nothing(self, where: str) -> EcgtlError:
        """That ``where`` holds nothing that can be used, and why."""
        reasons = "; ".join(f"{reason}: {counted(ids)}" for reason, ids in self.skipped.items())
        return EcgtlError(f"{where} holds no usable recording ({reasons or 'it is empty'}). "
                          f"{self.first_skipped}".rstrip(". "))

    def gathered(self, samples: np.ndarray | None = None) -> Recordings:
        """The readings without a digest, in memory unless ``samples`` are those of all."""
        readings = self.readings
        if not readings:
            raise self.nothing(self.name)
        numbers = {len(r.leads) for r in readings}
        if len(numbers) > 1:
            raise EcgtlError(f"{self.name} mixes recordings with {' and '.join(map(str, sorted(numbers)))} leads; "
                             "choose one lead by name, or put each kind into its own folder")
        subjects, duplicates = _subjects(readings)
        return Recordings(
            name=self.name, version=self.version, ids=np.array([r.id for r in readings]), subjects=subjects,
            samples=np.concatenate([r.stored for r in readings]) if samples is None else samples, classes=self.classes,
            offsets=recordings.bounds([len(r.stored) for r in readings]), labels=self._labels(),
            sampling_rate=np.array([r.sampling_rate for r in readings], float),
            leads=np.array([list(r.leads) for r in readings]), gain=np.array([r.gain for r in readings], float),
            baseline=np.array([r.baseline for r in readings], float),
            folds=None if readings[0].fold is None else np.array([r.fold for r in readings], np.int64),
            annotations=recordings.joined_marks([r.marks for r in readings]), skipped=dict(self.skipped),
            duplicates=duplicates, synthetic=self.synthetic, notes=self.lines())

    def _labels(self) -> np.ndarray:
        index = {name: k for k, name in enumerate(self.classes)}
        if not self.multi_label:
            return np.array([UNLABELLED if r.label is None else index[str(r.label)] for r in self.readings], np.int64)
        table = np.zeros((len(self.readings), len(self.classes)), np.uint8)
        for row, reading in zip(table, self.readings, strict=True):
            row[[index[name] for name in reading.label or ()]] = 1
        return table


def check_scale(where: str, rate: float, gain: Sequence[float], baseline: Sequence[float]) -> None:
    """Raise RecordError for a sampling rate that no recorder has, and for a scale that gives no finite signal in mV."""
    if not RATES[0] <= rate <= RATES[1]:
        raise RecordError("sampling rate out of range", f"{where} has a sampling rate of {rate:g} Hz, outside "
                          f"{RATES[0]:g} to {RATES[1]:g} Hz; correct it in the header")
    wrong = [value for value in gain if not SCALES[0] <= abs(value) <= SCALES[1]]
    if wrong or not all(abs(value) <= SCALES[1] for value in baseline):
        raise RecordError("gain out of range", f"{where} has a gain of {wrong[0] if wrong else 1:g} per mV and a "
                          f"baseline of {max(baseline, key=abs):g}, which give no signal; correct them in the header")


def _defect(reading: Reading) -> str:
    stored = reading.stored
    if len(stored) == 0:
        return "no samples"
    ends = np.array([stored.min(axis=0), stored.max(axis=0)])
    if not np.isfinite(ends).all():  # NaN makes both NaN
        return "missing samples (NaN)"
    low, high = ((ends - np.array(reading.baseline)) / np.array(reading.gain)).astype(np.float32)
    return "constant signal" if (low == high).any() else ""


def _subjects(readings: list[Reading]) -> tuple[np.ndarray, tuple[tuple[str, str], ...]]:
    """Subject of each recording, and the pairs of exact copies: copies of one signal come from one subject."""
    names, subjects = np.unique([reading.subject or reading.id for reading in readings], return_inverse=True)
    originals: dict[bytes, int] = {}
    duplicates = []
    for i, reading in enumerate(readings):
        fingerprint = f"{reading.stored.shape}{reading.stored.dtype}".encode() + reading.stored.tobytes()
        original = originals.setdefault(sha256(fingerprint).digest(), i)
        if original != i:
            duplicates.append((readings[original].id, reading.id))
            subjects[subjects == subjects[i]] = subjects[original]
    return names[subjects], tuple(duplicates)
