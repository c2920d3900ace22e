"""The rules that judge claims about transferability: a statistic of folds, held against a number.

A rule reads the claim's entry in ``experiments/melep2023.yml`` and a source of intervals, ``PrintedTable``
(the paper's Table 2) or ``Folds`` (ours), so that one rule judges both. The entry names the ``measure``, and
with each rule where the interval is to lie: ``below`` or ``above`` a number, or ``about`` it.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from ecgtl import agreement, correlations, published, results, statistics
from ecgtl.config import TRANSFERS, protocol
from ecgtl.correlations import Interval
from ecgtl.experiments import transfers
from ecgtl.experiments.transfers import Transfer
from ecgtl.verdicts import Verdict

Checkpoint = tuple[str, str]  # source and network
TABLE = f"{TRANSFERS}.table2"
_VERDICTS = {"below": statistics.verdict_below, "above": statistics.verdict_above, "about": statistics.verdict_holds}


@dataclass(frozen=True)
class Held:
    """A statistic of the folds of some checkpoints, held against a number, and the verdict on it.

    ``found`` is None where it is not printed. ``note`` says in words what it rests on. One that does not
    ``counts`` is of a source that stands in for the paper's: it is shown beside and decides nothing.
    """

    rule: str
    experiment: str
    checkpoints: tuple[Checkpoint, ...]
    side: str
    against: float
    found: Interval | None
    verdict: Verdict
    note: str
    counts: bool


class PrintedTable:
    """Correlations as the paper prints them, each with Fisher's limits for its number of folds."""

    def checkpoints(self, experiment: str) -> dict[Checkpoint, bool]:
        """Those that are printed for the target; all count."""
        return dict.fromkeys(printed(experiment), True)

    def correlation(self, claim: dict, one: Checkpoint) -> Interval:
        """The printed one."""
        folds = published.lookup(f"{TABLE}.folds")
        return correlations.fisher(printed(claim["experiment"])[one], folds)

    def stronger(self, claim: dict, first: Checkpoint, second: Checkpoint) -> Interval:
        """As if the two did not share their folds: how they move together is not printed."""
        return correlations.independent_difference(*(self.correlation(claim, one) for one in (first, second)))

    def given_labels(self, claim: dict, one: Checkpoint) -> None:
        """Not printed."""

    def every_label(self, claim: dict, one: Checkpoint) -> None:
        """Not printed: no trivial answer is."""

    def regret(self, claim: dict, among: tuple[Checkpoint, ...]) -> None:
        """Not printed but for one task, which tests nothing."""

    def cost(self, claim: dict, one: Checkpoint) -> None:
        """Not printed: no seconds are."""

    def note(self, claim: dict, found: Interval | None, among: tuple[Checkpoint, ...]) -> str:
        """What the limits stand on."""
        if "cost" in claim:
            return "no seconds are printed"
        return f"Fisher's limits for {found.n} folds" if found else "at most one task is printed"


@dataclass(frozen=True)
class Folds:
    """Our finished folds of a tier, each experiment read once. Those of tier demo are no evidence."""

    tier: str
    _rows: dict = field(default_factory=dict)

    def rows(self, experiment: str) -> pd.DataFrame:
        """Table of the finished folds (``transfers.table``), empty in tier demo."""
        if experiment not in self._rows:
            found = pd.DataFrame() if self.tier == "demo" else transfers.table(experiment, self.tier)
            self._rows[experiment] = found
        return self._rows[experiment]

    def checkpoints(self, experiment: str) -> dict[Checkpoint, bool]:
        """Those that the tier plans: the printed ones count. The printed ones where it plans none."""
        known = printed(experiment)
        planned = {_checkpoint(run): _checkpoint(run) in known for run in self._planned(experiment)}
        return planned if any(planned.values()) else dict.fromkeys(known, True)

    def correlation(self, claim: dict, one: Checkpoint) -> Interval:
        """Over the folds of a checkpoint."""
        return agreement.correlation(self._of(claim, one), claim["measure"])

    def stronger(self, claim: dict, first: Checkpoint, second: Checkpoint) -> Interval:
        """Over the folds that both have."""
        return agreement.stronger(self._of(claim, first), self._of(claim, second), claim["measure"])

    def given_labels(self, claim: dict, one: Checkpoint) -> Interval:
        """Over the folds of a checkpoint, those with as many labels compared."""
        return agreement.given_labels(self._of(claim, one), claim["measure"])

    def every_label(self, claim: dict, one: Checkpoint) -> Interval:
        """Mean F1 over the folds of a checkpoint minus that of the answer that all recordings have all labels."""
        return agreement.gain(self._of(claim, one))

    def regret(self, claim: dict, among: tuple[Checkpoint, ...]) -> Interval:
        """Over the folds that every one of the checkpoints has, with its score and its F1."""
        rows = self.rows(claim["experiment"])
        if len(rows):
            rows = rows.dropna(subset=[claim["measure"], agreement.SCORES[0]])
            rows = rows[[one in among for one in zip(rows["source"], rows["arch"], strict=True)]]
            rows = rows[rows.groupby("fold")["fold"].transform("size") == len(among)]
        return agreement.mean_regret(rows, claim["measure"])

    def cost(self, claim: dict, one: Checkpoint) -> Interval:
        """Mean share of the seconds of fine-tuning that computing the scores took, over the folds that keep both."""
        bodies = [results.stored_json(run.path) for run in self._planned(claim["experiment"])
                  if self.tier != "demo" and _checkpoint(run) == one and run.state() == "done"]
        timed = [body for body in bodies if "score_seconds" in body["provenance"]]
        if not timed:
            return Interval()
        made = [body["provenance"] | {"epochs": len(body["history"])} for body in timed]
        shares = [one["score_seconds"] / (one["epoch_seconds"] * one["epochs"]) for one in made]
        return correlations.bootstrap(correlations.mean, ["+".join(body["data"]["classes"]) for body in timed], shares)

    def note(self, claim: dict, found: Interval, among: tuple[Checkpoint, ...]) -> str:
        """How many of the folds that are planned for all of the checkpoints have ended, and their label sets."""
        if "cost" in claim and not found.n:
            return "no stored fold keeps the seconds of its scores"
        candidates = Counter(run.config.fold for run in self._planned(claim["experiment"]) if _checkpoint(run) in among)
        planned = sum(n == len(among) for n in candidates.values())
        counted = f"{found.n} of {planned} folds, {found.groups} label set{'s' * (found.groups > 1)}"
        return counted if found.n else "no fold has ended"

    def _planned(self, experiment: str) -> list[Transfer]:
        return transfers.enumerate_runs(experiment, self.tier)

    def _of(self, claim: dict, one: Checkpoint) -> pd.DataFrame:
        return agreement.of(self.rows(claim["experiment"]), *one)


