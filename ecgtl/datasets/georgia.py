"""Georgia: 10,344 twelve-lead recordings of 5 to 10 s at 500 Hz, several labels each.

Source: Perez Alday et al., Physiological Measurement 41, 2020; part ``training/georgia`` of the Challenge
2020 on PhysioNet. Every code of a header's ``#Dx:`` comment is a label, named by ``snomed.yml``. The release
names no patients, so each recording counts as a subject of its own (identical signals as one).
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ecgtl.datasets import challenge2020, snomed
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.leads import check_leads
from ecgtl.datasets.recordings import Recordings
from ecgtl.errors import EcgtlError

NAME = "georgia"
FOLDER = f"{challenge2020.FOLDER}/training/georgia"
LABEL_SETS = ("georgia_10", "scored_2020")


def read(root: Path, on_bad: str = "error", synthetic: bool = False, labels: int | str | Sequence[str] | None = None,
         leads: str | Sequence[str] | None = None) -> Recordings:
    """All recordings below ``root/challenge-2020/1.0.2/training/georgia``, several labels each.

    Recordings may have any length. ``labels`` chooses the classes: ``None`` takes every statement that occurs, in the
    order of ``snomed.yml``; a number k takes the k with most recordings among those read, the most frequent first;
    ``"georgia_10"`` the ten of the MELEP paper, ``"scored_2020"`` the 27 that the Challenge scores; anything else names
    statements by name, short name or code. Recordings with none of the chosen labels get an empty row. Codes that the
    Challenge scores as one (complete and plain right bundle branch block, say) stay apart. ``leads`` keeps some leads
    only: all twelve of the whole release take 1.2 GB.

    ``on_bad`` says what a damaged, flat or incomplete recording causes, one without its other file, at
    another rate than 500 Hz, without a diagnosis or with a code outside ``snomed.yml``: ``error``, or
    ``skip``, which leaves it out and counts it. Raises EcgtlError when the folder holds no records, and for
    unknown labels.
    """
    wanted = _check_labels(labels)
    collector = Collector(NAME, challenge2020.VERSION, multi_label=True, on_bad=on_bad, synthetic=synthetic)

    def choose() -> list[str]:
        """The chosen statements; of equally frequent ones the first in the table comes first."""
        if isinstance(wanted, list):
            return wanted
        occurring = snomed.occurring(collector.readings)
        if wanted is not None and wanted > len(occurring):
            raise EcgtlError(f"labels is {wanted}, but the recordings of {NAME} available here carry {len(occurring)} "
                             "labels; ask for fewer")
        counts = Counter(name for record in collector.readings for name in record.label or ())
        return occurring if wanted is None else sorted(occurring, key=lambda name: -counts[name])[:wanted]

    return challenge2020.read_all(collector, Path(root) / FOLDER, ".", choose, check_leads(leads),
                                  challenge2020.SAMPLING_RATE, labels=wanted)


def _check_labels(labels: int | str | Sequence[str] | None) -> int | list[str] | None:
    """A number, or names of statements, for ``labels``."""
    sets = ", ".join(LABEL_SETS)
    if labels is None or isinstance(labels, int):
        if labels is not None and (isinstance(labels, bool) or labels < 1):
            raise EcgtlError(f"labels is {labels!r}; give a number above 0, {sets}, or names")
        return labels
    if labels in LABEL_SETS:
        return snomed.label_names(str(labels))
    words = [labels] if isinstance(labels, str) else list(labels)
    names = [name for word in words if (name := snomed.names().get(word))]
    if not names or len(set(names)) < len(words):
        wrong = next((word for word in words if word not in snomed.names()), labels)
        raise EcgtlError(f"labels has {wrong!r}; give a number, {sets}, or names, short names or codes of "
                         "ecgtl/datasets/snomed.yml, each once")
    return names
