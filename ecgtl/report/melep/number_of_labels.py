"""Whether fine-tuning has learned anything that a score could predict: networks beside baselines (every recording has
every label; boosted trees on RR intervals), and what MELEP correlates with when no network is there.

All is computed from the finished folds (``transfer_folds``).
"""

import itertools
from collections.abc import Callable
from dataclasses import astuple

import pandas as pd
from IPython.display import HTML
from matplotlib import pyplot as plt

from ecgtl.analysis import agreement, correlations
from ecgtl.analysis.agreement import CHOOSING, EVERY_LABEL, HIGHER, MEASURES, RR, SCORES, TRIVIAL
from ecgtl.analysis.names import PENDING, RIVALS, checkpoint_name, f1
from ecgtl.measurements import rr_folds
from ecgtl.report import alt, figures
from ecgtl.report.figures import GREY
from ecgtl.report.melep.transfer_folds import BLUE, CHOICES, F1, MELEP, VERMILION, Folds, interval, interval_text
from ecgtl.report.words import bullets, paragraph

TIE = 1e-8  # results are stored with nine digits
WORDS = {EVERY_LABEL: "all-positive baseline", RR: "boosting on RR intervals"}
CONTROLLED = {"plain": "F1 of the network", "answer": "F1 of the all-positive baseline", "between": "the difference"}


