"""From results to the numbers of the tables: cells, comparisons with the papers, the evidence behind them."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from ecgtl import experiments, published, results, statistics
from ecgtl.analysis.names import CHOICES, METHODS
from ecgtl.config import BASELINES, TIERS, protocol
from ecgtl.errors import EcgtlError
from ecgtl.experiments import runners, transfers

CURVE_SCORES = ("learning_curve_index",)  # of the whole learning curve: no epoch is chosen
Finished = tuple[Any, results.Result]  # a run, of whatever kind, and its result
ONE_PRETRAINING = ("Intervals cover fine-tuning, not pretraining: "
                   "the runs of a pretrained row start from one checkpoint.")
# Columns of ``comparison``
NUMBERS = ("paper", "paper_sd", "ours", "sd", "n", "low", "high", "difference", "difference_low", "difference_high")


@dataclass(frozen=True)
class Cell(statistics.Sample):
    """One cell of a table over its runs: mean, SD (n - 1), n, 95 % limits of the mean, and the single values."""

    low: float
    high: float
    values: tuple[float, ...]


def runs(experiment: str, tier: str) -> list[Finished]:
    """Every finished run of ``experiment``, of whatever kind, with its JSON; stale ones are left out."""
    planned = runners.enumerate_runs(experiment, tier)
    return [(run, results.stored(run.path)) for run in planned if run.state() == "done"]


def successor(experiment: str) -> str | None:
    """The experiment that ``replaces`` this one by a later protocol; None where none does."""
    return next((name for name in experiments.names() if experiments.load(name).replaces == experiment), None)


def original(experiment: str) -> str:
    """The experiment of the earlier protocol that this one replaces, else itself: claims and pages speak of that."""
    return (experiments.load(experiment).replaces if experiment in experiments.names() else None) or experiment


def current(experiment: str, tier: str, cells: Iterable[tuple[str, int | str]] | None = None,
            found: Callable[[str], list[Finished]] | None = None) -> str:
    """The experiment that the ``cells`` (method, size) of one comparison are read from, of a whole table if not given.

    The one that ``replaces`` this one where it has every planned run of all these cells, else this one: a comparison
    never mixes protocols. ``found`` reads the finished runs of an experiment.
    """
    new = successor(experiment)
    if new is None:
        return experiment
    planned = [run for run in experiments.enumerate_runs(new, tier)
               if cells is None or (run.method, run.size) in set(cells)]
    done = {run for run, _ in (found(new) if found else runs(new, tier))} if planned else set()
    return new if planned and done.issuperset(planned) else experiment


def protocols_of(names: Iterable[str], tier: str, cells: bool = True) -> list[str]:
    """What is said of experiments that are replaced by a later protocol and of those that replace: runs and full cells.

    ``cells=False`` leaves out which cells are pending.
    """
    said = []
    for name in names:
        new = name if original(name) != name else successor(name)
        if new and (planned := experiments.enumerate_runs(new, tier)):
            missing = [run for run in planned if run.state() != "done"]
            every, pending = ({(run.method, run.size) for run in some} for some in (planned, missing))
            listed = f"; pending: {_by_row(new, pending)}" if pending and cells else ""
            said.append(f"{'New' if name == new else 'Earlier'} protocol: of the new one "
                        f"{len(planned) - len(missing)} of {len(planned)} runs have ended, "
                        f"{len(every - pending)} of {len(every)} cells are full{listed}.")
    return said


def _by_row(experiment: str, cells: set[tuple[str, int | str]]) -> str:
    """Cells row by row, as the table has them: ``Beat classification (25 %, 50 %)``."""
    entry = experiments.load(experiment)
    rows = {method: [entry.column_words(size) for size in entry.columns_of(method) if (method, size) in cells]
            for method in entry.methods}
    return "; ".join(f"{METHODS[method]} ({', '.join(sizes)})" for method, sizes in rows.items() if sizes)


def reported(experiment: str) -> tuple[str, str]:
    """The score that the experiment's paper reports, and how it chooses the epoch (a key of ``CHOICES``)."""
    entry = experiments.load(experiment)
    return entry.score, protocol(entry.paper).report


