"""Tables, claims and coverage are computed from results: change a result and they change."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup
from pages import cell
from stored_runs import CLASSES, save, store_fold

from ecgtl import experiments, published, results
from ecgtl.analysis import cells, claims, coverage, names
from ecgtl.analysis.names import checkpoint_name, f1
from ecgtl.config import BASELINES
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, runners, sources, transfers
from ecgtl.report import tables
from ecgtl.report.jobs import finetune
from ecgtl.report.tables import Lines
from ecgtl.report.weimann import shared
from ecgtl.results import Result

EXPERIMENT = "weimann2021-table2"


def write_run(run, macro_f1, target="full", upstream="none", **data):
    """A stored result for ``run`` with given scores, as if it had been run."""
    scores = {"macro_f1": macro_f1, "weighted_f1": 0.8, "accuracy": 0.8,
              "f1_per_class": dict.fromkeys(CLASSES, macro_f1)}
    save(run, scores | {"validated": scores, "last": scores}, data={"classes": [*CLASSES]} | data,
         upstream=upstream, target=target, leads=target)


@pytest.fixture
def stored(own_results):
    """Five runs of the random row at 25 and 75 %, with known means."""
    for run in experiments.enumerate_runs(EXPERIMENT, "reduced"):
        if run.method == "random" and run.size in (25, 75):
            write_run(run, (0.65 if run.size == 25 else 0.72) + 0.005 * run.number)


def test_cell_is_mean_and_sd_of_the_runs(stored):
    cell = cells.cells(EXPERIMENT, "reduced")["random", 75]
    values = [0.72, 0.725, 0.73, 0.735, 0.74]
    assert (cell.mean, cell.sd, cell.n) == pytest.approx((np.mean(values), np.std(values, ddof=1), 5))
    assert cell.low < cell.mean < cell.high


def test_cell_without_runs_is_none_and_shown_as_pending(stored):
    assert ("random", 50) not in cells.cells(EXPERIMENT, "reduced")
    shown = shared.compared(shared.comparisons(EXPERIMENT, "reduced"), "Share")
    assert cell(shown, names.METHODS["beat"], "Share", "25 %") == Lines(".739 ± .014", "PENDING")


def test_difference_is_ours_minus_the_paper(stored):
    table = cells.comparison(shared.TABLE2, "reduced").set_index(["method", "size"])
    printed = published.lookup("weimann2021.table2.rows.random.75.mean")
    assert table.loc[("random", 75), "difference"] == pytest.approx(0.73 - printed)
    assert np.isnan(table.loc[("rr_boosting", 75), "paper"])


def test_stale_results_are_left_out(stored):
    run = experiments.enumerate_runs(EXPERIMENT, "reduced")[0]
    assert run.method == "majority"
    write_run(run, 0.9, digest="0" * 64)
    assert run.state() == "stale"
    assert ("majority", 25) not in cells.cells(EXPERIMENT, "reduced")


def test_claims_follow_the_results(stored):
    verdict = claims.judge("weimann2021", "size", "reduced")
    assert (verdict["paper"], verdict["ours"]) == ("yes", "yes")
    for run in experiments.enumerate_runs(EXPERIMENT, "reduced"):
        if run.method == "random" and run.size == 25:
            write_run(run, 0.80 + 0.005 * run.number)
    assert claims.judge("weimann2021", "size", "reduced")["ours"] == "opposite"


def test_a_claim_whose_runs_are_missing_is_not_tested_by_us(stored):
    verdict = claims.judge("weimann2021", "W3", "reduced")
    assert verdict["ours"] == "not tested"
    assert verdict["paper"] in ("yes", "undecided")
    assert claims.judge("weimann2021", "baseline", "reduced")["paper"] == "not stated"


def test_synthetic_results_never_judge_nor_stand_beside_the_paper(own_results):
    for run in experiments.enumerate_runs(EXPERIMENT, "demo"):
        if run.method == "random":
            write_run(run, 0.99, target="synthetic")
    assert cells.shown_tier(EXPERIMENT) == "demo"
    assert cells.comparison(shared.TABLE2, "demo")["paper"].isna().all()
    assert claims.judge("weimann2021", "size", "demo")["ours"] == "not tested"


def test_coverage_counts_24_items_and_works_out_the_state(stored):
    table = coverage.coverage().set_index(["paper", "item"])
    assert len(table) == 24
    assert table.loc[("weimann2021", "T2"), "state"] == "partial"
    drawn = [("jang2021", item) for item in ("F1", "F2", "F3")] + [(paper, item)
                                                                   for paper in ("melep2023", "weimann2021")
                                                                   for item in ("F1", "F2")]
    assert sorted(table.index[table["state"] == "done"]) == drawn
    partly = [("weimann2021", item) for item in ("F3", "T1", "T2", "T3", "T4")]  # they share runs of Table 2
    assert sorted(table.index[table["state"] == "partial"]) == partly
    assert (table["state"] == "pending").sum() == 24 - len(drawn) - len(partly)


@pytest.mark.parametrize("upstream, state", [("full", "done"), ("substitute", "partial")])
def test_a_table_is_done_on_the_papers_own_data_alone(stored, upstream, state):
    for run in experiments.enumerate_runs(EXPERIMENT, "reduced"):
        write_run(run, 0.7, upstream="none" if run.method in ("random", *BASELINES) else upstream)
    found = coverage.coverage().set_index(["paper", "item"]).loc[("weimann2021", "T2")]
    assert found["state"] == state
    assert f"upstream {upstream}/none" in found["evidence"].replace("none/substitute", "substitute/none")


@pytest.mark.parametrize("experiment, runner", [
    ("weimann2021-table2", experiments), ("jang2021-sensitivity", pretrainings), ("melep2023-sources", sources),
    ("melep2023-csn", transfers)])
def test_every_experiment_has_its_runner(experiment, runner):
    assert runners.of(experiment) is runner
    every = [name for one in runners.RUNNERS for name in one.names()]
    assert experiment in every and len(set(every)) == len(every)


def test_an_unknown_experiment_is_refused_with_those_there_are():
    with pytest.raises(EcgtlError, match="'melep2023-csm'; allowed: .*melep2023-csn"):
        runners.of("melep2023-csm")


def folds(experiment, tier, n=1000, arch=None, **evidence):
    """The first folds of an experiment, of one network where it is named."""
    for run in transfers.enumerate_runs(experiment, tier):
        if run.config.fold < n and arch in (None, run.config.arch):
            store_fold(run, 0.3, 0.7, **evidence)


def melep_item(item):
    return coverage.coverage().set_index(["paper", "item"]).loc[("melep2023", item)]


def test_items_of_folds_are_pending_until_one_has_ended_on_recordings(own_results):
    folds("melep2023-ptbxl", "demo", target="synthetic", upstream="synthetic")
    for item in ("T2", "F3", "F4", "F5", "F6"):
        assert (melep_item(item)["state"], melep_item(item)["evidence"]) == ("pending", "none")
        assert melep_item(item)["why"] and melep_item(item)["page"].startswith("notebooks/melep/")


def test_items_of_folds_are_counted_and_what_a_tier_does_not_plan_is_named(own_results):
    folds("melep2023-ptbxl", "reduced", n=3, arch="resnet1d101")
    found = melep_item("F5")
    assert (found["state"], found["evidence"]) == ("partial", "tier reduced, target subset, upstream subset")
    absent = sorted(checkpoint_name(source, "bilstm") for source in ("cpsc2018", "cinc2017"))
    assert found["why"] == f"6 of 120 runs; pending: {'; '.join(absent)}"
    assert "6 of 120 runs" in melep_item("T2")["why"]
    assert melep_item("T2")["why"].endswith("melep2023-csn, for which tier reduced plans no run")
    assert melep_item("F3")["state"] == melep_item("F6")["state"] == "pending"
    status = coverage.status_table()
    assert next(line for line in status.splitlines() if line.startswith("melep2023-ptbxl")
                and " reduced " in line).split()[2] == "6"


@pytest.mark.parametrize("evidence, state", [({"target": "full", "upstream": "full"}, "done"),
                                             ({"target": "full", "upstream": "subset"}, "partial"),
                                             ({"target": "subset", "upstream": "full"}, "partial")])
def test_items_of_folds_are_done_by_their_own_network_on_the_papers_own_data(own_results, evidence, state):
    folds("melep2023-selection", "paper", arch="bilstm", **evidence)
    assert melep_item("F6")["state"] == "partial" and "3 of 6 runs" in melep_item("F6")["why"]
    folds("melep2023-selection", "paper", **evidence)
    assert (melep_item("F6")["state"], melep_item("F6")["why"]) == (state, "6 of 6 runs")
    entry = {"experiment": "melep2023-selection", "arch": "bilstm"}
    for run in transfers.enumerate_runs("melep2023-selection", "paper"):
        if run.config.arch != "bilstm":
            run.path.unlink()
    assert coverage._state(entry)[0] == state
    assert coverage._state(entry | {"arch": "resnet1d101", "why": "w"}) == ("pending", "none", "w")


def several_labels():
    """A result of three recordings and two labels."""
    y = np.array([[1, 0], [1, 1], [0, 1]], np.uint8)
    probabilities = np.array([[0.9, 0.6], [0.4, 0.5], [0.2, 0.7]], np.float16)
    scores = {"macro_auc": 0.9, "f_max": 0.8, "weighted_f1": 0.7, "f_beta": 0.6, "g_beta": 0.5,
              "auc_per_class": {"a": 1.0, "b": None}}
    return Result("finetune", "k", {"protocol": "weimann2021", "init": "random"}, {}, scores, [],
                  {"classes": ["a", "b"]}, {"y_test": y, "prob_validated": probabilities}, {})


def test_what_is_predicted_of_recordings_with_several_labels():
    counts = finetune.confusion_of(several_labels())
    # recording 0 (label a) is called a and b, 1 (a and b) is called b, 2 (b) is called b; so b is never called a
    assert counts.tolist() == [[1, 2, 2], [0, 2, 2]]


def test_scores_of_recordings_with_several_labels():
    result = several_labels()
    assert finetune.followed(result) == ("macro_auc", "macro AUC")
    worse = dataclasses.replace(result, scores=result.scores | {"macro_auc": 0.8})
    said = finetune.verdict_on_baselines(result, {"majority": worse}).data
    assert "beats" in said and "macro AUC .900 against .800" in said
    shown = finetune.scores_table(result, {"majority": worse}).data
    for words in ("Macro AUC", "Fmax", "Fβ", "Gβ", "AUC a", "AUC b"):
        assert f'<th scope="col">{words}</th>' in shown
    assert "Macro F1" not in shown


def test_the_followed_score_is_the_protocols_own(stored):
    run = experiments.enumerate_runs(EXPERIMENT, "reduced")[0]
    write_run(run, 0.5)
    one = results.load(run.path)
    assert finetune.followed(one) == ("macro_f1", "macro F1")
    assert finetune.followed(dataclasses.replace(one, config=one.config | {"protocol": "jang2021"}))[0] == "weighted_f1"


def test_an_item_of_one_measurement_is_as_good_as_its_evidence(stored):
    def state(evidence):
        results.save(Result("measured", "jang2021-table1-shaoxing", {"tier": "reduced"}, evidence, {}, [], {},
                            {"none": np.zeros(0)}, {}))
        return coverage.coverage().set_index(["paper", "item"]).loc[("jang2021", "T1")]

    full = {"upstream": "none", "target": "full", "leads": "none"}
    assert (state(full)["state"], state(full)["evidence"]) == ("done", "target full")
    assert state(full | {"target": "subset"})["state"] == "partial"


def test_no_results_is_said_with_the_remedy(own_results):
    with pytest.raises(EcgtlError, match="run 'python -m ecgtl run"):
        cells.shown_tier(EXPERIMENT)


@pytest.mark.parametrize(("value", "text"), [(0.7314, ".731"), (-0.02, "−.020"), (1.0, "1.000"), (float("nan"), "–"),
                                             (0.9996, "1.000"), (0.0, ".000")])
def test_scores_are_printed_as_the_field_does(value, text):
    assert f1(value) == text


def test_html_escapes_and_scopes():
    text = tables.html_text(pd.DataFrame({"a<b": ["<script>"], "c": [1], "d": [Lines(here="<b>")]}), "x & y")
    assert "<script>" not in text and "x &amp; y" in text and 'scope="col"' in text and 'scope="row"' in text
    assert "&lt;script&gt;" in text and "&lt;b&gt;" in text and "<b>" not in text
    assert "<b>bold</b>" in tables.html_text(pd.DataFrame({"a": [1], "c": [Markup("<b>bold</b>")]}), "x")


def grouped():
    cells = [(row, column, Lines(".7 ± .1", ".6", "−.1")) for row in ("None", "Beat")
             for column in (("Macro F1", ""), ("By class", "Normal"), ("By class", "AF"))]
    return tables.grid_of(cells[:-1], "Start")


def test_grouped_columns_have_a_heading_over_theirs():
    text = tables.html_text(grouped(), "x")
    head, second = re.search("<thead><tr>(.*?)</tr><tr>(.*?)</tr></thead>", text).groups()
    assert head == ('<th scope="col" rowspan="2">Start</th><td rowspan="2"></td><th scope="col" rowspan="2">Macro F1'
                    '</th><th scope="colgroup" colspan="2">By class</th>')
    assert second == '<th scope="col">Normal</th><th scope="col">AF</th>'
    # Beat has no AF: a dash; each cell says its column, for cards
    assert re.findall('<td data-head="(.*?)">', text) == ["Macro F1", "By class Normal", "By class AF"] * 2
    assert text.endswith('<td data-head="By class AF">–</td></tr></tbody></table></div>')


def test_each_line_of_a_comparison_begins_with_what_it_is():
    text = tables.html_text(grouped(), "x")
    cell = re.search('<td data-head="Macro F1">(.*?)</td>', text)[1]
    lines = re.findall('<div class="ecgtl-line"><span class="ecgtl-what">(.*?) </span>(.*?)</div>', cell)
    assert lines == [("paper", ".7 ± .1"), ("here", ".6"), ("here − paper", "−.1")]
    # To the eye the lines are named once a row; a line that no cell of a row has is left out
    assert text.count('<td class="ecgtl-lines" aria-hidden="true">') == 2
    plain = tables.html_text(tables.grid_of([("None", "a", Lines("1", "2"))], "Start"), "x")
    assert "here − paper" not in plain and plain.count("ecgtl-what") == 4
    assert "ecgtl-lines" not in tables.html_text(pd.DataFrame({"a": [1], "b": [2]}), "x")


@pytest.mark.parametrize(("rows", "compared", "sorts"), [(15, False, False), (16, False, True), (16, True, False)])
def test_a_long_table_of_runs_sorts(rows, compared, sorts):
    cell = Lines("1", "2") if compared else "1"
    text = tables.html_text(pd.DataFrame({"a": range(rows), "b": [cell] * rows}), "x")
    assert ("ecgtl-sortable" in text) == sorts


def need(*cells):
    table = pd.DataFrame([["row", *cells]], columns=["a", *map(str, range(len(cells)))])
    return int(re.search(r"ecgtl-needs-(\d+)", tables.html_text(table, "x"))[1])


def test_a_table_needs_the_more_width_the_longer_what_does_not_break():
    short, long = Lines("1", "2"), Lines("1", ".700 [.600, .800] n 10")
    assert need(*[short] * 2) < need(*[long] * 2) < need(*[long] * 3)
    assert need("word " * 40) < need("word" * 40) <= max(tables.NEEDS)
    button = Markup("{}<div popover id='x'>{}</div>").format(".7", "much that is hidden " * 9)
    assert need(Lines("1", button)) == need(Lines("1", ".7")) < need(Lines("1", ".7" * 40))
    assert need(button) == need(".7")


def test_a_badge_of_several_words_has_the_colour_of_the_weakest():
    from ecgtl.report import badges

    assert "ecgtl-substitute" in badges.badge("upstream:full/none/substitute")
    assert "ecgtl-synthetic" in badges.badge("target:full/synthetic")
    assert "ecgtl-full" in badges.badge("target:full") and "ecgtl-reduced" in badges.badge("tier:reduced")
