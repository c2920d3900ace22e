"""Typed, validated parameters of a run. Every default lives here; what a tier means stands in ``experiments/*.yml``.

papermill's parameters, the command line, sweeps and tests all end in ``of(...)`` of a class below; a notebook's
parameters are the fields of its class.
"""

import dataclasses
import difflib
import math
import shlex
import types
import typing
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Self

import yaml

from ecgtl import paths
from ecgtl.datasets import LOADERS
from ecgtl.datasets.collector import check_policy
from ecgtl.errors import EcgtlError
from ecgtl.models import MODELS, PREACTIVATED, STAGES
from ecgtl.splits import check_fraction
from ecgtl.transferability import WEIGHTINGS

EXPERIMENTS = paths.PACKAGE / "experiments"
QUEUE = "queue"  # the file there that is no protocol: the order of all runs
TIERS = ("demo", "reduced", "paper")
INITS = ("random", "cae", "image", "beat", "rhythm", "heart_rate", "future")
ALL_LEADS = "all"
BASELINES = ("majority", "rr_boosting")  # trivial classifiers, run and stored like networks
OBJECTIVES = ("reconstruction", "beat", "rhythm", "heart_rate", "future")
NEGATIVES_FROM = ("data", "patient")  # of future prediction
VARIANTS = ("code", "text")  # where a paper's text and its authors' code differ
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16")
TRANSFERS = "melep2023"  # the protocol of the transferability experiment
PAPER_PARAMETERS = ("sampling_rate", "seconds", "width", "epochs", "batch_size", "learning_rate", "patience")
TRAINED = "width variant epochs batch_size learning_rate patience precision"  # parameters of networks alone


class Parameters:
    """What all configs share: made from named values, checked for unknown names, types and allowed values."""

    NOTEBOOK: ClassVar[str]  # the job whose parameters these are, for those that are run by command

    @classmethod
    def of(cls, **parameters) -> Self:
        """A validated config from named parameters. Raises EcgtlError naming what is allowed."""
        allowed = {f.name: f.type for f in dataclasses.fields(cls)}
        unknown = sorted(set(parameters) - set(allowed))
        if unknown:
            close = difflib.get_close_matches(unknown[0], allowed, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise EcgtlError(f"unknown parameter {unknown[0]!r}; {hint}allowed: {', '.join(allowed)}")
        config = cls(**{name: _typed(name, value, allowed[name]) for name, value in parameters.items()})
        config._check()
        config._refuse(config._ignored())
        return config

    @classmethod
    def from_notebook(cls, namespace: dict[str, Any]) -> Self:
        """A validated config from a notebook's ``globals()``: papermill itself only warns of a misspelt name.

        It is refused what its network would ignore, too, and a lead of the twin of a folder: the runs of a table share their
        parameters, and code that reads the twin knows what it does.
        """
        plain = (str, int, float, bool, list, type(None))
        config = cls.of(**{name: value for name, value in namespace.items()
                           if not name.startswith("_") and name not in ("In", "Out") and isinstance(value, plain)})
        config._refuse(config._ignored(alone=True))
        return config

    @property
    def label_names(self) -> tuple[str, ...]:
        """The names in ``label_set``, for those that have one."""
        return tuple(word.strip() for word in self.label_set.split(",") if word.strip())

    def command(self) -> str:
        """The shell command that makes this run: every parameter that differs from its default."""
        changed = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default}
        given = "".join(f" -p {name} {shlex.quote(str(value))}" for name, value in changed.items() if name != "root")
        return f"papermill notebooks/{self.NOTEBOOK}.ipynb out.ipynb{given}" + (" -p root ..." if changed.get("root") else "")

    def _check(self) -> None:
        """Raise EcgtlError for a value that the fields' types admit but a run does not."""

    def _refuse(self, ignored: Iterable[tuple[str, str]]) -> None:
        """Raise EcgtlError for a parameter without effect that differs from its default."""
        defaults = {f.name: f.default for f in dataclasses.fields(self)}
        for names, why in ignored:
            given = [name for name in names.split() if name in defaults and getattr(self, name) != defaults[name]]
            if given:
                raise EcgtlError(f"{given[0]} is {getattr(self, given[0])!r}, which would have no effect: {why}")

    def _ignored(self, alone: bool = False) -> Iterator[tuple[str, str]]:
        """Parameters without effect, and why, with the remedy; more of them in a run that is asked for ``alone``."""
        dataset = getattr(self, "dataset", "")
        if getattr(self, "tier", "") == "demo":
            own = " lead" if alone and dataset == "folder" and self.lead != ALL_LEADS else ""
            yield f"root labels labels_separator{own}", "tier demo reads a synthetic twin; for real data pass -p tier reduced"
        if dataset != "folder":
            yield "labels labels_separator", "it belongs to dataset=folder (-p dataset folder -p root /path/to/records)"