def scored(found: Sequence[Finished], experiment: str, place: tuple,
           score: str | None = None, choice: str | None = None) -> list[tuple[Any, results.Result, float]]:
    """Those of the ``found`` runs of an experiment that are of the cell at ``place`` (method, size), with their score.

    ``score`` is a name in the result's scores, or ``f1_per_class.<class>``; ``choice`` says how the epoch was chosen;
    both are the paper's own where they are not given.
    """
    own_score, own_choice = reported(experiment)
    return [(run, body, value) for run, body in found if (run.method, str(run.size)) == (place[0], str(place[1]))
            and (value := _score(body, score or own_score, choice or own_choice)) is not None]


def cell_of(found: Sequence[Finished], experiment: str, place: tuple,
            score: str | None = None, choice: str | None = None) -> Cell | None:
    """The cell at a ``place`` over its ``scored`` runs; None where none is of it."""
    if not (values := tuple(value for _, _, value in scored(found, experiment, place, score, choice))):
        return None
    sample, highest = statistics.Sample.of(values), np.inf if score in CURVE_SCORES else 1.0
    return Cell(sample.mean, sample.sd, sample.n, *statistics.score_interval(sample, highest), values)


def cells(experiment: str, tier: str, score: str | None = None) -> dict[tuple[str, int | str], Cell]:
    """Every cell of an experiment that has a finished run, by (method, size); ``score`` as in ``scored``."""
    finished = runs(experiment, tier)
    found = {place: cell_of(finished, experiment, place, score) for place in experiments.load(experiment).cells}
    return {place: one for place, one in found.items() if one}


def _score(body: results.Result, score: str, choice: str) -> float | None:
    if score in CURVE_SCORES:
        return body.scores.get(score)
    # A baseline has no epochs to choose from
    found = body.scores.get("validated" if body.config["arch"] in BASELINES else choice)
    for part in score.split("."):
        found = found.get(part) if found is not None else None
    return found


def runs_table(experiment: str, tier: str) -> pd.DataFrame:
    """One row a run: the raw numbers behind a table, for the CSV."""
    shares = all(isinstance(size, float) for size in experiments.load(experiment).columns.values())
    column = "share_of_dataset" if shares else "column"
    return pd.DataFrame([
        {"experiment": experiment, "tier": tier, "method": run.method, column: run.size, "run": run.number,
         "seed": body.config["seed"], "epoch_chosen_by": choice,
         **{k: v for k, v in body.scores[choice].items() if not isinstance(v, dict)},
         **{f"{kind}_{k}": v for kind in ("f1", "auc")
            for k, v in body.scores[choice].get(f"{kind}_per_class", {}).items()},
         **{name: body.evidence[name] for name in ("target", "upstream")},
         **{name: body.provenance[name] for name in ("commit", "device", "wall_seconds")}}
        for run, body in runs(experiment, tier) for choice in CHOICES if choice in body.scores])


