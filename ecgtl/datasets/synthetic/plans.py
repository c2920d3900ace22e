"""What the records of each database's twin hold: rhythm, conduction, noise, label.

A plan says what to make and knows nothing of files; ``writers`` knows files and nothing of rhythms. A new
database is a function here that returns its plans and a writer there.
"""

from dataclasses import dataclass, replace

import numpy as np

from ecgtl.datasets.synthetic.model import CONDUCTION, draw_morphology, mixing, render
from ecgtl.datasets.synthetic.noise import Noise, draw_bursts, render_noise
from ecgtl.datasets.synthetic.rhythms import Segment, Span, draw_segment, schedule


@dataclass(frozen=True)
class RecordPlan:
    """One record to be made. ``stream`` and ``subject_stream`` seed its chance: records that share the latter
    are of one subject, records that share both are copies.

    ``contact`` is the share of the ECG that reaches the electrodes, negative when they are swapped.
    """

    record: str
    stream: tuple[int, ...]
    subject_stream: tuple[int, ...]
    segments: tuple[Segment, ...]
    noise: Noise
    label: str = ""
    leads: tuple[str, ...] = ("ECG",)
    conduction: str = "normal"
    st: float = 0.0
    contact: float = 1.0

    @property
    def seconds(self) -> float:
        """Length of the record in s."""
        return sum(segment.seconds for segment in self.segments)


@dataclass(frozen=True)
class Synthetic:
    """A made record: ``signal`` (samples, leads) in mV, and its truth.

    ``beat_times`` (beats,) s of the R peaks within the record and their WFDB ``symbols``; ``spans`` of
    rhythm; ``bursts`` (n, 2) s of motion artefact.
    """

    signal: np.ndarray
    sampling_rate: float
    beat_times: np.ndarray
    symbols: np.ndarray
    spans: list[Span]
    bursts: np.ndarray


def generator(seed: int, *stream: int) -> np.random.Generator:
    """The generator of one record or subject: independent of how many others there are."""
    return np.random.default_rng((seed, *stream))


def synthesise(plan: RecordPlan, sampling_rate: float, seed: int) -> Synthetic:
    """Make the record of ``plan`` at ``sampling_rate`` (Hz, any)."""
    rng = generator(seed, *plan.stream)
    subject = draw_morphology(generator(seed, *plan.subject_stream))
    n_samples = int(round(plan.seconds * sampling_rate))
    beats, spans = schedule(rng, plan.segments, CONDUCTION[plan.conduction])
    ecg = render(n_samples, sampling_rate, plan.leads, beats, spans, subject, rng, plan.conduction, plan.st)
    bursts = draw_bursts(rng, plan.noise, plan.seconds)
    # Noise is drawn for the independent leads and mixed, so that it too obeys Einthoven.
    mix = mixing(plan.leads)
    used = np.flatnonzero(mix.any(axis=0))
    noise = render_noise(rng, plan.noise, n_samples, sampling_rate, len(used), bursts) @ mix[:, used].T
    inside = (beats.time >= 0) & (beats.time * sampling_rate < n_samples - 1)
    return Synthetic(plan.contact * ecg + noise, sampling_rate, beats.time[inside], beats.symbol[inside],
                     spans, bursts)


# --- PhysioNet/Computing in Cardiology Challenge 2017 ---

_CINC2017 = 2017
CINC2017_COUNTS = {"N": 220, "A": 44, "O": 108, "~": 28}  # the real shares, but no class too small to split
# Two in five are irregular in shape alone, so that RR intervals cannot tell them.
_OTHER_KINDS = ("ventricular ectopy", "rbbb", "atrial ectopy", "lbbb", "bradycardia", "tachycardia", "st",
                "ventricular ectopy", "flutter", "rbbb", "supraventricular", "lbbb", "bigeminy")


def cinc2017(seed: int) -> list[RecordPlan]:
    """400 single-lead recordings in the challenge's four classes; the last is a copy of an earlier one."""
    labels = [label for label, count in CINC2017_COUNTS.items() for _ in range(count)]
    labels = generator(seed, _CINC2017).permutation(labels)
    plans, seen = [], dict.fromkeys(CINC2017_COUNTS, 0)
    for i, label in enumerate(labels[:-1]):
        rng = generator(seed, _CINC2017, 1, i)
        plans.append(_cinc2017_record(rng, i, str(label), seen[label]))
        seen[label] += 1
    copied = next(plan for plan in plans if plan.label == labels[-1])
    return [*plans, replace(copied, record=f"A{len(labels):05d}")]


