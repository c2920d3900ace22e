"""The training of a classifier that is shipped: ``run(config) -> Trained``, by the analysis plan."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from torch import nn

from ecgtl import metrics, results
from ecgtl.config import ClassifierConfig, ClassifierPlan, Plan
from ecgtl.config.classifier import FILE, folder_of
from ecgtl.datasets import cache, leads
from ecgtl.jobs import classifier, finetune
from ecgtl.jobs.evidence import evidence_of, licence_of, origin_of
from ecgtl.jobs.inputs import Prepared, prepare, read
from ecgtl.jobs.scoring import score, value_of, with_limits
from ecgtl.models import baselines, checkpoint
from ecgtl.models.trees import Trees
from ecgtl.results import Result
from ecgtl.signals import rr_intervals
from ecgtl.statistics import share_interval
from ecgtl.training import loop

HOME = "classifiers"  # what its results are stored under
CHOSEN_BY = "macro_f1"
FOLDS = 5  # of the cross-validation of the regression on both
PARTS = ("validation", "test")
SAID = ("macro_f1", "low", "high", "answered", "foreign")  # scores that its file says of itself


@dataclass(frozen=True, eq=False)
class Trained:
    """A classifier's ``result``, and its file with ``weights`` and ``facts``."""

    result: Result
    weights: dict[str, torch.Tensor]
    facts: dict

    def save(self) -> tuple[Path, Path]:
        """Write file and result."""
        path = folder_of(self.result.config["name"], self.result.config["tier"]) / FILE
        checkpoint.save(path, self.weights, self.facts, half=True)
        return path, results.save(self.result)


class LeadDropout(nn.Module):
    """A network that in training sees a random share of the leads, each recording another, and always the first."""

    def __init__(self, network: nn.Module):
        super().__init__()
        self.network = network

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """As of the network."""
        if self.training:
            kept = torch.rand(x.shape[:2], device=x.device) < torch.rand(len(x), 1, device=x.device)
            kept[:, 0] = True
            x = x * kept[..., None]
        return self.network(x)


def run(config: ClassifierConfig | ClassifierPlan, report: Callable[[dict], None] | None = None,
        command: str | None = None) -> Trained:
    """Train the classifier that ``config`` names, choose its kind, calibrate it, and try it on foreign recordings.

    ``report`` is called with the history row of each epoch of each network.
    """
    seconds, plan = results.clock(), config.plan()
    prepared = prepare(plan.members[0])
    prepared.check_parts()
    whole = _both(prepared, plan, report)
    arrays = _answers(whole, prepared)
    own = _chosen(whole, prepared, arrays)
    if len(own.facts.leads) > 1:  # what the first lead alone is good for
        test = prepared.recordings.select(prepared.split.test)
        arrays["prob_first_lead"] = own.of_recordings(test, own.facts.leads[:1]).astype(np.float16)
    arrays |= _foreign(own, plan)
    recordings, facts = prepared.recordings, own.facts.stored
    data = origin_of(prepared) | {
        "name": recordings.name, "version": recordings.version, "digest": recordings.digest, "records": len(recordings),
        "classes": list(recordings.classes), "counts": recordings.counts(), "kind": own.kind,
        "split": {part: prepared.counts(part) for part in ("train", *PARTS)}, "licence": facts["licence"],
        "atrial_fibrillation": plan.atrial_fibrillation,
        "skipped": {reason: len(ids) for reason, ids in recordings.skipped.items()}}
    how = results.provenance(str(plan.device), seconds(), 0, torch.get_num_threads(), command)
    result = Result(HOME, f"{plan.config.name}-{plan.config.tier}", asdict(plan.config), evidence_of(prepared),
                    scores(arrays, data), [], data, arrays, how)
    return Trained(result, _tensors(own), facts | {"scores": {name: result.scores[name] for name in SAID}})


def _both(prepared: Prepared, plan: ClassifierPlan, report: Callable[[dict], None] | None) -> classifier.Classifier:
    """The networks, trained, and the trees, not yet calibrated."""
    recordings, train = prepared.recordings, prepared.split.train
    networks = [_network(prepared, member, report) for member in plan.members]
    trees = Trees.of(baselines.boosted(_features(prepared)[train], recordings.labels[train], 0))
    shortest, longest = float(np.floor(recordings.durations.min())), float(np.ceil(recordings.durations.max()))
    facts = finetune.facts_of(prepared) | {
        "kind": "stack", "members": len(networks), "seed": None, **plan.known, "shortest": shortest,
        "longest": max(2 * prepared.plan.config.seconds, longest)}
    return classifier.Classifier(checkpoint.CheckpointFacts.of(facts, Path(plan.config.name)), networks, trees)


def _features(prepared: Prepared) -> np.ndarray:
    return rr_intervals.rr_features(prepared.recordings, prepared.leads[0])[:, classifier.COLUMNS]


