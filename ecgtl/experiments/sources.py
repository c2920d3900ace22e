"""Checkpoints whose transferability is measured: enumerate them, train one and keep its weights."""

import dataclasses
from pathlib import Path

from ecgtl import results
from ecgtl.config import FinetuneConfig, protocol, starts
from ecgtl.experiments.run import PlannedRun, entries, known
from ecgtl.jobs import finetune

# oneDNN takes the widest instructions that a processor has, and they round differently
SAME_BITS = ("Made on a processor with other instructions? ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 keeps one with AMX to "
             "those that the shipped results were made with")


@dataclasses.dataclass(frozen=True)
class Source(PlannedRun):
    """One network trained on one data set; its checkpoint is found by data set, network and tier."""

    experiment: str
    config: FinetuneConfig

    @property
    def key(self) -> str:
        """Name of its files."""
        return f"{self.config.dataset}-{self.config.arch}-{self.config.tier}"

    @property
    def weights(self) -> Path:
        """Where its checkpoint is written."""
        return starts.weights_path(self.config.dataset, self.config.arch, self.config.tier)

    def execute(self, command: str) -> results.Result:
        """Train the network."""
        return finetune.run(self.config, self.experiment, self.key, command=command)

    def make(self, command: str) -> tuple[Path, str]:
        """Train the network and keep its weights."""
        earlier = results.done(self.path)
        config = dataclasses.replace(self.config, save_weights=str(self.weights))
        result = finetune.run(config, self.experiment, self.key, command=command)
        result.data["weights"] = {"file": self.weights.name, "sha256": starts.checksum(self.weights)}
        line = self.line(result)
        if earlier and earlier.data["weights"]["sha256"] != result.data["weights"]["sha256"]:
            line += ("\n  its weights are not those that the stored result had: what started from them is stale. "
                     f"{SAME_BITS}")
        return results.save(result), line

    def words(self, result: results.Result) -> str:
        """The score."""
        return f"weighted F1 {result.scores['weighted_f1']:.3f}"


def names() -> tuple[str, ...]:
    """All experiments that are made of source checkpoints."""
    return tuple(entries("sources"))


def enumerate_runs(experiment: str, tier: str) -> list[Source]:
    """Every source of ``experiment`` in ``tier``, in the order of its file."""
    paper, entry = known(entries("sources"), experiment)
    same = {"protocol": paper, "tier": tier, "on_bad": "skip", "lead": protocol(paper).lead[tier],
            "learning_rate": entry["learning_rate"].get(tier)}
    sizes = entry["batch_size"].get(tier, {})
    planned = [{"dataset": dataset, "arch": arch, "batch_size": sizes.get(dataset, {}).get(arch)}
               for dataset in entry["datasets"][tier] for arch in entry["archs"]]
    return [Source(experiment, FinetuneConfig.of(**same, **own).resolved()) for own in planned]
