"""Weimann's Table 2: shares of the data set, by class and by choice of the epoch."""

import numpy as np
import pytest
from pages import points, row_of, texts, titles
from scipy import stats
from stored_runs import run_of, store_values, write_value

from ecgtl.report.weimann import shared, table2


def test_scores_by_class_stand_beside_table_1_at_the_largest_share_alone():
    store_values(shared.TABLE2, "beat", 25, [0.6, 0.7, 0.8])
    rows = table2.class_rows(shared.TABLE2, "reduced").set_index(["method", "size", "score"])
    low, high = stats.t.interval(0.95, 2, loc=0.6, scale=0.1 / np.sqrt(3))
    quarter, most = (rows.loc[("beat", size, "f1_per_class.noise")] for size in (25, 75))
    assert quarter[["ours", "low", "high", "n"]].tolist() == pytest.approx([0.6, low, high, 3])
    assert most[["paper", "n"]].tolist() == [0.661, 0]
    assert rows["paper"].notna().sum() == 5 * 4 and rows.loc[("future", 75, "f1_per_class.af"), "paper"] == 0.753


def test_the_forbidden_choice_flatters_by_the_mean_of_the_pairs():
    for number, (value, best) in enumerate([(0.70, 0.71), (0.72, 0.75), (0.74, 0.76)]):
        write_value(run_of(shared.TABLE2, "future", 50, number), value, best)
    row = row_of(table2.choices(shared.TABLE2, "reduced"), Initialisation="Future prediction", Data_used="50 %")
    assert row["Best on validation"] == ".720 ± .020" and row["Last epoch"] == ".710 ± .020"
    assert row["Best on test − best on validation"] == "+.020" and row["n"] == 3


def test_class_panels_show_the_paper_on_the_right():
    store_values(shared.TABLE2, "beat", 25, [0.6, 0.7, 0.8])
    figure = table2.class_panels(table2.class_rows(shared.TABLE2, "reduced"))
    assert titles(figure) == ["Normal", "AF", "Other", "Noise"]
    # means; the caps of their bars come with them
    drawn = [line[0] for line in points(figure.axes[3]) if len(line) == 1]
    assert {0.613, 0.661, 0.66, 0.635, 0.627} <= {y for x, y in drawn if x > 2.5}
    limits = stats.t.interval(0.95, 2, loc=0.6, scale=0.1 / np.sqrt(3))
    assert {y for x, y in drawn if x < 0.5} == {0.6, *np.round(limits, 3)}
    assert not texts(figure)
