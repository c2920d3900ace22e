"""What the pages of MELEP's experiments show: correlations beside the printed ones (Table 2), and F1 in
levels of distance (Figures 3 to 5).

All is worked out from the finished folds (``transfer_folds``), however many there are, and from what the
paper prints.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import agreement, claims, correlations, published
from ecgtl.agreement import SCORES
from ecgtl.correlations import Interval
from ecgtl.report import badges, book_tables, tables
from ecgtl.report.findings import finding
from ecgtl.report.melep import NETWORKS, PAPER
from ecgtl.report.transfer import RIVALS
from ecgtl.report.transfer_folds import (
    PARTS,
    Folds,
    checkpoint_name,
    count,
    data_set,
    evidence,
    interval_text,
    table2,
)
from ecgtl.report.words import PENDING, f1

MELEP = ("melep_published", "melep_normalised")
CHOICES = {score: tables.CHOICES[score.removeprefix("weighted_f1_")] for score in SCORES}
VARIANTS = tuple(product(MELEP, SCORES))
CUTS = {"quartiles": "Quartiles", "widths": "Equal widths"}


# Table 2: correlations


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
    def name(self) -> str:
        """The checkpoint in words."""
        return checkpoint_name(self.source, self.arch)

    @cached_property
    def ours(self) -> dict[tuple[str, str], Interval]:
        """Correlation with F1 over its folds, by weighting of MELEP and choice of the epoch."""
        return {variant: agreement.correlation(self.rows, *variant) for variant in VARIANTS}

    def gap(self, measure: str, score: str = SCORES[0]) -> Interval:
        """Ours minus the paper's, whose interval is Fisher's for as many folds as it has."""
        printed = correlations.fisher(self.paper, published.lookup(f"{PAPER}.table2.folds"))
        return correlations.independent_difference(self.ours[measure, score], printed)

    def badges(self) -> Markup:
        """What its data are, and the tier; pending without folds."""
        if not len(self.rows):
            return book_tables.badge("pending")
        words = {"tier": self.folds.tier} | evidence(self.rows)
        return Markup(" ".join(badges.badge(kind, word) for kind, word in words.items()))


def pairs(found: Iterable[Folds]) -> tuple[list[Pair], list[Pair]]:
    """The printed rows of Table 2, with our folds on the same data; and what ran on other or made data.

    A substitute, or a twin, is never held against a printed row: that row stays PENDING.
    """
    own, others = [], []
    for folds in found:
        values = {(row["source"], row["model"]): row["correlation"] for row in table2().values()
                  if row["target"] == folds.target}
        for place in dict.fromkeys([*folds.printed, *folds.checkpoints]):
            rows = folds.of(*place)
            same = is_papers(rows)
            if place in values:
                own.append(Pair(folds, *place, rows if same else rows[:0], values[place]))
            if place not in values or not same and len(rows):
                others.append(Pair(folds, *place, rows, None))
    return own, others


def is_papers(rows: pd.DataFrame) -> bool:
    """Whether folds are of the paper's own data sets, whole or in part."""
    if not len(rows):
        return False
    words = {word for part in PARTS[:2] for word in rows[f"evidence_{part}"]}
    return words <= {"full", "subset"}


def correlation_rows(found: Iterable[Pair]) -> pd.DataFrame:
    """The numbers behind the tables, for the CSV: one row a pair, weighting and choice of the epoch."""
    rows = []
    for pair in found:
        for measure, score in VARIANTS:
            ours = pair.ours[measure, score]
            rows.append({"source": pair.source, "network": pair.arch, "target": pair.folds.target,
                         "tier": pair.folds.tier, "measure": measure, "epoch_chosen_by": CHOICES[score],
                         "paper": pair.paper, "ours": ours.value, "low": ours.low, "high": ours.high,
                         "folds": ours.n, "label_sets": ours.groups,
                         **(evidence(pair.rows) if ours.n else dict.fromkeys(PARTS, "none"))})
    return pd.DataFrame(rows)


def correlation_table(found: Iterable[Pair], measure: str) -> pd.DataFrame:
    """Table 2 for one weighting of MELEP: printed and ours by both choices of the epoch."""
    rows = []
    for pair in found:
        row = {"Checkpoint": pair.name, "Target": data_set(pair.folds.target)}
        if pair.paper is not None:
            row["Paper"] = f1(pair.paper)
        row |= {f"Ours, {CHOICES[score]}": interval_text(pair.ours[measure, score]) for score in SCORES}
        if pair.paper is not None:
            row["Ours − paper [95 % interval]"] = interval_text(pair.gap(measure), signed=True)
        rows.append(row)
    return pd.DataFrame(rows)


def fold_table(found: Iterable[Pair]) -> pd.DataFrame:
    """What stands behind each pair: folds, label sets, draws that made no task, and the data."""
    rows = []
    for pair in found:
        there = len(pair.rows) > 0
        rows.append({"Checkpoint": pair.name, "Target": data_set(pair.folds.target), "Folds": _folds_of(pair),
                     "Label sets": pair.rows["label_set"].nunique() if there else "–",
                     "Draws made again": int(pair.rows["redrawn"].sum()) if there else "–",
                     "Data": pair.badges()})
    return pd.DataFrame(rows)


def _folds_of(pair: Pair) -> str:
    planned = len(pair.folds.plan(pair.source, pair.arch))
    if not planned:
        return "none in this tier"
    elsewhere = len(pair.folds.of(pair.source, pair.arch)) - len(pair.rows)
    return "none on the paper's data" if elsewhere else count(len(pair.rows), planned)


