"""Verdicts on printed differences: the rules of the analysis plan, and whether their intervals are right."""

import dataclasses
from functools import partial

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle

from ecgtl import paths, results, statistics
from ecgtl.analysis import resampling, verdicts
from ecgtl.errors import EcgtlError
from ecgtl.jobs import scoring
from ecgtl.statistics import Sample

PAPER = Sample(0.78, 0.010, 10), Sample(0.73, 0.010, 10)  # a printed difference of .050


def cell(mean, sd=0.010, n=10):
    return Sample(mean, sd, n)


@pytest.mark.parametrize("ours, sign, size, worthwhile", [
    (0.050, "yes", "as printed", None),
    (0.012, "yes", "smaller", False),
    (0.000, "undecided", "smaller", False),
    (-0.020, "opposite", "smaller", False),
    (0.090, "yes", "larger", None),
    (0.040, "yes", "as printed", None)])
def test_the_three_answers_follow_the_interval(ours, sign, size, worthwhile):
    found = verdicts.judge((cell(0.70 + ours), cell(0.70)), PAPER)
    assert (found.sign, found.size, found.worthwhile) == (sign, size, worthwhile)


def test_the_sign_is_the_statements_and_no_size_is_asked_where_the_print_goes_the_other_way():
    for printed in (PAPER[::-1], (PAPER[0], PAPER[0])):
        found = verdicts.judge((cell(0.75), cell(0.70)), printed)
        assert (found.sign, found.size, found.worthwhile) == ("yes", None, None)
        assert found.gap.value == pytest.approx(found.ours.value - found.printed.value), "for pages"
        assert verdicts.judge((cell(0.70), cell(0.75)), printed).sign == "opposite"
        assert verdicts.judge((None, cell(0.75)), printed).size is None
    assert verdicts.judge((cell(0.75), cell(0.70))) == verdicts.judge((cell(0.75), cell(0.70)), (PAPER[0], None))


@pytest.mark.parametrize("margin, sign", [(0.0, "yes"), (0.03, "yes"), (0.05, "undecided"), (0.08, "opposite"),
                                          (-0.15, "yes")])
def test_a_margin_is_what_the_sign_has_to_exceed_and_the_size_is_that_of_the_difference(margin, sign):
    found = verdicts.judge((cell(0.75), cell(0.70)), PAPER, margin=margin)
    assert (found.sign, found.size, round(found.ours.value, 9)) == (sign, "as printed", 0.05)


def test_two_differences_are_compared_by_the_means_and_variances_of_all_four_cells():
    ours = cell(0.76, 0.02), cell(0.70, 0.01, 5), cell(0.74, 0.03, 7), cell(0.73, 0.02, 4)
    found = verdicts.judge(ours, (*PAPER, PAPER[0], PAPER[0])).ours
    parts = np.array([one.sd**2 / one.n for one in ours])
    freedom = parts.sum()**2 / (parts**2 / [one.n - 1 for one in ours]).sum()
    half = stats.t.ppf(0.975, freedom) * np.sqrt(parts.sum())
    assert (found.value, found.low, found.high) == pytest.approx((0.05, 0.05 - half, 0.05 + half))


def test_a_wide_interval_decides_nothing():
    found = verdicts.judge((cell(0.73, 0.08, 3), cell(0.70, 0.08, 3)), PAPER)
    assert (found.sign, found.size, found.worthwhile) == ("undecided", "undecided", None)


def test_the_printed_error_counts_in_the_size():
    vague = Sample(0.78, 0.15, 10), Sample(0.73, 0.15, 10)
    assert verdicts.judge((cell(0.712), cell(0.70)), PAPER).size == "smaller"
    assert verdicts.judge((cell(0.712), cell(0.70)), vague).size == "undecided"


def test_fewer_than_three_runs_test_nothing():
    for few in (cell(0.9, n=2), None):
        found = verdicts.judge((few, cell(0.7)), PAPER)
        assert (found.sign, found.size, found.ours) == ("not tested", "not tested", None)
        assert verdicts.equal((few, cell(0.7)), 0.3).sign == "not tested"


def test_equality_needs_an_interval_inside_the_margin():
    assert verdicts.equal((cell(0.701), cell(0.700)), 0.03).sign == "yes"
    assert verdicts.equal((cell(0.701, 0.05), cell(0.700, 0.05)), 0.03).sign == "undecided"  # a large p is no equality
    assert verdicts.equal((cell(0.800), cell(0.700)), 0.03).sign == "opposite"


