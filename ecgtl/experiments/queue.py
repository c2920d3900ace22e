"""The queue: makes the runs of ``queue.yml`` in their order, by processes of one thread each, until a time is up.

A run is made by one process alone (``reservations``), saved as it ends, and gone on with from its last state file
where the time, a signal or a failure of the machine has ended it.
"""

import dataclasses
import os
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ecgtl import experiments, paths, processes, results
from ecgtl.config import QUEUE, seeded_experiments, source_experiments
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, runners, transfers
from ecgtl.experiments.run import known

HELD_TO = "AVX512_CORE_BF16"  # oneDNN's name of the instructions that every processor with ``avx512_bf16`` has
# Time grows with them
WORK = ("epochs", "fraction", "sampling_rate", "seconds", "width", "per_epoch", "per_subject", "windows", "records")
KIND = ("dataset", "objective", "source", "target", "frozen", "arch")  # runs that have these in common are alike
PAUSE = 5.0  # seconds until a run is asked for again whose start another process is making


@dataclasses.dataclass(frozen=True)
class Entry:
    """A run and its place in the order: ``item`` of the analysis plan, and ``processor`` that its cell is made on."""

    item: str
    processor: str
    run: runners.Run

    @property
    def start(self) -> runners.Run | None:
        """The run that makes the weights that this one starts from, where they are not available and can be made."""
        return start_of(self.run) if self.run.obstacle() else None

    def starting(self, start: runners.Run) -> "Entry":
        """``start``, made on the processor that the tier has for it, or with AMX as what starts from it."""
        return Entry(self.item, "amx" if self.processor == "amx" else _usual(start.config.tier), start)


def start_of(run: runners.Run, singles: bool = False) -> runners.Run | None:
    """The run that makes the weights that ``run`` starts from, also one of no experiment with ``singles``; None where
    none does.
    """
    config = run.config
    init = getattr(config, "init", "") or getattr(config, "source", "")
    arch = config.arch.removesuffix("_classifier")
    home = seeded_experiments().get(init.partition("-seed")[0]) or source_experiments().get(init)
    for one in runners.enumerate_runs(home, config.tier) if home else []:
        if one.config.arch == arch and init in (getattr(one, "name", None), getattr(one.config, "dataset", None)):
            return one
    return pretrainings.start(init, config.arch, config.tier) if singles else None


def order(tier: str) -> list[Entry]:
    """Every run of ``tier``, once, in the order of ``queue.yml``."""
    asked = paths.facts(f"experiments/{QUEUE}")[tier]
    found: dict[Path, Entry] = {}
    for part in asked["order"]:
        for name in runners.names() if part["experiment"] == "all" else [part["experiment"]]:
            item = f"item {part['item']}" if "item" in part else name
            for run in runners.enumerate_runs(name, tier):
                if _is_in(run, part):
                    found.setdefault(run.path, Entry(item, part.get("processor", asked["processor"]), run))
    return [*found.values()]


def _is_in(run: runners.Run, part: dict) -> bool:
    if not isinstance(run, experiments.Run):
        return True
    named = run.method in part.get("rows", [run.method]) and run.size in part.get("columns", [run.size])
    return named and run.number < part.get("runs", np.inf)


def work_off(tier: str, minutes: float | None = None, n_processes: int | None = None) -> None:
    """Make what is missing of ``tier`` and say what is left, before and after.

    No run is begun that should not end within ``minutes`` (all the time there is by default), and one that still runs
    then is stopped. ``n_processes`` side by side, one a core by default. A processor with AMX makes the runs that are
    made with AMX, where there are any left, else the others.
    """
    hold(order(tier))
    print("\n".join(left(tier)), flush=True)
    if minutes != 0:
        spread(partial(work, tier), minutes, n_processes)
        print("\n".join(left(tier)), flush=True)


def hold(entries: Iterable[Entry] = ()) -> None:
    """Keep a processor that has more to the instructions that results of tier ``reduced`` are made with, unless runs of
    ``entries`` are missing that are made with AMX.
    """
    with_amx = _has("amx") and any(entry.processor == "amx" and entry.run.is_missing() for entry in entries)
    if torch.cpu._is_avx512_bf16_supported() and not with_amx:
        os.environ["ONEDNN_MAX_CPU_ISA"] = HELD_TO


def spread(job: Callable[[float], None], minutes: float | None, n_processes: int | None) -> None:
    """``job(ends)`` by processes side by side, one a core by default; ``ends`` is when the time will be up."""
    ends = np.inf if minutes is None else time.time() + 60 * minutes
    processes.spread(job, [ends] * (n_processes or os.cpu_count() or 1), n_processes)


