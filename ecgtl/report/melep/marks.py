"""Figures of MELEP's experiments: correlations, F1 in levels of distance, the choice of a checkpoint, and
rivals.
"""

from matplotlib.axes import Axes

from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import RIVALS
from ecgtl.report import figures
from ecgtl.report.melep.transfer_folds import MELEP

BLUE, VERMILION, GREY = "#0072B2", "#D55E00", "#555555"
F1 = "weighted F1, test set"
SHIFTS = (-0.14, 0.0, 0.14, 0.28)  # of our correlations from their row, by weighting and choice of the epoch
WEIGHTS = {measure: RIVALS[measure][0].removeprefix("MELEP, ") for measure in MELEP}


def interval(axes: Axes, found: Interval, y: float, colour: str, marker: str, label: str, filled: bool = True) -> None:
    """A value, where there is one, on a horizontal line with its limits, where it has any."""
    figures.dot(axes, found, y, colour, marker, markersize=4, linewidth=1.1,
                markerfacecolor=colour if filled else "none", label=label)
