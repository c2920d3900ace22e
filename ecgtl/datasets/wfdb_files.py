"""Samples of WFDB records, read fast and checked.

``wfdb.rdrecord`` reads every format but costs a Python round trip per record; the large releases used here are plain
16-bit files, which NumPy reads directly. Other formats go through ``wfdb``. Long records are read in blocks.
Source: WFDB Applications Guide, signal(5).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np

from ecgtl.datasets.wfdb_header import Header, truncated
from ecgtl.errors import RecordError, short
from ecgtl.paths import reading

# The sample value that means "no sample" in each format (format 8 stores differences and has none)
INVALID = {"16": -32768, "212": -2048, "80": -128, "61": -32768, "160": -32768, "310": -512, "311": -512,
           "24": -(1 << 23), "32": -(1 << 31), "508": -128, "516": -32768, "524": -(1 << 23)}
BLOCK = 1 << 22  # values read at a time
CHECKSUM = "the checksum in the header does not fit the samples, which are read as they are"


def read_16bit(content: bytes, header: Header, where: str, remark: Callable[[str], None] | None = None) -> np.ndarray:
    """Samples of a record whose leads share one 16-bit file, as ``read_stored`` gives them.

    ``content`` is the whole file. Raises EcgtlError when it is shorter than the header says or in another format than
    16; ``remark`` is told when it adds up to another checksum than the header's.
    """
    if not _interleaved_16bit(header):
        raise RecordError("no 16-bit file", f"{where} is not one interleaved 16-bit file; read it as data set folder")
    skip, needed = header.byte_offsets[0], 2 * header.n_samples * len(header.leads)
    if len(content) < skip + needed:
        raise truncated(where, len(content), skip + needed)
    columns = range(len(header.leads))
    stored = np.frombuffer(content, "<i2", needed // 2, skip).reshape(header.n_samples, len(columns))
    _compare(header, columns, [stored], remark)
    return _marked(stored, header, columns)


def read_stored(header: Header, columns: Sequence[int] | None = None,
                remark: Callable[[str], None] | None = None) -> np.ndarray:
    """Samples of the record with this ``header``, any WFDB format, shape (samples, leads), as stored.

    ``columns`` chooses leads of one sampling rate; without it all are read. Integers; float64 with NaN where samples
    are marked as missing. ``remark`` is told when the samples add up to another checksum than the header's. Raises
    EcgtlError when a signal file is missing, truncated or damaged.
    """
    columns = range(len(header.leads)) if columns is None else columns
    if header.parts or header.samples or any(header.skew):
        check_sums(header, columns, remark)
        return _frames(header, columns, 0, header.n_samples)
    blocks = list(_blocks(header, columns, 0, header.n_samples))
    _compare(header, columns, blocks, remark)
    return np.concatenate([_marked(block, header, columns) for block in blocks])


def read_part(header: Header, columns: Sequence[int], start: int, stop: int) -> np.ndarray:
    """Samples ``start`` to ``stop`` of what ``read_stored`` reads; no more is read, and no checksum looked at."""
    per_frame = header.per_frame[columns[0]]
    first = start // per_frame
    return _frames(header, columns, first, -(-stop // per_frame))[start - first * per_frame:stop - first * per_frame]


def check_sums(header: Header, columns: Sequence[int], remark: Callable[[str], None] | None) -> None:
    """Tell ``remark`` when a file of the record adds up to another checksum than its header's; read block by block."""
    for part in {part.header.path: part for part in header.parts}.values():
        check_sums(part.header, [own for k in columns if (own := part.columns[k]) is not None], remark)
    quiet = not header.files or (_interleaved_16bit(header) and not any(header.checksums[k] for k in columns))
    if not quiet and len(columns):
        _compare(header, columns, _blocks(header, columns, 0, header.n_samples), remark)


def _interleaved_16bit(header: Header) -> bool:
    alike = all(len(set(values)) == 1 for values in (header.files, header.formats, header.byte_offsets))
    return alike and header.formats[0] == "16" and set(header.per_frame) == {1} and not any(header.skew)