def test_a_claim_takes_its_weakest_comparison():
    strong, weak = (verdicts.judge((cell(0.70 + gain), cell(0.70)), PAPER) for gain in (0.050, 0.000))
    found = verdicts.weakest([strong, weak])
    assert (found.sign, found.size, found.worthwhile) == ("undecided", "smaller", False)
    asked_once = verdicts.weakest([strong, verdicts.equal((cell(0.701), cell(0.700)), 0.03)])
    assert (asked_once.sign, asked_once.size) == ("yes", "as printed")
    assert verdicts.weakest([verdicts.Verdict("no"), verdicts.Verdict("undecided")]) == verdicts.Verdict("no")


def test_the_interval_of_two_means_is_welchs_and_test_recordings_widen_it():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.7, 0.02, 10), rng.normal(0.68, 0.01, 7)
    alone, also = (verdicts.judge((Sample.of(a), Sample.of(b)), PAPER, extra) for extra in (None, (0.01**2, 1000)))
    plain, wider = alone.ours, also.ours
    welch = stats.ttest_ind(a, b, equal_var=False)
    limits = welch.confidence_interval(0.95)
    assert (plain.low, plain.high) == pytest.approx((limits.low, limits.high))
    error = np.sqrt(a.var(ddof=1) / 10 + b.var(ddof=1) / 7 + 0.01**2)
    assert (wider.high - wider.low) / 2 / error == pytest.approx(2.0, abs=0.06)  # t with some 30 degrees of freedom
    assert wider.value == plain.value and also.gap.high - also.gap.low > alone.gap.high - alone.gap.low


@pytest.mark.parametrize("runs", [10, 3])
def test_93_to_97_of_100_intervals_include_the_true_difference(runs):
    """2,000 experiments with noise of runs and of test recordings: two cells of so many runs, one test set of 400."""
    rng, n, inside = np.random.default_rng(1), 400, 0
    true = stats.norm.cdf(0.9) - stats.norm.cdf(0.8)  # of the shares that are right, over runs and recordings
    for _ in range(2000):
        easy = rng.normal(0, 0.8, n)  # what makes a recording easy for every run
        arms = []
        for level in (0.9, 0.8):
            skill = rng.normal(level * np.sqrt(1 + 0.8**2 + 0.2**2), 0.2, (runs, 1))
            arms.append(skill + easy + rng.normal(size=(runs, n)) > 0)
        a, b = (Sample.of(arm.mean(axis=1)) for arm in arms)
        per_recording = arms[0].mean(axis=0) - arms[1].mean(axis=0)  # what the bootstrap of a mean tends to
        found = statistics.contrast((a, b), (1, -1), extra=(float(per_recording.var(ddof=1)) / n, n))
        inside += found.low <= true <= found.high
    assert 0.93 <= inside / 2000 <= 0.97


@pytest.fixture
def stored():
    """Results of one cell with stored predictions, and of another one with the same test recordings."""
    folder = paths.results() / "weimann2021-table2"
    return [sorted(folder.glob(f"cinc2017-reduced-{row}-75-run*.json")) for row in ("beat", "random")]


def test_scores_of_all_recordings_are_those_that_are_stored(stored):
    several = sorted((paths.results() / "weimann2021-table5-ptbxl").glob("*beat*.json"))[:1]
    for path in [*stored[0], *several]:
        found = results.load(path)
        for score in ("macro_f1", "weighted_f1", "accuracy", "f1_per_class.af", "macro_auc", "f_max", "f_beta",
                      "g_beta"):
            scored = resampling.scored(found, score, "validated")
            name, _, label = score.partition(".")
            held = found.scores["validated"].get(name)
            if scored is not None:
                [value] = scored(counts=np.ones((1, len(found.arrays["y_test"])), int))
                assert value == pytest.approx(held[label] if label else held, abs=1e-6)
            else:
                assert held is None


def drawn_one_by_one(score, y, p):
    for rows in np.random.default_rng(0).integers(len(y), size=(scoring.DRAWS, len(y))):
        try:
            yield score(y[rows], p[rows])
        except EcgtlError:  # it lacks what the score needs
            yield np.nan


@pytest.mark.parametrize("several, name", [*((False, name) for name in scoring.ONE_LABEL),
                                           *((True, name) for name in scoring.SEVERAL_LABELS),
                                           *((True, name) for name in scoring.THRESHOLDED)])
