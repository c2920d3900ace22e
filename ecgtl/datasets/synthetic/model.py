"""The signal model: a moving heart dipole made of Gaussian waves, seen by the 12 standard leads.

Each beat is a sum of Gaussians over time (the idea of McSharry et al., IEEE Trans Biomed Eng 2003), but every
Gaussian carries a vector in space rather than a height in one lead. Dower's matrix (Dower, Machado & Osborne,
J Electrocardiol 1980) projects the vectors onto I, II and V1-V6, and III and the augmented leads follow from
I and II, so Einthoven's and Goldberger's relations hold by construction. Axes are Frank's: x to the left, y
to the feet, z to the back.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache as once

import numpy as np
from scipy.spatial.transform import Rotation

from ecgtl.datasets.leads import LEADS, LIMB
from ecgtl.datasets.synthetic.rhythms import Beats, Span, table

_DOWER = np.array([[0.632, -0.235, 0.059], [0.235, 1.066, -0.132], [-0.515, 0.157, -0.917], [0.044, 0.164, -1.387],
                   [0.882, 0.098, -1.277], [1.213, 0.127, -0.601], [1.125, 0.127, -0.086], [0.831, 0.076, 0.230]])
# Other names for (nearly) the same view: a Holter's modified II, a hand-held device's I.
_SAME_AS = {"MLII": "II", "ECG": "I"}


def mixing(leads: Sequence[str]) -> np.ndarray:
    """How ``leads`` follow from the eight independent leads I, II and V1 to V6, shape (leads, 8)."""
    names = np.array([_SAME_AS.get(lead, lead) for lead in leads])
    limbs = [LIMB.get(name, (0, 0)) for name in names.tolist()]
    return np.hstack([limbs, names[:, None] == LEADS[6:]], dtype=float)


@dataclass(frozen=True)
class Wave:
    """One Gaussian: centre ``at`` (s after the R peak), standard deviation ``width`` (s), ``vector`` (mV).

    ``part`` names the transform and stretch of the subject that apply to it. ``repolarisation`` waves keep
    pace with the heart rate: centre and width grow with the square root of the cycle length (Bazett).
    """

    part: str
    at: float
    width: float
    vector: tuple[float, float, float]
    repolarisation: bool = False


@once
def waves(*keys: str) -> tuple[Wave, ...]:
    """The waves of a shape of beat, as ``waves.yml`` has them: ``("atrial", "sinus")``, say."""
    rows = table("waves")
    for key in keys:
        rows = rows[key]
    return tuple(Wave(*row) for row in rows)


_AFTER_R = ("nodal", "pathway")  # their atrial waves count from the R peak, the others from the P wave before it
CONDUCTION = {"normal": "N", "rbbb": "R", "lbbb": "L"}  # how conducted beats look, and their WFDB symbol


@dataclass(frozen=True)
class Morphology:
    """What is a subject's own: size, width and turn of each part of the beat, and its intervals."""

    transform: dict[str, np.ndarray]  # part -> (3, 3)
    stretch: dict[str, float]  # part -> factor on widths
    p_to_r: float  # s from the P wave's to the R peak at 60 beats/min
    repolarisation: float  # factor on the times of ST and T
    fibrillation: float  # factors on the atrial waves
    flutter: float


def draw_morphology(rng: np.random.Generator) -> Morphology:
    """A subject drawn from ``rng``: heart axis, amplitudes and intervals in the usual ranges of adults."""
    axis = Rotation.from_rotvec(rng.normal(0, [0.18, 0.18, 0.22]))
    size = rng.lognormal(0.3, 0.25)
    transform, stretch = {}, {}
    for part, (spread, turn) in table("waves")["parts"].items():
        own = Rotation.from_rotvec(rng.normal(0, turn, 3))
        transform[part] = size * rng.lognormal(0, spread) * (axis * own).as_matrix()
        stretch[part] = rng.lognormal(0, 0.08)
    stretch["spike"] = 1.0
    return Morphology(transform, stretch, p_to_r=rng.uniform(0.13, 0.18), repolarisation=rng.normal(1, 0.05),
                      fibrillation=rng.lognormal(-0.1, 0.45), flutter=rng.lognormal(0.2, 0.25))


@dataclass(frozen=True)
class Changes:
    """What findings make of a subject's conducted beats; the defaults change nothing.

    ``axis`` turns the QRS complex in the frontal plane (degrees, negative to the left); ``voltage`` and
    ``t_wave`` are factors on the QRS complex and the T wave; ``pr`` (s) is added to the PR interval; ``qt``
    is a factor on the times of ST and T; ``infarct`` is one of the ``infarcts`` of ``waves.yml``, or empty.
    """

    axis: float = 0.0
    voltage: float = 1.0
    t_wave: float = 1.0
    pr: float = 0.0
    qt: float = 1.0
    infarct: str = ""


def changed(subject: Morphology, changes: Changes) -> Morphology:
    """``subject`` with ``changes``, but for the infarct, which adds a wave (``render``)."""
    turn = changes.voltage * Rotation.from_rotvec([0, 0, changes.axis], degrees=True).as_matrix()
    own = subject.transform
    transform = own | {part: turn @ own[part] for part in ("Q", "R", "S")} | {"T": changes.t_wave * own["T"]}
    return replace(subject, transform=transform, p_to_r=subject.p_to_r + changes.pr,
                   repolarisation=subject.repolarisation * changes.qt)


