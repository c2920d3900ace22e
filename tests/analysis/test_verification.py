"""``python -m ecgtl verify``: what somebody changed in results is named, and nothing else."""

import hashlib
import io
import json
import shutil
from functools import partial

import numpy as np
import pytest

from ecgtl import paths
from ecgtl.__main__ import main
from ecgtl.analysis import verification

COMMITTED = paths.repository() / "results"
SOME = ["weimann2021-table2/cinc2017-reduced-beat-75-run?", "weimann2021-table2/cinc2017-reduced-random-75-run?",
        "weimann2021-table5-ptbxl/ptbxl-reduced-beat-ptbxl-run0",
        "melep2023-ptbxl/cpsc2018-bilstm-ptbxl-reduced-fold000", "pretrain/cae-*", "pretrain/beat-resnet18-*",
        "measured/*", "melep2023-sources/cpsc2018-bilstm-reduced"]
CLASSES, FOLD = "weimann2021-table2/cinc2017-reduced-beat-75-run1", SOME[3]
LABELS = SOME[2]


@pytest.fixture
def some(tmp_path, monkeypatch):
    """Some committed results of every kind."""
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    for pattern in SOME:
        for file in (file for suffix in ("json", "npz") for file in COMMITTED.glob(f"{pattern}.{suffix}")):
            if "random" in file.name and file.parent.name == "measured":
                continue  # it is computed from folds, and so names one that was tampered with a second time
            (tmp_path / file.parent.name).mkdir(exist_ok=True)
            shutil.copy(file, tmp_path / file.parent.name)
    return tmp_path


def verified(capsys, code):
    assert main(["verify"]) == code
    *lines, summary = capsys.readouterr().out.splitlines()
    return [line for line in lines if not line.startswith("not computed again")], summary


def edit(path, change):
    body = json.loads(path.read_text())
    change(body)
    path.write_text(json.dumps(body))


def tamper(path, name, adapt):
    """Turn the predictions ``name`` around, and ``adapt`` the checksum in the JSON."""
    with np.load(path.with_suffix(".npz")) as stored:
        arrays = dict(stored)
    arrays[name] = arrays[name][::-1]
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    path.with_suffix(".npz").write_bytes(buffer.getvalue())
    if adapt:
        edit(path, lambda body: body["predictions"].update(sha256=hashlib.sha256(buffer.getvalue()).hexdigest()))


def test_what_is_whole_verifies(some, capsys):
    lines, summary = verified(capsys, 0)
    assert lines == [] and summary.startswith("verified 17 results, ") and summary.endswith("nothing differs")


CHANGED = [
    (CLASSES, "f1_per_class.af", None), (CLASSES, "validated.macro_f1", "weimann2021.table2.beat.75 "),
    (CLASSES, "validated.f1_per_class.af", "weimann2021.table2.beat.75.f1_per_class.af "),
    (CLASSES, "last.accuracy", None),
    (CLASSES, "learning_curve_index", "weimann2021.table2.beat.75.learning_curve_index "),
    (CLASSES, "best_test.epoch", None), (LABELS, "validated.f_max", "weimann2021.table5-ptbxl.beat.ptbxl.f_max "),
    (LABELS, "validated.g_beta", "weimann2021.table5-ptbxl.beat.ptbxl.g_beta "),
    (LABELS, "validated.per_class_thresholds.f_beta", None),
    (FOLD, "best_test.weighted_f1", "melep2023.ptbxl.cpsc2018.bilstm "),
    (FOLD, "measures.melep_published", "melep2023.ptbxl.cpsc2018.bilstm.melep_published "),
    ("pretrain/beat-resnet18-reduced-width16-frame2048-seed0", "validation.accuracy",
     "pretrain.beat-resnet18-reduced-width16-frame2048-seed0.validation.accuracy "),
    ("measured/jang2021-figure4-cae-cae-reduced-seed0", "mse_sum", None),
    ("measured/melep2023-ptbxl-rr-reduced", "folds.0.weighted_f1", None)]