def _cinc2017_record(rng: np.random.Generator, i: int, label: str, nth: int) -> RecordPlan:
    """The ``nth`` record of its class."""
    seconds = _cinc2017_seconds(rng, label)
    level = rng.lognormal(-0.25, 0.6)
    noise = Noise(wander=0.03 * level, mains=0.002, mains_hz=60, muscle=0.008 * level,
                  muscle_band=(8.0, 40.0), motion=0.15 * level, bursts=rng.choice([0, 2, 6]),
                  settling=rng.choice([0, 1]) * rng.lognormal(-0.2, 1.0))
    contact = rng.choice([1, -1], p=[0.88, 0.12])
    other = _OTHER_KINDS[nth % len(_OTHER_KINDS)]
    kind = {"N": "sinus", "A": "fibrillation", "O": other, "~": "noise"}[label]
    segments = _cinc2017_segments(rng, kind, seconds)
    st = rng.choice([-1, 1], p=[0.75, 0.25]) * rng.uniform(0.25, 0.60) if kind == "st" else 0.0
    if label == "~":
        loss = rng.uniform(0, 1)  # from restless to no contact at all
        contact *= 1 - 0.9 * loss
        noise = replace(noise, wander=rng.lognormal(-1.9, 0.5), muscle=rng.lognormal(-3.0, 0.7),
                        motion=rng.lognormal(-1.0, 0.4), bursts=rng.uniform(10, 25))
    return RecordPlan(f"A{i + 1:05d}", (_CINC2017, 2, i), (_CINC2017, 3, i), segments, noise, label=label,
                      conduction=kind if kind in CONDUCTION else "normal", st=st, contact=contact)


def _cinc2017_seconds(rng: np.random.Generator, label: str) -> float:
    """Most recordings last 30 s exactly, many of the rest a minute; noisy ones are shorter."""
    shares = {"~": [0.44, 0.45, 0.11]}.get(label, [0.71, 0.14, 0.15])
    length = (30.0, rng.uniform(9, 30), rng.choice([60.0, rng.uniform(31, 61)]))[rng.choice(3, p=shares)]
    return round(length * 300) / 300


def _cinc2017_segments(rng: np.random.Generator, kind: str, seconds: float) -> tuple[Segment, ...]:
    if kind in ("bradycardia", "tachycardia", "flutter"):
        return (draw_segment(rng, kind, seconds),)
    if kind == "fibrillation":
        if rng.uniform() < 0.12:  # paroxysmal: sinus rhythm for a part
            share = rng.uniform(0.2, 0.4)
            sinus = draw_segment(rng, "sinus", share * seconds)
            return (sinus, draw_segment(rng, kind, (1 - share) * seconds))[::rng.choice([1, -1])]
        return (draw_segment(rng, kind, seconds),)
    if kind == "supraventricular":
        share = rng.uniform(0.25, 0.6)
        return (draw_segment(rng, "sinus", (1 - share) * seconds), draw_segment(rng, kind, share * seconds))
    ectopy = {"ventricular ectopy": dict(ectopics="V", share=rng.uniform(0.06, 0.25)),
              "atrial ectopy": dict(ectopics="AAa", share=rng.uniform(0.06, 0.25)),
              "bigeminy": dict(ectopics=str(rng.choice(["V", "A"])), every=int(rng.choice([2, 3])))}
    # Young hearts breathe visibly in their rate, and are normal.
    rhythm = "sinus arrhythmia" if kind == "sinus" and rng.uniform() < 0.2 else "sinus"
    return (draw_segment(rng, rhythm, seconds, **ectopy.get(kind, {})),)


# --- MIT-BIH Arrhythmia Database ---

