"""Claims as a reader sees them: the verdicts, and the differences that they rest on."""

import pandas as pd

from ecgtl import claims, experiments
from ecgtl.report import tables
from ecgtl.report.book_tables import badge
from ecgtl.statistics import MIN_RUNS


def findings(paper: str, experiment: str, tier: str) -> pd.DataFrame:
    """Every claim of ``paper`` that rests on ``experiment``, judged from the paper's numbers and from ours."""
    return pd.DataFrame([_finding(claims.judge(paper, name, tier)) for name, claim in claims.claims(paper).items()
                         if claim.get("experiment") == experiment])


def finding(paper: str, name: str, tier: str) -> pd.DataFrame:
    """One claim by its name."""
    return pd.DataFrame([_finding(claims.judge(paper, name, tier))])


def _finding(verdict: dict) -> dict:
    shown = [_comparison(comparison) for comparison in verdict["comparisons"]] or [verdict["note"]]
    return {"Statement": verdict["says"], "From the paper's numbers": badge(verdict["paper"]),
            "From our runs": badge(verdict["ours"]),
            "Our difference [95 % interval], smallest detectable": "; ".join(shown)}


def _comparison(comparison: claims.Comparison) -> str:
    method, size, method_2, size_2 = comparison.pair
    entry = experiments.definition(comparison.experiment)[1]
    words = " − ".join(f"{tables.METHODS[name]}, {experiments.size_words(entry, column)}"
                       for name, column in ((method, size), (method_2, size_2)))
    found, f1 = comparison.difference, tables.f1
    if found is None:
        return f"{words}: fewer than {MIN_RUNS} runs"
    margin = f", against a margin of {f1(comparison.margin)}" if comparison.margin else ""
    p = f", p = {f1(found.p)}" if comparison.rule == "no_difference" else ""
    return f"{words}: {f1(found.value, True)} [{f1(found.low, True)}, {f1(found.high, True)}], {f1(found.detectable)}{p}{margin}"