@dataclass(frozen=True)
class _Reading(Parameters):
    """Which recordings are read, and how; ``FinetuneConfig`` says what each parameter means."""

    dataset: str = "cinc2017"
    root: str = ""
    labels: str = ""
    labels_separator: str = ""
    lead: str | int = 0
    on_bad: str = "error"


@dataclass(frozen=True)
class FinetuneConfig(_Reading):
    """Parameters of one fine-tuning run. ``None`` means: as the protocol's table has it for the tier.

    ``dataset`` what to classify; ``root`` where it lies (default ``ECGTL_DATA``; for ``folder`` the folder itself);
    ``labels`` label file of a ``folder``, ``labels_separator`` what stands between several labels of a record there; ``lead``
    name, index or ``all``; ``on_bad`` error or skip; ``protocol`` whose split, stopping and selection rules hold (``auto``:
    the paper that ``init`` or ``dataset`` belongs to); ``init`` starting weights: a word, with the details of another
    configuration where they differ (``beat-frame512``) or of one of several pretrainings (``beat-seed3``), the data set of a
    source (``cpsc2018``), or a checkpoint's path;
    ``arch`` network or trivial baseline (``auto``: the protocol's own); ``fraction`` share of the training part that is used;
    ``tier`` demo, reduced or paper; ``seed`` of split, order and weights; ``sampling_rate`` Hz and ``seconds`` of the input;
    ``width`` channels of the stem; ``variant`` of an autoencoder's encoder, and of a residual network's blocks (text:
    activation in front, code: behind), and of MELEP's inputs (text: resampled, code: every k-th sample);
    ``epochs`` at most; ``batch_size`` recordings; ``learning_rate`` of Adam; ``patience`` epochs; ``device`` auto, cpu
    or cuda; ``precision`` auto, float32 or bfloat16; ``save_weights`` file to write the validated weights to.
    """

    NOTEBOOK: ClassVar[str] = "finetune"

    protocol: str = "auto"
    init: str = "random"
    arch: str = "auto"
    fraction: float = 1.0
    tier: str = "demo"
    seed: int = 0
    sampling_rate: float | None = None
    seconds: float | None = None
    width: int | None = None
    variant: str | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    patience: int | None = None
    device: str = "auto"
    precision: str = "auto"
    save_weights: str = ""

    def resolved(self) -> "FinetuneConfig":
        """The same config with every ``None`` and ``auto`` replaced by the protocol's value for the tier."""
        paper, arch = self._paper_and_arch()
        rules = protocol(paper)
        tier = {"variant": None} | _tier_of(rules, arch, self.tier)
        missing = {name: tier[name] for name in ("variant", *PAPER_PARAMETERS) if getattr(self, name) is None}
        if (self.init == "image") != (arch == "googlenet") and arch not in BASELINES:
            raise EcgtlError(f"init={self.init} does not go with arch={arch}: image features come from googlenet, and from it "
                             "alone; use init=image with arch=auto and protocol=auto")
        return FinetuneConfig.of(**dataclasses.asdict(self) | missing | {"protocol": paper, "arch": arch})

    def _paper_and_arch(self) -> tuple[str, str]:
        paper = _protocol_for(self.init, self.dataset) if self.protocol == "auto" else self.protocol
        usual = protocol(paper)["arch"]
        return paper, usual.get(init_word(self.init), usual["random"]) if self.arch == "auto" else self.arch

    def _ignored(self, alone: bool = False) -> Iterator[tuple[str, str]]:
        yield from super()._ignored(alone)
        paper, arch = self._paper_and_arch()
        if arch in BASELINES:
            yield "save_weights", f"arch={arch} has none; leave it away"
        rules = protocol(protocol(paper).get("papers", {}).get(arch, paper))["input"]
        variants = arch in (*PREACTIVATED, "cae_classifier") or "decimate" in rules
        unused = {f"init {TRAINED}": arch in BASELINES, "width": arch == "googlenet", "variant": not variants,
                  "sampling_rate seconds": arch in BASELINES and rules["standardise"] == "dataset"}
        if alone:
            yield from ((names, f"arch={arch} does not look at it; leave it away") for names in unused if unused[names])

    @property
    def n_samples(self) -> int:
        """Samples of the input: ``seconds`` at ``sampling_rate`` (both resolved)."""
        return round(self.seconds * self.sampling_rate)

    @property
    def input_protocol(self) -> str:
        """The protocol that makes the inputs: ``protocol``, or the network's own paper where that one is across papers."""
        return protocol(self.protocol).get("papers", {}).get(self.arch, self.protocol)

    def _check(self) -> None:
        _check_choices(self, _choices() | {"variant": (None, *VARIANTS)})
        check_fraction(self.fraction)
        check_policy(self.on_bad)
        if not init_word(self.init) and not self.init.endswith(".safetensors"):
            raise EcgtlError(f"unknown init {self.init!r}; allowed: {', '.join((*INITS, *source_experiments()))}, or the path "
                             "of a .safetensors checkpoint")
        if self.save_weights and not self.save_weights.endswith(".safetensors"):
            raise EcgtlError(f"save_weights is {self.save_weights!r}; give the path of a .safetensors file to write")
        if self.dataset == "folder" and self.tier != "demo" and not self.root:
            raise EcgtlError("dataset=folder needs root: the folder of your WFDB records (-p root /path/to/records)")
        _check_positive(self, ("sampling_rate", "seconds", "learning_rate"), ("width", "epochs", "batch_size", "patience"))


