"""Measurements that take turns, and the table of what they gave."""

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock


@dataclass(frozen=True)
class Row:
    """One line of the table: the best of our way and of the plain way (None where there is none to compare).

    ``unit`` is that of both; records/s and windows/s are better high, everything else is better low.
    ``at_least`` is the ratio aimed at, ``at_most`` the most that our own way may take.
    """

    what: str
    unit: str
    ours: float
    plain: float | None = None
    at_least: float | None = None
    at_most: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times better our way is."""
        if self.plain is None:
            return None
        return self.ours / self.plain if self.unit.endswith("/s") else self.plain / self.ours

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without one."""
        if self.at_least is not None:
            return self.ratio >= self.at_least
        return None if self.at_most is None else self.ours <= self.at_most

    def cells(self) -> list[str]:
        """The row as text."""
        target = f"≥ {self.at_least:g}x" if self.at_least else f"≤ {self.at_most:g} {self.unit}" if self.at_most else ""
        verdict = {True: "met", False: "MISSED", None: ""}[self.met]
        return [self.what, self.unit, f"{self.ours:.3g}", "" if self.plain is None else f"{self.plain:.3g}",
                "" if self.ratio is None else f"{self.ratio:.2f}x", target, verdict]


def take_turns(ways: dict[str, Callable[[], None]], repeats: int) -> dict[str, float]:
    """Least seconds of each way: all of them once unmeasured, then in turns, so that noise meets them alike.

    The least and not the mean, because whatever else runs can only add to it.
    """
    seconds = {name: [] for name in ways}
    for turn in range(repeats + 1):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            if turn > 0:
                seconds[name].append(time.perf_counter() - began)
    return {name: min(values) for name, values in seconds.items()}


@contextlib.contextmanager
def own_cache() -> Iterator[Path]:
    """An empty cache for as long as the context lasts: a folder that goes with it."""
    with tempfile.TemporaryDirectory() as folder, mock.patch.dict(os.environ, {"ECGTL_CACHE": folder}):
        yield Path(folder)


def table(rows: list[Row]) -> str:
    """``rows`` in aligned columns."""
    lines = [["what", "unit", "ours", "plain", "ratio", "target", ""], *(row.cells() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    return "\n".join("  ".join(line).rstrip() for line in padded)
