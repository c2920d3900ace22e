"""What databases in the form of the PhysioNet/CinC Challenges share: WFDB headers with SNOMED CT codes.

Source: Perez Alday et al., Physiological Measurement 41, 2020; release 1.0.2 on PhysioNet
(``challenge-2020``). Each database is a folder below ``training/``; the loaders ``cpsc2018`` and ``georgia``
read theirs; ``csn`` and ``shaoxing`` have a release of their own in the same form. Ages and sexes in the headers are
not read, so an age of NaN or 300 changes nothing.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ecgtl.datasets import snomed
from ecgtl.datasets.collector import Collector, Reading
from ecgtl.datasets.files import below, check_names
from ecgtl.datasets.recordings import Recordings, not_available

FOLDER = "challenge-2020/1.0.2"
VERSION = "1.0.2"
SAMPLING_RATE = 500.0  # Hz, of CPSC 2018 and Georgia; INCART has 257 and PTB 1,000


def files(base: Path, name: str) -> list[Path]:
    """Every header and signal file below ``base``, the folder of the data set ``name``.

    Raises EcgtlError when there is none, or when two records have the same name.
    """
    found = below(base, "hea", "mat")
    if not found:
        raise not_available(base, "records", name)
    check_names(found)
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
    """As ``readings``.

    Records of another ``rate`` (Hz), without a diagnosis or with an unknown code meet the policy.
    """
    for path, record, codes in readings(found, leads, collector):
        unknown = [code for code in codes if snomed.name_of(code) is None]
        if rate not in (None, record.sampling_rate):
            collector.skip(path.stem, f"sampled at {record.sampling_rate:g} Hz", str(path), f"{collector.name} has "
                           f"{rate:g} Hz: move the record out (the data set folder reads any rate)")
        elif not codes:
            collector.skip(path.stem, "no diagnosis", str(path), "add its #Dx: comment")
        elif unknown:
            collector.skip(path.stem, f"unknown code {unknown[0]}", str(path), "add it to ecgtl/datasets/snomed.yml")
        else:
            yield path, record, codes


def read_all(collector: Collector, base: Path, folder: str, choose: Callable[[], Sequence[str]],
             leads: Sequence[str] | None, rate: float | None = None, **options) -> Recordings:
    """The records in a ``folder`` of ``base`` with all their statements as labels, out of the classes that ``choose()``
    names.

    ``choose`` is called when ``collector`` holds the records, with the names of their statements as labels.
    """
    found = files(base / folder, collector.name)

    def fill() -> None:
        for path, record, codes in diagnosed(found, leads, collector, rate):
            record.label = [snomed.names()[code] for code in codes]
            collector.add(record, str(path))
        collector.classes = tuple(choose())
        for record in collector.readings:
            record.label = [name for name in record.label or () if name in collector.classes]

    return collector.cached(base, found, fill, leads=leads, map=snomed.checksum(), **options)
