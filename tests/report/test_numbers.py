"""A number is a button: what it opens lists the runs behind it and says how to make them again."""

import json
import re
from pathlib import Path

import pytest
from pages import seen
from stored_runs import around, by_class, planned, store, store_fold

from ecgtl import experiments, paths
from ecgtl.analysis import addresses
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import PENDING
from ecgtl.experiments import transfers
from ecgtl.report import tables
from ecgtl.report.numbers import Numbers

EXPERIMENT, ID = "weimann2021-table2", "weimann2021.table2.beat.25"
PAGE = paths.repository() / "notebooks" / "weimann"


def ids(text):
    return re.findall('data-id="(.*?)"', text)


def opened(text):
    """The rows of what the only number in ``text`` opens, each cell as it is seen, and the addresses it links to."""
    [popover] = re.findall("<div popover.*?</div>", text, re.DOTALL)
    rows = [re.findall("<td>(.*?)</td>", row) for row in re.findall("<tr>(<td>.*?)</tr>", popover)]
    return [[seen(cell) for cell in row] for row in rows], re.findall('<a href="(.*?)"', popover)


def test_the_address_is_the_cells_own():
    known = Numbers(EXPERIMENT, "reduced")
    assert ids(known.cell("beat", 25)) == [addresses.of(EXPERIMENT, "beat", 25)] == [ID]
    # A score that is not the table's first one is in the address; that one never is
    assert ids(known.mean("beat", 25, "f1_per_class.af")) == [f"{ID}.f1_per_class.af"]
    assert ids(known.mean("beat", 25, "macro_f1")) == [ID]


def test_every_committed_run_is_listed_once_with_a_link_to_its_file(monkeypatch):
    monkeypatch.chdir(PAGE)
    rows, links = opened(Numbers(EXPERIMENT, "reduced").cell("beat", 25))
    stored = [json.loads(run.path.read_text()) for run in experiments.enumerate_runs(EXPERIMENT, "reduced")
              if (run.method, run.size) == ("beat", 25) and run.state() == "done"]
    assert len(stored) >= 3 and [row[0] for row in rows] == [str(number) for number in range(1, len(stored) + 1)]
    for row, body in zip(rows, stored, strict=True):
        score, made = f"{body['scores']['validated']['macro_f1']:.3f}".removeprefix("0"), body["provenance"]
        commit = made["commit"][:7] + " (changed)" * made["dirty"]
        assert row[1:4] == [str(body["config"]["seed"]), score, commit]
    assert [json.loads((Path.cwd() / link).read_text())["key"] for link in links] == [body["key"] for body in stored]


