"""The queue: its order, what a machine may make of it, its time, and its estimates."""

import dataclasses
import itertools
import re
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
import yaml

from ecgtl import experiments, results
from ecgtl.__main__ import main
from ecgtl.config import EXPERIMENTS, TIERS, starts
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, queue, runners
from ecgtl.experiments.reservations import reserved
from ecgtl.jobs import finetune
from ecgtl.results import Result

TABLE = "weimann2021-table2-seeds"


@pytest.fixture(autouse=True)
def folders(tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)


@pytest.fixture
def made(monkeypatch):
    """Keys of the runs that are made, in order, without the work; weights are empty files that nobody opens."""
    keys = []

    def tune(config, experiment, key, **options):
        keys.append(key)
        return result(experiment, key, config)

    def start(init, arch, tier):
        if init != "random" and starts.stored_weights(init, arch, tier) is None:
            raise EcgtlError(f"no checkpoint for {init}")

    monkeypatch.setattr(finetune, "run", tune)
    monkeypatch.setattr(starts, "starting_weights", start)
    monkeypatch.setattr(pretrainings.Pretraining, "make", lambda run, command: keys.append(run.key) or store(run))
    monkeypatch.setattr(pretrainings.Pretraining, "state", lambda run: "done" if run.path.is_file() else "missing")
    return keys


def result(experiment, key, config, seconds=60.0, **provenance):
    return Result(experiment, key, dataclasses.asdict(config), {"upstream": "none", "target": "synthetic",
                                                                "leads": "full"},
                  {"macro_f1": 0.5, "weighted_f1": 0.5}, [], {"digest": "0"}, {"test": np.arange(2)},
                  {"wall_seconds": seconds} | provenance)


def store(run, seconds=60.0, **provenance):
    """A finished run, with its weights where they are kept."""
    if getattr(run, "seeded", False):
        run.weights.parent.mkdir(parents=True, exist_ok=True)
        run.weights.touch()
    return results.save(result(getattr(run, "home", run.experiment), run.key, run.config, seconds,
                               **provenance)), f"{run.key} is made"


def entries(rows=("random", "beat"), columns=(25,), processor="any", tier="demo"):
    return [queue.Entry("item 2", processor, run) for run in experiments.enumerate_runs(TABLE, tier)
            if run.method in rows and run.size in columns]


@pytest.fixture
def small(monkeypatch, made):
    """The queue of four runs: random and beat, two of each."""
    monkeypatch.setattr(queue, "order", lambda tier: entries())
    return entries()


def run_queue(minutes=None):
    queue.work_off("demo", minutes, 1)


# --- the order ----------------------------------------------------------------------------------------------------


def test_the_file_names_what_there_is():
    for tier, asked in yaml.safe_load((EXPERIMENTS / "queue.yml").read_text()).items():
        assert tier in TIERS and asked.keys() == {"processor", "order"}
        for part in asked["order"]:
            assert part.keys() <= {"item", "experiment", "rows", "columns", "runs", "processor"}
            assert part["experiment"] in (*runners.names(), "all")
            if {"rows", "columns"} & part.keys():
                entry = experiments.load(part["experiment"])
                assert set(part.get("rows", ())) <= set(entry.methods)
                assert set(part.get("columns", ())) <= set(entry.columns)


