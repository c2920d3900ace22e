"""PTB-XL: 21,799 twelve-lead recordings of 10 s from 18,869 patients, with published folds.

Source: Wagner et al., Scientific Data 7, 2020; release 1.0.3 on PhysioNet (``ptb-xl``; releases 1.0.0 and
1.0.1 had 21,837 recordings). Every recording carries SCP-ECG statements, of which three views make labels.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtl.datasets.collector import Collector
from ecgtl.datasets.files import read_csv, stays_below
from ecgtl.datasets.leads import check_leads
from ecgtl.datasets.recordings import Recordings, check_option
from ecgtl.errors import EcgtlError

NAME = "ptbxl"
FOLDER = "ptb-xl/1.0.3"
VERSION = "1.0.3"
TABLE, STATEMENTS = "ptbxl_database.csv", "scp_statements.csv"
VIEWS = ("rhythm", "rhythm_single", "superclass")
SUPERCLASSES = ("NORM", "MI", "STTC", "CD", "HYP")
_FILES = {500: "filename_hr", 100: "filename_lr"}
_COLUMNS = ("ecg_id", "patient_id", "age", "sex", "scp_codes", "strat_fold", *_FILES.values())
_FETCH = "run 'python -m ecgtl data fetch ptbxl'"


def read(root: Path, on_bad: str = "error", synthetic: bool = False, view: str = "rhythm", rate: int | None = None,
         leads: str | Sequence[str] | None = None, classes: Sequence[str] | None = None,
         cap: Mapping[str, int] | None = None, seed: int = 0) -> Recordings:
    """The recordings below ``root/ptb-xl/1.0.3`` that have a label in ``view``, with their published folds.

    ``view="rhythm"``: several labels each, out of the twelve rhythm statements; a label counts when its key
    is in ``scp_codes``, whatever its likelihood (it is 0, "unknown", for almost all of them).
    ``"rhythm_single"``: the recordings with exactly one rhythm statement, out of ``classes`` (default: all
    twelve), at most ``cap[class]`` of a class, drawn with ``seed``. ``"superclass"``: several labels each,
    out of the five diagnostic superclasses, by ``scp_statements.csv``. Recordings that a view leaves out are
    counted in ``Recordings.skipped``.

    ``rate`` is 500 or 100 Hz; without it 500, or 100 where ``records100`` alone has been fetched. ``leads``
    keeps some leads only (all twelve at 500 Hz take 2.6 GB). Recordings of one ``patient_id`` are one
    subject. ``on_bad`` says what a recording absent from the disk causes, or a flat or incomplete one:
    ``error``, or ``skip``, which leaves it out and counts it. Raises EcgtlError when a table is missing, lacks
    a column or holds ``scp_codes`` that are not a literal, and when a file is damaged.
    """
    base, chosen = Path(root) / FOLDER, check_leads(leads)
    if rate is None:  # 500 Hz, but for 100 where the smaller copies alone are on the disk
        rate = 100 if (base / "records100").is_dir() and not (base / "records500").is_dir() else 500
    _check_options(view, rate, classes, cap)
    tables = [base / TABLE, base / STATEMENTS]
    for file in tables:
        if not file.is_file():
            raise EcgtlError(f"{file} is missing; {_FETCH}, or set ECGTL_DATA to the folder of ptb-xl/")
    present = {path.relative_to(base).with_suffix("").as_posix(): path
               for path in sorted((base / f"records{rate}").rglob("*.hea")) if path.with_suffix(".dat").is_file()}
    files = [*tables, *(file for path in present.values() for file in (path, path.with_suffix(".dat")))]
    collector = Collector(NAME, VERSION, (), view != "rhythm_single", on_bad, synthetic)

    def fill() -> None:
        table, statements = recording_table(base), statement_table(base)
        collector.classes = _classes(view, classes, cap or {}, statements)
        here = table[_FILES[rate]].isin(present.keys())
        for record in table["id"][~here]:
            collector.skip(record, "signal absent", f"{base / TABLE} lists {len(table)} recordings, of which "
                           f"{(~here).sum()} are absent from records{rate}/ (the first is {record})",
                           f"{_FETCH} for the rest")
        table = table[here].copy()
        table["label"] = [_labels(codes, view, statements) for codes in codes_of(table, statements, str(base / TABLE))]
        for row in _kept(table, view, cap or {}, seed, collector).itertuples():
            with collector.leaving_out(row.id):
                path = present[getattr(row, _FILES[rate])]
                label = row.label[0] if view == "rhythm_single" else row.label
                reading, _ = collector.reading(path, chosen, row.id, label=label, subject=str(int(row.patient_id)),
                                               fold=int(row.strat_fold))
                collector.add(reading, str(path))

    return collector.cached(base, files, fill, view=view, rate=rate, leads=chosen, classes=classes,
                            cap=cap and dict(cap), seed=seed)


def _check_options(view: str, rate: int, classes: Sequence[str] | None, cap: Mapping[str, int] | None) -> None:
    check_option("view", view, VIEWS)
    if rate not in _FILES:
        raise EcgtlError(f"rate is {rate!r}; PTB-XL comes at 500 and 100 Hz")
    if view != "rhythm_single" and (classes or cap):
        raise EcgtlError(f"classes and cap belong to view='rhythm_single', not to {view!r}")
    if cap and not all(isinstance(n, int) and n > 0 for n in cap.values()):
        raise EcgtlError(f"cap is {cap!r}; give a number of recordings above 0 a class")


def recording_table(base: Path) -> pd.DataFrame:
    """The table of the recordings, with a column ``id`` of their names."""
    table = read_csv(base / TABLE, _COLUMNS, _FETCH)
    for name in ("ecg_id", "patient_id", "strat_fold"):
        numbers = pd.to_numeric(table[name], errors="coerce")
        if not np.isfinite(numbers).all() or (name == "ecg_id" and numbers.duplicated().any()):
            raise EcgtlError(f"{base / TABLE} has a {name} that is no number, or one twice; {_FETCH}")
    for name in _FILES.values():
        unsafe = [str(file) for file in table[name] if not stays_below(file)]
        if unsafe:
            raise EcgtlError(f"{base / TABLE} has the {name} {unsafe[0]!r}, no path below {base.name}; {_FETCH}")
    return table.assign(id=[f"{number:05d}" for number in table["ecg_id"].astype(int)])


def statement_table(base: Path, *further: str) -> pd.DataFrame:
    """The known statements: ``rhythm`` (1 for a rhythm statement), ``diagnostic_class`` and ``further`` by SCP key."""
    return read_csv(base / STATEMENTS, ("rhythm", "diagnostic_class", *further), _FETCH, index_col=0)


def _classes(view: str, classes: Sequence[str] | None, cap: Mapping[str, int],
             statements: pd.DataFrame) -> tuple[str, ...]:
    if view == "superclass":
        return SUPERCLASSES
    rhythms = tuple(statements.index[statements["rhythm"] == 1])
    chosen = tuple(classes or rhythms)
    for option, given, allowed in (("classes", chosen, rhythms), ("cap", cap, chosen)):
        unknown = sorted(set(given) - set(allowed))
        if unknown:
            raise EcgtlError(f"{option} names {unknown[0]!r}; allowed: {', '.join(allowed)}")
    return chosen


def codes_of(table: pd.DataFrame, statements: pd.DataFrame, where: str) -> Iterator[dict]:
    """The SCP statements of each row: key -> likelihood. Parsed as a literal, never evaluated."""
    for record, text in zip(table["id"], table["scp_codes"], strict=True):
        try:
            codes = ast.literal_eval(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            codes = None
        if not isinstance(codes, dict) or not all(isinstance(key, str) for key in codes):
            raise EcgtlError(f"{where} has scp_codes of {record} that are no literal "
                             f"{{statement: likelihood}} ({str(text)[:60]!r}); {_FETCH}")
        unknown = sorted(codes.keys() - set(statements.index))
        if unknown:
            raise EcgtlError(f"{where} has {unknown[0]!r} for {record}, which {STATEMENTS} lacks; {_FETCH}")
        yield codes


def _labels(codes: Mapping[str, float], view: str, statements: pd.DataFrame) -> list[str]:
    if view == "superclass":
        found = {statements["diagnostic_class"].get(key) for key in codes}
        return [name for name in SUPERCLASSES if name in found]
    return [key for key in codes if statements["rhythm"].get(key) == 1]


def _kept(table: pd.DataFrame, view: str, cap: Mapping[str, int], seed: int, collector: Collector) -> pd.DataFrame:
    """The rows that the view has a label for.

    The others are counted as skipped, whatever the policy: they are sound.
    """
    n_labels = table["label"].map(len)
    leave_out = {"no diagnostic superclass" if view == "superclass" else "no rhythm statement": n_labels == 0}
    if view == "rhythm_single":
        first = table["label"].map(lambda labels: labels[0] if labels else "")
        leave_out["several rhythm statements"] = n_labels > 1
        leave_out["rhythm outside the classes"] = (n_labels == 1) & ~first.isin(collector.classes)
        beyond = np.zeros(len(table), bool)
        for name, n in cap.items():  # a seeded draw of so many of the class stays
            members = np.flatnonzero((n_labels == 1) & (first == name))
            beyond[np.random.default_rng(seed).permutation(members)[n:]] = True
        leave_out["beyond the cap"] = beyond
    for reason, rows in leave_out.items():
        if rows.any():
            collector.skipped[reason] = table["id"][rows].tolist()
    return table[~np.logical_or.reduce(list(leave_out.values()))]