@dataclass(frozen=True)
class PretrainConfig(Parameters):
    """Parameters of one pretraining. ``None`` and ``auto`` mean: as the protocol's pretraining table has it.

    ``objective`` what is learnt; ``protocol`` whose table holds (``auto``: the paper that the objective is from);
    ``sources`` names of databases with commas between; ``root`` where they lie; ``on_bad`` error or skip, for what in them
    cannot be used; ``arch`` network and ``variant`` its
    details (code, text); ``features`` size of the autoencoder's bottleneck; ``tier``; ``seed``; ``validation`` and
    ``test`` shares of the subjects; ``per_subject`` windows a subject at most, or frames drawn a subject and epoch;
    ``per_epoch`` frames an epoch of the training part in its place, evenly over the subjects however many there are;
    the rest as in ``FinetuneConfig``.

    Reconstruction alone: ``windows`` of the training part at most, drawn from it; ``highpass`` cutoff in Hz of the
    baseline filter (0: no filter). Frames of long recordings: ``frame`` samples at the table's ``frame_rate``,
    whatever the rate they are drawn at. Future prediction alone: ``context`` frames, ``negatives`` candidates beside
    the future, ``offset`` frames between, ``negatives_from`` whom negatives are drawn from (data, patient).
    """

    NOTEBOOK: ClassVar[str] = "pretrain"

    objective: str = "reconstruction"
    protocol: str = "auto"
    sources: str | None = None
    root: str = ""
    on_bad: str = "error"
    arch: str = "auto"
    variant: str | None = None
    features: int = 60
    tier: str = "demo"
    seed: int = 0
    frame: int | None = None
    context: int | None = None
    negatives: int | None = None
    offset: int | None = None
    negatives_from: str | None = None
    validation: float | None = None
    test: float | None = None
    per_subject: int | None = None
    per_epoch: int | None = None
    windows: int | None = None
    highpass: float | None = None
    sampling_rate: float | None = None
    seconds: float | None = None
    width: int | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    patience: int | None = None
    device: str = "auto"
    precision: str = "auto"

    @property
    def source_names(self) -> tuple[str, ...]:
        """The names in ``sources``."""
        return tuple(name.strip() for name in self.sources.split(","))

    @property
    def paper(self) -> str:
        """The protocol that holds, by the objective where it is ``auto``."""
        return _pretraining_protocols()[self.objective] if self.protocol == "auto" else self.protocol

    @property
    def rules(self) -> dict:
        """The pretraining table of the protocol."""
        return protocol(self.paper)["pretraining"]

    def resolved(self) -> "PretrainConfig":
        """The same config with every ``None`` and ``auto`` replaced by the protocol's value for the tier."""
        rules, tier = self.rules, self.rules["tiers"][self.tier]
        values = {"protocol": self.paper, "highpass": protocol(self.paper)["input"]["highpass"],
                  **{name: value for name, value in rules.items() if name in ("sources", "arch", "validation", "test")},
                  **rules["objectives"][self.objective], **tier, **tier.get("objectives", {}).get(self.objective, {})}
        given = {name: value for name, value in dataclasses.asdict(self).items() if value not in (None, "auto")}
        known = {f.name: values.get(f.name, f.default) for f in dataclasses.fields(self)} | given
        if known["frame"] is not None:
            known["seconds"] = known["frame"] / rules["frame_rate"]
        if known["per_epoch"] is not None and self.per_subject is None:
            known["per_subject"] = None
        return PretrainConfig.of(**known)

    def _check(self) -> None:
        papers = _pretraining_protocols()
        choices = {"objective": OBJECTIVES, "protocol": ("auto", *dict.fromkeys(papers.values())),
                   "arch": ("auto", "cae", *STAGES), "variant": (None, *VARIANTS), "tier": TIERS, "device": DEVICES,
                   "precision": PRECISIONS, "negatives_from": (None, *NEGATIVES_FROM)}
        _check_choices(self, choices)
        check_policy(self.on_bad)
        unknown = [name for name in (self.source_names if self.sources else ()) if name not in LOADERS]
        if unknown:
            raise EcgtlError(f"unknown source {unknown[0]!r}; allowed, with commas between: {', '.join(LOADERS)}")
        _check_positive(self, ("sampling_rate", "seconds", "learning_rate"),
                        ("width", "epochs", "batch_size", "patience", "features", "per_subject", "per_epoch", "windows", "frame",
                         "context", "negatives"))
        self._check_objective()
        if self.per_epoch is not None and self.per_subject is not None:
            raise EcgtlError(f"per_epoch is {self.per_epoch} and per_subject {self.per_subject}; give one of them")
        if self.highpass is not None and not 0 <= self.highpass < math.inf:
            raise EcgtlError(f"highpass is {self.highpass}; give a cutoff in Hz, or 0 for no filter")
        if (self.validation or 0) + (self.test or 0) >= 1:
            raise EcgtlError(f"validation={self.validation} and test={self.test} leave nothing to train on; give less than 1 "
                             "together")

    def _check_objective(self) -> None:
        """Network, protocol and parameters must be those of the objective."""
        networks = ("cae",) if self.objective == "reconstruction" else tuple(STAGES)
        if self.arch not in ("auto", *networks):
            raise EcgtlError(f"objective={self.objective} does not go with arch={self.arch}; allowed: {', '.join(networks)}")
        if self.objective not in self.rules["objectives"]:
            raise EcgtlError(f"protocol={self.protocol} has no objective {self.objective!r}; allowed: "
                             f"{', '.join(self.rules['objectives'])}; or leave protocol=auto")
        for names, owners in ((("windows", "highpass", "features"), ("reconstruction",)), (("frame", "per_epoch"), OBJECTIVES[1:]),
                              (("context", "negatives", "offset", "negatives_from"), ("future",))):
            given = [name for name in names if getattr(self, name) != getattr(PretrainConfig, name)]
            if given and self.objective not in owners:
                raise EcgtlError(f"{given[0]} does not go with objective={self.objective}; it belongs to {', '.join(owners)}")
        own = None if self.frame is None else self.frame / self.rules["frame_rate"]
        if self.objective != "reconstruction" and self.seconds not in (None, own):
            raise EcgtlError(f"seconds is {self.seconds}; give frame, in samples at {self.rules['frame_rate']} Hz, for "
                             f"objective={self.objective}")


