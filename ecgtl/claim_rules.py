"""The rules that judge a claim: which cells are compared, and what the comparison says.

A rule reads the claim's entry in ``experiments/*.yml`` and a source of scores, ``Printed`` (the paper's own
tables) or ``Runs`` (ours), and returns its comparisons, so that one rule judges both. Those on folds, which are
no cells of a table, stand in ``claim_rules_transfers``. ``beats``, ``near``,
``no_difference`` and ``sooner`` take pairs of cells as ``[method, column, method, column]``; the others choose
or combine cells first.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar

import numpy as np

from ecgtl import claim_rules_transfers, published, statistics
from ecgtl.claim_rules_transfers import Folds, Held, PrintedTable
from ecgtl.experiments import definition, sizes_of
from ecgtl.report import tables
from ecgtl.statistics import MIN_RUNS, Difference, Ranks, Sample

PAIRED = {"beats": statistics.verdict_beats, "near": statistics.verdict_near,
          "no_difference": statistics.verdict_no_difference}


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

    ``against`` is what the difference was held against: a margin, or a printed number. ``note`` says in words
    how the cells were chosen, or where a slope runs.
    """

    rule: str
    first: Place
    second: Place
    verdict: str = "not tested"
    found: Difference | Ranks | None = None
    against: float = 0.0
    note: str = ""
    counts: ClassVar[bool] = True  # each has its say in the claim's verdict


@dataclass(frozen=True)
class Printed:
    """The numbers of the paper's own table; ``table`` names it where it is not the experiment's."""

    table: str | None = None
    folds: ClassVar[PrintedTable] = PrintedTable()

    def sample(self, place: Place) -> Sample | None:
        """From the paper's trials where it prints them, else its mean and SD; None where nothing is printed."""
        paper, entry = definition(place.experiment)
        if self.table is None and not tables.prints(place.experiment, place.score):
            return None
        table = published.load(paper)[self.table or entry["published"]]
        column = tables.printed_column(place.experiment, place.score)
        found = tables.printed_cell(table, place.method, place.size, column)
        if found and "trials" in found:
            return Sample.of(found["trials"])
        return Sample(found["mean"], found["sd"], table["runs"]) if found else None

    def epochs(self, place: Place, share: float) -> list[int]:
        """Empty: learning curves are printed as figures."""
        return []


@dataclass(frozen=True)
class Runs:
    """Scores of our finished runs of a tier, each table read once. Those of tier demo are no evidence: left out."""

    tier: str
    _cells: dict = field(default_factory=dict)

    @cached_property
    def folds(self) -> Folds:
        """Folds of the tier."""
        return Folds(self.tier)

    def sample(self, place: Place) -> Sample | None:
        """The cell over its runs, None where there is none."""
        if self.tier == "demo":
            return None
        table = (place.experiment, place.score)
        if table not in self._cells:
            self._cells[table] = tables.cells(place.experiment, self.tier, place.score)
        cell = self._cells[table].get((place.method, place.size))
        return cell.sample if cell else None

    def epochs(self, place: Place, share: float) -> list[int]:
        """For every run of a cell the first epoch to reach ``share`` of the run's own best validation score."""
        if self.tier == "demo":
            return []
        histories = [body["history"] for run, body in tables.runs(place.experiment, self.tier)
                     if (run.method, run.size) == (place.method, place.size)]
        curves = [[row["validation_score"] for row in history] for history in histories]
        return [epochs_to(curve, share) for curve in curves if curve]


def epochs_to(curve: Sequence[float], share: float) -> int:
    """The first epoch, from 1, whose score is at least ``share`` of the best one of the curve."""
    curve = np.asarray(curve, float)
    return 1 + int(np.argmax(curve >= share * curve.max()))


def compare(claim: dict, source: Printed | Runs) -> list[Comparison | Held]:
    """Every comparison of a claim, by each of the rules that its entry names."""
    return [comparison for name, rule in RULES.items() if name in claim
            for comparison in rule(claim, claim[name], source)]


