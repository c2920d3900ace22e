"""What it costs to choose a checkpoint by a score (MELEP's Figure 6), and whether MELEP says more than the
number of labels.

All is worked out from the finished folds (``transfer_folds``). Ways of choosing are compared on the same
folds.
"""

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import agreement, correlations, published, results
from ecgtl.agreement import CHOOSING, HIGHER, MEASURES, SCORES
from ecgtl.correlations import Interval
from ecgtl.report.melep import NETWORKS, PAPER
from ecgtl.report.transfer import RIVALS
from ecgtl.report.transfer_folds import Folds, checkpoint_name, count, interval_text
from ecgtl.report.transferability import CHOICES, MELEP, excludes_zero, is_papers
from ecgtl.report.words import PENDING, f1

# Figure 6: the choice of a checkpoint


def shared(rows: pd.DataFrame) -> pd.DataFrame:
    """Those folds that every checkpoint at hand has: all ways of choosing are compared on the same ones.

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
    by_measure = {measure: agreement.regret(rows, measure, score) for measure in CHOOSING}
    any_of_them = by_measure[CHOOSING[0]]
    best = any_of_them.set_index("fold")["best_f1"]
    found = [chosen[["fold", "label_set", "regret"]].assign(way=measure)
             for measure, chosen in by_measure.items()]
    found.append(any_of_them[["fold", "label_set"]].assign(regret=any_of_them["blind_regret"], way="blind"))
    for place in agreement.checkpoints(rows):
        own = agreement.of(rows, *place)
        found.append(own[["fold", "label_set"]].assign(regret=own["fold"].map(best) - own[score],
                                                       way=checkpoint_name(*place)))
    return pd.concat(found, ignore_index=True)


def way_words(way: str) -> str:
    """A way of choosing in words."""
    if way == "blind":
        return "Blind: mean over the candidates"
    return RIVALS[way][0] if way in RIVALS else f"Always {way}"


def mean_regrets(lost: pd.DataFrame) -> dict[str, Interval]:
    """Mean regret of each way with its interval over label sets, from ``regrets``."""
    return {way: correlations.bootstrap(correlations.mean, own["label_set"], own["regret"].astype(float))
            for way, own in lost.groupby("way", sort=False)}


def regret_table(lost: pd.DataFrame) -> pd.DataFrame:
    """``regrets`` for a page: one row a way of choosing."""
    rows = []
    for way, found in mean_regrets(lost).items():
        own = lost.loc[lost["way"] == way, "regret"]
        rows.append({"Choice by": way_words(way), "Mean F1 lost [95 % interval]": interval_text(found),
                     "Picks the best": "–" if way == "blind" else count(int((own == 0).sum()), len(own)),
                     "Largest loss": f1(own.max()), "Folds": found.n, "Label sets": found.groups})
    return pd.DataFrame(rows or [{"Choice by": PENDING}])


def within_networks(folds: Folds, score: str = SCORES[0]) -> pd.DataFrame:
    """``regret_table`` of each network by itself, on the folds that all its sources share."""
    by_arch = folds.rows.groupby("arch", sort=False) if len(folds.rows) else ()
    found = [regret_table(regrets(rows, score)).assign(Network=NETWORKS[arch]) for arch, rows in by_arch]
    if not found:
        return pd.DataFrame({"Network": [PENDING]})
    rows = pd.concat(found).astype(object).fillna("–")
    return rows[["Network", *rows.columns.drop("Network")]]


def pick_table(folds: Folds, score: str = SCORES[0]) -> pd.DataFrame:
    """Who is picked, and who is best: one row a candidate over the ``shared`` folds."""
    rows = shared(folds.rows)
    chosen = {measure: agreement.regret(rows, measure, score) for measure in CHOOSING}
    found = []
    for place in agreement.checkpoints(rows):
        own, is_best = agreement.of(rows, *place), chosen[CHOOSING[0]]["best"]
        found.append({"Checkpoint": checkpoint_name(*place), "Labels of its own": own_labels(folds, *place),
                      "MELEP, mean": f"{own[MELEP[0]].mean():.4f}", "F1, mean": f1(own[score].mean()),
                      "Best in": count(int((is_best == place).sum()), len(is_best)),
                      **{f"Picked by {RIVALS[measure][0]}": int((one["chosen"] == place).sum())
                         for measure, one in chosen.items()}})
    return pd.DataFrame(found or [{"Checkpoint": PENDING}])


def own_labels(folds: Folds, source: str, arch: str) -> int:
    """How many labels a checkpoint was trained on, as its finished folds have stored it."""
    done = next(run for run in folds.plan(source, arch) if run.state() == "done")
    return results.stored(done.path)["data"]["start"]["labels"]


def number_of_own_labels(folds: Folds, score: str = SCORES[0]) -> HTML:
    """How often a checkpoint with few labels of its own is picked, and how often it is the best; from the
    folds.
    """
    rows = shared(folds.rows)
    sizes = {place: own_labels(folds, *place) for place in agreement.checkpoints(rows)}
    if len(set(sizes.values())) < 2:
        return HTML(f"<p>{PENDING}: no fold has candidates that differ in the number of their own labels.</p>"
                    if not len(sizes) else "<p>All candidates have as many labels of their own.</p>")
    fewest, lines = min(sizes.values()), []
    for measure in CHOOSING:
        found = agreement.regret(rows, measure, score)
        picked, best = ([sizes[place] == fewest for place in found[column]] for column in ("chosen", "best"))
        said = Markup("<li>{} picks one of {} labels in {} folds; one of them is the best in {}.</li>")
        lines.append(said.format(
            RIVALS[measure][0], fewest, count(sum(picked), len(picked)), sum(best)))
    most = max(sizes.values())
    said = Markup("<p>Every score here averages over the checkpoint's own labels, of which the candidates "
                  "have from {} to {}:</p><ul>{}</ul>")
    return HTML(said.format(fewest, most, Markup("").join(lines)))


def selected_table(folds: Folds) -> pd.DataFrame:
    """The paper's one task: what it says of its choice, and what ours say."""
    said = {key: published.lookup(f"{PAPER}.scalars.{key}_checkpoint.value")
            for key in ("selected", "outlier")}
    theirs = {key: checkpoint_name(*reversed(value.split("_"))) for key, value in said.items()}
    rows = shared(folds.rows) if is_papers(folds.rows) else folds.rows[:0]
    ours = {"Lowest MELEP": PENDING, "Highest F1": PENDING}
    if len(rows):
        (found,) = agreement.regret(rows, MELEP[0]).itertuples()
        ours = {"Lowest MELEP": checkpoint_name(*found.chosen), "Highest F1": checkpoint_name(*found.best)}
    table = [{"What": what, "Paper": theirs["selected"], "Ours": ours[what]} for what in ours]
    beaten = published.lookup(f"{PAPER}.scalars.outlier_beats.value")
    return pd.DataFrame([*table, {"What": "Breaks the order", "Ours": _breaks(rows),
                                  "Paper": f"{theirs['outlier']}: better than {beaten} of lower MELEP"}])


