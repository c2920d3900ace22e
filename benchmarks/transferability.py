"""MELEP at the size of one fold of its paper against the same equations written out sample by sample."""

import math

import numpy as np

from benchmarks.timing import Row, take_turns
from ecgtl import transferability

RECORDINGS, TARGET_LABELS, SOURCE_LABELS = 700, 10, 20
AT_MOST = 0.02  # s: nothing beside the forward pass


def melep_by_loops(source_prob: np.ndarray, target: np.ndarray) -> float:
    """``transferability.melep`` pair by pair and recording by recording, on plain Python numbers."""
    n, rows, labels = len(target), source_prob.tolist(), target.tolist()
    score = 0.0
    for y in range(target.shape[1]):
        positives, loss = sum(row[y] for row in labels), 0.0
        for z in range(source_prob.shape[1]):
            joint = [[0.0, 0.0], [0.0, 0.0]]
            for label, row in zip(labels, rows, strict=True):
                joint[label[y]][0] += (1 - row[z]) / n
                joint[label[y]][1] += row[z] / n
            marginal = [joint[0][s] + joint[1][s] for s in (0, 1)]
            for label, row in zip(labels, rows, strict=True):
                given = joint[label[y]]
                loss -= math.log(given[0] / marginal[0] * (1 - row[z]) + given[1] / marginal[1] * row[z]) / n
        score += positives / (n - positives) * loss / source_prob.shape[1]
    return score / target.shape[1]


def rows(repeats: int) -> list[Row]:
    """Seconds of MELEP for 700 recordings, 10 target and 20 source labels."""
    rng = np.random.default_rng(0)
    source_prob = rng.random((RECORDINGS, SOURCE_LABELS))
    target = (rng.random((RECORDINGS, TARGET_LABELS)) < 0.3).astype(int)
    expected = melep_by_loops(source_prob, target)
    np.testing.assert_allclose(transferability.melep(source_prob, target), expected, rtol=1e-10)
    seconds = take_turns({"ours": lambda: transferability.melep(source_prob, target),
                          "plain": lambda: melep_by_loops(source_prob, target)}, repeats)
    return [Row(f"MELEP of {RECORDINGS} x {TARGET_LABELS} x {SOURCE_LABELS}, against plain loops", "s",
                seconds["ours"], seconds["plain"], at_most=AT_MOST)]
