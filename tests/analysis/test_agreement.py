"""Agreement of measures with F1 against pandas, NumPy and SciPy, by hand, and where folds are missing."""

import numpy as np
import pandas as pd
import pytest
from messages import one_line
from scipy import stats

from ecgtl.analysis import agreement, correlations
from ecgtl.errors import EcgtlError

MELEP, BEST = agreement.MEASURES[0], agreement.SCORES[0]
SOURCES, ARCHS = ("cpsc2018", "cinc2017"), ("resnet1d101", "bilstm")
EMPTY = pd.DataFrame([])


def table(n=40, seed=0, n_sets=13):
    """Folds of four checkpoints; F1 follows the number of labels and, less, a score of the checkpoint."""
    rng, rows = np.random.default_rng(seed), []
    for fold in range(n):
        n_labels = 2 + fold % n_sets % 4
        for arch in ARCHS:
            for source in SOURCES:
                own = rng.normal(0, 0.1)
                f1 = 0.9 - 0.08 * n_labels - 0.4 * own + rng.normal(0, 0.03)
                melep = 0.1 * n_labels + own
                rows.append({"source": source, "arch": arch, "target": "ptbxl", "fold": fold,
                             "label_set": f"set{fold % n_sets}", "melep_published": melep,
                             "melep_normalised": melep**2, "leep": -melep, "nce": -own, "n_labels": n_labels,
                             "prevalence": 1 / n_labels, "weighted_f1_best_test": f1,
                             "weighted_f1_validated": f1 - 0.1 * rng.random(),
                             "weighted_f1_every_label": 0.85 - 0.08 * n_labels})
    return pd.DataFrame(rows)


def one(rows, source="cpsc2018", arch="resnet1d101"):
    return agreement.of(rows, source, arch)


def hand(values, f1, sets=None, source="cpsc2018", arch="resnet1d101", measure=MELEP):
    """Folds of one checkpoint, numbered from 0."""
    n = len(values)
    return pd.DataFrame({"source": source, "arch": arch, "target": "ptbxl", "fold": range(n),
                         "label_set": sets or [f"set{k}" for k in range(n)], measure: values, BEST: f1})


def test_checkpoints_are_those_of_the_table_in_its_order():
    rows = table(3)
    assert agreement.checkpoints(rows) == [(source, arch) for arch in ARCHS for source in SOURCES]
    assert len(one(rows)) == 3 and set(one(rows)["source"] + one(rows)["arch"]) == {"cpsc2018resnet1d101"}
    assert not len(one(rows, "georgia"))


@pytest.mark.parametrize("measure", agreement.MEASURES)
@pytest.mark.parametrize("score", agreement.SCORES)
def test_a_correlation_is_scipys_and_its_interval_draws_label_sets(measure, score):
    rows = one(table())
    found = agreement.correlation(rows, measure, score)
    assert found.value == pytest.approx(stats.pearsonr(rows[measure], rows[score]).statistic, abs=1e-12)
    assert (found.n, found.groups) == (40, 13) and found.low < found.value < found.high
    by_set = correlations.bootstrap(correlations.correlated, rows["label_set"], rows[measure], rows[score])
    assert (found.low, found.high) == (by_set.low, by_set.high)


def test_given_labels_is_the_correlation_of_what_the_number_of_labels_leaves():
    rows = one(table())
    n = rows["n_labels"]
    left = [rows[name] - np.polyval(np.polyfit(n, rows[name], 1), n) for name in (MELEP, BEST)]
    found = agreement.given_labels(rows, MELEP)
    assert found.value == pytest.approx(stats.pearsonr(*left).statistic, abs=1e-9)
    assert found.low < found.value < found.high and found.value != agreement.correlation(rows, MELEP).value
    assert agreement.given_labels(rows, "n_labels").value is None, "nothing is left of it"


