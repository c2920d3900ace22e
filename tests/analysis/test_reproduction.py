"""``python -m ecgtl reproduce`` as users meet it: the run behind a number made again and compared."""

import json

import numpy as np
import pytest
from scipy import stats

from ecgtl import experiments, results
from ecgtl.__main__ import main
from ecgtl.analysis import addresses, reproduction
from ecgtl.config import starts
from ecgtl.experiments import pretrainings, runners, transfers
from ecgtl.jobs import finetune, transfer
from ecgtl.training import loop

CELL, KEY = "weimann2021.table2.random.25", "cinc2017-demo-random-25-run0"


@pytest.fixture(scope="module")
def demo(session_cache, tmp_path_factory):
    """A folder of results of tier demo: a cell's run, a fold and a pretraining, each made once."""
    folder = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        patch.setenv("ECGTL_RESULTS", str(folder))
        for run in (addresses.find(CELL, "demo").planned[0], transfers.enumerate_runs("melep2023-ptbxl", "demo")[0],
                    pretrainings.enumerate_runs("weimann2021-seeds", "demo")[0]):
            run.make("c")
    return folder


@pytest.fixture
def made(demo, tmp_path, monkeypatch):
    """A copy that a test may change."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    for file in demo.rglob("*.*"):
        (tmp_path / file.relative_to(demo)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file.relative_to(demo)).write_bytes(file.read_bytes())
    return tmp_path


def edit(folder, **changes):
    """Change the stored run of the cell: ``shift`` its macro F1, leave ``unrecorded`` facts of its provenance out."""
    path = folder / "demo" / "weimann2021-table2" / f"{KEY}.json"
    body = json.loads(path.read_text())
    body["scores"]["validated"]["macro_f1"] += changes.get("shift", 0)
    for name in changes.get("unrecorded", ()):
        del body["provenance"][name]
    path.write_text(json.dumps(body))


@pytest.mark.parametrize("text", [CELL, "melep2023.ptbxl.cpsc2018.resnet1d101", "pretrain.beat-seed0-demo"])
def test_the_same_run_is_equal_and_nothing_is_written(made, text, capsys, monkeypatch, session_cache):
    monkeypatch.setattr(loop, "STATE_SECONDS", 0.0)
    before, states = {path: path.read_bytes() for path in made.rglob("*.*")}, {*session_cache.glob("unfinished/*")}
    assert main(["reproduce", text, "--tier", "demo"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"{text}, tier demo") and "difference +0" in lines[1] and lines[-1] == "equal"
    assert {path: path.read_bytes() for path in made.rglob("*.*")} == before
    assert {*session_cache.glob("unfinished/*")} == states  # of another the next time would go on


@pytest.mark.parametrize("changes, code, outcome", [
    ({"shift": 0.01}, 1, "different"), ({"shift": 0.2, "unrecorded": ["instructions"]}, 1, "different"),
    ({"shift": 0.01, "unrecorded": ["instructions"]}, 0, "within the tolerance declared for another processor")])
def test_another_score_is_within_the_tolerance_of_another_processor_only(made, changes, code, outcome, capsys,
                                                                         monkeypatch):
    again = results.load(made / "demo" / "weimann2021-table2" / f"{KEY}.json")  # as it comes again
    monkeypatch.setattr(experiments.Run, "execute", lambda run, command: again)
    edit(made, **changes)
    assert main(["reproduce", CELL, "--tier", "demo"]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == outcome and f"difference {-changes['shift']:+.3g}" in lines[1] and "0.05" in lines[2]
    assert any("instructions not recorded there" in line for line in lines) == ("unrecorded" in changes)
    assert any("cannot be distinguished" in line for line in lines) == ("unrecorded" in changes)


def test_other_predictions_are_not_equal(made):
    path = made / "demo" / "weimann2021-table2" / f"{KEY}.json"
    stored = results.load(path)
    one_bit = stored.arrays["prob_last"].copy()
    one_bit.view(np.uint16)[0, 0] ^= 1
    other = results.Result(**{**vars(stored), "arrays": stored.arrays | {"prob_last": one_bit}})
    assert reproduction.equal(stored, stored) and not reproduction.equal(stored, other)
    assert not reproduction.equal(other, stored)


def nothing_is_trained(monkeypatch):
    for job in (finetune, transfer):
        monkeypatch.setattr(job, "run", lambda *given, **options: 1 / 0)


@pytest.mark.parametrize("text, says", [
    (CELL, "python -m ecgtl data fetch cinc2017"),
    ("weimann2021.table5-ptbxl.beat.ptbxl.f_max", "ptbxl"), ("pretrain.width8-reduced", "python -m ecgtl data fetch")])
def test_a_missing_data_set_says_how_to_get_it_before_anything_is_trained(text, says, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path / "none"))
    if text.startswith("weimann2021.table5"):  # whose checkpoint is not in the repository
        monkeypatch.setattr("ecgtl.experiments.Run.obstacle", lambda run: "")
    nothing_is_trained(monkeypatch)
    assert main(["reproduce", text]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert says in line


def test_a_missing_checkpoint_names_the_command_that_makes_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(starts, "SHIPPED", tmp_path)
    nothing_is_trained(monkeypatch)
    for text, command in {"melep2023.ptbxl.cpsc2018.bilstm": "python -m ecgtl run melep2023-sources --tier reduced",
                          "weimann2021.table2.beat.25": "papermill notebooks/pretrain.ipynb out.ipynb -p objective "
                                                        "beat"}.items():
        assert main(["reproduce", text]) == 2
        assert command in capsys.readouterr().err


WRONG = {"weimann2021.table2.beet.25": "unknown id 'weimann2021.table2.beet.25'; the nearest: weimann2021.table2.beat",
         "weimann2021.table2.beat.25 --run 4": "has no run 4 in tier reduced: 3 of 3 planned ones have ended",
         "weimann2021.table2.beat.25 --run 0": "has no run 0",
         "weimann2021.table4.beat.resnet50": "0 of 3 planned ones have ended; 'python -m ecgtl run weimann2021-table4 "
                                             "--tier reduced' makes the others",
         "weimann2021.table2.random.25.learning_curve_index": "has no learning_curve_index"}


@pytest.mark.parametrize("words", WRONG)
def test_a_wrong_word_is_one_line(words, capsys):
    assert main(["reproduce", *words.split()]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert WRONG[words] in line


def test_other_recordings_are_said_before_anything_is_trained(made, monkeypatch, capsys):
    monkeypatch.setattr(reproduction, "_digest", lambda run: "other")
    nothing_is_trained(monkeypatch)
    assert main(["reproduce", CELL, "--tier", "demo"]) == 2
    assert f"are not those of {KEY}" in capsys.readouterr().err


def test_the_tolerance_of_a_cell_is_that_of_two_draws():
    address = addresses.find("weimann2021.table2.beat.25")
    values = [[body.scores["macro_f1"] for run, body in addresses.find(f"weimann2021.table2.{row}.25").finished]
              for row in ("random", "beat", "rhythm", "heart_rate", "future")]
    degrees = sum(len(row) - 1 for row in values)
    squares = sum(((np.array(row) - np.mean(row)) ** 2).sum() for row in values)
    expected = stats.t.ppf(0.995, degrees) * np.sqrt(2 * squares / degrees)
    found, basis = reproduction.tolerance(address, *address.finished[0])
    assert found == pytest.approx(expected) and f"{degrees} degrees" in basis


@pytest.mark.parametrize("text, expected", [("weimann2021.table2.rr_boosting.25", 0.01),
                                            ("melep2023.ptbxl.cpsc2018.bilstm", 0.05),
                                            ("melep2023.ptbxl.cpsc2018.bilstm.nce", 0.01),
                                            ("pretrain.beat-seed0-reduced", 0.05)])
def test_what_no_other_run_tells_of_has_the_declared_tolerance(text, expected):
    address = addresses.find(text)
    assert reproduction.tolerance(address, *address.finished[0])[0] == expected


def test_of_an_error_it_is_a_share():
    address = addresses.find("pretrain.cae-cae-reduced-width8-text-seed0")
    found, _ = reproduction.tolerance(address, *address.finished[0])
    assert found == pytest.approx(0.05 * address.finished[0][1].scores["mse_sum"])


def test_of_differences_of_two_draws_as_many_are_within_as_declared():
    """The rule keeps its promise where runs scatter as it takes them to: 99 of 100 reruns count as reproduced."""
    rng = np.random.default_rng(0)
    within = []
    for _ in range(4000):
        cells = rng.normal(size=(5, 3))
        sd = np.sqrt(cells.var(axis=1, ddof=1).mean())
        within.append(abs(rng.normal() - rng.normal()) <= stats.t.ppf(0.995, 10) * sd * np.sqrt(2))
    assert 0.98 < np.mean(within) < 1 and runners.names()
