"""Squared errors of the autoencoder on windows that it has not seen, measured once for Jang 2021's Figure 4."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

from ecgtl import results
from ecgtl.config import TIERS, PretrainConfig
from ecgtl.config.starts import weights_path
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError
from ecgtl.jobs import pretrain
from ecgtl.models import checkpoint
from ecgtl.models.cae import summed_squared_error
from ecgtl.results import MEASURED, Result
from ecgtl.signals.windows import Windows
from ecgtl.training import loop

PROGRAM = "python -m ecgtl measure reconstruction-errors"
ARRAYS = ("error", "deviation", "source", "subject")
TOLERANCE = 0.01  # of the stored error: other hardware rounds otherwise, other windows differ by more


@dataclass(frozen=True)
class HeldOut:
    """Windows that nobody trained on, the recordings they come from, and the autoencoder to show them to.

    ``origins`` has a row a window: ``database``, ``record``, ``start`` (s), ``subject`` and name of the ``lead``.
    """

    windows: Windows
    sources: list[Recordings]
    model: nn.Module
    origins: pd.DataFrame


def _files(tier: str) -> tuple[Path, Path]:
    """Result and weights of the tier's autoencoder: of ``cae-seed0`` where it has been made, else of ``cae``."""
    seeded = results.path_of("jang2021-seeds", f"cae-seed0-{tier}", tier)
    if seeded.is_file():
        return seeded, weights_path("cae-seed0", "cae", tier)
    key = pretrain.key_of(PretrainConfig.of(tier=tier).resolved())
    return results.path_of("pretrain", key, tier), weights_path("cae", "cae", tier)


def autoencoder(tier: str) -> Result | None:
    """The result of the autoencoder whose errors a tier's page shows; None without any."""
    return results.done(_files(tier)[0])


def pretrained(tier: str) -> Result:
    """The result of the tier's own autoencoder.

    Raises EcgtlError when it or its weights are absent, or when they are no pair.
    """
    path, weights = _files(tier)
    if not (path.is_file() and weights.is_file()):
        raise EcgtlError(f"there is no autoencoder of tier {tier}; make one with 'papermill "
                         f"notebooks/pretrain.ipynb out.ipynb -p tier {tier}'")
    result = results.load(path)
    if result.data.get("weights", {}).get("sha256") != checkpoint.checksum(weights):
        raise EcgtlError(f"{weights.name} is not the file that {path.name} speaks of; restore both from git, or "
                         "pretrain again")
    return result


def held_out(result: Result) -> HeldOut:
    """The test set that ``result`` was scored on, read anew from the recordings.

    Raises EcgtlError when recordings are absent or not those of the result.
    """
    config = _config(result)
    sources = pretrain.read(config)
    for name, digest in pretrain.digests(sources).items():
        if digest != result.data["sources"][name]["digest"]:
            raise EcgtlError(f"the recordings of {name} are not those that {result.key} was "
                             f"pretrained on; run 'python -m ecgtl data check {name}'")
    return _test_part(config, sources, result)


def twins(result: Result) -> HeldOut:
    """Windows of synthetic twins, cut as those of ``result``; none of them was ever trained on."""
    asked = _config(result)
    rules = {name: getattr(asked, name) for name in ("sampling_rate", "seconds", "highpass")}
    config = PretrainConfig.of(tier="demo", **rules).resolved()
    return _test_part(config, pretrain.read(config), result)


def _test_part(config: PretrainConfig, sources: list[Recordings], result: Result) -> HeldOut:
    _, _, test = pretrain.whole_of(config, sources).split(config.validation, config.test, config.seed)
    model = pretrain.network(_config(result))
    model.load_state_dict(checkpoint.load(_files(result.config["tier"])[1])[0])
    if not isinstance(test, Windows):
        raise EcgtlError(f"{result.key} has no windows that nobody trained on; pretrain with a share test above 0")
    windows = test.materialise()
    known = pd.concat([pd.DataFrame({
        "database": one.name, "record": one.ids.astype(str), "subject": one.subjects.astype(str),
        "lead": one.leads[:, 0]}) for one in sources])
    origins = pd.DataFrame(windows.origin(np.arange(len(windows))), columns=["database", "record", "start"])
    return HeldOut(windows, sources, model.eval(), origins.merge(known, "left"))


