"""Which pretrained network should be fine-tuned on these recordings? A score of each, without any training.

``python -m ecgtl rank`` prints MELEP of every checkpoint on the same recordings, the lowest first (Nguyen,
Duong & Do 2023, section 3.4). Inputs are made as fine-tuning on these recordings would make them.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from ecgtl import paths
from ecgtl.config import ALL_LEADS, TRANSFERS, FinetuneConfig, Plan, ScoreConfig, label_columns, starts
from ecgtl.datasets import leads
from ecgtl.datasets.recordings import Recordings, counted
from ecgtl.errors import EcgtlError
from ecgtl.jobs import inputs
from ecgtl.models import checkpoint
from ecgtl.signals import preparation
from ecgtl.statistics import LEVEL
from ecgtl.transferability import WEIGHTINGS, measures, melep, pair_losses, source_probabilities

ATTEMPTS = 100  # draws of one resample before it is given up
T = TypeVar("T")
_STREAM = 4  # apart from the random numbers that choose recordings


@dataclass(frozen=True)
class Candidate:
    """A checkpoint that can be scored: ``name`` as it was given, its file, what it says of itself, and once the
    target is there the ``leads`` of it that the network sees.
    """

    name: str
    path: Path
    facts: checkpoint.CheckpointFacts
    leads: tuple[int | str, ...] = ()

    def defects(self, recordings: Recordings) -> list[str]:
        """Why it cannot take a recording, one a recording, empty where it can; some protocols pad."""
        found = preparation.window_defects(recordings, self.leads, self.facts.sampling_rate, self.facts.n_samples,
                                           inputs.rules_of(self.facts))
        return [f"{defect} of {self.facts.seconds:g} s" if "window" in defect else defect for defect in found]

    def inputs(self, recordings: Recordings) -> np.ndarray:
        """What its network sees of ``recordings``: (n, leads, samples)."""
        x = preparation.prepare(recordings, self.facts.sampling_rate, self.facts.n_samples, self.leads,
                                inputs.rules_of(self.facts))
        return np.array(x)  # in memory: PyTorch warns of a memory map that must not be written to


@dataclass(frozen=True)
class Target:
    """What checkpoints are scored on: ``recordings`` (n) that every one of them can take, ``table`` (n, Y)
    their labels as 0 and 1, ``names`` (Y,) of these; ``left_out`` counts other recordings by reason.
    """

    recordings: Recordings
    table: np.ndarray
    names: tuple[str, ...]
    left_out: dict[str, int]


@dataclass(frozen=True)
class Score:
    """MELEP of one checkpoint: ``value`` with percentile limits over resampled recordings.

    ``names`` (Z,) are the labels that it gives probabilities of, ``seconds`` those from recordings to a score;
    ``first`` is the share of the resamples in which no other checkpoint is lower; ``measures`` are MELEP's
    rivals, ``pair_losses`` (Y, Z) what it is made of.
    """

    candidate: Candidate
    names: tuple[str, ...]
    seconds: float
    value: float
    low: float
    high: float
    first: float
    measures: dict[str, float]
    pair_losses: np.ndarray


@dataclass(frozen=True)
class Ranking:
    """Scores, the lowest first; ``refused`` says of each other checkpoint why it has none."""

    target: Target
    scores: list[Score]
    refused: dict[str, str]


def rank(config: ScoreConfig, checkpoints: Sequence[str], report: Callable[[str], None] = print) -> Ranking:
    """Score several checkpoints on the target of ``config``, whose own ``checkpoint`` is not looked at.

    A checkpoint that cannot be scored is left out with a line to ``report``. Raises EcgtlError when none is
    left, and for a target that cannot be scored on.
    """
    refused: dict[str, str] = {}
    candidates = _sound({name: name for name in checkpoints}, lambda name: candidate(name, config.tier), refused)
    one_lead = all(one.facts.in_channels == 1 for one in candidates)
    if config.lead != ScoreConfig.lead and candidates and all(one.facts.in_channels > 1 for one in candidates):
        raise EcgtlError(f"lead is {config.lead!r}, which would have no effect: every checkpoint here sees several "
                         "leads, found by their names; leave it away")
    names = ("dataset", "root", "labels", "labels_separator", "rate", "unit", "tier", "on_bad")
    same = {name: getattr(config, name) for name in names}
    plan = FinetuneConfig.of(**same, protocol=TRANSFERS, lead=config.lead if one_lead else ALL_LEADS).plan()
    if candidates:
        recordings = inputs.read(plan)
        candidates = _sound({one.name: one for one in candidates},
                            lambda one: replace(one, leads=_leads(config, plan, one, recordings)), refused)
    for name, reason in refused.items():
        report(f"left out, {name}: {reason}")
    if not candidates:
        raise EcgtlError(f"none of the {len(refused)} checkpoints can be scored; the first: "
                         f"{next(iter(refused.values()))}")
    target = target_of(config, recordings, candidates)
    return Ranking(target, _scores(config, target, candidates), refused)


def score(config: ScoreConfig) -> Ranking:
    """The one checkpoint of ``config`` on its target; EcgtlError when it cannot be scored."""
    candidate(config.checkpoint, config.tier)  # its own reason, not that of a list
    return rank(config, [config.checkpoint], lambda line: None)


def candidate(name: str, tier: str) -> Candidate:
    """The checkpoint ``name``: a path, or data set and network of a stored one of ``tier``.

    Raises EcgtlError when there is none, and for one that has no labels of its own, or inputs that nobody knows.
    """
    source, _, arch = name.rpartition("-")
    path = paths.given(name) if name.endswith(".safetensors") else starts.stored_weights(source, arch, tier)
    if path is None:
        raise EcgtlError(f"there is no checkpoint {name!r} in tier {tier}; give the path of a .safetensors file, or "
                         "data set and network of a source (cpsc2018-bilstm, say), which is made with "
                         f"'python -m ecgtl run melep2023-sources --tier {tier}'")
    facts = checkpoint.one_network(path)
    if not facts.classes and facts.arch != "googlenet":
        trained = f" (objective {facts.objective})" if facts.objective else ""
        raise EcgtlError(f"checkpoint {path} is a {facts.arch}{trained} that names no labels of its own, "
                         "so it gives no probabilities to score; choose the checkpoint of a classifier")
    inputs.check_facts(path, facts, "protocol", "leads", "multi_label")
    return Candidate(name, path, facts)


def _sound(items: dict[str, T], work: Callable[[T], Candidate], refused: dict[str, str]) -> list[Candidate]:
    """What ``work`` makes of each of the ``items``; where it raises EcgtlError, ``refused`` gets the reason."""
    found = []
    for name, item in items.items():
        try:
            found.append(work(item))
        except EcgtlError as error:
            refused[name] = str(error)
    return found


def _leads(config: ScoreConfig, plan: Plan, one: Candidate, recordings: Recordings) -> tuple[int | str, ...]:
    """The leads that a checkpoint sees: several by its own names, one as it is asked for."""
    if one.facts.in_channels > 1:
        found = leads.resolve(recordings, one.facts.leads)
    elif plan.config.lead == ALL_LEADS:  # read so for another checkpoint, or asked for where one lead is seen
        found = leads.resolve(recordings, (config.lead,))
    else:
        found = inputs.Prepared(plan, recordings).leads
    leads.check(recordings, found, config.on_bad)
    return found


def target_of(config: ScoreConfig, recordings: Recordings, candidates: Sequence[Candidate]) -> Target:
    """The recordings that every candidate can take, ``config.records`` of them at most, and their labels.

    Raises EcgtlError when none is left, and for labels that no score can be made of.
    """
    if not recordings.classes:
        raise EcgtlError(f"{recordings.name} has no labels, so there is nothing to learn; for a folder add "
                         "labels.csv with the columns record and label")
    columns = label_columns(config.label_set, recordings) or list(range(len(recordings.classes)))
    by_candidate = [one.defects(recordings) for one in candidates]
    defects = [next(filter(None, found), "") for found in zip(*by_candidate, strict=True)]
    left_out = Counter({reason: len(ids) for reason, ids in recordings.skipped.items()})
    left_out.update(filter(None, defects))
    rows = np.flatnonzero([not defect for defect in defects])
    if not len(rows):
        raise EcgtlError(f"no recording of {recordings.name} can be scored ({', '.join(left_out)}); give longer ones")
    if config.records is not None and config.records < len(rows):
        rows = np.sort(np.random.default_rng(config.seed).choice(rows, config.records, replace=False))
    chosen = recordings.select(rows)
    target = Target(chosen, chosen.label_matrix[:, columns], tuple(recordings.classes[k] for k in columns),
                    dict(left_out))
    _check_labels(target.table, target.names, config.weighting)
    return target


def _check_labels(table: np.ndarray, names: tuple[str, ...], weighting: str) -> None:
    if not table.any():
        raise EcgtlError(f"no recording has any of the labels {', '.join(names)}; choose other labels or recordings")
    whole = [names[k] for k in np.flatnonzero(table.all(axis=0))]
    remedy = "leave it out of label_set, or use weighting=normalised"
    if len(whole) == len(names):
        remedy = "give recordings of other classes too"
    elif weighting != "published":
        return
    if whole:
        raise EcgtlError(f"every recording has the label {whole[0]}, so it has no weight; {remedy}")


def _ask(config: ScoreConfig, one: Candidate, target: Target) -> tuple[np.ndarray, tuple[str, ...], float, float]:
    """Probabilities (n, Z) of a checkpoint's own labels, whose names those are, seconds, and MELEP."""
    began = time.perf_counter()
    probabilities, names = source_probabilities(one.path, one.inputs(target.recordings))
    value = melep(probabilities, target.table, config.weighting)
    return probabilities, names, time.perf_counter() - began, value


