"""What RR intervals alone tell of the tasks of a transferability experiment: boosted trees, and no network.

    python -m ecgtl measure rr-folds melep2023-ptbxl     F1 on every planned fold, into results/measured/

The same tasks and parts as the folds have, drawn again from the target below ``ECGTL_DATA``.
"""

import numpy as np
import torch

from ecgtl import results
from ecgtl.datasets import label_tasks
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError
from ecgtl.experiments import transfers
from ecgtl.jobs import evidence, inputs, transfer
from ecgtl.models import baselines
from ecgtl.results import MEASURED, Result
from ecgtl.signals import rr_intervals

PROGRAM = "python -m ecgtl measure rr-folds"


def key_of(experiment: str, tier: str) -> str:
    """Name of its files."""
    return f"{experiment}-rr-{tier}"


def measure(experiment: str, tier: str) -> Result:
    """Weighted F1 of boosting on RR intervals on every fold that the tier plans; not yet saved.

    It is trained on what the networks are trained on, and a label counts from the same probability on. Raises
    EcgtlError as ``drawn`` does.
    """
    seconds = results.clock()
    prepared, target, tasks = drawn(experiment, tier)
    recordings = prepared.recordings
    features = rr_intervals.rr_features(recordings, prepared.leads[0])
    scores, arrays = {}, {}
    for number, fold in tasks.items():
        learnt = target.labels(fold, fold.train)
        found = baselines.rr_boosting(features, learnt, fold.train, fold.test, len(fold.labels), number)
        found = found.astype(np.float16)  # (n_test, Y); scores are taken from it as stored
        arrays[f"prob_{number:03d}"] = found
        scores[str(number)] = transfer.scores(target.labels(fold, fold.test), found, target.names(fold),
                                              learnt.sum(axis=0))
    # ``leads`` is said of the target: no network stands behind it
    made = results.provenance("cpu", seconds(), 0, torch.get_num_threads(), f"{PROGRAM} {experiment} --tier {tier}")
    return Result(MEASURED, key_of(experiment, tier), {"tier": tier, "experiment": experiment, "arch": "rr"},
                  evidence.evidence_of(prepared), {"folds": scores}, [], facts(recordings), arrays, made)


def drawn(experiment: str, tier: str) -> tuple[inputs.Prepared, transfer.Target, dict[int, label_tasks.Fold]]:
    """The target, prepared and without inputs, and the task of every fold that the tier plans.

    Raises EcgtlError when it plans none, when the target is not available, and when a task is not the one that a
    finished fold has stored.
    """
    planned = transfers.enumerate_runs(experiment, tier)
    if not planned:
        raise EcgtlError(f"{experiment} has no folds in tier {tier}; choose another tier")
    prepared = inputs.prepare(planned[0].config.plan().reading)  # the same whatever checkpoint
    recordings = prepared.recordings
    target = transfer.Target(recordings, np.zeros((0, 0, 0)), recordings.label_matrix)
    tasks = {run.config.fold: transfer.draw(run.config, target) for run in planned}
    for run in planned:
        part = transfer.part_of_each(tasks[run.config.fold], len(recordings))
        if run.path.is_file() and not np.array_equal(results.load(run.path).arrays["part"], part):
            raise EcgtlError(f"{run.path.name} is another task than fold {run.config.fold} is here; its recordings are "
                             "not those available here")
    return prepared, target, tasks


def facts(recordings: Recordings) -> dict:
    """What a measurement says of its target."""
    return {name: getattr(recordings, name) for name in ("name", "version", "digest")} | {"records": len(recordings)}


def load(experiment: str, tier: str) -> dict[int, float]:
    """Weighted F1 by number of the fold; empty while it has not been measured on the tier's recordings."""
    body = stored(experiment, tier, key_of(experiment, tier))
    return {int(number): scores["weighted_f1"] for number, scores in body.scores["folds"].items()} if body else {}


def stored(experiment: str, tier: str, key: str) -> Result | None:
    """A measurement on the folds; None while there is none on the tier's recordings."""
    planned, path = transfers.enumerate_runs(experiment, tier), results.path_of(MEASURED, key, tier)
    body = results.stored(path) if planned and path.is_file() else None
    return body if body and planned[0].same_data(body) else None
