"""PhysioNet/Computing in Cardiology Challenge 2017: single-lead recordings of 9-61 s, four classes.

Source: Clifford et al., Computing in Cardiology 2017; release 1.0.0 on PhysioNet (``challenge-2017``). Either the
unpacked folder ``training2017/`` or the release's ``training2017.zip`` is read; the zip is never unpacked to disk.
"""

import csv
import os
import zipfile
import zlib
from functools import partial
from pathlib import Path, PurePosixPath, PureWindowsPath

from ecgtl.datasets import archives
from ecgtl.datasets.base import Collector, Reading, Recordings, cached_recordings, nothing_at_hand
from ecgtl.datasets.wfdb_files import parse_header, read_16bit, read_bytes
from ecgtl.errors import EcgtlError

NAME = "cinc2017"
FOLDER = "challenge-2017/1.0.0"
VERSION = "1.0.0"
CLASSES = {"N": "normal", "A": "af", "O": "other", "~": "noise"}
# Version 3 of the labels is what the field compares on; the archive's own REFERENCE.csv comes last.
LABEL_FILES = ("REFERENCE-v3.csv", "training2017/REFERENCE-v3.csv", "training2017/REFERENCE.csv")
# What a damaged archive, or one that is encrypted or packed in an unknown way, makes zipfile raise.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError)


def read(root: Path, on_bad: str = "error", synthetic: bool = False) -> Recordings:
    """All training recordings below ``root/challenge-2017/1.0.0``.

    ``on_bad`` says what happens to flat, incomplete or unlabelled recordings: ``error`` or ``skip`` (counted).
    Raises EcgtlError when the folder or its label file is missing, or a file is damaged.
    """
    base = Path(root) / FOLDER
    source = _Folder(base) if (base / "training2017").is_dir() else _Zip(base)
    collector = Collector(NAME, VERSION, tuple(CLASSES.values()), on_bad=on_bad, synthetic=synthetic)
    return cached_recordings(collector, base, source.files(), {}, lambda: _collect(source, collector), source.contents)


def _collect(source: "_Folder | _Zip", collector: Collector) -> None:
    labels, label_file = _labels(source)
    present = source.records()
    for absent in sorted(labels.keys() - present):
        collector.skip(absent, "label without a recording", f"{label_file} names {absent}, whose .hea/.mat is absent",
                       "fetch the data set again")
    for record in sorted(present):
        where = source.where(f"{record}.mat")
        if record not in labels:
            collector.skip(record, "no label", f"{where} has no line in {label_file}", "add its label")
            continue
        with collector.leaving_out(record):
            header = parse_header(source.content(f"{record}.hea").decode(errors="replace"), source.where(f"{record}.hea"))
            stored = read_16bit(source.content(f"{record}.mat"), header, where, partial(collector.remark, record))
            collector.add(Reading(record, stored, header.sampling_rate, header.leads, header.gain, header.baseline,
                                  label=labels[record]), where)


def _labels(source: "_Folder | _Zip") -> tuple[dict[str, str], str]:
    """Class name by record, and where the label file stands."""
    where, text = source.label_text()
    labels = {}
    try:
        rows = list(csv.reader(text.rstrip().splitlines()))
    except csv.Error as error:
        raise EcgtlError(f"{where} is not a CSV file ({error}); fetch the label file again") from None
    for number, row in enumerate(rows, start=1):
        if len(row) != 2 or row[1].strip() not in CLASSES:
            raise EcgtlError(f"{where}, line {number}: {','.join(row)[:60]!r} is not 'record,label' with a label out "
                             f"of {', '.join(CLASSES)}; fetch the label file again")
        record, label = row[0].strip(), CLASSES[row[1].strip()]
        if labels.setdefault(record, label) != label:
            raise EcgtlError(f"{where}, line {number}: {record} has two labels; fetch the label file again")
    if not labels:
        raise EcgtlError(f"{where} is empty; fetch the label file again")
    return labels, where


class _Folder:
    """The unpacked form: ``training2017/A00001.mat`` and so on."""

    def __init__(self, base: Path):
        self.base, self.training = base, base / "training2017"
        self.prefix = os.path.join(self.training, "")
        self.contents: dict[str, bytes] = {}  # what the checksum has read already

    def files(self) -> list[Path | str]:
        with os.scandir(self.training) as found:
            kept = [entry.path for entry in found if entry.name.endswith((".mat", ".hea", ".csv"))]
        return kept + [f for f in [self.base / LABEL_FILES[0]] if f.exists()]

    def records(self) -> set[str]:
        return {os.path.splitext(name)[0] for name in os.listdir(self.training) if name.endswith((".mat", ".hea"))}

    def where(self, name: str) -> str:
        return self.prefix + name

    def content(self, name: str) -> bytes:
        path = self.where(name)
        return self.contents.pop(path, None) or read_bytes(path)

    def label_text(self) -> tuple[str, str]:
        return _label_text(self.base)


class _Zip:
    """The release's own archive, read in memory: nothing is unpacked, so nothing can land outside."""

    contents = None

    def __init__(self, base: Path):
        self.base, self.path = base, base / "training2017.zip"
        if not self.path.is_file():
            raise nothing_at_hand(base, "training2017/ and no training2017.zip", NAME)
        try:
            self.archive = archives.opened(self.path, str(self.path), "fetch it again")
        except EcgtlError:
            raise
        except _ZIP_ERRORS as error:
            raise EcgtlError(f"{self.path} is not a readable zip file ({error}); delete it and fetch it again") from None
        self.members = {PurePosixPath(name).name: name for name in map(self._safe, self.archive.namelist())}

    def _safe(self, name: str) -> str:
        path = PureWindowsPath(name)  # knows both kinds of slash, and drives
        if path.anchor or ".." in path.parts:
            raise EcgtlError(f"{self.path} holds the unsafe path {name!r}; it is not the release's archive: fetch it again")
        return name

    def files(self) -> list[Path]:
        return [self.path] + [f for f in [self.base / LABEL_FILES[0]] if f.exists()]

    def records(self) -> set[str]:
        return {PurePosixPath(name).stem for name in self.members if name.endswith((".mat", ".hea"))}

    def where(self, name: str) -> str:
        return f"{self.path}:{name}"

    def content(self, name: str) -> bytes:
        if name not in self.members:
            raise EcgtlError(f"{self.path} holds no {name}; fetch the archive again")
        try:
            return self.archive.read(self.members[name])
        except _ZIP_ERRORS as error:
            raise EcgtlError(f"{self.path}:{name} is damaged ({error}); delete the archive and fetch it again") from None

    def label_text(self) -> tuple[str, str]:
        if (self.base / LABEL_FILES[0]).exists():
            return _label_text(self.base)
        for name in ("REFERENCE-v3.csv", "REFERENCE.csv"):
            if name in self.members:
                return self.where(name), self.content(name).decode("utf-8-sig", errors="replace")
        raise EcgtlError(f"{self.path} holds no REFERENCE.csv; fetch the archive again")


def _label_text(base: Path) -> tuple[str, str]:
    for name in LABEL_FILES:
        if (base / name).is_file():
            return str(base / name), read_bytes(base / name).decode("utf-8-sig", errors="replace")
    raise EcgtlError(f"{base} has no label file ({', '.join(LABEL_FILES)}); fetch the data set again")
