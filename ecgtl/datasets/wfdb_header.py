"""Headers of WFDB records: what they say, what the standard decides where they say nothing, and what is refused.

What a header claims is held against the size of its files before anything is allocated.
Source: WFDB Applications Guide, header(5).
"""

import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, groupby
from pathlib import Path

import numpy as np

from ecgtl.datasets.files import file_size, read_bytes
from ecgtl.errors import RecordError

# Bits that a sample takes in the file; the compressed formats 5xx take as many as they need
_BITS = {"8": 8, "80": 8, "16": 16, "61": 16, "160": 16, "212": 12, "310": 32 / 3, "311": 32 / 3, "24": 24, "32": 32}
_FORMAT = re.compile(r"(\d{1,3})(?:x(\d{1,9}))?(?::(\d{1,9}))?(?:\+(\d{1,18}))?", re.ASCII)
_GAIN = re.compile(r"([-+0-9.eE]*)(?:\((-?\d+)\))?(?:/(\S+))?", re.ASCII)
# resolution, zero, first value, checksum, block size
_NUMBERS = re.compile(r"((?:\s*-?\d+(?!\S)){0,5})\s*(.*)", re.ASCII)
_SEGMENT = re.compile(r"([-\w]+|~)\s+(\d{1,18})", re.ASCII)
# The micro sign and the Greek letter mu look alike; headers hold either.
_VOLTAGE = re.compile("(m|milli|u|\u00b5|\u03bc|micro|n|nano|)v(?:olts?)?")
_PER_MILLIVOLT = {"": 1e-3, "m": 1.0, "milli": 1.0, "u": 1e3, "\u00b5": 1e3, "\u03bc": 1e3, "micro": 1e3, "n": 1e6,
                  "nano": 1e6}
DEFAULT_GAIN, DEFAULT_RATE = 200.0, 250.0  # header(5): what stands for a gain or a rate that is left out
LARGEST_HEADER = 1 << 20  # bytes
LONGEST_NAME = 200  # characters of a lead's name
LONGEST_GAP = 1 << 25  # samples that a record may lack between its segments: no file holds them, so nothing bounds them

NO_GAIN = f"the header gives no gain, read as {DEFAULT_GAIN:g}/mV (the WFDB standard)"
NO_RATE = f"the header gives no sampling rate, read as {DEFAULT_RATE:g} Hz (the WFDB standard)"


@dataclass(frozen=True)
class Header:
    """The header at ``path``. ``gain`` is in ADC units per mV, ``baseline`` in ADC units, one value a lead.

    A frame holds ``per_frame`` samples of a lead; ``sampling_rate`` and ``n_samples`` count frames. ``skew`` is by how
    many frames a lead lies late in its file, ``first`` what a file of differences (format 8) begins with.
    ``checksums`` are the 16-bit sums of the samples of each lead, None where the header gives none. ``assumed`` names
    what the header leaves out and the standard decides, for each lead. ``parts`` are the segments of a record of
    several; where these differ in gain or baseline, the samples are read in units of the first. ``samples`` reads those
    of a file that is not WFDB: columns, first and last frame -> what is stored, shape (samples, columns).
    """

    path: Path
    record: str
    sampling_rate: float
    n_samples: int
    comments: tuple[str, ...]
    leads: tuple[str, ...]
    gain: tuple[float, ...]
    baseline: tuple[float, ...]
    units: tuple[str, ...]
    per_frame: tuple[int, ...]
    assumed: tuple[tuple[str, ...], ...]
    files: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    byte_offsets: tuple[int, ...] = ()
    checksums: tuple[int | None, ...] = ()
    skew: tuple[int, ...] = ()
    first: tuple[int, ...] = ()
    parts: tuple["Segment", ...] = ()
    samples: Callable[[Sequence[int], int, int], np.ndarray] | None = None

    def of(self, columns: Sequence[int], field: str) -> list:
        """``gain``, ``baseline`` or another field of some leads."""
        return [getattr(self, field)[k] for k in columns]

    def signal_files(self) -> list[Path]:
        """The signal files that it names, each once; they stand beside it. Headers of segments too."""
        names = dict.fromkeys(self.files)
        for name in names:
            usual = Path(name).name == name and "\\" not in name and name.isprintable() and len(name.encode()) < 256
            if not usual or name in ("~", "-", ".."):
                raise RecordError("no signal file", f"{self.path} names the signal file {name[:60]!r}, which is no "
                                  "file beside the header")
        segments = {part.header.path: part.header for part in self.parts}
        return [self.path.parent / name for name in names] + [
            file for path, segment in segments.items() for file in (path, *segment.signal_files())]

    def frame_bits(self) -> dict[str, float]:
        """Bits that a frame takes in each signal file; 0 in compressed ones."""
        bits: dict[str, float] = defaultdict(float)
        for file, form, per_frame in zip(self.files, self.formats, self.per_frame, strict=True):
            bits[file] += _BITS.get(form, 0) * per_frame
        return bits

    def check_sizes(self) -> None:
        """Raise RecordError unless the signal files are as long as the header says, and not absurdly longer.

        Some formats lose their end in silence when the file is too short, and nothing may be allocated for what is
        not there.
        """
        for part in self.parts:
            part.header.check_sizes()
        if self.parts:
            return
        bits = self.frame_bits()
        if len(list(groupby(self.files))) > len(bits) or max(self.skew) >= max(self.n_samples, 1):
            raise _unreadable(f"{self.path} takes up a signal file again, or starts a signal behind its end")
        for file in self.signal_files():
            k = self.files.index(file.name)
            start = self.byte_offsets[k] if self.formats[k] in _BITS else 0  # of compressed files it counts samples
            size, needed = file_size(file), start + math.floor(bits[file.name] * self.n_samples / 8)
            if size < needed or size == 0:
                raise truncated(str(file), size, needed)
            if needed and size > 16 * needed + (1 << 26):
                raise RecordError("oversized signal file", f"{file} has {size} bytes where its header promises "
                                  f"{needed}; correct either")


