"""What an experiment costs before one starts it: counted work, measured speed, and an estimate where neither ran."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property, lru_cache, partial
from typing import Any

import numpy as np
import pandas as pd

from ecgtl import experiments, models, paths, results
from ecgtl.analysis import cells
from ecgtl.config import ALL_LEADS, BASELINES, TIERS, TRANSFERS, FinetuneConfig, PretrainConfig, protocol
from ecgtl.datasets import catalogue
from ecgtl.experiments import pretrainings, queue, runners, sources, transfers
from ecgtl.experiments.gpu import network_of
from ecgtl.jobs import inputs

CORES = 2
Run = Any  # of one of the kinds that are counted
COUNTED = (experiments, sources, transfers)  # kinds of experiments that train networks for tables


def costs() -> pd.DataFrame:
    """One row an experiment and tier: runs, hours on two cores, a ``cluster`` and one GPU at most, download in GB.

    ``basis`` says where the hours on two cores come from: ``measured`` where runs of that tier were finished on a CPU,
    else ``estimated`` from counted floating-point operations at the speed of the runs that were. Every planned epoch is
    counted: early stopping makes it less. The GPU is always an estimate (``costs.yml``), and there is none for folds:
    an epoch is a few small steps there, whose time is not that of their operations.
    """
    rows = [_row(experiment, tier) for experiment in _names() for tier in TIERS]
    return pd.DataFrame([row for row in rows if row])


def readable() -> pd.DataFrame:
    """The costs as a reader sees them."""
    table = costs()
    on_cpu = [f"{_hours(hours)} ({basis})" for hours, basis in zip(table["cpu_hours"], table["basis"], strict=True)]
    return pd.DataFrame({"Experiment": table["experiment"], "Tier": table["tier"], "Runs": table["runs"],
                         "Two CPU cores": on_cpu, "{nodes} nodes of {cores} cores".format(**cluster()):
                         table["cluster_hours"].map(_hours), "One GPU (estimated)": table["gpu_hours"].map(_hours),
                         "Download": table["download_gb"].map(lambda gb: f"{gb:.2g} GB" if gb else "none")})


def gpu() -> dict:
    """The GPU that is assumed: its ``name``, its measured peak, and the ``share`` of it that is taken to be reached."""
    return paths.facts("analysis/costs")["gpu"]


def cluster() -> dict:
    """The cluster that is assumed: ``nodes``, and ``cores`` of each."""
    return paths.facts("analysis/costs")["cluster"]


def gpu_speed() -> float:
    """Operations a second that it is taken to reach."""
    return float(gpu()["bf16_flops_per_second"]) * gpu()["share"]


class Forecast:
    """What runs of an experiment and tier will take: as long as alike runs that were finished on a CPU, by the queue's
    estimate, else what the counted work takes.
    """

    def __init__(self, experiment: str, tier: str):
        self._experiment, self._tier = experiment, tier
        self.speed = lru_cache(partial(_cpu_speed, experiment, tier))

    @cached_property
    def _alike(self) -> queue.Estimate:
        return queue.Estimate(self._tier, "cpu")

    def hours(self, run: Run) -> float:
        """On one core; NaN where nobody can know."""
        known = self._alike.seconds(run)
        return self.counted(run) if known is None else known / 3600

    def counted(self, run: Run) -> float:
        """Hours on one core by counted work alone: none of what trains no network."""
        return CORES * _flops(run) / self.speed(run.config.arch)[0] / 3600 if _is_network(run) else 0.0

    def ratios(self) -> tuple[list[float], str]:
        """Estimate / actual of the experiment's finished runs, each estimated from the others; where the tier has none,
        counted work / actual of the networks of the other tiers, but for synthetic data; and which of the two.
        """
        planned, found = runners.enumerate_runs(self._experiment, self._tier), self._alike.ratios
        if own := [found[run.path] for run in planned if run.path in found]:
            return own, ""
        return [3600 * hours / body.provenance["wall_seconds"] / body.provenance["threads"]
                for tier in TIERS[1:] for run, body in cells.runs(self._experiment, tier)
                if body.provenance["device"] == "cpu" and (hours := self.counted(run)) > 0], " of another tier"

    def lines(self, runs: Sequence[Run], cores: int, nodes: Sequence[int] | None = None) -> list[str]:
        """What ``runs`` cost, on ``cores`` of one machine, on ``nodes`` (how many, cores of each) of a cluster, and on
        a GPU; then how near to the truth such estimates were.
        """
        n_nodes, each = nodes or cluster().values()
        ratios, where = self.ratios()
        held = (f"  held against {len(ratios)} finished runs{where}: median estimate / actual {np.median(ratios):.2f}"
                if ratios else "  no finished run to hold an estimate against")
        if not runs:
            return [held]
        hours = np.array([self.hours(run) for run in runs])
        known = hours[np.isfinite(hours)] if np.isfinite(hours).any() else hours
        partly = f"; unknown for {len(hours) - len(known)} of them" if len(known) < len(hours) else ""
        return [f"  cost of what is missing: {_hours(on(known, cores))} on {cores} cores, "
                f"{_hours(on(known, n_nodes * each))} on {n_nodes} nodes of {each} cores{partly}",
                f"  on one GPU ({gpu()['name']}), by counted work: {_hours(_gpu_hours(runs))}", held]


def on(hours: np.ndarray, cores: int) -> float:
    """Hours of runs on so many cores, from those of each (n,) on one: a run has one core, so it is no less than the
    longest.
    """
    return max(hours.sum() / cores, hours.max(initial=0.0))


def _gpu_hours(runs: Sequence[Run]) -> float:
    """An epoch of a fold is a few small steps, whose time is not that of their operations: NaN."""
    if isinstance(runs[0], transfers.Transfer):
        return float("nan")
    return sum(_flops(run) for run in runs if _is_network(run)) / gpu_speed() / 3600


def _names() -> list[str]:
    return [name for runner in COUNTED for name in runner.names()]


def _row(experiment: str, tier: str) -> dict:
    networks: list[Run] = [run for run in runners.enumerate_runs(experiment, tier) if _is_network(run)]
    if not networks:
        return {}
    forecast = Forecast(experiment, tier)
    hours = np.array([forecast.counted(run) for run in networks])
    bases = [forecast.speed(run.config.arch)[1] for run in networks]
    read = dict.fromkeys(run.config.target if isinstance(run, transfers.Transfer) else run.config.dataset
                         for run in networks)
    return {"experiment": experiment, "tier": tier, "runs": len(networks),
            "cpu_hours": on(hours, CORES), "cluster_hours": on(hours, cluster()["nodes"] * cluster()["cores"]),
            "basis": max(bases, key=("measured", "estimated", "unknown").index),
            "gpu_hours": _gpu_hours(networks),
            "download_gb": 0.0 if tier == "demo" else sum(catalogue.entry(name).download_gb for name in read)}


def gpu_seconds(run: Run) -> float | None:
    """How long a run takes on one GPU at most; None where its time is not that of counted operations."""
    is_counted = isinstance(run, experiments.Run | sources.Source) and _is_network(run)
    return _flops(run) / gpu_speed() if is_counted else None


def _is_network(run: Run) -> bool:
    """Whether a run trains a network: a linear layer on image features, or a baseline, costs nothing."""
    return run.config.arch not in BASELINES and getattr(run.config, "init", "") != "image"


def _flops(run: Run) -> float:
    """Operations of a run; NaN for a pretraining whose data have to be read to know."""
    if isinstance(run, pretrainings.Pretraining):
        work = run.config.per_epoch and run.config.per_epoch * _frame_flops(replace(run.config, seed=0))
        return float("nan") if work is None else work * run.config.epochs
    if getattr(run.config, "frozen", False):  # every recording once, forward alone: a third of a step
        return _sample_flops(run) * _records(run) / 3
    return _sample_flops(run) * _training_records(run) * run.config.epochs


@lru_cache
def _frame_flops(config: PretrainConfig) -> int:
    return models.step_flops(partial(network_of, config))


def _sample_flops(run: Run) -> int:
    """Operations of one step on one sample. A fold's network has the inputs and the width of its tier's sources."""
    config: Any = run.config
    if isinstance(run, transfers.Transfer):
        config = FinetuneConfig.of(dataset=config.target, protocol=TRANSFERS, arch=config.arch, tier=config.tier,
                                   lead=config.lead).resolved()
    leads: Any = catalogue.entry(config.dataset).leads if config.lead == ALL_LEADS else 1
    if config.arch == "bilstm":
        return _recurrent_flops(leads, config.n_samples, config.width)
    options = {"variant": config.variant} if config.arch == "cae_classifier" else {}
    return models.training_flops(config.arch, leads, 4, config.n_samples, width=config.width, **options)


def _recurrent_flops(leads: int, n_samples: int, width: int) -> int:
    """The same of a Bi-LSTM. Every step adds as much, and is counted by itself: two short inputs tell it all."""
    short, longer = (models.training_flops("bilstm", leads, 4, n, width=width, length=n) for n in (10, 11))
    return short + (n_samples - 10) * (longer - short)


def _training_records(run: Run) -> float:
    config = run.config
    if isinstance(run, transfers.Transfer):
        return config.records * (1 - config.test) * (1 - config.validation)
    rules = protocol(config.protocol).split
    # A bootstrap draws from all that is not tested; its validation set is what the draw left
    kept = 1 - rules.test - (rules.validation if rules.kind == "stratified" else 0)
    return _records(run) * kept * config.fraction


def _records(run: Run) -> int:
    """Recordings of a run's data set: those of its twin, those that the experiment counted, or all of the release."""
    if run.config.tier == "demo":
        return _twin_records(run.config.dataset, run.config.protocol, run.config.lead)
    if isinstance(run, experiments.Run):
        return experiments.load(run.experiment).data.records
    return catalogue.entry(run.config.dataset).records or 0