@lru_cache
def _pretraining_protocols() -> dict[str, str]:
    """Objective -> the protocol whose pretraining table lists it."""
    return {objective: paper for paper in protocols() if "pretraining" in protocol(paper)
            for objective in protocol(paper)["pretraining"]["objectives"]}


@dataclass(frozen=True)
class RecordingsConfig(_Reading):
    """Parameters of the notebook that shows a data set: see ``FinetuneConfig`` for those of the same name.

    ``seconds`` is the length of the strips that are drawn.
    """

    tier: str = "demo"
    seconds: float = 8.0

    def _check(self) -> None:
        FinetuneConfig.of(protocol="weimann2021", **dataclasses.asdict(self))


@dataclass(frozen=True)
class TransferConfig(Parameters):
    """Parameters of one fold of the transferability experiment. ``None`` means: as its protocol has it for the tier.

    ``source`` data set and ``arch`` network of the checkpoint that is scored and then fine-tuned; ``target`` data set
    that the task is drawn out of; ``root`` where it lies and ``lead`` as in ``FinetuneConfig``; ``tier``; ``fold`` number of the
    task, and seed of everything that is drawn; ``fewest`` and ``most`` labels of a task, or ``label_set``, their names with
    commas between; ``records`` of the task; ``test`` share of them, ``validation`` share of the others; ``epochs``,
    ``batch_size``, ``learning_rate``, ``device`` and ``precision`` of the fine-tuning as in ``FinetuneConfig``.
    """

    source: str = "cpsc2018"
    arch: str = "resnet1d101"
    target: str = "ptbxl"
    root: str = ""
    lead: str | int | None = None
    tier: str = "demo"
    fold: int = 0
    fewest: int = 2
    most: int = 5
    label_set: str = ""
    records: int | None = None
    test: float | None = None
    validation: float | None = None
    epochs: int | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    device: str = "auto"
    precision: str = "auto"

    def resolved(self) -> "TransferConfig":
        """The same config with every ``None`` replaced by the protocol's value for the tier."""
        rules = protocol(TRANSFERS)
        own, tier = rules["transfers"], _tier_of(rules, self.arch, self.tier)
        values = tier | {"lead": rules["lead"][self.tier], "records": own["records"][self.tier], "test": own["test"],
                         "validation": own["validation"]}
        missing = {name: values[name] for name, value in dataclasses.asdict(self).items() if value is None}
        return TransferConfig.of(**dataclasses.asdict(self) | missing)

    def _check(self) -> None:
        _check_choices(self, {"source": tuple(LOADERS), "target": tuple(LOADERS), "arch": tuple(MODELS), "tier": TIERS,
                              "device": DEVICES, "precision": PRECISIONS})
        _check_positive(self, ("learning_rate",), ("records", "epochs", "batch_size", "fewest"))
        if self.most < self.fewest:
            raise EcgtlError(f"most is {self.most} and fewest {self.fewest}; a task has at least as many labels at most as at least")


