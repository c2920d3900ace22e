"""Files of one's own that are not WFDB: what format one is of is found by its content, not by its name.

Each becomes a ``Header`` whose ``samples`` read it, so that whatever takes a WFDB record takes it too.
"""

from pathlib import Path

from ecgtl.datasets.files import file_size
from ecgtl.datasets.formats import arrays, dicom, edf, others, table
from ecgtl.datasets.formats.signals import NOTHING, Given, header_of
from ecgtl.datasets.wfdb_header import Header
from ecgtl.errors import RecordError
from ecgtl.paths import reading

# Names that promise a format; any other file of no known content is passed over
PROMISED = (".edf", ".bdf", ".dcm", ".npy", ".npz", ".mat", ".scp", ".ecg")
SUFFIXES = (".hea", *PROMISED, *table.SUFFIXES, ".xml", ".json")


def header(path: Path, root: Path, given: Given) -> Header | None:
    """The header of the file at ``path`` below ``root``; None where it is no recording, and its name promises none.

    Raises RecordError for what is wrong with it, and EcgtlError where a library is missing that reads it.
    """
    file_size(path, root)
    with reading(path), open(path, "rb") as file:
        head = file.read(table.BEGINNING)
    if head.startswith((edf.EDF, edf.BDF)):
        return given.checked(edf.read(path, given.unit))
    known = ((dicom.read, head[128:132] == b"DICM"), (arrays.read_npy, head.startswith(arrays.NPY)),
             (arrays.read_npz, head.startswith(arrays.ZIP) and b".npy" in head[:300]),
             (arrays.read_mat, head.startswith(arrays.MAT) or head[20:24] == arrays.MAT_4),
             (others.read, others.kind(head)), (table.read, table.is_table(path, head)))
    reader = next((reader for reader, fits in known if fits), None)
    if not reader and path.suffix.lower() in PROMISED:
        raise RecordError("unknown format", f"{path} is not what its name says; export it again, or move it elsewhere")
    return given.checked(header_of(path, given, reader)) if reader else None
