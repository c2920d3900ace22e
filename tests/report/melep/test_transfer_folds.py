"""MELEP's folds: which are shown, what they lack, and the pages made of them with and without any."""

import functools

import pytest
from melep_folds import fill, planned, write
from pages import row_of, run_page

from ecgtl.experiments import transfers
from ecgtl.report.melep import transfer_folds
from ecgtl.report.melep.transfer_folds import CSN, PTBXL, SELECTION

PAGES = ("table2", "figure3", "figure4", "figure5", "figure6", "number-of-labels")
page = functools.partial(run_page, "melep")


@pytest.fixture(scope="module", params=["some", "whole"])
def runs(request, tmp_path_factory):
    """A results folder with a part of the folds of tier reduced, and one with folds of the paper's tasks."""
    folder = tmp_path_factory.mktemp(request.param)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_RESULTS", str(folder))
        if request.param == "some":
            fill(PTBXL, "reduced", 9, [("cpsc2018", "resnet1d101"), ("cinc2017", "resnet1d101")])
            fill(PTBXL, "reduced", 6, [("cpsc2018", "bilstm")])
        else:
            for experiment, folds in ((CSN, 12), (PTBXL, 12), (SELECTION, 1)):
                fill(experiment, "paper", folds, n_names=10)
    return folder


def test_the_best_tier_with_folds_is_shown_and_else_the_one_to_wait_for():
    assert transfer_folds.load(PTBXL).tier == "reduced" and transfer_folds.load(CSN).tier == "paper"
    assert transfer_folds.load(CSN, "demo").planned == [] and transfer_folds.load(CSN, "demo").by_checkpoint
    for tier in ("demo", "reduced", "paper"):
        write(planned(PTBXL, tier, "cpsc2018", "bilstm")[0], 0.1, 0.5)
        assert transfer_folds.load(PTBXL).tier == tier
    assert transfer_folds.load(PTBXL, "reduced").tier == "reduced"
    assert not len(transfer_folds.load(PTBXL, arch="resnet1d101").rows)


def test_what_is_pending_names_the_reason_and_the_command(monkeypatch):
    monkeypatch.setattr(transfers.Transfer, "obstacle", lambda run: "no file" if run.config.source == "georgia" else "")
    for run in planned(PTBXL, "reduced", "cpsc2018", "bilstm"):
        write(run, 0.1, 0.5)
    found = transfer_folds.pending([transfer_folds.load(PTBXL)]).map(str)
    here = row_of(found, Command="python -m ecgtl run melep2023-ptbxl --tier reduced")
    assert (here["Why"], here["Folds missing"]) == ("not run yet", "100")
    assert here["Checkpoints"] == "ResNet1d101, CPSC 2018; ResNet1d101, CinC 2017; Bi-LSTM, CinC 2017"
    paper = row_of(found, Command="python -m ecgtl run melep2023-ptbxl --tier paper")
    assert (paper["Why"], paper["Folds missing"]) == ("no file (and likewise 1 more)", "200")
    assert paper["Checkpoints"] == "ResNet1d101, Georgia; Bi-LSTM, Georgia"


def test_a_state_counts_and_carries_badges():
    assert ">pending<" in transfer_folds.state(transfer_folds.load(PTBXL)).data
    fill(PTBXL, "reduced", 2, [("cpsc2018", "bilstm"), ("cinc2017", "bilstm")])
    said = transfer_folds.state(transfer_folds.load(PTBXL)).data
    assert ("4 of 120 folds; the rest by <code>python -m ecgtl run melep2023-ptbxl --tier reduced</code>" in said)
    assert "tier: reduced" in said and "upstream: subset/substitute" in said and "target: subset" in said


def test_how_it_was_made_names_the_checkpoints():
    assert "PENDING: python -m ecgtl run" in transfer_folds.made(transfer_folds.load(PTBXL))["Value"].iloc[0]
    fill(PTBXL, "reduced", 2, [("cpsc2018", "bilstm")])
    facts = transfer_folds.made(transfer_folds.load(PTBXL)).set_index("What")["Value"]
    assert (facts["Runs"], facts["Seeds"]) == ("2", "the number of the fold")
    assert facts["Checkpoints"].startswith("x.safetensors, 9 labels, ")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("tier", ["best", "demo"])
@pytest.mark.parametrize("name", PAGES)
def test_pages_work_without_any_fold(name, tier):
    said = page(name, tier)
    assert said.count("ecgtl-in-short") == 1
    assert "<table" in said and ">pending<" in said and "PENDING" in said and "python -m ecgtl run" in said


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", PAGES)
def test_pages_work_with_folds(name, runs, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(runs))
    said = page(name)
    whole = runs.name.startswith("whole")
    assert (f"tier: {'paper' if whole else 'reduced'}" in said) == (whole or name not in ("figure3", "figure4"))
    if not whole and name not in ("figure3", "figure4"):
        assert "of 120 folds; the rest by" in said
