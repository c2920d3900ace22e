"""Jang's Table 3: the learning curve index and its spread."""

import numpy as np
import pytest
from pages import plain
from stored_runs import store_trials

from ecgtl import metrics
from ecgtl.analysis.names import f1
from ecgtl.report.jang import shared, table3

pytestmark = pytest.mark.usefixtures("own_results")


def test_printed_standard_deviations_divide_by_n_in_table_3_and_mostly_by_n_minus_1_in_table_2():
    assert set(table3.printed_spreads("table3")["Fits the print"]) == {"n"}
    found = plain(table3.printed_spreads("table2")).set_index("Cell")["Fits the print"]
    assert set(found.index[found == "n − 1"]) == {"50 % autoencoder", "25 % random", "25 % image"}
    assert set(found.index[found == "n"]) == {"100 % image"} and (found == "n and n − 1").sum() == 5
    assert "3 fit n − 1" in table3.spreads("table2").data and "6 fit n" in table3.spreads("table3").data


def test_every_index_is_in_the_rows_and_drawn_in_its_panel():
    store_trials("cae", 25, [0.5, 0.6, 0.7])
    rows = table3.index_rows({name: shared.trials(name, "reduced") for name in shared.NAMES})
    assert rows["source"].value_counts().to_dict() == {"paper": 60, shared.PTBXL: 3}
    expected = [metrics.learning_curve_index((0.1, best, 0.3, 0.4)) for best in (0.5, 0.6, 0.7)]
    assert rows.loc[rows["source"] == shared.PTBXL, shared.INDEX].tolist() == pytest.approx(expected)
    figure = table3.index_dots(rows)
    _, ours = figure.axes
    assert any(np.allclose(line.get_ydata(), expected) for line in ours.get_lines() if len(line.get_ydata()) == 3)
    assert table3.waiting(rows) == ["Here, CinC 2017"] and f1(np.mean(expected)) in table3.index_said(rows)
