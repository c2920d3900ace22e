"""Claims judged by rule, twice: from the paper's own printed numbers, and from our results."""

from ecgtl import published
from ecgtl.config import protocol, protocols
from ecgtl.experiments import definition
from ecgtl.report import tables
from ecgtl.statistics import MIN_RUNS, Difference, Sample, verdict_beats, welch

# Worst first: a claim of several comparisons is as good as its worst one
ORDER = ("not supported", "undecided", "not tested", "supported")


def claims(paper: str) -> dict[str, dict]:
    """The claims of a paper's ``experiments/*.yml`` by name."""
    return protocol(paper).get("claims", {})


def judge(paper: str, name: str, tier: str) -> dict:
    """Verdict of one claim: ``says``, ``paper`` and ``ours`` verdicts, and our comparisons with their differences.

    ``paper`` is ``not stated`` for statements that are ours; ``ours`` is ``not tested`` while a cell lacks runs, and
    always on synthetic data, which can show nothing about recordings.
    """
    claim = claims(paper)[name]
    pairs = claim["beats"]
    ours = [(_ours(claim["experiment"], tier, m, s), _ours(claim["experiment"], tier, m2, s2)) for m, s, m2, s2 in pairs]
    printed = [(_printed(claim["experiment"], m, s), _printed(claim["experiment"], m2, s2)) for m, s, m2, s2 in pairs]
    stated = claim.get("paper", True)
    return {"name": name, "says": claim["says"], "tier": tier, "paper": _worst(printed) if stated else "not stated",
            "ours": "not tested" if tier == "demo" else _worst(ours),
            "comparisons": [(pair, a, b, _difference(a, b)) for pair, (a, b) in zip(pairs, ours, strict=True)]}


def all_judged() -> list[dict]:
    """Every claim of every paper, judged on the best tier that its experiment has."""
    found = []
    for paper in protocols():
        for name, claim in claims(paper).items():
            tier = tables.best_real_tier(claim["experiment"])
            found.append({"of": paper, **judge(paper, name, tier or "demo")})
    return found


def _worst(pairs: list[tuple[Sample | None, Sample | None]]) -> str:
    verdicts = [verdict_beats(a, b) if a and b else "not tested" for a, b in pairs]
    return min(verdicts, key=ORDER.index)


def _difference(a: Sample | None, b: Sample | None) -> Difference | None:
    return welch(a, b) if a and b and min(a.n, b.n) >= MIN_RUNS else None


def _ours(experiment: str, tier: str, method: str, size: int) -> Sample | None:
    cell = tables.cell(experiment, tier, method, size)
    return cell.sample if cell else None


def _printed(experiment: str, method: str, size: int) -> Sample | None:
    paper, entry = definition(experiment)
    table = published.load(paper)[entry["published"]]
    found = tables.printed_cell(table, method, size)
    return Sample(found["mean"], found["sd"], table["runs"]) if found else None
