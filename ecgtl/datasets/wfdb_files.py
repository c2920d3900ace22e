"""Headers and samples of WFDB records, read fast and checked strictly.

``wfdb.rdrecord`` reads every format but costs a Python round trip per record; the large releases used here are plain
16-bit files, which NumPy maps directly. Other formats go through ``wfdb`` (``read_stored``).
Source: WFDB Applications Guide, header(5) and signal(5).
"""

import contextlib
import math
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgtl.errors import EcgtlError

# The sample value that means "no sample" in each format (format 8 stores differences and has none), and the bits that
# a sample takes in the file (the compressed formats 5xx take as many as they need).
INVALID = {"16": -32768, "212": -2048, "80": -128, "61": -32768, "160": -32768, "310": -512, "311": -512,
           "24": -(1 << 23), "32": -(1 << 31), "508": -128, "516": -32768, "524": -(1 << 23)}
_BITS = {"8": 8, "80": 8, "16": 16, "61": 16, "160": 16, "212": 12, "310": 32 / 3, "311": 32 / 3, "24": 24, "32": 32}
_FORMAT = re.compile(r"^(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?$")
_GAIN = re.compile(r"^([-+0-9.eE]+)(?:\((-?\d+)\))?(?:/(\S+))?$")
# The micro sign and the Greek letter mu look alike; headers hold either.
_PER_MILLIVOLT = {"mv": 1.0, "uv": 1000.0, "\u00b5v": 1000.0, "\u03bcv": 1000.0, "v": 0.001}


