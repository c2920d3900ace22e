"""What the databases of the PhysioNet/CinC Challenge 2020 share: WFDB headers with SNOMED CT codes.

Source: Perez Alday et al., Physiological Measurement 41, 2020; release 1.0.2 on PhysioNet
(``challenge-2020``). Each database is a folder below ``training/``; the loaders ``cpsc2018`` and ``georgia``
read theirs. Ages and sexes in the headers are not read, so an age of NaN or 300 changes nothing.
"""

from collections.abc import Sequence
from pathlib import Path

from ecgtl.datasets import csn
from ecgtl.errors import EcgtlError

FOLDER = "challenge-2020/1.0.2"
VERSION = "1.0.2"
SAMPLING_RATE = 500.0  # Hz, of CPSC 2018 and Georgia; INCART has 257 and PTB 1,000


def files(base: Path, name: str) -> list[Path]:
    """Every header and signal file below ``base``, the folder of the data set ``name``.

    Raises EcgtlError when there is none, or when two records have the same name.
    """
    found = csn.files(base, name)
    check_names(found)
    return found


def check_names(found: Sequence[Path]) -> None:
    """Raise EcgtlError when a record lies in two folders: it would count twice."""
    seen: dict[str, Path] = {}
    for path in found:
        other = seen.setdefault(path.name, path)
        if other is not path:
            raise EcgtlError(f"{other} and {path} have the same name; remove one of them")
