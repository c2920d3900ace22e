"""Jang 2021, Figure 1: the course of the study."""

import itertools
from collections.abc import Iterable

import pandas as pd

from ecgtl import experiments, published, results
from ecgtl.analysis import cells
from ecgtl.analysis.names import METHODS
from ecgtl.config import protocol
from ecgtl.datasets import catalogue
from ecgtl.experiments import queue
from ecgtl.report.jang.figure2 import each
from ecgtl.report.study import study_table
from ecgtl.results import Result


def overview(experiment: str, tier: str) -> pd.DataFrame:
    """The study step by step, as ``study_table``; ours of the runs of ``experiment`` and of their autoencoder."""
    tier = cells.shown_tier(experiment, tier)
    trained = autoencoder(experiment, tier)
    entry, rules, (run, body) = experiments.load(experiment), protocol("jang2021"), cells.runs(experiment, tier)[0]
    data, windows, rate = body.data, trained.data["windows"], trained.config["sampling_rate"]
    leads, tenths = rules.datasets.get(data["name"], {}).get("leads"), 10 * rules.split.test
    filled = cells.cells(experiment, tier)
    finished = [filled[place].n if place in filled else 0 for place in itertools.product(entry.inits, entry.columns)]
    ours = {
        "unlabelled source": ", ".join(catalogue.entry(name).title for name in trained.data["sources"]),
        "unlabelled subjects": f"{sum(trained.data['subjects'].values()):,}",
        "unlabelled windows": f"{sum(windows.values()):,}",
        "labelled source": catalogue.entry(data["name"]).title + (f", lead {', '.join(leads)}" if leads else ""),
        "labelled recordings": f"{data['records']:,}", "rhythms": str(len(data["classes"])),
        "sampling rate (Hz)": f"{rate:g}", "samples in a window": f"{round(trained.config['seconds'] * rate):,}",
        "baseline": f"Butterworth, {rules.input.highpass:g} Hz", "features": str(trained.config["features"]),
        "training to test windows": f"{windows['train']:,}:{windows['test']:,}, by subject, and "
                                    f"{windows['validation']:,} to choose the epoch",
        "epochs of the autoencoder": str(len(trained.history)),
        "squared error of a test window": f"{trained.scores['mse_sum']:.0f}",
        "arms": _arms(entry.inits), "training to test recordings": f"{10 - tenths:g}:{tenths:g}",
        "shares of the training set (%)": each(entry.columns), "trials a cell": str(entry.runs[tier]),
        "trials finished": f"{min(finished)} to {max(finished)}",
        "epochs of the classifier": str(run.config.epochs), "learning rate": f"{run.config.learning_rate:g}"}
    return study_table("jang2021", ours, {"arms": _arms(published.lookup("jang2021.table2.columns"))})


def autoencoder(experiment: str, tier: str) -> Result:
    """The pretraining that the runs of ``experiment`` start from."""
    run = next(run for run, _ in cells.runs(experiment, tier) if run.method == "cae")
    return results.load(queue.start_of(run, singles=True).path)  # type: ignore[union-attr]


def _arms(given: Iterable[str]) -> str:
    """The arms in words, in one order whatever the order they are given in."""
    return ", ".join(words for arm, words in METHODS.items() if arm in given)
