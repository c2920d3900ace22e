"""A user's own recordings: a folder of WFDB records, or an array in memory.

Records may lie in sub-folders, in any WFDB format and at any sampling rate. Labels come from a CSV file
(``ecgtl.datasets.label_file``), from header comments (``# label: af`` or ``# Dx: 164889003``), or from nowhere.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from numbers import Real
from pathlib import Path

import numpy as np

from ecgtl.datasets import label_file, wfdb_files
from ecgtl.datasets.base import Collector, Reading, Recordings, cached_recordings, check_scale
from ecgtl.datasets.label_file import COMMENTS, NO_LABELS, SUBJECTS
from ecgtl.datasets.leads import columns, listed
from ecgtl.datasets.wfdb_files import BLOCK, Header
from ecgtl.errors import EcgtlError, RecordError

NAME = "folder"
VERSION = "own"
_LABEL_COMMENTS = ("label", "dx")
SMALLEST, LARGEST = 0.01, 20.0  # mV; of an ECG half of all samples lie farther from their median, or at least heartbeats do
IMPLAUSIBLE = "an amplitude that no ECG has"


def read(root: Path, lead: str | int | None = None, labels: str | None = None, on_bad: str = "error",
         synthetic: bool = False, labels_separator: str = "") -> Recordings:
    """All WFDB records in ``root`` and its sub-folders; an id is the path below ``root`` without suffix.

    ``lead`` chooses one signal by name (upper and lower case alike, no other name is taken for it) or by index;
    without it all signals are kept, and all records need equally many. ``labels`` is a CSV file (absolute or below
    ``root``) with the columns ``record`` and ``label``, or ``"comments"`` for the header comments ``label:`` or
    ``Dx:``, or ``"none"``; by default ``root/labels.csv`` where there is one, else nothing is labelled. Where
    ``labels_separator`` stands between labels, a recording can have several. Records with the same subject, in a column
    or header comment ``subject`` (or another of ``label_file.SUBJECTS``), belong together. ``on_bad`` says
    what a flat, incomplete or unlabelled recording causes, or one without the chosen lead, or a label without a
    recording: ``error`` or ``skip`` (counted). Raises EcgtlError for missing or damaged files.
    """
    root = Path(root)
    check_lead(lead)
    headers = read_headers(root)
    sound = {record: header for record, (_, header) in headers.items() if isinstance(header, Header)}
    files = [path for path, _ in headers.values()]
    files += [file for record, header in sound.items() for file in wfdb_files.signal_files(headers[record][0], header)]
    files = {file for file in files if _is_sound(file, root)}  # what is missing or no file is an error of its record
    table = label_file.find(root, labels)
    text = None if table is None else label_file.decoded(wfdb_files.read_bytes(table), table)
    collector = Collector(NAME, VERSION, (), bool(labels_separator), on_bad, synthetic)

    def fill() -> None:
        subjects = {record: subject for record, header in sound.items() if (subject := _comment(header, *SUBJECTS))}
        if text is not None:
            cells = label_file.read(text, table, list(headers), subjects, collector)
            given = {record: label_file.split(cell, labels_separator) for record, cell in cells.items()}
        elif labels == COMMENTS:
            cells = {record: _comment(header, *_LABEL_COMMENTS) for record, header in sound.items()}
            given = {record: label_file.split(cell, labels_separator or ",") for record, cell in cells.items()}
        else:
            given = {record: [None] for record in headers}
        if labels_separator and max(map(len, given.values()), default=0) < 2:
            raise EcgtlError(f"labels_separator is {labels_separator!r}, but no label of {root} holds it; leave it away, or give "
                             "what stands between the labels")
        for record, (path, header) in headers.items():
            _collect(record, path, header, lead, given.get(record, []), subjects.get(record), collector)
        kept = [r.id for r in collector.readings]
        found = [label for record in kept for label in given[record] if label is not None]
        collector.classes = tuple(sorted(set(found)))
        label_file.note_labels(found, collector.note, labels_separator)
        if labels != NO_LABELS:
            label_file.note_subjects(kept, subjects, collector.note)

    options = {"lead": lead.lower() if isinstance(lead, str) else lead, "labels_separator": labels_separator, "label_rules": 2,
               "labels": labels if text is None else hashlib.sha256(text.encode()).hexdigest()}
    damaged = {record: header.reason for record, (_, header) in headers.items() if isinstance(header, RecordError)}
    return cached_recordings(collector, root, files, options | ({"damaged": damaged} if damaged else {}), fill)


def from_array(array: np.ndarray, sampling_rate: float, lead_names: Sequence[str] | None = None,
               labels: Sequence[str] | None = None, on_bad: str = "error") -> Recordings:
    """Recordings out of ``array`` in mV, shape (records, leads, samples) or (records, samples).

    ``sampling_rate`` in Hz, one for all; ``lead_names`` one a lead; ``labels`` one a record (names or whole
    numbers), whose sorted distinct values become the classes. ``on_bad`` says what a constant signal or one with
    NaN causes: ``error`` or ``skip`` (counted). Raises EcgtlError for another shape and for a rate not above 0.
    """
    signals = _signals(array)
    n_records, n_leads, _ = signals.shape
    check_rate(sampling_rate)
    leads = [f"signal {k}" for k in range(n_leads)] if lead_names is None else list(lead_names)
    if isinstance(lead_names, str) or len(leads) != n_leads:
        raise EcgtlError(f"lead_names is {lead_names!r} for {n_leads} leads; give a list of {n_leads} names")
    names, classes = _array_labels(labels, n_records)
    collector = Collector(NAME, VERSION, classes, on_bad=on_bad)
    digits = len(str(n_records - 1))
    for i, (signal, label) in enumerate(zip(signals, names, strict=True)):
        collector.add(Reading(f"{i:0{digits}d}", signal.T, float(sampling_rate), leads, [1.0] * n_leads,
                              [0.0] * n_leads, label=label), f"array[{i}]")
    return collector.recordings()


def check_rate(sampling_rate: float) -> None:
    """Raise EcgtlError unless ``sampling_rate`` is a number of Hz."""
    if not (isinstance(sampling_rate, Real) and np.isfinite(sampling_rate) and sampling_rate > 0):
        raise EcgtlError(f"sampling_rate is {sampling_rate!r}; give one number of Hz above 0")


def _signals(array: np.ndarray) -> np.ndarray:
    """``array`` as (records, leads, samples) float32, its axes checked."""
    array = np.asarray(array)
    if array.dtype.kind not in "iuf" or array.ndim not in (2, 3) or array.size == 0:
        raise EcgtlError(f"the array has shape {array.shape} and type {array.dtype}; give numbers in mV of shape "
                         "(records, leads, samples) or (records, samples)")
    signals = array[:, np.newaxis] if array.ndim == 2 else array
    if signals.shape[1] > signals.shape[2]:
        raise EcgtlError(f"the array has {signals.shape[1]} leads of {signals.shape[2]} samples; its axes are to be "
                         "(records, leads, samples)")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused later
        return signals.astype(np.float32)


def _array_labels(labels: Sequence | None, n_records: int) -> tuple[list[str | None], tuple[str, ...]]:
    """The name of each record's class, and the classes in order (numbers in that of numbers)."""
    if labels is None:
        return [None] * n_records, ()
    values = [] if isinstance(labels, str) else list(labels)
    alike = any(all(isinstance(value, kind) for value in values) for kind in (str, int | np.integer))
    if len(values) != n_records or not alike:
        raise EcgtlError(f"labels hold {len(values)} values for {n_records} records; give one a record, all names "
                         "or all whole numbers")
    return [str(value) for value in values], tuple(str(value) for value in sorted(set(values)))