@dataclass(frozen=True)
class Segment:
    """Frames ``start`` to ``stop`` of a record of several; ``columns`` says which of its signals each lead is."""

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


def parse_header(text: str, path: Path | str, strict: bool = True) -> Header:
    """Parse the text of a ``.hea`` file of one segment; ``path`` names it in messages.

    Raises EcgtlError when the header is empty or garbage and, where it is ``strict``, as for a release that is known
    to be complete: when the sampling rate, the length or a gain is missing, when a signal is no voltage (blood
    pressure, say) or has a rate or a start of its own, and for several segments. Otherwise the standard decides
    (``assumed``), the length is 0 where it is not given, and a signal that is no voltage has the gain NaN.
    """
    lines, comments = _lines(text)
    if not lines:
        raise _unreadable(f"{path} is empty or holds only comments")
    record, n_leads, rate, n_samples = _record_line(lines[0], path, strict)
    if n_leads < 1:
        raise RecordError("no signals", f"{path} announces {n_leads} signals; a record needs at least one")
    if len(lines) - 1 < n_leads:
        raise _unreadable(f"{path} announces {n_leads} signals but describes {len(lines) - 1}")
    signals = [_signal_line(line, path, strict) for line in lines[1:1 + n_leads]]
    columns: dict = {name: tuple(signal[name] for signal in signals) for name in signals[0]}
    columns["leads"] = tuple(lead or f"signal {i}" for i, lead in enumerate(columns["leads"]))
    if rate is None:
        columns["assumed"] = tuple((*assumed, NO_RATE) for assumed in columns["assumed"])
    return Header(Path(path), record, rate or DEFAULT_RATE, n_samples, comments, **columns)


def _record_line(line: str, where: Path | str, strict: bool) -> tuple[str, int, float | None, int]:
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