def _scores(config: ScoreConfig, target: Target, candidates: Sequence[Candidate]) -> list[Score]:
    """Scores with limits, the lowest first. All checkpoints see the same resamples, so these compare."""
    asked = [_ask(config, one, target) for one in candidates]
    resampled = np.array([[melep(p[rows], target.table[rows], config.weighting) for p, *_ in asked]
                          for rows in _resamples(config, target.table)])
    lows, highs = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    firsts = (resampled == resampled.min(axis=1, keepdims=True)).mean(axis=0)
    # Where all recordings have a label, the text's weights are not defined
    weightings = (config.weighting,) if target.table.all(axis=0).any() else WEIGHTINGS
    limits = zip(lows.tolist(), highs.tolist(), firsts.tolist(), strict=True)
    found = [Score(one, names, seconds, value, *limit, measures(p, target.table, weightings),
                   pair_losses(p, target.table))
             for one, (p, names, seconds, value), limit in zip(candidates, asked, limits, strict=True)]
    return sorted(found, key=lambda score: score.value)


def _resamples(config: ScoreConfig, table: np.ndarray) -> Iterator[np.ndarray]:
    """Rows drawn with replacement, as many as there are; what no score can be made of is drawn again."""
    rng, n = np.random.default_rng([config.seed, _STREAM]), len(table)
    for _ in range(config.resamples):
        for _ in range(ATTEMPTS):
            rows = rng.integers(n, size=n)
            drawn = table[rows]
            if drawn.any() and not (config.weighting == "published" and drawn.all(axis=0).any()):
                yield rows
                break
        else:
            raise EcgtlError(f"the {n} recordings are too few for an interval, because nearly all of them have one of "
                             "the labels; give more, or leave it out of label_set")