def test_items_of_the_plan_come_in_its_order_and_each_run_once():
    found = queue.order("reduced")
    assert [item for item, _ in itertools.groupby(entry.item for entry in found)] == [
        "item 1", "item 3", "item 4", "item 2", "item 5", "item 6"]
    assert len({entry.run.path for entry in found}) == len(found)
    third = [entry.run for entry in found if entry.item == "item 3"]
    assert len(third) == 40 and {run.method for run in third} == {"subjects8", "subjects32", "subjects_all",
                                                                  "subjects64"}
    second = [entry.run for entry in found if entry.item == "item 2"]
    assert {(run.method, run.size) for run in second} == {(row, size) for row in ("random", "beat", "future")
                                                          for size in (25, 75)}
    assert len(second) == 60 and [run.number for run in second] == sorted(run.number
                                                                          for run in second), "cells fill evenly"
    later = {(entry.run.method, entry.run.size) for entry in found if entry.item == "item 5"}
    assert {("heart_rate", 25), ("rhythm", 75), ("beat", 50)} <= later
    assert found == list(dict.fromkeys(found))
    assert {entry.item: entry.processor for entry in found} == dict.fromkeys(
        ("item 2", "item 4", "item 5", "item 6"), "avx512_bf16") | {"item 1": "any", "item 3": "amx"}


@pytest.mark.parametrize("tier", ["demo", "paper"])
def test_other_tiers_come_as_a_whole(tier):
    every = {run.path for name in runners.names() for run in runners.enumerate_runs(name, tier)}
    assert {entry.run.path for entry in queue.order(tier)} == every


def test_a_gpu_takes_weimanns_random_beat_and_future_at_75_percent_first():
    first = [entry.run for entry in queue.order("paper")[:6]]
    assert {(run.method, run.size, run.number) for run in first} == {(row, 75, k)
                                                                     for row in ("random", "beat", "future")
                                                                     for k in (0, 1)}


# --- making -------------------------------------------------------------------------------------------------------


def test_what_a_run_starts_from_is_made_before_it(small, made, capsys):
    run_queue()
    keys = [entry.run.key for entry in small]
    assert made == [key for run in keys for key in ([f"beat-seed{run[-1]}-demo", run] if "beat" in run else [run])]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "queue, tier demo: 0 of 4 runs are done"
    assert "item 2: 4 left and 2 that they start from" in said[1]
    assert said[-1] == "queue, tier demo: 4 of 4 runs are done"
    made.clear()
    run_queue()
    assert made == [], "it resumes, and there is nothing left"


def test_lost_weights_are_made_again_only_for_runs_that_need_them(small, made):
    run_queue()
    for k in (0, 1):
        starts.weights_path(f"beat-seed{k}", "resnet18", "demo").unlink()
    made.clear()
    next(entry.run.path for entry in small if entry.run.method == "beat" and entry.run.number == 1).unlink()
    run_queue()
    assert made[0] == "beat-seed1-demo" and len(made) == 2


def test_what_another_process_makes_is_left_to_it_and_what_stands_on_it_waits(small, made, monkeypatch):
    start = next(entry for entry in small if entry.run.method == "beat").start
    slept = []

    def other_process_ends(seconds, real=time.sleep):
        if seconds != queue.PAUSE:  # a thread of another test
            real(seconds)
            return
        slept.append(seconds)
        held.__exit__(None, None, None)
        store(start)

    monkeypatch.setattr(time, "sleep", other_process_ends)
    held = reserved(start.path)
    assert held.__enter__()
    run_queue()
    assert start.key not in made
    assert slept == [queue.PAUSE]
    assert len(made) == 5
    assert made[-1].endswith("beat-seed0-25-run0")


@pytest.mark.parametrize(("error", "said"), [(EcgtlError("the training loss is not finite"), "the training loss is"),
                                            (RuntimeError("CUDA out of memory. Tried"), "the memory does not suffice")])
def test_a_run_that_fails_is_said_and_the_others_are_made(small, made, monkeypatch, capsys, error, said):
    def tune(config, experiment, key, real=finetune.run, **options):
        if "random" in key:
            raise error
        return real(config, experiment, key)

    monkeypatch.setattr(finetune, "run", tune)
    run_queue()
    assert len(made) == 4 and capsys.readouterr().out.count(f"failed: {said}") == 2


