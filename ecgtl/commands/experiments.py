"""Runs of experiments: ``run``, ``queue``, ``status``."""

import os
from collections import Counter
from functools import partial

from ecgtl.analysis import costs
from ecgtl.analysis.coverage import status_table
from ecgtl.errors import EcgtlError
from ecgtl.experiments import gpu, queue, runners


def run(experiment: str, tier: str, shard: str, rows: str, dry_run: bool, cores: int | None, nodes: str) -> None:
    """Make what is missing of an experiment; of ``shard`` k/n and ``rows`` with commas between alone.

    ``dry_run`` makes nothing and says what is missing and what it costs, on ``cores`` and on ``nodes`` (NODESxCORES).
    """
    chosen = tuple(filter(None, rows.split(",")))
    if dry_run:
        print("\n".join(_forecast(experiment, tier, _shard(shard), chosen, cores, nodes)))
    elif cores is not None or nodes:
        raise EcgtlError("--cores and --nodes go with --dry-run; add it, or leave them away")
    else:
        runners.run_missing(experiment, tier, _shard(shard), partial(print, flush=True), chosen)


def _forecast(experiment: str, tier: str, shard: tuple[int, int], rows: tuple[str, ...], cores: int | None,
              nodes: str) -> list[str]:
    """What is missing, what it waits for and what it costs."""
    n_cores = os.cpu_count() or 1 if cores is None else cores
    cluster = _cluster(nodes)
    if n_cores < 1:
        raise EcgtlError(f"--cores is {cores}; give 1 or more")
    n_runs, todo, waiting = runners.outstanding(experiment, tier, shard, rows)
    missing = [*todo, *waiting]
    return [f"{experiment}, tier {tier}: {n_runs} runs, {n_runs - len(missing)} done, {len(todo)} to do, "
            f"{len(waiting)} waiting",
            *(f"  {n} wait: {reason}" for reason, n in Counter(waiting.values()).items()),
            *costs.Forecast(experiment, tier).lines(missing, n_cores, cluster)]


def _cluster(text: str) -> tuple[int, int]:
    """``text`` is NODESxCORES; empty: the cluster of the costs page."""
    count, _, cores = text.partition("x")
    if text and not (count.isdecimal() and cores.isdecimal() and int(count) * int(cores)):
        raise EcgtlError(f"--nodes is {text!r}; write nodes x cores of each, e.g. 4x32")
    return (int(count), int(cores)) if text else tuple(costs.cluster().values())


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
    try:
        k, n = (int(part) for part in text.split("/"))
    except ValueError:
        k, n = 0, 0
    if not 1 <= k <= n:
        raise EcgtlError(f"shard is {text!r}; write k/n with 1 <= k <= n, e.g. 1/4")
    return k, n
