"""Make a run again and hold it against the stored one: is it equal, or as near as another processor comes?"""

from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats

from ecgtl import experiments, paths, results
from ecgtl.analysis import addresses, cells
from ecgtl.config import BASELINES, PretrainConfig, TransferConfig
from ecgtl.datasets import cache
from ecgtl.errors import EcgtlError
from ecgtl.experiments import queue, transfers
from ecgtl.experiments.run import PlannedRun
from ecgtl.jobs import inputs, pretrain
from ecgtl.results import Result
from ecgtl.training import loop

EQUAL, WITHIN, DIFFERENT = "equal", "within the tolerance declared for another processor", "different"
# What decides how numbers are rounded: facts of the provenance, and versions
MADE_ON = ("device", "machine", "instructions", "layout", "threads", "torch", "numpy", "scipy", "scikit-learn")


@dataclass(frozen=True)
class Reproduction:
    """Whether a run came again (``EQUAL``, ``WITHIN`` or ``DIFFERENT``), and ``lines`` that say all of it in words."""

    outcome: str
    lines: tuple[str, ...]


def reproduce(text: str, number: int = 1, tier: str = "best") -> Reproduction:
    """Make the ``number``-th run (from 1, in the order of their numbers) of the id ``text`` again; nothing is saved.

    With the number of threads of the stored run and, where the processor has them, its instructions. Raises EcgtlError,
    before anything is trained, for what is unknown or not finished, and for recordings or starting weights that are not
    here or others.
    """
    address = addresses.find(text, tier)
    command = f"python -m ecgtl run {address.experiment} --tier {address.tier}"
    if not 1 <= number <= len(address.finished):
        raise EcgtlError(f"{address.id} has no run {number} in tier {address.tier}: {len(address.finished)} of "
                         f"{len(address.planned)} planned ones have ended; '{command}' makes the others")
    run, stored = address.finished[number - 1]
    if address.score not in addresses.scores_of(run, stored):
        raise EcgtlError(f"{run.key} has no {address.score}; take another run, or the id without the score")
    if reason := run.obstacle():
        raise EcgtlError(reason)
    if stored.provenance.get("instructions") in (None, queue.HELD_TO):
        queue.hold()
    if _digest(run) != stored.data["digest"]:
        raise EcgtlError(f"the recordings of {stored.data['name']} here are not those of {run.key}, version "
                         f"{stored.data['version']}; 'python -m ecgtl data list' says how to get them")
    threads = torch.get_num_threads()
    torch.set_num_threads(stored.provenance["threads"])
    try:
        again = run.execute(f"python -m ecgtl reproduce {text} --run {number}")
        results.forget_states()  # the next time it is made again, not read
        return _compared(address, run, stored, again)
    finally:
        torch.set_num_threads(threads)


def _digest(run: PlannedRun) -> str:
    """Of the recordings that a run would stand on here. Raises EcgtlError when they are not available."""
    if isinstance(run.config, PretrainConfig):
        return cache.key_of(pretrain.digests(pretrain.read(run.config)))
    plan = run.config.plan().tuning if isinstance(run.config, TransferConfig) else run.config.plan()
    return inputs.prepare(plan).recordings.digest


def _compared(address: addresses.Address, run: PlannedRun, stored: Result, again: Result) -> Reproduction:
    before, now = (results.rounded(addresses.scores_of(run, body)[address.score]) for body in (stored, again))
    limit, basis = tolerance(address, run, stored)
    there, here = ({**body.provenance["versions"], **body.provenance} for body in (stored, again))
    pairs = {name: (there.get(name, "not recorded"), here[name]) for name in MADE_ON}
    differs = [f"{name} {old} there, {new} here" for name, (old, new) in pairs.items() if old != new]
    # On a CPU the same code on the same of all of these gives the same numbers to the last bit
    near = (differs or here["device"] != "cpu") and abs(now - before) <= limit
    outcome = EQUAL if equal(stored, again) else WITHIN if near else DIFFERENT
    asked, unknown = stored.config["precision"], "not recorded" in {old for old, _ in pairs.values()}
    lines = (f"{address.id}, tier {address.tier}: {stored.experiment}/{stored.key}",
             f"{address.score}: stored {before:.9g}, now {now:.9g}, difference {now - before:+.3g}",
             f"tolerance for another processor: {limit:.3g} ({basis})",
             f"made on: {'; '.join(differs) or 'the same ' + ', '.join(MADE_ON)}",
             f"precision: {asked}, here {loop.pick_precision(asked, torch.device(here['device']))}",
             *["whether it was another processor cannot be distinguished from what is recorded"] * unknown, outcome)
    return Reproduction(outcome, lines)


def equal(stored: Result, again: Result) -> bool:
    """Whether every stored score, to the digits that are stored, and every stored array, to the last bit, came again.
    """
    scores, arrays = addresses.flat(results.rounded(again.scores)), again.arrays
    return (addresses.flat(stored.scores).items() <= scores.items()
            and all(name in arrays and array.dtype == arrays[name].dtype and np.array_equal(array, arrays[name])
                    for name, array in stored.arrays.items()))


def tolerance(address: addresses.Address, run: PlannedRun, stored: Result) -> tuple[float, str]:
    """How far the score of ``run`` may lie from the stored one on another processor, and what that rests on.

    By the rules of ``analysis/reproduction.yml``, from stored runs alone.
    """
    rules = paths.facts("analysis/reproduction")
    scale = max(1.0, abs(addresses.scores_of(run, stored)[address.score]))
    if run.config.arch in BASELINES or isinstance(run, transfers.Transfer) and "f1" not in address.score:
        return rules["untrained"] * scale, "no network is trained"
    if isinstance(run, experiments.Run):
        rows = experiments.load(address.experiment).networks
        table = cells.cells(address.experiment, address.tier, address.score)
        samples = [one for (row, size), one in table.items() if row in rows and size == address.column and one.n > 1]
        if (degrees := sum(cell.n - 1 for cell in samples)) >= rules["least_degrees"]:
            sd = np.sqrt(sum((cell.n - 1) * cell.sd**2 for cell in samples) / degrees)
            return (float(stats.t.ppf((1 + rules["level"]) / 2, degrees) * sd * np.sqrt(2)),
                    f"{100 * rules['level']:g} % of differences of two runs whose SD is {sd:.3g}, {degrees} degrees of "
                    "freedom, that of this column")
    return rules["single"] * scale, "no other runs say how far this training scatters"
