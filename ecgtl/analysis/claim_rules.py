"""The rules that judge a claim: which cells are compared, and what the comparison says.

A rule reads the claim's entry in ``experiments/*.yml`` and a source of scores, ``Printed`` (the paper's own
tables) or ``Runs`` (ours), and returns its comparisons, so that one rule judges both. Means of cells are judged by
``verdicts``. Those on folds, which are no cells of a table, stand in ``claim_rules_folds``. ``beats``, ``no_difference``
and ``sooner`` take pairs of cells as ``[method, column, method, column]``, ``beats`` also two pairs whose differences are
compared; the others choose or combine cells first.
"""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

import numpy as np

from ecgtl import published, resampling, statistics
from ecgtl.analysis import cells as table_cells
from ecgtl.analysis import claim_rules_folds, verdicts
from ecgtl.analysis.claim_rules_folds import Folds, Held, PrintedTable
from ecgtl.analysis.names import METHODS
from ecgtl.analysis.verdicts import NOT_TESTED, Verdict, enough
from ecgtl.experiments import Experiment, enumerate_runs, load
from ecgtl.experiments.runners import Run
from ecgtl.statistics import MIN_RUNS, Difference, Ranks, Sample


@dataclass(frozen=True)
class Place:
    """A cell of an experiment's table: row, column, and which score (None: the one that is reported first)."""

    experiment: str
    method: str
    size: int | str
    score: str | None = None


@dataclass(frozen=True)
class Comparison:
    """Two cells, the verdict on them, and the statistics behind it (None where a cell has too few runs).

    ``others`` are two more cells whose difference is taken off. ``against`` is the margin that the difference was held
    against. ``runs`` are those of each cell; ``covers`` says what the interval covers; ``unseen`` is the difference without the
    runs that a later protocol shares with the earlier one, None where it shares none. ``note`` says in words how the cells were
    chosen, or where a slope runs.
    """

    rule: str
    first: Place
    second: Place
    verdict: Verdict = NOT_TESTED
    found: Difference | Ranks | None = None
    against: float = 0.0
    note: str = ""
    others: tuple[Place, ...] = ()
    runs: tuple[int, ...] = ()
    covers: str = ""
    unseen: Difference | None = None
    counts: ClassVar[bool] = True  # each has its say in the claim's verdict

    @property
    def places(self) -> tuple[Place, ...]:
        """All cells that are compared."""
        return self.first, self.second, *self.others


@dataclass(frozen=True)
class Printed:
    """The numbers of the paper's own table; ``table`` names it where it is not the experiment's."""

    table: str | None = None
    folds: ClassVar[PrintedTable] = PrintedTable()

    def sample(self, place: Place) -> Sample | None:
        """From the paper's trials where it prints them, else its mean and SD; None where nothing is printed."""
        return _printed(self.table, place)

    def stated(self, places: Sequence[Place]) -> tuple[Sample | None, ...]:
        """Nothing: what is printed is not held against itself."""
        return ()

    def recordings(self, places: Sequence[Place]) -> None:
        """Not printed."""

    def unseen(self, places: Sequence[Place]) -> None:
        """Not printed."""

    def current(self, experiment: str, cells: Sequence[tuple[str, int | str]]) -> str:
        """A printed table has one protocol."""
        return experiment

    def epochs(self, place: Place, share: float) -> list[int]:
        """Empty: learning curves are printed as figures."""
        return []


@lru_cache(maxsize=4096)
def _printed(table: str | None, place: Place) -> Sample | None:
    entry = load(place.experiment)
    if table is None and not table_cells.prints(place.experiment, place.score):
        return None
    known = published.lookup(f"{entry.paper}.{table or entry.published}")
    found = table_cells.printed_cell(known, place.method, place.size, table_cells.printed_column(place.experiment, place.score))
    if found and "trials" in found:
        return Sample.of(found["trials"])
    return Sample(found["mean"], found["sd"], known["runs"]) if found else None


