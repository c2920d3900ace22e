"""Headers and 16-bit samples of WFDB records, read fast and checked strictly.

``wfdb.rdrecord`` reads every format but costs a Python round trip per record; the large releases used here are plain
16-bit files, which NumPy maps directly. Other formats go through ``wfdb`` (see ``folder.py`` and ``mitdb.py``).
Source: WFDB Applications Guide, header(5) and signal(5).
"""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ecgtl.errors import EcgtlError

INVALID = {"16": -32768, "212": -2048}  # the sample value that means "no sample" in each format
_FORMAT = re.compile(r"^(\d+)(?:x(\d+))?(?::(\d+))?(?:\+(\d+))?$")
_GAIN = re.compile(r"^([-+0-9.eE]+)(?:\((-?\d+)\))?(?:/(\S+))?$")
_PER_MILLIVOLT = {"mv": 1.0, "uv": 1000.0, "µv": 1000.0, "v": 0.001}


@dataclass(frozen=True)
class Header:
    """One record's header. ``gain`` is in ADC units per mV, ``baseline`` in ADC units, one value a lead."""

    record: str
    sampling_rate: float
    n_samples: int
    leads: tuple[str, ...]
    files: tuple[str, ...]
    formats: tuple[str, ...]
    byte_offsets: tuple[int, ...]
    gain: tuple[float, ...]
    baseline: tuple[int, ...]
    comments: tuple[str, ...]


def parse_header(text: str, where: str, require_length: bool = True) -> Header:
    """Parse the text of a ``.hea`` file; ``where`` names it in messages.

    Raises EcgtlError when the header is empty, garbage, multi-segment, or when its sampling rate, length or a gain is
    zero or missing: a default would scale or time the signal wrongly in silence.
    """
    lines = [line.strip() for line in text.splitlines()]
    comments = tuple(line.lstrip("# ").strip() for line in lines if line.startswith("#"))
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise EcgtlError(f"{where} is empty or holds only comments; fetch the record again")
    record, n_leads, rate, n_samples = _record_line(lines[0], where, require_length)
    if len(lines) - 1 < n_leads:
        raise EcgtlError(f"{where} announces {n_leads} signals but describes {len(lines) - 1}; fetch the record again")
    signals = [_signal_line(line, where) for line in lines[1:1 + n_leads]]
    files, formats, byte_offsets, gain, baseline, leads = zip(*signals, strict=True)
    leads = tuple(lead or f"signal {i}" for i, lead in enumerate(leads))
    return Header(record, rate, n_samples, leads, files, formats, byte_offsets, gain, baseline, comments)


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


def _signal_line(line: str, where: str) -> tuple[str, str, int, float, int, str]:
    words = line.split(maxsplit=8)
    form = _FORMAT.match(words[1]) if len(words) > 1 else None
    if form is None:
        raise EcgtlError(f"{where} has no signal format in line {line[:60]!r}; fetch the record again")
    per_millivolt, baseline = _gain(words[2] if len(words) > 2 else "", where)
    if baseline is None:
        baseline = int(words[4]) if len(words) > 4 and re.fullmatch(r"-?\d+", words[4]) else 0
    lead = words[8].strip() if len(words) > 8 else ""
    return words[0], form[1], int(form[4] or 0), per_millivolt, baseline, lead


def _gain(word: str, where: str) -> tuple[float, int | None]:
    found = _GAIN.match(word)
    try:
        value = float(found[1])
    except (TypeError, ValueError):
        value = 0.0
    if not (np.isfinite(value) and value != 0):
        raise EcgtlError(f"{where} has a signal whose gain is 0 or missing; write it as e.g. 200/mV (third word)")
    unit = (found[3] or "mV").lower()
    if unit not in _PER_MILLIVOLT:
        raise EcgtlError(f"{where} has a signal in {found[3]}, which is not a voltage; leave that signal out")
    return value * _PER_MILLIVOLT[unit], None if found[2] is None else int(found[2])


def read_16bit(content: bytes, header: Header, where: str) -> np.ndarray:
    """Samples of a record whose leads share one 16-bit file, shape (samples, leads), int16, as stored.

    ``content`` is the whole file. Raises EcgtlError when it is empty, shorter than the header says, or in another
    format than 16.
    """
    if set(header.formats) != {"16"} or len(set(header.files)) != 1 or len(set(header.byte_offsets)) != 1:
        raise EcgtlError(f"{where} is not one interleaved 16-bit file; read it through the 'folder' data set")
    skip, needed = header.byte_offsets[0], 2 * header.n_samples * len(header.leads)
    if len(content) < skip + needed:
        raise EcgtlError(f"{where} is truncated: {len(content)} bytes where its header promises {skip + needed}; "
                         "delete it and fetch the record again")
    flat = np.frombuffer(content, "<i2", count=needed // 2, offset=skip)
    return flat.reshape(header.n_samples, len(header.leads))


def read_header(path: Path, require_length: bool = True) -> Header:
    """Parse the header file at ``path``; the same errors as ``parse_header``, and one for a missing file."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        raise EcgtlError(f"{path} is missing; a WFDB record needs its header") from None
    return parse_header(text, str(path), require_length)
