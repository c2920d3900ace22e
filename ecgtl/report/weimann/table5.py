"""Weimann 2021, Table 5: other data sets."""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator

import pandas as pd
from IPython.display import HTML

from ecgtl import experiments, published
from ecgtl.analysis import cells
from ecgtl.analysis.names import METHODS, PENDING, f1
from ecgtl.config import BASELINES
from ecgtl.report import gains
from ecgtl.report.weimann import shared
from ecgtl.report.words import bullets, paragraph, plus_minus


def data_used(experiment: str) -> HTML:
    """How many of the paper's recordings there are here."""
    data = experiments.load(experiment).data
    name = "ptbxl_rhythm" if experiment == shared.PTBXL else "cpsc2018"
    theirs = published.lookup(f"{shared.PAPER}.scalars.{name}_records.value")
    return HTML(f"<p>{shared.NAMES[experiment]} {data.version}: {data.records:,} recordings here, "
                f"{theirs:,} in the paper.</p>")


def label_rows(experiment: str, tier: str) -> pd.DataFrame:
    """Recordings with each label by set, and the mean AUC of each initialisation; a dash where there is none."""
    found = [(run.method, body) for run, body in cells.runs(experiment, tier) if run.method not in BASELINES]
    if not found:
        return pd.DataFrame({"Label": [PENDING]})
    data = found[0][1].data
    table = pd.DataFrame(data["split"], index=data["classes"]).rename(columns=str.capitalize)
    table.insert(0, "Label", table.index.str.replace("_", " "))
    for method in experiments.load(experiment).inits:
        own = [body.scores["validated"]["auc_per_class"] for name, body in found if name == method]
        areas = pd.DataFrame(own, columns=data["classes"], dtype=float)
        table[f"AUC, {shared.short(method).lower()}"] = areas.mean(skipna=False).map(f1) if len(areas) else PENDING
    return table


def unscored(experiment: str, tier: str) -> HTML:
    """Labels that no recording of the test set has (or all have), named: the mean AUC leaves them out."""
    bodies = [body for _, body in cells.runs(experiment, tier)]
    if not bodies:
        return HTML(f"<p>{PENDING}: no run yet.</p>")
    areas = bodies[0].scores["validated"]["auc_per_class"]  # the test set is the same in all runs
    left_out = [name.replace("_", " ") for name, area in areas.items() if area is None]
    return HTML(paragraph(
        f"Of {len(areas)} labels {len(left_out)} cannot be scored, because no recording of the test set has them, or "
        f"every one: {', '.join(left_out)}. The AUC is the mean over the others." if left_out else
        f"All {len(areas)} labels occur in the test set; the AUC is the mean over all of them."))


def thresholds(experiment: str, tier: str) -> pd.DataFrame:
    """Thresholds found on the training set for each metric: mean and range over runs."""
    methods = experiments.load(experiment).inits
    columns = {"Initialisation": [METHODS[method] for method in methods]}
    for name in ("f_beta", "g_beta"):
        texts = {method: f"{cell.mean:.2f} ({min(cell.values):.2f} to {max(cell.values):.2f})"
                 for (method, _), cell in cells.cells(experiment, tier, f"thresholds.{name}").items()}
        columns[f"Threshold for {shared.SCORES[name]}"] = [texts.get(method, PENDING) for method in methods]
    return pd.DataFrame(columns)


def quoted(experiment: str) -> Iterator[tuple[str, dict[str, dict[str, float]]]]:
    """Related work that the paper repeats in Table 5: the source, and mean and SD by score."""
    for row in published.lookup(f"{shared.PAPER}.table5.quoted_rows").values():
        yield row["source"], row[experiments.load(experiment).dataset]


def quoted_rows() -> pd.DataFrame:
    """The row of related work that the paper repeats in Table 5: other people's result, quoted as such."""
    rows = [{"Quoted from": source, "Data set": shared.NAMES[experiment],
             **{shared.SCORES[score]: plus_minus(**cells[score]) if score in cells else "–"
                for score in shared.MULTI_LABEL}}
            for experiment in (shared.PTBXL, shared.CPSC2018) for source, cells in quoted(experiment)]
    return pd.DataFrame(rows)


def rankings(frames: Iterable[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    """Initialisations from the best to the worst by each score, equal ones joined by =; ``frames``: experiment,
    ``comparisons``.
    """
    rows = [(shared.NAMES[experiment], shared.SCORES[score], _ranked(own, "paper"), _ranked(own, "ours"))
            for experiment, frame in frames
            for score, own in frame[~frame["method"].isin(BASELINES)].groupby("score", sort=False)]
    return pd.DataFrame(rows, columns=["Data set", "Score", "In print", "Ours"])


def _ranked(rows: pd.DataFrame, column: str) -> str:
    """Methods from the best to the worst; all of them are needed."""
    if rows[column].isna().any():
        return "not printed" if column == "paper" else PENDING
    # As they are shown: three decimals decide what is equal
    by_value = rows["method"].map(shared.short).str.lower().groupby(rows[column].map(f1)).agg(" = ".join)
    return " > ".join(by_value.sort_index(ascending=False))


def ranking_verdict(ranked: pd.DataFrame) -> HTML:
    """Does the order stay the same whatever the score, as the paper's text has it? From ``rankings``."""
    lines = []
    for (name, own), column in itertools.product(ranked.groupby("Data set", sort=False), ("In print", "Ours")):
        orders = own.loc[~own[column].isin(["not printed", PENDING]), column]
        if len(orders):
            word = "one and the same" if orders.nunique() == 1 else f"{orders.nunique()} different ones"
            lines.append(f"{name}, {column.lower()}: {len(orders)} scores, {word}.")
    return HTML(paragraph("Orders of the five initialisations:") + bullets(lines))


def gains_by_score(experiment: str, tier: str) -> list[gains.Gain]:
    """Gains over random weights by each of the paper's four scores."""
    return [dataclasses.replace(gain, panel=shared.SCORES[score]) for score in shared.MULTI_LABEL
            for gain in gains.over_random(experiment, tier, score, named=lambda method, _: ("", shared.short(method)))]
