"""Addresses of our numbers."""

from ecgtl.analysis import cells


def of(experiment: str, row, column=None, score: str | None = None) -> str:
    """The address of a cell: ``weimann2021.table2.beat.25``."""
    rows = row if isinstance(row, tuple) else (row,)
    parts = [cells.original(experiment).replace("-", ".", 1), *rows, column, score]
    return ".".join(str(part) for part in parts if part is not None)