def test_a_score_on_draws_is_that_of_each_draw(several, name):
    """Few recordings: draws lack a class, or a label, or have nothing but it. Those with and without one tie."""
    rng, n = np.random.default_rng(5), 6
    y = (rng.random((n, 3)) < [0.2, 0.5, 0.9]).astype(np.uint8) if several else rng.integers(3, size=n)
    p = rng.integers(3, size=(n, 3)).astype(np.float32) / 2
    metric = scoring.THRESHOLDED.get(name)
    score = partial(scoring.value_of, name) if metric is None else lambda y, p: metric(y, (p >= 0.5).astype(int))
    expected = list(drawn_one_by_one(score, y, p))
    np.testing.assert_allclose(scoring.on_draws(name, y, p), expected, rtol=1e-12)
    assert len(np.unique(expected)) > 4 and np.isnan(expected).any() == (name == "macro_auc")


def test_the_variance_over_recordings_is_that_of_a_bootstrap_by_hand(stored, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path))
    resampling._drawn.cache_clear()
    variance, n = resampling.recordings_variance(stored, "macro_f1", "validated")
    cells = [[results.load(path).arrays for path in paths_of] for paths_of in stored]
    assert n == len(cells[0][0]["y_test"])
    rng, drawn = np.random.default_rng(7), []
    for _ in range(80):
        rows = rng.integers(n, size=n)
        means = [np.mean([oracle.f1_score(one["y_test"][rows], one["prob_validated"][rows].argmax(axis=1),
                                          average="macro")
                          for one in cell]) for cell in cells]
        drawn.append(means[0] - means[1])
    assert np.sqrt(variance) == pytest.approx(np.std(drawn, ddof=1), rel=0.2)  # 80 and 500 draws of the same thing
    assert resampling.recordings_variance(stored, "macro_f1", "validated") == (variance, n)


def test_runs_on_other_test_recordings_and_scores_of_curves_have_no_variance(stored):
    other = sorted((paths.results() / "weimann2021-table5-cpsc2018").glob("*random*.json"))
    assert resampling.recordings_variance((stored[0], other), "weighted_f1", "validated") is None
    assert resampling.recordings_variance(stored, "learning_curve_index", "validated") is None


def test_recordings_whose_places_are_counted_anew_are_the_same_where_their_labels_are(stored, tmp_path, monkeypatch):
    """A network that leaves recordings out has data of another digest, and the test recordings are at other places."""
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path))
    known, load = resampling.recordings_variance(stored, "macro_f1", "validated"), results.load

    def found(change, digest):
        def changed(path):
            one = load(path)
            return one if path in stored[0] else dataclasses.replace(
                one, data=one.data | {"digest": digest}, arrays={**one.arrays, **change(one.arrays)})
        monkeypatch.setattr(results, "load", changed)
        resampling._test_set.cache_clear()
        return resampling.recordings_variance(stored, "macro_f1", "validated")

    earlier, digest = lambda arrays: {"test": arrays["test"] - 1}, load(stored[0][0]).data["digest"]
    assert found(earlier, "other") == known is not None
    assert found(earlier, digest) is None
    assert found(lambda arrays: {"test": arrays["test"][1:], "y_test": arrays["y_test"][1:]}, "other") is None
    resampling._test_set.cache_clear()


def test_the_same_difference_taken_off_leaves_no_variance_over_recordings(stored, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path))
    assert resampling.recordings_variance([*stored, *stored], "macro_f1", "validated")[0] < 1e-30
    one, other = (resampling.recordings_variance(cells, "macro_f1", "validated")[0] for cells in (stored, stored[::-1]))
    assert one == pytest.approx(other) and one > 0


def test_no_result_that_the_analysis_plan_governs_is_older_than_the_plan():
    """What had been seen is in the plan's own commit, as many as the plan names; all else was made by code that has the
    plan."""
    if results.git("rev-parse", "--is-shallow-repository") != "false":
        pytest.skip("no whole git history here")
    plan = results.git("log", "--diff-filter=A", "--format=%H", "--", "book/analysis-plan.md").split()[-1]
    seen = {name for name in results.git("ls-tree", "-r", "--name-only", plan, "results/").split()
            if name.endswith(".json")}
    assert f"{len(seen)} results of tier `reduced`" in (paths.repository() / "book" / "analysis-plan.md").read_text()
    later = [name for name in results.git("ls-files", "results/*.json").split() if name not in seen]
    for name in later:
        made = results.stored(paths.repository() / name).provenance["commit"]
        assert results.git("merge-base", plan, made) == plan, f"{name} was made before the plan, which does not name it"