def notes(claim: dict, tier: str) -> list[str]:
    """What is said of a claim beside its comparisons: its remark, and the folds that are still to come."""
    said = [REMARKS[claim["remark"]](claim)] if "remark" in claim else []
    on_folds = any(name in claim for name in claim_rules_transfers.RULES)
    return said + (claim_rules_transfers.unfinished(claim, tier) if on_folds else [])


def configurations(experiment: str, objectives: Sequence[str]) -> list[str]:
    """Rows of an experiment that start from a pretraining by one of ``objectives``, in the table's order."""
    entry = definition(experiment)[1]
    return [row for row in entry["inits"] if _start(entry, row).partition("-")[0] in objectives]


def own_configuration(experiment: str, objective: str) -> str:
    """The row that starts from the protocol's own configuration of ``objective``, the best one of the paper."""
    entry = definition(experiment)[1]
    return next(row for row in entry["inits"] if _start(entry, row) == objective)


def _start(entry: dict, row: str) -> str:
    """What a row starts from, as ``init`` has it: details of another configuration follow a hyphen."""
    return entry.get("rows", {}).get(row, {}).get("init", row)


def _pairs(rule: str) -> Callable:
    """Each pair of cells, for each of the claim's scores: the difference of means with Welch's interval."""
    def judge(claim: dict, pairs: list, source: Printed | Runs) -> list[Comparison]:
        return [_pair(rule, *_places(claim, pair, score), source, claim.get("margin", 0.0))
                for score in _scores(claim) for pair in pairs]
    return judge


def _scores(claim: dict) -> list[str | None]:
    """``scores: printed`` means every score that the paper's table prints."""
    if claim.get("scores") == "printed":
        return list(definition(claim["experiment"])[1]["printed"])
    return [claim.get("score")]


def _places(claim: dict, pair: list, score: str | None = None) -> tuple[Place, Place]:
    return Place(claim["experiment"], *pair[:2], score), Place(claim["experiment"], *pair[2:], score)


def _pair(rule: str, first: Place, second: Place, source: Printed | Runs, margin: float = 0.0,
          note: str = "") -> Comparison:
    a, b = source.sample(first), source.sample(second)
    if not (_enough(a) and _enough(b)):
        return Comparison(rule, first, second, against=margin, note=note)
    verdict = PAIRED.get(rule, statistics.verdict_beats)(a, b, margin)
    return Comparison(rule, first, second, verdict, statistics.welch(a, b), margin, note)


def _enough(sample: Sample | None) -> bool:
    return sample is not None and sample.n >= MIN_RUNS


def _sooner(claim: dict, pairs: list, source: Printed | Runs) -> list[Comparison]:
    """Whether the first cell's runs reach ``share`` of their best validation score sooner: a rank test."""
    found = []
    for pair in pairs:
        places = _places(claim, pair)
        a, b = (source.epochs(place, claim["share"]) for place in places)
        ranks = statistics.fewer(a, b) if min(len(a), len(b)) >= MIN_RUNS else None
        found.append(Comparison("sooner", *places, statistics.verdict_fewer(a, b), ranks))
    return found


def _shrinks(claim: dict, pairs: list, source: Printed | Runs) -> list[Comparison]:
    """Whether the first row's gain over the second falls along the columns, which are shares: a slope below 0."""
    experiment = claim["experiment"]
    sizes = sorted(sizes_of(definition(experiment)[1], pairs[0][0]))
    note = f"change from {sizes[0]} to {sizes[-1]} %"
    found = []
    for pair in pairs:
        rows = [[Place(experiment, method, size) for size in sizes] for method in pair]
        samples = [[source.sample(place) for place in row] for row in rows]
        places = rows[0][0], rows[1][0]
        if all(_enough(sample) for row in samples for sample in row):
            slope = statistics.slope(sizes, *samples)
            found.append(Comparison("shrinks", *places, statistics.verdict_below(slope), slope, note=note))
        else:
            found.append(Comparison("shrinks", *places, note=note))
    return found


