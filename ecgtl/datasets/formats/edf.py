"""EDF, EDF+ and BDF: headers through edfio, samples in blocks of data records."""

import io
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from pathlib import Path

import numpy as np

from ecgtl.datasets.files import file_size
from ecgtl.datasets.formats.signals import Signals, refusing
from ecgtl.datasets.wfdb_header import Header
from ecgtl.errors import RecordError
from ecgtl.paths import reading

EDF, BDF = b"0       ", b"\xffBIOSEMI"


def read(path: Path, unit: str) -> Header:
    """The header of the file at ``path``; a data record is a frame. Annotations are left out.

    ``unit`` is that of a file without any.
    """
    with refusing(path, "EDF"):
        import edfio

        with open(path, "rb") as file:
            head = file.read(256)
            n = int(head[252:256])
            head += file.read(256 * n)
        width, parse, annotations = ((3, edfio.read_bdf, b"BDF Annotations") if head.startswith(BDF) else
                                     (2, edfio.read_edf, b"EDF Annotations"))
        signals = parse(io.BytesIO(head), header_encoding="latin-1").signals  # without samples, of which it warns
        n_records, seconds = int(head[236:244]), float(head[244:252])
        labels, sizes = ([head[256 + at * n + length * k:][:length].rstrip() for k in range(n)]
                         for at, length in ((0, 16), (216, 8)))  # fields stand one after the other, of all signals each
        starts = [0, *accumulate(map(int, sizes))]
        ranges = [(*one.digital_range, *one.physical_range) for one in signals]
        low, high, bottom, top = np.reshape(ranges, (-1, 4)).T
        with np.errstate(all="ignore"):
            scale = (top - bottom) / (high - low)
        units = [one.physical_dimension for one in signals]
        units = units if any(units) else [unit] * len(units)
        found = Signals([one.label for one in signals], 1 / seconds, units, np.empty(0), scale, bottom - low * scale)
    if head[195:197] == b"+D" or n_records < 1:
        raise RecordError("discontinuous recording", f"{path} is discontinuous (EDF+D) or was never finished "
                          f"({n_records} data records); export it as EDF or EDF+C")
    size, needed = file_size(path), len(head) + width * starts[-1] * n_records
    if size != needed:
        raise RecordError("truncated signal file" if size < needed else "oversized signal file",
                          f"{path} has {size} bytes where its header promises {needed}; export it again")
    spans = [slice(*starts[k:k + 2]) for k, label in enumerate(labels) if label != annotations]
    samples = partial(_samples, path, len(head), width, starts[-1], spans)
    return found.header(path, n_records, samples, [span.stop - span.start for span in spans])


def _samples(path: Path, begin: int, width: int, length: int, spans: Sequence[slice], columns: Sequence[int],
             start: int, stop: int) -> np.ndarray:
    """Data records ``start`` to ``stop`` of some signals, which have equally many samples in each."""
    with reading(path):
        raw = np.fromfile(path, np.uint8, (stop - start) * length * width, offset=begin + start * length * width)
    records = raw.reshape(-1, length, width)
    if width == 2:
        numbers = records.view("<i2")[..., 0]
    else:  # 24 bits stand in the upper ones of 32, from where they are shifted down with their sign
        numbers = np.pad(records, ((0, 0), (0, 0), (1, 0))).view("<i4")[..., 0] >> 8
    return np.stack([numbers[:, spans[k]].reshape(-1) for k in columns], axis=1)
