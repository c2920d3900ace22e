"""One number as text, by its path: what the roles ``{res}`` and ``{pub}`` print in the book.

``weimann2021.table2.rows.random.75.mean`` is a number of a paper, printed digit for digit as its YAML file
has it. ``weimann2021-table2.reduced.random.75.macro_f1.mean`` is a number of ours, read from the results. An
unknown path raises EcgtlError naming what there is, so that no number can outlive what it was read from.
"""

from functools import cache
from pathlib import Path

import yaml

from ecgtl import experiments, paths, published, results
from ecgtl.config import TIERS
from ecgtl.errors import EcgtlError
from ecgtl.report import tables
from ecgtl.report.words import f1

MINUS = "\N{MINUS SIGN}"
RESULT_FORM = "experiment.tier.method.size[.choice].score.statistic"
STATES = ("done", "partial", "pending")
STATISTICS = ("mean", "sd", "n", "low", "high", "interval", "pm")


def resolve(path: str) -> str:
    """The text for ``path``, of a paper or of the results. Raises EcgtlError when it leads nowhere."""
    return published_text(path) if path.split(".")[0] in published.papers() else result_text(path)


def sources(path: str) -> list[Path]:
    """The files that the text for ``path`` is read from: a page that shows it depends on them."""
    first = path.split(".")[0]
    if first in published.papers():
        return [_published_file(first)]
    demo = path.split(".")[1:2] == ["demo"]
    return sorted((results.folder("demo" if demo else "reduced") / first).glob("*.json"))


def published_text(path: str) -> str:
    """What a paper prints at ``path`` (see ``ecgtl.published``), with all digits: ``.670`` stays ``.670``.

    A cell with mean and SD becomes ``mean ± SD``, an entry with a ``value`` that value, a list its items with
    commas (a ratio with colons, sentences with spaces); whole numbers from 1,000 on get commas.
    """
    found = published.lookup(path)
    keys = path.split(".")
    if isinstance(found, dict) and "value" in found:
        return published_text(f"{path}.value")
    node = _node(_published_file(keys[0]), tuple(keys[1:]))
    if isinstance(found, dict) and {"mean", "sd"} <= set(found):
        return " ± ".join(published_text(f"{path}.{part}") for part in ("mean", "sd"))
    if isinstance(found, dict):
        raise EcgtlError(f"{path} is not a value yet; go on with one of {', '.join(found)}")
    if found is None:
        raise EcgtlError(f"{path} is empty: the paper prints nothing there")
    if isinstance(found, list):
        items = [_printed(item) for item in node.value]
        return (" " if items[0].endswith(".") else ":" if _is_ratio(keys) else ", ").join(items)
    return _printed(node, group=keys[-1] != "year")


def result_text(path: str) -> str:
    """A number of ours: ``experiment.tier.method.size[.choice].score.statistic``.

    ``size`` is the share of the data set in per cent; ``choice`` how the epoch was chosen (``validated``
    unless it says ``last`` or ``best_test``); ``score`` a name in the result's scores, ``f1_per_class.af``
    for one class; ``statistic`` over the runs: ``mean``, ``sd``, ``n``, ``low`` and ``high`` for the 95 %
    limits of the mean, ``interval`` for ``[.690, .720]``, ``pm`` for ``.712 ± .010``. ``coverage.items``,
    ``coverage.done``, ``coverage.partial`` and ``coverage.pending`` count the papers' tables and figures.
    """
    keys = path.split(".")
    if keys[0] == "coverage":
        return _coverage_count(keys[1:])
    if len(keys) < 6:
        raise EcgtlError(f"{path!r} is no number of ours: write {RESULT_FORM}; experiments: "
                         f"{', '.join(experiments.names())}; papers: {', '.join(published.papers())}")
    experiment, tier, method, size, *score, statistic = keys
    _check_cell(experiment, tier, method, size)
    _one_of("statistic", statistic, STATISTICS)
    choice = score.pop(0) if score[0] in tables.CHOICES and len(score) > 1 else "validated"
    cell = tables.cell(experiment, tier, method, size, ".".join(score), choice)
    if cell is None:
        raise EcgtlError(_why_absent(experiment, tier, method, size, choice, ".".join(score)))
    if cell.n < 2 and statistic not in ("mean", "n"):
        raise EcgtlError(f"{path}: one run has no {statistic}; use mean, or run more with "
                         f"'python -m ecgtl run {experiment} --tier {tier}'")
    return _statistic(cell, statistic)


def _coverage_count(keys: list[str]) -> str:
    states = tables.coverage()["state"]
    counts = {"items": len(states)} | {state: int((states == state).sum()) for state in STATES}
    _one_of("count of coverage", ".".join(keys), tuple(counts))
    return str(counts[keys[0]])


def _statistic(cell: tables.Cell, name: str) -> str:
    if name == "n":
        return str(cell.n)
    if name == "interval":
        return f"[{f1(cell.low)}, {f1(cell.high)}]"
    if name == "pm":
        return f"{f1(cell.mean)} ± {f1(cell.sd)}"
    return f1(getattr(cell, name))


def _check_cell(experiment: str, tier: str, method: str, size: str) -> None:
    entry = experiments.load(experiment)
    _one_of("tier", tier, TIERS)
    _one_of("method", method, entry.methods)
    _one_of("size", size, tuple(str(s) for s in entry.columns))


def _why_absent(experiment: str, tier: str, method: str, size: int, choice: str, score: str) -> str:
    here = [body for run, body in tables.runs(experiment, tier) if (run.method, str(run.size)) == (method, size)]
    if not here:
        return (f"{experiment} has no finished run of {method} at {size} in tier {tier}; "
                f"run 'python -m ecgtl run {experiment} --tier {tier}'")
    if choice not in here[0]["scores"]:
        return f"the runs of {method} have no epoch chosen by {choice!r}"
    return f"unknown score {score!r}; allowed: {', '.join(_score_names(here[0]['scores'][choice]))}"


def _score_names(scores: dict) -> list[str]:
    nested = [f"{name}.{part}" for name, value in scores.items() if isinstance(value, dict) for part in value]
    return [name for name, value in scores.items() if isinstance(value, float)] + nested


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise EcgtlError(f"unknown {name} {value!r}; allowed: {', '.join(allowed)}")


def _published_file(paper: str) -> Path:
    return paths.PACKAGE / "published" / f"{paper}.yml"


@cache
def _tree(file: Path) -> yaml.Node:
    """The YAML as written: a number's node keeps the characters that loading would turn into a float."""
    return yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)


def _node(file: Path, keys: tuple[str, ...]) -> yaml.Node:
    node = _tree(file)
    for key in keys:
        node = next(value for name, value in node.value if name.value == key)
    return node


def _is_ratio(keys: list[str]) -> bool:
    parent = published.lookup(".".join(keys[:-1]))
    return isinstance(parent, dict) and parent.get("unit") == "ratio"


def _printed(node: yaml.ScalarNode, group: bool = True) -> str:
    if node.tag not in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float"):
        return node.value
    text = node.value.removeprefix("-")
    if text.isdigit() and group:
        text = f"{int(text):,}"
    return MINUS + text if node.value.startswith("-") else text
