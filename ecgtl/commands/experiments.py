"""Runs of experiments: ``run``, ``queue``, ``status``."""

from functools import partial

from ecgtl.analysis.coverage import status_table
from ecgtl.errors import EcgtlError
from ecgtl.experiments import gpu, queue, runners


def run(experiment: str, tier: str, shard: str, rows: str, only: str, start: bool) -> None:
    """Make what is missing of an experiment: of ``shard`` k/n and ``rows`` with commas between alone; ``only`` one run,
    or what that starts from (``start``).
    """
    if only:
        queue.make_one(experiment, tier, only, start, partial(print, flush=True))
    else:
        chosen = tuple(filter(None, rows.split(",")))
        runners.run_missing(experiment, tier, _shard(shard), partial(print, flush=True), chosen)


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
