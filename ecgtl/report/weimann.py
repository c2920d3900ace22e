"""What the pages of Weimann 2021 show beyond the general tables."""

import numpy as np
import pandas as pd

from ecgtl import claims, experiments, published
from ecgtl.report import tables

TABLE2 = "weimann2021-table2"
# our class name -> the column of the paper's Table 1
CLASSES = {"normal": "f1_normal", "af": "f1_af", "other": "f1_other", "noise": "f1_noise"}


def table2(tier: str) -> pd.DataFrame:
    """Table 2 beside ours, with the baselines: ``tables.comparison``."""
    return tables.comparison(TABLE2, tier)


def table2_values(tier: str) -> dict[tuple[str, int], tuple[float, ...]]:
    """Macro F1 of every single run by (method, share of the data set)."""
    _, entry = experiments.definition(TABLE2)
    cells = {(method, size): tables.cell(TABLE2, tier, method, size)
             for method in (*entry["inits"], *entry["baselines"]) for size in entry["sizes"]}
    return {place: cell.values for place, cell in cells.items() if cell}


def table2_classes(tier: str, method: str = "random") -> pd.DataFrame:
    """F1 by class and share of the data set; the paper prints it for its largest share alone (Table 1)."""
    _, entry = experiments.definition(TABLE2)
    printed = published.load("weimann2021")["table1"]["rows"][method]
    rows = []
    for size in entry["sizes"]:
        for name, column in CLASSES.items():
            cell = tables.cell(TABLE2, tier, method, size, f"f1_per_class.{name}")
            theirs = printed[column] if size == max(entry["sizes"]) and tier != "demo" else {"mean": np.nan, "sd": np.nan}
            if cell:
                rows.append({"size": size, "class": name, "mean": cell.mean, "low": cell.low, "high": cell.high,
                             "paper": theirs["mean"], "paper_sd": theirs["sd"]})
    return pd.DataFrame(rows)


def table2_findings(tier: str) -> pd.DataFrame:
    """Every claim that rests on Table 2, judged from the paper's numbers and from ours."""
    judged = [claims.judge("weimann2021", name, tier) for name, claim in claims.claims("weimann2021").items()
              if claim["experiment"] == TABLE2]
    return pd.DataFrame([_finding(verdict) for verdict in judged])


def _finding(verdict: dict) -> dict:
    shown = [_comparison(*comparison) for comparison in verdict["comparisons"]]
    return {"Statement": verdict["says"], "From the paper's numbers": verdict["paper"], "From our runs": verdict["ours"],
            "Our difference [95 % interval], smallest detectable": "; ".join(shown)}


def _comparison(pair, a, b, difference) -> str:
    words = f"{tables.METHODS[pair[0]]}, {pair[1]} % − {tables.METHODS[pair[2]]}, {pair[3]} %"
    if difference is None:
        return f"{words}: not run"
    f1 = tables.f1
    return (f"{words}: {f1(difference.value, True)} [{f1(difference.low, True)}, {f1(difference.high, True)}], "
            f"{f1(difference.detectable)}")
