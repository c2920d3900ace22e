"""What fine-tuning works on: recordings, the leads of them that a network sees, their split, and the network's inputs.
"""

import dataclasses
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from ecgtl import datasets, models
from ecgtl.config import ALL_LEADS, BASELINES, FrozenConfig, Input, Plan, Protocol, protocol, protocols
from ecgtl.datasets import leads, splits
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint, googlenet
from ecgtl.signals import preparation, spectrograms

PARTS = ("train", "validation", "test")
MOST_PADDED = 10  # times the longest recording; protocols pad 10 s to 65.536 s
CHOOSING = ("folder", "icu_monitor")  # data sets whose loaders keep the one lead that they are asked for


@dataclasses.dataclass(frozen=True, eq=False)
class Prepared:
    """A ``plan`` and the ``recordings`` that it is carried out on, with all that follows from both.

    ``whole``: those that were read, with the ones that the network cannot take; ``recordings`` where it is not given.
    """

    plan: Plan
    recordings: Recordings
    whole: Recordings | None = None

    @cached_property
    def rules(self) -> Protocol:
        """The protocol's rules, for one label a recording or several. Raises EcgtlError where it has none for several.
        """
        return self.plan.rules.for_labels(self.recordings.multi_label, self.recordings.name)

    @cached_property
    def leads(self) -> tuple[int | str, ...]:
        """The leads that the network sees, each the same lead in all recordings (``datasets.leads.resolve``).

        Some loaders, and a protocol's options, have kept one lead alone. All leads come in the order in which a
        checkpoint that is started from saw them, else in that of the first recording.
        """
        config = self.plan.config
        if config.lead == ALL_LEADS:
            facts, first = self.plan.start_facts, leads.compared(self.recordings.leads[0])
            own = facts.leads if facts else ()
            order = leads.compared(own)
            as_own = order != first and sorted(order) == sorted(first)
            return leads.resolve(self.recordings, own if as_own else range(len(first)))
        only = (config.dataset in CHOOSING or "leads" in self.plan.loader_options) and not isinstance(config.lead, str)
        return leads.resolve(self.recordings, (0 if only else config.lead,), config.lead)

    @cached_property
    def split(self) -> splits.Split:
        """The protocol's split for the seed, its training set cut to ``fraction``, or some of each class."""
        config, rules = self.plan.config, self.rules.split
        per_class = config.per_class if isinstance(config, FrozenConfig) else None
        if rules.kind == "bootstrap" and not (self.recordings.folds is not None and rules.folds):
            return splits.bootstrap(self.recordings, rules.validation, rules.test, config.fraction, config.seed,
                                    rules.test_seed)
        whole = self.whole_split
        if per_class is not None:
            train = splits.few(whole.train, self.recordings, per_class, config.seed)
        else:
            train = splits.subset(whole.train, splits.strata(self.recordings), config.fraction, config.seed)
        return dataclasses.replace(whole, train=train)

    @cached_property
    def whole_split(self) -> splits.Split:
        """The same with all of the training set.

        By a protocol across papers it divides all recordings that were read, and what a network cannot take is left out
        of its parts: so the test sets of all networks are parts of one.
        """
        rules, recordings, ids = self.rules.split, self.recordings, self.recordings.ids
        if self.whole is not None and self.plan.rules.papers:
            recordings = self.whole
        if recordings.folds is not None and rules.folds:
            found = splits.by_folds(recordings, **rules.folds)
        else:
            found = splits.stratified(recordings, rules.validation, rules.test, self.plan.config.seed, rules.test_seed)
        if recordings is self.recordings:
            return found
        return splits.Split(*(np.flatnonzero(np.isin(ids, recordings.ids[getattr(found, part)])) for part in PARTS))

    def counts(self, part: str) -> dict[str, int]:
        """Recordings of each class in a part of the split."""
        counts = self.recordings.label_matrix[getattr(self.split, part)].sum(axis=0)
        return dict(zip(self.recordings.classes, counts.tolist(), strict=True))

    def check_parts(self) -> None:
        """Raise EcgtlError for a part in which no label has positives and negatives: nothing can be learnt or scored
        there.

        The validation set of one label a recording may be so small that it holds a single class.
        """
        for part in PARTS if self.recordings.multi_label else ("train", "test"):
            index = getattr(self.split, part)
            positives = self.recordings.label_matrix[index].sum(axis=0)
            if not ((positives > 0) & (positives < len(index))).any():
                raise EcgtlError(f"the {part} set of {self.recordings.name} ({len(index)} recordings) has no label "
                                 "with positives and negatives; give more recordings, or other labels")

    def inputs(self) -> np.ndarray:
        """What the network sees: (records, leads, samples), or (records, 1,024) image features for ``init=image``."""
        config = self.plan.config
        x = preparation.prepare(self.recordings, config.sampling_rate, config.n_samples, self.leads, self.plan.inputs)
        image = config.init == "image"
        return spectrograms.image_features(x[:, 0], config.sampling_rate, self.plan.start) if image else x

    def network(self) -> torch.nn.Module:
        """The network at its start; the classifier of the image arm is one linear layer on frozen features."""
        config, start, n_classes = self.plan.config, self.plan.start, len(self.recordings.classes)
        torch.manual_seed(config.seed)
        if config.init == "image":
            return torch.nn.Linear(googlenet.N_FEATURES, n_classes)
        options = models.variant_options(config.arch, config.variant)
        if config.arch == "bilstm":
            options["length"] = config.n_samples
        model = models.build(config.arch, len(self.leads), n_classes, width=config.width, **options)
        if start is not None:
            checkpoint.transfer(model, start, config.arch, config.width, len(self.leads), seconds=config.seconds,
                                sampling_rate=config.sampling_rate, variant=config.variant)
        return model


