"""CSV for readers, who open it in a spreadsheet."""

import re

import pandas as pd
from pandas.api.types import is_numeric_dtype

_FORMULA = re.compile(r"[=@\t]|[+-](?!\d*\.?\d+(e[+-]?\d+)?$)", re.IGNORECASE)


def as_csv(table: pd.DataFrame, float_format: str | None = None) -> bytes:
    """``table`` as CSV in UTF-8, without its index.

    Names of records and classes may be any text: one that a spreadsheet would execute, because it begins with = + - @
    or a tab and is no number, gets an apostrophe in front. A carriage return, which would begin a row, becomes a space.
    """
    safe = table.apply(lambda column: column if is_numeric_dtype(column) else column.map(_inert))
    return safe.rename(columns=_inert).to_csv(index=False, float_format=float_format).encode(errors="backslashreplace")


def _inert(value):
    text = value.replace("\r", " ") if isinstance(value, str) else ""
    return f"'{text}" if _FORMULA.match(text) else text or value
