"""Words that a reader sees: rows of the tables, scores and how they are written, ways to choose an epoch."""

import numpy as np

from ecgtl import paths, published
from ecgtl.datasets import catalogue

PENDING = "PENDING"  # in place of what has not been run
NBSP = "\N{NO-BREAK SPACE}"  # numbers break between, not within, a mean and its interval
METHODS, SCORES, CHOICES, NETWORKS, RIVALS, SHORT = (
    words[name] for words in [paths.facts("analysis/names")]
    for name in ("methods", "scores", "choices", "networks", "rivals", "short"))


def _configurations() -> dict[str, str]:
    """The rows of Weimann 2021's Table 1 in words."""
    future, frames = "{}, context {context}, {negatives} negatives, offset {offset}", "{}, {frame:,} samples"
    return {name: (future if row["context"] else frames).format(METHODS[row["init"]], **row)
            for name, row in published.load("weimann2021")["table1"]["rows"].items() if row["context"] or row["frame"]}


METHODS |= _configurations()


def data_set(source: str) -> str:
    """A data set in a word or two."""
    return SHORT.get(source) or catalogue.entry(source).title


def checkpoint_name(source: str, arch: str) -> str:
    """A checkpoint as a reader knows it: network and what it was trained on."""
    return f"{NETWORKS[arch]}, {data_set(source)}"


def f1(value: float | None, signed: bool = False) -> str:
    """A score as the field prints it: three decimals, no leading zero; an en dash where there is none."""
    if value is None or not np.isfinite(value):
        return "–"
    text = f"{abs(value):.3f}".replace("0.", ".", 1) if abs(value) < 1 else f"{abs(value):.3f}"
    return ("−" if value < 0 else "+" if signed else "") + text
