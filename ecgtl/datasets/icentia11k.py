"""Icentia11k: single-lead recordings of 11,000 patients, up to two weeks each, beats and rhythms annotated.

Source: Tan et al., Computing in Cardiology 2021; release 1.0 on PhysioNet (``icentia11k-continuous-ecg``). A
patient has up to 50 segments of about 70 minutes at 250 Hz; each segment is a recording here. The whole
release takes 1.1 TB, so it is read patient by patient, each with a cache entry of its own.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np

from ecgtl.datasets import cache
from ecgtl.datasets.base import Annotations, Collector, Recordings, nothing_at_hand
from ecgtl.datasets.mitdb import collect, read_folder
from ecgtl.errors import EcgtlError

NAME = "icentia11k"
FOLDER = "icentia11k-continuous-ecg/1.0"
VERSION = "1.0"
TOGETHER = 100  # patients in one Recordings at most: their annotations are held in memory, 10 MB a patient


def read(root: Path, on_bad: str = "error", synthetic: bool = False, patients: str | Sequence[str] | None = None) -> Recordings:
    """The segments of some patients, or of all that lie below ``root/icentia11k-continuous-ecg/1.0``.

    Recordings carry no class; ``Recordings.annotations`` has beats (N, S, V, Q) and the bounds of rhythms
    (+ with the text ``(N``, ``(AFIB``, ``(AFL`` or ``)``) in samples at 250 Hz; all segments of a patient are
    one subject. At most 100 patients are read together, which copies their signals into one more memory map
    (97 MB a patient on disk); more are read one after the other: ``windows.unlabelled`` takes one source a
    patient.

    ``on_bad`` says what a flat or incomplete segment causes, one without readable annotations, and marks
    outside the signal or out of order: ``error``, or ``skip``, which leaves them out and counts them. Raises
    EcgtlError when the folder or a patient is missing, or a signal file is damaged.
    """
    names = _names(root, patients)
    parts = [_read_patient(Path(root) / FOLDER, name, on_bad, synthetic) for name in names]
    return parts[0] if len(parts) == 1 else _together(parts)


def patients(root: Path) -> list[str]:
    """Names of all patients below ``root`` (``p00000`` …), sorted; EcgtlError when there is none."""
    base = Path(root) / FOLDER
    found = sorted(path.name for path in base.glob("p[0-9][0-9]/p[0-9][0-9][0-9][0-9][0-9]") if path.is_dir())
    if not found:
        raise nothing_at_hand(base, "patients (p00/p00000 …)", NAME)
    return found


def _names(root: Path, chosen: str | Sequence[str] | None) -> list[str]:
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


def _read_patient(base: Path, name: str, on_bad: str, synthetic: bool) -> Recordings:
    collector = Collector(NAME, VERSION, classes=(), on_bad=on_bad, synthetic=synthetic)
    return read_folder(base, collector, lambda path: collect(path, name, collector, no_text="None"), f"{name[:3]}/{name}")


def _together(parts: Sequence[Recordings]) -> Recordings:
    """The recordings of several patients as one, their samples copied into one memory map, never loaded."""
    def build(folder: Path) -> None:
        shape = (sum(len(part.samples) for part in parts), parts[0].samples.shape[1])
        samples = np.lib.format.open_memmap(folder / "samples.npy", "w+", parts[0].samples.dtype, shape)
        for part, start in zip(parts, starts, strict=True):
            samples[start:start + len(part.samples)] = part.samples
        samples.flush()

    def all_of(name: str) -> np.ndarray:
        return np.concatenate([getattr(part, name) for part in parts])

    starts = np.cumsum([0] + [len(part.samples) for part in parts[:-1]])
    digests = [part.digest for part in parts]
    folder = cache.entry(f"{NAME}-together", {"digests": digests}, build)
    ends = [part.offsets[1:] + start for part, start in zip(parts, starts, strict=True)]
    skipped = {reason: [record for part in parts for record in part.skipped.get(reason, [])]
               for reason in sorted({reason for part in parts for reason in part.skipped})}
    return replace(parts[0], samples=np.load(folder / "samples.npy", mmap_mode="r", allow_pickle=False),
                   offsets=np.concatenate([[0], *ends]), skipped=skipped,
                   annotations=_annotations([part.annotations for part in parts]),
                   duplicates=tuple(pair for part in parts for pair in part.duplicates),
                   digest=sha256("\n".join(digests).encode()).hexdigest(), **{name: all_of(name) for name in _PER_RECORDING})


_PER_RECORDING = ("ids", "sampling_rate", "leads", "gain", "baseline", "labels", "subjects")


def _annotations(parts: Sequence[Annotations]) -> Annotations:
    ends = np.cumsum([0] + [len(part.sample) for part in parts])
    offsets = [part.offsets[1:] + start for part, start in zip(parts, ends[:-1], strict=True)]
    return Annotations(*(np.concatenate([getattr(part, name) for part in parts])
                         for name in ("sample", "symbol", "aux")), np.concatenate([[0], *offsets]))
