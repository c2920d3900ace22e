"""Chapman-Shaoxing and Ningbo: 45,152 twelve-lead recordings of 10 s from two hospitals, several labels each.

Source: Zheng et al., Scientific Reports 10, 2020; release 1.0.0 on PhysioNet (``ecg-arrhythmia``), called CSN
in the MELEP paper. Every code of a header's ``#Dx:`` comment is a label, named by ``snomed.yml``.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from ecgtl.datasets import snomed
from ecgtl.datasets.base import Collector, Reading, Recordings, cached_recordings, check_option, nothing_at_hand
from ecgtl.datasets.leads import check_leads
from ecgtl.datasets.wfdb_files import below

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
    base, chosen = Path(root) / FOLDER, check_leads(leads)
    collector = Collector(NAME, VERSION, classes=(), multi_label=True, on_bad=on_bad, synthetic=synthetic)
    found = files(base / "WFDBRecords", NAME)

    def fill() -> None:
        for path, record, codes in diagnosed(found, chosen, collector):
            record.label = [snomed.name_of(code) for code in codes if view == "all" or code in _TWENTY]
            collector.add(record, str(path))
        collector.classes = _classes(view, collector)

    return cached_recordings(collector, base, found, {"view": view, "leads": chosen, "map": snomed.checksum()}, fill)


def files(base: Path, name: str) -> list[Path]:
    """Every header and signal file below ``base``, of the data set ``name``; EcgtlError when there is none."""
    found = below(base, "hea", "mat")
    if not found:
        raise nothing_at_hand(base, "records", name)
    return found


def readings(found: Sequence[Path], leads: Sequence[str] | None,
             collector: Collector) -> Iterator[tuple[Path, Reading, list[str]]]:
    """Header, record, not labelled yet, and SNOMED codes, each once, of all records among the files ``found``.

    A signal file without a header and a damaged record meet the policy.
    """
    paths = {path for path in found if path.suffix == ".hea"}
    for path in found:
        if path.suffix == ".mat" and path.with_suffix(".hea") not in paths:
            collector.skip(path.stem, "signal without a header", str(path), "fetch the record again")
    for path in sorted(paths):
        with collector.leaving_out(path.stem, "damaged record"):
            record, header = collector.reading(path, leads)
            yield path, record, snomed.diagnoses(header)


def diagnosed(found: Sequence[Path], leads: Sequence[str] | None, collector: Collector,
              rate: float | None = None) -> Iterator[tuple[Path, Reading, list[str]]]:
    """As ``readings``; records that have not the ``rate`` (Hz), no diagnosis or a code outside ``snomed.yml`` meet the policy."""
    for path, record, codes in readings(found, leads, collector):
        unknown = [code for code in codes if snomed.name_of(code) is None]
        if rate not in (None, record.sampling_rate):
            collector.skip(path.stem, f"sampled at {record.sampling_rate:g} Hz", str(path),
                           f"{collector.name} has {rate:g} Hz: move the record out (the data set folder reads any rate)")
        elif not codes:
            collector.skip(path.stem, "no diagnosis", str(path), "add its #Dx: comment")
        elif unknown:
            collector.skip(path.stem, f"unknown code {unknown[0]}", str(path), "add the code to ecgtl/datasets/snomed.yml")
        else:
            yield path, record, codes


def is_shaoxing(record: str) -> bool:
    """Whether ``record`` (``JS00001`` …) comes from Shaoxing; the others come from Ningbo."""
    return record <= SHAOXING_LAST


_TWENTY = tuple(snomed.tables()["csn_20"].values())


def _classes(view: str, collector: Collector) -> tuple[str, ...]:
    """Names of the twenty, and of all other statements that occur, in the order of the table."""
    twenty = [snomed.name_of(code) for code in _TWENTY]
    seen = {name for reading in collector.readings for name in reading.label}
    others = [entry["name"] for entry in snomed.tables()["codes"].values()]
    return tuple(twenty + [name for name in others if name in seen and name not in twenty and view == "all"])
