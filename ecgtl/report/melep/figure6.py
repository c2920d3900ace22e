"""What it costs to choose a checkpoint by a score (MELEP's Figure 6), and whether MELEP says more than the
number of labels.

All is computed from the finished folds (``transfer_folds``). Ways of choosing are compared on the same folds.
"""

import itertools

import numpy as np
import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib import pyplot as plt

from ecgtl import published, results
from ecgtl.analysis import agreement, correlations
from ecgtl.analysis.agreement import CHOOSING, SCORES
from ecgtl.analysis.names import NETWORKS, PENDING, RIVALS, checkpoint_name, f1
from ecgtl.measurements import melep_random
from ecgtl.measurements.melep_datasets import PAPER
from ecgtl.report import alt, figures, provenance
from ecgtl.report.melep import transfer_folds
from ecgtl.report.melep.transfer_folds import BLUE, F1, MELEP, WEIGHTS, Folds, interval, interval_text
from ecgtl.report.words import bullets, paragraph


def shared(rows: pd.DataFrame) -> pd.DataFrame:
    """Those folds that every available checkpoint has: all ways of choosing are compared on the same ones.

    None with fewer than two checkpoints.
    """
    candidates = agreement.checkpoints(rows)
    if len(candidates) < 2:
        return rows[:0]
    return rows[rows.groupby("fold")["fold"].transform("size") == len(candidates)]


def regrets(rows: pd.DataFrame, score: str = SCORES[0]) -> pd.DataFrame:
    """F1 lost by each way of choosing on each of the ``shared`` folds: ``way``, ``fold``, ``label_set``,
    ``regret``.

    A way is a measure of ``CHOOSING``, ``blind`` (the mean over the candidates), or always the same
    checkpoint, by its name.
    """
    rows = shared(rows)
    found = [agreement.regret(rows, measure, score).assign(way=measure) for measure in CHOOSING]
    best = found[0].set_index("fold")["best_f1"]
    found += [found[0].assign(regret=found[0]["blind_regret"], way="blind"),
              *(own.assign(regret=own["fold"].map(best) - own[score], way=checkpoint_name(*place))
                for place, own in agreement.by_checkpoint(rows).items())]
    return pd.concat([one[["fold", "label_set", "regret", "way"]] for one in found], ignore_index=True)


def way_words(way: str) -> str:
    """A way of choosing in words."""
    if way in CHOOSING:
        return RIVALS[way][0]
    return "Blind: mean over the candidates" if way == "blind" else f"Always {way}"


def mean_regrets(lost: pd.DataFrame) -> dict[str, correlations.Interval]:
    """Mean regret of each way with its interval over label sets, from ``regrets``."""
    return {way: correlations.bootstrap(correlations.averaged, own["label_set"], own["regret"].astype(float))
            for way, own in lost.groupby("way", sort=False)}


def regret_table(lost: pd.DataFrame) -> pd.DataFrame:
    """``regrets`` for a page: one row a way of choosing."""
    rows = []
    for way, found in mean_regrets(lost).items():
        own = lost.loc[lost["way"] == way, "regret"]
        rows.append({"Choice by": way_words(way), "Mean F1 lost [95 % interval]": interval_text(found),
                     "Picks the best": "–" if way == "blind" else f"{(own == 0).sum()} of {len(own)}",
                     "Largest loss": f1(own.max()), "Folds": found.n, "Label sets": found.groups})
    return pd.DataFrame(rows or [{"Choice by": PENDING}])


def within_networks(folds: Folds) -> pd.DataFrame:
    """``regret_table`` of each network by itself, on the folds that all its sources share."""
    if not len(folds.rows):
        return pd.DataFrame({"Network": [PENDING]})
    found = {NETWORKS[arch]: regret_table(regrets(rows)) for arch, rows in folds.rows.groupby("arch", sort=False)}
    return pd.concat(found, names=["Network"]).reset_index("Network").astype(object).fillna("–")


