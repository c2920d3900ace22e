"""Leads, and the one place that finds them.

By name in each recording, since those of one data set may differ in order.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np

from ecgtl.errors import EcgtlError, RecordError, note_once

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")

# "Lead I (Einthoven)" of DICOM, "ECG V1" of EDF+, "MDC_ECG_LEAD_II" of HL7, "D3" of the European ST-T Database. A minus
# sign that turns the lead, as in "Lead -aVR" or "aVR (inverted)", is none of it.
_STANDARD = re.compile(r"(?:mdc_ecg_lead_|(?:lead|ecg|ekg)(?:[ _:]+(?:- +)?|-))?"
                       rf"(?:({'|'.join(LEADS)})|D(I{{1,3}}|[1-3]))(?: *\((?! *(?:[-\u2212]|inv|neg|rev)).*\))?",
                       re.IGNORECASE | re.ASCII)
_UNNAMED = re.compile(r"(?:ecg|ekg|lead|signal|sig|channel|chan|ch|column|col|unknown|unnamed|value|val|record|"
                      r"[\W\d_])*|record \S+, signal \d+", re.IGNORECASE)  # the last as PhysioNet's headers have it
# The six limb leads (Einthoven 1912, Goldberger 1942) in terms of I and II
LIMB = dict(zip(LEADS[:6], ((1, 0), (0, 1), (-1, 1), (-0.5, -0.5), (1, -0.5), (-0.5, 1)), strict=True))


@lru_cache(maxsize=4096)
def standard_name(text: str) -> str:
    """A lead's name as the standard twelve are called here, any other as it stands, stripped.

    ``ECG I``, ``DI``, ``D1``, ``MDC_ECG_LEAD_I`` and ``i (Einthoven)`` are I. ``MLII`` is another lead than II.
    """
    found = _STANDARD.fullmatch(text.strip())
    if not found:
        return text.strip()
    number = found[2] and ("I" * int(found[2]) if found[2].isdigit() else found[2])
    return next(lead for lead in LEADS if lead.lower() == (found[1] or number).lower())


def compared(names: Iterable[str]) -> list[str]:
    """``names`` so that those of one lead are equal: standard names, in lower case."""
    return [standard_name(str(name)).lower() for name in names]


def is_unnamed(name: str) -> bool:
    """Whether ``name`` names no lead: empty, ``ECG``, ``ECG1``, ``signal 0``, ``ch0``, ``unknown``, digits and such."""
    return bool(_UNNAMED.fullmatch(name))


def derived(available: Sequence[str], wanted: str) -> np.ndarray | None:
    """Weights (leads,) of the leads ``available``, whose weighted sum, in the unit that they share, is ``wanted``.

    Every limb lead is a combination of I and II: III = II - I (Einthoven, Lancet 1912;179:853-861), aVR = -(I + II)/2,
    aVL = (I - III)/2, aVF = (II + III)/2 (Goldberger, Am Heart J 1942;23:483-492). I and II are fitted by least
    squares to the limb leads that are available; others weigh 0, and so does a name that two columns have. None where
    fewer than two limb leads are available, or ``wanted`` is no limb lead.
    """
    names, asked = [standard_name(name) for name in available], standard_name(wanted)
    used = [k for k, name in enumerate(names) if name in LIMB and names.count(name) == 1]
    if asked not in LIMB or len(used) < 2:  # any two of them determine I and II
        return None
    weights = np.zeros(len(names))
    weights[used] = np.array(LIMB[asked]) @ np.linalg.pinv(np.array([LIMB[names[k]] for k in used]))
    return weights


def check_leads(leads: str | Sequence[str] | None) -> list[str] | None:
    """Names out of ``LEADS`` for ``leads`` (as ``find`` takes them); None stands for all twelve.

    Raises EcgtlError for an unknown or repeated lead, or none at all.
    """
    if leads is None:
        return None
    asked = [leads] if isinstance(leads, str) else leads
    chosen = [LEADS[k] for lead in asked for k in find(LEADS, str(lead))]
    if not chosen or len(set(chosen)) < len(asked):
        raise EcgtlError(f"leads is {leads!r}; give one or several of {', '.join(LEADS)}, each once")
    return chosen


def check_lead(lead: str | int | None) -> str | int | None:
    """``lead`` as it is compared, a name in lower case; EcgtlError unless it can name a lead, or is None for all."""
    if isinstance(lead, bool) or not isinstance(lead, str | int | None) or (isinstance(lead, int) and lead < 0):
        raise EcgtlError(f"lead is {lead!r}; give the name of a lead, an index from 0, or None for all")
    return lead.lower() if isinstance(lead, str) else lead


def find(names: Sequence[str], lead: int | str) -> list[int]:
    """Columns of ``lead``, an index or a name (upper and lower case alike), among ``names``.

    None, one, or all of that name; where there is none, other names of that lead (``standard_name``).
    """
    if isinstance(lead, str):
        exact = [k for k, name in enumerate(names) if name.lower() == lead.lower()]
        return exact or [k for k, name in enumerate(compared(names)) if name == compared([lead])[0]]
    return [int(lead)] if 0 <= lead < len(names) else []


def listed(names: Sequence[str]) -> str:
    """The first of ``names``, for a message."""
    return ", ".join(names[:15]) + (", ..." if len(names) > 15 else "") or "none"


def column(names: Sequence[str], lead: int | str, where: str) -> int:
    """The one column of ``lead`` among ``names``; EcgtlError naming ``where`` when there is none or more than one."""
    found = find(names, lead)
    if len(found) != 1:
        several = f"{len(found)} leads named {lead}; choose one by its index, {' or '.join(map(str, found[:12]))}"
        raise RecordError("several leads of one name" if found else f"no lead {lead}",
                          f"{where} has {several if found else f'no lead {lead!r}; it has ' + listed(names)}")
    return found[0]


def columns(names: Sequence[str], leads: Sequence[int | str] | None, where: str) -> list[int]:
    """Columns of ``leads`` among a record's ``names``, or of all; errors as of ``column``."""
    return list(range(len(names))) if leads is None else [column(names, lead, where) for lead in leads]


