"""Protocols: what a paper's ``experiments/*.yml`` decides, read and checked once."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, Self

from ecgtl import paths
from ecgtl.errors import EcgtlError
from ecgtl.signals.preparation import STANDARDS, Input

EXPERIMENTS = paths.PACKAGE / "experiments"
QUEUE = "queue"  # the file there that is no protocol: the order of all runs
TIERS = ("demo", "reduced", "paper")
INITS = ("random", "cae", "image", "beat", "rhythm", "heart_rate", "future")
ALL_LEADS = "all"
BASELINES = ("majority", "rr_boosting")  # run and stored like networks
OBJECTIVES = ("reconstruction", "beat", "rhythm", "heart_rate", "future")
NEGATIVES_FROM = ("data", "patient")  # of future prediction
VARIANTS = ("code", "text")  # where a paper's text and its authors' code differ
DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "float32", "bfloat16")
TRANSFERS = "melep2023"  # the protocol of the transferability experiment
CHOICES = ("validated", "best_test", "last")  # of the epoch
UNSET: Any = None  # of a parameter: as the protocol has it; of a protocol: it has none such
PAPER_PARAMETERS = ("sampling_rate", "seconds", "width", "epochs", "batch_size", "learning_rate", "patience")


@dataclass(frozen=True)
class SplitRules:
    """How recordings are divided: shares of the ``validation`` and the ``test`` set, or ``folds`` where there are
    published ones.
    """

    kind: str
    validation: float
    test: float
    test_seed: int
    folds: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Pretraining:
    """What is learnt from which ``sources``; ``objectives`` and ``tiers`` have parameters of their own, ``half``
    networks whose weights are stored in float16.
    """

    sources: str
    arch: str
    validation: float
    test: float
    select_on: str
    licence: str
    objectives: Mapping[str, Mapping]
    tiers: Mapping[str, Mapping]
    frame_rate: float = UNSET
    half: tuple[str, ...] = ()


@dataclass(frozen=True)
class Transfers:
    """How a fold is drawn: ``records`` by tier, shares of its ``test`` and ``validation`` set; and the ``experiments``
    made of folds.
    """

    records: Mapping[str, int]
    test: float
    validation: float
    report: str
    experiments: Mapping[str, Mapping]


@dataclass(frozen=True, eq=False)
class Protocol:
    """The rules of a paper, named as in its YAML, which explains them.

    ``papers`` is of a protocol across papers: whose rules each network keeps. ``multi_label`` changes rules for several
    labels a recording; None where the paper has none such. ``lead`` by tier where it is not the first.
    """

    name: str
    title: str
    own_datasets: tuple[str, ...]
    split: SplitRules
    input: Input
    arch: Mapping[str, str]
    score: str
    stop_on: str
    select_on: str
    report: str
    tiers: Mapping[str, Mapping[str, Any]]
    experiments: Mapping[str, Mapping]
    datasets: Mapping[str, Mapping] = field(default_factory=dict)
    networks: Mapping[str, Mapping] = field(default_factory=dict)
    multi_label: Mapping[str, Any] | None = None
    half: tuple[str, ...] = ()
    lead: Mapping[str, int | str] = field(default_factory=dict)
    papers: Mapping[str, str] = field(default_factory=dict)
    pretraining: Pretraining = UNSET
    pretrainings: Mapping[str, Mapping] = field(default_factory=dict)
    sources: Mapping[str, Mapping] = field(default_factory=dict)
    transfers: Transfers = UNSET
    claims: Mapping[str, Mapping] = field(default_factory=dict)
    classifiers: Mapping[str, Mapping] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks = {"tiers": (tuple(self.tiers), (TIERS,)), "report": (self.report, CHOICES),
                  "split.kind": (self.split.kind, ("stratified", "bootstrap")),
                  "input.keep": (self.input.keep, ("start", "end")),
                  "input.standardise": (self.input.standardise, STANDARDS),
                  **{f"tiers.{name}": ({*tier} - {"variant"}, ({*PAPER_PARAMETERS},))
                     for name, tier in self.tiers.items()}}
        for name, (value, words) in checks.items():
            if value not in words:
                raise EcgtlError(f"experiments/{self.name}.yml: {name} is {value!r}; allowed: "
                                 f"{', '.join(map(str, words))}")

    def tier(self, arch: str, tier: str) -> dict[str, Any]:
        """Parameters that a tier has for a network."""
        return self.tiers[tier] | self.networks.get(arch, {}).get(tier, {})

    def input_of(self, variant: str | None) -> Input:
        """How inputs of a network of ``variant`` are made."""
        by_variant = self.input.decimate
        return replace(self.input, decimate=isinstance(by_variant, Mapping) and by_variant.get(variant or "", False))

    def for_labels(self, several: bool, name: str) -> Self:
        """The rules for recordings (of the data set ``name``) of one label each, or of ``several``."""
        if several and self.multi_label is None:
            raise EcgtlError(f"{name} has several labels a recording, the protocol {self.name} takes one; use "
                             "protocol=weimann2021, or a view with one label")
        if not several and self.score == "macro_auc":
            raise EcgtlError(f"{name} has one label a recording, the protocol {self.name} takes several; use "
                             "protocol=auto, or a data set of several")
        return replace(self, **self.multi_label or {}) if several else self


@lru_cache
def protocol(name: str) -> Protocol:
    """The rules in ``experiments/<name>.yml``. A key that is not known is a TypeError."""
    stored = paths.facts(f"experiments/{name}")
    if "papers" in stored:
        stored |= _across(stored)
    kinds = {"split": SplitRules, "input": Input, "pretraining": Pretraining, "transfers": Transfers}
    return Protocol(name, **{key: kinds[key](**value) if key in kinds and isinstance(value, dict) else value
                             for key, value in stored.items()})


def _across(stored: dict) -> dict:
    """What a protocol across papers leaves open: each network has it from its own paper in ``papers``.

    ``tiers`` and ``input`` are then those of the network that is taken where none is named.
    """
    networks = {arch: {tier: protocol(paper).tier(arch, tier) | stored["tiers"][tier] for tier in TIERS}
                for arch, paper in stored["papers"].items()}
    usual = stored["arch"]["random"]
    return {"networks": networks, "tiers": networks[usual], "input": protocol(stored["papers"][usual]).input}


def protocols() -> tuple[str, ...]:
    """Names of the protocols: one for each paper that has an ``experiments/*.yml``, and those across papers."""
    return tuple(sorted(file.stem for file in EXPERIMENTS.glob("*.yml") if file.stem != QUEUE))


@lru_cache
def pretraining_protocols() -> dict[str, str]:
    """Objective -> the protocol whose pretraining table lists it. Do not change the result."""
    return {objective: name for name in protocols() if protocol(name).pretraining
            for objective in protocol(name).pretraining.objectives}


@lru_cache
def seeded_experiments() -> dict[str, str]:
    """What stands before ``-seed`` in ``init`` -> the experiment that pretrains it by seed. Do not change the result.
    """
    return {init: name for paper in protocols() for name, entry in protocol(paper).pretrainings.items()
            if "seeds" in entry for init in entry["runs"]}


@lru_cache
def source_experiments() -> dict[str, str]:
    """Data set -> the experiment that trains networks on it for their weights. Do not change the result."""
    return {dataset: name for paper in protocols() for name, entry in protocol(paper).sources.items()
            for datasets in entry["datasets"].values() for dataset in datasets}


def init_word(init: str) -> str:
    """The word in ``init``: itself, or what stands before the details (``beat`` of ``beat-frame512``); else empty."""
    word = init.partition("-")[0]
    return word if word in (*INITS, *source_experiments()) and not init.endswith(".safetensors") else ""
