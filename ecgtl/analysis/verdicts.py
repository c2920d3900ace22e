"""What our runs say of a printed difference: is there one, is it as large as printed, is it worth having?

The rules are those of ``book/analysis-plan.md``. A difference is A minus B, of two cells of a table, or a difference of
two such differences, in the direction that a claim states.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeGuard

from ecgtl.analysis.correlations import Interval
from ecgtl.statistics import MIN_RUNS, Difference, Ranks, Sample, contrast, verdict_above

# Weakest first: a claim takes its weakest comparison. ``no`` is of claims that have a rule of their own, which fails
SIGNS = ("opposite", "no", "undecided", "not tested", "yes")
SIZES = ("smaller", "undecided", "not tested", "larger", "as printed")
Checkpoint = tuple[str, str]  # source and network
WEIGHTS = (1, -1, -1, 1)  # of the cells of a difference, and of a difference of two


@dataclass(frozen=True)
class Verdict:
    """The three answers, our difference and the printed one with their intervals, and ours minus printed.

    ``sign`` out of ``SIGNS``; ``size`` out of ``SIZES``, None where it is not asked; ``worthwhile`` is False where our
    interval lies below half the printed difference, else None: it is never shown that a difference is worth having.
    """

    sign: str
    size: str | None = None
    worthwhile: bool | None = None
    ours: Difference | None = None
    printed: Difference | None = None
    gap: Difference | None = None


NOT_TESTED = Verdict("not tested", "not tested")


@dataclass(frozen=True)
class Place:
    """A cell of an experiment's table: row, column, and which score (None: the one that is reported first).

    Of an experiment on folds it is a checkpoint: the row is its source and network, and there are no columns.
    """

    experiment: str
    method: Any
    size: Any = None
    score: str | None = None


@dataclass(frozen=True)
class Comparison:
    """What a rule compares, the verdict on it, and the statistics behind it (None where there are too few runs).

    ``places``: two cells, with two more whose difference is taken off; or the checkpoints whose folds a statistic is
    of. ``against`` is what it was held against: a margin, or a number and the ``side`` of it. ``note`` says how the
    cells were chosen, where a slope runs, what a statistic rests on. ``runs`` are those of each cell; ``covers``
    says what the interval covers; ``unseen`` is the difference without the runs that a later protocol shares with the
    earlier one, None where it shares none. One that does not ``counts`` is of a source that stands in for the paper's:
    it is shown beside and decides nothing.
    """

    rule: str
    places: tuple[Place, ...]
    verdict: Verdict = NOT_TESTED
    found: Difference | Ranks | Interval | None = None
    against: float = 0.0
    note: str = ""
    runs: tuple[int, ...] = ()
    covers: str = ""
    unseen: Difference | None = None
    side: str = ""
    counts: bool = True

    @property
    def checkpoints(self) -> tuple[Checkpoint, ...]:
        """Those whose folds a statistic is of."""
        return tuple(place.method for place in self.places)


def judge(ours: Sequence[Sample | None], printed: Sequence[Sample | None] = (),
          recordings: tuple[float, int] | None = None, margin: float = 0.0) -> Verdict:
    """The verdict on a difference of our cells, of two (A, B) or of two differences (A, B, C, D: A - B less C - D).

    ``printed`` are the paper's cells; without them, and where their difference is none in the claim's direction, no
    size is asked. ``recordings``: variance of our difference over test recordings, and their number (``resampling``);
    None where it cannot be had, the interval then covers runs alone. ``margin`` is what the sign has to exceed. Fewer
    than three runs on a side test nothing.
    """
    weights, theirs = WEIGHTS[:len(ours)], [sample for sample in printed if sample]
    known = contrast(theirs, weights) if theirs and len(theirs) == len(printed) else None
    asked = known if known and known.value > 0 else None
    if not enough(ours):
        return Verdict("not tested", "not tested" if asked else None, printed=known)
    found = contrast(ours, weights, extra=recordings)
    sign = verdict_above(found, margin)
    if not known:
        return Verdict(sign, None, None, found)
    gap = contrast((*ours, *theirs), (*weights, *(-weight for weight in weights)), extra=recordings)
    if not asked:
        return Verdict(sign, None, None, found, known, gap)
    worthwhile = False if found.high < asked.value / 2 else None
    return Verdict(sign, _size(found, gap, asked.value), worthwhile, found, known, gap)


def equal(ours: Sequence[Sample | None], margin: float, recordings: tuple[float, int] | None = None) -> Verdict:
    """Whether two cells are equal within ``margin`` either way: *yes* only where the interval lies inside."""
    if not enough(ours):
        return Verdict("not tested")
    found = contrast(ours, WEIGHTS[:2], extra=recordings)
    inside, outside = -margin < found.low and found.high < margin, found.low > margin or found.high < -margin
    return Verdict("yes" if inside else "opposite" if outside else "undecided", ours=found)


def enough(cells: Sequence[Sample | None]) -> TypeGuard[Sequence[Sample]]:
    """Whether all cells have the runs that a test needs."""
    return all(cell is not None and cell.n >= MIN_RUNS for cell in cells)


def _size(ours: Difference, gap: Difference, printed: float) -> str:
    if gap.high < 0:
        return "smaller"
    if gap.low > 0:
        return "larger"
    return "as printed" if gap.low <= 0 <= gap.high and ours.low > printed / 2 else "undecided"


def weakest(found: Sequence[Verdict]) -> Verdict:
    """The verdict of a claim of several comparisons: the weakest sign, and the weakest size of those that are asked."""
    sizes = [one.size for one in found if one.size]
    return Verdict(min((one.sign for one in found), key=SIGNS.index), min(sizes, key=SIZES.index, default=None),
                   False if any(one.worthwhile is False for one in found) else None)
