"""Frozen encoders: what a checkpoint, or the same network with random weights, knows before it is fine-tuned."""

import hashlib
from pathlib import Path

import numpy as np

from ecgtl.config import BASELINES
from ecgtl.datasets import cache
from ecgtl.jobs.inputs import Prepared
from ecgtl.signals import rr_intervals
from ecgtl.training import linear, loop


def fit(prepared: Prepared) -> loop.TrainResult:
    """A logistic regression on the frozen features of the training set, and its answers for the test set."""
    config, recordings, split = prepared.plan.config, prepared.recordings, prepared.split
    found, train = features(prepared), split.train
    p = linear.regress(found[train], recordings.labels[train], recordings.subjects[train], found[split.test],
                       len(recordings.classes), config.seed)
    return loop.TrainResult(chosen={"validated": (0, p)})


def features(prepared: Prepared) -> np.ndarray:
    """Features (recordings, n) of the network of a plan, or RR intervals; computed once and cached.

    Those of random weights depend on the training set, whose inputs their batch normalisation is estimated on.
    """
    plan, recordings = prepared.plan, prepared.recordings
    config, random = plan.config, plan.start is None
    if config.arch in BASELINES:
        return rr_intervals.rr_features(recordings, prepared.leads[0])
    names = ("arch", "init", "width", "variant", "sampling_rate", "seconds", "lead", "protocol")
    every = recordings.ids[prepared.whole_split.train].tolist() if random else ""
    parts = {name: getattr(config, name) for name in names} | {
        "start": plan.start and cache.source_checksum(plan.start.parent, [plan.start]), "digest": recordings.digest,
        "ids": hashlib.sha256("\n".join(recordings.ids.tolist()).encode()).hexdigest(),
        "random": [config.seed, hashlib.sha256("\n".join(every).encode()).hexdigest()] if random else None}

    def build(folder: Path) -> None:
        x, model = prepared.inputs(), prepared.network()
        if random:
            order = np.random.default_rng(config.seed).permutation(prepared.whole_split.train)
            linear.renormalise(model, x[order], plan.device)
        np.save(folder / "features.npy", linear.features(model, x, plan.device))

    return np.load(cache.entry(f"{recordings.name}-features", parts, build) / "features.npy", allow_pickle=False)
