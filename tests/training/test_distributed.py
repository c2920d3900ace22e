"""Several processes train as one does: the loss curve, which frames are drawn, a kill, what is resumed."""

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

pytestmark = pytest.mark.usefixtures("one_thread")
# Two batches an epoch, the second of one example, of which the second process gets none: 20 steps
SMALL = {"width": 2, "epochs": 10, "batch_size": 29, "precision": "float32"}
FRAMES = SMALL | {"per_subject": 3}
SINGLE = FRAMES | {"objective": "beat", "learning_rate": 1e-4}
RUNS = {"single": SINGLE, "beat": FRAMES | {"objective": "beat"},
        "future": FRAMES | {"objective": "future", "width": 8, "context": 2, "negatives": 1, "offset": 0, "frame": 512},
        "reconstruction": SMALL | {"objective": "reconstruction", "variant": "text", "features": 4, "sources": "mitdb",
                                   "per_subject": 3, "windows": 10, "batch_size": 9}}
COMMAND = ["pretrain", *(f"--{name.replace('_', '-')}={value}" for name, value in SINGLE.items())]
SEVERAL = """
import json, sys
from tests.training import test_distributed
from ecgtl.training import distributed
with distributed.joined(distributed.COMMAND):
    for name in test_distributed.RUNS:
        found = test_distributed.trained(name)
        with open(f"{sys.argv[1]}/{name}-{distributed.rank()}.json", "w") as file:
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
HESITANT = SLOWLY.replace("command()\n", """
from ecgtl.training import distributed
error = distributed.EcgtlError
distributed.EcgtlError = lambda *given: time.sleep(3) or error(*given)
command()
""")
DISTURBED = SLOWLY.replace("command()\n", """
import os, signal
from ecgtl.training import distributed
ignored = distributed.ignore_signals
distributed.ignore_signals = lambda: os.kill(os.getpid(), signal.SIGTERM) or ignored()
command()
""")


def trained(name):
    """History and scores of a small pretraining, and the frames or windows that it read of its training set.

    All but ``single`` in double precision: what differs then is not the rounding, which Adam makes much of.
    """
    taken, divided = [], []
    double, network, parts_of = name != "single", pretrain.network, pretrain.parts_of

    def noting(take):
        def noted(self, *where):
            taken.append((self, np.stack([np.ravel(w) for w in where]).T.tolist()))
            return take(self, *where).astype(np.float64 if double else np.float32)

        return noted

    with pytest.MonkeyPatch.context() as patch:
        for reader in (Frames, Windows):
            patch.setattr(reader, "take", noting(reader.take))
        patch.setattr(pretrain, "parts_of", lambda *given: divided.append(parts_of(*given)) or divided[0])
        if double:
            patch.setattr(torch.Tensor, "float", lambda self: self)
            patch.setattr(pretrain, "network", lambda config: network(config).double())
        made = pretrain.run(PretrainConfig.of(**RUNS[name]))
    train = divided[0]["train"]
    owner = train if isinstance(train, Windows) else train.frames
    history = [{column: value for column, value in row.items() if column != "seconds"} for row in made.result.history]
    return {"history": history, "scores": made.result.scores, "data": made.result.data,
            "read": [where for reader, where in taken if reader is owner],
            "read_of_others": sum(reader is not owner for reader, _ in taken),
            "weights": {key: t.flatten().tolist() for key, t in made.weights.items()}}


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


@pytest.fixture(scope="module")
def both(session_cache, tmp_path_factory):
    """What this process did and what two did, by run."""
    folder = tmp_path_factory.mktemp("several")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECGTL_CACHE", str(session_cache))
        alone = {name: json.loads(json.dumps(trained(name))) for name in RUNS}
        assert torchrun(folder, folder, program=SEVERAL).wait(200) == 0, (folder / "stderr").read_text()
    return {name: (alone[name], [json.loads((folder / f"{name}-{rank}.json").read_text()) for rank in range(2)])
            for name in RUNS}


@pytest.mark.parametrize("name", RUNS)
def test_the_curve_is_that_of_one_process(both, name):
    alone, several = both[name]
    losses = [row["train_loss"] for row in alone["history"]]
    assert len(losses) == 10 and max(losses) / min(losses) > 1.01  # it learns
    for mine, theirs in zip(alone["history"], several[0]["history"], strict=True):
        assert theirs == pytest.approx(mine, rel=1e-4 if name == "single" else 1e-6)
    assert several[0]["data"] == alone["data"]


@pytest.mark.parametrize("name", RUNS)
def test_all_end_with_the_same(both, name):
    _, (first, second) = both[name]
    assert all(first[what] == second[what] for what in ("history", "scores", "data", "weights"))


@pytest.mark.parametrize("name", RUNS)
def test_each_frame_is_read_once_by_one_of_them(both, name):
    alone, several = both[name]
    assert len(alone["read"]) == 20 and all(len(one["read"]) == 20 for one in several)
    for whole, *shares in zip(alone["read"], *(one["read"] for one in several), strict=True):
        assert Counter(map(tuple, whole)) == sum((Counter(map(tuple, share)) for share in shares), Counter())
    shares = [len(one["read"][k]) / len(alone["read"][k]) for k in (0, 1) for one in several]
    n = RUNS[name]["batch_size"]
    assert shares == pytest.approx([(n + 1) / 2 / n, (n - 1) / 2 / n, 1, 0])


@pytest.mark.parametrize("name", RUNS)
def test_the_first_alone_evaluates(both, name):
    alone, several = both[name]
    assert [one["read_of_others"] for one in several] == [alone["read_of_others"], 0]


def number(pid):
    """Which of the processes that torchrun started this is; -1 for none of them."""
    variables = dict(pair.partition("=")[::2] for pair in Path(f"/proc/{pid}/environ").read_text().split("\0"))
    return int(variables.get("RANK", -1))


def killed_after_an_epoch(folder, rank, told=False, program=SLOWLY):
    """Kill one process with SIGKILL when a state is there; the history that it holds when all have ended.

    The other one finds out by itself, or is ``told`` by torchrun's SIGTERM before it can.
    """
    process = torchrun(folder, *COMMAND, program=program)
    while not (states := list(folder.glob("cache/unfinished/*.pt"))):
        assert process.poll() is None, (folder / "stderr").read_text()
        time.sleep(0.02)
    pids = {number(pid): pid for pid in processes.below(process.pid)}
    if told:
        os.kill(pids[1 - rank], signal.SIGSTOP)
    os.kill(pids[rank], signal.SIGKILL)
    if told:
        while "SIGTERM" not in (folder / "stderr").read_text():
            time.sleep(0.02)
        os.kill(pids[1 - rank], signal.SIGCONT)
    assert process.wait(60) != 0
    return torch.load(io.BytesIO(states[0].read_bytes()[32:]), weights_only=True)["history"]


def ended_with_one_line(folder):
    (line,) = lines(folder)
    assert "the same command goes on" in line
    return not list(folder.rglob(".part-*")) and not list(folder.glob("results/**/*.json"))


@pytest.mark.parametrize("how", [{"told": True}, {"program": DISTURBED}])
def test_without_the_first_all_end_with_one_line(how, tmp_path, monkeypatch):
    """Also where torchrun's signal comes before what it tells is known, or while that is being found out."""
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    assert 0 < len(killed_after_an_epoch(tmp_path, 0, **how)) < 10
    assert ended_with_one_line(tmp_path)


def test_without_another_too_and_the_same_command_goes_on(both, tmp_path, monkeypatch):
    """The line is not cut off by what torchrun says meanwhile."""
    monkeypatch.setenv("ECGTL_CACHE", str(tmp_path / "cache"))
    before = killed_after_an_epoch(tmp_path, 1, program=HESITANT)
    assert 0 < len(before) < 10 and ended_with_one_line(tmp_path)
    assert torchrun(tmp_path, *COMMAND).wait(100) == 0 and not lines(tmp_path)
    (file,) = tmp_path.glob("results/**/*.json")
    history = results.load(file).history
    assert [row["seconds"] for row in history[:len(before)]] == pytest.approx([row["seconds"] for row in before])
    expected = [row["train_loss"] for row in both["single"][0]["history"]]
    assert [row["train_loss"] for row in history] == pytest.approx(expected, rel=1e-4)
    assert not list(tmp_path.glob("cache/unfinished/*.pt")) and len(list(tmp_path.rglob("*.safetensors"))) == 1


def test_another_command_is_refused_with_one_line(tmp_path):
    assert torchrun(tmp_path, "models").wait(100) != 0
    (line,) = lines(tmp_path)
    assert "start models without torchrun" in line and not (tmp_path / "stdout").read_text()
