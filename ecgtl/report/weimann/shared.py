"""What the pages of Weimann 2021's tables show beyond the general ones: several scores, gains, settings, networks.

The frames of ``comparisons`` and ``trials`` are read once a page; all else is computed from those and from what the
paper prints. A cell without runs is PENDING; fewer than ``MIN_RUNS`` runs get no interval.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import experiments, models, published, results, statistics
from ecgtl.analysis import cells, claim_rules, sources, verdicts
from ecgtl.analysis.names import METHODS
from ecgtl.config import BASELINES, FinetuneConfig, PretrainConfig
from ecgtl.experiments import queue
from ecgtl.report import badges, findings, tables, words

PAPER = "weimann2021"
TABLE1, TABLE2, TABLE3, TABLE4 = (f"{PAPER}-table{number}" for number in range(1, 5))
PTBXL, CPSC2018 = f"{PAPER}-table5-ptbxl", f"{PAPER}-table5-cpsc2018"
NAMES = {f"{PAPER}-table{n}": f"Table {n}" for n in range(1, 5)} | {PTBXL: "PTB-XL", CPSC2018: "CPSC 2018"}
CLASSES = ("normal", "af", "other", "noise")
BY_CLASS = tuple(f"f1_per_class.{name}" for name in CLASSES)
MULTI_LABEL = ("macro_auc", "f_max", "f_beta", "g_beta")
SCORES = {"macro_f1": "Macro F1", **dict(zip(BY_CLASS, ("Normal", "AF", "Other", "Noise"), strict=True)),
          "macro_auc": "AUC", "f_max": "Fmax", "f_beta": "Fβ=2", "g_beta": "Gβ=2"}
PRETRAINED = ("beat", "rhythm", "heart_rate", "future")


def state(experiment: str, tier: str) -> HTML:
    """Badges of the finished runs and their number; while some are missing, the command that makes them."""
    return HTML(badges.state(experiment, tier, f"{NAMES[cells.original(experiment)]}: ") + _teachers(experiment, tier))


def _teachers(experiment: str, tier: str) -> Markup:
    """How few subjects stand behind the pretrained runs of a table, where they are not the paper's; else nothing."""
    starts = {start.path for run, _ in cells.runs(experiment, tier) if (start := queue.start_of(run, singles=True))}
    found = [body for body in map(results.done, sorted(starts)) if body and body.evidence["upstream"] == "substitute"]
    if not found:
        return Markup()
    patients = published.lookup(f"{PAPER}.scalars.icentia_patients.value")
    return Markup("<p>Pretraining had {} subjects to learn from here ({}), where the paper had {:,} patients: how our "
                  "pretrained rows differ from the paper's says as much about that as about the method.</p>").format(
                      span(body.data["subjects"]["train"] for body in found),
                      " and ".join(dict.fromkeys(name for body in found for name in body.data["sources"])), patients)


def span(counts: Iterable[int]) -> str:
    """The least and the largest of several numbers, once where they are equal: ``83 to 100``."""
    found = sorted({*counts})
    return " to ".join(f"{one:,}" for one in dict.fromkeys((found[0], found[-1])))


def pretraining_config(objective: str, tier: str) -> Any:
    """The tier's own configuration of a pretraining, a ``PretrainConfig`` in which nothing is left open."""
    return PretrainConfig.of(objective=objective, tier=tier).resolved()


def comparisons(experiment: str, tier: str, scores: Sequence[str] = ("macro_f1",)) -> pd.DataFrame:
    """``cells.comparison`` of each of ``scores``, with what it is of, and the paper's runs as ``paper_n``."""
    entry = experiments.load(experiment)
    found = pd.concat([cells.comparison(experiment, tier, score).assign(experiment=experiment, tier=tier, score=score)
                       for score in scores])
    return found.assign(paper_n=published.load(entry.paper)[entry.published]["runs"])


def trials(experiment: str, tier: str) -> pd.DataFrame:
    """``cells.runs_table`` with the column ``size``, whatever a column of the experiment stands for."""
    found = cells.runs_table(experiment, tier)
    return found.rename(columns={"share_of_dataset": "size", "column": "size"}) if len(found) else pd.DataFrame(
        columns=["method", "size", "run", "epoch_chosen_by"])


def printed_sample(row: pd.Series) -> statistics.Sample | None:
    return statistics.Sample(row["paper"], row["paper_sd"], int(row["paper_n"])) if np.isfinite(row["paper"]) else None


def our_sample(row: pd.Series) -> statistics.Sample | None:
    return statistics.Sample(row["ours"], row["sd"], int(row["n"])) if row["n"] else None


def short(method: str) -> str:
    """A method in a word or two, for axes and headings."""
    return "Random weights" if method == "random" else METHODS[method].removesuffix(" classification")


def compared(frame: pd.DataFrame, group: str, only: int | str | None = None) -> pd.DataFrame:
    """``comparisons`` in the shape of the paper's table: ``group`` heads its columns, printed marks refer to footnotes.

    ``only``: the column that baselines are shown at, where they do not depend on it.
    """
    marked = published.lookup(f"{PAPER}.table4.rows")
    marks = [marked.get(row.method, {}).get(str(row.size), {}).get("mark", "") for row in frame.itertuples()]
    frame = frame.assign(mark=marks)
    if only is not None:
        frame = frame[~frame["method"].isin(BASELINES) | (frame["size"] == only)]
    if frame["score"].nunique() == 1:
        return tables.grid(frame, headings={name: (group, name) for name in frame["words"]})
    return tables.grid(frame, "score", headings={name: (group, SCORES[name]) for name in frame["score"].unique()}
                       | {"macro_f1": (SCORES["macro_f1"], "")})


def gains(frame: pd.DataFrame, group: str) -> pd.DataFrame:
    """What each pretraining adds to random weights: in print with Welch's interval, here by the analysis plan, and how
    the two differ; ``frame``: ``comparisons`` of one score.
    """
    return tables.grid_of(((METHODS[row["method"]], (group, row["words"]), lines)
                           for row, _, lines in _against(frame, "method", "random")), "Pretraining")


def steps(frame: pd.DataFrame, base: int | str, group: str) -> pd.DataFrame:
    """The same rows at another column minus ``base``, in print and here, as in ``gains``."""
    return tables.grid_of(((METHODS[row["method"]], (group, f"{row['words']} − {other['words']}"), lines)
                           for row, other, lines in _against(frame, "size", base)), "Initialisation")


def _against(frame: pd.DataFrame, column: str, value: int | str) -> Iterator[tuple[pd.Series, pd.Series, tables.Lines]]:
    """Rows of networks, each with the row that differs from it in ``column`` alone, where it has ``value``, and their
    difference: in print, here by the analysis plan, and how the two differ.
    """
    source, keys = sources.Runs(frame["tier"].iloc[0]), [name for name in ("method", "size", "score") if name != column]
    bases = {tuple(row[keys]): row for _, row in frame[frame[column] == value].iterrows()}
    for _, row in frame[~frame["method"].isin(BASELINES) & (frame[column] != value)].iterrows():
        base = bases[tuple(row[keys])]
        places = [verdicts.Place(one["experiment"], one["method"], one["size"], one["score"]) for one in (row, base)]
        verdict = claim_rules.judged("beats", places, source).verdict
        known, gap = (one if one and np.isfinite(one.low) else None for one in (verdict.ours, verdict.gap))
        yield row, base, tables.Lines(
            words.gap(printed_sample(row), printed_sample(base), ""),
            words.difference(known) if known else words.gap(our_sample(row), our_sample(base)),
            words.difference(gap) if gap else "")


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
