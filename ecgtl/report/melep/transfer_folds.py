"""The finished folds of MELEP's experiments as its pages need them, what is pending of them, and words for
them.

``load`` finds the folds of an experiment, which are read once a page. Where there is none, a page says PENDING
and how to make it.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup
from matplotlib.axes import Axes

from ecgtl.analysis import agreement, cells, claims, correlations, names, sources
from ecgtl.config import TIERS
from ecgtl.experiments import transfers
from ecgtl.measurements.melep_datasets import PAPER
from ecgtl.report import badges, figures, findings, provenance, tables, words

CSN, PTBXL, SELECTION = (f"{PAPER}-{name}" for name in ("csn", "ptbxl", "selection"))
PARTS = ("upstream", "target", "leads")
BLUE, VERMILION = "#0072B2", "#D55E00"
F1 = "weighted F1, test set"
WAITING = ("reduced", "paper")  # the first of these that has planned folds is said to be PENDING


@dataclass(frozen=True)
class Folds:
    """The folds of an experiment in a tier, of one network where ``arch`` names it."""

    experiment: str
    tier: str
    arch: str | None = None

    @cached_property
    def rows(self) -> pd.DataFrame:
        """The finished folds (``transfers.table``)."""
        rows = transfers.table(self.experiment, self.tier)
        return rows[rows["arch"] == self.arch] if self.arch and len(rows) else rows

    @property
    def planned(self) -> list[transfers.Transfer]:
        """All folds that the tier plans."""
        runs = transfers.enumerate_runs(self.experiment, self.tier)
        return [run for run in runs if self.arch in (None, run.config.arch)]

    @property
    def target(self) -> str:
        """The data set that its tasks are drawn out of."""
        return transfers.enumerate_runs(self.experiment, "paper")[0].config.target

    @property
    def command(self) -> str:
        """What makes the folds that are missing."""
        return f"python -m ecgtl run {self.experiment} --tier {self.tier}"

    @property
    def printed(self) -> dict[tuple[str, str], float]:
        """The correlations in the rows of Table 2 that have this target, by (source, network)."""
        return {place: r for place, r in sources.printed_correlations(self.experiment).items()
                if self.arch in (None, place[1])}

    @property
    def by_checkpoint(self) -> dict[tuple[str, str], pd.DataFrame]:
        """The finished folds of every planned checkpoint (source, network); in a tier without any, of those that the
        paper prints.
        """
        planned = dict.fromkeys((run.config.source, run.config.arch) for run in self.planned)
        return {place: self.of(*place) for place in planned or self.printed}

    @property
    def finished(self) -> dict[tuple[str, str], pd.DataFrame]:
        """The same of those that have any."""
        return {place: own for place, own in self.by_checkpoint.items() if len(own)}

    def of(self, source: str, arch: str) -> pd.DataFrame:
        """The finished folds of one checkpoint."""
        return agreement.of(self.rows, source, arch)

    @property
    def waiting(self) -> list[str]:
        """The checkpoints without a finished fold, in words."""
        return [names.checkpoint_name(*place) for place, rows in self.by_checkpoint.items() if not len(rows)]

    def plan(self, source: str, arch: str) -> list[transfers.Transfer]:
        """The planned folds of one checkpoint."""
        return [run for run in self.planned if (run.config.source, run.config.arch) == (source, arch)]


def load(experiment: str, wanted: str = "best", arch: str | None = None) -> Folds:
    """The folds of the ``wanted`` tier, or of the best one that has any; the tier to wait for where none has."""
    found = [Folds(experiment, tier, arch) for tier in (reversed(TIERS) if wanted == "best" else (wanted,))]
    finished = (folds for folds in found if len(folds.rows))
    waiting = (folds for tier in WAITING for folds in found if folds.tier == tier and folds.planned)
    return next(itertools.chain(finished, waiting, found))


def state(folds: Folds) -> HTML:
    """Badges of the finished folds and their number of those planned; while some are missing, the command."""
    done, planned = len(folds.rows), len(folds.planned)
    known = Markup(badges.row(folds.tier, evidence(folds.rows))) if done else badges.badge("pending")
    counted = f"{done} of {planned} folds" if planned else "no folds are planned in this tier"
    command = Markup("; the rest by <code>{}</code>").format(folds.command) if done < planned else ""
    single = cells.one_pretraining(cells.runs(folds.experiment, folds.tier))
    return HTML(Markup("{}<p>Tasks on {}, tier {}: {}{}.{}</p>").format(
        known, names.data_set(folds.target), folds.tier, counted, command, single and f" {single}"))


def pending(found: Sequence[Folds]) -> pd.DataFrame:
    """One row a command that makes missing folds: checkpoints, number of folds, and what they wait for.

    Printed checkpoints that a tier has no folds for wait for tier ``paper``.
    """
    waiting: dict[tuple[str, str], dict[tuple[str, str], list[transfers.Transfer]]] = {}
    for folds in found:
        for place in folds.printed | folds.by_checkpoint:
            home = folds if folds.plan(*place) else Folds(folds.experiment, "paper", folds.arch)
            if missing := [run for run in home.plan(*place) if run.state() != "done"]:
                waiting.setdefault((names.data_set(folds.target), home.command), {})[place] = missing
    rows = [(target, "; ".join(names.checkpoint_name(*place) for place in by_place), sum(map(len, by_place.values())),
             _why([missing[0] for missing in by_place.values()]), Markup("<code>{}</code>").format(command))
            for (target, command), by_place in waiting.items()]
    return pd.DataFrame(rows, columns=["Target", "Checkpoints", "Folds missing", "Why", "Command"])


def _why(missing: Sequence[transfers.Transfer]) -> str:
    """What the missing folds of several checkpoints wait for; of like reasons the first."""
    reasons = [reason for run in missing if (reason := run.obstacle())]
    more = f" (and likewise {len(reasons) - 1} more)" if len(reasons) > 1 else ""
    return reasons[0] + more if reasons else "not run yet"


def made(folds: Folds) -> pd.DataFrame:
    """How the folds of the experiment were made, of both networks: ``tables.made``, and their checkpoints."""
    starts = [body.data["start"] for _, body in cells.runs(folds.experiment, folds.tier)]
    if not starts:
        return pd.DataFrame({"What": ["Command"], "Value": [f"{names.PENDING}: {folds.command}"]})
    facts = provenance.made(folds.experiment, folds.tier).set_index("What")["Value"]
    facts["Seeds"] = "the number of the fold"
    facts["Checkpoints"] = "; ".join(dict.fromkeys(f"{start['file']}, {start['labels']} labels, {start['sha256'][:12]}"
                                                   for start in starts))
    return facts.reset_index()


def is_papers(rows: pd.DataFrame) -> bool:
    """Whether folds are of the paper's own data sets, whole or in part."""
    return len(rows) > 0 and rows[[f"evidence_{part}" for part in PARTS[:2]]].isin(["full", "subset"]).all(axis=None)


