"""Which runs of a sweep are still to be made: what every ``run_missing`` begins with."""

from collections.abc import Callable, Sequence
from typing import TypeVar

Run = TypeVar("Run")


def to_do(title: str, runs: Sequence[Run], shard: tuple[int, int], is_missing: Callable[[Run], bool],
          report: Callable[[str], None], obstacle: Callable[[Run], str] = lambda run: "") -> list[Run]:
    """The runs of a shard that are missing and can be made, in their order; one line to ``report`` counts them.

    ``shard=(k, n)`` takes every n-th run from the k-th, for n processes side by side. ``obstacle`` says why a run
    cannot be made yet, empty where it can: such runs wait, and the line says for what.
    """
    chosen = runs[shard[0] - 1::shard[1]]
    missing = [(run, obstacle(run)) for run in chosen if is_missing(run)]
    todo = [run for run, reason in missing if not reason]
    waiting = [reason for _, reason in missing if reason]
    others = f" (and {len(set(waiting)) - 1} more reasons)" if len(set(waiting)) > 1 else ""
    report(f"{title}: {len(chosen)} runs, {len(todo)} to do" + (f"; {len(waiting)} wait: {waiting[0]}{others}" if waiting else ""))
    return todo
