"""Tables for readers: CSV, which they open in a spreadsheet, lines of JSON, Parquet."""

import io
import json
import math
import re
import sys
from importlib.util import find_spec
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from ecgtl import paths
from ecgtl.datasets.cache import write_atomic
from ecgtl.errors import EcgtlError, short

STDOUT = "-"
SUFFIXES = (".csv", ".jsonl", ".parquet")
_FORMULA = re.compile(r"[=@\t]|[+-](?!\d*\.?\d+(e[+-]?\d+)?$)", re.IGNORECASE)


def check_out(out: str | Path) -> None:
    """Raise EcgtlError unless ``write_table`` can write to ``out``; asked for before any work.

    It is ``-`` (standard output, as CSV), or a file as of ``paths.output`` that ends in .csv, .jsonl or .parquet.
    """
    if str(out) == STDOUT:
        return
    suffix = paths.output(out).suffix.lower()
    if suffix not in SUFFIXES:
        raise EcgtlError(f"{str(out)!r:.200} does not end in {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}; give the "
                         f"file such a name, or {STDOUT} to print CSV")
    if suffix == ".parquet" and find_spec("pyarrow") is None:
        raise EcgtlError(f"{str(out)!r:.200} needs pyarrow, which is absent; run: pip install 'ecgtl[parquet]'")


def write_table(table: pd.DataFrame, out: str | Path, decimals: str | None = "%.5f") -> None:
    """Write ``table`` without its index to ``out``, whole or not at all, in the format that its suffix names.

    ``decimals`` is how numbers with a fraction are written as text: in CSV and, as numbers again, in lines of JSON,
    where what is no finite number is null. Parquet keeps every bit. Raises EcgtlError as ``check_out`` does.
    """
    check_out(out)
    suffix = Path(out).suffix.lower()
    text = _lines if suffix == ".jsonl" else as_csv
    content = _parquet(table) if suffix == ".parquet" else text(table, decimals)
    if str(out) == STDOUT:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
    else:
        write_atomic(paths.given(out), content)


def _lines(table: pd.DataFrame, decimals: str | None) -> bytes:
    """A JSON object a row."""

    def plain(value):
        if isinstance(value, float):
            return (float(decimals % value) if decimals else value) if math.isfinite(value) else None
        return None if pd.isna(value) else value

    rows = table.to_dict("records")  # of Python's own numbers
    return "".join(json.dumps({str(name): plain(value) for name, value in row.items()}) + "\n" for row in rows).encode()


def _parquet(table: pd.DataFrame) -> bytes:
    content = io.BytesIO()
    try:
        table.to_parquet(content, index=False)
    except (ImportError, TypeError, ValueError) as error:  # it is too old; kinds mixed, half characters
        raise EcgtlError(f"the table cannot be written as Parquet ({short(error)}); write .csv or .jsonl") from None
    return content.getvalue()


def as_csv(table: pd.DataFrame, float_format: str | None = None) -> bytes:
    """``table`` as CSV in UTF-8, without its index.

    Names of records and classes may be any text: one that a spreadsheet would execute, because it begins with = + - @
    or a tab and is no number, gets an apostrophe in front. A carriage return, which would begin a row, becomes a space.
    """
    with pd.option_context("mode.string_storage", "python"):  # pyarrow's, where it is, takes no half characters
        safe = table.apply(lambda column: column if is_numeric_dtype(column) else column.map(_inert))
        text = safe.rename(columns=_inert).to_csv(index=False, float_format=float_format)
    return text.encode(errors="backslashreplace")


def _inert(value):
    text = value.replace("\r", " ") if isinstance(value, str) else ""
    return f"'{text}" if _FORMULA.match(text) else text or value