def work(tier: str, ends: float, takes: Callable[[runners.Run], bool] = lambda run: True,
         made: Callable[[runners.Run, Path, str], None] = lambda run, path, line: print(line, flush=True),
         estimate: type["Estimate"] | None = None) -> None:
    """What one process does: make the first run of the order that can be made now, again and again, until there is
    none.

    It ``takes`` these runs alone, and tells ``made`` the run, its file and a line on it; ``estimate`` in place of
    ``Estimate``.
    """
    torch.set_num_threads(1)
    failed: set[Path] = set()  # several experiments have runs of one key
    signal.signal(signal.SIGALRM, _time_is_up)
    try:
        if ends < np.inf:
            signal.setitimer(signal.ITIMER_REAL, max(ends - time.time(), 1e-3))
        while _make_next(tier, ends, failed, takes, made, (estimate or Estimate)(tier)):
            pass
        signal.setitimer(signal.ITIMER_REAL, 0)
    except TimeUp:
        print("the time is up; a run that was not finished goes on from its last state next time", flush=True)


class TimeUp(BaseException):
    """The queue's time is up: like KeyboardInterrupt, no mistake that anybody could mend."""


def _time_is_up(*_) -> None:
    raise TimeUp


def _make_next(tier: str, ends: float, failed: set[Path], takes, made, estimate: "Estimate") -> bool:
    """Make a run, or wait a little where one needs what another process is making; False when nothing is to do."""
    waits, entries = False, order(tier)
    unfit = _unfit(entries)
    for entry in entries:
        if not takes(entry.run) or not entry.run.is_missing() or unfit(entry):
            continue
        run = entry.start or entry.run
        if run.path in failed or not takes(run) or run.obstacle():
            continue
        if time.time() + sum(estimate.seconds(one) or 0 for one in {run, entry.run}) > ends:
            continue
        try:
            result = runners.make(run, f"python -m ecgtl run {run.experiment} --tier {tier}")
        except EcgtlError as error:
            failed.add(run.path)
            print(f"{run.key} failed: {error}", flush=True)
            continue
        if result:
            made(run, *result)
            return True
        waits |= run is not entry.run
    if waits:
        time.sleep(PAUSE)
    return waits


def left(tier: str) -> list[str]:
    """Lines that say how many runs of the order are left, by item, how long they take, and why some are not made by
    this machine.
    """
    estimate, entries, by_item = Estimate(tier), order(tier), defaultdict(list)
    unfit = _unfit(entries)
    for entry in entries:
        if entry.run.is_missing():
            by_item[entry.item].append(entry)
    todo = sum(map(len, by_item.values()))
    lines = [f"queue, tier {tier}: {len(entries) - todo} of {len(entries)} runs are done"]
    for item, group in by_item.items():
        starts = {start.path: start for entry in group if (start := entry.start)}
        seconds = [estimate.seconds(run) for run in (*starts.values(), *(entry.run for entry in group))]
        known, reasons = [one for one in seconds if one is not None], sorted({*map(unfit, group)} - {""})
        lines.append(f"  {item}: {len(group)} left" + (f" and {len(starts)} that they start from" if starts else "")
                     + (f", about {_words(sum(known))} on one core" if known else "")
                     + (f", unknown for {len(seconds) - len(known)} of them" if len(known) < len(seconds) else "")
                     + (f"; not made here: {'; '.join(reasons)}" if reasons else ""))
    if todo and estimate.error is not None:
        lines.append(f"  estimated from {estimate.n} finished runs; the median error of such an estimate is "
                     f"{100 * estimate.error:.0f} %")
    return lines