def test_a_run_that_fails_keeps_none_of_its_name_from_being_made(made, monkeypatch):
    alike = [run for name in ("weimann2021-table2", "jang2021-table2-cinc2017")
             for run in experiments.enumerate_runs(name, "demo") if run.key == "cinc2017-demo-majority-50-run0"]
    monkeypatch.setattr(queue, "order", lambda tier: [queue.Entry("", "any", run) for run in alike])

    def tune(config, experiment, key, real=finetune.run, **options):
        if experiment == alike[0].home:
            raise EcgtlError("no")
        return real(config, experiment, key)

    monkeypatch.setattr(finetune, "run", tune)
    run_queue()
    assert len(alike) == 2 and not alike[0].path.exists() and alike[1].path.is_file()


# --- who may make what --------------------------------------------------------------------------------------------


def test_a_processor_without_the_instructions_makes_nothing(made, monkeypatch, capsys):
    asked = entries(processor="avx512_bf16") + entries(columns=(50,), processor="cuda")
    monkeypatch.setattr(queue, "order", lambda tier: asked)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run_queue()
    said = capsys.readouterr().out
    assert made == [] and "not made here: that takes a GPU; that takes a processor with avx512_bf16" in said
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    run_queue()
    assert sum("-25-" in key for key in made) == 4 and not [key for key in made if "-50-" in key]


def test_a_processor_with_more_instructions_is_held_to_those_of_the_cell(small, monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    assert results.instructions() == "AMX"
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")  # so that the test's end takes it away again
    run_queue(0)
    assert results.instructions() == "AVX512_CORE_BF16"


def test_runs_made_with_amx_come_first_and_with_what_they_start_from(made, monkeypatch, capsys):
    """The others are held to fewer instructions, which no process can be afterwards: they wait for the next time."""
    asked = entries(columns=(50,), processor="avx512_bf16") + entries(processor="amx")
    monkeypatch.setattr(queue, "order", lambda tier: asked)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "")  # so that the test's end takes it away again
    monkeypatch.setattr(queue, "_usual", lambda tier: "avx512_bf16")
    run_queue(0)
    assert "not made here: that takes a processor with amx" in capsys.readouterr().out
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: True)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA")
    run_queue()
    assert sum("-25-" in key for key in made) == 4 and "beat-seed0-demo" in made and "-50-" not in " ".join(made)
    assert "not made here: that comes after the runs with AMX" in capsys.readouterr().out
    assert results.instructions() == "AMX"
    run_queue()
    assert sum("-50-" in key for key in made) == 4 and results.instructions() == "AVX512_CORE_BF16"


def test_a_cell_keeps_to_one_set_of_instructions(small, made, capsys):
    """Earlier runs do not say theirs, which hinders nothing."""
    store(small[0].run, instructions="AMX")  # run 0 of random
    store(next(entry.run for entry in small if entry.run.method == "beat"))
    run_queue()
    assert [key for key in made if "random" in key] == [] and any("beat-seed1-25-run1" in key for key in made)
    assert "not made here: other runs of the cell were made with AMX" in capsys.readouterr().out


def test_lost_weights_are_made_again_only_as_they_were(small, made, monkeypatch, capsys):
    """Their result would be another one, and what started from them stale."""
    start = next(entry.start for entry in small if entry.start)
    store(start, instructions="AMX")
    start.weights.unlink()
    run_queue()
    assert start.key not in made and [key for key in made if "random" in key]
    assert "made with AMX" in capsys.readouterr().out
    monkeypatch.setattr(queue, "_usual", lambda tier: "cuda")  # of weights that the order does not name
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    start.path.unlink()
    made.clear()
    run_queue()
    assert made == [] and "that takes a GPU" in capsys.readouterr().out


# --- time ---------------------------------------------------------------------------------------------------------


def test_no_run_is_begun_that_should_not_end_in_time(small, made):
    for run in experiments.enumerate_runs(TABLE, "demo"):
        if run.method == "random" and run.size == 75:
            store(run, seconds=3600.0)  # a third of the data, so 1,200 s each
    run_queue(minutes=15)
    assert made == [], "nor what it would start from"
    run_queue(minutes=25)
    assert sum("random-25" in key for key in made) == 2


