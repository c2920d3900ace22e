"""Chapman-Shaoxing and Ningbo: 45,152 twelve-lead recordings of 10 s from two hospitals, several labels each.

Source: Zheng et al., Scientific Reports 10, 2020; release 1.0.0 on PhysioNet (``ecg-arrhythmia``), called CSN
in the MELEP paper. Every code of a header's ``#Dx:`` comment is a label, named by ``snomed.yml``.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from ecgtl.datasets import snomed
from ecgtl.datasets.base import Collector, Reading, Recordings, cached_recordings
from ecgtl.datasets.leads import check_leads, columns
from ecgtl.datasets.wfdb_files import Header, read_header, read_stored
from ecgtl.errors import EcgtlError

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
    if view not in VIEWS:
        raise EcgtlError(f"view is {view!r}; allowed: {', '.join(VIEWS)}")
    base, chosen = Path(root) / FOLDER, check_leads(leads)
    found = files(base)

    def build(folder: Path) -> None:
        collector = Collector(NAME, VERSION, classes=(), multi_label=True, on_bad=on_bad, synthetic=synthetic)
        for path in headers(found, collector):
            _collect(path, view, chosen, collector)
        collector.classes = _classes(view, collector)
        collector.write(folder)

    options = {"on_bad": on_bad, "synthetic": synthetic, "view": view, "leads": chosen,
               "map": snomed.checksum()}
    return cached_recordings(NAME, base, found, options, build)


def files(base: Path) -> list[Path]:
    """Every header and signal file of the release in ``base``; EcgtlError when there is none."""
    found = sorted(path for suffix in ("hea", "mat") for path in (base / "WFDBRecords").rglob(f"*.{suffix}")
                   if not path.name.startswith("."))  # macOS leaves ._JS00001.hea
    if not found:
        raise EcgtlError(f"{base}/WFDBRecords holds no records; run 'python -m ecgtl data fetch csn', or set "
                         "ECGTL_DATA to the folder that holds ecg-arrhythmia/")
    return found


def headers(found: Sequence[Path], collector: Collector) -> list[Path]:
    """The headers among the files ``found``; a signal file without a header meets the policy."""
    paths = {path for path in found if path.suffix == ".hea"}
    for path in found:
        if path.suffix == ".mat" and path.with_suffix(".hea") not in paths:
            collector.skip(path.stem, "signal without a header", str(path),
                           "fetch the record again, or pass on_bad=skip")
    return sorted(paths)


def reading(path: Path, leads: Sequence[str] | None, collector: Collector) -> tuple[Reading, Header] | None:
    """The record whose header stands at ``path``, not labelled yet; None when it is damaged and skipped."""
    with collector.leaving_out(path.stem, "damaged record"):
        header = read_header(path)
        kept = columns(header.leads, leads, str(path))
        stored = read_stored(path, header, kept, partial(collector.remark, path.stem))
        return Reading(path.stem, stored, header.sampling_rate, [header.leads[k] for k in kept],
                       [header.gain[k] for k in kept], [header.baseline[k] for k in kept]), header
    return None


def is_shaoxing(record: str) -> bool:
    """Whether ``record`` (``JS00001`` …) comes from Shaoxing; the others come from Ningbo."""
    return record <= SHAOXING_LAST


def _collect(path: Path, view: str, leads: Sequence[str] | None, collector: Collector) -> None:
    found = reading(path, leads, collector)
    if found is None:
        return
    record, header = found
    codes = snomed.diagnoses(header)
    unknown = [code for code in codes if snomed.name_of(code) is None]
    if not codes:
        collector.skip(path.stem, "no diagnosis", str(path), "add its #Dx: comment, or pass on_bad=skip")
    elif unknown:
        collector.skip(path.stem, f"unknown code {unknown[0]}", str(path),
                       "add the code to ecgtl/datasets/snomed.yml, or pass on_bad=skip")
    else:
        record.label = [snomed.name_of(code) for code in codes if view == "all" or code in _TWENTY]
        collector.add(record, str(path))


_TWENTY = tuple(snomed.tables()["csn_20"].values())


def _classes(view: str, collector: Collector) -> tuple[str, ...]:
    """Names of the twenty, and of all other statements that occur, in the order of the table."""
    twenty = [snomed.name_of(code) for code in _TWENTY]
    seen = {name for reading in collector.readings for name in reading.label}
    others = [entry["name"] for entry in snomed.tables()["codes"].values()]
    return tuple(twenty + [name for name in others if name in seen and name not in twenty and view == "all"])
