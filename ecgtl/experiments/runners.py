"""All experiments, whatever kind of runs they are made of; and ``run_missing``, which makes what one lacks."""

from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType

from ecgtl import experiments
from ecgtl.errors import EcgtlError, enough_memory
from ecgtl.experiments import pretrainings, sources, transfers
from ecgtl.experiments.reservations import reserved
from ecgtl.experiments.run import known

RUNNERS = (experiments, pretrainings, sources, transfers)
Run = experiments.Run | pretrainings.Pretraining | sources.Source | transfers.Transfer


def of(experiment: str) -> ModuleType:
    """The module of an experiment, with ``names`` and ``enumerate_runs``.

    An unknown experiment is an EcgtlError with the allowed names.
    """
    return known({name: runner for runner in RUNNERS for name in runner.names()}, experiment)


def names() -> tuple[str, ...]:
    """All experiments of all kinds."""
    return tuple(name for runner in RUNNERS for name in runner.names())


def enumerate_runs(experiment: str, tier: str) -> list[Run]:
    """Every run of an experiment in ``tier``. Do not change the list."""
    return of(experiment).enumerate_runs(experiment, tier)


def run_missing(experiment: str, tier: str, shard: tuple[int, int] = (1, 1), report: Callable[[str], None] = print,
                rows: Sequence[str] = ()) -> list[Path]:
    """Make every run of ``experiment`` that is missing or stale and whose starting weights are there; each is saved
    as it ends.

    ``shard=(k, n)`` takes every n-th run from the k-th, for n processes side by side; ``rows`` these rows of a table
    alone. Runs that another process is making are left to it. One that fails is reported and the others go on, unless a
    second fails for the same reason; at the end EcgtlError names the first. Returns the files written. Raises
    EcgtlError for a row that the experiment has not.
    """
    n_runs, missing = outstanding(experiment, tier, shard, rows)
    todo, waiting = [run for run, reason in missing.items() if not reason], [*filter(None, missing.values())]
    others = f" (and {len(set(waiting)) - 1} more reasons)" if len(set(waiting)) > 1 else ""
    report(f"{experiment}, tier {tier}: {n_runs} runs, {len(todo)} to do"
           + (f"; {len(waiting)} wait: {waiting[0]}{others}" if waiting else ""))
    command = f"python -m ecgtl run {experiment} --tier {tier}" + (f" --rows {','.join(rows)}" if rows else "")
    written, failed = [], {}
    for place, run in enumerate(todo, start=1):
        try:
            made = make(run, command)
        except EcgtlError as error:
            if str(error) in failed:
                raise
            failed[str(error)] = run.key
            report(f"[{place}/{len(todo)}] {run.key} failed: {error}")
            continue
        if made:
            written.append(made[0])
            report(f"[{place}/{len(todo)}] {made[1]}")
    if elsewhere := len(todo) - len(written) - len(failed):
        report(f"{elsewhere} left to other processes, which have made them or are making them")
    if failed:
        message, key = next(iter(failed.items()))
        raise EcgtlError(f"{len(failed)} of {len(todo)} runs of {experiment} failed; the first, {key}: {message}")
    return written


def outstanding(experiment: str, tier: str, shard: tuple[int, int] = (1, 1),
                rows: Sequence[str] = ()) -> tuple[int, dict[Run, str]]:
    """How many runs are asked for, as in ``run_missing``, and the missing ones, each with what it waits for; nothing
    where it can be made now.
    """
    runs = chosen(experiment, tier, rows)[shard[0] - 1::shard[1]]
    return len(runs), {run: run.obstacle() for run in runs if run.is_missing()}


def make(run: Run, command: str) -> tuple[Path, str] | None:
    """Make a run and save it: its file, and a line on it. None where another process is making it, or has made it by
    now.
    """
    with reserved(run.path) as ours, enough_memory():
        return run.make(command) if ours and run.is_missing() else None


def chosen(experiment: str, tier: str, rows: Sequence[str] = (), columns: Sequence[str] = ()) -> list[Run]:
    """Runs of these ``rows`` and ``columns`` of a table; all of them where none are named. Do not change the list.

    Raises EcgtlError for a row or column that the experiment has not.
    """
    runs = enumerate_runs(experiment, tier)
    if not rows and not columns:
        return runs
    if of(experiment) is not experiments:
        raise EcgtlError(f"--rows is for tables of fine-tuning runs; {experiment} is run whole, or in shards")
    table = experiments.load(experiment)
    allowed = {"row": table.methods, "column": tuple(map(str, table.columns))}
    for what, asked in (("row", rows), ("column", columns)):
        if unknown := [one for one in asked if one not in allowed[what]]:
            raise EcgtlError(f"{experiment} has no {what} {unknown[0]!r}; allowed, with commas between: "
                             f"{', '.join(allowed[what])}")
    rows, columns = rows or allowed["row"], columns or allowed["column"]
    return [run for run in runs if isinstance(run, experiments.Run) and run.method in rows and str(run.size) in columns]
