"""Labels of MELEP's data sets: the paper's, with counts of the releases and of what is available here."""

import numpy as np
import pytest
from releases import RBBB

from ecgtl import published
from ecgtl.analysis import names
from ecgtl.datasets import snomed
from ecgtl.measurements import melep_datasets
from ecgtl.report.melep import label_shares, table1


def test_labels_are_the_papers_with_counts_of_release_and_at_hand(counted):
    nine = label_shares.labels("cpsc2018", counted).set_index("label")
    assert len(nine) == published.lookup("melep2023.scalars.cpsc2018_labels.value")
    assert nine.loc["RBBB", ["released", "ours", "ours_n"]].tolist() == [1857, 2, 3]
    assert nine.loc["PVC", "ours"] == 2  # by either code
    five = label_shares.labels("ptbxl", counted).set_index("label")
    assert five["ours"].to_dict() == {"NORM": 1, "MI": 2, "STTC": 0, "CD": 0, "HYP": 1}
    assert five["released"].isna().all()
    both = label_shares.labels("csn", counted).set_index("label")
    assert both.loc["SB", "released"] == 3889 + 12670 and both["ours"].isna().all()


def test_limits_of_a_share_are_wilsons():
    n, k, z = 1369, 369, 1.959964
    p = k / n
    middle, half = p + z**2 / (2 * n), z * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    low, high = (100 * (middle + sign * half) / (1 + z**2 / n) for sign in (-1, 1))
    assert label_shares._share(k, n, limits=True) == f"369 (27.0{names.NBSP}%) [{low:.1f}, {high:.1f}]"
    assert label_shares._share(np.nan, n) == table1.NOT_AVAILABLE


def test_the_figure_draws_every_label_and_no_dot_that_is_not_known(counted):
    panels = label_shares.shares_figure(counted).axes
    drawn = {name: {line.get_marker(): line.get_xdata() for line in axes.get_lines() if len(line.get_xdata())}
             for name, axes in zip(melep_datasets.HEADERS, panels, strict=True)}
    assert np.asarray(drawn["cpsc2018"]["D"])[4] == pytest.approx(100 * 1857 / 6877)
    assert np.asarray(drawn["cpsc2018"]["o"])[4] == pytest.approx(100 * 2 / 3)
    assert "o" not in drawn["csn"] and not np.isfinite(drawn["ptbxl"]["D"].astype(float)).any()
    assert [len(axes.get_yticks()) for axes in panels] == [9, 5, 10, 20]
    said = label_shares.shares_said(counted)
    assert "PTB-XL: nothing to compare" in said and "CPSC 2018: of 9 labels" in said


def test_the_map_holds_every_code_with_its_counts(counted):
    table = label_shares.label_map(counted).set_index("code")
    assert set(table.index) == set(snomed.tables()["codes"])
    found = table.loc[RBBB, ["label_cpsc2018", "released_georgia", "at_hand_cpsc2018"]]
    assert found.tolist() == ["RBBB", 542, 2]
    assert table["at_hand_csn"].isna().all() and (table["label_csn"] != "").sum() == 20
    summary = label_shares.map_summary().set_index("Source")
    assert summary["Codes that occur"].tolist() == [9, 67, 54, 80, 94]
    assert summary.index[-1] == "CSN: both"
    assert summary.loc["CSN: both", "in 1,000 recordings or more"] == 20


def test_what_is_said_of_the_choices_follows_the_official_counts():
    said, hospitals = label_shares.choices_verdict().data, label_shares.hospitals().data
    assert all(words in said for words in ("more than 853", "1,063 recordings", "5 that", "(570)", "none of these"))
    assert "Ningbo counts 0 " in hospitals and " 7,615 " in hospitals
