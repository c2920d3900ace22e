"""Class probabilities of the reader's own recordings, from a fine-tuned checkpoint: ``python -m ecgtl predict``."""

import math
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtl import paths
from ecgtl.datasets import folder, leads
from ecgtl.datasets.cache import write_atomic
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.formats import Given
from ecgtl.datasets.recordings import alone, counted
from ecgtl.datasets.wfdb_files import BLOCK
from ecgtl.errors import EcgtlError, RecordError, note
from ecgtl.jobs.inputs import check_facts, rules_of
from ecgtl.models import checkpoint
from ecgtl.signals import filters, preparation
from ecgtl.spreadsheet import as_csv
from ecgtl.training import loop

NEEDED = ("classes", "leads", "mean", "sd", "protocol", "multi_label", "dataset", "synthetic")
CHUNK = 256  # recordings whose inputs are in memory at a time
MARGIN = 10.0  # seconds beside its window that are read of a recording: what lies farther, no filter sees


def predict(weights: str | Path, root: str | Path, lead: str | int | None = None, device: str = "auto",
            report: Callable[[str], None] = print, rate: float = 0.0, unit: str = "") -> pd.DataFrame:
    """Probabilities of every record below ``root``: one row a recording, in the order of their names.

    Columns: ``record``, ``leads``, ``sampling_rate`` (Hz), ``seconds`` (of the recording), ``seconds_used``,
    ``probability_<class>``, and ``predicted``: the class with the highest probability, or for several labels those of
    at least 0.5, with semicolons between. Inputs are made as in the checkpoint's training: resampled to its rate,
    standardised with the mean and SD of its training data (or each window by itself, as its protocol says), cut or
    zero-padded to its length.

    ``lead`` is taken where the checkpoint is of one lead (default: the lead that it was trained on); ``rate`` (Hz) and
    ``unit`` are those of files that do not say theirs. What is read, how
    it is changed and what is left out is told line by line to ``report``. Raises EcgtlError for a checkpoint that is
    not of a fine-tuned network, for recordings without the leads that it needs, and when no recording is left.
    """
    state, facts = checkpoint.load(Path(weights))
    check_facts(Path(weights), facts, *NEEDED)
    if not len(facts.mean) == len(facts.sd) == facts.in_channels:
        raise EcgtlError(f"checkpoint {weights} has not one mean and one SD a lead; it was not written by ecgtl")
    report(f"checkpoint: {facts.arch} trained on {facts.dataset}{' (synthetic)' if facts.synthetic else ''}, "
           f"{facts.sampling_rate:g} Hz, {facts.seconds:g} s, {_names(facts.leads)}; "
           f"classes: {', '.join(facts.classes or ())}")
    wanted = _wanted(facts, lead)
    collector = Collector(folder.NAME, folder.VERSION, classes=(), on_bad="skip")
    network, place = checkpoint.network(Path(weights), state, facts), loop.pick_device(device)
    inputs = _inputs(paths.given(root), facts, wanted, collector, Given(rate, unit))
    seen, p = [], []
    while some := list(islice(inputs, CHUNK)):
        seen += [one for one, _ in some]
        p.append(loop.predict(network, np.stack([x for _, x in some]), place, facts.multi_label))
    for line in collector.lines():
        note(line)
    if not seen:
        absent = lead is None and list(collector.skipped) == [f"no lead {wanted}"]
        hint = f" (the checkpoint was trained on lead {wanted}; choose another with --lead)" if absent else ""
        raise EcgtlError(f"{collector.nothing(str(root))}{hint}")
    _tell(seen, facts, collector, report)
    return _table(seen, facts, np.concatenate(p))


def write(table: pd.DataFrame, path: str | Path) -> Path:
    """The table as CSV, whole or not at all; EcgtlError where ``paths.output`` has one."""
    path = paths.output(path)
    write_atomic(path, as_csv(table, "%.5f"))
    return path


def _wanted(facts: checkpoint.CheckpointFacts, lead: str | int | None) -> str | int | tuple[str, ...]:
    """The leads that the network sees: one by name or index, or several by their names."""
    if facts.in_channels > 1 and lead is not None:
        raise EcgtlError(f"the checkpoint sees {_names(facts.leads)}; leave --lead away")
    leads.check_lead(lead)
    return facts.leads if facts.in_channels > 1 else facts.leads[0] if lead is None else lead


def _tell(seen: list[folder.Record], facts: checkpoint.CheckpointFacts, collector: Collector,
          report: Callable[[str], None]) -> None:
    """What was read, how it is changed and what is left out."""
    for reason, ids in collector.skipped.items():
        report(f"left out, {reason}: {counted(ids)}")
    one_lead = facts.in_channels == 1
    which = f"lead {', '.join(sorted({one.leads[0] for one in seen}))}" if one_lead else f"{facts.in_channels} leads"
    report(f"recordings: {len(seen)}, {which}")
    rates = ", ".join(f"{rate:g}" for rate in sorted({one.sampling_rate for one in seen}))
    report(f"sampling rate: {rates} Hz, resampled to {facts.sampling_rate:g} Hz")
    seconds = f"{facts.seconds:g} s"
    longer, shorter = (sum(sign * (_seconds(one) - facts.seconds) > 0 for one in seen) for sign in (1, -1))
    if longer:
        kept = "last" if rules_of(facts).keep == "end" else "first"
        report(f"longer than {seconds}: {longer}, of which the {kept} {seconds} are used")
    if shorter:
        report(f"shorter than {seconds}: {shorter}, zero-padded before the signal")


