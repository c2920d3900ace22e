"""Class probabilities of the reader's own recordings, by a shipped classifier or a fine-tuned checkpoint."""

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from ecgtl import paths, processes
from ecgtl.config.classifier import shipped
from ecgtl.datasets import arrays, folder, leads
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.formats import Given
from ecgtl.datasets.formats.signals import Signals
from ecgtl.datasets.recordings import counted
from ecgtl.datasets.wfdb_files import BLOCK
from ecgtl.datasets.wfdb_header import Header
from ecgtl.errors import EcgtlError, RecordError, note
from ecgtl.jobs.classifier import ABSTAIN, Classifier, rhythm
from ecgtl.jobs.inputs import rules_of
from ecgtl.models.checkpoint import CheckpointFacts
from ecgtl.signals import filters, rr_intervals

DEFAULT = "cinc2017-rhythm"
NOTHING = np.empty(0, np.float32)
CHUNK = 1024  # rows whose inputs are in memory at a time
TOGETHER = 16  # rows whose beats a worker looks for at a time
OFF = 2  # SD of the training data from their mean to a recording's median; of 250 of CinC 2017 none is off by 1
NEARLY = 0.99  # of the shortest recording that is taken: ten seconds may lack a sample
MARGIN = 10.0  # seconds beside its window that are read of a recording: what lies farther, no filter sees


@dataclass(frozen=True, eq=False)
class Row:
    """What one answer is given for: a stretch of a record from ``start`` on, of which ``seconds`` are used.

    ``x`` (leads, samples) is what networks see, ``first`` (samples,) its first lead in mV for whoever looks for beats.
    """

    record: folder.Record
    start: float
    seconds: float
    x: np.ndarray
    first: np.ndarray


def predict(model: str | Path, root: str | Path, lead: str | int | None = None, device: str = "auto",
            report: Callable[[str], None] = print, rate: float = 0.0, unit: str = "", derive: bool = False,
            on_bad: str = "error") -> pd.DataFrame:
    """Probabilities of the record at ``root``, or of every record below it, in the order of their names.

    ``model`` is the name of a shipped classifier (``ecgtl models``) or the path of a checkpoint. Columns: ``record``,
    ``leads``, ``sampling_rate`` (Hz), ``seconds`` (of the recording), ``start`` (s, of a shipped classifier's row),
    ``seconds_used``, ``probability_<class>``, and ``predicted``: the class with the highest probability, or
    ``abstain`` where that is below what a shipped classifier answers at; for several labels those of at least 0.5,
    with semicolons between. Of a checkpoint's recordings one window is used, as in its training. A shipped classifier
    takes a recording of up to its ``longest`` seconds as one, and a longer one window by window. Inputs are made as in
    the training: resampled to its rate, standardised with the mean and SD of its training data (or each window by
    itself, as its protocol says), cut or zero-padded to its length.

    ``lead`` is taken where the model is of one lead (default: the lead that it was trained on; a record's only lead
    without a name is taken for it, which is said); with ``derive`` limb leads that a record lacks are computed from two
    others. ``rate`` (Hz) and ``unit`` are those of files that do not say theirs. ``on_bad`` is what a record causes
    that cannot be used: ``error``, or ``skip``, counted. What is read, how it is changed and what is left out is told
    line by line to ``report``. Raises EcgtlError for a checkpoint that is not of a fine-tuned network, for recordings
    without the leads that it needs, and when no recording is left.
    """
    own, root = Classifier.load(file_of(model), device), paths.given(root)
    report(described(own.facts))
    collector = Collector(folder.NAME, folder.VERSION, classes=(), on_bad=on_bad)

    def records() -> Iterator[folder.Record]:
        for name, (_, header) in folder.headers_at(root, Given(rate, unit)).items():
            with collector.leaving_out(name):
                one = _chosen(name, header, own.facts, lead, derive, collector)
                one.check(collector)
                yield one

    table, seen = _answers(own, records(), collector)
    if not seen:
        absent = lead is None and list(collector.skipped) == [f"no lead {own.facts.leads[0]}"]
        hint = f" ({_trained_on(own.facts)}; choose another with --lead)" if absent else ""
        raise EcgtlError(f"{collector.nothing(str(root))}{hint}")
    _tell(seen, own.facts, collector, report)
    return table


