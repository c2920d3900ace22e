"""Headers and samples of WFDB records, read fast and checked.

``wfdb.rdrecord`` reads every format but costs a Python round trip per record; the large releases used here are plain
16-bit files, which NumPy reads directly. Other formats go through ``wfdb``. What a header claims is held against the
size of its files before anything is allocated, and long records are read in blocks.
Source: WFDB Applications Guide, header(5) and signal(5).
"""

import math
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, groupby
from pathlib import Path

import numpy as np

from ecgtl.errors import RecordError, short
from ecgtl.paths import reading

# The sample value that means "no sample" in each format (format 8 stores differences and has none), and the bits that
# a sample takes in the file (the compressed formats 5xx take as many as they need).
INVALID = {"16": -32768, "212": -2048, "80": -128, "61": -32768, "160": -32768, "310": -512, "311": -512,
           "24": -(1 << 23), "32": -(1 << 31), "508": -128, "516": -32768, "524": -(1 << 23)}
_BITS = {"8": 8, "80": 8, "16": 16, "61": 16, "160": 16, "212": 12, "310": 32 / 3, "311": 32 / 3, "24": 24, "32": 32}
_FORMAT = re.compile(r"(\d{1,3})(?:x(\d{1,9}))?(?::(\d{1,9}))?(?:\+(\d{1,18}))?", re.ASCII)
_GAIN = re.compile(r"([-+0-9.eE]*)(?:\((-?\d+)\))?(?:/(\S+))?", re.ASCII)
_NUMBERS = re.compile(r"((?:\s*-?\d+(?!\S)){0,5})\s*(.*)", re.ASCII)  # resolution, zero, first value, checksum, block size
_SEGMENT = re.compile(r"([-\w]+|~)\s+(\d{1,18})", re.ASCII)
# The micro sign and the Greek letter mu look alike; headers hold either.
_VOLTAGE = re.compile("(m|milli|u|\u00b5|\u03bc|micro|n|nano|)v(?:olts?)?")
_PER_MILLIVOLT = {"": 1e-3, "m": 1.0, "u": 1e3, "\u00b5": 1e3, "\u03bc": 1e3, "n": 1e6, "milli": 1.0, "micro": 1e3, "nano": 1e6}
DEFAULT_GAIN, DEFAULT_RATE = 200.0, 250.0  # header(5): what stands for a gain or a rate that is left out
LARGEST_HEADER = 1 << 20  # bytes
LONGEST_NAME = 200  # characters of a lead's name
BLOCK = 1 << 22  # values read at a time
LONGEST_GAP = 1 << 25  # samples that a record may lack between its segments: no file holds them, so nothing bounds them

CHECKSUM = "the checksum in the header does not fit the samples, which are read as they are"
NO_GAIN = f"the header gives no gain, read as {DEFAULT_GAIN:g}/mV (the WFDB standard)"
NO_RATE = f"the header gives no sampling rate, read as {DEFAULT_RATE:g} Hz (the WFDB standard)"


