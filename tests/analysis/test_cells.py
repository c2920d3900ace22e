"""Cells of the tables: the runs behind them."""

import pytest
from stored_runs import store_values

from ecgtl.analysis import cells

pytestmark = pytest.mark.usefixtures("own_results")


def test_a_run_of_two_tables_shows_in_both():
    store_values("weimann2021-table1", "beat_2048", 75, [0.7, 0.71, 0.72])
    for table, place in enumerate([("beat_2048", 75), ("beat", 75), ("beat", 250), ("beat", "resnet18")], start=1):
        assert cells.cells(f"weimann2021-table{table}", "reduced")[place].values == (0.7, 0.71, 0.72)
