"""How much a score depends on the test recordings: stored predictions, scored on recordings drawn again."""

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from ecgtl import results
from ecgtl.analysis.verdicts import WEIGHTS
from ecgtl.datasets import cache
from ecgtl.jobs.scoring import DRAWS, ONE_LABEL, SEVERAL_LABELS, THRESHOLDED, on_draws


def recordings_variance(cells: Sequence[Sequence[Path]], score: str, choice: str,
                        weights: Sequence[float] = WEIGHTS) -> tuple[float, int] | None:
    """Variance of a weighted sum of mean scores over draws of the test recordings, and their number.

    ``cells`` are the files of the results of each cell; the ``weights`` are those of a difference of two, or of two
    differences, if not given; ``score`` and ``choice`` (of the epoch) as results name them. All runs are scored on the
    same draws, with replacement, so that what makes a draw easy for all cells cancels. None where the score cannot be
    had from stored predictions, and where the runs have different test recordings. Source: the analysis plan of this
    project; the bootstrap of Efron (1979).
    """
    sets = [_test_set(path) for paths in cells for path in paths] or [(None,) * 3]
    digests, places, labels = map(set, zip(*sets, strict=True))
    # A network that leaves recordings out counts the places of the others anew, but the split is made before that: of
    # one experiment as many recordings with the same labels in a row are the same
    if None in places or len(labels if len(digests) > 1 else places) > 1:
        return None
    scores = [[drawn for path in paths if (drawn := _drawn(path, score, choice)) is not None] for paths in cells]
    if list(map(len, scores)) != list(map(len, cells)):
        return None
    means = [weight * np.mean(cell, axis=0) for weight, cell in zip(weights, scores, strict=False)]
    return float(np.sum(means, axis=0).var(ddof=1)), len(next(iter(places)))


@lru_cache(maxsize=1024)
def _test_set(path: Path) -> tuple:
    """Digest of the data, and places and labels of the test recordings; None for what is not stored."""
    found = results.load(path)
    kept = (found.arrays.get(name) for name in ("test", "y_test"))
    return found.data.get("digest"), *(None if one is None else tuple(one.ravel().tolist()) for one in kept)


@lru_cache(maxsize=4096)
def _drawn(path: Path, score: str, choice: str) -> np.ndarray | None:
    """The score of one run on every draw, shape (``DRAWS``,); from the cache where it is there."""
    found = results.load(path)
    choice = choice if choice in found.scores else "validated"  # a baseline has no epochs to choose from
    given = scored(found, score, choice)
    if given is None:
        return None

    def build(folder: Path) -> None:
        np.save(folder / "scores.npy", given())

    parts = {"predictions": found.predictions["sha256"], "score": score, "choice": choice, "draws": DRAWS,
             "thresholds": found.scores[choice].get("thresholds", {})}
    return np.load(cache.entry("resampled", parts, build) / "scores.npy", allow_pickle=False)


def scored(result: results.Result, score: str, choice: str) -> Callable[..., np.ndarray] | None:
    """What gives ``score`` on every draw (``on_draws``), where a result with its kind of labels has it."""
    name, _, label = score.partition(".")
    y, p = result.arrays["y_test"], result.arrays[f"prob_{choice}"].astype(np.float32)
    threshold = result.scores[choice].get("thresholds", {}).get(name)
    if y.ndim == 1 and name == "f1_per_class":
        place = result.data["classes"].index(label)
        return lambda **given: on_draws(name, y, p, **given)[:, place]
    if y.ndim == 2 and name in THRESHOLDED and threshold is not None:
        return partial(on_draws, name, y, p, threshold)
    return partial(on_draws, name, y, p) if name in (SEVERAL_LABELS if y.ndim == 2 else ONE_LABEL) else None