def lines(ranking: Ranking, config: ScoreConfig) -> list[str]:
    """The ranking as the command line prints it."""
    target, skipped = ranking.target, ranking.target.recordings.skipped
    names = [score.candidate.name for score in ranking.scores]
    short = [Path(name).name if name.endswith(".safetensors") else name for name in names]
    names = short if len({*short}) == len(short) else names  # as they were given
    counts = ", ".join(f"{name} {n}" for name, n in zip(target.names, target.table.sum(axis=0).tolist(), strict=True))
    left_out = {reason: counted(skipped[reason]) if reason in skipped else n for reason, n in target.left_out.items()}
    width = max(map(len, ["checkpoint", *names]))
    said = [f"target: {target.recordings.name}, {len(target.table)} recordings, {len(target.names)} labels ({counts})",
            *(f"left out, {reason}: {n}" for reason, n in left_out.items()), "",
            f"{'':>4}  {'checkpoint':{width}}  {'MELEP':>7}  {'95 % interval':>16}  {'first':>6}  {'labels':>6}  "
            f"{'seconds':>7}"]
    for place, (name, score) in enumerate(zip(names, ranking.scores, strict=True), start=1):
        limits = f"{score.low:.4f}-{score.high:.4f}"
        said.append(f"{place:>4}  {name:{width}}  {score.value:>7.4f}  {limits:>16}  {score.first:>6.0%}  "
                    f"{len(score.names):>6}  {score.seconds:>7.1f}")
    return [*said, "", "The lowest MELEP should transfer most easily. Intervals, and how often a checkpoint comes "
                       f"first, are from {config.resamples} resamples of the recordings. Scores on other targets do "
                       "not compare with these."]
