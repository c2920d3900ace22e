"""Whether fine-tuning has learned anything that a score could foretell: networks beside trivial answers (every
recording has every label; boosted trees on RR intervals), and what MELEP correlates with when no network is there.

All is worked out from the finished folds (``transfer_folds``).
"""

import itertools

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import agreement, fold_baselines
from ecgtl.agreement import EVERY_LABEL, MEASURES, RR, SCORES, TRIVIAL
from ecgtl.correlations import Interval
from ecgtl.report.transfer import RIVALS
from ecgtl.report.transfer_folds import Folds, checkpoint_name, count, interval_text
from ecgtl.report.transferability import CHOICES, excludes_zero
from ecgtl.report.words import PENDING, f1

TIE = 1e-8  # results are stored with nine digits
WORDS = {EVERY_LABEL: "every label", RR: "boosting on RR intervals"}
CONTROLLED = {"network": "F1 of the network", "answer": "F1 of every label", "between": "the difference"}


def beside(folds: Folds, place: tuple[str, str], over: str) -> pd.DataFrame:
    """The finished folds of a checkpoint that have the trivial answer ``over``, in a column of its name."""
    own = folds.of(*place)
    if over == EVERY_LABEL or not len(own):
        return own
    known = fold_baselines.load(folds.experiment, folds.tier)
    own = own[own["fold"].isin(list(known))]
    return own.assign(**{over: own["fold"].map(known).astype(float)})


def gains(folds: Folds) -> pd.DataFrame:
    """One row a trivial answer (``over``), checkpoint and choice of the epoch: mean F1 of the ``network`` and of the
    ``answer``, ``gain`` as an Interval, in how many of ``n`` folds the network is ``better``, and its mean ``auc``.
    """
    found = []
    for over, place, score in itertools.product(TRIVIAL, folds.checkpoints, SCORES):
        own = beside(folds, place, over)
        there = len(own) > 0
        found.append({"over": over, "source": place[0], "arch": place[1], "score": score, "n": len(own),
                      "network": own[score].mean() if there else None, "answer": own[over].mean() if there else None,
                      "auc": own[score.replace("weighted_f1", "macro_auc")].mean() if there else None,
                      "gain": agreement.gain(own, score, over),
                      "better": int((own[score] - own[over] > TIE).sum()) if there else 0})
    return pd.DataFrame(found)


def gain_table(rows: pd.DataFrame, over: str) -> pd.DataFrame:
    """``gains`` over one trivial answer for a page."""
    return pd.DataFrame([{"Checkpoint": checkpoint_name(row.source, row.arch), "Epoch": CHOICES[row.score],
                          "F1, network": f1(row.network) if row.n else PENDING,
                          f"F1, {WORDS[over]}": f1(row.answer) if row.n else PENDING,
                          "Difference [95 % interval]": interval_text(row.gain, signed=True),
                          "Network better in": count(row.better, row.n),
                          "AUC, network": f1(row.auc) if row.n else PENDING}
                         for row in rows[rows["over"] == over].itertuples()])


def controls(folds: Folds, score: str = SCORES[0]) -> pd.DataFrame:
    """Correlation of every measure with three things, by checkpoint, an Interval each: the F1 of the
    ``network``, that of the ``answer``, and what lies ``between``.
    """
    return pd.DataFrame([{"source": source, "arch": arch, "measure": measure,
                          "network": agreement.correlation(own, measure, score),
                          "answer": agreement.correlation(own, measure, EVERY_LABEL),
                          "between": agreement.gain_correlation(own, measure, score)}
                         for source, arch in folds.checkpoints for own in [folds.of(source, arch)]
                         for measure in MEASURES])


def control_table(rows: pd.DataFrame) -> pd.DataFrame:
    """``controls`` for a page."""
    return pd.DataFrame([{"Checkpoint": checkpoint_name(row.source, row.arch),
                          "Measure": RIVALS[row.measure][0],
                          "With F1 of the network": interval_text(row.network),
                          "With F1 of every label": interval_text(row.answer),
                          "With the difference": interval_text(row.between)} for row in rows.itertuples()])


def numbers(found: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """``gains`` and ``controls`` as numbers, for the CSV: one row a statistic."""
    lines = [{"source": row.source, "network": row.arch, "statistic": f"gain over {WORDS[row.over]}", "measure": "",
              "epoch_chosen_by": CHOICES[row.score], **_limits(row.gain)} for row in found.itertuples()]
    lines += [{"source": row.source, "network": row.arch, "statistic": f"correlation with {words}",
               "measure": row.measure, "epoch_chosen_by": CHOICES[SCORES[0]], **_limits(getattr(row, part))}
              for row in rows.itertuples() for part, words in CONTROLLED.items()]
    return pd.DataFrame(lines)


def _limits(found: Interval) -> dict:
    return {"value": found.value, "low": found.low, "high": found.high, "folds": found.n,
            "label_sets": found.groups}


def verdict(found: pd.DataFrame, rows: pd.DataFrame) -> HTML:
    """What the numbers say: which networks beat the trivial answers, and what MELEP correlates with without any."""
    ran = found[found["n"] > 0]
    if not len(ran):
        return HTML(f"<p>{PENDING}: no fold yet.</p>")
    lines = []
    for (over, score), own in ran.groupby(["over", "score"], sort=False):
        sides = [(one.low > 0) - (one.high < 0) if one.low is not None else 0 for one in own["gain"]]
        said = Markup("<li>Against {}, epoch {}: of {} checkpoints the interval lies above 0 for {}, below it for {}, and "
                      "neither for {}; networks are better in {} folds.</li>")
        lines.append(said.format(WORDS[over], CHOICES[score], len(own), sides.count(1), sides.count(-1), sides.count(0),
                                 count(int(own["better"].sum()), int(own["n"].sum()))))
    known = rows[[one.value is not None for one in rows["answer"]]]
    for measure, own in known[known["measure"].isin(agreement.CHOOSING)].groupby("measure", sort=False):
        said = Markup("<li>{} correlates with the F1 of every label, in which no network has a part, between {} and {}; "
                      "with what the networks have beyond it the interval leaves out 0 in {} checkpoints.</li>")
        values = [one.value for one in own["answer"]]
        sure = sum(excludes_zero(one) for one in own["between"])
        lines.append(said.format(RIVALS[measure][0], f1(min(values), True), f1(max(values), True), count(sure, len(own))))
    return HTML(Markup("<ul>{}</ul>").format(Markup("").join(lines)))
