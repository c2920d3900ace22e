"""Claims as a reader sees them: one row a claim with its verdicts, and the comparisons that they rest on."""

from collections import Counter

import pandas as pd
from markupsafe import Markup

from ecgtl import claims, experiments, published
from ecgtl.claim_rules import Comparison, Held, Place, Runs
from ecgtl.claim_rules_transfers import signed
from ecgtl.correlations import MIN_GROUPS
from ecgtl.report import tables
from ecgtl.report.book_tables import answers, badge, stands_on
from ecgtl.report.melep import NETWORKS
from ecgtl.report.transfer_folds import checkpoint_name, data_set
from ecgtl.report.words import f1
from ecgtl.statistics import MIN_RUNS, Difference
from ecgtl.verdicts import SIGNS

OURS = "Our difference [95 % interval], smallest detectable; printed; runs"
OUR_FOLDS = "Our folds [95 % interval]"
OPEN = 3  # a longer list of our comparisons is folded away behind its counts, and any of the paper's
_BESIDE = {"given_labels": ", the number of labels held fixed", "every_label": ", minus the F1 of every label"}


def findings(paper: str, experiment: str, tier: str) -> pd.DataFrame:
    """Every claim of ``paper`` that rests on ``experiment``, judged from the paper's numbers and from ours."""
    own, source = tables.original(experiment), Runs(tier)
    names = [name for name, claim in claims.claims(paper).items() if claim.get("experiment") == own]
    return pd.DataFrame([_finding(claims.judge(paper, name, tier, source)) for name in names])


def finding(paper: str, name: str, tier: str) -> pd.DataFrame:
    """One claim by its name."""
    return pd.DataFrame([_finding(claims.judge(paper, name, tier))])


def _finding(verdict: dict) -> dict:
    on_folds = any(isinstance(comparison, Held) for comparison in verdict["comparisons"])
    return {"Statement": verdict["says"],
            "In print": badge(verdict["paper"]) + _account(verdict["printed"], 1),
            "Here": stands_on(verdict),
            OUR_FOLDS if on_folds else OURS: ours(verdict, OPEN)}


def ours(verdict: dict, n_open: int) -> Markup:
    """Our comparisons behind a verdict, and its note; those of more than ``n_open`` lines are folded away."""
    said = Markup("<p>{}</p>").format(verdict["note"]) if verdict["note"] else Markup()
    return _account(verdict["comparisons"], n_open) + said


def _account(comparisons: list[Comparison | Held], n_open: int) -> Markup:
    """The comparisons of a claim: one is a line, a few are a list, and many are folded behind their counts."""
    lines = [_words(comparison) for comparison in comparisons]
    if len(lines) <= 1:
        return Markup("<p>{}</p>").format(lines[0]) if lines else Markup()
    items = Markup("").join(Markup("<li>{} {}</li>").format(_badges(comparison), line)
                            for comparison, line in zip(comparisons, lines, strict=True))
    counts = counted(comparisons)
    if len(lines) <= n_open:
        return Markup("<p>{}</p><ul>{}</ul>").format(counts, items)
    return Markup("<details><summary>{}</summary><ul>{}</ul></details>").format(counts, items)


def _badges(comparison: Comparison | Held) -> Markup:
    """The answers, or that other data stand in and decide nothing."""
    if not comparison.counts:
        return badge("upstream:substitute")
    verdict = comparison.verdict
    return Markup(" ").join([badge(verdict.sign), *answers(verdict.size, verdict.worthwhile)])


def counted(comparisons: list[Comparison | Held]) -> str:
    """How many comparisons have which sign: ``11 of 20 yes; 9 undecided``; those that do not count are named last."""
    found = Counter(comparison.verdict.sign for comparison in comparisons if comparison.counts)
    beside = sum(not comparison.counts for comparison in comparisons)
    counts = [f"{found.pop('yes', 0)} of {len(comparisons) - beside} yes"]
    counts += [f"{found[sign]} {sign}" for sign in SIGNS if found[sign]]
    return "; ".join([*counts, *([f"{beside} beside, on substitutes"] if beside else [])])


