"""Pretrainings that a table asks for beside the checkpoints: enumerate them, run what is missing, keep the results."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ecgtl import results
from ecgtl.config import PretrainConfig, protocol, protocols
from ecgtl.errors import EcgtlError
from ecgtl.experiments.missing import to_do
from ecgtl.experiments.reservations import make_each


@dataclass(frozen=True)
class Pretraining:
    """One pretraining of an experiment, under the name that ``experiments/*.yml`` gives it."""

    experiment: str
    name: str
    config: PretrainConfig

    @property
    def key(self) -> str:
        """Name of its files."""
        return f"{self.name}-{self.config.tier}"

    @property
    def path(self) -> Path:
        """File of its result."""
        return results.path_of(self.experiment, self.key, self.config.tier)


def names() -> tuple[str, ...]:
    """All experiments that are made of pretrainings."""
    return tuple(name for paper in protocols() for name in protocol(paper).get("pretrainings", {}))


def enumerate_runs(experiment: str, tier: str) -> list[Pretraining]:
    """Every pretraining of ``experiment`` in ``tier``, in the order of its file; none in a tier that it has not."""
    for paper in protocols():
        entry = protocol(paper).get("pretrainings", {}).get(experiment)
        if entry is not None:
            chosen = entry["runs"] if tier in entry["tiers"] else {}
            return [Pretraining(experiment, name, PretrainConfig.of(
                protocol=paper, tier=tier, **entry["common"] | own).resolved()) for name, own in chosen.items()]
    raise EcgtlError(f"unknown experiment {experiment!r}; allowed: {', '.join(names())}")


def state(run: Pretraining) -> str:
    """``done``, ``missing``, or ``stale`` when the stored result came from another config."""
    body = results.done(run.path)
    if body is None:
        return "missing"
    return "done" if results.same_config(body["config"], run.config, ("root", "device")) else "stale"


def run_missing(experiment: str, tier: str, shard: tuple[int, int] = (1, 1),
                report: Callable[[str], None] = print) -> list[Path]:
    """Run every missing or stale pretraining; each result is saved as it ends, its weights are not.

    ``shard=(k, n)`` takes every n-th from the k-th. Returns the files written.
    """
    from ecgtl import pretrain

    todo = to_do(f"{experiment}, tier {tier}", enumerate_runs(experiment, tier), shard, lambda run: state(run) != "done", report)

    def make(run: Pretraining) -> tuple[Path, str]:
        made = pretrain.run(run.config, command=f"python -m ecgtl run {experiment} --tier {tier}", experiment=experiment, key=run.key)
        return results.save(made.result), (f"{run.key}: error {made.result.scores['mse_sum']:.0f} "
                                           f"({made.result.provenance['wall_seconds']:.0f} s)")

    return make_each(todo, lambda run: state(run) != "done", make, report)
