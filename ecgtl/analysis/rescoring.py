"""Scores of stored results computed again from their arrays and histories, by the functions that jobs score with."""

import re

import numpy as np

from ecgtl import results, transferability
from ecgtl.analysis.addresses import flat
from ecgtl.config import CHOICES, TRANSFERS, PretrainConfig, protocol
from ecgtl.experiments import transfers
from ecgtl.jobs import ensemble, finetune, probe, scoring, transfer
from ecgtl.jobs.inputs import PARTS
from ecgtl.training import loop

CHOSEN = r"\bthresholds\."  # taken as they are stored
# Pattern of the name of a score that cannot be computed again -> why, the first that fits
REASONS = {CHOSEN: "thresholds: chosen on training sets, whose predictions are not stored",
           r"nce": "NCE: the source's own labels of the recordings are not stored",
           r"^rhythms|male|age|^(cpsc2018|csn|georgia|ptbxl)": "counts of recordings: nothing was predicted",
           "": "pretrainings: answers on single windows and frames are not stored"}


def reason(name: str) -> str:
    """Why the score ``name`` cannot be computed again."""
    return next(words for pattern, words in REASONS.items() if re.search(pattern, name))


def recomputed(result: results.Result) -> dict[str, float]:
    """The scores of a stored result as far as they can be had again, by their names in ``addresses.flat``.

    Raises ValueError, LookupError or the like where arrays are not those of such a result.
    """
    return {name: value for name, value in flat(_scores(result)).items() if not re.search(CHOSEN, name)}


def _scores(result: results.Result) -> dict:
    if result.experiment == results.MEASURED:
        return _measured(result)
    if "part" in result.arrays:
        return _fold(result)
    if result.experiment == ensemble.HOME:
        return ensemble.scores(dict(result.arrays), result.data)
    if result.experiment == probe.HOME:
        return probe.scores(dict(result.arrays), result.data["classes"])
    return _fine_tuned(result) if "y_test" in result.arrays else _pretrained(result)


def _fine_tuned(result: results.Result) -> dict:
    y, classes = result.arrays["y_test"], tuple(result.data["classes"])
    rules, found = protocol(result.config["protocol"]).for_labels(y.ndim == 2, result.data["name"]), {}
    for choice in (choice for choice in CHOICES if choice in result.scores):
        p, stored = result.arrays[f"prob_{choice}"], result.scores[choice]
        found[choice] = (scoring.score_multi_label if y.ndim == 2 else scoring.score)(y, p, classes)
        if "thresholds" in stored:
            own = stored["per_class_thresholds"]["thresholds"]
            found[choice] |= scoring.by_thresholds(y, p, stored["thresholds"], own)
        found[choice]["epoch"] = _epoch(result, choice, rules.select_on)
    return finetune.with_reported(found, rules, result.history)


def _epoch(result: results.Result, choice: str, select_on: str) -> int:
    """The epoch that a choice takes from the history; the stored one where the digits that are kept make two equal."""
    column = {"validated": select_on, "best_test": "test_score", "last": "epoch"}[choice]
    values, stored = {row["epoch"]: row[column] for row in result.history}, result.scores[choice]["epoch"]
    best = loop.best_epoch(result.history, column) if values else 0
    return stored if stored in values and values[stored] == values[best] else best


def _fold(result: results.Result) -> dict:
    arrays, losses = result.arrays, result.arrays["pair_losses"]
    found: dict = {choice: _of_labels(result, arrays[f"prob_{choice}"])
                   | {"epoch": _epoch(result, choice, "validation_score")} for choice in transfer.CHOICES}
    top = {name: found[protocol(TRANSFERS).transfers.report][name] for name in ("weighted_f1", "train_weighted_f1")}
    table = _training_table(result)
    measures = _meleps(table, losses.mean(axis=1)) | {
        "leep": -losses.mean(), "n_labels": table.shape[1], "prevalence": transferability.prevalence(table)}
    per_label = dict(zip(result.data["classes"], losses.mean(axis=1), strict=True))
    return top | {"measures": measures | {"melep_per_label": per_label}} | found


def _training_table(fold: results.Result) -> np.ndarray:
    """A table with as many positives of each label as the one that was scored: no more is asked of it."""
    positives = sum(np.array([*fold.data["positives"][part].values()]) for part in PARTS[:2])
    return (np.arange(np.isin(fold.arrays["part"], (1, 2)).sum())[:, None] < positives).astype(int)


def _meleps(table: np.ndarray, losses: np.ndarray) -> dict:
    """MELEP in every weighting from the losses of the labels, (Y,), or of several networks, (n, Y)."""
    return {f"melep_{weighting}": (losses @ transferability.label_weights(table, weighting)).tolist()
            for weighting in transferability.WEIGHTINGS}


def _of_labels(fold: results.Result, probabilities: np.ndarray) -> dict:
    support = np.array([*fold.data["positives"]["train"].values()])
    return transfer.scores(fold.arrays["y_test"], probabilities, fold.data["classes"], support)


def _pretrained(result: results.Result) -> dict:
    """Of a pretraining the kept epoch, and of its validation what the history has: nothing else is stored."""
    epoch = loop.best_epoch(result.history, PretrainConfig.of(**result.config).rules.select_on)
    row, loss = result.history[epoch - 1], "summed" if "mse_sum" in result.scores else "loss"
    names = {"validation_loss": loss, "validation_accuracy": "accuracy", "validation_score": "macro_f1"}
    return {"epoch": epoch, "validation": {name: row[column] for column, name in names.items() if column in row}}


def _measured(result: results.Result) -> dict:
    if "error" in result.arrays:
        error, deviation = (result.arrays[name].astype(np.float64) for name in ("error", "deviation"))
        return {"mse_sum": error.mean(), "r2": 1 - error.sum() / deviation.sum()}
    if "folds" not in result.scores:
        return {}
    # The labels of a fold stand with the result of any network
    runs = transfers.enumerate_runs(result.config["experiment"], result.config["tier"])
    labels = {run.config.fold: run.path for run in runs if run.path.is_file()}
    of_fold = _random if result.config["arch"] == "random" else lambda found, number, fold: _of_labels(
        fold, found.arrays[f"prob_{number:03d}"])
    return {"folds": {str(number): of_fold(result, number, results.load(path)) for number, path in labels.items()}}


def _random(result: results.Result, number: int, fold: results.Result) -> dict:
    names = {name: name.removesuffix(f"-{number:03d}") for name in result.arrays if name.endswith(f"-{number:03d}")}
    return {names[name]: _meleps(_training_table(fold), result.arrays[name]) for name in names}
