"""The rules that judge a claim: which cells are compared, and what the comparison says.

A rule reads the claim's entry in ``experiments/*.yml`` and a source of scores, ``Printed`` (the paper's own tables)
or ``Runs`` (ours), and returns its comparisons, so that one rule judges both. Means of cells are judged by
``verdicts``. ``beats``, ``no_difference`` and ``sooner`` take pairs of cells as ``[method, column, method, column]``,
``beats`` also two pairs whose differences are compared; the others choose or combine cells first.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence

from ecgtl import published, statistics
from ecgtl.analysis import correlations, verdicts
from ecgtl.analysis.names import METHODS
from ecgtl.analysis.sources import Printed, Runs
from ecgtl.analysis.verdicts import Checkpoint, Comparison, Place, Verdict, enough
from ecgtl.experiments import enumerate_runs, load, transfers


def compare(claim: Mapping, source: Runs) -> list[Comparison]:
    """Every comparison of a claim, by each of the rules that its entry names."""
    source = dataclasses.replace(source, table=claim.get("published"))
    return [comparison for name, rule in RULES.items() if name in claim for comparison in rule(name, claim, source)]


def notes(claim: Mapping, tier: str) -> list[str]:
    """What is said of a claim beside its comparisons: its remark, and the folds that are still to come."""
    said = [REMARKS[claim["remark"]](claim, tier)] if "remark" in claim else []
    return said + (unfinished(claim, tier) if set(claim) & set(FOLD_RULES) else [])


def configurations(experiment: str, objectives: Sequence[str]) -> list[str]:
    """Rows of an experiment that start from a pretraining by one of ``objectives``, in the table's order."""
    return [row for row, start in _starts(experiment).items() if start.partition("-")[0] in objectives]


def own_configuration(experiment: str, objective: str) -> str:
    """The row that starts from the protocol's own configuration of ``objective``, the best one of the paper."""
    return next(row for row, start in _starts(experiment).items() if start == objective)


def _starts(experiment: str) -> dict[str, str]:
    """What each row starts from, as ``init`` has it: details of another configuration follow a hyphen."""
    entry = load(experiment)
    return {row: entry.rows.get(row, {}).get("init", row) for row in entry.inits}


def judged(rule: str, places: Sequence[Place], source: Runs, margin: float = 0.0, note: str = "",
           printed: Sequence[Place] | None = None) -> Comparison:
    """The first cell minus the second, less the difference of others if there are any, by the analysis plan.

    ``printed`` are the cells whose printed difference ours is held against, the same ones if not given, and none where
    a claim has a rule of its own.
    """
    samples = [source.sample(place) for place in places]
    recordings = source.recordings(places) if enough(samples) else None
    if rule == "no_difference":
        verdict = verdicts.equal(samples, margin, recordings)
    else:
        verdict = verdicts.judge(samples, source.stated(places if printed is None else printed), recordings, margin)
    covers = "runs and test recordings" if recordings else source.covers
    return Comparison(rule, tuple(places), verdict, verdict.ours, margin, note, _numbers(samples), covers,
                      source.unseen(places))


def _numbers(samples: Sequence[statistics.Sample | None]) -> tuple[int, ...]:
    return tuple(sample.n if sample else 0 for sample in samples)


def _differences(rule: str, claim: Mapping, source: Runs) -> list[Comparison]:
    """Each difference of cells, for each of the claim's scores; statements of ours have nothing in print."""
    printed = None if claim.get("paper", True) else ()
    # "printed" means every score that the paper's table prints
    scores = load(claim["experiment"]).printed if claim.get("scores") == "printed" else [claim.get("score")]
    margin = _half(claim) if rule == "no_difference" else claim.get("margin", 0.0)
    return [judged(rule, _places(claim, _pairs(cells), source, score), source, margin, printed=printed)
            for score in scores for cells in claim[rule]]


def _half(claim: Mapping) -> float:
    """What is equal differs by less than half of the difference that is printed between other cells."""
    known = Printed(table=claim.get("published"))
    a, b = filter(None, map(known.sample, _places(claim, _pairs(claim["half_of"]), known, claim.get("score"))))
    return abs(a.mean - b.mean) / 2


def _pairs(listed: list) -> list[tuple[str, int | str]]:
    """Cells that are listed as ``[method, column, method, column]``."""
    return list(zip(listed[::2], listed[1::2], strict=True))


def _places(claim: Mapping, cells: Sequence[tuple], source: Runs, score: str | None = None) -> list[Place]:
    """Cells of one comparison, all of one protocol."""
    experiment = source.current(claim["experiment"], cells)
    return [Place(experiment, method, size, score) for method, size in cells]


def _sooner(rule: str, claim: Mapping, source: Runs) -> list[Comparison]:
    """Whether the first cell's runs reach ``share`` of their best validation score sooner: a rank test."""
    found = []
    for pair in claim[rule]:
        places = _places(claim, _pairs(pair), source)
        a, b = (source.epochs(place, claim["share"]) for place in places)
        ranks = statistics.fewer(a, b) if min(len(a), len(b)) >= statistics.MIN_RUNS else None
        verdict = Verdict(statistics.verdict_fewer(a, b))
        found.append(Comparison(rule, tuple(places), verdict, ranks, runs=(len(a), len(b))))
    return found


