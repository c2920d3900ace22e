"""The finished folds of MELEP's experiments as its pages need them, what is pending of them, and words for
them.

``load`` reads the folds of an experiment once a page. Where there is none, a page says PENDING and how to
make it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
from IPython.display import HTML
from markupsafe import Markup

from ecgtl import agreement, published
from ecgtl.config import TIERS
from ecgtl.correlations import Interval
from ecgtl.datasets import catalogue
from ecgtl.experiments import transfers
from ecgtl.experiments.transfers import Transfer
from ecgtl.report import badges, book_tables, tables
from ecgtl.report.melep import NETWORKS, PAPER
from ecgtl.report.words import PENDING, estimate

CSN, PTBXL, SELECTION = (f"{PAPER}-{name}" for name in ("csn", "ptbxl", "selection"))
PARTS = ("upstream", "target", "leads")
SHORT = {"csn": "CSN", "georgia": "Georgia", "cinc2017": "CinC 2017"}
WAITING = ("reduced", "paper")  # the first of these that has planned folds is said to be PENDING


# What has been run


@dataclass(frozen=True)
class Folds:
    """The folds of an experiment in a tier: ``rows`` of the finished ones (``transfers.table``), and all
    ``planned``; of one network where ``arch`` names it.
    """

    experiment: str
    tier: str
    arch: str | None
    rows: pd.DataFrame
    planned: tuple[Transfer, ...]

    @property
    def target(self) -> str:
        """The data set that its tasks are drawn out of."""
        return transfers.enumerate_runs(self.experiment, "paper")[0].config.target

    @property
    def checkpoints(self) -> list[tuple[str, str]]:
        """(source, network) of every planned checkpoint; in a tier without any, those that the paper prints.
        """
        planned = list(dict.fromkeys((run.config.source, run.config.arch) for run in self.planned))
        return planned or self.printed

    @property
    def printed(self) -> list[tuple[str, str]]:
        """(source, network) of the rows of Table 2 that have this target."""
        return [(row["source"], row["model"]) for row in table2().values()
                if row["target"] == self.target and self.arch in (None, row["model"])]

    def of(self, source: str, arch: str) -> pd.DataFrame:
        """The finished folds of one checkpoint."""
        return agreement.of(self.rows, source, arch)

    def plan(self, source: str, arch: str) -> list[Transfer]:
        """The planned folds of one checkpoint."""
        return [run for run in self.planned if (run.config.source, run.config.arch) == (source, arch)]


def load(experiment: str, wanted: str = "best", arch: str | None = None) -> Folds:
    """The folds of the ``wanted`` tier, or of the best one that has any; the tier to wait for where none has.
    """
    tiers = reversed(TIERS) if wanted == "best" else (wanted,)
    found = {tier: _in_tier(experiment, tier, arch) for tier in tiers}
    finished = [folds for folds in found.values() if len(folds.rows)]
    waiting = [found[tier] for tier in WAITING if tier in found and found[tier].planned]
    return [*finished, *waiting, *found.values()][0]


def _in_tier(experiment: str, tier: str, arch: str | None) -> Folds:
    rows = transfers.table(experiment, tier)
    planned = (run for run in transfers.enumerate_runs(experiment, tier) if arch in (None, run.config.arch))
    return Folds(experiment, tier, arch, rows[rows["arch"] == arch] if arch and len(rows) else rows,
                 tuple(planned))


def state(folds: Folds) -> HTML:
    """Badges of the finished folds and their number of those planned; while some are missing, the command."""
    done, planned = len(folds.rows), len(folds.planned)
    known = Markup(badges.row(folds.tier, evidence(folds.rows))) if done else book_tables.badge("pending")
    counted = f"{count(done, planned)} folds" if planned else "no folds are planned in this tier"
    command = Markup("; the rest by <code>{}</code>").format(_command(folds)) if done < planned else ""
    single = tables.one_pretraining(tables.runs(folds.experiment, folds.tier))
    said = Markup("{}<p>Tasks on {}, tier {}: {}{}.{}</p>")
    return HTML(said.format(known, data_set(folds.target), folds.tier, counted, command, single and f" {single}"))


def pending(found: Sequence[Folds]) -> pd.DataFrame:
    """One row a command that makes missing folds: checkpoints, number of folds, and what they wait for.

    Printed checkpoints that a tier has no folds for wait for tier ``paper``.
    """
    columns, waiting = ["Target", "Checkpoints", "Folds missing", "Why", "Command"], {}
    for folds in found:
        for place in dict.fromkeys([*folds.printed, *folds.checkpoints]):
            home = folds if folds.plan(*place) else _in_tier(folds.experiment, "paper", folds.arch)
            missing = [run for run in home.plan(*place) if run.state() != "done"]
            if missing:
                waiting.setdefault((data_set(folds.target), _command(home)), {})[place] = missing
    rows = [(target, "; ".join(checkpoint_name(*place) for place in by_place),
             sum(map(len, by_place.values())), _why([missing[0] for missing in by_place.values()]),
             Markup("<code>{}</code>").format(command))
            for (target, command), by_place in waiting.items()]
    return pd.DataFrame(rows, columns=columns)


def _why(missing: Sequence[Transfer]) -> str:
    """What the missing folds of several checkpoints wait for; of like reasons the first."""
    reasons = [reason for run in missing if (reason := run.obstacle())]
    if not reasons:
        return "not run yet"
    return reasons[0] + (f" (and likewise {len(reasons) - 1} more)" if len(reasons) > 1 else "")


def made(folds: Folds) -> pd.DataFrame:
    """How the folds of the experiment were made, of both networks: ``tables.made``, and their checkpoints."""
    starts = [body["data"]["start"] for _, body in tables.runs(folds.experiment, folds.tier)]
    if not starts:
        return pd.DataFrame({"What": ["Command"], "Value": [f"{PENDING}: {_command(folds)}"]})
    words = dict.fromkeys(f"{start['file']}, {start['labels']} labels, {start['sha256'][:12]}"
                          for start in starts)
    facts = tables.made(folds.experiment, folds.tier).set_index("What")["Value"]
    facts["Seeds"] = "the number of the fold"
    facts["Checkpoints"] = "; ".join(words)
    return facts.reset_index()


def _command(folds: Folds) -> str:
    return f"python -m ecgtl run {folds.experiment} --tier {folds.tier}"


def evidence(rows: pd.DataFrame) -> dict[str, str]:
    """What the data of folds are, by part; several words are joined by a slash."""
    return {part: "/".join(sorted(set(rows[f"evidence_{part}"]))) for part in PARTS}


# Words


def table2() -> dict[str, dict]:
    """The rows of the paper's Table 2."""
    return published.lookup(f"{PAPER}.table2.rows")


def data_set(source: str) -> str:
    """A data set in a word or two."""
    return SHORT.get(source) or catalogue.entry(source).title


def checkpoint_name(source: str, arch: str) -> str:
    """A checkpoint as a reader knows it: network and what it was trained on."""
    return f"{NETWORKS[arch]}, {data_set(source)}"


def interval_text(found: Interval, signed: bool = False) -> str:
    """Value [95 % interval]; PENDING without folds, a dash where it is not defined, no limits where there are
    none.
    """
    if not found.n:
        return PENDING
    return estimate(found.value, found.low, found.high, signed=signed)


def count(n: int, of: int) -> str:
    """``3 of 10``."""
    return f"{n} of {of}"