def _words(comparison: Comparison | Held) -> str:
    """What is compared, and the statistics behind the verdict."""
    if isinstance(comparison, Held):
        return _held(comparison)
    note = f" ({comparison.note})" if comparison.note else ""
    named = f"{_pair(comparison)}{_score(comparison.first)}{note}"
    if comparison.found is None:
        return f"{named}: {_untested(comparison)}"
    return f"{named}: {_NUMBERS.get(comparison.rule, _difference)(comparison)}"


def _held(held: Held) -> str:
    """A statistic of folds with its limits, and where these are to lie."""
    return f"{_statistic(held)} ({held.note}){_limits(held)}"


def _statistic(held: Held) -> str:
    """What a statistic is of: ``ResNet1d101, CPSC 2018``."""
    source, network = held.checkpoints[0]
    if held.rule == "regret":
        return f"F1 lost by the choice among {len(held.checkpoints)} checkpoints, on folds that all of them have"
    if held.rule == "stronger":
        return f"{NETWORKS[network]} − {NETWORKS[held.checkpoints[1][1]]}, {data_set(source)}"
    return checkpoint_name(source, network) + _BESIDE.get(held.rule, "")


def _limits(held: Held) -> str:
    """The numbers, as far as they can be had."""
    found = held.found
    if found is None or found.value is None:
        return ""
    if found.low is None:
        few = f"fewer than {MIN_GROUPS} label sets" if found.groups < MIN_GROUPS else "undefined in too many resamples"
        return f": {f1(found.value)}, {few}"
    value, low, high = (f1(number, held.rule != "regret") for number in (found.value, found.low, found.high))
    aim = {"below": "to lie below {}", "above": "to lie above {}", "about": "to include {}, and not 0"}[held.side]
    return f": {value} [{low}, {high}], {aim.format(signed(held.against))}"


def _pair(comparison: Comparison) -> str:
    """The two cells, each column named once where it can be; of a slope the two rows alone."""
    first, second = comparison.first, comparison.second
    if comparison.others:
        halves = (Comparison("beats", *pair) for pair in (comparison.places[:2], comparison.others))
        return f"({') − ('.join(map(_pair, halves))})"
    sign = "against" if comparison.rule == "sooner" else "−"
    rows = [tables.METHODS[place.method] for place in (first, second)]
    entry = experiments.load(first.experiment)
    columns = [entry.column_words(place.size) for place in (first, second)]
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
    entry = experiments.load(place.experiment)
    return f", {published.load(entry.paper)[entry.published]['columns'][column]}"


def _untested(comparison: Comparison) -> str:
    needed = " with their learning curves" if comparison.rule == "sooner" else ""
    return f"fewer than {MIN_RUNS} runs{needed}"


def _difference(comparison: Comparison) -> str:
    found, printed = comparison.found, comparison.verdict.printed
    said = [_interval(found), f1(found.detectable)]
    if comparison.against:
        said.append(f"against a margin of {f1(comparison.against)}")
    if printed is not None:
        said.append(f"printed {_interval(printed)}")
    if comparison.unseen is not None:
        said.append(f"without the runs seen before the analysis plan {_interval(comparison.unseen)}")
    return ", ".join(said) + f"; n = {', '.join(map(str, comparison.runs))}" * bool(comparison.covers)


def _interval(found: Difference) -> str:
    value, low, high = (f1(number, True) for number in (found.value, found.low, found.high))
    return f"{value} [{low}, {high}]"


def _epochs(comparison: Comparison) -> str:
    found = comparison.found
    least = f" ({f1(found.smallest)} is the smallest that so few runs can give)"
    numbers = f"{found.first:g} against {found.second:g} epochs (medians), {_p(found.p)}"
    return numbers + (least if found.smallest >= 0.001 else "")


def _p(value: float) -> str:
    return "p < .001" if value < 0.0005 else f"p = {f1(value)}"


_NUMBERS = {"sooner": _epochs}
