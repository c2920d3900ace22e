"""How many subjects does pretraining need? Scores over the subjects of a pretraining, and subjects against hours.

By the rules of ``book/analysis-plan.md``, which judge nothing before its cells are full.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from ecgtl import experiments, statistics
from ecgtl.analysis import cells
from ecgtl.analysis.sources import Runs
from ecgtl.analysis.verdicts import Comparison, Place, Verdict, enough

TABLE, PRETRAININGS = "weimann2021-table2-subjects", "weimann2021-subjects"
# A line runs through the first rows; of the two others the first has the minutes of the second, of more subjects
COMPARED = {"slope": ("subjects8", "subjects32", "subjects_all"), "control": ("subjects64", "subjects8")}
ROWS = ("random", *COMPARED["slope"], COMPARED["control"][0])


@dataclass(frozen=True)
class Study:
    """What a tier has: the cells that are ``full`` by (method, size), and how many ``subjects`` each row's pretrainings
    learnt from, as their results have it (geometric mean over seeds).
    """

    tier: str
    full: dict[tuple[str, int | str], cells.Cell]
    subjects: dict[str, float]


def load(tier: str) -> Study:
    """The study as far as its runs have been finished."""
    found, needed = cells.cells(TABLE, tier), experiments.load(TABLE).runs[tier]
    known = {run.name: body.data["subjects"]["train"] for run, body in cells.runs(PRETRAININGS, tier)}
    trained = {row: [known[run.config.init] for run in experiments.enumerate_runs(TABLE, tier)
                     if run.method == row and run.config.init in known] for row in ROWS}
    return Study(tier, {place: cell for place, cell in found.items() if cell.n >= needed},
                 {row: float(stats.gmean(some)) for row, some in trained.items() if some})


def judged(study: Study, rule: str, size: int | str) -> Comparison:
    """What a doubling of the subjects adds to the score (``slope``): *yes* where it adds, *no* where it takes; or what
    more subjects add with the same minutes in all (``control``), a difference that no paper prints.
    """
    rows, source = COMPARED[rule], Runs(study.tier)
    places, samples = tuple(Place(TABLE, row, size) for row in rows), [study.full.get((row, size)) for row in rows]
    if not enough(samples) or not set(rows) <= set(study.subjects):
        return Comparison(rule, places)
    along = statistics.least_squares([np.log2(study.subjects[row]) for row in rows]).tolist()
    weights = along if rule == "slope" else [1, -1]
    recordings = source.recordings(places, weights)
    found = statistics.contrast(samples, weights, extra=recordings)
    sign = statistics.verdict_above(found).replace("opposite", "no" if rule == "slope" else "opposite")
    return Comparison(rule, places, Verdict(sign, ours=found), found, runs=tuple(sample.n for sample in samples),
                      covers="runs and test recordings" if recordings else source.covers)
