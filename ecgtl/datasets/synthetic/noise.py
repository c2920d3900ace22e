"""What disturbs an ECG: baseline wander, mains hum, muscles, moving electrodes, settling amplifiers; and what
ends it for a while: electrodes that come off, amplifiers out of range, samples that were never stored.

Everything is in mV and shaped in the frequency domain, so a record costs a few inverse FFTs.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.fft import irfft, next_fast_len


@dataclass(frozen=True)
class Noise:
    """How disturbed a record is; levels are RMS in mV of each independent lead.

    ``wander`` stays below 0.5 Hz; ``mains`` hums at ``mains_hz``; ``muscle`` noise fills ``muscle_band``
    (Hz); ``motion`` comes in bursts of a few seconds, ``bursts`` a minute; ``settling`` is the height of the
    transient with which a recording may begin.
    """

    wander: float = 0.0
    mains: float = 0.0
    mains_hz: float = 50.0
    muscle: float = 0.0
    muscle_band: tuple[float, float] = (20.0, 100.0)
    motion: float = 0.0
    bursts: float = 0.0
    settling: float = 0.0

    def times(self, level: float) -> "Noise":
        """The same with wander, mains, muscle and motion ``level`` times as strong."""
        names = ("wander", "mains", "muscle", "motion")
        return replace(self, **{name: getattr(self, name) * level for name in names})


RAIL = 5.12  # mV beyond which a bedside monitor's converter has no values


@dataclass(frozen=True)
class Loss:
    """A stretch from ``start`` to ``stop`` (s) in which there is no heart to be seen, in any lead.

    ``kind`` is ``off`` (an electrode has come off, the monitor draws a level line), ``missing`` (nothing was
    stored: NaN) or ``rail`` (the amplifier is driven out of its range, stays there and swings back).
    """

    kind: str
    start: float
    stop: float


def apply_losses(signal: np.ndarray, sampling_rate: float, losses: Sequence[Loss]) -> None:
    """Change ``signal`` (samples, leads), in mV, in place; what is beyond ``RAIL`` is the converter's."""
    t = np.arange(len(signal)) / sampling_rate
    for loss in losses:
        if loss.kind == "rail":
            after = t >= loss.start
            # The coupling capacitor empties with a time constant of 0.3 s: at ``stop`` it is at the rail.
            signal[after] += RAIL * np.exp((loss.stop - t[after]) / 0.3)[:, None]
        else:
            signal[(t >= loss.start) & (t < loss.stop)] = np.nan if loss.kind == "missing" else 0.0


def band_noise(rng: np.random.Generator, n_samples: int, sampling_rate: float, low: float, high: float) -> np.ndarray:
    """Gaussian noise of unit RMS with a flat spectrum between ``low`` and ``high`` Hz, shape (n_samples,).

    Zeros when the whole band lies above half the sampling rate.
    """
    # Longer than the record, so that its end does not meet its start, and with a few lines in the band.
    period = next_fast_len(int(1.2 * n_samples) + int(2 * sampling_rate / (high - low)) + 2, real=True)
    first = int(np.ceil(low * period / sampling_rate))
    last = min(int(high * period / sampling_rate), period // 2 - 1)
    if last < first:
        return np.zeros(n_samples)
    spectrum = np.zeros(period // 2 + 1, complex)
    lines = rng.standard_normal((2, last - first + 1))
    spectrum[first:last + 1] = lines[0] + 1j * lines[1]
    return irfft(spectrum, period)[:n_samples] * (period / (2 * np.sqrt(last - first + 1)))


def draw_bursts(rng: np.random.Generator, noise: Noise, seconds: float) -> np.ndarray:
    """Start and stop of the bursts of motion, shape (bursts, 2) in s; they do not touch each other."""
    number = rng.poisson(noise.bursts * seconds / 60) if noise.motion else 0
    start = np.sort(rng.uniform(0, seconds, number))
    stop = np.minimum(start + rng.uniform(1, 5, number), np.append(start[1:] - 0.5, seconds))
    return np.column_stack([start, stop])[stop - start > 0.5]


def render_noise(rng: np.random.Generator, noise: Noise, n_samples: int, sampling_rate: float, n_leads: int,
                 bursts: np.ndarray) -> np.ndarray:
    """All disturbances in mV, shape (n_samples, n_leads); leads share only the times of ``bursts``."""
    t = np.arange(n_samples) / sampling_rate
    total = np.zeros((n_samples, n_leads))
    envelope = _envelope(t, bursts) if len(bursts) else None
    for lead in total.T:
        if noise.wander:
            lead += noise.wander * band_noise(rng, n_samples, sampling_rate, 0.04, 0.45)
        if noise.mains:
            lead += noise.mains * _mains(rng, t, noise.mains_hz, sampling_rate)
        if noise.muscle:
            # Tension comes and goes over seconds.
            tension = 1 + 0.5 * band_noise(rng, n_samples, sampling_rate, 0.02, 0.3)
            lead += noise.muscle * tension * band_noise(rng, n_samples, sampling_rate, *noise.muscle_band)
        if envelope is not None:
            lead += noise.motion * envelope * _motion(rng, t, sampling_rate, bursts)
        if noise.settling:
            swing = np.cos(2 * np.pi * rng.uniform(0.3, 2.0) * t + rng.uniform(-1, 1))
            lead += rng.choice([-1, 1]) * noise.settling * np.exp(-t / rng.uniform(0.15, 0.5)) * swing
    return total


def _mains(rng: np.random.Generator, t: np.ndarray, hertz: float, sampling_rate: float) -> np.ndarray:
    """Hum and a little of its third harmonic, as far as they lie below half the sampling rate."""
    phases = rng.uniform(0, 2 * np.pi, 2)
    waves = [height * np.sin(2 * np.pi * f * t + phase) for f, height, phase in (
        (hertz, np.sqrt(2), phases[0]), (3 * hertz, 0.15, phases[1])) if f < sampling_rate / 2]
    return sum(waves, np.zeros(len(t)))


def _envelope(t: np.ndarray, bursts: np.ndarray) -> np.ndarray:
    """1 within bursts, 0 outside, with half a second of slope, shape (n_samples,)."""
    rise = (t - bursts[:, :1]) / 0.5
    fall = (bursts[:, 1:] - t) / 0.5
    return np.clip(np.minimum(rise, fall), 0, 1).max(axis=0)


def _motion(rng: np.random.Generator, t: np.ndarray, sampling_rate: float, bursts: np.ndarray) -> np.ndarray:
    """Slow swings, scratches as fast as a QRS complex, and jumps of contact that the amplifier lets decay."""
    swings = band_noise(rng, len(t), sampling_rate, 0.4, 4.0)
    scratches = band_noise(rng, len(t), sampling_rate, 4.0, 18.0)
    at = rng.uniform(bursts[:, 0], bursts[:, 1])[:, None]
    since = np.maximum(t - at, 0)
    jumps = rng.normal(0, 2.0, at.shape) * np.exp(-since / rng.uniform(0.1, 0.5, at.shape)) * (t > at)
    return swings + 0.3 * scratches * rng.uniform(0.3, 1.5) + jumps.sum(axis=0)
