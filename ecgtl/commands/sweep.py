"""``sweep``: what is missing of experiments, planned here, run by Snakemake (``workflow/Snakefile``) on a cluster or here.

A sweep has a folder of its own, so that nothing is left of an earlier one: which runs are done their results alone say.
"""

import dataclasses
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

from ecgtl import experiments, paths, processes
from ecgtl.analysis import costs
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, queue, runners, sources, transfers
from ecgtl.measurements import melep_random, rr_folds

KINDS = {experiments.Run: "finetune", sources.Source: "source", transfers.Transfer: "transfer"}  # the others pretrain
OF_FOLDS = {"rr-folds": rr_folds, "melep-random": melep_random}
MARGIN, LEAST, UNKNOWN = 3, 15, 24 * 60  # times the estimate; minutes at least; minutes where there is no estimate
WORKFLOW = paths.repository() / "workflow"
Words = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Step:
    """One job: ``words`` of ``python -m ecgtl``, after the steps that it ``needs``; ``minutes`` it may take, and GPUs.

    Its ``name`` begins with its kind, which is its rule.
    """

    name: str
    words: Words
    needs: Words = ()
    minutes: int = UNKNOWN
    gpu: int = 0


def sweep(experiments: Sequence[str], tier: str, profile: str, rows: str, columns: str, folder: str) -> None:
    """Make what is missing. Raises EcgtlError with the first reason where some of it is missing still."""
    command = snakemake(profile)
    steps, waiting = plan(experiments, tier, *(tuple(filter(None, words.split(","))) for words in (rows, columns)))
    place = Path(folder).absolute() / time.strftime(f"%Y%m%d-%H%M%S-{os.getpid()}")
    print(f"{', '.join(experiments)}, tier {tier}: {len(steps)} steps to do in {place}", flush=True)
    left: list[Step] = []
    if steps:
        place.mkdir(parents=True)
        (place / "plan.json").write_text(json.dumps([dataclasses.asdict(step) for step in steps], indent=1))
        drive([*command, "--directory", str(place), "--config", f"python={sys.executable}", f"cwd={os.getcwd()}"],
              place / "snakemake.log")
        left = [step for step in steps if not (place / "done" / step.name).exists()]
    if left or waiting:
        raise EcgtlError(f"{len(left)} of {len(steps)} steps are not done, {len(waiting)} runs wait; "
                         f"{_reason(left, place) if left else waiting[0]}; the same command goes on from there")


def snakemake(profile: str) -> list[str]:
    """The command that Snakemake is run by. Raises EcgtlError where it, the profile or the profile's scheduler is
    absent.
    """
    own = WORKFLOW.parent / "build" / "sweep-env" / "bin" / "snakemake"
    program = shutil.which(own) or shutil.which("snakemake")
    file = (WORKFLOW / "profiles" / profile if profile in ("local", "slurm") else Path(profile)) / "config.yaml"
    if program is None:
        raise EcgtlError("Snakemake is not installed here; 'make sweep' makes an environment with it")
    if not file.is_file():
        raise EcgtlError(f"there is no profile {profile!r}: {file} is missing; give local, slurm, or a folder with a "
                         "config.yaml")
    if (yaml.safe_load(file.read_text()) or {}).get("executor") == "slurm" and shutil.which("sbatch") is None:
        raise EcgtlError("there is no scheduler here: sbatch is not installed; run this where SLURM's commands are, or "
                         "take the profile local")
    return [program, "--snakefile", str(WORKFLOW / "Snakefile"), "--profile", str(file.parent.absolute())]


