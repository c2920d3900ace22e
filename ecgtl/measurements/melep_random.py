"""MELEP of networks with random weights and a random head, on the tasks of a transferability experiment: no training.

    python -m ecgtl measure melep-random melep2023-ptbxl     into results/measured/

Each trained source has its random twins: the same network, as many labels, of the same kind. The heads of a seed share
one body.
"""

import dataclasses
import itertools
from collections import defaultdict
from typing import Any

import numpy as np
import torch

from ecgtl import results
from ecgtl.experiments import sources, transfers
from ecgtl.jobs import evidence, inputs
from ecgtl.measurements import rr_folds
from ecgtl.results import MEASURED, Result
from ecgtl.training import linear, loop
from ecgtl.transferability import WEIGHTINGS, label_weights, melep_per_label

PROGRAM = "python -m ecgtl measure melep-random"
SEEDS = range(5)


def key_of(experiment: str, tier: str) -> str:
    """Name of its files."""
    return f"{experiment}-random-{tier}"


@torch.inference_mode()
def measure(experiment: str, tier: str) -> Result:
    """MELEP of the random networks on every fold that the tier plans for theirs; not yet saved.

    ``scores`` by fold, checkpoint and weighting, a number a seed; ``arrays`` have the losses of the labels behind them,
    (seeds, Y) for each checkpoint and fold. Batch normalisation is estimated again on the fold's training inputs, which
    are those that are scored. Raises EcgtlError as ``rr_folds.drawn`` does.
    """
    seconds, device = results.clock(), loop.pick_device()
    prepared, target, tasks = rr_folds.drawn(experiment, tier)
    x, planned = prepared.inputs(), transfers.enumerate_runs(experiment, tier)
    trained = [one for name in sources.names() for one in sources.enumerate_runs(name, tier)
               if one.config.dataset in {run.config.source for run in planned}]
    of_sources = {one.config.dataset: inputs.read(one.config.plan()) for one in trained}
    losses: dict[tuple[str, str, int], list[np.ndarray]] = defaultdict(list)
    for arch, seed in itertools.product(dict.fromkeys(one.config.arch for one in trained), SEEDS):
        plans = {one.config.dataset: dataclasses.replace(one.config, seed=seed).plan()
                 for one in trained if one.config.arch == arch}
        heads: dict[str, Any] = {source: inputs.Prepared(plan, of_sources[source]).network().to(device)
                                 for source, plan in plans.items()}
        body = next(iter(heads.values()))  # one body for the heads of a seed
        for number in sorted({run.config.fold for run in planned if run.config.arch == arch}):
            rows = tasks[number].training
            linear.renormalise(body, x[rows], device)
            parts = torch.from_numpy(x[rows]).to(device).split(linear.BATCH)
            features = torch.cat([body.features(part).cpu() for part in parts]).numpy()
            for source, head in heads.items():
                p = loop.predict(head.output, features, device, of_sources[source].multi_label, "float32")
                losses[source, arch, number].append(melep_per_label(p, target.labels(tasks[number], rows)))
    folds: dict[str, dict] = defaultdict(dict)
    for (source, arch, number), found in losses.items():
        table = target.labels(tasks[number], tasks[number].training)
        values = {f"melep_{name}": (np.array(found) @ label_weights(table, name)).tolist() for name in WEIGHTINGS}
        folds[str(number)][f"{source}-{arch}"] = values
    arrays = {f"{source}-{arch}-{number:03d}": np.array(found) for (source, arch, number), found in losses.items()}
    command = f"{PROGRAM} {experiment} --tier {tier}"
    return Result(MEASURED, key_of(experiment, tier), {"tier": tier, "experiment": experiment, "arch": "random"},
                  evidence.evidence_of(prepared), {"folds": folds}, [], rr_folds.facts(prepared.recordings), arrays,
                  results.provenance(str(device), seconds(), 0, torch.get_num_threads(), command))


def stored(experiment: str, tier: str) -> Result | None:
    """The measurement; None while there is none on the tier's recordings."""
    return rr_folds.stored(experiment, tier, key_of(experiment, tier))


def load(experiment: str, tier: str, measure: str) -> dict[tuple[str, str], dict[int, list[float]]]:
    """The scores by (source, network) and number of the fold; empty while they have not been measured."""
    found: dict = defaultdict(dict)
    for number, by_name in (body.scores["folds"] if (body := stored(experiment, tier)) else {}).items():
        for name, scores in by_name.items():
            found[tuple(name.split("-"))][int(number)] = scores[measure]
    return found
