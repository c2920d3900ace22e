"""Where things lie: data sets, results, caches. Environment variables are read here and nowhere else."""

import os
from pathlib import Path

from ecgtl.errors import EcgtlError

PACKAGE = Path(__file__).resolve().parent


def repository() -> Path:
    """The checkout that this package stands in, or the working folder for an installed copy."""
    root = PACKAGE.parent
    return root if (root / "pyproject.toml").exists() else Path.cwd()


def data() -> Path:
    """Folder that holds the data sets in the layout of their releases (``ECGTL_DATA``)."""
    value = os.environ.get("ECGTL_DATA", "")
    return Path(value).expanduser() if value else repository() / "data"


def results() -> Path:
    """Folder of the committed results (``ECGTL_RESULTS``, by default ``results/``)."""
    value = os.environ.get("ECGTL_RESULTS", "")
    return Path(value).expanduser() if value else repository() / "results"


def cache() -> Path:
    """Folder for everything that can be made anew (``ECGTL_CACHE``, by default ``~/.cache/ecgtl``)."""
    value = os.environ.get("ECGTL_CACHE", "")
    if value:
        return Path(value).expanduser()
    base = os.environ.get("XDG_CACHE_HOME", "") or Path.home() / ".cache"
    return Path(base) / "ecgtl"


def mirror() -> str:
    """Address that serves the files of PhysioNet's releases in its place, or nothing (``ECGTL_MIRROR``)."""
    return os.environ.get("ECGTL_MIRROR", "")


def device() -> str:
    """The device asked for: ``auto``, ``cpu`` or ``cuda`` (``ECGTL_DEVICE``)."""
    value = os.environ.get("ECGTL_DEVICE", "auto")
    if value not in ("auto", "cpu", "cuda"):
        raise EcgtlError(f"ECGTL_DEVICE is {value!r}; allowed: auto, cpu, cuda")
    return value
