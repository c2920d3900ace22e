"""Claims judged by rule, twice: from the paper's own printed numbers, and from our results."""

from collections.abc import Collection, Mapping, Sequence

from ecgtl import published
from ecgtl.analysis import cells, claim_rules, verdicts
from ecgtl.analysis.names import f1
from ecgtl.analysis.sources import Printed, Runs
from ecgtl.config import protocol, protocols
from ecgtl.measurements import reconstruction_errors

REAL = ("paper", "reduced")  # tiers that read recordings, the better one first


def claims(paper: str) -> Mapping[str, Mapping]:
    """The claims of a paper's ``experiments/*.yml`` by name."""
    return protocol(paper).claims


def judge(paper: str, name: str, tier: str, source: Runs | None = None) -> dict:
    """One claim: what it ``says``, the sign that the ``paper`` and ``ours`` have, and a ``note`` in words.

    Signs are words of ``verdicts.SIGNS``; ``size`` and ``worthwhile`` are those of ours (``verdicts.Verdict``).
    ``comparisons`` are ours, ``printed`` the same ones from the paper's numbers. ``evidence`` has the words of the runs
    behind ours, pretraining included; it is empty where there are none. ``paper`` is ``not stated`` for statements that
    are ours; ``ours`` is ``not tested`` while a cell lacks runs, and always on synthetic data, which can show nothing
    about recordings. ``source`` are the runs of the tier where somebody has read them.
    """
    claim = claims(paper)[name]
    judged = {"name": name, "says": claim["says"], "tier": tier, "comparisons": [], "printed": [], "evidence": {},
              "size": None, "worthwhile": None}
    judged |= _error(claim, tier) if "reconstructs" in claim else _comparisons(claim, source or Runs(tier))
    if tier == "demo":
        judged |= {"ours": "not tested", "size": None, "worthwhile": None}
    if not claim.get("paper", True):
        judged |= {"paper": "not stated", "printed": []}
    return judged


def all_judged() -> list[dict]:
    """Every claim of every paper, judged on the best tier that its experiment has."""
    sources = {tier: Runs(tier) for tier in (*REAL, "demo")}
    return [{"of": paper, **judge(paper, name, tier, sources[tier])} for paper in protocols()
            for name, claim in claims(paper).items() for tier in [tier_of(claim, sources)]]


def judged_on(experiment: str, tier: str, names: Collection[str] | None = None) -> list[dict]:
    """The claims that rest on ``experiment``, those of ``names`` alone if given, judged on its runs of ``tier``."""
    own, source = cells.original(experiment), Runs(tier)
    return [judge(paper, name, tier, source) for paper in protocols() for name, claim in claims(paper).items()
            if claim.get("experiment") == own and (names is None or name in names)]


def tier_of(claim: Mapping, sources: Mapping[str, Runs]) -> str:
    """The best tier that has results on recordings, be it in the experiment that replaces the claim's; else demo."""
    if "reconstructs" in claim:
        return next((tier for tier in REAL if reconstruction_errors.autoencoder(tier)), "demo")
    names = [name for name in (claim["experiment"], cells.successor(claim["experiment"])) if name]
    return next((tier for tier in REAL if any(map(sources[tier].found, names))), "demo")


def _comparisons(claim: Mapping, source: Runs) -> dict:
    ours, printed = claim_rules.compare(claim, source), claim_rules.compare(claim, Printed())
    paper, own = (verdicts.weakest([one.verdict for one in found if one.counts]) for found in (printed, ours))
    # The rows that decide, and their finished runs; those of tier demo are no evidence
    rows = {(place.experiment, place.method) for one in ours if one.counts for place in one.places}
    experiments = sorted({experiment for experiment, _ in rows})
    compared = [(run, body) for experiment in experiments for run, body in source.found(experiment)
                if (experiment, cells.row_of(run)) in rows]
    said = [*claim_rules.notes(claim, source.tier), _runs_alone(ours),
            *cells.protocols_of(experiments, source.tier, cells=False), cells.one_pretraining(compared)]
    return {"paper": paper.sign, "ours": own.sign, "size": own.size, "worthwhile": own.worthwhile, "comparisons": ours,
            "printed": printed, "note": " ".join(filter(None, said)),
            "evidence": cells.evidence_of(body for _, body in compared) if compared else {}}


def _runs_alone(comparisons: Sequence[verdicts.Comparison]) -> str:
    """What is said where an interval leaves the test recordings out."""
    alone, n = sum(one.covers == "runs alone" and one.found is not None for one in comparisons), len(comparisons)
    some = "" if alone == n else f" of {alone} of {n} comparisons"
    which = "The interval covers" if n == 1 else f"The intervals{some} cover"
    return f"{which} runs alone, not test recordings." if alone else ""


def _error(claim: Mapping, tier: str) -> dict:
    """Whether the autoencoder's error lies near the printed one; on other recordings that is not tested.

    The paper prints one number of one run: by itself it tests nothing.
    """
    rule, body = claim["reconstructs"], reconstruction_errors.autoencoder(tier)
    if body is None:
        return {"paper": "not tested", "ours": "not tested", "note": "no autoencoder has been trained"}
    printed, error = published.lookup(f"{rule['printed']}.value"), body.scores["mse_sum"]
    near, upstream = abs(error - printed) <= rule["tolerance"] * printed, body.evidence["upstream"]
    note = (f"error {error:.0f}, R² {f1(body.scores['r2'])} on held-out subjects; upstream data: {upstream}; "
            f"printed {printed:.0f}")
    ours = ("yes" if near else "no") if upstream == "full" else "not tested"
    return {"paper": "not tested", "ours": ours, "note": note, "evidence": body.evidence}


