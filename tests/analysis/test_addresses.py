"""Ids of numbers: one for each, by a fixed grammar, and the runs behind them."""

import re

import pytest

from ecgtl import experiments, results
from ecgtl.analysis import addresses, cells
from ecgtl.config import TIERS
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, runners, sources

# As the site's buttons write them
WRITTEN = {
    "weimann2021.table2.beat.25": ("weimann2021-table2", "beat", 25),
    "weimann2021.table2.beat.25.f1_per_class.af": ("weimann2021-table2", "beat", 25, "f1_per_class.af"),
    "weimann2021.table1.future_c16_n8_o8.75": ("weimann2021-table1", "future_c16_n8_o8", 75),
    "weimann2021.table5-ptbxl.beat.ptbxl.f_max": ("weimann2021-table5-ptbxl", "beat", "ptbxl", "f_max"),
    "jang2021.table2-ptbxl.cae.100": ("jang2021-table2-ptbxl", "cae", 100, "weighted_f1"),
    "jang2021.table2-ptbxl.random_matched.25.learning_curve_index":
        ("jang2021-table2-ptbxl", "random_matched", 25, "learning_curve_index"),
    "across.rr_boosting.100.auc_per_class.MI": ("across", "rr_boosting", 100, "auc_per_class.MI"),
    "melep2023.ptbxl.cpsc2018.bilstm": ("melep2023-ptbxl", ("cpsc2018", "bilstm")),
    "melep2023.ptbxl.cpsc2018.resnet1d101.melep_published":
        ("melep2023-ptbxl", ("cpsc2018", "resnet1d101"), None, "melep_published"),
    "pretrain.beat-resnet18-reduced-width16-frame2048-seed0":
        ("pretrain", "beat-resnet18-reduced-width16-frame2048-seed0"),
    "pretrain.beat-seed0-reduced": ("weimann2021-seeds", "beat-seed0-reduced"),
    "pretrain.cpsc2018-bilstm-reduced": ("melep2023-sources", "cpsc2018-bilstm-reduced"),
}


@pytest.mark.parametrize("text", WRITTEN)
def test_an_id_is_written_and_found(text):
    experiment, row, *others = WRITTEN[text]
    assert addresses.of(experiment, row, *others) == text
    found = addresses.find(text)
    assert (found.id, found.row, found.column) == (text, row, others[0] if others else None)
    assert found.experiment == experiment and found.tier == "reduced" and 1 <= len(found.finished) <= len(found.planned)
    for run, body in found.finished:
        assert run.path.stem == body.key and found.score in addresses.scores_of(run, body)


def test_the_runs_of_a_cell_come_by_number_with_their_scores():
    found = addresses.find("weimann2021.table2.random.25")
    assert [run.number for run, _ in found.finished] == [0, 1, 2, 3, 4]
    cell = cells.cells("weimann2021-table2", "reduced")["random", 25]
    assert cell.values == tuple(addresses.scores_of(run, body)["macro_f1"] for run, body in found.finished)
    assert addresses.find("weimann2021.table2.random.25.macro_f1") == found  # one number, one id


@pytest.mark.parametrize("text, default", [("pretrain.cae-cae-reduced-width8-text-seed0", "mse_sum"),
                                           ("pretrain.beat-seed0-reduced", "accuracy"),
                                           ("pretrain.cpsc2018-bilstm-reduced", "weighted_f1"),
                                           ("melep2023.ptbxl.cpsc2018.bilstm", "weighted_f1_best_test")])
def test_without_a_score_it_is_the_reported_one(text, default):
    assert addresses.find(text).score == default


def test_a_later_protocol_has_no_ids_and_is_read_where_it_is_full(monkeypatch):
    assert addresses.of("weimann2021-table2-seeds", "beat", 25) == "weimann2021.table2.beat.25"
    with pytest.raises(EcgtlError, match="unknown id"):
        addresses.find("weimann2021.table2-seeds.beat.25")
    monkeypatch.setattr(cells, "current", lambda experiment, tier: f"{experiment}-seeds")
    found = addresses.find("weimann2021.table2.beat.25", "reduced")
    assert found.experiment == "weimann2021-table2-seeds" and found.id == "weimann2021.table2.beat.25"
    assert [run.config.init for run in found.planned] == [f"beat-seed{k}" for k in range(10)]


def test_every_place_has_an_id_of_its_own():
    runs = {(run.home, run.key) for name in (*pretrainings.names(), *sources.names()) for tier in TIERS
            for run in runners.enumerate_runs(name, tier)}
    runs |= {("pretrain", path.stem) for path in results.folder("reduced").glob("pretrain/*.json")}
    assert len({addresses.of(*run) for run in runs}) == len(runs)
    known = addresses._places()
    names = [name for name in experiments.names() if cells.original(name) == name]
    assert {addresses.of(name, *cell) for name in names for cell in experiments.load(name).cells} <= known.keys()
    assert all(addresses.of(place.experiment, place.method, place.size) == text for text, place in known.items())


@pytest.mark.parametrize("text, nearest", [
    ("weimann2021.table2.beet.25", "weimann2021.table2.beat.25"), ("melep2023.ptbxl.cpsc.bilstm",
                                                                   "melep2023.ptbxl.cpsc2018.bilstm"),
    ("weimann2021.table2.beat.25.f1_per_class.aff", "weimann2021.table2.beat.25.f1_per_class.af"),
    ("weimann2021.table2.beat.2", "weimann2021.table2.beat.25"),
    ("weimann2021-table2.beat.25", "weimann2021.table2.beat.25")])
def test_an_unknown_id_lists_the_nearest(text, nearest):
    with pytest.raises(EcgtlError, match=f"unknown id '{re.escape(text)}'; the nearest: ") as error:
        addresses.find(text)
    assert nearest in str(error.value).partition("nearest: ")[2].split(", ")


def test_what_has_not_been_run_is_planned():
    found = addresses.find("weimann2021.table4.beat.resnet50")
    assert (len(found.planned), found.finished, found.tier) == (3, (), "reduced")
