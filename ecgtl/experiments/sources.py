"""Checkpoints whose transferability is measured: enumerate them, train one and keep its weights."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from ecgtl import results
from ecgtl.config import FinetuneConfig, protocol, protocols
from ecgtl.errors import EcgtlError
from ecgtl.experiments.run import PlannedRun
from ecgtl.models import checkpoint

# oneDNN takes the widest instructions that a processor has, and they round differently
SAME_BITS = ("Made on a processor with other instructions? ONEDNN_MAX_CPU_ISA=AVX512_CORE_BF16 keeps one with AMX to those that "
             "the shipped results were made with")

checksum = results.while_unchanged(checkpoint.checksum)


@dataclass(frozen=True)
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
        from ecgtl.finetune import weights_path

        return weights_path(self.config.dataset, self.config.arch, self.config.tier)

    @property
    def stored_checksum(self) -> str | None:
        """SHA-256 of the checkpoint that a stored result speaks of; None without one."""
        body = results.done(self.path)
        return body and body["data"]["weights"]["sha256"]

    def is_current(self, body: dict) -> bool:
        """Whether the checkpoint in its place is its own. One that is not here is: it may have been too large to ship."""
        return not self.weights.is_file() or checksum(self.weights) == self.stored_checksum

    def is_missing(self) -> bool:
        """Weights that are not here count as missing."""
        return super().is_missing() or not self.weights.is_file()

    def make(self, command: str) -> tuple[Path, str]:
        """Train the network and keep its weights."""
        from ecgtl import finetune

        earlier = self.stored_checksum
        config = dataclasses.replace(self.config, save_weights=str(self.weights))
        result = finetune.run(config, self.experiment, self.key, command=command)
        result.data["weights"] = {"file": self.weights.name, "sha256": checksum(self.weights)}
        line = f"{self.key}: weighted F1 {result.scores['weighted_f1']:.3f} ({result.provenance['wall_seconds']:.0f} s)"
        if earlier not in (None, result.data["weights"]["sha256"]):
            line += f"\n  its weights are not those that the stored result had: what started from them is stale. {SAME_BITS}"
        return results.save(result), line


def names() -> tuple[str, ...]:
    """All experiments that are made of source checkpoints."""
    return tuple(name for paper in protocols() for name in protocol(paper).get("sources", {}))


def enumerate_runs(experiment: str, tier: str) -> list[Source]:
    """Every source of ``experiment`` in ``tier``, in the order of its file."""
    for paper in protocols():
        entry = protocol(paper).get("sources", {}).get(experiment)
        if entry is not None:
            return [Source(experiment, _config(paper, entry, tier, dataset, arch))
                    for dataset in entry["datasets"][tier] for arch in entry["archs"]]
    raise EcgtlError(f"unknown experiment {experiment!r}; allowed: {', '.join(names())}")


def _config(paper: str, entry: dict, tier: str, dataset: str, arch: str) -> FinetuneConfig:
    own = {"learning_rate": entry["learning_rate"].get(tier),
           "batch_size": entry["batch_size"].get(tier, {}).get(dataset, {}).get(arch)}
    return FinetuneConfig.of(dataset=dataset, protocol=paper, arch=arch, tier=tier, on_bad="skip",
                             lead=protocol(paper)["lead"][tier], **own).resolved()