def _shrinks(rule: str, claim: Mapping, source: Runs) -> list[Comparison]:
    """Whether the first row's gain over the second falls along the columns, which are shares: a slope below 0."""
    sizes = sorted(load(claim["experiment"]).columns_of(claim[rule][0][0]))
    found = []
    for pair in claim[rule]:
        places = _places(claim, list(itertools.product(pair, sizes)), source)
        samples = [source.sample(place) for place in places]
        n = len(sizes)
        slope = statistics.slope([*map(float, sizes)], samples[:n], samples[n:]) if enough(samples) else None
        verdict = Verdict(statistics.verdict_below(slope) if slope else "not tested")
        found.append(Comparison(rule, (places[0], places[n]), verdict, slope, runs=_numbers(samples),
                                note=f"change from {sizes[0]} to {sizes[-1]} %", covers=source.covers))
    return found


def _beats_best(rule: str, claim: Mapping, source: Runs) -> list[Comparison]:
    """The best configuration of some objectives against the best one of others, each the best by its mean.

    Ours are held against the difference of those that are the best in print.
    """
    sides = claim[rule]["of"], claim[rule]["over"]
    places, ready, chosen = zip(*(_best(claim, side, source) for side in sides), strict=True)
    printed = [_best(claim, side, Printed(table=claim.get("published")))[0] for side in sides]
    note = "best of {} configurations against the best of {}".format(*chosen)
    return [judged(rule, places, source, note=note, printed=printed) if all(ready) else
            Comparison(rule, places, note=note)]


def _best(claim: Mapping, objectives: Sequence[str], source: Runs) -> tuple[Place, bool, str]:
    """The configuration with the highest mean, whether it can be judged, and what it was chosen from in words.

    Configurations that were not run are passed over, but each objective's own has to be there. Being chosen by
    its test score flatters a configuration somewhat; the paper chooses in the same way.
    """
    samples = _samples(claim, "beats_best", objectives, source)
    tested = {row: sample.mean for row, (_, sample) in samples.items() if enough([sample])}
    own = [own_configuration(claim["experiment"], objective) for objective in objectives]
    ready = set(own) <= set(tested)
    best = max(tested, key=tested.__getitem__) if ready else own[0]
    return samples[best][0], ready, f"{len(tested)} of {len(samples)}"


def _prefers(rule: str, claim: Mapping, source: Runs) -> list[Comparison]:
    """Whether each objective's own configuration beats the best of its others; all of them have to be there."""
    found = []
    for objective in claim[rule]["of"]:
        samples = _samples(claim, rule, [objective], source)
        own = samples[own_configuration(claim["experiment"], objective)]
        others = [pair for pair in samples.values() if pair is not own]
        if not enough([own[1], *(sample for _, sample in others)]):
            found.append(Comparison(rule, (own[0], others[0][0]), Verdict("not tested"),
                                    note=f"needs all {len(samples)} configurations"))
            continue
        best, note = max(others, key=lambda pair: pair[1].mean), f"best of the {len(others)} others"
        found.append(judged(rule, (own[0], best[0]), source, note=note, printed=()))
    return found


def _samples(claim: Mapping, rule: str, objectives: Sequence[str], source: Runs) -> dict[str, tuple]:
    """Cell and scores of every configuration of some objectives, in the column that the rule names."""
    rows, column = configurations(claim["experiment"], objectives), claim[rule]["column"]
    places = _places(claim, [(row, column) for row in rows], source)
    return {place.method: (place, source.sample(place)) for place in places}


# Rules on folds, which are no cells of a table: a statistic, held against a number. The entry names the ``measure``,
# and with each rule where the interval is to lie: ``below`` or ``above`` a number, or ``about`` it.
Groups = list[tuple[tuple[Checkpoint, ...], bool]]
VERDICTS: dict[str, Callable[..., str]] = {
    "below": statistics.verdict_below, "above": statistics.verdict_above, "about": statistics.verdict_holds}


FOLD_RULES = ("correlation", "given_labels", "every_label", "stronger", "regret", "cost", "random_last")


def _groups(rule: str, claim: Mapping, known: dict[Checkpoint, bool]) -> Groups:
    """The checkpoints that a rule on folds takes together, and whether they count.

    Every checkpoint by itself, but for the ``first`` network and the ``second``, by source, and for a choice: among the
    paper's own checkpoints, and among all there are, which both count. So do substitutes, beside random networks.
    """
    if rule == "stronger":
        sources = dict.fromkeys(source for source, _ in known)
        pairs = [tuple((source, claim[rule][side]) for side in ("first", "second")) for source in sources]
        return [(pair, known[pair[0]]) for pair in pairs if set(pair) <= set(known)]
    if rule == "regret":
        own = tuple(one for one, counts in known.items() if counts)
        return [(among, True) for among in dict.fromkeys((own, tuple(known)))]
    return [((one,), counts or rule == "random_last") for one, counts in known.items()]


