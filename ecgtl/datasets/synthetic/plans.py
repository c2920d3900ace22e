"""What the records of each database's twin hold: rhythm, conduction, noise, label.

A plan says what to make and knows nothing of files; ``writers`` knows files and nothing of rhythms. A new
database is an entry of ``plans.yml``, a function here that returns its plans, and a writer there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from ecgtl.datasets.leads import LEADS
from ecgtl.datasets.synthetic.model import CONDUCTION, Changes, changed, draw_morphology, mixing, render
from ecgtl.datasets.synthetic.noise import Loss, Noise, apply_losses, draw_bursts, render_noise
from ecgtl.datasets.synthetic.rhythms import Segment, Span, draw_segment, schedule, table


@dataclass(frozen=True)
class Patient:
    """What a hospital's table says beside the rhythm, as far as it does: ``age`` in years, ``sex``, one
    ``finding``; width of the QRS complex and QT interval corrected to 60 beats/min in ms; published ``fold``.
    """

    age: int = 0
    sex: str = ""
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
    changes: Changes = field(default_factory=Changes)
    contact: float = 1.0
    losses: tuple[Loss, ...] = ()
    patient: Patient = Patient()

    @property
    def seconds(self) -> float:
        """Length of the record in s."""
        return sum(segment.seconds for segment in self.segments)


@dataclass(frozen=True)
class Synthetic:
    """A synthetic record: ``signal`` (samples, leads) in mV, NaN where nothing was stored, and its truth.

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
    n_samples = round(plan.seconds * sampling_rate)
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


def shuffled(seed: int, stream: int, counts: dict[str, int]) -> list[str]:
    """Each key of ``counts`` so many times, in random order."""
    return generator(seed, stream).permutation([label for label, n in counts.items() for _ in range(n)]).tolist()


def _facts(database: str) -> dict:
    """What ``plans.yml`` says of a database's twin."""
    return table("plans")[database]


def _chain(rng: np.random.Generator, parts: Sequence[tuple[str, float, dict]], seconds: float) -> tuple[Segment, ...]:
    """Segments one after the other by their rhythms, shares of ``seconds`` and fields that are not drawn."""
    return tuple(draw_segment(rng, rhythm, share * seconds, **fields) for rhythm, share, fields in parts)


def _with_copy(plans: list[RecordPlan], label: str, record: str) -> list[RecordPlan]:
    """``plans``, and behind them a copy of the first one with ``label``, called ``record``."""
    return [*plans, replace(next(plan for plan in plans if plan.label == label), record=record)]


# --- PhysioNet/Computing in Cardiology Challenge 2017 ---

_CINC2017 = 2017


def cinc2017(seed: int) -> list[RecordPlan]:
    """400 single-lead recordings in the challenge's four classes; the last is a copy of an earlier one."""
    labels = shuffled(seed, _CINC2017, _facts("cinc2017")["counts"])
    plans = [_cinc2017_record(generator(seed, _CINC2017, 1, i), i, label, labels[:i].count(label))
             for i, label in enumerate(labels[:-1])]
    return _with_copy(plans, labels[-1], f"A{len(labels):05d}")


def _cinc2017_record(rng: np.random.Generator, i: int, label: str, nth: int) -> RecordPlan:
    """The ``nth`` record of its class."""
    seconds = _cinc2017_seconds(rng, label)
    level = rng.lognormal(-0.25, 0.6)
    noise = Noise(wander=0.03 * level, mains=0.002, mains_hz=60, muscle=0.008 * level, muscle_band=(8.0, 40.0),
                  motion=0.15 * level, bursts=rng.choice([0, 2, 6]),
                  settling=rng.choice([0, 1]) * rng.lognormal(-0.2, 1.0))
    contact = rng.choice([1, -1], p=[0.88, 0.12])
    others = _facts("cinc2017")["other"]
    kind = {"N": "sinus", "A": "fibrillation", "O": others[nth % len(others)], "~": "noise"}[label]
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
    shares = [0.44, 0.45, 0.11] if label == "~" else [0.71, 0.14, 0.15]
    length = (30.0, rng.uniform(9, 30), rng.choice([60.0, rng.uniform(31, 61)]))[rng.choice(3, p=shares)]
    return round(length * 300) / 300