def _answers(whole: classifier.Classifier, prepared: Prepared) -> dict[str, np.ndarray]:
    """The arrays of a result: the split, and what each candidate says of the validation and the test set."""
    arrays = {name: getattr(prepared.split, name).astype(np.uint32) for name in ("train", *PARTS)}
    x, features = prepared.inputs(), _features(prepared)
    for part in PARTS:
        index = arrays[part]
        arrays |= {f"y_{part}": prepared.recordings.labels[index].astype(np.uint8)} | {
            f"prob_{kind}_{part}": p.astype(np.float16) for kind, p in whole.parts(x[index], features[index]).items()}
    return arrays | _stacked(arrays)


def _chosen(whole: classifier.Classifier, prepared: Prepared, arrays: dict) -> classifier.Classifier:
    """What is shipped of ``whole``, calibrated."""
    decided = decisions(arrays)
    kind = decided["kind"]
    facts = whole.facts.stored | {name: decided[name] for name in ("kind", "temperature", "abstain_below")}
    facts["stack"] = _regression(arrays).tolist() if kind == "stack" else []
    if kind == "trees":  # which have seen no weights
        alone = replace(prepared, plan=replace(prepared.plan.config, init="random").plan())
        facts |= {"init": "random", "licence": licence_of(alone)}
    return classifier.Classifier(checkpoint.CheckpointFacts.of(facts, Path(kind)),
                                 whole.networks if kind != "trees" else [], whole.trees if kind != "network" else None)


def _network(prepared: Prepared, member: Plan, report: Callable[[dict], None] | None) -> nn.Module:
    """A trained network of the ensemble, its weights rounded as they are stored."""
    config, rules, recordings, split = member.config, prepared.rules, prepared.recordings, prepared.split
    network, x = replace(prepared, plan=member).network(), prepared.inputs()
    train, validation = (loop.LabelledArray(x[i], recordings.labels[i]) for i in (split.train, split.validation))
    how = loop.TrainConfig(config.epochs, config.batch_size, config.learning_rate, config.patience, rules.stop_on,
                           rules.select_on, config.precision, config.seed)
    score = partial(value_of, rules.score)
    model = LeadDropout(network) if len(prepared.leads) > 1 else network
    start = member.start and cache.source_checksum(member.start.parent, [member.start])
    state = finetune.training_state({"config": asdict(config), "digest": recordings.digest, "start": start, "of": HOME},
                                    member.device)
    # The test set is not looked at while it is trained: the validation set stands in its place
    fit = loop.fit(model, train, validation, validation, how, score, member.device, state, report)
    model.load_state_dict({name: t.half().float() if t.is_floating_point() and t.ndim > 1 else t
                           for name, t in fit.weights.items()})
    return network


def _tensors(own: classifier.Classifier) -> dict[str, torch.Tensor]:
    """All weights of a classifier by the names that they are stored under."""
    found = {f"{k}.{name}": t for k, one in enumerate(own.networks) for name, t in loop.weights_of(one).items()}
    return found | {f"trees.{name}": torch.from_numpy(np.ascontiguousarray(array).ravel())
                    for name, array in (vars(own.trees) if own.trees else {}).items()}


def _regression(arrays: dict[str, np.ndarray]) -> np.ndarray:
    """Coefficients and constants of the regression on both, fitted on the validation set."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415

    seen = classifier.evidence(*(arrays[f"prob_{kind}_validation"].astype(float) for kind in ("network", "trees")))
    fitted = LogisticRegression(max_iter=1000).fit(seen, arrays["y_validation"])
    n = seen.shape[1] // 2
    coefficients, constants = np.zeros((n, 2 * n)), np.full(n, -20.0)  # of a class that nobody showed: hardly ever
    coefficients[fitted.classes_], constants[fitted.classes_] = fitted.coef_, fitted.intercept_
    return np.append(coefficients.ravel(), constants)


def _stacked(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Probabilities of the regression on both: of validation recordings by cross-validation, of test recordings by all.
    """
    y = arrays["y_validation"]
    fold = np.empty(len(y), int)
    fold[np.argsort(y, kind="stable")] = np.arange(len(y)) % FOLDS  # each class over all folds
    network, trees = (arrays[f"prob_{kind}_validation"].astype(float) for kind in ("network", "trees"))
    held_out = np.zeros_like(network)
    for k in range(FOLDS):
        others = {name: array[fold != k] for name, array in arrays.items() if name.endswith("_validation")}
        held_out[fold == k] = classifier.stacked(network[fold == k], trees[fold == k], _regression(others))
    network, trees = (arrays[f"prob_{kind}_test"].astype(float) for kind in ("network", "trees"))
    test = classifier.stacked(network, trees, _regression(arrays))
    return {"prob_stack_validation": held_out.astype(np.float16), "prob_stack_test": test.astype(np.float16)}


