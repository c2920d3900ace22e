"""CSV, TSV and other text with a column a lead, such as exports of the Apple Watch."""

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtl.datasets.files import read_bytes
from ecgtl.datasets.formats.signals import Given, Signals, refusing
from ecgtl.datasets.leads import standard_name
from ecgtl.datasets.wfdb_header import per_millivolt
from ecgtl.errors import RecordError

SUFFIXES = (".csv", ".tsv", ".txt")
BEGINNING = 1 << 12  # bytes that say how a table is written
_MARKS = ((",", "."), (";", ","), ("\t", "."), ("\t", ","), (";", "."), (" ", "."))
_NUMBER = {mark: re.compile(rf"[-+]?(\d+[{mark}]?\d*|[{mark}]\d+)(e[-+]?\d+)?|nan", re.IGNORECASE) for mark in ".,"}
_CLOCK = re.compile(r"(?:.*[T ])?(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)Z?")
# In a bare "500,512" a comma may part two rates; and "Number of samples", or a rate in kHz, is none in Hz
_RATE = re.compile(r"(\d+(?:\.\d+)?) *(?:hz|hertz)?|(\d+,\d+) *(?:hz|hertz)", re.IGNORECASE)
_RATE_KEY = re.compile(r"(fs *|(?=.*(samp|abtast|chantil|muestr|campi|amost))(?=.*(rate|fr.{1,2}[qc]|ta[sx]a|taux|hz))"
                       r"[^(\[]*)([(\[](hz|hertz)[)\]])?", re.IGNORECASE)
_NAMED_UNIT = re.compile(r"(.*?) *(?:[(\[](.*)[)\]]|[_/ ]([mun\u00b5\u03bc]V|[mu\u00b5\u03bc]?s))")
_TIME = re.compile(r"(elapsed )?(time|timestamp|t|zeit|temps|tiempo|tempo)", re.IGNORECASE)
_SECONDS = {**dict.fromkeys(("", "s", "sec", "seconds", "hh:mm:ss.mmm"), 1.0), "ms": 1e-3,
            **dict.fromkeys(("us", "\u00b5s", "\u03bcs"), 1e-6)}


@dataclass(frozen=True)
class _Layout:
    """How a table is written: what parts its cells, its decimal sign, its columns, the lines before the numbers."""

    separator: str
    decimal: str
    columns: int
    head: tuple[str, ...]

    def cells(self, line: str) -> list[str]:
        """What stands in a line."""
        words = line.split() if self.separator == " " else next(csv.reader([line], delimiter=self.separator), [])
        return [word.strip() for word in words]

    def has_numbers(self, cells: list[str]) -> bool:
        """Whether any of the cells is a number, other than those that count the columns, as pandas names them."""
        names = cells[not cells[0]:] if cells else []
        counting = len(names) > 1 and names == [*map(str, range(len(names)))]
        return any(map(_NUMBER[self.decimal].fullmatch, cells)) and not counting

    def is_row(self, cells: list[str]) -> bool:
        """Whether cells are numbers, some maybe empty, the first maybe a time of day."""
        return self.has_numbers(cells) and all(not word or _NUMBER[self.decimal].fullmatch(word) or
                                               k == 0 and _CLOCK.fullmatch(word) for k, word in enumerate(cells))


def is_table(path: Path, content: bytes) -> bool:
    """Whether the beginning of a file has rows of numbers, and no column ``record`` as tables of labels have."""
    layouts = _layouts(_decoded(content)) if path.suffix.lower() in SUFFIXES and b"\0\0" not in content else []
    return bool(layouts) and not any("record" in layouts[0].cells(line.lower()) for line in layouts[0].head)


def read(path: Path, given: Given) -> Signals:
    """A lead a column; the first column may be the time or a running number.

    Names and units stand in the header, or before it in lines such as ``Sample Rate,512 hertz``.
    """
    content = read_bytes(path)
    text, layouts = _decoded(content), _layouts(_decoded(content[:BEGINNING]))
    if len(layouts) != 1:
        raise RecordError("no numbers", f"{path} holds commas that may part numbers or be decimal signs; write a header"
                          if layouts else f"{path} holds no rows of numbers; give a column a lead")
    [layout] = layouts
    above = next((line for line in reversed(layout.head) if line.strip()), "")
    if layout.has_numbers(layout.cells(above)) and not any(_told((above,))):
        raise RecordError("no numbers", f"{path} has numbers and words in {above[:40]!r}; correct that line")
    with refusing(path, "CSV"):
        table = pd.read_csv(io.StringIO(text), sep=r"\s+" if layout.separator == " " else layout.separator, header=None,
                            decimal=layout.decimal, skiprows=len(layout.head), skipinitialspace=True, low_memory=False)
        last = text.rstrip("\n").rpartition("\n")[2]
        if len(layout.cells(last)) != table.shape[1]:
            raise RecordError("truncated signal file", f"{path} is cut off, at {last[-40:]!r}; export it again")
        rate, unit, lead = _told(layout.head)
        names, units = ([lead], [""]) if lead else _header(layout)
        first, step = _time(path, table, names, units)
        spans = (1,) if first and units[first - 1] else (1, 1e3, 1e6)  # a time without a unit may be in ms or us
        if rate and step and not np.isclose(rate, np.multiply(spans, step), rtol=0.01).any():
            raise RecordError("uneven time", f"{path} says {rate:g} Hz, but its times {step:g} Hz; correct either")
        if any(map(_TIME.fullmatch, names[first:])):
            raise RecordError("uneven time", f"{path} has a time among its leads; make it the first column")
        stored = table.iloc[:, first:].apply(pd.to_numeric).to_numpy(float)
        rate, units = given.settled(path, rate or step, [one or unit for one in units[first:]])
        return Signals(names[first:], rate, units, stored)


