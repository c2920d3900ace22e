"""How much a score depends on the test recordings: stored predictions, scored on recordings drawn again."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np

from ecgtl import metrics, results
from ecgtl.analysis.verdicts import WEIGHTS
from ecgtl.datasets import cache

DRAWS = 500


def recordings_variance(cells: Sequence[Sequence[Path]], score: str, choice: str) -> tuple[float, int] | None:
    """Variance of a difference of mean scores over draws of the test recordings, and their number.

    ``cells`` are the files of the results of each cell, two or four of them, weighted as in ``verdicts``; ``score`` and
    ``choice`` (of the epoch) as results name them. All runs are scored on the same draws, with replacement, so that what makes
    a draw easy for all cells cancels. None where the score cannot be had from stored predictions, and where the runs have
    different test recordings. Source: the analysis plan of this project; the bootstrap of Efron (1979).
    """
    tests = {_test_set(path) for paths in cells for path in paths}
    if len(tests) != 1 or None in tests:
        return None
    scores = [[_drawn(path, score, choice) for path in paths] for paths in cells]
    if any(one is None for cell in scores for one in cell):
        return None
    difference = sum(weight * np.mean(cell, axis=0) for weight, cell in zip(WEIGHTS, scores, strict=False))
    return float(difference.var(ddof=1)), len(tests.pop())


@lru_cache(maxsize=1024)
def _test_set(path: Path) -> tuple[int, ...] | None:
    test = results.load(path).arrays.get("test")
    return None if test is None else tuple(test.tolist())


@lru_cache(maxsize=4096)
def _drawn(path: Path, score: str, choice: str) -> np.ndarray | None:
    """The score of one run on every draw, shape (``DRAWS``,); from the cache where it is there."""
    found = results.load(path)
    choice = choice if choice in found.scores else "validated"  # a baseline has no epochs to choose from
    scorer = scorer_of(found, score, choice)
    if scorer is None:
        return None
    y, p = found.arrays["y_test"], found.arrays[f"prob_{choice}"].astype(np.float32)

    def build(folder: Path) -> None:
        rows = np.random.default_rng(0).integers(len(y), size=(DRAWS, len(y)))
        np.save(folder / "scores.npy", [scorer(y[drawn], p[drawn]) for drawn in rows])

    parts = {"predictions": results.stored_json(path)["predictions"]["sha256"], "score": score, "choice": choice,
             "draws": DRAWS, "thresholds": found.scores[choice].get("thresholds", {})}
    return np.load(cache.entry("resampled", parts, build) / "scores.npy", allow_pickle=False)


def scorer_of(result: results.Result, score: str, choice: str) -> Callable[[np.ndarray, np.ndarray], float] | None:
    """``score`` as a function of true labels and probabilities, for the kind of labels that a result has."""
    name, _, label = score.partition(".")
    place = result.data["classes"].index(label) if label in result.data["classes"] else None
    if result.arrays["y_test"].ndim == 2:
        scorers = {"macro_auc": metrics.macro_auc, "f_max": metrics.f_max,
                   "weighted_f1": lambda y, p: metrics.weighted_f1(y, (p >= metrics.THRESHOLD).astype(int))}
        for metric in (metrics.f_beta, metrics.g_beta):
            threshold = result.scores[choice].get("thresholds", {}).get(metric.__name__)
            if threshold is not None:
                scorers[metric.__name__] = lambda y, p, metric=metric, t=threshold: metric(y, (p >= t).astype(int))
        return scorers.get(name)
    scorers = {"macro_f1": lambda y, p: metrics.macro_f1(y, p.argmax(axis=1), p.shape[1]),
               "weighted_f1": lambda y, p: metrics.weighted_f1(y, p.argmax(axis=1)),
               "accuracy": lambda y, p: metrics.accuracy(y, p.argmax(axis=1)),
               "f1_per_class": lambda y, p: metrics.f1_per_class(y, p.argmax(axis=1), p.shape[1])[place]}
    return scorers.get(name)
