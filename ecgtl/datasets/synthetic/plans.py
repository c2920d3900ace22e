"""What the records of each database's twin hold: rhythm, conduction, noise, label.

A plan says what to make and knows nothing of files; ``writers`` knows files and nothing of rhythms. A new
database is a function here that returns its plans and a writer there.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from ecgtl.datasets.synthetic.model import (
    CONDUCTION,
    LEADS,
    Changes,
    changed,
    draw_morphology,
    mixing,
    render,
)
from ecgtl.datasets.synthetic.noise import Loss, Noise, apply_losses, draw_bursts, render_noise
from ecgtl.datasets.synthetic.rhythms import Segment, Span, draw_segment, schedule


@dataclass(frozen=True)
class Patient:
    """What a hospital's table says beside the rhythm, as far as it does: ``age`` in years, ``sex``, one
    ``finding``; width of the QRS complex and QT interval corrected to 60 beats/min in ms; published ``fold``.
    """

    age: int
    sex: str
    finding: str = ""
    qrs: int = 0
    qtc: int = 0
    fold: int = 0


@dataclass(frozen=True)
class RecordPlan:
    """One record to be made. ``stream`` and ``subject_stream`` seed its chance: records that share the latter
    are of one subject, records that share both are copies.

    ``label`` is its only one, ``labels`` are several, as the database's files write them. ``contact`` is the
    share of the ECG that reaches the electrodes, negative when they are swapped; ``losses`` are stretches
    without signal.
    """

    record: str
    stream: tuple[int, ...]
    subject_stream: tuple[int, ...]
    segments: tuple[Segment, ...]
    noise: Noise
    label: str = ""
    labels: tuple[str, ...] = ()
    leads: tuple[str, ...] = ("ECG",)
    conduction: str = "normal"
    st: float = 0.0
    changes: Changes = Changes()
    contact: float = 1.0
    losses: tuple[Loss, ...] = ()
    patient: Patient | None = None

    @property
    def seconds(self) -> float:
        """Length of the record in s."""
        return sum(segment.seconds for segment in self.segments)


@dataclass(frozen=True)
class Synthetic:
    """A made record: ``signal`` (samples, leads) in mV, NaN where nothing was stored, and its truth.

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
    subject = changed(draw_morphology(generator(seed, *plan.subject_stream)), plan.changes)
    n_samples = int(round(plan.seconds * sampling_rate))
    beats, spans = schedule(rng, plan.segments, CONDUCTION[plan.conduction])
    ecg = render(n_samples, sampling_rate, plan.leads, beats, spans, subject, rng, plan.conduction, plan.st,
                 plan.changes.infarct)
    bursts = draw_bursts(rng, plan.noise, plan.seconds)
    # Noise is drawn for the independent leads and mixed, so that it too obeys Einthoven.
    mix = mixing(plan.leads)
    used = np.flatnonzero(mix.any(axis=0))
    noise = render_noise(rng, plan.noise, n_samples, sampling_rate, len(used), bursts) @ mix[:, used].T
    signal = plan.contact * ecg + noise
    apply_losses(signal, sampling_rate, plan.losses)
    inside = (beats.time >= 0) & (beats.time * sampling_rate < n_samples - 1)
    return Synthetic(signal, sampling_rate, beats.time[inside], beats.symbol[inside], spans, bursts)


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


# --- QT Database ---

_QTDB = 1997
_QTDB_SECONDS = 90.0
# A few of each database that the excerpts come from, the first one MITDB's; sele0122 is of sele0121's subject
_QTDB_RECORDS = ("sel100", "sel14046", "sel16265", "sel16420", "sel16773", "sel30", "sel31", "sel34", "sel38", "sel301",
                 "sel307", "sel803", "sel820", "sel872", "sel891", "sele0104", "sele0112", "sele0121", "sele0122", "sele0210",
                 "sele0606")
_QTDB_KINDS = (dict(ectopics="V", share=0.08), {}, dict(ectopics="A", share=0.08), dict(rate=52), dict(rate=115),
               dict(ectopics="VVAF", share=0.05))  # sinus rhythm throughout: the release was chosen to be quiet


def qtdb(seed: int) -> list[RecordPlan]:
    """Two-lead excerpts of a minute and a half from Holter recordings."""
    return [_qtdb_record(generator(seed, _QTDB, 1, i), i, record) for i, record in enumerate(_QTDB_RECORDS)]


