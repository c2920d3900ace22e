"""The job that makes checkpoints: ``run(config) -> Pretrained``, for the notebook, the command line and tests alike."""

import dataclasses
from collections import Counter
from pathlib import Path

import numpy as np
import torch

from ecgtl import datasets, models, results
from ecgtl.config import Planned, PretrainConfig, protocol, starts
from ecgtl.datasets import cache, catalogue, splits
from ecgtl.datasets.recordings import one_digest
from ecgtl.errors import EcgtlError
from ecgtl.jobs.evidence import MADE_LICENCE
from ecgtl.jobs.finetune import training_state
from ecgtl.jobs.inputs import PARTS
from ecgtl.models import checkpoint
from ecgtl.models.contrastive import FuturePredictor
from ecgtl.signals import frame_labels
from ecgtl.signals.frames import Frames, sampled
from ecgtl.signals.windows import Windows, unlabelled
from ecgtl.training import classification, distributed, future, loop, reconstruction

# Parameters that a checkpoint's file name tells (frame stands for seconds too)
NAMED = ("arch", "variant", "frame", "seconds", "context", "negatives", "offset", "negatives_from")
FUTURE_STAGES = {"resnet50": 3}  # networks that future prediction pretrains in part
# What the public code of Weimann 2021 sets otherwise than its text (Adam's defaults)
CODE_ADAM = {"betas": (0.9, 0.98), "eps": 1e-9}

Part = Windows | classification.LabelledFrames | future.Contrasts


@dataclasses.dataclass
class Pretrained:
    """A result, the weights that it speaks of, and the windows or frames that nobody trained on.

    ``model`` is the whole network with the weights that were kept, on the device it was trained on; ``weights`` are
    those that fine-tuning can start from.
    """

    result: results.Result
    weights: dict[str, torch.Tensor]
    facts: dict
    test: Part
    model: torch.nn.Module


def run(config: PretrainConfig, report: loop.Report = None, command: str | None = None,
        experiment: str = "pretrain", key: str | None = None) -> Pretrained:
    """Pretrain as ``config`` says; nothing is saved yet. Raises EcgtlError for anything a user can mend."""
    seconds = results.clock()
    plan = config.plan()
    config, device = plan.config, plan.device
    sources, whole, parts = distributed.after_first(lambda: _prepared(config))
    torch.manual_seed(config.seed)
    model = network(config).to(device)
    state = training_state({"pretrain": dataclasses.asdict(config), "digests": list(digests(sources).values())},
                           device)
    fit = _fit(plan, model, parts, state, report)
    model.load_state_dict(fit.weights)
    validation, top = distributed.from_first(
        lambda: [_scores(plan, model, parts[name]) for name in ("validation", "test")])
    if config.objective == "reconstruction":
        top = {"mse_sum": top["summed"], "mse_sample": top["per_sample"], "r2": top["r2"]}
    data = _data(config, sources, parts) | {"skipped": _skipped(sources, whole, parts)}
    chosen = {"validation": validation, "epoch": loop.best_epoch(fit.history, plan.config.rules.select_on)}
    upstream = "synthetic" if config.tier == "demo" else "substitute"
    made = results.Result(experiment, key or key_of(config), config.portable(),
                          {"upstream": upstream, "target": "none", "leads": upstream}, top | chosen,
                          fit.history, data, {"none": np.zeros(0, np.uint8)},
                          results.provenance(str(device), seconds(), config.seed, torch.get_num_threads(), command))
    weights = loop.weights_of(model.encoder) if isinstance(model, FuturePredictor) else fit.weights
    return Pretrained(made, weights, _facts(config, made), parts["test"], model)


def _prepared(config: PretrainConfig) -> tuple[list[datasets.Recordings], Windows | Frames, dict[str, Part]]:
    sources = read(config)
    whole = whole_of(config, sources)
    return sources, whole, parts_of(config, whole)


def read(config: PretrainConfig) -> list[datasets.Recordings]:
    """The source databases, of a large one each patient: their twins in tier demo, the real recordings otherwise."""
    place = config.root or None, config.tier == "demo"
    return [source for name in config.source_names for source in datasets.sources(name, *place, on_bad=config.on_bad)]


def digests(sources: list[datasets.Recordings]) -> dict[str, str]:
    """Of each database in ``sources`` the digest of all that was read of it."""
    return {name: one_digest([one.digest for one in _of(name, sources)])
            for name in dict.fromkeys(source.name for source in sources)}


def _of(name: str, sources: list[datasets.Recordings]) -> list[datasets.Recordings]:
    return [source for source in sources if source.name == name]