def check_lead(lead: str | int | None) -> None:
    """Raise EcgtlError unless ``lead`` can name a lead."""
    if isinstance(lead, bool) or not isinstance(lead, str | int | None) or (isinstance(lead, int) and lead < 0):
        raise EcgtlError(f"lead is {lead!r}; give the name of a lead, an index from 0, or None for all")


def _header_paths(root: Path) -> list[Path]:
    if not root.is_dir():
        raise EcgtlError(f"{root} is not a folder; give the folder that holds your WFDB records (.hea with .dat)")
    found = wfdb_files.below(root, "hea")
    if not found:
        raise EcgtlError(f"{root} holds no WFDB header (*.hea); give the folder that holds your records, or turn "
                         "an array into recordings with ecgtl.datasets.folder.from_array")
    return found


def read_headers(root: Path) -> dict[str, tuple[Path, Header | RecordError]]:
    """Path and header of every record below ``root``, or what is wrong with it; a segment of another record is none."""
    found, masters, parts = {}, set(), set()
    for path in _header_paths(root):
        try:
            wfdb_files.file_size(path, root)
            text = wfdb_files.header_text(path)
            listed = [path.with_name(f"{name}.hea") for name, _ in wfdb_files.segments(text)]
            masters |= {path} if listed else set()
            parts.update(listed)
            if not str(path).isprintable():
                raise RecordError("unprintable name", f"{str(path)!r} has characters that cannot be printed; rename it")
            found[path] = wfdb_files.sound_header(text, path, root)
        except RecordError as damage:
            found[path] = damage
    return {name_of(path, root): (path, header) for path, header in found.items() if path in masters or path not in parts}


def name_of(path: Path, root: Path) -> str:
    """A record's name: the path of its header below ``root``, without suffix."""
    name = path.relative_to(root).with_suffix("").as_posix()
    return name if name.isprintable() else ascii(name)


def _is_sound(file: Path, root: Path) -> bool:
    try:
        return wfdb_files.file_size(file, root) >= 0 and str(file).isprintable()
    except RecordError:
        return False