def _signal_line(line: str, where: Path | str, strict: bool) -> dict:
    """What the line says of one signal, by the fields of ``Header``."""
    file, form, rest = (*line.split(maxsplit=2), "", "")[:3]
    found = _FORMAT.fullmatch(form)
    if found is None:
        raise _unreadable(f"{where} has no signal format in line {line[:60]!r}")
    per_frame, skew, offset = int(found[2] or 1), int(found[3] or 0), int(found[4] or 0)
    if per_frame < 1 or skew >= 1 << 16 or (strict and (per_frame, skew) != (1, 0)):
        raise _unreadable(f"{where} has a signal with a rate or a start of its own ({form[:20]}), not the record's")
    gain, after = (*rest.split(maxsplit=1), "", "")[:2]
    # A lead's name in the place of the gain: all that may stand between is left out
    if not strict and gain[:1].isalpha() and not re.match("nan|inf|.*[/(]", gain, re.IGNORECASE):
        gain, after = "", rest
    numbers, lead = _NUMBERS.findall(after)[0]  # which fits any text
    lead = lead.partition("\t")[0].rstrip()  # as wfdb
    if len(lead) > LONGEST_NAME or not lead.isprintable():
        raise _unreadable(f"{where} has a lead of an over-long or unprintable name ({lead[:40]!r})")
    _, zero, first, checksum, _ = (*numbers.split(), *[""] * 5)[:5]
    per_millivolt, baseline, unit, assumed = _gain(gain, where, strict)
    baseline = baseline or zero or "0"  # without a baseline of its own, the ADC zero stands for 0 mV
    if len(baseline) > 11 or abs(int(baseline)) > 1 << 31:
        raise RecordError("baseline out of range", f"{where} has the baseline {baseline[:20]}…, beyond 32 bits; "
                          "correct the header")
    # A checksum of 0 is what writers put who do not compute it
    return {"files": file, "formats": found[1], "per_frame": per_frame, "skew": skew, "byte_offsets": offset,
            "leads": lead, "gain": per_millivolt, "baseline": int(baseline), "units": unit, "assumed": assumed,
            "first": int(first[:18] or 0), "checksums": int(checksum[:18] or 0) or None}


@lru_cache(256)  # the leads of a record mostly say the same
def _gain(word: str, where: Path | str, strict: bool) -> tuple[float, str | None, str, tuple[str, ...]]:
    """Stored units per mV, the digits of the baseline, the unit, and what the standard decides."""
    found = _GAIN.fullmatch(word)
    try:
        value = float(found[1] or 0) if found else math.nan
    except ValueError:
        value = math.nan
    if found is None or not np.isfinite(value) or (strict and value == 0):
        raise RecordError("no gain", f"{where} has a signal without a gain ({word[:20]!r}); write it as e.g. 200/mV "
                          "(third word)")
    unit = found[3] or "mV"
    factor = per_millivolt(unit)
    if strict and math.isnan(factor):
        raise RecordError("no voltage", f"{where} has a signal in {unit[:20]}, which is not a voltage; leave it out")
    unit = unit[:20] if unit.isprintable() else ascii(unit[:20])
    return (value or DEFAULT_GAIN) * factor, found[2], unit, () if value else (NO_GAIN,)


def per_millivolt(unit: str) -> float:
    """How many of a ``unit`` are one mV; NaN of what is no voltage."""
    voltage = _VOLTAGE.fullmatch(unit.strip().lower())
    return _PER_MILLIVOLT[voltage[1]] if voltage else math.nan


def segments(text: str) -> list[tuple[str, int]]:
    """Name and frames of each segment that the ``text`` of a header lists; none for a record of one segment.

    A line of its own for each tells ``name/segments`` from a folder in the record's name.
    """
    lines, _ = _lines(text)
    number = lines[0].split()[0].rpartition("/")[2] if lines and "/" in lines[0].split()[0] else ""
    listed = [_SEGMENT.fullmatch(line) for line in lines[1:]]
    if not re.fullmatch(r"\d{1,9}", number, re.ASCII) or int(number) != len(listed) or not all(listed):
        return []
    return [(found[1], int(found[2])) for found in listed if found]


def header_text(path: Path) -> str:
    """The text of the header at ``path``; EcgtlError when it is missing, too large or cannot be read."""
    return decode(read_bytes(path, LARGEST_HEADER))


def read_header(path: Path, strict: bool = True, text: str | None = None) -> Header:
    """The header at ``path``, whose ``text`` may be read already, as ``parse_header``.

    Not ``strict``, a record of several segments is read too, with their headers, and the length is taken from the size
    of the signal file where the header gives none.
    """
    text = header_text(path) if text is None else text
    if not strict and segments(text):
        return _joined(path, text)
    header = parse_header(text, path, strict)
    if header.n_samples or strict or set(header.files) == {"~"}:  # a layout lists signals without any sample
        return header
    bits = header.frame_bits()[header.files[0]]
    if not bits:
        raise RecordError("no length", f"{path} has no length; write it as fourth word of line 1")
    size = file_size(header.signal_files()[0]) - header.byte_offsets[0]
    return replace(header, n_samples=max(0, int(size * 8 / bits)))  # of the first signal file, as wfdb counts them