def whole_of(config: PretrainConfig, sources: list[datasets.Recordings]) -> Windows | Frames:
    """What a resolved ``config`` learns from, before it is divided, without any recording of a later test set.

    For a task of labels also without the recordings that nobody has annotated, in a source that has annotations.
    """
    exclude = held_out(sources)
    if config.objective == "reconstruction":
        return unlabelled(sources, config.seconds, config.sampling_rate, config.per_subject, config.seed, exclude,
                          highpass=config.highpass or None)
    span = future.span_of(config.context, config.offset) if config.objective == "future" else 1
    if config.objective in frame_labels.TASKS:
        exclude |= {name: [*exclude.get(name, ()), *frame_labels.unmarked(config.objective, *_of(name, sources))]
                    for name in digests(sources)}
    return sampled(sources, config.seconds, config.sampling_rate, span, exclude)


def parts_of(config: PretrainConfig, whole: Windows | Frames) -> dict[str, Part]:
    """Training, validation and test set out of ``whole``: no subject is in two."""
    train, validation, test = whole.split(config.validation, config.test, config.seed)
    if isinstance(train, Windows) and config.windows is not None:
        train = train.sample(config.windows, config.seed)
    whole_set = len(train.subjects)
    if isinstance(train, Frames):
        train = train.limited(config.subjects, config.minutes, config.seed)

    def examples(part) -> Part:
        of = len(train.subjects) if part is train else whole_set  # held-out frames stay as many whoever is trained on
        per_subject = config.per_subject if config.per_epoch is None else config.per_epoch / of
        if isinstance(part, Windows):
            return part.materialise()
        if not round(per_subject * len(part.subjects)):
            raise EcgtlError(f"per_epoch is {config.per_epoch}, of which none falls to a set; give more")
        if config.objective == "future":
            return future.Contrasts(part, config.context, config.negatives, config.offset, per_subject,
                                    config.negatives_from)
        return classification.LabelledFrames(part, config.objective, per_subject)

    return {name: examples(part) for name, part in zip(PARTS, (train, validation, test), strict=True)}


def held_out(sources: list[datasets.Recordings]) -> dict[str, list[str]]:
    """Recordings of the labelled sources that later test networks: the test set that every protocol shares."""
    rules = protocol("weimann2021").split
    labelled = [recordings for recordings in sources if recordings.classes]
    parts = {r.name: splits.stratified(r, rules.validation, rules.test, 0, rules.test_seed).test for r in labelled}
    return {r.name: r.ids[parts[r.name]].tolist() for r in labelled}


def network(config: PretrainConfig) -> torch.nn.Module:
    """The network that a resolved ``config`` describes, with random weights."""
    if config.objective == "reconstruction":
        return models.build(config.arch, 1, config.features, width=config.width, variant=config.variant)
    n_outputs = len(frame_labels.TASKS[config.objective].classes) if config.objective in frame_labels.TASKS else 1
    model = models.build(config.arch, 1, n_outputs, width=config.width, preactivation=config.variant == "text",
                         stages=stages(config))
    if config.objective == "future":
        return FuturePredictor(model, config.context)  # type: ignore[arg-type]  # whose objective has ResNets alone
    return model


def stages(config: PretrainConfig) -> int:
    """How many of a ResNet's four stages are pretrained: three of ResNet-50 by future prediction (Weimann, Table 4)."""
    return FUTURE_STAGES.get(config.arch, 4) if config.objective == "future" else 4


def _fit(plan: Planned, model: torch.nn.Module, parts: dict[str, Part], state: Path, report) -> loop.TrainResult:
    config = plan.config
    objective = reconstruction if config.objective == "reconstruction" else classification
    adam = CODE_ADAM if config.variant == "code" and objective is classification else {}
    how = loop.TrainConfig(config.epochs, config.batch_size, config.learning_rate, config.patience,
                           "validation_loss", plan.config.rules.select_on, config.precision, config.seed, adam)
    return objective.fit(model, parts["train"], parts["validation"], how, plan.device, state, report)


def _scores(plan: Planned, model: torch.nn.Module, part: Part) -> dict:
    autocast = loop.mixed(plan.config.precision, plan.device)
    if isinstance(part, Windows):
        return reconstruction.errors(model, part, autocast, plan.device)
    return classification.scores(model, part, autocast, plan.device, plan.config.seed)


def save(pretrained: Pretrained, path: Path | None = None) -> tuple[Path, Path]:
    """Write the weights (to ``path``, or where their config's belong), then the result that names their checksum;
    returns both files.
    """
    config = PretrainConfig.of(**pretrained.result.config)
    path = path or weights_file(config)
    checkpoint.save(path, pretrained.weights, pretrained.facts, half=config.arch in config.rules.half)
    pretrained.result.data["weights"] = {"file": path.name, "sha256": checkpoint.checksum(path)}
    return path, results.save(pretrained.result)


