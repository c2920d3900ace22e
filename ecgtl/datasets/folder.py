"""A user's own recordings: a folder of WFDB records, or an array in memory.

Records may lie in sub-folders, in any WFDB format and at any sampling rate. Labels come from a CSV file
(``record,label``), from header comments (``# label: af`` or ``# Dx: 164889003``), or from nowhere.
"""

import csv
import hashlib
from collections.abc import Sequence
from numbers import Real
from pathlib import Path, PurePosixPath

import numpy as np

from ecgtl.datasets.base import Collector, Reading, Recordings, cached_recordings
from ecgtl.datasets.wfdb_files import Header, read_bytes, read_header, read_stored, signal_files
from ecgtl.errors import EcgtlError

NAME = "folder"
VERSION = "own"
LABEL_FILE = "labels.csv"
COMMENTS = "comments"
NO_LABELS = "none"  # labels that are there are not looked at
_LABEL_COMMENTS = ("label", "dx")
_SUFFIXES = (".hea", ".dat", ".mat")


def read(root: Path, lead: str | int | None = None, labels: str | None = None, on_bad: str = "error",
         synthetic: bool = False) -> Recordings:
    """All WFDB records in ``root`` and its sub-folders; an id is the path below ``root`` without suffix.

    ``lead`` chooses one signal by name (upper and lower case alike, no other name is taken for it) or by index;
    without it all signals are kept, and all records need equally many. ``labels`` is a CSV file (absolute or below
    ``root``) with the columns ``record`` and ``label``, or ``"comments"`` for the header comments ``label:`` or
    ``Dx:``, or ``"none"``; by default ``root/labels.csv`` where there is one, else nothing is labelled. Records with the same
    header comment ``subject:`` belong to one subject. ``on_bad`` says what a flat, incomplete or unlabelled
    recording causes, or one without the chosen lead, or a label without a recording: ``error`` or ``skip``
    (counted). Raises EcgtlError for missing or damaged files.
    """
    root = Path(root)
    _check_lead(lead)
    headers = {path: read_header(path, require_voltage=False) for path in _header_paths(root)}
    files = {file for path, header in headers.items() for file in (path, *signal_files(path, header))}
    label_file = _label_file(root, labels)
    text = None if label_file is None else read_bytes(label_file).decode("utf-8-sig", errors="replace")

    def build(folder: Path) -> None:
        collector = Collector(NAME, VERSION, classes=(), on_bad=on_bad, synthetic=synthetic)
        records = {path.relative_to(root).with_suffix("").as_posix(): path for path in headers}
        if text is not None:
            given = _label_table(text, label_file, list(records), collector)
        elif labels == COMMENTS:
            given = {record: _comment_labels(headers[path]) for record, path in records.items()}
        else:
            given = {record: [None] for record in records}
        for record, path in records.items():
            _collect(record, path, headers[path], lead, given.get(record, []), collector)
        collector.classes = tuple(sorted({r.label for r in collector.readings if r.label is not None}))
        collector.write(folder)

    options = {"lead": lead.lower() if isinstance(lead, str) else lead, "on_bad": on_bad, "synthetic": synthetic,
               "labels": labels if text is None else hashlib.sha256(text.encode()).hexdigest()}
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
             collector: Collector) -> None:
    if len(labels) != 1:
        collector.skip(record, "several labels" if labels else "no label", str(path),
                       f"give {record} one label, or pass on_bad=skip")
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
                          label=labels[0], subject=_comment(header, "subject")), str(path))


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


def _comment(header: Header, key: str) -> str | None:
    """The text of the header comment ``key: text`` (upper and lower case alike), or None."""
    for comment in header.comments:
        name, _, text = comment.partition(":")
        if name.strip().lower() == key and text.strip():
            return text.strip()
    return None


def _comment_labels(header: Header) -> list[str]:
    for key in _LABEL_COMMENTS:
        text = _comment(header, key)
        if text:
            return [word.strip() for word in text.split(",") if word.strip()]
    return []


def _label_file(root: Path, labels: str | None) -> Path | None:
    if labels in (COMMENTS, NO_LABELS):
        return None
    if labels is None:
        return root / LABEL_FILE if (root / LABEL_FILE).is_file() else None
    path = root / labels  # an absolute path stands for itself
    if not path.is_file():
        raise EcgtlError(f"label file {path} is missing; give a CSV file with the columns record and label, or "
                         f"'{COMMENTS}' for header comments")
    return path


def _label_table(text: str, where: Path, records: list[str], collector: Collector) -> dict[str, list[str]]:
    """The label of each record that the CSV ``text`` names, with or without sub-folder and suffix."""
    known: dict[str, list[str]] = {}
    for record in records:
        known.setdefault(PurePosixPath(record).name, []).append(record)
    known |= {record: [record] for record in records}
    table: dict[str, list[str]] = {}
    for number, name, label in _label_lines(text, where):
        found = known.get(_without_suffix(name), [])
        if len(found) > 1:
            raise EcgtlError(f"{where}, line {number}: {name} may be {' or '.join(found[:3])}; name its sub-folder")
        if not found:
            collector.skip(name, "label without a recording", f"{where}, line {number} names {name}, which is absent",
                           "remove the line or add the record, or pass on_bad=skip")
        elif label and table.setdefault(found[0], [label]) != [label]:
            raise EcgtlError(f"{where}, line {number}: {name} has two labels; keep one of them")
    return table


def _label_lines(text: str, where: Path) -> list[tuple[int, str, str]]:
    """Number, record and label of each line below the first; blank lines are passed over."""
    try:
        rows = list(csv.reader(text.splitlines()))
    except csv.Error as error:
        raise EcgtlError(f"{where} is not a CSV file ({error}); write lines 'record,label'") from None
    columns = [word.strip().lower() for word in rows[0]] if rows else []
    if "record" not in columns or "label" not in columns:
        raise EcgtlError(f"{where} begins with {','.join(rows[0])[:60] if rows else ''!r}; its first line must name "
                         "the columns record and label, separated by commas")
    record, label = columns.index("record"), columns.index("label")
    lines = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(word.strip() for word in row):
            continue
        if len(row) <= max(record, label) or not row[record].strip():
            raise EcgtlError(f"{where}, line {number}: {','.join(row)[:60]!r} lacks a record or a label; complete it")
        lines.append((number, row[record].strip(), row[label].strip()))
    return lines


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("") if path.suffix.lower() in _SUFFIXES else path)