@dataclass(frozen=True)
class Record:
    """Leads of one record on the disk, of one sampling rate; what of it is wanted is read when it is asked for."""

    id: str
    path: Path
    header: Header
    columns: list[int]

    def __len__(self) -> int:
        return self.header.n_samples * self.header.per_frame[self.columns[0]]

    @property
    def sampling_rate(self) -> float:
        """Samples a second of these leads."""
        return self.header.sampling_rate * self.header.per_frame[self.columns[0]]

    @property
    def leads(self) -> list[str]:
        """Their names."""
        return self.of("leads")

    def of(self, what: str) -> list:
        """``gain``, ``baseline`` or another field of the header, one value a lead."""
        return self.header.of(self.columns, what)

    def __getitem__(self, where: tuple[slice, int]) -> np.ndarray:
        """A stretch of one lead in mV: a record can be used as an array (samples, leads) that is not in memory."""
        return self.millivolts(where[0].start, where[0].stop)[:, where[1]]

    def millivolts(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples ``start`` to ``stop`` in mV, shape (samples, leads), float32, NaN where they are missing."""
        stored = wfdb_files.read_part(self.path, self.header, self.columns, start, len(self) if stop is None else stop)
        return ((stored - np.array(self.of("baseline"), float)) / np.array(self.of("gain"))).astype(np.float32)

    def check(self, collector: Collector) -> None:
        """Read all once, block by block, and tell ``collector`` what is odd; RecordError for what cannot be read."""
        check_scale(str(self.path), self.sampling_rate, self.of("gain"), self.of("baseline"))
        if not len(self):
            raise RecordError("no samples", f"{self.path} has no samples; fetch the record again")
        for what in dict.fromkeys(what for assumed in self.of("assumed") for what in assumed):
            collector.remark(self.id, what)
        wfdb_files.check_sums(self.path, self.header, self.columns, lambda what: collector.remark(self.id, what))
        self.remark(self.millivolts(0, min(len(self), BLOCK // 16)), collector)

    def remark(self, millivolts: np.ndarray, collector: Collector) -> None:
        """Tell ``collector`` of an amplitude that no ECG has."""
        for x, lead, gain, unit in zip(millivolts[::max(1, len(millivolts) // 4096)].T, self.leads, self.of("gain"),
                                       self.of("units"), strict=True):
            x = np.abs(x[np.isfinite(x)] - np.median(x[np.isfinite(x)])) if np.isfinite(x).any() else np.ones(1)
            half, most = np.quantile(x, (0.5, 0.99))
            if half > LARGEST or (half < SMALLEST and most < 10 * SMALLEST and x.any()):
                collector.remark(self.id, IMPLAUSIBLE, f" (lead {lead} of {self.id}: median {half:.2g} mV, gain {gain:g} per mV "
                                                       f"from the unit {unit}); check gain and unit in the header")


def records(root: Path, lead: str | int | Sequence[str] | None, collector: Collector) -> Iterator[Record]:
    """The records below ``root`` with the ``lead`` (several names choose several leads), their signals checked.

    What is wrong with a record meets the policy of ``collector``, which is told too what is odd with it.
    """
    for record, (path, header) in read_headers(root).items():
        with collector.leaving_out(record):
            one = chosen(record, path, header, lead)
            one.check(collector)
            yield one


def chosen(record: str, path: Path, header: Header | RecordError, lead: str | int | Sequence[str] | None) -> Record:
    """The leads that ``lead`` names of a record; RecordError when it lacks one, or cannot be read."""
    if isinstance(header, RecordError):
        raise header
    kept = columns(header.leads, [lead] if isinstance(lead, str | int) else lead, str(path))
    other = [f"{header.leads[k]} is not a voltage ({header.units[k]})" for k in kept if np.isnan(header.gain[k])]
    if other:
        voltages = [name for name, gain in zip(header.leads, header.gain, strict=True) if np.isfinite(gain)]
        raise RecordError("no voltage", f"{path}: {', '.join(other[:3])}; choose a lead that is ({listed(voltages)})")
    if len({header.per_frame[k] for k in kept}) > 1:
        raise RecordError("leads of different rates", f"{path} has leads of different rates; choose one lead by name")
    return Record(record, path, header, kept)


def _collect(record: str, path: Path, header: Header | RecordError, lead: str | int | None, labels: Sequence[str | None],
             subject: str | None, collector: Collector) -> None:
    with collector.leaving_out(record):
        if isinstance(header, Header) and len(labels) != 1 and not (labels and collector.multi_label):
            keys = ", ".join(comment.partition(":")[0] for comment in header.comments if ":" in comment) or "none"
            collector.skip(record, "several labels" if labels else "no label", str(path), f"give {record} one label (labels=comments "
                           f"reads 'label: ...' and 'Dx: ...'; this header's comments begin with: {keys}"
                           f"){', pass labels_separator' * bool(labels)}")
            return
        one = chosen(record, path, header, lead)
        reading = collector.read(record, path, header, one.columns, subject=subject,
                                 label=labels if collector.multi_label else labels[0])
        if collector.add(reading, str(path)):
            some = reading.stored[::max(1, len(reading.stored) // 4096)]
            one.remark((some - one.of("baseline")) / one.of("gain"), collector)


def _comment(header: Header, *keys: str) -> str:
    """The text of the header comment ``key: text`` (upper and lower case alike) of the first of ``keys`` that has one."""
    parts = [comment.partition(":") for comment in reversed(header.comments)]
    found = {name.strip().lower(): text.strip() for name, _, text in parts if text.strip()}
    return next((found[key] for key in keys if key in found), "")
