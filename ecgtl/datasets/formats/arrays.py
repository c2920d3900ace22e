"""Arrays on the disk: ``.npy``, ``.npz`` and ``.mat``. Numbers alone are read, never objects."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ecgtl.datasets import files
from ecgtl.datasets.files import check_unpacked, file_size
from ecgtl.datasets.formats.signals import Given, Signals, refusing
from ecgtl.errors import RecordError

NPY, ZIP, MAT = b"\x93NUMPY", b"PK\3\4", b"MATLAB "
MAT_4 = b"val\0"  # of MATLAB 4, whose files begin with the first variable's name
SIGNAL, RATE, UNIT, LEADS = ("val", "signal", "arr_0"), ("fs", "sampling_rate"), ("unit", "units"), ("leads",)
NAMES = (*SIGNAL, *RATE, *UNIT, *LEADS)


def read_npy(path: Path, given: Given) -> Signals:
    """One array, (samples,) or with an axis of leads, the shorter one; mapped, not read."""
    with refusing(path, ".npy"):
        return _signals(path, {"signal": np.load(path, mmap_mode="r", allow_pickle=False)}, given)


def read_npz(path: Path, given: Given) -> Signals:
    """The array ``signal``, ``val`` or without a name; beside it maybe ``fs``, ``unit`` and ``leads``."""
    with refusing(path, ".npz"), np.load(path, allow_pickle=False) as found:
        check_unpacked(path, file_size(path), sum(one.file_size for one in found.zip.infolist()))
        return _signals(path, {name: found[name] for name in found.files if name in NAMES}, given)


def read_mat(path: Path, given: Given) -> Signals:
    """The matrix ``val``, with ``fs``, ``unit`` and ``leads`` as of ``read_npz``."""
    with refusing(path, ".mat"):
        return _signals(path, files.read_mat(path, NAMES), given)


def _signals(path: Path, found: Mapping[str, np.ndarray], given: Given) -> Signals:
    x, rates, units, leads = (next((found[name] for name in names if name in found), np.zeros(0, "U1"))
                              for names in (SIGNAL, RATE, UNIT, LEADS))
    kinds = [x.dtype.kind in "iuf", *(array.dtype.kind in "iufU" for array in (rates, units, leads))]
    square = x.ndim == 2 and x.shape[0] == x.shape[1] > 1
    x = np.atleast_2d(x).T if x.ndim < 2 or x.ndim == 2 and len(x) < x.shape[1] else x
    n = x.shape[-1]
    sizes = rates.size < 2 and units.size in (0, 1, n) and leads.size in (0, n)
    if not all(kinds) or x.ndim != 2 or not x.size or square or not sizes:
        raise RecordError("unfit array", f"{path} holds {x.dtype.name} of shape {x.shape}, {leads.size} names, "
                          f"{units.size} units, {rates.size} rates; give numbers of one recording named val or signal, "
                          "(samples,) or (leads, samples) with more samples than leads, and a name and a unit a lead")
    told = [str(unit).strip() for unit in units.reshape(-1)] or [""]
    rate, named = given.settled(path, float(rates.item()) if rates.size else None, told * (n if len(told) < n else 1))
    return Signals([str(lead).strip() for lead in leads.reshape(-1)] or [""] * n, rate, named, x)