def pick_table(folds: Folds) -> pd.DataFrame:
    """Who is picked, and who is best: one row a candidate over the ``shared`` folds."""
    rows = shared(folds.rows)
    chosen = {RIVALS[measure][0]: agreement.regret(rows, measure) for measure in CHOOSING}
    is_best = agreement.regret(rows, CHOOSING[0])["best"]
    found = [{"Checkpoint": checkpoint_name(*place), "Labels of its own": own_labels(folds, *place),
              "MELEP, mean": f"{own[MELEP[0]].mean():.4f}", "F1, mean": f1(own[SCORES[0]].mean()),
              "Best in": f"{(is_best == place).sum()} of {len(is_best)}",
              **{f"Picked by {words}": (one["chosen"] == place).sum() for words, one in chosen.items()}}
             for place, own in agreement.by_checkpoint(rows).items()]
    return pd.DataFrame(found or [{"Checkpoint": PENDING}])


def own_labels(folds: Folds, source: str, arch: str) -> int:
    """How many labels a checkpoint was trained on, as its finished folds have stored it."""
    done = next(run for run in folds.plan(source, arch) if run.state() == "done")
    return results.stored(done.path).data["start"]["labels"]


def number_of_own_labels(folds: Folds) -> HTML:
    """How often a checkpoint with few labels of its own is picked, and how often it is the best; from the
    folds.
    """
    rows = shared(folds.rows)
    sizes = {place: own_labels(folds, *place) for place in agreement.checkpoints(rows)}
    if not sizes:
        return HTML(paragraph(f"{PENDING}: no fold has candidates that differ in the number of their own labels."))
    fewest, most = min(sizes.values()), max(sizes.values())
    if fewest == most:
        return HTML(paragraph("All candidates have as many labels of their own."))
    lines = []
    for measure in CHOOSING:
        found = agreement.regret(rows, measure)
        picked, best = (sum(sizes[place] == fewest for place in found[column]) for column in ("chosen", "best"))
        lines.append(f"{RIVALS[measure][0]} picks one of {fewest} labels in {picked} of {len(found)} folds; one of "
                     f"them is the best in {best}.")
    said = Markup("Every score here averages over the checkpoint's own labels, of which the candidates have "
                  f"from {fewest} to {most}:")
    return HTML(paragraph(said) + bullets(lines))


def random_table(folds: Folds) -> pd.DataFrame:
    """Random networks among the candidates: their MELEP beside the highest of the network that is trained."""
    found = []
    for measure, place in itertools.product(MELEP, folds.by_checkpoint):
        random = melep_random.load(folds.experiment, folds.tier, measure).get(place, {})
        rows = agreement.beside_random(folds.rows, place[1], measure, random)
        if len(rows):
            gap = agreement.above_trained(rows)
            value, *limits = (f"{one:+.4f}".replace("-", "−") for one in (gap.value, gap.low, gap.high)
                              if one is not None)
            found.append({"Random networks with the labels of": checkpoint_name(*place),
                          "MELEP": WEIGHTS[measure], "Random, mean": f"{rows['random'].mean():.4f}",
                          "Highest trained, mean": f"{rows['trained'].mean():.4f}",
                          "Random − highest [95 %]": f"{value} [{', '.join(limits)}]" if limits else value,
                          "Ranked last": f"{100 * rows['last'].mean():.0f} %", "Folds": len(rows)})
    return pd.DataFrame(found or [{"Random networks": PENDING}])


def random_made(folds: Folds) -> HTML:
    """How the random networks were measured."""
    body = melep_random.stored(folds.experiment, folds.tier)
    return provenance.made_by(body, "the random networks") if body else HTML(paragraph(PENDING))


def selected_table(folds: Folds) -> pd.DataFrame:
    """The paper's one task: what it says of its choice, and what ours say."""
    chosen, outlier, beaten = (published.lookup(f"{PAPER}.scalars.{key}.value")
                               for key in ("selected_checkpoint", "outlier_checkpoint", "outlier_beats"))
    chosen, outlier = (checkpoint_name(*reversed(words.split("_"))) for words in (chosen, outlier))
    rows = shared(folds.rows) if transfer_folds.is_papers(folds.rows) else folds.rows[:0]
    lowest = highest = PENDING
    if len(rows):
        (found,) = agreement.regret(rows, MELEP[0]).itertuples()
        lowest, highest = checkpoint_name(*found.chosen), checkpoint_name(*found.best)
    return pd.DataFrame({"What": ["Lowest MELEP", "Highest F1", "Breaks the order"],
                         "Paper": [chosen, chosen, f"{outlier}: better than {beaten} of lower MELEP"],
                         "Ours": [lowest, highest, _breaks(rows)]})


