"""Results as if runs had been made, for tests of what is computed from them."""

import dataclasses
from functools import lru_cache

import numpy as np

from ecgtl import experiments, metrics, results
from ecgtl.config import BASELINES, TRANSFERS, PretrainConfig, protocol, starts
from ecgtl.jobs.pretrain import key_of
from ecgtl.results import Result

CLASSES = ("normal", "af", "other", "noise")
PROVENANCE = {"commit": "0" * 40, "dirty": False, "versions": {"torch": "x"}, "device": "cpu", "machine": "m",
              "threads": 1, "seed": 0, "wall_seconds": 1.0, "finished": "2026-01-01T00:00:00Z", "command": "c"}


@lru_cache
def planned(experiment, tier="reduced"):
    return experiments.enumerate_runs(experiment, tier)


def run_of(experiment, method, size, number=0):
    return next(run for run in planned(experiment) if (run.method, run.size, run.number) == (method, size, number))


def save(run, scores, history=(), data=None, **evidence):
    """A result of ``run``; ``data`` and ``evidence`` are what differs from the usual."""
    entry = experiments.load(run.experiment)
    results.save(Result(run.home, run.key, dataclasses.asdict(run.config),
                        {"upstream": "substitute", "target": "full", "leads": "full"} | evidence, scores, [*history],
                        {"name": entry.dataset, "version": "1", "records": 1, "classes": [],
                         "digest": entry.data.digest} | (data or {}), {"y_test": np.zeros(1, np.uint8)}, PROVENANCE))


def by_epoch(name, values):
    return [{"epoch": epoch, name: float(value)} for epoch, value in enumerate(values, start=1)]


def store(experiment, method, size, scores, histories=None, target="full", tier="reduced", upstream="substitute"):
    """Runs of one cell, each with its scores, and where they are given its validation scores by epoch."""
    runs = [run for run in planned(experiment, tier) if (run.method, run.size) == (method, size)]
    for run, scored, history in zip(runs, scores, histories or [[]] * len(scores), strict=False):
        save(run, scored | dict.fromkeys(("best_test", "validated", "last"), scored),
             by_epoch("validation_score", history), upstream=upstream, target=target, leads=target)


def write_value(run, value=0.7, best_test=None, threshold=0.3, curve=(0.2, 0.5, 0.6, 0.62, 0.61)):
    """A run of Weimann 2021 of which every score follows from ``value``; one of its labels, SVTAC, has no positives."""
    several, trivial = experiments.load(run.experiment).dataset != "cinc2017", run.method in BASELINES
    counts = {"SR": 20, "AFIB": 4, "SVTAC": 0} if several else dict.fromkeys(CLASSES, 10)

    def scored(value):
        if several:
            return {"macro_auc": value, "f_max": value - 0.1, "f_beta": value - 0.2, "g_beta": value - 0.3,
                    "thresholds": {"f_beta": threshold, "g_beta": 0.5},
                    "auc_per_class": {"SR": value, "AFIB": value, "SVTAC": None}}
        by_class = {"normal": value + 0.1, "af": value, "other": value - 0.02, "noise": value - 0.1}
        return {"macro_f1": value, "weighted_f1": value, "accuracy": value, "challenge_f1": value + 0.03,
                "f1_per_class": by_class}

    scores = scored(value) | {"validated": scored(value) | {"epoch": 4}}
    if not trivial:
        scores |= {"best_test": scored(value if best_test is None else best_test), "last": scored(value - 0.01)}
    save(run, scores, () if trivial else by_epoch("validation_score", curve),
         {"classes": [*counts], "split": dict.fromkeys(("train", "validation", "test"), counts)},
         upstream="none" if trivial or run.method == "random" else "substitute",
         target="subset" if several else "full")


def write_run(run, macro_f1, target="full", upstream="none", **data):
    """A result of ``run`` on CinC 2017, with the same F1 of every class."""
    scores = {"macro_f1": macro_f1, "weighted_f1": 0.8, "accuracy": 0.8,
              "f1_per_class": dict.fromkeys(CLASSES, macro_f1)}
    save(run, scores | {"validated": scores, "last": scores}, data={"classes": [*CLASSES]} | data,
         upstream=upstream, target=target, leads=target)


def store_values(experiment, method, size, values, **options):
    """``write_value`` of the runs of one cell."""
    for number, value in enumerate(values):
        write_value(run_of(experiment, method, size, number), value, **options)


def write_trial(run, curve=(0.1, 0.5, 0.3, 0.4), validated=0.35, macro=0.2):
    """A run of Jang 2021 whose test score goes through ``curve``; it learns from 300 recordings."""
    counts, trivial = {"SR": 250, "AFIB": 50}, run.method in BASELINES

    def scored(value):
        return {"macro_f1": macro, "weighted_f1": float(value), "accuracy": 0.5,
                "f1_per_class": dict.fromkeys(counts, macro)}

    scores = scored(max(curve)) | {"validated": scored(validated)}
    if not trivial:
        scores |= {"best_test": scored(max(curve)), "last": scored(curve[-1]),
                   "learning_curve_index": metrics.learning_curve_index(curve)}
    save(run, scores, () if trivial else by_epoch("test_score", curve),
         {"classes": [*counts], "split": {"train": counts}}, upstream="none", target="substitute", leads="substitute")


def store_trials(method, size, bests, **options):
    """``write_trial`` of Jang 2021's runs of one cell on PTB-XL by their best test scores; None leaves one out."""
    for number, best in enumerate(bests):
        if best is not None:
            write_trial(run_of("jang2021-table2-ptbxl", method, size, number), (0.1, best, 0.3, 0.4), **options)


def store_pretraining(objective, scores, **data):
    """The pretraining of an objective in tier reduced."""
    config = PretrainConfig.of(objective=objective, tier="reduced").resolved()
    results.save(Result("pretrain", key_of(config), dataclasses.asdict(config),
                        {"upstream": "substitute", "target": "none", "leads": "substitute"}, scores,
                        [{"epoch": 1}, {"epoch": 2}], data, {"none": np.zeros(0)}, PROVENANCE))


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
