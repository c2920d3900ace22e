"""How many subjects pretraining needs: none, some and all of the runs; the slope and its interval by hand."""

import dataclasses

import matplotlib
import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as oracle
from stored_runs import PROVENANCE

from ecgtl import experiments, results
from ecgtl.analysis import resampling, subjects
from ecgtl.experiments import pretrainings
from ecgtl.report import in_short, provenance, tables
from ecgtl.report.across import subjects as page
from ecgtl.results import Result

matplotlib.use("Agg")
pytestmark = pytest.mark.usefixtures("own_results")
TRAINED = {"beat-subjects8": 8, "beat-subjects32": 32, "beat-subjectsall": 83, "beat-subjects64": 64}
RIGHT = {"random": 0.6, "subjects8": 0.62, "subjects32": 0.66, "subjects_all": 0.69, "subjects64": 0.63}
Y = np.arange(400) % 4
CLASSES = ["normal", "af", "other", "noise"]


def predictions(share, seed):
    """Probabilities of a classifier that is right in about this share of the recordings, some of them easy for all."""
    rng = np.random.default_rng(seed)
    easy = np.random.default_rng(0).uniform(size=len(Y))
    right = 0.5 * (easy + rng.uniform(size=len(Y))) < share
    guess = np.where(right, Y, (Y + rng.integers(1, 4, len(Y))) % 4)
    return np.eye(4, dtype=np.float16)[guess]


def pretrain(*names):
    for run in pretrainings.enumerate_runs(subjects.PRETRAININGS, "reduced"):
        if run.name.partition("-seed")[0] in names:
            trained = TRAINED[run.name.partition("-seed")[0]]
            data = {"name": "mitdb+qtdb", "version": "1", "digest": "0", "weights": {"sha256": "0"},
                    "subjects": {"train": trained, "validation": 17, "test": 11}}
            results.save(Result(run.experiment, run.key, dataclasses.asdict(run.config),
                                {"upstream": "substitute", "target": "none", "leads": "substitute"},
                                {"macro_f1": 0.8}, [], data, {"none": np.zeros(0)}, PROVENANCE))


def tune(method, size=25, n=5, right=None):
    entry = experiments.load(subjects.TABLE)
    runs = [run for run in experiments.enumerate_runs(subjects.TABLE, "reduced")
            if (run.method, run.size) == (method, size)][:n]
    for run in runs:
        p = predictions(right or RIGHT[method], 10 * run.number + len(method) + size)
        score = oracle.f1_score(Y, p.argmax(axis=1), average="macro")
        scores = {"macro_f1": score, "weighted_f1": score, "accuracy": score}
        results.save(Result(run.home, run.key, dataclasses.asdict(run.config),
                            {"upstream": "none" if method == "random" else "substitute", "target": "full",
                             "leads": "full"},
                            scores | {"validated": scores | {"epoch": 1}}, [{"epoch": 1}],
                            {"name": "cinc2017", "version": "1", "records": 8528, "classes": CLASSES,
                             "digest": entry.data.digest},
                            {"y_test": Y, "prob_validated": p, "test": np.arange(len(Y))}, PROVENANCE))


def everything(**right):
    pretrain(*TRAINED)
    for method in subjects.ROWS:
        for size in (25, 75):
            tune(method, size, right=right.get(method))


def shown(study):
    """All that the page shows, as text."""
    return [in_short.answered(page.answers(study), {subjects.TABLE: study.tier}, ()).data,
            tables.html_text(page.table(study), "x"), tables.html_text(page.judged(study), "x"), page.said(study)]


def drawn(study):
    figure = page.figure(study)
    return figure and [line for axes in figure.axes for line in axes.get_lines()]


# --- none, some, all -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tier", ["demo", "reduced", "paper"])
def test_without_a_run_all_is_pending(tier):
    study = subjects.load(tier)
    head, table, judged, said = shown(study)
    assert head.count("PENDING") == 4 and table.count("PENDING") == 10 and judged.count("not tested</span>") == 4
    assert page.figure(study) is None and "PENDING" in said and len(page.waiting(study)) == 10
    assert len(provenance.made(subjects.PRETRAININGS, tier)) == 0


def test_four_of_five_runs_show_no_number_and_no_verdict():
    everything()
    missing = [run for run in experiments.enumerate_runs(subjects.TABLE, "reduced")
               if run.method == "subjects8" and run.number == 4]
    for run in missing:
        run.path.unlink()
    study = subjects.load("reduced")
    assert all(subjects.judged(study, rule, size).verdict.sign == "not tested"
               for rule in subjects.COMPARED for size in (25, 75))
    head, table, judged, _ = shown(study)
    assert head.count("PENDING") == 4 and table.count("PENDING") == 2 and judged.count("not tested</span>") == 4
    assert page.waiting(study) == ["8 subjects, 25 %", "8 subjects, 75 %"]
    assert "line of least squares" not in [line.get_label() for line in drawn(study)]


def test_a_column_is_judged_as_soon_as_its_own_cells_are_full():
    everything()
    for run in experiments.enumerate_runs(subjects.TABLE, "reduced"):
        if (run.method, run.size, run.number) == ("subjects_all", 75, 0):
            run.path.unlink()
    study = subjects.load("reduced")
    signs = {(rule, size): subjects.judged(study, rule, size).verdict.sign for rule in subjects.COMPARED
             for size in (25, 75)}
    assert [place for place, sign in signs.items() if sign == "not tested"] == [("slope", 75)]


def test_runs_without_the_results_of_their_pretrainings_make_no_slope():
    for method in subjects.ROWS:
        tune(method)
    study = subjects.load("reduced")
    assert subjects.judged(study, "slope", 25).found is None and page.figure(study) is None
    pretrain("beat-subjects8", "beat-subjects32")
    assert subjects.judged(subjects.load("reduced"), "slope", 25).found is None


