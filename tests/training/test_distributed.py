"""Several processes train as one does: the loss curve, which frames are drawn, a kill, and the state that is resumed."""

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch

from ecgtl import paths, processes, results
from ecgtl.config import PretrainConfig
from ecgtl.jobs import pretrain
from ecgtl.signals.frames import Frames
from ecgtl.signals.windows import Windows

# 30 frames an epoch in batches of 29 and of 1, of which the second process gets none: 20 steps
SMALL = {"width": 2, "epochs": 10, "batch_size": 29, "precision": "float32"}
FRAMES = SMALL | {"per_subject": 3}
OBJECTIVES = {"beat": FRAMES, "future": FRAMES | {"width": 8, "context": 2, "negatives": 1, "offset": 0, "frame": 512},
              "reconstruction": SMALL | {"variant": "text", "windows": 30, "per_subject": 3, "features": 4}}
COMMAND = ["pretrain", "--objective=beat", *(f"--{name.replace('_', '-')}={value}" for name, value in FRAMES.items())]
SEVERAL = """
import json, sys
from tests.training import test_distributed
from ecgtl.training import distributed
with distributed.joined(distributed.JOB):
    for objective in test_distributed.OBJECTIVES:
        found = test_distributed.trained(objective)
        with open(f"{sys.argv[1]}/{objective}-{distributed.rank()}.json", "w") as file:
            json.dump(found, file)
"""
SLOWLY = """
import time
from ecgtl.__main__ import command
from ecgtl.training import loop
loop.STATE_SECONDS, step = 0.0, loop.classified
loop.classified = lambda *given: time.sleep(0.2) or step(*given)
command()
"""


def trained(objective):
    """History and scores of a small pretraining, and the frames or windows that it read of its training set."""
    taken, made_parts = [], []
    with pytest.MonkeyPatch.context() as patch:
        for reader in (Frames, Windows):
            patch.setattr(reader, "take", noting(reader.take, taken))
        patch.setattr(pretrain, "parts_of", noting(pretrain.parts_of, made_parts, of_result=True))
        made = pretrain.run(PretrainConfig.of(objective=objective, **OBJECTIVES[objective]))
    train = made_parts[0]["train"]
    owner = train if isinstance(train, Windows) else train.frames
    read = [np.stack([np.ravel(w) for w in where]).T.tolist() for reader, *where in taken if reader is owner]
    history = [{name: value for name, value in row.items() if name != "seconds"} for row in made.result.history]
    return {"history": history, "scores": made.result.scores, "data": made.result.data, "read": read,
            "read_of_others": sum(reader is not owner for reader, *_ in taken),
            "weights": {name: t.flatten().tolist() for name, t in made.weights.items()}}


def noting(function, notes, of_result=False):
    def noted(*given):
        found = function(*given)
        notes.append(found if of_result else given)
        return found

    return noted


def torchrun(folder, *words, program=None):
    """Two processes of ``program``, or of ``ecgtl`` itself, with one thread each; stdout and stderr are files there."""
    (folder / "driver.py").write_text(program or "")
    started = [folder / "driver.py"] if program else ["-m", "ecgtl"]
    root = paths.repository()
    environment = os.environ | {"OMP_NUM_THREADS": "1", "ECGTL_RESULTS": str(folder / "results"),
                                "PYTHONPATH": os.pathsep.join([str(root), str(root / "tests")])}
    with open(folder / "stdout", "w") as out, open(folder / "stderr", "w") as err:
        return subprocess.Popen([sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
                                 *started, *words], cwd=root, env=environment, stdout=out, stderr=err)


