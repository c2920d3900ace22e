"""Chapman-Shaoxing: 10,646 twelve-lead recordings of 10 s, each with one of eleven rhythms.

Source: Zheng et al., Scientific Data 7, 2020. Two public forms: the figshare release (``Diagnostics.xlsx``
and ``ECGData/*.csv``), which holds all of it, and the Shaoxing part of ``ecg-arrhythmia`` on PhysioNet (WFDB
files), which holds 10,247: the 399 recordings of sinus irregularity are not in it.
"""

import re
from collections.abc import Sequence
from functools import partial
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtl.datasets import archives, challenge2020, csn, snomed
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.files import read_text, stripped, with_columns
from ecgtl.datasets.leads import LEADS, check_leads, columns
from ecgtl.datasets.recordings import Recordings, form_available
from ecgtl.errors import EcgtlError, RecordError, short

NAME = "shaoxing"
FIGSHARE = "shaoxing-figshare"
TABLE = "Diagnostics.xlsx"
FORMS = {"figshare": FIGSHARE, "physionet": csn.FOLDER}
SAMPLING_RATE, N_SAMPLES = 500.0, 5000
UNITS_PER_MILLIVOLT = 1000.0  # the CSV files are in microvolts
SEXES = {"MALE": "male", "FEMALE": "female"}
_FAR_CELL = re.compile(rb"""\sr\s*=\s*["'](?:[A-Za-z]{3,}\d+|[A-Za-z]*\d{6,})["']""")
_COLUMNS = ("FileName", "Rhythm", "PatientAge", "Gender")

_DAMAGED = "damaged CSV"
_RHYTHMS = snomed.tables()["shaoxing"]
CLASSES = tuple(rhythm["name"] for rhythm in _RHYTHMS.values())


def read(root: Path, on_bad: str = "error", synthetic: bool = False, form: str | None = None,
         leads: str | Sequence[str] | None = None, ningbo: bool = False) -> Recordings:
    """All recordings of one form below ``root``, eleven classes; ``Recordings.version`` names the form.

    ``form="figshare"`` reads ``root/shaoxing-figshare``, ``"physionet"`` the records of
    ``root/ecg-arrhythmia/1.0.0`` up to JS10646 (with ``ningbo=True`` those of the second hospital too);
    without ``form`` the first of the two that is there. ``leads`` keeps some leads only (all twelve take 2.6
    GB as figshare has them).

    ``on_bad`` says what a flat, incomplete or damaged recording causes, a CSV with another number of columns
    or rows than 12 and 5,000 or with text in it, a row of the table without its CSV or the reverse, an
    unknown rhythm, and a record with several rhythms: ``error``, or ``skip``, which leaves it out and counts
    it. A table that is missing, unreadable or lacks a column is an error always.
    """
    form, chosen = form_available(form, Path(root), FORMS, NAME), check_leads(leads)
    if ningbo and form == "figshare":
        raise EcgtlError("ningbo=True needs form='physionet': the figshare release holds Shaoxing alone")
    base = Path(root) / FORMS[form]
    version = "figshare v2" if form == "figshare" else f"PhysioNet {csn.VERSION}{' with Ningbo' * ningbo}"
    collector = Collector(NAME, version, CLASSES, on_bad=on_bad, synthetic=synthetic)
    if form == "figshare":
        signals = {path.stem: path for path in sorted((base / "ECGData").glob("*.csv"))}
        if not signals:
            raise EcgtlError(f"{base / 'ECGData'} holds no CSV files; unpack the release's ECGData.zip there")
        files = [base / TABLE, *signals.values()]
        fill = partial(_collect_figshare, base / TABLE, signals, chosen, collector)
    else:
        files = [path for path in challenge2020.files(base / "WFDBRecords", csn.NAME)
                 if ningbo or path.stem <= csn.SHAOXING_LAST]
        fill = partial(_collect_physionet, files, chosen, collector)
    return collector.cached(base, files, fill, leads=chosen, map=snomed.checksum(), ningbo=ningbo)


def diagnostics(root: Path) -> pd.DataFrame:
    """The figshare release's table, cleaned: ``id``, ``rhythm`` (a class), ``age`` in years, ``sex``.

    Raises EcgtlError when ``Diagnostics.xlsx`` is missing, cannot be read or lacks a column, and for a row
    without a number as age, a known rhythm or a known sex.
    """
    path = Path(root) / FIGSHARE / TABLE
    table = _table(path)
    age = pd.to_numeric(table["PatientAge"], errors="coerce").astype(float)
    cleaned = pd.DataFrame({"id": table["FileName"], "rhythm": table["Rhythm"].map(_rhythm_name), "age": age,
                            "sex": table["Gender"].str.upper().map(SEXES)})
    for column, source in (("rhythm", "Rhythm"), ("age", "PatientAge"), ("sex", "Gender")):
        wrong = np.flatnonzero(cleaned[column].isna())
        if len(wrong):
            row = table.iloc[wrong[0]]
            raise EcgtlError(f"{path} has the {source} {row[source]!r} for {row['FileName']} "
                             f"({len(wrong)} such rows); correct the table or fetch it again")
    return cleaned


