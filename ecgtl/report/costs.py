"""What an experiment costs before one starts it: counted work, measured speed, and an estimate where neither ran."""

import numpy as np
import pandas as pd
import yaml

from ecgtl import experiments, finetune, models, paths
from ecgtl.config import ALL_LEADS, BASELINES, TIERS, FinetuneConfig, protocol
from ecgtl.datasets import catalogue
from ecgtl.experiments import Run
from ecgtl.report import tables

CORES = 2


def costs() -> pd.DataFrame:
    """One row an experiment and tier: runs, hours on two cores and on one GPU at most, download in GB.

    ``basis`` says where the hours on two cores come from: ``measured`` where runs of that tier were finished on a CPU,
    else ``estimated`` from counted floating-point operations at the speed of the runs that were. Every planned epoch is
    counted: early stopping makes it less. The GPU is always an estimate (``report/costs.yml``).
    """
    rows = [_row(experiment, tier) for experiment in experiments.names() for tier in TIERS]
    return pd.DataFrame([row for row in rows if row])


def readable() -> pd.DataFrame:
    """The costs as a reader sees them."""
    table = costs()
    return pd.DataFrame({"Experiment": table["experiment"], "Tier": table["tier"], "Runs": table["runs"],
                         "Two CPU cores": [f"{_hours(h)} ({b})" for h, b in zip(table["cpu_hours"], table["basis"], strict=True)],
                         "One GPU (estimated)": table["gpu_hours"].map(_hours),
                         "Download": table["download_gb"].map(lambda gb: f"{gb:.2g} GB" if gb else "none")})


def _row(experiment: str, tier: str) -> dict:
    networks = [run for run in experiments.enumerate_runs(experiment, tier)
                if run.method not in BASELINES and run.config.init != "image"]  # one linear layer costs nothing
    if not networks:
        return {}
    flops = sum(_flops(run) for run in networks)
    speed, basis = _cpu_speed(experiment, tier)
    gpu = yaml.safe_load((paths.PACKAGE / "report" / "costs.yml").read_text())["gpu"]
    dataset = experiments.definition(experiment)[1]["dataset"]
    return {"experiment": experiment, "tier": tier, "runs": len(networks), "cpu_hours": flops / speed / 3600, "basis": basis,
            "gpu_hours": flops / (float(gpu["bf16_flops_per_second"]) * gpu["share"]) / 3600,
            "download_gb": 0.0 if tier == "demo" else catalogue.entry(dataset).download_gb}


def _flops(run: Run) -> float:
    """Operations of a run: training samples x epochs x operations a sample."""
    config = run.config
    return _sample_flops(config) * _training_records(run) * config.epochs


def _sample_flops(config: FinetuneConfig) -> int:
    options = {"variant": config.variant} if config.arch == "cae_classifier" else {}
    leads = catalogue.entry(config.dataset).leads if config.lead == ALL_LEADS else 1
    return models.training_flops(config.arch, leads, 4, config.n_samples, width=config.width, **options)


def _training_records(run: Run) -> float:
    _, entry = experiments.definition(run.experiment)
    rules = protocol(run.config.protocol)["split"]
    records = entry["data"]["records"] if run.config.tier != "demo" else len(finetune.read(run.config))
    # A bootstrap draws from all that is not tested; its validation part is what the draw left
    kept = 1 - rules["test"] - (rules["validation"] if rules["kind"] == "stratified" else 0)
    return records * kept * run.config.fraction


def _cpu_speed(experiment: str, tier: str) -> tuple[float, str]:
    """Operations a second on two cores, from the fastest finished epoch of each run; and whether it was this tier.

    Where nothing of the tier ran, the experiment's other tiers are asked, then the other experiments.
    """
    other_tiers = [(experiment, other) for other in TIERS if other != tier]
    elsewhere = [(other, other_tier) for other in experiments.names() if other != experiment for other_tier in TIERS]
    for place in ((experiment, tier), *other_tiers, *elsewhere):
        speeds = [_epoch_speed(run, body) for run, body in tables.runs(*place)
                  if body["history"] and body["provenance"]["device"] == "cpu" and run.config.init != "image"]
        if speeds:
            return float(np.median(speeds)), "measured" if place == (experiment, tier) else "estimated"
    return float("nan"), "unknown"


def _epoch_speed(run: Run, body: dict) -> float:
    fastest = min(row["seconds"] for row in body["history"])
    work = _sample_flops(run.config) * sum(body["data"]["split"]["train"].values())
    return work / fastest * CORES / body["provenance"]["threads"]


def _hours(hours: float) -> str:
    if not np.isfinite(hours):
        return "unknown"
    if hours < 1 / 60:
        return "under a minute"
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:.0f} h"
