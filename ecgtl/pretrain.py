"""The job that makes checkpoints: ``run(config) -> Pretrained``, for the notebook, the command line and tests alike."""

import dataclasses
import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ecgtl import datasets, models, paths, results, splits, training
from ecgtl.config import PretrainConfig, protocol
from ecgtl.datasets import cache
from ecgtl.datasets.windows import Windows, unlabelled
from ecgtl.finetune import weights_path
from ecgtl.models import checkpoint
from ecgtl.pretraining import reconstruction
from ecgtl.results import Result

MADE_LICENCE = "CC BY 4.0"  # of weights that have seen made data only
INITS = {"reconstruction": "cae"}  # objective -> the word that ``init`` takes for its checkpoint


@dataclass
class Pretrained:
    """A result, the weights that it speaks of, and the windows that nobody trained on."""

    result: Result
    weights: dict[str, torch.Tensor]
    facts: dict
    test: Windows


def run(config: PretrainConfig, report: Callable[[dict], None] | None = None, command: str | None = None,
        experiment: str = "pretrain", key: str | None = None) -> Pretrained:
    """Pretrain as ``config`` says; nothing is saved yet. Raises EcgtlError for anything a user can mend."""
    began = time.perf_counter()
    results.code_state()
    config = config.resolved()
    device = training.pick_device(config.device if config.device != "auto" else paths.device())
    sources = read(config)
    windows = windows_of(config, sources)
    train, validation, test = windows.split(config.validation, config.test, config.seed)
    train = train if config.windows is None else train.sample(config.windows, config.seed)
    train, validation, test = (part.materialise() for part in (train, validation, test))
    torch.manual_seed(config.seed)
    model = network(config)
    recipe = training.Recipe(config.epochs, config.batch_size, config.learning_rate, config.patience, "validation_loss",
                             "validation_loss", config.precision, config.seed)
    parts = {"train": train, "validation": validation, "test": test}
    state = _state_file(config, sources)
    fit = reconstruction.fit(model, train, validation, recipe, device, state, report)
    model.load_state_dict(fit.weights)
    scores = {name: reconstruction.errors(model, part, training.mixed(config.precision, device), device)
              for name, part in (("validation", validation), ("test", test))}
    provenance = results.provenance(str(device), time.perf_counter() - began, config.seed, torch.get_num_threads(), command)
    return _pretrained(config, experiment, key or key_of(config), sources, parts, _skipped(windows, parts), fit, scores, provenance)


def read(config: PretrainConfig) -> list[datasets.Recordings]:
    """The source databases: their twins in tier demo, the real recordings otherwise."""
    twin = config.tier == "demo"
    return [datasets.load(name, config.root or None if not twin else None, twin) for name in config.source_names]


def windows_of(config: PretrainConfig, sources: list[datasets.Recordings]) -> Windows:
    """Unlabelled windows of all sources, without any recording that a later test part holds."""
    return unlabelled(sources, config.seconds, config.sampling_rate, config.per_subject, config.seed, held_out(sources),
                      highpass=config.highpass or None)


def held_out(sources: list[datasets.Recordings]) -> dict[str, list[str]]:
    """Recordings of the labelled sources that later test networks: the test part that every protocol shares."""
    rules = protocol("weimann2021")["split"]
    labelled = [recordings for recordings in sources if recordings.classes]
    parts = {r.name: splits.stratified(r, rules["validation"], rules["test"], 0, rules["test_seed"]).test for r in labelled}
    return {r.name: r.ids[parts[r.name]].tolist() for r in labelled}


def save(pretrained: Pretrained) -> tuple[Path, Path]:
    """Write the weights, then the result that names their checksum; returns both files."""
    config = pretrained.result.config
    path = weights_path(INITS[config["objective"]], config["arch"], config["tier"])
    checkpoint.save(path, pretrained.weights, pretrained.facts)
    pretrained.result.data["weights"] = {"file": path.name, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    return path, results.save(pretrained.result)


def _state_file(config: PretrainConfig, sources: list[datasets.Recordings]) -> Path:
    parts = {"pretrain": dataclasses.asdict(config), "digests": [s.digest for s in sources], "torch": torch.__version__}
    return paths.cache() / "unfinished" / f"{cache.key_of(parts)}.pt"


def _skipped(whole: Windows, parts: dict[str, Windows]) -> dict[str, int]:
    """Recordings left out of ``whole``, which every part repeats, and windows left out of the parts, by reason."""
    total = Counter(whole.skipped)
    for part in parts.values():
        total += Counter(part.skipped) - Counter(whole.skipped)
    return dict(total)


def _pretrained(config: PretrainConfig, experiment: str, key: str, sources, parts: dict[str, Windows], skipped: dict,
                fit: training.Fit, scores: dict, provenance: dict) -> Pretrained:
    config_dict = dataclasses.asdict(config) | ({"root": Path(config.root).name} if config.root else {})
    data = {"name": "+".join(s.name for s in sources), "version": "+".join(s.version for s in sources),
            "digest": cache.key_of({s.name: s.digest for s in sources}),
            "sources": {s.name: {"version": s.version, "digest": s.digest, "recordings": len(s)} for s in sources},
            "windows": {name: len(part) for name, part in parts.items()},
            "subjects": {name: len(part.subjects) for name, part in parts.items()},
            "skipped": skipped}
    upstream = "synthetic" if config.tier == "demo" else "substitute"
    best = training.best_epoch(fit.history, "validation_loss")
    result = Result(experiment, key, config_dict, {"upstream": upstream, "target": "none", "leads": upstream},
                    {"mse_sum": scores["test"]["summed"], "mse_sample": scores["test"]["per_sample"],
                     "r2": scores["test"]["r2"], "validation": scores["validation"], "epoch": best},
                    fit.history, data, {"none": np.zeros(0, np.uint8)}, provenance)
    table = protocol(config.protocol)["pretraining"]
    facts = {"arch": config.arch, "width": config.width, "variant": config.variant, "in_channels": 1,
             "sampling_rate": config.sampling_rate, "seconds": config.seconds, "objective": config.objective,
             "highpass": config.highpass, "sources": list(config.source_names), "tier": config.tier, "synthetic": config.tier == "demo",
             "mse_sum": result.scores["mse_sum"], "licence": MADE_LICENCE if config.tier == "demo" else table["licence"]}
    return Pretrained(result, fit.weights, facts, parts["test"])


def network(config: PretrainConfig) -> torch.nn.Module:
    """The autoencoder that a resolved ``config`` describes, with random weights."""
    return models.build(config.arch, 1, config.features, width=config.width, variant=config.variant)


def restored(pretrained: Pretrained) -> torch.nn.Module:
    """The autoencoder with the weights that were kept, on the CPU."""
    model = network(PretrainConfig.of(**pretrained.result.config))
    model.load_state_dict(pretrained.weights)
    return model


def key_of(config: PretrainConfig) -> str:
    """File name of a pretraining run."""
    return f"{INITS[config.objective]}-{config.arch}-{config.tier}-width{config.width}-{config.variant}-seed{config.seed}"
