"""Runs of experiments: ``run``, ``queue``, ``status``."""

import os
from collections import Counter
from functools import partial

from ecgtl.analysis import costs
from ecgtl.analysis.coverage import status_table
from ecgtl.errors import EcgtlError
from ecgtl.experiments import gpu, queue, runners


def run(experiment: str, tier: str, shard: str, rows: str, only: str, start: bool, dry_run: bool, cores: int | None,
        nodes: list[int] | None) -> None:
    """Make what is missing of an experiment: of ``shard`` k/n and ``rows`` with commas between alone; ``only`` one run,
    or what that starts from (``start``).

    ``dry_run`` makes nothing and says what is missing and what it costs, on ``cores`` and on ``nodes`` of so many.
    """
    chosen = tuple(filter(None, rows.split(",")))
    asked = [n for n in (cores, *(nodes or ())) if n is not None]
    if asked and (min(asked) < 1 or not dry_run):
        raise EcgtlError(f"--cores is {cores} and --nodes {nodes}; give both from 1, and with --dry-run alone")
    if (start and not only) or (only and (dry_run or rows or shard != "1/1")):
        raise EcgtlError("--start is for --only, and that goes with none of --dry-run, --rows, --shard; leave one away")
    if only:
        queue.make_one(experiment, tier, only, start, partial(print, flush=True))
        return
    if not dry_run:
        runners.run_missing(experiment, tier, _shard(shard), partial(print, flush=True), chosen)
        return
    n_runs, missing = runners.outstanding(experiment, tier, _shard(shard), chosen)
    waiting = Counter(filter(None, missing.values()))
    print(f"{experiment}, tier {tier}: {n_runs} runs, {n_runs - len(missing)} done, "
          f"{len(missing) - waiting.total()} to do, {waiting.total()} waiting",
          *(f"  {n} wait: {reason}" for reason, n in waiting.items()),
          *costs.Forecast(experiment, tier).lines([*missing], cores or os.cpu_count() or 1, nodes), sep="\n")


def work_off(tier: str, minutes: float | None, processes: int | None, out: str | None) -> None:
    """Make what is missing of all experiments, within ``minutes``."""
    if not (minutes is None or 0 <= minutes < 1e6) or not (processes is None or processes >= 1):
        raise EcgtlError(f"--minutes is {minutes} and --processes {processes}; give minutes from 0 and "
                         "processes from 1")
    (partial(gpu.work_off, out) if out else queue.work_off)(tier, minutes, processes)


def status() -> None:
    """Print what has been run of every experiment."""
    print(status_table())


def _shard(text: str) -> tuple[int, int]:
    k, _, n = text.partition("/")
    if not (k.isdecimal() and n.isdecimal() and 1 <= int(k) <= int(n)):
        raise EcgtlError(f"shard is {text!r}; write k/n with 1 <= k <= n, e.g. 1/4")
    return int(k), int(n)