@dataclass(frozen=True)
class Runs:
    """Scores of our finished runs of a tier, each experiment read once. Those of tier demo are no evidence: left out."""

    tier: str
    table: str | None = None  # of the paper, as in ``Printed``
    _found: dict = field(default_factory=dict)

    @property
    def folds(self) -> Folds:
        """Folds of the tier."""
        return self._found.setdefault("", Folds(self.tier))

    def found(self, experiment: str) -> list[tuple[Run, dict]]:
        """The finished runs of an experiment with their JSON."""
        if experiment not in self._found:
            self._found[experiment] = [] if self.tier == "demo" else table_cells.runs(experiment, self.tier)
        return self._found[experiment]

    def of(self, place: Place) -> list[tuple[Run, dict]]:
        """Those of a cell."""
        return [(run, body) for run, body in self.found(place.experiment)
                if (run.method, run.size) == (place.method, place.size)]

    def sample(self, place: Place) -> Sample | None:
        """The cell over its runs, None where there is none."""
        cell = table_cells.cell_of(self.of(place), place.experiment, (place.method, place.size), place.score)
        return cell.sample if cell else None

    def stated(self, places: Sequence[Place]) -> tuple[Sample | None, ...]:
        """What is printed in the same cells."""
        return tuple(map(Printed(self.table).sample, places))

    def unseen(self, places: Sequence[Place]) -> Difference | None:
        """The difference of cells of a later protocol over the runs that are its own, where not all are; runs alone."""
        if all(table_cells.original(place.experiment) == place.experiment for place in places):
            return None
        own = [[(run, body) for run, body in self.of(place) if run.home == place.experiment] for place in places]
        cells = [table_cells.cell_of(found, place.experiment, (place.method, place.size), place.score)
                 for found, place in zip(own, places, strict=True)]
        if not all(cells) or list(map(len, own)) == [len(self.of(place)) for place in places]:
            return None
        return statistics.contrast([cell.sample for cell in cells], verdicts.WEIGHTS[:len(cells)])

    def recordings(self, places: Sequence[Place]) -> tuple[float, int] | None:
        """``resampling.recordings_variance`` of a difference of cells."""
        score, choice = table_cells.reported(places[0].experiment)
        files: list[list[Path]] = [[run.path for run, _ in self.of(place)] for place in places]
        return resampling.recordings_variance(files, places[0].score or score, choice)

    def current(self, experiment: str, cells: Sequence[tuple[str, int | str]]) -> str:
        """The experiment that the cells of one comparison are read from (``table_cells.current``)."""
        return experiment if self.tier == "demo" else table_cells.current(experiment, self.tier, cells, self.found)

    def epochs(self, place: Place, share: float) -> list[int]:
        """For every run of a cell the first epoch to reach ``share`` of the run's own best validation score."""
        curves = [[row["validation_score"] for row in body["history"]] for _, body in self.of(place)]
        return [epochs_to(curve, share) for curve in curves if curve]


def epochs_to(curve: Sequence[float], share: float) -> int:
    """The first epoch, from 1, whose score is at least ``share`` of the best one of the curve."""
    curve = np.asarray(curve, float)
    return 1 + int(np.argmax(curve >= share * curve.max()))


def compare(claim: dict, source: Printed | Runs) -> list[Comparison | Held]:
    """Every comparison of a claim, by each of the rules that its entry names."""
    if isinstance(source, Runs):
        source = dataclasses.replace(source, table=claim.get("published"))
    return [comparison for name, rule in RULES.items() if name in claim
            for comparison in rule(claim, claim[name], source)]


def notes(claim: dict, tier: str) -> list[str]:
    """What is said of a claim beside its comparisons: its remark, and the folds that are still to come."""
    said = [REMARKS[claim["remark"]](claim, tier)] if "remark" in claim else []
    on_folds = any(name in claim for name in claim_rules_folds.RULES)
    return said + (claim_rules_folds.unfinished(claim, tier) if on_folds else [])


def configurations(experiment: str, objectives: Sequence[str]) -> list[str]:
    """Rows of an experiment that start from a pretraining by one of ``objectives``, in the table's order."""
    entry = load(experiment)
    return [row for row in entry.inits if _start(entry, row).partition("-")[0] in objectives]


def own_configuration(experiment: str, objective: str) -> str:
    """The row that starts from the protocol's own configuration of ``objective``, the best one of the paper."""
    entry = load(experiment)
    return next(row for row in entry.inits if _start(entry, row) == objective)


def _start(entry: Experiment, row: str) -> str:
    """What a row starts from, as ``init`` has it: details of another configuration follow a hyphen."""
    return entry.rows.get(row, {}).get("init", row)


def judged(rule: str, places: Sequence[Place], source: Printed | Runs, margin: float = 0.0, note: str = "",
           printed: Sequence[Place] | None = None) -> Comparison:
    """The first cell minus the second, less the difference of the others where there are any, by the analysis plan.

    ``printed`` are the cells whose printed difference ours is held against, the same ones if not given, and none where a claim
    has a rule of its own.
    """
    samples, stated = [source.sample(place) for place in places], source.stated(places if printed is None else printed)
    recordings = source.recordings(places) if enough(*samples) else None
    if rule == "no_difference":
        verdict = verdicts.equal(samples, margin, recordings)
    else:
        verdict = verdicts.judge(samples, stated, recordings, margin)
    return Comparison(rule, *places[:2], verdict, verdict.ours, margin, note, tuple(places[2:]),
                      tuple(sample.n if sample else 0 for sample in samples), _covers(source, recordings), source.unseen(places))


