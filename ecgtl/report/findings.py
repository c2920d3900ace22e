"""Claims as a reader sees them: one row a claim with its verdicts, and the comparisons that they rest on."""

from collections import Counter

import pandas as pd
from markupsafe import Markup

from ecgtl import claims, experiments, published
from ecgtl.claim_rules import Comparison, Place
from ecgtl.report import tables
from ecgtl.report.book_tables import badge
from ecgtl.report.tables import f1
from ecgtl.statistics import MIN_RUNS, Difference

OPEN = 3  # a longer list of our comparisons is folded away behind its counts, and any of the paper's
COUNTED = {"not supported": "fail", "undecided": "undecided", "not tested": "not tested"}


def findings(paper: str, experiment: str, tier: str) -> pd.DataFrame:
    """Every claim of ``paper`` that rests on ``experiment``, judged from the paper's numbers and from ours."""
    names = [name for name, claim in claims.claims(paper).items() if claim.get("experiment") == experiment]
    return pd.DataFrame([_finding(claims.judge(paper, name, tier)) for name in names])


def finding(paper: str, name: str, tier: str) -> pd.DataFrame:
    """One claim by its name."""
    return pd.DataFrame([_finding(claims.judge(paper, name, tier))])


def _finding(verdict: dict) -> dict:
    said = Markup("<p>{}</p>").format(verdict["note"]) if verdict["note"] else Markup()
    return {"Statement": verdict["says"],
            "From the paper's numbers": badge(verdict["paper"]) + _account(verdict["printed"], 1),
            "From our runs": badge(verdict["ours"]),
            "Our difference [95 % interval], smallest detectable": _account(verdict["comparisons"], OPEN) + said}


def _account(comparisons: list[Comparison], n_open: int) -> Markup:
    """The comparisons of a claim: one is a line, a few are a list, and many are folded behind how many hold."""
    lines = [_words(comparison) for comparison in comparisons]
    if len(lines) <= 1:
        return Markup("<p>{}</p>").format(lines[0]) if lines else Markup()
    items = Markup("").join(Markup("<li>{} {}</li>").format(badge(comparison.verdict), line)
                            for comparison, line in zip(comparisons, lines, strict=True))
    counts = counted(comparisons)
    if len(lines) <= n_open:
        return Markup("<p>{}</p><ul>{}</ul>").format(counts, items)
    return Markup("<details><summary>{}</summary><ul>{}</ul></details>").format(counts, items)


def counted(comparisons: list[Comparison]) -> str:
    """How many comparisons hold: ``11 of 20 hold; 9 undecided``."""
    found = Counter(comparison.verdict for comparison in comparisons)
    counts = [f"{found.pop('supported', 0)} of {len(comparisons)} hold"]
    return "; ".join([*counts, *(f"{found[verdict]} {word}" for verdict, word in COUNTED.items() if found[verdict])])


def _words(comparison: Comparison) -> str:
    """What is compared, and the statistics behind the verdict."""
    note = f" ({comparison.note})" if comparison.note else ""
    named = f"{_pair(comparison)}{_score(comparison.first)}{note}"
    if comparison.found is None:
        return f"{named}: {_untested(comparison)}"
    return f"{named}: {_NUMBERS.get(comparison.rule, _difference)(comparison)}"


def _pair(comparison: Comparison) -> str:
    """The two cells, each column named once where it can be; of a slope the two rows alone."""
    first, second = comparison.first, comparison.second
    sign = {"sooner": "against", "gain": "over"}.get(comparison.rule, "−")
    rows = [tables.METHODS[place.method] for place in (first, second)]
    entry = experiments.definition(first.experiment)[1]
    columns = [experiments.size_words(entry, place.size) for place in (first, second)]
    if comparison.rule == "shrinks":
        return f"{rows[0]} {sign} {rows[1]}"
    if columns[0] == columns[1]:
        return f"{rows[0]} {sign} {rows[1]}, {columns[0]}"
    if rows[0] == rows[1]:
        return f"{rows[0]}, {columns[0]} {sign} {columns[1]}"
    return f"{rows[0]}, {columns[0]} {sign} {rows[1]}, {columns[1]}"


def _score(place: Place) -> str:
    """Which score, as the paper's table heads it; nothing where the table has one."""
    column = tables.printed_column(place.experiment, place.score) if place.score else None
    if column is None:
        return ""
    paper, entry = experiments.definition(place.experiment)
    return f", {published.load(paper)[entry['published']]['columns'][column]}"


def _untested(comparison: Comparison) -> str:
    needed = " with their learning curves" if comparison.rule == "sooner" else ""
    return f"fewer than {MIN_RUNS} runs{needed}"


def _difference(comparison: Comparison) -> str:
    found = comparison.found
    margin = f", against a margin of {f1(comparison.against)}" if comparison.against else ""
    p = f", {_p(found.p)}" if comparison.rule == "no_difference" else ""
    value, low, high = (f1(number, True) for number in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}], {f1(found.detectable)}{p}{margin}"


def _gain(comparison: Comparison) -> str:
    found: Difference = comparison.found
    value, low, high = (_percent(number) for number in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}] %, {found.detectable:.2f} %, printed {comparison.against:g} %"


def _percent(value: float) -> str:
    """Two decimals with a sign, as the paper prints gains."""
    return f"{value:+.2f}".replace("-", "−")


def _epochs(comparison: Comparison) -> str:
    found = comparison.found
    least = f" ({f1(found.smallest)} is the smallest that so few runs can give)"
    numbers = f"{found.first:g} against {found.second:g} epochs (medians), {_p(found.p)}"
    return numbers + (least if found.smallest >= 0.001 else "")


def _p(value: float) -> str:
    return "p < .001" if value < 0.0005 else f"p = {f1(value)}"


_NUMBERS = {"gain": _gain, "sooner": _epochs}
