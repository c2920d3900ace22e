"""What of a paper has been run, item by item."""

import pytest
from releases import write_releases
from stored_runs import planned, store_values, write_value

from ecgtl import results
from ecgtl.analysis import coverage
from ecgtl.measurements import melep_datasets

pytestmark = pytest.mark.usefixtures("own_results")


def items(paper):
    return coverage.coverage().set_index(["paper", "item"]).loc[paper]


def test_an_item_of_two_experiments_is_counted_over_both():
    assert items("weimann2021").loc["T5", "state"] == "pending"
    for run in planned("weimann2021-table5-ptbxl"):
        write_value(run)
    store_values("weimann2021-table5-cpsc2018", "random", "cpsc2018", [0.9])
    found = items("weimann2021").loc["T5"]
    assert (found["state"], found["why"].split(";")[0]) == ("partial", "22 of 42 runs")
    assert found["evidence"] == "tier reduced, target subset, upstream none/substitute"


def test_coverage_follows_the_counts(tmp_path):
    names = {"T1": "table1", "F1": "figure1", "F2": "figure2"}
    assert items("melep2023").loc[[*names], "state"].tolist() == ["pending", "done", "done"]
    results.save(melep_datasets.measure(write_releases(tmp_path / "data")))
    found = items("melep2023")
    assert (found.loc["T1", "state"], found.loc["T1", "evidence"]) == ("partial", "target subset")
    assert found.loc[[*names], "page"].tolist() == [f"notebooks/melep/{name}" for name in names.values()]