def plan(names: Sequence[str], tier: str, rows: Words = (), columns: Words = ()) -> tuple[list[Step], list[str]]:
    """A step for each run that is missing or stale, what it starts from, and measurements that stand on runs; and why
    others wait for what no step makes.

    The first run of a cell comes before the others, which are held to its instructions, unless a GPU makes them.
    """
    asked = {run.path: run for name in names for run in runners.chosen(name, tier, rows, columns)}
    words = {path: ("run", run.experiment, "--tier", tier, "--only", queue.address(run))
             for path, run in asked.items() if run.is_missing()}
    leaders = {queue.cell_of(run): "" for path, run in asked.items() if path not in words}
    entries = queue.entries_of([asked[path] for path in words], tier)
    estimate, steps, waiting = queue.Estimate(tier), [], []
    for entry in entries:  # they grow by what they start from
        run, needs, start = entry.run, [], queue.start_of(entry.run, singles=True)
        reason = run.obstacle()
        if start and (reason or start.path in words):
            if start.path not in words:
                words[start.path] = (*words[run.path], "--start")
                entries += queue.entries_of([start], tier)
            needs.append(_name(start))
        elif reason:
            waiting.append(f"{queue.address(run)}: {reason}")
            continue
        name, gpu = _name(run), entry.processor == "cuda"
        leader = leaders.setdefault(queue.cell_of(run), name)
        needs += [leader] if leader not in ("", name) and not gpu else []
        steps.append(Step(name, words[run.path], tuple(needs), _minutes(run, gpu, estimate), int(gpu)))
    return steps + _measurements(names, tier, steps), waiting


def _name(run: runners.Run) -> str:
    kind = "probe" if getattr(run.config, "frozen", False) else KINDS.get(type(run), "pretrain")
    return f"{kind}/{queue.address(run)}"


def _minutes(run: runners.Run, gpu: bool, estimate: queue.Estimate) -> int:
    """How long a run may take: by finished ones, else by the costs' operations, with a margin."""
    seconds = estimate.seconds(run)
    if seconds is None:
        seconds = 0.0 if run.config.tier == "demo" else costs.gpu_seconds(run) if gpu else None
    return UNKNOWN if seconds is None else max(LEAST, math.ceil(MARGIN * seconds / 60))


def _measurements(names: Sequence[str], tier: str, steps: list[Step]) -> list[Step]:
    """Measurements on folds, after the folds that are missing; and of an autoencoder that is missing."""
    found = []
    for name in set(names) & set(transfers.names()):
        folds = tuple(step.name for step in steps if step.name.startswith(f"transfer/{name}/"))
        for word, module in OF_FOLDS.items():
            planned = runners.enumerate_runs(name, tier)
            if planned and rr_folds.stored(name, tier, module.key_of(name, tier)) is None:
                found.append(Step(f"measure/{name}-{word}", ("measure", word, name, "--tier", tier), folds))
    cae = [step.name for step in steps if step.name.startswith(f"pretrain/{pretrainings.SINGLES}/cae-")]
    words = ("measure", "reconstruction-errors", "--tier", tier)
    return found + [Step("measure/reconstruction-errors", words, tuple(cae)) for _ in cae[:1]]


def drive(command: Sequence[str], log: Path) -> None:
    """Run Snakemake, whose words go to ``log``; print how far it is. Stopped, it cancels its jobs."""
    with open(log, "w") as file, subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                                  start_new_session=True) as process:
        with processes.undone(lambda: process.send_signal(signal.SIGINT)):
            for line in process.stdout or ():
                print(line, end="", file=file, flush=True)
                if " steps (" in line:
                    print(line.strip(), flush=True)
            process.wait()


def _reason(left: list[Step], place: Path) -> str:
    """The log of the first step that failed, and its last line; else the first message of Snakemake's."""
    for file in (place / "logs" / f"{step.name}.log" for step in left):
        if file.is_file() and (lines := file.read_text(errors="replace").split("\n")[:-1]):
            return f"{file}: {lines[-1]}"
    file = place / "snakemake.log"
    found = re.search(r"^ +message: (?!None)(.+)|^(.*(?i:error).*:.+)", file.read_text(errors="replace"), re.MULTILINE)
    return f"{file}" + (f": {(found[1] or found[2]).strip()}" if found else "")
