"""Boosted trees as plain arrays: stored and used without pickle."""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from scipy.special import softmax

LEAF = -1  # what stands for the feature of a leaf


@dataclass(frozen=True, eq=False)
class Trees:
    """Gradient boosting of several classes: the nodes of all trees, one tree after the other.

    ``roots`` (iterations, classes) are numbers of nodes. At an inner node it goes on with the next one where its
    ``feature`` is at most ``number``, else ``right`` nodes further on; where the feature is NaN ``missing`` says
    whether with the next one. At a leaf, whose ``feature`` is ``LEAF``, ``number`` is added to a sum that begins with
    ``baseline`` (classes,).
    """

    roots: np.ndarray
    feature: np.ndarray
    number: np.ndarray
    missing: np.ndarray
    right: np.ndarray
    baseline: np.ndarray

    @classmethod
    def of(cls, model) -> Self:
        """Of a fitted ``HistGradientBoostingClassifier`` of three classes or more, without categories.

        Raises ValueError where scikit-learn orders the nodes of a tree otherwise than it did.
        """
        nodes = [tree.nodes for trees in model._predictors for tree in trees]
        starts, every = np.cumsum([0, *map(len, nodes)]), np.concatenate(nodes)
        own = np.concatenate([np.arange(len(tree)) for tree in nodes])
        leaf = every["is_leaf"].astype(bool)
        if (every["left"] != own + 1)[~leaf].any():
            raise ValueError("a node's left child does not follow it")
        return cls(starts[:-1].reshape(len(model._predictors), -1).astype(np.int32),
                   np.where(leaf, LEAF, every["feature_idx"]).astype(np.int8),
                   np.where(leaf, every["value"], every["num_threshold"]).astype(np.float32),
                   every["missing_go_to_left"], np.where(leaf, 0, every["right"] - own).astype(np.int16),
                   model._baseline_prediction.ravel())

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray], n_features: int) -> Self:
        """From the arrays that ``vars`` of such an object gives; ValueError where they are not those of trees on so
        many features.
        """
        names = [one.name for one in fields(cls)]
        if {*names} != {*arrays} or not len(arrays["baseline"]) or len(arrays["roots"]) % len(arrays["baseline"]):
            raise ValueError("arrays")
        made = cls(**arrays | {"roots": arrays["roots"].reshape(-1, len(arrays["baseline"]))})
        n, inner = len(made.feature), np.flatnonzero(made.feature != LEAF)
        alike = {len(array) for array in (made.number, made.missing, made.right)} == {n}
        if not alike or not (made.roots >= 0).all() or not (made.roots < n).all():
            raise ValueError("nodes")
        onward = inner + made.right[inner]
        if (made.feature[inner] < 0).any() or (made.feature >= n_features).any() or (onward <= inner).any() or (
                np.append(onward, inner + 1) >= n).any():
            raise ValueError("steps")  # a node leads to later ones alone, so every way ends
        return made

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Class probabilities (n, classes) of ``x`` (n, features), float64, NaN where a feature is missing."""
        at = np.broadcast_to(self.roots.ravel(), (len(x), self.roots.size))
        while (inner := self.feature[at] != LEAF).any():
            values = np.take_along_axis(x, np.maximum(self.feature[at], 0).astype(np.int64), axis=1)
            next_one = np.where(np.isnan(values), self.missing[at].astype(bool), values <= self.number[at])
            at = at + np.where(next_one, inner, self.right[at])
        sums = self.number[at].astype(np.float64).reshape(len(x), *self.roots.shape).sum(axis=1)
        return softmax(sums + self.baseline, axis=1)