# --- the numbers ---------------------------------------------------------------------------------------------------


def scores_of(study, *rows, size=25):
    return [np.array(study.full[row, size].values) for row in rows]


def test_the_slope_is_that_of_the_line_through_all_runs():
    everything()
    study = subjects.load("reduced")
    own = scores_of(study, *subjects.COMPARED["slope"])
    x = np.repeat(np.log2([8, 32, 83]), 5)
    found = subjects.judged(study, "slope", 25).found
    assert found.value == pytest.approx(np.polyfit(x, np.concatenate(own), 1)[0])
    assert study.subjects == pytest.approx(dict(zip(subjects.ROWS[1:], (8, 32, 83, 64), strict=True)))


def test_its_interval_covers_runs_and_test_recordings(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path))
    resampling._drawn.cache_clear()
    everything()
    study = subjects.load("reduced")
    own, x = scores_of(study, *subjects.COMPARED["slope"]), np.log2([8, 32, 83])
    counts = (x - x.mean()) / ((x - x.mean())**2).sum()
    # The recordings by hand: draws of the test set, on which the slope through the means of the cells is taken again
    files = [[run.path for run in experiments.enumerate_runs(subjects.TABLE, "reduced")
              if (run.method, run.size) == (row, 25)] for row in subjects.COMPARED["slope"]]
    answers = [[results.load(path).arrays["prob_validated"].argmax(axis=1) for path in cell] for cell in files]
    rng, slopes = np.random.default_rng(3), []
    for _ in range(150):
        rows = rng.integers(len(Y), size=len(Y))
        means = [np.mean([oracle.f1_score(Y[rows], one[rows], average="macro") for one in cell]) for cell in answers]
        slopes.append(np.polyfit(x, means, 1)[0])
    of_runs = sum(count**2 * cell.var(ddof=1) / 5 for count, cell in zip(counts, own, strict=True))
    asked = subjects.judged(study, "slope", 25)
    error = (asked.found.high - asked.found.low) / 2 / np.sqrt(of_runs + np.var(slopes, ddof=1))
    assert 1.9 < error < 2.7, "t with few degrees of freedom, the variance of 150 draws against that of 500"
    plain = (asked.found.high - asked.found.low) / 2 / np.sqrt(of_runs)
    assert plain > 1.02 * error and asked.covers == "runs and test recordings"


def test_the_control_is_the_difference_with_the_same_minutes():
    everything()
    study = subjects.load("reduced")
    more, fewer = scores_of(study, "subjects64", "subjects8")
    asked = subjects.judged(study, "control", 25)
    welch = stats.ttest_ind(more, fewer, equal_var=False).confidence_interval(0.95)
    assert asked.found.value == pytest.approx(more.mean() - fewer.mean())
    assert asked.found.high - asked.found.low > welch.high - welch.low, "the test recordings are counted too"
    assert (asked.runs, asked.verdict.size) == ((5, 5), None)


@pytest.mark.parametrize(("means", "slope"), [((0.4, 0.6, 0.8), "yes"), ((0.8, 0.6, 0.4), "no"),
                                              ((0.6, 0.6, 0.6), "undecided")])
def test_the_words_are_those_of_the_plan(means, slope):
    everything(**dict(zip(subjects.COMPARED["slope"], means, strict=True)), subjects64=0.6)
    study = subjects.load("reduced")
    assert subjects.judged(study, "slope", 75).verdict.sign == slope
    expected = {0.4: "yes", 0.8: "opposite", 0.6: "undecided"}[means[0]]
    assert subjects.judged(study, "control", 75).verdict.sign == expected


# --- the page ------------------------------------------------------------------------------------------------------


def test_the_page_has_every_number_as_a_button_and_names_the_evidence():
    everything()
    head, table, judged, said = shown(subjects.load("reduced"))
    assert "PENDING" not in head + table + judged + said
    assert table.count('class="ecgtl-number"') == 10 and "All 83 subjects" in table
    assert 'data-id="weimann2021.table2-subjects.subjects8.25"' in table
    assert head.count("<strong>In short</strong>") == 1 and "% : " not in head
    assert judged.count("upstream: substitute") == 4 and judged.count("target: full") == 4
    made = provenance.made(subjects.PRETRAININGS, "reduced").set_index("What")["Value"]
    assert made["Runs"] == "20" and made["Data"].split(" subjects, digest 0")[:-1] == [
        "mitdb+qtdb 1, 36", "; mitdb+qtdb 1, 60", "; mitdb+qtdb 1, 111", "; mitdb+qtdb 1, 92"]


def test_the_line_ends_at_the_data_and_the_papers_number_is_marked():
    everything()
    study = subjects.load("reduced")
    lines = drawn(study)
    fitted = [line.get_xydata() for line in lines if line.get_label() == "line of least squares"]
    assert len(fitted) == 2 and all(line[:, 0] == pytest.approx([8, 32, 83]) for line in fitted)
    slope = subjects.judged(study, "slope", 25).found.value
    assert (fitted[0][-1, 1] - fitted[0][0, 1]) / np.log2(83 / 8) == pytest.approx(slope)
    marked = [line.get_xdata() for line in lines if "the paper's 11,000 subjects" in str(line.get_label())]
    assert [list(x) for x in marked] == [[11_000, 11_000]] * 2
    low, high = page.figure(study).axes[0].get_xlim()
    assert low < 8 and high > 11_000
    said = page.said(study)
    assert "up to 83 of the paper's 11,000" in said and "All subjects" in said and "25 %" in said
