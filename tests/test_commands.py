"""``python -m ecgtl`` as users meet it: an exit code, an output, and one line when something is wrong."""

import dataclasses
import gc
import importlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from papermill.cli import _resolve_type

import ecgtl
from ecgtl import paths, results
from ecgtl.__main__ import as_options, main
from ecgtl.commands.parser import parser, resolved
from ecgtl.config.parameters import WORDS
from ecgtl.datasets import packs
from ecgtl.errors import EcgtlError
from ecgtl.jobs import pretrain

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
    f"run {EXPERIMENT} --start": "--start is for --only",
    f"run {EXPERIMENT} --only {EXPERIMENT}/x --dry-run": "goes with none of --dry-run, --rows, --shard",
    "report . --out page.pdf": "'page.pdf' does not end in .html",
    "finetune --init cae --arch resnet18": "init cae does not go with --arch resnet18: its encoder is that of "
                                           "cae_classifier; use --arch auto",
    f"run {EXPERIMENT} --seed 1": "unrecognized arguments: --seed 1 .*; see 'ecgtl run --help'",
    "finetune --fracton 0.25": r"arguments: --fracton 0.25 \(did you mean --fraction\?\); see 'ecgtl finetune --help'",
    "data list --jsn": r"arguments: --jsn \(did you mean --json\?\); see 'ecgtl data list --help'",
    "pretrain --learning_rate=1": r"--learning_rate=1 \(did you mean --learning-rate\?\)",
    "transfer --fold": "argument --fold: expected one argument; see 'ecgtl transfer --help'",
    "finetune --tier huge": "unknown tier 'huge'; allowed: demo, reduced, paper$",
    "finetune --fraction abc": r"fraction is 'abc' \(str\); it must be of type float, 0 < fraction <= 1",
    "finetune --dataset folder --lead II": "lead is 'II', which would have no effect: tier demo reads a synthetic twin",
    "finetune --arch majority --epochs 3": "epochs is 3, which would have no effect: --arch majority does not "
                                           "look at it",
    "pretrain --objective beat --windows 9": "windows does not go with --objective beat",
    "finetune --init beat": "--init beat has no checkpoint for --arch resnet18, --tier demo yet",
    "transfer --fewest 4 --most 3": "most is 3 and fewest 4",
    "rank c-resnet18 --target ptbxl --resamples 39": "resamples is 39; it must be at least 40",
    "finetune --seed 4294967296": r"seed is 4294967296; it must not be negative, and below 2\*\*32",
    "transfer --fold 4294967296": "fold is 4294967296",
    "transfer --records 5": "a label without positives .* ask for another number of records",
    "classifier --members 0": "members is 0; it must be at least 1",
    "transfer --label-set NORM --most 3": "most is 3, which would have no effect: --label-set NORM names the labels",
    "data pack": "arguments are required: folder, name",
}


