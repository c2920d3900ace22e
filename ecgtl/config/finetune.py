"""Parameters of fine-tuning, and of showing a data set, which reads it as fine-tuning would."""

import dataclasses
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import ClassVar

from ecgtl.config import protocols, starts
from ecgtl.config.parameters import Parameters, Planned
from ecgtl.config.protocols import ALL_LEADS, BASELINES, INITS, TRANSFERS, UNSET, Protocol, init_word, protocol
from ecgtl.datasets.splits import check_fraction
from ecgtl.errors import EcgtlError
from ecgtl.models import MODELS, PREACTIVATED, checkpoint
from ecgtl.signals.preparation import Input

TRAINED = "width variant epochs batch_size learning_rate patience precision"  # parameters of networks alone


@dataclasses.dataclass(frozen=True)
class Reading(Parameters):
    """Which recordings are read, and how."""

    # name of a data set; ``folder``: recordings of one's own
    dataset: str = "cinc2017"
    # where it lies (default: ``ECGTL_DATA``); for ``folder`` the folder itself
    root: str = ""
    # label file of a ``folder``
    labels: str = ""
    # what stands between several labels of a record there
    labels_separator: str = ""
    # Hz, of files there that do not say theirs, such as a CSV
    rate: float = 0.0
    # mV, uV, nV or V, of files there that do not say theirs
    unit: str = ""
    # lead by name or index, or ``all``
    lead: str | int = 0
    # error or skip, for recordings that cannot be used
    on_bad: str = "error"


@dataclasses.dataclass(frozen=True)
class FinetuneConfig(Reading):
    """Parameters of one fine-tuning run. ``None`` means: as the protocol's table has it for the tier."""

    NOTEBOOK: ClassVar[str] = "finetune"

    # whose split, stopping and selection rules hold; ``auto``: the paper that ``init`` or ``dataset`` belongs to
    protocol: str = "auto"
    # starting weights: a word, with the details of another configuration where they differ (``beat-frame512``) or of
    # one of several pretrainings (``beat-seed3``), the data set of a source (``cpsc2018``), or a checkpoint's path
    init: str = "random"
    # network or baseline (``auto``: the protocol's own)
    arch: str = "auto"
    # share of the training set that is used
    fraction: float = 1.0
    # on what: demo reads a synthetic twin, reduced and paper real recordings
    tier: str = "demo"
    # random seed of split, order and weights
    seed: int = 0
    # of the input, in Hz
    sampling_rate: float = UNSET
    # length of the input in seconds
    seconds: float = UNSET
    # channels of the stem
    width: int = UNSET
    # where a paper's text and its authors' code differ: of an autoencoder's encoder; of a residual network's blocks
    # (text: activation in front, code: behind); and of MELEP's inputs (text: resampled, code: every k-th sample)
    variant: str = UNSET
    # epochs at most
    epochs: int = UNSET
    # recordings of a batch
    batch_size: int = UNSET
    # learning rate of Adam
    learning_rate: float = UNSET
    # epochs without improvement after which it stops
    patience: int = UNSET
    # where to compute
    device: str = "auto"
    # numbers to compute with
    precision: str = "auto"
    # file to write the validated weights to
    save_weights: str = ""

    def resolved(self) -> "FinetuneConfig":
        """The same config with every ``None`` and ``auto`` replaced by the protocol's value for the tier."""
        paper, arch = self._paper_and_arch()
        if (self.init == "image") != (arch == "googlenet") and arch not in BASELINES:
            raise EcgtlError(f"init={self.init} does not go with arch={arch}: image features come from googlenet, and "
                             "from it alone; use init=image with arch=auto and protocol=auto")
        return self.filled(protocol(paper).tier(arch, self.tier) | {"protocol": paper, "arch": arch})

    def plan(self) -> "Plan":
        """What a job takes: this config resolved, with the rules that hold."""
        return Plan(self.resolved())

    @property
    def n_samples(self) -> int:
        """Samples of the input: ``seconds`` at ``sampling_rate`` (both resolved)."""
        return round(self.seconds * self.sampling_rate)

    @property
    def input_protocol(self) -> str:
        """The protocol that makes the inputs: ``protocol``, or the network's own paper where that is across papers."""
        return protocol(self.protocol).papers.get(self.arch, self.protocol)

    def _paper_and_arch(self) -> tuple[str, str]:
        """Where none is named, the paper is that of the source, Jang's for its arms and data set, else Weimann's."""
        paper, word = self.protocol, init_word(self.init)
        if paper == "auto":
            jang = word in ("cae", "image") or self.dataset == "shaoxing"
            paper = TRANSFERS if word in protocols.source_experiments() else "jang2021" if jang else "weimann2021"
        usual = protocol(paper).arch
        return paper, usual.get(word, usual["random"]) if self.arch == "auto" else self.arch

    def _ignored(self, alone: bool = False) -> Iterator[tuple[str, str]]:
        yield from super()._ignored(alone)
        paper, arch = self._paper_and_arch()
        if arch in BASELINES:
            yield "save_weights", f"arch={arch} has none; leave it away"
        rules = protocol(protocol(paper).papers.get(arch, paper)).input
        variants = arch in (*PREACTIVATED, "cae_classifier") or rules.decimate
        unused = {f"init {TRAINED}": arch in BASELINES, "width": arch == "googlenet", "variant": not variants,
                  "sampling_rate seconds": arch in BASELINES and rules.standardise == "dataset"}
        if alone:
            yield from ((names, f"arch={arch} does not look at it; leave it away") for names in unused if unused[names])

    @classmethod
    def words(cls) -> dict[str, tuple[str, ...]]:
        """``protocol`` and ``arch`` may be ``auto``."""
        networks = [name for name in MODELS if name != "cae"]
        return {"protocol": ("auto", *protocols.protocols()), "arch": ("auto", *networks, *BASELINES)}

    def _check(self) -> None:
        check_fraction(self.fraction)
        if not init_word(self.init) and not self.init.endswith(".safetensors"):
            known = ", ".join((*INITS, *protocols.source_experiments()))
            raise EcgtlError(f"unknown init {self.init!r}; allowed: {known}, or the path of a .safetensors checkpoint")
        if self.save_weights and not self.save_weights.endswith(".safetensors"):
            raise EcgtlError(f"save_weights is {self.save_weights!r}; give the path of a .safetensors file to write")
        if self.seconds and self.sampling_rate and self.n_samples > checkpoint.MAX_SAMPLES:
            raise EcgtlError(f"seconds is {self.seconds:g}, at {self.sampling_rate:g} Hz more than the "
                             f"{checkpoint.MAX_SAMPLES} samples that an input may have; give fewer")
        if self.dataset == "folder" and self.tier != "demo" and not self.root:
            raise EcgtlError("dataset=folder needs root: the folder of your recordings; give root=/path/to/records")