def test_a_difference_of_correlations_is_paired_on_the_folds_that_both_have():
    rows = table()
    a, b = one(rows).iloc[5:], one(rows, arch="bilstm").iloc[:-3].sample(frac=1, random_state=0)
    found = agreement.stronger(a, b, MELEP)
    common = set(range(5, 37))
    r = [stats.pearsonr(part[MELEP], part[BEST]).statistic
         for part in (rows_of[rows_of["fold"].isin(common)] for rows_of in (a, b))]
    assert found.value == pytest.approx(r[0] - r[1], abs=1e-12) and found.n == len(common)
    assert found.low < found.value < found.high
    other = agreement.stronger(b, a, MELEP)
    assert other.value == pytest.approx(-found.value, abs=1e-12)
    assert agreement.stronger(a, a, MELEP).high == 0, "folds are drawn together, so nothing differs"


@pytest.mark.parametrize("score", agreement.SCORES)
def test_the_gain_over_every_label_is_a_mean_and_its_interval_draws_label_sets(score):
    rows = one(table())
    above = rows[score] - rows[agreement.EVERY_LABEL]
    found = agreement.gain(rows, score)
    by_set = correlations.bootstrap(correlations.averaged, rows["label_set"], above)
    assert (found.value, found.low, found.high) == (pytest.approx(above.mean()), by_set.low, by_set.high)
    left = agreement.gain_correlation(rows, MELEP, score)
    assert left.value == pytest.approx(stats.pearsonr(rows[MELEP], above).statistic)
    assert left.low < left.value < left.high
    other = agreement.gain(rows.assign(weighted_f1_rr=rows[score] - 0.03), score, agreement.RR)
    assert (other.value, other.low) == pytest.approx((0.03, 0.03))
    worse = agreement.gain(rows.assign(**{score: rows[agreement.EVERY_LABEL] - 0.1}), score)
    assert (worse.value, worse.low, worse.high) == pytest.approx((-0.1, -0.1, -0.1))


def test_a_measure_of_the_number_of_labels_correlates_with_the_answer_that_looks_at_nothing():
    rows = one(table())
    answer = agreement.correlation(rows, "n_labels", agreement.EVERY_LABEL)
    assert answer.value == pytest.approx(-1) and agreement.gain_correlation(rows, "n_labels").low < 0 < \
        agreement.gain_correlation(rows, "n_labels").high


# --- levels -------------------------------------------------------------------------------------------------


def test_quartile_levels_are_those_of_pandas():
    rows = one(table())
    found = agreement.levels(rows, MELEP)
    by_pandas = rows.groupby(pd.qcut(rows[MELEP], 4), observed=True)[BEST]
    assert found["level"].tolist() == [1, 2, 3, 4] and found["n"].tolist() == by_pandas.count().tolist()
    assert found["mean"].tolist() == pytest.approx(by_pandas.mean().tolist())
    quartiles = np.quantile(rows[MELEP], [0, 0.25, 0.5, 0.75, 1])
    assert [found["low"][0], *found["high"]] == pytest.approx(quartiles)
    near = rows[rows[MELEP] <= found["high"][0]]
    by_set = correlations.bootstrap(correlations.averaged, near["label_set"], near[BEST])
    assert (found["ci_low"][0], found["ci_high"][0]) == (by_set.low, by_set.high)
    assert found["label_sets"][0] == near["label_set"].nunique()


def test_equal_widths_by_hand():
    f1 = [0.9, 0.7, 0.5, 0.3]
    found = agreement.levels(hand([0.0, 0.25, 0.3, 1.0], f1), MELEP, "widths")
    assert found["high"].tolist() == [0.25, 0.5, 0.75, 1.0], "a value on a cut point lies below it"
    assert found["n"].tolist() == [2, 1, 0, 1]
    assert found["mean"].tolist() == [pytest.approx(0.8), 0.5, None, 0.3]
    assert found["ci_low"].tolist() == found["ci_high"].tolist() == [None] * 4, "too few label sets"


def test_levels_run_from_near_to_far_whatever_the_sign():
    rows = one(table())
    near, mirrored = (agreement.levels(rows, measure, "widths") for measure in (MELEP, "leep"))  # -MELEP
    assert mirrored["mean"].tolist() == pytest.approx(near["mean"].tolist())
    assert mirrored["high"].tolist() == pytest.approx((-near["low"]).tolist())
    assert near["mean"].is_monotonic_decreasing, "F1 falls as MELEP grows"


