"""A user's own recordings: a folder of WFDB records, or an array in memory.

Records may lie in sub-folders, in any WFDB format and at any sampling rate. Labels come from a CSV file
(``ecgtl.datasets.label_file``), from header comments (``# label: af`` or ``# Dx: 164889003``), or from nowhere.
"""

import hashlib
from collections.abc import Sequence
from numbers import Real
from pathlib import Path

import numpy as np

from ecgtl.datasets import label_file
from ecgtl.datasets.base import Collector, Reading, Recordings, cached_recordings
from ecgtl.datasets.label_file import COMMENTS, NO_LABELS, SUBJECTS
from ecgtl.datasets.wfdb_files import Header, read_bytes, read_header, read_stored, signal_files
from ecgtl.errors import EcgtlError

NAME = "folder"
VERSION = "own"
_LABEL_COMMENTS = ("label", "dx")


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
    _check_lead(lead)
    headers = {path: read_header(path, require_voltage=False) for path in _header_paths(root)}
    files = {file for path, header in headers.items() for file in (path, *signal_files(path, header))}
    table = label_file.find(root, labels)
    text = None if table is None else label_file.decoded(read_bytes(table), table)

    def build(folder: Path) -> None:
        collector = Collector(NAME, VERSION, (), bool(labels_separator), on_bad, synthetic)
        records = {path.relative_to(root).with_suffix("").as_posix(): path for path in headers}
        subjects = {record: subject for record, path in records.items() if (subject := _comment(headers[path], *SUBJECTS))}
        if text is not None:
            cells = label_file.read(text, table, list(records), subjects, collector)
            given = {record: label_file.split(cell, labels_separator) for record, cell in cells.items()}
        elif labels == COMMENTS:
            cells = {record: _comment(headers[path], *_LABEL_COMMENTS) for record, path in records.items()}
            given = {record: label_file.split(cell, labels_separator or ",") for record, cell in cells.items()}
        else:
            given = {record: [None] for record in records}
        if labels_separator and max(map(len, given.values()), default=0) < 2:
            raise EcgtlError(f"labels_separator is {labels_separator!r}, but no label of {root} holds it; leave it away, or give "
                             "what stands between the labels")
        for record, path in records.items():
            _collect(record, path, headers[path], lead, given.get(record, []), subjects.get(record), collector)
        kept = [r.id for r in collector.readings]
        found = [label for record in kept for label in given[record] if label is not None]
        collector.classes = tuple(sorted(set(found)))
        label_file.note_labels(found, collector.note, labels_separator)
        if labels != NO_LABELS:
            label_file.note_subjects(kept, subjects, collector.note)
        collector.write(folder)

    options = {"lead": lead.lower() if isinstance(lead, str) else lead, "on_bad": on_bad, "synthetic": synthetic,
               "labels": labels if text is None else hashlib.sha256(text.encode()).hexdigest(),
               "labels_separator": labels_separator, "label_rules": 2}
    return cached_recordings(NAME, root, files, options, build)


def from_array(array: np.ndarray, sampling_rate: float, lead_names: Sequence[str] | None = None,
               labels: Sequence[str] | None = None, on_bad: str = "error") -> Recordings:
    """Recordings out of ``array`` in mV, shape (records, leads, samples) or (records, samples).

    ``sampling_rate`` in Hz, one for all; ``lead_names`` one a lead; ``labels`` one a record (names or whole
    numbers), whose sorted distinct values become the classes. ``on_bad`` says what a constant signal or one with
    NaN causes: ``error`` or ``skip`` (counted). Raises EcgtlError for another shape and for a rate not above 0.
    """
    signals = _signals(array)
    n_records, n_leads, _ = signals.shape
    if not (isinstance(sampling_rate, Real) and np.isfinite(sampling_rate) and sampling_rate > 0):
        raise EcgtlError(f"sampling_rate is {sampling_rate!r}; give one number of Hz above 0")
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


def _check_lead(lead: str | int | None) -> None:
    if isinstance(lead, bool) or not isinstance(lead, str | int | None) or (isinstance(lead, int) and lead < 0):
        raise EcgtlError(f"lead is {lead!r}; give the name of a lead, an index from 0, or None for all")


def _header_paths(root: Path) -> list[Path]:
    if not root.is_dir():
        raise EcgtlError(f"{root} is not a folder; give the folder that holds your WFDB records (.hea with .dat)")
    found = [path for path in root.rglob("*.hea")
             if not any(part.startswith(".") for part in path.relative_to(root).parts)]  # macOS leaves ._x.hea
    if not found:
        raise EcgtlError(f"{root} holds no WFDB header (*.hea); give the folder that holds your records, or turn "
                         "an array into recordings with ecgtl.datasets.folder.from_array")
    return sorted(found)


def _collect(record: str, path: Path, header: Header, lead: str | int | None, labels: Sequence[str | None],
             subject: str | None, collector: Collector) -> None:
    if len(labels) != 1 and not (labels and collector.multi_label):
        keys = ", ".join(comment.partition(":")[0] for comment in header.comments if ":" in comment) or "none"
        collector.skip(record, "several labels" if labels else "no label", str(path), f"give {record} one label, or pass "
                       f"on_bad=skip{' or labels_separator' * bool(labels)} (labels=comments reads 'label: ...' and 'Dx: ...'; "
                       f"this header's comments begin with: {keys})")
        return
    columns = _columns(header, lead)
    if not columns:
        collector.skip(record, f"no lead {lead}", str(path),
                       f"choose one of {', '.join(header.leads)}, or pass on_bad=skip")
        return
    _check_columns(header, columns, lead, path)
    stored = read_stored(path, header)[:, columns]
    collector.add(Reading(record, stored, header.sampling_rate, [header.leads[k] for k in columns],
                          [header.gain[k] for k in columns], [header.baseline[k] for k in columns],
                          label=labels if collector.multi_label else labels[0], subject=subject), str(path))


def _columns(header: Header, lead: str | int | None) -> list[int]:
    if lead is None:
        return list(range(len(header.leads)))
    if isinstance(lead, int):
        return [lead] if lead < len(header.leads) else []
    return [k for k, name in enumerate(header.leads) if name.lower() == lead.lower()]


def _check_columns(header: Header, columns: list[int], lead: str | int | None, path: Path) -> None:
    if lead is not None and len(columns) > 1:
        raise EcgtlError(f"{path} has {len(columns)} leads named {lead}; choose one by its index, "
                         f"{' or '.join(map(str, columns))}")
    other = [header.leads[k] for k in columns if np.isnan(header.gain[k])]
    if other:
        voltages = [name for name, gain in zip(header.leads, header.gain, strict=True) if np.isfinite(gain)]
        raise EcgtlError(f"{path}: {', '.join(other)} is not a voltage; choose a lead that is "
                         f"({', '.join(voltages) or 'this record has none'})")


def _comment(header: Header, *keys: str) -> str:
    """The text of the header comment ``key: text`` (upper and lower case alike) of the first of ``keys`` that has one."""
    parts = [comment.partition(":") for comment in reversed(header.comments)]
    found = {name.strip().lower(): text.strip() for name, _, text in parts if text.strip()}
    return next((found[key] for key in keys if key in found), "")
