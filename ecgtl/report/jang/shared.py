"""The trials of Jang 2021, printed and ours, that Tables 2 and 3 and Figure 5 rest on."""

import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from IPython.display import HTML

from ecgtl import experiments, published, results
from ecgtl.analysis import cells
from ecgtl.analysis.names import NBSP, f1
from ecgtl.report import badges, words

PTBXL, CINC2017 = "jang2021-table2-ptbxl", "jang2021-table2-cinc2017"
NAMES = {PTBXL: "PTB-XL, lead II", CINC2017: "CinC 2017"}
ARMS = {"random": "random", "image": "image", "cae": "autoencoder", "random_matched": "random, matched steps"}
PAIRS = (("cae", "random"), ("image", "random"), ("cae", "image"))
CHOICES = ("best_test", "last", "validated")  # the paper's own first
SCORES = ("weighted_f1", "macro_f1")
BEST = "best_test.weighted_f1"  # what the paper's Table 2 prints
INDEX = "learning_curve_index"  # what its Table 3 prints


def state(experiment: str, tier: str) -> HTML:
    """Badges of the finished runs and their number; while some are missing, the command; the sizes in recordings."""
    experiment = cells.current(experiment, tier)
    drawn = ", ".join(f"{words.percent(size)} are {n:,}" for size, n in recordings(experiment, tier).items())
    theirs = ", ".join(f"{paper_recordings(size):,.0f}" for size in sizes(experiment))
    said = words.paragraph(f"Recordings that are drawn for training: {drawn}; in the paper {theirs}.") if drawn else ""
    return HTML(badges.state(experiment, tier, f"{NAMES[cells.original(experiment)]}: ") + said)


def recordings(experiment: str, tier: str) -> dict[int, int]:
    """How many recordings a training of each size draws, as the finished runs have it, the largest first."""
    return {run.size: sum(body.data["split"]["train"].values())
            for run, body in sorted(cells.runs(experiment, tier), key=lambda pair: -pair[0].size)}


def paper_recordings(size: int) -> float:
    """The same of the paper's trainings, by its number of recordings and its split."""
    scalars = published.lookup("jang2021.scalars")
    train, test = scalars["split"]["value"]
    return scalars["shaoxing_records"]["value"] * train / (train + test) * size / 100


def trials(experiment: str, tier: str) -> pd.DataFrame:
    """One row a finished run.

    ``method``, ``size`` (%), ``trial`` (from 1, as the paper counts), ``steps`` of the optimiser, the
    ``learning_curve_index``, and ``<choice>.<score>`` for each way of choosing the epoch. A baseline has no epochs: its
    scores are the same under every choice, and it has no index.
    """
    names = [f"{choice}.{score}" for choice in CHOICES for score in SCORES]
    rows = [(run.method, run.size, run.number + 1, _steps_per_epoch(body) * len(body.history),
             body.scores.get(INDEX, np.nan), *(body.scores.get(choice, body.scores["validated"])[score]
                                               for choice in CHOICES for score in SCORES))
            for run, body in cells.runs(cells.current(experiment, tier), tier)]
    return pd.DataFrame(rows, columns=["method", "size", "trial", "steps", INDEX, *names])


def curves(experiment: str, tier: str) -> pd.DataFrame:
    """One row an epoch of a finished run.

    ``method``, ``size``, ``trial``, ``epoch``, ``step`` of the optimiser at its end, and ``score``, the weighted F1 on
    the test set.
    """
    rows = [(run.method, run.size, run.number + 1, row["epoch"], row["epoch"] * _steps_per_epoch(body),
             row["test_score"])
            for run, body in cells.runs(cells.current(experiment, tier), tier) for row in body.history]
    return pd.DataFrame(rows, columns=["method", "size", "trial", "epoch", "step", "score"])


def _steps_per_epoch(body: results.Result) -> int:
    return math.ceil(sum(body.data["split"]["train"].values()) / body.config["batch_size"])


def sizes(experiment: str) -> tuple[int, ...]:
    """Shares of the training set (%), the largest first."""
    return tuple(map(int, experiments.load(experiment).columns))


