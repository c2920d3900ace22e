"""The label file of a folder of recordings: a CSV file that names records, their labels and who was recorded.

Its first line names the columns ``record`` and ``label``, and maybe one of ``SUBJECTS``; commas, semicolons or tabs
part the cells. It is in UTF-8, or in UTF-16 with a byte order mark. What may be read in two ways is an EcgtlError; what
looks like a slip is said in a note.
"""

import csv
import io
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePosixPath

from ecgtl import paths
from ecgtl.datasets import formats
from ecgtl.datasets.collector import Collector
from ecgtl.errors import EcgtlError

LABEL_FILE = "labels.csv"
COMMENTS = "comments"
NO_LABELS = "none"  # labels that are there are not looked at
# Columns and header comments that say who was recorded, as ``plain`` has their names
SUBJECTS = ("subject", "subject_id", "patient", "patient_id", "participant", "participant_id")
MISSING = ("nan", "na", "n/a", "<na>", "null", "none")  # what programs write for an empty cell
JOINERS = ";|,/+&"  # what people write between several labels
_NO_TEXT = {b"PK\3\4": "an Excel workbook (.xlsx), an OpenDocument table (.ods) or another zip archive",
            b"\xd0\xcf\x11\xe0": "an old Excel workbook (.xls)", b"\x1f\x8b": "a file compressed by gzip (.gz)"}
# One person's records: a folder or a name that begins like p01 or patient-7, or a short ending behind a number (0017_2)
_PERSON = re.compile(
    r"(.*?/)?((p|pt|pat|patient|sub|subj|subject|person|participant|volunteer)[-_ ]?\d+|s\d{3,})(?=[-_. /].)"
    r"|(.*/)?[a-z]{0,2}\d{3,}(?=[-_. ][^\W_]{1,5}$)", re.IGNORECASE)
_MOST = 50  # records a person, on average: what is shared by more is a ward, a device or a year


def find(root: Path, labels: str | None) -> Path | None:
    """The label file that ``labels`` stands for, None where there is none to read; EcgtlError when it is missing."""
    path = paths.given(root / (labels or LABEL_FILE))  # an absolute path stands for itself
    if labels in (COMMENTS, NO_LABELS) or (labels is None and not path.is_file()):
        return None
    if not path.is_file():
        raise EcgtlError(f"label file {path} is missing; give a CSV file with the columns record and label, or "
                         f"'{COMMENTS}'")
    return path


def decoded(content: bytes, where: Path) -> str:
    """The text of a label file; EcgtlError that names what it is instead, or in which encoding it seems to be."""
    wide, line = content.startswith((b"\xff\xfe", b"\xfe\xff")), 1
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
        if not content.startswith(tuple(_NO_TEXT)) and 3 * text.count("\0") <= len(text):
            return text
    except UnicodeDecodeError as error:
        line += content.count(b"\n", 0, error.start)
    raise EcgtlError(f"{where}, line {line}: not UTF-8, it looks like {_looks_like(content)}; save it as 'CSV UTF-8'")


def _looks_like(content: bytes) -> str:
    """What ``content``, which is not text in UTF-8, seems to be."""
    kind = next((kind for start, kind in _NO_TEXT.items() if content.startswith(start)), None)
    if kind or b"\0" in content:
        return kind or "damaged UTF-16, UTF-16 without a byte order mark, or UTF-32"
    runs = re.findall(rb"[\x80-\xff]+", content)
    in_utf8 = re.sub(rb"[\0-\x7f]", b"", content.decode("utf-8", "ignore").encode())
    if len(b"".join(runs)) < 2 * len(in_utf8):
        return "UTF-8 with bytes of another encoding in it"
    if max(map(len, runs)) > 2:
        return "an encoding of another script, such as Windows-1251, GB 18030 or Shift JIS"
    return "Latin-1 / Windows-1252 (to convert it: iconv -f WINDOWS-1252 -t UTF-8)"


def read(text: str, where: Path, records: Sequence[str], subjects: dict[str, str],
         collector: Collector) -> dict[str, str]:
    """The label of each record that the CSV ``text`` names, with or without sub-folder and suffix.

    ``subjects`` of records are added to what the headers' comments have said of them. EcgtlError names the line of
    whatever can be read in two ways.
    """
    known: dict[str, list[str]] = {}
    composed = partial(unicodedata.normalize, "NFC")  # macOS names files in letters and accents apart, Excel does not
    for record in records:
        known.setdefault(composed(PurePosixPath(record).name), []).append(record)
    known |= {composed(record): [record] for record in records} | {record: [record] for record in records}
    labels: dict[str, str] = {}
    for line, name, label, subject in _lines(text, where, collector.note):
        own = _without_suffix(name)
        found = known.get(own) or known.get(composed(own), [])
        if len(found) > 1:
            raise EcgtlError(f"{line}: {name!r} may be {' or '.join(found[:3])}; name its sub-folder")
        if not found:
            collector.skip(name, "label without a recording", f"{line} names {name!r}, which is absent",
                           "remove the line or add the record")
            continue
        for kind, value, table in (("labels", label, labels), ("subjects", subject, subjects)):
            if value and table.setdefault(found[0], value) != value:
                raise EcgtlError(f"{line}: {name!r} has two {kind}, {table[found[0]]!r} (or its header) and {value!r}; "
                                 "keep one")
    return labels