def _covers(source: Printed | Runs, recordings: tuple[float, int] | None) -> str:
    return "" if isinstance(source, Printed) else "runs and test recordings" if recordings else "runs alone"


def _differences(rule: str) -> Callable:
    """Each difference of cells, for each of the claim's scores; statements of ours have nothing in print."""
    def judge(claim: dict, listed: list, source: Printed | Runs) -> list[Comparison]:
        printed = None if claim.get("paper", True) else ()
        return [judged(rule, _places(claim, cells, score, source), source, _margin(rule, claim), printed=printed)
                for score in _scores(claim) for cells in listed]
    return judge


def _margin(rule: str, claim: dict) -> float:
    """What a difference is held against; of equality half of the difference that is printed between other cells."""
    if rule != "no_difference":
        return claim.get("margin", 0.0)
    known = Printed(claim.get("published"))
    a, b = map(known.sample, _places(claim, claim["half_of"], claim.get("score"), known))
    return abs(a.mean - b.mean) / 2


def _scores(claim: dict) -> list[str | None]:
    """``scores: printed`` means every score that the paper's table prints."""
    if claim.get("scores") == "printed":
        return list(load(claim["experiment"]).printed)
    return [claim.get("score")]


def _places(claim: dict, listed: list, score: str | None, source: Printed | Runs) -> list[Place]:
    """Cells that are listed as ``[method, column, method, column]``, all of one protocol."""
    cells = list(zip(listed[::2], listed[1::2], strict=True))
    experiment = source.current(claim["experiment"], cells)
    return [Place(experiment, *cell, score) for cell in cells]


def _sooner(claim: dict, pairs: list, source: Printed | Runs) -> list[Comparison]:
    """Whether the first cell's runs reach ``share`` of their best validation score sooner: a rank test."""
    found = []
    for pair in pairs:
        places = _places(claim, pair, None, source)
        a, b = (source.epochs(place, claim["share"]) for place in places)
        ranks = statistics.fewer(a, b) if min(len(a), len(b)) >= MIN_RUNS else None
        found.append(Comparison("sooner", *places, Verdict(statistics.verdict_fewer(a, b)), ranks, runs=(len(a), len(b))))
    return found


def _shrinks(claim: dict, pairs: list, source: Printed | Runs) -> list[Comparison]:
    """Whether the first row's gain over the second falls along the columns, which are shares: a slope below 0."""
    sizes = sorted(load(claim["experiment"]).columns_of(pairs[0][0]))
    note = f"change from {sizes[0]} to {sizes[-1]} %"
    found = []
    for pair in pairs:
        experiment = source.current(claim["experiment"], [(method, size) for method in pair for size in sizes])
        rows = [[Place(experiment, method, size) for size in sizes] for method in pair]
        samples = [[source.sample(place) for place in row] for row in rows]
        verdict, slope = Verdict("not tested"), None
        if enough(*samples[0], *samples[1]):
            slope = statistics.slope(sizes, *samples)
            verdict = Verdict(statistics.verdict_below(slope))
        runs = tuple(sample.n if sample else 0 for row in samples for sample in row)
        found.append(Comparison("shrinks", rows[0][0], rows[1][0], verdict, slope, note=note, runs=runs,
                                covers="runs alone" if isinstance(source, Runs) else ""))
    return found


def _beats_best(claim: dict, rule: dict, source: Printed | Runs) -> list[Comparison]:
    """The best configuration of some objectives against the best one of others, each the best by its mean.

    Ours are held against the difference of those that are the best in print.
    """
    sides = [rule["of"], rule["over"]]
    (first, ready, chosen), (second, also_ready, also_chosen) = (_best(claim, side, rule["column"], source) for side in sides)
    printed = [_best(claim, side, rule["column"], Printed(claim.get("published")))[0] for side in sides]
    note = f"best of {chosen} configurations against the best of {also_chosen}"
    if not (ready and also_ready):
        return [Comparison("beats_best", first, second, note=note)]
    return [judged("beats_best", (first, second), source, note=note, printed=printed)]


