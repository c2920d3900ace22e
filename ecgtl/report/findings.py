"""Claims as a reader sees them: the verdicts, and the differences that they rest on."""

import pandas as pd

from ecgtl import claims
from ecgtl.report import tables
from ecgtl.report.book_tables import badge
from ecgtl.statistics import MIN_RUNS


def findings(paper: str, experiment: str, tier: str) -> pd.DataFrame:
    """Every claim of ``paper`` that rests on ``experiment``, judged from the paper's numbers and from ours."""
    judged = [claims.judge(paper, name, tier) for name, claim in claims.claims(paper).items()
              if claim["experiment"] == experiment]
    return pd.DataFrame([_finding(verdict) for verdict in judged])


def _finding(verdict: dict) -> dict:
    shown = [_comparison(*comparison) for comparison in verdict["comparisons"]]
    return {"Statement": verdict["says"], "From the paper's numbers": badge(verdict["paper"]),
            "From our runs": badge(verdict["ours"]),
            "Our difference [95 % interval], smallest detectable": "; ".join(shown)}


def _comparison(pair, a, b, difference) -> str:
    words = f"{tables.METHODS[pair[0]]}, {pair[1]} % − {tables.METHODS[pair[2]]}, {pair[3]} %"
    if difference is None:
        return f"{words}: fewer than {MIN_RUNS} runs"
    f1 = tables.f1
    return (f"{words}: {f1(difference.value, True)} [{f1(difference.low, True)}, {f1(difference.high, True)}], "
            f"{f1(difference.detectable)}")
