"""Claims judged by rule, twice: from the paper's own printed numbers, and from our results."""

from collections.abc import Sequence

from ecgtl import claim_rules, published, results, verdicts
from ecgtl.claim_rules import Comparison, Held, Runs
from ecgtl.config import PretrainConfig, protocol, protocols
from ecgtl.experiments.runners import Run
from ecgtl.report import tables
from ecgtl.report.words import f1


def claims(paper: str) -> dict[str, dict]:
    """The claims of a paper's ``experiments/*.yml`` by name."""
    return protocol(paper).get("claims", {})


def judge(paper: str, name: str, tier: str, source: Runs | None = None) -> dict:
    """One claim: what it ``says``, the sign that the ``paper`` and ``ours`` have, and a ``note`` in words.

    Signs are words of ``verdicts.SIGNS``; ``size`` and ``worthwhile`` are those of ours (``verdicts.Verdict``).
    ``comparisons`` are ours, ``printed`` the same ones from the paper's numbers. ``evidence`` has the words of the runs
    behind ours, pretraining included; it is empty where there are none. ``paper`` is ``not stated`` for statements that are ours;
    ``ours`` is ``not tested`` while a cell lacks runs, and always on synthetic data, which can show nothing about recordings.
    ``source`` are the runs of the tier where somebody has read them.
    """
    claim, source = claims(paper)[name], source or Runs(tier)
    judged = _judge_error(claim, tier) if "reconstructs" in claim else _judge_comparisons(claim, source)
    compared = _compared(judged.get("comparisons", ()), source)
    judged.setdefault("evidence", tables.evidence_of(body for _, body in compared) if compared else {})
    judged["note"] = " ".join(filter(None, (judged["note"], tables.one_pretraining(compared))))
    if tier == "demo":
        judged |= {"ours": "not tested", "size": None, "worthwhile": None}
    if not claim.get("paper", True):
        judged |= {"paper": "not stated", "printed": []}
    known = {"name": name, "says": claim["says"], "tier": tier}
    return known | {"comparisons": [], "printed": [], "note": "", "size": None, "worthwhile": None} | judged


def all_judged() -> list[dict]:
    """Every claim of every paper, judged on the best tier that its experiment has."""
    found, sources = [], {tier: Runs(tier) for tier in ("paper", "reduced", "demo")}
    for paper in protocols():
        for name, claim in claims(paper).items():
            tier = _pretrained_tier() if "reconstructs" in claim else _tier(claim["experiment"], sources)
            found.append({"of": paper, **judge(paper, name, tier or "demo", sources[tier or "demo"])})
    return found


def _tier(experiment: str, sources: dict[str, Runs]) -> str | None:
    """The best tier that has results on recordings, be it in the experiment that replaces this one."""
    names = [name for name in (experiment, tables.successor(experiment)) if name]
    return next((tier for tier in ("paper", "reduced") if any(map(sources[tier].found, names))), None)


def _compared(comparisons: Sequence[Comparison | Held], source: Runs) -> list[tuple[Run, dict]]:
    """The finished runs of the rows that a verdict compares, those of tier demo left out as they are no evidence."""
    rows = {(one.experiment, place) for one in comparisons if isinstance(one, Held) and one.counts for place in one.checkpoints}
    rows |= {(place.experiment, place.method) for one in comparisons if isinstance(one, Comparison) for place in one.places}
    return [(run, body) for name in sorted({name for name, _ in rows}) for run, body in source.found(name)
            if (name, tables.row_of(run)) in rows]


def _judge_comparisons(claim: dict, source: Runs) -> dict:
    printed = claim_rules.compare(claim, claim_rules.Printed(claim.get("published")))
    ours = claim_rules.compare(claim, source)
    paper, own = (verdicts.weakest([one.verdict for one in found if one.counts]) for found in (printed, ours))
    protocols = tables.protocols_of(_experiments(ours), source.tier, cells=False)
    said = [*claim_rules.notes(claim, source.tier), _runs_alone(ours), *protocols]
    return {"paper": paper.sign, "ours": own.sign, "size": own.size, "worthwhile": own.worthwhile, "comparisons": ours,
            "printed": printed, "note": " ".join(filter(None, said))}


def _experiments(comparisons: Sequence[Comparison | Held]) -> list[str]:
    return sorted({place.experiment for one in comparisons if isinstance(one, Comparison) for place in one.places})


def _runs_alone(comparisons: Sequence[Comparison | Held]) -> str:
    """What is said where an interval leaves the test recordings out."""
    alone = sum(isinstance(one, Comparison) and one.covers == "runs alone" and one.found is not None for one in comparisons)
    if not alone:
        return ""
    if len(comparisons) == 1:
        return "The interval covers runs alone, not test recordings."
    some = "" if alone == len(comparisons) else f" of {alone} of {len(comparisons)} comparisons"
    return f"The intervals{some} cover runs alone, not test recordings."


def _judge_error(claim: dict, tier: str) -> dict:
    """Whether the autoencoder's error lies near the printed one; on other recordings that is not tested.

    The paper prints one number of one run: by itself it tests nothing.
    """
    rule, body = claim["reconstructs"], _pretrained(tier)
    if body is None:
        return {"paper": "not tested", "ours": "not tested", "note": "no autoencoder has been trained"}
    printed, error = published.lookup(f"{rule['printed']}.value"), body["scores"]["mse_sum"]
    near = abs(error - printed) <= rule["tolerance"] * printed
    same_data = body["evidence"]["upstream"] == "full"
    note = (f"error {error:.0f}, R² {f1(body['scores']['r2'])} on held-out subjects; upstream data: "
            f"{body['evidence']['upstream']}; printed {printed:.0f}")
    ours = ("yes" if near else "no") if same_data else "not tested"
    return {"paper": "not tested", "ours": ours, "note": note, "evidence": body["evidence"]}


def _pretrained(tier: str) -> dict | None:
    """The result of the tier's own autoencoder."""
    from ecgtl.jobs.pretrain import key_of

    path = results.path_of("pretrain", key_of(PretrainConfig.of(tier=tier).resolved()), tier)
    return results.done(path)


def _pretrained_tier() -> str | None:
    return next((tier for tier in ("paper", "reduced") if _pretrained(tier)), None)