def _qtdb_record(rng: np.random.Generator, i: int, record: str) -> RecordPlan:
    segment = draw_segment(rng, "sinus", _QTDB_SECONDS, **_QTDB_KINDS[i % len(_QTDB_KINDS)])
    level = rng.lognormal(0, 0.3)
    noise = Noise(wander=0.05 * level, mains=0.003 * level, mains_hz=60, muscle=0.010 * level, motion=0.15 * level, bursts=0.3)
    return RecordPlan(record, (_QTDB, 2, i), (_QTDB, 3, i - (record == "sele0122")), (segment,), noise,
                      leads=("III", "V4") if record.startswith("sele") else ("MLII", "V5"))


# --- Chapman-Shaoxing ---

_SHAOXING = 2020
# How often the release's table has each rhythm code (AF is atrial flutter there).
SHAOXING_RELEASED = {"SB": 3889, "SR": 1826, "AFIB": 1780, "ST": 1568, "SVT": 587, "AF": 445, "SA": 399,
                     "AT": 121, "AVNRT": 16, "AVRT": 8, "SAAWR": 7}
# Shares of the release, but no class below ten: two for the test part, eight to draw a training part from,
# with replacement, which then leaves one for the validation part 998 times in 1,000.
_SHAOXING_SIZE, SHAOXING_LEAST = 150, 10
SHAOXING_COUNTS = {code: max(SHAOXING_LEAST, round(_SHAOXING_SIZE * n / sum(SHAOXING_RELEASED.values())))
                   for code, n in SHAOXING_RELEASED.items()}
# code -> rhythm; mean, SD and bounds of the ventricular rate (None: the rhythm's own); mean and SD of the
# age; share of women; mean of the corrected QT interval. Bounds are those of the diagnosis, the rest is that
# of the release's table.
_SHAOXING_RHYTHMS = {
    "SB": ("bradycardia", (55, 4, 38, 59.5), (58, 14), 0.36, 413),
    "SR": ("sinus", (76, 10, 60, 99), (54, 16), 0.56, 431),
    "AFIB": ("fibrillation", (95, 27, 50, 165), (73, 11), 0.42, 449),
    "ST": ("tachycardia", (112, 12, 100.5, 160), (55, 21), 0.49, 455),
    "SVT": ("supraventricular", (168, 23, 130, 220), (56, 19), 0.52, 463),
    "AF": ("flutter", None, (71, 13), 0.42, 464),
    "SA": ("sinus arrhythmia", (73, 10, 55, 95), (35, 23), 0.44, 421),
    "AT": ("atrial tachycardia", (118, 25, 95, 180), (66, 19), 0.47, 456),
    "AVNRT": ("av node reentry", (172, 15, 145, 206), (58, 17), 0.75, 461),
    "AVRT": ("av reentry", (171, 30, 126, 230), (58, 17), 0.38, 447),
    "SAAWR": ("wandering pacemaker", (64, 10, 53, 78), (51, 25), 0.86, 419),
}
# Findings beside the rhythm with about their shares in the release; all others are without.
_SHAOXING_FINDINGS = {"RBBB": 0.043, "STDD": 0.038, "VPB": 0.029, "APB": 0.026, "STTU": 0.017, "LBBB": 0.009}
_PREMATURE = {"VPB": "V", "APB": "A"}


def shaoxing(seed: int) -> list[RecordPlan]:
    """198 twelve-lead recordings of 10 s in the eleven rhythms; the last is a copy of an earlier one."""
    codes = [code for code, count in SHAOXING_COUNTS.items() for _ in range(count)]
    codes = generator(seed, _SHAOXING).permutation(codes).tolist()
    plans = [_shaoxing_record(generator(seed, _SHAOXING, 1, i), i, code) for i, code in enumerate(codes[:-1])]
    copied = next(plan for plan in plans if plan.label == codes[-1])
    return [*plans, replace(copied, record=_muse_name(len(plans)))]