def test_a_link_from_elsewhere_begins_at_the_repository(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, links = opened(Numbers(EXPERIMENT, "reduced").cell("beat", 25))
    assert links and all(link.startswith("results/") and (paths.repository() / link).is_file() for link in links)


def test_two_commands_name_the_number():
    text = Numbers(EXPERIMENT, "reduced").cell("beat", 25)
    commands = [ID, f"python -m ecgtl verify {ID}", f"python -m ecgtl reproduce {ID}"]
    assert re.findall("<code>(.*?)</code>", text) == commands


def test_what_is_opened_says_the_mean_and_the_difference_to_print(own_results):
    store(EXPERIMENT, "beat", 25, by_class([0.70, 0.72, 0.74]))
    gap = Interval(-0.019, -0.05, 0.012)
    said = seen(re.search("<br>(.*?)</p>", Numbers(EXPERIMENT, "reduced").cell("beat", 25, gap=gap))[1])
    assert said == ("macro F1 .720 [.670, .770], mean [95 % interval] of 3 runs; epoch: best on validation; "
                    "here − paper −.019 [−.050, +.012]")


@pytest.mark.parametrize("experiment, method, size, score, said", [
    (EXPERIMENT, "random", 25, None, True), (EXPERIMENT, "rr_boosting", 25, None, False),
    ("jang2021-table2-ptbxl", "image", 25, None, True), ("jang2021-table2-ptbxl", "majority", 25, None, False),
    ("jang2021-table2-ptbxl", "cae", 25, "learning_curve_index", False), ("probe-ptbxl", "beat", 100, None, False)])
def test_an_epoch_is_named_where_one_was_chosen(experiment, method, size, score, said):
    assert ("; epoch: best on" in Numbers(experiment, "reduced").mean(method, size, score)) == said


def test_every_popover_of_a_page_has_a_name_of_its_own():
    shown = [tables.html_text(tables.grid_of(
        [("Beat", f"{size} %", tables.Lines(here=Numbers(EXPERIMENT, "reduced").cell("beat", size)))
         for size in (25, 50, 75)], "Initialisation"), "twice") for _ in range(2)]
    text = "".join(shown)
    popovers = re.findall('<div popover id="(.*?)"', text)
    assert len(popovers) == len(set(popovers)) == len(ids(text)) == 6
    assert re.findall('class="ecgtl-number" data-id=".*?" popovertarget="(.*?)"', text) == popovers


def test_without_runs_there_is_no_button(own_results):
    assert Numbers(EXPERIMENT, "reduced").cell("beat", 25) == PENDING
    assert "data-id" not in Numbers("melep2023-ptbxl", "reduced").correlation(
        "cpsc2018", "bilstm", "melep_published", Interval())


@pytest.mark.parametrize("tier", ["demo", "reduced"])
def test_results_that_are_not_committed_are_not_linked(tier, own_results, monkeypatch):
    target = "synthetic" if tier == "demo" else "full"
    store(EXPERIMENT, "beat", 25, by_class(around(0.7)), target=target, tier=tier)
    outside, none = opened(Numbers(EXPERIMENT, tier).cell("beat", 25))
    monkeypatch.setattr(paths, "repository", lambda: own_results.parent)
    monkeypatch.chdir(own_results.parent)
    inside, links = opened(Numbers(EXPERIMENT, tier).cell("beat", 25))
    files = [run.path.name for run in planned(EXPERIMENT, tier) if (run.method, run.size) == ("beat", 25)][:len(inside)]
    assert not none and [row[-1] for row in outside] == files
    assert [row[-1] for row in inside] == (files if tier == "demo" else ["JSON"] * 3)
    assert [Path(link).is_file() for link in links] == ([] if tier == "demo" else [True] * 3)


def test_a_correlation_opens_its_folds(own_results):
    runs = [run for run in transfers.enumerate_runs("melep2023-ptbxl", "reduced")
            if (run.config.source, run.config.arch) == ("cpsc2018", "bilstm")][:4]
    for run, melep, score in zip(runs, (0.1, 0.2, 0.3, 0.45), (0.9, 0.7, 0.8, 0.55), strict=True):
        store_fold(run, melep, score)
    text = Numbers("melep2023-ptbxl", "reduced").correlation(
        "cpsc2018", "bilstm", "melep_published", Interval(-0.9, -0.99, -0.1, 4, 2))
    assert ids(text) == [addresses.of("melep2023-ptbxl", ("cpsc2018", "bilstm"), None, "melep_published")]
    assert seen(text) == "−.900 [−.990, −.100] n 4"
    rows, _ = opened(text)
    assert [(row[0], *row[2:4]) for row in rows] == list(zip(
        "1234", (".900", ".700", ".800", ".550"),
        ("0.1000", "0.2000", "0.3000", "0.4500"), strict=True))


def test_a_baseline_of_one_run_is_a_mean_without_an_interval(own_results):
    store(EXPERIMENT, "majority", 25, by_class([0.2]))
    text = Numbers(EXPERIMENT, "reduced").cell("majority", 25)
    assert seen(text).split() == [".200", "n", "1"] and "of 1 run;" in text


def test_runs_are_numbered_as_reproduce_takes_them():
    """Also where folds count from 0: the seed of a fold's run is the fold."""
    place = ("cpsc2018", "resnet1d101")
    text = Numbers("melep2023-ptbxl", "reduced").correlation(*place, "melep_published", Interval(0.1, 0.0, 0.2, 40, 8))
    shown = re.findall(r"<tr><td>(\d+)</td><td>(\d+)</td>", text)
    runs = addresses.find("melep2023.ptbxl.cpsc2018.resnet1d101.melep_published").finished
    assert shown == [(str(k), str(run.config.fold)) for k, (run, _) in enumerate(runs, 1)] and len(shown) > 20
