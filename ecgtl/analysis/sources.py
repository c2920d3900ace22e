"""What claims are judged from: our finished runs of a tier, or what a paper prints. A rule asks both the same."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
import pandas as pd

from ecgtl import published, statistics
from ecgtl.analysis import agreement, cells, correlations, resampling, verdicts
from ecgtl.config import TRANSFERS
from ecgtl.experiments import transfers
from ecgtl.measurements import melep_random

NOTHING = correlations.Interval()
TABLE = f"{TRANSFERS}.table2"
ABSENT = {"cost": "no stored fold keeps the seconds of its scores",
          "random_last": "no fold has both random networks and all trained ones"}
# Rules on folds -> what they ask of the folds of one checkpoint, or of two
MEASURED: dict[str, Callable[..., correlations.Interval]] = {
    "correlation": agreement.correlation, "given_labels": agreement.given_labels, "stronger": agreement.stronger}


@dataclass(frozen=True)
class Runs:
    """Our finished runs of a tier, each experiment read once. Those of tier demo are no evidence: left out.

    ``table`` of the paper is the one that ours are held against, where it is not the experiment's.
    """

    covers: ClassVar[str] = "runs alone"  # what an interval covers that knows nothing of test recordings
    tier: str
    table: str | None = None
    _read: dict = field(default_factory=dict)

    @classmethod
    def of_finished(cls, tier: str, finished: Mapping[str, list[cells.Finished]]) -> "Runs":
        """From finished runs by experiment, in place of those that are stored."""
        folds = {name: transfers.table_of(found) for name, found in finished.items() if name in transfers.names()}
        return cls(tier, _read={(cells.runs, name): found for name, found in finished.items()}
                   | {(transfers.table, name): rows for name, rows in folds.items()})

    def _once(self, read: Callable, experiment: str):
        if (read, experiment) not in self._read:
            self._read[read, experiment] = [] if self.tier == "demo" else read(experiment, self.tier)
        return self._read[read, experiment]

    def found(self, experiment: str) -> list[cells.Finished]:
        """The finished runs of an experiment with their JSON."""
        return self._once(cells.runs, experiment)

    def of(self, place: verdicts.Place) -> list[cells.Finished]:
        """Those of a cell."""
        return [(run, body) for run, body in self.found(place.experiment)
                if (run.method, run.size) == (place.method, place.size)]

    def sample(self, place: verdicts.Place) -> statistics.Sample | None:
        """The cell over its runs, None where there is none."""
        return _cell(place, self.found(place.experiment))

    def stated(self, places: Sequence[verdicts.Place]) -> tuple[statistics.Sample | None, ...]:
        """What is printed in the same cells."""
        return tuple(map(Printed(table=self.table).sample, places))

    def unseen(self, places: Sequence[verdicts.Place]) -> statistics.Difference | None:
        """The difference of cells of a later protocol over the runs that are its own, where not all are; runs alone."""
        if all(cells.original(place.experiment) == place.experiment for place in places):
            return None
        all_runs = [self.of(place) for place in places]
        own = [[(run, body) for run, body in found if run.home == place.experiment]
               for found, place in zip(all_runs, places, strict=True)]
        fresh = [sample for sample in map(_cell, places, own) if sample]
        if len(fresh) < len(places) or list(map(len, own)) == list(map(len, all_runs)):
            return None
        return statistics.contrast(fresh, verdicts.WEIGHTS[:len(places)])

    def recordings(self, places: Sequence[verdicts.Place],
                   weights: Sequence[float] = verdicts.WEIGHTS) -> tuple[float, int] | None:
        """``resampling.recordings_variance`` of a difference of cells, or with other ``weights``."""
        score, choice = cells.reported(places[0].experiment)
        files = [[run.path for run, _ in self.of(place)] for place in places]
        return resampling.recordings_variance(files, places[0].score or score, choice, weights)

    def current(self, experiment: str, wanted: Sequence[tuple[str, int | str]]) -> str:
        """The experiment that the ``wanted`` cells of one comparison are read from (``cells.current``)."""
        return experiment if self.tier == "demo" else cells.current(experiment, self.tier, wanted, self.found)

    def epochs(self, place: verdicts.Place, share: float) -> list[int]:
        """For every run of a cell the first epoch to reach ``share`` of the run's own best validation score."""
        curves = [[row["validation_score"] for row in body.history] for _, body in self.of(place)]
        return [epochs_to(curve, share) for curve in curves if curve]

    def checkpoints(self, experiment: str) -> dict[verdicts.Checkpoint, bool]:
        """Those that the tier plans: the printed ones count. The printed ones where it plans none."""
        known = printed_correlations(experiment)
        planned = {checkpoint: checkpoint in known for checkpoint in map(cells.row_of, self._planned(experiment))}
        return planned if any(planned.values()) else dict.fromkeys(known, True)

    def on_folds(self, rule: str, claim: Mapping, among: Sequence[verdicts.Checkpoint]) -> correlations.Interval:
        """What a rule asks of the folds of some checkpoints."""
        if rule == "cost":
            return self._cost(claim["experiment"], *among)
        rows = pd.DataFrame(self._once(transfers.table, claim["experiment"]))
        if rule == "regret":
            return agreement.mean_regret(_shared(rows, claim["measure"], among), claim["measure"])
        if rule == "random_last":
            (source, arch), measure, experiment = among[0], claim["measure"], claim["experiment"]
            own = _shared(rows, measure, [one for one in self.checkpoints(experiment) if one[1] == arch])
            random = melep_random.load(experiment, self.tier, measure).get((source, arch), {})
            return agreement.above_trained(agreement.beside_random(own, arch, measure, random))
        folds = [agreement.of(rows, *one) for one in among]
        return agreement.gain(*folds) if rule == "every_label" else MEASURED[rule](*folds, claim["measure"])

    def _cost(self, experiment: str, one: verdicts.Checkpoint) -> correlations.Interval:
        """Mean share of the seconds of fine-tuning that computing the scores took, over the folds that keep both."""
        timed = [body for run, body in self.found(experiment)
                 if cells.row_of(run) == one and "score_seconds" in body.provenance]
        if not timed:
            return NOTHING
        shares = [body.provenance["score_seconds"] / (body.provenance["epoch_seconds"] * len(body.history))
                  for body in timed]
        return correlations.bootstrap(correlations.averaged, ["+".join(body.data["classes"]) for body in timed], shares)

    def note(self, claim: Mapping, found: correlations.Interval, among: Sequence[verdicts.Checkpoint]) -> str:
        """How many of the folds that are planned for all of the checkpoints have ended, and their label sets."""
        if not found.n:
            return next((words for rule, words in ABSENT.items() if rule in claim), "no fold has ended")
        folds = Counter(run.config.fold for run in self._planned(claim["experiment"]) if cells.row_of(run) in among)
        planned = sum(n == len(among) for n in folds.values())
        return f"{found.n} of {planned} folds, {found.groups} label set{'s' * (found.groups > 1)}"

    def _planned(self, experiment: str) -> list[transfers.Transfer]:
        return transfers.enumerate_runs(experiment, self.tier)