def sound_header(text: str, path: Path, root: Path) -> Header:
    """As ``read_header``, not ``strict``, with signal files below ``root`` that are as long as it says."""
    header = read_header(path, False, text)
    for file in header.signal_files():
        file_size(file, root)
    header.check_sizes()
    return header


def _joined(path: Path, text: str) -> Header:
    """What the header of a record of several segments and theirs say together."""
    lines, comments = _lines(text)
    record, _, rate, n_samples = _record_line(lines[0], path, strict=False)
    listed = segments(text)
    headers = {name: _segment(path, name) for name in dict.fromkeys(name for name, _ in listed) if name != "~"}
    if not headers:
        raise RecordError("no samples", f"{path} lists no segment with samples; remove it")
    layout = headers.get(listed[0][0]) if listed[0][1] == 0 else None
    reference = layout or next(iter(headers.values()))
    rate, stops = rate or reference.sampling_rate, list(accumulate(length for _, length in listed))
    parts = tuple(_part(path, headers[name], stop - length, stop, reference.leads, layout is not None)
                  for (name, length), stop in zip(listed, stops, strict=True) if length and name != "~")
    gap = stops[-1] - sum(part.stop - part.start for part in parts)
    if n_samples > stops[-1] or gap > LONGEST_GAP or any(part.header.sampling_rate != rate for part in parts):
        raise RecordError("unfit segments", f"{path} lists segments of {stops[-1]} samples, {gap} of them in gaps, for "
                          f"{n_samples} at {rate:g} Hz, or segments of another rate; correct the header")
    columns = [_alike(path, [(part.header, own) for part in parts if (own := part.columns[k]) is not None]
                      or [(reference, k)]) for k in range(len(reference.leads))]
    gain, baseline, units, per_frame, assumed = zip(*columns, strict=True)
    return Header(path, record, rate, n_samples or stops[-1], comments, reference.leads, gain, baseline, units,
                  per_frame, assumed, parts=parts)


def _segment(path: Path, name: str) -> Header:
    own = path.with_name(f"{name}.hea")
    text = header_text(own)
    if segments(text):
        raise RecordError("unfit segments", f"{path} lists the segment {name}, which has some itself; join it first")
    return read_header(own, False, text)


def _part(path: Path, header: Header, start: int, stop: int, leads: Sequence[str], by_name: bool) -> Segment:
    if header.n_samples < stop - start:
        raise truncated(f"{path}: segment {header.path.stem}", header.n_samples, stop - start, "samples")
    where = {lead: k for k, lead in reversed(list(enumerate(header.leads)))}
    columns = (where.get(lead) if by_name else k if k < len(header.leads) else None for k, lead in enumerate(leads))
    return Segment(header, start, stop, tuple(columns))


def _alike(path: Path, found: Sequence[tuple[Header, int]]) -> tuple[float, float, str, int, tuple[str, ...]]:
    """Gain, baseline, unit, samples a frame and assumptions of one lead, ``found`` in all segments that have it."""
    if len({header.per_frame[k] for header, k in found}) > 1:
        raise RecordError("unfit segments", f"{path} lists segments that sample a lead at different rates; use one")
    if len(names := {header.leads[k].lower() for header, k in found} - {f"signal {k}" for _, k in found}) > 1:
        raise RecordError("unfit segments", f"{path} lists segments that name a signal "
                          f"{' and '.join(sorted(names)[:2])}; use one order of signals")
    # one that is no voltage spoils all
    header, k = next((one for one in found if np.isnan(one[0].gain[one[1]])), found[0])
    assumed = dict.fromkeys(what for other, column in found for what in other.assumed[column])
    return header.gain[k], header.baseline[k], header.units[k], header.per_frame[k], tuple(assumed)


def truncated(where: str, size: int, needed: int, what: str = "bytes") -> RecordError:
    """That a signal file, or a segment, ends before its header says."""
    return RecordError("truncated signal file", f"{where} is truncated: {size} {what} where its header promises "
                       f"{needed}; delete it and fetch the record again")


def _unreadable(line: str) -> RecordError:
    return RecordError("unreadable header", f"{line}; correct it or fetch the record again")
