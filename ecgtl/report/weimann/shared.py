"""What the pages of Weimann 2021's tables show beyond the general ones: several scores, gains, settings, networks.

The frames of ``comparisons`` and ``trials`` are read once a page; all else is computed from those and from what the
paper prints. A cell without runs is PENDING; fewer than ``MIN_RUNS`` runs get no interval.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import experiments, models, published, statistics
from ecgtl.analysis import cells, claim_rules, sources, verdicts
from ecgtl.analysis.names import METHODS, NBSP, PENDING
from ecgtl.config import BASELINES, FinetuneConfig, PretrainConfig
from ecgtl.report import badges, findings, tables, words

PAPER = "weimann2021"
TABLE1, TABLE2, TABLE3, TABLE4 = (f"{PAPER}-table{number}" for number in range(1, 5))
PTBXL, CPSC2018 = f"{PAPER}-table5-ptbxl", f"{PAPER}-table5-cpsc2018"
NAMES = {TABLE1: "Table 1", TABLE2: "Table 2", TABLE3: "Table 3", TABLE4: "Table 4", PTBXL: "PTB-XL",
         CPSC2018: "CPSC 2018"}
CLASSES = ("normal", "af", "other", "noise")
BY_CLASS = tuple(f"f1_per_class.{name}" for name in CLASSES)
MULTI_LABEL = ("macro_auc", "f_max", "f_beta", "g_beta")
SCORES = {"macro_f1": "Macro F1", **dict(zip(BY_CLASS, ("Normal", "AF", "Other", "Noise"), strict=True)),
          "macro_auc": "AUC", "f_max": "Fmax", "f_beta": "Fβ=2", "g_beta": "Gβ=2"}
PRETRAINED = ("beat", "rhythm", "heart_rate", "future")


def state(experiment: str, tier: str) -> HTML:
    """Badges of the finished runs and their number; while some are missing, the command that makes them."""
    return HTML(badges.state(experiment, tier, f"{NAMES[cells.original(experiment)]}: ")
                + _teachers(experiment, tier))


def _teachers(experiment: str, tier: str) -> Markup:
    """How few subjects stand behind the pretrained runs of a table, where they are not the paper's; else nothing."""
    body = cells.pretraining(tier, objective="beat")
    if "substitute" not in cells.evidence(experiment, tier)["upstream"] or body is None:
        return Markup()
    patients = published.lookup(f"{PAPER}.scalars.icentia_patients.value")
    return Markup("<p>Pretraining had {} subjects to learn from here ({}), where the paper had {:,} patients: how our "
                  "pretrained rows differ from the paper's says as much about that as about the method.</p>").format(
                      body.data["subjects"]["train"], " and ".join(body.data["sources"]), patients)


def pretraining_config(objective: str, tier: str) -> Any:
    """The tier's own configuration of a pretraining, a ``PretrainConfig`` in which nothing is left open."""
    return PretrainConfig.of(objective=objective, tier=tier).resolved()


def comparisons(experiment: str, tier: str, scores: Sequence[str] = ("macro_f1",)) -> pd.DataFrame:
    """``cells.comparison`` of each of ``scores``, with what it is of, and the paper's runs as ``paper_n``."""
    entry = experiments.load(experiment)
    found = pd.concat([cells.comparison(experiment, tier, score).assign(experiment=experiment, tier=tier, score=score)
                       for score in scores])
    return found.assign(paper_n=published.load(entry.paper)[entry.published]["runs"],
                        words=found["words"].str.replace("resnet", "ResNet-"))


def trials(experiment: str, tier: str) -> pd.DataFrame:
    """``cells.runs_table`` with the column ``size``, whatever a column of the experiment stands for."""
    found = cells.runs_table(experiment, tier)
    if found.empty:
        return pd.DataFrame(columns=["method", "size", "run", "epoch_chosen_by"])
    return found.rename(columns={"share_of_dataset": "size", "column": "size"})


def printed_sample(row: pd.Series) -> statistics.Sample | None:
    return statistics.Sample(row["paper"], row["paper_sd"], int(row["paper_n"])) if np.isfinite(row["paper"]) else None


def our_sample(row: pd.Series) -> statistics.Sample | None:
    return statistics.Sample(row["ours"], row["sd"], int(row["n"])) if row["n"] else None


def our_words(row: pd.Series) -> str:
    return words.estimate(row["ours"], row["low"], row["high"], row["n"])


def short(method: str) -> str:
    """A method in a word or two, for axes and headings."""
    return "Random weights" if method == "random" else METHODS[method].removesuffix(" classification")


