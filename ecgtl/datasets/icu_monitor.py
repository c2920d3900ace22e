"""Bedside monitors: long unlabelled recordings of one lead, as an intensive care unit exports them.

Jang 2021 (section II.1) pretrains on such recordings of 26,481 patients, which are private. Here any export
takes their place that lies in WFDB form as ``icu-monitor/<patient>/…/<record>.hea``, with the signal files
that the headers name beside them: what is below a patient's folder is of that patient. PhysioNet's waveform
databases sort patients into folders once more (``p10/p10014354``); there the inner folder is the patient.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ecgtl.datasets.collector import Collector, check_scale
from ecgtl.datasets.files import below
from ecgtl.datasets.folder import Record, chosen, name_of
from ecgtl.datasets.leads import check_lead, find
from ecgtl.datasets.recordings import Recordings, digest_of, store_rest
from ecgtl.datasets.wfdb_header import Header, header_text, sound_header
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

    ``lead`` is a name (as ``leads.find`` takes it) or an index. Recordings carry no class. A monitor goes on
    when nothing is to be seen: flat stretches stay in and missing samples are NaN (``samples`` is float32 for
    that); ``windows.unlabelled`` leaves such windows out and counts them. Records without the lead (a
    pressure alone, say) are left out and counted in ``Recordings.skipped``. Headers that list segments, or
    lay out signals without samples, are passed over: the segments are records themselves. Records are read
    one by one into a memory map, so memory holds one at a time however large the export is.

    ``on_bad`` says what a damaged record causes: ``error``, or ``skip``, which leaves it out and counts it.
    Raises EcgtlError when there is no record, when one lies in no patient's folder, and when none has the
    lead or is readable.
    """
    base, lead_key = Path(root) / FOLDER, check_lead(lead)
    collector = Collector(NAME, VERSION, on_bad=on_bad, synthetic=synthetic)
    headers = dict(_headers(base, collector))
    files = {file for header in headers.values() for file in (header.path, *header.signal_files())}
    write = partial(_write, base=base, headers=headers, lead=lead, collector=collector)
    return collector.cached(base, files, write=write, lead=lead_key, name_rules=3)


def _headers(base: Path, collector: Collector) -> Iterator[tuple[str, Header]]:
    """Name and header of all records that hold samples; damaged ones meet the policy."""
    paths = below(base, "hea")
    if not paths:
        raise EcgtlError(f"{base} holds no WFDB records; put each patient's into a folder of its own there "
                         f"(<patient>/<record>.hea), or set ECGTL_DATA to the folder that holds {FOLDER}/")
    loose = [path for path in paths if path.parent == base]
    if loose:
        raise EcgtlError(f"{loose[0]} lies in no patient's folder ({len(loose)} such records); put each "
                         f"patient's records into a folder of its own below {base}")
    for path in paths:
        record = name_of(path, base)
        with collector.leaving_out(record, DAMAGED):
            text = header_text(path)
            if _holds_samples(text):
                header = sound_header(text, path, base)
                # Memory is laid out by what all headers say, so it is held against compressed files too, roughly
                if header.n_samples > COMPRESSED * sum(file.stat().st_size for file in header.signal_files()):
                    raise RecordError(DAMAGED, f"{path} announces {header.n_samples:,} samples, more than its signal "
                                               "files can hold; export it again")
                yield record, header


def _holds_samples(text: str) -> bool:
    """False for a header that lists segments (``name/segments``) or lays out signals without any sample."""
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    first = next((words for words in lines if words), [""])
    return "/" not in first[0] and first[3:4] != ["0"]


def _chosen(base: Path, headers: dict[str, Header], lead: str | int, collector: Collector) -> list[Record]:
    """The lead of each record that has it; the others are counted."""
    records = []
    for record, header in headers.items():
        if find(header.leads, lead):
            with collector.leaving_out(record):
                records.append(chosen(record, header, lead))
        else:
            collector.skipped[f"no lead {lead}"].append(record)
    if headers and not records:
        names = ", ".join(sorted({name for header in headers.values() for name in header.leads}))
        raise EcgtlError(f"{base} has no record with the lead {lead}; choose another with lead= "
                         f"(there are {names[:80] or 'none'})")
    return records


def _write(folder: Path, base: Path, headers: dict[str, Header], lead: str | int, collector: Collector) -> None:
    """The records one after the other in one memory map, for ``load_folder``."""
    records = _chosen(base, headers, lead, collector)
    samples = np.lib.format.open_memmap(folder / "samples.npy", "w+", np.float32, (sum(map(len, records)), 1))
    end = 0
    for one in records:
        with collector.leaving_out(one.id, DAMAGED):
            check_scale(str(one.path), one.sampling_rate, one.of("gain"), one.of("baseline"))
            reading = collector.read(one.id, one.header, one.columns, subject=_patient(one.path, base))
            start, end = end, end + len(reading.stored)
            samples[start:end] = reading.stored
            collector.readings.append(replace(reading, stored=samples[start:end]))
    samples.flush()
    # Of one subject is what lies in one folder: flat stretches are alike without being copies
    subjects = np.array([reading.subject for reading in collector.readings])
    recordings = replace(collector.gathered(samples), subjects=subjects, duplicates=())
    store_rest(replace(recordings, digest=digest_of(recordings)), folder)


def _patient(path: Path, base: Path) -> str:
    """The first folder below ``base``, or the second where patients are sorted into ``p10/p10014354``."""
    first, *below = path.relative_to(base).parts[:-1]
    shard = below and below[0].startswith(first) and all(map(_SHARD.fullmatch, (first, below[0])))
    return below[0] if shard else first