@dataclass(frozen=True)
class Header:
    """One record's header. ``gain`` is in ADC units per mV, ``baseline`` in ADC units, one value a lead.

    A frame holds ``per_frame`` samples of a lead; ``sampling_rate`` and ``n_samples`` count frames. ``skew`` is by how
    many frames a lead lies late in its file, ``first`` what a file of differences (format 8) begins with.
    ``checksums`` are the 16-bit sums of the samples of each lead, None where the header gives none. ``assumed`` names
    what the header leaves out and the standard decides, for each lead. ``parts`` are the segments of a record of
    several; where these differ in gain or baseline, the samples are read in units of the first.
    """

    record: str
    sampling_rate: float
    n_samples: int
    leads: tuple[str, ...]
    files: tuple[str, ...]
    formats: tuple[str, ...]
    byte_offsets: tuple[int, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    checksums: tuple[int | None, ...]
    comments: tuple[str, ...]
    units: tuple[str, ...] = ()
    per_frame: tuple[int, ...] = ()
    skew: tuple[int, ...] = ()
    first: tuple[int, ...] = ()
    assumed: tuple[tuple[str, ...], ...] = ()
    parts: tuple["_Part", ...] = ()

    def of(self, columns: Sequence[int], field: str) -> list:
        """``gain``, ``baseline`` or another field of some leads."""
        return [getattr(self, field)[k] for k in columns]


@dataclass(frozen=True)
class _Part:
    """A segment: frames ``start`` to ``stop`` of the record; ``columns`` says which of its signals each lead is."""

    path: Path
    header: Header
    start: int
    stop: int
    columns: tuple[int | None, ...]


def decode(content: bytes) -> str:
    """The text of a header: UTF-8, and Latin-1 the lines that are not that."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        lines = content.splitlines()
        return lines[0].decode("latin-1") if len(lines) == 1 else "\n".join(map(decode, lines))


def _lines(text: str) -> tuple[list[str], tuple[str, ...]]:
    """The lines that say something, and the comments."""
    lines = [line.strip() for line in re.split("\r\n|\r|\n", text.removeprefix("\ufeff"))]
    comments = tuple(line.lstrip("# ").strip() for line in lines if line.startswith("#"))
    return [line for line in lines if line and not line.startswith("#")], comments


def parse_header(text: str, where: str, strict: bool = True) -> Header:
    """Parse the text of a ``.hea`` file of one segment; ``where`` names it in messages.

    Raises EcgtlError when the header is empty or garbage and, where it is ``strict``, as for a release that is known
    to be complete: when the sampling rate, the length or a gain is missing, when a signal is no voltage (blood
    pressure, say) or has a rate or a start of its own, and for several segments. Otherwise the standard decides
    (``assumed``), the length is 0 where it is not given, and a signal that is no voltage has the gain NaN.
    """
    lines, comments = _lines(text)
    if not lines:
        raise _unreadable(f"{where} is empty or holds only comments")
    record, n_leads, rate, n_samples = _record_line(lines[0], where, strict)
    if n_leads < 1:
        raise RecordError("no signals", f"{where} announces {n_leads} signals; a record needs at least one")
    if len(lines) - 1 < n_leads:
        raise _unreadable(f"{where} announces {n_leads} signals but describes {len(lines) - 1}")
    signals = [_signal_line(line, where, strict) for line in lines[1:1 + n_leads]]
    columns = {name: tuple(signal[name] for signal in signals) for name in signals[0]}
    columns["leads"] = tuple(lead or f"signal {i}" for i, lead in enumerate(columns["leads"]))
    if rate is None:
        columns["assumed"] = tuple((*assumed, NO_RATE) for assumed in columns["assumed"])
    return Header(record, rate or DEFAULT_RATE, n_samples, comments=comments, **columns)


def _record_line(line: str, where: str, strict: bool) -> tuple[str, int, float | None, int]:
    words = line.split()
    if strict and "/" in words[0]:
        raise _unreadable(f"{where} is a multi-segment record, which no release read here has")
    try:
        n_leads = _integer(words[1])
        rate = float(words[2].split("/")[0].split("(")[0]) if len(words) > 2 else None
        n_samples = _integer(words[3]) if len(words) > 3 else 0
    except (IndexError, ValueError):
        raise _unreadable(f"{where} is not a WFDB header (first line {line[:60]!r})") from None
    if n_leads > 0 and not (rate is None and not strict) and not (rate is not None and np.isfinite(rate) and rate > 0):
        raise RecordError("no sampling rate", f"{where} has no sampling rate above 0; write it as third word of line 1")
    if n_leads > 0 and (n_samples < 0 or (strict and n_samples < 1)):
        raise RecordError("no length", f"{where} has no length above 0; write it as fourth word of line 1")
    # Some releases name the record "E00001.mat" in line 1, or its folder; the name is the part before the dot.
    return words[0].rpartition("/")[2].split(".")[0], n_leads, rate, n_samples


def _integer(word: str) -> int:
    if not re.fullmatch(r"-?\d{1,18}", word, re.ASCII):
        raise ValueError(word)
    return int(word)


def _signal_line(line: str, where: str, strict: bool) -> dict:
    """What the line says of one signal, by the fields of ``Header``."""
    file, form, rest = (*line.split(maxsplit=2), "", "")[:3]
    found = _FORMAT.fullmatch(form)
    if found is None:
        raise _unreadable(f"{where} has no signal format in line {line[:60]!r}")
    per_frame, skew, offset = int(found[2] or 1), int(found[3] or 0), int(found[4] or 0)
    if per_frame < 1 or skew >= 1 << 16 or (strict and (per_frame, skew) != (1, 0)):
        raise _unreadable(f"{where} has a signal with a rate or a start of its own ({form[:20]}), not the one rate of a record")
    gain, after = (*rest.split(maxsplit=1), "", "")[:2]
    if not strict and _is_name(gain):
        gain, after = "", rest
    numbers, lead = _NUMBERS.fullmatch(after).groups()
    lead = lead.partition("\t")[0].rstrip()  # as wfdb
    if len(lead) > LONGEST_NAME or not lead.isprintable():
        raise _unreadable(f"{where} has a lead of an over-long or unprintable name ({lead[:40]!r})")
    _, zero, first, checksum, _ = (*numbers.split(), *[""] * 5)[:5]
    per_millivolt, baseline, unit, assumed = _gain(gain, where, strict)
    # Without a baseline of its own, the ADC zero stands for 0 mV; a checksum of 0 is what writers put who do not compute it.
    return {"files": file, "formats": found[1], "per_frame": per_frame, "skew": skew, "byte_offsets": offset, "leads": lead,
            "gain": per_millivolt, "baseline": _baseline(baseline or zero or "0", where), "units": unit, "assumed": assumed,
            "first": int(first[:18] or 0), "checksums": int(checksum[:18] or 0) or None}


def _is_name(word: str) -> bool:
    """Whether the word in the place of the gain is a lead's name: all that may stand between is left out."""
    return word[:1].isalpha() and not re.search("[/(]", word) and not word.lower().startswith(("nan", "inf"))


def _baseline(digits: str, where: str) -> int:
    if len(digits) > 11 or abs(int(digits)) > 1 << 31:
        raise RecordError("baseline out of range", f"{where} has the baseline {digits[:20]}…, beyond 32 bits; correct the header")
    return int(digits)


@lru_cache(256)  # the leads of a record mostly say the same
def _gain(word: str, where: str, strict: bool) -> tuple[float, str | None, str, tuple[str, ...]]:
    """Stored units per mV, the digits of the baseline, the unit, and what the standard decides."""
    found = _GAIN.fullmatch(word)
    try:
        value = float(found[1]) if found[1] else 0.0
    except (TypeError, ValueError):
        value = math.nan
    if not np.isfinite(value) or (strict and value == 0):
        raise RecordError("no gain", f"{where} has a signal without a gain ({word[:20]!r}); write it as e.g. 200/mV (third word)")
    unit = found[3] or "mV"
    voltage = _VOLTAGE.fullmatch(unit.lower())
    if strict and not voltage:
        raise RecordError("no voltage", f"{where} has a signal in {unit[:20]}, which is not a voltage; leave it out")
    factor = _PER_MILLIVOLT[voltage[1]] if voltage else math.nan
    unit = unit[:20] if unit.isprintable() else ascii(unit[:20])
    return (value or DEFAULT_GAIN) * factor, found[2], unit, () if value else (NO_GAIN,)


def segments(text: str) -> list[tuple[str, int]]:
    """Name and frames of each segment that the ``text`` of a header lists; none for a record of one segment.

    A line of its own for each tells ``name/segments`` from a folder in the record's name.
    """
    lines, _ = _lines(text)
    number = lines[0].split()[0].rpartition("/")[2] if lines and "/" in lines[0].split()[0] else ""
    listed = [_SEGMENT.fullmatch(line) for line in lines[1:]]
    if not re.fullmatch(r"\d{1,9}", number, re.ASCII) or int(number) != len(listed) or not all(listed):
        return []
    return [(found[1], int(found[2])) for found in listed]


def read_header(path: Path, strict: bool = True) -> Header:
    """The header at ``path``, as ``header_of`` reads its text; EcgtlError when it is missing or cannot be read."""
    return header_of(header_text(path), path, strict)


def header_text(path: Path) -> str:
    """The text of the header at ``path``; EcgtlError when it is missing, too large or cannot be read."""
    return decode(read_bytes(path, LARGEST_HEADER))


def header_of(text: str, path: Path, strict: bool = True) -> Header:
    """The header at ``path`` whose ``text`` is read already, as ``parse_header``.

    Not ``strict``, a record of several segments is read too, with their headers, and the length is taken from the size
    of the signal file where the header gives none.
    """
    if not strict and segments(text):
        return _joined(path, text)
    header = parse_header(text, str(path), strict)
    if header.n_samples or strict or set(header.files) == {"~"}:  # a layout lists signals without any sample
        return header
    return replace(header, n_samples=_length(path, header))


def sound_header(text: str, path: Path, root: Path) -> Header:
    """As ``header_of``, not ``strict``, with signal files below ``root`` that are as long as it says."""
    header = header_of(text, path, strict=False)
    for file in signal_files(path, header):
        file_size(file, root)
    check_sizes(path, header)
    return header


def _length(path: Path, header: Header) -> int:
    """Frames in the first signal file, as wfdb counts them."""
    bits = _frame_bits(header)[header.files[0]]
    if not bits:
        raise RecordError("no length", f"{path} has no length; write it as fourth word of line 1")
    return max(0, int((file_size(signal_files(path, header)[0]) - header.byte_offsets[0]) * 8 / bits))


def _frame_bits(header: Header) -> Counter:
    """Bits that a frame takes in each signal file; 0 in compressed ones."""
    bits = Counter()
    for file, form, per_frame in zip(header.files, header.formats, header.per_frame, strict=True):
        bits[file] += _BITS.get(form, 0) * per_frame
    return bits


def _joined(path: Path, text: str) -> Header:
    """What the header of a record of several segments and theirs say together."""
    lines, comments = _lines(text)
    record, _, rate, n_samples = _record_line(lines[0], str(path), strict=False)
    listed = segments(text)
    headers = {name: _segment(path, name) for name in dict.fromkeys(name for name, _ in listed) if name != "~"}
    if not headers:
        raise RecordError("no samples", f"{path} lists no segment with samples; remove it")
    layout = headers.get(listed[0][0]) if listed[0][1] == 0 else None
    reference = layout or next(iter(headers.values()))
    rate, stops = rate or reference.sampling_rate, list(accumulate(length for _, length in listed))
    parts = tuple(_part(path, name, headers[name], stop - length, stop, reference.leads, layout is not None)
                  for (name, length), stop in zip(listed, stops, strict=True) if length and name != "~")
    gap = stops[-1] - sum(part.stop - part.start for part in parts)
    if n_samples > stops[-1] or gap > LONGEST_GAP or any(part.header.sampling_rate != rate for part in parts):
        raise RecordError("unfit segments", f"{path} lists segments of {stops[-1]} samples, {gap} of them in gaps, for "
                          f"{n_samples} at {rate:g} Hz, or segments of another rate; correct the header")
    columns = [_alike(path, [(part.header, part.columns[k]) for part in parts if part.columns[k] is not None]
                      or [(reference, k)]) for k in range(len(reference.leads))]
    gain, baseline, units, per_frame, assumed = zip(*columns, strict=True)
    return Header(record, rate, n_samples or stops[-1], reference.leads, (), (), (), gain, baseline, (), comments,
                  units, per_frame, assumed=assumed, parts=parts)


def _segment(path: Path, name: str) -> Header:
    own = path.with_name(f"{name}.hea")
    text = header_text(own)
    if segments(text):
        raise RecordError("unfit segments", f"{path} lists the segment {name}, which has segments itself; join it first")
    return header_of(text, own, strict=False)


def _part(path: Path, name: str, header: Header, start: int, stop: int, leads: Sequence[str], by_name: bool) -> _Part:
    if header.n_samples < stop - start:
        raise _truncated(f"{path}: segment {name}", header.n_samples, stop - start, "samples")
    where = {lead: k for k, lead in reversed(list(enumerate(header.leads)))}
    columns = (where.get(lead) if by_name else k if k < len(header.leads) else None for k, lead in enumerate(leads))
    return _Part(path.with_name(f"{name}.hea"), header, start, stop, tuple(columns))


def _alike(path: Path, found: Sequence[tuple[Header, int]]) -> tuple[float, int, str, int, tuple[str, ...]]:
    """Gain, baseline, unit, samples a frame and assumptions of one lead, ``found`` in all segments that have it."""
    if len({header.per_frame[k] for header, k in found}) > 1:
        raise RecordError("unfit segments", f"{path} lists segments that sample a lead at different rates; write them at one")
    header, k = next((one for one in found if np.isnan(one[0].gain[one[1]])), found[0])  # one that is no voltage spoils all
    assumed = dict.fromkeys(what for other, column in found for what in other.assumed[column])
    return header.gain[k], header.baseline[k], header.units[k], header.per_frame[k], tuple(assumed)


def read_16bit(content: bytes, header: Header, where: str, remark: Callable[[str], None] | None = None) -> np.ndarray:
    """Samples of a record whose leads share one 16-bit file, as ``read_stored`` gives them.

    ``content`` is the whole file. Raises EcgtlError when it is shorter than the header says or in another format than
    16; ``remark`` is told when it adds up to another checksum than the header's.
    """
    if not _interleaved_16bit(header):
        raise RecordError("no 16-bit file", f"{where} is not one interleaved 16-bit file; read it through the 'folder' data set")
    skip, needed = header.byte_offsets[0], 2 * header.n_samples * len(header.leads)
    if len(content) < skip + needed:
        raise _truncated(where, len(content), skip + needed)
    flat = np.frombuffer(content, "<i2", count=needed // 2, offset=skip)
    stored = flat.reshape(header.n_samples, len(header.leads))
    _compare(header, range(len(header.leads)), stored.sum(axis=0, dtype=np.int64), remark)
    return _marked(stored, header, range(len(header.leads)))


def read_stored(path: Path, header: Header, columns: Sequence[int] | None = None,
                remark: Callable[[str], None] | None = None) -> np.ndarray:
    """Samples of the record whose ``header`` stands at ``path``, any WFDB format, shape (samples, leads), as stored.

    ``columns`` chooses leads of one sampling rate; without it all are read. Integers; float64 with NaN where samples are
    marked as missing. ``remark`` is told when the samples add up to another checksum than the header's. Raises EcgtlError
    when a signal file is missing, truncated or damaged.
    """
    columns = range(len(header.leads)) if columns is None else columns
    if header.parts:
        check_sums(path, header, columns, remark)
        return _frames(path, header, columns, 0, header.n_samples)
    blocks = list(_blocks(path, header, columns, 0, header.n_samples))
    _compare(header, columns, sum(block.sum(axis=0, dtype=np.int64) for block in blocks), remark)
    return _joint([_marked(block, header, columns) for block in blocks])


def read_part(path: Path, header: Header, columns: Sequence[int], start: int, stop: int) -> np.ndarray:
    """Samples ``start`` to ``stop`` of what ``read_stored`` reads; no more of the file is read, and no checksum looked at."""
    per_frame = header.per_frame[columns[0]]
    first = start // per_frame
    return _frames(path, header, columns, first, -(-stop // per_frame))[start - first * per_frame:stop - first * per_frame]


def check_sums(path: Path, header: Header, columns: Sequence[int], remark: Callable[[str], None] | None) -> None:
    """Tell ``remark`` when a file of the record adds up to another checksum than its header's; read block by block."""
    for part in {part.path: part for part in header.parts}.values():
        check_sums(part.path, part.header, [part.columns[k] for k in columns if part.columns[k] is not None], remark)
    quiet = not header.files or (_interleaved_16bit(header) and not any(header.checksums[k] for k in columns))
    if not quiet and len(columns):
        blocks = _blocks(path, header, columns, 0, header.n_samples)
        _compare(header, columns, sum(block.sum(axis=0, dtype=np.int64) for block in blocks), remark)


def signal_files(path: Path, header: Header) -> list[Path]:
    """The signal files that the ``header`` at ``path`` names, each once; they stand beside it. Headers of segments too."""
    names = dict.fromkeys(header.files)
    for name in names:
        usual = Path(name).name == name and "\\" not in name and name.isprintable() and len(name.encode()) < 256
        if not usual or name in ("~", "-", ".."):
            raise RecordError("no signal file", f"{path} names the signal file {name[:60]!r}, which is no file beside the header")
    parts = {part.path: part.header for part in header.parts}
    return [path.parent / name for name in names] + [
        file for segment, own in parts.items() for file in (segment, *signal_files(segment, own))]


def below(root: Path, *suffixes: str) -> list[Path]:
    """The files below ``root`` with one of the ``suffixes``, sorted, without hidden ones: macOS leaves ._x.hea."""
    return sorted(path for suffix in suffixes for path in root.rglob(f"*.{suffix}")
                  if "/." not in f"/{path.relative_to(root).as_posix()}")


def read_bytes(path: Path | str, limit: int | None = None) -> bytes:
    """The content of ``path``; EcgtlError when it is missing, no regular file, larger than ``limit`` or cannot be read."""
    size = file_size(path)
    if limit is not None and size > limit:
        raise _unreadable(f"{path} has {size} bytes, but a header takes {limit} at most")
    with reading(path), open(path, "rb", buffering=0) as file:
        return file.readall()


def file_size(path: Path | str, root: Path | None = None) -> int:
    """Bytes of the file ``path``, which is not opened.

    Raises EcgtlError unless it is a regular file: to open a FIFO or a device may wait for ever. With ``root`` a link must
    lead to a file below that folder.
    """
    with reading(path):
        found = os.stat(path)
        strays = root is not None and os.path.islink(path) and not Path(path).resolve().is_relative_to(root.resolve())
    if strays or not stat.S_ISREG(found.st_mode):
        what = "a link out of the folder" if strays else "no file"
        raise RecordError("no regular file", f"{path} cannot be read: it is {what}; put the file itself there")
    return found.st_size


def _interleaved_16bit(header: Header) -> bool:
    alike = all(len(set(values)) == 1 for values in (header.files, header.formats, header.byte_offsets))
    return alike and header.formats[0] == "16" and set(header.per_frame) == {1} and not any(header.skew)


def _frames(path: Path, header: Header, columns: Sequence[int], start: int, stop: int) -> np.ndarray:
    """The samples of some frames, shape (samples, columns), NaN where they are missing."""
    if not header.parts:
        return _joint([_marked(block, header, columns) for block in _blocks(path, header, columns, start, stop)])
    per_frame = header.per_frame[columns[0]]
    out = np.full(((stop - start) * per_frame, len(columns)), np.nan)
    for part in header.parts:
        first, last = max(start, part.start), min(stop, part.stop)
        there = [j for j, k in enumerate(columns) if part.columns[k] is not None]
        if first < last and there:
            own = [part.columns[columns[j]] for j in there]
            stored = _frames(part.path, part.header, own, first - part.start, last - part.start)
            (gain, zero), (wanted, level) = (np.array([head.of(chosen, "gain"), head.of(chosen, "baseline")]) for head, chosen in
                                             ((part.header, own), (header, [columns[j] for j in there])))
            rescaled = np.where((gain == wanted) & (zero == level), stored, (stored - zero) / gain * wanted + level)
            out[(first - start) * per_frame:(last - start) * per_frame, there] = rescaled
    return out


def _joint(blocks: Sequence[np.ndarray]) -> np.ndarray:
    return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)


def _marked(stored: np.ndarray, header: Header, columns: Sequence[int]) -> np.ndarray:
    missing = stored == np.array([INVALID.get(header.formats[k], 1 << 40) for k in columns])
    return np.where(missing, np.nan, stored) if missing.any() else stored


def _blocks(path: Path, header: Header, columns: Sequence[int], start: int, stop: int) -> Iterator[np.ndarray]:
    """Frames ``start`` to ``stop`` of a record of one segment, as stored, some at a time; at least one block."""
    check_sizes(path, header)
    step = max(1, BLOCK // sum(header.per_frame))
    if "8" in header.formats:  # each sample hangs on all before it
        if header.n_samples > 32 * step:
            raise RecordError("too long", f"{path} is too long for differences (format 8); write it in format 16")
        step = stop
    for first in range(start, max(stop, start + 1), step):
        yield _block(path, header, columns, first, min(first + step, stop))


def _block(path: Path, header: Header, columns: Sequence[int], start: int, stop: int) -> np.ndarray:
    if not _interleaved_16bit(header):
        return _through_wfdb(path, header, columns, start, stop)
    file, n_leads = path.parent / header.files[0], len(header.leads)
    with reading(file):
        flat = np.fromfile(file, "<i2", (stop - start) * n_leads, offset=header.byte_offsets[0] + 2 * n_leads * start)
    stored = flat.reshape(-1, n_leads)
    return stored if list(columns) == list(range(n_leads)) else stored[:, columns]


def _through_wfdb(path: Path, header: Header, columns: Sequence[int], start: int, stop: int) -> np.ndarray:
    from wfdb.io import _signal

    begin = 0 if "8" in header.formats else start
    try:
        # What ``rdrecord(smooth_frames=False)`` calls, with the fields of this header: its own parser refuses some
        signals = _signal._rd_segment(
            list(header.files), str(path.parent.absolute()), None, list(header.formats), len(header.leads), header.n_samples,
            list(header.byte_offsets), list(header.per_frame), list(header.skew), list(header.first), begin, stop,
            list(columns), ignore_skew=False)
        stored = np.stack(signals, axis=1).astype(f"int{_resolution(header)}")
    except Exception as error:  # wfdb's parsers raise whatever the damage causes: ValueError, IndexError, KeyError, …
        line = f"{path} and its signal files cannot be read ({short(error)}); fetch the record again"
        raise RecordError("damaged signal file", line) from None
    return stored[(start - begin) * header.per_frame[columns[0]]:]


def _resolution(header: Header) -> int:
    """The narrowest integer, in bits, that holds every sample of the record."""
    return 16 if all(abs(INVALID.get(f, 1 << 40)) <= 1 << 15 for f in header.formats) else 32


def check_sizes(path: Path, header: Header) -> None:
    """Raise RecordError unless the signal files are as long as the header says, and not absurdly longer.

    Some formats lose their end in silence when the file is too short, and nothing may be allocated for what is not there.
    """
    for part in header.parts:
        check_sizes(part.path, part.header)
    if header.parts:
        return
    bits = _frame_bits(header)
    if len(list(groupby(header.files))) > len(bits) or max(header.skew) >= max(header.n_samples, 1):
        raise _unreadable(f"{path} takes up a signal file again after another, or starts a signal behind its end")
    for file in signal_files(path, header):
        k = header.files.index(file.name)
        start = header.byte_offsets[k] if header.formats[k] in _BITS else 0  # of compressed files it counts samples
        _check_size(file, start + math.floor(bits[file.name] * header.n_samples / 8))


def _check_size(file: Path, needed: int) -> None:
    size = file_size(file)
    if size < needed or size == 0:
        raise _truncated(str(file), size, needed)
    if needed and size > 16 * needed + (1 << 26):
        raise RecordError("oversized signal file", f"{file} has {size} bytes where its header promises {needed}; correct either")


def _compare(header: Header, columns: Sequence[int], sums: np.ndarray, remark: Callable[[str], None] | None) -> None:
    """Tell ``remark`` when the ``sums`` of some columns are others than the header's; of shifted signals it says nothing."""
    wrong = [expected for expected, found in zip(header.of(columns, "checksums"), np.atleast_1d(sums).tolist(), strict=True)
             if expected is not None and (found - expected) % 65536]
    if wrong and remark is not None and not any(header.skew):
        remark(CHECKSUM)


def _truncated(where: str, size: int, needed: int, what: str = "bytes") -> RecordError:
    line = f"{where} is truncated: {size} {what} where its header promises {needed}; delete it and fetch the record again"
    return RecordError("truncated signal file", line)


def _unreadable(line: str) -> RecordError:
    return RecordError("unreadable header", f"{line}; correct it or fetch the record again")
