"""Figures of MELEP's experiments: correlations, F1 in levels of distance, the choice of a checkpoint, and
rivals.
"""

from collections.abc import Sequence

from matplotlib.axes import Axes

from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import RIVALS
from ecgtl.analysis.text import PENDING
from ecgtl.report.melep.transfer_folds import MELEP

WIDTH = 4.8  # inches: words can still be read on a narrow screen
# Okabe and Ito's palette, a marker with each colour
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"),
          ("#000000", "P"), ("#E69F00", "X"), ("#999999", "<"), ("#F0E442", ">"))
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#555555"
F1 = "weighted F1, test part"
SHIFTS = (-0.14, 0.0, 0.14, 0.28)  # of our correlations from their row, by weighting and choice of the epoch
WEIGHTS = {measure: RIVALS[measure][0].removeprefix("MELEP, ") for measure in MELEP}


# Marks


def interval(axes: Axes, found: Interval, y: float, colour: str, marker: str, label: str, filled: bool = True) -> None:
    """A value, where there is one, on a horizontal line with its limits, where it has any."""
    if found.value is not None:
        axes.errorbar([found.value], [y], xerr=found.reach, color=colour, marker=marker, markersize=4, linewidth=1.1,
                      capsize=2, linestyle="none", markerfacecolor=colour if filled else "white", label=label)


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """The names of what lies on the lines of a panel, the first on top."""
    axes.set(yticks=range(len(names)), yticklabels=names, ylim=(max(len(names), 1) - 0.4, -0.6))
    axes.tick_params(axis="y", labelsize=8)


def pending_unless(axes: Axes, n: int, least: int = 1) -> None:
    """Say in a panel with fewer than ``least`` folds that it waits for more."""
    if n < least:
        axes.text(0.5, 0.5, f"{PENDING}: {f'{n} of {least} folds' if n else 'no fold yet'}",
                  transform=axes.transAxes, ha="center", color=GREY, fontsize=8)


# Table 2


# Figures 3 to 5


# Figure 6


# MELEP, or the number of labels?


