"""Pretrainings that a table asks for, and those by seed that fine-tuning starts from: enumerate them, make one."""

from dataclasses import dataclass
from pathlib import Path

from ecgtl import results
from ecgtl.config import PretrainConfig
from ecgtl.config.protocols import INITS, init_word
from ecgtl.config.starts import pretraining_parameters, weights_path
from ecgtl.experiments.run import PlannedRun, entries, known
from ecgtl.jobs import pretrain

SINGLES = "pretrain"  # what is stored under this name belongs to no experiment


@dataclass(frozen=True)
class Pretraining(PlannedRun):
    """One pretraining of an experiment, under the name that ``experiments/*.yml`` gives it.

    ``seeded``: its weights are kept too, as those of several seeds are; then ``name`` is what ``init`` finds them by.
    """

    experiment: str
    name: str
    config: PretrainConfig
    seeded: bool = False

    INCIDENTAL = ("root", "device")

    @property
    def key(self) -> str:
        """Name of its files."""
        return f"{self.name}-{self.config.tier}"

    @property
    def weights(self) -> Path | None:
        """Where its checkpoint is written; None where it is not kept."""
        return weights_path(self.name, self.config.arch, self.config.tier) if self.seeded else None

    def execute(self, command: str) -> results.Result:
        """Pretrain."""
        return self._pretrained(command).result

    def _pretrained(self, command: str) -> pretrain.Pretrained:
        return pretrain.run(self.config, command=command, experiment=self.experiment, key=self.key)

    def make(self, command: str) -> tuple[Path, str]:
        """Pretrain, and keep the weights where they are to be kept."""
        made = self._pretrained(command)
        written = pretrain.save(made, self.weights)[1] if self.seeded else results.save(made.result)
        scores = made.result.scores
        words = f"accuracy {scores['accuracy']:.3f}" if "accuracy" in scores else f"error {scores['mse_sum']:.0f}"
        return written, self.line(made.result, words)


class Single(Pretraining):
    """A pretraining of no experiment, as the notebook makes them: its ``name`` tells all of its config."""

    @property
    def key(self) -> str:
        """Name of its files."""
        return self.name

    @property
    def weights(self) -> Path | None:
        """Where its checkpoint is written, if runs are to start from it."""
        return pretrain.weights_file(self.config) if self.seeded else None


def start(init: str, arch: str, tier: str) -> Single | None:
    """The pretraining of no experiment that makes the checkpoint that ``init`` stands for; None where there is none."""
    if init_word(init) not in INITS or init in ("random", "image") or "-seed" in init:
        return None
    config = PretrainConfig.of(tier=tier, **pretraining_parameters(init, arch)).resolved()
    return Single(SINGLES, pretrain.key_of(config), config, seeded=True)


def single(file: Path) -> Single:
    """The pretraining of no experiment whose result is stored in ``file``."""
    return Single(SINGLES, file.stem, PretrainConfig.of(**results.read(file).config))


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
        """Of values that depend on the tier that of ``tier`` holds."""
        given = entry["common"] | entry["runs"][name]
        given = {key: value[tier] if isinstance(value, dict) else value for key, value in given.items()}
        config = PretrainConfig.of(protocol=paper, tier=tier, seed=seed, **given).resolved()
        return Pretraining(experiment, f"{name}-seed{seed}" if "seeds" in entry else name, config, "seeds" in entry)

    return [planned(name, seed) for seed in range(seeds) for name in entry["runs"]]
