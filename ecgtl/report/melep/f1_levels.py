"""MELEP 2023, Figures 3 to 5: F1 by level of the score."""

import itertools

import numpy as np
import pandas as pd
from matplotlib import pyplot as plt

from ecgtl import published
from ecgtl.analysis import agreement, correlations
from ecgtl.analysis.agreement import SCORES
from ecgtl.analysis.names import PENDING, checkpoint_name, f1
from ecgtl.measurements.melep_datasets import PAPER
from ecgtl.report import alt, figures, tables
from ecgtl.report.melep.transfer_folds import BLUE, CHOICES, CSN, MELEP, PTBXL, VERMILION, Folds, is_papers, load
from ecgtl.report.words import estimate

CUTS = {"quartiles": "Quartiles", "widths": "Equal widths"}
LEVEL_PAGES = {"figure3": (CSN, "resnet1d101"), "figure4": (CSN, "bilstm"), "figure5": (PTBXL, None)}
# Column of the table of disrupted levels: way of cutting, weighting of MELEP, choice of the epoch
DISRUPTIONS = {"Quartiles": ("quartiles", MELEP[0], SCORES[0]), "Equal widths": ("widths", MELEP[0], SCORES[0]),
               f"Quartiles, {CHOICES[SCORES[1]]}": ("quartiles", MELEP[0], SCORES[1]),
               "Quartiles, normalised weights": ("quartiles", MELEP[1], SCORES[0])}


def levels(page: str, wanted: str = "best") -> tuple[Folds, pd.DataFrame]:
    """The folds of one of ``LEVEL_PAGES``, and ``agreement.levels`` of every checkpoint that has run, by both ways of
    cutting (column ``how``), which are left for download.
    """
    experiment, arch = LEVEL_PAGES[page]
    folds = load(experiment, wanted, arch)
    found = [agreement.levels(own, MELEP[0], how).assign(source=source, arch=arch, measure=MELEP[0],
                                                         epoch_chosen_by=CHOICES[SCORES[0]], how=how)
             for (source, arch), own in folds.finished.items() for how in CUTS]
    rows = pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=["source", "arch", "how", "level"])
    tables.write_csv(rows, f"{PAPER}-{page}")
    return folds, rows


def level_table(rows: pd.DataFrame, how: str) -> pd.DataFrame:
    """``levels`` by one way of cutting for a page; a dash for a level without folds."""
    columns = ["Checkpoint", "Level", "MELEP from", "to", "Folds", "Label sets", "Mean F1 [95 % interval]"]
    return pd.DataFrame([(checkpoint_name(row.source, row.arch), row.level, f"{row.low:.4f}", f"{row.high:.4f}", row.n,
                          row.label_sets, estimate(row.mean, row.ci_low, row.ci_high))
                         for row in rows[rows["how"] == how].itertuples()], columns=columns)


def disrupted(levels: pd.DataFrame) -> dict[int, float]:
    """Levels of one checkpoint whose mean F1 lies above that of the next nearer one, and by how much."""
    filled = levels[levels["n"].gt(0)]
    rises = np.diff(filled["mean"].astype(float))
    return {level: float(rise) for level, rise in zip(filled["level"][1:], rises, strict=True) if rise > 0}


def printed_disruption(folds: Folds, source: str, arch: str) -> int | None:
    """The level that the paper calls disrupted: it names one for each of its checkpoints on PTB-XL."""
    if folds.target != "ptbxl" or (source, arch) not in folds.printed:
        return None
    scalars = published.lookup(f"{PAPER}.scalars")
    return scalars.get(f"disrupted_level_{arch}_{source}", scalars["disrupted_level_others"])["value"]


def disruption_table(folds: Folds) -> pd.DataFrame:
    """Where the trend is disrupted: printed, and ours by cut points, choice of the epoch and weighting."""
    rows = []
    for place, own in folds.by_checkpoint.items():
        printed = printed_disruption(folds, *place)
        row = {"Checkpoint": checkpoint_name(*place),
               "Paper": f"level {printed}" if printed and (is_papers(own) or not len(own)) else "–"}
        for words, (how, measure, score) in DISRUPTIONS.items():
            row[words] = _rises(agreement.levels(own, measure, how, score), "level ") if len(own) else PENDING
        rows.append(row)
    return pd.DataFrame(rows)


def _rises(levels: pd.DataFrame, word: str = "") -> str:
    return ", ".join(f"{word}{level} ({f1(rise, True)})" for level, rise in disrupted(levels).items()) or "none"


def level_figure(folds: Folds, rows: pd.DataFrame) -> plt.Figure | None:
    """Mean F1 in four levels of MELEP, a row of panels a checkpoint: cut at quartiles, and in equal widths.

    ``rows`` are those of ``agreement.levels``. Under each level stand its limits and the number of its folds.
    Checkpoints without folds are left out (``pending``); None without any.
    """
    if not (known := folds.finished):
        return None
    figure, grid = plt.subplots(len(known), len(CUTS), figsize=(figures.WIDTH, 0.8 + 2.15 * len(known)), sharey="row",
                                squeeze=False)
    for panels, (place, own) in zip(grid, known.items(), strict=True):
        for axes, (how, words) in zip(panels, CUTS.items(), strict=True):
            axes.set_title(f"{words}, n = {len(own)}")
            _levels(axes, agreement.of(rows[rows["how"] == how], *place))
        panels[0].set_ylabel(f"{checkpoint_name(*place).replace(', ', chr(10))}\nmean F1")
    for axes in grid[-1]:
        axes.set_xlabel("level of MELEP, near to far")
    return figures.legend_below(figure, grid.flat)


def levels_said(rows: pd.DataFrame) -> str:
    """What ``level_figure`` says: mean F1 of the nearest and the farthest level, and where F1 rises with MELEP."""
    said = {}
    for (place, own), (how, words) in itertools.product(agreement.by_checkpoint(rows).items(), CUTS.items()):
        levels = own[(own["how"] == how) & own["n"].gt(0)]
        said[f"{checkpoint_name(*place)}, {words.lower()}"] = (
            f"mean F1 from {f1(levels['mean'].iloc[0])} (near) to {f1(levels['mean'].iloc[-1])} (far), levels that lie "
            f"above the one before: {_rises(levels)}")
    return alt.by_panel(said)


def _levels(axes: plt.Axes, levels: pd.DataFrame) -> None:
    """Mean and interval by level; a square in another colour where F1 rises with MELEP."""
    axes.set(xticks=range(1, agreement.LEVELS + 1), xlim=(0.5, agreement.LEVELS + 0.5))
    filled, against = levels[levels["n"].gt(0)], disrupted(levels)
    axes.plot(filled["level"], filled["mean"].astype(float), color=BLUE, linewidth=0.9)
    for row in filled.itertuples():
        colour, marker, label = ((VERMILION, "s", "above the level before it") if row.level in against else
                                 (BLUE, "o", "mean F1 (95 % interval)"))
        figures.dot(axes, correlations.Interval(row.mean, row.ci_low, row.ci_high), row.level, colour, marker,
                    upright=True, label=label)
    axes.set_xticklabels([f"{row.level}\n{f1(row.low)}–\n{f1(row.high)}\n({row.n})" for row in levels.itertuples()])
