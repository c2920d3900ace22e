"""Signal quality: how much of a lead is flat, clipped, mains interference or missing, as shares from 0 to 1."""

import contextlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import signal

from ecgtl.datasets import folder
from ecgtl.datasets.collector import check_scale
from ecgtl.datasets.wfdb_header import Header
from ecgtl.errors import RecordError

FLAT_SECONDS = 1.0  # equal samples for so long are flat
CLIPPED_SECONDS, CLIPPED_SAMPLES = 0.02, 3  # a lead's extreme value for so long, and in so many samples, is clipped
MAINS, MAINS_WIDTH = (50.0, 60.0), 1.0  # Hz, and Hz on either side of it
LOWEST = 1.0  # Hz; power below it is wander of the baseline
SEGMENT = 4.0  # seconds that the spectrum is estimated from at a time


class Quality(NamedTuple):
    """Shares of the samples that are ``flat``, ``clipped`` and ``missing``; ``mains``: share of the power."""

    flat: float
    clipped: float
    mains: float
    missing: float


LIMITS = Quality(flat=0.01, clipped=0.005, mains=0.05, missing=0.0)  # a share above these is worth a look


def of_lead(x: np.ndarray, rate: float) -> Quality:
    """Quality of ``x`` (samples,), at least one, in any unit at ``rate`` Hz; what is not finite is missing.

    ``mains`` is NaN where nobody can tell: the rate is too low for 50 Hz, or there is less than a second, or no change.
    """
    known = np.isfinite(x)
    if not known.any():
        return Quality(0.0, 0.0, np.nan, 1.0)
    x = np.where(known, x, np.nan)
    begins = np.flatnonzero(np.r_[True, x[1:] != x[:-1]])  # of runs of equal samples; NaN equals nothing
    lengths, values = np.diff(np.r_[begins, len(x)]), x[begins]
    flat = lengths >= max(2, FLAT_SECONDS * rate)
    extreme = (values == np.nanmin(x)) != (values == np.nanmax(x))  # a constant lead, which is both, is not clipped
    clipped = extreme & (lengths >= max(CLIPPED_SAMPLES, CLIPPED_SECONDS * rate))
    return Quality(lengths[flat].sum() / len(x), lengths[clipped].sum() / len(x),
                   mains_share(np.where(known, x, np.nanmedian(x)).astype(float), rate), 1 - known.mean())


def mains_share(x: np.ndarray, rate: float) -> float:
    """Share of the power of ``x`` (samples,) from ``LOWEST`` on that lies around 50 Hz, or 60 Hz where that is more.

    By the periodogram of Welch (1967), without the trend of each segment. NaN where nobody can tell (``of_lead``).
    """
    seen = [hertz for hertz in MAINS if hertz + MAINS_WIDTH <= rate / 2]
    frequency, power = signal.welch(x, rate, nperseg=min(len(x), round(SEGMENT * rate)), detrend="linear")
    known = seen and len(x) >= rate and np.ptp(x) > 0
    whole, around = power[frequency >= LOWEST].sum(), [np.abs(frequency - hertz) <= MAINS_WIDTH for hertz in seen]
    return max(power[some].sum() for some in around) / (whole or np.inf) if known else np.nan


def of_folder(headers: Mapping[str, Header], lead: int | str | None = None) -> pd.DataFrame:
    """One row a lead of every record that ``headers`` (by name) belong to: ``record``, ``lead``, fields of ``Quality``.

    All leads that are voltages, or one. A record that cannot be read has no row.
    """
    rows = []
    for record, header in headers.items():
        for asked in range(len(header.leads)) if lead is None else (lead,):
            with contextlib.suppress(RecordError):
                one = folder.chosen(record, header, asked)
                check_scale(str(one.path), one.sampling_rate, one.of("gain"), one.of("baseline"))
                if len(x := one.millivolts()[:, 0]):
                    rows.append({"record": record, "lead": one.leads[0], **of_lead(x, one.sampling_rate)._asdict()})
    return pd.DataFrame(rows, columns=["record", "lead", *Quality._fields])
