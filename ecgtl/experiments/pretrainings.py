"""Pretrainings that a table asks for, and those by seed that fine-tuning starts from: enumerate them, make one."""

from dataclasses import dataclass
from pathlib import Path

from ecgtl import results
from ecgtl.config import INITS, PretrainConfig, init_word, starts
from ecgtl.experiments.run import PlannedRun, entries, known, of_tier
from ecgtl.jobs import pretrain

SINGLES = "pretrain"  # what is stored under this name belongs to no experiment


@dataclass(frozen=True)
class Pretraining(PlannedRun):
    """One pretraining of an experiment, under the name that ``experiments/*.yml`` gives it.

    ``seeded``: its weights are kept too, as those of several seeds are; then ``name`` is what ``init`` finds them by.
    Of no experiment are those that the notebook makes (``SINGLES``): their ``name`` tells all of the config.
    """

    experiment: str
    name: str
    config: PretrainConfig
    seeded: bool = False

    INCIDENTAL = ("root", "device")

    @property
    def key(self) -> str:
        """Name of its files."""
        return self.name if self.experiment == SINGLES else f"{self.name}-{self.config.tier}"

    @property
    def weights(self) -> Path | None:
        """Where its checkpoint is written; None where it is not kept."""
        file = (pretrain.weights_file(self.config) if self.experiment == SINGLES else
                starts.weights_path(self.name, self.config.arch, self.config.tier))
        return file if self.seeded else None

    def execute(self, command: str) -> results.Result:
        """Pretrain."""
        return pretrain.run(self.config, command=command, experiment=self.experiment, key=self.key).result

    def make(self, command: str) -> tuple[Path, str]:
        """Pretrain, and keep the weights where they are to be kept."""
        if not self.seeded:
            return super().make(command)
        made = pretrain.run(self.config, command=command, experiment=self.experiment, key=self.key)
        return pretrain.save(made, self.weights)[1], self.line(made.result)

    def words(self, result: results.Result) -> str:
        """Accuracy or error."""
        scores = result.scores
        return f"accuracy {scores['accuracy']:.3f}" if "accuracy" in scores else f"error {scores['mse_sum']:.0f}"


def start(init: str, arch: str, tier: str) -> Pretraining | None:
    """The pretraining of no experiment that makes the checkpoint that ``init`` stands for; None where there is none."""
    if init_word(init) not in INITS or init in ("random", "image") or "-seed" in init:
        return None
    config = PretrainConfig.of(tier=tier, **starts.pretraining_parameters(init, arch)).resolved()
    return Pretraining(SINGLES, pretrain.key_of(config), config, seeded=True)


def single(file: Path) -> Pretraining:
    """The pretraining of no experiment whose result is stored in ``file``."""
    return Pretraining(SINGLES, file.stem, PretrainConfig.of(**results.read(file).config))


def names() -> tuple[str, ...]:
    """All experiments that are made of pretrainings."""
    return tuple(entries("pretrainings"))


def enumerate_runs(experiment: str, tier: str) -> list[Pretraining]:
    """Every pretraining of ``experiment`` in ``tier``, seed by seed, in the order of its file; none in a tier that it
    has not.
    """
    paper, entry = known(entries("pretrainings"), experiment)
    seeds = entry.get("seeds", dict.fromkeys(entry.get("tiers", ()), 1)).get(tier, 0)

    def planned(name: str, seed: int) -> Pretraining:
        given = of_tier(entry["common"] | entry["runs"][name], tier)
        config = PretrainConfig.of(protocol=paper, tier=tier, seed=seed, **given).resolved()
        return Pretraining(experiment, f"{name}-seed{seed}" if "seeds" in entry else name, config, "seeds" in entry)

    return [planned(name, seed) for seed in range(seeds) for name in entry["runs"]]