def held(rule: str, claim: Mapping, source: Runs) -> list[Comparison]:
    """The statistics that a rule asks for, each held against the number that the claim names."""
    side, against = _limit(claim[rule])
    found = []
    for among, counts in _groups(rule, claim, source.checkpoints(claim["experiment"])):
        value = source.on_folds(rule, claim, among)
        sign = VERDICTS[side](value, against) if value.low is not None else "not tested"
        note = source.note(claim, value, among) + "; F1 rises with it" * (rule == "given_labels" and sign == "opposite")
        places = tuple(Place(claim["experiment"], one) for one in among)
        found.append(Comparison(rule, places, Verdict(sign), value, against, note, side=side, counts=counts))
    return found


def _limit(entry: Mapping) -> tuple[str, float]:
    """The side that a rule names, and its number: given, or the place of a printed one."""
    side = next(side for side in VERDICTS if side in entry)
    return side, published.lookup(entry[side]) if isinstance(entry[side], str) else entry[side]


def as_printed(claim: Mapping, tier: str) -> str:
    """What the printed numbers say when they are taken as they are, without limits."""
    rule = next(rule for rule in FOLD_RULES if rule in claim)
    found = (one.found for one in held(rule, claim, Printed()))
    values = sorted(one.value for one in found if isinstance(one, correlations.Interval) and one.value is not None)
    side, against = _limit(claim[rule])
    if side == "about":
        return f"In print they lie between {signed(values[0])} and {signed(values[-1])}."
    return f"In print {sum(value < against for value in values)} of {len(values)} lie below {signed(against)}."


def signed(value: float) -> str:
    """A number with as many digits as it has, and a minus sign: ``−0.6``."""
    return f"{round(value, 6):g}".replace("-", "−")


def unfinished(claim: Mapping, tier: str) -> list[str]:
    """How many of the planned folds have ended, in words; nothing when all have, and in tier demo."""
    runs = [] if tier == "demo" else transfers.enumerate_runs(claim["experiment"], tier)
    done = sum(run.state() == "done" for run in runs)
    return [f"{done} of {len(runs)} planned runs have ended."] if done < len(runs) else []


# Key in ``experiments/*.yml`` -> the comparisons that it asks for
RULES: dict[str, Callable] = {
    "beats": _differences, "no_difference": _differences, "sooner": _sooner, "shrinks": _shrinks,
    "beats_best": _beats_best, "prefers": _prefers, **dict.fromkeys(FOLD_RULES, held)}


def below_random(claim: Mapping, tier: str) -> str:
    """Which of the printed configurations lie below random weights in one of the classes, by their means."""
    experiment, source = claim["experiment"], Printed()
    entry = load(experiment)
    rows, column = [row for row in entry.inits if row != "random"], next(iter(entry.columns))
    below: dict[str, list[str]] = {}
    for score in (score for score in entry.printed if score.startswith("f1_per_class")):
        places = [Place(experiment, row, column, score) for row in ("random", *rows)]
        base, *others = filter(None, map(source.sample, places))
        for row in (row for row, sample in zip(rows, others, strict=True) if sample.mean < base.mean):
            below.setdefault(row, []).append(score.rpartition(".")[2])
    listed = "; ".join(f"{METHODS[row]} ({', '.join(classes)})" for row, classes in below.items())
    return f"In print {len(below)} of {len(rows)} configurations lie below random weights in a class: {listed}."


def relative_gain(claim: Mapping, tier: str) -> str:
    """The gain of ``beats_best`` in per cent of the lower mean, as papers print it."""
    def gain(source: Runs) -> str:
        found = [source.sample(place) for place in compare(claim, source)[0].places]
        if not enough(found):
            return "not tested"
        return f"{100 * (found[0].mean / found[1].mean - 1):+.2f} %".replace("-", "−")
    return f"In per cent of random weights: {gain(Runs(tier))} here, {gain(Printed())} in print."


def column_rates(claim: Mapping, tier: str) -> str:
    """What the columns that a claim names stand for in a tier, where that is another sampling rate."""
    named = {size for cells in claim["beats"] for size in cells[1::2]}
    planned = enumerate_runs(claim["experiment"], tier)
    rates = sorted({(run.size, run.config.sampling_rate) for run in planned if run.size in named})
    if all(size == rate for size, rate in rates):
        return ""
    columns, stand = (" and ".join(f"{value:g}" for value in values) for values in zip(*rates, strict=True))
    return f"In tier {tier} the columns {columns} Hz stand for {stand} Hz."


# What a claim's ``remark`` adds in words
REMARKS: dict[str, Callable[[Mapping, str], str]] = {
    "below_random": below_random, "relative_gain": relative_gain, "column_rates": column_rates,
    "as_printed": as_printed}
