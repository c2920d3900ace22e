"""Chapman-Shaoxing and Ningbo: 45,152 twelve-lead recordings of 10 s from two hospitals, several labels each.

Source: Zheng et al., Scientific Reports 10, 2020; release 1.0.0 on PhysioNet (``ecg-arrhythmia``), called CSN
in the MELEP paper. Every code of a header's ``#Dx:`` comment is a label, named by ``snomed.yml``.
"""

from collections.abc import Sequence
from pathlib import Path

from ecgtl.datasets import challenge2020, snomed
from ecgtl.datasets.collector import Collector
from ecgtl.datasets.leads import check_leads
from ecgtl.datasets.recordings import Recordings, check_option

NAME = "csn"
FOLDER = "ecg-arrhythmia/1.0.0"
VERSION = "1.0.0"
SHAOXING_LAST = "JS10646"  # records up to this one come from Shaoxing, all later ones from Ningbo
VIEWS = ("all", "csn_20")


def read(root: Path, on_bad: str = "error", synthetic: bool = False, view: str = "all",
         leads: str | Sequence[str] | None = None) -> Recordings:
    """All recordings below ``root/ecg-arrhythmia/1.0.0/WFDBRecords``, several labels each.

    ``view="all"`` has the twenty labels of the MELEP paper first, by their statements' names, then every
    other statement that occurs; ``"csn_20"`` has the twenty alone, and recordings with none of them get an
    empty row. Codes that the Challenges score as one (complete and plain bundle branch block, say) stay
    apart. ``leads`` keeps some leads only: all twelve of the whole release take 5.4 GB. Identical signals are
    in ``Recordings.duplicates``.

    ``on_bad`` says what a damaged, flat or incomplete recording causes, one without its other file, without a
    diagnosis or with a code outside ``snomed.yml``: ``error``, or ``skip``, which leaves it out and counts it
    (the release itself has two damaged headers, JS01052 and JS23074). Raises EcgtlError when the folder is
    missing.
    """
    check_option("view", view, VIEWS)
    collector = Collector(NAME, VERSION, multi_label=True, on_bad=on_bad, synthetic=synthetic)

    def choose() -> list[str]:
        twenty = snomed.label_names("csn_20")
        others = snomed.occurring(collector.readings) if view == "all" else []
        return twenty + [name for name in others if name not in twenty]

    return challenge2020.read_all(collector, Path(root) / FOLDER, "WFDBRecords", choose, check_leads(leads), view=view)
