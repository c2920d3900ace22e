"""When the heart beats: a process of RR intervals for each rhythm, ectopic beats, and the beats that follow.

All times are in seconds, all rates in beats per minute. A record's rhythm is a chain of segments; the result
is the time and WFDB symbol of every beat and the spans of the rhythms, from which signals and annotations are
made.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache as once
from itertools import pairwise

import numpy as np
from scipy.ndimage import uniform_filter1d

from ecgtl import paths
from ecgtl.datasets.synthetic.noise import band_noise

MARGIN = 2.0  # s of rhythm before and after the record, so that waves at its edges are whole


@once
def table(name: str) -> dict:
    """The numbers that the twins are made of: the whole of ``name``.yml, ``waves``, ``statements`` or ``plans``."""
    return paths.facts(f"datasets/synthetic/{name}")


@dataclass(frozen=True)
class Segment:
    """A stretch of one rhythm: ``rate`` of the ventricles, ``variability`` as the rhythm measures it.

    ``ectopics`` are the WFDB symbols that ectopic beats are drawn from (``V``, ``A``, ``a``, ``F``); they are
    a ``share`` of the beats, or every n-th beat (2 for bigeminy, 3 for trigeminy). ``ratios`` are the numbers
    of flutter waves per conducted beat, ``atrial_rate`` the waves per second of fibrillation.
    """

    rhythm: str
    seconds: float
    rate: float
    variability: float
    ectopics: str = ""
    share: float = 0.0
    every: int = 0
    ratios: tuple[int, ...] = ()
    atrial_rate: float = 0.0

    @property
    def aux(self) -> str:
        """The rhythm's code in the annotations of the MIT-BIH databases."""
        if self.every == 2:
            return "(B" if self.ectopics == "V" else "(AB"
        return "(T" if self.every == 3 else rhythms()[self.rhythm].aux


@dataclass(frozen=True)
class Beats:
    """Beats of a record, arrays of shape (beats,): ``time`` of the R peak (s), WFDB ``symbol`` and more.

    ``p_wave`` is ``none`` or one of ``atrial`` in ``waves.yml``; ``cycle`` is the RR interval averaged over the
    neighbours, which repolarisation follows. Some beats lie before and after the record.
    """

    time: np.ndarray
    symbol: np.ndarray
    p_wave: np.ndarray
    cycle: np.ndarray


@dataclass(frozen=True)
class Span:
    """A rhythm from ``start`` to ``stop`` (s); ``anchor`` is the time of a beat in it.

    ``atrial_rate`` counts the waves of the atria per second where they do not stop between beats, else 0.
    """

    rhythm: str
    aux: str
    start: float
    stop: float
    atrial_rate: float
    anchor: float


def sinus(rng: np.random.Generator, segment: Segment) -> np.ndarray:
    """RR intervals (s) by integral pulse frequency modulation: the rate follows breathing and slower changes.

    ``variability`` is the share by which breathing moves the rate; slower changes add half as much.
    """
    t = np.arange(0, segment.seconds + 4 * 60 / segment.rate, 0.05)
    breathing = np.sin(2 * np.pi * (rng.uniform(0.18, 0.30) * t + rng.uniform()))
    slow = band_noise(rng, len(t), 20.0, 0.01, 0.12)
    rate = segment.rate / 60 * (1 + segment.variability * (breathing + 0.5 * slow))
    phase = np.concatenate([[0], np.cumsum(np.maximum(rate, 0.2)[:-1] * 0.05)])
    return np.diff(np.interp(np.arange(0, int(phase[-1]) + 1), phase, t))


def fibrillation(rng: np.random.Generator, segment: Segment) -> np.ndarray:
    """RR intervals (s), log-normal and independent; ``variability`` is their coefficient of variation."""
    sigma = np.sqrt(np.log1p(segment.variability ** 2))
    intervals = 60 / segment.rate * rng.lognormal(-sigma ** 2 / 2, sigma, _enough(segment))
    return np.clip(intervals, 0.27, 2.0)  # from the refractory period to the escape of another pacemaker