def _gain(claim: dict, rule: dict, source: Printed | Runs) -> list[Comparison]:
    """Whether the relative gain of the best configuration, in per cent, holds the number that is printed."""
    first, ready, chosen = _best(claim["experiment"], rule["of"], rule["column"], source)
    second = Place(claim["experiment"], rule["over"], rule["column"])
    a, b, printed = source.sample(first), source.sample(second), published.lookup(f"{rule['printed']}.value")
    note = f"best of {chosen} configurations"
    if not (ready and _enough(b)):
        return [Comparison("gain", first, second, against=printed, note=note)]
    gain = statistics.relative_gain(a, b)
    return [Comparison("gain", first, second, statistics.verdict_holds(gain, printed), gain, printed, note)]


def _beats_best(claim: dict, rule: dict, source: Printed | Runs) -> list[Comparison]:
    """The best configuration of some objectives against the best one of others, each the best by its mean."""
    first, ready, chosen = _best(claim["experiment"], rule["of"], rule["column"], source)
    second, also_ready, also_chosen = _best(claim["experiment"], rule["over"], rule["column"], source)
    note = f"best of {chosen} configurations against the best of {also_chosen}"
    if not (ready and also_ready):
        return [Comparison("beats_best", first, second, note=note)]
    return [_pair("beats_best", first, second, source, note=note)]


def _best(experiment: str, objectives: Sequence[str], column: int,
          source: Printed | Runs) -> tuple[Place, bool, str]:
    """The configuration with the highest mean, whether it can be judged, and what it was chosen from in words.

    Configurations that were not run are passed over, but each objective's own has to be there. Being chosen by
    its test score flatters a configuration somewhat; the paper chooses in the same way.
    """
    rows = configurations(experiment, objectives)
    samples = {row: source.sample(Place(experiment, row, column)) for row in rows}
    tested = [row for row in rows if _enough(samples[row])]
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
        places = {row: Place(claim["experiment"], row, rule["column"]) for row in rows}
        samples = {row: source.sample(place) for row, place in places.items()}
        others = [row for row in rows if row != own]
        if all(map(_enough, samples.values())):
            best, note = max(others, key=lambda row: samples[row].mean), f"best of the {len(others)} others"
            found.append(_pair("prefers", places[own], places[best], source, note=note))
        else:
            note = f"needs all {len(rows)} configurations"
            found.append(Comparison("prefers", places[own], places[others[0]], note=note))
    return found


def _on_folds(rule: Callable) -> Callable:
    def judge(claim: dict, entry: dict, source: Printed | Runs) -> list[Held]:
        return rule(claim, entry, source.folds)
    return judge


# Key in ``experiments/*.yml`` -> the comparisons that it asks for
RULES: dict[str, Callable] = {**{name: _pairs(name) for name in PAIRED}, "sooner": _sooner, "shrinks": _shrinks,
                              "gain": _gain, "beats_best": _beats_best, "prefers": _prefers,
                              **{name: _on_folds(rule) for name, rule in claim_rules_transfers.RULES.items()}}


def below_random(claim: dict) -> str:
    """Which of the printed configurations lie below random weights in one of the classes, by their means."""
    experiment, source = claim["experiment"], Printed()
    entry = definition(experiment)[1]
    rows = [row for row in entry["inits"] if row != "random"]
    column = next(iter(entry["sizes"]))
    below = {}
    for score in (score for score in entry["printed"] if score.startswith("f1_per_class")):
        base = source.sample(Place(experiment, "random", column, score))
        for row in rows:
            if source.sample(Place(experiment, row, column, score)).mean < base.mean:
                below.setdefault(row, []).append(score.rpartition(".")[2])
    listed = "; ".join(f"{tables.METHODS[row]} ({', '.join(classes)})" for row, classes in below.items())
    return (f"In print {len(below)} of {len(rows)} configurations lie below random weights in a class: "
            f"{listed}.")


# What a claim's ``remark`` adds in words
REMARKS: dict[str, Callable[[dict], str]] = {"below_random": below_random} | claim_rules_transfers.REMARKS
