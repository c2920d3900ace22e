"""Gains over random initialisation, ours beside the printed ones: what pages draw of them, and what that says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib import pyplot as plt

from ecgtl import experiments, statistics
from ecgtl.analysis import cells, claim_rules, sources, verdicts
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import METHODS
from ecgtl.report import alt, figures


@dataclass(frozen=True)
class Gain:
    """A difference to random weights: its ``panel`` and ``row`` in a figure, ours and the printed one, if any."""

    panel: str
    row: str
    ours: Interval
    printed: Interval = sources.NOTHING


def over_random(experiment: str, tier: str, score: str | None = None, table: str | None = None,
                named: Callable[[str, str], tuple[str, str]] = lambda method, column: (METHODS[method], column),
                ) -> list[Gain]:
    """Every network of an experiment minus random weights in the same column, by the analysis plan.

    With too few runs there is a difference without limits. ``named`` makes panel and row of a method and the words of
    its column; ``table`` of the paper is printed, where it is not the experiment's. On synthetic data nothing printed
    stands beside ours.
    """
    entry, source, found = experiments.load(experiment), sources.Runs(tier, table), []
    filled = cells.cells(experiment, tier, score)
    for method in (method for method in entry.networks if method != "random"):
        for size in entry.columns_of(method):
            pair = [verdicts.Place(experiment, name, size, score) for name in (method, "random")]
            verdict = claim_rules.judged("beats", pair, source).verdict
            ours = verdict.ours or _few(*(filled.get((name, size)) for name in (method, "random")))
            found.append(Gain(*named(method, entry.column_words(size)), _interval(ours),
                              _interval(None if tier == "demo" else verdict.printed)))
    return found


def _few(a: statistics.Sample | None, b: statistics.Sample | None) -> statistics.Difference | Interval | None:
    """The difference of two cells; limits only where both have runs enough, as in tier demo, which claims leave out."""
    if not (a and b):
        return None
    found = statistics.welch(a, b)
    return found if verdicts.enough((a, b)) else Interval(found.value)


def _interval(found: statistics.Difference | Interval | None) -> Interval:
    return Interval(found.value, found.low, found.high) if found else sources.NOTHING


def figure(gains: Sequence[Gain], xlabel: str) -> plt.Figure | None:
    """Each gain on a line, ours below the printed one, with 95 % intervals and a line at 0; None without any."""
    panels = {one.panel: [gain for gain in gains if gain.panel == one.panel] for one in gains}
    if all(one.value is None for gain in gains for one in (gain.ours, gain.printed)):
        return None
    heights = [len(own) + 0.9 for own in panels.values()]
    drawn, grid = plt.subplots(len(panels), 1, figsize=(figures.WIDTH, 0.9 + 0.29 * sum(heights)), sharex=True,
                               squeeze=False, height_ratios=heights)
    for axes, (title, own) in zip(grid[:, 0], panels.items(), strict=True):
        axes.axvline(0, color=figures.INK, linewidth=0.9)
        for y, gain in enumerate(own):
            figures.dot(axes, gain.printed, y - 0.17, figures.PAPER_COLOUR, "D", label="paper", markerfacecolor="none")
            figures.dot(axes, gain.ours, y + 0.17, figures.COLOURS["beat"], "o", label="here")
            if gain.ours.value is None:
                figures.pending_row(axes, y + 0.17)
        axes.set_title(title)
        figures.name_rows(axes, [gain.row for gain in own])
    grid[-1, 0].set_xlabel(xlabel, loc="right")  # as wide as the figure: it begins below the names of the rows
    return figures.legend_below(drawn, grid[:, 0])


def said(gains: Sequence[Gain]) -> str:
    """What the figure says: which gains have an interval that excludes 0, ours and in print."""
    ours, printed = ({f"{gain.panel}, {gain.row}": getattr(gain, who) for gain in gains} for who in ("ours", "printed"))
    shown = {"Difference to random weights here": alt.beside_zero(ours)}
    if any(one.value is not None for one in printed.values()):
        shown["In print"] = alt.beside_zero(printed)
    return alt.by_panel(shown)