@dataclass(frozen=True)
class Header:
    """One record's header. ``gain`` is in ADC units per mV, ``baseline`` in ADC units, one value a lead.

    ``checksums`` are the 16-bit sums of the samples of each lead, None where the header gives none.
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


def parse_header(text: str, where: str, require_length: bool = True, require_voltage: bool = True) -> Header:
    """Parse the text of a ``.hea`` file; ``where`` names it in messages.

    Raises EcgtlError when the header is empty, garbage, multi-segment, or when its sampling rate, length or a gain is
    zero or missing: a default would scale or time the signal wrongly in silence. A signal that is no voltage (blood
    pressure, say) is an error too, or has the gain NaN with ``require_voltage=False``.
    """
    lines = [line.strip() for line in text.splitlines()]
    comments = tuple(line.lstrip("# ").strip() for line in lines if line.startswith("#"))
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise EcgtlError(f"{where} is empty or holds only comments; fetch the record again")
    record, n_leads, rate, n_samples = _record_line(lines[0], where, require_length)
    if len(lines) - 1 < n_leads:
        raise EcgtlError(f"{where} announces {n_leads} signals but describes {len(lines) - 1}; fetch the record again")
    signals = [_signal_line(line, where, require_voltage) for line in lines[1:1 + n_leads]]
    files, formats, byte_offsets, gain, baseline, checksums, leads = zip(*signals, strict=True)
    leads = tuple(lead or f"signal {i}" for i, lead in enumerate(leads))
    return Header(record, rate, n_samples, leads, files, formats, byte_offsets, gain, baseline, checksums, comments)


def _record_line(line: str, where: str, require_length: bool) -> tuple[str, int, float, int]:
    words = line.split()
    if "/" in words[0]:
        raise EcgtlError(f"{where} is a multi-segment record, which is not read here; split it into its segments")
    try:
        n_leads = int(words[1])
        rate = float(words[2].split("/")[0].split("(")[0]) if len(words) > 2 else 0.0
        n_samples = int(words[3]) if len(words) > 3 else 0
    except (IndexError, ValueError):
        raise EcgtlError(f"{where} is not a WFDB header (first line {line[:60]!r}); fetch the record again") from None
    if n_leads < 1:
        raise EcgtlError(f"{where} announces {n_leads} signals; a record needs at least one")
    if not (np.isfinite(rate) and rate > 0):
        raise EcgtlError(f"{where} has no sampling rate above 0; write it as the third word of the first line")
    if n_samples < 1 and (require_length or n_samples < 0):
        raise EcgtlError(f"{where} has no length above 0; write it as the fourth word of the first line")
    # Some releases name the record "E00001.mat" in line 1; the name is the part before the dot.
    return words[0].split(".")[0], n_leads, rate, n_samples


def _signal_line(line: str, where: str, require_voltage: bool) -> tuple:
    """File, format, byte offset, gain, baseline, checksum and lead of one signal."""
    words = line.split(maxsplit=8)
    form = _FORMAT.match(words[1]) if len(words) > 1 else None
    if form is None:
        raise EcgtlError(f"{where} has no signal format in line {line[:60]!r}; fetch the record again")
    if int(form[2] or 1) != 1 or int(form[3] or 0) != 0:
        raise EcgtlError(f"{where} has a signal with a rate or a start of its own (format {words[1][:20]}), which is "
                         "not read here; write all signals of the record at one rate")
    per_millivolt, baseline = _gain(words[2] if len(words) > 2 else "", where, require_voltage)
    if baseline is None:
        baseline = _integer(words, 4) or 0  # without a baseline of its own, the ADC zero stands for 0 mV
    lead = words[8].strip() if len(words) > 8 else ""
    # A checksum of 0 is what writers put who do not compute it.
    return words[0], form[1], int(form[4] or 0), per_millivolt, baseline, _integer(words, 6) or None, lead


def _integer(words: list[str], position: int) -> int | None:
    word = words[position] if len(words) > position else ""
    return int(word) if re.fullmatch(r"-?\d{1,18}", word) else None


def _gain(word: str, where: str, require_voltage: bool) -> tuple[float, int | None]:
    found = _GAIN.match(word)
    try:
        value = float(found[1])
    except (TypeError, ValueError):
        value = 0.0
    if not (np.isfinite(value) and value != 0):
        raise EcgtlError(f"{where} has a signal whose gain is 0 or missing; write it as e.g. 200/mV (third word)")
    unit = (found[3] or "mV").lower()
    if unit not in _PER_MILLIVOLT and require_voltage:
        raise EcgtlError(f"{where} has a signal in {found[3]}, which is not a voltage; leave that signal out")
    return value * _PER_MILLIVOLT.get(unit, math.nan), None if found[2] is None else int(found[2])


def _interleaved_16bit(header: Header) -> bool:
    return set(header.formats) == {"16"} and len(set(header.files)) == 1 and len(set(header.byte_offsets)) == 1


def read_16bit(content: bytes, header: Header, where: str) -> np.ndarray:
    """Samples of a record whose leads share one 16-bit file, shape (samples, leads), int16, as stored.

    ``content`` is the whole file. Raises EcgtlError when it is empty, shorter than the header says, in another format
    than 16, or adds up to another checksum than the header's.
    """
    if not _interleaved_16bit(header):
        raise EcgtlError(f"{where} is not one interleaved 16-bit file; read it through the 'folder' data set")
    skip, needed = header.byte_offsets[0], 2 * header.n_samples * len(header.leads)
    if len(content) < skip + needed:
        raise _truncated(where, len(content), skip + needed)
    flat = np.frombuffer(content, "<i2", count=needed // 2, offset=skip)
    stored = flat.reshape(header.n_samples, len(header.leads))
    _check_sums(stored, header, where)
    return stored


def read_stored(path: Path, header: Header) -> np.ndarray:
    """Samples of the record whose ``header`` stands at ``path``, any WFDB format, shape (samples, leads), as stored.

    Integers; float64 with NaN where samples are marked as missing. Raises EcgtlError when a signal file is missing,
    truncated or damaged.
    """
    if _interleaved_16bit(header):
        file = signal_files(path, header)[0]
        stored = read_16bit(read_bytes(file), header, str(file))
    else:
        _check_sizes(path, header)
        stored = _through_wfdb(path, header)
    missing = stored == np.array([INVALID.get(f, 1 << 40) for f in header.formats])
    return np.where(missing, np.nan, stored) if missing.any() else stored


def signal_files(path: Path, header: Header) -> list[Path]:
    """The signal files that the ``header`` at ``path`` names, each once; they stand beside it."""
    for name in header.files:
        if name in ("~", "-", "..") or Path(name).name != name or "\\" in name:
            raise EcgtlError(f"{path} names the signal file {name[:60]!r}; it must be a file beside the header")
    return [path.parent / name for name in dict.fromkeys(header.files)]


def read_bytes(path: Path | str) -> bytes:
    """The content of ``path``; EcgtlError when it is missing or cannot be read."""
    with _reading(path), open(path, "rb", buffering=0) as file:
        return file.readall()


def read_header(path: Path, require_length: bool = True, require_voltage: bool = True) -> Header:
    """Parse the header file at ``path``; the same errors as ``parse_header``, and one for a missing file."""
    return parse_header(read_bytes(path).decode(errors="replace"), str(path), require_length, require_voltage)


@contextlib.contextmanager
def _reading(path: Path | str):
    try:
        yield
    except FileNotFoundError:
        raise EcgtlError(f"{path} is missing; fetch the record again or restore the file") from None
    except OSError as error:
        raise EcgtlError(f"{path} cannot be read ({error.strerror}); correct its permissions") from None


def _through_wfdb(path: Path, header: Header) -> np.ndarray:
    import wfdb

    try:
        stored = wfdb.rdrecord(str(path.with_suffix("")), physical=False, return_res=_resolution(header)).d_signal
    except Exception as error:  # wfdb's parsers raise whatever the damage causes: ValueError, IndexError, KeyError, …
        reason = " ".join(str(error).split())[:80]
        raise EcgtlError(f"{path} and its signal files cannot be read ({reason}); fetch the record again") from None
    _check_sums(stored, header, str(path))
    return stored


def _resolution(header: Header) -> int:
    """The narrowest integer, in bits, that holds every sample of the record."""
    return 16 if all(abs(INVALID.get(f, 1 << 40)) <= 1 << 15 for f in header.formats) else 32


def _check_sizes(path: Path, header: Header) -> None:
    """Some formats lose their end in silence when the file is too short; so compare with the header first."""
    bits, start = defaultdict(float), {}
    for name, form, offset in zip(header.files, header.formats, header.byte_offsets, strict=True):
        bits[name] += _BITS.get(form, 0) * header.n_samples
        start[name] = offset
    for file in signal_files(path, header):
        needed = start[file.name] + math.floor(bits[file.name] / 8)
        with _reading(file):
            size = file.stat().st_size
        if size < needed or size == 0:
            raise _truncated(str(file), size, needed)


def _check_sums(stored: np.ndarray, header: Header, where: str) -> None:
    sums = stored.sum(axis=0, dtype=np.int64)
    for lead, found, expected in zip(header.leads, sums.tolist(), header.checksums, strict=True):
        if expected is not None and (found - expected) % 65536:
            raise EcgtlError(f"{where} is damaged: the samples of lead {lead} do not add up to the checksum in its "
                             "header; fetch the record again, or set the checksum (seventh word) to 0 if you edited it")


def _truncated(where: str, size: int, needed: int) -> EcgtlError:
    return EcgtlError(f"{where} is truncated: {size} bytes where its header promises {needed}; "
                      "delete it and fetch the record again")