def _seconds(one: folder.Record) -> float:
    return len(one) / one.sampling_rate


def _inputs(root: Path, facts: checkpoint.CheckpointFacts, wanted: str | int | tuple[str, ...],
            collector: Collector, given: Given) -> Iterator[tuple[folder.Record, np.ndarray]]:
    """The records of which something can be said, and the input (leads, samples) that the network sees of each."""
    for one in folder.records(root, wanted, collector, given):
        with collector.leaving_out(one.id):
            yield one, _input(one, facts, collector)


def _input(one: folder.Record, facts: checkpoint.CheckpointFacts, collector: Collector) -> np.ndarray:
    """Input (leads, samples) of a record; RecordError where its window is not whole, or too short to be scaled by
    itself.
    """
    rules, rate, seconds = rules_of(facts), facts.sampling_rate, facts.seconds
    by_window = rules.standardise != "dataset"
    if by_window and _seconds(one) < seconds:
        raise RecordError(f"shorter than {seconds:g} s", f"{one.path} is shorter than the {seconds:g} s that the "
                                                         "network sees; give longer recordings")
    rows = range(len(one.columns))
    x = _stretch(one, facts.n_samples, rate, rules.keep, collector)
    given = None if by_window else list(zip(facts.mean, facts.sd, strict=True))
    recording = alone(one.id, x, one.sampling_rate, one.leads)
    prepared = preparation.preparer(recording, rate, facts.n_samples, tuple(rows), rules, given)
    try:
        return np.stack([prepared(0, row) for row in rows])
    except EcgtlError as error:
        raise RecordError("cannot be prepared", str(error)) from None


def _stretch(one: folder.Record, n_samples: int, rate: float, keep: str, collector: Collector) -> np.ndarray:
    """The part of a record that its window of ``n_samples`` at ``rate`` Hz is made of, (samples, leads) in mV.

    It is the last or first stretch without missing samples that holds the window, and goes on beside it for the
    filters. It begins at a sample that is one at ``rate`` too, so the window is the one of the whole record.
    """
    inside = math.ceil(n_samples * one.sampling_rate / rate)
    beyond = max(inside + math.ceil(MARGIN * one.sampling_rate), BLOCK // len(one.header.leads))
    step = Fraction(rate / one.sampling_rate).limit_denominator(filters.MAX_DENOMINATOR).denominator
    read = (max(0, len(one) - beyond) // step * step,) if keep == "end" else (0, min(len(one), beyond))
    x = one.millivolts(*read)
    gaps = np.flatnonzero(~np.isfinite(x).all(axis=1))
    begins, ends = np.append(0, gaps + 1), np.append(gaps, len(x))
    whole = np.flatnonzero(ends - begins >= min(inside, len(x)))
    if not len(whole):
        raise RecordError("missing samples (NaN)", f"{one.path} has missing samples (NaN) in every window; leave it "
                                                   "out")
    k, place = (whole[-1], "last") if keep == "end" else (whole[0], "first")
    if ends[k] < len(x) if keep == "end" else begins[k]:
        collector.remark(one.id, f"missing samples in its {place} {n_samples / rate:g} s, so the {place} window "
                                 "without any is used")
    begin = -(-begins[k] // step) * step
    x = x[begin if ends[k] - begin >= inside else begins[k]:ends[k]]
    window = x[-inside:] if keep == "end" else x[:inside]
    if (window.min(axis=0) == window.max(axis=0)).any():
        raise RecordError("flat in its window", f"{one.path} is flat in its window; leave it out")
    return x


def _table(seen: list[folder.Record], facts: checkpoint.CheckpointFacts, p: np.ndarray) -> pd.DataFrame:
    names, seconds = np.array(facts.classes), [_seconds(one) for one in seen]
    predicted = [";".join(names[row >= 0.5]) for row in p] if facts.multi_label else names[p.argmax(axis=1)]
    leads = [one.leads[0] if facts.in_channels == 1 else " ".join(facts.leads) for one in seen]
    table = {"record": [one.id for one in seen], "leads": leads, "sampling_rate": [one.sampling_rate for one in seen],
             "seconds": seconds, "seconds_used": np.minimum(seconds, facts.seconds)}
    table |= {f"probability_{name}": p[:, k] for k, name in enumerate(names)}
    return pd.DataFrame(table | {"predicted": predicted})


def _names(leads: Sequence[str]) -> str:
    return f"lead {leads[0]}" if len(leads) == 1 else f"leads {', '.join(leads)}"
