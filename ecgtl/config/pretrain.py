"""Parameters of pretraining."""

import math
from dataclasses import dataclass
from typing import ClassVar

from ecgtl.config.parameters import Parameters, Planned
from ecgtl.config.protocols import OBJECTIVES, UNSET, Pretraining, pretraining_protocols, protocol
from ecgtl.datasets import LOADERS
from ecgtl.errors import EcgtlError
from ecgtl.models import STAGES

# Parameters of some objectives alone
OWNED = {("windows", "highpass", "features"): ("reconstruction",),
         ("frame", "per_epoch", "subjects", "minutes"): OBJECTIVES[1:],
         ("context", "negatives", "offset", "negatives_from"): ("future",)}


@dataclass(frozen=True)
class PretrainConfig(Parameters):
    """Parameters of one pretraining. ``None`` and ``auto`` mean: as the protocol's pretraining table has it."""

    NOTEBOOK: ClassVar[str] = "pretrain"

    # what is learnt
    objective: str = "reconstruction"
    # whose table holds (``auto``: the paper that the objective is from)
    protocol: str = "auto"
    # names of databases with commas between
    sources: str = UNSET
    # where they lie (default: ``ECGTL_DATA``)
    root: str = ""
    # error or skip, for what in them cannot be used
    on_bad: str = "error"
    # network
    arch: str = "auto"
    # details of the network, where the paper's text and its code differ
    variant: str = UNSET
    # size of the autoencoder's bottleneck
    features: int = 60
    # on what: demo reads synthetic twins, reduced and paper real recordings
    tier: str = "demo"
    # random seed of division, order and weights
    seed: int = 0
    # samples of a frame at the table's ``frame_rate``, whatever the rate it is drawn at; not of reconstruction
    frame: int = UNSET
    # frames before the future; this and the next three of future prediction alone
    context: int = UNSET
    # candidates beside the future
    negatives: int = UNSET
    # frames between context and future
    offset: int = UNSET
    # whom negatives are drawn from
    negatives_from: str = UNSET
    # share of the subjects in the validation set
    validation: float = UNSET
    # share of the subjects in the test set
    test: float = UNSET
    # windows a subject at most, or frames drawn a subject and epoch
    per_subject: int = UNSET
    # frames an epoch of the training set in its place, evenly over the subjects however many there are
    per_epoch: int = UNSET
    # subjects of the training set that are learnt from, drawn from it by database (default: all); not of reconstruction
    subjects: int = UNSET
    # minutes of each subject, from the start (default: all there are); not of reconstruction
    minutes: float = UNSET
    # windows of the training set at most, drawn from it; of reconstruction alone
    windows: int = UNSET
    # cutoff in Hz of the baseline filter (0: no filter); of reconstruction alone
    highpass: float = UNSET
    # of the input, in Hz
    sampling_rate: float = UNSET
    # length of the input in seconds
    seconds: float = UNSET
    # channels of the stem
    width: int = UNSET
    # epochs at most
    epochs: int = UNSET
    # windows or frames of a batch
    batch_size: int = UNSET
    # learning rate of Adam
    learning_rate: float = UNSET
    # epochs without improvement after which it stops
    patience: int = UNSET
    # where to compute
    device: str = "auto"
    # numbers to compute with
    precision: str = "auto"

    def resolved(self) -> "PretrainConfig":
        """The same config with every ``None`` and ``auto`` replaced by the protocol's value for the tier."""
        rules, tier = self.rules, self.rules.tiers[self.tier]
        own = ("sources", "arch", "validation", "test")
        table = {"protocol": self.paper, "highpass": protocol(self.paper).input.highpass,
                 **{name: getattr(rules, name) for name in own}, **rules.objectives[self.objective], **tier,
                 **tier.get("objectives", {}).get(self.objective, {})}
        frame, per_epoch = self.frame or table.get("frame"), self.per_epoch or table.get("per_epoch")
        table |= {"seconds": frame / rules.frame_rate} if frame else {}
        table |= {"per_subject": None} if per_epoch else {}
        return self.filled(table)

    def plan(self) -> Planned:
        """What a job takes: this config resolved."""
        return Planned(self.resolved())

    @property
    def source_names(self) -> tuple[str, ...]:
        """The names in ``sources``."""
        return tuple(name.strip() for name in self.sources.split(","))

    @property
    def paper(self) -> str:
        """The protocol that holds, by the objective where it is ``auto``."""
        return pretraining_protocols()[self.objective] if self.protocol == "auto" else self.protocol

    @property
    def rules(self) -> Pretraining:
        """The pretraining table of the protocol."""
        return protocol(self.paper).pretraining

    @classmethod
    def words(cls) -> dict[str, tuple[str, ...]]:
        """``protocol`` and ``arch`` may be ``auto``."""
        papers = dict.fromkeys(pretraining_protocols().values())
        return {"protocol": ("auto", *papers), "arch": ("auto", "cae", *STAGES)}

    def _check(self) -> None:
        unknown = [name for name in (self.source_names if self.sources else ()) if name not in LOADERS]
        if unknown:
            raise EcgtlError(f"unknown source {unknown[0]!r}; allowed, with commas between: {', '.join(LOADERS)}")
        self._check_objective()
        if self.per_epoch is not None and self.per_subject is not None:
            raise EcgtlError(f"per_epoch is {self.per_epoch} and per_subject {self.per_subject}; give one of them")
        if self.highpass is not None and not 0 <= self.highpass < math.inf:
            raise EcgtlError(f"highpass is {self.highpass}; give a cutoff in Hz, or 0 for no filter")
        if (self.validation or 0) + (self.test or 0) >= 1:
            raise EcgtlError(f"validation={self.validation} and test={self.test} leave nothing to train on; give less "
                             "than 1 together")

    def _check_objective(self) -> None:
        """Network, protocol and parameters must be those of the objective."""
        networks = ("cae",) if self.objective == "reconstruction" else tuple(STAGES)
        if self.arch not in ("auto", *networks):
            raise EcgtlError(f"objective={self.objective} does not go with arch={self.arch}; allowed: "
                             f"{', '.join(networks)}")
        if self.objective not in self.rules.objectives:
            raise EcgtlError(f"protocol={self.protocol} has no objective {self.objective!r}; allowed: "
                             f"{', '.join(self.rules.objectives)}; or leave protocol=auto")
        for names, owners in OWNED.items():
            given = [name for name in names if getattr(self, name) != getattr(PretrainConfig, name)]
            if given and self.objective not in owners:
                raise EcgtlError(f"{given[0]} does not go with objective={self.objective}; it belongs to "
                                 f"{', '.join(owners)}")
        rate = self.rules.frame_rate
        if self.objective != "reconstruction" and self.seconds not in (None, self.frame and self.frame / rate):
            raise EcgtlError(f"seconds is {self.seconds}; give frame, in samples at {rate} Hz, for "
                             f"objective={self.objective}")