def readable(frame: pd.DataFrame, heading: str | None = "Data used", only: int | str | None = None) -> pd.DataFrame:
    """``tables.readable`` with ``heading`` for the columns of the paper's table, None to leave them out; printed
    marks.

    ``only``: the column that baselines are shown at, where they do not depend on it.
    """
    if only is not None:
        trivial = frame["method"].isin(BASELINES)
        frame = frame.assign(words=frame["words"].mask(trivial, "any"))[~trivial | (frame["size"] == only)]
    shown, marked = tables.readable(frame), published.lookup(f"{PAPER}.table4.rows")  # some refer to a footnote
    shown["Paper (mean ± SD)"] += [
        marked.get(row.method, {}).get(str(row.size), {}).get("mark", "") if np.isfinite(row.paper) else ""
        for row in frame.itertuples()]
    return shown.rename(columns={"Data used": heading}) if heading else shown.drop(columns="Data used")


def wide(frame: pd.DataFrame) -> pd.DataFrame:
    """``comparisons`` with a row a method and, for each score, a column of the paper (if it prints one) and of ours."""
    # The head of a row breaks behind its commas alone: many columns leave it little room
    heads = [METHODS[method].replace(" ", NBSP).replace(f",{NBSP}", ", ") for method in frame["method"].unique()]
    columns = {"Initialisation": heads}
    for score, rows in frame.groupby("score", sort=False):
        if rows["paper"].notna().any():
            columns[f"{SCORES[score]}, paper"] = [*map(words.plus_minus, rows["paper"], rows["paper_sd"])]
        columns[f"{SCORES[score]}, ours"] = [our_words(row) for _, row in rows.iterrows()]
    return pd.DataFrame(columns)


def gains(frame: pd.DataFrame, heading: str | None = "Data used") -> pd.DataFrame:
    """What each pretraining adds to random weights, in print with Welch's interval and here by the analysis plan;
    ``frame``: ``comparisons``.

    The relative gain is the paper's own way of saying it.
    """
    return pd.DataFrame([{
        "Pretraining": METHODS[row["method"]], **({heading: row["words"]} if heading else {}),
        "Paper": found.pop("Paper"), "Paper, relative": _relative(printed_sample(row), printed_sample(base), "–"),
        **found, "Ours, relative": _relative(our_sample(row), our_sample(base)), "n": f"{row['n']},{NBSP}{base['n']}"}
        for row, base, found in _against(frame, "method", "random")])


def steps(frame: pd.DataFrame, base: int | str, heading: str) -> pd.DataFrame:
    """The same rows at another column minus ``base``, in print and here, as in ``gains``."""
    return pd.DataFrame([{"Initialisation": METHODS[row["method"]], heading: f"{row['words']} − {other['words']}",
                          **found, "n": f"{row['n']},{NBSP}{other['n']}"}
                         for row, other, found in _against(frame, "size", base)])


def _against(frame: pd.DataFrame, column: str, value: int | str) -> Iterator[tuple[pd.Series, pd.Series, dict]]:
    """Rows of networks, each with the row that differs from it in ``column`` alone, where it has ``value``, and their
    difference: in print, ours by the analysis plan, and what the plan says of the printed one.
    """
    source, keys = sources.Runs(frame["tier"].iloc[0]), [name for name in ("method", "size", "score") if name != column]
    bases = {tuple(row[keys]): row for _, row in frame[frame[column] == value].iterrows()}
    for _, row in frame[~frame["method"].isin(BASELINES) & (frame[column] != value)].iterrows():
        base = bases[tuple(row[keys])]
        places = [verdicts.Place(one["experiment"], one["method"], one["size"], one["score"]) for one in (row, base)]
        verdict = claim_rules.judged("beats", places, source).verdict
        known = verdict.ours if verdict.ours and np.isfinite(verdict.ours.low) else None
        said = [verdict.size if known else None, "no worthwhile gain" if verdict.worthwhile is False else None]
        yield row, base, {"Paper": words.gap(printed_sample(row), printed_sample(base), "–"),
                          "Ours": words.difference(known) if known else words.gap(our_sample(row), our_sample(base)),
                          "Against print": ", ".join(filter(None, said)) or "–"}


def _relative(a: statistics.Sample | None, b: statistics.Sample | None, missing: str = PENDING) -> str:
    return f"{100 * (a.mean / b.mean - 1):+.1f}{NBSP}%".replace("-", "−") if a and b else missing


def said(tiers: dict[str, str]) -> HTML:
    """Every claim that rests on one of the experiments in ``tiers``, judged from the paper's numbers and from ours."""
    found = pd.concat([findings.findings(PAPER, experiment, tier) for experiment, tier in tiers.items()])
    return HTML("<p>No statement rests on this table alone.</p>") if found.empty else tables.html(
        found, "Statements and what the runs say")


def parameters(arch: str, tier: str, **options) -> tuple[int, int]:
    """Parameters of a classifier of CinC 2017 as ``tier`` has it, and of its output layer."""
    with torch.device("meta"):
        model: Any = models.build(arch, 1, len(CLASSES), width=tuned(tier).width, **options)
    return models.count_parameters(model), models.count_parameters(model.output)


def tuned(tier: str) -> FinetuneConfig:
    """How ``tier`` fine-tunes on CinC 2017."""
    return FinetuneConfig.of(dataset="cinc2017", protocol=PAPER, tier=tier).resolved()
