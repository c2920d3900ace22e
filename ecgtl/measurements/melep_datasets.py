"""What the headers of MELEP 2023's data sets say, counted once for its Table 1."""

import itertools
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ecgtl import published, results
from ecgtl.datasets import cache, catalogue, cpsc2018, csn, georgia, ptbxl, snomed
from ecgtl.datasets.files import below
from ecgtl.datasets.wfdb_header import Header, read_header
from ecgtl.errors import EcgtlError

PROGRAM = "python -m ecgtl measure melep-datasets"
KEY = "melep2023-table1"
PAPER = "melep2023"
# Folder of each data set's headers, in the order of Table 1
HEADERS = {"cpsc2018": cpsc2018.FOLDER, "ptbxl": f"{ptbxl.FOLDER}/records500", "georgia": georgia.FOLDER,
           "csn": f"{csn.FOLDER}/WFDBRecords"}
# Columns of the official tables of codes that make up a data set, and the labels that the paper takes of it
SOURCES = {"cpsc2018": ("cpsc2018",), "georgia": ("georgia",), "csn": ("shaoxing", "ningbo")}
FACTS = ("records", "rates", "leads", "durations", "short", "long", "labels", "refused")


def measure(root: Path) -> results.Result:
    """Counts of the four data sets below ``root`` from headers and tables; not yet saved.

    CPSC2018 counts in its form of the Challenge 2020, which has headers. Raises EcgtlError when no data set
    has any, and for damaged tables of PTB-XL.
    """
    seconds = results.clock()
    found = {name: below(Path(root) / folder, "hea") for name, folder in HEADERS.items()}
    if not any(found.values()):
        raise EcgtlError(f"{root} holds no header of {', '.join(HEADERS)}; run 'python -m ecgtl data fetch NAME', or "
                         "set ECGTL_DATA to the folder of the data sets")
    scores = {name: count(name, files) if files else None for name, files in found.items()}
    files = list(itertools.chain(*found.values()))
    if found["ptbxl"]:
        scores["ptbxl"] = (scores["ptbxl"] or {}) | statements(root)
        files += [Path(root) / ptbxl.FOLDER / name for name in (ptbxl.TABLE, ptbxl.STATEMENTS)]
    data = {"name": "headers and tables", "digest": cache.source_checksum(Path(root), files),
            "version": ", ".join(f"{name} {catalogue.entry(name).version}" for name in HEADERS),
            "records": sum(part["records"] for part in scores.values() if part)}
    return results.Result(results.MEASURED, KEY, {"tier": "paper"}, _evidence(scores), scores, [], data,
                          {"none": np.zeros(0, np.uint8)}, results.provenance("cpu", seconds(), 0, 1, PROGRAM))


def count(name: str, files: Sequence[Path]) -> dict:
    """What the headers ``files`` of the data set ``name`` say, of the recordings that its loader can take.

    ``records``; how many have each of ``rates`` (Hz) and of ``leads`` (their number); ``durations``, the
    shortest and the longest (s, empty when there is none); ``short`` and ``long``, how many are shorter than
    the paper's window and longer than its longest; ``labels``, how many carry each SNOMED CT code (PTB-XL's
    labels stand in its table); ``refused``, how many were left out, by the reason.
    """
    read = [_read(name, path) for path in files]
    taken = [found for found in read if isinstance(found, Header)]
    seconds = [header.n_samples / header.sampling_rate for header in taken]
    window, longest = pub("scalars.duration.value"), pub(f"table1.rows.{name}.durations")[-1]
    return {"records": len(taken), "rates": _counted(f"{header.sampling_rate:g}" for header in taken),
            "leads": _counted(len(header.leads) for header in taken), "short": sum(s < window for s in seconds),
            "long": sum(s > longest for s in seconds), "durations": [min(seconds), max(seconds)] if seconds else [],
            "labels": _counted(code for header in taken for code in snomed.diagnoses(header)),
            "refused": _counted(found for found in read if isinstance(found, str))}


def _read(name: str, path: Path) -> Header | str:
    """The header at ``path``, or why its recording is refused."""
    try:
        header = read_header(path)
    except EcgtlError:
        return "damaged header"
    if not all((path.parent / file).is_file() for file in header.files):
        return "signal absent"
    codes = snomed.diagnoses(header)
    if name in SOURCES and not codes:
        return "no diagnosis"
    return "code outside the map" if any(snomed.name_of(code) is None for code in codes) else header


def _counted(found: Iterable) -> dict[str, int]:
    return {str(key): n for key, n in sorted(Counter(found).items())}


def statements(root: Path) -> dict:
    """What PTB-XL's own tables say: ``rows`` and ``patients`` of the table of recordings, ``labels``.

    ``labels`` counts the diagnostic statements, ``superclasses`` the recordings with any statement of each;
    ``listed`` are the diagnostic statements of the release, ``rates`` those it names files for (Hz). Raises
    EcgtlError when a table is missing or damaged.
    """
    base = Path(root) / ptbxl.FOLDER
    table, listed = ptbxl.recording_table(base), ptbxl.statement_table(base, "diagnostic")
    diagnostic = listed[listed["diagnostic"] == 1]
    said = [diagnostic.index.intersection(codes) for codes in ptbxl.codes_of(table, listed, str(base / ptbxl.TABLE))]
    broader = diagnostic["diagnostic_class"]
    rates = table[["filename_lr", "filename_hr"]].stack().str.extract(r"records(\d+)/", expand=False)
    return {"rows": len(table), "patients": table["patient_id"].nunique(), "listed": len(diagnostic),
            "labels": _counted(key for keys in said for key in keys),
            "superclasses": _counted(name for keys in said for name in set(broader[keys])),
            "named_rates": sorted(map(int, rates.dropna().unique()))}


def _evidence(scores: dict) -> dict[str, str]:
    """``full`` where all four are whole, with all leads; else ``subset``."""
    whole = all(is_whole(name, part) for name, part in scores.items())
    leads = {n for part in scores.values() if part for n in part["leads"]}
    every = whole and leads == {str(pub("scalars.leads.value"))}
    return {"upstream": "none", "target": "full" if whole else "subset", "leads": "full" if every else "subset"}


def is_whole(name: str, part: dict | None) -> bool:
    """Whether all recordings of the release were met, those that are refused among them."""
    return part is not None and part["records"] + sum(part["refused"].values()) >= catalogue.entry(name).records


def load(tier: str = "best") -> results.Result | None:
    """What ``measure`` stored, or None when nothing is: pages then say PENDING.

    Raises EcgtlError for another tier than ``paper``, and when what is stored is damaged or does not add up.
    """
    if tier not in ("best", "paper"):
        raise EcgtlError(f"the data sets have no tier {tier}: they are counted as they are; allowed: best, paper")
    path = results.path_of(results.MEASURED, KEY, "paper")
    if not path.is_file():
        return None
    counted = results.load(path)
    if set(counted.scores) != set(HEADERS) or not all(map(_adds_up, counted.scores.values())):
        raise EcgtlError(f"{path} does not add up; run '{PROGRAM}'")
    return counted


def _adds_up(part: dict | None) -> bool:
    return part is None or (set(FACTS) <= set(part) and max(part["labels"].values(), default=0) <= n_recordings(part)
                            and sum(part["rates"].values()) == sum(part["leads"].values()) == part["records"])


def n_recordings(part: dict) -> int:
    """Recordings that the labels are counted in: PTB-XL's stand in a table, without signals."""
    return part.get("rows", part["records"])


def pub(place: str):
    return published.lookup(f"{PAPER}.{place}")