def _breaks(rows: pd.DataFrame) -> str:
    """Candidates with a higher F1 than others of lower MELEP, on one task."""
    if not len(rows):
        return PENDING
    melep, scores = rows[[MELEP[0], SCORES[0]]].to_numpy().T
    above = (melep[:, None] > melep) & (scores[:, None] > scores)
    said = (f"{checkpoint_name(*place)}: better than {n} of lower MELEP"
            for place, n in zip(agreement.checkpoints(rows), above.sum(axis=1), strict=True) if n)
    return "; ".join(said) or "none"


def _points(axes: plt.Axes, rows: pd.DataFrame, measure: str) -> None:
    """F1 against a measure, a colour and a marker for each checkpoint."""
    for (colour, marker), (place, own) in zip(figures.STYLES, agreement.by_checkpoint(rows).items(), strict=False):
        axes.plot(own[measure], own[SCORES[0]], marker, color=colour, alpha=0.8, label=checkpoint_name(*place))
    axes.set_ylabel(F1)


def selection_figure(folds: Folds) -> plt.Figure | None:
    """MELEP against F1 of every checkpoint on the paper's one task, with a fitted line; None without any."""
    if not len(folds.rows):
        return None
    figure, axes = plt.subplots(figsize=(figures.WIDTH, 3.6))
    _points(axes, folds.rows, MELEP[0])
    if len(folds.rows) > 2:
        melep, scores = folds.rows[[MELEP[0], SCORES[0]]].to_numpy(float).T
        ends = np.array([melep.min(), melep.max()])
        axes.plot(ends, np.polyval(np.polyfit(melep, scores, 1), ends), color=figures.GREY, linewidth=1, linestyle="--",
                  label="fitted line")
    axes.set_xlabel(f"{RIVALS[MELEP[0]][0]} (nats)")
    return figures.legend_below(figure, [axes])


def fold_figure(folds: Folds) -> plt.Figure | None:
    """MELEP against F1 of every candidate on the folds that all of them share, in both weightings."""
    rows = shared(folds.rows)
    if not len(rows):
        return None
    figure, grid = plt.subplots(len(MELEP), 1, figsize=(figures.WIDTH, 6), sharey=True)
    for axes, measure in zip(grid, MELEP, strict=True):
        _points(axes, rows, measure)
        axes.set(title=WEIGHTS[measure], xlabel="MELEP (nats)")
    return figures.legend_below(figure, grid, 1)


def points_said(rows: pd.DataFrame) -> str:
    """What MELEP against F1 of several candidates says: the correlation over ``rows``, and the mean F1 of each."""
    means = {checkpoint_name(*place): own[SCORES[0]].mean() for place, own in agreement.by_checkpoint(rows).items()}
    found = (f"{WEIGHTS[measure]} {f1(correlations.pearson(rows[measure], rows[SCORES[0]]), True)}"
             for measure in MELEP) if len(rows) else ()
    return alt.by_panel({"Correlation of MELEP with F1 over all points": ", ".join(found) or PENDING,
                         "Mean F1": alt.ordered(means)})


def regret_figure(lost: pd.DataFrame) -> plt.Figure | None:
    """F1 lost by each way of choosing (``regrets``): single folds, mean and interval; None without any."""
    found = mean_regrets(lost)
    if not found:
        return None
    figure, axes = plt.subplots(figsize=(figures.WIDTH, 1 + 0.42 * len(found)))
    for y, (way, one) in enumerate(found.items()):
        axes.plot(lost.loc[lost["way"] == way, "regret"], np.full(one.n, y + 0.2), ".", color=figures.GREY,
                  markersize=4, alpha=0.5, label="one fold")
        interval(axes, one, y - 0.1, BLUE, "o", "mean (95 % interval)")
    figures.name_rows(axes, [way_words(way).replace(": ", ":\n").replace(", ", ",\n") for way in found])
    axes.set_xlabel("F1 lost against the best candidate")
    return figures.legend_below(figure, [axes])


def regret_said(lost: pd.DataFrame) -> str:
    """What ``regret_figure`` says: which way of choosing loses most and least, and what MELEP loses."""
    found = {way_words(way): one for way, one in mean_regrets(lost).items()}
    melep = RIVALS[MELEP[0]][0]
    named = {melep: interval_text(found[melep])} if melep in found else {}
    return alt.by_panel({"Mean F1 lost": alt.ordered({way: one.value for way, one in found.items()})} | named)
