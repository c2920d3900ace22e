"""What the statements of an ECG report look like, so that a record can be planned from its labels.

How each looks stands in ``statements.yml``. Names are those of ``ecgtl/datasets/snomed.yml`` where it has the
statement. Rates and limits are the usual ones of adults (Surawicz and Knilans, Chou's Electrocardiography in Clinical
Practice).
"""

from collections.abc import Sequence
from dataclasses import fields

import numpy as np

from ecgtl.datasets.leads import LEADS
from ecgtl.datasets.synthetic.model import Changes
from ecgtl.datasets.synthetic.noise import Noise
from ecgtl.datasets.synthetic.plans import Patient, RecordPlan
from ecgtl.datasets.synthetic.rhythms import Segment, draw_segment
from ecgtl.datasets.synthetic.tables import table


def appearance(statement: str) -> dict:
    """What ``statements.yml`` says of ``statement``; KeyError where the model cannot draw it."""
    known = table("statements")
    return (known["rhythms"] | known["findings"])[known["same_as"].get(statement, statement)]


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
    noise = Noise(wander=0.03, mains=0.003, mains_hz=50, muscle=0.008).times(rng.lognormal(0, 0.5))
    given = {"patient": patient(rng)} | given
    return RecordPlan(record, stream, subject_stream, _segments(rng, drawn, seconds), noise, leads=LEADS,
                      conduction=drawn.get("conduction", "normal"), st=drawn.get("st", 0.0), changes=changes, **given)


def patient(rng: np.random.Generator, **given) -> Patient:
    """An adult of 18 to 95 years; ``given`` are fields of ``Patient``."""
    return Patient(int(np.clip(rng.normal(61, 17), 18, 95)), str(rng.choice(["FEMALE", "MALE"])), **given)


def _segments(rng: np.random.Generator, drawn: dict, seconds: float) -> tuple[Segment, ...]:
    before = drawn.get("paroxysm", 0.0) * seconds
    given = {f.name: drawn[f.name] for f in fields(Segment) if f.name in drawn}
    own = draw_segment(rng, seconds=seconds - before, **given)
    return (draw_segment(rng, "sinus", before), own) if before else (own,)


def _drawn(rng: np.random.Generator, value):
    """A number between a pair of them, an entry of another list, or the value itself."""
    if not isinstance(value, list):
        return value
    if isinstance(value[0], int | float):
        return float(rng.uniform(*value))
    return _drawn(rng, value[rng.integers(len(value))])
