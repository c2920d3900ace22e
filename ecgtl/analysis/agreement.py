"""How measures of transferability agree with the F1 that fine-tuning reaches.

``rows`` is everywhere the tidy table of ``ecgtl.experiments.transfers.table``: one row a checkpoint and fold.
It may be empty, and a fold may be there for some checkpoints only. Intervals draw whole label sets again, as
folds with equal labels are nearly one task; a limit that cannot be had is None.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from ecgtl.analysis.correlations import Interval, averaged, bootstrap, correlated
from ecgtl.datasets.recordings import check_option
from ecgtl.errors import EcgtlError

CHOOSING = ("melep_published", "melep_normalised", "leep", "nce")  # they differ between checkpoints
MEASURES = (*CHOOSING, "n_labels", "prevalence")  # the last two are known without any network
SCORES = ("weighted_f1_best_test", "weighted_f1_validated")  # by the epoch kept; the published one first
# F1 without any network: of the all-positive baseline, and of boosted trees on RR intervals
EVERY_LABEL, RR = "weighted_f1_every_label", "weighted_f1_rr"
TRIVIAL = (EVERY_LABEL, RR)
HIGHER = ("leep", "nce")  # a high value is to mean an easy transfer; of all others a low one
CUTS = ("quartiles", "widths")
LEVELS = 4
_LEVEL = {"level": int, "low": float, "high": float, "n": int, "label_sets": int, "mean": object,
          "ci_low": object, "ci_high": object}
_REGRET = ("fold", "label_set", "candidates", "chosen", "f1", "best", "best_f1", "regret", "blind_regret")


def checkpoints(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """(source, network) of every checkpoint, in the order of the table."""
    return list(dict.fromkeys(zip(rows["source"], rows["arch"], strict=True))) if len(rows) else []


def of(rows: pd.DataFrame, source: str, arch: str) -> pd.DataFrame:
    """The folds of one checkpoint; none where it has not run."""
    return rows[(rows["source"] == source) & (rows["arch"] == arch)] if len(rows) else rows


def by_checkpoint(rows: pd.DataFrame) -> dict[tuple[str, str], pd.DataFrame]:
    """The folds of every checkpoint, by (source, network)."""
    return {place: of(rows, *place) for place in checkpoints(rows)}


def correlation(rows: pd.DataFrame, measure: str, score: str = SCORES[0]) -> Interval:
    """Pearson's correlation of a measure with F1 over the folds of one checkpoint.

    Below 0 is hoped for, but for ``HIGHER``. The value is None where it is not defined (``correlations``).
    Raises EcgtlError for an unknown measure or score, and for the folds of several checkpoints. Source:
    Nguyen 2023, Table 2.
    """
    return _over_folds(correlated, rows, measure, score)


def given_labels(rows: pd.DataFrame, measure: str, score: str = SCORES[0]) -> Interval:
    """The same among folds with as many labels: the partial correlation given ``n_labels``."""
    return _over_folds(correlated, rows, measure, score, "n_labels")


def stronger(a: pd.DataFrame, b: pd.DataFrame, measure: str, score: str = SCORES[0]) -> Interval:
    """Correlation of checkpoint ``a`` minus that of ``b``, on the folds that both have, drawn together.

    Below 0 where that of ``a`` is the more negative one. Raises EcgtlError as ``correlation`` does, and where
    the folds of the two are not the same tasks.
    """
    _check(measure, score)
    if not min(len(_one_checkpoint(rows)) for rows in (a, b)):
        return Interval()
    both = a.merge(b, on="fold", suffixes=("_a", "_b"))
    if not all((both[f"{name}_a"] == both[f"{name}_b"]).all() for name in ("target", "label_set")):
        raise EcgtlError("the folds of the two checkpoints are different tasks; compare those of one "
                         "experiment and tier")
    columns = (both[f"{name}_{side}"] for side in "ab" for name in (measure, score))
    return _bootstrap(lambda n, x, f, y, g: correlated(n, x, f) - correlated(n, y, g), both["label_set_a"], *columns)


def gain(rows: pd.DataFrame, score: str = SCORES[0], over: str = EVERY_LABEL) -> Interval:
    """Mean F1 of one checkpoint over its folds minus that of a baseline, a column of ``TRIVIAL``.

    Above 0 where fine-tuning has learned more than that. Raises EcgtlError as ``correlation`` does.
    """
    check_option("over", over, TRIVIAL)
    check_option("score", score, SCORES)
    _one_checkpoint(rows)
    return _bootstrap(averaged, rows["label_set"], rows[score] - rows[over]) if len(rows) else Interval()


def gain_correlation(rows: pd.DataFrame, measure: str, score: str = SCORES[0]) -> Interval:
    """Correlation of a measure with F1 minus that of the all-positive baseline, over the folds of one checkpoint."""
    return _over_folds(lambda n, values, network, baseline: correlated(n, values, network - baseline), rows, measure,
                       score, EVERY_LABEL)


def levels(rows: pd.DataFrame, measure: str, how: str = "quartiles", score: str = SCORES[0]) -> pd.DataFrame:
    """Mean F1 in each of four levels of a measure, one row a level from near to far, for one checkpoint.

    ``quartiles`` cut the folds, ``widths`` the range of the measure into equal parts; the cut points of
    Nguyen 2023, Figures 3 to 5, are not printed. Columns: ``level`` from 1, the nearest; ``low`` and ``high``,
    between which its values lie, ``high`` among them; ``n`` folds in ``label_sets``; ``mean`` with ``ci_low``
    and ``ci_high``. A level that ties leave empty has n = 0 and mean None. Raises EcgtlError as
    ``correlation`` does, and for another ``how``.
    """
    _check(measure, score)
    check_option("how", how, CUTS)
    found = []
    if len(_one_checkpoint(rows)):
        values = rows[measure].to_numpy(float)
        ends = values if how == "quartiles" else np.array([values.min(), values.max()])
        cuts = np.quantile(ends, np.linspace(0, 1, LEVELS + 1))
        place = np.searchsorted(cuts[1:-1], values, side="left")
        for level, k in enumerate(range(LEVELS)[::-1 if measure in HIGHER else 1], start=1):
            own = rows[place == k]
            f1 = _bootstrap(averaged, own["label_set"], own[score])
            found.append((level, *cuts[k:k + 2], f1.n, f1.groups, f1.value, f1.low, f1.high))
    return pd.DataFrame(found, columns=[*_LEVEL], dtype=object).astype(_LEVEL)


def regret(rows: pd.DataFrame, measure: str, score: str = SCORES[0]) -> pd.DataFrame:
    """How much F1 is lost by trusting a measure: one row a fold that at least two checkpoints have.

    ``chosen`` and ``best`` are (source, network) of the candidates with the best value of the measure and
    with the best F1, of equal ones the first of the table; ``regret`` is ``best_f1`` - ``f1``, and
    ``blind_regret`` what a choice at random loses on average. Raises EcgtlError for a measure that is the same
    for all checkpoints.
    """
    _check(measure, score)
    if measure not in CHOOSING:
        raise EcgtlError(f"{measure} is the same for all checkpoints of a fold, so it chooses none; allowed: "
                         f"{', '.join(CHOOSING)}")
    folds = rows.groupby("fold") if len(rows) else ()
    return pd.DataFrame([_choose(fold, group, measure, score) for fold, group in folds if len(group) > 1],
                        columns=_REGRET)


def _choose(fold: int, group: pd.DataFrame, measure: str, score: str) -> tuple:
    """One row of ``regret``, from the candidates of a fold."""
    if group["label_set"].nunique() > 1 or group.duplicated(["source", "arch"]).any():
        raise EcgtlError(f"fold {fold} is several tasks; choose among rows of one experiment and tier")
    values, f1 = group[measure].to_numpy(float), group[score].to_numpy(float)
    chosen, best = int((-values if measure in HIGHER else values).argmin()), int(f1.argmax())
    names = checkpoints(group)
    return (fold, group["label_set"].iloc[0], len(group), names[chosen], f1[chosen], names[best], f1[best],
            f1[best] - f1[chosen], f1[best] - f1.mean())


def mean_regret(rows: pd.DataFrame, measure: str, score: str = SCORES[0]) -> Interval:
    """Mean of ``regret`` over folds: 0 where the measure picks the best checkpoint each time."""
    found = regret(rows, measure, score)
    return _bootstrap(averaged, found["label_set"], found["regret"])


def beside_random(rows: pd.DataFrame, arch: str, measure: str, random: Mapping[int, Sequence[float]]) -> pd.DataFrame:
    """The trained checkpoints of a network and some with random weights: one row a fold that all of them have.

    ``random`` has a measure's values of the random ones by fold. Columns: ``label_set``; ``trained``, the highest value
    of the trained; ``random``, the mean of the others; ``last``, the share of these that lie above ``trained``.
    """
    own = rows[rows["arch"] == arch] if len(rows) else pd.DataFrame(columns=["fold", "source"])
    found = [(group["label_set"].iloc[0], group[measure].max(), np.array(random[fold]))
             for fold, group in own.groupby("fold") if fold in random and len(group) == own["source"].nunique()]
    return pd.DataFrame([(labels, highest, values.mean(), (values > highest).mean())
                         for labels, highest, values in found], columns=["label_set", "trained", "random", "last"])


def above_trained(found: pd.DataFrame) -> Interval:
    """Mean over the folds of ``beside_random`` of the random networks' measure minus the highest of the trained."""
    return _bootstrap(averaged, found["label_set"], found["random"] - found["trained"])


def _over_folds(statistic: Callable, rows: pd.DataFrame, measure: str, score: str, *others: str) -> Interval:
    _check(measure, score)
    if not len(_one_checkpoint(rows)):
        return Interval()
    return _bootstrap(statistic, rows["label_set"], *(rows[name] for name in (measure, score, *others)))


def _bootstrap(statistic: Callable, label_sets: pd.Series, *columns: pd.Series) -> Interval:
    if not len(label_sets):
        return Interval()
    return bootstrap(statistic, label_sets.to_numpy(str), *(column.to_numpy(float) for column in columns))


def _one_checkpoint(rows: pd.DataFrame) -> pd.DataFrame:
    """``rows``, which are to be the folds of one checkpoint, each once."""
    known = checkpoints(rows)
    if len(known) > 1:
        raise EcgtlError(f"these are folds of {len(known)} checkpoints; take one of them with agreement.of")
    if known and rows["fold"].duplicated().any():
        raise EcgtlError("a fold is there twice; take the rows of one experiment and tier")
    return rows


def _check(measure: str, score: str) -> None:
    check_option("measure", measure, MEASURES)
    check_option("score", score, (*SCORES, EVERY_LABEL))