def flutter(rng: np.random.Generator, segment: Segment) -> np.ndarray:
    """RR intervals (s) that are whole numbers of flutter waves, drawn from ``ratios``."""
    return rng.choice(segment.ratios, _enough(segment)) / segment.atrial_rate


def regular(rng: np.random.Generator, segment: Segment) -> np.ndarray:
    """RR intervals (s) of a focus that fires steadily; ``variability`` is the coefficient of variation."""
    return 60 / segment.rate * rng.normal(1, segment.variability, _enough(segment))


def wandering(rng: np.random.Generator, n_beats: int) -> np.ndarray:
    """P waves, shape (n_beats,), of a pacemaker that moves from the sinus node down the atrium and back.

    It stays a few beats at each place; three shapes of P wave or more define the wandering pacemaker.
    """
    path = np.array(["sinus", "middle", "ectopic", "middle"])
    place = np.repeat(np.arange(n_beats), rng.integers(2, 5, n_beats))[:n_beats] + rng.integers(len(path))
    return path[place % len(path)]


@dataclass(frozen=True)
class Rhythm:
    """Its process of ``intervals``, MIT-BIH code ``aux``, usual rates, and how its beats look.

    ``p_wave`` is that of its beats, or ``wandering`` where it changes from beat to beat.
    """

    intervals: Callable[[np.random.Generator, Segment], np.ndarray]
    aux: str
    rate: tuple[float, float]
    variability: tuple[float, float]
    beat: str
    p_wave: str


@once
def rhythms() -> dict[str, Rhythm]:
    """The rhythms of ``plans.yml`` by name."""
    processes = {process.__name__: process for process in (sinus, fibrillation, flutter, regular)}
    return {name: Rhythm(processes[process], *rest) for name, (process, *rest) in table("plans")["rhythms"].items()}


def draw_segment(rng: np.random.Generator, rhythm: str, seconds: float, **fixed) -> Segment:
    """A segment with rate and variability drawn from the rhythm's usual range, but for ``fixed`` fields."""
    kind = rhythms()[rhythm]
    fields = {"rate": rng.uniform(*kind.rate), "variability": rng.uniform(*kind.variability)} | fixed
    if rhythm == "flutter":
        # Near 300 waves a minute, of which every second to fourth is conducted.
        atrial_rate = rng.uniform(240, 330) / 60
        ratios = fields.setdefault("ratios", ((2,), (3,), (4,), (2, 4), (2, 3, 4))[rng.integers(5)])
        fields |= {"atrial_rate": atrial_rate, "rate": 60 * atrial_rate / np.mean(ratios)}
    if rhythm == "fibrillation":
        fields.setdefault("atrial_rate", rng.uniform(4.5, 7.5))
    return Segment(rhythm, seconds, **fields)


def schedule(rng: np.random.Generator, segments: Sequence[Segment], conducted: str = "N") -> tuple[Beats, list[Span]]:
    """The beats and rhythm spans of a record that runs through ``segments``.

    ``conducted`` is the symbol of conducted beats: ``N``, or ``L`` or ``R`` in bundle-branch block.
    """
    last = len(segments) - 1
    wider = [replace(s, seconds=s.seconds + MARGIN * ((i == 0) + (i == last))) for i, s in enumerate(segments)]
    chains = [_segment_beats(rng, segment, conducted) for segment in wider]
    intervals = np.concatenate([chain[0] for chain in chains])
    first = -MARGIN + rng.uniform(0, 0.9) * intervals[0]
    time = first + np.concatenate([[0], np.cumsum(intervals[:-1])])
    cycle = np.clip(uniform_filter1d(intervals, 7, mode="nearest"), 0.28, 1.6)
    symbols, p_waves = (np.concatenate([chain[k] for chain in chains]) for k in (1, 2))
    return Beats(time, symbols, p_waves, cycle), _spans(wider, [len(chain[0]) for chain in chains], time)