def _cinc2017_segments(rng: np.random.Generator, kind: str, seconds: float) -> tuple[Segment, ...]:
    if kind == "fibrillation" and rng.uniform() < 0.12:  # paroxysmal: sinus rhythm for a part
        share = rng.uniform(0.2, 0.4)
        return _chain(rng, [("sinus", share, {}), (kind, 1 - share, {})], seconds)[::rng.choice([1, -1])]
    if kind in ("bradycardia", "tachycardia", "flutter", "fibrillation"):
        return (draw_segment(rng, kind, seconds),)
    if kind == "supraventricular":
        share = rng.uniform(0.25, 0.6)
        return _chain(rng, [("sinus", 1 - share, {}), (kind, share, {})], seconds)
    ectopy = {"ventricular ectopy": dict(ectopics="V", share=rng.uniform(0.06, 0.25)),
              "atrial ectopy": dict(ectopics="AAa", share=rng.uniform(0.06, 0.25)),
              "bigeminy": dict(ectopics=str(rng.choice(["V", "A"])), every=int(rng.choice([2, 3])))}
    # Young hearts breathe visibly in their rate, and are normal.
    rhythm = "sinus arrhythmia" if kind == "sinus" and rng.uniform() < 0.2 else "sinus"
    return (draw_segment(rng, rhythm, seconds, **ectopy.get(kind, {})),)


# --- MIT-BIH Arrhythmia Database, and the QT Database, of which a part comes from it ---

_MITDB, _QTDB = 1980, 1997


def mitdb(seed: int) -> list[RecordPlan]:
    """Two-lead Holter recordings of three minutes; 201 and 202 are of one subject, as in the release."""
    return [_mitdb_record(generator(seed, _MITDB, 1, int(record)), record) for record in _facts("mitdb")["parts"]]


def _mitdb_record(rng: np.random.Generator, record: str) -> RecordPlan:
    all_of, number = _facts("mitdb"), int(record)
    restless = record in all_of["restless"]
    segments = _chain(rng, all_of["parts"][record], all_of["seconds"])
    noise = Noise(**all_of["noise"], bursts=3.0 if restless else 0.3).times(rng.lognormal(0, 0.3) * (1 + restless))
    return RecordPlan(record, (_MITDB, 2, number), (_MITDB, 3, all_of["subjects"].get(record, number)), segments, noise,
                      leads=tuple(all_of["leads"].get(record, ("MLII", "V1"))),
                      conduction=all_of["conduction"].get(record, "normal"))


def qtdb(seed: int) -> list[RecordPlan]:
    """Two-lead excerpts of a minute and a half from Holter recordings."""
    return [_qtdb_record(generator(seed, _QTDB, 1, i), i, record) for i, record in enumerate(_facts("qtdb")["records"])]


def _qtdb_record(rng: np.random.Generator, i: int, record: str) -> RecordPlan:
    all_of = _facts("qtdb")
    segment = draw_segment(rng, "sinus", all_of["seconds"], **all_of["kinds"][i % len(all_of["kinds"])])
    return RecordPlan(record, (_QTDB, 2, i), (_QTDB, 3, i - (record == "sele0122")), (segment,),
                      Noise(**all_of["noise"]).times(rng.lognormal(0, 0.3)),
                      leads=("III", "V4") if record.startswith("sele") else ("MLII", "V5"))


# --- Chapman-Shaoxing ---

_SHAOXING = 2020
# No class is below ten: two for the test set, eight to draw a training set from, with replacement, which then leaves
# one for the validation set 998 times in 1,000.
SHAOXING_LEAST = 10
_PREMATURE = {"VPB": "V", "APB": "A"}