def _config(result: Result) -> PretrainConfig:
    """Of a pretraining; a parameter that is younger than the result has its protocol's value."""
    return PretrainConfig.of(**result.config).resolved()


@torch.no_grad()
def squared_errors(model: nn.Module, windows: Windows, precision: str = "float32") -> np.ndarray:
    """Summed squared error, and summed squared deviation from the mean, of each window: (2, n) float64.

    ``precision`` as in ``loop.pick_precision``. Source: Jang 2021, section II.3.1 (a sum, not a mean).
    """
    found = []
    for batch in windows.batches(loop.EVALUATION_BATCH):
        x = torch.from_numpy(batch)
        with loop.mixed(precision, torch.device("cpu")):
            made = model(x)
        deviation = np.square(batch - batch.mean(axis=-1, keepdims=True), dtype=np.float64).sum(axis=(1, 2))
        found.append((summed_squared_error(x, made).double().numpy(), deviation))
    return np.concatenate(found, axis=1)


def measure(tier: str = "reduced") -> Result:
    """Errors of the autoencoder on every held-out window, not yet saved.

    ``arrays``: ``error`` and ``deviation`` (n,) float32, ``source`` (n,) into ``data["order"]``, ``subject``
    (n,) numbered in the order of the windows. Raises EcgtlError when the mean is not that of the pretraining.
    """
    seconds = results.clock()
    trained = pretrained(tier)
    found = held_out(trained)
    error, deviation = squared_errors(found.model, found.windows, trained.config["precision"])
    stored = trained.scores["mse_sum"]
    if abs(error.mean() - stored) > TOLERANCE * stored:
        raise EcgtlError(f"the errors average {error.mean():.1f}, {trained.key} has {stored:.1f}: these are "
                         "not its windows or weights; pretrain again")
    source, order = pd.factorize(found.origins["database"])
    subject = found.origins.groupby(["database", "subject"], sort=False).ngroup()
    arrays = {"error": error.astype(np.float32), "deviation": deviation.astype(np.float32),
              "source": source.astype(np.uint8), "subject": subject.to_numpy(np.uint32)}
    data = {name: trained.data[name] for name in ("name", "version", "digest", "weights")}
    data |= {"order": [*order], "windows": len(error), "subjects": int(subject.nunique()), "pretraining": trained.key}
    scores = {"mse_sum": float(error.mean()), "r2": float(1 - error.sum() / deviation.sum())}
    provenance = results.provenance("cpu", seconds(), trained.config["seed"], torch.get_num_threads(),
                                    f"{PROGRAM} --tier {tier}")
    return Result(MEASURED, _key(tier), trained.config, trained.evidence, scores, [], data, arrays, provenance)


def load(wanted: str = "best") -> Result:
    """The errors that ``measure`` stored of the ``wanted`` tier, or the best one.

    Raises EcgtlError when absent, damaged or of other weights.
    """
    paths = {tier: results.path_of(MEASURED, _key(tier), tier) for tier in reversed(TIERS) if wanted in ("best", tier)}
    tier, path = next(((tier, path) for tier, path in paths.items() if path.is_file()), (wanted, None))
    again = f"run '{PROGRAM}{'' if tier == 'best' else f' --tier {tier}'}'"
    if path is None:
        raise EcgtlError(f"the errors of tier {tier} have not been measured; {again}")
    measured, trained = results.load(path), pretrained(tier)
    lengths = {name: len(array) for name, array in measured.arrays.items()}
    if set(lengths) != set(ARRAYS) or len(set(lengths.values())) != 1:
        raise EcgtlError(f"{path} does not hold the errors of windows; {again}")
    if any(measured.data[name] != trained.data[name] for name in ("weights", "digest")):
        raise EcgtlError(f"{path} was measured with other weights or recordings than those of {trained.key}; {again}")
    return measured


def _key(tier: str) -> str:
    return f"jang2021-figure4-{_files(tier)[1].stem}"