def weights_file(config: PretrainConfig) -> Path:
    """Where the checkpoint of a resolved ``config`` goes: what ``init`` finds by its word, or a file of its own.

    The word stands for the frame that the protocol's table gives the objective; other configurations of Table 1, other
    sources and other parameters are given to ``init`` by their path.
    """
    path, details = starts.weights_path(_word(config), config.arch, config.tier), _details(config)
    other = "" if _details(_usual(config)) == details else f"-{details}"
    return path.with_stem(f"{path.stem}{other}{_own(config, NAMED)}")


def key_of(config: PretrainConfig) -> str:
    """File name of a pretraining run."""
    own = _own(config, (*NAMED, "width", "seed"))
    return f"{_word(config)}-{config.arch}-{config.tier}-width{config.width}-{_details(config)}-seed{config.seed}{own}"


def _word(config: PretrainConfig) -> str:
    """What ``init`` takes for the checkpoint."""
    return "cae" if config.objective == "reconstruction" else config.objective


def _usual(config: PretrainConfig) -> PretrainConfig:
    """What the protocol's table has for the objective and tier of ``config``."""
    return PretrainConfig.of(objective=config.objective, tier=config.tier).resolved()


def _own(config: PretrainConfig, named: tuple[str, ...]) -> str:
    """A hash of the parameters that differ from the table and are not ``named`` in the file's name; empty for none.

    So that a run on a reader's own recordings never replaces what came with the package. Tier demo lies elsewhere, and
    is made anew all the time.
    """
    usual = dataclasses.asdict(_usual(config))
    differs = {name: value for name, value in dataclasses.asdict(config).items()
               if value != usual[name] and name not in (*named, "root", "device")}
    return f"-{cache.key_of(differs)[:8]}" if differs and config.tier != "demo" else ""


def _details(config: PretrainConfig) -> str:
    """What tells configurations of one objective apart, for file names."""
    if config.frame is None:
        return str(config.variant)
    found = f"frame{config.frame}"
    if config.objective == "future":
        found += f"-context{config.context}-negatives{config.negatives}-offset{config.offset}"
        found += "" if config.negatives_from == "data" else f"-{config.negatives_from}"
    return found if config.variant == "text" else f"{found}-{config.variant}"


def _skipped(sources: list[datasets.Recordings], whole: Windows | Frames, parts: dict[str, Part]) -> dict[str, int]:
    """What was left out, by reason: of the sources when they were read, of ``whole``, which every part repeats, and of
    the parts.
    """
    total = Counter(whole.skipped)
    for source in sources:
        total += Counter({reason: len(names) for reason, names in source.skipped.items()})
    for part in parts.values():
        total += Counter(part.skipped) - Counter(whole.skipped)
    return dict(total)


def _data(config: PretrainConfig, sources: list[datasets.Recordings], parts: dict) -> dict:
    """The sources, and what each part holds: windows, or frames an epoch, and subjects."""
    versions, known = {s.name: s.version for s in sources}, digests(sources)
    data = {"name": "+".join(versions), "version": "+".join(versions.values()), "digest": cache.key_of(known),
            "sources": {name: {"version": version, "digest": known[name],
                               "recordings": sum(map(len, _of(name, sources)))} for name, version in versions.items()}}
    sizes = {name: len(part) for name, part in parts.items()}
    if config.objective == "reconstruction":
        return data | {"windows": sizes, "subjects": {name: len(part.subjects) for name, part in parts.items()}}
    statistics = parts["train"].frames.statistics
    data |= {"frames": sizes, "subjects": {name: len(part.frames.subjects) for name, part in parts.items()},
             "standardised_by": {name: {"mean": mean, "sd": sd} for name, (mean, sd) in statistics.items()}}
    return data | ({"counts": parts["train"].counts(config.seed, 1)} if config.objective in frame_labels.TASKS else {})


def _facts(config: PretrainConfig, result: results.Result) -> dict:
    """What the checkpoint says of itself."""
    own = ({"mse_sum": result.scores["mse_sum"]} if config.objective == "reconstruction" else
           {"accuracy": result.scores["accuracy"], "frame": config.frame, "context": config.context,
            "negatives": config.negatives, "offset": config.offset})
    return {"arch": config.arch, "width": config.width, "variant": config.variant, "in_channels": 1,
            "sampling_rate": config.sampling_rate, "seconds": config.seconds, "objective": config.objective,
            "highpass": config.highpass, "stages": stages(config), "sources": list(config.source_names),
            "tier": config.tier, "synthetic": config.tier == "demo", "seed": config.seed,
            "licence": _licence(config), **own}


def _licence(config: PretrainConfig) -> str:
    """What binds whoever uses the weights: the strictest of the sources'."""
    if config.tier == "demo":
        return MADE_LICENCE
    if config.sources == config.rules.sources:
        return config.rules.licence
    known = catalogue.entries()
    names = [known[name].licence if name in known else "that of the sources" for name in config.source_names]
    return checkpoint.strictest(*names)
