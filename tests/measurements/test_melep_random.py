"""MELEP of random networks: the score of plain answers, heads like those of the sources, and what is stored."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ecgtl import models, results, transferability
from ecgtl.__main__ import main
from ecgtl.analysis import rescoring
from ecgtl.analysis.addresses import flat
from ecgtl.config import protocol
from ecgtl.experiments import transfers
from ecgtl.measurements import melep_random, rr_folds

pytestmark = pytest.mark.usefixtures("own_results")
NAME = "melep2023-ptbxl"
COMMITTED = Path(__file__).parents[2] / "results"
OUTPUTS = {"cpsc2018": (9, torch.sigmoid), "cinc2017": (4, lambda logits: logits.softmax(dim=1))}


@pytest.fixture(scope="module")
def measured(tmp_path_factory):
    """The twin of PTB-XL, tier demo, two seeds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_RESULTS", str(tmp_path_factory.mktemp("results")))
        patch.setattr(melep_random, "SEEDS", range(2))
        return melep_random.measure(NAME, "demo")


def test_every_planned_fold_has_the_twins_of_every_source(measured):
    planned = {run.config.fold for run in transfers.enumerate_runs(NAME, "demo")}
    names = {f"{source}-{arch}" for source in OUTPUTS for arch in ("resnet1d101", "bilstm")}
    assert set(map(int, measured.scores["folds"])) == planned
    for by_name in measured.scores["folds"].values():
        assert set(by_name) == names
        assert all(len(values) == 2 for scores in by_name.values() for values in scores.values())
    assert measured.evidence == {"upstream": "none", "target": "synthetic", "leads": "synthetic"}
    assert measured.provenance["command"] == f"{melep_random.PROGRAM} {NAME} --tier demo"


@pytest.mark.parametrize("arch", ["resnet1d101", "bilstm"])
@pytest.mark.parametrize("source", OUTPUTS)
def test_scores_are_those_of_the_answers_of_a_network_made_by_hand(measured, source, arch):
    prepared, target, tasks = rr_folds.drawn(NAME, "demo")
    rows, seed, (n, squash) = tasks[2].training, 1, OUTPUTS[source]
    config = next(run.config for run in transfers.enumerate_runs(NAME, "demo") if run.config.arch == arch)
    width = {"resnet1d101": prepared.plan.config.width, "bilstm": 4}[arch]
    made = {}
    for n_labels in (9, n):
        torch.manual_seed(seed)
        made[n_labels] = models.build(arch, 1, n_labels, width=width, **({"length": 1000} if arch == "bilstm" else {}))
    model = made[9]  # of the first source: the heads of a seed share its body
    model.output = made[n].output
    x = torch.from_numpy(prepared.inputs()[rows])
    for layer in model.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.momentum = 1.0  # the statistics of one batch, all there is
    with torch.no_grad():
        model.train()(x)
        p = squash(model.eval()(x)).numpy()
    table = target.labels(tasks[2], rows)
    assert len(rows) <= 128 and config.tier == "demo"
    for weighting in transferability.WEIGHTINGS:
        found = measured.scores["folds"]["2"][f"{source}-{arch}"][f"melep_{weighting}"][seed]
        assert found == pytest.approx(transferability.melep(p, table, weighting), rel=1e-5)


def test_no_melep_lies_above_that_of_constant_answers(measured):
    _, target, tasks = rr_folds.drawn(NAME, "demo")
    for number, by_name in measured.scores["folds"].items():
        fold = tasks[int(number)]
        table = target.labels(fold, fold.training)
        highest = transferability.melep(np.full((len(table), 3), 0.3), table)
        values = [value for scores in by_name.values() for value in scores["melep_published"]]
        assert max(values) <= highest * (1 + 1e-6) and min(values) > 0.9 * highest


def test_what_is_stored_is_read_by_checkpoint_and_fold_and_only_for_the_same_recordings(measured, monkeypatch):
    assert melep_random.load(NAME, "demo", "melep_published") == {} and melep_random.stored(NAME, "demo") is None
    results.save(measured)
    found = melep_random.load(NAME, "demo", "melep_normalised")
    stored = measured.scores["folds"]["3"]["cinc2017-bilstm"]["melep_normalised"]
    assert found["cinc2017", "bilstm"][3] == pytest.approx(stored, rel=1e-6)
    monkeypatch.setattr(transfers.Transfer, "same_data", lambda run, body: False)
    assert melep_random.load(NAME, "demo", "melep_normalised") == {}


@pytest.mark.parametrize(("arguments", "words"), [([], "the following arguments are required: experiment"),
                                                  (["melep2023-csn"], "has no folds in tier reduced")])
def test_a_users_mistake_is_one_line_and_ends_with_2(arguments, words, capsys):
    assert main(["measure", "melep-random", *arguments]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ecgtl: ") and said.count("\n") == 1 and words in said


def test_the_command_writes_what_it_measures(measured, monkeypatch, capsys):
    monkeypatch.setattr(melep_random, "measure", lambda experiment, tier: measured)
    assert main(["measure", "melep-random", NAME, "--tier", "demo"]) == 0
    path = results.path_of(results.MEASURED, melep_random.key_of(NAME, "demo"), "demo")
    assert capsys.readouterr().out == f"written: {path}\n" and melep_random.load(NAME, "demo", "melep_published")


def test_the_committed_scores_follow_from_the_losses_and_the_folds(monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(COMMITTED))
    stored = results.load(results.path_of(results.MEASURED, melep_random.key_of(NAME, "reduced"), "reduced"))
    assert stored.data["digest"] == protocol("melep2023").transfers.experiments[NAME]["data"]["reduced"]
    assert not stored.provenance["dirty"]
    again, before = rescoring.recomputed(stored), flat(stored.scores)
    assert set(again) == set(before), "every fold is that of a finished run"
    assert again == pytest.approx(before, rel=1e-6)
    assert {len(losses) for losses in stored.arrays.values()} == {5} == {len(melep_random.SEEDS)}
