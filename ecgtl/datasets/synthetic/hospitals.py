"""What the twins of hospitals' twelve-lead archives hold: PTB-XL, CPSC 2018, Georgia and Chapman-Ningbo.

Every record is planned from the statements of its report, several where they go together. How each looks stands in
``statements.yml``, under its name in ``ecgtl/datasets/snomed.yml`` where that has it; rates and limits are the usual
ones of adults (Surawicz and Knilans, Chou's Electrocardiography in Clinical Practice). Classes have about the shares of
the release, but none is too small to split.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache as once
from typing import NamedTuple

import numpy as np

from ecgtl.datasets import snomed
from ecgtl.datasets.leads import LEADS
from ecgtl.datasets.synthetic.model import Changes
from ecgtl.datasets.synthetic.noise import Noise
from ecgtl.datasets.synthetic.plans import Patient, RecordPlan, generator, shuffled
from ecgtl.datasets.synthetic.rhythms import Segment, draw_segment, table

LEAST = 10  # records that are planned for a class at least
SINUS = ("sinus_rhythm", "sinus_bradycardia", "sinus_tachycardia")  # what findings are mostly seen in

# --- how statements look ---


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


# --- CPSC 2018, Georgia and Chapman-Ningbo: SNOMED CT codes ---


@dataclass(frozen=True)
class Archive:
    """About ``size`` records with the statements of ``label_set`` and ``further`` codes, in the shares that they have
    in ``sources``.

    ``rhythm_said``: every record names its rhythm. ``beside`` is the chance of a further finding. Records count from 1
    of each place that they come from, in turn; its ``names`` are letters, how many digits, and the number before the
    first. Records last 10 s, but for a share of ``others``, between two ``lengths`` (s).
    """

    stream: int
    sources: tuple[str, ...]
    label_set: str
    further: tuple[str, ...]
    size: int
    rhythm_said: bool
    beside: float
    names: tuple[tuple[str, int, int], ...]
    others: float = 0.0
    lengths: tuple[float, float] = (10.0, 10.0)

    @property
    def codes(self) -> tuple[str, ...]:
        """SNOMED CT codes of the statements."""
        chosen = (code if isinstance(code, str) else code["codes"][0] for code in snomed.label_set(self.label_set))
        return (*chosen, *self.further)

    def name(self, i: int) -> str:
        """Name of record ``i``, from 0."""
        letters, digits, before = self.names[i % len(self.names)]
        return f"{letters}{before + i // len(self.names) + 1:0{digits}d}"

    def counts(self) -> dict[str, int]:
        """Records that are planned for each code; further ones show it beside another."""
        released = {code: snomed.records(code, *self.sources) for code in self.codes}
        whole = sum(released.values())
        return {code: max(LEAST, round(self.size * n / whole)) for code, n in released.items()}


@once
def archives() -> dict[str, Archive]:
    """The archives of ``plans.yml`` by name."""
    return {name: Archive(**fields) for name, fields in table("plans")["archives"].items()}


def archive(name: str, seed: int) -> list[RecordPlan]:
    """Records of one of the ``archives``: a rhythm, where it names that, and none to two findings."""
    chosen = archives()[name]
    codes = shuffled(seed, chosen.stream, chosen.counts())
    return [_archive_record(chosen, seed, i, code) for i, code in enumerate(codes)]


def _archive_record(archive: Archive, seed: int, i: int, code: str) -> RecordPlan:
    rng = generator(seed, archive.stream, 1, i)
    codes = _with_others(archive, rng, code)
    other = round(rng.uniform(*archive.lengths) * 500) / 500
    seconds = other if rng.uniform() < archive.others else 10.0
    return record_with([snomed.names()[one] for one in codes], rng, archive.name(i),
                       (archive.stream, 2, i), (archive.stream, 3, i), seconds, labels=tuple(codes))


def _with_others(archive: Archive, rng: np.random.Generator, code: str) -> list[str]:
    """``code`` with its rhythm, where that is said, and by chance a finding or two, in the archive's order.

    Where it is not said, sinus rhythm stands for a normal record, alone.
    """
    names = {one: snomed.names()[one] for one in archive.codes}
    sinus = [one for one, name in names.items() if name in SINUS]
    rhythms = table("statements")["rhythms"] if archive.rhythm_said else SINUS
    findings = [one for one, name in names.items() if name not in rhythms]
    chosen = [code]
    if archive.rhythm_said and code in findings:
        chosen += _one_of(rng, sinus, names, chosen)
    alone = code in sinus and not archive.rhythm_said
    while not alone and len(chosen) < 3 and rng.uniform() < archive.beside:
        chosen += _one_of(rng, findings, names, chosen)
    return [one for one in names if one in chosen]


def _one_of(rng: np.random.Generator, words: Sequence[str], names: dict[str, str], beside: Sequence[str]) -> list[str]:
    """One of ``words`` that goes together with those ``beside``, or none; ``names`` says what each shows."""
    allowed = [word for word in words if go_together(names[word], [names[one] for one in beside])]
    return [allowed[rng.integers(len(allowed))]] if allowed else []


# --- PTB-XL: SCP-ECG statements ---


class Scp(NamedTuple):
    """A statement: ``kind`` diagnostic, form or rhythm; ``looks`` is its name in ``statements.yml``."""

    text: str
    kind: str
    superclass: str | None
    looks: str


@once
def scp_statements() -> dict[str, Scp]:
    """PTB-XL's statements, in the order of the release."""
    return {key: Scp(*row) for key, row in table("statements")["ptbxl"].items()}


