"""Every stored score, cell and verdict computed again from stored predictions; what differs is named."""

import dataclasses
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ecgtl import results
from ecgtl.analysis import addresses, cells, claims, rescoring
from ecgtl.analysis.sources import Runs
from ecgtl.config import protocols
from ecgtl.errors import why_not
from ecgtl.experiments import pretrainings, runners
from ecgtl.statistics import Sample

RELATIVE, ABSOLUTE = 1e-6, 1e-8  # results keep nine digits, and the learning curve index divides small steps
Finished = Mapping[str, Mapping[str, list[cells.Finished]]]  # by tier and experiment


@dataclasses.dataclass
class Verification:
    """``differences``, a line each, and what is ``said`` of one number.

    ``counts`` of what was computed again, ``beyond`` of scores that cannot be, by reason.
    """

    differences: list[str] = dataclasses.field(default_factory=list)
    said: list[str] = dataclasses.field(default_factory=list)
    counts: Counter = dataclasses.field(default_factory=Counter)
    beyond: Counter = dataclasses.field(default_factory=Counter)
    began: float = dataclasses.field(default_factory=time.perf_counter)

    def lines(self) -> Iterator[str]:
        """All of it in words; a summary comes last."""
        yield from (*self.said, *self.differences)
        yield from (f"not computed again: {n} scores ({reason})" for reason, n in sorted(self.beyond.items()))
        counted, seconds = ", ".join(f"{n} {name}" for name, n in self.counts.items()), time.perf_counter() - self.began
        yield f"verified {counted} in {seconds:.0f} s: {len(self.differences) or 'nothing'} differs"

    def compare(self, kind: str, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Note what the predictions say (``now``) otherwise than the stored scores, by name."""
        self.counts[kind] += len(now)
        self.differences += [f"{name}: {before[name]} by stored scores, {now[name]} by predictions"
                             for name in now if before.get(name) != now[name]]


def of_number(text: str) -> Verification:
    """Of the runs behind one number, whose scores from stored predictions are named; EcgtlError for an unknown id."""
    found, address = Verification(), addresses.find(text)
    for number, (run, body) in enumerate(address.finished, start=1):
        again = _again(run.path, body, found)
        found.said.append(f"{text}, run {number}: {addresses.scores_of(run, again)[address.score]:.9g}, from "
                          f"{run.path.with_suffix('.npz').name}")
    return found


def verify() -> Verification:
    """Of all committed results. A file that is damaged is named, and the others are still verified."""
    found = Verification()
    both: dict[Path, tuple[results.Result, results.Result]] = {}
    for path in sorted(results.folder("reduced").glob("*/*.json")):
        found.counts["results"] += 1
        try:
            stored = results.load(path)
            both[path] = stored, _again(path, stored, found)
        except (ValueError, ArithmeticError, AttributeError, LookupError, TypeError) as error:  # whatever is damaged
            found.differences.append(str(error) if path.stem in str(error) else f"{path}: {error!r}")
    runs = {tier: _runs(both, tier) for tier in claims.REAL}
    before, now = ({tier: {name: [(run, both[run.path][which]) for run in some] for name, some in by_name.items()}
                    for tier, by_name in runs.items()} for which in (0, 1))
    for kind, numbers in (("cells", _cells), ("verdicts", _verdicts)):
        told = numbers(before)
        # Where every score is what its predictions give, so is what follows from scores
        found.compare(kind, told, numbers(now) if found.differences else told)
    return found


def _again(path: Path, result: results.Result, found: Verification) -> results.Result:
    """The result with what its predictions give in place of the scores that differ, which are noted."""
    before, now = addresses.flat(result.scores), rescoring.recomputed(result)
    found.beyond += Counter(map(rescoring.reason, before.keys() - now.keys()))
    for name in now.keys() & before.keys():
        if math.isclose(before[name], now[name], rel_tol=RELATIVE, abs_tol=ABSOLUTE):
            now[name] = before[name]
    for name in {*cells.CURVE_SCORES} - before.keys():  # results have not always kept it
        now.pop(name, None)
    told, tells = ({f"{path}: scores.{name}": f"{scores[name]:.9g}" if name in scores else "missing" for name in now}
                   for scores in (before, now))
    found.compare("scores", told, tells)
    return dataclasses.replace(result, scores=_replaced(result.scores, now))


def _replaced(scores: Any, now: Mapping[str, float], name: str = "") -> Any:
    """``scores`` with the values that ``now`` has, by their names in ``addresses.flat``."""
    if isinstance(scores, Mapping):
        return {key: _replaced(value, now, f"{name}.{key}".strip(".")) for key, value in scores.items()}
    return now.get(name, scores)


def _runs(stored: Iterable[Path], tier: str) -> dict[str, list[runners.Run]]:
    """The finished runs of a tier by experiment."""
    planned = {name: runners.enumerate_runs(name, tier) for name in runners.names()}
    singles = [pretrainings.single(path) for path in stored if path.parent.name == pretrainings.SINGLES]
    planned[pretrainings.SINGLES] = [run for run in singles if run.config.tier == tier]
    return {name: [run for run in runs if run.path in stored and run.state() == "done"]
            for name, runs in planned.items()}


def _cells(finished: Finished) -> dict[str, str]:
    """Mean and SD of every number that has an id, over its runs; by id, and the experiment that it is read from."""
    values = defaultdict(list)
    every = ((tier, name, one) for tier, by_name in finished.items() for name, some in by_name.items() for one in some)
    for tier, experiment, (run, body) in every:
        place = addresses.place_of(run)
        for score, value in addresses.scores_of(run, body).items():
            name = addresses.of(experiment, place.method, place.size, score)
            values[f"{name} ({experiment}, tier {tier})"].append(value)
    return {name: f"{(own := Sample.of(one)).mean:.9g} ± {own.sd:.3g}" for name, one in values.items()}


def _verdicts(finished: Finished) -> dict[str, str]:
    """The answers to every claim that can be judged; one cannot be where a file is damaged, which is named."""
    sources = {tier: Runs.of_finished(tier, finished[tier]) for tier in finished}
    found = {}

    def judge(paper: str, name: str) -> None:
        tier = claims.tier_of(claims.claims(paper)[name], sources)
        judged = claims.judge(paper, name, tier, sources.get(tier))
        worth = "no worthwhile gain" if judged["worthwhile"] is False else None
        found[f"claim {paper} {name}"] = ", ".join(filter(None, (judged["ours"], judged["size"], worth)))

    for paper in protocols():
        for name in claims.claims(paper):
            why_not(judge, paper, name)
    return found