def _best(claim: dict, objectives: Sequence[str], column: int, source: Printed | Runs) -> tuple[Place, bool, str]:
    """The configuration with the highest mean, whether it can be judged, and what it was chosen from in words.

    Configurations that were not run are passed over, but each objective's own has to be there. Being chosen by
    its test score flatters a configuration somewhat; the paper chooses in the same way.
    """
    rows = configurations(claim["experiment"], objectives)
    experiment = source.current(claim["experiment"], [(row, column) for row in rows])
    samples = {row: source.sample(Place(experiment, row, column)) for row in rows}
    tested = [row for row in rows if enough(samples[row])]
    own = [own_configuration(experiment, objective) for objective in objectives]
    ready = set(own) <= set(tested)
    best = max(tested, key=lambda row: samples[row].mean) if ready else own[0]
    return Place(experiment, best, column), ready, f"{len(tested)} of {len(rows)}"


def _prefers(claim: dict, rule: dict, source: Printed | Runs) -> list[Comparison]:
    """Whether each objective's own configuration beats the best of its others; all of them have to be there."""
    found = []
    for objective in rule["of"]:
        rows = configurations(claim["experiment"], [objective])
        own = own_configuration(claim["experiment"], objective)
        experiment = source.current(claim["experiment"], [(row, rule["column"]) for row in rows])
        places = {row: Place(experiment, row, rule["column"]) for row in rows}
        samples = {row: source.sample(place) for row, place in places.items()}
        others = [row for row in rows if row != own]
        if enough(*samples.values()):
            best, note = max(others, key=lambda row: samples[row].mean), f"best of the {len(others)} others"
            found.append(judged("prefers", (places[own], places[best]), source, note=note, printed=()))
        else:
            note = f"needs all {len(rows)} configurations"
            found.append(Comparison("prefers", places[own], places[others[0]], Verdict("not tested"), note=note))
    return found


def _on_folds(rule: Callable) -> Callable:
    def judge(claim: dict, entry: dict, source: Printed | Runs) -> list[Held]:
        return rule(claim, entry, source.folds)
    return judge


# Key in ``experiments/*.yml`` -> the comparisons that it asks for
RULES: dict[str, Callable] = {"beats": _differences("beats"), "no_difference": _differences("no_difference"), "sooner": _sooner,
                              "shrinks": _shrinks, "beats_best": _beats_best, "prefers": _prefers,
                              **{name: _on_folds(rule) for name, rule in claim_rules_folds.RULES.items()}}


def below_random(claim: dict, tier: str) -> str:
    """Which of the printed configurations lie below random weights in one of the classes, by their means."""
    experiment, source = claim["experiment"], Printed()
    entry = load(experiment)
    rows = [row for row in entry.inits if row != "random"]
    column = next(iter(entry.columns))
    below = {}
    for score in (score for score in entry.printed if score.startswith("f1_per_class")):
        base = source.sample(Place(experiment, "random", column, score))
        for row in rows:
            if source.sample(Place(experiment, row, column, score)).mean < base.mean:
                below.setdefault(row, []).append(score.rpartition(".")[2])
    listed = "; ".join(f"{METHODS[row]} ({', '.join(classes)})" for row, classes in below.items())
    return (f"In print {len(below)} of {len(rows)} configurations lie below random weights in a class: "
            f"{listed}.")


def relative_gain(claim: dict, tier: str) -> str:
    """The gain of ``beats_best`` in per cent of the lower mean, as papers print it."""
    def gain(source: Printed | Runs) -> str:
        found = compare(claim, source)[0]
        a, b = source.sample(found.first), source.sample(found.second)
        return f"{100 * (a.mean / b.mean - 1):+.2f} %".replace("-", "−") if enough(a, b) else "not tested"
    return f"In per cent of random weights: {gain(Runs(tier))} here, {gain(Printed())} in print."


def column_rates(claim: dict, tier: str) -> str:
    """What the columns that a claim names stand for in a tier, where that is another sampling rate."""
    named = {size for cells in claim["beats"] for size in cells[1::2]}
    rates = {run.size: run.config.sampling_rate for run in enumerate_runs(claim["experiment"], tier) if run.size in named}
    if all(size == rate for size, rate in rates.items()):
        return ""
    columns, stand = (" and ".join(f"{value:g}" for value in values) for values in zip(*sorted(rates.items()), strict=True))
    return f"In tier {tier} the columns {columns} Hz stand for {stand} Hz."


# What a claim's ``remark`` adds in words
REMARKS: dict[str, Callable[[dict, str], str]] = {
    "below_random": below_random, "relative_gain": relative_gain, "column_rates": column_rates} | claim_rules_folds.REMARKS