@dataclass(frozen=True)
class ScoreConfig(_Reading):
    """Parameters of scoring how well a checkpoint should transfer to a target, without any training.

    ``checkpoint`` a path, or data set and network of a stored one (``cpsc2018-resnet1d101``); ``dataset``, ``root``, ``labels``,
    ``labels_separator``, ``lead`` and ``on_bad`` say what the target is, as in ``FinetuneConfig``; ``tier`` demo takes its
    twin; ``label_set`` names of its labels with commas between (all by default); ``records`` at most, drawn with ``seed``;
    ``weighting`` of MELEP's labels; ``resamples`` of the recordings, which the interval comes from.
    """

    NOTEBOOK: ClassVar[str] = "score_transfer"

    checkpoint: str = "cpsc2018-resnet1d101"
    dataset: str = "ptbxl"
    on_bad: str = "skip"
    tier: str = "demo"
    label_set: str = ""
    records: int | None = None
    weighting: str = "published"
    resamples: int = 200
    seed: int = 0

    def _check(self) -> None:
        FinetuneConfig.of(dataset=self.dataset, root=self.root, on_bad=self.on_bad, tier=self.tier, seed=self.seed)
        _check_choices(self, {"weighting": WEIGHTINGS})
        _check_positive(self, (), ("records", "resamples"))


def _check_choices(config: Any, choices: dict[str, tuple[str | None, ...]]) -> None:
    for name, allowed in choices.items():
        if getattr(config, name) not in allowed:
            raise EcgtlError(f"unknown {name} {getattr(config, name)!r}; allowed: {', '.join(filter(None, allowed))}")


@dataclass(frozen=True)
class SectionConfig(Parameters):
    """Parameters of a section notebook: ``tier`` whose results it shows; ``best`` is the best evidence there is."""

    tier: str = "best"

    def _check(self) -> None:
        _check_choices(self, {"tier": ("best", *TIERS)})


def init_word(init: str) -> str:
    """The word in ``init``: itself, or what stands before the details (``beat`` of ``beat-frame512``); else empty."""
    word = init.partition("-")[0]
    return word if word in (*INITS, *source_experiments()) and not init.endswith(".safetensors") else ""