def _shaoxing_record(rng: np.random.Generator, i: int, code: str) -> RecordPlan:
    rhythm, rate, age, women, qtc = _SHAOXING_RHYTHMS[code]
    finding = str(rng.choice(["NONE", *_SHAOXING_FINDINGS], p=_with_rest(_SHAOXING_FINDINGS)))
    conduction = finding.lower() if finding.lower() in CONDUCTION else "normal"
    fields = {} if rate is None else {"rate": _within(rng, *rate)}
    if finding in _PREMATURE:
        fields |= {"ectopics": _PREMATURE[finding], "share": rng.uniform(0.08, 0.2)}
    patient = Patient(age=int(_within(rng, *age, 4, 98)), sex="FEMALE" if rng.uniform() < women else "MALE",
                      finding=finding, qtc=int(_within(rng, qtc, 28, 350, 560)),
                      qrs=int(_within(rng, 88 if conduction == "normal" else 140, 9, 60, 190)))
    st = {"STDD": -1, "STTU": 1}.get(finding, 0) * rng.uniform(0.15, 0.35)
    level = rng.lognormal(0, 0.5)
    noise = Noise(wander=0.03 * level, mains=0.003 * level, mains_hz=50, muscle=0.008 * level)
    return RecordPlan(_muse_name(i), (_SHAOXING, 2, i), (_SHAOXING, 3, i),
                      (draw_segment(rng, rhythm, 10.0, **fields),), noise, label=code, leads=LEADS,
                      conduction=conduction, st=st, patient=patient)


def _muse_name(i: int) -> str:
    """A name as the recorder makes them: date, time and a number of thousands."""
    at = datetime(2018, 1, 11, 8) + timedelta(minutes=23 * i)
    return f"MUSE_{at:%Y%m%d_%H%M%S}_{(37 * i + 11) % 100:02d}000"


def _with_rest(shares: dict[str, float]) -> list[float]:
    """The ``shares``, and before them what they leave of 1."""
    return [1 - sum(shares.values()), *shares.values()]


def _within(rng: np.random.Generator, mean: float, sd: float, low: float, high: float) -> float:
    """A normal value, drawn again until it lies between ``low`` and ``high``."""
    while not low <= (value := rng.normal(mean, sd)) <= high:
        pass
    return value


# --- bedside monitors of an intensive care unit ---

_ICU = 2016
_ICU_PATIENTS = 64
# One patient after the other; "sinus" is the commonest. An episode is (rhythm, share of the segment).
_ICU_KINDS = ("sinus", "atrial fibrillation", "ventricular ectopy", "sinus", "paced",
              "paroxysmal fibrillation", "sinus tachycardia", "rbbb", "ventricular run", "sinus",
              "bradycardia", "st", "atrial ectopy", "flutter", "lbbb")
_ICU_EPISODES = {"paroxysmal fibrillation": ("fibrillation", 0.4), "ventricular run": ("ventricular", 0.08),
                 "paced": ("paced", 0.7)}
_ICU_RHYTHMS = {"atrial fibrillation": "fibrillation", "flutter": "flutter", "bradycardia": "bradycardia",
                "sinus tachycardia": "tachycardia"}
_ICU_LOSSES = {"off": (0.15, 10, 25), "missing": (0.10, 1, 12), "rail": (0.25, 0.4, 2.0)}  # a minute; seconds


def icu_monitor(seed: int) -> list[RecordPlan]:
    """64 patients with two or three segments of 60 to 90 s in lead II, every third with V5 beside it."""
    return [plan for patient in range(_ICU_PATIENTS) for plan in _icu_patient(seed, patient)]


def _icu_patient(seed: int, patient: int) -> list[RecordPlan]:
    """All segments of a patient: one heart, one monitor, one bed."""
    rng = generator(seed, _ICU, 1, patient)
    kind = _ICU_KINDS[patient % len(_ICU_KINDS)]
    rate = rng.uniform(62, 98)
    level = rng.lognormal(0, 0.35)
    noise = Noise(wander=0.05 * level, mains=rng.choice([0.004, 0.004, 0.03]), mains_hz=50,
                  muscle=0.010 * level, motion=0.25 * level, bursts=rng.choice([0.2, 1.0]))
    st = rng.choice([-1, 1]) * rng.uniform(0.2, 0.4) if kind == "st" else 0.0
    plans = []
    for number in range(rng.integers(2, 4)):
        seconds = round(rng.uniform(60, 90) * 250) / 250
        plans.append(RecordPlan(
            f"p{patient + 1:02d}_{number + 1:04d}", (_ICU, 2, patient, number), (_ICU, 3, patient),
            _icu_segments(rng, kind, seconds, rate), noise, st=st, losses=_icu_losses(rng, seconds),
            leads=("II", "V5") if patient % 3 == 2 else ("II",),
            conduction=kind if kind in CONDUCTION else "normal"))
    return plans


