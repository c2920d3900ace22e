"""What pages print of means and differences, by SciPy; printed cells are those of Weimann 2021, of ten runs each."""

import numpy as np
from scipy import stats

from ecgtl import published
from ecgtl.analysis.names import f1


def gap(value, half):
    return f"{f1(value, True)} [{f1(value - half, True)}, {f1(value + half, True)}]"


def mean_of(values):
    """Mean, 95 % interval by Student and number of runs."""
    low, high = stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=stats.sem(values))
    return f"{f1(np.mean(values))} [{f1(low)}, {f1(high)}] n {len(values)}"


def welch(ours, base):
    low, high = stats.ttest_ind(ours, base, equal_var=False).confidence_interval(0.95)
    return gap((low + high) / 2, (high - low) / 2)


def printed_cell(table, *place):
    return published.lookup(".".join(("weimann2021", table, "rows", *map(str, place))))


def paper_gap(table, first, second, *columns):
    """Welch's interval from two printed cells."""
    a, b = (printed_cell(table, *place, *columns) for place in (first, second))
    found = stats.ttest_ind_from_stats(a["mean"], a["sd"], 10, b["mean"], b["sd"], 10, equal_var=False)
    error = (a["mean"] - b["mean"]) / found.statistic
    va, vb = a["sd"] ** 2 / 10, b["sd"] ** 2 / 10
    return gap(a["mean"] - b["mean"], stats.t.ppf(0.975, (va + vb) ** 2 / (va**2 / 9 + vb**2 / 9)) * error)


def printed_difference(ours, table, *cells):
    """Ours minus the printed one with the interval of Welch and Satterthwaite: a cell, or a difference of two."""
    printed = [printed_cell(table, *place) for place in cells]
    signs = [1, -1][:len(ours)]
    value = sum(sign * (np.mean(own) - theirs["mean"]) for sign, own, theirs in zip(signs, ours, printed, strict=True))
    errors = [(np.var(own, ddof=1) / len(own), len(own) - 1) for own in ours]
    errors += [(theirs["sd"] ** 2 / 10, 9) for theirs in printed]
    total = sum(error for error, _ in errors)
    degrees = total**2 / sum(error**2 / free for error, free in errors)
    return gap(value, stats.t.ppf(0.975, degrees) * np.sqrt(total))