class Predictor:
    """A model that is ready for signals in memory: call it with one."""

    def __init__(self, model: str | Path, device: str = "auto"):
        self._classifier = Classifier.load(file_of(model), device)
        self.facts = self._classifier.facts

    def __call__(self, signal: np.ndarray, sampling_rate: float, leads: Sequence[str] = (),
                 unit: str = "mV") -> pd.DataFrame:
        """The table of ``predict`` for one ``signal``, (samples,) or (leads, samples), at ``sampling_rate`` Hz.

        ``leads`` names the rows; without it one row is the model's own lead. Raises EcgtlError for a signal that
        cannot be used.
        """
        arrays.check_rate(sampling_rate)
        x, names = np.atleast_2d(np.asarray(signal)), list(leads) or [self.facts.leads[0]]
        if x.ndim != 2 or len(x) != len(names) or x.dtype.kind not in "iuf":
            raise EcgtlError(f"the signal has shape {x.shape} and {len(names)} names of leads; give (samples,) or "
                             "(leads, samples), and a name for each lead")
        Given(sampling_rate, unit or "none").check()
        collector = Collector("signal", folder.VERSION, on_bad="error")
        header = Signals(names, sampling_rate, [unit] * len(x), x.T).header(
            Path("the signal"), x.shape[1], lambda columns, start, stop: x.T[start:stop][:, columns])
        one = _chosen("signal", header, self.facts, None, False, collector)
        one.check(collector)
        return _answers(self._classifier, iter([one]), collector)[0]


def load(name: str | Path = DEFAULT, device: str = "auto") -> Predictor:
    """A shipped classifier, or a checkpoint, ready to be called with a signal.

    Parameters
    ----------
    name : str or path
        A name that ``ecgtl models`` lists, or the path of a .safetensors checkpoint of a fine-tuned network.
    device : {"auto", "cpu", "cuda"}
        Where to compute.

    Returns
    -------
    Predictor
        Called with a signal in mV, (samples,) or (leads, samples), and its sampling rate in Hz, it returns a table: a
        row for the signal, or for each window of a long one.

    Raises
    ------
    EcgtlError
        For an unknown name and a damaged file.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(0, 30, 1 / 300)
    >>> table = load("cinc2017-rhythm")(1.5 * np.exp(-((t % 0.8 - 0.4) / 0.02) ** 2), sampling_rate=300)
    >>> len(table), round(float(table.filter(like="probability_").sum(axis=1).iloc[0]), 3)
    (1, 1.0)
    """
    return Predictor(name, device)


def file_of(model: str | Path) -> Path:
    """The file of a shipped classifier by its name, or of a checkpoint by its path; EcgtlError for neither."""
    named = shipped()
    if str(model) not in named and not str(model).endswith(".safetensors"):
        raise EcgtlError(f"there is no model {str(model)!r:.100}; shipped are {', '.join(named)}; a checkpoint is the "
                         "path of a .safetensors file")
    return named.get(str(model), Path(model))


def _chosen(name: str, header: Header | RecordError, facts: CheckpointFacts, lead: str | int | None, derive: bool,
            collector: Collector) -> folder.Record:
    """The leads of a record that the network sees, the first of them its first; RecordError where it lacks one."""
    if isinstance(header, RecordError):
        raise header
    if len(facts.leads) > 1 and lead is not None:
        raise EcgtlError(f"the {_kind(facts)} sees leads {', '.join(facts.leads)}; leave --lead away")
    leads.check_lead(lead)
    asked = [facts.leads[0] if lead is None else lead] if len(facts.leads) == 1 else list(facts.leads)
    if len(asked) == len(header.leads) == 1 and lead is None and leads.is_unnamed(header.leads[0]):
        collector.remark(name, f"the only lead, which has no name, is taken for lead {asked[0]}")
        return folder.chosen(name, header, 0)
    wanted = [one for one in asked if leads.find(header.leads, one) or (one == asked[0] or not facts.longest)
              or derive and leads.derived(header.leads, str(one)) is not None]
    try:
        return folder.computed(name, header, wanted, collector) if derive else folder.chosen(name, header, wanted)
    except RecordError as error:
        if lead is not None or collector.on_bad == "skip" or not error.reason.startswith("no lead"):
            raise
        hint = f"{error} ({_trained_on(facts)}; choose another with --lead)"
        raise RecordError(error.reason, hint) from None


def _answers(own: Classifier, records: Iterator[folder.Record], collector: Collector) -> tuple[pd.DataFrame, list[Row]]:
    """Rows of all ``records`` and what is said of each; what ``collector`` was told is noted."""
    rows = (row for one in records for row in _rows(one, own, collector))
    seen: list[Row] = []
    p = [np.empty((0, len(own.facts.classes or ())))]
    while some := list(islice(rows, CHUNK)):
        features = _rhythms(some) if own.trees else np.empty((len(some), 0))
        p.append(own.probabilities(np.stack([row.x for row in some]), features))
        seen += [replace(row, x=NOTHING, first=NOTHING) for row in some]  # a view would keep all of it
        if len(some) == CHUNK:
            note(f"{len(seen)} rows, up to record {seen[-1].record.id}")
    for line in collector.lines():
        note(line)
    return _table(seen, own.facts, np.concatenate(p)), seen


