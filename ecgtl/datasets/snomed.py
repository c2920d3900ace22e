"""SNOMED CT codes of ECG statements: the table ``snomed.yml``, and the codes of a header's ``Dx:``."""

import hashlib
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from ecgtl import paths
from ecgtl.datasets.wfdb_header import Header

SOURCES = ("cpsc2018", "georgia", "shaoxing", "ningbo")  # order of the counts in the table


@cache
def tables() -> dict:
    """The whole of ``snomed.yml``, whose head says what its parts are."""
    return paths.facts("datasets/snomed")


def name_of(code: str) -> str | None:
    """Name of the statement that ``code`` stands for, or None for a code outside the table."""
    entry = tables()["codes"].get(canonical(code))
    return entry and entry["name"]


def canonical(code: str) -> str:
    """``code``, or the code that counts in its place."""
    return tables()["written_as"].get(code, code)


@cache
def names() -> dict[str, str]:
    """Name of each statement by its codes, its short name and its name."""
    names = {word: entry["name"] for code, entry in tables()["codes"].items()
             for word in (code, entry["short"], entry["name"])}
    return names | {code: names[counted] for code, counted in tables()["written_as"].items()}


def label_set(name: str) -> list[str]:
    """Codes of a choice of statements in the table: ``csn_20``, ``georgia_10``, ``scored_2020``."""
    chosen = tables()[name]
    return list(chosen.values() if isinstance(chosen, dict) else chosen)


def label_names(name: str) -> list[str]:
    """Names of the statements of ``label_set``."""
    return [names()[code] for code in label_set(name)]


def occurring(readings: Sequence) -> list[str]:
    """Names of the statements that any of the ``readings`` has as a label, in the order of the table."""
    seen = {name for reading in readings for name in reading.label}
    return [entry["name"] for entry in tables()["codes"].values() if entry["name"] in seen]


def records(code: str, *sources: str) -> int:
    """Recordings of ``sources`` (out of ``SOURCES``) that carry ``code``, by the official tables."""
    counts = dict(zip(SOURCES, tables()["codes"][code]["records"], strict=True))
    return sum(counts[source] for source in sources)


def diagnoses(header: Header) -> list[str]:
    """The codes of a header's ``Dx:`` comment, in the file's order and each once; empty when it has none."""
    for comment in header.comments:
        key, _, text = comment.partition(":")
        if key.strip().lower() == "dx":
            return list(dict.fromkeys(canonical(word.strip()) for word in text.split(",") if word.strip()))
    return []


def checksum() -> str:
    """SHA-256 of the table, for the keys of what is cached with its names."""
    return hashlib.sha256(Path(__file__).with_suffix(".yml").read_bytes()).hexdigest()
