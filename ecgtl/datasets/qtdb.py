"""QT Database: 105 two-lead excerpts of 15 minutes from other Holter databases, of which 90 are read here.

Source: Laguna et al., Computers in Cardiology 24, 1997; release 1.0.0 on PhysioNet (``qtdb``). The 15 others are
excerpts of the MIT-BIH Arrhythmia Database, whose records would come twice where both are sources.

Subjects: the release names none. 33 records come from the European ST-T Database, 90 records of 79 subjects of which
its documentation does not say which are whose. Three pairs of records here agree in age, sex, findings and leads, come
from neighbouring tapes, and their median beats correlate by .70 to .95 in both leads; other users of that database
group the same ones (e0118 to e0122, e0123 to e0126, and some e0129 with e0133). Each pair counts as one subject: where
that is wrong, a subject too few costs less than one in two parts. Of all other records each counts as a subject of its
own.
"""

import re
from pathlib import Path

import numpy as np

from ecgtl.datasets.collector import Collector
from ecgtl.datasets.mitdb import marks, read_folder
from ecgtl.datasets.recordings import Recordings

NAME = "qtdb"
FOLDER = "qtdb/1.0.0"
VERSION = "1.0.0"
FROM_MITDB = frozenset(f"sel{n}" for n in (100, 102, 103, 104, 114, 116, 117, 123, 213, 221, 223, 230, 231, 232, 233))
WITHOUT_MARKS = frozenset(f"sel{n}" for n in range(30, 53))  # sudden deaths: nobody has marked their beats
SUBJECTS = {"sele0122": "sele0121", "sele0126": "sele0124", "sele0133": "sele0129"}
_NO_LEAD = re.compile(r"record \S+, signal \d+")


def read(root: Path, on_bad: str = "error", synthetic: bool = False) -> Recordings:
    """The records below ``root/qtdb/1.0.0`` that are not MITDB's: both leads, and the reference beats where there are
    any.

    Recordings carry no class. Those of sudden deaths have no marks, few others any of rhythm. Marks of
    ``Recordings.annotations`` are in samples at 250 Hz. Notes say what was read by a rule: a gain of 0, "not
    calibrated", is 200 units per mV (header(5) of the WFDB Applications Guide); leads that have no name go by their
    number; and each lead's median is 0 mV. A Holter recorder does not keep the level, and here levels lie up to 15 mV
    apart, where the heart's own standard deviation is 0.3 mV: a scale for all records would be one of levels.
    ``on_bad`` is that of ``mitdb.read``. Raises EcgtlError when the folder is missing or a file is missing or damaged.
    """
    collector = Collector(NAME, VERSION, on_bad=on_bad, synthetic=synthetic)
    collector.note(f"{NAME}: the level of a Holter recording means nothing, so each lead's median is 0 mV")
    return read_folder(Path(root) / FOLDER, collector, lambda path: _collect(path, collector))


def _collect(path: Path, collector: Collector) -> None:
    """Take the record of a header, unless it is MITDB's."""
    if path.stem in FROM_MITDB:  # on purpose, so whatever ``on_bad`` says
        collector.skipped["excerpt of MITDB"].append(path.stem)
        return
    annotation = path.with_suffix(".atr")
    with collector.leaving_out(path.stem):
        reading, _ = collector.reading(path, strict=False, subject=SUBJECTS.get(path.stem))
        reading.baseline = np.median(reading.stored, axis=0)
        if path.stem not in WITHOUT_MARKS or annotation.exists():
            reading.marks = marks(annotation, len(reading.stored), collector)
        if collector.add(reading, str(path)):
            if _NO_LEAD.fullmatch(reading.leads[0]):
                collector.remark(path.stem, "the header does not name the leads; lead 0 is the first of a Holter's two")
            if reading.marks is None:
                collector.remark(path.stem, "it has no beat annotations and serves as a signal alone")
