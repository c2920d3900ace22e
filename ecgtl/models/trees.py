"""Boosted trees as plain arrays: stored and used without pickle."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy.special import softmax

LEAF = -1  # what stands for the feature of a leaf


@dataclass(frozen=True, eq=False)
class Trees:
    """Gradient boosting of several classes: the nodes of all trees, one tree after the other.

    ``roots`` (iterations, classes) and ``left``, ``right`` (nodes,) are numbers of nodes; at a node whose ``feature``
    is at most ``threshold`` it goes to the left, and where it is NaN as ``missing_left`` says; ``value`` is what a leaf
    adds to a sum that begins with ``baseline`` (classes,).
    """

    roots: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    missing_left: np.ndarray
    left: np.ndarray
    right: np.ndarray
    value: np.ndarray
    baseline: np.ndarray

    @classmethod
    def of(cls, model) -> Self:
        """Of a fitted ``HistGradientBoostingClassifier`` of three classes or more, without categories."""
        nodes = [tree.nodes for trees in model._predictors for tree in trees]
        starts = np.cumsum([0, *map(len, nodes)])
        every = np.concatenate(nodes)
        shift = np.repeat(starts[:-1], np.diff(starts))
        leaf = every["is_leaf"].astype(bool)
        left, right = ((every[side] + shift).astype(np.int32) for side in ("left", "right"))
        return cls(starts[:-1].reshape(len(model._predictors), -1).astype(np.int32),
                   np.where(leaf, LEAF, every["feature_idx"]).astype(np.int16), every["num_threshold"],
                   every["missing_go_to_left"], left, right, every["value"].astype(np.float32),
                   model._baseline_prediction.ravel())

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> Self:
        """From the arrays that ``vars`` of such an object gives. Raises KeyError for one that lacks."""
        roots = arrays["roots"].reshape(-1, len(arrays["baseline"]))
        return cls(**{one.name: arrays[one.name] for one in fields(cls)} | {"roots": roots})

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities (n, classes) of ``x`` (n, features), float64, NaN where a feature is missing."""
        at = np.broadcast_to(self.roots.ravel(), (len(x), self.roots.size))
        while (inner := self.feature[at] != LEAF).any():
            values = np.take_along_axis(x, np.maximum(self.feature[at], 0).astype(np.int64), axis=1)
            to_left = np.where(np.isnan(values), self.missing_left[at].astype(bool), values <= self.threshold[at])
            at = np.where(inner, np.where(to_left, self.left[at], self.right[at]), at)
        sums = self.value[at].astype(np.float64).reshape(len(x), *self.roots.shape).sum(axis=1)
        return softmax(sums + self.baseline, axis=1)
