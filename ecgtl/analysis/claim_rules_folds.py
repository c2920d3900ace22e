"""The rules that judge claims about transferability: a statistic of folds, held against a number.

A rule reads the claim's entry in ``experiments/melep2023.yml`` and a source, so that one rule judges print and ours.
The entry names the ``measure``, and with each rule where the interval is to lie: ``below`` or ``above`` a number, or
``about`` it.
"""

from ecgtl import published, statistics
from ecgtl.analysis.sources import Printed, Runs
from ecgtl.analysis.verdicts import Checkpoint, Comparison, Place, Verdict
from ecgtl.experiments import transfers

Groups = list[tuple[tuple[Checkpoint, ...], bool]]
VERDICTS = {"below": statistics.verdict_below, "above": statistics.verdict_above, "about": statistics.verdict_holds}


def _each(claim: dict, known: dict[Checkpoint, bool]) -> Groups:
    """Every checkpoint by itself."""
    return [((one,), counts) for one, counts in known.items()]


def _pairs(claim: dict, known: dict[Checkpoint, bool]) -> Groups:
    """The ``first`` network and the ``second``, by source."""
    networks = claim["stronger"]["first"], claim["stronger"]["second"]
    sources = dict.fromkeys(source for source, _ in known)
    pairs = [tuple((source, network) for network in networks) for source in sources]
    return [(pair, known[pair[0]]) for pair in pairs if set(pair) <= set(known)]


def _choices(claim: dict, known: dict[Checkpoint, bool]) -> Groups:
    """A choice among the paper's own checkpoints, and among all there are. Both count."""
    own = tuple(one for one, counts in known.items() if counts)
    return [(among, True) for among in dict.fromkeys((own, tuple(known)))]


# Key in ``experiments/melep2023.yml`` -> the checkpoints that it takes together
GROUPS = {"correlation": _each, "given_labels": _each, "every_label": _each, "stronger": _pairs, "regret": _choices,
          "cost": _each}


def held(rule: str, claim: dict, source: Runs) -> list[Comparison]:
    """The statistics that a rule asks for, each held against the number that the claim names."""
    side, against = _limit(claim[rule])
    found = []
    for among, counts in GROUPS[rule](claim, source.checkpoints(claim["experiment"])):
        value = source.on_folds(rule, claim, among)
        sign = VERDICTS[side](value, against) if value.low is not None else "not tested"
        note = source.note(claim, value, among) + "; F1 rises with it" * (rule == "given_labels" and sign == "opposite")
        places = tuple(Place(claim["experiment"], one) for one in among)
        found.append(Comparison(rule, places, Verdict(sign), value, against, note, side=side, counts=counts))
    return found


def _limit(entry: dict) -> tuple[str, float]:
    """The side that a rule names, and its number: given, or the place of a printed one."""
    side = next(side for side in VERDICTS if side in entry)
    return side, published.lookup(entry[side]) if isinstance(entry[side], str) else entry[side]


def as_printed(claim: dict, tier: str) -> str:
    """What the printed numbers say when they are taken as they are, without limits."""
    rule = next(rule for rule in GROUPS if rule in claim)
    values = sorted(one.found.value for one in held(rule, claim, Printed()))
    side, against = _limit(claim[rule])
    if side == "about":
        return f"In print they lie between {signed(values[0])} and {signed(values[-1])}."
    below = sum(value < against for value in values)
    return f"In print {below} of {len(values)} lie below {signed(against)}."


def signed(value: float) -> str:
    """A number with as many digits as it has, and a minus sign: ``−0.6``."""
    return f"{round(value, 6):g}".replace("-", "−")


def unfinished(claim: dict, tier: str) -> list[str]:
    """How many of the planned folds have ended, in words; nothing when all have, and in tier demo."""
    runs = [] if tier == "demo" else transfers.enumerate_runs(claim["experiment"], tier)
    done = sum(run.state() == "done" for run in runs)
    return [f"{done} of {len(runs)} planned runs have ended."] if done < len(runs) else []


