"""Which runs make which table: enumerate them, see what is there, make one."""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ecgtl import results
from ecgtl.config import BASELINES, FinetuneConfig, protocol
from ecgtl.errors import why_not
from ecgtl.experiments.experiment import Experiment, load
from ecgtl.experiments.experiment import names as names


@dataclass(frozen=True)
class Run:
    """One run of a cell: ``method`` is the row of its table, ``size`` the column, ``number`` counts from 0.

    ``home`` is the experiment that it is stored under: the experiment itself, or the one that it is shared with.
    Columns are mostly shares of the data set in per cent; they may be anything that a config can say (``sizes`` in
    ``experiments/*.yml``).
    """

    experiment: str
    key: str
    method: str
    size: int | str
    number: int
    config: FinetuneConfig
    home: str

    @property
    def path(self) -> Path:
        """File of its result."""
        return results.path_of(self.home, self.key, self.config.tier)


@lru_cache(maxsize=64)
def enumerate_runs(experiment: str, tier: str) -> list[Run]:
    """Every run of ``experiment`` in ``tier``: first runs of all cells first, so that a table fills evenly; controls last.

    Do not change the list: it depends on the YAML alone and is kept.
    """
    table = load(experiment)
    cells = [(method, size) for size in table.columns for method in table.methods if size in table.columns_of(method)]
    planned = [(number, method, size) for method, size in cells for number in range(table.runs_of(method, tier))]
    runs = [_run(table, tier, *cell) for cell in sorted(planned, key=lambda cell: (cell[1] in table.controls, cell[0]))]
    shared = {run.config: run for other in table.shares for run in enumerate_runs(other, tier)}
    # A run that is shared is stored by the experiment that it is shared with
    return [dataclasses.replace(run, key=same.key, home=same.home) if (same := shared.get(run.config)) else run for run in runs]


def _run(table: Experiment, tier: str, number: int, method: str, size: int | str) -> Run:
    control = table.controls.get(method, {})
    start = {"arch": method} if method in BASELINES else {"init": control.get("init", method)} | table.rows.get(method, {})
    if "init" in start:
        start["init"] = start["init"].format(run=number)
    if tier in table.epochs:
        start["epochs"] = table.epochs[tier]
    config = FinetuneConfig.of(dataset=table.dataset, protocol=table.paper, tier=tier, seed=number, **{**table.common} |
                               _column(table.columns[size], table.paper, tier) | start).resolved()
    config = dataclasses.replace(config, epochs=config.epochs * control.get("epochs_times", 1))
    word = config.init if "-seed" in config.init else method  # no key of a pretraining by seed is that of an earlier one
    return Run(table.name, f"{table.dataset}-{tier}-{word}-{size}-run{number}", method, size, number, config, table.name)


def _column(column: float | dict, paper: str, tier: str) -> dict:
    """What a column sets: a share of the training part, or parameters by name.

    ``sampling_rate_times`` is relative to the tier's rate, which pretraining used: 300 Hz beside 250 Hz is 1.2 in every
    tier.
    """
    if isinstance(column, float):
        return {"fraction": column}
    factor = column.get("sampling_rate_times")
    rate = {} if factor is None else {"sampling_rate": protocol(paper)["tiers"][tier]["sampling_rate"] * factor}
    return {name: value for name, value in column.items() if name != "sampling_rate_times"} | rate


def state(run: Run) -> str:
    """``done``, ``missing``, or ``stale`` when the stored result came from another config or other data."""
    body = results.done(run.path)
    if body is None:
        return "missing"
    same_config = results.same_config(body["config"], run.config, results.INCIDENTAL)
    digest = load(run.experiment).data.digest
    same_data = run.config.tier == "demo" or digest in ("unknown", body["data"]["digest"])
    return "done" if same_config and same_data else "stale"


def is_missing(run: Run) -> bool:
    """Whether the run is to be made: missing or stale."""
    return state(run) != "done"


def obstacle(run: Run) -> str:
    """Why the run's starting weights are not at hand; empty when they are."""
    from ecgtl.finetune import starting_weights

    return why_not(starting_weights, run.config)


def make(run: Run, command: str) -> tuple[Path, str]:
    """Make the run and save it: the file of its result, and a line on it."""
    from ecgtl import finetune

    result, score = finetune.run(run.config, run.home, run.key, command=command), load(run.experiment).score
    return results.save(result), (f"{run.key}: {score.replace('_', ' ').replace(' f1', ' F1')} {result.scores[score]:.3f} "
                                  f"({result.provenance['wall_seconds']:.0f} s)")
