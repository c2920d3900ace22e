"""Icentia11k: single-lead recordings of 11,000 patients, up to two weeks each, beats and rhythms annotated.

Source: Tan et al., Computing in Cardiology 2021; release 1.0 on PhysioNet (``icentia11k-continuous-ecg``). A
patient has up to 50 segments of about 70 minutes at 250 Hz; each segment is a recording here. The whole
release takes 1.1 TB, so it is read patient by patient, each with a cache entry of its own.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np

from ecgtl import processes
from ecgtl.datasets import cache
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.mitdb import collect, read_folder
from ecgtl.datasets.recordings import PER_RECORDING, Recordings, Shard, bounds, joined_marks, not_available, one_digest
from ecgtl.errors import EcgtlError

NAME = "icentia11k"
FOLDER = "icentia11k-continuous-ecg/1.0"
VERSION = "1.0"
TOGETHER = 100  # patients in one Recordings at most: their annotations are held in memory, 10 MB a patient


def read(root: Path, on_bad: str = "error", synthetic: bool = False,
         patients: str | Sequence[str] | None = None) -> Recordings:
    """The segments of some patients, or of all that lie below ``root/icentia11k-continuous-ecg/1.0``.

    Recordings carry no class; ``Recordings.annotations`` has beats (N, S, V, Q) and the bounds of rhythms
    (+ with the text ``(N``, ``(AFIB``, ``(AFL`` or ``)``) in samples at 250 Hz; all segments of a patient are
    one subject. At most 100 patients are read together, which copies their signals into one more memory map
    (97 MB a patient on disk); ``shards`` has no such limit.

    ``on_bad`` says what a flat or incomplete segment causes, one without readable annotations, and marks
    outside the signal or out of order: ``error``, or ``skip``, which leaves them out and counts them. Raises
    EcgtlError when the folder or a patient is missing, or a signal file is damaged.
    """
    parts = []
    for name in _names(root, patients):
        collector = Collector(NAME, VERSION, on_bad=on_bad, synthetic=synthetic)
        parts.append(read_folder(Path(root) / FOLDER, collector, partial(collect, subject=name, collector=collector,
                                                                         no_text="None"), f"{name[:3]}/{name}"))
    return parts[0] if len(parts) == 1 else _together(parts)


def shards(root: Path, on_bad: str = "error") -> list[Shard]:
    """All patients below ``root``, one source each, whose signals are read where ``read`` has put them.

    Several processes read the release. Raises EcgtlError as ``read`` does, for any number of patients.
    """
    processes.open_many_files()
    return list(map(Shard, processes.spread(partial(_stored, root, on_bad), patients(root))))


def patients(root: Path) -> list[str]:
    """Names of all patients below ``root`` (``p00000`` …), sorted; EcgtlError when there is none."""
    base = Path(root) / FOLDER
    found = sorted(path.name for path in base.glob("p[0-9][0-9]/p[0-9][0-9][0-9][0-9][0-9]") if path.is_dir())
    if not found:
        raise not_available(base, "patients (p00/p00000 …)", NAME)
    return found


def _stored(root: Path, on_bad: str, patient: str) -> Path:
    """The cache entry of a ``patient``."""
    return Path(read(root, on_bad, patients=patient).samples.filename).parent  # type: ignore[attr-defined]


def _names(root: Path, chosen: str | Sequence[str] | None) -> list[str]:
    one = chosen if isinstance(chosen, str) and re.fullmatch(r"p\d{5}", chosen) else ""
    if one and (Path(root) / FOLDER / one[:3] / one).is_dir():
        return [one]  # thousands need not be listed for each of them
    present = patients(root)
    names = present if chosen is None else [chosen] if isinstance(chosen, str) else list(chosen)
    absent = [name for name in names if name not in present]
    if absent or not names or len(set(names)) < len(names):
        raise EcgtlError(f"{Path(root) / FOLDER} has no patient {absent[0] if absent else names!r}; give "
                         f"names out of {present[0]} … {present[-1]}, each once")
    if len(names) > TOGETHER:
        raise EcgtlError(f"{len(names)} patients of {NAME} are too many at once; give at most {TOGETHER} as "
                         "patients=, or read one after the other")
    return names


def _together(parts: Sequence[Recordings]) -> Recordings:
    """The recordings of several patients as one, their samples copied into one memory map, never loaded."""
    def build(folder: Path) -> None:
        shape = (sum(len(part.samples) for part in parts), parts[0].samples.shape[1])
        samples, end = np.lib.format.open_memmap(folder / "samples.npy", "w+", parts[0].samples.dtype, shape), 0
        for part in parts:
            start, end = end, end + len(part.samples)
            samples[start:end] = part.samples
        samples.flush()

    digests = [part.digest for part in parts]
    folder = cache.entry(f"{NAME}-together", {"digests": digests}, build)
    reasons = sorted({reason for part in parts for reason in part.skipped})
    skipped = {reason: [record for part in parts for record in part.skipped.get(reason, [])] for reason in reasons}
    columns: dict = {name: np.concatenate([getattr(part, name) for part in parts]) for name in PER_RECORDING}
    samples = np.load(folder / "samples.npy", mmap_mode="r", allow_pickle=False)
    lengths = np.concatenate([np.diff(part.offsets) for part in parts])
    marks: list = [part.annotations and part.annotations.of(i) for part in parts for i in range(len(part))]
    return replace(parts[0], samples=samples, skipped=skipped, offsets=bounds(lengths), annotations=joined_marks(marks),
                   duplicates=sum((part.duplicates for part in parts), ()), digest=one_digest(digests), **columns)
