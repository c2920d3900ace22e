"""Parameters of the training of a classifier that is shipped, and where the shipped ones lie."""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ecgtl import results
from ecgtl.config.finetune import FinetuneConfig, Plan
from ecgtl.config.parameters import Parameters, Planned
from ecgtl.config.probe import PROBE
from ecgtl.config.protocols import protocol
from ecgtl.config.starts import SHIPPED

FILE = "model.safetensors"


@dataclass(frozen=True)
class ClassifierConfig(Parameters):
    """Parameters of the training of a classifier that is shipped: an ensemble of networks, RR intervals, or both."""

    # which of those that ``experiments/probe.yml`` describes
    name: str = "cinc2017-rhythm"
    # networks whose mean probability is taken
    members: int = 5
    # on what: demo reads a synthetic twin, reduced real recordings
    tier: str = "demo"
    # where to compute
    device: str = "auto"

    def plan(self) -> "ClassifierPlan":
        """What a job takes."""
        return ClassifierPlan(self)

    @classmethod
    def words(cls) -> dict[str, tuple[str, ...]]:
        """The classifiers that are described."""
        return {"name": tuple(protocol(PROBE).classifiers), "tier": ("demo", "reduced")}


@dataclass(frozen=True)
class ClassifierPlan(Planned):
    """A ``ClassifierConfig`` and what follows from it alone."""

    config: ClassifierConfig

    @cached_property
    def members(self) -> list[Plan]:
        """The fine-tuning of each network; all have the split of the first."""
        entry = protocol(PROBE).classifiers[self.config.name]
        return [self._plan(seed=seed, **entry["finetune"]) for seed in range(self.config.members)]

    @cached_property
    def foreign(self) -> dict[str, tuple[Plan, str]]:
        """Data sets that it is tried on, as it was trained; and what one of their classes is called there: data set ->
        plan and name.
        """
        entry = protocol(PROBE).classifiers[self.config.name]
        lead = entry["finetune"].get("lead", 0)
        return {dataset: (self._plan(dataset=dataset, lead=lead, on_bad="skip"), name)
                for dataset, name in entry["foreign"].items()} if self.config.tier != "demo" else {}

    @property
    def atrial_fibrillation(self) -> str:
        """What the class is called that is looked for on foreign data sets."""
        return protocol(PROBE).classifiers[self.config.name]["atrial_fibrillation"]

    @property
    def known(self) -> dict:
        """Facts that the recordings do not say of themselves."""
        entry = protocol(PROBE).classifiers[self.config.name]
        return {"name": self.config.name} | {name: entry[name] for name in ("leads",) if name in entry}

    def _plan(self, **given) -> Plan:
        return FinetuneConfig.of(protocol=PROBE, tier=self.config.tier, device=self.config.device, **given).plan()


def folder_of(name: str, tier: str = "reduced") -> Path:
    """The folder of a classifier: with the package, or in the demo's ignored one."""
    return (results.folder(tier) / "weights" if tier == "demo" else SHIPPED) / name


def shipped() -> dict[str, Path]:
    """The files of the classifiers that come with the package, by name."""
    return {file.parent.name: file for file in sorted(SHIPPED.glob(f"*/{FILE}"))}