def _breaks(rows: pd.DataFrame) -> str:
    """Candidates with a higher F1 than others of lower MELEP, on one task."""
    if not len(rows):
        return PENDING
    values = {place: agreement.of(rows, *place).iloc[0] for place in agreement.checkpoints(rows)}
    above = {place: sum(other[MELEP[0]] < own[MELEP[0]] and other[SCORES[0]] < own[SCORES[0]]
                        for other in values.values()) for place, own in values.items()}
    return "; ".join(f"{checkpoint_name(*place)}: better than {n} of lower MELEP"
                     for place, n in above.items() if n) or "none"


# MELEP, or the number of labels?


def rival_rows(folds: Folds, score: str = SCORES[0]) -> pd.DataFrame:
    """Correlation of every measure with F1, plain and given the number of labels, by checkpoint: ``Interval``
    each.
    """
    return pd.DataFrame([{"source": source, "arch": arch, "measure": measure,
                          "plain": agreement.correlation(folds.of(source, arch), measure, score),
                          "partial": agreement.given_labels(folds.of(source, arch), measure, score)}
                         for source, arch in folds.checkpoints for measure in MEASURES])


def rival_numbers(rows: pd.DataFrame, score: str = SCORES[0]) -> pd.DataFrame:
    """``rival_rows`` as numbers, for the CSV."""
    return pd.DataFrame([{"source": row.source, "network": row.arch, "measure": row.measure,
                          "epoch_chosen_by": CHOICES[score], "folds": row.plain.n,
                          "label_sets": row.plain.groups,
                          **{f"{kind}{limit}": getattr(getattr(row, kind), part)
                             for kind in ("plain", "partial")
                             for limit, part in (("", "value"), ("_low", "low"), ("_high", "high"))}}
                         for row in rows.itertuples()])


def rival_table(rows: pd.DataFrame) -> pd.DataFrame:
    """``rival_rows`` for a page."""
    return pd.DataFrame([{"Checkpoint": checkpoint_name(row.source, row.arch),
                          "Measure": RIVALS[row.measure][0], "Easy when": RIVALS[row.measure][1],
                          "Correlation with F1 [95 % interval]": interval_text(row.plain),
                          "Given the number of labels [95 % interval]":
                              "–" if row.measure == "n_labels" else interval_text(row.partial),
                          "Folds": row.plain.n, "Label sets": row.plain.groups}
                         for row in rows.itertuples()])


def rival_verdict(rows: pd.DataFrame) -> HTML:
    """What the numbers say: is the number of labels the stronger predictor, and does a measure add to it?"""
    known = rows[[one.value is not None for one in rows["plain"]]] if len(rows) else rows
    alone = {(row.source, row.arch): abs(row.plain.value)
             for row in known[known["measure"] == "n_labels"].itertuples()}
    lines = []
    for measure, own in known[known["measure"] != "n_labels"].groupby("measure", sort=False):
        pairs = [(alone[row.source, row.arch], abs(row.plain.value)) for row in own.itertuples()
                 if (row.source, row.arch) in alone]
        said = Markup("<li>{}: the number of labels alone correlates more strongly for {} checkpoints; given "
                      "that number, the interval lies on the side of an easy transfer for {}.</li>")
        lines.append(said.format(RIVALS[measure][0], count(sum(n > m for n, m in pairs), len(pairs)),
                                 count(sum(adds(measure, one) for one in own["partial"]), len(own))))
    if not lines:
        return HTML(f"<p>{PENDING}: no fold yet.</p>")
    return HTML(Markup("<ul>{}</ul>").format(Markup("").join(lines)))


def adds(measure: str, found: Interval) -> bool:
    """Whether a partial correlation lies on the side that the measure promises, interval and all; prevalence
    promises neither.
    """
    if measure in HIGHER:
        return excludes_zero(found) and found.low > 0
    return excludes_zero(found) and (measure not in CHOOSING or found.high < 0)
