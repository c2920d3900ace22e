"""Features of one's own recordings: what a pretrained encoder makes of each of their windows.

    from ecgtl import features
    encoder = features.load("cae")
    found = encoder.of_folder("my/records", lead="II")

A recording is cut into windows of the length and at the sampling rate that the encoder knows, one after the
other; what remains at its end is not used. Windows are resampled, freed of baseline wander (unless the
encoder was trained with it) and z-scored as in pretraining (``ecgtl.datasets.windows``; Jang 2021, section
II.2), so the unit of a signal does not matter.
What cannot be encoded is left out and counted in ``Features.skipped``: a recording shorter than a window or
without the chosen lead or with a damaged file, a window with missing samples in it or within the 4 s that its
filter looks at on either side, a flat window. Nothing left is an EcgtlError. One recording is held in memory
at a time, and of a long one no more than some windows.
"""

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from ecgtl import paths
from ecgtl.config import protocols, starts
from ecgtl.datasets import arrays, folder, leads
from ecgtl.datasets.cache import write_atomic
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.formats import Given
from ecgtl.datasets.recordings import Recordings, alone, counted
from ecgtl.datasets.wfdb_files import BLOCK
from ecgtl.errors import EcgtlError, note
from ecgtl.jobs.inputs import rules_of
from ecgtl.models import checkpoint
from ecgtl.models.cae import N_SAMPLES
from ecgtl.signals.windows import unlabelled
from ecgtl.spreadsheet import STDOUT, as_csv, check_out, write_table
from ecgtl.training import loop

ARCHS = ("cae", "cae_classifier")  # a ResNet's input is prepared otherwise, with its data set's statistics
BATCH = 128  # windows encoded at a time
SHORT = "recording shorter than a window"

# Name of the recording, its samples (samples, 1) or the record to read them from, sampling rate in Hz
Signal = tuple[str, Any, float]


def load(name: str | Path = "cae", tier: str = "reduced") -> "Encoder":
    """The pretrained encoder that ``name`` stands for, ready to use on ``ECGTL_DEVICE``.

    Parameters
    ----------
    name : str or path
        ``cae``, the autoencoder that comes with this package, or the path of a .safetensors checkpoint of an
        autoencoder or of a classifier with the same encoder.
    tier : {"demo", "reduced", "paper"}
        Of the autoencoder ``cae``.

    Returns
    -------
    Encoder
        Its ``of_folder``, ``of_array`` and ``of_recordings`` give ``Features``: (windows, n_features), float32, with
        the record and the start in seconds of each window.

    Raises
    ------
    EcgtlError
        When there is none, for a damaged file and for a network of another kind.

    Examples
    --------
    >>> encoder = load("cae", tier="demo")
    >>> encoder.sampling_rate, encoder.n_features
    (250.0, 60)
    """
    path = _file(str(name), tier)
    weights, facts = checkpoint.load(path)
    facts = replace(facts, protocol=facts.stored.get("protocol", "jang2021"))  # an autoencoder names none
    _check_facts(facts, path)
    last = weights.get("encoder.bottleneck.2.bias")
    if last is None:
        raise EcgtlError(f"checkpoint {path} holds no encoder; make or download it again")
    weights, n_features = {name: t for name, t in weights.items() if name.startswith("encoder.")}, last.numel()
    weights |= {"output.weight": torch.zeros(1, n_features), "output.bias": torch.zeros(1)}  # which are not used
    classifier = replace(facts, arch="cae_classifier", classes=("none",))
    model = checkpoint.network(path, weights, classifier, features=n_features)
    return Encoder(model, facts, loop.pick_device())