def _rhythms(rows: Sequence[Row]) -> np.ndarray:
    """``RHYTHM`` of each row, (rows, features)."""
    given = [(row.first, row.record.sampling_rate) for row in rows]
    jobs = [given[k:k + TOGETHER] for k in range(0, len(given), TOGETHER)]
    return np.concatenate(processes.spread(_rhythms_of, jobs, 1 if len(jobs) < 4 else None))


def _rhythms_of(job: list[tuple[np.ndarray, float]]) -> np.ndarray:
    return np.array([rhythm(rr_intervals.detect_beats(x, rate), rate, len(x)) for x, rate in job])


def _rows(one: folder.Record, own: Classifier, collector: Collector) -> Iterator[Row]:
    """The rows of a record; those that cannot be used meet the policy of ``collector`` where none is left."""
    n, facts = len(one), own.facts
    # What is no longer than the longest is one span
    size = round(facts.seconds * one.sampling_rate) if _seconds(one) > (facts.longest or np.inf) else n
    spans = [(first, first + size) for first in (*range(0, n - size, size), n - size)]
    lost = []
    for first, stop in spans:
        try:
            yield _row(one, own, first, stop, collector)
        except RecordError as error:
            lost.append(error)
    if len(lost) == len(spans):
        with collector.leaving_out(one.id):
            raise lost[-1]
        return
    for reason, times in Counter(error.reason for error in lost).items():
        collector.remark(one.id, f"windows left out, {reason}", f" ({times} of {len(spans)} of {one.id})")


def _row(one: folder.Record, own: Classifier, first: int, stop: int, collector: Collector) -> Row:
    """The row of samples ``first`` to ``stop``; RecordError where it cannot be used."""
    facts, rate = own.facts, one.sampling_rate
    if facts.longest:
        fewest = math.floor(NEARLY * facts.shortest * rate)
        begin, x = _whole_part(one.millivolts(first, stop), fewest, one, facts, collector)
        if (x.min(axis=0) == x.max(axis=0)).any():
            raise RecordError("flat", f"{one.path} is flat; leave it out")
        first, used = first + begin, len(x) / rate
    else:
        if rules_of(facts).standardise != "dataset" and _seconds(one) < facts.seconds:
            raise RecordError(f"shorter than {facts.seconds:g} s", f"{one.path} is shorter than the {facts.seconds:g} "
                              "s that the network sees; give longer recordings")
        x, used = _stretch(one, facts, collector), min(_seconds(one), facts.seconds)
    present = [k for k, name in enumerate(facts.leads) if leads.find(one.leads, name)] if len(facts.leads) > 1 else [0]
    offset = (np.median(x, axis=0) - np.take(facts.mean, present)) / np.take(facts.sd, present)
    if own.networks and rules_of(facts).standardise == "dataset" and abs(offset).max() > OFF:
        collector.remark(one.id, f"an offset of more than {OFF} SD of the training data, so the answer may be wrong",
                         f" ({max(offset, key=abs):.2g} SD in {one.id}); subtract the median from the samples")
    try:
        return Row(one, first / rate, used, own.inputs(one.id, x, rate, present), x[:, 0])
    except EcgtlError as error:
        raise RecordError("cannot be prepared", str(error)) from None


def _whole_part(x: np.ndarray, fewest: int, one: folder.Record, facts: CheckpointFacts,
                collector: Collector) -> tuple[int, np.ndarray]:
    """The longest part of ``x`` (samples, leads) without missing samples, and where it begins."""
    if len(x) < fewest:
        raise RecordError(f"shorter than {facts.shortest:g} s", f"{one.path} is shorter than the {facts.shortest:g} s "
                          "of the shortest recording that the classifier has learnt from; give longer recordings")
    begins, ends = _whole(x)
    k = np.argmax(ends - begins)
    if ends[k] - begins[k] < fewest:
        raise RecordError("missing samples (NaN)", f"{one.path} has missing samples (NaN) in every {facts.shortest:g} "
                                                   "s; leave it out")
    if ends[k] - begins[k] < len(x):
        collector.remark(one.id, "missing samples, so the longest part without any is used")
    return int(begins[k]), x[begins[k]:ends[k]]


