"""Which runs make which table: enumerate them, see what is there, make one."""

import dataclasses
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from ecgtl import results
from ecgtl.config import BASELINES, FinetuneConfig, protocol, protocols
from ecgtl.errors import EcgtlError, why_not


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


def names() -> tuple[str, ...]:
    """All experiments of all papers."""
    return tuple(name for paper in protocols() for name in protocol(paper)["experiments"])


def definition(experiment: str) -> tuple[str, dict]:
    """The paper of an experiment and its entry in ``experiments/<paper>.yml``."""
    for paper in protocols():
        if experiment in protocol(paper)["experiments"]:
            return paper, protocol(paper)["experiments"][experiment]
    raise EcgtlError(f"unknown experiment {experiment!r}; allowed: {', '.join(names())}")


@lru_cache(maxsize=64)
def enumerate_runs(experiment: str, tier: str) -> list[Run]:
    """Every run of ``experiment`` in ``tier``: first runs of all cells first, so that a table fills evenly; controls last.

    Do not change the list: it depends on the YAML alone and is kept.
    """
    paper, entry = definition(experiment)
    controls = entry.get("controls", {})
    cells = [(method, size) for size in entry["sizes"] for method in methods_of(entry) if size in sizes_of(entry, method)]
    planned = [(number, method, size) for method, size in cells for number in range(runs_of(entry, method, tier))]
    runs = [_run(paper, experiment, entry, tier, *cell) for cell in sorted(planned, key=lambda cell: (cell[1] in controls, cell[0]))]
    shared = {run.config: run for other in entry.get("shares", ()) for run in enumerate_runs(other, tier)}
    # A run that is shared is stored by the experiment that it is shared with
    return [dataclasses.replace(run, key=same.key, home=same.home) if (same := shared.get(run.config)) else run for run in runs]


def methods_of(entry: dict) -> tuple[str, ...]:
    """Rows of an experiment: trivial baselines, initialisations, and controls."""
    return (*entry["baselines"], *entry["inits"], *entry.get("controls", {}))


def sizes_of(entry: dict, method: str) -> tuple[int | str, ...]:
    """The columns that a row is run at: all of them, but for controls."""
    return tuple(entry.get("controls", {}).get(method, entry)["sizes"])


def score_of(experiment: str) -> str:
    """The score that an experiment's table reports first."""
    paper, entry = definition(experiment)
    return entry.get("score", protocol(paper)["score"])


def size_words(entry: dict, size: int | str) -> str:
    """A column as a reader sees it: ``25 %`` for a share, else the name that it has."""
    return f"{size} %" if isinstance(entry["sizes"][size], float) else f"{size}{entry.get('unit', '')}"


def runs_of(entry: dict, method: str, tier: str) -> int:
    """Planned runs of a cell: the random row and the trivial baselines may have a number of their own.

    ``absent`` names the rows that a tier has not, as it makes no weights for them.
    """
    if method in entry.get("absent", {}).get(tier, ()):
        return 0
    own = method in ("random", *BASELINES) and "runs_random" in entry
    return entry["runs_random" if own else "runs"][tier]


def _run(paper: str, experiment: str, entry: dict, tier: str, number: int, method: str, size: int | str) -> Run:
    control = entry.get("controls", {}).get(method, {})
    start = {"arch": method} if method in BASELINES else {"init": control.get("init", method)} | entry.get("rows", {}).get(method, {})
    if "init" in start:
        start["init"] = start["init"].format(run=number)
    if tier in entry.get("epochs", {}):
        start["epochs"] = entry["epochs"][tier]
    config = FinetuneConfig.of(dataset=entry["dataset"], protocol=paper, tier=tier, seed=number, **entry.get("common", {}) |
                               _column(entry["sizes"][size], paper, tier) | start).resolved()
    config = dataclasses.replace(config, epochs=config.epochs * control.get("epochs_times", 1))
    word = config.init if "-seed" in config.init else method  # no key of a pretraining by seed is that of an earlier one
    return Run(experiment, f"{entry['dataset']}-{tier}-{word}-{size}-run{number}", method, size, number, config, experiment)


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
    digest = definition(run.experiment)[1]["data"]["digest"]
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

    result, score = finetune.run(run.config, run.home, run.key, command=command), score_of(run.experiment)
    return results.save(result), (f"{run.key}: {score.replace('_', ' ').replace(' f1', ' F1')} {result.scores[score]:.3f} "
                                  f"({result.provenance['wall_seconds']:.0f} s)")
