"""The addresses of our numbers: ``weimann2021.table2.beat.25`` is a cell, and the runs behind it can be had by it.

A cell is addressed by its experiment, row and column, and by the score where it is not the one that the experiment
reports; a checkpoint that was fine-tuned on folds by experiment, source, network, and a measure or score; a pretraining
by ``pretrain`` and the name of its files. A later protocol has no addresses: those of the experiment that it replaces
are read from it where all of its runs are there (``cells.current``).
"""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ecgtl import experiments, results
from ecgtl.analysis import agreement, cells
from ecgtl.analysis.verdicts import Place
from ecgtl.config import CHOICES, TIERS
from ecgtl.errors import EcgtlError
from ecgtl.experiments import pretrainings, runners, sources, transfers
from ecgtl.experiments.pretrainings import SINGLES
from ecgtl.experiments.run import PlannedRun

CLOSE = 5  # ids that are named where one is unknown
OF_PRETRAINING = ("weighted_f1", "accuracy", "mse_sum")  # what an id without a score stands for: the first there is


@dataclass(frozen=True)
class Address:
    """A number of ours and what is behind it: the ``experiment`` that is read, in ``tier``, row, column and score.

    ``finished`` runs with their results and the ``planned`` ones, both by number; a pretraining has one, no column, and
    its tier is its own.
    """

    id: str
    experiment: str
    tier: str
    row: Any
    column: int | str | None
    score: str
    planned: tuple[PlannedRun, ...]
    finished: tuple[cells.Finished, ...]


def of(experiment: str, row: Any, column: int | str | None = None, score: str | None = None) -> str:
    """The id of a number.

    ``row`` is a method, (source, network) of a checkpoint on folds, or the key of a pretraining; ``experiment`` may be
    the one that replaces another; ``score`` is a name in ``scores_of``.

    Examples
    --------
    >>> of("weimann2021-table2-seeds", "beat", 25), of("weimann2021-table2", "beat", 25, "f1_per_class.af")
    ('weimann2021.table2.beat.25', 'weimann2021.table2.beat.25.f1_per_class.af')
    """
    name = cells.original(experiment)
    home = name.replace("-", ".", 1) if _usual(name) else SINGLES
    names = row if isinstance(row, tuple) else (row,)
    return ".".join(str(one) for one in (home, *names, column, score) if one not in (None, _usual(name)))


def _usual(experiment: str) -> str:
    """The score that an id without one stands for; nothing of a pretraining, where it depends on what is learnt."""
    if experiment in experiments.names():
        return experiments.load(experiment).score
    return agreement.SCORES[0] if experiment in transfers.names() else ""


def place_of(run: PlannedRun) -> Place:
    """Where a run belongs: its experiment, row and column."""
    row = cells.row_of(run) if isinstance(run, experiments.Run | transfers.Transfer) else run.key
    return Place(run.experiment, row, getattr(run, "size", None))


def scores_of(run: PlannedRun, body: results.Result) -> dict[str, float]:
    """Every number of a result that has an address, by name; of a class or label behind a dot, ``f1_per_class.af``.

    Of tables by the paper's own choice of the epoch, of folds by each choice and with the measures of transferability.
    """
    scores = body.scores
    if isinstance(run, transfers.Transfer):
        return flat(scores["measures"]) | {f"{name}_{choice}": scores[choice][name] for choice in transfers.CHOICES
                                           for name in ("weighted_f1", "train_weighted_f1")}
    if isinstance(run, experiments.Run):
        choice = cells.reported(run.experiment)[1]
        curve = {name: scores[name] for name in cells.CURVE_SCORES if name in scores}
        return flat(scores[choice if choice in scores else "validated"]) | curve
    return flat({name: value for name, value in scores.items() if name not in CHOICES})


def flat(scores: Any, name: str = "") -> dict[str, float]:
    """Nested scores by their names with dots between; without those that are None."""
    if isinstance(scores, list | Mapping):
        inner = scores.items() if isinstance(scores, Mapping) else enumerate(scores)
        return {key: one for part, value in inner for key, one in flat(value, f"{name}.{part}".strip(".")).items()}
    return {} if scores is None else {name: scores}


def find(text: str, tier: str = "best") -> Address:
    """What the id ``text`` stands for, in ``tier`` or the best one there is.

    Raises EcgtlError with the nearest ids for one that is unknown.
    """
    known = _places()
    base = max((one for one in known if f"{text}.".startswith(f"{one}.")), key=len, default=None)
    if base is None:
        raise _unknown(text, known)
    place = known[base]
    experiment, tier, planned = _planned(place, tier)
    finished = tuple((run, results.stored(run.path)) for run in planned if run.state() == "done")
    named = {name for run, body in finished for name in scores_of(run, body)}
    if place.size is not None:
        named |= {*experiments.load(place.experiment).printed, *cells.CURVE_SCORES}
    usual = _usual(place.experiment) or next((name for name in OF_PRETRAINING if name in named), "")
    score = text[len(base) + 1:] or usual
    if score not in (usual, *named):
        raise _unknown(text, [base, *(f"{base}.{name}" for name in sorted(named))])
    text = base if score == usual else f"{base}.{score}"
    return Address(text, experiment, tier, place.method, place.size, score, planned, finished)


def _places() -> dict[str, Place]:
    """Every id without a score, and its place; nothing that is stored is read."""
    places = [Place(name, *cell) for name in experiments.names() if cells.original(name) == name
              for cell in experiments.load(name).cells]
    others = (*transfers.names(), *pretrainings.names(), *sources.names())
    places += [place_of(run) for name in others for tier in TIERS for run in runners.enumerate_runs(name, tier)]
    places += [Place(SINGLES, file.stem) for tier in TIERS for file in results.folder(tier).glob(f"{SINGLES}/*.json")]
    return {of(place.experiment, place.method, place.size): place for place in places}


def _planned(place: Place, tier: str) -> tuple[str, str, tuple[PlannedRun, ...]]:
    """The experiment that a place is read from, the tier, and the runs that are planned there."""
    if place.experiment == SINGLES:
        files = (results.path_of(SINGLES, place.method, one) for one in TIERS)
        run = pretrainings.single(next(file for file in files if file.is_file()))
        return SINGLES, run.config.tier, (run,)
    if place.size is None and isinstance(place.method, str):  # a pretraining, whose key ends in its tier
        tier = place.method.rpartition("-")[2]
    tier = cells.shown_tier(place.experiment, tier, pending=True)
    name = cells.current(place.experiment, tier)
    here = Place(name, place.method, place.size)
    return name, tier, tuple(run for run in runners.enumerate_runs(name, tier) if place_of(run) == here)


def _unknown(text: str, known: Iterable[str]) -> EcgtlError:
    near = difflib.get_close_matches(text, known, CLOSE, cutoff=0.0)
    return EcgtlError(f"unknown id {text!r}; the nearest: {', '.join(near)}")
