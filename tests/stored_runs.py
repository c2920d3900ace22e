"""Results as if runs had been made, for tests of what is computed from them."""

import dataclasses
from functools import lru_cache

import numpy as np

from ecgtl import experiments, results
from ecgtl.config import TRANSFERS, protocol, starts
from ecgtl.results import Result

CLASSES = ("normal", "af", "other", "noise")
PROVENANCE = {"commit": "0" * 40, "dirty": False, "versions": {"torch": "x"}, "device": "cpu", "machine": "m",
              "threads": 1, "seed": 0, "wall_seconds": 1.0, "finished": "2026-01-01T00:00:00Z", "command": "c"}


@lru_cache
def planned(experiment, tier="reduced"):
    return experiments.enumerate_runs(experiment, tier)


def store(experiment, method, size, scores, histories=None, target="full", tier="reduced", upstream="substitute"):
    """Runs of one cell, each with its scores, and where they are given its validation scores by epoch."""
    entry = experiments.load(experiment)
    runs = [run for run in planned(experiment, tier) if (run.method, run.size) == (method, size)]
    histories = histories or [[]] * len(scores)
    for run, scored, history in zip(runs, scores, histories, strict=False):
        rows = [{"epoch": epoch, "validation_score": value} for epoch, value in enumerate(history, start=1)]
        results.save(Result(run.home, run.key, dataclasses.asdict(run.config),
                            {"upstream": upstream, "target": target, "leads": target},
                            scored | dict.fromkeys(("best_test", "validated", "last"), scored), rows,
                            {"name": entry.dataset, "version": "1", "records": 1, "classes": [],
                             "digest": entry.data.digest},
                            {"y_test": np.zeros(1, np.uint8)}, PROVENANCE))


def around(mean, spread=0.01):
    return [mean - spread, mean, mean + spread]


def by_class(values, **others):
    """Scores of runs whose macro F1 and F1 of every class are ``values``, but for the classes given by name."""
    return [{"macro_f1": value, "weighted_f1": value, "accuracy": value,
             "f1_per_class": dict.fromkeys(CLASSES, value) | {name: row[i] for name, row in others.items()}}
            for i, value in enumerate(values)]


def curve(epochs):
    """A validation curve that first reaches 95 % of its best in epoch ``epochs``, and its best later."""
    return [0.3] * (epochs - 1) + [0.96 * 0.8, 0.8, 0.7]


def store_fold(run, melep, f1, n_labels=2, label_set=None, target="subset", upstream="subset", validated=None,
               redrawn=0, own_labels=9, y_test=None, score_seconds=None, **measures):
    """A fold of the transferability experiment (``transfers.Transfer``) with its MELEP and its F1, as if it had run.

    LEEP, NCE and the normalised MELEP follow from ``melep`` where ``measures`` has none. Without a table ``y_test`` one
    of two test recordings has all labels, so that the answer of every label has an F1 of 2/3. The AUC is 1 at the best
    test epoch and 0 at the validated one.
    """
    names = [f"l{k}" for k in range(n_labels)] if label_set is None else label_set.split("+")
    y_test = np.array([[1], [0]] * np.ones(len(names)) if y_test is None else y_test, np.uint8)
    derived = {"melep_published": melep, "melep_normalised": -melep, "leep": -melep, "nce": -melep,
               "n_labels": len(names), "prevalence": 1 / len(names), "melep_per_label": dict.fromkeys(names, melep)}
    scored = {choice: {"weighted_f1": value, "train_weighted_f1": value, "epoch": 1}
              for choice, value in (("best_test", f1), ("validated", f1 if validated is None else validated))}
    digest = protocol(TRANSFERS).transfers.experiments[run.experiment].get("data", {}).get(run.config.tier, "0")
    start = starts.stored_weights(run.config.source, run.config.arch, run.config.tier)
    data = {"name": run.config.target, "version": "1", "digest": digest, "records": 2931, "classes": names,
            "redrawn": {"fewer than 1000 recordings": redrawn} if redrawn else {},
            "start": {"file": "x.safetensors", "sha256": starts.checksum(start) if start else "0" * 64,
                      "labels": own_labels}}
    results.save(Result(run.experiment, run.key, dataclasses.asdict(run.config),
                        {"upstream": upstream, "target": target, "leads": target},
                        scored["best_test"] | {"measures": derived | measures} | scored, [{"epoch": 1}],
                        data, {"y_test": y_test, "prob_best_test": 0.2 + 0.6 * y_test,
                               "prob_validated": 0.8 - 0.6 * y_test},
                        PROVENANCE | {"epoch_seconds": 2.0} | ({"score_seconds": score_seconds} if score_seconds
                                                               else {})))


def store_random(experiment, by_fold, tier="reduced"):
    """MELEP of random networks as if measured: ``by_fold`` fold -> (source, network) -> a value a network."""
    entry = protocol(TRANSFERS).transfers.experiments[experiment]
    folds = {str(fold): {"-".join(place): {"melep_published": values, "melep_normalised": [2 * one for one in values]}
                         for place, values in found.items()} for fold, found in by_fold.items()}
    results.save(Result(results.MEASURED, f"{experiment}-random-{tier}",
                        {"tier": tier, "experiment": experiment, "arch": "random"},
                        {"upstream": "none", "target": "subset", "leads": "subset"}, {"folds": folds}, [],
                        {"name": entry["target"], "version": "1", "records": 2931, "digest": entry["data"][tier]},
                        {"none": np.zeros(0)}, PROVENANCE))
