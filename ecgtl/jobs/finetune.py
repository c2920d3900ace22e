"""Fine-tuning: ``run(config) -> Result``. The notebook, the command line, a sweep and a test all call this function."""

import dataclasses
import importlib.util
from functools import partial
from pathlib import Path

import numpy as np
import torch

from ecgtl import metrics, paths, results
from ecgtl.config import BASELINES, CHOICES, FinetuneConfig, FrozenConfig, Plan, Protocol, init_word
from ecgtl.datasets import cache
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError, note
from ecgtl.jobs import frozen
from ecgtl.jobs.evidence import evidence_of, licence_of, origin_of
from ecgtl.jobs.inputs import PARTS, Prepared, prepare
from ecgtl.jobs.scoring import by_choice, score, score_multi_label, value_of
from ecgtl.models import baselines, checkpoint
from ecgtl.results import Result
from ecgtl.signals import preparation, rr_intervals
from ecgtl.training import loop


def run(config: FinetuneConfig | Plan, experiment: str = "finetune", key: str | None = None,
        report: loop.Report = None, command: str | None = None, recordings: Recordings | None = None) -> Result:
    """Fine-tune (or fit the baseline) that ``config`` describes and return its result, not yet saved.

    ``report`` is called with the history row of each epoch; ``recordings`` take the place of those that it reads.
    Raises EcgtlError for anything a user can mend, before the long part where it can be known before.
    """
    seconds = results.clock()
    plan = config.plan()
    device = str(plan.device)
    if plan.config.save_weights:
        paths.output(plan.config.save_weights, makes_folder=True)
    _ = plan.start  # what is wrong with the weights is said before the data are read
    prepared = prepare(plan, recordings)
    prepared.check_parts()
    if isinstance(plan.config, FrozenConfig):
        fit = frozen.fit(prepared)
    else:
        fit = _fit_baseline(prepared) if plan.config.arch in BASELINES else _fit_network(prepared, report)
    scored, probabilities = by_choice(fit, tuple(fit.chosen), partial(_scores, prepared, fit))
    arrays = {part: getattr(prepared.split, part).astype(np.uint32) for part in PARTS}
    arrays |= {"y_test": prepared.recordings.labels[prepared.split.test].astype(np.uint8)} | probabilities
    return Result(experiment, key or default_key(plan.config), plan.config.portable(), evidence_of(prepared),
                  with_reported(scored, prepared.rules, fit.history), fit.history, _data(prepared), arrays,
                  results.provenance(device, seconds(), plan.config.seed, torch.get_num_threads(), command))


def default_key(config: FinetuneConfig) -> str:
    """File name of a run of a resolved ``config`` that belongs to no experiment.

    Parameters that differ from the tier's add a hash, and so do recordings and a checkpoint of one's own: their names
    may be any.
    """
    method = config.arch if config.arch in BASELINES else Path(config.init).stem
    arch = config.arch if config.arch in BASELINES else FinetuneConfig.arch
    same = {name: getattr(config, name) for name in ("dataset", "root", "init", "tier", "fraction", "seed", "device")}
    name = f"{config.dataset}-{config.tier}-{method}-{config.fraction:g}-seed{config.seed}"
    common = FinetuneConfig.of(**same, arch=arch).resolved() == config and init_word(config.init) and not config.root
    return name if common else f"{name}-{cache.key_of(dataclasses.asdict(config))[:8]}"


def baseline_results(config: FinetuneConfig) -> dict[str, Result]:
    """The baselines on the same recordings and split; RR intervals only where ``wfdb`` can be imported.

    A baseline that cannot be computed, since no recording shows beats, is left out with a line.
    """
    available = BASELINES if importlib.util.find_spec("wfdb") else ("majority",)
    config, found = config.resolved(), {}  # with the protocol, and so the split, that the network's ``init`` stands for
    for arch in available:
        try:
            found[arch] = run(dataclasses.replace(config, arch=arch, init="random", save_weights=""))
        except EcgtlError as error:
            note(f"the baseline {arch} is not computable: {error}")
    return found


def _fit_network(prepared: Prepared, report: loop.Report) -> loop.TrainResult:
    plan, config, rules, recordings = prepared.plan, prepared.plan.config, prepared.rules, prepared.recordings
    x, model = prepared.inputs(), prepared.network()
    indices = [getattr(prepared.split, part) for part in PARTS]
    train, validation, test = (loop.LabelledArray(x[index], recordings.labels[index]) for index in indices)
    how = loop.TrainConfig(config.epochs, config.batch_size, config.learning_rate, config.patience, rules.stop_on,
                             rules.select_on, config.precision, config.seed)
    facts = facts_of(prepared) if config.save_weights else {}  # what is wrong there must be known before the training
    state = training_state({"config": dataclasses.asdict(config), "digest": recordings.digest,
                            "start": plan.start and cache.source_checksum(plan.start.parent, [plan.start])},
                           plan.device)
    fit = loop.fit(model, train, validation, test, how, partial(value_of, rules.score), plan.device, state, report)
    if config.save_weights:
        path = paths.output(config.save_weights, makes_folder=True)
        checkpoint.save(path, fit.weights, facts, half=config.arch in rules.half)
    if recordings.multi_label:
        model.load_state_dict(fit.weights)
        fit.train = loop.predict(model, train.x, plan.device, True, config.precision)
    return fit


