"""The catalogue: what each database is, where it is published, and whether it is available here.

The facts stand in ``catalogue.yml``; which loaders exist is asked of ``ecgtl.datasets`` itself.
"""

import functools
from dataclasses import dataclass, field
from pathlib import Path

from ecgtl import paths
from ecgtl.datasets import LOADERS
from ecgtl.errors import EcgtlError

PHYSIONET = "https://physionet.org/files"


@dataclass(frozen=True)
class Entry:
    """One database; sizes in GB (10^9 bytes), ``sampling_rate`` in Hz; the YAML explains all fields."""

    name: str
    kind: str
    title: str
    version: str
    folder: str
    page: str
    licence: str
    download_gb: float
    unpacked_gb: float
    citation: str
    doi: str
    whole: list[dict]
    data_doi: str | None = None
    records: int | None = None
    sampling_rate: float | None = None
    leads: int | None = None
    files: list[str] = field(default_factory=list)
    archives: dict[str, str] = field(default_factory=dict)
    approximate: list[str] = field(default_factory=list)
    by_hand: str = ""
    twin: str = ""

    @property
    def has_loader(self) -> bool:
        """Whether ``ecgtl.datasets.load`` reads it."""
        return self.name in LOADERS

    @property
    def address(self) -> str:
        """Where the release's files are published."""
        return self.page if self.by_hand else f"{PHYSIONET}/{self.folder}/"

    def size(self, name: str = "download_gb") -> str:
        """``download_gb`` or ``unpacked_gb`` as text, e.g. ``95 MB`` or ``~1.1 TB`` (~: an estimate)."""
        value, unit = next((getattr(self, name) * factor, unit) for factor, unit in
                           ((1e-3, "TB"), (1, "GB"), (1e3, "MB")) if getattr(self, name) * factor >= 1)
        return f"{'~' if name in self.approximate else ''}{value:.3g} {unit}"


@dataclass(frozen=True)
class Available:
    """What of a database lies below ``path``: ``found`` of ``expected`` files of the kind ``pattern``."""

    path: Path
    pattern: str
    found: int
    expected: int

    @property
    def state(self) -> str:
        """``whole``, ``partial`` or ``no``."""
        return "whole" if self.found >= self.expected else "partial" if self.found else "no"

    def __str__(self) -> str:
        return f"{self.found:,}/{self.expected:,}" if self.state == "partial" else self.state


@functools.cache
def entries() -> dict[str, Entry]:
    """All databases by name, in the order of the catalogue."""
    return {name: Entry(name=name, **facts) for name, facts in paths.facts("datasets/catalogue").items()}


def entry(name: str) -> Entry:
    """The database ``name``; EcgtlError with the allowed names when there is none."""
    if name not in entries():
        raise EcgtlError(f"unknown dataset {name!r}; allowed: {', '.join(entries())}")
    return entries()[name]


def available(database: Entry, root: Path) -> Available:
    """How much of ``database`` lies below ``root``, by the names of files alone; ``check`` opens them."""
    path = Path(root) / database.folder
    return max((Available(path, form["files"], len(list(path.glob(form["files"]))), form["count"])
                for form in database.whole), key=lambda form: form.found / form.expected)