_MITDB = 1980
_MITDB_SECONDS = 180.0
# record -> leads, subject, conduction, and (rhythm, share of the record, fields) one after the other. Each
# echoes what the real record of that number is known for.
_MITDB_RECORDS = {
    "100": ("MLII V5", 100, "normal", [("sinus", 1, dict(rate=75, ectopics="A", share=0.03))]),
    "101": ("MLII V1", 101, "normal", [("sinus", 1, dict(rate=63, ectopics="A", share=0.01))]),
    "102": ("V5 V2", 102, "normal", [("paced", 0.6, {}), ("sinus", 0.2, {}), ("paced", 0.2, {})]),
    "103": ("MLII V2", 103, "normal", [("sinus", 1, dict(rate=70))]),
    "104": ("V5 V2", 104, "normal", [("paced", 0.3, {}), ("sinus", 0.2, dict(ectopics="V", share=0.04)),
                                     ("paced", 0.3, {}), ("sinus", 0.2, {})]),
    "105": ("MLII V1", 105, "normal", [("sinus", 1, dict(rate=84, ectopics="V", share=0.03))]),
    "109": ("MLII V1", 109, "lbbb", [("sinus", 1, dict(rate=86, ectopics="VVVF", share=0.05))]),
    "114": ("V5 MLII", 114, "normal", [("sinus", 0.7, dict(rate=57, ectopics="VVAF", share=0.08)),
                                       ("supraventricular", 0.1, {}), ("sinus", 0.2, dict(rate=57))]),
    "118": ("MLII V1", 118, "rbbb", [("sinus", 1, dict(rate=75, ectopics="AAAV", share=0.08))]),
    "119": ("MLII V1", 119, "normal", [("sinus", 0.3, dict(rate=68, ectopics="V", share=0.15)),
                                       ("sinus", 0.3, dict(rate=68, ectopics="V", every=2)),
                                       ("sinus", 0.2, dict(rate=68)),
                                       ("sinus", 0.2, dict(rate=68, ectopics="V", every=3))]),
    "201": ("MLII V1", 201, "normal", [("fibrillation", 0.4, dict(rate=85)),
                                       ("sinus", 0.3, dict(rate=60, ectopics="VAaa", share=0.12)),
                                       ("sinus", 0.3, dict(rate=60, ectopics="V", every=3))]),
    "202": ("MLII V1", 201, "normal", [("sinus", 0.5, dict(rate=54, ectopics="Aa", share=0.04)),
                                       ("fibrillation", 0.3, dict(rate=80)),
                                       ("flutter", 0.2, dict(ratios=(2, 4)))]),
    "203": ("MLII V1", 203, "normal", [("fibrillation", 0.6, dict(rate=105)), ("ventricular", 0.04, {}),
                                       ("fibrillation", 0.16, dict(rate=105)), ("flutter", 0.2, {})]),
    "222": ("MLII V1", 222, "normal", [("sinus", 0.4, dict(rate=78, ectopics="A", share=0.10)),
                                       ("flutter", 0.3, {}),
                                       ("sinus", 0.3, dict(rate=78, ectopics="A", every=2))]),
}
_MITDB_RESTLESS = ("101", "104", "105", "203")  # records with episodes of noise


def mitdb(seed: int) -> list[RecordPlan]:
    """Two-lead Holter recordings of three minutes; 201 and 202 are of one subject, as in the release."""
    return [_mitdb_record(generator(seed, _MITDB, 1, int(record)), record) for record in _MITDB_RECORDS]


def _mitdb_record(rng: np.random.Generator, record: str) -> RecordPlan:
    leads, subject, conduction, parts = _MITDB_RECORDS[record]
    segments = tuple(draw_segment(rng, rhythm, share * _MITDB_SECONDS, **fields)
                     for rhythm, share, fields in parts)
    level = rng.lognormal(0, 0.3) * (2 if record in _MITDB_RESTLESS else 1)
    noise = Noise(wander=0.06 * level, mains=0.004 * level, mains_hz=60, muscle=0.012 * level,
                  motion=0.20 * level, bursts=3.0 if record in _MITDB_RESTLESS else 0.3)
    return RecordPlan(record, (_MITDB, 2, int(record)), (_MITDB, 3, subject), segments, noise,
                      leads=tuple(leads.split()), conduction=conduction)


# --- a user's own folder ---

_FOLDER = 1
FOLDER_COUNTS = {"normal": 14, "af": 8, "other": 8}


def folder(seed: int) -> list[RecordPlan]:
    """Thirty two-lead recordings of 10 to 20 s with three labels, such as a laboratory might have."""
    labels = [label for label, count in FOLDER_COUNTS.items() for _ in range(count)]
    return [_folder_record(generator(seed, _FOLDER, 1, i), i, label)
            for i, label in enumerate(generator(seed, _FOLDER).permutation(labels).tolist())]


def _folder_record(rng: np.random.Generator, i: int, label: str) -> RecordPlan:
    seconds = round(rng.uniform(10, 20) * 250) / 250
    ectopy = dict(ectopics="V", share=rng.uniform(0.1, 0.25)) if label == "other" else {}
    segment = draw_segment(rng, "fibrillation" if label == "af" else "sinus", seconds, **ectopy)
    level = rng.lognormal(0, 0.5)
    noise = Noise(wander=0.06 * level, mains=0.010 * level, mains_hz=50, muscle=0.015 * level)
    return RecordPlan(f"rec{i + 1:02d}", (_FOLDER, 2, i), (_FOLDER, 3, i), (segment,), noise, label=label,
                      leads=("I", "II"))