def printed(experiment: str) -> dict[Checkpoint, float]:
    """The correlations in the paper's Table 2 that have the experiment's target."""
    target = protocol(TRANSFERS)["transfers"]["experiments"][experiment]["target"]
    rows = published.lookup(f"{TABLE}.rows").values()
    return {(row["source"], row["model"]): row["correlation"] for row in rows if row["target"] == target}


def _checkpoint(run: Transfer) -> Checkpoint:
    return run.config.source, run.config.arch


def _of_each(rule: str) -> Callable:
    """A rule that asks its source for the statistic of its own name, of every checkpoint by itself."""
    def held(claim: dict, entry: dict, source: PrintedTable | Folds) -> list[Held]:
        known = source.checkpoints(claim["experiment"])
        return [_held(rule, claim, source, getattr(source, rule)(claim, one), (one,), counts)
                for one, counts in known.items()]
    return held


def _stronger(claim: dict, entry: dict, source: PrintedTable | Folds) -> list[Held]:
    """The correlation of the ``first`` network minus that of the ``second``, by source."""
    known, found = source.checkpoints(claim["experiment"]), []
    for name in dict.fromkeys(name for name, _ in known):
        pair = (name, entry["first"]), (name, entry["second"])
        if all(one in known for one in pair):
            value = source.stronger(claim, *pair)
            found.append(_held("stronger", claim, source, value, pair, known[pair[0]]))
    return found


def _regret(claim: dict, entry: dict, source: PrintedTable | Folds) -> list[Held]:
    """Mean loss of F1 when the measure chooses: among the paper's own checkpoints, and among all there are. Both count."""
    known = source.checkpoints(claim["experiment"])
    own, every = tuple(one for one, counts in known.items() if counts), tuple(known)
    return [_held("regret", claim, source, source.regret(claim, among), among, True) for among in dict.fromkeys((own, every))]


def _held(rule: str, claim: dict, source: PrintedTable | Folds, found: Interval | None,
          among: tuple[Checkpoint, ...], counts: bool) -> Held:
    side, against = _limit(claim[rule])
    tested = found is not None and found.low is not None
    sign = _VERDICTS[side](found, against) if tested else "not tested"
    note = source.note(claim, found, among)
    if rule == "given_labels" and sign == "opposite":
        note += "; F1 rises with it"
    return Held(rule, claim["experiment"], among, side, against, found, Verdict(sign), note, counts)


def _limit(entry: dict) -> tuple[str, float]:
    """The side that a rule names, and its number: given, or the place of a printed one."""
    side = next(side for side in _VERDICTS if side in entry)
    return side, published.lookup(entry[side]) if isinstance(entry[side], str) else entry[side]


# Key in ``experiments/melep2023.yml`` -> the statistics that it asks for
RULES: dict[str, Callable] = {"correlation": _of_each("correlation"), "given_labels": _of_each("given_labels"),
                              "every_label": _of_each("every_label"), "stronger": _stronger, "regret": _regret,
                              "cost": _of_each("cost")}


def as_printed(claim: dict, tier: str) -> str:
    """What the printed numbers say when they are taken as they are, without limits."""
    rule = next(rule for rule in RULES if rule in claim)
    values = sorted(held.found.value for held in RULES[rule](claim, claim[rule], PrintedTable()))
    side, against = _limit(claim[rule])
    if side == "about":
        return f"In print they lie between {signed(values[0])} and {signed(values[-1])}."
    below = sum(value < against for value in values)
    return f"In print {below} of {len(values)} lie below {signed(against)}."


def signed(value: float) -> str:
    """A number with as many digits as it has, and a minus sign: ``−0.6``."""
    return f"{round(value, 6):g}".replace("-", "−")


def unfinished(claim: dict, tier: str) -> list[str]:
    """How many of the planned folds have ended, in words; nothing when all have, and in tier demo."""
    runs = [] if tier == "demo" else transfers.enumerate_runs(claim["experiment"], tier)
    done = sum(run.state() == "done" for run in runs)
    return [f"{done} of {len(runs)} planned runs have ended."] if done < len(runs) else []


# What a claim's ``remark`` adds in words
REMARKS: dict[str, Callable[[dict, str], str]] = {"as_printed": as_printed}
