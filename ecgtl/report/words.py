"""How numbers are written: scores, intervals, differences, p-values, and what has not been run. Each once."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup

from ecgtl import statistics
from ecgtl.analysis.names import NBSP, PENDING, f1

MARKS = {"yes": ("▲", "the 95 % interval lies above 0"), "opposite": ("▼", "the 95 % interval lies below 0"),
         "undecided": ("≈", "the 95 % interval includes 0")}


def percent(size: float | str) -> str:
    """``25 %``, which does not break."""
    return f"{size}{NBSP}%"


def p_value(p: float) -> str:
    """A p-value as text that does not break: ``= .446``, or ``< .001``."""
    return f"<{NBSP}.001" if p < 0.001 else f"={NBSP}{f1(p)}"


def plus_minus(mean: float, sd: float) -> str:
    """``mean ± SD``; the mean alone without an SD, a dash without a mean."""
    return f"{f1(mean)}{NBSP}±{NBSP}{f1(sd)}" if np.isfinite(mean) and np.isfinite(sd) else f1(mean)


def limits(low: float | None, high: float | None, signed: bool = False) -> str:
    """``[low, high]``; nothing where there is no interval."""
    return f"[{f1(low, signed)},{NBSP}{f1(high, signed)}]" if low is not None and np.isfinite(low) else ""


def estimate(value: float | None, low: float | None, high: float | None, n: int = 1, signed: bool = False) -> str:
    """``value [low, high]``, the value alone where there is no interval; PENDING where ``n`` is 0."""
    return f"{f1(value, signed)} {limits(low, high, signed)}".rstrip(" ") if n else PENDING


def mean(values: Sequence[float]) -> str:
    """Mean with its 95 % interval, which needs ``MIN_RUNS`` values; PENDING without any."""
    if not len(values):
        return PENDING
    return estimate(float(np.mean(values)), *statistics.score_interval(statistics.Sample.of(values)))


def mean_sd(values: Sequence[float] | np.ndarray, least: int = statistics.MIN_RUNS) -> str:
    """Mean ± SD (n - 1) of ``least`` values or more, of fewer the mean alone; PENDING without any."""
    if not len(values):
        return PENDING
    sample = statistics.Sample.of(values)
    return plus_minus(sample.mean, sample.sd) if sample.n >= least else f1(sample.mean)


def mark(difference: Any) -> Markup:
    """▲, ▼ or ≈: what the interval of a difference decides, in words for screen readers and on hovering."""
    sign, words = MARKS[statistics.verdict_above(difference)]
    return Markup('<span class="ecgtl-mark" role="img" aria-label="{0}" title="{0}">{1}</span>').format(words, sign)


def difference(found: Any, brief: bool = False) -> Markup:
    """A difference (or an ``Interval``) with its limits, unless ``brief``, and the mark of what these decide."""
    interval = "" if brief else f" {limits(found.low, found.high, True)}"
    return Markup("{}{}{}{}").format(f1(found.value, True), interval, NBSP, mark(found))


def gap(a: statistics.Sample | None, b: statistics.Sample | None, missing: str = PENDING) -> str:
    """Difference of two means by Welch, ``a - b``; without an interval where one has fewer than ``MIN_RUNS`` runs."""
    if a is None or b is None:
        return missing
    return _enough(statistics.welch(a, b), min(a.n, b.n))


def gap_with_p(a: pd.Series, b: pd.Series, paired: bool) -> str:
    """Mean of ``a`` minus mean of ``b``, interval and p-value; ``paired`` takes the runs in the index of both."""
    if paired:
        both = a.index.intersection(b.index)
        a, b = a[both], b[both]
    if not (len(a) and len(b)):
        return PENDING
    found = statistics.paired(a, b) if paired else statistics.welch(statistics.Sample.of(a), statistics.Sample.of(b))
    text = _enough(found, min(len(a), len(b)))
    return Markup("{}, p{}{}").format(text, NBSP, p_value(found.p)) if isinstance(text, Markup) else text


def _enough(found: statistics.Difference, n: int) -> str:
    return difference(found) if n >= statistics.MIN_RUNS and np.isfinite(found.low) else f1(found.value, True)


def link(address: str, text: str) -> Markup:
    """A link out of the site; nothing is loaded from there."""
    return Markup('<a class="external" href="{}">{}</a>').format(address, text)


def paragraph(text: str) -> Markup:
    """``text`` as a paragraph of HTML."""
    return Markup("<p>{}</p>").format(text)


def bullets(lines: Iterable[str]) -> Markup:
    """``lines`` as a list of HTML."""
    return Markup("<ul>{}</ul>").format(Markup("").join(Markup("<li>{}</li>").format(line) for line in lines))
