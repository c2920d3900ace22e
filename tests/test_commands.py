"""``python -m ecgtl`` as users meet it: an exit code, an output, and one line when something is wrong."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from ecgtl import paths, results
from ecgtl.__main__ import main

EXPERIMENT = "weimann2021-table2"
STOPPED = "ecgtl: stopped; finished results and files are kept, the same command goes on from there\n"


def start(*words: str, **environment: str) -> subprocess.Popen:
    return subprocess.Popen([sys.executable, "-m", "ecgtl", *words], cwd=paths.repository(),
                            env=os.environ | environment,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


WRONG = {
    "": "arguments are required: command",
    "trane": "choose from 'data', 'run', .*'status'",
    "data lst": "choose from 'list', 'fetch', 'check'",
    "data list cinc2018": "unknown dataset 'cinc2018'; allowed: cinc2017, mitdb",
    "run": "arguments are required: experiment",
    "run jang2021-sensitivity --rows width4": "--rows is for tables of fine-tuning runs; jang2021-sensitivity is run "
                                              "whole",
    "run weimann2021-table2 --rows cae": "weimann2021-table2 has no row 'cae'; allowed, with commas between: majority, "
                                         "rr_boosting",
    "features": "arguments are required: folder",
    "features . --checkpoint bert": "unknown checkpoint 'bert'; allowed: cae, or the path of a .safetensors file",
    "features none/such": "none/such is not a folder; give the folder that holds your WFDB records",
    "run weimann2021-table9": "unknown experiment 'weimann2021-table9'; allowed: .*weimann2021-table2",
    f"run {EXPERIMENT} --tier huge": "argument --tier: invalid choice: 'huge' .choose from",
    f"run {EXPERIMENT} --shard 3/2": "shard is '3/2'; write k/n with 1 <= k <= n",
    f"run {EXPERIMENT} --shard 0/2": "shard is '0/2'",
    f"run {EXPERIMENT} --shard half": "shard is 'half'",
    f"run {EXPERIMENT} --seed 1": "unrecognized arguments: --seed 1",
}


@pytest.mark.parametrize(("words", "says"), WRONG.items(), ids=WRONG)
def test_a_wrong_word_gets_one_line_and_exit_code_2(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    code, (out, err) = main(words.split()), capsys.readouterr()
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert line.startswith("ecgtl: ") and re.search(says, line)
    assert not (tmp_path / "results").exists()


def test_the_process_ends_with_that_line_and_that_code():
    """What ``main`` says and returns is what the process does; the other tests call ``main``."""
    process = start("trane")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (2, "")
    [line] = err.splitlines()
    assert re.search(WRONG["trane"], line)


def test_data_that_are_not_at_hand_get_one_line_that_says_how_to_get_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path / "none"))
    assert main(["run", EXPERIMENT]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert str(tmp_path / "none") in line and "python -m ecgtl data fetch cinc2017" in line
    assert not (tmp_path / "results").exists()


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    out, err = capsys.readouterr()
    assert (ended.value.code, err) == (0, "")
    assert {"data", "run", "status"} <= set(out.split())


def test_data_list_asks_no_server_and_sees_what_is_at_hand(tmp_path, monkeypatch, capsys):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("ECGTL_DATA", str(tmp_path / "data"))
    record = tmp_path / "data" / "mitdb" / "1.0.0" / "100.dat"
    record.parent.mkdir(parents=True)
    record.write_bytes(b"")
    assert main(["data", "list", "--json"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    listed = {entry["name"]: entry for entry in json.loads(out)}
    assert {"cinc2017", "mitdb", "ptbxl", "shaoxing"} <= set(listed)
    assert all(entry["licence"] and entry["citation"] and entry["version"] for entry in listed.values())
    assert listed["cinc2017"]["at_hand"]["state"] == "no"
    assert (listed["mitdb"]["at_hand"]["state"], listed["mitdb"]["at_hand"]["found"]) == ("partial", 1)


def test_status_counts_the_runs_of_every_tier(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path))
    assert main(["status"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    rows = [line.split() for line in out.splitlines() if line.split()[:1] == [EXPERIMENT]]
    assert [row[:3] for row in rows] == [[EXPERIMENT, tier, "0"] for tier in ("demo", "reduced", "paper")]


def start_demo(*words: str, **environment: str) -> subprocess.Popen:
    return start("run", EXPERIMENT, "--tier", "demo", *words, **environment)


def interrupt(process: subprocess.Popen) -> str:
    """Send Ctrl-C as a terminal does, to every process of the group; returns what they said on stderr."""
    os.killpg(process.pid, signal.SIGINT)
    return process.communicate(timeout=120)[1]


def test_ctrl_c_while_a_network_trains_leaves_whole_results_only(tmp_path):
    process = start_demo("--shard", "1/2", ECGTL_RESULTS=str(tmp_path))  # the majority class, then a network
    for line in process.stdout:
        if line.startswith("[1/"):
            break
    time.sleep(1.0)
    assert interrupt(process) == STOPPED
    assert process.returncode == 130
    stored = sorted(tmp_path.rglob("*.json"))
    assert stored and all(results.load(path).scores["macro_f1"] > 0 for path in stored)
    assert list(tmp_path.rglob(".part-*")) == []


def test_ctrl_c_while_the_cache_is_filled_leaves_no_piece_of_it(tmp_path):
    """Beats are detected by several processes; all of them get the signal."""
    cache = tmp_path / "cache"
    process = start_demo(ECGTL_RESULTS=str(tmp_path / "results"), ECGTL_CACHE=str(cache))
    while not list(cache.glob(".part-cinc2017-*rr-*")):
        assert process.poll() is None
        time.sleep(0.05)
    time.sleep(1.5)  # the processes are at work by now
    assert interrupt(process) == STOPPED
    assert process.returncode == 130
    assert list(cache.rglob(".part-*")) == []
    assert len(list((tmp_path / "results").rglob("*.json"))) == 1
