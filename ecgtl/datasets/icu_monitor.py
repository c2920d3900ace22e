"""Bedside monitors: long unlabelled recordings of one lead, as an intensive care unit exports them.

Jang 2021 (section II.1) pretrains on such recordings of 26,481 patients, which are private. Here any export
takes their place that lies in WFDB form as ``icu-monitor/<patient>/…/<record>.hea``, with the signal files
that the headers name beside them: what is below a patient's folder is of that patient. PhysioNet's waveform
databases sort patients into folders once more (``p10/p10014354``); there the inner folder is the patient.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ecgtl.datasets.base import UNLABELLED, Collector, Recordings, _digest, _store_rest, cached_recordings, check_scale
from ecgtl.datasets.folder import _check_columns, _check_lead, _columns
from ecgtl.datasets.wfdb_files import (
    LARGEST_HEADER,
    Header,
    check_sizes,
    decode,
    file_size,
    header_of,
    read_bytes,
    read_stored,
    signal_files,
)
from ecgtl.errors import EcgtlError, RecordError

NAME = "icu_monitor"
FOLDER = "icu-monitor"
VERSION = "own"
LEAD = "II"
COMPRESSED = 4096  # samples that a byte of a constant signal stands for in a compressed format, at most
DAMAGED = "damaged record"
_SHARD = re.compile(r"p\d+")  # a folder of patients whose names begin with its own


def read(root: Path, on_bad: str = "error", synthetic: bool = False, lead: str | int = LEAD) -> Recordings:
    """One lead of every record below ``root/icu-monitor``; ids are paths below it, subjects are patients.

    ``lead`` is a name (upper and lower case alike) or an index. Recordings carry no class. A monitor goes on
    when nothing is to be seen: flat stretches stay in and missing samples are NaN (``samples`` is float32 for
    that); ``windows.unlabelled`` leaves such windows out and counts them. Records without the lead (a
    pressure alone, say) are left out and counted in ``Recordings.skipped``. Headers that list segments, or
    lay out signals without samples, are passed over: the segments are records themselves. Records are read
    one by one into a memory map, so memory holds one at a time however large the export is.

    ``on_bad`` says what a damaged record causes: ``error``, or ``skip``, which leaves it out and counts it.
    Raises EcgtlError when there is no record, when one lies in no patient's folder, and when none has the
    lead or is readable.
    """
    base = Path(root) / FOLDER
    collector = Collector(NAME, VERSION, classes=(), on_bad=on_bad, synthetic=synthetic)
    _check_lead(lead)
    paths = _header_paths(base)
    headers = _headers(paths, base, collector)
    files = {*headers, *(file for path, header in headers.items() for file in signal_files(path, header))}
    options = {"on_bad": on_bad, "synthetic": synthetic,
               "lead": lead.lower() if isinstance(lead, str) else lead}
    return cached_recordings(NAME, base, files, options,
                             lambda folder: _write(folder, base, headers, lead, collector))


def _header_paths(base: Path) -> list[Path]:
    found = sorted(path for path in base.rglob("*.hea")  # macOS leaves ._x.hea
                   if not any(part.startswith(".") for part in path.relative_to(base).parts))
    if not found:
        raise EcgtlError(f"{base} holds no WFDB records; put each patient's into a folder of its own there "
                         f"(<patient>/<record>.hea), or set ECGTL_DATA to the folder that holds {FOLDER}/")
    loose = [path for path in found if path.parent == base]
    if loose:
        raise EcgtlError(f"{loose[0]} lies in no patient's folder ({len(loose)} such records); put each "
                         f"patient's records into a folder of its own below {base}")
    return found


def _headers(paths: Sequence[Path], base: Path, collector: Collector) -> dict[Path, Header]:
    """The headers of all records that hold samples; damaged ones meet the policy."""
    headers = {}
    for path in paths:
        with collector.leaving_out(_id(path, base), DAMAGED):
            text = decode(read_bytes(path, LARGEST_HEADER))
            if _holds_samples(text):
                header = header_of(text, path, strict=False)
                for file in signal_files(path, header):
                    file_size(file, base)
                _check_length(path, header)
                headers[path] = header
    return headers


def _check_length(path: Path, header: Header) -> None:
    """Memory is laid out by what all headers say, so each is held against its files first; of compressed ones roughly."""
    check_sizes(path, header)
    most = COMPRESSED * sum(file.stat().st_size for file in signal_files(path, header))
    if header.n_samples > most:
        raise RecordError("damaged record", f"{path} announces {header.n_samples:,} samples, more than its signal files can hold; "
                                            "export it again")


def _holds_samples(text: str) -> bool:
    """False for a header that lists segments (``name/segments``) or lays out signals without any sample."""
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    first = next((words for words in lines if words), [""])
    return "/" not in first[0] and first[3:4] != ["0"]


def _write(folder: Path, base: Path, headers: dict[Path, Header], lead: str | int,
           collector: Collector) -> None:
    """The records that have the lead, one after the other in one memory map, for ``load_folder``."""
    chosen = _chosen(base, headers, lead, collector)
    length = sum(headers[path].n_samples * headers[path].per_frame[column] for path, column in chosen.items())
    samples = np.lib.format.open_memmap(folder / "samples.npy", "w+", np.float32, (length, 1))
    kept, ends = [], [0]
    for path, column in chosen.items():
        with collector.leaving_out(_id(path, base), DAMAGED):
            header, remark = headers[path], partial(collector.remark, _id(path, base))
            rate = header.sampling_rate * header.per_frame[column]
            check_scale(str(path), rate, [header.gain[column]], [header.baseline[column]])
            stored = read_stored(path, header, [column], remark)
            for what in header.assumed[column]:
                remark(what)
            samples[ends[-1]:ends[-1] + len(stored)] = stored
            kept.append((path, header, column))
            ends.append(ends[-1] + len(stored))
    if not kept:
        raise EcgtlError(f"{base} holds no readable record with the lead {lead}; export the records again")
    samples.flush()
    recordings = _recordings(kept, base, samples, ends, collector)
    _store_rest(replace(recordings, digest=_digest(recordings)), folder)


def _chosen(base: Path, headers: dict[Path, Header], lead: str | int,
            collector: Collector) -> dict[Path, int]:
    """Column of the lead in each record that has it; the others are counted."""
    chosen = {}
    for path, header in headers.items():
        columns = _columns(header, lead)
        if columns:
            with collector.leaving_out(_id(path, base)):
                _check_columns(header, columns, lead, path)
                chosen[path] = columns[0]
        else:
            collector.skipped.setdefault(f"no lead {lead}", []).append(_id(path, base))
    if not chosen:
        names = ", ".join(sorted({name for header in headers.values() for name in header.leads}))
        raise EcgtlError(f"{base} has no record with the lead {lead}; choose another with lead= "
                         f"(there are {names[:80] or 'none'})")
    return chosen


def _recordings(kept: Sequence[tuple[Path, Header, int]], base: Path, samples: np.ndarray,
                ends: Sequence[int], collector: Collector) -> Recordings:
    """The ``kept`` records (path, header, column of the lead), whose samples lie between ``ends``."""
    def column(name: str) -> np.ndarray:
        return np.array([[getattr(header, name)[k]] for _, header, k in kept])

    return Recordings(
        name=NAME, version=VERSION, ids=np.array([_id(path, base) for path, _, _ in kept]), samples=samples,
        offsets=np.array(ends, np.int64), leads=column("leads"), gain=column("gain"),
        sampling_rate=np.array([header.sampling_rate * header.per_frame[k] for _, header, k in kept]),
        baseline=column("baseline").astype(float), classes=(),
        labels=np.full(len(kept), UNLABELLED, np.int64),
        subjects=np.array([_patient(path, base) for path, _, _ in kept]), skipped=dict(collector.skipped),
        synthetic=collector.synthetic, notes=collector.lines())


def _id(path: Path, base: Path) -> str:
    return path.relative_to(base).with_suffix("").as_posix()


def _patient(path: Path, base: Path) -> str:
    """The first folder below ``base``, or the second where patients are sorted into ``p10/p10014354``."""
    first, *below = path.relative_to(base).parts[:-1]
    shard = below and below[0].startswith(first) and all(map(_SHARD.fullmatch, (first, below[0])))
    return below[0] if shard else first