def signs(found: Sequence[Pair]) -> HTML:
    """Whether our correlations have the sign of the printed ones, and which intervals leave out 0."""
    lines = []
    for measure, score in VARIANTS:
        both = [(pair.paper, ours) for pair in found if (ours := pair.ours[measure, score]).value is not None]
        if both:
            same = sum(np.sign(paper) == np.sign(ours.value) for paper, ours in both)
            sure = sum(excludes_zero(ours) for _, ours in both)
            lines.append(Markup("<li>{}, {}: {} rows have the printed sign; the interval leaves out 0 in {}."
                                "</li>").format(
                RIVALS[measure][0], CHOICES[score], count(same, len(both)), sure))
    hoped = Markup("<p>A negative correlation is as hoped: where MELEP is small, F1 is high.</p>")
    if not lines:
        return HTML(hoped + Markup("<p>{}: no pair has run.</p>").format(PENDING))
    return HTML(hoped + Markup("<ul>{}</ul>").format(Markup("").join(lines)))


def excludes_zero(found: Interval) -> bool:
    """Whether the interval lies on one side of 0."""
    return found.low is not None and (found.low > 0 or found.high < 0)


def network_table(found: Iterable[Pair], measure: str = MELEP[0]) -> pd.DataFrame:
    """Correlation of the Bi-LSTM minus that of ResNet1d101, by source and target: printed and ours."""
    rows, second = [], {}
    for pair in found:
        second.setdefault((pair.source, pair.folds.target, pair.paper is None), {})[pair.arch] = pair
    for (source, target, _), by_arch in second.items():
        if len(by_arch) == len(NETWORKS):
            lstm, residual = by_arch["bilstm"], by_arch["resnet1d101"]
            ours = {score: agreement.stronger(lstm.rows, residual.rows, measure, score) for score in SCORES}
            rows.append({"Source": data_set(source), "Target": data_set(target),
                         "Paper": f1(correlations.difference(lstm.paper, residual.paper), True),
                         **{f"Ours, {CHOICES[score]}": interval_text(one, signed=True)
                            for score, one in ours.items()},
                         "Folds of both": ours[SCORES[0]].n})
    return pd.DataFrame(rows)


# Figures 3 to 5: distance levels


def level_rows(folds: Folds, measure: str = MELEP[0], score: str = SCORES[0]) -> pd.DataFrame:
    """``agreement.levels`` of every checkpoint that has run, by both ways of cutting (column ``how``)."""
    found = [agreement.levels(folds.of(*place), measure, how, score).assign(
        source=place[0], arch=place[1], measure=measure, epoch_chosen_by=CHOICES[score], how=how)
        for place in folds.checkpoints for how in CUTS if len(folds.of(*place))]
    columns = ["source", "arch", "how", "level"]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=columns)


def levels_of(rows: pd.DataFrame, source: str, arch: str, how: str) -> pd.DataFrame:
    """The four rows of ``level_rows`` of one checkpoint and way of cutting."""
    return rows[(rows["source"] == source) & (rows["arch"] == arch) & (rows["how"] == how)]


def level_table(rows: pd.DataFrame, how: str) -> pd.DataFrame:
    """``level_rows`` of one way of cutting for a page."""
    return pd.DataFrame([{"Checkpoint": checkpoint_name(row.source, row.arch), "Level": row.level,
                          "MELEP from": f"{row.low:.4f}", "to": f"{row.high:.4f}", "Folds": row.n,
                          "Label sets": row.label_sets,
                          "Mean F1 [95 % interval]": _mean_text(row)}
                         for row in rows[rows["how"] == how].itertuples()],
                        columns=["Checkpoint", "Level", "MELEP from", "to", "Folds", "Label sets",
                                 "Mean F1 [95 % interval]"])


def _mean_text(row) -> str:
    """Mean F1 of a level with its interval; a dash for a level without folds."""
    return interval_text(Interval(row.mean, row.ci_low, row.ci_high, row.n, 0, 0)) if row.n else "–"


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
    variants = {"Quartiles": ("quartiles", MELEP[0], SCORES[0]),
                "Equal widths": ("widths", MELEP[0], SCORES[0]),
                f"Quartiles, {CHOICES[SCORES[1]]}": ("quartiles", MELEP[0], SCORES[1]),
                "Quartiles, normalised weights": ("quartiles", MELEP[1], SCORES[0])}
    rows = []
    for source, arch in folds.checkpoints:
        own, printed = folds.of(source, arch), printed_disruption(folds, source, arch)
        row = {"Checkpoint": checkpoint_name(source, arch)}
        row["Paper"] = f"level {printed}" if printed and (is_papers(own) or not len(own)) else "–"
        for words, (how, measure, score) in variants.items():
            found = disrupted(agreement.levels(own, measure, how, score)) if len(own) else {}
            said = ", ".join(f"level {level} ({f1(rise, True)})" for level, rise in found.items())
            row[words] = (said or "none") if len(own) else PENDING
        rows.append(row)
    return pd.DataFrame(rows)


# Claims


def said(names: Sequence[str], *found: Folds) -> HTML:
    """The claims ``names`` that rest on one of the experiments ``found``, judged from the paper's numbers and
    ours.
    """
    tiers = {folds.experiment: folds.tier for folds in found}
    wanted = {name: claims.claims(PAPER)[name]["experiment"] for name in names}
    rows = pd.concat([finding(PAPER, name, tiers[experiment]) for name, experiment in wanted.items()])
    return tables.html(rows, "Statements and what the folds say")
