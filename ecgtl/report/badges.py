"""Badges that say on every table and figure what stands behind it: the tier, and what the data are."""

from html import escape

from IPython.display import HTML

from ecgtl.datasets.base import Recordings
from ecgtl.report import tables
from ecgtl.results import Result

MEANING = {"full": "the paper's own data set, whole", "subset": "a part of the paper's data set",
           "substitute": "another data set in its place", "synthetic": "made data, not recordings", "none": "not used",
           "demo": "small and fast, on made data", "reduced": "smaller network, shorter input, fewer epochs",
           "paper": "the paper's own protocol"}

STRENGTH = ("none", "full", "subset", "substitute", "synthetic")  # a badge of several words has the colour of the last


def badge(kind: str, word: str) -> str:
    """HTML of one badge; its title explains the word."""
    title = "; ".join(MEANING[part] for part in word.split("/"))
    weakest = max(word.split("/"), key=lambda part: STRENGTH.index(part) if part in STRENGTH else -1)
    return (f'<span class="ecgtl-badge ecgtl-{escape(weakest)}" title="{escape(title)}">'
            f"{escape(kind)}: {escape(word)}</span>")


def row(tier: str, evidence: dict[str, str]) -> str:
    """HTML of the badges for a tier and its evidence words; synthetic data get one more, which cannot be missed."""
    found = [badge("tier", tier), *(badge(kind, word) for kind, word in evidence.items())]
    if evidence["target"] == "synthetic":
        found.append('<span class="ecgtl-badge ecgtl-synthetic">synthetic data: shows that the machinery works, '
                     "nothing about ECG</span>")
    return f'<p class="ecgtl-badges">{" ".join(found)}</p>'


def of_experiment(experiment: str, tier: str) -> HTML:
    """Badges of an experiment's finished runs."""
    return HTML(row(tier, tables.evidence(experiment, tier)))


def of_result(result: Result) -> HTML:
    """Badges of one result."""
    return HTML(row(result.config["tier"], result.evidence))


def of_recordings(recordings: Recordings) -> HTML:
    """Badge of a data set that is only looked at."""
    word = "synthetic" if recordings.synthetic else "real recordings"
    name = "synthetic" if recordings.synthetic else "full"
    return HTML(f'<p class="ecgtl-badges"><span class="ecgtl-badge ecgtl-{name}">data: {word}</span></p>')