def test_changed_scores_are_named_with_their_files_and_addresses(some, capsys):
    def change(above, last, body):
        part = body["scores"]
        for name in above:
            part = part[name]
        part[last] += 1 if last == "epoch" else 0.01

    for file, score, _ in CHANGED:
        *above, last = score.split(".")
        edit(some / f"{file}.json", partial(change, above, last))
    lines, summary = verified(capsys, 1)
    of_files = [line.removeprefix(f"{some}/").rpartition(": ")[0] for line in lines if ".json: " in line]
    assert sorted(of_files) == sorted(f"{file}.json: scores.{score}" for file, score, _ in CHANGED)
    assert all(address is None or any(line.startswith(address) for line in lines) for _, _, address in CHANGED)
    assert summary.endswith(f"{len(lines)} differs")


def test_a_score_that_was_taken_out_is_missed(some, capsys):
    edit(some / f"{CLASSES}.json", lambda body: body["scores"]["last"].pop("macro_f1"))
    lines, _ = verified(capsys, 1)
    assert len(lines) == 1 and f"{CLASSES}.json: scores.last.macro_f1: missing by stored scores" in lines[0]


@pytest.mark.parametrize("file, array", [(CLASSES, "prob_validated"), (FOLD, "prob_best_test"), (FOLD, "pair_losses")])
@pytest.mark.parametrize("adapt", [False, True])
def test_predictions_that_were_tampered_with_are_named(some, capsys, file, array, adapt):
    tamper(some / f"{file}.json", array, adapt)
    lines, summary = verified(capsys, 1)
    assert lines and file.partition("/")[2] in lines[0] and "verified 17 results" in summary
    if adapt:  # the scores that no longer follow
        assert any(f"{file}.json: scores." in line for line in lines)
    else:
        named = f"{file.partition('/')[2]}.npz is not the file that"
        # The trees on RR intervals are scored with the labels that stand there
        assert len(lines) == (2 if file == FOLD else 1) and all(named in line for line in lines)


DAMAGES = {"json": lambda path: path.write_text("{"), "cut": lambda path: path.with_suffix(".npz").write_bytes(b"PK"),
           "gone": lambda path: path.with_suffix(".npz").unlink(),
           "array": lambda path: edit(path, lambda body: body["data"].update(classes=["a"])),
           "epochs": lambda path: edit(path, lambda body: body.update(history=[])),
           "null": lambda path: edit(path, lambda body: body.update(config=None))}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_named_and_the_rest_is_verified(some, capsys, damage):
    DAMAGES[damage](some / f"{CLASSES}.json")
    edit(some / f"{FOLD}.json", lambda body: body["scores"]["best_test"].update(weighted_f1=0.0))
    lines, _ = verified(capsys, 1)
    assert any(CLASSES.partition("/")[2] in line for line in lines)
    assert any(f"{FOLD}.json: scores.best_test.weighted_f1: 0 by stored scores" in line for line in lines)


def test_a_verdict_that_does_not_follow_is_named(some, capsys):
    for number in range(3):  # as if beat pretraining had gained a lot with all of the data
        edit(some / f"weimann2021-table2/cinc2017-reduced-beat-75-run{number}.json",
             lambda body: body["scores"]["validated"].update(macro_f1=body["scores"]["validated"]["macro_f1"] + 0.2))
    lines, _ = verified(capsys, 1)
    assert any(line.startswith("claim weimann2021 ") and " by stored scores, " in line for line in lines)


def test_all_that_is_committed_verifies():
    found = verification.verify()
    assert found.differences == []
    assert found.counts["results"] == len(list(COMMITTED.glob("*/*.json"))) and found.counts["verdicts"] > 30
    assert found.counts["scores"] > 3 * sum(found.beyond.values())


def test_one_number_is_computed_again_run_by_run(some, capsys):
    address = "weimann2021.table2.beat.75"
    assert main(["verify", address]) == 0
    stored = [json.loads(path.read_text())["scores"]["validated"]["macro_f1"]
              for path in sorted((some / "weimann2021-table2").glob("cinc2017-reduced-beat-75-*.json"))]
    *lines, _ = capsys.readouterr().out.splitlines()
    assert [float(line.split(": ")[1].split(",")[0]) for line in lines] == stored and len(stored) == 3
    tamper(some / f"{CLASSES}.json", "prob_validated", adapt=True)
    assert main(["verify", address]) == 1
    assert any(CLASSES in line and "scores.validated.macro_f1" in line for line in capsys.readouterr().out.splitlines())
    assert main(["verify", "weimann2021.table2.bet.75"]) == 2
    assert "weimann2021.table2.beat.75" in capsys.readouterr().err