def decisions(arrays: dict[str, np.ndarray]) -> dict:
    """What the validation set decides: ``kind``, ``temperature``, ``abstain_below``, and the difference behind it."""
    y = arrays["y_validation"]
    p = {kind: arrays[f"prob_{kind}_validation"].astype(float) for kind in classifier.KINDS}
    best = max(p, key=lambda kind: value_of(CHOSEN_BY, y, p[kind]))
    gain = _limits(CHOSEN_BY, y, p[best], p["trees"], name="value")
    kind = best if gain["low"] > 0 else "trees"

    def loss(logarithm: float) -> float:
        found = classifier.calibrated(p[kind], float(np.exp(logarithm)))
        return -np.log(np.maximum(found[np.arange(len(y)), y], classifier.SMALLEST)).mean()

    temperature = round(float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x)), 4)
    return {"kind": kind, "best": best, "gain": gain, "temperature": temperature,
            "abstain_below": abstain_below(y, classifier.calibrated(p[kind], temperature))}


def abstain_below(y: np.ndarray, p: np.ndarray) -> float:
    """The lowest confidence at which the error on recordings above it is at most half of the error on all."""
    confidence, wrong = p.max(axis=1), p.argmax(axis=1) != y
    limits = np.unique(np.floor(confidence * 1e4) / 1e4)
    errors = np.array([wrong[confidence >= limit].mean() for limit in limits])
    return float(limits[np.argmax(errors <= wrong.mean() / 2)]) if (errors <= wrong.mean() / 2).any() else 1.0


def _foreign(own: classifier.Classifier, plan: ClassifierPlan) -> dict[str, np.ndarray]:
    """Whether recordings of foreign data sets show atrial fibrillation, and the probabilities of them."""
    arrays: dict[str, np.ndarray] = {}
    for dataset, (one, name) in plan.foreign.items():
        recordings = read(one)
        there = [name for name in own.facts.leads if leads.find(recordings.leads[0], name)]
        lead = there if len(own.facts.leads) > 1 else 0
        recordings = recordings.select(np.flatnonzero(recordings.durations >= own.facts.shortest))
        shown = recordings.label_matrix[:, recordings.classes.index(name)]
        arrays |= {f"y_{dataset}": shown, f"prob_{dataset}": own.of_recordings(recordings, lead).astype(np.float16)}
    return arrays


def scores(arrays: dict[str, np.ndarray], data: dict) -> dict:
    """All scores of a classifier, from the arrays of its result and what that says of the ``data``.

    At the top those of the test set; ``gain`` is that of the candidate with the best validation score over the trees.
    """
    y, classes, decided = arrays["y_test"], tuple(data["classes"]), decisions(arrays)
    kinds = {kind: arrays[f"prob_{kind}_test"].astype(float) for kind in classifier.KINDS}
    raw = kinds[decided["kind"]]
    p = classifier.calibrated(raw, decided["temperature"])
    answered = p.max(axis=1) >= decided["abstain_below"]
    found = score(y, p, classes) | _limits(CHOSEN_BY, y, p)
    found |= {name: decided[name] for name in ("temperature", "abstain_below")}
    on_test = _limits(CHOSEN_BY, y, kinds[decided["best"]], kinds["trees"], name="value")
    for part, gain in zip(PARTS, (decided["gain"], on_test), strict=True):
        found[part] = {"gain": gain} | {kind: value_of(CHOSEN_BY, arrays[f"y_{part}"], arrays[f"prob_{kind}_{part}"])
                                        for kind in classifier.KINDS}
    found["calibration_error"] = {"before": metrics.calibration_error(y, raw), "after": metrics.calibration_error(y, p)}
    found["answered"] = {"share": answered.mean()} | _share("accuracy", (p.argmax(axis=1) == y)[answered])
    if "prob_first_lead" in arrays:
        found["first_lead"] = _limits(CHOSEN_BY, y, arrays["prob_first_lead"].astype(float))
    column, shown = classes.index(data["atrial_fibrillation"]), [name[2:] for name in arrays if name.startswith("y_")]
    found["foreign"] = {name: _against_the_rest(arrays[f"y_{name}"], arrays[f"prob_{name}"].astype(float), column)
                        for name in shown if name not in PARTS}
    return found


def _against_the_rest(shown: np.ndarray, p: np.ndarray, column: int) -> dict:
    """How one class is found on foreign recordings: by its probability, and by its being the most probable."""
    named, found = p.argmax(axis=1) == column, _limits("macro_auc", shown[:, None], p[:, [column]])
    return {"recordings": len(shown), "positive": int(shown.sum()), "auc": found.pop("macro_auc")} | found | {
        name: _share(name, right) for name, right in
        (("sensitivity", named[shown == 1]), ("specificity", ~named[shown == 0]))}


def _limits(score: str, y: np.ndarray, *p: np.ndarray, name: str = "") -> dict[str, float]:
    """A score, or the difference of two, under its ``name``, with percentile limits over recordings drawn again."""
    return dict(zip((name or score, "low", "high"), with_limits(score, y, *p), strict=True))


def _share(name: str, right: np.ndarray) -> dict[str, float]:
    """The share of what is right, under ``name``, with its limits; of nothing there is none."""
    if not len(right):
        return {}
    low, high = share_interval(int(right.sum()), len(right))
    return {name: right.mean(), "low": low, "high": high}
