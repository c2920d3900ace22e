"""Whether fine-tuning has learned anything that a score could predict: networks beside baselines (every recording has
every label; boosted trees on RR intervals), and what MELEP correlates with when no network is there.

All is computed from the finished folds (``transfer_folds``).
"""

import itertools

import pandas as pd
from IPython.display import HTML

from ecgtl import agreement, fold_baselines
from ecgtl.agreement import CHOOSING, EVERY_LABEL, RR, SCORES, TRIVIAL
from ecgtl.report.transfer import RIVALS
from ecgtl.report.transfer_folds import Folds, checkpoint_name, interval_text
from ecgtl.report.transferability import CHOICES
from ecgtl.report.words import PENDING, bullets, f1, paragraph

TIE = 1e-8  # results are stored with nine digits
WORDS = {EVERY_LABEL: "every label", RR: "boosting on RR intervals"}
CONTROLLED = {"plain": "F1 of the network", "answer": "F1 of every label", "between": "the difference"}


def gains(folds: Folds) -> pd.DataFrame:
    """One row a baseline (``over``), checkpoint and choice of the epoch: mean F1 of the ``network`` and of the
    ``answer``, ``gain`` as an Interval, in how many of ``n`` folds the network is ``better``, and its mean ``auc``.
    """
    found, known = [], fold_baselines.load(folds.experiment, folds.tier)
    for over, (place, own), score in itertools.product(TRIVIAL, folds.by_checkpoint.items(), SCORES):
        if over == RR and len(own):
            own = own.assign(**{RR: own["fold"].map(known).astype(float)}).dropna(subset=[RR])
        row = {"network": None, "answer": None, "auc": None, "better": 0}
        if len(own):
            row = {"network": own[score].mean(), "answer": own[over].mean(),
                   "auc": own[score.replace("weighted_f1", "macro_auc")].mean(),
                   "better": int((own[score] - own[over] > TIE).sum())}
        found.append({"over": over, "source": place[0], "arch": place[1], "score": score, "n": len(own), **row,
                      "gain": agreement.gain(own, score, over)})
    return pd.DataFrame(found)


def gain_table(rows: pd.DataFrame, over: str) -> pd.DataFrame:
    """``gains`` over one baseline for a page."""
    return pd.DataFrame([{"Checkpoint": checkpoint_name(row.source, row.arch), "Epoch": CHOICES[row.score],
                          "F1, network": f1(row.network) if row.n else PENDING,
                          f"F1, {WORDS[over]}": f1(row.answer) if row.n else PENDING,
                          "Difference [95 % interval]": interval_text(row.gain, signed=True),
                          "Network better in": f"{row.better} of {row.n}",
                          "AUC, network": f1(row.auc) if row.n else PENDING}
                         for row in rows[rows["over"] == over].itertuples()])


def control_table(rows: pd.DataFrame) -> pd.DataFrame:
    """What each measure correlates with, from ``checkpoint_choice.rival_rows``, for a page."""
    return pd.DataFrame([{"Checkpoint": checkpoint_name(row.source, row.arch), "Measure": RIVALS[row.measure][0],
                          **{f"With {words}": interval_text(getattr(row, part)) for part, words in CONTROLLED.items()}}
                         for row in rows.itertuples()])


def numbers(found: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """``gains`` and what ``control_table`` shows as numbers, for the CSV: one row a statistic."""
    said = [(row, row.score, "", f"gain over {WORDS[row.over]}", row.gain) for row in found.itertuples()]
    said += [(row, SCORES[0], row.measure, f"correlation with {words}", getattr(row, part))
             for row in rows.itertuples() for part, words in CONTROLLED.items()]
    return pd.DataFrame([{"source": row.source, "network": row.arch, "statistic": statistic, "measure": measure,
                          "epoch_chosen_by": CHOICES[score], "value": one.value, "low": one.low, "high": one.high,
                          "folds": one.n, "label_sets": one.groups} for row, score, measure, statistic, one in said])


def verdict(found: pd.DataFrame, rows: pd.DataFrame) -> HTML:
    """What the numbers say: which networks beat the baselines, and what MELEP correlates with without any."""
    lines = []
    for (over, score), own in found[found["n"] > 0].groupby(["over", "score"], sort=False):
        sides = [one.side for one in own["gain"]]
        lines.append(f"Against {WORDS[over]}, epoch {CHOICES[score]}: of {len(own)} checkpoints the interval lies "
                     f"above 0 for {sides.count(1)}, below it for {sides.count(-1)}, and neither for {sides.count(0)}; "
                     f"networks are better in {own['better'].sum()} of {own['n'].sum()} folds.")
    if not lines:
        return HTML(paragraph(f"{PENDING}: no fold yet."))
    known = rows[rows["answer"].map(lambda one: one.value is not None) & rows["measure"].isin(CHOOSING)]
    for measure, own in known.groupby("measure", sort=False):
        values, sure = [one.value for one in own["answer"]], sum(one.side != 0 for one in own["between"])
        lines.append(f"{RIVALS[measure][0]} correlates with the F1 of every label, in which no network has a part, "
                     f"between {f1(min(values), True)} and {f1(max(values), True)}; with what the networks have beyond "
                     f"it the interval leaves out 0 in {sure} of {len(own)} checkpoints.")
    return HTML(bullets(lines))
