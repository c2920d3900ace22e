"""A user's own array in memory as Recordings."""

from collections.abc import Sequence
from numbers import Real

import numpy as np

from ecgtl.datasets.collector import Collector, Reading
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError


def from_array(array: np.ndarray, sampling_rate: float, lead_names: Sequence[str] | None = None,
               labels: Sequence[str] | None = None, on_bad: str = "error") -> Recordings:
    """Recordings out of ``array`` in mV, shape (records, leads, samples) or (records, samples).

    ``sampling_rate`` in Hz, one for all; ``lead_names`` one a lead; ``labels`` one a record (names or whole
    numbers), whose sorted distinct values become the classes. ``on_bad`` says what a constant signal or one with
    NaN causes: ``error`` or ``skip`` (counted). Raises EcgtlError for another shape and for a rate not above 0.
    """
    signals = _signals(array)
    n_records, n_leads, _ = signals.shape
    check_rate(sampling_rate)
    leads = [f"signal {k}" for k in range(n_leads)] if lead_names is None else list(lead_names)
    if isinstance(lead_names, str) or len(leads) != n_leads:
        raise EcgtlError(f"lead_names is {lead_names!r} for {n_leads} leads; give a list of {n_leads} names")
    names, classes = _array_labels(labels, n_records)
    collector = Collector("folder", "own", classes, on_bad=on_bad)
    digits = len(str(n_records - 1))
    for i, (signal, label) in enumerate(zip(signals, names, strict=True)):
        collector.add(Reading(f"{i:0{digits}d}", signal.T, float(sampling_rate), leads, [1.0] * n_leads,
                              [0.0] * n_leads, label=label), f"array[{i}]")
    return collector.recordings()


def check_rate(sampling_rate: float) -> None:
    """Raise EcgtlError unless ``sampling_rate`` is a number of Hz."""
    if not (isinstance(sampling_rate, Real) and np.isfinite(sampling_rate) and sampling_rate > 0):
        raise EcgtlError(f"sampling_rate is {sampling_rate!r}; give one number of Hz above 0")


def _signals(array: np.ndarray) -> np.ndarray:
    """``array`` as (records, leads, samples) float32, its axes checked."""
    array = np.asarray(array)
    if array.dtype.kind not in "iuf" or array.ndim not in (2, 3) or array.size == 0:
        raise EcgtlError(f"the array has shape {array.shape} and type {array.dtype}; give numbers in mV of shape "
                         "(records, leads, samples) or (records, samples)")
    signals = array[:, np.newaxis] if array.ndim == 2 else array
    if signals.shape[1] > signals.shape[2]:
        raise EcgtlError(f"the array has {signals.shape[1]} leads of {signals.shape[2]} samples; its axes are to be "
                         "(records, leads, samples)")
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, which is refused later
        return signals.astype(np.float32)


def _array_labels(labels: Sequence | None, n_records: int) -> tuple[list[str | None], tuple[str, ...]]:
    """The name of each record's class, and the classes in order (numbers in that of numbers)."""
    if labels is None:
        return [None] * n_records, ()
    values = [] if isinstance(labels, str) else list(labels)
    alike = any(all(isinstance(value, kind) for value in values) for kind in (str, int | np.integer))
    if len(values) != n_records or not alike:
        raise EcgtlError(f"labels hold {len(values)} values for {n_records} records; give one a record, all names "
                         "or all whole numbers")
    return [str(value) for value in values], tuple(str(value) for value in sorted(set(values)))