class Encoder:
    """A pretrained encoder and the windows that it knows: ``seconds`` long, at ``sampling_rate`` Hz.

    ``n_features`` numbers a window; ``facts`` is what the checkpoint says of itself (architecture, sources,
    licence, ...).
    """

    def __init__(self, model: nn.Module, facts: checkpoint.CheckpointFacts, device: torch.device):
        self.facts, self.n_features = facts, model.n_features
        self.sampling_rate, self.seconds = float(facts.sampling_rate), float(facts.seconds)
        self._highpass = (rules_of(facts).highpass if facts.highpass is None else facts.highpass) or None
        self._model, self._device = model.to(device).eval(), device

    @torch.inference_mode()
    def encode(self, windows: np.ndarray) -> np.ndarray:
        """Features (n, n_features), float32, of prepared windows (n, 1, samples), float32."""
        parts = [self._model.features(part.to(self._device)).cpu()  # type: ignore[operator]
                 for part in torch.from_numpy(np.ascontiguousarray(windows)).split(BATCH)]
        return torch.cat(parts).numpy()

    def of_folder(self, root: str | Path, lead: str | int | None = None, rate: float = 0.0,
                  unit: str = "") -> "Features":
        """Features of all records in ``root`` and its sub-folders, of any format and sampling rate.

        ``lead`` is a name or an index from 0; records of one lead need none. ``rate`` (Hz) and ``unit`` are those of
        files that do not say theirs. A record is named by its path below ``root``, without suffix.

        Raises EcgtlError for several leads without a choice, and when nothing
        can be encoded.
        """
        collector, root = _collector(), paths.given(root)
        try:
            return self._of(_folder_signals(root, lead, collector, Given(rate, unit)), collector, str(root))
        finally:
            for line in collector.lines():
                note(line)

    def of_array(self, x: np.ndarray, sampling_rate: float) -> "Features":
        """Features of the recordings in ``x``, (recordings, samples) or (samples,), at ``sampling_rate`` Hz.

        Any unit will do. A recording is named by its row, counted from 0. Missing samples are NaN. Nobody
        knows a millivolt here, so a window counts as flat when its standard deviation is below a thousandth
        of its recording's. Raises EcgtlError for another shape or rate, and when nothing can be encoded.
        """
        rows = _rows(x)
        arrays.check_rate(sampling_rate)
        signals = ((str(i), _scaled(row)[:, np.newaxis], float(sampling_rate)) for i, row in enumerate(rows))
        return self._of(signals, _collector(), f"the array of shape {np.shape(x)} at {sampling_rate:g} Hz")

    def of_recordings(self, recordings: Recordings, lead: str | int | None = None) -> "Features":
        """Features of any data set that ``ecgtl.datasets.load`` reads; ``lead`` as in ``of_folder``."""
        if lead is None and recordings.leads.shape[1] > 1:
            raise EcgtlError(f"{recordings.name} has the leads {', '.join(recordings.leads[0])}; choose "
                             "one by name or index (lead II, say)")
        signals = ((str(name), recordings.lead(i, lead or 0)[:, np.newaxis], float(recordings.sampling_rate[i]))
                   for i, name in enumerate(recordings.ids))
        return self._of(signals, _collector(), recordings.name)

    def _of(self, signals: Iterable[Signal], collector: Collector, where: str) -> "Features":
        """Features of ``signals``; what is left out is counted by ``collector``, as others have done."""
        skipped, found, values = collector.skipped, [], []
        windows = self._windows(signals, skipped)
        while batch := list(islice(windows, BATCH)):
            found += [(record, start) for record, start, _ in batch]
            values.append(self.encode(np.stack([window for _, _, window in batch])))
        if not values:
            advice = (collector.first_skipped or
                      f"give recordings of at least {self.seconds:g} s that are neither flat nor incomplete")
            raise EcgtlError(f"{where} holds nothing to encode ({_counted(skipped)}); {advice}")
        records, starts = map(np.array, zip(*found, strict=True))
        return Features(records, starts, np.concatenate(values), dict(skipped))

    def _windows(self, signals: Iterable[Signal],
                 skipped: dict[str, list[str]]) -> Iterator[tuple[str, float, np.ndarray]]:
        """Recording, start in seconds and samples (1, samples) of each usable window."""
        for record, signal, rate in signals:
            try:
                windows = unlabelled([alone(record, signal, rate, ["signal"])], self.seconds, self.sampling_rate,
                                     highpass=self._highpass)
            except EcgtlError:  # its one lead and the encoder's sizes are right: only the length can be wrong
                skipped[SHORT].append(record)
                continue
            together = max(1, min(BATCH, round(BATCH * 1000 / rate)))  # what is read for them grows with the rate
            for first in range(0, len(windows), together):
                indices, usable = windows.usable(np.arange(first, min(first + together, len(windows))))
                for (_, _, start), window in zip(windows.origin(indices), usable, strict=True):
                    yield record, start, window
            for reason, count in windows.skipped.items():
                skipped[reason] += [record] * count


@dataclass(frozen=True, eq=False)
class Features:
    """Row k describes the window of recording ``record[k]`` that begins ``start[k]`` seconds into it.

    ``record`` (n,) names; ``start`` (n,) s; ``values`` (n, n_features) float32; ``skipped`` reason ->
    recordings, each as often as windows of it were left out.
    """

    record: np.ndarray
    start: np.ndarray
    values: np.ndarray
    skipped: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.record)

    def __str__(self) -> str:
        left_out = f"; left out: {_counted(self.skipped)}" if self.skipped else ""
        return (f"{len(self)} windows of {len(np.unique(self.record))} recordings, "
                f"{self.values.shape[1]} features each{left_out}")

    def table(self) -> pd.DataFrame:
        """One row a window: ``record``, ``start``, and the features ``f0``, ``f1``, ..."""
        values = pd.DataFrame(self.values, columns=[f"f{k}" for k in range(self.values.shape[1])])
        return pd.concat([pd.DataFrame({"record": self.record, "start": self.start}), values], axis=1)

    def to_csv(self, path: str | Path) -> None:
        """Write ``table`` as CSV; the file is whole or not there. Raises EcgtlError where ``paths.output`` has one."""
        write_atomic(paths.output(path), as_csv(self.table()))