def test_ties_share_a_level():
    found = agreement.levels(hand([0.1, 0.1, 0.1, 0.1, 0.9], [0.8] * 4 + [0.2]), MELEP)
    assert found["n"].tolist() == [4, 0, 0, 1]
    constant = agreement.levels(hand([0.5] * 6, np.arange(6.0)), MELEP, "widths")
    assert constant["n"].tolist() == [6, 0, 0, 0] and constant["mean"][0] == 2.5
    assert constant["ci_low"][0] < 2.5 < constant["ci_high"][0] and constant["mean"][1] is None


# --- trusting a measure -------------------------------------------------------------------------------------


def candidates(*values, measure=MELEP):
    """Folds of checkpoints given as (source, arch, measure by fold, F1 by fold)."""
    return pd.concat([hand(scores, f1, source=source, arch=arch, measure=measure)
                      for source, arch, scores, f1 in values])


def test_regret_by_hand():
    rows = candidates(("a", "resnet1d101", [0.1, 0.5, 0.2], [0.7, 0.6, 0.8]),
                      ("b", "bilstm", [0.2, 0.3, 0.2], [0.9, 0.4, 0.6]),
                      ("c", "bilstm", [0.3, 0.4], [0.5, 0.5]))
    found = agreement.regret(rows, MELEP)
    assert found["fold"].tolist() == [0, 1, 2] and found["candidates"].tolist() == [3, 3, 2]
    chosen = [("a", "resnet1d101"), ("b", "bilstm"), ("a", "resnet1d101")]  # of a tie the first
    assert found["chosen"].tolist() == chosen
    assert found["best"].tolist() == [("b", "bilstm"), ("a", "resnet1d101"), ("a", "resnet1d101")]
    assert found["f1"].tolist() == [0.7, 0.4, 0.8] and found["best_f1"].tolist() == [0.9, 0.6, 0.8]
    assert found["regret"].tolist() == pytest.approx([0.2, 0.2, 0])
    assert found["blind_regret"].tolist() == pytest.approx([0.2, 0.1, 0.1])
    mean = agreement.mean_regret(rows, MELEP)
    assert mean.value == pytest.approx(0.4 / 3) and mean.low is None and (mean.n, mean.groups) == (3, 3)


def test_the_highest_leep_is_chosen():
    rows = candidates(("a", "bilstm", [-0.4], [0.7]), ("b", "bilstm", [-0.6], [0.9]), measure="leep")
    assert agreement.regret(rows, "leep")["chosen"].tolist() == [("a", "bilstm")]


