"""A study step by step, paper beside ours: its chart, its table, and how far they are the same."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from IPython.display import HTML
from matplotlib.figure import Figure

from ecgtl import paths
from ecgtl.report import flowchart, printed
from ecgtl.report.words import paragraph


@cache
def _study(paper: str) -> dict:
    return paths.facts("report/studies")[paper]


def _printed(paper: str, said: dict | Any) -> Any:
    return printed.published_text(f"{paper}.{said['pub']}") if isinstance(said, dict) else said


def study_table(paper: str, ours: dict[str, str], theirs: dict[str, str]) -> pd.DataFrame:
    """The study step by step, paper beside ours: ``phase``, ``what``, ``paper``, ``ours`` as text.

    ``ours`` by what stands in ``studies.yml``; ``theirs`` what is computed for the paper too.
    """
    rows = [(phase, what, theirs.get(what) or _printed(paper, said), ours[what])
            for phase, steps in _study(paper)["steps"].items() for what, said in steps.items()]
    return pd.DataFrame(rows, columns=["phase", "what", "paper", "ours"])


def study_chart(paper: str, steps: pd.DataFrame) -> Figure:
    """The study as a flow chart of its ``study_table``."""
    known = steps.set_index("what")
    return chart(paper, "course", known["paper"], known["ours"])


def chart(paper: str, name: str, *facts: Mapping[str, str]) -> Figure:
    """A flow chart of ``studies.yml``, its words filled with ``facts``; of two, each twice: the paper's and ours."""
    def filled(lines: list[str]) -> tuple[str, ...]:
        first, *other = (tuple(line.format_map(known) for line in lines) for known in facts)
        return (f"Paper: {first[0]}", "", f"Here: {other[0][0]}") if other else first

    found = _study(paper)[name]
    rows = [[flowchart.Box(key, title.format_map(facts[0]), filled(lines), kind) for key, title, kind, *lines in row]
            for row in found["boxes"]]
    return flowchart.flow(rows, found["arrows"], found["legend"])


def readable_study(steps: pd.DataFrame) -> pd.DataFrame:
    """``study_table`` as a reader sees it, with whether the two say the same."""
    same = np.where(steps["paper"] == steps["ours"], "yes", "no")
    unsaid = steps["paper"].str.contains("not stated")
    shown = steps.set_axis(["Phase", "What", "Paper", "Here"], axis=1)
    return shown.assign(Same=np.where(unsaid, "decided here", same))


def study_verdict(steps: pd.DataFrame) -> HTML:
    """How much of the study is as printed, from ``study_table``."""
    what = readable_study(steps).set_index("Same")["What"]
    same, other = (what[what.index == word] for word in ("yes", "no"))
    text = (f"Of {len(what)} entries {len(same)} are as printed ({', '.join(same)}), and {len(other)} are "
            f"not ({', '.join(other)}).")
    if other.str.contains("source").any():
        text += " Recordings other than the paper's stand in, so its numbers are context."
    return HTML(paragraph(text))


def statements(paper: str, ours: dict[str, dict[str, str]]) -> pd.DataFrame:
    """What the paper says of its networks beside ``ours``: what the networks of each tier have, by what it is."""
    said = {what: _printed(paper, words) for what, words in _study(paper)["statements"].items()}
    found = pd.DataFrame(ours).add_prefix("Tier ").rename_axis("What").reset_index()
    found.insert(1, "Paper", found["What"].map(said).fillna("not stated"))
    return found


def statements_met(found: pd.DataFrame, *more: str) -> HTML:
    """A sentence a tier, how many of the paper's ``statements`` its network meets, and which not; then ``more``."""
    said = found[found["Paper"] != "not stated"]
    sentences = []
    for column in said.columns[2:]:
        other = said[said["Paper"] != said[column]]
        but = "; ".join(f"{what} ({ours})" for what, ours in zip(other["What"], other[column], strict=True))
        sentences.append(f"{column} meets {len(said) - len(other)} of {len(said)} statements of the paper"
                         + (f", but not: {but}." if but else "."))
    return HTML(paragraph(" ".join([*sentences, *more])))
