"""What the pages of MELEP's experiments show: correlations beside the printed ones (Table 2), and F1 in
levels of distance (Figures 3 to 5).

All is computed from the finished folds (``transfer_folds``), however many there are, and from what the paper
prints.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import agreement, correlations, published
from ecgtl.agreement import SCORES
from ecgtl.analysis import claims, names
from ecgtl.correlations import Interval
from ecgtl.report import badges, tables
from ecgtl.report.findings import finding
from ecgtl.report.melep import PAPER
from ecgtl.report.transfer import RIVALS
from ecgtl.report.transfer_folds import (
    CSN,
    PARTS,
    PTBXL,
    Folds,
    checkpoint_name,
    data_set,
    evidence,
    interval_text,
    load,
)
from ecgtl.report.words import PENDING, bullets, estimate, f1, paragraph

MELEP = ("melep_published", "melep_normalised")
CHOICES = {score: names.CHOICES[score.removeprefix("weighted_f1_")] for score in SCORES}
VARIANTS = tuple(product(MELEP, SCORES))
CUTS = {"quartiles": "Quartiles", "widths": "Equal widths"}
LEVEL_PAGES = {"figure3": (CSN, "resnet1d101"), "figure4": (CSN, "bilstm"), "figure5": (PTBXL, None)}
# Column of the table of disrupted levels: way of cutting, weighting of MELEP, choice of the epoch
DISRUPTIONS = {"Quartiles": ("quartiles", MELEP[0], SCORES[0]), "Equal widths": ("widths", MELEP[0], SCORES[0]),
               f"Quartiles, {CHOICES[SCORES[1]]}": ("quartiles", MELEP[0], SCORES[1]),
               "Quartiles, normalised weights": ("quartiles", MELEP[1], SCORES[0])}


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
    def named(self) -> dict[str, str]:
        """Its first two cells in every table."""
        return {"Checkpoint": checkpoint_name(self.source, self.arch), "Target": data_set(self.folds.target)}

    @cached_property
    def ours(self) -> dict[tuple[str, str], Interval]:
        """Correlation with F1 over its folds, by weighting of MELEP and choice of the epoch."""
        return {variant: agreement.correlation(self.rows, *variant) for variant in VARIANTS}

    @property
    def fisher(self) -> Interval | None:
        """The paper's correlation with Fisher's limits for as many folds as it has."""
        return self.paper and correlations.fisher(self.paper, published.lookup(f"{PAPER}.table2.folds"))


def pairs(found: Iterable[Folds]) -> tuple[list[Pair], list[Pair]]:
    """The printed rows of Table 2, with our folds on the same data; and what ran on other or synthetic data.

    A substitute, or a twin, is never held against a printed row: that row stays PENDING.
    """
    own, others = [], []
    for folds in found:
        for place in folds.printed | folds.by_checkpoint:
            rows = folds.of(*place)
            same = is_papers(rows)
            if place in folds.printed:
                own.append(Pair(folds, *place, rows if same else rows[:0], folds.printed[place]))
            if place not in folds.printed or not same and len(rows):
                others.append(Pair(folds, *place, rows, None))
    return own, others


def is_papers(rows: pd.DataFrame) -> bool:
    """Whether folds are of the paper's own data sets, whole or in part."""
    return len(rows) > 0 and rows[[f"evidence_{part}" for part in PARTS[:2]]].isin(["full", "subset"]).all(axis=None)


def correlation_rows(found: Iterable[Pair]) -> pd.DataFrame:
    """The numbers behind the tables, for the CSV: one row a pair, weighting and choice of the epoch."""
    return pd.DataFrame([{"source": pair.source, "network": pair.arch, "target": pair.folds.target,
                          "tier": pair.folds.tier, "measure": measure, "epoch_chosen_by": CHOICES[score],
                          "paper": pair.paper, "ours": ours.value, "low": ours.low, "high": ours.high, "folds": ours.n,
                          "label_sets": ours.groups,
                          **(evidence(pair.rows) if ours.n else dict.fromkeys(PARTS, "none"))}
                         for pair in found for (measure, score), ours in pair.ours.items()])


def correlation_table(found: Iterable[Pair], measure: str) -> pd.DataFrame:
    """Table 2 for one weighting of MELEP: printed and ours by both choices of the epoch."""
    rows = []
    for pair in found:
        row = pair.named | ({"Paper": f1(pair.paper)} if pair.fisher else {})
        row |= {f"Ours, {CHOICES[score]}": interval_text(pair.ours[measure, score]) for score in SCORES}
        if pair.fisher:
            gap = correlations.independent_difference(pair.ours[measure, SCORES[0]], pair.fisher)
            row["Ours − paper [95 % interval]"] = interval_text(gap, signed=True)
        rows.append(row)
    return pd.DataFrame(rows)


def fold_table(found: Iterable[Pair]) -> pd.DataFrame:
    """What stands behind each pair: folds, label sets, draws that made no task, and the data."""
    rows = []
    for pair in found:
        planned, ran = (len(of(pair.source, pair.arch)) for of in (pair.folds.plan, pair.folds.of))
        folds = "none on the paper's data" if ran > len(pair.rows) else f"{len(pair.rows)} of {planned}"
        behind = {"Label sets": "–", "Draws made again": "–", "Data": badges.badge("pending")}
        if len(pair.rows):
            words = {"tier": pair.folds.tier} | evidence(pair.rows)
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
            same = sum(np.sign(paper) == np.sign(ours.value) for paper, ours in both)
            lines.append(f"{RIVALS[measure][0]}, {CHOICES[score]}: {same} of {len(both)} rows have the printed sign; "
                         f"the interval leaves out 0 in {sum(ours.side != 0 for _, ours in both)}.")
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


# Figures 3 to 5: distance levels


def levels(page: str, wanted: str = "best") -> tuple[Folds, pd.DataFrame]:
    """The folds of one of ``LEVEL_PAGES``, and ``agreement.levels`` of every checkpoint that has run, by both ways of
    cutting (column ``how``), which are left for download.
    """
    experiment, arch = LEVEL_PAGES[page]
    folds, found = load(experiment, wanted, arch), []
    for (source, arch), own in folds.by_checkpoint.items():
        found += [agreement.levels(own, MELEP[0], how).assign(source=source, arch=arch, measure=MELEP[0],
                                                              epoch_chosen_by=CHOICES[SCORES[0]], how=how)
                  for how in CUTS if len(own)]
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
            found = disrupted(agreement.levels(own, measure, how, score))
            said = ", ".join(f"level {level} ({f1(rise, True)})" for level, rise in found.items())
            row[words] = (said or "none") if len(own) else PENDING
        rows.append(row)
    return pd.DataFrame(rows)


# Claims


def said(names: Sequence[str], *found: Folds) -> HTML:
    """The claims ``names`` that rest on one of the experiments ``found``, judged from the paper's numbers and ours."""
    tiers = {folds.experiment: folds.tier for folds in found}
    rows = [finding(PAPER, name, tiers[claims.claims(PAPER)[name]["experiment"]]) for name in names]
    return tables.html(pd.concat(rows), "Statements and what the folds say")
