"""What of a paper has been run, item by item."""

import numpy as np
import pytest
from releases import write_releases
from stored_runs import planned, store_fold, store_values, write_run, write_value

from ecgtl import experiments, results
from ecgtl.analysis import coverage
from ecgtl.analysis.names import checkpoint_name
from ecgtl.config import BASELINES
from ecgtl.experiments import transfers
from ecgtl.measurements import melep_datasets
from ecgtl.results import Result

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


def test_coverage_counts_24_items_and_works_out_the_state(random_row):
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
def test_a_table_is_done_on_the_papers_own_data_alone(random_row, upstream, state):
    for run in experiments.enumerate_runs("weimann2021-table2", "reduced"):
        write_run(run, 0.7, upstream="none" if run.method in ("random", *BASELINES) else upstream)
    found = coverage.coverage().set_index(["paper", "item"]).loc[("weimann2021", "T2")]
    assert found["state"] == state
    assert f"upstream {upstream}/none" in found["evidence"].replace("none/substitute", "substitute/none")


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


def test_an_item_of_one_measurement_is_as_good_as_its_evidence(random_row):
    def state(evidence):
        results.save(Result("measured", "jang2021-table1-shaoxing", {"tier": "reduced"}, evidence, {}, [], {},
                            {"none": np.zeros(0)}, {}))
        return coverage.coverage().set_index(["paper", "item"]).loc[("jang2021", "T1")]

    full = {"upstream": "none", "target": "full", "leads": "none"}
    assert (state(full)["state"], state(full)["evidence"]) == ("done", "target full")
    assert state(full | {"target": "subset"})["state"] == "partial"