@dataclasses.dataclass(frozen=True)
class RecordingsConfig(Reading):
    """Parameters of the notebook that shows a data set."""

    # on what: demo reads a synthetic twin, reduced and paper real recordings
    tier: str = "demo"
    # length of the strips that are drawn, in seconds
    seconds: float = 8.0

    def plan(self) -> "Plan":
        """The fine-tuning that would read the same recordings."""
        return FinetuneConfig.of(protocol="weimann2021", **dataclasses.asdict(self)).plan()

    def _check(self) -> None:
        self.plan()


@dataclasses.dataclass(frozen=True)
class Plan(Planned):
    """What a ``FinetuneConfig`` has been resolved to: the ``config`` without ``None`` or ``auto``, and what follows
    from it alone.
    """

    config: FinetuneConfig

    @cached_property
    def rules(self) -> Protocol:
        """The protocol whose split, stopping and selection rules hold."""
        return protocol(self.config.protocol)

    @cached_property
    def inputs(self) -> Input:
        """How inputs are made."""
        return protocol(self.config.input_protocol).input_of(self.config.variant)

    @cached_property
    def start(self) -> Path | None:
        """File of the starting weights, None for random ones. Raises EcgtlError when it is not available."""
        init, arch, tier = self.config.init, self.config.arch, self.config.tier
        return None if arch in BASELINES else starts.starting_weights(init, arch, tier)

    @cached_property
    def start_facts(self) -> checkpoint.CheckpointFacts | None:
        """What the starting checkpoint says of itself; None of random weights and of image features."""
        return checkpoint.load(self.start)[1] if self.start and self.config.init != "image" else None

    @cached_property
    def loader_options(self) -> dict:
        """What the protocol asks of the data set's loader: which view of its labels, which leads."""
        lead, options = self.config.lead, dict(self.rules.datasets.get(self.config.dataset, {}))
        if lead == ALL_LEADS or (lead != 0 and not isinstance(lead, str)):
            options.pop("leads", None)  # an index other than the default counts the recordings' own leads
        elif "leads" in options and isinstance(lead, str):
            options["leads"] = [lead]
        return options