def with_ectopics(rng: np.random.Generator, intervals: np.ndarray, segment: Segment) -> tuple[np.ndarray, np.ndarray]:
    """RR intervals with ectopic beats put in, and the symbol of each (empty for the others), both (beats,).

    ``intervals[i]`` leads from beat i to beat i + 1. A ventricular beat leaves the sinus node alone, so the
    intervals around it add up to what they were (full compensatory pause). An atrial beat resets it, so they
    add up to less.
    """
    symbols = np.full(len(intervals), "", dtype="<U1")
    if not segment.ectopics:
        return intervals, symbols
    positions = _ectopic_positions(rng, len(intervals), segment)
    symbols[positions] = rng.choice(list(segment.ectopics), len(positions))
    ventricular = np.isin(symbols[positions], ["V", "F"])
    late = symbols[positions] == "F"  # a fusion beat meets the sinus beat half-way
    coupling = rng.uniform(0.58, 0.75) + rng.normal(0, 0.015, len(positions))
    before, after = intervals[positions - 1], intervals[positions]
    early = before * np.where(late, 0.95, coupling)
    changed = intervals.copy()
    changed[positions - 1] = early
    changed[positions] = np.where(ventricular, before + after - early, after * rng.uniform(1.0, 1.12, len(positions)))
    return changed, symbols


def _enough(segment: Segment) -> int:
    return int(np.ceil(segment.seconds * segment.rate / 60 * 1.5)) + 8


def _segment_beats(rng: np.random.Generator, segment: Segment, conducted: str) -> tuple[np.ndarray, ...]:
    """RR intervals, symbols and P waves of one segment, cut to its length."""
    rhythm = rhythms()[segment.rhythm]
    intervals, ectopic = with_ectopics(rng, rhythm.intervals(rng, segment), segment)
    n_beats = int(np.searchsorted(np.cumsum(intervals), segment.seconds)) + 1
    intervals, ectopic = intervals[:n_beats], ectopic[:n_beats]  # at least as long as the segment
    own = conducted if rhythm.beat == "N" else rhythm.beat
    symbol = np.where(ectopic == "", own, ectopic)
    kinds = wandering(rng, len(intervals)) if rhythm.p_wave == "wandering" else rhythm.p_wave
    p_wave = np.full(len(intervals), kinds, dtype="<U7")
    p_wave[np.isin(ectopic, ["A", "a"])] = "ectopic"
    p_wave[ectopic == "V"] = "none"
    return intervals, symbol, p_wave


def _ectopic_positions(rng: np.random.Generator, n_beats: int, segment: Segment) -> np.ndarray:
    if segment.every:
        return np.arange(segment.every, n_beats, segment.every)
    # Two ordinary beats at least between two ectopic ones, so that each has its pause; none at the start.
    gap, first = 2, 2
    number = min(round(segment.share * n_beats), (n_beats - first) // (gap + 1))
    free = n_beats - first - gap * max(number - 1, 0)
    chosen = np.sort(rng.choice(free, number, replace=False)) if number else np.zeros(0, np.int64)
    return first + chosen + gap * np.arange(number)


def _spans(segments: Sequence[Segment], numbers: Sequence[int], time: np.ndarray) -> list[Span]:
    """A new rhythm begins half-way between the last beat of the old one and its own first beat."""
    firsts = np.concatenate([[0], np.cumsum(numbers)])
    bounds = [time[0] - 1.0] + [(time[k - 1] + time[k]) / 2 for k in firsts[1:-1]] + [time[-1] + 2.0]
    return [Span(s.rhythm, s.aux, *pairs, s.atrial_rate, time[first])
            for s, first, pairs in zip(segments, firsts, pairwise(bounds), strict=False)]
