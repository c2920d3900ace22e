"""PhysioNet/Computing in Cardiology Challenge 2017: single-lead recordings of 9-61 s, four classes.

Source: Clifford et al., Computing in Cardiology 2017; release 1.0.0 on PhysioNet (``challenge-2017``). Either the
unpacked folder ``training2017/`` or the release's ``training2017.zip`` is read; the zip is never unpacked to disk.
"""

import csv
import os
import zipfile
import zlib
from functools import partial
from pathlib import Path, PurePosixPath

from ecgtl.datasets import archives
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.datasets.files import read_bytes, read_text, stays_below
from ecgtl.datasets.recordings import Recordings, not_available
from ecgtl.datasets.wfdb_files import read_16bit
from ecgtl.datasets.wfdb_header import parse_header
from ecgtl.errors import EcgtlError

NAME = "cinc2017"
FOLDER = "challenge-2017/1.0.0"
VERSION = "1.0.0"
CLASSES = {"N": "normal", "A": "af", "O": "other", "~": "noise"}
# Version 3 of the labels is what the field compares on; the archive's own REFERENCE.csv comes last.
LABEL_FILES = ("REFERENCE-v3.csv", "REFERENCE.csv")
# What a damaged archive, or one that is encrypted or packed in an unknown way, makes zipfile raise.
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, OSError, EOFError, RuntimeError, ValueError)


def read(root: Path, on_bad: str = "error", synthetic: bool = False) -> Recordings:
    """All training recordings below ``root/challenge-2017/1.0.0``.

    ``on_bad`` says what happens to flat, incomplete or unlabelled recordings: ``error`` or ``skip`` (counted).
    Raises EcgtlError when the folder or its label file is missing, or a file is damaged.
    """
    source = Source(Path(root) / FOLDER)
    collector = Collector(NAME, VERSION, CLASSES.values(), on_bad=on_bad, synthetic=synthetic)
    return collector.cached(source.base, source.files(), lambda: collect(source, collector), source.contents)


def collect(source: "Source", collector: Collector) -> None:
    """Take every recording of the ``source``."""
    label_file, text = source.label_text()
    labels = _labels(text, label_file)
    present = {os.path.splitext(name)[0] for name in source.members if name.endswith((".mat", ".hea"))}
    for absent in sorted(labels.keys() - present):
        collector.skip(absent, "label without a recording", f"{label_file} names {absent}, whose .hea/.mat is absent",
                       "fetch the data set again")
    for record in sorted(present):
        where = source.where(f"{record}.mat")
        if record not in labels:
            collector.skip(record, "no label", f"{where} has no line in {label_file}", "add its label")
            continue
        with collector.leaving_out(record):
            text = source.content(f"{record}.hea").decode(errors="replace")
            header = parse_header(text, source.where(f"{record}.hea"))
            stored = read_16bit(source.content(f"{record}.mat"), header, where, partial(collector.remark, record))
            collector.add(Reading(record, stored, header.sampling_rate, header.leads, header.gain, header.baseline,
                                  label=labels[record]), where)


def _labels(text: str, where: str) -> dict[str, str]:
    """Class name by record."""
    labels: dict[str, str] = {}
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
    return labels


class Source:
    """``training2017/A00001.mat`` and so on, or the release's archive, read in memory: nothing can land outside.

    ``members`` says by name where a file lies in it; ``contents`` is what the checksum of the unpacked form has read.
    """

    def __init__(self, base: Path):
        self.contents: dict[str, bytes] | None = {}
        self.base, self.path, self.archive = base, base / "training2017", None
        if self.path.is_dir():
            with os.scandir(self.path) as found:
                self.members = {entry.name: entry.path for entry in found}
            return
        self.path, self.contents = base / "training2017.zip", None
        if not self.path.is_file():
            raise not_available(base, "training2017/ and no training2017.zip", NAME)
        try:
            self.archive = archives.opened(self.path, str(self.path), "fetch it again")
        except EcgtlError:
            raise
        except _ZIP_ERRORS as error:
            raise EcgtlError(f"{self.path} is no readable zip file ({error}); delete it and fetch it again") from None
        unsafe = [name for name in self.archive.namelist() if not stays_below(name)]
        if unsafe:
            raise EcgtlError(f"{self.path} holds the unsafe path {unsafe[0]!r}; fetch the release's own archive")
        self.members = {PurePosixPath(name).name: name for name in self.archive.namelist()}

    def files(self) -> list[Path | str]:
        """What its recordings depend on."""
        label_file = self.base / LABEL_FILES[0]
        unpacked = (path for path in self.members.values() if path.endswith((".mat", ".hea", ".csv")))
        return [*([self.path] if self.archive else unpacked), *[label_file] * label_file.exists()]

    def where(self, name: str) -> str:
        """The file ``name`` for messages, whether it is there or not."""
        return f"{self.path}{':' if self.archive else os.sep}{name}"

    def content(self, name: str) -> bytes:
        """The bytes of the file ``name``."""
        where = self.where(name)
        if self.archive is None:
            return (self.contents or {}).pop(where, b"") or read_bytes(where)
        if name not in self.members:
            raise EcgtlError(f"{self.path} holds no {name}; fetch the archive again")
        try:
            return self.archive.read(self.members[name])
        except _ZIP_ERRORS as error:
            raise EcgtlError(f"{where} is damaged ({error}); delete the archive and fetch it again") from None

    def label_text(self) -> tuple[str, str]:
        """Where the labels stand, and their text: a file beside the recordings comes before those among them."""
        beside = self.base / LABEL_FILES[0]
        if beside.exists():
            return str(beside), read_text(beside)
        for name in (name for name in LABEL_FILES if name in self.members):
            return self.where(name), self.content(name).decode("utf-8-sig", errors="replace")
        raise EcgtlError(f"{self.path} holds no label file ({', '.join(LABEL_FILES)}); fetch the data set again")