def test_minutes_0_says_what_is_left_and_makes_nothing(small, made, capsys):
    run_queue(minutes=0)
    assert made == [] and len(capsys.readouterr().out.splitlines()) == 2


def test_a_run_that_takes_longer_is_stopped_and_leaves_nothing(small, monkeypatch, capsys):
    def endless(config, *words, **options):
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(finetune, "run", endless)
    began = time.monotonic()
    run_queue(minutes=0.5 / 60)
    assert time.monotonic() - began < 20 and "the time is up" in capsys.readouterr().out
    assert not [path for path in results.folder("demo").rglob("*") if path.is_file()], "its reservation is given back"


# --- estimates ----------------------------------------------------------------------------------------------------


def test_an_estimate_is_the_median_pace_of_alike_runs_times_the_work(made):
    runs = {(run.size, run.number): run for run in experiments.enumerate_runs(TABLE, "demo") if run.method == "random"}
    assert queue.Estimate("demo").seconds(runs[75, 0]) is None
    # 90, 120 and 150 s for all of the data
    for run, seconds in ((runs[75, 0], 90.0), (runs[75, 1], 120.0), (runs[25, 0], 50.0)):
        store(run, seconds)
    estimate = queue.Estimate("demo")
    assert estimate.seconds(runs[75, 1]) == pytest.approx(120) and estimate.seconds(runs[50, 0]) == pytest.approx(80)
    # Each from the other two: 135 for 90, 120 for 120, 105 / 3 for 50
    assert estimate.n == 3 and estimate.error == pytest.approx(np.median([45 / 90, 0, 15 / 50]))
    majority = next(run for run in experiments.enumerate_runs(TABLE, "demo") if run.method == "majority")
    assert estimate.seconds(majority) is None, "no network tells how long it takes"


def test_what_is_left_says_how_long_and_how_good_the_estimate_is(small, capsys):
    for entry in small:
        if entry.run.method == "random":
            store(entry.run, 100.0 * (1 + entry.run.number))
    run_queue(minutes=0)
    said = capsys.readouterr().out
    assert "queue, tier demo: 2 of 4 runs are done" in said
    assert "item 2: 2 left and 2 that they start from, about 5.0 min on one core, unknown for 2 of them" in said
    # 200 for 100, 100 for 200
    assert "estimated from 2 finished runs; the median error of such an estimate is 75 %" in said


# --- the command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [["--minutes", "-1"], ["--minutes", "nan"], ["--processes", "0"], ["--tier", "fast"],
                                   ["--minutes", "soon"]])
def test_wrong_words_end_in_one_line(words, capsys):
    assert main(["queue", *words]) == 2
    assert re.fullmatch(r"ecgtl: .*(minutes|processes|tier).*\n", capsys.readouterr().err)


def test_the_command_takes_minutes_and_tier(small, made, capsys):
    assert main(["queue", "--tier", "demo", "--minutes", "0"]) == 0
    assert capsys.readouterr().out.startswith("queue, tier demo: 0 of 4 runs are done")


def test_two_processes_share_the_work_and_end_in_time(tmp_path):
    began = time.monotonic()
    words = [sys.executable, "-m", "ecgtl", "queue", "--tier", "demo", "--minutes", "0.4", "--processes", "2"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=300)
    assert ended.returncode == 0, ended.stderr
    assert time.monotonic() - began < 200 and ended.stderr.count("the time is up") == 2
    said = re.findall(r"^(\S+-run\d+): ", ended.stderr, re.MULTILINE)
    stored = [path.stem for path in tmp_path.glob("results/demo/*/*.json")]
    assert len(set(said)) == len(said) and set(said) <= set(stored) and len(stored) <= len(said) + 2
    assert not list(tmp_path.rglob(".running"))