def lines(folder):
    """What our own processes said on stderr beside notes; torchrun adds a report of its own."""
    return [line for line in (folder / "stderr").read_text().splitlines()
            if line.startswith("ecgtl: ") and not line.startswith("ecgtl: note: ")]


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def both(session_cache, tmp_path_factory):
    """What two processes did, and this one, by objective."""
    folder = tmp_path_factory.mktemp("several")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        alone = {objective: trained(objective) for objective in OBJECTIVES}
        assert torchrun(folder, folder, program=SEVERAL).wait(200) == 0, (folder / "stderr").read_text()
    return {objective: (json.loads(json.dumps(alone[objective])),
                        [json.loads((folder / f"{objective}-{rank}.json").read_text()) for rank in range(2)])
            for objective in OBJECTIVES}


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_curve_is_that_of_one_process(both, objective):
    alone, several = both[objective]
    assert len(alone["history"]) == 10
    first, last = (alone["history"][k]["train_loss"] for k in (0, -1))
    assert abs(first - last) > 0.01  # it learns
    for one in several:
        for mine, theirs in zip(alone["history"], one["history"], strict=True):
            assert theirs == pytest.approx(mine, rel=1e-4, abs=1e-4)
        assert one["scores"]["validation"] == several[0]["scores"]["validation"]
        assert one["weights"] == several[0]["weights"] and one["data"] == alone["data"]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_frame_is_read_once_by_one_of_them(both, objective):
    alone, several = both[objective]
    assert len(alone["read"]) == 20 and all(len(one["read"]) == 20 for one in several)
    for whole, *shares in zip(alone["read"], *(one["read"] for one in several), strict=True):
        assert Counter(map(tuple, whole)) == sum((Counter(map(tuple, share)) for share in shares), Counter())
    parts = [len(one["read"][k]) / len(alone["read"][k]) for k in (0, 1) for one in several]
    assert parts == pytest.approx([15 / 29, 14 / 29, 1, 0])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_first_alone_evaluates(both, objective):
    alone, several = both[objective]
    assert [one["read_of_others"] for one in several] == [alone["read_of_others"], 0]


def number(pid):
    """Which of the processes that torchrun started this is; -1 for none of them."""
    variables = dict(pair.partition("=")[::2] for pair in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return int(variables.get("RANK", -1))


def killed_after_an_epoch(folder, rank):
    """Kill one process with SIGKILL when a state is there; the history that it holds when all have ended."""
    process = torchrun(folder, *COMMAND, program=SLOWLY)
    while not (states := list(folder.glob("cache/unfinished/*.pt"))):
        assert process.poll() is None, (folder / "stderr").read_text()
        time.sleep(0.02)
    os.kill(next(pid for pid in processes.below(process.pid) if number(pid) == rank), signal.SIGKILL)
    assert process.wait(60) != 0
    return torch.load(io.BytesIO(states[0].read_bytes()[32:]), weights_only=True)["history"]


@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_all_with_one_line(tmp_path, monkeypatch, rank):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    assert 0 < len(killed_after_an_epoch(tmp_path, rank)) < 10
    (line,) = lines(tmp_path)
    assert "the same command goes on" in line
    assert not list(tmp_path.rglob(".part-*")) and not list(tmp_path.glob("results/**/*.json"))


def test_the_same_command_goes_on_from_the_state_of_the_first(both, tmp_path, monkeypatch):
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    before = killed_after_an_epoch(tmp_path, 1)
    assert torchrun(tmp_path, *COMMAND).wait(100) == 0 and not lines(tmp_path)
    (file,) = tmp_path.glob("results/**/*.json")
    history = results.load(file).history
    assert [row["seconds"] for row in history[:len(before)]] == pytest.approx([row["seconds"] for row in before])
    alone = both["beat"][0]["history"]
    assert [row["train_loss"] for row in history] == pytest.approx([row["train_loss"] for row in alone], abs=1e-4)
    assert not list(tmp_path.glob("cache/unfinished/*.pt")) and len(list(tmp_path.rglob("*.safetensors"))) == 1


def test_another_job_is_refused_with_one_line(tmp_path):
    assert torchrun(tmp_path, "finetune", "--tier=demo").wait(100) != 0
    (line,) = lines(tmp_path)
    assert "start finetune without torchrun" in line
    assert not list(tmp_path.glob("results/**/*"))
