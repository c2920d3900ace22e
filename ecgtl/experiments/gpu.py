"""Runs on a GPU that is lent for minutes, on a machine without network: their data come as packs, their results leave
as archives.

``python -m ecgtl queue --out FOLDER`` (``make gpu-runs``). Several processes share the GPU. A run is begun when it
should fit into the time: as alike runs have taken, or else by some steps of its network, timed while the other
processes work.
"""

import dataclasses
import io
import os
import tarfile
import time
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ecgtl import experiments, models, paths, results
from ecgtl.config import BASELINES, FinetuneConfig, FrozenConfig, PretrainConfig
from ecgtl.datasets import packs
from ecgtl.datasets.cache import write_atomic
from ecgtl.errors import EcgtlError
from ecgtl.experiments import queue
from ecgtl.experiments.pretrainings import Pretraining
from ecgtl.experiments.runners import Run
from ecgtl.jobs import inputs, pretrain
from ecgtl.training import loop

Config = FinetuneConfig | PretrainConfig
STEPS = 12  # that are timed of a network


def work_off(out: str, tier: str, minutes: float | None, n_processes: int | None) -> None:
    """As ``queue.work_off``, but of runs whose data lie here as packs; after each, ``out/runs-PROCESS.tar`` is written
    anew.

    An archive holds all results of one process, which ``tar -C results -xf`` brings where they belong, but no weights.
    Raises EcgtlError where there is no pack, or ``out`` cannot be written.
    """
    folder = paths.output(Path(out) / "runs.tar", makes_folder=True).parent
    if not list(paths.data().glob("*.pack??")):
        raise EcgtlError(f"{paths.data()} holds no packs; 'make gpu-pack' makes them where the data sets are")
    job = partial(queue.work, tier, takes=takes, made=partial(_carry, folder, []), estimate=Estimate)
    queue.spread(job, minutes, n_processes)


def takes(run: Run) -> bool:
    """Whether a run trains a network, more than a linear layer, and all that it learns from lies here as packs."""
    config = run.config
    if not isinstance(config, Config) or isinstance(config, FrozenConfig) or config.arch in (*BASELINES, "googlenet"):
        return False
    names = config.source_names if isinstance(config, PretrainConfig) else [config.dataset]
    return all(packs.files(name, paths.data(), config.tier == "demo") for name in names)


class Estimate(queue.Estimate):
    """Of runs unlike any that is finished: the steps of the fewest epochs that they can have."""

    def seconds(self, run: Run, own: float | None = None) -> float | None:
        """As the queue's; None where nobody can know before the data are read."""
        known, config = super().seconds(run, own), run.config
        if known is not None or own is not None or not isinstance(config, Config):
            return known
        if isinstance(config, FinetuneConfig):
            n = len(_read(config).split.train)
            config = dataclasses.replace(config, fraction=1.0, init="random")
        else:
            n = config.per_epoch
        return n and n * min(config.epochs, config.patience + 1) * step_seconds(dataclasses.replace(config, seed=0))


@lru_cache
def step_seconds(config: Config) -> float:
    """Seconds of a training step for each example of its batch, on made inputs: the median of some steps."""
    device, (model, shape), ends = loop.pick_device(), network_of(config), []
    optimizer = torch.optim.Adam(model.to(device).train().parameters(), fused=True)
    x = torch.randn(config.batch_size, *shape, device=device)
    for _ in range(STEPS):
        with loop.mixed(config.precision, device):
            loss = model(x).float().square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()  # waits for the device
        ends.append(time.perf_counter())
    seconds = float(np.median(np.diff(ends))) / config.batch_size
    print(f"{config.arch}, inputs of {shape}: {_speed(1 / seconds, config)} in steps alone", flush=True)
    return seconds


def network_of(config: Config) -> tuple[nn.Module, tuple[int, int]]:
    """The network of a run with random weights, and the shape of one example."""
    if isinstance(config, PretrainConfig):
        n_frames = config.context + 1 + config.negatives if config.objective == "future" else 1
        return pretrain.network(config), (n_frames, round(config.seconds * config.sampling_rate))
    prepared = _read(config)
    return prepared.network(), (len(prepared.leads), config.n_samples)


def _read(config: FinetuneConfig) -> inputs.Prepared:
    return inputs.Prepared(config.plan(), inputs.read(config.plan()))


def _speed(per_second: float, config: Config) -> str:
    """Examples a second, in words, and what share they are of the floor: what the GPU could do by the operations of the
    network.
    """
    floor = float(paths.facts("analysis/costs")["gpu"]["bf16_flops_per_second"])
    share = per_second * models.step_flops(lambda: network_of(config)) / floor
    return f"{per_second:.0f} recordings/s, {100 * share:.3g} % of the floor"


def _carry(folder: Path, finished: list[Path], run: experiments.Run | Pretraining, path: Path, line: str) -> None:
    """Write a process's archive with one more result, and say how fast its epochs were, testing included."""
    finished += [path, path.with_suffix(".npz")]
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for file in finished:
            tar.add(file, file.relative_to(paths.results()))
    write_atomic(folder / f"runs-{os.getpid()}.tar", archive.getvalue())
    result = results.load(path)
    n = (len(result.arrays["train"]) if "train" in result.arrays else
         (result.data.get("frames") or result.data["windows"])["train"])
    seconds = sum(row["seconds"] for row in result.history) / len(result.history)
    print(f"{line}; {_speed(n / seconds, run.config)}", flush=True)