def _decoded(content: bytes) -> str:
    """Text in UTF-8, UTF-16 with its mark, or Latin-1, in lines of one kind, without PhysioBank's single quotes."""
    text = content.decode("utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace")
    text = content.decode("latin-1") if "\ufffd" in text[:-1] else text  # the last character may be cut off
    return re.sub("\r\n?", "\n", text).replace("\u2212", "-").replace("'", "")


@lru_cache(maxsize=1)  # asked for once more when the file is read
def _layouts(text: str) -> list[_Layout]:
    """How most lines are rows of numbers; none where they are not, several where a comma may mean two things.

    A lead that is told is the only one; else a header has as many cells as there are columns.
    """
    lines, fits = text.split("\n")[:-1 if len(text) > 2000 else None], []
    for separator, decimal in (mark for k, mark in enumerate(_MARKS) if k < 2 or mark[0] in text):
        layout = _Layout(separator, decimal, 0, ())
        rows = {k: len(cells) for k, line in enumerate(lines) if layout.is_row(cells := layout.cells(line))}
        columns, count = Counter(rows.values()).most_common(1)[0] if rows else (0, 0)
        start = next((k for k, length in rows.items() if length == columns), 0)
        if count and 2 * count >= sum(map(bool, lines[start:])):
            fits.append((count, _Layout(separator, decimal, columns, tuple(lines[:start]))))
    best = {layout.columns: layout for count, layout in reversed(fits) if count == max(fits, key=lambda fit: fit[0])[0]}
    told = [layout for layout in best.values() if _told(layout.head)[2] and layout.columns == 1]
    named = [layout for columns, layout in sorted(best.items(), reverse=True) if any(_header(layout)[0])]
    return told or named[:1] or list(best.values())


def _told(head: tuple[str, ...]) -> tuple[float | None, str, str]:
    """Sampling rate, unit and lead as lines before the numbers tell them: ``Unit,mV``, ``# fs: 500``."""
    rates, units, lead = set(), set(), ""
    for line in head:
        key, value = (word.strip('"# ') for word in (*re.split("[,;\t:=]", line, maxsplit=1), "")[:2])
        found = _RATE.fullmatch(value)
        if found and _RATE_KEY.fullmatch(key):
            rates.add(float((found[1] or found[2]).replace(",", ".")))
        elif not np.isnan(per_millivolt(value)):
            units.add(value)
        elif key and value.startswith(f"{key} "):  # Lead,Lead I in whichever language
            lead = standard_name(f"lead {value.removeprefix(key).strip()}")
    return rates.pop() if len(rates) == 1 else None, units.pop() if len(units) == 1 else "", lead


def _header(layout: _Layout) -> tuple[list[str], list[str]]:
    """Name and unit of each column; units may stand in a line of their own. Empty where there are none."""
    rows = [layout.cells(line) for line in layout.head if line.strip()]
    rows = [[cell.lstrip("# ") for cell in row] for row in rows if len(row) == layout.columns]
    none = [""] * layout.columns
    last = [cell.strip("[( )]") for cell in rows[-1]] if rows else none
    with_units = rows and all(cell in _SECONDS or not np.isnan(per_millivolt(cell)) for cell in last)
    units, rows = (last, rows[:-1]) if with_units else (none, rows)
    names = rows[-1] if rows else none
    found = [_NAMED_UNIT.fullmatch(name) for name in names]
    return ([one[1] if one else name for one, name in zip(found, names, strict=True)],
            [(one[2] or one[3]) if one else unit for one, unit in zip(found, units, strict=True)])


def _time(path: Path, table: pd.DataFrame, names: Sequence[str], units: Sequence[str]) -> tuple[int, float | None]:
    """How many columns a running number and the time take, none to two, and the rate that the time tells.

    No ECG grows from sample to sample, so such a column is one of them whatever its name.
    """
    if table.shape[1] < 2 or len(table) < 3:
        return 0, None
    named, column = bool(_TIME.fullmatch(names[0])), table.iloc[:, 0]
    if column.dtype.kind not in "iuf":
        parts = column.astype(str).str.extract(f"^{_CLOCK.pattern}$").astype(float).fillna({0: 0.0})
        column, named = parts[0] * 3600 + parts[1] * 60 + parts[2], named or parts[2].notna().any()
    time = column.to_numpy(float) * _SECONDS.get(units[0], np.nan if named else 1.0)
    steps, step = np.diff(time), np.median(np.diff(time))
    counted = (steps == 1) | (steps == time.min() - time.max())  # the number of a packet begins anew
    if not named and counted.all() and (steps == 1).any():
        further, rate = _time(path, table.iloc[:, 1:], names[1:], units[1:])
        return 1 + further, rate
    if not ((steps > step / 2) & (steps < step * 1.5)).all():
        if named or (steps > 0).all():
            raise RecordError("uneven time", f"{path} has gaps or uneven steps of time in column 1; resample it")
        return 0, None
    rate = (len(time) - 1) / (time[-1] - time[0])
    whole = round(rate)  # times are rounded: a whole number that fits them all is meant
    return 1, whole if whole and abs(whole - rate) * len(time) < rate else rate
