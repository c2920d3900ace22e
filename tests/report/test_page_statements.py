"""Statements of the pages that were false or misleading once: each follows from results by rule."""

import re

import numpy as np
import pandas as pd
import pytest
from stored_runs import around, by_class, store

from ecgtl import paths, statistics
from ecgtl.analysis import cells, claims, verdicts
from ecgtl.analysis.names import PENDING
from ecgtl.commands import data as data_commands
from ecgtl.config import protocol
from ecgtl.datasets import catalogue
from ecgtl.report import badges, tables
from ecgtl.report.jang import shared as jang_shared
from ecgtl.report.site import book_tables
from ecgtl.report.weimann import shared
from ecgtl.report.words import difference, mean

pytestmark = pytest.mark.usefixtures("own_results")
ROOT = paths.repository()


# --- networks beside the baselines ---------------------------------------------------------------------------------


def frame(**means):
    """A comparison of one column and score, with the means of its rows."""
    return pd.DataFrame([{"method": method, "words": "25 %", "score": "macro_auc", "ours": mean,
                          "n": 3 if np.isfinite(mean) else 0}
                         for method, mean in means.items()])


@pytest.mark.parametrize(("network", "said"), [
    (0.90,
     "RR intervals, boosted trees (.936) lies above all 2 networks; the highest of these is Beat classification "
     "(.900)."),
    (0.936, "RR intervals, boosted trees (.936) lies above all 2 networks"),
    (0.95, "RR intervals, boosted trees (.936) has 1 of 2 networks above it"),
    (np.nan,
     "RR intervals, boosted trees (.936) lies above all 1 networks; the highest of these is None (random weights) "
     "(.815).")])
def test_a_baseline_above_every_network_is_named(network, said):
    shown = tables.beside_baselines(frame(random=0.815, beat=network, majority=0.5, rr_boosting=0.936)).data
    assert f"<li>25 %: {said}" in shown


def test_the_best_baseline_is_named_by_score_and_nothing_without_networks():
    one, other = frame(random=0.6, majority=0.7, rr_boosting=0.5), frame(random=0.6, majority=0.4, rr_boosting=0.5)
    both = pd.concat([one, other.assign(score="f_max")])  # rows of both scores have the same index
    shown = tables.beside_baselines(both, "score").data
    assert "macro AUC: Majority class (.700) lies above all 1" in shown
    assert "Fmax: RR intervals, boosted trees (.500) has 1 of 1" in shown
    for nothing in (frame(random=0.6), frame(majority=0.6), frame(random=np.nan, majority=np.nan)):
        assert tables.beside_baselines(nothing).data == "<p>PENDING</p>"


def test_every_page_with_baselines_says_where_they_stand():
    for name in ("weimann/table2", "weimann/table3", "weimann/table4", "weimann/table5", "jang/table2"):
        assert "tables.beside_baselines(" in (ROOT / "notebooks" / f"{name}.py").read_text(encoding="utf-8"), name


# --- intervals -----------------------------------------------------------------------------------------------------


def test_no_interval_of_a_score_leaves_its_range():
    wide = [{"macro_auc": value, "f_max": 1 - value, "macro_f1": value, "f1_per_class": {}}
            for value in (0.70, 0.99, 0.98)]
    store(shared.PTBXL, "random", "ptbxl", wide, target="subset")
    for score, limit in (("macro_auc", 1.0), ("f_max", 0.0)):
        cell = cells.cells(shared.PTBXL, "reduced", score)["random", "ptbxl"]
        assert limit in (cell.low, cell.high) and 0 <= cell.low < cell.mean < cell.high <= 1
        shown = shared.comparisons(shared.PTBXL, "reduced", (score,)).iloc[0]
        assert (shown["low"], shown["high"]) == (cell.low, cell.high)
    assert mean([0.70, 0.99, 0.98]).endswith("1.000]")
    wide = [{"learning_curve_index": value, "macro_f1": 0.5, "weighted_f1": 0.5} for value in (1.0, 9.0, 2.0)]
    store(jang_shared.PTBXL, "cae", 100, wide, target="substitute")
    assert cells.cells(jang_shared.PTBXL, "reduced", "learning_curve_index")["cae",
                                                                             100].high > 1, "an index has no upper end"


