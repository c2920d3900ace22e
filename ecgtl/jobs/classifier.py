"""A classifier: the network of a checkpoint, or what is shipped, an ensemble with trees on RR intervals beside it."""

import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
from scipy.special import log_softmax, softmax
from torch import nn

from ecgtl.datasets import leads
from ecgtl.datasets.recordings import Recordings, alone
from ecgtl.errors import EcgtlError
from ecgtl.jobs.inputs import check_facts, rules_of
from ecgtl.models import checkpoint
from ecgtl.models.trees import Trees
from ecgtl.signals import preparation, rr_intervals
from ecgtl.training import loop

NEEDED = ("classes", "leads", "mean", "sd", "protocol", "multi_label", "dataset", "synthetic")
KINDS = ("network", "trees", "stack")
# Number of beats and length are left out: they say how a recorder was used
RHYTHM = tuple(name for name in rr_intervals.FEATURES if name not in ("beats", "seconds"))
COLUMNS = [rr_intervals.FEATURES.index(name) for name in RHYTHM]
SMALLEST = 1e-6  # probability whose logarithm is taken
ABSTAIN = "abstain"


class Classifier:
    """Class probabilities of inputs and RR intervals; ``facts`` is what its file says of it.

    Its ``kind`` is one of ``KINDS``: the mean of its ``networks``, its ``trees``, or a regression on both.
    """

    def __init__(self, facts: checkpoint.CheckpointFacts, networks: Sequence[nn.Module], trees: Trees | None,
                 device: str = "auto"):
        self.facts, self.networks, self.trees = facts, networks, trees
        self.kind, self.device = facts.kind or KINDS[0], loop.pick_device(device)

    @classmethod
    def load(cls, path: Path, device: str = "auto") -> Self:
        """Of a file; EcgtlError for one that is not of a classifier."""
        weights, facts = checkpoint.load(path)
        check_facts(path, facts, *NEEDED)
        if not len(facts.mean) == len(facts.sd) == facts.in_channels:
            raise EcgtlError(f"checkpoint {path} has not one mean and one SD a lead; it was not written by ecgtl")
        parts: dict[str, dict] = {}
        for name, tensor in weights.items():
            part, _, own = name.partition(".") if facts.kind else (KINDS[0], "", name)
            parts.setdefault(part, {})[own] = tensor
        grown, n = parts.pop("trees", {}), len(facts.classes or ())
        whole = {"": (1, 0), "network": (facts.members, 0), "trees": (0, 1), "stack": (facts.members, 1)}
        trees, arrays = None, {name: tensor.numpy() for name, tensor in grown.items()}
        with contextlib.suppress(ValueError):
            trees = Trees.from_arrays(arrays, len(RHYTHM)) if grown else None
        if whole.get(facts.kind) != (len(parts), trees is not None) or (facts.kind == "stack") != (
                len(facts.stack) == n * (2 * n + 1)):
            raise EcgtlError(f"classifier {path} is not whole; install ecgtl again, or train it again")
        networks = [checkpoint.network(path, one, facts) for _, one in sorted(parts.items())]
        return cls(facts, networks, trees, device)

    def inputs(self, record: str, millivolts: np.ndarray, rate: float, present: Sequence[int]) -> np.ndarray:
        """What the networks see, (leads, samples), of a stretch in mV, (samples, leads that are ``present``).

        It has ``rate`` Hz. A lead that is not present is zero. Raises EcgtlError where the stretch cannot be prepared.
        """
        facts, rules = self.facts, rules_of(self.facts)
        x = np.zeros((facts.in_channels, facts.n_samples if self.networks else 0), np.float32)
        if self.networks:
            given = None if rules.standardise != "dataset" else [(facts.mean[k], facts.sd[k]) for k in present]
            recording, rows = alone(record, millivolts, rate, [facts.leads[k] for k in present]), range(len(present))
            one = preparation.preparer(recording, facts.sampling_rate, facts.n_samples, tuple(rows), rules, given)
            for row, lead in enumerate(present):
                x[lead] = one(0, row)
        return x

    def parts(self, x: np.ndarray, features: np.ndarray) -> dict[str, np.ndarray]:
        """What its networks and its trees say, each (n, classes), of ``inputs`` (n, leads, samples) and ``RHYTHM``."""
        found = {}
        if self.networks:
            # In float32 all processors answer alike
            every = [loop.predict(one, x, self.device, self.facts.multi_label, "float32") for one in self.networks]
            found["network"] = np.mean(every, axis=0)
        if self.trees:
            found["trees"] = self.trees.probabilities(features)
        return found

    def probabilities(self, x: np.ndarray, features: np.ndarray) -> np.ndarray:
        """Calibrated probabilities (n, classes) of ``inputs`` (n, leads, samples) and ``RHYTHM`` (n, features)."""
        parts = self.parts(x, features)
        if self.kind == "stack":
            parts["stack"] = stacked(parts["network"], parts["trees"], np.array(self.facts.stack))
        return calibrated(parts[self.kind], self.facts.temperature)

    def of_recordings(self, recordings: Recordings, lead: int | str | Sequence[str] = 0) -> np.ndarray:
        """Calibrated probabilities (R, classes) of ``recordings``, of long ones of their last ``longest`` seconds.

        ``lead`` stands for the classifier's one lead; several name those of its leads that are looked at.
        """
        named = [lead] if isinstance(lead, int | str) else list(lead)
        present = [0] if isinstance(lead, int | str) else [leads.find(self.facts.leads, name)[0] for name in named]
        features, x = np.zeros((len(recordings), len(RHYTHM))), []
        for i in range(len(recordings)):
            first = max(0, round(len(recordings.lead(i, named[0])) - self.facts.longest * recordings.sampling_rate[i]))
            rate = float(recordings.sampling_rate[i])
            millivolts = np.stack([recordings.lead(i, name)[first:] for name in named], axis=1)
            x.append(self.inputs(str(recordings.ids[i]), millivolts, rate, present))
            if self.trees:
                features[i] = rhythm(rr_intervals.detect_beats(millivolts[:, 0], rate), rate, len(millivolts))
        return self.probabilities(np.stack(x), features)


def rhythm(beats: np.ndarray, rate: float, n_samples: int) -> np.ndarray:
    """The features ``RHYTHM`` of the beats of a stretch."""
    return rr_intervals.interval_features(beats, rate, n_samples)[COLUMNS]


def calibrated(p: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities (n, classes) with the logits divided by ``temperature`` (Guo et al. 2017, section 4.2)."""
    return p if temperature == 1 else softmax(np.log(np.maximum(p, SMALLEST)) / temperature, axis=1)


def evidence(network: np.ndarray, trees: np.ndarray) -> np.ndarray:
    """What the regression on both sees, (n, 2 classes): the logarithms of their probabilities."""
    return np.log(np.maximum(np.hstack([network, trees]), SMALLEST))


def stacked(network: np.ndarray, trees: np.ndarray, stack: np.ndarray) -> np.ndarray:
    """Probabilities (n, classes) of the regression whose coefficients and constants are ``stack``, one after the other.
    """
    n = network.shape[1]
    return np.exp(log_softmax(evidence(network, trees) @ stack[:-n].reshape(n, 2 * n).T + stack[-n:], axis=1))
