"""The pages of the papers run whatever has been run, and say PENDING of the rest."""

import pytest
from pages import run_page
from stored_runs import planned, write_trial, write_value

from ecgtl.analysis import cells, names
from ecgtl.report.jang import shared as jang
from ecgtl.report.jang import table2
from ecgtl.report.weimann import shared as weimann

pytestmark = pytest.mark.usefixtures("own_results")
WEIMANN = (*(f"table{number}" for number in range(1, 6)), "figure1", "figure2", "figure3")


@pytest.fixture(scope="module")
def some(tmp_path_factory):
    """A results folder of Weimann 2021 where some cells are full, some of one run, some empty."""
    wanted = {"random": 3, "beat": 3, "rhythm": 1, "heart_rate": 0, "future": 3, "majority": 1, "rr_boosting": 3}
    folder = tmp_path_factory.mktemp("mixed")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_RESULTS", str(folder))
        for run in (run for experiment in weimann.NAMES for run in planned(experiment)):
            task = next(task for task in wanted if run.method.startswith(task))
            if run.number < wanted[task] and not run.path.exists():
                write_value(run, {"random": 0.70, "beat": 0.74}.get(task, 0.72) + 0.01 * run.number)
    return folder


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", WEIMANN)
def test_pages_work_without_any_run(name):
    said = run_page("weimann", name)
    assert said.count("ecgtl-in-short") == 1
    assert "<table" in said and (names.PENDING in said) == (name != "figure2")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", WEIMANN)
def test_pages_work_with_some_runs(name, some, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(some))
    said = run_page("weimann", name)
    if name.startswith("table"):
        assert "<code>python -m ecgtl run" in said and names.PENDING in said
    if name != "figure2":
        assert "tier: reduced" in said


@pytest.mark.parametrize("name", ["table1", "table4", "table5"])
def test_pages_work_in_a_tier_that_has_no_runs(name):
    assert names.PENDING in run_page("weimann", name, "demo")


@pytest.mark.parametrize("n", [0, 1, 3])
@pytest.mark.parametrize("name", ["table2", "table3", "figure3", "figure5"])
def test_pages_work_with_any_number_of_trials(name, n):
    for run in planned(jang.PTBXL):
        if run.number < n:
            write_trial(run, (0.1, 0.5 + 0.01 * run.number, 0.3, 0.4))
    box, said = run_page("jang", name).split("</div>", 1)  # In short stands first
    assert "ecgtl-in-short" in box and "ecgtl-in-short" not in said and "<table" in said
    assert (names.PENDING in box) == (n < 3 or name == "figure5")  # which is of CinC 2017 too
    # CinC 2017 and the sensitivity have no run; Figure 3 draws none
    assert (names.PENDING in said) == (name != "figure3")
    if name == "table2":
        assert f"{len(cells.runs(jang.PTBXL, 'reduced'))} of 80 runs" in said and table2.SENSITIVITY in said