def cell(frame: pd.DataFrame, method: str, size: int | str) -> pd.DataFrame:
    """The rows of ``trials`` or ``curves`` of one cell."""
    return frame[(frame["method"] == method) & (frame["size"] == size)]


def values(frame: pd.DataFrame, method: str, size: int | str, column: str = BEST) -> pd.Series:
    """A column of the trials of one cell, indexed by trial; empty where there is no run."""
    return cell(frame, method, size).set_index("trial")[column].sort_index()


def trials_of(frame: pd.DataFrame, method: str, size: int) -> list[np.ndarray]:
    """The scores by epoch of every trial of one cell, from ``curves``."""
    return [scores.to_numpy() for _, scores in cell(frame, method, size).groupby("trial")["score"]]


def printed_trials(table: str, method: str, size: int | str) -> pd.Series:
    """The trials that the paper prints in a cell, indexed as ours."""
    found = published.lookup(f"jang2021.{table}.rows.{size}.{method}.trials")
    return pd.Series(found, index=range(1, len(found) + 1))


def printed_cells(table: str) -> Iterator[tuple[str, str, dict]]:
    """(method, size, what is printed) of every cell of a table, in its order."""
    printed = published.lookup(f"jang2021.{table}")
    for size, row in printed["rows"].items():
        yield from ((method, size, row[method]) for method in printed["columns"])


def _printed_p(table: str, size: int | str) -> str:
    found = published.lookup(f"jang2021.{table}.rows.{size}.p_value")
    return f"{found['relation']}{NBSP}{found['value']:g}"


def heading(method: str, size: int | str) -> str:
    return f"{words.percent(size)} {ARMS[method]}"


def paper_trials(table: str) -> pd.DataFrame:
    """``table2`` or ``table3`` as printed: a row a trial, a column a size and arm; mean ± SD and p below."""
    planned = range(1, published.lookup(f"jang2021.{table}.runs") + 1)
    columns = {("Trial", ""): [*planned, "Mean ± SD, printed", "p, printed"]}
    for method, size, found in printed_cells(table):
        columns[words.percent(size), ARMS[method]] = [
            *map(f1, found["trials"]), words.plus_minus(found["mean"], found["sd"]), _printed_p(table, size)]
    return pd.DataFrame(columns)


def our_trials(frame: pd.DataFrame, experiment: str, tier: str, column: str = BEST,
               methods: Sequence[str] = ("random", "image", "cae")) -> pd.DataFrame:
    """The same from our runs: a row a planned trial, a dash where it is missing; mean ± SD (n - 1)."""
    planned = range(1, experiments.load(cells.current(experiment, tier)).runs[tier] + 1)
    columns = {("Trial", ""): [*planned, "Mean ± SD"]}
    for size, method in itertools.product(sizes(experiment), methods):
        found = values(frame, method, size, column)
        columns[words.percent(size), ARMS[method]] = [*found.reindex(planned).map(f1), words.mean_sd(found)]
    return pd.DataFrame(columns)


def differences(frame: pd.DataFrame, experiment: str, table: str = "table2", column: str = BEST,
                pairs: Sequence[tuple[str, str]] = PAIRS) -> pd.DataFrame:
    """Differences between arms at each size, by Welch's and the paired test: the paper's trials, and ours.

    ``n`` counts our trials of the first and the second arm. The paper's p-value stands where it prints one.
    """
    rows = []
    for size, pair in itertools.product(sizes(experiment), pairs):
        theirs = [printed_trials(table, method, size) for method in pair]
        ours = [values(frame, method, size, column) for method in pair]
        tests = [words.gap_with_p(a, b, paired) for a, b in (theirs, ours) for paired in (False, True)]
        rows.append((f"{words.percent(size)}, {ARMS[pair[0]]} − {ARMS[pair[1]]}",
                     _printed_p(table, size) if pair[0] == "cae" else "–", *tests, f"{len(ours[0])}, {len(ours[1])}"))
    return pd.DataFrame(rows, columns=pd.MultiIndex.from_tuples([
        ("Difference", ""), ("Paper", "printed p"), ("Paper", "its trials, Welch"), ("Paper", "its trials, paired"),
        ("Here", "Welch"), ("Here", "paired"), ("Here", "n")]))