def comparison(experiment: str, tier: str, score: str | None = None, table: str | None = None) -> pd.DataFrame:
    """Published values beside ours: one row a method and size, baselines included; ``score`` as in ``scored``.

    Published in the experiment's table, or in the one that ``table`` names.

    Columns in units of the score: ``paper``, ``paper_sd``, ``ours``, ``sd``, ``n``, ``low``, ``high``, and the
    difference ours - paper with its Welch interval, which needs ``MIN_RUNS`` runs. On synthetic data there is no
    comparison and the paper's columns stay empty; on a substitute no difference is taken.
    """
    entry, found, rows = experiments.load(experiment), cells(experiment, tier, score), []
    # On another data set the paper's number is context; a difference would compare recordings, not methods
    same_data = "substitute" not in evidence(experiment, tier)["target"]
    order = [(method, size) for method in (*entry.networks, *entry.baselines) for size in entry.columns_of(method)]
    for method, size in order:
        row: dict = {"method": method, "size": size, "words": entry.column_words(size), "n": 0}
        if theirs := printed_cell(experiment, method, size, score, table) if tier != "demo" else None:
            row |= {"paper": theirs["mean"], "paper_sd": theirs["sd"]}
        if ours := found.get((method, size)):
            row |= {"ours": ours.mean, "sd": ours.sd, "n": ours.n, "low": ours.low, "high": ours.high}
        if ours and theirs and same_data:
            gap = statistics.welch(ours, statistics.Sample(theirs["mean"], theirs["sd"], theirs["runs"]))
            row["difference"] = gap.value
            if ours.n >= statistics.MIN_RUNS:
                row |= {"difference_low": gap.low, "difference_high": gap.high}
        rows.append(row)
    compared = pd.DataFrame(rows, columns=["method", "size", "words", *NUMBERS])
    return compared.astype({name: float for name in NUMBERS if name != "n"})


@lru_cache(maxsize=4096)
def printed_cell(experiment: str, method: str, size: int | str, score: str | None = None,
                 table: str | None = None) -> dict | None:
    """What the paper prints for a method and size, and the number of ``runs``; None where nothing is. Do not change it.

    From the experiment's table, or from the one that ``table`` names. Its rows may be either of the two. Of a table of
    several scores sizes may have no place in it (all runs of Table 1 are of one size).
    """
    entry = experiments.load(experiment)
    score = score or entry.score
    if not table and score not in (entry.printed or (entry.score,)):
        return None
    known, column = published.lookup(f"{entry.paper}.{table or entry.published}"), entry.printed.get(score)
    by_size = known["rows"].get(method, {})
    found = by_size.get(str(size)) or known["rows"].get(str(size), {}).get(method)
    found = (found or by_size).get(column) if column else found
    return found and {**found, "runs": known["runs"]}


def shown_tier(experiment: str, wanted: str = "best", pending: bool = False) -> str:
    """The tier that a page shows: the ``wanted`` one, or the best there is (paper, else reduced, else demo).

    Without any result that is an EcgtlError; with ``pending`` it is the tier that a page says PENDING of.
    """
    tiers = reversed(TIERS) if wanted == "best" else (wanted,)
    found = next((tier for tier in tiers if runs(experiment, tier)), None)
    if found or pending:
        return found or ("reduced" if wanted == "best" else wanted)
    where, option = ("", "") if wanted == "best" else (f" in tier {wanted}", f" --tier {wanted}")
    raise EcgtlError(f"no result of {experiment}{where}; run 'python -m ecgtl run {experiment}{option}'")


def evidence(experiment: str, tier: str) -> dict[str, str]:
    """Evidence words that the runs of a table share; several words are joined by a slash."""
    return evidence_of(body for _, body in runs(experiment, tier))


def evidence_of(bodies: Iterable[results.Result]) -> dict[str, str]:
    """The same of single runs."""
    found = [body.evidence for body in bodies]
    return {part: "/".join(sorted({one[part] for one in found})) for part in ("upstream", "target", "leads")}


def row_of(run: Any) -> Any:
    """The row of its table that a run is for: a method, or the source and network of a fold."""
    return (run.config.source, run.config.arch) if isinstance(run, transfers.Transfer) else run.method


def one_pretraining(found: Iterable[Finished]) -> str:
    """What intervals leave out where the runs of a pretrained cell, two or more, share a checkpoint; else nothing."""
    starts = defaultdict(list)
    for run, body in found:
        if body.evidence["upstream"] != "none":
            start = body.config.get("init") or body.data["start"]["file"]
            starts[row_of(run), getattr(run, "size", None)].append(start)
    return ONE_PRETRAINING if any(len(cell) > 1 == len({*cell}) for cell in starts.values()) else ""