def render(n_samples: int, sampling_rate: float, leads: Sequence[str], beats: Beats, spans: Sequence[Span],
           subject: Morphology, rng: np.random.Generator, conduction: str = "normal", st: float = 0.0,
           infarct: str = "") -> np.ndarray:
    """The clean ECG in mV, shape (n_samples, leads).

    ``conduction`` (a key of ``CONDUCTION``) shapes the conducted beats; ``st`` shifts their ST segment by
    about that many mV in V5; ``infarct`` gives them Q waves. ``rng`` gives the
    change from beat to beat and the atrial waves of fibrillation.
    """
    field = mixing(leads) @ _DOWER  # what each lead sees of a unit dipole, (leads, 3)
    signal = np.zeros((n_samples, len(leads)))
    # Breathing turns and lifts the heart: one slow change of all amplitudes, and a little chance on top.
    breath = 1 + 0.05 * np.sin(2 * np.pi * (rng.uniform(0.2, 0.3) * beats.time + rng.uniform()))
    height = breath * rng.normal(1, 0.02, len(beats.time))
    for shape, at, factor in _groups(beats, subject, conduction, st, infarct):
        chosen = factor != 0
        pace = np.sqrt(beats.cycle[chosen])
        for wave in shape:
            slow = subject.repolarisation * pace if wave.repolarisation else np.ones_like(pace)
            amplitude = field @ subject.transform[wave.part] @ np.array(wave.vector)
            add_waves(signal, sampling_rate, at[chosen] + wave.at * slow,
                      wave.width * subject.stretch[wave.part] * slow, (height * factor)[chosen, None] * amplitude)
    for span in (span for span in spans if span.atrial_rate):
        signal += _atrial_activity(n_samples, sampling_rate, span, rng)[:, None] * _atrial_vector(span, subject, field)
    return signal


def add_waves(signal: np.ndarray, sampling_rate: float, times: np.ndarray, widths: np.ndarray,
              amplitudes: np.ndarray) -> None:
    """Add Gaussians to ``signal`` (samples, leads) in place.

    ``times`` and ``widths`` (waves,) in s, ``amplitudes`` (waves, leads) in mV. What lies outside the signal
    is lost.
    """
    if not len(times):
        return
    n_samples = len(signal)
    reach = int(np.ceil(4.5 * widths.max() * sampling_rate))
    index = np.rint(times * sampling_rate).astype(np.int64)[:, None] + np.arange(-reach, reach + 1)
    shape = np.exp(-0.5 * ((index / sampling_rate - times[:, None]) / widths[:, None]) ** 2)
    # One cell more on either side gathers what falls outside.
    cells = np.clip(index + 1, 0, n_samples + 1).ravel()
    for lead in range(signal.shape[1]):
        weights = (shape * amplitudes[:, lead, None]).ravel()
        signal[:, lead] += np.bincount(cells, weights, minlength=n_samples + 2)[1:-1]


def _groups(beats: Beats, subject: Morphology, conduction: str, st: float, infarct: str):
    """(waves, time of each beat, factor of each beat) for each shape of beat; 0 means another shape."""
    p_to_r = subject.p_to_r * np.clip(beats.cycle, 0.4, 1.2) ** 0.3
    for name in table("waves")["atrial"]:
        start = beats.time if name in _AFTER_R else beats.time - p_to_r
        yield waves("atrial", name), start, (beats.p_wave == name).astype(float)
    fusion = 0.5 * (beats.symbol == "F")
    conducted = np.isin(beats.symbol, ["N", "L", "R", "A"]) + fusion
    factors = {kind: np.zeros(len(beats.time)) for kind in table("waves")["ventricular"]}
    factors[conduction] += conducted
    factors["rbbb"] += beats.symbol == "a"  # aberration is mostly a tired right bundle
    factors["ventricular"] += (beats.symbol == "V") + fusion
    factors["paced"] += beats.symbol == "/"
    for kind, factor in factors.items():
        yield waves("ventricular", kind), beats.time, factor
    yield waves("st"), beats.time, st * conducted
    if infarct:
        yield waves("infarcts", infarct), beats.time, conducted


def _atrial_vector(span: Span, subject: Morphology, field: np.ndarray) -> np.ndarray:
    turned = subject.transform["P"] / np.linalg.norm(subject.transform["P"], 2)
    kind = "flutter" if span.rhythm == "flutter" else "fibrillation"
    return field @ turned @ (getattr(subject, kind) * np.array(table("waves")["atria"][kind]))


def _atrial_activity(n_samples: int, sampling_rate: float, span: Span, rng: np.random.Generator) -> np.ndarray:
    """Waves of about unit height within ``span``, shape (n_samples,)."""
    t = np.arange(n_samples) / sampling_rate
    ramp = 0.15  # s over which the activity comes and goes
    inside = np.clip((t - span.start) / ramp, 0, 1) * np.clip((span.stop - t) / ramp, 0, 1)
    if span.rhythm == "flutter":
        # A saw-tooth without its highest harmonics, locked to the beats it conducts.
        turns = (t - span.anchor) * span.atrial_rate
        return inside * sum(np.sin(2 * np.pi * k * turns) * 0.85 ** (k - 1) / k for k in (1, 2, 3, 4))
    # Waves whose rate and height wander, pointed by their harmonics (cf. Stridh & Sornmo, IEEE TBME 2001).
    wander = rng.uniform(0.10, 0.35, 3)
    start = rng.uniform(0, 2 * np.pi, 3)
    turns = 2 * np.pi * span.atrial_rate * t + 3.0 * np.sin(2 * np.pi * wander[0] * t + start[0]) + np.sin(
        2 * np.pi * 4 * wander[1] * t + start[1])
    size = 1 + 0.4 * np.sin(2 * np.pi * wander[2] * t + start[2])
    return inside * size * sum(np.sin(k * turns) / k ** 1.3 for k in (1, 2, 3))