def _words(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def entries_of(runs: list[runners.Run], tier: str) -> list[Entry]:
    """Runs with the processor that the order has for them; what it has not is to be made on the tier's own."""
    ordered = {entry.run.path: entry.processor for entry in order(tier)}
    return [Entry("", ordered.get(run.path, _usual(tier)), run) for run in runs]


def make_one(experiment: str, tier: str, only: str, start: bool, report: Callable[[str], None] = print) -> None:
    """What one job of a sweep does: make the run ``only``, or the one it starts from (``start``), unless it is done.

    A process that is making it is waited for. Raises EcgtlError for a run that there is not, one that cannot start, and
    one that this machine is not to make, since its cell was begun with other instructions.
    """
    asked = known({address(run): run for run in runners.enumerate_runs(experiment, tier)}, only, "run")
    entry = entries_of([asked], tier)[0]
    run = start and start_of(asked, singles=True) or asked
    alike = [] if run.experiment == pretrainings.SINGLES else runners.enumerate_runs(run.experiment, tier)
    cell = entries_of([one for one in alike if cell_of(one) == cell_of(run)], tier)
    own = entry if run is asked else entry.starting(run)
    hold([own])
    while run.is_missing():
        if reason := run.obstacle() or _unfit([own, *cell])(own):
            raise EcgtlError(f"{address(run)} is not made here: {reason}")
        if made := runners.make(run, f"python -m ecgtl run {run.experiment} --tier {tier}"):
            return report(made[1])
        time.sleep(PAUSE)
    return None


def address(run: runners.Run) -> str:
    """A run as ``make_one`` is given it; runs of an experiment may be stored by others, under the same key."""
    return f"{run.home}/{run.key}"


def _unfit(entries: list[Entry]) -> Callable[[Entry], str]:
    """Why this machine is not to make the run of an entry, or weights it starts from; empty where it may. A cell's runs
    share the instructions they are made with, and lost weights are made again as they were.
    """
    made_with: dict[tuple, set[str]] = defaultdict(set)
    here = results.instructions()
    for entry in entries:
        made_with[cell_of(entry.run)] |= _instructions(entry.run, here)

    def reason(entry: Entry) -> str:
        if not _has(entry.processor):
            return ("that takes a GPU" if entry.processor == "cuda" else "that comes after the runs with AMX"
                    if here == "AMX" else f"that takes a processor with {entry.processor}")
        others = (made_with[cell_of(entry.run)] | _instructions(entry.run, here)) - {here}
        if others and entry.processor != "cuda":
            return f"other runs of the cell were made with {', '.join(others)}"
        return reason(entry.starting(start)) if (start := entry.start) else ""

    return reason


def _instructions(run: runners.Run, here: str) -> set[str]:
    """What a finished run was made with; ``here`` where it is an earlier one, which does not say."""
    return {found.provenance.get("instructions", here)} if (found := results.done(run.path)) else set()


def _usual(tier: str) -> str:
    """The processor that runs of a tier are made on where the order does not say."""
    return paths.facts(f"experiments/{QUEUE}")[tier]["processor"]


def cell_of(run: runners.Run) -> tuple:
    """What runs have in common whose results stand in one mean."""
    if isinstance(run, experiments.Run):
        return run.experiment, run.method, run.size
    number: dict = {"fold" if isinstance(run, transfers.Transfer) else "seed": 0}
    return run.experiment, dataclasses.replace(run.config, **number)


class Estimate:
    """How long runs of a tier take, from those that have been finished: their seconds for as much work, alike runs
    first.
    """

    def __init__(self, tier: str, device: str = ""):
        """``device``: of runs on this one alone."""
        self._paces: dict[tuple, list[float]] = defaultdict(list)
        every = [run for name in runners.names() for run in runners.enumerate_runs(name, tier)]
        finished = {run.path: (run, found.provenance["wall_seconds"]) for run in every
                    if (found := results.done(run.path)) and (not device or found.provenance["device"] == device)}
        for run, seconds in finished.values():
            for group in _groups(run):
                self._paces[group].append(seconds / _work_of(run))
        # Estimate / actual of each, estimated from the others
        self.ratios = {path: estimated / seconds for path, (run, seconds) in finished.items()
                       if (estimated := self.seconds(run, seconds))}
        errors = [abs(ratio - 1) for ratio in self.ratios.values()]
        self.n, self.error = len(finished), float(np.median(errors)) if errors else None

    def seconds(self, run: runners.Run, own: float | None = None) -> float | None:
        """Median of alike runs, scaled to the work of ``run``; ``own`` seconds of it are left out. None where nobody
        can know.
        """
        for group in _groups(run):
            paces = list(self._paces[group])
            if own is not None:
                paces.remove(own / _work_of(run))
            if paces:
                return float(np.median(paces)) * _work_of(run)
        return None


def _groups(run: runners.Run) -> list[tuple]:
    """Runs alike, the closest first: of one kind, data and network, then of one kind."""
    config = dataclasses.asdict(run.config)
    told = (type(run), *(bool(config.get(name)) for name in WORK))  # so many windows tell nothing of all that there are
    return [(*told, *(config.get(name) for name in KIND)), (*told, config["arch"], config.get("frozen"))]


def _work_of(run: runners.Run) -> float:
    """What the time of alike runs is proportional to, as far as the config says it."""
    return float(np.prod([value for name in WORK if (value := getattr(run.config, name, None))]))


def _has(processor: str) -> bool:
    """Whether this machine, as it is held, is one of those that ``queue.yml`` names."""
    amx = results.instructions() == "AMX"
    return {"any": True, "amx": amx, "avx512_bf16": torch.cpu._is_avx512_bf16_supported() and not amx,
            "cuda": torch.cuda.is_available()}[processor]
