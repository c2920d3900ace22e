"""CPSC 2018 (ICBEB 2018): 6,877 twelve-lead recordings of 6 s and more, with one to three of nine labels.

Source: Liu et al., Journal of Medical Imaging and Health Informatics 8(7), 2018: the public training set of
the China Physiological Signal Challenge, sampled at 500 Hz. Two public forms: part ``training/cpsc_2018`` of
the Challenge 2020 on PhysioNet (WFDB headers with SNOMED codes), and the original one, MATLAB files with a
struct ``ECG`` and ``REFERENCE.csv``. Neither names patients, so each recording counts as a subject of its own
(identical signals as one).
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ecgtl.datasets import challenge2020, snomed
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.files import below, check_names, read_csv, read_mat, stripped
from ecgtl.datasets.leads import LEADS, check_leads
from ecgtl.datasets.recordings import Recordings, check_option, form_available
from ecgtl.errors import EcgtlError, RecordError, short

NAME = "cpsc2018"
FOLDER = f"{challenge2020.FOLDER}/training/cpsc_2018"
ORIGINAL = "icbeb2018"
TABLE = "REFERENCE.csv"
FORMS = {"physionet": FOLDER, "icbeb": ORIGINAL}
VIEWS = ("all", "single", "first")

_NINE = snomed.tables()["cpsc_9"]
CLASSES = tuple(entry["name"] for entry in _NINE.values())
_BY_CODE = {code: entry["name"] for entry in _NINE.values() for code in entry["codes"]}
_BY_NUMBER = {str(entry["number"]): entry["name"] for entry in _NINE.values()}
_COLUMNS = ("Recording", "First_label", "Second_label", "Third_label")


def read(root: Path, on_bad: str = "error", synthetic: bool = False, view: str = "all",
         form: str | None = None, leads: str | Sequence[str] | None = None) -> Recordings:
    """The recordings of one form below ``root``, of any length; ``Recordings.version`` names the form.

    ``form="physionet"`` reads ``root/challenge-2020/1.0.2/training/cpsc_2018``, ``"icbeb"`` the original
    ``root/icbeb2018`` (``REFERENCE.csv`` and the .mat files, in sub-folders or not); without ``form`` the
    first of the two that is there.

    ``view="all"``: several labels each, out of the nine classes. ``"single"``: the recordings with exactly one label;
    the others are counted in ``Recordings.skipped``. ``"first"``: the first label of ``REFERENCE.csv`` alone; the
    headers of the Challenge 2020 are sorted by the number of the class, so only the original form has it. ``leads``
    keeps some leads only: all twelve take 1.3 GB.

    ``on_bad`` says what a damaged, flat or incomplete recording causes, one without its other file or its row
    in the table, at another rate than 500 Hz, without a label or with one outside the nine: ``error``, or
    ``skip``, which leaves it out and counts it. Raises EcgtlError when neither form is there, and for a table
    that cannot be read.
    """
    form, chosen = form_available(form, Path(root), FORMS, NAME), check_leads(leads)
    check_option("view", view, VIEWS)
    if view == "first" and form != "icbeb":
        raise EcgtlError("view='first' needs form='icbeb': the headers of the Challenge 2020 sort their labels by "
                         "class; use view='single', or the original files")
    base = Path(root) / FORMS[form]
    version = "ICBEB 2018" if form == "icbeb" else f"PhysioNet {challenge2020.VERSION}"
    collector = Collector(NAME, version, CLASSES, view == "all", on_bad, synthetic)
    found = _original_files(base) if form == "icbeb" else challenge2020.files(base, NAME)

    def fill() -> None:
        (_collect_original if form == "icbeb" else _collect_wfdb)(found, chosen, collector)
        if view == "single":  # those with several are sound, so they are counted whatever ``on_bad`` says
            several = [record.id for record in collector.readings if len(record.label or ()) > 1]
            collector.skipped |= {"several labels": several} if several else {}
            collector.readings = [record for record in collector.readings if len(record.label or ()) == 1]
        if view != "all":
            for record in collector.readings:
                record.label = (record.label or (None,))[0]

    return collector.cached(base, found, fill, view=view, form=form, leads=chosen, map=snomed.checksum())


def _collect_wfdb(found: Sequence[Path], leads: Sequence[str] | None, collector: Collector) -> None:
    for path, record, codes in challenge2020.diagnosed(found, leads, collector, challenge2020.SAMPLING_RATE):
        outside = [code for code in codes if code not in _BY_CODE]
        if outside:
            collector.skip(path.stem, f"code {outside[0]} outside the nine classes", str(path), "it stands for "
                           f"{snomed.name_of(outside[0])}: move the record out (cpsc_2018_extra holds such ones)")
            continue
        record.label = list(dict.fromkeys(_BY_CODE[code] for code in codes))
        collector.add(record, str(path))


def _original_files(base: Path) -> list[Path]:
    """``REFERENCE.csv``, at the top or in a sub-folder, and the signals; EcgtlError when either is absent."""
    tables = sorted(base.rglob(TABLE), key=lambda path: len(path.parts))
    signals = below(base, "mat")
    if not tables or not signals:
        raise EcgtlError(f"{base} holds no {'.mat files' if tables else TABLE}; put there {TABLE} and, unpacked, "
                         "TrainingSet1.zip to TrainingSet3.zip of the China Physiological Signal Challenge 2018")
    check_names(signals)
    return [tables[0], *signals]


def _collect_original(found: Sequence[Path], leads: Sequence[str] | None, collector: Collector) -> None:
    table, signals = found[0], {path.stem: path for path in found[1:]}
    rows = _reference(table)
    collector.match(table, list(rows), signals, "unpack all three parts")
    for record in (record for record in signals if record in rows):
        path, numbers = signals[record], rows[record]
        outside = [number for number in numbers if number not in _BY_NUMBER]
        if outside or not numbers:
            collector.skip(record, f"unknown class {outside[0]}" if outside else "no diagnosis",
                           f"{path} ({TABLE}: {','.join(numbers)[:60]!r})",
                           f"give it one to three of the classes {', '.join(_BY_NUMBER)}")
            continue
        with collector.leaving_out(record, "damaged record"):
            labels = list(dict.fromkeys(_BY_NUMBER[number] for number in numbers))
            collector.add_twelve(path, _millivolts(path), leads, challenge2020.SAMPLING_RATE, 1.0, labels)


def _millivolts(path: Path) -> np.ndarray:
    """The samples of a struct file, shape (samples, 12) in the order of ``LEADS``, float32, mV."""
    try:
        signal = read_mat(path, ["ECG"])["ECG"]["data"][0, 0]
    except RecordError:
        raise
    except Exception as error:  # a damaged file makes SciPy raise whatever the damage causes
        raise RecordError("damaged record", f"{path} is no MATLAB file with a struct ECG that has a field data "
                          f"({short(error)}); unpack the file again") from None
    signal = np.asarray(signal)
    if signal.ndim != 2 or signal.shape[0] != len(LEADS) or signal.dtype.kind not in "fiu":
        raise RecordError("damaged record", f"{path} has data of shape {np.shape(signal)} instead of numbers of shape "
                          f"({len(LEADS)}, samples); unpack the file again")
    return signal.T.astype(np.float32)


def _reference(path: Path) -> dict[str, list[str]]:
    """The class numbers of each row of ``REFERENCE.csv`` as text, in the row's order, without empty cells."""
    advice = "fetch the table again"
    table = read_csv(path, _COLUMNS, advice, dtype=str, keep_default_na=False, index_col=False)
    rows = stripped(table[list(_COLUMNS)], path, _COLUMNS[0], advice).itertuples(index=False)
    return {record.removesuffix(".0"): [cell.removesuffix(".0") for cell in cells if cell.lower() not in ("", "nan")]
            for record, *cells in rows}
