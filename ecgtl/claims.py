"""Claims judged by rule, twice: from the paper's own printed numbers, and from our results."""

from dataclasses import dataclass

from ecgtl import published, results
from ecgtl.config import PretrainConfig, protocol, protocols
from ecgtl.experiments import definition
from ecgtl.report import tables
from ecgtl.statistics import MIN_RUNS, Difference, Sample, verdict_beats, verdict_near, verdict_no_difference, welch

# Worst first: a claim of several comparisons is as good as its worst one
ORDER = ("not supported", "undecided", "not tested", "supported")
# Key in ``experiments/*.yml`` -> what must hold of each of its pairs; ``margin`` is the claim's own
RULES = {"beats": verdict_beats, "near": verdict_near, "no_difference": verdict_no_difference}


@dataclass(frozen=True)
class Comparison:
    """Two cells of a table, (method, size) each, and what is known of their scores."""

    experiment: str
    pair: tuple
    rule: str
    a: Sample | None
    b: Sample | None
    margin: float

    @property
    def verdict(self) -> str:
        """By the claim's rule; ``not tested`` while a cell is empty."""
        return RULES[self.rule](self.a, self.b, self.margin) if self.a and self.b else "not tested"

    @property
    def difference(self) -> Difference | None:
        """First minus second; None with too few runs."""
        return welch(self.a, self.b) if self.a and self.b and min(self.a.n, self.b.n) >= MIN_RUNS else None


def claims(paper: str) -> dict[str, dict]:
    """The claims of a paper's ``experiments/*.yml`` by name."""
    return protocol(paper).get("claims", {})


def judge(paper: str, name: str, tier: str) -> dict:
    """Verdict of one claim: ``says``, ``paper`` and ``ours`` verdicts, our ``comparisons``, and a ``note`` in words.

    ``paper`` is ``not stated`` for statements that are ours; ``ours`` is ``not tested`` while a cell lacks runs, and
    always on synthetic data, which can show nothing about recordings.
    """
    claim = claims(paper)[name]
    judged = _judge_error(claim, tier) if "reconstructs" in claim else _judge_pairs(claim, tier)
    if tier == "demo":
        judged["ours"] = "not tested"
    if not claim.get("paper", True):
        judged["paper"] = "not stated"
    return {"name": name, "says": claim["says"], "tier": tier, "comparisons": [], "note": ""} | judged


def all_judged() -> list[dict]:
    """Every claim of every paper, judged on the best tier that its experiment has; ``data`` says what that stands on."""
    found = []
    for paper in protocols():
        for name, claim in claims(paper).items():
            tier = _pretrained_tier() if "reconstructs" in claim else tables.best_real_tier(claim["experiment"])
            found.append({"of": paper, "data": _data(claim, tier), **judge(paper, name, tier or "demo")})
    return found


def _data(claim: dict, tier: str | None) -> str:
    """Evidence word of the recordings behind a verdict: those that were classified, or reconstructed."""
    if tier is None:
        return "none"
    return _pretrained(tier)["evidence"]["upstream"] if "reconstructs" in claim else tables.evidence(claim["experiment"], tier)["target"]


def _judge_pairs(claim: dict, tier: str) -> dict:
    ours, printed = [], []
    for rule in RULES:
        for pair in claim.get(rule, ()):
            cells, common = (pair[:2], pair[2:]), (claim["experiment"], tuple(pair), rule)
            margin = claim.get("margin", 0.0)
            ours.append(Comparison(*common, *(_ours(claim, tier, *cell) for cell in cells), margin))
            printed.append(Comparison(*common, *(_printed(claim, *cell) for cell in cells), margin))
    return {"paper": _worst(printed), "ours": _worst(ours), "comparisons": ours}


def _worst(comparisons: list[Comparison]) -> str:
    return min((comparison.verdict for comparison in comparisons), key=ORDER.index)


def _ours(claim: dict, tier: str, method: str, size: int) -> Sample | None:
    cell = tables.cell(claim["experiment"], tier, method, size, claim.get("score"))
    return cell.sample if cell else None


def _printed(claim: dict, method: str, size: int) -> Sample | None:
    """From the paper's trials where it prints them, else from its mean and SD."""
    paper, entry = definition(claim["experiment"])
    table = published.load(paper)[claim.get("published", entry["published"])]
    found = tables.printed_cell(table, method, size)
    if found and "trials" in found:
        return Sample.of(found["trials"])
    return Sample(found["mean"], found["sd"], table["runs"]) if found else None


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
    return {"paper": "not tested", "ours": ours, "note": note}


def _pretrained(tier: str) -> dict | None:
    """The result of the tier's own autoencoder."""
    from ecgtl.pretrain import key_of

    path = results.path_of("pretrain", key_of(PretrainConfig.of(tier=tier).resolved()), tier)
    return results.read_json(path) if path.is_file() else None


def _pretrained_tier() -> str | None:
    return next((tier for tier in ("paper", "reduced") if _pretrained(tier)), None)