def gains(folds: Folds) -> pd.DataFrame:
    """One row a baseline (``over``), checkpoint and choice of the epoch: mean F1 of the ``network`` and of the
    ``answer``, ``gain`` as an Interval, in how many of ``n`` folds the network is ``better``, and its mean ``auc``.
    """
    found, known = [], rr_folds.load(folds.experiment, folds.tier)
    for over, (place, own), score in itertools.product(TRIVIAL, folds.by_checkpoint.items(), SCORES):
        if over == RR and len(own):
            own = own.assign(**{RR: own["fold"].map(known).astype(float)}).dropna(subset=[RR])
        row = {"network": own[score].mean(), "answer": own[over].mean(),
               "auc": own[score.replace("weighted_f1", "macro_auc")].mean(),
               "better": int((own[score] - own[over] > TIE).sum())} if len(own) else {}
        found.append({"over": over, "source": place[0], "arch": place[1], "score": score, "n": len(own),
                      "network": None, "answer": None, "auc": None, "better": 0, **row,
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
    said = [(row.source, row.arch, f"gain over {WORDS[row.over]}", "", CHOICES[row.score], *astuple(row.gain))
            for row in found.itertuples()]
    said += [(row.source, row.arch, f"correlation with {words}", row.measure, CHOICES[SCORES[0]],
              *astuple(getattr(row, part))) for row in rows.itertuples() for part, words in CONTROLLED.items()]
    return pd.DataFrame(said, columns=["source", "network", "statistic", "measure", "epoch_chosen_by", "value", "low",
                                       "high", "folds", "label_sets"])


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
        lines.append(f"{RIVALS[measure][0]} correlates with the F1 of the all-positive baseline, in which no network "
                     f"has a part, between {f1(min(values), True)} and {f1(max(values), True)}; with what they have "
                     f"beyond it the interval excludes 0 in {sure} of {len(own)} checkpoints.")
    return HTML(bullets(lines))


def rival_rows(folds: Folds, score: str = SCORES[0]) -> pd.DataFrame:
    """Correlations of every measure by checkpoint, an ``Interval`` each: with the F1 of the network, ``plain`` and
    ``partial`` (given the number of labels), with that of the ``answer`` of every label, and with the difference
    ``between`` the two.
    """
    return pd.DataFrame([{"source": source, "arch": arch, "measure": measure,
                          "plain": agreement.correlation(own, measure, score),
                          "partial": agreement.given_labels(own, measure, score),
                          "answer": agreement.correlation(own, measure, EVERY_LABEL),
                          "between": agreement.gain_correlation(own, measure, score)}
                         for (source, arch), own in folds.by_checkpoint.items() for measure in MEASURES])


def rival_numbers(rows: pd.DataFrame) -> pd.DataFrame:
    """``rival_rows`` of the published choice of the epoch as numbers, for the CSV."""
    return pd.DataFrame([(row.source, row.arch, row.measure, CHOICES[SCORES[0]], row.plain.n, row.plain.groups,
                          *astuple(row.plain)[:3], *astuple(row.partial)[:3]) for row in rows.itertuples()], columns=[
                              "source", "network", "measure", "epoch_chosen_by", "folds", "label_sets", "plain",
                              "plain_low", "plain_high", "partial", "partial_low", "partial_high"])


def rival_table(rows: pd.DataFrame) -> pd.DataFrame:
    """``rival_rows`` for a page."""
    return pd.DataFrame([{"Checkpoint": checkpoint_name(row.source, row.arch), "Measure": RIVALS[row.measure][0],
                          "Easy when": RIVALS[row.measure][1],
                          "Correlation with F1 [95 % interval]": interval_text(row.plain),
                          "Given the number of labels [95 % interval]":
                              "–" if row.measure == "n_labels" else interval_text(row.partial),
                          "Folds": row.plain.n, "Label sets": row.plain.groups}
                         for row in rows.itertuples()])


def rival_verdict(rows: pd.DataFrame) -> HTML:
    """What the numbers say: is the number of labels the stronger predictor, and does a measure add to it?"""
    known = rows[[one.value is not None for one in rows["plain"]]]
    strength = {(row.source, row.arch, row.measure): abs(row.plain.value) for row in known.itertuples()}
    lines = []
    for measure, own in known[known["measure"] != "n_labels"].groupby("measure", sort=False):
        pairs = [(strength[*place, "n_labels"], strength[*place, measure]) for place in agreement.checkpoints(own)
                 if (*place, "n_labels") in strength]
        weaker, adding = sum(n > m for n, m in pairs), sum(adds(measure, one) for one in own["partial"])
        lies = "lies on the side of an easy transfer" if measure in CHOOSING else "excludes 0"
        lines.append(f"{RIVALS[measure][0]}: the number of labels alone correlates more strongly for {weaker} of "
                     f"{len(pairs)} checkpoints; given that number, the interval {lies} for {adding} of {len(own)}.")
    return HTML(bullets(lines) if lines else paragraph(f"{PENDING}: no fold yet."))


def adds(measure: str, found: correlations.Interval) -> bool:
    """Whether a partial correlation lies on the side that the measure promises, interval and all; prevalence
    promises neither.
    """
    if measure in HIGHER:
        return found.side > 0
    return found.side < 0 if measure in CHOOSING else found.side != 0


def _panels(draw: Callable[[plt.Axes, pd.DataFrame], None], rows: dict[tuple[str, str], pd.DataFrame], height: float,
            x: str, y: str = "", across: int = 2) -> plt.Figure | None:
    """A panel a checkpoint for ``draw``, ``across`` of them in a row; None without any."""
    if not rows:
        return None
    n_rows = -(-len(rows) // across)
    figure, grid = plt.subplots(n_rows, across, figsize=(figures.WIDTH, 0.8 + height * n_rows), sharey=True,
                                squeeze=False)
    for axes, (place, own) in zip(grid.flat, rows.items(), strict=False):
        axes.set_title(checkpoint_name(*place).replace(", ", ",\n" if across > 1 else ", "))
        draw(axes, own)
    for axes in grid.flat[len(rows):]:
        axes.set_axis_off()
    for axes in grid[-1]:
        axes.set_xlabel(x)
    for axes in grid[:, 0]:
        axes.set_ylabel(y)
    return figures.legend_below(figure, grid.flat)


def rival_figure(rows: pd.DataFrame) -> plt.Figure | None:
    """Correlation of each measure with F1, plain and given the number of labels (``rival_rows``)."""
    def draw(axes: plt.Axes, own: pd.DataFrame) -> None:
        for y, row in enumerate(own.itertuples()):
            interval(axes, row.plain, y - 0.15, BLUE, "o", "with F1 (95 % interval)")
            interval(axes, row.partial, y + 0.2, VERMILION, "s", "given the number of labels", filled=False)
        figures.name_rows(axes, [RIVALS[measure][0] for measure in MEASURES])
        axes.axvline(0, color=GREY, linewidth=0.8)
        axes.set(xlim=(-1.05, 1.05), xticks=(-1, 0, 1))

    known = rows[[one.value is not None for one in rows["plain"]]]
    return _panels(draw, agreement.by_checkpoint(known), 1.9, "correlation", across=1)


def rivals_said(rows: pd.DataFrame) -> str:
    """What ``rival_figure`` says, measure by measure: how many correlations exclude 0, alone and given the number."""
    return alt.by_panel({f"{RIVALS[measure][0]}, {words}": alt.beside_zero(_named(own, column))
                         for measure, own in rows.groupby("measure", sort=False)
                         for words, column in (("alone", "plain"), ("given the number of labels", "partial"))
                         if measure in (MELEP[0], "n_labels") and (measure, column) != ("n_labels", "partial")})


def _named(rows: pd.DataFrame, column: str) -> dict[str, correlations.Interval]:
    """A column of intervals by checkpoint."""
    return {checkpoint_name(row.source, row.arch): getattr(row, column) for row in rows.itertuples()}


def label_scatter(folds: Folds) -> plt.Figure | None:
    """F1 against MELEP of every fold, a panel a checkpoint, colour and marker by the number of labels."""
    styles = dict(zip(sorted(set(folds.rows.get("n_labels", ()))), figures.STYLES, strict=False))

    def draw(axes: plt.Axes, own: pd.DataFrame) -> None:
        for n, some in own.groupby("n_labels"):
            colour, marker = styles[n]
            axes.plot(some[MELEP[0]], some[SCORES[0]], marker, color=colour, alpha=0.85, label=f"{n:.0f} labels")

    return _panels(draw, folds.finished, 2, "MELEP (nats)", F1)


def scatter_said(rows: pd.DataFrame) -> str:
    """What ``label_scatter`` says: the correlation of each panel, from ``rival_rows``."""
    return alt.by_panel({"Correlation of MELEP with F1": alt.beside_zero(
        _named(rows[rows["measure"] == MELEP[0]], "plain"))})


def gain_figure(folds: Folds) -> plt.Figure | None:
    """F1 of every fold minus that of the all-positive baseline, by the number of labels, a panel a checkpoint; the
    band is the 95 % interval of the mean.
    """
    return _panels(_gains, folds.finished, 2, "labels of the task", "F1, network − baseline")


def gains_said(found: pd.DataFrame) -> str:
    """What ``gain_figure`` says, from ``gains``: the mean difference of each checkpoint."""
    own = found[(found["over"] == EVERY_LABEL) & (found["score"] == SCORES[0])]
    return alt.by_panel({"F1 of the network minus that of the all-positive baseline": alt.beside_zero(
        _named(own, "gain"))})


def _gains(axes: plt.Axes, own: pd.DataFrame) -> None:
    found = agreement.gain(own)
    # Folds with as many labels stand side by side, in their order
    beside = own.groupby("n_labels").cumcount() / own.groupby("n_labels")["fold"].transform("size")
    axes.plot(own["n_labels"] + 0.5 * (beside - 0.5), own[SCORES[0]] - own[EVERY_LABEL], "o", color=BLUE,
              markersize=3.5, alpha=0.8, label="one fold")
    axes.set_xticks(sorted(own["n_labels"].unique()))
    axes.axhline(found.value or 0, color=VERMILION, linewidth=1.1, label="mean (95 % interval)")
    if found.low is not None and found.high is not None:
        axes.axhspan(found.low, found.high, color=VERMILION, alpha=0.2, linewidth=0)
    axes.axhline(0, color=GREY, linewidth=0.8)
