"""What the pages of Weimann 2021 show beyond the general tables."""

import numpy as np
import pandas as pd

from ecgtl import experiments, published
from ecgtl.report import tables
from ecgtl.report.findings import findings

TABLE2 = "weimann2021-table2"
# our class name -> the column of the paper's Table 1
CLASSES = {"normal": "f1_normal", "af": "f1_af", "other": "f1_other", "noise": "f1_noise"}


def table2(tier: str) -> pd.DataFrame:
    """Table 2 beside ours, with the baselines: ``tables.comparison``."""
    return tables.comparison(TABLE2, tier)


def table2_values(tier: str) -> dict[tuple[str, int], tuple[float, ...]]:
    """Macro F1 of every single run by (method, share of the data set)."""
    return {place: cell.values for place, cell in tables.cells(TABLE2, tier).items()}


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
    return findings("weimann2021", TABLE2, tier)