def _collect_figshare(table: Path, signals: dict[str, Path], leads: list[str] | None, collector: Collector) -> None:
    rows = _table(table)
    collector.match(table, rows["FileName"].tolist(), signals, "unpack ECGData.zip whole into ECGData/")
    for record, code in zip(rows["FileName"], rows["Rhythm"], strict=True):
        rhythm = _rhythm_name(code)
        if record not in signals:
            continue
        if rhythm is None:
            collector.skip(record, f"unknown rhythm {code}", f"{table} has the rhythm {code!r} for {record}",
                           f"use one of {', '.join(_RHYTHMS)}")
        else:
            with collector.leaving_out(record, _DAMAGED):
                collector.add_twelve(signals[record], _microvolts(signals[record]), leads, SAMPLING_RATE,
                                     UNITS_PER_MILLIVOLT, rhythm)


def _microvolts(path: Path) -> np.ndarray:
    """The samples of a CSV file, shape (5000, 12) in the order of ``LEADS``, float32, microvolts.

    A first line with the leads' names is optional, so is a byte-order mark.
    """
    text = read_text(path)
    names = [word.strip().strip('"').lower() for word in text.partition("\n")[0].split(",")]
    header = sorted(names) == sorted(lead.lower() for lead in LEADS)
    try:
        values = pd.read_csv(StringIO(text), header=None, skiprows=int(header), dtype=np.float32).to_numpy()
    except ValueError as error:  # pandas' parser errors are ValueErrors too
        raise RecordError(_DAMAGED, f"{path} is not a table of numbers ({short(error)}), with or without the leads' "
                                    "names in line 1; fetch the file again") from None
    if values.shape != (N_SAMPLES, len(LEADS)):
        raise RecordError(_DAMAGED, f"{path} has {values.shape[0]} rows of {values.shape[1]} columns instead of "
                                    f"{N_SAMPLES} of {len(LEADS)}; fetch the file again")
    return values[:, columns(names, LEADS, str(path))] if header else values


def _table(path: Path) -> pd.DataFrame:
    """The columns of ``Diagnostics.xlsx`` that are needed, as stripped text."""
    advice = "fetch Diagnostics.xlsx of the figshare release again"
    if not path.is_file():
        raise EcgtlError(f"{path} is missing; {advice}")
    try:
        with archives.opened(path, str(path), advice) as archive:
            sheets = [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/")]
        if any(map(_FAR_CELL.search, sheets)):  # it makes a table of all that lie before it
            raise EcgtlError(f"{path} has a cell beyond row 99,999 or column ZZ; {advice}")
        table = pd.read_excel(path, dtype=str, keep_default_na=False, engine="openpyxl")
    except ImportError:
        raise EcgtlError("reading Diagnostics.xlsx needs openpyxl; run: pip install 'ecgtl[data]'") from None
    except EcgtlError:
        raise
    except Exception as error:  # the parsers of zip, XML and openpyxl each raise errors of their own
        raise EcgtlError(f"{path} is not a readable xlsx file ({short(error)}); {advice}") from None
    return stripped(with_columns(table, path, _COLUMNS, advice)[list(_COLUMNS)], path, "FileName", advice)


def _rhythm_name(code: str) -> str | None:
    """Class of a rhythm code of ``Diagnostics.xlsx``, where AF is atrial flutter and AFIB fibrillation."""
    rhythm = _RHYTHMS.get(snomed.tables()["shaoxing_written_as"].get(code, code))
    return rhythm and rhythm["name"]


def _collect_physionet(found: Sequence[Path], leads: list[str] | None, collector: Collector) -> None:
    for path, record, codes in challenge2020.readings(found, leads, collector):
        rhythms = _rhythms(codes)
        if len(rhythms) == 1:
            record.label = rhythms[0]
            collector.add(record, str(path))
        else:
            collector.skip(path.stem, "several rhythms" if rhythms else "no rhythm", f"{path} (Dx: "
                           f"{','.join(codes)[:60]})", "keep one rhythm's code in its #Dx: comment")


_CODES = {code: rhythm["name"] for rhythm in _RHYTHMS.values() for code in rhythm["codes"]}
_WANDERING = "195101003"  # also a finding beside another rhythm: wandering in the AV node


def _rhythms(codes: Sequence[str]) -> list[str]:
    """Classes that the SNOMED ``codes`` of a record stand for, each once."""
    found = list(dict.fromkeys(_CODES[code] for code in codes if code in _CODES))
    beside = [name for name in found if name != _CODES[_WANDERING]]
    return beside if len(found) > 1 and _WANDERING in codes else found
