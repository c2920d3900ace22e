"""Synthetic records in each database's own files, byte for byte the formats of the releases.

A writer takes the folder to fill, the plans, and a function that makes the record of a plan at a sampling
rate. Sources: WFDB Applications Guide, header(5), signal(5), annot(5); MATLAB level 4 MAT-file format.
"""

import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import resample_poly

from ecgtl.datasets import snomed
from ecgtl.datasets.qtdb import WITHOUT_MARKS
from ecgtl.datasets.synthetic.hospitals import scp_statements
from ecgtl.datasets.synthetic.noise import RAIL
from ecgtl.datasets.synthetic.plans import RecordPlan, Synthetic
from ecgtl.datasets.synthetic.rhythms import table
from ecgtl.errors import EcgtlError

Make = Callable[[RecordPlan, float], Synthetic]
NOTICE = "Made by ecgtl's signal model. These are not recordings of any person.\n"


def _made(plans: Sequence[RecordPlan], make: Make, rate: float, gain: float = 1000, bits: int = 16,
          zero: int = 0) -> Iterator[tuple[RecordPlan, Synthetic, np.ndarray]]:
    """Each plan with its record at ``rate`` Hz, and what an ADC makes of that (``quantise``)."""
    for plan in plans:
        made = make(plan, rate)
        yield plan, made, quantise(made.signal, gain, bits, zero)


