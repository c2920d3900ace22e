"""``ecgtl run --dry-run``: what is missing and what it costs, and nothing is made."""

import os

import pytest
from stored_runs import planned, store_values

from ecgtl.__main__ import main

TABLE = "weimann2021-table2"


def dry_run(capsys, *words):
    assert main(["run", TABLE, "--dry-run", *words]) == 0
    return capsys.readouterr().out.splitlines()


def test_it_says_what_is_done_to_do_and_waiting_and_makes_nothing(own_results, capsys):
    store_values(TABLE, "random", 75, [0.7] * 2)
    before = sorted(own_results.rglob("*"))
    said = dry_run(capsys, "--tier", "reduced", "--cores", "3", "--nodes", "2", "8", "--rows", "random,rr_boosting")
    n = sum(run.method in ("random", "rr_boosting") for run in planned(TABLE))
    assert said[0] == f"{TABLE}, tier reduced: {n} runs, 2 done, {n - 2} to do, 0 waiting"
    assert "on 3 cores" in said[1] and "on 2 nodes of 8 cores" in said[1] and "GPU" in said[2]
    assert "held against 2 finished runs: median estimate / actual 1.00" in said[-1], "both took a second"
    assert sorted(own_results.rglob("*")) == before


def test_rows_and_shards_are_counted_alone_and_what_they_wait_for_is_named(own_results, capsys):
    said = dry_run(capsys, "--tier", "paper", "--rows", "random,beat")
    runs = [run for run in planned(TABLE, "paper") if run.method in ("random", "beat")]
    half = len(runs) // 2
    assert said[0].endswith(f"{2 * half} runs, 0 done, {half} to do, {half} waiting")
    assert said[1].startswith(f"  {half} wait: init=beat has no checkpoint")
    assert f"on {os.cpu_count()} cores" in said[2] and "on 4 nodes of 32 cores" in said[2], "the defaults"
    third = dry_run(capsys, "--tier", "paper", "--rows", "random,beat", "--shard", "1/3")
    assert f": {len(runs[::3])} runs, 0 done" in third[0]


@pytest.mark.parametrize(("words", "named"), [
    (["--dry-run", "--cores", "0"], "--cores is 0"), (["--dry-run", "--nodes", "4"], "--nodes"),
    (["--dry-run", "--nodes", "0", "8"], "--nodes [0, 8]"), (["--dry-run", "--nodes", "4", "-1"], "--nodes"),
    (["--cores", "2"], "--dry-run"), (["--nodes", "4", "32"], "--dry-run"),
    (["--dry-run", "--rows", "x"], "no row 'x'")])
def test_wrong_words_end_in_one_line(words, named, own_results, capsys):
    assert main(["run", TABLE, *words]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and named in said.err
