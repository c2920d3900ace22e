"""A user's own recordings: a folder of WFDB records, or of files in the formats that ``ecgtl.datasets.formats`` reads.

Records may lie in sub-folders, in any format and at any sampling rate. Labels come from a CSV file
(``ecgtl.datasets.label_file``), from header comments (``# label: af`` or ``# Dx: 164889003``), or from nowhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path

import numpy as np

from ecgtl.datasets import formats, label_file
from ecgtl.datasets.collector import Collector, check_scale
from ecgtl.datasets.files import below, file_size, read_bytes
from ecgtl.datasets.formats import NOTHING, Given
from ecgtl.datasets.label_file import COMMENTS, NO_LABELS, SUBJECTS
from ecgtl.datasets.leads import check_lead, column, columns, derived, find, listed
from ecgtl.datasets.recordings import Recordings, counted
from ecgtl.datasets.wfdb_files import BLOCK, check_sums, read_part
from ecgtl.datasets.wfdb_header import Header, header_text, segments, sound_header
from ecgtl.errors import EcgtlError, RecordError, note_once, why_not

NAME = "folder"
VERSION = "own"
_LABEL_COMMENTS = ("label", "dx")
# mV; of an ECG half of all samples lie farther from their median, or at least heartbeats do; and not even these so far
SMALLEST, LARGEST = 0.01, 20.0
IMPLAUSIBLE = "an amplitude that no ECG has"


def read(root: Path, lead: str | int | None = None, labels: str | None = None, on_bad: str = "error",
         synthetic: bool = False, labels_separator: str = "", rate: float = 0.0, unit: str = "") -> Recordings:
    """All records in ``root`` and its sub-folders; an id is the path below ``root`` without suffix.

    ``lead`` chooses one signal by name (as ``leads.find`` takes it: ``ECG II`` is II, ``MLII`` is not) or by
    index; without it all signals are kept, and all records need equally many. ``labels`` is a CSV file (absolute or
    below ``root``) with the columns ``record`` and ``label``, or ``"comments"`` for the header comments ``label:`` or
    ``Dx:``, or ``"none"``; by default ``root/labels.csv`` where there is one, else nothing is labelled. Where
    ``labels_separator`` stands between labels, a recording can have several. Records with the same subject, in a column
    or header comment ``subject`` (or another of ``label_file.SUBJECTS``), belong together. ``rate`` (Hz) and ``unit``
    are those of files that do not say theirs, as a CSV may. ``on_bad`` says
    what a flat, incomplete or unlabelled recording causes, or one without the chosen lead, or a label without a
    recording: ``error`` or ``skip`` (counted). Raises EcgtlError for missing or damaged files.
    """
    root, lead_key = Path(root), check_lead(lead)
    table = label_file.find(root, labels)
    headers = read_headers(root, Given(rate, unit), table)
    sound = {record: header for record, (_, header) in headers.items() if isinstance(header, Header)}
    files = {path for path, _ in headers.values()}.union(*(header.signal_files() for header in sound.values()))
    # What is missing or no file is an error of its record
    files = {file for file in files if str(file).isprintable() and not why_not(file_size, file, root)}
    text = None if table is None else label_file.decoded(read_bytes(table), table)
    collector = Collector(NAME, VERSION, (), bool(labels_separator), on_bad, synthetic)

    def fill() -> None:
        whose = {record: _comment(header, *SUBJECTS) for record, header in sound.items()}
        subjects = {record: who for record, who in whose.items() if who and who.lower() not in label_file.MISSING}
        given: dict = {record: [None] for record in headers}
        if table is not None and text is not None:
            cells = label_file.read(text, table, list(headers), subjects, collector)
            given = {record: label_file.split(cell, labels_separator) for record, cell in cells.items()}
        elif labels == COMMENTS:
            given = {record: label_file.split(_comment(header, *_LABEL_COMMENTS), labels_separator or ",")
                     for record, header in sound.items()}
        if labels_separator and max(map(len, given.values()), default=0) < 2:
            raise EcgtlError(f"labels_separator is {labels_separator!r}, but no label of {root} holds it; leave it "
                             "away, or give what stands between the labels")
        for record, (path, header) in headers.items():
            _collect(record, path, header, lead, given.get(record, []), subjects.get(record), collector)
        kept = [r.id for r in collector.readings]
        found = [label for record in kept for label in given[record] if label is not None]
        collector.classes = tuple(sorted(set(found)))
        label_file.note_labels(found, collector.note, labels_separator)
        if labels != NO_LABELS:
            label_file.note_subjects(kept, subjects, collector.note)

    damaged = {record: header.reason for record, (_, header) in headers.items() if isinstance(header, RecordError)}
    further: dict = {name: value for name, value in (("damaged", damaged), ("rate", rate), ("unit", unit)) if value}
    return collector.cached(root, files, fill, lead=lead_key, labels_separator=labels_separator, name_rules=5,
                            labels=labels if text is None else sha256(text.encode()).hexdigest(), **further)


def read_headers(root: Path, given: Given = NOTHING,
                 labels: Path | None = None) -> dict[str, tuple[Path, Header | RecordError]]:
    """Path and header of every record below ``root``, or what is wrong with it; a segment of another record is none.

    Nor are the file of ``labels`` and what has the name of a WFDB record; what else is none is said.
    """
    if not root.is_dir():
        raise EcgtlError(f"{root} is not a folder; give the folder that holds your WFDB records (.hea with .dat)")
    given.check()
    files = [path for path in below(root) if path.suffix.lower() == ".hea" or not path.is_dir() or
             path.is_symlink() and not path.resolve().is_relative_to(root.resolve())]
    headers = {path for path in files if path.suffix.lower() == ".hea"}
    found = _wfdb_headers(root, sorted(headers), given)
    taken = {file for header in found.values() if isinstance(header, Header) for file in header.signal_files()}
    taken |= headers | {labels or root / label_file.LABEL_FILE}
    others = {path: _other_header(path, root, given) for path in files
              if path not in taken and path.with_suffix(".hea") not in headers}
    named: dict[str, tuple[Path, Header | RecordError]] = {}
    for path, header in sorted((found | {path: other for path, other in others.items() if other}).items()):
        name = name_of(path, root)
        if name in named:
            header = RecordError("two files of one name", f"{named[name][0]} and {path} are both {name}; rename one")
        if not str(path).isprintable():
            header = RecordError("unprintable name", f"{str(path)!r} has characters that cannot be printed; rename it")
        named[name] = (path, header)
    if not named:
        raise EcgtlError(f"{root} holds no WFDB header (*.hea), nor a file of another format that is read; give the "
                         "folder that holds your records, or turn an array into recordings with "
                         "ecgtl.datasets.arrays.from_array")
    passed = [path.relative_to(root).as_posix() for path, other in others.items() if other is None]
    if passed:
        note_once(f"{root}: passed over, as no recordings: {ascii(counted(passed))[1:-1]}")
    return named


def headers_at(path: Path, given: Given = NOTHING) -> dict[str, tuple[Path, Header | RecordError]]:
    """``read_headers`` of a folder, or of one record: its header, a file of its own, or its name without a suffix."""
    if path.is_dir():
        return read_headers(path, given)
    given.check()
    beside = [one for one in dict.fromkeys((path.with_suffix(".hea"), path.with_suffix(".HEA"), Path(f"{path}.hea")))
              if one.is_file()]
    header: Header | RecordError | None = None
    if beside and (path in beside or not path.is_file() or path.suffix.lower() in (".dat", ".mat")):
        path = beside[-1]
        header = _wfdb_headers(path.parent, [path], given)[path]
    elif path.is_file():
        header = _other_header(path, path.parent, given)
    if header is None:
        what = "is no recording of a format that is read" if path.exists() else "does not exist"
        raise EcgtlError(f"{path} {what}; give a folder of recordings, or one: WFDB (.hea with .dat), EDF, DICOM, CSV")
    return {name_of(path, path.parent): (path, header)}


def name_of(path: Path, root: Path) -> str:
    """A record's name: the path of its header below ``root``, without the suffix of a format."""
    suffix = path.suffix if path.suffix.lower() in formats.SUFFIXES else ""
    name = path.relative_to(root).as_posix().removesuffix(suffix)
    return name if name.isprintable() else ascii(name)


