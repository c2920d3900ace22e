"""Sweeps: what is planned of the experiments' runs, what one job does, and the whole on this machine."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import yaml
from messages import one_line

from ecgtl import experiments, processes, results
from ecgtl.__main__ import main
from ecgtl.analysis import costs
from ecgtl.commands import sweep
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, queue, runners, transfers
from ecgtl.results import Result

NAME = "weimann2021-table2"
pytestmark = pytest.mark.usefixtures("own_results")


@pytest.fixture
def with_snakemake(monkeypatch):
    monkeypatch.setenv("PATH", f"{sweep.WORKFLOW.parent / 'build' / 'sweep-env' / 'bin'}:{os.environ['PATH']}")
    try:
        sweep.snakemake("local")
    except EcgtlError as error:
        pytest.skip(str(error))


def store(run, instructions="AVX512"):
    """A finished ``run``, without the work."""
    digest = experiments.load(run.experiment).data.digest
    return results.save(Result(run.home, run.key, dataclasses.asdict(run.config), {"target": "full"}, {"macro_f1": 0.5},
                               [], {"digest": digest}, {"test": np.arange(2)},
                               {"wall_seconds": 1.0, "instructions": instructions}))


def planned(*names, tier="demo", rows=(), columns=()):
    steps = sweep.plan(names, tier, rows, columns)
    found = {step.name: step for step in steps}
    assert len(found) == len(steps)
    return found


def cell(tier, row="random", column=25):
    return [run for run in runners.enumerate_runs(NAME, tier) if (run.method, run.size) == (row, column)]


# --- the plan -----------------------------------------------------------------------------------------------------


def test_every_missing_run_is_one_step_and_every_need_is_a_step():
    found = planned(*runners.names())
    every = {run.path: run for name in runners.names() for run in runners.enumerate_runs(name, "demo")}
    added = [name for name in found if name.startswith(("measure/", f"pretrain/{pretrainings.SINGLES}/"))]
    assert len(found) - len(added) == len(every) > 100
    kinds = {"pretrain", "source", "finetune", "probe", "transfer", "measure"}
    assert {name.partition("/")[0] for name in found} == kinds
    assert all(need in found for step in found.values() for need in step.needs)
    rules = (sweep.WORKFLOW / "Snakefile").read_text()
    assert all(f'"{kind}"' in rules for kind in kinds)


def test_a_run_waits_for_the_checkpoint_that_it_starts_from():
    found = planned(NAME, rows=("random", "beat"), columns=("25",))
    [pretraining] = [name for name in found if name.startswith("pretrain/")]
    beat, random = (f"finetune/{NAME}/cinc2017-demo-{row}-25-run0" for row in ("beat", "random"))
    assert {name: step.needs for name, step in found.items()} == {pretraining: (), beat: (pretraining,), random: ()}
    assert found[pretraining].words == (*found[beat].words, "--start")
    run = queue.start_of(cell("demo", "beat")[0], singles=True)
    assert run.weights.name == "beat-resnet18-demo.safetensors"
    assert pretraining == f"pretrain/{run.home}/{run.key}"


def test_folds_wait_for_sources_and_measurements_for_folds():
    found = planned("melep2023-sources", "melep2023-ptbxl")
    folds = [name for name in found if name.startswith("transfer/")]
    assert len(folds) == len(transfers.enumerate_runs("melep2023-ptbxl", "demo"))
    for run in transfers.enumerate_runs("melep2023-ptbxl", "demo"):
        source = f"source/melep2023-sources/{run.config.source}-{run.config.arch}-demo"
        assert source in found and source in found[f"transfer/{run.home}/{run.key}"].needs
    measured = {name: step.needs for name, step in found.items() if name.startswith("measure/")}
    assert measured == {f"measure/melep2023-ptbxl-{word}": tuple(folds) for word in ("rr-folds", "melep-random")}


def test_an_autoencoder_that_is_missing_is_measured_once_it_is_made(monkeypatch):
    monkeypatch.setattr("ecgtl.config.starts.SHIPPED", results.folder("demo"))
    found = planned("jang2021-table2", rows=("cae",))
    [made] = [name for name in found if name.startswith("pretrain/")]
    assert found["measure/cae"].needs == (made,)
    assert all(made in step.needs for name, step in found.items() if name.startswith("finetune/"))
    assert planned("jang2021-seeds")["measure/cae"].needs == ("pretrain/jang2021-seeds/cae-seed0-demo",)


def test_seeded_pretrainings_and_sources_of_other_experiments_are_added():
    found = planned("weimann2021-table2-seeds", rows=("beat",))
    for name, step in found.items():
        if name.startswith("finetune/"):
            assert step.needs[0].startswith("pretrain/weimann2021-seeds/beat-seed")
            assert found[step.needs[0]].words[-1] == "--start"


def test_what_is_done_is_no_step():
    before = planned(NAME, tier="reduced", rows=("random",))
    run = cell("reduced")[0]
    store(run)
    assert before.keys() - planned(NAME, tier="reduced", rows=("random",)).keys() == {f"finetune/{queue.address(run)}"}


def test_the_first_run_of_a_cell_comes_first_on_processors_but_not_on_gpus():
    first, *others = (f"finetune/{queue.address(run)}" for run in cell("reduced"))
    assert others and planned(NAME, tier="reduced", rows=("random",))[first].needs == ()
    assert all(planned(NAME, tier="reduced", rows=("random",))[name].needs == (first,) for name in others)
    store(cell("reduced")[0])
    assert all(planned(NAME, tier="reduced", rows=("random",))[name].needs == () for name in others)
    assert all(step.needs == () and step.gpu == 1 for step in planned(NAME, tier="paper", rows=("random",)).values())


def test_the_time_is_that_of_finished_runs_else_of_counted_operations_with_a_margin(monkeypatch):
    found = planned(NAME, tier="paper", rows=("random",))
    run = cell("paper", column=75)[0]
    seconds = costs.gpu_seconds(run)
    minutes = found[f"finetune/{queue.address(run)}"].minutes
    assert minutes == max(sweep.LEAST, round(sweep.MARGIN * seconds / 60))
    monkeypatch.setattr(queue.Estimate, "seconds", lambda self, run: 36000.0)
    assert planned(NAME, tier="paper", rows=("random",))[f"finetune/{queue.address(run)}"].minutes == 1800
    assert costs.gpu_seconds(transfers.enumerate_runs("melep2023-ptbxl", "paper")[0]) is None


# --- one job ------------------------------------------------------------------------------------------------------


def test_a_cell_is_not_mixed(monkeypatch):
    first, second, *_ = cell("reduced")
    store(first, instructions="AVX2")
    monkeypatch.setattr(queue, "_has", lambda processor: True)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")
    with pytest.raises(EcgtlError) as error:
        queue.make_one(NAME, "reduced", queue.address(second), start=False)
    one_line(error, second.key, "AVX2")
    assert not second.path.exists()


def test_one_job_makes_one_run_or_what_it_starts_from(monkeypatch):
    made = []
    monkeypatch.setattr(runners, "make", lambda run, command: made.append(run) or (run.path, "done"))
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")
    beat = cell("demo", "beat")[0]
    queue.make_one(NAME, "demo", queue.address(beat), start=True)
    assert [run.weights.name for run in made] == ["beat-resnet18-demo.safetensors"]
    with pytest.raises(EcgtlError) as error:
        queue.make_one(NAME, "demo", queue.address(beat), start=False)
    one_line(error, beat.key, "no checkpoint")
    with pytest.raises(EcgtlError, match="unknown run 'other'"):
        queue.make_one(NAME, "demo", "other", start=False)


def test_a_run_that_another_process_is_making_is_waited_for(monkeypatch):
    run, asked = cell("reduced")[0], []

    def elsewhere(run, command):
        asked.append(run)
        if len(asked) == 3:
            store(run)

    monkeypatch.setattr(runners, "make", elsewhere)
    monkeypatch.setattr(queue, "_has", lambda processor: True)
    monkeypatch.setattr(queue, "PAUSE", 0.0)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")
    said = []
    queue.make_one(NAME, "reduced", queue.address(run), False, said.append)
    assert len(asked) == 3 and said == []


# --- bad input ----------------------------------------------------------------------------------------------------


def refused(capsys, *words):
    capsys.readouterr()
    assert main(["sweep", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_a_half_copied_result_is_named_or_made_again(tmp_path, capsys, with_snakemake):
    run = cell("reduced")[0]
    path, whole = store(run), planned(NAME, tier="reduced", rows=("random",))
    npz = path.with_suffix(".npz")
    content = npz.read_bytes()
    npz.write_bytes(content[:-9])
    assert f"finetune/{queue.address(run)}" in planned(NAME, tier="reduced", rows=("random",))
    npz.write_bytes(content)
    text = path.read_text()
    path.write_text(text[:100])
    assert str(path) in refused(capsys, NAME, "--rows", "random", "--folder", str(tmp_path / "sweep"))
    path.write_text(text)
    assert planned(NAME, tier="reduced", rows=("random",)) == whole
    assert not (tmp_path / "sweep").exists()


def test_unknown_words_are_named(capsys, with_snakemake):
    assert "table9" in refused(capsys, "table9", "--tier", "demo")
    assert "'big'" in refused(capsys, NAME, "--tier", "big")
    assert "'26'" in refused(capsys, NAME, "--tier", "demo", "--columns", "26")
    assert "'bert'" in refused(capsys, NAME, "--tier", "demo", "--rows", "bert")
    assert "'pbs'" in refused(capsys, NAME, "--tier", "demo", "--profile", "pbs")


def test_what_is_not_installed_is_named(capsys, monkeypatch, tmp_path):
    (tmp_path / "snakemake").write_text("#!/bin/sh\n")
    (tmp_path / "snakemake").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "sbatch" in refused(capsys, NAME, "--tier", "demo", "--profile", "slurm")
    (tmp_path / "snakemake").unlink()
    assert "make sweep" in refused(capsys, NAME, "--tier", "demo")


def test_the_profiles_let_ecgtl_decide_what_is_to_do():
    for name in ("local", "slurm"):
        profile = yaml.safe_load((sweep.WORKFLOW / "profiles" / name / "config.yaml").read_text())
        assert profile["rerun-triggers"] == ["mtime"] and profile["keep-going"]


# --- the whole, on this machine -----------------------------------------------------------------------------------


def test_a_sweep_here_makes_what_run_makes_and_goes_on_after_a_failure(own_results, tmp_path, capsys, monkeypatch,
                                                                       with_snakemake):
    runs = [*cell("demo", "majority"), *cell("demo", "majority", 50)]
    monkeypatch.setenv("PYTHONPATH", str(sweep.WORKFLOW.parent))
    words = (NAME, "--tier", "demo", "--rows", "majority", "--columns", "25,50", "--folder", str(tmp_path / "sweep"))
    for run in runs:
        runners.make(run, "command")
    expected = [results.load(run.path) for run in runs]
    shutil.rmtree(own_results)
    (own_results / "demo").mkdir(parents=True)
    (own_results / "demo" / NAME).write_text("in the way")
    said = refused(capsys, *words)
    assert "2 of 2 steps" in said and NAME in said and "cannot be written" in said
    (own_results / "demo" / NAME).unlink()
    assert main(["sweep", *words]) == 0
    for run, alone in zip(runs, expected, strict=True):
        found = results.load(run.path)
        assert found.scores == alone.scores
        assert all(np.array_equal(found.arrays[name], array) for name, array in alone.arrays.items())
    plans = sorted((tmp_path / "sweep").glob("*/plan.json"))
    assert [len(json.loads(plan.read_text())) for plan in plans] == [2, 2]
    assert main(["sweep", *words]) == 0
    assert "0 steps" in capsys.readouterr().out


def test_ctrl_c_ends_the_jobs_too_and_the_same_command_goes_on(own_results, tmp_path, monkeypatch, with_snakemake):
    monkeypatch.setenv("PYTHONPATH", str(sweep.WORKFLOW.parent))
    words = [sys.executable, "-m", "ecgtl", "sweep", NAME, "--tier", "demo", "--rows", "random", "--columns", "25",
             "--folder", str(tmp_path / "sweep")]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True, start_new_session=True)
    until = time.monotonic() + 120
    while not [*own_results.rglob(".running/*")]:  # a run that is being made is reserved
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.1)
    jobs = processes.below(process.pid)
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60)[1].count("\n") == 1 and process.returncode == 130
    while any(Path(f"/proc/{pid}/cmdline").exists() for pid in jobs):
        assert time.monotonic() < until
        time.sleep(0.1)
    assert [*own_results.rglob("*.json")] == []
    assert subprocess.run(words, capture_output=True).returncode == 0
    assert len([*own_results.rglob("*.json")]) == 1
