"""What the data behind a result are, what a run started from, and under which licence its weights stand."""

from ecgtl.config import ALL_LEADS
from ecgtl.datasets import catalogue
from ecgtl.jobs.inputs import Prepared
from ecgtl.models import checkpoint

MADE_LICENCE = "CC BY 4.0"  # of weights that have seen synthetic data only
ORIGIN = ("arch", "sampling_rate", "seconds", "objective", "sources", "dataset", "licence", "seed")


def evidence_of(prepared: Prepared) -> dict[str, str]:
    """What the data behind a result are: upstream, target and leads, each in the words of ``results.EVIDENCE``."""
    plan, recordings, upstream = prepared.plan, prepared.recordings, _upstream(prepared)
    dataset, lead = plan.config.dataset, plan.config.lead
    if recordings.synthetic:
        return {"upstream": upstream, "target": "synthetic", "leads": "synthetic"}
    if dataset not in plan.rules.own_datasets:
        return {"upstream": upstream, "target": "substitute", "leads": "substitute"}
    # A view may leave recordings out on purpose; what is absent from the disk, or damaged there, makes the data a part
    left_out = [ids for reason, ids in recordings.skipped.items() if not {"absent", "damaged"} & set(reason.split())]
    whole = len(recordings) + sum(map(len, left_out)) == catalogue.entry(dataset).records
    wanted = catalogue.entry(dataset).leads or 1 if ALL_LEADS in (lead, plan.rules.lead.get("paper")) else 1
    return {"upstream": upstream, "target": "full" if whole else "subset",
            "leads": "full" if len(prepared.leads) >= wanted else "subset"}


def _upstream(prepared: Prepared) -> str:
    """What the starting weights were trained on; a checkpoint says itself whether its data were synthetic."""
    if prepared.plan.config.init == "image":
        return "full"  # the same ImageNet weights that the paper used
    facts = prepared.plan.start_facts
    return facts.evidence or ("synthetic" if facts.synthetic else "substitute") if facts else "none"


def origin_of(prepared: Prepared) -> dict:
    """What the starting checkpoint was trained at, and as far as it says so on what, and under which licence it stands.

    A ResNet's weights may come from another rate or length.
    """
    facts = prepared.plan.start_facts
    return {"start": {name: facts.stored[name] for name in ORIGIN if name in facts.stored}} if facts else {}


def licence_of(prepared: Prepared) -> str:
    """What binds whoever uses the weights: the licences of the recordings and of the starting weights."""
    plan, dataset = prepared.plan, prepared.plan.config.dataset
    if prepared.recordings.synthetic:
        own = MADE_LICENCE
    else:
        own = "same licence as the recordings" if dataset == "folder" else catalogue.entry(dataset).licence
    if plan.start is None:
        return own
    facts = plan.start_facts  # image features say nothing of themselves
    before = facts.licence if facts else catalogue.entry("bvlc_googlenet").licence
    return checkpoint.strictest(own, before or "same licence as the starting weights")
