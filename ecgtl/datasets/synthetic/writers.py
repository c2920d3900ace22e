"""Made records in each database's own files, byte for byte the formats of the releases.

A writer takes the folder to fill, the plans, and a function that makes the record of a plan at a sampling
rate. Sources: WFDB Applications Guide, header(5), signal(5), annot(5); MATLAB level 4 MAT-file format.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from ecgtl.datasets.synthetic.plans import RecordPlan, Synthetic

Make = Callable[[RecordPlan, float], Synthetic]
NOTICE = "Made by ecgtl's signal model. These are not recordings of any person.\n"


def write_cinc2017(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """``challenge-2017/1.0.0``: one lead at 300 Hz, MATLAB level 4 files, labels in REFERENCE-v3.csv."""
    base = folder / "challenge-2017" / "1.0.0"
    training = base / "training2017"
    training.mkdir(parents=True)
    for plan in plans:
        stored = quantise(make(plan, 300).signal, 1000, 16)
        # Type 30 (little-endian 16-bit integers), rows, columns, no imaginary part, length of the name.
        header = np.array([30, stored.shape[1], len(stored), 0, 4], "<i4").tobytes() + b"val\0"
        (training / f"{plan.record}.mat").write_bytes(header + stored.astype("<i2").tobytes())
        lines = [f"{plan.record} 1 300 {len(stored)}",
                 _signal_line(f"{plan.record}.mat", "16+24", "1000/mV", 16, 0, stored[:, 0], "ECG ")]
        _write_lines(training / f"{plan.record}.hea", lines)
    labels = [f"{plan.record},{plan.label}" for plan in plans]
    _write_lines(training / "REFERENCE.csv", labels)
    _write_lines(base / "REFERENCE-v3.csv", labels)
    _write_lines(training / "RECORDS", [plan.record for plan in plans])


def write_mitdb(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """``mitdb/1.0.0``: two leads at 360 Hz in format 212, beat and rhythm annotations in ``.atr`` files."""
    import wfdb

    base = folder / "mitdb" / "1.0.0"
    base.mkdir(parents=True)
    for plan in plans:
        made = make(plan, 360)
        stored = quantise(made.signal, 200, 11, 1024)
        wfdb.wrsamp(plan.record, fs=360, units=["mV"] * 2, sig_name=list(plan.leads), d_signal=stored,
                    fmt=["212"] * 2, adc_gain=[200.0] * 2, baseline=[1024] * 2, write_dir=str(base))
        # The release gives the baseline through the ADC's zero (11 bits, 1024); wfdb writes it otherwise.
        lines = [_signal_line(f"{plan.record}.dat", "212", "200", 11, 1024, column, lead)
                 for column, lead in zip(stored.T, plan.leads, strict=True)]
        _write_lines(base / f"{plan.record}.hea", [f"{plan.record} 2 360 {len(stored)}", *lines])
        sample, symbol, aux, subtype = annotations(made)
        wfdb.wrann(plan.record, "atr", sample, symbol, subtype=subtype, aux_note=aux, write_dir=str(base))
    _write_lines(base / "RECORDS", [plan.record for plan in plans])
    _write_lines(base / "ANNOTATORS", ["atr\treference beat, rhythm, and signal quality annotations"])


def write_folder(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """A user's folder: 250 Hz, 16-bit ``.dat`` files beside their headers, and ``labels.csv``."""
    for plan in plans:
        stored = quantise(make(plan, 250).signal, 1000, 16)
        (folder / f"{plan.record}.dat").write_bytes(stored.astype("<i2").tobytes())
        lines = [_signal_line(f"{plan.record}.dat", "16", "1000/mV", 16, 0, column, lead)
                 for column, lead in zip(stored.T, plan.leads, strict=True)]
        _write_lines(folder / f"{plan.record}.hea", [f"{plan.record} {len(lines)} 250 {len(stored)}", *lines])
    _write_lines(folder / "labels.csv", ["record,label", *(f"{plan.record},{plan.label}" for plan in plans)])


def quantise(signal: np.ndarray, gain: float, bits: int, zero: int = 0) -> np.ndarray:
    """What an ADC makes of ``signal`` (mV): integers about ``zero``, clipped to ``bits``.

    ``gain`` is in units per mV. The lowest value is never given: in 16 bits it means "no sample" to WFDB.
    """
    half = 2 ** (bits - 1)
    return np.clip(np.rint(signal * gain), 1 - half, half - 1).astype(np.int64) + zero


def annotations(made: Synthetic) -> tuple[np.ndarray, list[str], list[str], np.ndarray]:
    """Samples, symbols, auxiliary texts and subtypes of beats, rhythms (``+``) and noise (``~``), in order.

    A noise mark's subtype has a bit for each noisy lead; all leads are noisy in a burst and clean after it.
    """
    last = len(made.signal) - 1

    def sample(seconds):
        return np.clip(np.rint(np.asarray(seconds) * made.sampling_rate).astype(np.int64), 0, last)

    inside = [span for span in made.spans if span.start < last / made.sampling_rate]
    rhythms = [(sample(span.start), "+", span.aux + "\0", 0) for span in inside]
    beats = [(at, symbol, "", 0)
             for at, symbol in zip(sample(made.beat_times), made.symbols.tolist(), strict=True)]
    noisy = 2 ** made.signal.shape[1] - 1
    starts = [(at, "~", "", noisy) for at in sample(made.bursts[:, 0])]
    stops = [(at, "~", "", 0) for at in sample(made.bursts[:, 1])]
    marks = sorted(rhythms + starts + stops + beats, key=lambda mark: mark[0])
    samples, symbols, aux, subtypes = zip(*marks, strict=True)
    return np.array(samples), list(symbols), list(aux), np.array(subtypes)


def _signal_line(file: str, form: str, gain: str, bits: int, zero: int, column: np.ndarray, lead: str) -> str:
    checksum = int(np.sum(column).astype(np.int16))
    return f"{file} {form} {gain} {bits} {zero} {column[0]} {checksum} 0 {lead}"


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), newline="\n")

