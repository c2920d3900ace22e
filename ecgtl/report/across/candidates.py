"""The networks and starts of the comparison across papers, and the gaps between them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from ecgtl import experiments, models, results, statistics
from ecgtl.analysis import cells, names
from ecgtl.analysis.correlations import RESAMPLES
from ecgtl.config import BASELINES, FinetuneConfig, source_experiments, starts
from ecgtl.datasets import catalogue
from ecgtl.datasets.ptbxl import SUPERCLASSES
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint

EXPERIMENT = "across"
RR, MAJORITY = "rr_boosting", "majority"
NETWORKS = {"cae_classifier": "Convolutional encoder", "resnet18": "ResNet-18"} | names.NETWORKS
NON_COMMERCIAL = "NC"  # in the name of a Creative Commons licence


@dataclass(frozen=True)
class Row:
    """One network from one start: its runs, and their mean macro AUC in each draw of the test recordings."""

    method: str
    config: FinetuneConfig
    bodies: tuple[results.Result, ...]
    draws: np.ndarray

    @property
    def sample(self) -> statistics.Sample:
        """The macro AUC over the runs."""
        return statistics.Sample.of(self.scores("macro_auc"))

    @property
    def compared(self) -> bool:
        """Whether there are runs enough for a comparison."""
        return len(self.bodies) >= statistics.MIN_RUNS

    @property
    def is_baseline(self) -> bool:
        """Whether it is a baseline."""
        return self.config.arch in BASELINES

    @property
    def pretrained(self) -> bool:
        """Whether it starts from a checkpoint."""
        return not self.is_baseline and self.config.init != "random"

    @property
    def weights(self) -> Path | None:
        """The file of the checkpoint that it starts from, where it is available."""
        start = self.config.init, self.config.arch, self.config.tier
        return starts.stored_weights(*start) if self.pretrained else None

    @property
    def words(self) -> str:
        """Network and start."""
        if self.is_baseline:
            return names.METHODS[self.method]
        return f"{NETWORKS[self.config.arch]}, {start_words(self.config.init)}"

    @property
    def seconds(self) -> float:
        """Median seconds that the epochs of a run took; of a baseline its fastest run, since the first one
        reads the recordings and finds their beats.
        """
        if self.is_baseline:
            return min((body.provenance["wall_seconds"] for body in self.bodies), default=np.nan)
        return mean_of([sum(row["seconds"] for row in body.history) for body in self.bodies], np.median)

    def scores(self, name: str) -> list[float]:
        """A score of each run at the epoch that the validation set chose."""
        return [body.scores["validated"][name] for body in self.bodies]


class Gap(NamedTuple):
    """First row minus second in macro AUC, with 95 % limits over runs and over the test recordings."""

    value: float
    low: float
    high: float
    test_low: float
    test_high: float

    @property
    def verdict(self) -> str:
        """``above``, ``below`` or ``not distinguished``: both intervals have to exclude 0."""
        if min(self.low, self.test_low) > 0:
            return "above"
        return "below" if max(self.high, self.test_high) < 0 else "not distinguished"


def load(tier: str) -> dict[str, Row]:
    """The rows of the table by method, baselines last, also those without runs."""
    found = cells.runs(EXPERIMENT, tier)
    planned = {run.method: run.config for run in experiments.enumerate_runs(EXPERIMENT, tier) if run.number == 0}
    rows = {}
    for method in sorted(planned, key=lambda method: method in BASELINES):
        own = [(results.load(run.path).arrays, body) for run, body in found if run.method == method]
        draws = resampled([(arrays["y_test"], arrays["prob_validated"]) for arrays, _ in own])
        rows[method] = Row(method, planned[method], tuple(body for _, body in own), draws)
    return rows


def resampled(runs: Sequence[tuple[np.ndarray, np.ndarray]], resamples: int = RESAMPLES, seed: int = 0) -> np.ndarray:
    """Macro AUC, mean over ``runs``, in each draw of the test recordings with replacement: (resamples,).

    ``runs``: labels (n, L) as 0 and 1, and probabilities (n, L), of the same recordings in the same order; without any
    it is NaN. The draws depend on n and ``seed`` alone, so that rows of one test set are paired. Labels that a draw
    leaves without positives or negatives do not count in its mean. Raises EcgtlError when the runs have not the same
    labels.
    """
    if not runs:
        return np.full(resamples, np.nan)
    y = runs[0][0]
    if any(not np.array_equal(y, other) for other, _ in runs):
        raise EcgtlError(f"runs of {EXPERIMENT} were not tested on the same recordings; run it again")
    n = len(y)
    counts = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=resamples).astype(np.float32)
    areas = np.stack([_areas(y[:, k] > 0, [p[:, k].astype(np.float32) for _, p in runs], counts)
                      for k in range(y.shape[1])])
    defined = np.isfinite(areas)
    return np.where(defined, areas, 0).sum(axis=0) / defined.sum(axis=0)


def _areas(positive: np.ndarray, columns: Sequence[np.ndarray], counts: np.ndarray) -> np.ndarray:
    """AUC of one label in each draw, mean over runs: the share of pairs of a positive and a negative that are in
    the right order.

    A tie is half a pair; a recording drawn twice takes part in twice as many pairs. NaN without pairs.
    """
    ranked = [p[positive][:, None] - p[~positive][None, :] for p in columns]
    in_order = np.mean([(lead > 0) + 0.5 * (lead == 0) for lead in ranked], axis=0, dtype=np.float32)
    with_label, without = counts[:, positive], counts[:, ~positive]
    pairs = with_label.sum(axis=1) * without.sum(axis=1)
    right = ((with_label @ in_order) * without).sum(axis=1)
    return np.divide(right, pairs, out=np.full(len(counts), np.nan), where=pairs > 0)


def percentile_limits(draws: np.ndarray) -> list[float]:
    return np.quantile(draws, [(1 - statistics.LEVEL) / 2, (1 + statistics.LEVEL) / 2]).tolist()


def gap(first: Row, second: Row | None) -> Gap | None:
    """The difference of two rows; None where either has too few runs.

    Where neither row varies from run to run, as with the baselines, the runs leave no doubt.
    """
    if second is None or not (first.compared and second.compared):
        return None
    found = statistics.welch(first.sample, second.sample)
    exact = first.sample.sd == second.sample.sd == 0
    ends = (found.value, found.value) if exact else (found.low, found.high)
    return Gap(found.value, *ends, *percentile_limits(first.draws - second.draws))


def random_start(row: Row, rows: dict[str, Row]) -> Row | None:
    """The row of the same network from random weights; None for that row itself, and for baselines."""
    if not row.pretrained:
        return None
    start = (row.config.arch, "random")
    return next(other for other in rows.values() if (other.config.arch, other.config.init) == start)


def references(row: Row, rows: dict[str, Row]) -> dict[str, Row | None]:
    """What a row is compared with: the same network from random weights, and boosted trees on RR intervals."""
    return {"random": random_start(row, rows), "rr": None if row.method == RR else rows[RR]}


def start_words(init: str) -> str:
    """A start in a few words."""
    if init in source_experiments():
        return f"labels of {names.data_set(init)}"
    return "random weights" if init == "random" else names.METHODS[init.partition("-")[0]].lower()


def origin(row: Row) -> Mapping:
    """What the starting checkpoint says of itself, as a run has it or the file; empty for random weights, and where
    neither is available.
    """
    if row.pretrained and row.bodies:
        return row.bodies[0].data["start"]
    return checkpoint.load(row.weights)[1].stored if row.weights else {}


def sources(row: Row) -> tuple[str, ...]:
    """Names of the data sets that the starting checkpoint has seen."""
    facts = origin(row)
    return tuple(facts.get("sources") or ([facts["dataset"]] if "dataset" in facts else []))


def trained_on(row: Row) -> str:
    titles = ", ".join(catalogue.entry(name).title for name in sources(row))
    return (titles or names.PENDING) if row.pretrained else "nothing"


def mean_of(values: Sequence[float], mean: Callable = np.mean) -> float:
    return float(mean(values)) if len(values) else np.nan


def parameters(config: FinetuneConfig) -> int:
    """Trainable parameters of the network of a run."""
    options = models.variant_options(config.arch, config.variant)
    options |= {"length": config.n_samples} if config.arch == "bilstm" else {}
    with torch.device("meta"):
        return models.count_parameters(models.build(config.arch, 1, len(SUPERCLASSES), width=config.width, **options))
