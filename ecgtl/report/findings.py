"""Claims as a reader sees them: one row a claim with its verdicts, and the comparisons that they rest on."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pandas as pd
from markupsafe import Markup

from ecgtl import experiments, published, statistics
from ecgtl.analysis import claim_rules, claims, verdicts
from ecgtl.analysis.correlations import MIN_GROUPS, Interval
from ecgtl.analysis.names import METHODS, NETWORKS, checkpoint_name, data_set, f1
from ecgtl.report.badges import badge
from ecgtl.report.words import bullets, paragraph

OURS = "Our difference [95 % interval], smallest detectable; printed; runs"
OUR_FOLDS = "Our folds [95 % interval]"
OPEN = 3  # a longer list of our comparisons is folded away behind its counts, and any of the paper's
_BESIDE = {"given_labels": ", the number of labels held fixed",
           "every_label": ", minus the F1 of the all-positive baseline",
           "random_last": ": random networks with as many labels, minus the highest MELEP of the trained"}


def findings(paper: str, experiment: str, tier: str) -> pd.DataFrame:
    """Every claim of ``paper`` that rests on ``experiment``, judged from the paper's numbers and from ours."""
    return pd.DataFrame([*map(_finding, claims.judged_on(experiment, tier, claims.claims(paper)))])


def finding(paper: str, name: str, tier: str) -> pd.DataFrame:
    """One claim by its name."""
    return pd.DataFrame([_finding(claims.judge(paper, name, tier))])


def _finding(verdict: dict) -> dict:
    on_folds = any(comparison.side for comparison in verdict["comparisons"])
    return {"Statement": verdict["says"], "In print": badge(verdict["paper"]) + _account(verdict["printed"], 1),
            "Here": stands_on(verdict), OUR_FOLDS if on_folds else OURS: ours(verdict, OPEN)}


def stands_on(verdict: dict) -> Markup:
    """Our answers, and the tier and the data, of the pretraining too, that they stand on where anything was run."""
    answered = answers(verdict["size"], verdict["worthwhile"])
    return Markup(" ").join([badge(verdict["ours"]), *answered, *evidence_badges(verdict)])


def answers(size: str | None, worthwhile: bool | None) -> list[Markup]:
    """Badges of the size of a difference, where it is asked and tested, and of no worthwhile gain."""
    asked = [badge(f"size:{size}")] if size not in (None, "not tested") else []
    return asked + ([badge("no worthwhile gain")] if worthwhile is False else [])


def evidence_badges(verdict: dict) -> list[Markup]:
    """Badges of the tier and the data that a verdict stands on; none where nothing has been run."""
    if not verdict["evidence"]:
        return []
    words = {"tier": verdict["tier"]} | {part: verdict["evidence"].get(part, "none") for part in ("target", "upstream")}
    return [badge(f"{kind}:{word}") for kind, word in words.items() if (kind, word) != ("target", "none")]


def ours(verdict: dict, n_open: int) -> Markup:
    """Our comparisons behind a verdict, and its note; those of more than ``n_open`` lines are folded away."""
    return _account(verdict["comparisons"], n_open) + (paragraph(verdict["note"]) if verdict["note"] else "")


def _account(comparisons: Sequence[verdicts.Comparison], n_open: int) -> Markup:
    """The comparisons of a claim: one is a line, a few are a list, and many are folded behind their counts."""
    if len(comparisons) <= 1:
        return Markup().join(paragraph(in_words(one)) for one in comparisons)
    items = bullets(Markup("{} {}").format(_badges(one), in_words(one)) for one in comparisons)
    frame = "<details><summary>{}</summary>{}</details>" if len(comparisons) > n_open else "<p>{}</p>{}"
    return Markup(frame).format(counted(comparisons), items)


def _badges(comparison: verdicts.Comparison) -> Markup:
    """The answers, or that other data stand in and decide nothing."""
    if not comparison.counts:
        return badge("upstream:substitute")
    verdict: verdicts.Verdict = comparison.verdict
    return Markup(" ").join([badge(verdict.sign), *answers(verdict.size, verdict.worthwhile)])