@pytest.mark.parametrize(("words", "says"), WRONG.items(), ids=WRONG)
def test_a_wrong_word_gets_one_line_and_exit_code_2(words, says, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("ECGTL_RESULTS", str(tmp_path / "results"))
    code, (out, err) = main(words.split()), capsys.readouterr()
    assert (code, out) == (2, "")
    [line] = err.splitlines()
    assert line.startswith("ecgtl: ") and re.search(says, line) and gc.isenabled()
    assert not (tmp_path / "results").exists()


@pytest.mark.parametrize("error", [MemoryError("58.2 TiB"), torch.OutOfMemoryError("CUDA out of memory. Tried to ..."),
                                   RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to ...")])
def test_short_memory_is_one_line_and_other_errors_are_not(error, monkeypatch, capsys):
    def short(**_):
        raise error

    monkeypatch.setattr("ecgtl.commands.experiments.status", short)
    assert (main(["status"]), capsys.readouterr().err.count("\n")) == (2, 1)
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    with pytest.raises(RuntimeError):
        main(["status"])


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


def imported(*words):
    """Which large libraries a command has imported in a process of its own, and what it said before."""
    program = ("import sys\nfrom ecgtl.__main__ import main\ntry: main(sys.argv[1:])\nexcept SystemExit: pass\n"
               "print(*sorted({'numpy', 'torch', 'pandas', 'scipy', 'sklearn', 'matplotlib', 'IPython', 'shtab'} & "
               "set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=paths.repository(), text=True,
                          capture_output=True)
    *said, libraries = done.stdout.split("\n")[:-1]
    return libraries.split(), said, done.stderr


def test_the_version_and_help_are_said_without_any_large_library():
    assert imported("--version") == ([], [f"ecgtl {ecgtl.__version__}"], "")
    for words in (["--help"], ["predict", "--help"], ["data", "list", "--help"]):
        libraries, said, err = imported(*words)
        assert (libraries, err) == ([], "") and said[0].startswith("usage: ecgtl")
    assert imported("trane")[0] == []


def test_predict_imports_what_it_uses_alone(tmp_path):
    libraries, _, err = imported("predict", str(tmp_path), "--checkpoint", "none.safetensors")
    assert libraries == ["numpy", "pandas", "scipy", "torch"] and "none.safetensors" in err


# --- jobs: their options are the fields of a config ---------------------------------------------------------------


COMMANDS = paths.facts("commands")
CONFIGS = {name: resolved(entry["config"]) for name, entry in COMMANDS.items() if "config" in entry}


def calls(commands):
    """What each command calls, and every function that is named beside it."""
    for entry in commands.values():
        yield from calls(entry.get("verbs", {}))
        yield from [entry["call"]] if "verbs" not in entry else []
        yield from [word for word in entry.get("with", {}).values() if ":" in word]


@pytest.mark.parametrize("name", sorted(set(calls(COMMANDS))))
def test_every_command_calls_something(name):
    assert callable(resolved(name))


@pytest.mark.parametrize("command, config", CONFIGS.items())
def test_help_says_of_every_field_what_it_means_its_default_and_its_words(command, config, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "10000")  # no word is broken
    with pytest.raises(SystemExit):
        main([command, "--help"])
    shown = [" ".join(option.split()) for option in capsys.readouterr().out.partition("\noptions:")[2].split("\n  --")]
    for field in dataclasses.fields(config):
        if field.name in {"rank": ("checkpoint", "dataset", "tier"), "report": ("root",)}.get(command, ()):
            continue  # said otherwise there
        [line] = [line for line in shown if line.startswith(field.name.replace("_", "-") + " ")]
        assert config.descriptions()[field.name] in line
        own = field.default == "" or field.default is None and "(default: " in config.descriptions()[field.name]
        assert line.endswith(f"(default: {field.default})") != own
        words = (WORDS | config.words()).get(field.name, ())
        assert "{" + ",".join(words) + "}" in line or not words


def test_a_reader_that_has_seen_enough_ends_a_command_quietly():
    process = start("data", "list")
    process.stdout.close()
    assert (process.stderr.read(), process.wait(timeout=60)) == ("", 141)


ASKED = {"finetune": ["fraction=0.25", "fraction=1", "fraction=True", "fraction=nan", "lead=II", "lead=1", "lead=-1",
                      "lead=1.5", "lead=None", "seed=3", "seed=1e3", "seed=x", "seed=0.5", "epochs=None",
                      "epochs=2 batch_size=8 learning_rate=1e-3", "variant=None", "root=None", "init=none",
                      "device=gpu", "save_weights=w.pt", "root=/r", "arch=googlenet width=4",
                      "init=image arch=resnet18",
                      "dataset=folder tier=reduced root=/r labels=l.csv labels_separator=;"],
         "pretrain": ["sources=cinc2017,mitdb", "objective=beat frame=4096 arch=resnet18", "objective=beat features=3",
                      "validation=0.6 test=0.5", "highpass=0", "seed=-1"],
         "transfer": ["source=cpsc2018 arch=bilstm fold=3 records=100", "lead=all", "label_set=AF", "test=1"]}


@pytest.mark.parametrize("command, asked", [(command, asked) for command in ASKED for asked in ASKED[command]])
def test_a_job_gets_what_papermill_would_give_it(command, asked, monkeypatch, capsys):
    """The same config, or the same refusal, in which the parameters are options."""
    kind, given = CONFIGS[command], dict(word.split("=") for word in asked.split())
    defaults = {field.name: field.default for field in dataclasses.fields(kind)}
    options = {name: f"--{name.replace('_', '-')}" for name in defaults}
    got, result = [], SimpleNamespace(scores={}, evidence={})

    def spy(config, command):
        got.append((config, command))
        return SimpleNamespace(result=result) if config.NOTEBOOK == "pretrain" else result

    monkeypatch.setattr(importlib.import_module(f"ecgtl.jobs.{command}"), "run", spy)
    monkeypatch.setattr(results, "save", lambda _: "a file")
    monkeypatch.setattr(pretrain, "save", lambda _: ("weights", "a file"))
    code = main([command, *(f"--{name.replace('_', '-')}={value}" for name, value in given.items())])
    said = capsys.readouterr().err
    try:
        config = kind.from_notebook(defaults | {name: _resolve_type(value) for name, value in given.items()})
    except EcgtlError as error:
        assert (code, said, got) == (2, f"ecgtl: {as_options(str(error), options)}\n", [])
    else:
        assert (code, said, got) == (0, "", [(config, config.command())])


@pytest.mark.parametrize("command, name, text", [("finetune", "root", "2020"), ("finetune", "labels", "1.5"),
                                                 ("pretrain", "root", "True"), ("transfer", "label_set", "427084000")])
def test_digits_are_text_where_nothing_else_will_do(command, name, text):
    """papermill takes them for a number, which is refused; there ``-r`` says that they are text."""
    words = [command, f"--{name.replace('_', '-')}", text]
    assert getattr(parser(words).parse_args(words), name) == text
    with pytest.raises(EcgtlError, match=f"for papermill write -r {name} {text}"):
        CONFIGS[command].of(**{name: _resolve_type(text)})


def test_the_command_stores_what_the_notebook_stores(tmp_path, session_cache):
    """All but when and how long."""
    words = {"command": ["ecgtl", "finetune", "--fraction", "0.25", "--epochs", "2"],
             "notebook": ["papermill", "notebooks/finetune.ipynb", str(tmp_path / "out.ipynb"),
                          "-p", "fraction", "0.25", "-p", "epochs", "2"]}
    stored, said = {}, {}
    for name in words:
        environment = os.environ | {"ECGTL_RESULTS": str(tmp_path / name), "OMP_NUM_THREADS": "1",
                                    "PYTHONPATH": str(paths.repository())}
        done = subprocess.run([sys.executable, "-m", *words[name]], cwd=paths.repository(), env=environment, text=True,
                              capture_output=True)
        assert done.returncode == 0, done.stderr
        [path] = (tmp_path / name).rglob("*.json")
        stored[path.relative_to(tmp_path / name).as_posix()], said[name] = results.load(path), done.stdout
    [(place, result)] = stored.items()  # one place
    assert place == f"demo/finetune/{result.key}.json" and result.config["fraction"] == 0.25
    evidence, *scores, written = said["command"].splitlines()
    assert evidence == "evidence: upstream none, target synthetic, leads synthetic"
    assert {f"{name}: {result.scores[name]:.4f}" for name in ("macro_f1", "weighted_f1", "accuracy")} <= set(scores)
    assert written == f"written: {tmp_path / 'command' / place}"
    command, notebook = (json.loads((tmp_path / name / place).read_text()) for name in words)
    for body in (command, notebook):
        for name in ("wall_seconds", "finished"):
            del body["provenance"][name]
        body["history"]["rows"] = [row[:-1] for row in body["history"]["rows"]]  # without the seconds
    assert command == notebook and len(command["history"]["rows"]) == 2


def test_pretrain_and_transfer_say_what_they_have_written(own_results, capsys):
    assert main(["pretrain", "--objective", "beat", "--epochs", "1", "--per-subject", "2"]) == 0
    weights, stored = (line.removeprefix("written: ") for line in capsys.readouterr().out.splitlines()[-2:])
    assert weights == str(own_results / "demo" / "weights" / "beat-resnet18-demo.safetensors")
    assert results.load(Path(stored)).config["per_subject"] == 2
    assert main(["transfer", "--fold", "1", "--epochs", "1"]) == 0
    *said, stored = capsys.readouterr().out.splitlines()
    result = results.load(Path(stored.removeprefix("written: ")))
    assert result.provenance["command"] == "python -m ecgtl transfer --fold 1 --epochs 1"
    assert f"melep_published: {result.scores['measures']['melep_published']:.4f}" in said
    assert f"weighted_f1: {result.scores['weighted_f1']:.4f}" in said


def test_packs_are_written_where_they_are_wanted(tmp_path, capsys):
    assert main(["data", "pack", str(tmp_path), "cinc2017", "--tier", "demo"]) == 0
    assert re.fullmatch(rf"{tmp_path}/cinc2017-twin.pack00: \d\.\d MB\n", capsys.readouterr().out)
    assert packs.files("cinc2017", tmp_path, True) == [tmp_path / "cinc2017-twin.pack00"]


COMPLETED = {"fine": ["finetune"], "finetune --frac": ["--fraction"], "data p": ["pack"],
             "finetune --tier ''": ["demo", "reduced", "paper"], "data list --js": ["--json"],
             "rank --target x --weighting p": ["published"], "predict my": ["my.safetensors"],
             "transfer --root my": ["my.safetensors"]}


@pytest.mark.skipif(not shutil.which("bash"), reason="there is no bash")
def test_bash_completes_commands_options_words_and_files(tmp_path, capsys):
    (tmp_path / "my.safetensors").touch()
    assert main(["completion", "bash"]) == 0
    script = capsys.readouterr().out
    asked = "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_shtab_ecgtl\necho ${COMPREPLY[@]}"
    for line, wanted in COMPLETED.items():
        completed = f"{script}\nCOMP_WORDS=(ecgtl {line})\n{asked}"
        done = subprocess.run(["bash", "-c", completed], cwd=tmp_path, capture_output=True, text=True)
        assert done.stdout.split() == wanted, line


# --- other commands -----------------------------------------------------------------------------------------------


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


def test_a_probe_prints_the_score_of_every_share_and_why_there_is_none(capsys):
    assert main(["probe", "--encoder", "rr_intervals", "--shares", "10 labels,90 labels"]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^10 labels: macro_f1 0\.\d{4} \[0\.\d{4}, 0\.\d{4}\]$", said, re.MULTILINE)
    assert "\n90 labels: 90 labels a class are asked for, the training set of cinc2017 has" in said
