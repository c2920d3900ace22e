"""Where recordings come from. ``load`` is the one way in; each database has a file of its own."""

import importlib
from pathlib import Path
from types import ModuleType

from ecgtl import paths
from ecgtl.datasets.recordings import Annotations, Recordings
from ecgtl.errors import EcgtlError

# The modules with a ``read(root, **options)``; they are imported when they are asked for
LOADERS = ("cinc2017", "mitdb", "qtdb", "icentia11k", "ptbxl", "cpsc2018", "georgia", "shaoxing", "csn", "icu_monitor",
           "folder")

__all__ = ["LOADERS", "Annotations", "Recordings", "load", "sources"]


def load(name: str, root: str | Path | None = None, twin: bool = False, **options) -> Recordings:
    """Recordings of the data set ``name``.

    Parameters
    ----------
    name : str
        One of ``LOADERS``.
    root : path, optional
        The folder that holds the data sets in the layout of their releases (default: ``ECGTL_DATA``); for ``folder``
        that of the recordings themselves. Where a pack lies there (``packs``), it is read in place of either.
    twin : bool
        Read the synthetic twin that comes with the package instead.
    **options
        Of the data set's own ``read``: ``on_bad``, ``leads``, ``view``, …

    Returns
    -------
    Recordings
        Signals in mV, (leads, samples) each, from memory maps; sampling rates in Hz, labels, subjects.

    Raises
    ------
    EcgtlError
        For an unknown name, and for missing or damaged files.

    Examples
    --------
    >>> twin = load("mitdb", twin=True)
    >>> len(twin), float(twin.sampling_rate[0]), twin.signal(0).shape[0]
    (14, 360.0, 2)
    """
    if name not in LOADERS:
        raise EcgtlError(f"unknown dataset {name!r}; allowed: {', '.join(LOADERS)}")
    if name == "folder" and root is None and not twin:
        raise EcgtlError("dataset folder needs root: the folder of your WFDB records")
    folder, packs = paths.given(root) if root is not None else paths.data(), _module("packs")
    if parts := packs.files(name, folder, twin):
        return packs.read(name, parts, options)
    if twin:
        return _module(name).read(_module("synthetic").twin_root(name), synthetic=True, **options)
    return _module(name).read(folder, **options)


def sources(name: str, root: str | Path | None = None, twin: bool = False, **options) -> list[Recordings]:
    """What ``load`` gives, or one ``Shard`` a patient of a data set that is too large to be held at once."""
    folder = paths.given(root) if root is not None else paths.data()
    if name != "icentia11k" or twin or _module("packs").files(name, folder, twin):
        return [load(name, root, twin, **options)]
    return _module(name).shards(folder, **options)


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"ecgtl.datasets.{name}")