@lru_cache
def seeded_experiments() -> dict[str, str]:
    """What stands before ``-seed`` in ``init`` -> the experiment that pretrains it by seed. Do not change the result."""
    return {init: name for paper in protocols() for name, entry in protocol(paper).get("pretrainings", {}).items()
            if "seeds" in entry for init in entry["runs"]}


@lru_cache
def source_experiments() -> dict[str, str]:
    """Data set -> the experiment that trains networks on it for their weights. Do not change the result."""
    return {dataset: name for paper in protocols() for name, entry in protocol(paper).get("sources", {}).items()
            for datasets in entry["datasets"].values() for dataset in datasets}


def _protocol_for(init: str, dataset: str) -> str:
    """The paper whose rules hold where none is named: that of the source, Jang's for its arms and data set, else Weimann's."""
    if init_word(init) in source_experiments():
        return TRANSFERS
    return "jang2021" if init_word(init) in ("cae", "image") or dataset == "shaoxing" else "weimann2021"


def _check_positive(config: Any, amounts: tuple[str, ...], counts: tuple[str, ...]) -> None:
    for names, holds, words in ((amounts, lambda value: 0 < value < math.inf, "it must be above 0"),
                                (counts, lambda value: value >= 1, "it must be at least 1"),
                                (("validation", "test"), lambda value: 0 < value < 1, "it is a share, above 0 and below 1"),
                                (("seed", "fold", "offset"), lambda value: value >= 0, "it must not be negative")):
        for name in names:
            value = getattr(config, name, None)
            if value is not None and not holds(value):
                raise EcgtlError(f"{name} is {value}; {words}")


@lru_cache
def protocol(name: str) -> dict:
    """The YAML of ``experiments/<name>.yml``: tiers, split and selection rules, tables. Do not change the result."""
    rules = yaml.safe_load((EXPERIMENTS / f"{name}.yml").read_text())
    return _across(rules) if "papers" in rules else rules


def _across(rules: dict) -> dict:
    """The rules of a protocol across papers: what they leave open, each network has from its own paper in ``papers``.

    ``tiers`` and ``input`` are then those of the network that is taken where none is named.
    """
    networks = {arch: {tier: _tier_of(protocol(paper), arch, tier) | rules["tiers"][tier] for tier in TIERS}
                for arch, paper in rules["papers"].items()}
    usual = rules["arch"]["random"]
    return rules | {"networks": networks, "tiers": networks[usual], "input": protocol(rules["papers"][usual])["input"]}


def _tier_of(rules: dict, arch: str, tier: str) -> dict:
    """What a tier means for a network."""
    return rules["tiers"][tier] | rules.get("networks", {}).get(arch, {}).get(tier, {})


def input_rules(name: str, variant: str | None) -> dict:
    """How a protocol makes inputs: ``keep``, ``standardise``, ``highpass``, and whether its ``variant`` decimates."""
    rules = protocol(name)["input"]
    return rules | {"decimate": rules.get("decimate", {}).get(variant, False)}


def protocols() -> tuple[str, ...]:
    """Names of the protocols: one for each paper that has an ``experiments/*.yml``, and those across papers."""
    return tuple(sorted(file.stem for file in EXPERIMENTS.glob("*.yml") if file.stem != QUEUE))


def _choices() -> dict[str, tuple[str, ...]]:
    """The parameters that are one of a few words, and those words."""
    return {"dataset": tuple(LOADERS), "protocol": ("auto", *protocols()),
            "arch": ("auto", *(name for name in MODELS if name != "cae"), *BASELINES), "tier": TIERS, "device": DEVICES, "precision": PRECISIONS}


def _typed(name: str, value: Any, kind: Any) -> Any:
    """``value`` as the field's type; integers pass for floats, nothing else is converted in silence."""
    kinds = typing.get_args(kind) if isinstance(kind, types.UnionType) else (kind,)
    if value is None and type(None) in kinds:
        return None
    if float in kinds and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, tuple(kinds)):
        names = " or ".join(k.__name__ for k in kinds if k is not type(None))
        words = f"; allowed: {', '.join(_choices()[name])}" if name in _choices() else ""
        bounds = ", 0 < fraction <= 1" if name == "fraction" else ""
        raw = f"; for papermill write -r {name} {value}" if str in kinds and isinstance(value, int | float) else ""
        raise EcgtlError(f"{name} is {value!r} ({type(value).__name__}); it must be of type {names}{bounds}{words}{raw}")
    return value