def _other_header(path: Path, root: Path, given: Given) -> Header | RecordError | None:
    """The header of a file that is not WFDB, or what is wrong with it; None of what is no recording."""
    try:
        return formats.header(path, root, given)
    except RecordError as damage:
        return damage


def _wfdb_headers(root: Path, paths: Sequence[Path], given: Given) -> dict[Path, Header | RecordError]:
    """Header of every WFDB record among ``paths``, or what is wrong with it."""
    found: dict[Path, Header | RecordError] = {}
    masters, parts = set(), set()
    for path in paths:
        try:
            file_size(path, root)
            text = header_text(path)
            listed = [path.with_name(f"{name}.hea") for name, _ in segments(text)]
            masters |= {path} if listed else set()
            parts.update(listed)
            found[path] = given.checked(sound_header(text, path, root))
        except RecordError as damage:
            found[path] = damage
    parts -= masters
    return {path: header for path, header in found.items() if path not in parts}


@dataclass(frozen=True, eq=False)
class Record:
    """Leads of one record on the disk, of one sampling rate; what of it is wanted is read when it is asked for.

    With ``names`` and ``weights`` (leads, columns) its leads are sums of ``columns`` weighted by these.
    """

    id: str
    header: Header
    columns: list[int]
    names: tuple[str, ...] = ()
    weights: np.ndarray | None = None

    def __len__(self) -> int:
        return self.header.n_samples * self.header.per_frame[self.columns[0]]

    @property
    def path(self) -> Path:
        """Where its header stands."""
        return self.header.path

    @property
    def sampling_rate(self) -> float:
        """Samples a second of these leads."""
        return self.header.sampling_rate * self.header.per_frame[self.columns[0]]

    @property
    def leads(self) -> list[str]:
        """Their names."""
        return [*self.names] or self.of("leads")

    def of(self, what: str) -> list:
        """``gain``, ``baseline`` or another field of the header, one value a lead."""
        return self.header.of(self.columns, what)

    def __getitem__(self, where: tuple[slice, int]) -> np.ndarray:
        """A stretch of one lead in mV: a record can be used as an array (samples, leads) that is not in memory."""
        return self.millivolts(where[0].start, where[0].stop)[:, where[1]]

    def millivolts(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Samples ``start`` to ``stop`` in mV, shape (samples, leads), float32, NaN where they are missing."""
        stored = read_part(self.header, self.columns, start, len(self) if stop is None else stop)
        millivolts = ((stored - np.array(self.of("baseline"), float)) / np.array(self.of("gain"))).astype(np.float32)
        return millivolts if self.weights is None else millivolts @ self.weights.T.astype(np.float32)

    def check(self, collector: Collector) -> None:
        """Read all once, block by block, and tell ``collector`` what is odd; RecordError for what cannot be read."""
        check_scale(str(self.path), self.sampling_rate, self.of("gain"), self.of("baseline"))
        if not len(self):
            raise RecordError("no samples", f"{self.path} has no samples; fetch the record again")
        collector.remark_assumed(self.id, self.header, self.columns)
        check_sums(self.header, self.columns, partial(collector.remark, self.id))
        self.remark(replace(self, weights=None).millivolts(0, min(len(self), BLOCK // 16)), collector)

    def remark(self, millivolts: np.ndarray, collector: Collector) -> None:
        """Tell ``collector`` of an amplitude that no ECG has."""
        for x, lead, gain, unit in zip(millivolts[::max(1, len(millivolts) // 4096)].T, self.of("leads"),
                                       self.of("gain"), self.of("units"), strict=True):
            x = np.abs(x[np.isfinite(x)] - np.median(x[np.isfinite(x)])) if np.isfinite(x).any() else np.ones(1)
            half, most = np.quantile(x, (0.5, 0.99))
            if most > LARGEST or (half < SMALLEST and most < 10 * SMALLEST and x.any()):
                collector.remark(self.id, IMPLAUSIBLE, f" (lead {lead} of {self.id}: 99 % within {most:.2g} mV, "
                                 f"gain {gain:g} per mV from the unit {unit}); check gain and unit in the header")


def computed(record: str, header: Header, wanted: Sequence[str | int], collector: Collector) -> Record:
    """The leads ``wanted`` of a record; limb leads that it lacks are computed from two others, which is remarked."""
    absent = {lead: derived(header.leads, str(lead)) for lead in wanted if not find(header.leads, lead)}
    if not absent or any(weights is None for weights in absent.values()):
        return chosen(record, header, wanted)
    every = np.array([absent[lead] if lead in absent else np.eye(len(header.leads))[column(
        header.leads, lead, str(header.path))] for lead in wanted])
    used = np.flatnonzero(every.any(axis=0)).tolist()
    collector.remark(record, f"{', '.join(map(str, absent))} computed from other limb leads")
    kept = chosen(record, header, used).columns
    return Record(record, header, kept, tuple(map(str, wanted)), every[:, used])


def records(root: Path, lead: str | int | Sequence[str] | None, collector: Collector,
            given: Given = NOTHING) -> Iterator[Record]:
    """The records below ``root`` with the ``lead`` (several names choose several leads), their signals checked.

    What is wrong with a record meets the policy of ``collector``, which is told too what is odd with it.
    """
    for record, (_, header) in read_headers(root, given).items():
        with collector.leaving_out(record):
            one = chosen(record, header, lead)
            one.check(collector)
            yield one


def chosen(record: str, header: Header | RecordError, lead: str | int | Sequence[str | int] | None) -> Record:
    """The leads that ``lead`` names of a record; RecordError when it lacks one, or cannot be read."""
    if isinstance(header, RecordError):
        raise header
    kept = columns(header.leads, [lead] if isinstance(lead, str | int) else lead, str(header.path))
    other = [f"{header.leads[k]} is not a voltage ({header.units[k] or 'no unit'})" for k in kept
             if np.isnan(header.gain[k])]
    if other:
        voltages = [name for name, gain in zip(header.leads, header.gain, strict=True) if np.isfinite(gain)]
        raise RecordError("no voltage", f"{header.path}: {', '.join(other[:3])}; choose a lead that is "
                          f"({listed(voltages)})")
    if len({header.per_frame[k] for k in kept}) > 1:
        raise RecordError("leads of different rates", f"{header.path} has leads of different rates; choose one by name")
    return Record(record, header, kept)


def _collect(record: str, path: Path, header: Header | RecordError, lead: str | int | None,
             labels: Sequence[str | None], subject: str | None, collector: Collector) -> None:
    with collector.leaving_out(record):
        if isinstance(header, Header) and len(labels) != 1 and not (labels and collector.multi_label):
            keys = ", ".join(comment.partition(":")[0] for comment in header.comments if ":" in comment) or "none"
            collector.skip(record, "several labels" if labels else "no label", str(path), f"give {record} one label "
                           "(labels=comments reads 'label: ...' and 'Dx: ...'; this header's comments begin with: "
                           f"{keys}){', pass labels_separator' * bool(labels)}")
            return
        one = chosen(record, header, lead)
        reading = collector.read(record, one.header, one.columns, subject=subject,
                                 label=labels if collector.multi_label else labels[0])
        if collector.add(reading, str(path)):
            some = reading.stored[::max(1, len(reading.stored) // 4096)]
            one.remark((some - one.of("baseline")) / one.of("gain"), collector)


def _comment(header: Header, *keys: str) -> str:
    """The text of the header comment ``key: text`` of the first of ``keys`` (in any case) that has one."""
    parts = [comment.partition(":") for comment in reversed(header.comments)]
    found = {label_file.plain(name): text.strip() for name, _, text in parts if text.strip()}
    return next((found[key] for key in keys if key in found), "")