def test_regret_is_that_of_pandas():
    rows = table(12)
    found = agreement.regret(rows, MELEP)
    groups = rows.reset_index(drop=True).groupby("fold")
    taken = rows.reset_index(drop=True).loc[groups[MELEP].idxmin(), BEST].to_numpy()
    assert found["regret"].tolist() == pytest.approx((groups[BEST].max().to_numpy() - taken).tolist())
    assert found["candidates"].unique().tolist() == [len(rows) // groups.ngroups]


def test_the_mean_regret_draws_label_sets():
    rows = table()
    found = agreement.mean_regret(rows, MELEP)
    each = agreement.regret(rows, MELEP)
    assert found.value == pytest.approx(each["regret"].mean()) and (found.n, found.groups) == (40, 13)
    by_set = correlations.bootstrap(correlations.averaged, each["label_set"], each["regret"])
    assert 0 < found.low == by_set.low < found.value < found.high == by_set.high


def test_a_fold_of_one_checkpoint_leaves_no_choice():
    rows = table(4)
    rows = rows[(rows["fold"] == 2) | (rows["source"] + rows["arch"] == "cpsc2018bilstm")]
    assert agreement.regret(rows, MELEP)["fold"].tolist() == [2]
    assert not len(agreement.regret(one(rows), MELEP))
    assert agreement.mean_regret(one(rows, arch="bilstm"), MELEP).value is None


# --- where little is there ----------------------------------------------------------------------------------


def test_nothing_is_an_answer_and_never_nan():
    assert agreement.checkpoints(EMPTY) == [] and not len(agreement.of(EMPTY, "a", "b"))
    nothing = correlations.Interval()
    rows = one(table())
    assert agreement.correlation(EMPTY, MELEP) == agreement.given_labels(EMPTY, MELEP) == nothing
    assert agreement.stronger(EMPTY, rows, MELEP) == agreement.stronger(rows, EMPTY, MELEP) == nothing
    others = one(table(), arch="bilstm")
    assert agreement.stronger(rows[:5], others[5:], MELEP) == nothing, "no fold in common"
    assert agreement.mean_regret(EMPTY, MELEP) == nothing
    assert agreement.gain(EMPTY) == agreement.gain_correlation(EMPTY, MELEP) == nothing
    for frame, columns in ((agreement.levels(EMPTY, MELEP), "level mean ci_low"),
                           (agreement.regret(EMPTY, MELEP), "fold regret blind_regret")):
        assert not len(frame) and set(columns.split()) <= set(frame.columns)


@pytest.mark.parametrize("statistic", [agreement.correlation, agreement.given_labels])
def test_few_folds_and_few_sets_have_no_limits(statistic):
    rows = one(table())
    assert statistic(rows[:2], MELEP).value is None
    few = statistic(rows[rows["label_set"].isin(["set0", "set1", "set2", "set3"])], MELEP)
    assert few.value is not None and few.low is few.high is None and few.groups == 4
    same = rows.assign(label_set="one")
    assert statistic(same, MELEP).low is None and statistic(same, MELEP).groups == 1


def test_a_constant_measure_correlates_with_nothing():
    rows = one(table()).assign(**{MELEP: 0.3})
    assert agreement.correlation(rows, MELEP).value is agreement.stronger(rows, rows, MELEP).value is None


# --- what is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ask, words", [
    (lambda rows: agreement.correlation(one(rows), "melep"), "melep_published"),
    (lambda rows: agreement.given_labels(one(rows), MELEP, "macro_f1"), "weighted_f1_validated"),
    (lambda rows: agreement.correlation(EMPTY, "melep"), "melep_published"),
    (lambda rows: agreement.correlation(rows, MELEP), "4 checkpoints"),
    (lambda rows: agreement.levels(rows, MELEP), "4 checkpoints"),
    (lambda rows: agreement.gain(rows), "4 checkpoints"),
    (lambda rows: agreement.gain(one(rows), "weighted_f1_every_label"), "weighted_f1_validated"),
    (lambda rows: agreement.gain(one(rows), over="n_labels"), "weighted_f1_every_label, weighted_f1_rr"),
    (lambda rows: agreement.gain_correlation(one(rows), "melep"), "melep_published"),
    (lambda rows: agreement.stronger(one(rows), rows, MELEP), "4 checkpoints"),
    (lambda rows: agreement.levels(one(rows), MELEP, "thirds"), "quartiles, widths"),
    (lambda rows: agreement.regret(rows, "n_labels"), "chooses none"),
    (lambda rows: agreement.mean_regret(rows, "prevalence"), "chooses none"),
    (lambda rows: agreement.correlation(pd.concat([one(rows)] * 2), MELEP), "twice"),
    (lambda rows: agreement.regret(pd.concat([rows] * 2), MELEP), "several tasks"),
    (lambda rows: agreement.regret(pd.concat([rows, rows.assign(source="x", label_set="y")]), MELEP),
     "several tasks"),
    (lambda rows: agreement.stronger(one(rows), one(rows).assign(label_set="y"), MELEP), "different tasks"),
    (lambda rows: agreement.stronger(one(rows), one(rows).assign(target="csn"), MELEP), "different tasks")])
def test_what_makes_no_sense_is_refused_in_one_line(ask, words):
    with pytest.raises(EcgtlError) as error:
        ask(table(6))
    one_line(error, words)
