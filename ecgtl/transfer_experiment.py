"""One fold of the transferability experiment: ``run(config) -> Result``.

A task is drawn out of a target, the checkpoint is scored on its training part, then fine-tuned on it and
tested. Source: Nguyen, Duong & Do 2023, section 3.1.
"""

import dataclasses
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ecgtl import finetune, folds, metrics, paths, results, training, transferability
from ecgtl.config import TRANSFERS, FinetuneConfig, TransferConfig, protocol
from ecgtl.datasets import cache
from ecgtl.datasets.base import Recordings
from ecgtl.errors import EcgtlError
from ecgtl.experiments.sources import checksum
from ecgtl.finetune import PARTS
from ecgtl.folds import Fold
from ecgtl.models import checkpoint
from ecgtl.results import Result

CHOICES = ("validated", "best_test")
KEPT = ("train_loss", "validation_score", "test_score")  # columns of the history: there are many folds


@dataclass(frozen=True)
class Target:
    """A prepared target: ``recordings`` (R) that are long enough, ``x`` (R, leads, samples) what a network
    sees of them, ``table`` (R, L) their labels as 0 and 1.
    """

    recordings: Recordings
    x: np.ndarray
    table: np.ndarray

    def names(self, fold: Fold) -> tuple[str, ...]:
        """The labels of a task."""
        return tuple(self.recordings.classes[k] for k in fold.labels)

    def labels(self, fold: Fold, rows: np.ndarray) -> np.ndarray:
        """The table of a task, (n, Y), at ``rows``."""
        return self.table[np.ix_(rows, fold.labels)]


def run(config: TransferConfig, experiment: str = "transfer", key: str | None = None,
        report: Callable[[dict], None] | None = None, command: str | None = None) -> Result:
    """Score and fine-tune one checkpoint on one fold and return the result, not yet saved.

    ``report`` is called with the history row of each epoch. Raises EcgtlError for anything a user can mend.
    """
    began = time.perf_counter()
    results.code_state()
    config = config.resolved()
    device = training.pick_device(config.device if config.device != "auto" else paths.device())
    start = starting_weights(config)
    target = prepare(config)
    fold = draw(config, target)
    asked = time.perf_counter()
    measured, pair_losses = measure(start, target, fold)
    score_seconds = time.perf_counter() - asked
    fit = _fine_tune(config, start, target, fold, device, report)
    seconds = time.perf_counter() - began
    provenance = results.provenance(str(device), seconds, config.fold, torch.get_num_threads(), command)
    provenance["score_seconds"] = score_seconds
    provenance["epoch_seconds"] = float(np.median([row["seconds"] for row in fit.history]))
    scored, arrays = _scored(target, fold, fit)
    arrays |= {"part": part_of_each(fold, len(target.recordings))}
    chosen = scored[protocol(TRANSFERS)["transfers"]["report"]]
    top = {name: chosen[name] for name in ("weighted_f1", "train_weighted_f1")}
    upstream = checkpoint.load(start)[1]["evidence"]  # the checkpoint says it of its own data
    return Result(
        experiment=experiment, key=key or default_key(config),
        config=dataclasses.asdict(config) | {"root": Path(config.root).name},
        evidence=finetune.evidence_of(target_config(config), target.recordings) | {"upstream": upstream},
        scores=top | {"measures": measured} | scored,
        history=[{"epoch": row["epoch"]} | {name: round(row[name], 5) for name in KEPT} for row in fit.history],
        data=_data(start, target, fold), arrays=arrays | {"pair_losses": pair_losses}, provenance=provenance)


def default_key(config: TransferConfig) -> str:
    """File name of a fold: what was transferred where, and its number."""
    return f"{config.source}-{config.arch}-{config.target}-{config.tier}-fold{config.fold:03d}"


def starting_weights(config: TransferConfig) -> Path:
    """File of the source checkpoint; EcgtlError saying how to make it when it is not at hand."""
    path = finetune.stored_weights(config.source, config.arch, config.tier)
    if path is None:
        raise EcgtlError(f"there is no checkpoint of {config.arch} trained on {config.source} in tier {config.tier} yet; make it "
                         f"with 'python -m ecgtl run melep2023-sources --tier {config.tier}'")
    return path


def target_config(config: TransferConfig) -> FinetuneConfig:
    """The fine-tuning of the checkpoint on the whole target: reading, inputs and network are its own."""
    start = starting_weights(config)
    facts = checkpoint.load(start)[1]
    same = {name: getattr(config, name) for name in "root lead arch tier epochs batch_size learning_rate precision".split()}
    inputs = {name: facts[name] for name in ("sampling_rate", "seconds", "width", "variant")}
    return FinetuneConfig.of(dataset=config.target, on_bad="skip", protocol=TRANSFERS, init=str(start), seed=config.fold,
                             **same, **inputs).resolved()