def write_cinc2017(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """``challenge-2017/1.0.0``: one lead at 300 Hz, MATLAB level 4 files, labels in REFERENCE-v3.csv."""
    base = folder / "challenge-2017" / "1.0.0"
    training = base / "training2017"
    for plan, _, stored in _made(plans, make, 300):
        _write_record(training, plan.record, stored, ["ECG "], 300, "1000/mV", "16+24")
    labels = [f"{plan.record},{plan.label}" for plan in plans]
    _write_lines(training / "REFERENCE.csv", labels)
    _write_lines(base / "REFERENCE-v3.csv", labels)
    _write_lines(training / "RECORDS", [plan.record for plan in plans])


def write_mitdb(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """``mitdb/1.0.0``: two leads at 360 Hz in format 212, beat and rhythm annotations in ``.atr`` files."""
    import wfdb

    base = folder / "mitdb" / "1.0.0"
    for plan, made, stored in _made(plans, make, 360, 200, 11, 1024):
        # The release gives the baseline through the ADC's zero (11 bits, 1024); wfdb writes it otherwise.
        _write_record(base, plan.record, stored, plan.leads, 360, "200", "212", 11, 1024)
        sample, symbol, aux, subtype = annotations(made)
        wfdb.wrann(plan.record, "atr", sample, symbol, subtype=subtype, aux_note=aux, write_dir=str(base))
    _write_lines(base / "RECORDS", [plan.record for plan in plans])
    _write_lines(base / "ANNOTATORS", ["atr\treference beat, rhythm, and signal quality annotations"])


_QTDB_RATES = {r"sel(\d{5}|8\d\d)": "250/128", r"sel[13]\d\d": "250/360"}  # behind the rate, that of the source's tape
_QTDB_UNCALIBRATED = ("sel14046", "sel820")
_QTDB_LEVELS = (-700, 0, 40, 600, -150)  # units, one record after the other: a Holter's level is anywhere


def write_qtdb(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """``qtdb/1.0.0``: 250 Hz in format 212, headers as the tools of the time wrote them, beats in ``.atr`` files."""
    import wfdb

    base = folder / "qtdb" / "1.0.0"
    for number, (plan, made, stored) in enumerate(_made(plans, make, 250, 200, 11)):
        source = plan.record.removeprefix("sel")
        leads = ["D3", "V4"] if source.startswith("e") else [f"record {source}, signal {k}" for k in range(2)]
        rate = next((rate for form, rate in _QTDB_RATES.items() if re.fullmatch(form, plan.record)), "250")
        gain = "0" if plan.record in _QTDB_UNCALIBRATED else "200"
        stored += _QTDB_LEVELS[number % len(_QTDB_LEVELS)]
        _write_record(base, plan.record, stored, leads, rate, gain, "212", 12)
        sample, symbol, _, _ = annotations(made)
        symbols = np.where(np.array(symbol) == "A", "S", symbol)
        if plan.record not in WITHOUT_MARKS:
            kept = symbols != "+"  # rhythms are not marked
            wfdb.wrann(plan.record, "atr", sample[kept], symbols[kept].tolist(), write_dir=str(base))
    _write_lines(base / "RECORDS", [plan.record for plan in plans])


_PHYSIONET_RECORDS = 24  # so many of the Shaoxing twin lie in the PhysioNet form too
_HEADED = 3  # every third CSV file begins with the leads' names


def write_shaoxing(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """Both public forms, twelve leads at 500 Hz: ``shaoxing-figshare`` whole (``Diagnostics.xlsx`` and a CSV
    file a record), ``ecg-arrhythmia/1.0.0`` for the first records, but for those of sinus irregularity, which
    the real one lacks. Values are whole microvolts in both.
    """
    base, rows = folder / "shaoxing-figshare", []
    (base / "ECGData").mkdir(parents=True)
    for number, (plan, made, stored) in enumerate(_made(plans, make, 500)):
        _write_csv(base / "ECGData" / f"{plan.record}.csv", stored, plan.leads, number % _HEADED == 1)
        rows.append(_diagnostics(plan, made))
        if number < _PHYSIONET_RECORDS and plan.label != "SA":
            _write_arrhythmia(folder, f"JS{number + 1:05d}", plan, stored)
    _write_table(base / "Diagnostics.xlsx", pd.DataFrame(rows))


def _write_csv(path: Path, stored: np.ndarray, leads: Sequence[str], headed: bool) -> None:
    """Rows of microvolts; where the release names the leads, it begins with a byte-order mark and ends lines
    as Windows does.
    """
    end = "\r\n" if headed else "\n"
    head = "\ufeff" + ",".join(leads) + end if headed else ""
    row = ",".join(["%d"] * stored.shape[1]) + end
    path.write_bytes((head + row * len(stored) % tuple(stored.ravel().tolist())).encode())


def _diagnostics(plan: RecordPlan, made: Synthetic) -> dict[str, object]:
    """A row of the table. Rates are in beats/min, durations in ms, axes in degrees; onsets and offsets count
    samples of a median beat, as the recorder writes them.
    """
    patient, cycle = plan.patient, np.diff(made.beat_times).mean()
    rate = round(60 / cycle)
    atrial = round(60 * max(span.atrial_rate for span in made.spans)) or rate
    qrs, qt = 2 * (patient.qrs // 2), 2 * round(patient.qtc * np.sqrt(cycle) / 2)
    onset = 243 - qrs // 4  # the middle of the QRS complex stands where it does in the release
    return {"FileName": plan.record, "Rhythm": plan.label, "Beat": patient.finding, "PatientAge": patient.age,
            "Gender": patient.sex, "VentricularRate": rate, "AtrialRate": atrial, "QRSDuration": qrs,
            "QTInterval": qt, "QTCorrected": patient.qtc, "RAxis": _axis(made, -0.05, 0.06),
            "TAxis": _axis(made, 0.18 * np.sqrt(cycle), 0.38 * np.sqrt(cycle)),
            "QRSCount": len(made.beat_times), "QOnset": onset, "QOffset": onset + qrs // 2, "TOffset": onset + qt // 2}


def _axis(made: Synthetic, start: float, stop: float) -> int:
    """Direction in the frontal plane of what lies ``start`` to ``stop`` s after the R peaks, -90 to 269."""
    offsets = np.arange(int(start * made.sampling_rate), int(stop * made.sampling_rate))
    at = np.rint(made.beat_times * made.sampling_rate).astype(int)[:, None] + offsets
    beat = made.signal[at[(at[:, 0] >= 0) & (at[:, -1] < len(made.signal))]].mean(axis=0)
    net = beat.max(axis=0) + beat.min(axis=0) - 2 * np.median(made.signal, axis=0)
    angle = np.degrees(np.arctan2(2 / np.sqrt(3) * net[_AVF], net[_I]))
    return (round(float(angle)) + 90) % 360 - 90


_I, _AVF = 0, 5  # their places among the twelve leads


def _write_table(path: Path, rows: pd.DataFrame) -> None:
    """``rows`` as an xlsx file whose bytes do not tell when it was written."""
    written = io.BytesIO()
    try:
        rows.to_excel(written, index=False, engine="openpyxl")
    except ImportError:
        raise EcgtlError("writing Diagnostics.xlsx needs openpyxl; run: pip install 'ecgtl[data]'") from None
    with zipfile.ZipFile(written) as source, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"2018-01-11T00:00:00Z", source.read(name))
            target.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)


def _write_arrhythmia(folder: Path, record: str, plan: RecordPlan, stored: np.ndarray) -> None:
    """A record of ``ecg-arrhythmia``, in the folder of its hundred that the release has."""
    thousand, rest = divmod(int(record[2:]) - 1, 1000)
    place = f"{thousand + 1:02d}"
    codes = plan.labels or (snomed.tables()["shaoxing"][plan.label]["codes"][0],
                            table("plans")["shaoxing"]["codes"].get(plan.patient.finding))
    base = folder / "ecg-arrhythmia" / "1.0.0" / "WFDBRecords" / place / f"{place}{rest // 100}"
    _write_diagnosed(base, record, plan, stored, codes)


def _write_diagnosed(base: Path, record: str, plan: RecordPlan, stored: np.ndarray, codes: Sequence[str | None],
                     form: str = "16+24", gain: str = "1000/mV", comment: str = "#") -> None:
    """A MATLAB file in microvolts, and a header with patient and diagnoses, these as SNOMED CT codes."""
    facts = {"Age": plan.patient.age, "Sex": plan.patient.sex.title(), "Dx": ",".join(filter(None, codes)),
             "Rx": "Unknown", "Hx": "Unknown", "Sx": "Unknown"}
    comments = [f"{comment}{name}: {value}" for name, value in facts.items()]
    _write_record(base, record, stored, plan.leads, 500, gain, form, comments=comments)


def write_csn(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """``ecg-arrhythmia/1.0.0``: twelve leads at 500 Hz, MATLAB files in microvolts, SNOMED CT codes."""
    for plan, _, stored in _made(plans, make, 500):
        _write_arrhythmia(folder, plan.record, plan, stored)


def write_challenge(folder: Path, plans: Sequence[RecordPlan], make: Make, source: str, **words: str) -> None:
    """``challenge-2020/1.0.2/training/<source>``: files as those of ``ecg-arrhythmia``, but for how the source
    ``words`` its headers.
    """
    base = folder / "challenge-2020" / "1.0.2" / "training" / source / "g1"
    for plan, _, stored in _made(plans, make, 500):
        _write_diagnosed(base, plan.record, plan, stored, plan.labels, **words)


write_cpsc2018 = partial(write_challenge, source="cpsc_2018")
write_georgia = partial(write_challenge, source="georgia", form="16x1+24", gain="1000.0(0)/mV", comment="# ")
_PTBXL_RATES = {"hr": 500, "lr": 100}  # Hz
_OLDEST, _OLDER = 89, 300  # ages above the first are written as the second


def write_ptbxl(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """``ptb-xl/1.0.3``: 16-bit files at both rates, ``ptbxl_database.csv`` and ``scp_statements.csv``."""
    base, columns = folder / "ptb-xl" / "1.0.3", table("statements")
    for plan in plans:
        signal, leads = make(plan, 500).signal.astype(np.float32), [lead.upper() for lead in plan.leads]
        for suffix, rate in _PTBXL_RATES.items():
            resampled = signal if rate == 500 else resample_poly(signal, rate, 500)
            _write_record(base / f"records{rate}" / "00000", f"{plan.record}_{suffix}", quantise(resampled, 1000, 16),
                          leads, rate, "1000.0(0)/mV")
    database = pd.DataFrame([_ptbxl_row(plan) for plan in plans], columns=columns["ptbxl_columns"])
    database.to_csv(base / "ptbxl_database.csv", index=False)
    rows = {key: {"description": scp.text, scp.kind: 1.0, "diagnostic_class": scp.superclass,
                  "SCP-ECG Statement Description": scp.text} for key, scp in scp_statements().items()}
    pd.DataFrame.from_dict(rows, orient="index", columns=columns["scp_columns"]).to_csv(base / "scp_statements.csv")


def _ptbxl_row(plan: RecordPlan) -> dict[str, object]:
    """A row of the table. The likelihood of a statement is 0 ("unknown") unless it is a diagnosis."""
    person = plan.patient
    codes = {key: 100.0 * (scp_statements()[key].kind == "diagnostic") for key in plan.labels}
    files: dict[str, object] = {f"filename_{suffix}": f"records{rate}/00000/{plan.record}_{suffix}"
                                for suffix, rate in _PTBXL_RATES.items()}
    return files | {
        "ecg_id": int(plan.record), "patient_id": plan.subject_stream[-1] + 1.0,
        "age": float(person.age if person.age <= _OLDEST else _OLDER), "sex": int(person.sex == "FEMALE"),
        "report": "synthetic", "scp_codes": str(codes), "second_opinion": False,
        "initial_autogenerated_report": False, "validated_by_human": False, "strat_fold": person.fold}


_ICENTIA_GAIN = 75.0  # units per mV
_ICENTIA_SYMBOLS = {"A": "S", "F": "V"}  # where other databases have another symbol
_ICENTIA_RHYTHMS = ("(AFIB", "(AFL")  # all others are sinus rhythm to it
_READABLE = 4  # beats in a row; fewer between two bursts of motion are not read


def write_icentia11k(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """``icentia11k-continuous-ecg/1.0/p00/p00000``: 250 Hz, 16-bit files, beats and rhythms in ``.atr``."""
    import wfdb

    for plan, made, stored in _made(plans, make, 250, _ICENTIA_GAIN):
        patient = plan.record.partition("_")[0]
        base = folder / "icentia11k-continuous-ecg" / "1.0" / patient[:3] / patient
        _write_record(base, plan.record, stored, ["ecg"], 250, f"{_ICENTIA_GAIN}(0)/mV")
        sample, symbol, aux = icentia_annotations(made)
        wfdb.wrann(plan.record, "atr", sample, symbol, aux_note=aux, fs=250, write_dir=str(base))


def icentia_annotations(made: Synthetic) -> tuple[np.ndarray, list[str], list[str]]:
    """Samples, symbols and auxiliary texts of beats and rhythms (``+``), in order, as Icentia11k has them.

    A rhythm begins at its first beat and ends, with ``)``, at its last. Beats in motion are ``Q`` and belong
    to none. Where there is no text the release writes ``None``.
    """
    marks: list[tuple[int, str, str]] = []
    for text, beats in groupby(enumerate(_icentia_rhythms(made)), key=lambda numbered: numbered[1]):
        run = [i for i, _ in beats]
        read = text != "" and len(run) >= _READABLE
        symbols = [_ICENTIA_SYMBOLS.get(made.symbols[i], made.symbols[i]) if read else "Q" for i in run]
        found = [(i, symbol, "None") for i, symbol in zip(run, symbols, strict=True)]
        marks += [found[0], (run[0], "+", text), *found[1:], (run[-1], "+", ")")] if read else found
    at, kinds, aux = zip(*marks, strict=True)
    samples = np.rint(made.beat_times[list(at)] * made.sampling_rate).astype(np.int64)
    return samples, [str(kind) for kind in kinds], list(aux)


def _icentia_rhythms(made: Synthetic) -> list[str]:
    """The rhythm's text at each beat, empty in motion."""
    texts = [span.aux if span.aux in _ICENTIA_RHYTHMS else "(N" for span in made.spans]
    which = np.searchsorted([span.start for span in made.spans], made.beat_times, side="right") - 1
    moving = [bool(((made.bursts[:, 0] <= at) & (at < made.bursts[:, 1])).any()) for at in made.beat_times]
    return ["" if moved else texts[k] for moved, k in zip(moving, which, strict=True)]


def write_icu_monitor(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """``icu-monitor/<patient>``: 250 Hz, a converter of 12 bits that ends at ``RAIL``, 16-bit ``.dat`` files
    in which the lowest value means "no sample".
    """
    gain = round(2048 / RAIL)
    for plan, made, stored in _made(plans, make, 250, gain, 12):
        stored[np.isnan(made.signal)] = -32768
        base = folder / "icu-monitor" / plan.record.partition("_")[0]
        _write_record(base, plan.record, stored, plan.leads, 250, f"{gain}/mV", bits=12)


def write_folder(folder: Path, plans: Sequence[RecordPlan], make: Make) -> None:
    """A user's folder: 250 Hz, 16-bit ``.dat`` files beside their headers, and ``labels.csv``."""
    for plan, _, stored in _made(plans, make, 250):
        _write_record(folder, plan.record, stored, plan.leads, 250, "1000/mV")
    _write_lines(folder / "labels.csv", ["record,label", *(f"{plan.record},{plan.label}" for plan in plans)])


def quantise(signal: np.ndarray, gain: float, bits: int, zero: int = 0) -> np.ndarray:
    """What an ADC makes of ``signal`` (mV): integers about ``zero``, clipped to ``bits``.

    ``gain`` is in units per mV; what is missing is 0. The lowest value is never given: in 16 bits it means "no sample"
    to WFDB.
    """
    half = 2 ** (bits - 1)
    return np.clip(np.rint(np.nan_to_num(signal) * gain), 1 - half, half - 1).astype(np.int64) + zero


def annotations(made: Synthetic) -> tuple[np.ndarray, list[str], list[str], np.ndarray]:
    """Samples, symbols, auxiliary texts and subtypes of beats, rhythms (``+``) and noise (``~``), in order.

    A noise mark's subtype has a bit for each noisy lead; all leads are noisy in a burst and clean after it.
    """
    last = len(made.signal) - 1

    def sample(seconds):
        return np.clip(np.rint(np.asarray(seconds) * made.sampling_rate).astype(np.int64), 0, last)

    inside = [span for span in made.spans if span.start < last / made.sampling_rate]
    rhythms = [(sample(span.start), "+", span.aux + "\0", 0) for span in inside]
    beats = [(at, symbol, "", 0) for at, symbol in zip(sample(made.beat_times), made.symbols.tolist(), strict=True)]
    noisy = 2 ** made.signal.shape[1] - 1
    starts = [(at, "~", "", noisy) for at in sample(made.bursts[:, 0])]
    stops = [(at, "~", "", 0) for at in sample(made.bursts[:, 1])]
    marks = sorted(rhythms + starts + stops + beats, key=lambda mark: mark[0])
    samples, symbols, aux, subtypes = zip(*marks, strict=True)
    return np.array(samples), list(symbols), list(aux), np.array(subtypes)


def _write_record(base: Path, record: str, stored: np.ndarray, leads: Sequence[str], rate: float | str, gain: str,
                  form: str = "16", bits: int = 16, zero: int = 0, comments: Sequence[str] = ()) -> None:
    """``stored`` (samples, leads) in the WFDB format ``form``, a MATLAB level 4 file where it names an offset
    (``+24``).

    ``rate`` in Hz and ``gain`` stand in the header as they are given, its ``comments`` come last.
    """
    base.mkdir(parents=True, exist_ok=True)
    file, n_leads, content = f"{record}.{'mat' if '+' in form else 'dat'}", len(leads), stored.astype("<i2").tobytes()
    if form == "212":
        import wfdb

        wfdb.wrsamp(record, fs=360, units=["mV"] * n_leads, sig_name=[str(k) for k in range(n_leads)], d_signal=stored,
                    fmt=["212"] * n_leads, adc_gain=[200.0] * n_leads, baseline=[zero] * n_leads, write_dir=str(base))
    elif "+" in form:  # the matrix ``val`` (leads, samples):
        # type 30 (little-endian 16-bit integers), rows, columns, no imaginary part, length of the name
        head = np.array([30, n_leads, len(stored), 0, 4], "<i4").tobytes() + b"val\0"
        (base / file).write_bytes(head + content)
    else:
        (base / file).write_bytes(content)
    signals = [f"{file} {form} {gain} {bits} {zero} {column[0]} {int(np.sum(column).astype(np.int16))} 0 {lead}"
               for column, lead in zip(stored.T, leads, strict=True)]
    _write_lines(base / f"{record}.hea", [f"{record} {n_leads} {rate} {len(stored)}", *signals, *comments])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), newline="\n")

