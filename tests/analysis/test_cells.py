"""Cells of the tables: the runs behind them."""

import numpy as np
import pytest
from pages import cell
from stored_runs import store_values, write_run

from ecgtl import experiments, published
from ecgtl.analysis import cells, names
from ecgtl.errors import EcgtlError
from ecgtl.report.tables import Lines
from ecgtl.report.weimann import shared

pytestmark = pytest.mark.usefixtures("own_results")
EXPERIMENT = "weimann2021-table2"


def test_a_run_of_two_tables_shows_in_both():
    store_values("weimann2021-table1", "beat_2048", 75, [0.7, 0.71, 0.72])
    for table, place in enumerate([("beat_2048", 75), ("beat", 75), ("beat", 250), ("beat", "resnet18")], start=1):
        assert cells.cells(f"weimann2021-table{table}", "reduced")[place].values == (0.7, 0.71, 0.72)


def test_cell_is_mean_and_sd_of_the_runs(random_row):
    found = cells.cells(EXPERIMENT, "reduced")["random", 75]
    values = [0.72, 0.725, 0.73, 0.735, 0.74]
    assert (found.mean, found.sd, found.n) == pytest.approx((np.mean(values), np.std(values, ddof=1), 5))
    assert found.low < found.mean < found.high


def test_cell_without_runs_is_none_and_shown_as_pending(random_row):
    assert ("random", 50) not in cells.cells(EXPERIMENT, "reduced")
    shown = shared.compared(shared.comparisons(EXPERIMENT, "reduced"), "Share")
    assert cell(shown, names.METHODS["beat"], "Share", "25 %") == Lines(".739 ± .014", "PENDING")


def test_difference_is_ours_minus_the_paper(random_row):
    table = cells.comparison(shared.TABLE2, "reduced").set_index(["method", "size"])
    printed = published.lookup("weimann2021.table2.rows.random.75.mean")
    assert table.loc[("random", 75), "difference"] == pytest.approx(0.73 - printed)
    assert np.isnan(table.loc[("rr_boosting", 75), "paper"])


def test_a_baseline_has_one_score_however_the_epoch_is_chosen(monkeypatch):
    monkeypatch.delenv("ECGTL_RESULTS")  # of runs that report the best epoch on the test set
    runs, which = cells.runs(name := "jang2021-table2-ptbxl", "reduced"), ("majority", 100)
    first, second = ([value for *_, value in cells.scored(runs, name, which, None, choice)]
                     for choice in ("best_test", "validated"))
    assert len(first) == 5 and first == second


def test_stale_results_are_left_out(random_row):
    run = experiments.enumerate_runs(EXPERIMENT, "reduced")[0]
    assert run.method == "majority"
    write_run(run, 0.9, digest="0" * 64)
    assert run.state() == "stale"
    assert ("majority", 25) not in cells.cells(EXPERIMENT, "reduced")


def test_no_results_is_said_with_the_remedy(own_results):
    with pytest.raises(EcgtlError, match="run 'python -m ecgtl run"):
        cells.shown_tier(EXPERIMENT)
