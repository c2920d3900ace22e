"""Which experiment a comparison is read from while the runs of a later protocol come in: never from both at once."""

import dataclasses

import pytest
from scipy import stats
from stored_runs import around, by_class, planned, store

from ecgtl import experiments
from ecgtl.analysis import cells, claims, coverage
from ecgtl.experiments import tables
from ecgtl.report import badges
from ecgtl.report.findings import OURS, finding, findings
from ecgtl.report.weimann import shared

OLD, NEW = "weimann2021-table2", "weimann2021-table2-later"


@pytest.fixture(autouse=True)
def _later(tmp_path, monkeypatch):
    """An experiment that replaces Table 2, with ten runs a cell, as ``replaces`` in experiments/weimann2021.yml has
    it."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    every = {name: one for name, one in tables._all().items() if one.replaces != OLD}
    runs = {"demo": 1, "reduced": 10, "paper": 10}
    every[NEW] = dataclasses.replace(every[OLD], name=NEW, replaces=OLD, common={"epochs": 24}, runs=runs,
                                     runs_random=runs)
    monkeypatch.setattr(tables, "_all", lambda: every)
    for known in (planned, experiments.enumerate_runs):
        known.cache_clear()
    yield
    for known in (planned, experiments.enumerate_runs):
        known.cache_clear()


def fill(experiment, method, size, mean, n):
    store(experiment, method, size, by_class((around(mean) * 4)[:n]),
          upstream="none" if method == "random" else "substitute")


def earlier():
    for method, mean in (("random", 0.60), ("beat", 0.70)):
        for size in (25, 50, 75):
            fill(OLD, method, size, mean, 3)


CELLS = [("beat", 25), ("random", 75)]


def test_an_experiment_knows_what_replaces_it_and_what_it_replaces():
    assert (cells.successor(OLD), cells.successor(NEW), cells.successor("weimann2021-table1")) == (NEW, None, None)
    assert (cells.original(NEW), cells.original(OLD)) == (OLD, OLD)
    for folds in ("melep2023-ptbxl", "melep2023-csn"):
        assert (cells.current(folds, "reduced"), cells.original(folds),
                cells.protocols_of([folds], "reduced")) == (folds, folds, [])


def test_a_comparison_is_read_from_the_later_protocol_when_all_of_its_cells_are_full():
    assert cells.current(OLD, "reduced", CELLS) == OLD, "nothing has run"
    earlier()
    fill(NEW, "beat", 25, 0.80, 10)
    fill(NEW, "random", 75, 0.60, 9)
    assert cells.current(OLD, "reduced", CELLS) == OLD, "one run short"
    fill(NEW, "random", 75, 0.60, 10)
    assert cells.current(OLD, "reduced", CELLS) == NEW
    assert cells.current(OLD, "reduced", [*CELLS, ("random", 25)]) == OLD, "another comparison, another answer"
    assert cells.current(OLD, "reduced") == OLD, "the table as a whole has empty cells"
    assert cells.current(NEW, "reduced", CELLS) == NEW
    assert cells.current("weimann2021-table1", "reduced", CELLS) == "weimann2021-table1"
    assert cells.current(OLD, "reduced", [("no such row", 25)]) == OLD


def test_a_claim_says_which_protocol_it_rests_on_and_never_mixes_them():
    earlier()
    for n in (9, 10):
        fill(NEW, "beat", 25, 0.50, n)
        fill(NEW, "random", 75, 0.60, 10)
        judged = claims.judge("weimann2021", "W3", "reduced")
        one = judged["comparisons"][0]
        assert {place.experiment for place in one.places} == {OLD if n == 9 else NEW}
        assert (one.runs, judged["ours"]) == (((3, 3), "yes") if n == 9 else ((10, 10), "opposite"))
        word = "Earlier" if n == 9 else "New"
        assert (f"{word} protocol: of the new one {10 + n} of 210 runs have ended, {n - 8} of 21 cells are "
                "full.") in judged["note"]
    assert "Earlier protocol" in claims.judge("weimann2021", "W8", "reduced")["note"], "its cells are not full"
    assert "protocol" not in claims.judge("weimann2021", "W6", "reduced")["note"]


def test_runs_that_had_been_seen_count_and_are_also_left_out():
    every = tables._all()
    every[NEW] = dataclasses.replace(every[NEW], common={}, shares=(OLD,), inits=("random", "beat"),
                                     rows={"beat": {"init": "rhythm"}})
    planned.cache_clear()
    experiments.enumerate_runs.cache_clear()
    own = {75: [0.60, 0.61, 0.59, 0.62, 0.60], 25: [0.50, 0.52, 0.51, 0.50, 0.49]}
    for size, values in own.items():  # of the largest the seen ones lie higher
        store(NEW, "random", size, by_class([0.70 if size == 75 else 0.50] * 5 + values), upstream="none")
    homes = [run.home for run in planned(NEW) if (run.method, run.size) == ("random", 75)]
    assert homes == [OLD] * 5 + [NEW] * 5
    judged = claims.judge("weimann2021", "size", "reduced")["comparisons"][0]
    fresh = stats.ttest_ind(own[75], own[25], equal_var=False).confidence_interval()
    assert judged.runs == (10, 10) and (judged.unseen.low, judged.unseen.high) == pytest.approx((fresh.low, fresh.high))
    assert judged.found.value > judged.unseen.value + 0.04
    said = finding("weimann2021", "size", "reduced").iloc[0][OURS]
    assert "without the runs seen before the analysis plan, over runs alone +.1" in said


def test_a_page_shows_run_counts_of_both_protocols_and_what_is_pending():
    earlier()
    fill(NEW, "beat", 25, 0.50, 10)
    fill(NEW, "beat", 50, 0.50, 4)
    said = shared.state(OLD, "reduced").data
    assert "Table 2: 18 of " in said
    assert "Earlier protocol: of the new one 14 of 210 runs have ended, 1 of 21 cells are full" in said
    assert "Beat classification (50 %, 75 %)" in said and "Majority class (25 %, 50 %, 75 %)" in said
    said = shared.state(NEW, "reduced").data
    assert "Table 2: 14 of 210 runs" in said and "New protocol: of the new one 14 of 210" in said


def test_coverage_counts_the_runs_of_the_protocol_that_is_shown():
    earlier()
    row = coverage.coverage().set_index(["paper", "item"]).loc[("weimann2021", "T2")]
    assert row["why"].startswith("18 of ")
    assert "Earlier protocol: of the new one 0 of 210 runs have ended, 0 of 21" in row["why"]
    assert "25 %" not in row["why"]


def test_a_full_table_is_shown_whole_with_its_claims():
    for run in experiments.enumerate_runs(NEW, "reduced"):
        if run.number == 0:
            fill(NEW, run.method, run.size, 0.7, 10)
    assert cells.current(OLD, "reduced") == NEW
    assert "21 of 21 cells are full." in badges.state(NEW, "reduced")
    assert len(findings("weimann2021", NEW, "reduced")) == len(findings("weimann2021", OLD, "reduced")) > 3