def _whole(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the parts of ``x`` (samples, leads) without missing samples begin and end."""
    gaps = np.flatnonzero(~np.isfinite(x).all(axis=1))
    return np.append(0, gaps + 1), np.append(gaps, len(x))


def _stretch(one: folder.Record, facts: CheckpointFacts, collector: Collector) -> np.ndarray:
    """The part of a record that its one window is made of, (samples, leads) in mV.

    It is the last or first stretch without missing samples that holds the window, and goes on beside it for the
    filters. It begins at a sample that is one at the network's rate too, so the window is the one of the whole record.
    """
    n_samples, rate, keep = facts.n_samples, facts.sampling_rate, rules_of(facts).keep
    inside = math.ceil(n_samples * one.sampling_rate / rate)
    beyond = max(inside + math.ceil(MARGIN * one.sampling_rate), BLOCK // len(one.header.leads))
    step = Fraction(rate / one.sampling_rate).limit_denominator(filters.MAX_DENOMINATOR).denominator
    read = (max(0, len(one) - beyond) // step * step,) if keep == "end" else (0, min(len(one), beyond))
    x = one.millivolts(*read)
    begins, ends = _whole(x)
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


def _tell(seen: list[Row], facts: CheckpointFacts, collector: Collector, report: Callable[[str], None]) -> None:
    """What was read, how it is changed and what is left out."""
    records = [*{id(row.record): row.record for row in seen}.values()]
    for reason, ids in collector.skipped.items():
        report(f"left out, {reason}: {counted(ids)}")
    several = {len(one.leads) for one in records}
    which = (f"lead {', '.join(sorted({one.leads[0] for one in records}))}" if len(facts.leads) == 1
             else f"{' or '.join(map(str, sorted(several)))} leads")
    report(f"recordings: {len(records)}, {which}" + (f", in {len(seen)} rows" if len(seen) > len(records) else ""))
    rates = ", ".join(dict.fromkeys(f"{rate:g}" for rate in sorted(one.sampling_rate for one in records)))
    report(f"sampling rate: {rates} Hz, resampled to {facts.sampling_rate:g} Hz")
    seconds = f"{facts.seconds:g} s"
    longer, shorter = (sum(sign * (_seconds(one) - facts.seconds) > 0 for one in records) for sign in (1, -1))
    if longer and not facts.longest:
        kept = "last" if rules_of(facts).keep == "end" else "first"
        report(f"longer than {seconds}: {longer}, of which the {kept} {seconds} are used")
    if shorter and facts.kind != "trees":
        report(f"shorter than {seconds}: {shorter}, zero-padded before the signal")


def _seconds(one: folder.Record) -> float:
    return len(one) / one.sampling_rate


def _table(seen: list[Row], facts: CheckpointFacts, p: np.ndarray) -> pd.DataFrame:
    names = np.array(facts.classes)
    predicted = [";".join(names[row >= 0.5]) for row in p] if facts.multi_label else names[p.argmax(axis=1)]
    predicted = np.where(p.max(axis=1, initial=0) < facts.abstain_below, ABSTAIN, predicted)
    known = [(one.id, " ".join(one.leads), one.sampling_rate, _seconds(one), row.start, row.seconds)
             for row in seen for one in (row.record,)]
    table = pd.DataFrame(known, columns=["record", "leads", "sampling_rate", "seconds", "start", "seconds_used"])
    table = table.assign(**{f"probability_{name}": p[:, k] for k, name in enumerate(names)}, predicted=predicted)
    return table if facts.longest else table.drop(columns="start")


def _kind(facts: CheckpointFacts) -> str:
    return "classifier" if facts.longest else "checkpoint"


def _trained_on(facts: CheckpointFacts) -> str:
    return f"the {_kind(facts)} was trained on lead{'s' * (len(facts.leads) > 1)} {', '.join(facts.leads)}"


def kind_of(facts: CheckpointFacts) -> str:
    """What a model consists of."""
    return {"": facts.arch, "network": f"{facts.members} x {facts.arch}", "trees": "boosted trees on RR intervals",
            "stack": f"{facts.members} x {facts.arch} and boosted trees on RR intervals"}[facts.kind]


def described(facts: CheckpointFacts) -> str:
    """What a model is, in a line."""
    return (f"{_kind(facts)}: {kind_of(facts)}, trained on {facts.dataset}{' (synthetic)' if facts.synthetic else ''}, "
            f"{facts.sampling_rate:g} Hz, {facts.seconds:g} s, lead{'s' * (len(facts.leads) > 1)} "
            f"{', '.join(facts.leads)}; classes: {', '.join(facts.classes or ())}")