def evidence(rows: pd.DataFrame) -> dict[str, str]:
    """What the data of folds are, by part; several words are joined by a slash."""
    return {part: "/".join(sorted(set(rows[f"evidence_{part}"]))) for part in PARTS}


def interval_text(found: correlations.Interval, signed: bool = False) -> str:
    """Value [95 % interval]; PENDING without folds, a dash where it is not defined, no limits where there are
    none.
    """
    return words.estimate(found.value, found.low, found.high, found.n, signed)


MELEP = ("melep_published", "melep_normalised")
WEIGHTS = {measure: names.RIVALS[measure][0].removeprefix("MELEP, ") for measure in MELEP}
CHOICES = {score: names.CHOICES[score.removeprefix("weighted_f1_")] for score in agreement.SCORES}
VARIANTS = tuple(itertools.product(MELEP, agreement.SCORES))


def interval(axes: Axes, found: correlations.Interval, y: float, colour: str, marker: str, label: str,
             filled: bool = True) -> None:
    """A value, where there is one, on a horizontal line with its limits, where it has any."""
    figures.dot(axes, found, y, colour, marker, markersize=4, linewidth=1.1,
                markerfacecolor=colour if filled else "none", label=label)


def said(names: Sequence[str], *found: Folds) -> HTML:
    """The claims ``names`` that rest on one of the experiments ``found``, judged from the paper's numbers and ours."""
    tiers = {folds.experiment: folds.tier for folds in found}
    rows = [findings.finding(PAPER, name, tiers[claims.claims(PAPER)[name]["experiment"]]) for name in names]
    return tables.html(pd.concat(rows), "Statements and what the folds say")
