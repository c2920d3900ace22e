"""``sweep``: what is missing of experiments, planned here, made by Snakemake (``workflow/``) on a cluster or here.

A sweep has a folder of its own, so that nothing is left of an earlier one: which runs are done their results alone say.
"""

import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml

from ecgtl import experiments, paths, processes
from ecgtl.analysis import costs
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, queue, runners, sources, transfers
from ecgtl.measurements import melep_random, rr_folds

KINDS = {experiments.Run: "finetune", sources.Source: "source", transfers.Transfer: "transfer"}  # the others pretrain
MARGIN, LEAST, UNKNOWN = 3, 15, 24 * 60  # times the estimate; minutes at least; minutes where there is no estimate
WORKFLOW = paths.repository() / "workflow"


@dataclasses.dataclass(frozen=True)
class Step:
    """One job: ``words`` of ``python -m ecgtl``, after the steps that it ``needs``; ``minutes`` it may take, and GPUs.

    Its ``name`` begins with its kind, which is its rule.
    """

    name: str
    words: tuple[str, ...]
    needs: tuple[str, ...] = ()
    minutes: int = UNKNOWN
    gpu: bool = False


def sweep(experiments: Sequence[str], tier: str, profile: str, rows: str, columns: str, folder: str) -> None:
    """Make what is missing; stopped, cancel its jobs. Raises EcgtlError with the first reason where some is missing."""
    command = snakemake(profile)
    steps = plan(experiments, tier, *(tuple(filter(None, words.split(","))) for words in (rows, columns)))
    place = Path(folder).absolute() / time.strftime(f"%Y%m%d-%H%M%S-{os.getpid()}")
    command += ["--directory", str(place), "--config", f"python={sys.executable}", f"cwd={os.getcwd()}"]
    print(f"{', '.join(experiments)}, tier {tier}: {len(steps)} steps; {place}/snakemake.log says how far", flush=True)
    if steps:
        place.mkdir(parents=True)
        (place / "plan.json").write_text(json.dumps([dataclasses.asdict(step) for step in steps], indent=1))
        with (open(place / "snakemake.log", "w") as log,
              subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True) as process,
              processes.undone(partial(_stop, process))):
            process.wait()
    left = [step for step in steps if not (place / "done" / step.name).exists()]
    if left:
        raise EcgtlError(f"{len(left)} of {len(steps)} steps are not done, of which the first that failed is "
                         f"{_reason(left, place)}; the same command goes on from there")


def _stop(process: subprocess.Popen) -> None:
    """Ctrl-C for Snakemake, which cancels its jobs, and for those on this machine."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGINT)


def snakemake(profile: str) -> list[str]:
    """The command for Snakemake. Raises EcgtlError where it, the profile or the profile's scheduler is absent."""
    paths.checkout(WORKFLOW.name)
    program = shutil.which("snakemake")
    file = (WORKFLOW / "profiles" / profile if profile in ("local", "slurm") else Path(profile)) / "config.yaml"
    if program is None:
        raise EcgtlError("Snakemake is not on the PATH; 'make sweep' makes an environment with it")
    if not file.is_file():
        raise EcgtlError(f"no profile {profile!r}: {file} is missing; give local, slurm, or a folder with such a file")
    if yaml.safe_load(file.read_text()).get("executor") == "slurm" and shutil.which("sbatch") is None:
        raise EcgtlError("no scheduler here: sbatch is not installed; go where it is, or take the profile local")
    return [program, "--snakefile", str(WORKFLOW / "Snakefile"), "--profile", str(file.parent.absolute())]


def plan(names: Sequence[str], tier: str, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> list[Step]:
    """A step for each run that is missing or stale, for what it starts from, and for measurements that stand on runs.

    The first run of a cell comes before the others, which are held to its instructions, unless a GPU makes them.
    """
    asked = {run.path: run for name in names for run in runners.chosen(name, tier, rows, columns)}
    words: dict[Path, tuple] = {path: ("run", run.experiment, "--tier", tier, "--only", queue.address(run))
                                for path, run in asked.items() if run.is_missing()}
    leaders = {queue.cell_of(run): "" for path, run in asked.items() if path not in words}
    entries = queue.entries_of([asked[path] for path in words], tier)
    estimate, steps = queue.Estimate(tier), []
    for entry in entries:  # they grow by what they start from
        run, name, start = entry.run, _name(entry.run), queue.start_of(entry.run, singles=True)
        needs, gpu = [], entry.processor == "cuda"
        if start and (start.path in words or run.obstacle()):
            needs.append(_name(start))
            if start.path not in words:
                words[start.path] = (*words[run.path], "--start")
                entries += queue.entries_of([start], tier)
        leader = leaders.setdefault(queue.cell_of(run), name)
        needs += [leader] if leader not in ("", name) and not gpu else []
        seconds = estimate.seconds(run) or (costs.gpu_seconds(run) if gpu else None)
        minutes = UNKNOWN if seconds is None else max(LEAST, round(MARGIN * seconds / 60))
        steps.append(Step(name, words[run.path], tuple(needs), minutes, gpu))
    return steps + _measurements(names, tier, steps)


def _name(run: runners.Run) -> str:
    kind = "probe" if getattr(run.config, "frozen", False) else KINDS.get(type(run), "pretrain")
    return f"{kind}/{queue.address(run)}"


def _measurements(names: Sequence[str], tier: str, steps: list[Step]) -> list[Step]:
    """On folds, after these, where they are missing; and of an autoencoder that is missing, after that."""
    found = []
    for name in (one for one in transfers.names() if one in names and runners.enumerate_runs(one, tier)):
        folds = tuple(step.name for step in steps if step.name.startswith(f"transfer/{name}/"))
        for kind, module in (("rr-folds", rr_folds), ("melep-random", melep_random)):
            if rr_folds.stored(name, tier, module.key_of(name, tier)) is None:
                found.append(Step(f"measure/{name}-{kind}", ("measure", kind, name, "--tier", tier), folds))
    cae = tuple(step.name for step in steps if step.name.startswith(
        (f"pretrain/{pretrainings.SINGLES}/cae-", "pretrain/jang2021-seeds/cae-")))
    if cae:
        found.append(Step("measure/cae", ("measure", "reconstruction-errors", "--tier", tier), cae))
    return found


def _reason(left: list[Step], place: Path) -> str:
    """The log of the first step that failed, and its last line; else the first message of Snakemake's."""
    for file in (place / "logs" / f"{step.name}.log" for step in left):
        if file.is_file() and (lines := file.read_text(errors="replace").splitlines()):
            return f"{file}: {lines[-1]}"
    said = (place / "snakemake.log").read_text(errors="replace")
    found = re.search(r"^ +message: (?!None)(.+)|^(.*(?i:error).*:.+)", said, re.MULTILINE)
    return f"{place / 'snakemake.log'}" + (f": {found[1] or found[2]}" if found else "")