def shaoxing(seed: int) -> list[RecordPlan]:
    """198 twelve-lead recordings of 10 s in the eleven rhythms; the last is a copy of an earlier one."""
    size, released = (_facts("shaoxing")[name] for name in ("size", "released"))
    counts = {code: max(SHAOXING_LEAST, round(size * n / sum(released.values()))) for code, n in released.items()}
    codes = shuffled(seed, _SHAOXING, counts)
    plans = [_shaoxing_record(generator(seed, _SHAOXING, 1, i), i, code) for i, code in enumerate(codes[:-1])]
    return _with_copy(plans, codes[-1], _muse_name(len(plans)))


def _shaoxing_record(rng: np.random.Generator, i: int, code: str) -> RecordPlan:
    all_of = _facts("shaoxing")
    rhythm, rate, age, women, qtc = all_of["rhythms"][code]
    shares = all_of["findings"]
    finding = str(rng.choice(["NONE", *shares], p=[1 - sum(shares.values()), *shares.values()]))
    conduction = finding.lower() if finding.lower() in CONDUCTION else "normal"
    fields: dict = {} if rate is None else {"rate": _within(rng, *rate)}
    if finding in _PREMATURE:
        fields |= {"ectopics": _PREMATURE[finding], "share": rng.uniform(0.08, 0.2)}
    patient = Patient(age=int(_within(rng, age[0], age[1], 4, 98)), sex="FEMALE" if rng.uniform() < women else "MALE",
                      finding=finding, qtc=int(_within(rng, qtc, 28, 350, 560)),
                      qrs=int(_within(rng, 88 if conduction == "normal" else 140, 9, 60, 190)))
    st = {"STDD": -1, "STTU": 1}.get(finding, 0) * rng.uniform(0.15, 0.35)
    noise = Noise(**all_of["noise"]).times(rng.lognormal(0, 0.5))
    return RecordPlan(_muse_name(i), (_SHAOXING, 2, i), (_SHAOXING, 3, i), (draw_segment(rng, rhythm, 10.0, **fields),),
                      noise, label=code, leads=LEADS, conduction=conduction, st=st, patient=patient)


def _muse_name(i: int) -> str:
    """A name as the recorder makes them: date, time and a number of thousands."""
    at = datetime(2018, 1, 11, 8) + timedelta(minutes=23 * i)
    return f"MUSE_{at:%Y%m%d_%H%M%S}_{(37 * i + 11) % 100:02d}000"


def _within(rng: np.random.Generator, mean: float, sd: float, low: float, high: float) -> float:
    """A normal value, drawn again until it lies between ``low`` and ``high``."""
    while not low <= (value := rng.normal(mean, sd)) <= high:
        pass
    return value


# --- bedside monitors of an intensive care unit ---

_ICU = 2016


def icu_monitor(seed: int) -> list[RecordPlan]:
    """64 patients with two or three segments of 60 to 90 s in lead II, every third with V5 beside it."""
    return [plan for patient in range(_facts("icu_monitor")["patients"]) for plan in _icu_patient(seed, patient)]


def _icu_patient(seed: int, patient: int) -> Iterator[RecordPlan]:
    """All segments of a patient: one heart, one monitor, one bed."""
    rng, kinds = generator(seed, _ICU, 1, patient), _facts("icu_monitor")["kinds"]
    kind = kinds[patient % len(kinds)]
    rate = rng.uniform(62, 98)
    level = rng.lognormal(0, 0.35)
    noise = Noise(wander=0.05 * level, mains=rng.choice([0.004, 0.004, 0.03]), mains_hz=50,
                  muscle=0.010 * level, motion=0.25 * level, bursts=rng.choice([0.2, 1.0]))
    st = rng.choice([-1, 1]) * rng.uniform(0.2, 0.4) if kind == "st" else 0.0
    for number in range(rng.integers(2, 4)):
        seconds = round(rng.uniform(60, 90) * 250) / 250
        yield RecordPlan(
            f"p{patient + 1:02d}_{number + 1:04d}", (_ICU, 2, patient, number), (_ICU, 3, patient),
            _icu_segments(rng, kind, seconds, rate), noise, st=st, losses=_icu_losses(rng, seconds),
            leads=("II", "V5") if patient % 3 == 2 else ("II",), conduction=kind if kind in CONDUCTION else "normal")


