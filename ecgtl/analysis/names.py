"""Words that a reader sees: rows of the tables, scores and how they are written, ways to choose an epoch."""

import numpy as np

from ecgtl import paths, published
from ecgtl.datasets import catalogue

PENDING = "PENDING"  # in place of what has not been run
NBSP = "\N{NO-BREAK SPACE}"  # numbers break between, not within, a mean and its interval
_WORDS = paths.facts("analysis/names")
METHODS, SCORES, CHOICES, NETWORKS, RIVALS = (
    _WORDS[kind] for kind in ("methods", "scores", "choices", "networks", "rivals"))
METHODS |= {name: _WORDS["configurations"]["context" if row["context"] else "frame"].format(METHODS[row["init"]], **row)
            for name, row in published.lookup("weimann2021.table1.rows").items() if row["context"] or row["frame"]}


def data_set(source: str) -> str:
    """A data set in a word or two."""
    return _WORDS["data_sets"].get(source) or catalogue.entry(source).title


def checkpoint_name(source: str, arch: str) -> str:
    """A checkpoint as a reader knows it: network and what it was trained on."""
    return f"{NETWORKS[arch]}, {data_set(source)}"


def score_words(name: str) -> str:
    """A score as a reader knows it; ``f1_per_class.af`` is the F1 of a class."""
    return SCORES.get(name) or name.replace("f1_per_class.", "F1 of ").replace("_", " ")


def f1(value: float | None, signed: bool = False) -> str:
    """A score as the field prints it: three decimals, no leading zero; an en dash where there is none."""
    if value is None or not np.isfinite(value):
        return "–"
    return ("−" if value < 0 else "+" if signed else "") + f"{abs(value):.3f}".removeprefix("0")