@lru_cache
def _twin_records(dataset: str, rules: str, lead: int | str) -> int:
    return len(inputs.read(FinetuneConfig.of(dataset=dataset, protocol=rules, lead=lead, tier="demo").plan()))


def _cpu_speed(experiment: str, tier: str, arch: str) -> tuple[float, str]:
    """Operations a second on two cores, from the fastest finished epoch of each run; and whether it was this tier.

    Where no such network ran in the tier, the experiment's other tiers are asked, then the other experiments; where
    none ran at all, another network has to do, the nearest in that order.
    """
    fallback: list[float] = []
    places = [(name, other) for name in _names() for other in reversed(TIERS)]
    for place in sorted(places, key=lambda place: (place != (experiment, tier), place[0] != experiment)):
        found = [(run.config.arch, _epoch_speed(run, body)) for run, body in cells.runs(*place)
                 if _is_network(run) and body.history and body.provenance["device"] == "cpu"]
        same = [speed for name, speed in found if name == arch]
        if same:
            return float(np.median(same)), "measured" if place == (experiment, tier) else "estimated"
        fallback = fallback or [speed for _, speed in found]
    return (float(np.median(fallback)), "estimated") if fallback else (float("nan"), "unknown")


def _epoch_speed(run: Run, body: results.Result) -> float:
    """Operations a second on two cores; a fold has stored the median of its epochs alone."""
    if isinstance(run, transfers.Transfer):
        seconds, records = body.provenance["epoch_seconds"], _training_records(run)
    else:
        seconds = min(row["seconds"] for row in body.history)
        records = sum(body.data["split"]["train"].values())
    return _sample_flops(run) * records / seconds * CORES / body.provenance["threads"]


def _hours(hours: float) -> str:
    if not np.isfinite(hours):
        return "unknown"
    if hours < 1 / 60:
        return "under a minute"
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.0f} h"
