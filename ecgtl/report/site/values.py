"""One number as text, by its path: what the roles ``{res}`` and ``{pub}`` print in the book.

``weimann2021.table2.rows.random.75.mean`` is a number of a paper (``ecgtl.report.printed``).
``weimann2021-table2.reduced.random.75.macro_f1.mean`` is a number of ours, read from the results. An unknown path
raises EcgtlError naming what there is, so that no number can outlive what it was read from.
"""

from collections.abc import Iterable

from ecgtl import experiments, published
from ecgtl.analysis import cells, coverage
from ecgtl.analysis.names import f1
from ecgtl.config import TIERS
from ecgtl.errors import EcgtlError
from ecgtl.report.numbers import Numbers

RESULT_FORM = "experiment.tier.method.size.score.statistic"
STATISTICS = ("mean", "sd", "n", "low", "high")


def result_text(path: str) -> str:
    """A number of ours: ``experiment.tier.method.size.score.statistic``, at the epoch that the paper reports.

    ``size`` is the share of the data set in per cent; ``score`` a name in the result's scores, ``f1_per_class.af``
    for one class; ``statistic`` over the runs: ``mean``, which is a button (``ecgtl.report.numbers``), ``sd``, ``n``,
    ``low`` and ``high`` for the 95 % limits of the mean. ``coverage.items``, ``coverage.done``, ``coverage.partial``
    and ``coverage.pending`` count the papers' tables and figures.
    """
    keys = path.split(".")
    if keys[0] == "coverage":
        states = coverage.coverage()["state"]
        _one_of("count of coverage", ".".join(keys[1:]), ("items", *coverage.STATES))
        return str(len(states) if keys[1] == "items" else (states == keys[1]).sum())
    if len(keys) < 6:
        raise EcgtlError(f"{path!r} is no number of ours: write {RESULT_FORM}; experiments: "
                         f"{', '.join(experiments.names())}; papers: {', '.join(published.papers())}")
    experiment, tier, method, size, *score, statistic = keys
    entry = experiments.load(experiment)
    for name, value, allowed in (("tier", tier, TIERS), ("method", method, entry.methods),
                                 ("size", size, map(str, entry.columns)), ("statistic", statistic, STATISTICS)):
        _one_of(name, value, tuple(allowed))
    found = cells.runs(experiment, tier)
    here = [body.scores for run, body in found if (run.method, str(run.size)) == (method, size)]
    command = f"'python -m ecgtl run {experiment} --tier {tier}'"
    if not here:
        raise EcgtlError(f"{experiment} has no finished run of {method} at {size} in tier {tier}; run {command}")
    cell = cells.cell_of(found, experiment, (method, size), ".".join(score))
    if cell is None:
        raise _unknown("score", ".".join(score), _score_names(here[0]["validated"]))
    if cell.n < 2 and statistic not in ("mean", "n"):
        raise EcgtlError(f"{path}: one run has no {statistic}; use mean, or run more with {command}")
    if statistic == "mean":
        return Numbers(experiment, tier).mean(method, size, ".".join(score))
    return str(cell.n) if statistic == "n" else f1(getattr(cell, statistic))


def _score_names(scores: dict) -> list[str]:
    nested = [f"{name}.{part}" for name, value in scores.items() if isinstance(value, dict) for part in value]
    return [name for name, value in scores.items() if isinstance(value, float)] + nested


def _one_of(name: str, value: str, allowed: Iterable[str]) -> None:
    if value not in allowed:
        raise _unknown(name, value, allowed)


def _unknown(name: str, value: str, allowed: Iterable[str]) -> EcgtlError:
    return EcgtlError(f"unknown {name} {value!r}; allowed: {', '.join(allowed)}")
