"""What the pages of MELEP's experiments show: correlations beside the printed ones (Table 2), and F1 in
levels of distance (Figures 3 to 5).

All is computed from the finished folds (``transfer_folds``), however many there are, and from what the paper
prints.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt

from ecgtl import published
from ecgtl.analysis import agreement, correlations
from ecgtl.analysis.agreement import SCORES
from ecgtl.analysis.names import PENDING, RIVALS, checkpoint_name, data_set, f1
from ecgtl.measurements.melep_datasets import PAPER
from ecgtl.report import alt, badges, figures, in_short, tables
from ecgtl.report.melep import transfer_folds
from ecgtl.report.melep.transfer_folds import CHOICES, MELEP, VARIANTS, WEIGHTS, Folds, interval, interval_text
from ecgtl.report.numbers import Numbers
from ecgtl.report.words import bullets, difference, paragraph

SHIFTS = (-0.14, 0.0, 0.14, 0.28)  # of our correlations from their row, by weighting and choice of the epoch


@dataclass(frozen=True)
class Pair:
    """A row of Table 2: a checkpoint and a target, ``rows`` of its folds and, where the data are the paper's
    own or a part of them, the correlation that the ``paper`` prints.
    """

    folds: Folds
    source: str
    arch: str
    rows: pd.DataFrame
    paper: float | None

    @property
    def named(self) -> dict[str, str]:
        """Its first two cells in every table."""
        return {"Checkpoint": checkpoint_name(self.source, self.arch), "Target": data_set(self.folds.target)}

    @property
    def named_in_short(self) -> str:
        """Network, source and target."""
        return " → ".join(self.named.values())

    def lines(self, measure: str) -> tables.Lines:
        """The printed correlation, ours, and their difference."""
        ours, fisher = self.ours[measure, SCORES[0]], self.fisher or correlations.Interval()
        gap = correlations.independent_difference(ours, fisher)
        here = Numbers(self.folds.experiment, self.folds.tier).correlation(self.source, self.arch, measure, ours)
        return tables.Lines(f1(self.paper) if self.fisher else "", here if len(self.rows) else PENDING,
                            difference(gap) if gap.reach else "")

    @cached_property
    def ours(self) -> dict[tuple[str, str], correlations.Interval]:
        """Correlation with F1 over its folds, by weighting of MELEP and choice of the epoch."""
        return {variant: agreement.correlation(self.rows, *variant) for variant in VARIANTS}

    @property
    def fisher(self) -> correlations.Interval | None:
        """The paper's correlation with Fisher's limits for as many folds as it has."""
        folds = published.lookup(f"{PAPER}.table2.folds")
        return None if self.paper is None else correlations.fisher(self.paper, folds)


def pairs(found: Iterable[Folds]) -> tuple[list[Pair], list[Pair]]:
    """The printed rows of Table 2, with our folds on the same data; and what ran on other or synthetic data.

    A substitute, or a twin, is never held against a printed row: that row stays PENDING.
    """
    own, others = [], []
    for folds in found:
        for source, arch in dict.fromkeys([*folds.printed, *folds.by_checkpoint]):
            rows, paper = folds.of(source, arch), folds.printed.get((source, arch))
            same = transfer_folds.is_papers(rows)
            if paper is not None:
                own.append(Pair(folds, source, arch, rows if same else rows[:0], paper))
            if paper is None or not same and len(rows):
                others.append(Pair(folds, source, arch, rows, None))
    return own, others


def correlation_rows(found: Iterable[Pair]) -> pd.DataFrame:
    """The numbers behind the tables, for the CSV: one row a pair, weighting and choice of the epoch."""
    return pd.DataFrame([{"source": pair.source, "network": pair.arch, "target": pair.folds.target,
                          "tier": pair.folds.tier, "measure": measure, "epoch_chosen_by": CHOICES[score],
                          "paper": pair.paper, "ours": ours.value, "low": ours.low, "high": ours.high, "folds": ours.n,
                          "label_sets": ours.groups, **dict.fromkeys(transfer_folds.PARTS, "none"),
                          **(transfer_folds.evidence(pair.rows) if ours.n else {})}
                         for pair in found for (measure, score), ours in pair.ours.items()])


def correlation_table(found: Iterable[Pair]) -> pd.DataFrame:
    """Table 2 for both weightings of MELEP, the epoch chosen as in the paper: printed, here, and the difference."""
    return tables.grid_of(((pair.named_in_short, ("Weights of MELEP", WEIGHTS[measure]), pair.lines(measure))
                           for pair in found for measure in MELEP), "Model, source → target")


def answer(found: Iterable[Pair], tiers: Mapping[str, str], why: str = "#conclusions") -> HTML:
    """In short: the strongest printed correlation here, and the strongest of ours."""
    return in_short.answered(sentences(found), tiers, why=why)


def sentences(found: Iterable[Pair]) -> list[str]:
    """What ``answer`` says."""
    said = [in_short.Finding(pair.named_in_short, pair.ours[MELEP[0], SCORES[0]], pair.paper) for pair in found]
    return in_short.findings("correlation of MELEP with F1", said, "strongest")


def validated_table(found: Iterable[Pair]) -> pd.DataFrame:
    """The same where a validation set has chosen the epoch."""
    return pd.DataFrame([{"Model, source → target": pair.named_in_short} |
                         {WEIGHTS[measure]: interval_text(pair.ours[measure, SCORES[1]]) for measure in MELEP}
                         for pair in found])


def fold_table(found: Iterable[Pair]) -> pd.DataFrame:
    """What stands behind each pair: folds, label sets, draws that made no task, and the data."""
    rows = []
    for pair in found:
        planned, ran = (len(of(pair.source, pair.arch)) for of in (pair.folds.plan, pair.folds.of))
        folds = "none on the paper's data" if ran > len(pair.rows) else f"{len(pair.rows)} of {planned}"
        behind = {"Label sets": "–", "Draws made again": "–", "Data": badges.badge("pending")}
        if len(pair.rows):
            words = {"tier": pair.folds.tier} | transfer_folds.evidence(pair.rows)
            behind = {"Label sets": pair.rows["label_set"].nunique(), "Draws made again": pair.rows["redrawn"].sum(),
                      "Data": Markup(" ".join(badges.badge(f"{kind}:{word}") for kind, word in words.items()))}
        rows.append(pair.named | {"Folds": folds if planned else "none in this tier"} | behind)
    return pd.DataFrame(rows)


def signs(found: Sequence[Pair]) -> HTML:
    """Whether our correlations have the sign of the printed ones, and which intervals exclude 0."""
    lines = []
    for measure, score in VARIANTS:
        both = [(pair.paper, ours) for pair in found if (ours := pair.ours[measure, score]).value is not None]
        if both:
            same = sum(np.sign(paper or 0) == np.sign(ours.value or 0) for paper, ours in both)
            lines.append(f"{RIVALS[measure][0]}, {CHOICES[score]}: {same} of {len(both)} rows have the printed sign; "
                         f"the interval excludes 0 in {sum(ours.side != 0 for _, ours in both)}.")
    hoped = paragraph("A negative correlation is as hoped: where MELEP is small, F1 is high.")
    return HTML(hoped + (bullets(lines) if lines else paragraph(f"{PENDING}: no pair has run.")))


def network_table(found: Iterable[Pair]) -> pd.DataFrame:
    """Correlation of the Bi-LSTM minus that of ResNet1d101, by source and target: printed and ours."""
    rows, known = [], {(pair.source, pair.folds.target, pair.paper is None, pair.arch): pair for pair in found}
    for source, target, other in dict.fromkeys(place[:3] for place in known):
        lstm, residual = (known.get((source, target, other, arch)) for arch in ("bilstm", "resnet1d101"))
        if lstm and residual:
            ours = {score: agreement.stronger(lstm.rows, residual.rows, MELEP[0], score) for score in SCORES}
            rows.append({"Source": data_set(source), "Target": data_set(target),
                         "Paper": f1(correlations.difference(lstm.paper, residual.paper), True),
                         **{f"Ours, {CHOICES[score]}": interval_text(one, True) for score, one in ours.items()},
                         "Folds of both": ours[SCORES[0]].n})
    return pd.DataFrame(rows)


def correlation_figure(own: Sequence[Pair], others: Sequence[Pair]) -> plt.Figure:
    """Correlation of MELEP with F1: printed with Fisher's interval, ours with both weightings and choices of
    the epoch; rows on substitutes below.
    """
    groups = {title: group for title, group in (("Data as in the paper", own), ("Substitute or synthetic data", others))
              if group}
    figure, grid = plt.subplots(len(groups), 1, figsize=(figures.WIDTH, 1.8 + 0.5 * (len(own) + len(others))),
                                sharex=True, squeeze=False, height_ratios=[len(rows) + 0.5 for rows in groups.values()])
    for axes, (title, group) in zip(grid[:, 0], groups.items(), strict=True):
        for y, pair in enumerate(group):
            _correlations(axes, y, pair)
        axes.axvline(0, color=figures.GREY, linewidth=0.8)
        axes.set(title=title, xlim=(-1.05, 1.05), xticks=(-1, -0.5, 0, 0.5, 1))
        figures.name_rows(axes, ["\n→ ".join(pair.named.values()) for pair in group])
    grid[-1, 0].set_xlabel("correlation with F1 (negative: as the paper expects)")
    return figures.legend_below(figure, grid[:, 0], 1)


def correlations_said(found: Iterable[Pair]) -> str:
    """What ``correlation_figure`` says, ours by the weights of the text and the published choice of the epoch."""
    pairs = {pair.named_in_short: pair for pair in found}
    ours = {name: pair.ours[MELEP[0], SCORES[0]] for name, pair in pairs.items()}
    printed = {name: pair.fisher for name, pair in pairs.items() if pair.fisher}
    return alt.by_panel({"Correlation of MELEP with F1 here": alt.beside_zero(ours),
                         "In print": alt.beside_zero(printed)})


def _correlations(axes: plt.Axes, y: float, pair: Pair) -> None:
    if pair.fisher:
        interval(axes, pair.fisher, y - 0.32, figures.PAPER_COLOUR, "D", "paper (Fisher's 95 % interval)")
    for shift, ((measure, score), found) in zip(SHIFTS, pair.ours.items(), strict=True):
        style = figures.STYLES[MELEP.index(measure)]
        interval(axes, found, y + shift, *style, f"here: {WEIGHTS[measure]}, {CHOICES[score]}", score == SCORES[0])
    if not len(pair.rows):
        figures.pending_row(axes, y + 0.1, 0.99)
