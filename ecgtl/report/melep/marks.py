"""Figures of MELEP's experiments: correlations, F1 in levels of distance, the choice of a checkpoint, and
rivals.
"""

from matplotlib.axes import Axes

from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import PENDING, RIVALS
from ecgtl.report import figures
from ecgtl.report.melep.transfer_folds import MELEP

WIDTH = 4.8  # inches: words can still be read on a narrow screen
# Okabe and Ito's palette, a marker with each colour
STYLES = (("#0072B2", "o"), ("#D55E00", "s"), ("#009E73", "^"), ("#CC79A7", "D"), ("#56B4E9", "v"),
          ("#000000", "P"), ("#E69F00", "X"), ("#999999", "<"), ("#F0E442", ">"))
BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#555555"
F1 = "weighted F1, test part"
SHIFTS = (-0.14, 0.0, 0.14, 0.28)  # of our correlations from their row, by weighting and choice of the epoch
WEIGHTS = {measure: RIVALS[measure][0].removeprefix("MELEP, ") for measure in MELEP}


def interval(axes: Axes, found: Interval, y: float, colour: str, marker: str, label: str, filled: bool = True) -> None:
    """A value, where there is one, on a horizontal line with its limits, where it has any."""
    figures.dot(axes, found, y, colour, marker, markersize=4, linewidth=1.1, capsize=2,
                markerfacecolor=colour if filled else "white", label=label)


def pending_unless(axes: Axes, n: int, least: int = 1) -> None:
    """Say in a panel with fewer than ``least`` folds that it waits for more."""
    if n < least:
        text = f"{PENDING}: {f'{n} of {least} folds' if n else 'no fold yet'}"
        figures.pending(axes, text=text, va="baseline", fontsize=8)
