"""Claims judged by rule, twice: from the paper's own printed numbers, and from our results."""

from collections.abc import Sequence

from ecgtl import claim_rules, published, results
from ecgtl.claim_rules import Comparison, Held
from ecgtl.config import PretrainConfig, protocol, protocols
from ecgtl.experiments.runners import Run
from ecgtl.report import tables

# Worst first: a claim of several comparisons is as good as its worst one
ORDER = ("not supported", "undecided", "not tested", "supported")


def claims(paper: str) -> dict[str, dict]:
    """The claims of a paper's ``experiments/*.yml`` by name."""
    return protocol(paper).get("claims", {})


def judge(paper: str, name: str, tier: str) -> dict:
    """One claim: what it ``says``, the verdicts ``paper`` and ``ours``, what they rest on, a ``note`` in words.

    ``comparisons`` are ours, ``printed`` the same ones from the paper's numbers. ``evidence`` has the words of the runs
    behind ours, pretraining included; it is empty where there are none. ``paper`` is ``not stated`` for statements that are ours; ``ours`` is ``not tested`` while a cell lacks runs, and always on synthetic data,
    which can show nothing about recordings.
    """
    claim = claims(paper)[name]
    judged = _judge_error(claim, tier) if "reconstructs" in claim else _judge_comparisons(claim, tier)
    compared = _compared(judged.get("comparisons", ()), tier)
    judged.setdefault("evidence", tables.evidence_of(body for _, body in compared) if compared else {})
    judged["note"] = " ".join(filter(None, (judged["note"], tables.one_pretraining(compared))))
    if tier == "demo":
        judged["ours"] = "not tested"
    if not claim.get("paper", True):
        judged |= {"paper": "not stated", "printed": []}
    known = {"name": name, "says": claim["says"], "tier": tier}
    return known | {"comparisons": [], "printed": [], "note": ""} | judged


def all_judged() -> list[dict]:
    """Every claim of every paper, judged on the best tier that its experiment has."""
    found = []
    for paper in protocols():
        for name, claim in claims(paper).items():
            tier = _pretrained_tier() if "reconstructs" in claim else tables.best_real_tier(claim["experiment"])
            found.append({"of": paper, **judge(paper, name, tier or "demo")})
    return found


def _compared(comparisons: Sequence[Comparison | Held], tier: str) -> list[tuple[Run, dict]]:
    """The finished runs of the rows that a verdict compares, those of tier demo left out as they are no evidence."""
    rows = {(one.experiment, place) for one in comparisons if isinstance(one, Held) and one.counts for place in one.checkpoints}
    rows |= {(place.experiment, place.method) for one in comparisons if isinstance(one, Comparison)
             for place in (one.first, one.second)}
    return [(run, body) for name in {name for name, _ in rows if tier != "demo"} for run, body in tables.runs(name, tier)
            if (name, tables.row_of(run)) in rows]


def _judge_comparisons(claim: dict, tier: str) -> dict:
    printed = claim_rules.compare(claim, claim_rules.Printed(claim.get("published")))
    ours = claim_rules.compare(claim, claim_rules.Runs(tier))
    note = " ".join(claim_rules.notes(claim, tier))
    verdicts = {"paper": _worst(printed), "ours": _worst(ours)}
    return verdicts | {"comparisons": ours, "printed": printed, "note": note}


def _worst(comparisons: list[Comparison | Held]) -> str:
    return min((comparison.verdict for comparison in comparisons if comparison.counts), key=ORDER.index)


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
    note = (f"error {error:.0f}, R² {tables.f1(body['scores']['r2'])} on held-out subjects; upstream data: "
            f"{body['evidence']['upstream']}; printed {printed:.0f}")
    ours = ("supported" if near else "not supported") if same_data else "not tested"
    return {"paper": "not tested", "ours": ours, "note": note, "evidence": body["evidence"]}


def _pretrained(tier: str) -> dict | None:
    """The result of the tier's own autoencoder."""
    from ecgtl.pretrain import key_of

    path = results.path_of("pretrain", key_of(PretrainConfig.of(tier=tier).resolved()), tier)
    return results.done(path)


def _pretrained_tier() -> str | None:
    return next((tier for tier in ("paper", "reduced") if _pretrained(tier)), None)