# What one recording after the other shows first; None: a statement of the form, which has no superclass
_SUPERCLASSES = ("NORM", "MI", "NORM", "STTC", "CD", "NORM", "HYP", None)
_SECOND = 0.4  # chance of a second finding
_PTBXL = 10
_PTBXL_SR = 72  # recordings in sinus rhythm; every other rhythm has LEAST
_SEVERAL = (("STACH", "BIGU"), ("SR", "BIGU"), ("SR", "TRIGU"), ("SBRAD", "TRIGU"))
_FOLDS = 10
_SECOND_VISITS = 7  # so many of those in sinus rhythm are a second recording of a patient


def ptbxl(seed: int) -> list[RecordPlan]:
    """194 recordings of 10 s with statements of rhythm, diagnosis and form; patients in ten folds.

    Every rhythm stands alone in ten recordings, one a fold, sinus rhythm in more; a few have two, or none.
    """
    counts = {key: _PTBXL_SR if key == "SR" else LEAST for key, scp in scp_statements().items() if scp.kind == "rhythm"}
    rhythms = [*((key,) for key, n in counts.items() for _ in range(n)), *_SEVERAL * 2, *[()] * 4]
    again = range(_PTBXL_SR - _SECOND_VISITS, _PTBXL_SR)
    order = generator(seed, _PTBXL).permutation(len(rhythms)).tolist()
    return [_ptbxl_record(seed, place, i, rhythms[i], i % _FOLDS if i in again else i) for place, i in enumerate(order)]


def _ptbxl_record(seed: int, place: int, i: int, rhythm: tuple[str, ...], who: int) -> RecordPlan:
    rng = generator(seed, _PTBXL, 1, i)
    # Three steps on from one record of a fold to its next: each fold sees all superclasses
    superclass = _SUPERCLASSES[(i // _FOLDS + i) % len(_SUPERCLASSES)]
    keys = (*_ptbxl_findings(rng, superclass, rhythm), *rhythm)
    person = patient(generator(seed, _PTBXL, 4, who), fold=who % _FOLDS + 1)  # the same at each visit
    looks = [scp_statements()[key].looks for key in keys]
    return record_with([*filter(None, looks)], rng, f"{place + 1:05d}", (_PTBXL, 2, i), (_PTBXL, 3, who), labels=keys,
                       patient=person)


def _ptbxl_findings(rng: np.random.Generator, superclass: str | None, rhythm: Sequence[str]) -> list[str]:
    """A finding of ``superclass`` where the rhythm lets it be seen, and by chance one of another superclass.

    Without any the ECG is normal, but for one with a pacemaker.
    """
    if "PACE" in rhythm:
        return []
    others = [name for name in _SUPERCLASSES if name != "NORM"]
    second = [others[rng.integers(len(others))]] if rng.uniform() < _SECOND else []
    looks = {key: statement.looks for key, statement in scp_statements().items()}
    findings: list[str] = []
    for wanted in [] if superclass == "NORM" else [superclass, *second]:
        keys = [key for key, statement in scp_statements().items()
                if statement.superclass == wanted and statement.kind != "rhythm"]
        findings += _one_of(rng, keys, looks, [*rhythm, *findings])
    return findings or ["NORM"]
