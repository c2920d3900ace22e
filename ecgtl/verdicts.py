"""What our runs say of a printed difference: is there one, is it as large as printed, is it worth having?

The rules are those of ``book/analysis-plan.md``. A difference is A minus B, of two cells of a table.
"""

from dataclasses import dataclass

from ecgtl import statistics
from ecgtl.statistics import MIN_RUNS, Difference, Sample

# Weakest first: a claim takes its weakest comparison
SIGNS = ("opposite", "undecided", "not tested", "yes")
SIZES = ("smaller", "undecided", "not tested", "larger", "as printed")


@dataclass(frozen=True)
class Verdict:
    """The three answers, our difference and the printed one with their intervals, and ours minus printed.

    ``sign`` out of ``SIGNS``, ``size`` out of ``SIZES``; ``worthwhile`` is False where our interval lies below half the
    printed difference, else None: it is never shown that a difference is worth having.
    """

    sign: str
    size: str
    worthwhile: bool | None = None
    ours: Difference | None = None
    printed: Difference | None = None
    gap: Difference | None = None


NOT_TESTED = Verdict("not tested", "not tested")


def judge(a: Sample | None, b: Sample | None, printed_a: Sample, printed_b: Sample,
          recordings: tuple[float, int] | None = None) -> Verdict:
    """The verdict on the printed difference ``printed_a`` - ``printed_b`` from our cells ``a`` and ``b``.

    ``recordings``: variance of our difference over test recordings, and their number (``resampling``); None where it cannot be
    had, the interval then covers runs alone. Fewer than three runs on a side test nothing.
    """
    if a is None or b is None or min(a.n, b.n) < MIN_RUNS:
        return NOT_TESTED
    ours, printed = statistics.contrast((a, b), (1, -1), extra=recordings), statistics.welch(printed_a, printed_b)
    gap = statistics.contrast((a, b, printed_a, printed_b), (1, -1, -1, 1), extra=recordings)
    low, high = towards(ours, printed.value)
    sign = "yes" if low > 0 else "opposite" if high < 0 else "undecided"
    return Verdict(sign, _size(ours, gap, printed.value), False if high < abs(printed.value) / 2 else None, ours, printed, gap)


def equal(a: Sample | None, b: Sample | None, margin: float, recordings: tuple[float, int] | None = None) -> Verdict:
    """Whether our cells are equal within ``margin`` either way: *yes* only where the interval lies inside."""
    if a is None or b is None or min(a.n, b.n) < MIN_RUNS:
        return NOT_TESTED
    ours = statistics.contrast((a, b), (1, -1), extra=recordings)
    inside, outside = -margin < ours.low and ours.high < margin, ours.low > margin or ours.high < -margin
    return Verdict("yes" if inside else "opposite" if outside else "undecided", "not tested", None, ours)


def towards(difference: Difference, printed: float) -> tuple[float, float]:
    """Limits of ``difference`` counted in the direction of the printed one, so that more is farther that way."""
    return (difference.low, difference.high) if printed > 0 else (-difference.high, -difference.low)


def _size(ours: Difference, gap: Difference, printed: float) -> str:
    low, high = towards(gap, printed)
    if high < 0:
        return "smaller"
    if low > 0:
        return "larger"
    return "as printed" if low <= 0 <= high and towards(ours, printed)[0] > abs(printed) / 2 else "undecided"


def weakest(found: list[Verdict]) -> Verdict:
    """The verdict of a claim of several comparisons: the weakest sign and the weakest size among them."""
    return Verdict(min((one.sign for one in found), key=SIGNS.index), min((one.size for one in found), key=SIZES.index),
                   False if any(one.worthwhile is False for one in found) else None)
