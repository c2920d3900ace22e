"""Several processes at one experiment: every run is made once, and what a dead process had reserved is made by
another."""

import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time

import pytest

from ecgtl import paths
from ecgtl.errors import EcgtlError
from ecgtl.experiments import reservations
from ecgtl.experiments.reservations import reserved

ROOT = paths.repository()
FORK = multiprocessing.get_context("fork")


def start(code: str, *words: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-c", code, *words], env=os.environ
                            | {"PYTHONPATH": str(ROOT)} | environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.fixture
def result(tmp_path):
    return tmp_path / "results" / "table" / "run1.json"


@pytest.fixture
def reservation(tmp_path):
    file = tmp_path / "results" / ".running" / "table-run1"
    file.parent.mkdir(parents=True)
    return file


def test_one_at_a_time_and_nothing_stays(tmp_path, result):
    with reserved(result) as ours:
        assert ours
        with reserved(result) as again:
            assert not again
        with reserved(result.with_stem("run2")) as other:
            assert other
        assert [file.name for file in (tmp_path / "results" / ".running").iterdir()] == ["table-run1"]
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("failure", [EcgtlError("x"), KeyboardInterrupt(), MemoryError()])
def test_it_is_given_back_after_a_failure(tmp_path, result, failure):
    with pytest.raises(type(failure)), reserved(result):
        raise failure
    with reserved(result) as ours:
        assert ours


def hold(result, held):
    with reserved(result) as ours:
        held.send(ours)
        time.sleep(100)


def test_the_reservation_of_a_killed_process_is_taken_over_at_once(result):
    here, there = FORK.Pipe()
    child = FORK.Process(target=hold, args=(result, there))
    child.start()
    assert here.poll(60) and here.recv() is True
    with reserved(result) as ours:
        assert not ours
    child.kill()
    child.join()
    with reserved(result) as ours:
        assert ours


def test_what_a_dead_process_has_left_is_taken_over(reservation, result):
    reservation.touch()
    with reserved(result) as ours:
        assert ours


def test_without_locks_runs_are_made(result, monkeypatch):
    def refuse(*_):
        raise OSError("no locks here")

    monkeypatch.setattr(reservations.fcntl, "flock", refuse)
    with reserved(result) as ours:
        assert ours


def race(result, log, go):
    go.wait(60)
    for k in range(20):
        with reserved(result.with_stem(f"run{k}")) as ours:
            if ours and not (log / f"{k} done").exists():
                (log / str(k)).open("x").close()  # fails where there are two
                time.sleep(0.01)
                (log / str(k)).rename(log / f"{k} done")


def test_of_many_that_take_over_at_once_one_has_it(tmp_path, result, reservation):
    for k in range(20):
        reservation.with_name(f"table-run{k}").touch()
    (tmp_path / "log").mkdir()
    go = FORK.Event()
    racers = [FORK.Process(target=race, args=(result, tmp_path / "log", go)) for _ in range(6)]
    for racer in racers:
        racer.start()
    go.set()
    for racer in racers:
        racer.join(60)
    assert [racer.exitcode for racer in racers] == [0] * 6
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == sorted(f"{k} done" for k in range(20))
    assert not reservation.parent.exists()


def test_threads_race_for_one_stale_reservation(result, reservation):
    for _ in range(30):
        reservation.parent.mkdir(parents=True, exist_ok=True)
        reservation.touch()
        barrier, inside, most = threading.Barrier(8), [], []

        def take(barrier=barrier, inside=inside, most=most):
            barrier.wait()
            with reserved(result) as ours:
                if ours:
                    inside.append(1)
                    most.append(len(inside))
                    time.sleep(0.002)
                    inside.pop()

        threads = [threading.Thread(target=take) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert most and max(most) == 1


def test_two_processes_make_every_run_of_an_experiment_once(tmp_path):
    code = ("import sys, time\nfrom ecgtl.jobs import finetune\nfrom ecgtl.__main__ import main\nbegin = finetune.run\n"
            "def run(config, *words, **options):\n    print('MADE', words[1], flush=True)\n    time.sleep(2)\n"
            "    return begin(config, *words, **options)\n"
            "finetune.run = run\n"
            "sys.exit(main(['run', 'weimann2021-table2', '--tier', 'demo', '--rows', 'majority', '--shard', "
            "sys.argv[1]]))")
    both = [start(code, shard, ECGTL_RESULTS=str(tmp_path)) for shard in ("1/1", "1/1")]
    said = [process.communicate(timeout=300) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    made = [line for out, _ in said for line in out.splitlines() if line.startswith("MADE")]
    stored = [json.loads(path.read_text())["key"] for path in tmp_path.rglob("*.json")]
    assert sorted(line.removeprefix("MADE ") for line in made) == sorted(stored) and len(stored) > 2
    assert not list(tmp_path.rglob(".running"))