def write(root: str, out: str, name: str = "cae", tier: str = "reduced", lead: str | int | None = None,
          rate: float = 0.0, unit: str = "") -> None:
    """The command ``python -m ecgtl features``: features of the records in ``root`` to ``out``, as of ``write_table``.

    What was encoded and what was left out is printed. Raises EcgtlError as ``load`` and ``Encoder.of_folder`` do, and
    for an ``out`` that cannot be a file, before anything is read.
    """
    check_out(out)
    found = load(name, tier).of_folder(root, lead, rate, unit)
    write_table(found.table(), out, decimals=None)
    print(f"{found}\nwritten: {out}", file=sys.stderr if out == STDOUT else sys.stdout)


def _file(name: str, tier: str) -> Path:
    """The checkpoint that ``name`` stands for."""
    if name.endswith(".safetensors"):
        if tier != "reduced":
            raise EcgtlError(f"tier is {tier!r}, which would have no effect: {name} is a file; leave it away")
        return paths.given(name)
    if name != "cae":
        raise EcgtlError(f"unknown checkpoint {name!r}; allowed: cae, or the path of a .safetensors file")
    path = starts.stored_weights(name, name, tier) or starts.stored_weights(f"{name}-seed0", name, tier)
    if path is None:
        raise EcgtlError(f"there is no checkpoint {name} of tier {tier} yet ({starts.weights_path(name, name, tier)} "
                         "is missing); choose another tier, or give the path of a .safetensors file")
    return path


def _check_facts(facts: checkpoint.CheckpointFacts, path: Path) -> None:
    z_scored = facts.protocol in protocols() and rules_of(facts).standardise == "window"
    if not z_scored or (facts.arch in ARCHS, facts.in_channels, facts.n_samples) != (True, 1, N_SAMPLES):
        raise EcgtlError(f"checkpoint {path} holds a {facts.arch} with in_channels={facts.in_channels} by the protocol "
                         f"{facts.protocol}, for {facts.seconds:g} s at {facts.sampling_rate:g} Hz; features are made "
                         f"by {' or '.join(ARCHS)}, of one lead, {N_SAMPLES} samples at a time, z-scored window "
                         "by window, so choose another checkpoint")


def _folder_signals(root: Path, lead: str | int | None, collector: Collector, given: Given) -> Iterator[Signal]:
    """The chosen lead of each record below ``root``, in mV; long ones stay on the disk."""
    leads.check_lead(lead)
    for one in folder.records(root, lead, collector, given):
        if len(one.columns) > 1:
            raise EcgtlError(f"{one.path} has {len(one.columns)} leads ({leads.listed(one.leads)}); choose one by "
                             "name or index (lead II, say)")
        yield one.id, one.millivolts() if len(one) <= BLOCK else one, one.sampling_rate


def _collector() -> Collector:
    return Collector(folder.NAME, folder.VERSION, classes=(), on_bad="skip")


def _rows(x: np.ndarray) -> np.ndarray:
    """``x`` as (recordings, samples); EcgtlError for anything else."""
    try:
        x = x if isinstance(x, np.ndarray) else np.asarray(x)
    except ValueError:
        raise EcgtlError("the recordings differ in length; give one array (samples,) at a time") from None
    if x.dtype.kind not in "iuf" or x.ndim not in (1, 2) or x.size == 0:
        advice = "; choose a lead, e.g. x[:, 1]" if x.ndim == 3 else ""
        raise EcgtlError(f"the array has shape {x.shape} and type {x.dtype}; give numbers of shape (recordings, "
                         f"samples) or (samples,){advice}")
    return x.reshape(-1, x.shape[-1])


def _scaled(row: np.ndarray) -> np.ndarray:
    """One recording, mean 0 and standard deviation 1 (0 where it is constant), float32, NaN where missing.

    Windows below a thousandth of that are flat to ``ecgtl.datasets.windows``, whose unit is the millivolt.
    """
    row = np.where(np.isfinite(row), row, np.nan).astype(np.float64)
    if np.isnan(row).all():
        return row.astype(np.float32)
    row -= np.nanmean(row)
    return (row / (np.nanstd(row) or 1.0)).astype(np.float32)


def _counted(skipped: dict[str, list[str]]) -> str:
    return "; ".join(f"{reason}: {counted(records)}" for reason, records in skipped.items()) or "it is empty"
