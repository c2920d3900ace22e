"""MIT-BIH Arrhythmia Database: 48 two-lead half-hour recordings of 47 subjects, every beat and rhythm annotated.

Source: Moody and Mark, IEEE Eng. Med. Biol. 20(3), 2001; release 1.0.0 on PhysioNet (``mitdb``).
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from ecgtl.datasets.collector import Collector
from ecgtl.datasets.files import read_bytes
from ecgtl.datasets.recordings import Recordings, not_available
from ecgtl.errors import RecordError, short

NAME = "mitdb"
FOLDER = "mitdb/1.0.0"
VERSION = "1.0.0"
SUBJECTS = {"202": "201"}  # both records come from one man; elsewhere each record is a subject of its own


def read(root: Path, on_bad: str = "error", synthetic: bool = False) -> Recordings:
    """All records below ``root/mitdb/1.0.0``: both leads, and the reference beats and rhythms as annotations.

    Recordings carry no class; the names of the leads are the header's own (the first is not always MLII). Marks of
    ``Recordings.annotations`` are in samples at 360 Hz. ``on_bad`` says what flat or incomplete recordings cause, and
    marks outside the signal or out of order: ``error``, or ``skip``, which leaves them out and counts them.
    Raises EcgtlError when the folder is missing or a file is damaged.
    """
    collector = Collector(NAME, VERSION, on_bad=on_bad, synthetic=synthetic)
    return read_folder(Path(root) / FOLDER, collector, lambda path: collect(path, SUBJECTS.get(path.stem), collector))


def read_folder(base: Path, collector: Collector, collect: Callable[[Path], None], folder: str = ".") -> Recordings:
    """The annotated records that lie in a ``folder`` of the release ``base``, from the cache or each by
    ``collect(header)``.

    Raises EcgtlError when there is none.
    """
    headers = sorted((base / folder).glob("*.hea"))
    if not headers:
        raise not_available(base / folder, "records", collector.name)
    files = [*headers, *(base / folder).glob("*.dat"), *(base / folder).glob("*.atr")]

    def fill() -> None:
        for path in headers:
            collect(path)

    return collector.cached(base, files, fill)


def collect(path: Path, subject: str | None, collector: Collector, no_text: str = "") -> None:
    """Read the record whose header stands at ``path``, and its marks.

    ``no_text`` is written where a mark has no text.
    """
    with collector.leaving_out(path.stem):
        reading, _ = collector.reading(path, subject=subject)
        sample, symbol, aux = marks(path.with_suffix(".atr"), len(reading.stored), collector)
        reading.marks = sample, symbol, np.where(aux == no_text, "", aux)
        collector.add(reading, str(path))


def marks(path: Path, n_samples: int, collector: Collector) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Samples, symbols and texts of the marks that lie inside the signal and in order."""
    sample, symbol, aux = _annotation(path)
    inside = (sample >= 0) & (sample < n_samples)
    late = inside & (sample < np.maximum.accumulate(np.where(inside, sample, 0)))  # behind a mark of a later sample
    for reason, wrong in (("annotation outside the signal", ~inside), ("annotation out of order", late)):
        for mark in sample[wrong]:
            collector.skip(f"{path.stem}@{mark}", reason, f"{path} at sample {mark} of {n_samples}", "fetch it again")
    keep = inside & ~late
    return sample[keep], symbol[keep], aux[keep]


def _unreadable(line: str) -> RecordError:
    return RecordError("unreadable annotations", f"{line}; fetch it again")


def _annotation(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # wfdb takes a file that is cut between two marks, or any text, for a whole one; the end mark tells.
    if not path.is_file() or read_bytes(path)[-2:] != b"\0\0":
        raise _unreadable(f"{path} is missing, empty, truncated or no annotation file (it lacks the end mark)")
    import wfdb

    try:
        found = wfdb.rdann(str(path.with_suffix("")), path.suffix[1:])
    except Exception as error:  # wfdb's parser raises whatever the damage causes: ValueError, IndexError, …
        raise _unreadable(f"{path} is not a WFDB annotation file ({short(error)})") from None
    # A code that stands for no mark comes back as NaN.
    if not found.symbol or not all(isinstance(symbol, str) for symbol in found.symbol):
        raise _unreadable(f"{path} holds no marks, or codes that stand for none")
    texts = [text.rstrip("\0") for text in found.aux_note]
    return np.asarray(found.sample, np.int64), np.array(found.symbol, dtype=str), np.array(texts, dtype=str)
