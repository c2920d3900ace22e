"""Weimann 2021, Table 1: settings of the pretraining."""

import itertools
from collections.abc import Callable

import numpy as np
import pandas as pd
from markupsafe import Markup

from ecgtl import published, statistics
from ecgtl.analysis import cells
from ecgtl.analysis.names import METHODS, PENDING, f1
from ecgtl.jobs.scoring import CINC_OFFICIAL
from ecgtl.report.weimann import shared
from ecgtl.report.words import estimate, gap


def setting(method: str) -> str:
    """A row of Table 1 without its task: ``2,048 samples``, or the four numbers of future prediction."""
    return METHODS[method].partition(", ")[2].capitalize() or "–"


def tasks() -> dict[str, list[str]]:
    """The pretraining tasks with their rows of Table 1."""
    starts = {name: row["init"] for name, row in published.lookup(f"{shared.PAPER}.table1.rows").items()}
    return {task: [name for name, start in starts.items() if start == task] for task in starts.values()
            if task != "random"}


def best_settings(frame: pd.DataFrame) -> pd.DataFrame:
    """The best setting of each task by macro F1 and its lead over the second, in print and among those of ours."""
    rows = []
    for task, settings in tasks().items():
        own, row = frame[(frame["score"] == "macro_f1") & frame["method"].isin(settings)], {"Task": METHODS[task]}
        for words, sample in (("in print", shared.printed_sample), ("of ours", shared.our_sample)):
            row[f"Best {words}"], row[f"Lead over the second, {words.removeprefix('of ')}"] = _leader(own, sample)
        rows.append(row | {"Settings run": f"{(own['n'] > 0).sum()} of {len(own)}"})
    return pd.DataFrame(rows)


def _leader(rows: pd.DataFrame, sample: Callable[[pd.Series], statistics.Sample | None]) -> tuple[str, str]:
    """Words for the best of ``rows`` and its lead; a lead needs a second one."""
    known = [(found, setting(row["method"])) for _, row in rows.iterrows() if (found := sample(row))]
    known.sort(key=lambda pair: -pair[0].mean)
    best = f"{known[0][1]} ({f1(known[0][0].mean)})" if known else PENDING
    if len(known) < 2:
        return best, PENDING
    return best, Markup("{} over {}").format(gap(known[0][0], known[1][0]), known[1][1].lower())


def below_random(frame: pd.DataFrame) -> pd.DataFrame:
    """Settings whose mean lies below that of random weights, by score: in print, and here among those that were run."""
    rows = []
    for score, own in frame.groupby("score", sort=False):
        base, row = own[own["method"] == "random"].iloc[0], {"Score": shared.SCORES[score]}
        settings = own[own["method"].isin(itertools.chain.from_iterable(tasks().values()))]
        for words, column in (("in print", "paper"), ("ours", "ours")):
            below = settings[settings[column] < base[column]]
            named = "; ".join(f"{METHODS[one['method']]} ({f1(one[column])})" for _, one in below.iterrows())
            nothing = "none" if settings[column].notna().any() else PENDING
            row[f"Random weights, {words}"] = f1(base[column]) if np.isfinite(base[column]) else PENDING
            row[f"Below them, {words}"] = named or nothing
        rows.append(row)
    return pd.DataFrame(rows)


def challenge(frame: pd.DataFrame, experiment: str, tier: str) -> pd.DataFrame:
    """Macro F1 over four classes beside the challenge's own score, the mean of three: in print (by class) and ours.

    ``frame``: ``comparisons`` by class and over all.
    """
    ours, by, rows = cells.cells(experiment, tier, "challenge_f1"), frame.set_index(["method", "score"]), []
    for method in frame["method"].unique():
        whole, cell = by.loc[method, "macro_f1"], ours.get((method, frame["size"].iloc[0]))
        three = [by.loc[method, f"f1_per_class.{name}"]["paper"] for name in CINC_OFFICIAL]
        rows.append((METHODS[method], f1(whole["paper"]),
                     estimate(whole["ours"], whole["low"], whole["high"], whole["n"]), f1(np.mean(three)),
                     estimate(cell.mean, cell.low, cell.high, cell.n) if cell else PENDING))
    return pd.DataFrame(rows, columns=["Initialisation", "Four classes, paper", "Four classes, ours",
                                       "Three classes, paper", "Three classes, ours"])


def gain_place(method: str, column: str) -> tuple[str, str]:
    """Panel and row of a setting's gain: its task, and the setting."""
    task = next(task for task, names in tasks().items() if method in names)
    return METHODS[task], setting(method).replace(", offset", ",\noffset")
