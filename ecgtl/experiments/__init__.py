"""Which runs make which table: enumerate them, see what is there, make one."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ecgtl import results
from ecgtl.config import BASELINES, FinetuneConfig, Plan, protocol
from ecgtl.errors import why_not
from ecgtl.experiments.experiment import Experiment, load
from ecgtl.experiments.experiment import names as names
from ecgtl.experiments.run import PlannedRun
from ecgtl.jobs import finetune
from ecgtl.results import Result


@dataclass(frozen=True)
class Run(PlannedRun):
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

    def is_current(self, result: Result) -> bool:
        """Whether the recordings are those that the experiment stands on."""
        return self.config.tier == "demo" or load(self.experiment).data.digest in ("unknown", result.data["digest"])

    def obstacle(self) -> str:
        """Why the starting weights are not available."""
        return why_not(lambda: Plan(self.config).start)

    def make(self, command: str) -> tuple[Path, str]:
        """Fine-tune."""
        result, score = finetune.run(self.config, self.home, self.key, command=command), load(self.experiment).score
        words = f"{score.replace('_', ' ').replace(' f1', ' F1')} {result.scores[score]:.3f}"
        return results.save(result), self.line(result, words)


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
    others = [run for other in table.shares for run in enumerate_runs(other, tier)]
    shared = {run.config: {"key": run.key, "home": run.home} for run in others}
    return [dataclasses.replace(run, **shared.get(run.config, {})) for run in runs]


def _run(table: Experiment, tier: str, number: int, method: str, size: int | str) -> Run:
    control = table.controls.get(method, {})
    start = {"init": control.get("init", method)} | table.rows.get(method, {})
    start = {"arch": method} if method in BASELINES else start | {"init": start["init"].format(run=number)}
    if tier in table.epochs:
        start["epochs"] = table.epochs[tier]
    given = {**table.common} | _column(table.columns[size], table.paper, tier) | start
    config = FinetuneConfig.of(dataset=table.dataset, protocol=table.paper, tier=tier, seed=number, **given).resolved()
    config = dataclasses.replace(config, epochs=config.epochs * control.get("epochs_times", 1))
    word = config.init if "-seed" in config.init else method  # no key of one by seed is that of an earlier pretraining
    key = f"{table.dataset}-{tier}-{word}-{size}-run{number}"
    return Run(table.name, key, method, size, number, config, table.name)


def _column(column: float | Mapping, paper: str, tier: str) -> dict:
    """What a column sets: a share of the training set, or parameters by name.

    ``sampling_rate_times`` is relative to the tier's rate, which pretraining used: 300 Hz beside 250 Hz is 1.2 in every
    tier.
    """
    if isinstance(column, float):
        return {"fraction": column}
    given = dict(column)
    if "sampling_rate_times" in given:
        given["sampling_rate"] = protocol(paper).tiers[tier]["sampling_rate"] * given.pop("sampling_rate_times")
    return given
