"""A table of a paper as it is run here: its rows, its columns, how many runs a cell has, and the data that they stand
on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from ecgtl.config import BASELINES, protocol
from ecgtl.experiments.run import entries, known


@dataclass(frozen=True)
class Data:
    """The recordings that results stand on: ``digest`` is the SHA-256 of ``ecgtl.datasets.base``, or ``unknown``."""

    version: str
    records: int
    digest: str


@dataclass(frozen=True, eq=False)
class Experiment:
    """One entry of ``experiments`` in ``experiments/<paper>.yml``.

    Rows are starting weights (``inits``), ``baselines``, and ``controls``, which have columns of their own.
    ``rows`` says what a row starts from where its name does not, ``columns`` what a column sets: a share of the
    training set, or parameters by name. ``item`` of the paper and its table in ``published``, whose column for a score
    is in ``printed``; ``common`` parameters of all runs. ``runs`` of a cell by tier, ``runs_random`` those of the
    random row and the baselines; ``absent`` rows that a tier lacks; ``epochs`` by tier where they are not the
    protocol's. ``shares`` names experiments that store runs in common with this one, ``replaces`` that of an earlier
    protocol.
    """

    name: str
    paper: str
    dataset: str
    data: Data
    inits: tuple[str, ...]
    columns: Mapping[int | str, float | Mapping]
    runs: Mapping[str, int]
    baselines: tuple[str, ...] = ()
    controls: Mapping[str, Mapping] = field(default_factory=dict)
    rows: Mapping[str, Mapping] = field(default_factory=dict)
    common: Mapping = field(default_factory=dict)
    item: str = ""
    published: str = ""
    printed: Mapping[str, str] = field(default_factory=dict)
    score: str = ""
    unit: str = ""
    runs_random: Mapping[str, int] | None = None
    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    epochs: Mapping[str, int] = field(default_factory=dict)
    shares: tuple[str, ...] = ()
    replaces: str | None = None

    @property
    def networks(self) -> tuple[str, ...]:
        """Rows that a network is trained for."""
        return (*self.inits, *self.controls)

    @property
    def methods(self) -> tuple[str, ...]:
        """All rows, the baselines first."""
        return (*self.baselines, *self.networks)

    @property
    def cells(self) -> list[tuple[str, int | str]]:
        """(row, column) of every cell, row by row."""
        return [(method, column) for method in self.methods for column in self.columns_of(method)]

    def columns_of(self, method: str) -> tuple[int | str, ...]:
        """The columns that a row is run at: all of them, but for controls."""
        return tuple(self.controls.get(method, {}).get("sizes", self.columns))

    def column_words(self, column: int | str) -> str:
        """A column as a reader sees it: ``25 %`` for a share, else the name that it has."""
        return f"{column} %" if isinstance(self.columns[column], float) else f"{column}{self.unit}"

    def runs_of(self, method: str, tier: str) -> int:
        """Planned runs of a cell in a row."""
        if method in self.absent.get(tier, ()):
            return 0
        return (self.runs_random if self.runs_random and method in ("random", *BASELINES) else self.runs)[tier]


def names() -> tuple[str, ...]:
    """All experiments of all papers."""
    return tuple(_all())


def load(name: str) -> Experiment:
    """An experiment by its name; an unknown one is an EcgtlError with the allowed names."""
    return known(_all(), name)


@lru_cache(maxsize=1)
def _all() -> dict[str, Experiment]:
    return {name: _experiment(name, paper, **entry) for name, (paper, entry) in entries("experiments").items()}


def _experiment(name: str, paper: str, sizes: dict, data: dict, score: str = "", **others) -> Experiment:
    """The entry of a YAML; a key that it does not know is a TypeError."""
    return Experiment(name, paper, data=Data(**data), columns=sizes, score=score or protocol(paper).score,
                      **{key: tuple(value) if isinstance(value, list) else value for key, value in others.items()})