def resolve(recordings, asked: Sequence[int | str], said: int | str | None = None) -> tuple[int | str, ...]:
    """``asked`` (indices or names) so that each finds the same lead in every one of the ``recordings``.

    Several become indices where all recordings have the same leads in the same order, else names: an index stands for
    the name that the first recording has there. One alone stays as it is: an index goes by position, and when that
    gives leads of different names, a line says so (``said`` is the lead as the user gave it). Whether a recording lacks
    a lead: ``missing``.
    """
    first = recordings.leads[0]
    if len(asked) == 1:
        if not isinstance(asked[0], str) and find(first, asked[0]):
            say_names(recordings.name, asked[0] if said is None else said, recordings.leads[:, asked[0]])
        return tuple(asked)
    found, alike = [find(first, lead) for lead in asked], np.char.lower(recordings.leads)
    if all(len(columns) == 1 for columns in found) and (alike == alike[0]).all():
        return tuple(k for k, in found)
    return tuple(lead if isinstance(lead, str) else str(first[column(first, lead, recordings.name)]) for lead in asked)


def columns_of(recordings, lead: int | str) -> np.ndarray:
    """Column (R,) of ``lead`` in each of the ``recordings``; EcgtlError for one that lacks it."""
    _, first, kind = np.unique(recordings.leads, axis=0, return_index=True, return_inverse=True)
    return np.array([recordings.lead_index(i, lead) for i in first])[kind.reshape(-1)]


def missing(recordings, leads: Sequence[int | str]) -> list[str]:
    """``no lead NAME`` for each of the ``recordings`` that lacks one of ``leads``, empty for the others, (R,)."""
    kinds, kind = np.unique(recordings.leads, axis=0, return_inverse=True)
    lacks = [next((f"no lead {lead}" for lead in leads if not find(names, lead)), "") for names in kinds]
    return [lacks[k] for k in kind.reshape(-1)]


def check(recordings, leads: Sequence[int | str], on_bad: str) -> None:
    """EcgtlError for the first recording that lacks one of ``leads``; with ``on_bad=skip`` only when all do."""
    lacking = [i for i, reason in enumerate(missing(recordings, leads)) if reason]
    if lacking and (on_bad == "error" or len(lacking) == len(recordings)):
        first, n = lacking[0], f"{len(lacking)} of {len(recordings)}"
        columns(recordings.leads[first], leads, f"recording {recordings.ids[first]} of {recordings.name} ({n} lack a "
                "lead; on_bad=skip leaves such recordings out and counts them)")


def say_names(name: str, lead: int | str, shown: Sequence[str]) -> None:
    """Say once which names ``lead`` of the data set ``name`` has, ``shown`` one a recording, unless all are of one."""
    if len(set(compared(np.unique(shown)))) > 1:
        counts = [f"{lead} in {n}" for lead, n in Counter(np.asarray(shown).tolist()).most_common()]
        more = ", ..." if len(counts) > 8 else ""
        note_once(f"{name}: lead {lead} is {counts[0]} recordings, {', '.join(counts[1:8])}{more}; give the name of a "
                  "lead to use that one alone")
