"""Parameters of one fold of the transferability experiment."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ecgtl.config.finetune import FinetuneConfig, Plan
from ecgtl.config.parameters import Parameters, Planned
from ecgtl.config.protocols import TRANSFERS, UNSET, protocol
from ecgtl.config.starts import stored_weights
from ecgtl.errors import EcgtlError
from ecgtl.models import MODELS, checkpoint


@dataclass(frozen=True)
class TransferConfig(Parameters):
    """Parameters of one fold of the transferability experiment. ``None`` means: as its protocol has it for the tier."""

    # data set of the checkpoint that is scored and then fine-tuned
    source: str = "cpsc2018"
    # network of the checkpoint
    arch: str = "resnet1d101"
    # data set that the task is drawn out of
    target: str = "ptbxl"
    # where the target lies (default: ``ECGTL_DATA``)
    root: str = ""
    # lead by name or index, or ``all``
    lead: str | int = UNSET
    # on what: demo reads a synthetic twin, reduced and paper real recordings
    tier: str = "demo"
    # number of the task, and seed of everything that is drawn
    fold: int = 0
    # labels of a task at least
    fewest: int = 2
    # labels of a task at most
    most: int = 5
    # names of the labels with commas between (default: they are drawn)
    label_set: str = ""
    # recordings of the task
    records: int = UNSET
    # share of the recordings in the test set
    test: float = UNSET
    # share of the others in the validation set
    validation: float = UNSET
    # epochs of the fine-tuning
    epochs: int = UNSET
    # recordings of a batch
    batch_size: int = UNSET
    # learning rate of Adam
    learning_rate: float = UNSET
    # where to compute
    device: str = "auto"
    # numbers to compute with
    precision: str = "auto"

    def resolved(self) -> "TransferConfig":
        """The same config with every ``None`` replaced by the protocol's value for the tier."""
        rules, own = protocol(TRANSFERS), protocol(TRANSFERS).transfers
        shares = {"records": own.records[self.tier], "test": own.test, "validation": own.validation}
        return self.filled(rules.tier(self.arch, self.tier) | {"lead": rules.lead[self.tier]} | shares)

    def plan(self) -> "TransferPlan":
        """What a job takes: this config resolved, with what follows from it."""
        return TransferPlan(self.resolved())

    @classmethod
    def words(cls) -> dict[str, tuple[str, ...]]:
        """``arch`` is a network."""
        return {"arch": tuple(MODELS)}

    def _ignored(self, alone: bool = False) -> Iterator[tuple[str, str]]:
        yield from super()._ignored(alone)
        if alone and self.label_set:
            yield "fewest most", f"label_set={self.label_set} names the labels; leave it away"

    def _check(self) -> None:
        if self.most < self.fewest:
            raise EcgtlError(f"most is {self.most} and fewest {self.fewest}; a task has at least as many labels at "
                             "most as at least")


@dataclass(frozen=True)
class TransferPlan(Planned):
    """What a ``TransferConfig`` has been resolved to: the ``config`` without ``None``, its checkpoint and its
    fine-tuning.
    """

    config: TransferConfig

    @cached_property
    def start(self) -> Path:
        """File of the source checkpoint; EcgtlError saying how to make it when it is not available."""
        config = self.config
        path = stored_weights(config.source, config.arch, config.tier)
        if path is None:
            raise EcgtlError(f"there is no checkpoint of {config.arch} trained on {config.source} in tier "
                             f"{config.tier} yet; make it with 'python -m ecgtl run melep2023-sources --tier "
                             f"{config.tier}'")
        return path

    @cached_property
    def start_facts(self) -> checkpoint.CheckpointFacts:
        """What the source checkpoint says of itself."""
        return checkpoint.load(self.start)[1]

    @cached_property
    def tuning(self) -> Plan:
        """The fine-tuning of the checkpoint on the whole target: reading, inputs and network are its own."""
        names = ("root", "lead", "arch", "tier", "epochs", "batch_size", "learning_rate", "precision")
        same = {name: getattr(self.config, name) for name in names}
        inputs = {name: getattr(self.start_facts, name) for name in ("sampling_rate", "seconds", "width", "variant")}
        return FinetuneConfig.of(dataset=self.config.target, on_bad="skip", protocol=TRANSFERS, init=str(self.start),
                                 seed=self.config.fold, **same, **inputs).plan()

    @cached_property
    def reading(self) -> Plan:
        """The target as its protocol reads it, whatever the checkpoint."""
        return FinetuneConfig.of(dataset=self.config.target, on_bad="skip", protocol=TRANSFERS, tier=self.config.tier,
                                 lead=self.config.lead, root=self.config.root).plan()
