"""One fold of the transferability experiment: ``run(config) -> Result``.

A task is drawn out of a target, the checkpoint is scored on its training set, then fine-tuned on it and
tested. Source: Nguyen, Duong & Do 2023, section 3.1.
"""

import dataclasses
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ecgtl import metrics, results, transferability
from ecgtl.config import TRANSFERS, TransferConfig, TransferPlan, label_columns, protocol, starts
from ecgtl.datasets import cache, label_tasks
from ecgtl.datasets.recordings import Recordings
from ecgtl.jobs.evidence import evidence_of
from ecgtl.jobs.finetune import training_state
from ecgtl.jobs.inputs import PARTS, Prepared, prepare
from ecgtl.jobs.scoring import by_choice, labels_of, value_of
from ecgtl.training import loop

CHOICES = ("validated", "best_test")
KEPT = ("train_loss", "validation_score", "test_score")  # columns of the history: there are many folds


@dataclasses.dataclass(frozen=True)
class Target:
    """A prepared target: ``recordings`` (R) that are long enough, ``x`` (R, leads, samples) what a network
    sees of them, ``table`` (R, L) their labels as 0 and 1.
    """

    recordings: Recordings
    x: np.ndarray
    table: np.ndarray

    def names(self, fold: label_tasks.Fold) -> tuple[str, ...]:
        """The labels of a task."""
        return tuple(self.recordings.classes[k] for k in fold.labels)

    def labels(self, fold: label_tasks.Fold, rows: np.ndarray) -> np.ndarray:
        """The table of a task, (n, Y), at ``rows``."""
        return self.table[np.ix_(rows, fold.labels)]


def run(config: TransferConfig | TransferPlan, experiment: str = "transfer", key: str | None = None,
        report: loop.Report = None, command: str | None = None) -> results.Result:
    """Score and fine-tune one checkpoint on one fold and return the result, not yet saved.

    ``report`` is called with the history row of each epoch. Raises EcgtlError for anything a user can mend.
    """
    seconds = results.clock()
    plan = config.plan()
    config, device = plan.config, str(plan.device)
    target = target_of(plan)
    fold = draw(config, target)
    asked = time.perf_counter()
    measured, pair_losses = measure(plan.start, target, fold)
    score_seconds = time.perf_counter() - asked
    fit = _fine_tune(plan, target, fold, report)
    provenance = results.provenance(device, seconds(), config.fold, torch.get_num_threads(), command)
    epoch_seconds = float(np.median([row["seconds"] for row in fit.history]))
    provenance |= {"score_seconds": score_seconds, "epoch_seconds": epoch_seconds}
    y_test, support = target.labels(fold, fold.test), target.labels(fold, fold.train).sum(axis=0)
    scored, probabilities = by_choice(fit, CHOICES, lambda _, p: scores(y_test, p, target.names(fold), support))
    top = {name: scored[protocol(TRANSFERS).transfers.report][name] for name in ("weighted_f1", "train_weighted_f1")}
    arrays = {"y_test": y_test} | probabilities | {"part": part_of_each(fold, len(target.recordings)),
                                                   "pair_losses": pair_losses}
    history = [{"epoch": row["epoch"]} | {name: round(row[name], 5) for name in KEPT} for row in fit.history]
    return results.Result(experiment, key or own_key(config), config.portable(),
                          evidence_of(Prepared(plan.tuning, target.recordings)), top | {"measures": measured} | scored,
                          history, _data(plan, target, fold), arrays, provenance)


def default_key(config: TransferConfig) -> str:
    """File name of a fold: what was transferred where, and its number."""
    return f"{config.source}-{config.arch}-{config.target}-{config.tier}-fold{config.fold:03d}"


def own_key(config: TransferConfig) -> str:
    """File name of a resolved fold of no experiment: parameters that differ from the tier's add a hash."""
    same = {name: getattr(config, name) for name in ("source", "arch", "target", "tier", "fold", "device")}
    other = "" if TransferConfig.of(**same).resolved() == config else f"-{cache.key_of(dataclasses.asdict(config))[:8]}"
    return default_key(config) + other


