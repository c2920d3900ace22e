"""What the databases of the PhysioNet/CinC Challenge 2020 share: WFDB headers with SNOMED CT codes.

Source: Perez Alday et al., Physiological Measurement 41, 2020; release 1.0.2 on PhysioNet
(``challenge-2020``). Each database is a folder below ``training/``; the loaders ``cpsc2018`` and ``georgia``
read theirs. Ages and sexes in the headers are not read, so an age of NaN or 300 changes nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from ecgtl.datasets import csn, snomed
from ecgtl.datasets.base import Collector, Reading
from ecgtl.errors import EcgtlError

FOLDER = "challenge-2020/1.0.2"
VERSION = "1.0.2"
SAMPLING_RATE = 500.0  # Hz, of CPSC 2018 and Georgia; INCART has 257 and PTB 1,000


def files(base: Path, name: str) -> list[Path]:
    """Every header and signal file below ``base``, the folder of the data set ``name``.

    Raises EcgtlError when there is none, or when two records have the same name.
    """
    found = sorted(path for suffix in ("hea", "mat") for path in base.rglob(f"*.{suffix}")
                   if not path.name.startswith("."))  # macOS leaves ._A0001.hea
    if not found:
        raise EcgtlError(f"{base} holds no records; run 'python -m ecgtl data fetch {name}', or set "
                         "ECGTL_DATA to the folder that holds challenge-2020/")
    check_names(found)
    return found


def check_names(found: Sequence[Path]) -> None:
    """Raise EcgtlError when a record lies in two folders: it would count twice."""
    seen: dict[str, Path] = {}
    for path in found:
        other = seen.setdefault(path.name, path)
        if other is not path:
            raise EcgtlError(f"{other} and {path} have the same name; remove one of them")


def reading(path: Path, leads: Sequence[str] | None,
            collector: Collector) -> tuple[Reading, list[str]] | None:
    """The record whose header stands at ``path``, not labelled yet, and its SNOMED codes, each once.

    None when it meets the policy and is skipped: damaged, sampled at another rate than 500 Hz (so from
    another database of the Challenge), without a diagnosis, or with a code outside ``snomed.yml``.
    """
    found = csn.reading(path, leads, collector)
    if found is None:
        return None
    record, header = found
    codes = snomed.diagnoses(header)
    unknown = [code for code in codes if snomed.name_of(code) is None]
    if record.sampling_rate != SAMPLING_RATE:
        collector.skip(path.stem, f"sampled at {record.sampling_rate:g} Hz", str(path),
                       f"{collector.name} has {SAMPLING_RATE:g} Hz: move the record out (the data set folder "
                       "reads any rate), or pass on_bad=skip")
    elif not codes:
        collector.skip(path.stem, "no diagnosis", str(path), "add its #Dx: comment, or pass on_bad=skip")
    elif unknown:
        collector.skip(path.stem, f"unknown code {unknown[0]}", str(path),
                       "add the code to ecgtl/datasets/snomed.yml, or pass on_bad=skip")
    else:
        return record, codes
    return None