def prepare(config: TransferConfig) -> Target:
    """The target of a resolved ``config``, without what is too short or flat, as the network sees it."""
    tuning = target_config(config)
    recordings = finetune.with_whole_windows(tuning, finetune.read(tuning))
    return Target(recordings, finetune.inputs(tuning, recordings), recordings.label_matrix)


def draw(config: TransferConfig, target: Target) -> Fold:
    """The task of a resolved ``config``: a matter of target and fold number, whatever the checkpoint."""
    classes = target.recordings.classes
    unknown = [name for name in config.label_names if name not in classes]
    if unknown:
        raise EcgtlError(f"label_set names {unknown[0]!r}, which {target.recordings.name} has not; allowed: {', '.join(classes)}")
    chosen = [classes.index(name) for name in config.label_names] or None
    return folds.draw(target.table, target.recordings.subjects, config.fold, (config.fewest, config.most),
                      config.records, config.test, config.validation, chosen)


def measure(start: Path, target: Target, fold: Fold) -> tuple[dict, np.ndarray]:
    """Every measure of the checkpoint on the fold's training part alone, and ``pair_losses`` (Y, Z).

    Rows of the test part are not even read. Source: Nguyen 2023, section 3.1.
    """
    labels = target.labels(fold, fold.training)
    probabilities, _ = transferability.source_probabilities(start, target.x[fold.training])
    per_label = transferability.melep_per_label(probabilities, labels).tolist()
    measured = transferability.measures(probabilities, labels)
    return (measured | {"melep_per_label": dict(zip(target.names(fold), per_label, strict=True))},
            transferability.pair_losses(probabilities, labels))


def _fine_tune(config: TransferConfig, start: Path, target: Target, fold: Fold, device: torch.device, report) -> training.Fit:
    task = dataclasses.replace(target.recordings, classes=target.names(fold))
    model = finetune.network(target_config(config), task, start)
    parts = [training.Part(target.x[rows], target.labels(fold, rows)) for rows in (fold.train, fold.validation, fold.test)]
    recipe = training.Recipe(config.epochs, config.batch_size, config.learning_rate, config.epochs, "validation_score",
                             "validation_score", config.precision, config.fold)
    state = cache.key_of({"transfer": dataclasses.asdict(config), "digest": target.recordings.digest,
                          "start": checksum(start), "torch": torch.__version__})
    return training.fit(model, *parts, recipe, finetune.FOLLOWED["weighted_f1"], device,
                        paths.cache() / "unfinished" / f"{state}.pt", report)


def _scored(target: Target, fold: Fold, fit: training.Fit) -> tuple[dict, dict[str, np.ndarray]]:
    """Scores by choice of the epoch, and the arrays that they follow from."""
    y_test, support = target.labels(fold, fold.test), target.labels(fold, fold.train).sum(axis=0)
    # Scores are taken from the probabilities as stored, so that anybody gets the same from the file
    probabilities = {f"prob_{name}": fit.chosen[name][1].astype(np.float16) for name in CHOICES}
    scored = {name: scores(y_test, probabilities[f"prob_{name}"], target.names(fold), support)
              | {"epoch": fit.chosen[name][0]} for name in CHOICES}
    return scored, {"y_test": y_test} | probabilities


def part_of_each(fold: Fold, n_records: int) -> np.ndarray:
    """For every recording of the target, uint8: from 1 the place of its part in ``PARTS``, 0 where it is in none."""
    part = np.zeros(n_records, np.uint8)
    for number, name in enumerate(PARTS, start=1):
        part[getattr(fold, name)] = number
    return part


def scores(y_true: np.ndarray, probabilities: np.ndarray, names: Sequence[str], train_support: np.ndarray) -> dict:
    """F1 of each label of (n, labels) probabilities at a threshold of 0.5, and two means of it.

    ``weighted_f1`` weighs by occurrences in the test part, ``train_weighted_f1`` by those in the training
    part (public code of Nguyen 2023).
    """
    predicted = finetune.labels_of(probabilities)
    per_label = metrics.f1_per_label(y_true, predicted)
    return {"weighted_f1": metrics.weighted_f1(y_true, predicted),
            "train_weighted_f1": float(np.average(per_label, weights=train_support)),
            "f1_per_label": dict(zip(names, per_label, strict=True))}


def _data(start: Path, target: Target, fold: Fold) -> dict:
    recordings, names = target.recordings, target.names(fold)
    positives = {part: target.labels(fold, getattr(fold, part)).sum(axis=0).tolist() for part in PARTS}
    return {"name": recordings.name, "version": recordings.version, "digest": recordings.digest,
            "records": len(recordings), "classes": list(names),
            "positives": {part: dict(zip(names, counts, strict=True)) for part, counts in positives.items()},
            "redrawn": fold.redrawn, "skipped": {reason: len(ids) for reason, ids in recordings.skipped.items()},
            "start": {"file": start.name, "sha256": checksum(start), "labels": len(checkpoint.load(start)[1]["classes"])}}