def _frames(header: Header, columns: Sequence[int], start: int, stop: int) -> np.ndarray:
    """The samples of some frames, shape (samples, columns), NaN where they are missing."""
    if header.samples:
        return header.samples(columns, start, stop)
    per_frame = header.per_frame[columns[0]]
    if any(late := header.of(columns, "skew") if header.skew else []):  # wfdb gets the ends of such leads wrong
        lying = replace(header, skew=(0,) * len(header.leads))
        shifted = np.full(((stop - start) * per_frame, len(late)), np.nan)
        for j, (k, skew) in enumerate(zip(columns, late, strict=True)):
            first, last = (min(at + skew, header.n_samples) for at in (start, stop))
            if first < last:
                shifted[:(last - first) * per_frame, j] = _frames(lying, [k], first, last)[:, 0]
        return shifted
    if not header.parts:
        return np.concatenate([_marked(block, header, columns) for block in _blocks(header, columns, start, stop)])
    out = np.full(((stop - start) * per_frame, len(columns)), np.nan)
    for part in header.parts:
        first, last = max(start, part.start), min(stop, part.stop)
        found = {j: column for j, k in enumerate(columns) if (column := part.columns[k]) is not None}
        if first < last and found:
            there, own = [*found], [*found.values()]
            stored = _frames(part.header, own, first - part.start, last - part.start)
            gain, zero = np.array(part.header.of(own, "gain")), np.array(part.header.of(own, "baseline"))
            wanted, level = np.array(header.gain)[columns][there], np.array(header.baseline)[columns][there]
            rescaled = np.where((gain == wanted) & (zero == level), stored, (stored - zero) / gain * wanted + level)
            out[(first - start) * per_frame:(last - start) * per_frame, there] = rescaled
    return out


def _marked(stored: np.ndarray, header: Header, columns: Sequence[int]) -> np.ndarray:
    missing = stored == np.array([INVALID.get(header.formats[k], 1 << 40) for k in columns])
    return np.where(missing, np.nan, stored) if missing.any() else stored


def _blocks(header: Header, columns: Sequence[int], start: int, stop: int) -> Iterator[np.ndarray]:
    """Frames ``start`` to ``stop`` of a record of one segment, as stored, some at a time; at least one block."""
    header.check_sizes()
    step = max(1, BLOCK // sum(header.per_frame))
    if "8" in header.formats:  # each sample hangs on all before it
        if header.n_samples > 32 * step:
            raise RecordError("too long", f"{header.path} is too long for differences (format 8); write format 16")
        step = stop
    for first in range(start, max(stop, start + 1), step):
        yield _block(header, columns, first, min(first + step, stop))


def _block(header: Header, columns: Sequence[int], start: int, stop: int) -> np.ndarray:
    if not _interleaved_16bit(header):
        return _through_wfdb(header, columns, start, stop)
    file, n_leads = header.path.parent / header.files[0], len(header.leads)
    with reading(file):
        flat = np.fromfile(file, "<i2", (stop - start) * n_leads, offset=header.byte_offsets[0] + 2 * n_leads * start)
    stored = flat.reshape(-1, n_leads)
    return stored if list(columns) == list(range(n_leads)) else stored[:, columns]


def _through_wfdb(header: Header, columns: Sequence[int], start: int, stop: int) -> np.ndarray:
    from wfdb.io import _signal

    begin = 0 if "8" in header.formats else start
    # The narrowest integer that holds every sample
    bits = 16 if all(abs(INVALID.get(form, 1 << 40)) <= 1 << 15 for form in header.formats) else 32
    try:
        # What ``rdrecord(smooth_frames=False)`` calls, with the fields of this header: its own parser refuses some
        signals = _signal._rd_segment(
            list(header.files), str(header.path.parent.absolute()), None, list(header.formats), len(header.leads),
            header.n_samples, list(header.byte_offsets), list(header.per_frame), [0] * len(header.leads),
            list(header.first), begin, stop, list(columns), ignore_skew=True)
        stored = np.stack(signals, axis=1).astype(f"int{bits}")
    except Exception as error:  # wfdb's parsers raise whatever the damage causes: ValueError, IndexError, KeyError, …
        line = f"{header.path} and its signal files cannot be read ({short(error)}); fetch the record again"
        raise RecordError("damaged signal file", line) from None
    return stored[(start - begin) * header.per_frame[columns[0]]:]


def _compare(header: Header, columns: Sequence[int], blocks: Sequence[np.ndarray] | Iterator[np.ndarray],
             remark: Callable[[str], None] | None) -> None:
    """Tell ``remark`` when the ``blocks`` of some columns add up to other checksums.

    Of shifted signals it says nothing.
    """
    sums = np.atleast_1d(sum(block.sum(axis=0, dtype=np.int64) for block in blocks)).tolist()
    wrong = [expected for expected, found in zip(header.of(columns, "checksums"), sums, strict=True)
             if expected is not None and (found - expected) % 65536]
    if wrong and remark is not None and not any(header.skew):
        remark(CHECKSUM)