def counted(comparisons: Sequence[verdicts.Comparison]) -> str:
    """How many comparisons have which sign: ``11 of 20 yes; 9 undecided``; those that do not count are named last."""
    found = Counter(comparison.verdict.sign for comparison in comparisons if comparison.counts)
    beside = sum(not comparison.counts for comparison in comparisons)
    counts = [f"{found['yes']} of {len(comparisons) - beside} yes"]
    counts += [f"{found[sign]} {sign}" for sign in verdicts.SIGNS if found[sign] and sign != "yes"]
    return "; ".join([*counts, *([f"{beside} beside, on substitutes"] if beside else [])])


def in_words(comparison: verdicts.Comparison) -> str:
    """What is compared, and the statistics behind the verdict."""
    if comparison.side:
        return f"{_statistic(comparison)} ({comparison.note}){_limits(comparison)}"
    note = f" ({comparison.note})" if comparison.note else ""
    named = f"{_pair(comparison.rule, comparison.places)}{_score(comparison.places[0])}{note}"
    if comparison.found is None:
        needed = " with their learning curves" if comparison.rule == "sooner" else ""
        return f"{named}: fewer than {statistics.MIN_RUNS} runs{needed}"
    return f"{named}: {(_epochs if comparison.rule == 'sooner' else _difference)(comparison)}"


def _statistic(held: verdicts.Comparison) -> str:
    """What a statistic of folds is of: ``ResNet1d101, CPSC 2018``."""
    source, network = held.checkpoints[0]
    if held.rule == "regret":
        return f"F1 lost by the choice among {len(held.checkpoints)} checkpoints, on folds that all of them have"
    if held.rule == "stronger":
        return f"{NETWORKS[network]} − {NETWORKS[held.checkpoints[1][1]]}, {data_set(source)}"
    return checkpoint_name(source, network) + _BESIDE.get(held.rule, "")


def _limits(held: verdicts.Comparison) -> str:
    """Its numbers, as far as they can be had, and where they are to lie."""
    found: Any = held.found
    if found.value is None:
        return ""
    if found.low is None:
        few = f"fewer than {MIN_GROUPS} label sets" if found.groups < MIN_GROUPS else "undefined in too many resamples"
        return f": {f1(found.value)}, {few}"
    aim = {"below": "to lie below {}", "above": "to lie above {}", "about": "to include {}, and not 0"}[held.side]
    return f": {_interval(found, held.rule != 'regret')}, {aim.format(claim_rules.signed(held.against))}"


def _pair(rule: str, places: Sequence[verdicts.Place]) -> str:
    """The two cells, each column named once where it can be; of a slope the two rows alone."""
    if len(places) > 2:
        return f"({_pair(rule, places[:2])}) − ({_pair(rule, places[2:])})"
    sign, entry = "against" if rule == "sooner" else "−", experiments.load(places[0].experiment)
    (row, column), (other, beside) = ((METHODS[place.method], entry.column_words(place.size)) for place in places)
    if rule == "shrinks":
        return f"{row} {sign} {other}"
    if column == beside:
        return f"{row} {sign} {other}, {column}"
    return f"{row}, {column} {sign} {beside}" if row == other else f"{row}, {column} {sign} {other}, {beside}"


def _score(place: verdicts.Place) -> str:
    """Which score, as the paper's table heads it; nothing where the table has one."""
    entry = experiments.load(place.experiment)
    column = entry.printed.get(place.score or "")
    return f", {published.lookup(f'{entry.paper}.{entry.published}.columns')[column]}" if column else ""


def _difference(comparison: verdicts.Comparison) -> str:
    found: Any = comparison.found
    printed = comparison.verdict.printed
    said = [_interval(found), f1(found.detectable)]
    if comparison.against:
        said.append(f"against a margin of {f1(comparison.against)}")
    if printed is not None:
        said.append(f"printed {_interval(printed)}")
    if comparison.unseen is not None:
        said.append(f"without the runs seen before the analysis plan, over runs alone {_interval(comparison.unseen)}")
    return ", ".join(said) + f"; n = {', '.join(map(str, comparison.runs))}" * bool(comparison.covers)


def _interval(found: statistics.Difference | Interval, sign: bool = True) -> str:
    return f"{f1(found.value, sign)} [{f1(found.low, sign)}, {f1(found.high, sign)}]"


def _epochs(comparison: verdicts.Comparison) -> str:
    found: Any = comparison.found
    least = f" ({f1(found.smallest)} is the smallest that so few runs can give)" if found.smallest >= 0.001 else ""
    p = "p < .001" if found.p < 0.0005 else f"p = {f1(found.p)}"
    return f"{found.first:g} against {found.second:g} epochs (medians), {p}{least}"
