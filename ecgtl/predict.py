"""Class probabilities of the reader's own recordings, from a fine-tuned checkpoint: ``python -m ecgtl predict``."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtl import filters, paths, training
from ecgtl.config import input_rules, protocol, protocols
from ecgtl.datasets import folder
from ecgtl.datasets.base import Recordings
from ecgtl.datasets.cache import write_atomic
from ecgtl.errors import EcgtlError
from ecgtl.models import checkpoint
from ecgtl.spreadsheet import as_csv

NEEDED = ("classes", "leads", "mean", "sd", "protocol", "multi_label", "dataset", "synthetic")
CHUNK = 256  # recordings whose inputs are in memory at a time


def predict(weights: str | Path, root: str | Path, lead: str | int | None = None, device: str = "auto",
            report: Callable[[str], None] = print) -> pd.DataFrame:
    """Probabilities of every WFDB record below ``root``: one row a recording, in the order of their names.

    Columns: ``record``, ``leads``, ``sampling_rate`` (Hz), ``seconds`` (of the recording), ``seconds_used``,
    ``probability_<class>``, and ``predicted``: the class with the highest probability, or for several labels those of
    at least 0.5, with semicolons between. Inputs are made as in the checkpoint's training: resampled to its rate,
    standardised with the mean and SD of its training data (or each window by itself, as its protocol says), cut or
    zero-padded to its length.

    ``lead`` is taken where the checkpoint is of one lead (default: the lead that it was trained on). What is read, how
    it is changed and what is left out is told line by line to ``report``. Raises EcgtlError for a checkpoint that is
    not of a fine-tuned network, for recordings without the leads that it needs, and when no recording is left.
    """
    state, facts = checkpoint.load(Path(weights))
    _check(facts, weights)
    report(f"checkpoint: {facts['arch']} trained on {facts['dataset']}{' (synthetic)' if facts['synthetic'] else ''}, "
           f"{facts['sampling_rate']:g} Hz, {facts['seconds']:g} s, {_names(facts['leads'])}; "
           f"classes: {', '.join(facts['classes'])}")
    recordings, leads = _recordings(paths.given(root), facts, lead, report)
    recordings = _long_enough(recordings, facts, report)
    network = checkpoint.network(Path(weights), state, facts)
    place = training.pick_device(device)
    p = np.concatenate([training.predict(network, x, place, facts["multi_label"]) for x in _inputs(recordings, facts, leads)])
    return _table(recordings, facts, leads, p)


def write(table: pd.DataFrame, path: str | Path) -> Path:
    """The table as CSV, whole or not at all; EcgtlError where ``paths.output`` has one."""
    path = paths.output(path)
    write_atomic(path, as_csv(table, "%.5f"))
    return path


def _check(facts: dict, weights: str | Path) -> None:
    if facts["arch"] == "googlenet":
        raise EcgtlError(f"checkpoint {weights} is a linear layer on image features, not a network of signals; give one that "
                         "was fine-tuned with init other than image")
    absent = [name for name in NEEDED if name not in facts]
    if absent:
        raise EcgtlError(f"checkpoint {weights} has no {', '.join(absent)}: it is not of a fine-tuned network; make one with "
                         "'papermill notebooks/finetune.ipynb out.ipynb -p save_weights my.safetensors'")
    if not len(facts["mean"]) == len(facts["sd"]) == facts["in_channels"]:
        raise EcgtlError(f"checkpoint {weights} has not one mean and one SD a lead; it was not written by ecgtl")
    if facts["protocol"] not in protocols():
        raise EcgtlError(f"checkpoint {weights} was trained by the protocol {facts['protocol']}, which this version does not know; "
                         f"known: {', '.join(protocols())}")


def _recordings(root: Path, facts: dict, lead: str | int | None, report) -> tuple[Recordings, tuple[int | str, ...]]:
    """The readable recordings, unlabelled, and the leads of them that the network sees."""
    if facts["in_channels"] > 1 and lead is not None:
        raise EcgtlError(f"the checkpoint sees {_names(facts['leads'])}; leave --lead away")
    if facts["in_channels"] == 1:
        wanted = facts["leads"][0] if lead is None else lead
        try:
            found = folder.read(root, lead=wanted, on_bad="skip", labels=folder.NO_LABELS)
        except EcgtlError as error:
            hint = "" if lead is not None else f" (the checkpoint was trained on lead {wanted}; choose another with --lead)"
            raise EcgtlError(f"{error}{hint}") from None
        leads: tuple[int | str, ...] = (0,)
    else:
        found, leads = folder.read(root, on_bad="skip", labels=folder.NO_LABELS), tuple(facts["leads"])
        for name in leads:
            found.lead_index(0, name)  # raises, naming the leads that there are
    for reason, ids in found.skipped.items():
        report(f"left out, {reason}: {len(ids)} ({', '.join(ids[:3])}{', ...' if len(ids) > 3 else ''})")
    seen = ", ".join(sorted(set(found.leads[:, 0].tolist()))) if len(leads) == 1 else f"{len(leads)} leads"
    rates = ", ".join(f"{rate:g}" for rate in sorted(set(found.sampling_rate.tolist())))
    report(f"recordings: {len(found)}, lead {seen}" if len(leads) == 1 else f"recordings: {len(found)}, {seen}")
    report(f"sampling rate: {rates} Hz, resampled to {facts['sampling_rate']:g} Hz")
    return found, leads


def _long_enough(recordings: Recordings, facts: dict, report) -> Recordings:
    """A window that is scaled by itself must be whole; shorter recordings are zero-padded otherwise."""
    short = recordings.durations < facts["seconds"]
    longer = int((recordings.durations > facts["seconds"]).sum())
    keep = protocol(facts["protocol"])["input"]["keep"]
    if longer:
        report(f"longer than {facts['seconds']:g} s: {longer}, of which the {'last' if keep == 'end' else 'first'} "
               f"{facts['seconds']:g} s are used")
    if not short.any():
        return recordings
    if _by_window(facts):
        report(f"left out, shorter than {facts['seconds']:g} s: {int(short.sum())}")
        if short.all():
            raise EcgtlError(f"every recording is shorter than the {facts['seconds']:g} s that the network sees; give longer ones")
        return recordings.select(np.flatnonzero(~short))
    report(f"shorter than {facts['seconds']:g} s: {int(short.sum())}, zero-padded before the signal")
    return recordings


def _by_window(facts: dict) -> bool:
    return protocol(facts["protocol"])["input"]["standardise"] != "dataset"


def _inputs(recordings: Recordings, facts: dict, leads: tuple[int | str, ...]) -> Iterator[np.ndarray]:
    """Inputs (n, leads, samples), some recordings at a time."""
    rules = input_rules(facts["protocol"], facts.get("variant"))
    n_samples = round(facts["seconds"] * facts["sampling_rate"])
    given = None if _by_window(facts) else list(zip(facts["mean"], facts["sd"], strict=True))
    x = filters.prepare(recordings, facts["sampling_rate"], n_samples, leads, rules["keep"], rules["standardise"],
                        rules["highpass"], given, decimate=rules["decimate"])
    return (np.array(x[start:start + CHUNK]) for start in range(0, len(x), CHUNK))


def _table(recordings: Recordings, facts: dict, leads: tuple, p: np.ndarray) -> pd.DataFrame:
    names = np.array(facts["classes"])
    if facts["multi_label"]:
        predicted = [";".join(names[row >= 0.5]) for row in p]
    else:
        predicted = names[p.argmax(axis=1)]
    seen = [str(recordings.leads[i, 0]) if len(leads) == 1 else " ".join(map(str, leads)) for i in range(len(recordings))]
    table = pd.DataFrame({"record": recordings.ids, "leads": seen, "sampling_rate": recordings.sampling_rate,
                          "seconds": recordings.durations, "seconds_used": np.minimum(recordings.durations, facts["seconds"])})
    for k, name in enumerate(names):
        table[f"probability_{name}"] = p[:, k]
    return table.assign(predicted=predicted)


def _names(leads: list[str]) -> str:
    return f"lead {leads[0]}" if len(leads) == 1 else f"leads {', '.join(leads)}"