def test_a_page_says_that_intervals_leave_the_pretraining_out():
    store(shared.TABLE2, "random", 75, by_class(around(0.7)), upstream="none")
    assert cells.ONE_PRETRAINING not in shared.state(shared.TABLE2, "reduced").data
    store(shared.TABLE2, "beat", 75, by_class(around(0.7)))
    assert cells.ONE_PRETRAINING in shared.state(shared.TABLE2, "reduced").data


# --- one thing, one number -----------------------------------------------------------------------------------------


def test_what_has_no_loader_because_it_is_a_network_is_not_called_pending():
    shown, _ = book_tables.table("catalogue", book_tables.Page("data", ROOT / "book"))
    here = dict(zip(shown["Name"].map(lambda name: re.sub("<.*?>", "", name)), shown["Here"], strict=True))
    listed = data_commands._table(list(catalogue.entries().values()), dict.fromkeys(catalogue.entries(), "no"))
    assert "not yet" not in next(line for line in listed.splitlines() if line.startswith("bvlc_googlenet"))
    assert here["bvlc_googlenet"] == "network" and here["cinc2017"] == "loader, twin" and "not yet" not in here.values()


@pytest.mark.parametrize("paper", ["jang2021", "weimann2021", "melep2023"])
def test_the_tiers_of_every_paper_are_shown_numbers_and_words_alike(paper):
    shown, _ = book_tables.table("tiers", book_tables.Page("how-to-read", ROOT / "book", paper))
    rules = [protocol(paper).tiers[tier] for tier in ("demo", "reduced", "paper")]
    assert list(shown["Sampling rate"]) == [f"{one['sampling_rate']:g}" for one in rules]
    assert ("Variant" in shown) == (paper != "weimann2021") and set(shown.get("Variant", [])) <= {"text", "code"}


def test_readme_and_reproduce_give_the_papers_own_quarter():
    for name in ("README.md", "book/reproduce.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        assert "-p fraction 0.25" in text and f"-p fraction {1 / 3!r}" in text, name


# --- what a difference decides -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "high", "mark", "words"), [
    (0.01, 0.05, "▲", "lies above 0"), (-0.05, -0.01, "▼", "lies below 0"), (-0.01, 0.05, "≈", "includes 0")])
def test_a_difference_has_a_mark_with_words_for_those_who_do_not_see_it(low, high, mark, words):
    shown = difference(statistics.Difference((low + high) / 2, low, high, 0.5, 0.1))
    assert shown.endswith(f">{mark}</span>") and f'role="img" aria-label="the 95 % interval {words}"' in shown
    assert tables.html_text(pd.DataFrame({"a": ["x"], "Difference": [shown]}), "c").count(mark) == 1, "not escaped"


def test_the_gain_of_a_page_is_the_difference_that_the_claim_rests_on():
    for method in ("beat", "random"):
        store(shared.TABLE2, method, 75, by_class(around(0.60, 0.005)))
    gained = shared.gains(shared.comparisons(shared.TABLE2, "reduced"), "Share").set_index(("Pretraining", ""))
    lines = gained.loc["Beat classification", ("Share", "75 %")]
    found = claims.judge("weimann2021", "W1", "reduced")["comparisons"][0]
    assert (found.verdict.size, found.verdict.worthwhile) == ("smaller", False)
    assert lines.here == difference(found.found) and "≈" in lines.here
    assert lines.gap == difference(found.verdict.gap) and "▼" in lines.gap
    assert {(one.here, one.gap) for one in gained["Share", "25 %"]} == {(PENDING, "")}


def test_every_word_of_a_verdict_has_a_badge_that_says_what_it_means():
    for word in (*verdicts.SIGNS, *(f"size:{size}" for size in verdicts.SIZES if size != "not tested"),
                 "no worthwhile gain", "not stated"):
        shown = badges.badge(word)
        assert word.replace(":", ": ") in shown and len(re.search('title="(.*?)"', shown).group(1)) > 20
        css = (ROOT / "book" / "_static" / "ecgtl.css").read_text(encoding="utf-8")
        assert word in ("not tested",
                        "not stated") or f".ecgtl-{word.rpartition(':')[2].replace(' ', '-')}" in css, word