@dataclass(frozen=True)
class Printed(Runs):
    """The paper's own numbers: no runs are behind them."""

    covers: ClassVar[str] = ""
    tier: str = "demo"

    def sample(self, place: verdicts.Place) -> statistics.Sample | None:
        """From the paper's trials where it prints them, else its mean and SD; None where nothing is printed."""
        found = cells.printed_cell(place.experiment, place.method, place.size, place.score, self.table)
        if found and "trials" in found:
            return statistics.Sample.of(found["trials"])
        return statistics.Sample(found["mean"], found["sd"], found["runs"]) if found else None

    def stated(self, places: Sequence[verdicts.Place]) -> tuple[statistics.Sample | None, ...]:
        """Nothing: what is printed is not held against itself."""
        return ()

    def checkpoints(self, experiment: str) -> dict[verdicts.Checkpoint, bool]:
        """Those that are printed for the target; all count."""
        return dict.fromkeys(printed_correlations(experiment), True)

    def on_folds(self, rule: str, claim: Mapping, among: Sequence[verdicts.Checkpoint]) -> correlations.Interval:
        """The printed correlations, each with Fisher's limits for its number of folds; nothing else is printed.

        Two are compared as if they did not share their folds: how they move together is not printed.
        """
        if rule not in ("correlation", "stronger"):
            return NOTHING
        folds, known = published.lookup(f"{TABLE}.folds"), printed_correlations(claim["experiment"])
        found = [correlations.fisher(known[one], folds) for one in among]
        return correlations.independent_difference(*found) if rule == "stronger" else found[0]

    def note(self, claim: Mapping, found: correlations.Interval, among: Sequence[verdicts.Checkpoint]) -> str:
        """What the limits stand on."""
        if "cost" in claim:
            return "no seconds are printed"
        return f"Fisher's limits for {found.n} folds" if found.n else "at most one task is printed"


def _cell(place: verdicts.Place, found: Sequence[cells.Finished]) -> statistics.Sample | None:
    return cells.cell_of(found, place.experiment, (place.method, place.size), place.score)


def _shared(rows: pd.DataFrame, measure: str, among: Sequence[verdicts.Checkpoint]) -> pd.DataFrame:
    """The folds that every one of the checkpoints has, with its measure and its F1."""
    if rows.empty:
        return rows
    rows = rows.dropna(subset=[measure, agreement.SCORES[0]])
    rows = rows[[one in among for one in zip(rows["source"], rows["arch"], strict=True)]]
    return rows[rows.groupby("fold")["fold"].transform("size") == len(among)]


def printed_correlations(experiment: str) -> dict[verdicts.Checkpoint, float]:
    """The correlations in the paper's Table 2 that have the experiment's target."""
    target = transfers.enumerate_runs(experiment, "paper")[0].config.target
    rows = published.lookup(f"{TABLE}.rows").values()
    return {(row["source"], row["model"]): row["correlation"] for row in rows if row["target"] == target}


def epochs_to(curve: Sequence[float], share: float) -> int:
    """The first epoch, from 1, whose score is at least ``share`` of the best one of the curve."""
    return 1 + int(np.argmax(np.asarray(curve, float) >= share * np.max(curve)))