def target_of(plan: TransferPlan) -> Target:
    """The target of ``plan``, without what is too short or flat, as the network sees it."""
    prepared = prepare(plan.tuning)
    return Target(prepared.recordings, prepared.inputs(), prepared.recordings.label_matrix)


def draw(config: TransferConfig, target: Target) -> label_tasks.Fold:
    """The task of a resolved ``config``: a matter of target and fold number, whatever the checkpoint."""
    chosen = label_columns(config.label_set, target.recordings) or None
    return label_tasks.draw(target.table, target.recordings.subjects, config.fold, (config.fewest, config.most),
                      config.records, config.test, config.validation, chosen)


def measure(start: Path, target: Target, fold: label_tasks.Fold) -> tuple[dict, np.ndarray]:
    """Every measure of the checkpoint on the fold's training set alone, and ``pair_losses`` (Y, Z).

    Rows of the test set are not even read. Source: Nguyen 2023, section 3.1.
    """
    labels = target.labels(fold, fold.training)
    probabilities, _ = transferability.source_probabilities(start, target.x[fold.training])
    per_label = transferability.melep_per_label(probabilities, labels).tolist()
    measured = transferability.measures(probabilities, labels)
    return (measured | {"melep_per_label": dict(zip(target.names(fold), per_label, strict=True))},
            transferability.pair_losses(probabilities, labels))


def _fine_tune(plan: TransferPlan, target: Target, fold: label_tasks.Fold, report: loop.Report) -> loop.TrainResult:
    config = plan.config
    model = Prepared(plan.tuning, dataclasses.replace(target.recordings, classes=target.names(fold))).network()
    every = [getattr(fold, part) for part in PARTS]
    train, validation, test = (loop.LabelledArray(target.x[rows], target.labels(fold, rows)) for rows in every)
    how = loop.TrainConfig(config.epochs, config.batch_size, config.learning_rate, config.epochs, "validation_score",
                             "validation_score", config.precision, config.fold)
    state = training_state({"transfer": dataclasses.asdict(config), "digest": target.recordings.digest,
                            "start": starts.checksum(plan.start)}, plan.device)
    return loop.fit(model, train, validation, test, how, partial(value_of, "weighted_f1"), plan.device, state, report)


def part_of_each(fold: label_tasks.Fold, n_records: int) -> np.ndarray:
    """For every recording of the target, uint8: from 1 the place of its part in ``PARTS``, 0 where it is in none."""
    part = np.zeros(n_records, np.uint8)
    for number, name in enumerate(PARTS, start=1):
        part[getattr(fold, name)] = number
    return part


def scores(y_true: np.ndarray, probabilities: np.ndarray, names: Sequence[str], train_support: np.ndarray) -> dict:
    """F1 of each label of (n, labels) probabilities at a threshold of 0.5, and two means of it.

    ``weighted_f1`` weighs by occurrences in the test set, ``train_weighted_f1`` by those in the training
    set (public code of Nguyen 2023).
    """
    predicted = labels_of(probabilities)
    per_label = metrics.f1_per_label(y_true, predicted)
    return {"weighted_f1": metrics.weighted_f1(y_true, predicted),
            "train_weighted_f1": float(np.average(per_label, weights=train_support)),
            "f1_per_label": dict(zip(names, per_label, strict=True))}


def _data(plan: TransferPlan, target: Target, fold: label_tasks.Fold) -> dict:
    recordings, names, start = target.recordings, target.names(fold), plan.start
    positives = {part: target.labels(fold, getattr(fold, part)).sum(axis=0).tolist() for part in PARTS}
    weights = {"file": start.name, "sha256": starts.checksum(start), "labels": len(plan.start_facts.classes or ())}
    return {"name": recordings.name, "version": recordings.version, "digest": recordings.digest,
            "records": len(recordings), "classes": list(names),
            "positives": {part: dict(zip(names, counts, strict=True)) for part, counts in positives.items()},
            "redrawn": fold.redrawn, "skipped": {reason: len(ids) for reason, ids in recordings.skipped.items()},
            "start": weights}
