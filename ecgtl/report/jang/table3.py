"""Jang 2021, Table 3: the learning curve index."""

import itertools

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib import pyplot as plt

from ecgtl import published, statistics
from ecgtl.analysis import cells
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import METHODS, f1
from ecgtl.report import alt, figures, tables
from ecgtl.report.jang import shared, table2
from ecgtl.report.words import percent

PRINTED = ("random", "cae")  # arms of the paper's Table 3
SOURCES = {"paper": "The paper, Shaoxing"} | {name: f"Here, {words}" for name, words in shared.NAMES.items()}


def index_rows(frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    """Every index, the paper's trials and then ours; ``frames`` maps experiments to their ``trials``."""
    printed = [("paper", method, int(size), trial, value) for method, size, found in shared.printed_cells("table3")
               for trial, value in enumerate(found["trials"], start=1)]
    ours = [frame.dropna(subset=[shared.INDEX]).assign(source=name) for name, frame in frames.items()]
    columns = ["source", "method", "size", "trial", shared.INDEX]
    return pd.concat([pd.DataFrame(printed, columns=columns), *(frame[columns] for frame in ours if len(frame))],
                     ignore_index=True)


def index_dots(rows: pd.DataFrame) -> plt.Figure:
    """The index by size and arm, a panel a source of ``index_rows``; trials, their mean and interval."""
    known = {source: words for source, words in SOURCES.items() if (rows["source"] == source).any()}
    figure, grid = plt.subplots(len(known), 1, figsize=(figures.WIDTH, 0.8 + 2.1 * len(known)), sharex=True,
                                sharey=True, squeeze=False)
    places = shared.sizes(shared.PTBXL)
    for axes, (source, words) in zip(grid[:, 0], known.items(), strict=True):
        here = rows[rows["source"] == source]
        axes.axhline(published.lookup("jang2021.scalars.lci_threshold.value"), color=figures.GREY, linewidth=1)
        for (place, size), (method, shift) in itertools.product(enumerate(places), (("random", -0.18), ("cae", 0.18))):
            found, x = shared.values(here, method, size, shared.INDEX), place + shift
            if len(found):
                mean = Interval(found.mean(), *statistics.score_interval(statistics.Sample.of(found), np.inf))
                axes.plot(np.linspace(x - 0.1, x, len(found)), found, ".", color=figures.COLOURS[method], alpha=0.6,
                          markersize=5)
                figures.dot(axes, mean, x + 0.07, figures.COLOURS[method], figures.MARKERS[method], upright=True,
                            label=METHODS[method])
        axes.set(title=words, ylabel="learning curve index", ylim=(0, None), xticks=range(len(places)),
                 xticklabels=map(percent, places))
    grid[-1, 0].set_xlabel("share of the training set that is used")
    return figures.legend_below(figure, grid[:, 0])


def waiting(rows: pd.DataFrame) -> list[str]:
    """The sources of ``index_rows`` without a trial, in words."""
    return [words for source, words in SOURCES.items() if not (rows["source"] == source).any()]


def index_said(rows: pd.DataFrame) -> str:
    """What ``index_dots`` says: the mean index of each cell, source by source."""
    means = rows[rows["method"].isin(("random", "cae"))].groupby(["source", "size", "method"])[shared.INDEX].mean()
    return alt.by_panel({f"Mean index, {words}": alt.ordered(
        {shared.heading(method, size): mean for (size, method), mean in means[source].items()})
        for source, words in SOURCES.items() if source in means.index})


def compared(experiment: str, tier: str) -> pd.DataFrame:
    """The index in the shape of the paper's table, for the arms that it prints."""
    found = table2.comparison(cells.current(experiment, tier), tier, shared.INDEX, "table3")
    return table2.compared(found[found["method"].isin(PRINTED)])


def printed_spreads(table: str) -> pd.DataFrame:
    """Each printed SD beside those of its trials with divisors n and n - 1, and which one fits the print."""
    half_digit, rows = 0.5 * 10 ** -published.lookup(f"jang2021.{table}.decimals"), []
    for method, size, found in shared.printed_cells(table):
        by = {"n": np.std(found["trials"]), "n − 1": np.std(found["trials"], ddof=1)}
        fits = [divisor for divisor, sd in by.items() if abs(sd - found["sd"]) <= half_digit + 1e-9]
        rows.append((shared.heading(method, size), f1(found["sd"]), *(f"{sd:.4f}"[1:] for sd in by.values()),
                     " and ".join(fits) or "neither"))
    return pd.DataFrame(rows, columns=["Cell", "Printed SD", "Divisor n", "Divisor n − 1", "Fits the print"])


def spreads(table: str) -> HTML:
    """``printed_spreads`` as HTML, counted in its caption."""
    found = printed_spreads(table)
    counts = found["Fits the print"].value_counts()
    order = ("n", "n − 1", "n and n − 1", "neither")
    said = ", ".join(f"{counts[fits]} fit {fits}" for fits in order if fits in counts)
    name = table.replace("table", "Table ")
    return tables.html(found, f"{name}, divisor of the printed standard deviations: {said}")
