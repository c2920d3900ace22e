"""Georgia: 10,344 twelve-lead recordings of 5 to 10 s at 500 Hz, several labels each.

Source: Perez Alday et al., Physiological Measurement 41, 2020; part ``training/georgia`` of the Challenge
2020 on PhysioNet. Every code of a header's ``#Dx:`` comment is a label, named by ``snomed.yml``. The release
names no patients, so each recording counts as a subject of its own (identical signals as one).
"""

from collections.abc import Sequence
from pathlib import Path

from ecgtl.datasets import challenge2020, snomed
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.leads import check_leads
from ecgtl.datasets.recordings import Recordings, check_option

NAME = "georgia"
FOLDER = f"{challenge2020.FOLDER}/training/georgia"
LABEL_SETS = ("georgia_10", "scored_2020")


def read(root: Path, on_bad: str = "error", synthetic: bool = False, labels: str | None = None,
         leads: str | Sequence[str] | None = None) -> Recordings:
    """All recordings below ``root/challenge-2020/1.0.2/training/georgia``, several labels each.

    Recordings may have any length. ``labels`` chooses the classes: ``None`` takes every statement that
    occurs, in the order of ``snomed.yml``; ``"georgia_10"`` the ten of the MELEP paper, ``"scored_2020"`` the 27 that
    the Challenge scores. Recordings with none of the chosen labels get an empty row. Codes that the Challenge scores as
    one (complete and plain right bundle branch block, say) stay apart. ``leads`` keeps some leads only: all twelve of
    the whole release take 1.2 GB.

    ``on_bad`` says what a damaged, flat or incomplete recording causes, one without its other file, at
    another rate than 500 Hz, without a diagnosis or with a code outside ``snomed.yml``: ``error``, or
    ``skip``, which leaves it out and counts it. Raises EcgtlError when the folder holds no records, and for
    unknown labels.
    """
    if labels is not None:
        check_option("labels", labels, LABEL_SETS)
    wanted = labels and snomed.label_names(labels)
    collector = Collector(NAME, challenge2020.VERSION, multi_label=True, on_bad=on_bad, synthetic=synthetic)
    return challenge2020.read_all(
        collector, Path(root) / FOLDER, ".", lambda: wanted or snomed.occurring(collector.readings), check_leads(leads),
        challenge2020.SAMPLING_RATE, labels=wanted)