def check_facts(path: Path, facts: checkpoint.CheckpointFacts, *needed: str) -> None:
    """Raise EcgtlError unless the checkpoint is of a network of signals that says what is ``needed``, and whose inputs
    are made by a protocol that is known.
    """
    if facts.arch == "googlenet":
        raise EcgtlError(f"checkpoint {path} is a linear layer on image features, not a network of signals; give one "
                         "that was fine-tuned with init other than image")
    if absent := facts.absent(*needed):
        raise EcgtlError(f"checkpoint {path} has no {', '.join(absent)}: it is not of a fine-tuned network; make one "
                         "with 'papermill notebooks/finetune.ipynb out.ipynb -p save_weights my.safetensors'")
    if facts.protocol not in protocols():
        raise EcgtlError(f"checkpoint {path} was trained by the protocol {facts.protocol}, which this version does not "
                         f"know, so nobody can tell how its inputs are made; known: {', '.join(protocols())}")


def rules_of(facts: checkpoint.CheckpointFacts) -> Input:
    """How inputs of a checkpoint's network are made, whose ``check_facts`` found nothing."""
    return protocol(facts.protocol).input_of(facts.variant)


def read(plan: Plan) -> Recordings:
    """The recordings of ``plan``: the twin in tier demo, the real ones otherwise."""
    config = plan.config
    options = {"on_bad": config.on_bad} | plan.loader_options
    if config.dataset == "folder":
        options |= {"labels": config.labels or None, "labels_separator": config.labels_separator, "rate": config.rate,
                    "unit": config.unit}
    if config.dataset in CHOOSING and (config.dataset == "folder" or config.lead not in (0, ALL_LEADS)):
        options |= {"lead": None if config.lead == ALL_LEADS else config.lead}
    return datasets.load(config.dataset, config.root or None, config.tier == "demo", **options)


def prepare(plan: Plan, recordings: Recordings | None = None) -> Prepared:
    """``plan`` with those of the ``recordings`` that it can use, by default of all that it reads."""
    recordings = read(plan) if recordings is None else recordings
    return Prepared(plan, drop_unusable(plan, recordings), recordings)


def drop_unusable(plan: Plan, recordings: Recordings) -> Recordings:
    """``recordings`` without those that lack a lead, or cannot be scaled: shorter than the input, or flat or incomplete
    in it.

    Scaled only by a protocol that scales each window by itself; others pad, and an input of which nearly all would be
    zeros is an EcgtlError. ``on_bad`` says whether such a recording is one or is left out and counted in ``skipped``.
    """
    config, seen = plan.config, Prepared(plan, recordings).leads
    leads.check(recordings, seen, config.on_bad)
    rules, n_samples, longest = plan.inputs, config.n_samples, recordings.durations.max()
    padded = rules.standardise == "dataset" and config.arch not in BASELINES
    if padded and config.seconds > MOST_PADDED * longest:
        raise EcgtlError(f"seconds is {config.seconds:g}, but the longest recording of {recordings.name} has "
                         f"{longest:g} s: the rest would be zeros; give seconds={longest:g}")
    defects = np.array(preparation.window_defects(recordings, seen, config.sampling_rate, n_samples, rules))
    bad = np.flatnonzero(defects != "")
    if not len(bad):
        return recordings
    if config.on_bad == "error" or len(bad) == len(recordings):
        first = next(i for i in bad if not defects[i].startswith("no lead"))
        advice = "pass on_bad=skip to leave such recordings out and count them"
        advice = "give others" if len(bad) == len(recordings) else advice
        raise EcgtlError(f"recording {recordings.ids[first]} of {recordings.name} {defects[first]} of "
                         f"{config.seconds:g} s ({len(bad)} of {len(recordings)} cannot be used); {advice}")
    skipped = {reason: recordings.ids[defects == reason].tolist() for reason in dict.fromkeys(defects[bad].tolist())}
    return dataclasses.replace(recordings.select(np.flatnonzero(defects == "")), skipped=recordings.skipped | skipped)
