"""Pretrainings that a table asks for, and those by seed that fine-tuning starts from: enumerate them, make one."""

from dataclasses import dataclass
from pathlib import Path

from ecgtl import results
from ecgtl.config import PretrainConfig, protocol, protocols
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint


@dataclass(frozen=True)
class Pretraining:
    """One pretraining of an experiment, under the name that ``experiments/*.yml`` gives it.

    ``seeded``: one of several seeds, whose weights are kept too; then ``name`` is what ``init`` finds them by.
    """

    experiment: str
    name: str
    config: PretrainConfig
    seeded: bool = False

    @property
    def key(self) -> str:
        """Name of its files."""
        return f"{self.name}-{self.config.tier}"

    @property
    def path(self) -> Path:
        """File of its result."""
        return results.path_of(self.experiment, self.key, self.config.tier)

    @property
    def weights(self) -> Path | None:
        """Where its checkpoint is written; None where it is not kept."""
        from ecgtl.finetune import weights_path

        return weights_path(self.name, self.config.arch, self.config.tier) if self.seeded else None


def names() -> tuple[str, ...]:
    """All experiments that are made of pretrainings."""
    return tuple(name for paper in protocols() for name in protocol(paper).get("pretrainings", {}))


def enumerate_runs(experiment: str, tier: str) -> list[Pretraining]:
    """Every pretraining of ``experiment`` in ``tier``, seed by seed, in the order of its file; none in a tier that it has not."""
    for paper in protocols():
        entry = protocol(paper).get("pretrainings", {}).get(experiment)
        if entry is not None:
            seeds = entry.get("seeds", dict.fromkeys(entry.get("tiers", ()), 1)).get(tier, 0)
            return [_pretraining(paper, experiment, entry, tier, name, seed) for seed in range(seeds) for name in entry["runs"]]
    raise EcgtlError(f"unknown experiment {experiment!r}; allowed: {', '.join(names())}")


def _pretraining(paper: str, experiment: str, entry: dict, tier: str, name: str, seed: int) -> Pretraining:
    """Of values that depend on the tier that of ``tier`` holds."""
    given = {key: value[tier] if isinstance(value, dict) else value for key, value in (entry["common"] | entry["runs"][name]).items()}
    config = PretrainConfig.of(protocol=paper, tier=tier, seed=seed, **given).resolved()
    return Pretraining(experiment, f"{name}-seed{seed}" if "seeds" in entry else name, config, "seeds" in entry)


def state(run: Pretraining) -> str:
    """``done``, ``missing``, or ``stale``: the stored result came from another config, or not from the checkpoint in its place.

    One whose checkpoint is not here is done: those by seed are not shipped.
    """
    body = results.done(run.path)
    if body is None:
        return "missing"
    replaced = run.seeded and run.weights.is_file() and checkpoint.checksum(run.weights) != body["data"]["weights"]["sha256"]
    return "done" if not replaced and results.same_config(body["config"], run.config, ("root", "device")) else "stale"


def is_missing(run: Pretraining) -> bool:
    """Whether the run is to be made: missing, stale, or without the weights that are to be kept."""
    return state(run) != "done" or run.seeded and not run.weights.is_file()


def obstacle(run: Pretraining) -> str:
    """Nothing: it starts from random weights."""
    return ""


def make(run: Pretraining, command: str) -> tuple[Path, str]:
    """Make the run and save it, with its weights where they are kept: the file of its result, and a line on it."""
    from ecgtl import pretrain

    made = pretrain.run(run.config, command=command, experiment=run.experiment, key=run.key)
    written = pretrain.save(made, run.weights)[1] if run.seeded else results.save(made.result)
    scores = made.result.scores
    scored = f"accuracy {scores['accuracy']:.3f}" if "accuracy" in scores else f"error {scores['mse_sum']:.0f}"
    return written, f"{run.key}: {scored} ({made.result.provenance['wall_seconds']:.0f} s)"
