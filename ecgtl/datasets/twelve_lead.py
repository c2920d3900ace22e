"""What the loaders of twelve-lead databases share: the leads' names, and the choice of a few of them."""

from collections.abc import Sequence

from ecgtl.errors import EcgtlError, RecordError

LEADS = ("I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6")


def check_leads(leads: str | Sequence[str] | None) -> list[str] | None:
    """Names out of ``LEADS`` for ``leads`` (upper and lower case alike); None stands for all twelve.

    Raises EcgtlError for an unknown or repeated lead, or none at all.
    """
    if leads is None:
        return None
    known = {name.lower(): name for name in LEADS}
    chosen = [known.get(str(lead).lower()) for lead in ([leads] if isinstance(leads, str) else leads)]
    if not chosen or None in chosen or len(set(chosen)) < len(chosen):
        raise EcgtlError(f"leads is {leads!r}; give one or several of {', '.join(LEADS)}, each once")
    return chosen


def columns(names: Sequence[str], leads: Sequence[str] | None, where: str) -> list[int]:
    """Columns of ``leads`` among a record's ``names``, or of all; EcgtlError naming ``where`` when one is
    absent.
    """
    if leads is None:
        return list(range(len(names)))
    found = {name.lower(): k for k, name in enumerate(names)}
    absent = [lead for lead in leads if lead.lower() not in found]
    if absent:
        raise RecordError(f"no lead {absent[0]}", f"{where} has no lead {absent[0]}; it has {', '.join(names)}")
    return [found[lead.lower()] for lead in leads]
