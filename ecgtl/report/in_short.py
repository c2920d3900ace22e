"""In short: what a page finds, at its head, by rule: at most two sentences, verdicts, and the evidence beside them."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from IPython.display import HTML
from markupsafe import Markup

from ecgtl import experiments
from ecgtl.analysis import cells, claims, verdicts
from ecgtl.analysis.correlations import Interval
from ecgtl.analysis.names import PENDING, data_set, f1
from ecgtl.config import TIERS
from ecgtl.report import badges, gains
from ecgtl.report import findings as report_findings
from ecgtl.report.words import difference


@dataclass(frozen=True)
class Finding:
    """One number that a page is about: what it is of, ours, and the printed one if any."""

    label: str
    ours: Interval
    printed: float | None = None


def block(sentences: Iterable[str], *more: Markup | str) -> HTML:
    """The box at the head of a page, a paragraph of ``sentences``; ``more`` are its verdicts and badges."""
    bare = (sentence.removeprefix("<p>").removesuffix("</p>") for sentence in sentences)
    return HTML(Markup('<div class="ecgtl-in-short" role="note" aria-label="In short"><p><strong>In short</strong> {}'
                       "</p>{}</div>").format(Markup(" ").join(bare), Markup().join(more)))


def of_gains(tiers: Mapping[str, str], score: str | None = None, table: str | None = None,
             statements: Sequence[str] | None = None, why: str = "#conclusions") -> HTML:
    """For a page whose question is what pretraining adds, in the experiments of ``tiers``."""
    found = {experiment: of_table(experiment, tier, score, table) for experiment, tier in tiers.items()}
    first = [Markup("{}: {}").format(data_set(experiments.load(name).dataset), said[0]) for name, said in found.items()]
    return answered(first if len(first) > 1 else next(iter(found.values())), tiers, statements, why)


def of_statements(paper: str, names: Sequence[str], tiers: Mapping[str, str]) -> HTML:
    """For a page whose question is whether the first of some statements holds: its first comparison that was judged."""
    judged = [claims.judge(paper, name, tiers[claims.claims(paper)[name]["experiment"]]) for name in names[:2]]
    sentences = []
    for verdict in judged:
        known = [one for one in verdict["comparisons"] if one.found and getattr(one.found, "value", 0) is not None]
        least = min(known, key=lambda one: verdicts.SIGNS.index(one.verdict.sign), default=None)
        text = report_findings.in_words(least) if least else PENDING
        sentences.append(f"{verdict['says']}: {report_findings.counted(verdict['comparisons'])} ({text}).")
    return answered(sentences, tiers, names)


def answered(sentences: Iterable[str], tiers: Mapping[str, str], statements: Sequence[str] | None = None,
             why: str = "#conclusions") -> HTML:
    """``block`` with the verdicts on the ``statements``, if not given on all that rest on the experiments; evidence.

    ``why`` is where the verdicts stand in full.
    """
    bodies = [body for experiment, tier in tiers.items() for _, body in cells.runs(experiment, tier)]
    ran = {body.config["tier"] for body in bodies}
    evidence = badges.row("/".join(tier for tier in TIERS if tier in ran), cells.evidence_of(bodies)) if bodies else (
        badges.badge("pending"))
    return block(sentences, _judged(tiers, statements, why), evidence)


def findings(what: str, found: Sequence[Finding], strength: str = "largest") -> list[str]:
    """What the strongest printed number is here, and how many of ours there are on which side of 0.

    ``strength`` is ``largest``, or ``strongest`` for numbers whose sign may be either.
    """
    size: Callable[[float], float] = abs if strength == "strongest" else float
    printed = [one for one in found if one.printed is not None]
    said: list[str] = []
    if printed:
        top = max(printed, key=lambda one: size(one.printed or 0))
        known = Markup("is {} here").format(difference(top.ours)) if top.ours.reach else None
        said.append(Markup("The paper's {} {}, {} ({}), {}.").format(
            strength, what, f1(top.printed, True), top.label, known or f"has no interval here: {PENDING}"))
    ours = {one.label: one.ours for one in found if one.ours.reach}
    if ours:
        label = max(ours, key=lambda name: size(ours[name].value or 0))
        above, below = (sum(one.side == side for one in ours.values()) for side in (1, -1))
        said.append(Markup("Of {} that can be judged here {} {} a 95 % CI above 0 and {} below 0; the {} is {} ({})."
                           ).format(len(ours), above, "has" if above == 1 else "have", below, strength,
                                    difference(ours[label]), label))
    return said or [f"{PENDING}: no {what} has been computed here."]


def of_table(experiment: str, tier: str, score: str | None = None, table: str | None = None) -> list[str]:
    """What the networks of a table gain over random initialisation in the same column."""
    many = len(experiments.load(experiment).columns) > 1
    found = gains.over_random(experiment, tier, score, table)
    return findings("gain over random initialisation", [
        Finding(f"{one.panel}, {one.row}" if many else one.panel, one.ours, one.printed.value) for one in found])


def _judged(tiers: Mapping[str, str], statements: Sequence[str] | None, why: str) -> Markup:
    """How many statements hold, in print and here."""
    judged = [one for name, tier in tiers.items() for one in claims.judged_on(name, tier, statements)]
    if not judged:
        return Markup()
    counts = (Counter(one[whose] for one in judged) for whose in ("paper", "ours"))
    said = [", ".join(f"{n} {sign}" for sign, n in count.items()) for count in counts]
    return Markup('<p>{} statement{}: in print {}; here {}. <a href="{}">Why</a></p>').format(
        len(judged), "s" * (len(judged) > 1), *said, why)
