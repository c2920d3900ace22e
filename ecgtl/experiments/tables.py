"""Tables of a paper as they are run here: rows, columns, how many runs a cell has, the data that they stand on; and
these runs.
"""

import dataclasses
from collections.abc import Mapping
from functools import lru_cache

from ecgtl import results
from ecgtl.config import BASELINES, FinetuneConfig, FrozenConfig, Plan, protocol
from ecgtl.errors import why_not
from ecgtl.experiments.run import PlannedRun, entries, known, of_tier
from ecgtl.jobs import finetune


@dataclasses.dataclass(frozen=True)
class Data:
    """The recordings that results stand on: ``digest`` is the SHA-256 of ``recordings.digest_of``, or ``unknown``.

    ``without_short``: that of the same without those that are too short for a network, where rows have such networks.
    """

    version: str
    records: int
    digest: str
    without_short: str = ""


@dataclasses.dataclass(frozen=True, eq=False)
class Experiment:
    """One entry of ``experiments`` in ``experiments/<paper>.yml``.

    Rows are starting weights (``inits``), ``baselines``, and ``controls``, which have columns of their own.
    ``rows`` says what a row starts from where its name does not, ``columns`` what a column sets: a share of the
    training set, or parameters by name. ``item`` of the paper and its table in ``published``, whose column for a score
    is in ``printed``; ``common`` parameters of all runs; a parameter may be given by tier. ``runs`` of a cell by tier,
    ``runs_random`` those of the random row and the baselines; ``absent`` rows that a tier lacks. ``shares`` names
    experiments that store runs in common with this one, ``replaces`` that of an earlier protocol.
    """

    name: str
    paper: str
    dataset: str
    data: Data
    inits: tuple[str, ...]
    columns: Mapping[int | str, float | Mapping]
    runs: Mapping[str, int]
    baselines: tuple[str, ...] = ()
    controls: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    rows: Mapping[str, Mapping] = dataclasses.field(default_factory=dict)
    common: Mapping = dataclasses.field(default_factory=dict)
    item: str = ""
    published: str = ""
    printed: Mapping[str, str] = dataclasses.field(default_factory=dict)
    score: str = ""
    unit: str = ""
    runs_random: Mapping[str, int] | None = None
    absent: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
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
        if isinstance(self.columns[column], float):
            return f"{column} %"
        return f"{column}{self.unit}".replace("resnet", "ResNet-").replace("_", " ")

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
    given: dict = {key: tuple(value) if isinstance(value, list) else value for key, value in others.items()}
    return Experiment(name, paper, data=Data(**data), columns=sizes, score=score or protocol(paper).score, **given)


@dataclasses.dataclass(frozen=True)
class Run(PlannedRun):
    """One run of a cell: ``method`` is the row of its table, ``size`` the column, ``number`` counts from 0.

    It is ``stored`` under an experiment and a key: its own, or those of the run that it is shared with.
    Columns are mostly shares of the data set in per cent; they may be anything that a config can say (``sizes`` in
    ``experiments/*.yml``).
    """

    experiment: str
    method: str
    size: int | str
    number: int
    config: FinetuneConfig
    stored: tuple[str, str]

    @property
    def home(self) -> str:
        """The experiment that it is stored under."""
        return self.stored[0]

    @property
    def key(self) -> str:
        """Name of its files."""
        return self.stored[1]

    def is_current(self, result: results.Result) -> bool:
        """Whether the recordings are those that the experiment stands on."""
        data, stored = load(self.experiment).data, result.data["digest"]
        return self.config.tier == "demo" or data.digest == "unknown" or stored in (data.digest, data.without_short)

    def obstacle(self) -> str:
        """Why the starting weights are not available."""
        return why_not(lambda: Plan(self.config).start)

    def execute(self, command: str) -> results.Result:
        """Fine-tune."""
        return finetune.run(self.config, self.home, self.key, command=command)

    def words(self, result: results.Result) -> str:
        """The score of the experiment."""
        score = load(self.experiment).score
        return f"{score.replace('_', ' ').replace(' f1', ' F1')} {result.scores[score]:.3f}"


@lru_cache(maxsize=64)
def enumerate_runs(experiment: str, tier: str) -> list[Run]:
    """Every run of ``experiment`` in ``tier``: first runs of all cells first, so that a table fills evenly; controls
    last.

    Do not change the list: it depends on the YAML alone and is kept.
    """
    table = load(experiment)
    cells = [(method, size) for size in table.columns for method in table.methods if size in table.columns_of(method)]
    planned = [(number, method, size) for method, size in cells for number in range(table.runs_of(method, tier))]
    runs = [_run(table, tier, *cell) for cell in sorted(planned, key=lambda cell: (cell[1] in table.controls, cell[0]))]
    # A run that is shared is stored by the experiment that it is shared with
    shared = {run.config: run.stored for other in table.shares for run in enumerate_runs(other, tier)}
    return [dataclasses.replace(run, stored=shared.get(run.config, run.stored)) for run in runs]


def _run(table: Experiment, tier: str, number: int, method: str, size: int | str) -> Run:
    control = table.controls.get(method, {})
    start = {"init": control.get("init", method), **table.rows.get(method, {})}
    start = {"arch": method} if method in BASELINES else start | {"init": start["init"].format(run=number)}
    column = table.columns[size]
    given = of_tier({**table.common, **({"fraction": column} if isinstance(column, float) else column), **start}, tier)
    kind = FrozenConfig if given.pop("frozen", False) else FinetuneConfig
    config = kind.of(dataset=table.dataset, protocol=table.paper, tier=tier, seed=number, **given).resolved()
    config = dataclasses.replace(config, epochs=config.epochs * control.get("epochs_times", 1))
    word = config.init if "-seed" in config.init else method  # no key of one by seed is that of an earlier pretraining
    key = f"{table.dataset}-{tier}-{word}-{size}-run{number}"
    return Run(table.name, method, size, number, config, (table.name, key))