def _lines(text: str, where: Path, note: Callable[[str], None]) -> Iterator[tuple[str, str, str, str]]:
    """Where it stands, record, label and subject of each row below the first; blank rows are passed over."""
    delimiter, columns = _header(text, where)
    used = [columns.index(name) for name in ("record", "label", *SUBJECTS) if name in columns]
    if len(used) == 2 and (others := [name for name in columns if name and name not in ("record", "label")]):
        note(f"{where.name}: columns passed over: {', '.join(map(ascii, others))[:80]}; if one says who was recorded, "
             "name it subject")
    rows, number = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True), 1
    try:
        for row in rows:
            line, shown, first = f"{where}, line {number}", delimiter.join(row)[:60], number == 1
            number = rows.line_num + 1
            if first or not any(word.strip() for word in row):
                continue
            if len(row) > len(columns):
                raise EcgtlError(f"{line}: {shown!r} has {len(row)} cells for {len(columns)} columns; put quotes "
                                 f"around a cell that holds {delimiter!r}, or remove what is too much")
            if len(row) <= max(used) or not row[used[0]].strip():
                raise EcgtlError(f"{line}: {shown!r} lacks a record, a label or a subject; complete it")
            record, label, *subject = (row[k].strip() for k in used)
            yield line, record, label, "".join(name for name in subject if name.lower() not in MISSING)
    except csv.Error as error:
        raise EcgtlError(f"{where}, line {number}: not a CSV file ({error}); write lines 'record,label'") from None


def _header(text: str, where: Path) -> tuple[str, list[str]]:
    """What parts the cells, and the columns' names in lower case."""
    first = io.StringIO(text, newline="").readline(100_000).rstrip("\r\n")  # a cell of csv's own limit is longer
    split_by = {mark: [plain(word) for words in csv.reader([first], delimiter=mark, skipinitialspace=True)
                       for word in words] for mark in ",;\t"}
    delimiter = next((mark for mark, columns in split_by.items() if {"record", "label"} <= set(columns)), None)
    if delimiter is None:
        raise EcgtlError(f"{where} begins with {first[:60]!r}; its first line must name the columns record and label")
    for names in (("record",), ("label",), SUBJECTS):
        if sum(split_by[delimiter].count(name) for name in names) > 1:
            raise EcgtlError(f"{where}, line 1: {first[:60]!r} has several columns {' or '.join(names)}; keep one")
    return delimiter, split_by[delimiter]


def plain(name: str) -> str:
    """The ``name`` of a column or comment as it is compared: ``Patient ID``, ``patient-id``, ``PatientID`` are one."""
    return re.sub(r"(?<=subject|patient|icipant)[\s_-]*id$", "_id", name.strip().lower())


def _without_suffix(name: str) -> str:
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("") if path.suffix.lower() in (".dat", *formats.SUFFIXES) else path)


def split(cell: str, separator: str) -> list[str]:
    """The labels in a cell, each once; without a ``separator`` the cell is one label."""
    parts = cell.split(separator) if separator else [cell]
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def note_labels(labels: Sequence[str], note: Callable[[str], None], separator: str = "") -> None:
    """Say which of the ``labels`` of all recordings look like one written in two ways, like none, or like several."""
    counts = Counter(labels)
    _note_variants("classes", counts, note)
    for name in (name for name in counts if name.lower() in MISSING):
        note(f"{counts[name]} records have the class {name!r}, which looks like no label; for none leave the cell "
             "empty")
    # All but ; and | may be part of a name, so what they part must be a class elsewhere
    joined = [(name, mark) for name in counts for mark in JOINERS if mark != separator and len(split(name, mark)) > 1
              and (mark in ";|" or any(part in counts for part in split(name, mark)))]
    if joined:
        note(f"some classes look like several labels, as {joined[0][0]!r}; to part them pass "
             f"labels_separator={joined[0][1]!r}")


def note_subjects(records: Sequence[str], subjects: dict[str, str], note: Callable[[str], None]) -> None:
    """Say of which ``records`` nobody knows whether they come from one subject, and which subjects may be one."""
    _note_variants("subjects", Counter(subjects[record] for record in records if record in subjects), note)
    unknown = [record for record in records if record not in subjects]
    alike = several_a_person(unknown)
    advice = "give a column subject in the label file, or header comments 'subject: ...'"
    if subjects and unknown:
        note(f"{len(unknown)} of {len(records)} records have no subject (first {unknown[0]}), each counts as its own; "
             f"{advice}")
    elif alike:
        note(f"records are split as independent, but {' and '.join(alike)} look like one person's; {advice}")


def several_a_person(records: Sequence[str]) -> list[str]:
    """Two of ``records`` whose folder or name says that they are of one person; empty where there are none."""
    persons = {record: found[0].lower() for record in records if (found := _PERSON.match(record))}
    counts = Counter(persons.values())
    person, n = max(counts.items(), key=lambda item: item[1], default=("", 0))
    likely = n > 1 and len(counts) > 1 and len(persons) <= _MOST * len(counts)
    return [record for record in persons if persons[record] == person][:2] if likely else []


def _note_variants(kind: str, counts: Counter, note: Callable[[str], None]) -> None:
    """Say which names are one but for case, spaces, Unicode form, or the way a number is written."""
    groups: dict[str, list[str]] = {}
    for name in sorted(counts):
        plain = re.sub(r"[\s\u200b-\u200f\ufeff]", "", unicodedata.normalize("NFKC", name).casefold())
        groups.setdefault(re.sub(r"^0+(?=\d)|(?<=\d)\.0*$", "", plain), []).append(name)
    for names in (names for names in groups.values() if len(names) > 1):
        shown = ", ".join(f"{name!a} ({counts[name]} records)" for name in names)
        note(f"{kind} {shown} differ only in case, spaces, Unicode form or '.0'; if they are one, give them one name")