def _icu_segments(rng: np.random.Generator, kind: str, seconds: float, rate: float) -> tuple[Segment, ...]:
    """The rhythms of one segment. The rate of a sedated patient on a ventilator hardly moves."""
    all_of = _facts("icu_monitor")
    if kind in all_of["whole"]:
        return (draw_segment(rng, kind, seconds),)
    ectopy = {name: dict(ectopics=symbols, share=rng.uniform(low, high))
              for name, (symbols, low, high) in all_of["ectopy"].items()}
    fields = {"rate": rate * rng.uniform(0.85, 1.15), "variability": rng.uniform(0.003, 0.02)} | ectopy.get(kind, {})
    if kind not in all_of["episodes"]:
        return (draw_segment(rng, "sinus", seconds, **fields),)
    episode, share = all_of["episodes"][kind]
    before = rng.uniform(0.1, 0.9) * (1 - share)
    after = 1 - before - share
    return _chain(rng, [("sinus", before, fields), (episode, share, {}), ("sinus", after, fields)], seconds)


def _icu_losses(rng: np.random.Generator, seconds: float) -> tuple[Loss, ...]:
    """Stretches without signal, each kind at its own rate; they may overlap, as they do at the bedside."""
    return tuple(Loss(kind, start, min(start + rng.uniform(shortest, longest), seconds))
                 for kind, (rate, shortest, longest) in _facts("icu_monitor")["losses"].items()
                 for start in rng.uniform(0, seconds, rng.poisson(rate * seconds / 60)))


# --- Icentia11k: chest patches of outpatients ---

_ICENTIA = 2019


def icentia11k(seed: int) -> list[RecordPlan]:
    """20 patients with one to four segments of 60 to 150 s each, and a last one that was cut short."""
    return [plan for patient in range(_facts("icentia11k")["patients"]) for plan in _icentia_patient(seed, patient)]


def _icentia_patient(seed: int, patient: int) -> Iterator[RecordPlan]:
    rng, all_of = generator(seed, _ICENTIA, 1, patient), _facts("icentia11k")
    for number in range(rng.integers(1, 5)):
        seconds = round(rng.uniform(60, 150)) if (patient, number) != (0, 1) else 20
        segments = _chain(rng, all_of["kinds"][patient % len(all_of["kinds"])], seconds)
        restless = (patient + number) % all_of["restless"] == 3
        noise = Noise(**all_of["noise"], bursts=16.0 if restless else 0.3).times(rng.lognormal(0, 0.3))
        yield RecordPlan(f"p{patient:05d}_s{number:02d}", (_ICENTIA, 2, patient, number), (_ICENTIA, 3, patient),
                         segments, noise)


# --- a user's own folder ---

_FOLDER = 1


def folder(seed: int) -> list[RecordPlan]:
    """Thirty two-lead recordings of 10 to 20 s with three labels, such as a laboratory might have."""
    return [_folder_record(generator(seed, _FOLDER, 1, i), i, label)
            for i, label in enumerate(shuffled(seed, _FOLDER, _facts("folder")["counts"]))]


def _folder_record(rng: np.random.Generator, i: int, label: str) -> RecordPlan:
    seconds = round(rng.uniform(10, 20) * 250) / 250
    ectopy = dict(ectopics="V", share=rng.uniform(0.1, 0.25)) if label == "other" else {}
    segment = draw_segment(rng, "fibrillation" if label == "af" else "sinus", seconds, **ectopy)
    noise = Noise(**_facts("folder")["noise"]).times(rng.lognormal(0, 0.5))
    return RecordPlan(f"rec{i + 1:02d}", (_FOLDER, 2, i), (_FOLDER, 3, i), (segment,), noise, label=label,
                      leads=("I", "II"))
