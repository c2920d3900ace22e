"""What all files have in common: leads, a sampling rate, units, samples. It becomes the ``Header`` of a record."""

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from ecgtl.datasets.leads import standard_name
from ecgtl.datasets.wfdb_header import LONGEST_NAME, NO_RATE, Header, per_millivolt
from ecgtl.errors import EcgtlError, RecordError, short


@dataclass(frozen=True)
class Given:
    """What a user says of files that do not say it themselves: ``rate`` in Hz (0: nothing), ``unit`` of the samples."""

    rate: float = 0.0
    unit: str = ""

    def check(self) -> None:
        """Raise EcgtlError for a rate that is none, and for a unit that is no voltage."""
        if not 0 <= self.rate < np.inf or self.unit and np.isnan(per_millivolt(self.unit)):
            raise EcgtlError(f"rate is {self.rate:g} and unit {self.unit!r}; give Hz above 0, and mV, uV, nV or V")

    def settled(self, path: Path, rate: float | None, units: Sequence[str]) -> tuple[float, list[str]]:
        """Rate and units as a file says them, else as the user does; RecordError where neither does."""
        rate = rate or self.rate
        if not rate:
            raise RecordError("no sampling rate", f"{path} does not say its sampling rate; give it, e.g. --rate 250")
        if not all(units) and not self.unit:
            raise RecordError("no unit", f"{path} does not say the unit of its samples; give it, e.g. --unit mV")
        return rate, [unit or self.unit for unit in units]

    def checked(self, header: Header) -> Header:
        """``header``, which does not say otherwise, with the rate that it leaves out; RecordError where it does."""
        if self.rate and not header.parts and any(NO_RATE in assumed for assumed in header.assumed):
            assumed = tuple(tuple(what for what in one if what != NO_RATE) for one in header.assumed)
            header = replace(header, sampling_rate=self.rate, assumed=assumed)
        rates = [header.sampling_rate * count for count in header.per_frame]
        wrong = self.rate and not np.isclose(rates, self.rate, rtol=1e-6).any()
        if wrong or self.unit and per_millivolt(self.unit) not in map(per_millivolt, header.units):
            raise RecordError("another rate or unit", f"{header.path} says {rates[0]:g} Hz and {header.units[0]!r}; "
                              "leave rate and unit away, or put files that need them into a folder of their own")
        return header


NOTHING = Given()


@dataclass(frozen=True)
class Signals:
    """A recording as a file holds it: ``stored`` (samples, leads) in memory or mapped, ``rate`` in Hz, a unit a lead.

    A stored value times ``scale`` plus ``offset`` (one each, or one a lead) is in the lead's unit.
    """

    leads: Sequence[str]
    rate: float
    units: Sequence[str]
    stored: np.ndarray
    scale: float | Sequence[float] = 1.0
    offset: float | Sequence[float] = 0.0

    def header(self, path: Path, n_frames: int, samples: Callable[[Sequence[int], int, int], np.ndarray],
               per_frame: Sequence[int] = ()) -> Header:
        """The header of the file at ``path``, of ``n_frames`` frames; its samples are read by ``samples``."""
        n = len(self.leads)
        if not n:
            raise RecordError("no signals", f"{path} holds no signals; remove it")
        leads = [standard_name(name) or f"signal {k}" for k, name in enumerate(self.leads)]
        names, units = (tuple((text if text.isprintable() else ascii(text))[:LONGEST_NAME] for text in texts)
                        for texts in (leads, self.units))
        with np.errstate(all="ignore"):  # a scale of 0 is refused where the gain is looked at
            scale = np.broadcast_to(np.asarray(self.scale, float), n)
            gain = np.array([per_millivolt(unit) for unit in self.units]) / scale
            baseline = -np.asarray(self.offset, float) / scale
        return Header(path, path.stem, float(self.rate), n_frames, (), names, tuple(gain.tolist()),
                      tuple(baseline.tolist()), units, tuple(per_frame) or (1,) * n, ((),) * n, samples=samples)


Reader = Callable[[Path, Given], Signals]


def header_of(path: Path, given: Given, reader: Reader) -> Header:
    """The header of a file that ``reader`` reads as a whole; it is read again when samples are asked for."""

    def opened() -> Signals:
        return _opened(path, given, reader, os.stat(path).st_mtime_ns)

    return opened().header(path, len(opened().stored),
                           lambda columns, start, stop: opened().stored[start:stop][:, columns])


@contextmanager
def refusing(path: Path, kind: str, extra: str = "formats", warn: bool = False) -> Iterator[None]:
    """Whatever a library raises inside of a damaged file is a RecordError; ``warn``: what it warns of, too.

    A library that is missing is an EcgtlError that says how to get it.
    """
    try:
        with warnings.catch_warnings(action="error" if warn else "ignore"):
            yield
    except EcgtlError:
        raise
    except ImportError as error:
        raise EcgtlError(f"{path} needs {error.name}, which is absent; run: pip install 'ecgtl[{extra}]'") from None
    except Exception as error:
        what = f"{path} cannot be read as {kind} ({type(error).__name__}: {short(error)}); export it again"
        raise RecordError(f"damaged {kind}", what) from None


@lru_cache(maxsize=1)  # of one file several stretches are asked for, one after the other
def _opened(path: Path, given: Given, reader: Reader, changed: int) -> Signals:
    return reader(path, given)
