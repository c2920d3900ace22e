"""What the statements of an ECG report look like, so that a record can be planned from its labels.

Names are those of ``ecgtl/datasets/snomed.yml`` where it has the statement. Rates and limits are the usual
ones of adults (Surawicz and Knilans, Chou's Electrocardiography in Clinical Practice).
"""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from ecgtl.datasets.synthetic.model import LEADS, Changes
from ecgtl.datasets.synthetic.noise import Noise
from ecgtl.datasets.synthetic.plans import Patient, RecordPlan
from ecgtl.datasets.synthetic.rhythms import Segment, draw_segment

# Statement -> fields of Segment, RecordPlan and Changes; of a pair of numbers one between is drawn, of a list
# an entry. ``paroxysm`` is the share of the record, in sinus rhythm, before the rhythm begins. Two statements
# go together when no field stands in both. So some stand here only to keep others out: without P waves there
# is no PR interval; in tachycardia, block and pacing nobody reads the ST segment and the T wave.
_NO_P_WAVE = {"pr": 0.0}
_NO_ST_T = {"st": 0.0, "t_wave": 1.0, "infarct": ""}
_TACHYCARDIA = {"rhythm": "supraventricular", "ectopics": "", **_NO_P_WAVE, **_NO_ST_T}
RHYTHMS = {
    "sinus_rhythm": {"rhythm": "sinus", "rate": (60, 99)},
    "sinus_bradycardia": {"rhythm": "bradycardia", "rate": (42, 57)},
    "sinus_tachycardia": {"rhythm": "tachycardia", "rate": (102, 140)},
    "sinus_arrhythmia": {"rhythm": "sinus arrhythmia", "rate": (58, 95)},
    "atrial_fibrillation": {"rhythm": "fibrillation", **_NO_P_WAVE},
    "atrial_flutter": {"rhythm": "flutter", "ectopics": "", **_NO_P_WAVE},
    "supraventricular_tachycardia": _TACHYCARDIA,
    "paroxysmal_supraventricular_tachycardia": _TACHYCARDIA | {"paroxysm": (0.3, 0.6)},
    "wandering_atrial_pacemaker": {"rhythm": "wandering pacemaker", "ectopics": "A", "share": (0.1, 0.2)},
    "pacing_rhythm": {"rhythm": "paced", "ectopics": "", "conduction": "normal", "axis": 0.0, "voltage": 1.0,
                      "qt": 1.0, **_NO_P_WAVE, **_NO_ST_T},
    "ventricular_bigeminy": {"ectopics": "V", "every": 2},
    "ventricular_trigeminy": {"ectopics": "V", "every": 3},
}
FINDINGS = {
    "premature_atrial_contraction": {"ectopics": "A", "share": (0.10, 0.25), **_NO_P_WAVE},
    "premature_ventricular_contraction": {"ectopics": "V", "share": (0.10, 0.25)},
    "first_degree_av_block": {"pr": (0.08, 0.14)},
    "right_bundle_branch_block": {"conduction": "rbbb"},
    "left_bundle_branch_block": {"conduction": "lbbb", "axis": 0.0, **_NO_ST_T},
    "left_axis_deviation": {"axis": (-95, -65)},
    "low_qrs_voltages": {"voltage": (0.25, 0.40)},
    "left_ventricular_high_voltage": {"voltage": (1.7, 2.2)},
    "left_ventricular_hypertrophy": {"voltage": (1.7, 2.2), "st": (-0.20, -0.08), "t_wave": (-0.8, -0.3)},
    "st_depression": {"st": (-0.35, -0.15)},
    "st_elevation": {"st": (0.20, 0.45)},
    "st_changes": {"st": [(-0.25, -0.10), (0.10, 0.25)]},
    "t_wave_abnormal": {"t_wave": (0.0, 0.2)},
    "t_wave_inversion": {"t_wave": (-1.2, -0.6)},
    "nonspecific_st_t_abnormality": {"st": (-0.12, -0.06), "t_wave": (0.3, 0.6)},
    "prolonged_qt_interval": {"qt": (1.25, 1.40)},
    "q_wave_abnormal": {"infarct": ["inferior", "anterior"]},
    "inferior_myocardial_infarction": {"infarct": "inferior"},
    "anterior_myocardial_infarction": {"infarct": "anterior"},
}
# Other names of what looks the same
_SAME_AS = {"ventricular_ectopics": "premature_ventricular_contraction",
            "complete_right_bundle_branch_block": "right_bundle_branch_block"}


def appearance(statement: str) -> dict:
    """The entry of ``RHYTHMS`` or ``FINDINGS`` for ``statement``; KeyError where the model cannot draw it."""
    return (RHYTHMS | FINDINGS)[_SAME_AS.get(statement, statement)]


def go_together(statement: str, others: Sequence[str]) -> bool:
    """Whether ``statement`` leaves alone what any of ``others`` fixes."""
    return all(appearance(statement).keys().isdisjoint(appearance(other)) for other in others)


def record_with(statements: Sequence[str], rng: np.random.Generator, record: str, stream: tuple[int, ...],
                subject_stream: tuple[int, ...], seconds: float = 10.0, **given) -> RecordPlan:
    """A twelve-lead record of ``seconds`` that shows ``statements``; ``given`` are fields of ``RecordPlan``.

    Sinus rhythm leads where none of them is a rhythm. ``rng`` draws what the statements leave open, the
    patient and the noise.
    """
    said = any("rhythm" in appearance(statement) for statement in statements)
    drawn: dict = {}
    for statement in statements if said else ("sinus_rhythm", *statements):
        drawn |= {name: _drawn(rng, value) for name, value in appearance(statement).items()}
    changes = Changes(**{f.name: drawn[f.name] for f in fields(Changes) if f.name in drawn})
    level = rng.lognormal(0, 0.5)
    noise = Noise(wander=0.03 * level, mains=0.003 * level, mains_hz=50, muscle=0.008 * level)
    given = {"patient": patient(rng)} | given
    return RecordPlan(record, stream, subject_stream, _segments(rng, drawn, seconds), noise, leads=LEADS,
                      conduction=drawn.get("conduction", "normal"), st=drawn.get("st", 0.0), changes=changes,
                      **given)


def patient(rng: np.random.Generator, **given) -> Patient:
    """An adult of 18 to 95 years; ``given`` are fields of ``Patient``."""
    return Patient(int(np.clip(rng.normal(61, 17), 18, 95)), str(rng.choice(["FEMALE", "MALE"])), **given)


def _segments(rng: np.random.Generator, drawn: dict, seconds: float) -> tuple[Segment, ...]:
    before = drawn.get("paroxysm", 0.0) * seconds
    own = draw_segment(rng, seconds=seconds - before,
                       **{f.name: drawn[f.name] for f in fields(Segment) if f.name in drawn})
    return (draw_segment(rng, "sinus", before), own) if before else (own,)


def _drawn(rng: np.random.Generator, value):
    """A number between a pair of them, an entry of a list, or the value itself."""
    if isinstance(value, list):
        return _drawn(rng, value[rng.integers(len(value))])
    return float(rng.uniform(*value)) if isinstance(value, tuple) else value