def _icu_segments(rng: np.random.Generator, kind: str, seconds: float, rate: float) -> tuple[Segment, ...]:
    """The rhythms of one segment. The rate of a sedated patient on a ventilator hardly moves."""
    if kind in _ICU_RHYTHMS:
        return (draw_segment(rng, _ICU_RHYTHMS[kind], seconds),)
    ectopy = {"ventricular ectopy": dict(ectopics="V", share=rng.uniform(0.03, 0.15)),
              "atrial ectopy": dict(ectopics="Aa", share=rng.uniform(0.03, 0.12))}.get(kind, {})
    fields = {"rate": rate * rng.uniform(0.85, 1.15), "variability": rng.uniform(0.003, 0.02)} | ectopy
    if kind not in _ICU_EPISODES:
        return (draw_segment(rng, "sinus", seconds, **fields),)
    episode, share = _ICU_EPISODES[kind]
    before = rng.uniform(0.1, 0.9) * (1 - share)
    return (draw_segment(rng, "sinus", before * seconds, **fields),
            draw_segment(rng, episode, share * seconds),
            draw_segment(rng, "sinus", (1 - before - share) * seconds, **fields))


def _icu_losses(rng: np.random.Generator, seconds: float) -> tuple[Loss, ...]:
    """Stretches without signal, each kind at its own rate; they may overlap, as they do at the bedside."""
    losses = []
    for kind, (rate, shortest, longest) in _ICU_LOSSES.items():
        for start in rng.uniform(0, seconds, rng.poisson(rate * seconds / 60)):
            losses.append(Loss(kind, start, min(start + rng.uniform(shortest, longest), seconds)))
    return tuple(losses)


# --- Icentia11k: chest patches of outpatients ---

_ICENTIA = 2019
_ICENTIA_PATIENTS = 20
# One patient after the other: (rhythm, share of the segment) one after the other, and fields of all of them
_ICENTIA_KINDS = (
    ([("sinus", 1)], dict(ectopics="A", share=0.04)),
    ([("sinus", 0.45), ("fibrillation", 0.4), ("sinus", 0.15)], dict(ectopics="V", share=0.04)),
    ([("bradycardia", 0.6), ("sinus", 0.4)], dict(ectopics="AaV", share=0.08)),
    ([("sinus", 0.2), ("flutter", 0.5), ("sinus", 0.3)], dict(ectopics="V", share=0.02)),
    ([("sinus", 0.6), ("tachycardia", 0.4)], dict(ectopics="VVA", share=0.10)),
    ([("fibrillation", 0.6), ("flutter", 0.4)], dict(ectopics="V", share=0.03)),
    ([("sinus", 1)], dict(ectopics="Aa", share=0.10)),
)
_ICENTIA_RESTLESS = 4  # one segment in so many is mostly motion


def icentia11k(seed: int) -> list[RecordPlan]:
    """20 patients with one to four segments of 60 to 150 s each, and a last one that was cut short."""
    return [plan for patient in range(_ICENTIA_PATIENTS) for plan in _icentia_patient(seed, patient)]


def _icentia_patient(seed: int, patient: int) -> list[RecordPlan]:
    rng = generator(seed, _ICENTIA, 1, patient)
    parts, fields = _ICENTIA_KINDS[patient % len(_ICENTIA_KINDS)]
    plans = []
    for number in range(rng.integers(1, 5)):
        seconds = round(rng.uniform(60, 150)) if (patient, number) != (0, 1) else 20
        segments = tuple(draw_segment(rng, rhythm, share * seconds, **fields) for rhythm, share in parts)
        level = rng.lognormal(0, 0.3)
        restless = (patient + number) % _ICENTIA_RESTLESS == 3
        noise = Noise(wander=0.05 * level, mains=0.003 * level, mains_hz=60, muscle=0.010 * level,
                      motion=0.4 * level, bursts=16.0 if restless else 0.3)
        plans.append(RecordPlan(f"p{patient:05d}_s{number:02d}", (_ICENTIA, 2, patient, number),
                                (_ICENTIA, 3, patient), segments, noise))
    return plans


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