def _fit_baseline(prepared: Prepared) -> loop.TrainResult:
    config, recordings, split = prepared.plan.config, prepared.recordings, prepared.split
    y, n_classes = recordings.labels[split.train], len(recordings.classes)
    parts = {"test": split.test} | ({"train": split.train} if recordings.multi_label else {})
    if config.arch == "majority":
        p = {name: baselines.majority(y, n_classes, len(part)) for name, part in parts.items()}
    else:
        features = rr_intervals.rr_features(recordings, prepared.leads[0])
        p = {name: baselines.rr_boosting(features, y, split.train, part, n_classes, config.seed)
             for name, part in parts.items()}
    return loop.TrainResult(chosen={"validated": (0, p["test"])}, train=p.get("train"))


def facts_of(prepared: Prepared) -> dict:
    """What somebody needs to know to use the weights on other recordings; ``mean`` and ``sd`` in mV, one a lead."""
    config, recordings, seen = prepared.plan.config, prepared.recordings, prepared.leads
    statistics = np.array([preparation.mean_and_sd(recordings, lead) for lead in seen])
    names = [str(recordings.leads[0, recordings.lead_index(0, lead)]) for lead in seen]
    return {"arch": config.arch, "width": config.width, "variant": config.variant, "in_channels": len(seen),
            "leads": names, "init": config.init, "protocol": config.input_protocol,
            "sampling_rate": config.sampling_rate, "seconds": config.seconds, "classes": list(recordings.classes),
            "multi_label": recordings.multi_label, "dataset": config.dataset,
            "evidence": evidence_of(prepared)["target"], "tier": config.tier, "licence": licence_of(prepared),
            "synthetic": recordings.synthetic, "mean": statistics[:, 0].tolist(), "sd": statistics[:, 1].tolist(),
            "seed": config.seed}


def training_state(parts: dict, device: torch.device) -> Path:
    """File of an unfinished training that is the same as another when its ``parts`` are.

    None goes on on a machine with other instructions, or on another kind of device, which would round otherwise.
    """
    made_with = results.instructions() if device.type == "cpu" else device.type
    parts = parts | {"torch": torch.__version__, "instructions": made_with}
    return paths.cache() / "unfinished" / f"{cache.key_of(parts)}.pt"


def _data(prepared: Prepared) -> dict:
    """What a result says of the recordings and their split."""
    recordings, counts = prepared.recordings, {part: prepared.counts(part) for part in PARTS}
    # Without positives in training nothing can be learnt of a label, without them in the test set it has no AUC
    absent = {part: [name for name, n in counts[part].items() if not n] for part in PARTS}
    return origin_of(prepared) | {
        "name": recordings.name, "version": recordings.version, "digest": recordings.digest, "records": len(recordings),
        "classes": list(recordings.classes), "counts": recordings.counts(), "split": counts,
        "without_positives": {part: names for part, names in absent.items() if names},
        "skipped": {reason: len(ids) for reason, ids in recordings.skipped.items()},
        "duplicates": len(recordings.duplicates)}


def with_reported(scored: dict[str, dict], rules: Protocol, history: list[dict]) -> dict:
    """Scores by choice of the epoch as a result has them: above them those of the choice that the paper reports."""
    top = {name: value for name, value in scored[rules.report if "last" in scored else "validated"].items()
           if name != "epoch"}
    if len(history) > 1:  # there is a curve (Jang 2021, section II.4(3))
        top["learning_curve_index"] = metrics.learning_curve_index([row["test_score"] for row in history])
    return top | {name: scored[name] for name in CHOICES if name in scored}


def _scores(prepared: Prepared, fit: loop.TrainResult, choice: str, probabilities: np.ndarray) -> dict:
    """The scores of one way of choosing the epoch; thresholds only for the network that was kept."""
    recordings, y_test = prepared.recordings, prepared.recordings.labels[prepared.split.test]
    if not recordings.multi_label:
        return score(y_test, probabilities, recordings.classes)
    train = None
    if choice == "validated" and fit.train is not None:
        train = recordings.labels[prepared.split.train], fit.train
    return score_multi_label(y_test, probabilities, recordings.classes, train)
